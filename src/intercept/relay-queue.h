/* SPDX-License-Identifier: BSD-2-Clause
 * intercept/relay-queue.h - reports that wait for one peer, oldest first
 *
 * Layer:   the relay: sans-I/O. The memory is the caller's.
 *
 * A ring. Positions count up for ever from 1, so that 0 is no position, and one that was sent lies before the head: a flow may keep
 * the position of its newest report, and nobody has to tell it that the report is gone. A queue that runs empty, as it does each turn
 * when all is well, begins again with the first slot, which is still in the cache.
 */
#ifndef TC_INTERCEPT_RELAY_QUEUE_H
#define TC_INTERCEPT_RELAY_QUEUE_H

#include "wire/packet.h"

struct tc_relay_report {
	struct tc_answer answer;
	tc_time at; /* when its first packet came */
};

struct tc_relay_queue {
	struct tc_relay_report *ring; /* borrowed from the caller for the queue's life */
	uint64_t mask;		      /* slots - 1 */
	uint32_t limit;
	uint64_t origin; /* a position that stands in the first slot */
	uint64_t head;	 /* position of the oldest */
	uint64_t tail;	 /* position of the next */
};

/** tc_relay_queue_bytes() - memory for @limit reports */
size_t tc_relay_queue_bytes(uint32_t limit);
void tc_relay_queue_init(struct tc_relay_queue *q, void *mem, uint32_t limit);

static inline uint64_t tc_relay_queue_used(const struct tc_relay_queue *q)
{
	return q->tail - q->head;
}

/** tc_relay_queue_at() - the report at @pos, or NULL when it does not wait (any more) */
const struct tc_relay_report *tc_relay_queue_at(const struct tc_relay_queue *q, uint64_t pos);

/** tc_relay_queue_append() - a report of @pkt alone; its position, or 0 when the queue is full */
uint64_t tc_relay_queue_append(struct tc_relay_queue *q, const struct tc_packet *pkt, tc_time now);

/**
 * tc_relay_queue_merge() - let the report at @pos stand for @pkt too, which is of the same flow
 * @older_than: only a report that has waited longer; any, when the queue is more than half full
 * Return: false when it must not be: the report is gone or too young, one of the two is a SYN-ACK or RST, or they do not fit.
 */
bool tc_relay_queue_merge(struct tc_relay_queue *q, uint64_t pos, const struct tc_packet *pkt,
			  tc_time now, tc_time older_than);

/** tc_relay_queue_encode() - take reports from the front into the records of an ANSWERS body; bytes written */
size_t tc_relay_queue_encode(struct tc_relay_queue *q, uint8_t *buf, size_t n, uint16_t *ret_count);

static inline void tc_relay_queue_clear(struct tc_relay_queue *q)
{
	q->head = q->origin = q->tail;
}

#endif
