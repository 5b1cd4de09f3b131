/* SPDX-License-Identifier: BSD-2-Clause
 * intercept/relay-queue.h - reports that wait for one peer, oldest first
 *
 * Layer:   the relay: sans-I/O. The memory is the caller's.
 *
 * A ring. Positions count up for ever from 1, so that 0 is no position, and one that was sent lies before the head: a flow may keep
 * the position of its newest report, and nobody has to tell it that the report is gone.
 */
#ifndef TC_INTERCEPT_RELAY_QUEUE_H
#define TC_INTERCEPT_RELAY_QUEUE_H

#include "wire/packet.h"

struct tc_report {
	struct tc_answer answer;
	tc_time at;    /* when its first packet came */
	uint32_t flow; /* whose, for merging; TC_NIL: nothing is merged into it */
};

struct tc_report_queue {
	struct tc_report *ring; /* borrowed from the caller for the queue's life */
	uint64_t mask;		/* slots - 1 */
	uint32_t limit;
	uint64_t head; /* position of the oldest */
	uint64_t tail; /* position of the next */
};

/** tc_report_queue_bytes() - memory for @limit reports */
size_t tc_report_queue_bytes(uint32_t limit);
void tc_report_queue_init(struct tc_report_queue *q, void *mem, uint32_t limit);

static inline uint64_t tc_report_queue_used(const struct tc_report_queue *q)
{
	return q->tail - q->head;
}

/** tc_report_queue_at() - the report at @pos, or NULL when it does not wait (any more) */
const struct tc_report *tc_report_queue_at(const struct tc_report_queue *q, uint64_t pos);

/** tc_report_queue_append() - a report of @pkt alone; its position, or 0 when the queue is full */
uint64_t tc_report_queue_append(struct tc_report_queue *q, uint32_t flow,
				const struct tc_packet *pkt, tc_time now);

/**
 * tc_report_queue_merge() - let the report at @pos, of @flow, stand for @pkt too
 * @older_than: only a report that has waited longer; any, when the queue is more than half full
 * Return: false when it must not be: the report is gone or too young, one of the two is a SYN-ACK or RST, or they do not fit.
 */
bool tc_report_queue_merge(struct tc_report_queue *q, uint64_t pos, uint32_t flow,
			   const struct tc_packet *pkt, tc_time now, tc_time older_than);

/** tc_report_queue_encode() - take reports from the front into the records of an ANSWERS body; bytes written */
size_t tc_report_queue_encode(struct tc_report_queue *q, uint8_t *buf, size_t n,
			      uint16_t *ret_count);

static inline void tc_report_queue_clear(struct tc_report_queue *q)
{
	q->head = q->tail;
}

#endif
