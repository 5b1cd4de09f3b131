/* SPDX-License-Identifier: BSD-2-Clause
 * sim/queue.c - the heap of events, and timers on it
 */
#include "sim/queue.h"

void sim_queue_init(struct sim_queue *q, tc_time now)
{
	q->now = now;
	q->order = 0;
	q->n = 0;
	q->full = false;
}

static bool before(const struct sim_event *a, const struct sim_event *b)
{
	return a->at != b->at ? a->at < b->at : a->order < b->order;
}

void sim_queue_push(struct sim_queue *q, tc_time at, uint32_t kind, uint32_t arg)
{
	if (q->n == SIM_QUEUE_MAX) {
		q->full = true;
		return;
	}
	struct sim_event ev = { tc_time_max(at, q->now), q->order++, kind, arg };
	uint32_t i = q->n++;
	while (i > 0 && before(&ev, &q->heap[(i - 1) / 2])) {
		q->heap[i] = q->heap[(i - 1) / 2];
		i = (i - 1) / 2;
	}
	q->heap[i] = ev;
}

bool sim_queue_pop(struct sim_queue *q, struct sim_event *ret_ev)
{
	if (q->n == 0) {
		return false;
	}
	*ret_ev = q->heap[0];
	q->now = ret_ev->at;
	struct sim_event last = q->heap[--q->n];
	uint32_t i = 0;
	for (;;) {
		uint32_t child = 2 * i + 1;
		if (child >= q->n) {
			break;
		}
		if (child + 1 < q->n && before(&q->heap[child + 1], &q->heap[child])) {
			child++;
		}
		if (!before(&q->heap[child], &last)) {
			break;
		}
		q->heap[i] = q->heap[child];
		i = child;
	}
	q->heap[i] = last;
	return true;
}

void sim_timer_set(struct sim_timer *t, struct sim_queue *q, tc_time at, uint32_t kind,
		   uint32_t arg)
{
	t->at = at;
	if (at < t->pushed) {
		sim_queue_push(q, at, kind, arg);
		t->pushed = tc_time_max(at, q->now);
	}
}

bool sim_timer_due(struct sim_timer *t, struct sim_queue *q, uint32_t kind, uint32_t arg)
{
	if (t->pushed > q->now) {
		return false; /* an event of an earlier arming; the one that counts is yet to come */
	}
	t->pushed = TC_TIME_NEVER;
	if (t->at > q->now) {
		if (t->at != TC_TIME_NEVER) {
			sim_queue_push(q, t->at, kind, arg);
			t->pushed = t->at;
		}
		return false;
	}
	t->at = TC_TIME_NEVER;
	return true;
}
