/* SPDX-License-Identifier: BSD-2-Clause
 * fuzz/client.c - intercepts that say anything, at any time, to tcpcopy's end of the channel
 *
 * The first byte chooses a key and how many intercepts there are; then come op-codes with their operands: what an intercept says, whole
 * batches or any bytes, in which pieces it arrives, how much it takes, when it goes, and what the engine does meanwhile. fuzz/fake.h
 * is below.
 * Promised besides what is promised there: a call does a bounded number of reads and writes; a channel always waits for something, and
 * goes on when all that came was taken; no more channels are up than there are, and those are up that were welcomed and not lost;
 * without the proof of the key nothing is said; words are printable; answers are within what a record can say.
 */
#include "fuzz/fake.h"

#include "answer/client.h"
#include "port/error.h"

#include <errno.h>
#include <string.h>

#define CHANNELS 3
/* In one on_ready(): 64 reads, and what is written before it and after it */
#define CALLS_MAX 80

struct world {
	struct fake *fake;
	struct tc_answers *answers;
	unsigned n;
	bool has_key;
	tc_time now;
};

static void check_texts(struct world *w, unsigned i)
{
	const char *text = w->answers->ops->text(w->answers, i);
	size_t n = strlen(text);
	promise(n > 0 && n < 320);
	for (size_t k = 0; k < n; k++) {
		promise(text[k] >= ' ' && text[k] <= '~');
	}
}

static void check(struct world *w)
{
	struct tc_answers_stats s;
	w->answers->ops->stats(w->answers, &s);
	promise(s.configured == w->n && s.up <= w->n);
	promise(s.connects == s.disconnects + s.up);
	for (unsigned i = 0; i < w->n; i++) {
		struct tc_wait wait;
		const struct fake_peer *p = &w->fake->peers[i];
		w->answers->ops->wait(w->answers, i, &wait);
		promise(wait.deadline != TC_TIME_NEVER);
		promise(wait.fd < 0 || wait.fd == p->fd);
		promise(wait.fd >= 0 || !fake_is_open(p));
		bool said = fake_is_open(p) && p->heard[TC_CHANNEL_HELLO] > 0;
		promise(!said || !w->has_key || p->key_state == TC_TLS_KEY_SAME);
		check_texts(w, i);
	}
}

static void ready(struct world *w, unsigned i)
{
	w->fake->calls = 0;
	w->answers->ops->on_ready(w->answers, i, w->now);
	promise(w->fake->calls <= CALLS_MAX);
	check(w);
}

/* ---- what an intercept says ---- */

static void say_welcome(struct fake_peer *p)
{
	uint8_t batch[64];
	fake_say(p, batch, tc_channel_welcome_encode("intercept 2", batch, sizeof batch));
}

static void say_answers(struct fake_peer *p, struct input *in)
{
	static uint8_t batch[TC_LINK_BATCH_MAX];
	uint16_t count = 0;
	size_t length = 0;
	for (unsigned left = 1U << (input_byte(in) % 12); left > 0; left--) {
		struct tc_answer a = { .client = { .b = { input_byte(in) } },
				       .payload_len = input_byte(in),
				       .merged = input_byte(in) % 3 };
		a.tcp.seq = tc_seq_of(count);
		a.tcp.opt.n_sack = (uint8_t)(a.payload_len % (TC_TCPOPT_SACK_MAX + 1));
		size_t one = tc_channel_answer_encode(&a, batch + TC_CHANNEL_HEAD + length,
						      TC_CHANNEL_BODY_MAX - length);
		if (one == 0) {
			break;
		}
		length += one;
		count++;
	}
	struct tc_channel_head head = { TC_CHANNEL_ANSWERS, TC_CHANNEL_VERSION, count,
					(uint32_t)length };
	tc_channel_head_encode(&head, batch);
	fake_say(p, batch, TC_CHANNEL_HEAD + length);
}

static void say_stats(struct fake_peer *p, struct input *in)
{
	struct tc_channel_stats s = { .pkts = input_byte(in), .kernel_drops = input_byte(in) };
	uint8_t batch[64];
	fake_say(p, batch, tc_channel_stats_encode(&s, batch, sizeof batch));
}

/* ---- how it behaves ---- */

static void behave(struct fake_peer *p, struct input *in)
{
	static const int connects[] = { 0, -EINPROGRESS, -ECONNREFUSED, -ENETUNREACH };
	static const int handshakes[] = { 0, TC_TLS_E_AGAIN, -EPROTO, 0 };
	uint8_t how = input_byte(in);
	p->connected = connects[how & 3];
	p->handshake = handshakes[how >> 2 & 3];
	if (!fake_is_open(p)) { /* a key is proved once, in the handshake */
		p->key_state = (enum tc_tls_key_state)((how >> 4 & 3) % 3);
	}
}

/* ---- what the engine does ---- */

static struct tc_tuple tuple_of(struct input *in)
{
	return (struct tc_tuple){ .client_port = input_byte(in), .server_port = 80 };
}

/* Nothing is left to be taken: then what comes must find room, or the channel would stand still for ever. */
static void check_going_on(struct world *w)
{
	for (unsigned i = 0; i < w->n; i++) {
		struct tc_wait wait;
		w->answers->ops->wait(w->answers, i, &wait);
		promise(wait.fd < 0 || wait.read || wait.write || wait.deadline <= w->now);
	}
}

static void take_answers(struct world *w, unsigned max)
{
	struct tc_answer a;
	for (unsigned i = 0; i < max; i++) {
		if (!w->answers->ops->next(w->answers, &a)) {
			check_going_on(w);
			return;
		}
		promise(a.tcp.opt.n_sack <= TC_TCPOPT_SACK_MAX);
		promise(a.tcp.opt.ws_shift <= TC_TCPOPT_WS_MAX);
	}
}

static void take_events(struct world *w)
{
	struct tc_event ev;
	unsigned n = 0;
	while (w->answers->ops->next_event(w->answers, &ev)) {
		promise(ev.kind == TC_EVENT_CHANNEL_UP || ev.kind == TC_EVENT_CHANNEL_DOWN ||
			ev.kind == TC_EVENT_ANNOUNCED);
		promise(++n <= 258); /* one of each, and 256 tuples */
	}
}

static void operate(struct world *w, unsigned op, struct fake_peer *p, struct input *in)
{
	struct tc_tuple tuple;
	switch (op) {
	case 0:
	case 1:
		w->now += input_byte(in) * (op == 0 ? TC_MS : 50 * TC_MS);
		break;
	case 2:
		behave(p, in);
		break;
	case 3:
		fake_flow(p, in);
		break;
	case 4:
		fake_say_any(p, in);
		break;
	case 5:
		fake_say_batch(p, in);
		break;
	case 6:
		say_welcome(p);
		break;
	case 7:
		say_answers(p, in);
		break;
	case 8:
		say_stats(p, in);
		break;
	case 9:
		p->gone = true;
		break;
	case 10:
		take_answers(w, input_byte(in));
		break;
	case 11:
		take_events(w);
		break;
	case 12:
	case 13:
		tuple = tuple_of(in);
		(void)(op == 12 ? w->answers->ops->announce(w->answers, &tuple) :
				  w->answers->ops->disown(w->answers, &tuple));
		break;
	default: /* on_ready() comes after each of them */
		break;
	}
}

static bool start(struct world *w, struct input *in)
{
	uint8_t how = input_byte(in);
	static const struct tc_key key;
	struct tc_channel_target at[CHANNELS];
	struct tc_channel_hello hello = { .instance = 7, .n_targets = how >> 3 & 3 };
	char error[TC_DRIVER_ERROR_MAX];
	w->fake = fake_begin();
	w->has_key = how & 1;
	w->n = 1 + (how >> 1 & 3U) % CHANNELS;
	w->now = TC_SEC;
	for (unsigned i = 0; i < w->n; i++) {
		at[i] = (struct tc_channel_target){ tc_ip_from_v4((const uint8_t[4]){ 10 }),
						    (uint16_t)i };
	}
	struct tc_answers_client_config cfg = { .intercepts = at,
						.n_intercepts = w->n,
						.hello = &hello,
						.key = w->has_key ? &key : NULL };
	return tc_answers_client_new(&cfg, &w->answers, error) == 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = { data, size };
	struct world w;
	if (!start(&w, &in)) {
		return 0;
	}
	check(&w);
	while (in.n > 0) {
		uint8_t op = input_byte(&in);
		unsigned i = (op >> 4) % w.n;
		operate(&w, op & 15, &w.fake->peers[i], &in);
		ready(&w, i);
	}
	w.answers->ops->free(w.answers);
	fake_end(w.fake);
	return 0;
}
