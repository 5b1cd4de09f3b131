/* SPDX-License-Identifier: BSD-2-Clause
 * test_channel.c - the channel's batches: what is written is read back, what is broken is refused
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "unit/random.h"
#include "wire/channel.h"

#include <stdlib.h>
#include <string.h>

static uint8_t buf[TC_CHANNEL_HEAD + TC_CHANNEL_BODY_MAX];

/* The body of the one batch of @size bytes in buf, after its head was checked */
static struct tc_view body_of(size_t size, enum tc_channel_type type, unsigned count)
{
	struct tc_channel_head head;
	assert_true(size >= TC_CHANNEL_HEAD);
	assert_int_equal(tc_channel_head_decode((struct tc_view){ buf, size }, &head), 0);
	assert_int_equal(head.type, type);
	assert_int_equal(head.version, TC_CHANNEL_VERSION);
	assert_int_equal(head.count, count);
	assert_int_equal(head.length, size - TC_CHANNEL_HEAD);
	return (struct tc_view){ buf + TC_CHANNEL_HEAD, head.length };
}

/* One decoder of a body for all of them, to be fed with bodies that are too short or too long */
typedef int (*decoder)(struct tc_view body);

static int hello(struct tc_view body)
{
	struct tc_channel_hello h;
	return tc_channel_hello_decode(body, &h);
}

static int welcome(struct tc_view body)
{
	char software[32];
	return tc_channel_welcome_decode(body, software);
}

static int refuse(struct tc_view body)
{
	struct tc_channel_refuse r;
	return tc_channel_refuse_decode(body, &r);
}

static int stats(struct tc_view body)
{
	struct tc_channel_stats s;
	return tc_channel_stats_decode(body, &s);
}

static int ping(struct tc_view body)
{
	uint64_t token;
	return tc_channel_ping_decode(body, &token);
}

/* @body is good; each shorter one, and one with a byte more, is not. From memory of exactly its size, for the sanitizers. */
static void expect_exact(decoder decode, struct tc_view body)
{
	assert_int_equal(decode(body), 0);
	for (size_t n = 0; n < body.n + 2; n++) {
		uint8_t *exact = calloc(1, n > 0 ? n : 1);
		assert_non_null(exact);
		memcpy(exact, body.p, n < body.n ? n : body.n);
		assert_int_equal(decode((struct tc_view){ exact, n }),
				 n == body.n ? 0 : TC_CHANNEL_E_MALFORMED);
		free(exact);
	}
}

static void a_head_is_read_when_all_of_it_is_there(void **state)
{
	(void)state;
	struct tc_channel_head head = { TC_CHANNEL_ANSWERS, 1, 0x0102, 0x3ff8 };
	uint8_t b[TC_CHANNEL_HEAD];
	tc_channel_head_encode(&head, b);
	assert_memory_equal(b, ((const uint8_t[]){ 4, 1, 1, 2, 0, 0, 0x3f, 0xf8 }), 8);
	struct tc_channel_head back = { 0 };
	for (size_t n = 0; n < TC_CHANNEL_HEAD; n++) {
		assert_int_equal(tc_channel_head_decode((struct tc_view){ b, n }, &back),
				 TC_CHANNEL_E_MORE);
	}
	assert_int_equal(back.type, 0);
	assert_int_equal(tc_channel_head_decode((struct tc_view){ b, 8 }, &back), 0);
	assert_int_equal(back.type, head.type);
	assert_int_equal(back.version, head.version);
	assert_int_equal(back.count, head.count);
	assert_int_equal(back.length, TC_CHANNEL_BODY_MAX);
}

static void a_head_that_claims_too_much_is_malformed(void **state)
{
	(void)state;
	struct tc_channel_head head = { TC_CHANNEL_ANSWERS, 1, 1, TC_CHANNEL_BODY_MAX + 1 };
	uint8_t b[TC_CHANNEL_HEAD];
	struct tc_channel_head back;
	tc_channel_head_encode(&head, b);
	assert_int_equal(tc_channel_head_decode((struct tc_view){ b, 8 }, &back),
			 TC_CHANNEL_E_MALFORMED);
	head.length = UINT32_MAX;
	tc_channel_head_encode(&head, b);
	assert_int_equal(tc_channel_head_decode((struct tc_view){ b, 8 }, &back),
			 TC_CHANNEL_E_MALFORMED);
}

static struct tc_channel_hello a_hello(unsigned targets)
{
	struct tc_channel_hello h = {
		.instance = 0x0102030405060708,
		.mark_key = { 0x1112131415161718, 0x2122232425262728 },
		.n_targets = (uint16_t)targets,
		.software = "tcpcopy 2.0.0",
	};
	for (unsigned i = 0; i < targets; i++) {
		h.targets[i].ip = tc_ip_from_v4((const uint8_t[]){ 10, 0, 0, (uint8_t)i });
		h.targets[i].port = (uint16_t)(8000 + i);
	}
	return h;
}

static void a_hello_is_read_back(void **state)
{
	(void)state;
	for (unsigned targets = 0; targets <= TC_CHANNEL_TARGETS_MAX; targets += 16) {
		struct tc_channel_hello h = a_hello(targets);
		size_t size = tc_channel_hello_encode(&h, buf, sizeof buf);
		struct tc_view body = body_of(size, TC_CHANNEL_HELLO, 1);
		struct tc_channel_hello back;
		assert_int_equal(tc_channel_hello_decode(body, &back), 0);
		assert_true(back.instance == h.instance && back.mark_key.k0 == h.mark_key.k0 &&
			    back.mark_key.k1 == h.mark_key.k1);
		assert_int_equal(back.n_targets, targets);
		for (unsigned i = 0; i < targets; i++) {
			assert_true(tc_ip_eq(&back.targets[i].ip, &h.targets[i].ip));
			assert_int_equal(back.targets[i].port, h.targets[i].port);
		}
		assert_string_equal(back.software, h.software);
		expect_exact(hello, body);
	}
}

static void a_hello_that_does_not_fit_is_not_written(void **state)
{
	(void)state;
	struct tc_channel_hello h = a_hello(3);
	size_t size = tc_channel_hello_encode(&h, buf, sizeof buf);
	for (size_t n = 0; n < size; n++) {
		uint8_t *exact = malloc(n > 0 ? n : 1);
		assert_non_null(exact);
		assert_int_equal(tc_channel_hello_encode(&h, exact, n), 0);
		free(exact);
	}
	assert_int_equal(tc_channel_hello_encode(&h, buf, size), size);
	h.n_targets = TC_CHANNEL_TARGETS_MAX + 1;
	assert_int_equal(tc_channel_hello_encode(&h, buf, sizeof buf), 0);
}

static void a_hello_with_more_targets_than_allowed_is_malformed(void **state)
{
	(void)state;
	struct tc_channel_hello h = a_hello(TC_CHANNEL_TARGETS_MAX);
	size_t size = tc_channel_hello_encode(&h, buf, sizeof buf);
	buf[TC_CHANNEL_HEAD + 25] = TC_CHANNEL_TARGETS_MAX + 1;
	assert_int_equal(
		hello((struct tc_view){ buf + TC_CHANNEL_HEAD, size - TC_CHANNEL_HEAD + 18 }),
		TC_CHANNEL_E_MALFORMED);
}

static void text_of_a_peer_is_printable_and_terminated_whatever_it_sent(void **state)
{
	(void)state;
	size_t size = tc_channel_welcome_encode("\033[2J\xff\n ok~", buf, sizeof buf);
	char software[32];
	assert_int_equal(tc_channel_welcome_decode(body_of(size, TC_CHANNEL_WELCOME, 1), software),
			 0);
	assert_string_equal(software, "?[2J?? ok~");

	uint8_t body[33] = { 32 };
	memset(body + 1, 'x', 32);
	strcpy(software, "old");
	assert_int_equal(tc_channel_welcome_decode((struct tc_view){ body, 33 }, software),
			 TC_CHANNEL_E_MALFORMED);
	assert_string_equal(software, "old");
	body[0] = 31;
	assert_int_equal(tc_channel_welcome_decode((struct tc_view){ body, 32 }, software), 0);
	assert_int_equal(strlen(software), 31);
}

static void a_welcome_is_read_back_and_cut_to_what_it_may_hold(void **state)
{
	(void)state;
	size_t size = tc_channel_welcome_encode("intercept 2.0.0", buf, sizeof buf);
	struct tc_view body = body_of(size, TC_CHANNEL_WELCOME, 1);
	char software[32];
	assert_int_equal(tc_channel_welcome_decode(body, software), 0);
	assert_string_equal(software, "intercept 2.0.0");
	expect_exact(welcome, body);

	size = tc_channel_welcome_encode("a name of more than thirty-one letters", buf, sizeof buf);
	assert_int_equal(tc_channel_welcome_decode(body_of(size, TC_CHANNEL_WELCOME, 1), software),
			 0);
	assert_string_equal(software, "a name of more than thirty-one ");
}

static void a_refusal_is_read_back_with_its_words(void **state)
{
	(void)state;
	struct tc_channel_refuse r = { TC_CHANNEL_REFUSE_OTHER_KEY, "other key" };
	size_t size = tc_channel_refuse_encode(&r, buf, sizeof buf);
	struct tc_view body = body_of(size, TC_CHANNEL_REFUSE, 1);
	struct tc_channel_refuse back;
	assert_int_equal(tc_channel_refuse_decode(body, &back), 0);
	assert_int_equal(back.code, r.code);
	assert_string_equal(back.text, r.text);
	expect_exact(refuse, body);
}

static void a_refusal_of_a_later_version_keeps_its_words(void **state)
{
	(void)state;
	struct tc_channel_refuse r = { (enum tc_channel_refusal)77, "full moon" };
	size_t size = tc_channel_refuse_encode(&r, buf, sizeof buf);
	struct tc_channel_refuse back;
	assert_int_equal(tc_channel_refuse_decode(body_of(size, TC_CHANNEL_REFUSE, 1), &back), 0);
	assert_int_equal(back.code, TC_CHANNEL_REFUSE__N);
	assert_string_equal(back.text, "full moon");
}

static void each_refusal_has_a_text_of_its_own(void **state)
{
	(void)state;
	const char *unknown = tc_channel_refusal_text((enum tc_channel_refusal)0);
	assert_ptr_equal(tc_channel_refusal_text(TC_CHANNEL_REFUSE__N), unknown);
	assert_ptr_equal(tc_channel_refusal_text((enum tc_channel_refusal) - 1), unknown);
	for (int i = 1; i < TC_CHANNEL_REFUSE__N; i++) {
		const char *text = tc_channel_refusal_text((enum tc_channel_refusal)i);
		assert_non_null(text);
		assert_in_range(strlen(text), 1, TC_CHANNEL_TEXT_MAX - 1);
		assert_string_not_equal(text, unknown);
		for (int k = 1; k < i; k++) {
			assert_string_not_equal(
				text, tc_channel_refusal_text((enum tc_channel_refusal)k));
		}
	}
}

static void stats_and_pings_are_read_back(void **state)
{
	(void)state;
	struct tc_channel_stats s = { 1, UINT64_MAX, 3, 0x0102030405060708 };
	struct tc_view body =
		body_of(tc_channel_stats_encode(&s, buf, sizeof buf), TC_CHANNEL_STATS, 1);
	struct tc_channel_stats back;
	assert_int_equal(tc_channel_stats_decode(body, &back), 0);
	assert_memory_equal(&back, &s, sizeof s);
	expect_exact(stats, body);

	body = body_of(tc_channel_ping_encode(TC_CHANNEL_PING, 42, buf, sizeof buf),
		       TC_CHANNEL_PING, 1);
	uint64_t token;
	assert_int_equal(tc_channel_ping_decode(body, &token), 0);
	assert_int_equal(token, 42);
	expect_exact(ping, body);
	body_of(tc_channel_ping_encode(TC_CHANNEL_PONG, 42, buf, sizeof buf), TC_CHANNEL_PONG, 1);
}

static void small_batches_that_do_not_fit_are_not_written(void **state)
{
	(void)state;
	struct tc_channel_refuse r = { TC_CHANNEL_REFUSE_BUSY, "busy" };
	struct tc_channel_stats s = { 0 };
	for (size_t n = 0; n < TC_CHANNEL_HEAD + 8; n++) {
		assert_int_equal(tc_channel_ping_encode(TC_CHANNEL_PING, 1, buf, n), 0);
		assert_int_equal(tc_channel_refuse_encode(&r, buf, n < 15 ? n : 15), 0);
		assert_int_equal(tc_channel_welcome_encode("intercept", buf, n), 0);
		assert_int_equal(tc_channel_stats_encode(&s, buf, n), 0);
	}
}

static struct tc_answer random_answer(struct random *rnd, bool v6)
{
	struct tc_answer a = {
		.tcp = { .src_port = (uint16_t)random_u64(rnd),
			 .dst_port = (uint16_t)random_u64(rnd),
			 .seq = tc_seq_of((uint32_t)random_u64(rnd)),
			 .ack = tc_seq_of((uint32_t)random_u64(rnd)),
			 .flags = (uint8_t)random_u64(rnd),
			 .win = (uint16_t)random_u64(rnd) },
		.payload_len = (uint32_t)random_u64(rnd),
		.merged = random_below(rnd, 0x10000),
	};
	uint8_t addresses[32];
	random_bytes(rnd, addresses, sizeof addresses);
	addresses[0] = 0x20;
	addresses[16] = 0x20;
	a.client = v6 ? tc_ip_from_v6(addresses) : tc_ip_from_v4(addresses);
	a.target = v6 ? tc_ip_from_v6(addresses + 16) : tc_ip_from_v4(addresses + 16);
	struct tc_tcpopt *opt = &a.tcp.opt;
	opt->sack_ok = random_below(rnd, 2);
	if (random_below(rnd, 2)) {
		opt->has_mss = true;
		opt->mss = (uint16_t)random_u64(rnd);
	}
	if (random_below(rnd, 2)) {
		opt->has_ws = true;
		opt->ws_shift = (uint8_t)random_below(rnd, 15);
	}
	if (random_below(rnd, 2)) {
		opt->has_ts = true;
		opt->tsval = (uint32_t)random_u64(rnd);
		opt->tsecr = (uint32_t)random_u64(rnd);
	}
	opt->n_sack = (uint8_t)random_below(rnd, 5);
	for (unsigned i = 0; i < opt->n_sack; i++) {
		opt->sack[i].left = tc_seq_of((uint32_t)random_u64(rnd));
		opt->sack[i].right = tc_seq_of((uint32_t)random_u64(rnd));
	}
	return a;
}

static void expect_same_answer(const struct tc_answer *a, const struct tc_answer *b)
{
	const struct tc_tcpopt *x = &a->tcp.opt;
	const struct tc_tcpopt *y = &b->tcp.opt;
	assert_true(tc_ip_eq(&a->client, &b->client) && tc_ip_eq(&a->target, &b->target));
	assert_true(a->tcp.src_port == b->tcp.src_port && a->tcp.dst_port == b->tcp.dst_port);
	assert_true(tc_seq_eq(a->tcp.seq, b->tcp.seq) && tc_seq_eq(a->tcp.ack, b->tcp.ack));
	assert_true(a->tcp.flags == b->tcp.flags && a->tcp.win == b->tcp.win);
	assert_true(a->payload_len == b->payload_len && a->merged == b->merged);
	assert_true(x->sack_ok == y->sack_ok && x->has_mss == y->has_mss && x->mss == y->mss);
	assert_true(x->has_ws == y->has_ws && x->ws_shift == y->ws_shift);
	assert_true(x->has_ts == y->has_ts && x->tsval == y->tsval && x->tsecr == y->tsecr);
	assert_true(x->n_sack == y->n_sack);
	assert_memory_equal(x->sack, y->sack, x->n_sack * sizeof x->sack[0]);
}

static void a_body_full_of_answers_is_read_back_in_order(void **state)
{
	(void)state;
	struct random rnd = { 1 };
	static struct tc_answer answers[1000];
	size_t size = 0;
	unsigned n = 0;
	for (; n < 1000; n++) {
		answers[n] = random_answer(&rnd, random_below(&rnd, 2));
		size_t one = tc_channel_answer_encode(&answers[n], buf + size,
						      TC_CHANNEL_BODY_MAX - size);
		if (one == 0) {
			break;
		}
		assert_in_range(one, 30, TC_CHANNEL_ANSWER_MAX);
		size += one;
	}
	assert_in_range(n, 100, 600);
	assert_true(TC_CHANNEL_BODY_MAX - size < TC_CHANNEL_ANSWER_MAX);
	struct tc_view body = { buf, size };
	for (unsigned i = 0; i < n; i++) {
		struct tc_answer back;
		assert_int_equal(tc_channel_answer_decode(&body, &back), 0);
		expect_same_answer(&back, &answers[i]);
	}
	assert_int_equal(body.n, 0);
}

static void the_largest_answer_has_the_size_that_the_header_says(void **state)
{
	(void)state;
	struct random rnd = { 2 };
	struct tc_answer a = random_answer(&rnd, true);
	a.tcp.opt =
		(struct tc_tcpopt){ .has_mss = true, .has_ws = true, .has_ts = true, .n_sack = 4 };
	assert_int_equal(tc_channel_answer_encode(&a, buf, sizeof buf), TC_CHANNEL_ANSWER_MAX);
	for (size_t n = 0; n < TC_CHANNEL_ANSWER_MAX; n++) {
		assert_int_equal(tc_channel_answer_encode(&a, buf, n), 0);
	}
}

static void an_answer_that_ends_early_is_malformed_and_takes_nothing(void **state)
{
	(void)state;
	struct random rnd = { 3 };
	for (int i = 0; i < 50; i++) {
		struct tc_answer a = random_answer(&rnd, i & 1);
		size_t size = tc_channel_answer_encode(&a, buf, sizeof buf);
		for (size_t n = 0; n < size; n++) {
			uint8_t *exact = malloc(n > 0 ? n : 1);
			assert_non_null(exact);
			memcpy(exact, buf, n);
			struct tc_view body = { exact, n };
			struct tc_answer back;
			assert_int_equal(tc_channel_answer_decode(&body, &back),
					 TC_CHANNEL_E_MALFORMED);
			assert_int_equal(body.n, n);
			free(exact);
		}
	}
}

static void an_answer_with_five_sack_blocks_or_a_wild_shift_is_malformed(void **state)
{
	(void)state;
	struct random rnd = { 4 };
	struct tc_answer a = random_answer(&rnd, false);
	a.tcp.opt = (struct tc_tcpopt){ .has_ws = true, .ws_shift = 14 };
	size_t size = tc_channel_answer_encode(&a, buf, sizeof buf);
	memset(buf + size, 0, 100);
	struct tc_view body = { buf, size + 100 };
	struct tc_answer back;
	buf[size - 1] = 15;
	assert_int_equal(tc_channel_answer_decode(&body, &back), TC_CHANNEL_E_MALFORMED);
	buf[size - 1] = 14;
	for (unsigned blocks = 5; blocks <= 7; blocks++) {
		buf[0] = (uint8_t)((buf[0] & 0x1f) | blocks << 5);
		assert_int_equal(tc_channel_answer_decode(&body, &back), TC_CHANNEL_E_MALFORMED);
	}
	buf[0] = (uint8_t)((buf[0] & 0x1f) | 4 << 5);
	assert_int_equal(tc_channel_answer_decode(&body, &back), 0);
}

static void a_count_of_merged_packets_stays_at_its_largest(void **state)
{
	(void)state;
	struct random rnd = { 5 };
	struct tc_answer a = random_answer(&rnd, false);
	a.merged = 70000;
	struct tc_view body = { buf, tc_channel_answer_encode(&a, buf, sizeof buf) };
	struct tc_answer back;
	assert_int_equal(tc_channel_answer_decode(&body, &back), 0);
	assert_int_equal(back.merged, 65535);
}

/* A dual-stack socket never does that, but the encoder must not write half an address. */
static void an_answer_between_two_families_is_written_in_full(void **state)
{
	(void)state;
	struct random rnd = { 6 };
	struct tc_answer a = random_answer(&rnd, false);
	struct tc_answer b = a;
	a.target = random_answer(&rnd, true).target;
	b.client = a.target;
	const struct tc_answer *const both[] = { &a, &b };
	for (size_t i = 0; i < 2; i++) {
		struct tc_view body = { buf, tc_channel_answer_encode(both[i], buf, sizeof buf) };
		struct tc_answer back;
		assert_int_equal(tc_channel_answer_decode(&body, &back), 0);
		expect_same_answer(&back, both[i]);
	}
}

static void tuples_are_read_back_in_order(void **state)
{
	(void)state;
	struct random rnd = { 7 };
	struct tc_tuple tuples[3];
	for (unsigned i = 0; i < 3; i++) {
		tuples[i] = (struct tc_tuple){ .client_port = (uint16_t)random_u64(&rnd),
					       .server_port = (uint16_t)random_u64(&rnd) };
		random_bytes(&rnd, tuples[i].client.b, 16);
		random_bytes(&rnd, tuples[i].server.b, 16);
		assert_int_equal(tc_channel_tuple_encode(&tuples[i], buf + i * TC_CHANNEL_TUPLE_LEN,
							 TC_CHANNEL_TUPLE_LEN),
				 TC_CHANNEL_TUPLE_LEN);
		assert_int_equal(
			tc_channel_tuple_encode(&tuples[i], buf + 1000, TC_CHANNEL_TUPLE_LEN - 1),
			0);
	}
	struct tc_view body = { buf, 3 * TC_CHANNEL_TUPLE_LEN };
	for (unsigned i = 0; i < 3; i++) {
		struct tc_tuple back;
		assert_int_equal(tc_channel_tuple_decode(&body, &back), 0);
		assert_true(tc_tuple_eq(&back, &tuples[i]));
	}
	struct tc_tuple back;
	assert_int_equal(tc_channel_tuple_decode(&body, &back), TC_CHANNEL_E_MALFORMED);
	body = (struct tc_view){ buf, TC_CHANNEL_TUPLE_LEN - 1 };
	assert_int_equal(tc_channel_tuple_decode(&body, &back), TC_CHANNEL_E_MALFORMED);
	assert_int_equal(body.n, TC_CHANNEL_TUPLE_LEN - 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_head_is_read_when_all_of_it_is_there),
		cmocka_unit_test(a_head_that_claims_too_much_is_malformed),
		cmocka_unit_test(a_hello_is_read_back),
		cmocka_unit_test(a_hello_that_does_not_fit_is_not_written),
		cmocka_unit_test(a_hello_with_more_targets_than_allowed_is_malformed),
		cmocka_unit_test(text_of_a_peer_is_printable_and_terminated_whatever_it_sent),
		cmocka_unit_test(a_welcome_is_read_back_and_cut_to_what_it_may_hold),
		cmocka_unit_test(a_refusal_is_read_back_with_its_words),
		cmocka_unit_test(a_refusal_of_a_later_version_keeps_its_words),
		cmocka_unit_test(each_refusal_has_a_text_of_its_own),
		cmocka_unit_test(stats_and_pings_are_read_back),
		cmocka_unit_test(small_batches_that_do_not_fit_are_not_written),
		cmocka_unit_test(a_body_full_of_answers_is_read_back_in_order),
		cmocka_unit_test(the_largest_answer_has_the_size_that_the_header_says),
		cmocka_unit_test(an_answer_that_ends_early_is_malformed_and_takes_nothing),
		cmocka_unit_test(an_answer_with_five_sack_blocks_or_a_wild_shift_is_malformed),
		cmocka_unit_test(a_count_of_merged_packets_stays_at_its_largest),
		cmocka_unit_test(an_answer_between_two_families_is_written_in_full),
		cmocka_unit_test(tuples_are_read_back_in_order),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
