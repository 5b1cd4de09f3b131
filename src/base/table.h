/* SPDX-License-Identifier: BSD-2-Clause
 * base/table.h - a hash table of indices, of fixed capacity
 *
 * Layer:   base. The memory is the caller's; keys live in the objects that the indices name.
 *
 * Open addressing, linear probing, removal by backward shift: no tombstones, no rehash, no stall. A slot is {hash, index}; the
 * hash is compared before the caller looks at the object. More than one entry may have the same hash, or the same key.
 *
 *     for (uint32_t pos = tc_table_find(t, hash); pos != TC_NIL; pos = tc_table_again(t, hash, pos)) {
 *             ... tc_table_index(t, pos) ...
 *     }
 */
#ifndef TC_BASE_TABLE_H
#define TC_BASE_TABLE_H

#include "base/slab.h"

#include <stdbool.h>

struct tc_table_slot {
	uint32_t hash;
	uint32_t index; /* index + 1; 0: empty */
};

struct tc_table {
	struct tc_table_slot *slots; /* borrowed from the caller */
	uint32_t mask;
	uint32_t used;
	uint32_t limit; /* entries at most: seven eighths of the slots */
};

/** tc_table_slots() - slots for @entries: a power of two, at most 7/8 full */
static inline uint32_t tc_table_slots(uint32_t entries)
{
	uint32_t n = 16;
	while (n / 8 * 7 < entries) {
		n *= 2;
	}
	return n;
}

static inline size_t tc_table_bytes(uint32_t entries)
{
	return tc_table_slots(entries) * sizeof(struct tc_table_slot);
}

/** tc_table_init() - empty; @mem holds tc_table_bytes(entries) bytes and must be zero: an index is kept plus one */
static inline void tc_table_init(struct tc_table *t, void *mem, uint32_t entries)
{
	uint32_t n = tc_table_slots(entries);
	*t = (struct tc_table){ .slots = mem, .mask = n - 1, .limit = n / 8 * 7 };
}

/* A slot keeps index + 1, so that memory that was never touched is an empty table. */
static inline bool tc_table_slot_is_empty(const struct tc_table_slot *s)
{
	return s->index == 0;
}

static inline uint32_t tc_table_index(const struct tc_table *t, uint32_t pos)
{
	return t->slots[pos].index - 1;
}

static inline uint32_t tc_table_scan(const struct tc_table *t, uint32_t hash, uint32_t pos)
{
	for (;; pos = (pos + 1) & t->mask) {
		if (tc_table_slot_is_empty(&t->slots[pos])) {
			return TC_NIL;
		}
		if (t->slots[pos].hash == hash) {
			return pos;
		}
	}
}

/** tc_table_find() - position of the first entry with @hash, TC_NIL when there is none */
static inline uint32_t tc_table_find(const struct tc_table *t, uint32_t hash)
{
	return tc_table_scan(t, hash, hash & t->mask);
}

/** tc_table_again() - position of the next entry with @hash after @pos */
static inline uint32_t tc_table_again(const struct tc_table *t, uint32_t hash, uint32_t pos)
{
	return tc_table_scan(t, hash, (pos + 1) & t->mask);
}

/** tc_table_insert() - add @index under @hash; false when the table is full */
static inline bool tc_table_insert(struct tc_table *t, uint32_t hash, uint32_t index)
{
	if (t->used >= t->limit) {
		return false;
	}
	uint32_t pos = hash & t->mask;
	while (!tc_table_slot_is_empty(&t->slots[pos])) {
		pos = (pos + 1) & t->mask;
	}
	t->slots[pos] = (struct tc_table_slot){ .hash = hash, .index = index + 1 };
	t->used++;
	return true;
}

/** tc_table_remove() - remove the entry @index under @hash; false when it is not there */
static inline bool tc_table_remove(struct tc_table *t, uint32_t hash, uint32_t index)
{
	uint32_t pos = tc_table_find(t, hash);
	while (pos != TC_NIL && t->slots[pos].index != index + 1) {
		pos = tc_table_again(t, hash, pos);
	}
	if (pos == TC_NIL) {
		return false;
	}
	uint32_t hole = pos;
	for (uint32_t i = (hole + 1) & t->mask; !tc_table_slot_is_empty(&t->slots[i]);
	     i = (i + 1) & t->mask) {
		/* an entry may move back to the hole unless its home lies behind the hole */
		uint32_t home = t->slots[i].hash & t->mask;
		if (((i - home) & t->mask) >= ((i - hole) & t->mask)) {
			t->slots[hole] = t->slots[i];
			hole = i;
		}
	}
	t->slots[hole] = (struct tc_table_slot){ 0 };
	t->used--;
	return true;
}

#endif
