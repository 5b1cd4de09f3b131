/* SPDX-License-Identifier: BSD-2-Clause
 * wire/mark.h - how a copied connection is known by its initial sequence number
 *
 * Layer:   wire. Pure: the core makes marks, intercept checks them.
 *
 *     ISN    = clock (16 bits, 16 ms each) | SipHash(key, tuple, clock) (16 bits)
 *     window = 0x8000 | 15 further bits of the same hash                 (of the SYN alone)
 *
 * The verifier hashes the clock half as received, so no clock has to agree. On a host that sees the SYN 31 bits are checked
 * (a stranger's SYN passes with 2^-31); on one that sees only the answer, 16 bits of ack - 1.
 * One mark key for each tcpcopy, told to every intercept in the hello; it is not the channel's key.
 */
#ifndef TC_WIRE_MARK_H
#define TC_WIRE_MARK_H

#include "base/ip.h"
#include "base/siphash.h"
#include "base/types.h"
#include "wire/packet.h"

/* one step of the clock half; 2^16 steps are 17.5 minutes */
#define TC_MARK_CLOCK_NS (16 * TC_MS)
/* what the clocks of two hosts may differ by */
#define TC_MARK_SKEW (4 * TC_SEC)
/* what the ISN of a SYN may be ahead of its TSval, or behind: the first for a tuple that is used again, the other for a repeated SYN */
#define TC_MARK_SPREAD (8 * TC_SEC)
/* window scale of every SYN of a copy */
#define TC_MARK_WS_SHIFT 7

struct tc_mark {
	tc_seq isn;
	uint16_t syn_win;
};

/**
 * tc_mark_make() - the mark of @tuple for the clock value @clock
 * @tuple: as the target sees it; link_id must be 0
 * @clock: wall clock / 16 ms, lower 16 bits, or later where the tuple's last sequence number asks for it
 */
struct tc_mark tc_mark_make(const struct tc_siphash_key *key, const struct tc_tuple *tuple,
			    uint16_t clock);

/** tc_mark_check_isn() - could @isn be a mark for @tuple under @key (16 bits) */
bool tc_mark_check_isn(const struct tc_siphash_key *key, const struct tc_tuple *tuple, tc_seq isn);

/** tc_mark_check_syn() - is a SYN with @isn and window @win one of ours (31 bits) */
bool tc_mark_check_syn(const struct tc_siphash_key *key, const struct tc_tuple *tuple, tc_seq isn,
		       uint16_t win);

/**
 * tc_mark_is_copy() - was this packet of a client made by a tcpcopy, whichever: its copy would go in a circle
 * @wall: wall clock when it was captured, which that tcpcopy's agrees with to TC_MARK_SKEW
 *
 * Nobody's key is needed. The TSval of a copy is the wall clock in ms; that of others is the time since they started, mostly with
 * a random offset, and fits with 2^-19. A SYN has the same clock in its ISN, one window of two, and our options: about 2^-26.
 */
bool tc_mark_is_copy(const struct tc_tcp *tcp, tc_time wall);

#endif
