/* SPDX-License-Identifier: BSD-2-Clause
 * sim/file.c - the capture is a file: it ends, may be replayed again, and may be held meanwhile
 *
 * As the engine does: what the file has is given, then its end is told; a further pass begins when the last session of the one before has
 * ended. A further pass is the same clients again, as further conversations on their ports. While the capture is held its clients stand still,
 * and the rest of the world does not.
 */
#include "sim/sim.h"

#define LOOK_EVERY (50 * TC_MS)
/* What its clients said last is under way for so long */
#define LAST_WORDS (200 * TC_MS)

void sim_file_start(struct sim *s)
{
	s->pass_from = s->q.now;
	if (s->p.file_end_ms > 0) {
		sim_queue_push(&s->q, s->q.now + LOOK_EVERY, SIM_EV_FILE, 0);
	}
	if (s->p.held_ms > 0) {
		tc_time at = s->q.now + s->p.held_at_ms * TC_MS;
		sim_queue_push(&s->q, at, SIM_EV_HELD, 1);
		sim_queue_push(&s->q, at + s->p.held_ms * TC_MS, SIM_EV_HELD, 0);
	}
}

void sim_file_on_held(struct sim *s, bool held)
{
	struct tc_event ev = { .kind = TC_EVENT_CAPTURE_HELD, .at = s->q.now, .count = held };
	sim_capture_on_block(s); /* a file has no packets that wait */
	sim_core_on_event(s, &ev);
}

bool sim_file_has(const struct sim *s, unsigned conv)
{
	return !s->file_ended && s->convs[conv].pass == s->pass;
}

/* All of its clients are done, and nothing of them is under way. */
static bool is_read(const struct sim *s)
{
	for (unsigned i = 0; i < s->n_convs; i++) {
		const struct sim_conv *c = &s->convs[i];
		if (c->pass == s->pass &&
		    (c->step != SIM_CLIENT_DONE || s->q.now < c->done_at + LAST_WORDS)) {
			return false;
		}
	}
	return true;
}

static void end(struct sim *s)
{
	struct tc_event ev = { .kind = TC_EVENT_CAPTURE_END, .at = s->q.now };
	struct tc_ledger l;
	sim_capture_on_block(s);
	s->file_ended = true;
	s->file_ended_at = s->q.now;
	for (unsigned i = 0; i < s->n_convs; i++) {
		struct sim_conv *c = &s->convs[i];
		if (c->pass == s->pass) {
			c->cut = !c->fin_captured && !c->rst_captured;
			c->over |= !c->accept_given; /* lone SYNs are given up */
		}
	}
	sim_core_on_event(s, &ev);
	tc_core_ledger(s->core, &l);
	if (l.syns_held != 0) {
		sim_fail(s, "%llu lone SYNs are held after the end of the file",
			 (unsigned long long)l.syns_held);
	}
}

static void begin_pass(struct sim *s)
{
	s->pass++;
	s->file_ended = false;
	s->pass_from = s->q.now;
	for (unsigned i = 0; i < s->n_convs; i++) {
		const struct sim_conv *c = &s->convs[i];
		bool follows = i > 0 && s->convs[i - 1].pass == s->pass &&
			       s->convs[i - 1].place == c->place;
		if (c->pass == s->pass && !follows) {
			tc_time at = sim_rng_range(&s->share_dice, 0, s->p.spread_us) * TC_US;
			sim_queue_push(&s->q, s->q.now + at, SIM_EV_CLIENT_START, i);
		}
	}
}

void sim_file_on_look(struct sim *s)
{
	if (!s->file_ended) {
		if (s->q.now >= s->pass_from + s->p.file_end_ms * TC_MS || is_read(s)) {
			end(s);
		}
	} else if (tc_core_live(s->core) > 0) {
		if (s->q.now > s->file_ended_at + s->bound) {
			sim_fail(s, "%u replicas live %lld ms after the end of the file",
				 tc_core_live(s->core), (long long)(s->bound / TC_MS));
		}
	} else if (s->pass + 1 < s->p.passes) {
		begin_pass(s);
	} else {
		return;
	}
	sim_queue_push(&s->q, s->q.now + LOOK_EVERY, SIM_EV_FILE, 0);
}
