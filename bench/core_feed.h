/* SPDX-License-Identifier: BSD-2-Clause
 * bench/core_feed.h - a core, and clients and targets that behave: connections by their number, without a network
 *
 * Layer:   bench. A client asks, the online server has answered, the target answers too; nothing is lost and nothing waits.
 *
 *     feed_open(i)      SYN, ACK ->  SYN  -> SYN-ACK -> ACK
 *     feed_requests()   request  -> data  -> answer  -> ACK; the client acknowledges the online server's answer
 *     feed_close(i)     FIN      -> FIN   -> FIN     -> ACK
 *
 * Nothing is kept for a connection: packets follow from its number, and the target answers each segment from what that says. So the memory
 * that grows is the core's.
 */
#ifndef TC_BENCH_CORE_FEED_H
#define TC_BENCH_CORE_FEED_H

#include "core/core.h"

#define FEED_REQUEST_BYTES 200
#define FEED_ANSWER_BYTES 1000

/* Packets that are captured at a time, at most */
#define FEED_BATCH_MAX 256

/** struct feed_request - the @nth request of connection @i, counted from 0 */
struct feed_request {
	uint32_t i;
	uint32_t nth;
};

struct feed {
	struct tc_core_config cfg;
	struct tc_map map;
	struct tc_core *core;
	void *mem; /* owned, mapped */
	size_t bytes;
	tc_time now;
	tc_time step; /* between two packets of clients */
	struct tc_packet pkts[FEED_BATCH_MAX];
};

/** feed_new() - a core with room for @sessions of @copies each; @huge: in huge pages, where the kernel gives them */
struct feed *feed_new(uint32_t sessions, uint32_t copies, bool huge);
void feed_free(struct feed *f);

void feed_open(struct feed *f, uint32_t i);
/** feed_requests() - one of each of @n connections, at most FEED_BATCH_MAX, captured and answered in one batch */
void feed_requests(struct feed *f, const struct feed_request *r, uint32_t n);
/** feed_close() - after @n requests */
void feed_close(struct feed *f, uint32_t i, uint32_t n);

/** feed_ledger() - the books; they must balance, or the figures mean nothing: aborts */
struct tc_ledger feed_ledger(const struct feed *f);

/** feed_expect() - end with status 1 and a message unless @holds */
void feed_expect(bool holds, const char *what);

#endif
