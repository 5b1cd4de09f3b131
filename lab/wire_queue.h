/* SPDX-License-Identifier: BSD-2-Clause
 * lab/wire_queue.h - frames under way, by the time at which they come out
 *
 * Layer:   lab. Memory is taken once; frames that find no place are refused.
 *
 * A binary heap over slots of equal size. Of frames with the same time the one that was put first comes out first.
 */
#ifndef TC_LAB_WIRE_QUEUE_H
#define TC_LAB_WIRE_QUEUE_H

#include "base/slab.h"
#include "base/types.h"

#include <linux/virtio_net.h>

/** struct wire_slot - one frame of at most the queue's frame_bytes; @head is for the kernel: its checksum may be unfinished */
struct wire_slot {
	struct virtio_net_hdr head;
	uint32_t len;
	uint8_t data[];
};

struct wire_entry {
	tc_time at;
	uint64_t order;
	uint32_t slot;
};

struct wire_queue {
	struct tc_slab slots;	 /* its memory is owned, mapped */
	struct wire_entry *heap; /* owned, mapped */
	uint32_t n;
	uint64_t order;
};

/** wire_queue_init() - room for @frames of @frame_bytes each; 0 or -ENOMEM. Pages that no frame ever needs are never touched */
int wire_queue_init(struct wire_queue *q, uint32_t frames, uint32_t frame_bytes);
void wire_queue_fini(struct wire_queue *q);

/** wire_queue_put() - a slot to be filled that comes out at @at, NULL when all are in use */
struct wire_slot *wire_queue_put(struct wire_queue *q, tc_time at);

/** wire_queue_deadline() - when the first one comes out, TC_TIME_NEVER when there is none */
tc_time wire_queue_deadline(const struct wire_queue *q);

/** wire_queue_take() - the first one, which there must be; it is the caller's until wire_queue_give() */
uint32_t wire_queue_take(struct wire_queue *q);

static inline struct wire_slot *wire_queue_slot(const struct wire_queue *q, uint32_t i)
{
	return tc_slab_at(&q->slots, i);
}

static inline void wire_queue_give(struct wire_queue *q, uint32_t i)
{
	tc_slab_give(&q->slots, i);
}

#endif
