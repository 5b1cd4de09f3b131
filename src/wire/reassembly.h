/* SPDX-License-Identifier: BSD-2-Clause
 * wire/reassembly.h - IP fragments put together again, within fixed limits
 *
 * Layer:   wire. No I/O, no clock, no allocation: the memory is the caller's and sized at start.
 * Source:  RFC 791 3.2, RFC 8200 4.5; overlaps RFC 5722; the sizes of attacks RFC 1858, RFC 4963.
 *
 *     fragment -> (src, dst, id, link; IPv4 also protocol) -> datagram -> pages of 2 KB, a bit for each 8 bytes that came
 *
 * A datagram is complete when every unit from 0 to the end that its last fragment named has come. It is given up, with all its
 * fragments, when it is older than the timeout; when its fragments contradict each other (two ends, or bytes beyond the end);
 * over IPv6 when two of them overlap with other bytes (RFC 5722; the same bytes again are a duplicate of the network's and are
 * left out, RFC 8200 4.5). Over IPv4 the first copy of a byte wins. When there is no room the oldest datagram gives way:
 * fragments of one datagram come within microseconds, so the oldest is the one whose rest was lost.
 *
 * Books: seen = dropped + joined + lost + held, in fragments, at any time. A duplicate counts with its datagram.
 */
#ifndef TC_WIRE_REASSEMBLY_H
#define TC_WIRE_REASSEMBLY_H

#include "base/siphash.h"
#include "wire/datagram.h"

/* Linux waits 30 s. Here the rest comes at once or was lost, and an IPv4 id may be used again within a second (RFC 4963). */
#define TC_REASSEMBLY_TIMEOUT (2 * TC_SEC)

/**
 * struct tc_reassembly_config
 * @datagrams: that may be incomplete at a time, at least 1
 * @bytes:     for what they hold, rounded up to pages of 2 KB and to one whole datagram
 * @timeout:   between the first fragment of a datagram and its last
 * @key:       secret of the table: random for each process
 */
struct tc_reassembly_config {
	uint32_t datagrams;
	size_t bytes;
	tc_time timeout;
	struct tc_siphash_key key;
};

/** struct tc_reassembly_stats - the books, in fragments, and why datagrams were given up */
struct tc_reassembly_stats {
	uint64_t seen;
	uint64_t dropped; /* at once: tc_reassembly_add() said so */
	uint64_t joined;  /* became part of a whole datagram */
	uint64_t lost;	  /* were held, and given up */
	uint64_t held;	  /* now */

	uint64_t datagrams; /* put together */
	uint64_t timeouts;  /* given up: too old */
	uint64_t evicted;   /* given up: room was needed */
	uint64_t refused;   /* given up: their fragments contradict each other */
};

struct tc_reassembly;

/** tc_reassembly_bytes() - memory that tc_reassembly_init() needs */
size_t tc_reassembly_bytes(const struct tc_reassembly_config *cfg);

/** tc_reassembly_init() - @mem: tc_reassembly_bytes() zero bytes, aligned to 64; untouched until it is needed */
struct tc_reassembly *tc_reassembly_init(void *mem, const struct tc_reassembly_config *cfg);

enum tc_reassembly_verdict {
	TC_REASSEMBLY_WHOLE,  /* not a fragment: goes on as it is */
	TC_REASSEMBLY_HELD,   /* kept until the rest comes, or a duplicate of what is kept */
	TC_REASSEMBLY_JOINED, /* was the last missing one: the datagram is there */
	TC_REASSEMBLY_DROPPED, /* contradicts itself or the others, which are given up: TC_DROP_FRAGMENT */
};

/**
 * tc_reassembly_add() - take one fragment
 * @dgram:     as tc_datagram_decode() gave it; bytes are copied. A part that the capture cut ends what is known of the datagram there
 * @link_id:   fragments of different links do not mix
 * @now:       time of capture
 * @ret_dgram: on JOINED: the rebuilt datagram, its body borrowed from @r until the next call; on WHOLE: @dgram itself. IPv6: its
 *             extension headers may go on (tc_datagram_skip_extensions())
 */
enum tc_reassembly_verdict tc_reassembly_add(struct tc_reassembly *r,
					     const struct tc_datagram *dgram, uint32_t link_id,
					     tc_time now, struct tc_datagram *ret_dgram);

/** tc_reassembly_expire() - give up what is too old; tc_reassembly_add() does it too. For books that are read while nothing comes */
void tc_reassembly_expire(struct tc_reassembly *r, tc_time now);

/**
 * tc_reassembly_stats() - the books as they stand
 * A capture driver counts each drop that tc_frame_input() returns, and adds .lost to TC_DROP_FRAGMENT: these had been held.
 */
void tc_reassembly_stats(const struct tc_reassembly *r, struct tc_reassembly_stats *ret_stats);

#endif
