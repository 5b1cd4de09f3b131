/* SPDX-License-Identifier: BSD-2-Clause
 * lab/wire_queue.c - frames under way
 */
#include "lab/wire_queue.h"

#include <errno.h>
#include <sys/mman.h>

static void *map(size_t bytes)
{
	void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	return p == MAP_FAILED ? NULL : p;
}

static void unmap(void *p, size_t bytes)
{
	if (p != NULL) {
		munmap(p, bytes);
	}
}

static size_t slots_bytes(const struct wire_queue *q)
{
	return tc_slab_bytes(q->slots.size, q->slots.capacity);
}

int wire_queue_init(struct wire_queue *q, uint32_t frames, uint32_t frame_bytes)
{
	uint32_t size = ((uint32_t)sizeof(struct wire_slot) + frame_bytes + 7) / 8 * 8;
	*q = (struct wire_queue){ 0 };
	tc_slab_init(&q->slots, map(tc_slab_bytes(size, frames)), size, frames);
	q->heap = map(frames * sizeof *q->heap);
	if (q->slots.mem == NULL || q->heap == NULL) {
		wire_queue_fini(q);
		return -ENOMEM;
	}
	return 0;
}

void wire_queue_fini(struct wire_queue *q)
{
	unmap(q->slots.mem, slots_bytes(q));
	unmap(q->heap, q->slots.capacity * sizeof *q->heap);
	q->slots.mem = NULL;
	q->heap = NULL;
}

static bool before(const struct wire_entry *a, const struct wire_entry *b)
{
	return a->at != b->at ? a->at < b->at : a->order < b->order;
}

struct wire_slot *wire_queue_put(struct wire_queue *q, tc_time at)
{
	uint32_t slot = tc_slab_take(&q->slots);
	if (slot == TC_NIL) {
		return NULL;
	}
	struct wire_entry e = { .at = at, .order = q->order++, .slot = slot };
	uint32_t i = q->n++;
	while (i > 0 && before(&e, &q->heap[(i - 1) / 2])) {
		q->heap[i] = q->heap[(i - 1) / 2];
		i = (i - 1) / 2;
	}
	q->heap[i] = e;
	return wire_queue_slot(q, slot);
}

tc_time wire_queue_deadline(const struct wire_queue *q)
{
	return q->n > 0 ? q->heap[0].at : TC_TIME_NEVER;
}

uint32_t wire_queue_take(struct wire_queue *q)
{
	uint32_t slot = q->heap[0].slot;
	struct wire_entry last = q->heap[--q->n];
	uint32_t i = 0;
	for (uint32_t child; (child = 2 * i + 1) < q->n; i = child) {
		if (child + 1 < q->n && before(&q->heap[child + 1], &q->heap[child])) {
			child++;
		}
		if (!before(&q->heap[child], &last)) {
			break;
		}
		q->heap[i] = q->heap[child];
	}
	q->heap[i] = last;
	return slot;
}
