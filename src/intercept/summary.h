/* SPDX-License-Identifier: BSD-2-Clause
 * intercept/summary.h - the counters of intercept, for people and as JSON
 *
 * Layer:   program.
 */
#ifndef TC_INTERCEPT_SUMMARY_H
#define TC_INTERCEPT_SUMMARY_H

#include "answer/server.h"
#include "intercept/relay.h"
#include "port/port.h"

#include <stdio.h>

/**
 * struct tc_summary
 * @passed:  packets to addresses of -x, told to nobody
 * @ignored: announcements of peers that may not make any: without a key
 */
struct tc_summary {
	tc_time elapsed;
	uint64_t turns;
	uint64_t passed;
	uint64_t ignored;
	struct tc_capture_stats capture;
	struct tc_relay_stats relay;
	struct tc_channel_server_stats channel;
};

/** tc_summary_text() - a few lines; what went wrong has a line when it did */
void tc_summary_text(const struct tc_summary *s, FILE *to);

/** tc_summary_json() - one object on one line; 0, or -EIO when it could not be written */
int tc_summary_json(const struct tc_summary *s, FILE *to);

#endif
