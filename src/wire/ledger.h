/* SPDX-License-Identifier: BSD-2-Clause
 * wire/ledger.h - the books: fates of packets, bytes and sessions
 *
 * Layer:   wire. Counters as values; the core keeps them, reports show them.
 *
 * Three sums hold at any time, and tc_ledger_balance() checks them:
 *     packets    seen    = used + sum(drops) + syns_held     (a lone SYN waits for its handshake)
 *     bytes      to_copy = delivered + held + sum(lost)      (for all replicas together)
 *     sessions   opened  = live + sum(ended)                 (a session counts once for each replica)
 *
 * Bytes are the client's stream bytes, counted once by sequence number: what the capture lost in between counts as to_copy and as
 * lost to TC_END_HOLE. Delivered means that the target acknowledged them.
 */
#ifndef TC_WIRE_LEDGER_H
#define TC_WIRE_LEDGER_H

#include "wire/drop.h"

#include <stdbool.h>
#include <stdint.h>

/* Lag of turns: bucket i counts lags below 2^i microseconds, the last all others (2^30 us are 18 minutes) */
#define TC_LAG_BUCKETS 32

struct tc_ledger {
	/* packets from clients */
	uint64_t seen;
	uint64_t used;
	uint64_t drops[TC_DROP__N];
	uint64_t syns_held;

	/* bytes of clients' streams */
	uint64_t to_copy;
	uint64_t delivered;
	uint64_t held;
	uint64_t lost[TC_END__N];

	/* sessions */
	uint64_t opened;
	uint64_t live;
	uint64_t ended[TC_END__N];
	uint64_t complete;	/* of the ended: not a byte lost */
	uint64_t live_complete; /* of the live: nothing waits to be acknowledged */

	/* what they said */
	uint64_t turns;
	uint64_t turns_by_limit; /* spoken because the target's answer took longer than the limit */
	uint64_t
		turns_ahead; /* spoken ahead of the report of the answer before, because they were late */
	uint64_t sessions_timed; /* went on by time alone after limits in a row */
	uint64_t lag[TC_LAG_BUCKETS];
	uint64_t joined; /* sessions entered in the middle */
	uint64_t
		joined_skipped; /* bytes before the turn that such a session began with; not part of to_copy */
	uint64_t
		reopened; /* connections begun anew because the target closed while its client went on */
	uint64_t holes;

	/* the endpoints */
	uint64_t segments;    /* emitted, of any kind */
	uint64_t retransmits; /* of these, SYN, data or FIN again */
	uint64_t rtos;
	uint64_t fast_retransmits;
	uint64_t zero_window_probes;
	uint64_t answers;
	uint64_t answer_drops[TC_DROP__N]; /* TC_DROP_ANSWER_* */
	uint64_t resets_sent;
	uint64_t tuples_forgotten; /* closed tuples whose record had to go early */
	uint64_t send_errors;
	uint64_t bugs;
	const char *bug_at; /* "file:line" of the first one, static; NULL for none */
};

/**
 * tc_ledger_balance() - do the three sums hold
 * Return: NULL, or the name of the first one that does not ("packets", "bytes", "sessions").
 */
const char *tc_ledger_balance(const struct tc_ledger *l);

/** tc_ledger_lag_percentile() - upper bound in microseconds of the lag of @permille of all turns, 0 when there are none */
uint64_t tc_ledger_lag_percentile(const struct tc_ledger *l, unsigned permille);

#endif
