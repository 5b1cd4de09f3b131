/* SPDX-License-Identifier: BSD-2-Clause
 * script/script.h - a timed dialogue with the core, as it is written
 *
 * Layer:   test.
 *
 *     # anything to the end of the line
 *     set NAME VALUE                          the configuration, before the first timed line
 *     TIME client > FLAGS SEQ [...]           captured from a client: encoded to bytes, decoded by wire/frame.h, given to the core
 *     TIME online < FLAGS SEQ [...]           captured from the online server
 *     TIME target < FLAGS SEQ [...]           the target's answer
 *     TIME out > FLAGS SEQ [...]              what the core must say, and nothing else before it
 *     TIME session > opened | END [delivered N] [lost N]      a session's event; those that no line names do not matter
 *     TIME announce > | disown >              the core tells or disowns a tuple; likewise
 *     TIME event NAME [NUMBER]                channel-up channel-down capture-loss send-error path-mtu announced stop
 *     TIME check NAME NUMBER                  a number in the books, or `live`, `armed` (1 when a deadline is set)
 *     TIME quiet                              nothing was said until now
 *
 *     TIME   5ms, 1.5ms, 2s; 200..260ms for a range; + before it: counted from the moment of the line before. What the core says may be up
 *            to 1 ms later than written (a tick of its wheel is 0.26 ms), never earlier.
 *     SEQ    N or N:M(LEN);  FLAGS  of S F R P . (an ACK), or - for none
 *     more   ack N, win N, cut N, merged N, captured N (bytes that the capture kept), other (other bytes than the stream's), <options>,
 *            = NAME: the reason why the core drops it (`used` for none)
 *     options mss N, ws N, sackOK, ts VAL ECR, sack N:M, raw HEX, join
 *     numbers I: ISN of the newest SYN that was said; J: of the one before; T: the last TSval that was said; W: the mark's window;
 *            *: any. With +N or -N.
 *     client2, out2, target2, ...: the same for further clients, ports 40001 (client1, client), 40002, ...; client2b: their second service.
 *     An `out` without <options> or `win` does not care for them.
 */
#ifndef TC_SCRIPT_SCRIPT_H
#define TC_SCRIPT_SCRIPT_H

#include "core/core.h"

#include <stdbool.h>
#include <stdint.h>

#define SCRIPT_ITEMS 400
#define SCRIPT_CONNS 20
#define SCRIPT_RAW_MAX 40
#define SCRIPT_WORD_MAX 24

enum script_actor {
	SCRIPT_CLIENT,
	SCRIPT_ONLINE,
	SCRIPT_TARGET,
	SCRIPT_OUT,
	SCRIPT_SESSION,
	SCRIPT_ANNOUNCE,
	SCRIPT_DISOWN,
	SCRIPT_EVENT,
	SCRIPT_CHECK,
	SCRIPT_QUIET,
};

/** struct script_number - N, symbol, or symbol and offset */
struct script_number {
	char symbol; /* I J T W *, 0 for none */
	uint32_t offset;
};

/** struct script_opts - as between < and > */
struct script_opts {
	bool given;
	bool has_mss, has_ws, has_ts, sack_ok, join;
	struct script_number mss, ws, tsval, tsecr;
	unsigned n_sack;
	struct script_number left[TC_TCPOPT_SACK_MAX], right[TC_TCPOPT_SACK_MAX];
	size_t n_raw;
	uint8_t raw[SCRIPT_RAW_MAX];
};

struct script_item {
	unsigned line;
	enum script_actor actor;
	unsigned conn;
	bool relative;
	tc_time from;
	tc_time to;
	/* a packet */
	uint8_t flags;
	struct script_number seq;
	struct script_number ack, win;
	bool has_ack, has_win, has_cut, has_verdict, other;
	uint32_t len;
	uint32_t cut;
	uint32_t merged;
	uint32_t captured;
	struct script_opts opt;
	char verdict[SCRIPT_WORD_MAX];
	/* an event, a check, a session */
	char name[SCRIPT_WORD_MAX];
	uint64_t number;
	bool has_delivered, has_lost;
	uint64_t delivered, lost;
};

struct script {
	const char *file;
	char (*lines)[200];
	unsigned n_lines;
	unsigned n_items;
	struct script_item items[SCRIPT_ITEMS];
	bool v6;
	uint32_t joined_at; /* first byte of a session whose SYN was not seen */
	struct tc_core_config cfg;
};

/** script_read() - false: it cannot be read or understood, and the reason was printed */
bool script_read(struct script *s, const char *file);

/** script_run() - false: the core said something else, and what was printed */
bool script_run(const struct script *s);

/* numbers.c */
/** script_number() - a number of the core's books by its name in a `check`; false when there is none of that name */
bool script_number(const struct tc_core *core, const char *name, uint64_t *ret);

/* bytes.c */
/** script_ip() - an address of the dialogue: net 1 the clients, 9 the online server, 8 the target */
struct tc_ip script_ip(bool v6, uint8_t net, uint8_t host);
/**
 * script_encode() - a client's packet as it lies on the wire, from its IP header on
 * @tcp:  its numbers; options are taken from @opt, or from @raw when @n_raw is not 0
 * Return: bytes written to @buf, which holds 70000.
 */
size_t script_encode(const struct tc_ip *src, const struct tc_ip *dst, const struct tc_tcp *tcp,
		     const uint8_t *raw, size_t n_raw, const uint8_t *payload, size_t n,
		     uint8_t *buf);
/** script_byte() - of a client's stream at @offset */
uint8_t script_byte(uint32_t offset, bool other);

#endif
