/* SPDX-License-Identifier: BSD-2-Clause
 * base/slab.h - fixed numbers of equal objects, named by 32-bit indices
 *
 * Layer:   base. The memory is the caller's; nothing is touched before it is used, so pages that are never needed cost nothing.
 *
 * A free object holds the index of the next free one in its first four bytes. Objects never move.
 */
#ifndef TC_BASE_SLAB_H
#define TC_BASE_SLAB_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define TC_NIL UINT32_MAX

struct tc_slab {
	uint8_t *mem; /* borrowed from the caller until the slab is no longer used */
	uint32_t size;
	uint32_t capacity;
	uint32_t fresh; /* objects from here on were never taken */
	uint32_t free;	/* first of those that came back, TC_NIL for none */
	uint32_t used;
};

/** tc_slab_bytes() - memory for @capacity objects of @size bytes */
static inline size_t tc_slab_bytes(uint32_t size, uint32_t capacity)
{
	return (size_t)size * capacity;
}

/** tc_slab_init() - @size >= 4; @mem holds tc_slab_bytes() bytes, aligned for the objects */
static inline void tc_slab_init(struct tc_slab *s, void *mem, uint32_t size, uint32_t capacity)
{
	*s = (struct tc_slab){ .mem = mem, .size = size, .capacity = capacity, .free = TC_NIL };
}

static inline void *tc_slab_at(const struct tc_slab *s, uint32_t i)
{
	return s->mem + (size_t)i * s->size;
}

static inline uint32_t tc_slab_left(const struct tc_slab *s)
{
	return s->capacity - s->used;
}

/** tc_slab_take() - an object with undefined content, or TC_NIL when all are used */
static inline uint32_t tc_slab_take(struct tc_slab *s)
{
	uint32_t i = s->free;
	if (i != TC_NIL) {
		memcpy(&s->free, tc_slab_at(s, i), sizeof s->free);
	} else if (s->fresh < s->capacity) {
		i = s->fresh++;
	} else {
		return TC_NIL;
	}
	s->used++;
	return i;
}

static inline void tc_slab_give(struct tc_slab *s, uint32_t i)
{
	memcpy(tc_slab_at(s, i), &s->free, sizeof s->free);
	s->free = i;
	s->used--;
}

#endif
