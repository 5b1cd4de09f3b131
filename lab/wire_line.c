/* SPDX-License-Identifier: BSD-2-Clause
 * lab/wire_line.c - one direction of the wire
 *
 * Source:  Steele, Lea, Flood: "Fast Splittable Pseudorandom Number Generators" (2014), the finalizer called splitmix64.
 */
#include "lab/wire_line.h"

static uint64_t throw_dice(struct wire_dice *d)
{
	uint64_t z = d->state += 0x9e3779b97f4a7c15ULL;
	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ULL;
	z = (z ^ z >> 27) * 0x94d049bb133111ebULL;
	return z ^ z >> 31;
}

static struct wire_dice dice_of(uint64_t seed, uint64_t name)
{
	struct wire_dice d = { seed };
	d.state = throw_dice(&d) + name;
	d.state = throw_dice(&d);
	return d;
}

void wire_line_init(struct wire_line *l, const struct wire_settings *set, uint64_t seed,
		    unsigned direction)
{
	uint64_t name = (uint64_t)direction * 4;
	*l = (struct wire_line){
		.set = set,
		.loss = dice_of(seed, name),
		.duplicate = dice_of(seed, name + 1),
		.hold = dice_of(seed, name + 2),
		.jitter = dice_of(seed, name + 3),
	};
}

static bool chance(struct wire_dice *d, int64_t share)
{
	return (int64_t)(throw_dice(d) % WIRE_SHARE_MAX) < share;
}

/* When the last bit of the frame has passed the bottleneck; false: there was no place in its queue. */
static bool pass_bottleneck(struct wire_line *l, uint32_t len, tc_time now, tc_time *ret_passed)
{
	int64_t rate = l->set->rate_bps;
	if (rate == 0) {
		*ret_passed = now;
		return true;
	}
	tc_time took = (tc_time)len * 8 * TC_SEC / rate;
	tc_time queue = l->set->queue_bytes * 8 * TC_SEC / rate;
	bool waits = l->busy_until > now;
	if (waits && l->busy_until - now + took > queue) {
		return false;
	}
	l->busy_until = tc_time_max(l->busy_until, now) + took;
	*ret_passed = l->busy_until;
	return true;
}

unsigned wire_line_take(struct wire_line *l, uint32_t len, tc_time now, tc_time *ret_out)
{
	const struct wire_settings *set = l->set;
	bool lost = chance(&l->loss, set->loss);
	bool twice = chance(&l->duplicate, set->duplicate);
	bool held = chance(&l->hold, set->hold_share);
	tc_time jitter =
		(tc_time)(throw_dice(&l->jitter) % (uint64_t)(set->jitter_ns + 1)); /* up to it */
	tc_time out;
	l->counts.frames++;
	l->counts.bytes += len;
	if (lost) {
		l->counts.lost++;
		return 0;
	}
	if (!pass_bottleneck(l, len, now, &out)) {
		l->counts.queue_full++;
		return 0;
	}
	out += set->delay_ns + jitter;
	if (held) {
		l->counts.held++;
		out += set->hold_ns;
	} else {
		out = tc_time_max(out, l->last_out);
		l->last_out = out;
	}
	l->counts.duplicated += twice;
	*ret_out = out;
	return twice ? 2 : 1;
}
