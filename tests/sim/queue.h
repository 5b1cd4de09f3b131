/* SPDX-License-Identifier: BSD-2-Clause
 * sim/queue.h - what will happen, in the order of virtual time
 *
 * Layer:   test. A binary heap of fixed capacity; events of the same time come in the order in which they were pushed.
 */
#ifndef TC_SIM_QUEUE_H
#define TC_SIM_QUEUE_H

#include "base/types.h"

#define SIM_QUEUE_MAX 16384

struct sim_event {
	tc_time at;
	uint64_t order;
	uint32_t kind; /* enum sim_event_kind */
	uint32_t arg;  /* a packet, a conversation, a slot */
};

struct sim_queue {
	tc_time now;
	uint64_t order;
	uint32_t n;
	bool full; /* an event was lost: the scenario is too large, which is a failure of its own */
	struct sim_event heap[SIM_QUEUE_MAX];
};

void sim_queue_init(struct sim_queue *q, tc_time now);

/** sim_queue_push() - at @at, or now when that is past */
void sim_queue_push(struct sim_queue *q, tc_time at, uint32_t kind, uint32_t arg);

/** sim_queue_pop() - the next event; q->now becomes its time. false when there is none */
bool sim_queue_pop(struct sim_queue *q, struct sim_event *ret_ev);

/**
 * struct sim_timer - a deadline of an object, with at most one event in the queue that matters
 * A deadline that moves back leaves its event where it is: it comes too early, and is pushed again.
 */
struct sim_timer {
	tc_time at;	/* TC_TIME_NEVER: nothing to do */
	tc_time pushed; /* the earliest event in the queue, TC_TIME_NEVER for none */
};

#define SIM_TIMER_IDLE ((struct sim_timer){ TC_TIME_NEVER, TC_TIME_NEVER })

/** sim_timer_set() - the deadline is @at */
void sim_timer_set(struct sim_timer *t, struct sim_queue *q, tc_time at, uint32_t kind,
		   uint32_t arg);

/** sim_timer_due() - an event of it has come: is it time? When it is, the timer is idle again */
bool sim_timer_due(struct sim_timer *t, struct sim_queue *q, uint32_t kind, uint32_t arg);

#endif
