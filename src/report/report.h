/* SPDX-License-Identifier: BSD-2-Clause
 * report/report.h - the books, for people and for programs
 *
 * Layer:   report. Formats values; knows nothing of the engine. Never on a packet path.
 *
 * The first line is the fidelity: client bytes that the target acknowledged, of those that were to be copied. It is rounded down, so
 * that 100.00 % means that nothing was lost.
 */
#ifndef TC_REPORT_REPORT_H
#define TC_REPORT_REPORT_H

#include "port/port.h"
#include "wire/ledger.h"

#include <stdio.h>

/**
 * struct tc_report_limits - how production was protected
 * @out_bits:    that may be sent in a second now
 * @out_waits, @out_waited, @out_delayed: times that segments had to wait for it, all together, and segments that left after a wait
 * @kept, @kept_least: share of the clients that is copied now, and the least that ever was, of TC_SHARE_ALL
 * @reductions:  times that it was halved
 * @not_in_kernel: times that the kernel could not leave the others out
 */
struct tc_report_limits {
	uint64_t out_bits;
	uint64_t out_waits;
	tc_time out_waited;
	uint64_t out_delayed;
	uint32_t kept;
	uint32_t kept_least;
	uint64_t reductions;
	uint64_t not_in_kernel;
};

/** struct tc_report_stray - what SYNs of connections that no -x names ask for most often; @syns 0: there were none */
struct tc_report_stray {
	struct tc_ip ip;
	uint16_t port;
	uint64_t syns;
};

/**
 * struct tc_report - a worker's state at one moment; all borrowed for the call
 * @version:    of the program
 * @elapsed:    since the start
 * @offline:    a file is read
 * @final:      the end: what is still held counts as not delivered. Otherwise it may yet be, and is left out of the fidelity
 * @loop_turns, @loop_full, @announcements_lost: of the engine: turns of its loop, those that left work for the next one, and
 *              announcements that no channel had room for
 * @online_pkts: captured packets of the online server itself
 * @limits:     what was kept within --max-out, and the share of the clients that was copied
 * @stray:      what -x might have named
 * @channels:   one line for each channel ("10.0.0.4:36524: connected"); NULL when there are none
 */
struct tc_report {
	const char *version;
	tc_time elapsed;
	bool offline;
	bool final;
	struct tc_ledger ledger;
	struct tc_capture_stats capture;
	struct tc_deliver_stats deliver;
	struct tc_answers_stats answers;
	uint64_t loop_turns;
	uint64_t loop_full;
	uint64_t announcements_lost;
	uint64_t online_pkts;
	struct tc_report_limits limits;
	struct tc_report_stray stray;
	const char *const *channels;
	unsigned n_channels;
};

#define TC_FIDELITY_TEXT_MAX 24

/** tc_fidelity_format() - "99.98 %": @delivered of @to_copy > 0 in percent, rounded down; returns @buf */
const char *tc_fidelity_format(uint64_t delivered, uint64_t to_copy,
			       char buf[TC_FIDELITY_TEXT_MAX]);

/** tc_report_text() - the summary for people */
void tc_report_text(const struct tc_report *r, FILE *to);

/** tc_report_hints() - what the books say about a likely cause of losses, and what to do: a line each, or nothing */
void tc_report_hints(const struct tc_report *r, const char *prefix, FILE *to);

/** tc_report_json() - the same as one object in one line; tcpcopy(8) describes it. Return: 0 or -ENOMEM, -EIO */
int tc_report_json(const struct tc_report *r, FILE *to);

#define TC_REPORT_LINE_MAX 160

/** tc_report_line() - the state in one line without a newline; @before is an earlier report, for the rates; returns @buf */
const char *tc_report_line(const struct tc_report *r, const struct tc_report *before,
			   char buf[TC_REPORT_LINE_MAX]);

#endif
