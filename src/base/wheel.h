/* SPDX-License-Identifier: BSD-2-Clause
 * base/wheel.h - deadlines of many objects
 *
 * Layer:   base. The memory is the caller's.
 * Source:  Varghese, Lauck: "Hashed and Hierarchical Timing Wheels" (1987), scheme 7.
 *
 * Five levels of 64 slots; a tick is 2^18 ns (0.26 ms), the range 3.2 days (later deadlines fire there and are armed again by
 * their owner). One node an object, by index below 2^31; an object has one deadline, its earliest. Arming is O(1); a node is never
 * early and at most one tick late. One that is armed for a time that has come is returned again by the same round of calls.
 */
#ifndef TC_BASE_WHEEL_H
#define TC_BASE_WHEEL_H

#include "base/slab.h"
#include "base/types.h"

#define TC_WHEEL_TICK_SHIFT 18
#define TC_WHEEL_LEVELS 5
#define TC_WHEEL_SLOTS 64

struct tc_wheel_node {
	uint32_t next;
	uint32_t prev; /* all bits: not armed; highest bit and a slot: the first one of that slot */
	uint32_t tick; /* lower 32 bits of the tick it fires at */
};

struct tc_wheel {
	struct tc_wheel_node *nodes; /* borrowed from the caller, one for each index */
	uint64_t now;		     /* in ticks: all before it have fired */
	uint64_t busy[TC_WHEEL_LEVELS];
	uint32_t heads[TC_WHEEL_LEVELS * TC_WHEEL_SLOTS];
};

void tc_wheel_init(struct tc_wheel *w, struct tc_wheel_node *nodes, tc_time now);

/** tc_wheel_node_init() - a fresh index is not armed; call before its first use */
void tc_wheel_node_init(struct tc_wheel *w, uint32_t index);

/** tc_wheel_arm() - fire @index at @at or soon after; TC_TIME_NEVER disarms; an earlier arming is replaced */
void tc_wheel_arm(struct tc_wheel *w, uint32_t index, tc_time at);

/**
 * tc_wheel_deadline() - when to call tc_wheel_next() again at the latest; TC_TIME_NEVER when nothing is armed
 * Once tc_wheel_next(now) has returned TC_NIL it lies after now. Following it wakes at most once a level for one node.
 */
tc_time tc_wheel_deadline(const struct tc_wheel *w);

/**
 * tc_wheel_next() - the next index whose deadline has come by @now; it is disarmed
 * Return: an index, or TC_NIL. Call until TC_NIL.
 */
uint32_t tc_wheel_next(struct tc_wheel *w, tc_time now);

#endif
