/* SPDX-License-Identifier: BSD-2-Clause
 * tcpcopy/options.c - the options of `tcpcopy run`
 */
#include "tcpcopy/options.h"

#include "base/types.h"

#define AT(m) .offset = offsetof(struct tc_run_options, m)
#define MB (INT64_C(1) << 20)

static const char *const captures[] = {
	[TC_CAPTURE_RING] = "ring", [TC_CAPTURE_RAW] = "raw", NULL
};
static const char *const delivers[] = {
	[TC_DELIVER_PACKET] = "packet", [TC_DELIVER_RAW] = "raw", NULL
};
static const char *const paces[] = {
	[TC_PACE_WORD_RESPONSE] = "response", [TC_PACE_WORD_THINK] = "think",
	[TC_PACE_WORD_TIMED] = "timed",	      [TC_PACE_WORD_RATE] = "rate",
	[TC_PACE_WORD_ASAP] = "asap",	      NULL
};
static const char *const holes[] = { [TC_HOLE_END] = "end", [TC_HOLE_RESUME] = "resume", NULL };

const struct tc_option tc_run_options[] = {
	{ "map", 'x', TC_OPTION_LIST, AT(map), .arg = "MAP,...", .group = "What is copied",
	  .help = "[IP:]PORT[-PORT][@MAC]-IP:PORT[@MAC]: copy what comes to the first to the "
		  "second" },
	{ "filter", 'F', TC_OPTION_STRING, AT(filter), .arg = "FILTER",
	  .help = "pcap filter for the capture; default: made from -x" },
	{ "share", 'r', TC_OPTION_DECIMAL, AT(share_permyriad), .arg = "PCT", .min = 1,
	  .max = 10000, .scale = 100, .initial = 10000,
	  .help = "copy this share of the sessions, by client address and port; default 100" },
	{ "whole", 'O', TC_OPTION_FLAG, AT(whole),
	  .help = "copy only connections whose beginning was seen" },
	{ "clients", 'c', TC_OPTION_LIST, AT(clients), .arg = "IP,...",
	  .help = "speak from these addresses instead of the clients': a.b.c.d, a.b.c.x, "
		  "networks" },
	{ "localhost", 'H', TC_OPTION_STRING, AT(localhost), .arg = "IP",
	  .help = "speak for the client 127.0.0.1 (::1, if IPv6) from this address" },
	{ "copies", 'n', TC_OPTION_NUMBER, AT(copies), .arg = "N", .min = 1, .max = 65535,
	  .initial = 1,
	  .help = "copies of each session, each with an address and port of its own; default 1" },
	{ "port-slice", 'f', TC_OPTION_NUMBER, AT(port_slice), .arg = "N", .min = 0,
	  .max = TC_PORT_SLICES,
	  .help = "speak from ports of a slice of their own, 1 to 32: another one for each of "
		  "several tcpcopy hosts with one target" },
	{ "ramp-up", 'g', TC_OPTION_FLAG, AT(ramp_up), .help = "the same as --ramp 100" },
	{ "ramp", 0, TC_OPTION_DURATION, AT(ramp_ns), .arg = "SEC", .min = 0, .max = 86400 * TC_SEC,
	  .scale = TC_SEC,
	  .help = "copy few sessions at first, and a hundredth more of them in each hundredth of "
		  "this time; whole sessions only; default 0: all at once" },

	{ "input", 'i', TC_OPTION_LIST, AT(input), .arg = "DEV|FILE,...",
	  .group = "Where it comes from",
	  .help = "devices, or files: a name of a file, or '-' for stdin, is offline; default: any "
		  "device" },
	{ "device", 0, TC_OPTION_LIST, AT(device), .arg = "DEV,...",
	  .help = "capture on these devices, whatever files there are" },
	{ "read", 0, TC_OPTION_LIST, AT(read), .arg = "FILE,...",
	  .help = "offline: read pcap or pcapng files one after another" },
	{ "capture", 0, TC_OPTION_WORD, AT(capture), .words = captures, .initial = TC_CAPTURE_RING,
	  .help = "ring: packet ring (default); raw: raw IP sockets" },
	{ "buffer", 'B', TC_OPTION_SIZE, AT(buffer_bytes), .arg = "MB", .min = 0, .max = MB * MB,
	  .scale = MB,
	  .help = "buffer of the capture, at most half of -m; default 128, or a quarter of -m" },
	{ "snaplen", 'S', TC_OPTION_NUMBER, AT(snaplen), .arg = "BYTES", .min = 0, .max = 262144,
	  .help = "bytes kept of a packet; default 0: all" },
	{ "latency", 0, TC_OPTION_DURATION, AT(latency_ns), .arg = "MS", .min = TC_MS,
	  .max = TC_SEC, .scale = TC_MS, .initial = TC_MS,
	  .help = "the longest that a captured packet waits to be read; default 1" },
	{ "promiscuous", 0, TC_OPTION_FLAG, AT(promiscuous),
	  .help = "capture what is meant for other hosts too (a mirror port)" },
	{ "speed", 'a', TC_OPTION_DECIMAL, AT(speed_permille), .arg = "N", .min = 1,
	  .max = 1000000000, .scale = 1000, .initial = 1000,
	  .help = "offline: so many times as fast as recorded; default 1" },
	{ "max-gap", 'I', TC_OPTION_DURATION, AT(max_gap_ns), .arg = "MS", .min = 0,
	  .max = 86400 * TC_SEC, .scale = TC_MS,
	  .help = "offline: longer gaps between packets are cut to this; default 0: kept" },
	{ "passes", 'T', TC_OPTION_NUMBER, AT(passes), .arg = "N", .min = 1, .max = 1000000,
	  .initial = 1, .help = "offline: play the files so many times; default 1" },

	{ "intercept", 's', TC_OPTION_LIST, AT(intercept), .arg = "HOST[:PORT],...",
	  .group = "Where it goes", .help = "where intercept runs" },
	{ "port", 'p', TC_OPTION_NUMBER, AT(port), .arg = "PORT", .min = 1, .max = 65535,
	  .initial = 36524, .help = "port of intercept where -s has none; default 36524" },
	{ "key", 0, TC_OPTION_STRING, AT(key), .arg = "FILE",
	  .help = "key shared with intercept; 'tcpcopy genkey FILE' makes one" },
	{ "deliver", 0, TC_OPTION_WORD, AT(deliver), .words = delivers,
	  .initial = TC_DELIVER_PACKET,
	  .help = "packet: packet socket (default); raw: raw IP socket" },
	{ "allow-conntrack", 0, TC_OPTION_FLAG, AT(allow_conntrack),
	  .help = "--deliver raw also where connection tracking keeps an entry for each copy" },
	{ "out", 'o', TC_OPTION_STRING, AT(out), .arg = "DEV",
	  .help = "send through this device; default: as the routes say" },
	{ "mtu", 'M', TC_OPTION_NUMBER, AT(mtu), .arg = "BYTES", .min = 0, .max = 65535,
	  .help = "longest IP packet towards the target; default 0: the route's, at most 1500" },
	{ "mss", 'D', TC_OPTION_NUMBER, AT(mss), .arg = "BYTES", .min = 0, .max = 65495,
	  .help = "longest TCP payload of a packet; default 0: the target's" },
	{ "connections", 'C', TC_OPTION_NUMBER, AT(connections), .arg = "N", .min = 1, .max = 16,
	  .initial = 1, .help = "accepted; there is one connection to each intercept",
	  .note = "-C has no effect: there is one connection to each intercept" },

	{ "pace", 0, TC_OPTION_WORD, AT(pace), .words = paces, .initial = TC_PACE_WORD_RESPONSE,
	  .group = "When it is spoken",
	  .help = "response: as recorded, but not before the target has answered (default); think: "
		  "the client's think time after the target's answer; timed: as recorded; rate: so "
		  "many a second; asap: at once" },
	{ "rate", 0, TC_OPTION_NUMBER, AT(rate), .arg = "N", .min = 1, .max = 1000000,
	  .help = "turns a second of each session, for --pace rate" },
	{ "no-wait", 'W', TC_OPTION_FLAG, AT(no_wait), .help = "the same as --pace timed" },
	{ "rtt", 'R', TC_OPTION_DURATION, AT(rtt_ns), .arg = "MS", .min = 0, .max = 10 * TC_SEC,
	  .scale = TC_MS, .help = "round-trip time of the clients to imitate; default 0: none" },
	{ "max-lag", 0, TC_OPTION_DURATION, AT(max_lag_ns), .arg = "SEC", .min = TC_MS,
	  .max = 86400 * TC_SEC, .scale = TC_SEC,
	  .help = "end sessions that are so far behind; default 10, offline: never" },
	{ "overlap", 0, TC_OPTION_DURATION, AT(overlap_ns), .arg = "MS", .min = 0,
	  .max = 10 * TC_SEC, .scale = TC_MS, .initial = TC_SEC,
	  .help = "what an old connection gets to finish when its port is used again; default "
		  "1000" },
	{ "on-hole", 0, TC_OPTION_WORD, AT(on_hole), .words = holes, .initial = TC_HOLE_END,
	  .help = "when the capture has lost bytes: end the session (default), or resume it on a "
		  "new connection" },
	{ "idle", 't', TC_OPTION_DURATION, AT(idle_ns), .arg = "SEC", .min = 0,
	  .max = 30 * 86400 * TC_SEC, .scale = TC_SEC,
	  .help = "end sessions that are silent for so long; default 0: never" },
	{ "keepalive", 'k', TC_OPTION_DURATION, AT(keepalive_ns), .arg = "SEC", .min = TC_SEC,
	  .max = 86400 * TC_SEC, .scale = TC_SEC, .initial = 10 * TC_SEC,
	  .help = "how long the target may owe an acknowledgement; default 10" },

	{ "memory", 'm', TC_OPTION_SIZE, AT(memory_bytes), .arg = "MB", .group = "The process",
	  .min = 16 * MB, .max = MB * MB, .scale = MB, .initial = 512 * MB,
	  .help = "budget of the whole process; default 512" },
	{ "sessions", 0, TC_OPTION_NUMBER, AT(sessions), .arg = "N", .min = 0, .max = 50000000,
	  .help = "room for so many sessions at a time; default 0: as -m allows" },
	{ "limit-sessions", 0, TC_OPTION_NUMBER, AT(limit_sessions), .arg = "N", .min = 0,
	  .max = 1000000,
	  .help = "begin at most so many sessions a second, and leave out whole ones above it; "
		  "default 0: no limit" },
	{ "max-out", 0, TC_OPTION_RATE, AT(max_out_bits), .arg = "MBIT", .min = 8000,
	  .max = INT64_C(1000000000000), .scale = 1000000,
	  .help = "send at most so many Mbit/s, or as in 500k, 2G; default: a fifth of the "
		  "link's, 200 where it tells none" },
	{ "pool", 'U', TC_OPTION_NUMBER, AT(pool), .arg = "KB", .min = 0, .max = INT64_MAX,
	  .help = "accepted without a meaning",
	  .note = "-U has no effect: sessions have no pools of their own" },
	{ "go-on", 'L', TC_OPTION_FLAG, AT(go_on),
	  .help = "accepted: tcpcopy never ends because an intercept is lost" },
	{ "daemon", 'd', TC_OPTION_FLAG, AT(daemon),
	  .help = "run in the background, once all has started" },
	{ "pid-file", 'P', TC_OPTION_STRING, AT(pid_file), .arg = "FILE",
	  .help = "write the process id there, and lock it" },
	{ "log", 'l', TC_OPTION_STRING, AT(log_file), .arg = "FILE",
	  .help = "append messages to this file; default: stderr" },
	{ "progress", 0, TC_OPTION_FLAG, AT(progress),
	  .help = "a line each second; default when stderr is a terminal" },
	{ "json", 0, TC_OPTION_FLAG, AT(json), .help = "the final report as JSON on stdout" },
	{ "dry-run", 0, TC_OPTION_FLAG, AT(dry_run),
	  .help = "print what would be done, and end; needs no privilege" },
	{ "verbose", 0, TC_OPTION_COUNT, AT(verbose),
	  .help = "also a line for each session that begins or ends" },
	{ "help", 'h', TC_OPTION_FLAG, AT(help), .help = "print this, and end" },
	{ "version", 'v', TC_OPTION_FLAG, AT(version), .help = "print the version, and end" },
	{ 0 },
};
