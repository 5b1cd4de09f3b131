/* SPDX-License-Identifier: BSD-2-Clause
 * base/wheel.c - a hierarchical timing wheel
 *
 * A node that fires at tick T stands on the lowest level L at which T and now agree in all bits above the level's own
 * (T >> 6(L+1) == now >> 6(L+1)), in slot (T >> 6L) & 63. When now enters a slot of a higher level, its nodes are put in again and land lower.
 */
#include "base/wheel.h"

#define IDLE UINT32_MAX
#define HEAD 0x80000000u
#define LEVEL_BITS 6
/* One slot less than the top level has: a node a whole turn ahead would stand in the slot where now is, and seem to be due. */
#define RANGE ((uint64_t)(TC_WHEEL_SLOTS - 1) << (LEVEL_BITS * (TC_WHEEL_LEVELS - 1)))

void tc_wheel_init(struct tc_wheel *w, struct tc_wheel_node *nodes, tc_time now)
{
	w->nodes = nodes;
	w->now = (uint64_t)now >> TC_WHEEL_TICK_SHIFT;
	memset(w->busy, 0, sizeof w->busy);
	for (unsigned i = 0; i < TC_WHEEL_LEVELS * TC_WHEEL_SLOTS; i++) {
		w->heads[i] = TC_NIL;
	}
}

void tc_wheel_node_init(struct tc_wheel *w, uint32_t index)
{
	w->nodes[index].prev = IDLE;
}

static void unlink_node(struct tc_wheel *w, uint32_t index)
{
	struct tc_wheel_node *n = &w->nodes[index];
	if (n->next != TC_NIL) {
		w->nodes[n->next].prev = n->prev;
	}
	if (n->prev & HEAD) {
		uint32_t slot = n->prev & ~HEAD;
		w->heads[slot] = n->next;
		if (n->next == TC_NIL) {
			w->busy[slot / TC_WHEEL_SLOTS] &= ~((uint64_t)1 << slot % TC_WHEEL_SLOTS);
		}
	} else {
		w->nodes[n->prev].next = n->next;
	}
	n->prev = IDLE;
}

static void link_node(struct tc_wheel *w, uint32_t index, uint64_t tick)
{
	if (tick - w->now > RANGE) {
		tick = w->now + RANGE;
	}
	unsigned level = 0;
	while (level < TC_WHEEL_LEVELS - 1 &&
	       tick >> (LEVEL_BITS * (level + 1)) != w->now >> (LEVEL_BITS * (level + 1))) {
		level++;
	}
	uint32_t slot = level * TC_WHEEL_SLOTS +
			(uint32_t)(tick >> (LEVEL_BITS * level) & (TC_WHEEL_SLOTS - 1));
	struct tc_wheel_node *n = &w->nodes[index];
	n->tick = (uint32_t)tick;
	n->next = w->heads[slot];
	n->prev = HEAD | slot;
	if (n->next != TC_NIL) {
		w->nodes[n->next].prev = index;
	}
	w->heads[slot] = index;
	w->busy[level] |= (uint64_t)1 << slot % TC_WHEEL_SLOTS;
}

void tc_wheel_arm(struct tc_wheel *w, uint32_t index, tc_time at)
{
	if (w->nodes[index].prev != IDLE) {
		unlink_node(w, index);
	}
	if (at == TC_TIME_NEVER) {
		return;
	}
	/* round up: never early */
	uint64_t tick = at <= 0 ? 0 : (((uint64_t)at - 1) >> TC_WHEEL_TICK_SHIFT) + 1;
	link_node(w, index, tick < w->now ? w->now : tick);
}

/* The first tick at or after now with something to do: a node of level 0, or the entry into a busy slot of a higher level. */
static uint64_t next_tick(const struct tc_wheel *w)
{
	for (unsigned level = 0; level < TC_WHEEL_LEVELS; level++) {
		unsigned shift = LEVEL_BITS * level;
		unsigned here = (unsigned)(w->now >> shift & (TC_WHEEL_SLOTS - 1));
		/* the top level wraps round; on the others nothing stands before the present slot */
		uint64_t busy = w->busy[level];
		uint64_t ahead = busy >> here << here;
		uint64_t base = w->now >> (shift + LEVEL_BITS) << (shift + LEVEL_BITS);
		if (ahead == 0 && busy != 0) {
			ahead = busy;
			base += (uint64_t)1 << (shift + LEVEL_BITS);
		}
		if (ahead != 0) {
			return base + ((uint64_t)__builtin_ctzll(ahead) << shift);
		}
	}
	return UINT64_MAX;
}

tc_time tc_wheel_deadline(const struct tc_wheel *w)
{
	uint64_t tick = next_tick(w);
	return tick == UINT64_MAX ? TC_TIME_NEVER : (tc_time)(tick << TC_WHEEL_TICK_SHIFT);
}

/* now has entered new slots: put the nodes of the slots it stands in on the higher levels in again, lower. */
static void cascade(struct tc_wheel *w)
{
	for (unsigned level = TC_WHEEL_LEVELS - 1; level > 0; level--) {
		uint32_t slot = level * TC_WHEEL_SLOTS +
				(uint32_t)(w->now >> (LEVEL_BITS * level) & (TC_WHEEL_SLOTS - 1));
		uint32_t i = w->heads[slot];
		while (i != TC_NIL) {
			uint32_t next = w->nodes[i].next;
			uint64_t tick = w->now + (uint32_t)(w->nodes[i].tick - (uint32_t)w->now);
			unlink_node(w, i);
			link_node(w, i, tick);
			i = next;
		}
	}
}

uint32_t tc_wheel_next(struct tc_wheel *w, tc_time now)
{
	uint64_t limit = (uint64_t)now >> TC_WHEEL_TICK_SHIFT;
	for (;;) {
		uint32_t i = w->heads[w->now & (TC_WHEEL_SLOTS - 1)];
		if (i != TC_NIL) {
			if (w->now > limit) {
				return TC_NIL;
			}
			unlink_node(w, i);
			return i;
		}
		uint64_t tick = next_tick(w);
		if (tick > limit) {
			/* nothing up to the limit: skip to it, but never past a slot that must cascade */
			if (limit > w->now) {
				w->now = limit;
				cascade(w);
			}
			return TC_NIL;
		}
		/* the present slot is empty, and those of higher levels cascaded on entry: tick lies ahead */
		w->now = tick;
		cascade(w);
	}
}
