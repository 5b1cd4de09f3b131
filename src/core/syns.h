/* SPDX-License-Identifier: BSD-2-Clause
 * core/syns.h - lone SYNs: connections that a client asked for and that the online server has not accepted yet
 *
 * Layer:   core.
 *
 * A lone SYN is not a session: 64 bytes in a ring, and at most one chunk when it carries data. The client's handshake ACK shows that
 * the server accepted; floods, scans and firewalled clients stay here and are forgotten after TC_SYN_LIFE, oldest first.
 */
#ifndef TC_CORE_SYNS_H
#define TC_CORE_SYNS_H

#include "base/ip.h"
#include "base/slab.h"
#include "base/table.h"
#include "base/types.h"

struct tc_syn {
	struct tc_tuple tuple;
	tc_time at; /* capture time of the first one */
	tc_seq isn;
	uint32_t hash;
	uint32_t chunk; /* its data, TC_NIL for none */
	uint16_t device;
	bool live;
};

_Static_assert(sizeof(struct tc_syn) == 64, "a lone SYN costs 64 bytes");

struct tc_syns {
	struct tc_syn *ring; /* in the core's memory */
	struct tc_table table;
	uint32_t capacity;
	uint32_t first; /* oldest slot in use */
	uint32_t n;	/* slots in use, live or not */
	uint32_t live;
	uint32_t chunks; /* held by SYNs with data */
	uint32_t chunks_max;
};

/** tc_syns_find() - the lone SYN of @tuple, NULL when there is none; valid until the next call that changes @s */
struct tc_syn *tc_syns_find(const struct tc_syns *s, const struct tc_tuple *tuple, uint32_t hash);

/** tc_syns_add() - keep one; NULL when the ring is full of younger ones than TC_SYN_LIFE */
struct tc_syn *tc_syns_add(struct tc_syns *s, const struct tc_tuple *tuple, uint32_t hash,
			   tc_seq isn, tc_time at);

/** tc_syns_remove() - accepted, or given up; its chunk is the caller's then */
void tc_syns_remove(struct tc_syns *s, struct tc_syn *syn);

/** tc_syns_expired() - the oldest lone SYN when its life is over by @now, NULL otherwise; the caller removes it */
struct tc_syn *tc_syns_expired(struct tc_syns *s, tc_time now);

/** tc_syns_deadline() - when tc_syns_expired() has something at the earliest */
tc_time tc_syns_deadline(const struct tc_syns *s);

#endif
