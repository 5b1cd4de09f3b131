/* SPDX-License-Identifier: BSD-2-Clause
 * sim/link.c - loss, delay, order, rate
 */
#include "sim/link.h"

#define HEADER_BYTES                                                                               \
	66 /* Ethernet, IPv4, TCP with timestamps: what the rate limit sees beside the payload */

/* The time at which the last bit has left, or TC_TIME_NEVER when the queue is full. */
static tc_time transmit(struct sim_link *l, tc_time now, uint32_t bytes)
{
	if (l->rate_kbit == 0) {
		return now;
	}
	tc_time start = tc_time_max(now, l->busy_until);
	tc_time per_byte = 8 * TC_MS / l->rate_kbit;
	if ((start - now) / per_byte > l->queue_bytes) {
		return TC_TIME_NEVER;
	}
	l->busy_until = start + per_byte * (bytes + HEADER_BYTES);
	return l->busy_until;
}

unsigned sim_link_send(struct sim_link *l, tc_time now, uint32_t bytes,
		       tc_time ret_at[SIM_LINK_COPIES])
{
	if (now >= l->down_from && now < l->down_to) {
		return 0;
	}
	if ((l->mtu != 0 && bytes > l->mtu) || sim_rng_permille(&l->rng, l->loss_permille)) {
		return 0;
	}
	tc_time sent = transmit(l, now, bytes);
	if (sent == TC_TIME_NEVER) {
		return 0;
	}
	tc_time at = sent + l->delay + sim_rng_range(&l->rng, 0, l->jitter);
	if (sim_rng_permille(&l->rng, l->reorder_permille)) {
		at += sim_rng_range(&l->rng, 0, l->hold);
	} else {
		at = tc_time_max(at, l->last);
		l->last = at;
	}
	unsigned n = 0;
	ret_at[n++] = at;
	if (sim_rng_permille(&l->rng, l->dup_permille)) {
		ret_at[n++] = at + sim_rng_range(&l->rng, 0, 2 * TC_MS);
	}
	if (sim_rng_permille(&l->rng, l->late_permille)) {
		ret_at[n++] = at + sim_rng_range(&l->rng, l->late / 8, l->late);
	}
	return n;
}
