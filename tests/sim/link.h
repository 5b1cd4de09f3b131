/* SPDX-License-Identifier: BSD-2-Clause
 * sim/link.h - a way that packets take, and what it does to them
 *
 * Layer:   test. It says when a packet arrives, and how often; the caller pushes the events.
 */
#ifndef TC_SIM_LINK_H
#define TC_SIM_LINK_H

#include "sim/rng.h"

#include "base/types.h"

#define SIM_LINK_COPIES 3

struct sim_link {
	struct sim_rng rng;
	/* fixed */
	tc_time delay;
	tc_time jitter;
	int64_t loss_permille;
	int64_t dup_permille;
	int64_t reorder_permille; /* so many are held back, by up to .hold */
	tc_time hold;
	int64_t late_permille; /* so many come a second time, up to .late later: what a stale report is */
	tc_time late;
	int64_t rate_kbit; /* 0: no limit */
	int64_t queue_bytes;
	int64_t mtu; /* payload bytes that still pass, 0: all; larger packets vanish without a word */
	tc_time down_from; /* [down_from, down_to): nothing passes */
	tc_time down_to;
	/* state */
	tc_time busy_until; /* the last bit of the queue leaves then */
	tc_time last;	    /* arrival of the last packet in order */
};

/**
 * sim_link_send() - a packet with @bytes of payload goes in at @now
 * @ret_at: when its copies arrive
 * Return: how many do, 0..SIM_LINK_COPIES.
 */
unsigned sim_link_send(struct sim_link *l, tc_time now, uint32_t bytes,
		       tc_time ret_at[SIM_LINK_COPIES]);

#endif
