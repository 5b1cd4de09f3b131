/* SPDX-License-Identifier: BSD-2-Clause
 * fuzz/channel.c - any bytes as what comes over a channel
 *
 * Input: batches, one after the other, as a peer would send them.
 * Promised: what was read and is written again is the same bytes when it is read and written once more; texts are terminated and
 * printable; a record that is malformed takes nothing.
 */
#include "fuzz/fuzz.h"

#include "wire/channel.h"

#include <string.h>

static uint8_t first[TC_CHANNEL_HEAD + TC_CHANNEL_BODY_MAX];
static uint8_t second[TC_CHANNEL_HEAD + TC_CHANNEL_BODY_MAX];

static void promise_same(size_t a, size_t b)
{
	promise(a > 0 && a == b && memcmp(first, second, a) == 0);
}

static struct tc_view body_of(size_t n)
{
	struct tc_channel_head head;
	promise(tc_channel_head_decode((struct tc_view){ first, n }, &head) == 0);
	promise(head.count == 1 && head.length == n - TC_CHANNEL_HEAD);
	return (struct tc_view){ first + TC_CHANNEL_HEAD, head.length };
}

static void promise_printable(const char *text, size_t size)
{
	size_t n = strnlen(text, size);
	promise(n < size);
	for (size_t i = 0; i < n; i++) {
		promise(text[i] >= ' ' && text[i] <= '~');
	}
}

static void try_hello(struct tc_view body)
{
	struct tc_channel_hello h;
	if (tc_channel_hello_decode(body, &h) != 0) {
		return;
	}
	promise(h.n_targets <= TC_CHANNEL_TARGETS_MAX);
	promise_printable(h.software, sizeof h.software);
	size_t n = tc_channel_hello_encode(&h, first, sizeof first);
	promise(n == TC_CHANNEL_HEAD + body.n);
	promise(tc_channel_hello_decode(body_of(n), &h) == 0);
	promise_same(n, tc_channel_hello_encode(&h, second, sizeof second));
}

static void try_welcome(struct tc_view body)
{
	char software[32];
	if (tc_channel_welcome_decode(body, software) != 0) {
		return;
	}
	promise_printable(software, sizeof software);
	size_t n = tc_channel_welcome_encode(software, first, sizeof first);
	promise(n == TC_CHANNEL_HEAD + body.n);
	promise(tc_channel_welcome_decode(body_of(n), software) == 0);
	promise_same(n, tc_channel_welcome_encode(software, second, sizeof second));
}

static void try_refuse(struct tc_view body)
{
	struct tc_channel_refuse r;
	if (tc_channel_refuse_decode(body, &r) != 0) {
		return;
	}
	promise_printable(r.text, sizeof r.text);
	promise(tc_channel_refusal_text(r.code) != NULL);
	size_t n = tc_channel_refuse_encode(&r, first, sizeof first);
	promise(n == TC_CHANNEL_HEAD + body.n);
	promise(tc_channel_refuse_decode(body_of(n), &r) == 0);
	promise_same(n, tc_channel_refuse_encode(&r, second, sizeof second));
}

static void try_stats_and_ping(struct tc_view body)
{
	struct tc_channel_stats s;
	if (tc_channel_stats_decode(body, &s) == 0) {
		size_t n = tc_channel_stats_encode(&s, first, sizeof first);
		promise(n == TC_CHANNEL_HEAD + body.n);
		promise(memcmp(first + TC_CHANNEL_HEAD, body.p, body.n) == 0);
	}
	uint64_t token;
	if (tc_channel_ping_decode(body, &token) == 0) {
		size_t n = tc_channel_ping_encode(TC_CHANNEL_PING, token, first, sizeof first);
		promise(n == TC_CHANNEL_HEAD + body.n);
		promise(memcmp(first + TC_CHANNEL_HEAD, body.p, body.n) == 0);
	}
}

static void try_answers(struct tc_view body)
{
	struct tc_answer a;
	struct tc_view before = body;
	while (tc_channel_answer_decode(&body, &a) == 0) {
		promise(body.n < before.n && body.p + body.n == before.p + before.n);
		promise(a.tcp.opt.n_sack <= TC_TCPOPT_SACK_MAX);
		promise(a.tcp.opt.ws_shift <= TC_TCPOPT_WS_MAX);
		size_t n = tc_channel_answer_encode(&a, first, TC_CHANNEL_ANSWER_MAX);
		/* shorter only where IPv4 addresses were spelled as IPv6 ones */
		promise(n > 0 && n <= before.n - body.n);
		struct tc_view again = { first, n };
		promise(tc_channel_answer_decode(&again, &a) == 0 && again.n == 0);
		promise_same(n, tc_channel_answer_encode(&a, second, TC_CHANNEL_ANSWER_MAX));
		before = body;
	}
	promise(body.p == before.p && body.n == before.n);
}

static void try_tuples(struct tc_view body)
{
	struct tc_tuple t;
	struct tc_view before = body;
	while (tc_channel_tuple_decode(&body, &t) == 0) {
		promise(body.n == before.n - TC_CHANNEL_TUPLE_LEN && t.link_id == 0);
		promise(tc_channel_tuple_encode(&t, first, sizeof first) == TC_CHANNEL_TUPLE_LEN);
		promise(memcmp(first, before.p, TC_CHANNEL_TUPLE_LEN) == 0);
		before = body;
	}
	promise(body.p == before.p && body.n < TC_CHANNEL_TUPLE_LEN);
}

static void try_body(unsigned type, struct tc_view body)
{
	switch (type) {
	case TC_CHANNEL_HELLO:
		try_hello(body);
		break;
	case TC_CHANNEL_WELCOME:
		try_welcome(body);
		break;
	case TC_CHANNEL_REFUSE:
		try_refuse(body);
		break;
	case TC_CHANNEL_ANSWERS:
		try_answers(body);
		break;
	case TC_CHANNEL_ANNOUNCE:
	case TC_CHANNEL_ANNOUNCED:
	case TC_CHANNEL_DISOWN:
		try_tuples(body);
		break;
	default:
		try_stats_and_ping(body);
		break;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct tc_view v = { data, size };
	struct tc_channel_head head;
	while (tc_channel_head_decode(v, &head) == 0) {
		promise(head.length <= TC_CHANNEL_BODY_MAX);
		uint8_t again[TC_CHANNEL_HEAD];
		tc_channel_head_encode(&head, again);
		promise(memcmp(again, v.p, sizeof again) == 0);
		v.p += TC_CHANNEL_HEAD;
		v.n -= TC_CHANNEL_HEAD;
		/* a fuzzer seldom guesses a length: take what is there */
		size_t n = head.length < v.n ? head.length : v.n;
		try_body(head.type, (struct tc_view){ v.p, n });
		v.p += n;
		v.n -= n;
	}
	return 0;
}
