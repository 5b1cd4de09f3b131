/* SPDX-License-Identifier: BSD-2-Clause
 * intercept/options.h - what the command line of intercept says
 *
 * Layer:   program. Values as they were written, in their units; intercept/settings.h says what they mean.
 */
#ifndef TC_INTERCEPT_OPTIONS_H
#define TC_INTERCEPT_OPTIONS_H

#include "cli/option.h"

#include <stdbool.h>

/** struct tc_intercept_options - strings are borrowed from argv, lists are owned: tc_option_fini() */
struct tc_intercept_options {
	/* what is captured */
	char *devices;
	const char *filter;
	char *pass;
	char *containers;
	int64_t latency_ns;
	int64_t buffer_bytes;

	/* who is told */
	int64_t port;
	const char *bind;
	const char *key;
	bool keep_first;
	int64_t flows;
	int64_t idle_ns;
	int64_t queue;
	int64_t offers;

	/* the process */
	bool daemon;
	const char *pid_file;
	const char *log_file;
	bool json;
	int verbose;
	bool help;
	bool version;

	/* of the classic, without a meaning here */
	int64_t combine;
	int64_t hash_size;
	int64_t nfqueue;
};

extern const struct tc_option tc_intercept_option_table[];

#endif
