/* SPDX-License-Identifier: BSD-2-Clause
 * core/syns.h - lone SYNs: connections that a client asked for and that the online server has not accepted yet
 *
 * Layer:   core.
 *
 * A lone SYN is not a session: 64 bytes, and at most one chunk when it carries data. The client's handshake ACK shows that the server
 * accepted; floods, scans and firewalled clients stay here and are forgotten after TC_SYN_LIFE, or when a later one needs the place,
 * oldest first. All times are those of the clients' clock.
 */
#ifndef TC_CORE_SYNS_H
#define TC_CORE_SYNS_H

#include "base/ip.h"
#include "base/slab.h"
#include "base/table.h"
#include "core/stamp.h"

struct tc_syn {
	struct tc_tuple tuple;
	tc_stamp at; /* capture time of the first one */
	tc_seq isn;
	union {
		uint32_t chunk; /* .end == TC_END_NONE: its data, TC_NIL for none */
		tc_seq said;	/* otherwise: the last number of its client that is counted */
	};
	uint32_t older; /* list by age; TC_NIL at the ends */
	uint32_t younger;
	uint16_t device;
	bool copy;   /* of another tcpcopy (wire/mark.h) */
	uint8_t end; /* enum tc_end: counted as a session that ended for it, and not copied */
};

_Static_assert(sizeof(struct tc_syn) == 64, "a lone SYN costs 64 bytes");

struct tc_syns {
	struct tc_slab slab;
	struct tc_table table;
	uint32_t oldest;
	uint32_t youngest;
	tc_time life;	 /* how long one is kept */
	tc_time latest;	 /* time of the latest one: what the stamps are read against */
	uint32_t chunks; /* held by SYNs with data */
	uint32_t chunks_max;
};

/** tc_syns_init() - none; both memories are the caller's: @slots for @capacity objects, @table zero, tc_table_bytes(capacity) */
void tc_syns_init(struct tc_syns *s, void *slots, void *table, uint32_t capacity, tc_time life);

/** tc_syns_find() - the lone SYN of @tuple, NULL when there is none; valid until it is removed */
struct tc_syn *tc_syns_find(const struct tc_syns *s, const struct tc_tuple *tuple, uint32_t hash);

/** tc_syns_add() - keep one; NULL when all places are taken */
struct tc_syn *tc_syns_add(struct tc_syns *s, const struct tc_tuple *tuple, uint32_t hash,
			   tc_seq isn, tc_time at);

/** tc_syns_remove() - accepted, or given up: its place is free at once; its chunk is the caller's then */
void tc_syns_remove(struct tc_syns *s, struct tc_syn *syn, uint32_t hash);

/** tc_syns_expired() - the oldest lone SYN when its life is over by @now, NULL otherwise; the caller removes it */
struct tc_syn *tc_syns_expired(const struct tc_syns *s, tc_time now);

/** tc_syns_oldest() - NULL when there is none */
struct tc_syn *tc_syns_oldest(const struct tc_syns *s);

/** tc_syns_youngest(), tc_syns_older() - from the latest one back; NULL when there is none */
struct tc_syn *tc_syns_youngest(const struct tc_syns *s);
struct tc_syn *tc_syns_older(const struct tc_syns *s, const struct tc_syn *syn);

/** tc_syns_deadline() - when tc_syns_expired() has something at the earliest */
tc_time tc_syns_deadline(const struct tc_syns *s);

#endif
