/* SPDX-License-Identifier: BSD-2-Clause
 * intercept/options.c - the options of intercept
 */
#include "intercept/options.h"

#include "base/types.h"

#define AT(m) .offset = offsetof(struct tc_intercept_options, m)
#define MB (INT64_C(1) << 20)

const struct tc_option tc_intercept_option_table[] = {
	{ "device", 'i', TC_OPTION_LIST, AT(devices), .arg = "DEV,...", .group = "What is captured",
	  .help = "devices on which the target's answers come in; default: any" },
	{ "filter", 'F', TC_OPTION_STRING, AT(filter), .arg = "FILTER",
	  .help = "pcap filter for the answers; default: made from the targets that tcpcopies "
		  "name" },
	{ "pass", 'x', TC_OPTION_LIST, AT(pass), .arg = "IP,...",
	  .help = "addresses whose packets are no answers to a copy: told to nobody" },
	{ "container", 'D', TC_OPTION_LIST, AT(containers), .arg = "IP-IP,...",
	  .help = "an answer from the first address (a container's) counts as one from the second "
		  "(the target that tcpcopy knows)" },
	{ "latency", 0, TC_OPTION_DURATION, AT(latency_ns), .arg = "MS", .min = TC_MS,
	  .max = TC_SEC, .scale = TC_MS, .initial = TC_MS,
	  .help = "the longest that an answer waits to be read; default 1" },
	{ "buffer", 'B', TC_OPTION_SIZE, AT(buffer_bytes), .arg = "MB", .min = MB, .max = 4096 * MB,
	  .scale = MB, .initial = 64 * MB, .help = "buffer of the capture; default 64" },

	{ "port", 'p', TC_OPTION_NUMBER, AT(port), .arg = "PORT", .group = "Who is told", .min = 1,
	  .max = 65535, .initial = 36524, .help = "port to listen on; default 36524" },
	{ "bind", 'b', TC_OPTION_STRING, AT(bind), .arg = "IP",
	  .help = "address to listen on; default: all" },
	{ "key", 0, TC_OPTION_STRING, AT(key), .arg = "FILE",
	  .help = "key shared with tcpcopy; 'tcpcopy genkey FILE' makes one" },
	{ "keep-first", 'c', TC_OPTION_FLAG, AT(keep_first),
	  .help = "while one tcpcopy is connected, refuse others" },
	{ "flows", 0, TC_OPTION_NUMBER, AT(flows), .arg = "N", .min = 1024, .max = 50000000,
	  .initial = 1000000,
	  .help = "connections that are known at a time; default 1000000, about 100 bytes each" },
	{ "idle", 't', TC_OPTION_DURATION, AT(idle_ns), .arg = "SEC", .min = TC_SEC,
	  .max = 30 * 86400 * TC_SEC, .scale = TC_SEC, .initial = 600 * TC_SEC,
	  .help = "a silent connection is forgotten after so long; default 600" },
	{ "queue", 0, TC_OPTION_NUMBER, AT(queue), .arg = "N", .min = 64, .max = 4000000,
	  .initial = 65536,
	  .help = "reports that may wait for one tcpcopy; default 65536, 128 bytes each" },
	{ "offers", 0, TC_OPTION_NUMBER, AT(offers), .arg = "N", .min = 0, .max = 10000000,
	  .initial = 10000,
	  .help = "packets of unknown connections that a tcpcopy is told in a second; default "
		  "10000" },

	{ "daemon", 'd', TC_OPTION_FLAG, AT(daemon), .group = "The process",
	  .help = "run in the background, once all has started" },
	{ "pid-file", 'P', TC_OPTION_STRING, AT(pid_file), .arg = "FILE",
	  .help = "write the process id there, and lock it" },
	{ "log", 'l', TC_OPTION_STRING, AT(log_file), .arg = "FILE",
	  .help = "append messages to this file; default: stderr" },
	{ "json", 0, TC_OPTION_FLAG, AT(json), .help = "the summary as JSON on stdout" },
	{ "verbose", 0, TC_OPTION_COUNT, AT(verbose), .help = "say more" },
	{ "help", 'h', TC_OPTION_FLAG, AT(help), .help = "print this, and end" },
	{ "version", 'v', TC_OPTION_FLAG, AT(version), .help = "print the version, and end" },

	{ "combine", 'n', TC_OPTION_NUMBER, AT(combine), .arg = "N",
	  .group = "Accepted without a meaning", .min = 0, .max = INT64_MAX,
	  .help = "batches have the size that the moment asks for",
	  .note = "-n has no effect: batches have the size that the moment asks for" },
	{ "hash-size", 's', TC_OPTION_NUMBER, AT(hash_size), .arg = "N", .min = 0, .max = INT64_MAX,
	  .help = "see --flows", .note = "-s has no effect: --flows sizes the table" },
	{ "nfqueue-length", 'q', TC_OPTION_NUMBER, AT(nfqueue), .arg = "N", .min = 0,
	  .max = INT64_MAX, .help = "there is no nfnetlink queue",
	  .note = "-q has no effect: there is no nfnetlink queue" },
	{ 0 },
};
