/* SPDX-License-Identifier: BSD-2-Clause
 * fuzz/server.c - strangers and tcpcopies that say anything, at any time, to intercept's end of the channel
 *
 * The first byte chooses whether there is a key; then come op-codes with their operands: who knocks, what he says, whole batches or any
 * bytes, in which pieces it arrives, how much he takes, when he goes, and what the program does meanwhile: it welcomes or refuses who
 * said hello, now or later, drops peers, and tells them answers. fuzz/fake.h is below.
 * Promised besides what is promised there: a call does a bounded number of reads and writes; places for peers and strangers are as many
 * as was said, for each address too; a hello comes once from a connection, and only from one that proved the key; what a peer says comes
 * between its welcome and its end; each connection that the program knows ends with one event; the counters add up.
 */
#include "fuzz/fake.h"

#include "answer/server.h"
#include "port/error.h"

#include <errno.h>
#include <string.h>

#define PEERS 2
#define SLOTS (1 + PEERS + TC_SERVER_STRANGERS)
/* In one on_ready(): 8 accepts; or 64 reads, and what is written before them and after them */
#define CALLS_MAX 80
#define EVENTS_MAX 4096

enum known { UNKNOWN, ASKED, WELCOME };

struct world {
	struct fake *fake;
	struct tc_channel_server *server;
	bool has_key;
	tc_time now;
	uint8_t manner; /* of the program, with those who say hello */
	enum known known[SLOTS];
	unsigned up;
};

static void check(struct world *w)
{
	struct tc_channel_server_stats s;
	tc_channel_server_stats(w->server, &s);
	unsigned open = 0;
	unsigned of_address[256] = { 0 };
	for (unsigned i = 0; i < FAKE_PEERS; i++) {
		const struct fake_peer *p = &w->fake->peers[i];
		if (fake_is_open(p)) {
			open++;
			of_address[p->address]++;
			promise(of_address[p->address] <= TC_SERVER_STRANGERS_EACH + PEERS);
			promise(p->heard[TC_CHANNEL_WELCOME] + p->heard[TC_CHANNEL_REFUSE] <= 1);
		}
	}
	promise(open <= PEERS + TC_SERVER_STRANGERS);
	promise(s.up <= s.welcomed && s.up <= w->up);
	promise(s.accepted >= s.turned_away + s.strangers_ended + s.up);
	for (unsigned i = 0; i < tc_channel_server_slots(w->server); i++) {
		struct tc_wait wait;
		tc_channel_server_wait(w->server, i, &wait);
		promise(i > 0 ? wait.fd < 0 || wait.deadline != TC_TIME_NEVER : wait.fd >= 0);
		promise(i > 0 || wait.read || wait.deadline != TC_TIME_NEVER);
	}
}

/* ---- what the program does ---- */

static void decide(struct world *w, unsigned conn, unsigned manner)
{
	switch (manner % 4) {
	case 0:
	case 1:
		if (w->up == PEERS) {
			tc_channel_server_refuse(w->server, conn, TC_CHANNEL_REFUSE_BUSY);
			w->known[conn] = UNKNOWN;
		} else {
			tc_channel_server_welcome(w->server, conn);
			w->known[conn] = WELCOME;
			w->up++;
		}
		break;
	case 2:
		tc_channel_server_drop(w->server, conn, "as the input says");
		break;
	default: /* later */
		break;
	}
}

static void on_hello(struct world *w, const struct tc_server_event *ev)
{
	promise(w->known[ev->conn] == UNKNOWN);
	promise(ev->hello.n_targets <= TC_CHANNEL_TARGETS_MAX);
	promise(strnlen(ev->hello.software, sizeof ev->hello.software) < sizeof ev->hello.software);
	const struct fake_peer *p = &w->fake->peers[ev->port - 50000];
	promise(!w->has_key || p->key_state == TC_TLS_KEY_SAME);
	promise(ev->ip.b[15] == p->address);
	w->known[ev->conn] = ASKED;
	decide(w, ev->conn, w->manner);
}

static void take_events(struct world *w)
{
	struct tc_server_event ev;
	for (unsigned n = 0; tc_channel_server_next(w->server, &ev); n++) {
		promise(n < EVENTS_MAX && ev.conn > 0 && ev.conn < SLOTS);
		switch (ev.kind) {
		case TC_SERVER_HELLO:
			on_hello(w, &ev);
			break;
		case TC_SERVER_ANNOUNCE:
		case TC_SERVER_DISOWN:
			promise(w->known[ev.conn] == WELCOME);
			break;
		case TC_SERVER_CLOSED:
			promise(ev.was_up == (w->known[ev.conn] == WELCOME));
			promise(strlen(ev.text) < 160);
			w->up -= ev.was_up;
			w->known[ev.conn] = UNKNOWN;
			break;
		}
	}
}

static void tell(struct world *w, unsigned conn, struct input *in)
{
	size_t room = 0;
	size_t length = 0;
	uint16_t count = 0;
	uint8_t *p = tc_channel_server_room(w->server, conn, &room);
	unsigned want = 1U << (input_byte(in) % 10);
	if (p == NULL) {
		return;
	}
	promise(w->known[conn] == WELCOME && room >= TC_LINK_BATCH_MAX);
	for (; count < want; count++) {
		struct tc_answer a = { .payload_len = count };
		size_t one = tc_channel_answer_encode(&a, p + TC_CHANNEL_HEAD + length,
						      TC_CHANNEL_BODY_MAX - length);
		if (one == 0) {
			break;
		}
		length += one;
	}
	struct tc_channel_head head = { TC_CHANNEL_ANSWERS, TC_CHANNEL_VERSION, count,
					(uint32_t)length };
	tc_channel_head_encode(&head, p);
	tc_channel_server_send(w->server, conn, TC_CHANNEL_HEAD + length);
}

static void tell_stats(struct world *w, unsigned conn)
{
	struct tc_channel_stats s = { .pkts = 1 };
	uint8_t batch[64];
	size_t n = tc_channel_stats_encode(&s, batch, sizeof batch);
	bool sent = tc_channel_server_put(w->server, conn, batch, n);
	promise(!sent || w->known[conn] == WELCOME);
}

/* ---- what the others do ---- */

static void behave(struct fake_peer *p, struct input *in)
{
	static const int accepts[] = { 0, 0, -ECONNABORTED, -EMFILE };
	static const int handshakes[] = { 0, TC_TLS_E_AGAIN, -EPROTO, 0 };
	uint8_t how = input_byte(in);
	p->handshake = handshakes[how & 3];
	if (!fake_is_open(p)) { /* a key is proved once, and an address does not change */
		p->connected = accepts[how >> 2 & 3];
		p->key_state = (enum tc_tls_key_state)((how >> 4 & 3) % 3);
		p->address = input_byte(in) & 7;
	}
}

static void say_hello(struct fake_peer *p, struct input *in)
{
	struct tc_channel_hello hello = { .instance = input_byte(in),
					  .n_targets = input_byte(in) % TC_CHANNEL_TARGETS_MAX };
	static uint8_t batch[TC_LINK_BATCH_MAX];
	fake_say(p, batch, tc_channel_hello_encode(&hello, batch, sizeof batch));
}

static void say_tuples(struct fake_peer *p, struct input *in)
{
	static uint8_t batch[TC_LINK_BATCH_MAX];
	size_t length = 0;
	uint16_t count = 0;
	uint8_t how = input_byte(in);
	for (unsigned left = how & 0x3f; left > 0; left--, count++) {
		struct tc_tuple t = { .client_port = count, .server_port = 80 };
		length += tc_channel_tuple_encode(&t, batch + TC_CHANNEL_HEAD + length,
						  TC_CHANNEL_BODY_MAX - length);
	}
	struct tc_channel_head head = { (how & 0x80) != 0 ? TC_CHANNEL_ANNOUNCE : TC_CHANNEL_DISOWN,
					TC_CHANNEL_VERSION, count, (uint32_t)length };
	tc_channel_head_encode(&head, batch);
	fake_say(p, batch, TC_CHANNEL_HEAD + length);
}

static void say_pings(struct fake_peer *p, struct input *in)
{
	uint8_t batch[TC_CHANNEL_HEAD + 8];
	size_t n = tc_channel_ping_encode(TC_CHANNEL_PING, 7, batch, sizeof batch);
	for (unsigned left = 1U << (input_byte(in) % 12); left > 0; left--) {
		fake_say(p, batch, n);
	}
}

/* What one of the others says or does; on_ready() of all slots comes after it. */
static void act(struct fake_peer *p, unsigned op, struct input *in)
{
	switch (op) {
	case 1:
		behave(p, in);
		break;
	case 2:
		fake_flow(p, in);
		break;
	case 3:
		fake_knock(p);
		break;
	case 4:
		fake_say_any(p, in);
		break;
	case 5:
		fake_say_batch(p, in);
		break;
	case 6:
		say_hello(p, in);
		break;
	case 7:
		say_tuples(p, in);
		break;
	case 8:
		say_pings(p, in);
		break;
	default:
		p->gone = true;
		break;
	}
}

static void operate(struct world *w, unsigned op, uint8_t who, struct input *in)
{
	unsigned conn = 1 + who % (SLOTS - 1);
	switch (op) {
	case 0:
		w->now += input_byte(in) * (who & 1 ? 50 * TC_MS : TC_MS);
		break;
	case 10:
		w->manner = who;
		break;
	case 11:
		tell(w, conn, in);
		break;
	case 12:
		tell_stats(w, conn);
		break;
	case 13:
		if (w->known[conn] == ASKED) {
			decide(w, conn, who >> 5);
		}
		break;
	case 14:
		if (w->known[conn] != UNKNOWN) {
			tc_channel_server_drop(w->server, conn, "as the input says");
		}
		break;
	default:
		act(&w->fake->peers[who % FAKE_PEERS], op, in);
		break;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = { data, size };
	struct world w = { .fake = fake_begin(), .now = TC_SEC, .has_key = input_byte(&in) & 1 };
	static const struct tc_key key;
	struct tc_channel_server_config cfg = { .key = w.has_key ? &key : NULL,
						.software = "intercept 2",
						.peers = PEERS };
	char error[TC_DRIVER_ERROR_MAX];
	if (tc_channel_server_new(&cfg, &w.server, error) < 0) {
		return 0;
	}
	while (in.n > 0) {
		unsigned op = input_byte(&in) & 15;
		operate(&w, op, input_byte(&in), &in);
		for (unsigned i = 0; i < SLOTS; i++) {
			w.fake->calls = 0;
			tc_channel_server_on_ready(w.server, i, w.now);
			promise(w.fake->calls <= CALLS_MAX);
		}
		if (op != 15) { /* or the program is busy elsewhere */
			take_events(&w);
		}
		check(&w);
	}
	tc_channel_server_free(w.server);
	fake_end(w.fake);
	return 0;
}
