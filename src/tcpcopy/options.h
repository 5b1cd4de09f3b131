/* SPDX-License-Identifier: BSD-2-Clause
 * tcpcopy/options.h - what the command line of `tcpcopy run` says
 *
 * Layer:   program. Values as they were written, in their units; what they mean together is the plan's affair (tcpcopy/plan.h).
 */
#ifndef TC_TCPCOPY_OPTIONS_H
#define TC_TCPCOPY_OPTIONS_H

#include "cli/option.h"

#include <stdbool.h>

enum tc_capture_word { TC_CAPTURE_RING, TC_CAPTURE_RAW };
enum tc_deliver_word { TC_DELIVER_PACKET, TC_DELIVER_RAW };
enum tc_pace_word {
	TC_PACE_WORD_RESPONSE,
	TC_PACE_WORD_THINK,
	TC_PACE_WORD_TIMED,
	TC_PACE_WORD_RATE,
	TC_PACE_WORD_ASAP
};
/* -f */
#define TC_PORT_SLICES 32
enum tc_hole_word { TC_HOLE_END, TC_HOLE_RESUME };

/** struct tc_run_options - strings are borrowed from argv, lists are owned: tc_option_fini(tc_run_options, ...) */
struct tc_run_options {
	/* what is copied */
	char *map;
	const char *filter;
	int64_t share_permyriad;
	bool whole;
	char *clients;
	const char *localhost;
	int64_t copies;
	int64_t port_slice;
	bool ramp_up;
	int64_t ramp_ns;

	/* where it comes from */
	char *input;
	char *device;
	char *read;
	int capture;
	int64_t buffer_bytes;
	int64_t snaplen;
	int64_t latency_ns;
	bool promiscuous;
	int64_t speed_permille;
	int64_t max_gap_ns;
	int64_t passes;

	/* where it goes */
	char *intercept;
	int64_t port;
	const char *key;
	int deliver;
	bool allow_conntrack;
	const char *out;
	int64_t mtu;
	int64_t mss;
	int64_t connections;

	/* when it is spoken */
	int pace;
	int64_t rate;
	bool no_wait;
	int64_t rtt_ns;
	int64_t max_lag_ns;
	int64_t overlap_ns;
	int on_hole;
	int64_t idle_ns;
	int64_t keepalive_ns;

	/* the process */
	int64_t memory_bytes;
	int64_t sessions;
	int64_t limit_sessions;
	int64_t max_out_bits;
	int64_t pool;
	bool go_on;
	bool daemon;
	const char *pid_file;
	const char *log_file;
	bool progress;
	bool json;
	bool dry_run;
	int verbose;
	bool help;
	bool version;
};

/** tc_run_options - the table, for cli/option.h */
extern const struct tc_option tc_run_options[];

#endif
