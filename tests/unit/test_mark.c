/* SPDX-License-Identifier: BSD-2-Clause
 * test_mark.c - copied connections are known by their numbers, others are not
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "unit/random.h"
#include "wire/mark.h"

static const struct tc_siphash_key key = { 0x1122334455667788, 0x99aabbccddeeff00 };

static struct tc_tuple random_tuple(struct random *rnd)
{
	struct tc_tuple t = { .client_port = (uint16_t)random_u64(rnd), .server_port = 80 };
	random_bytes(rnd, t.client.b, 16);
	random_bytes(rnd, t.server.b, 16);
	return t;
}

static void a_mark_is_recognised_by_its_isn_and_by_its_syn(void **state)
{
	(void)state;
	struct random rnd = { 1 };
	for (int i = 0; i < 1000; i++) {
		struct tc_tuple t = random_tuple(&rnd);
		uint16_t clock = (uint16_t)random_u64(&rnd);
		struct tc_mark m = tc_mark_make(&key, &t, clock);
		assert_int_equal(m.isn.v >> 16, clock);
		assert_true(m.syn_win >= 0x8000);
		assert_true(tc_mark_check_isn(&key, &t, m.isn));
		assert_true(tc_mark_check_syn(&key, &t, m.isn, m.syn_win));
	}
}

static void a_later_clock_gives_a_later_isn(void **state)
{
	(void)state;
	struct random rnd = { 2 };
	struct tc_tuple t = random_tuple(&rnd);
	for (unsigned clock = 0; clock < 0x20000; clock += 0x101) {
		tc_seq a = tc_mark_make(&key, &t, (uint16_t)clock).isn;
		tc_seq b = tc_mark_make(&key, &t, (uint16_t)(clock + 2)).isn;
		assert_true(tc_seq_lt(a, b));
	}
}

static void a_syn_with_another_window_isn_key_or_tuple_is_no_mark(void **state)
{
	(void)state;
	struct random rnd = { 3 };
	unsigned passed = 0;
	for (int i = 0; i < 1000; i++) {
		struct tc_tuple t = random_tuple(&rnd);
		struct tc_mark m = tc_mark_make(&key, &t, (uint16_t)i);
		for (unsigned bit = 0; bit < 16; bit++) {
			uint16_t win = (uint16_t)(m.syn_win ^ 1U << bit);
			assert_false(tc_mark_check_syn(&key, &t, m.isn, win));
			/* the low half is the hash itself; a changed clock half is hashed again */
			assert_false(tc_mark_check_isn(&key, &t, tc_seq_of(m.isn.v ^ 1U << bit)));
		}
		struct tc_siphash_key other = { key.k0, key.k1 + 1 };
		struct tc_tuple port = t;
		port.client_port++;
		struct tc_tuple client = t;
		client.client.b[15] ^= 1;
		struct tc_tuple server = t;
		server.server.b[0] ^= 1;
		passed += tc_mark_check_syn(&other, &t, m.isn, m.syn_win);
		passed += tc_mark_check_syn(&key, &port, m.isn, m.syn_win);
		passed += tc_mark_check_syn(&key, &client, m.isn, m.syn_win);
		passed += tc_mark_check_syn(&key, &server, m.isn, m.syn_win);
	}
	assert_int_equal(passed, 0); /* 4000 tries at 2^-31 */
}

/* The threat model says 2^-16 for an ISN alone: of a million strangers 15. */
static void a_strangers_isn_passes_as_seldom_as_sixteen_bits_say(void **state)
{
	(void)state;
	struct random rnd = { 4 };
	struct tc_tuple t = random_tuple(&rnd);
	unsigned passed = 0;
	for (int i = 0; i < 1000000; i++) {
		passed += tc_mark_check_isn(&key, &t, tc_seq_of((uint32_t)random_u64(&rnd)));
	}
	assert_in_range(passed, 3, 40);
}

/* intercept and the programs in the kernel of another host compute it too: the bytes that are hashed must never change. */
static void the_value_of_a_mark_is_fixed(void **state)
{
	(void)state;
	struct tc_tuple t = {
		.client = tc_ip_from_v4((const uint8_t[]){ 192, 0, 2, 1 }),
		.server = tc_ip_from_v4((const uint8_t[]){ 198, 51, 100, 7 }),
		.client_port = 40000,
		.server_port = 8080,
	};
	uint8_t b[38] = { 0,	0,    0,   0,  0,   0, 0,    0,	   0,	 0,    0xff, 0xff, 192,
			  0,	2,    1,   0,  0,   0, 0,    0,	   0,	 0,    0,    0,	   0,
			  0xff, 0xff, 198, 51, 100, 7, 0x9c, 0x40, 0x1f, 0x90, 0x12, 0x34 };
	uint64_t h = tc_siphash(&key, b, sizeof b);
	struct tc_mark m = tc_mark_make(&key, &t, 0x1234);
	assert_int_equal(m.isn.v, 0x12340000 | (h & 0xffff));
	assert_int_equal(m.syn_win, 0x8000 | (h >> 16 & 0x7fff));
}

/* A SYN as the core makes it, @before ago */
static struct tc_tcp syn_of_a_copy(struct random *rnd, tc_time wall, tc_time before)
{
	struct tc_tuple t = random_tuple(rnd);
	struct tc_mark m = tc_mark_make(&key, &t, (uint16_t)((wall - before) / TC_MARK_CLOCK_NS));
	return (struct tc_tcp){ .seq = m.isn,
				.flags = TC_TCP_SYN,
				.win = m.syn_win,
				.opt = { .has_mss = true,
					 .has_ws = true,
					 .has_ts = true,
					 .sack_ok = true,
					 .ws_shift = TC_MARK_WS_SHIFT,
					 .tsval = (uint32_t)(wall / TC_MS) } };
}

static const tc_time walls[] = { 1700000000 * TC_SEC, ((tc_time)400 << 32) * TC_MS,
				 ((tc_time)400 << 32) * TC_MS - 1, 1800000000 * TC_SEC + 17 };

static void a_copy_is_known_without_its_key(void **state)
{
	(void)state;
	struct random rnd = { 5 };
	for (unsigned i = 0; i < 4000; i++) {
		tc_time wall = walls[i % 4] + (tc_time)(random_u64(&rnd) % (1000 * TC_SEC));
		/* repeated for up to 7 s, on a host whose clock is 4 s ahead or behind */
		struct tc_tcp tcp =
			syn_of_a_copy(&rnd, wall, (tc_time)(random_u64(&rnd) % (7 * TC_SEC)));
		assert_true(tc_mark_is_copy(&tcp, wall));
		assert_true(tc_mark_is_copy(&tcp, wall + 4 * TC_SEC - TC_MS));
		assert_true(tc_mark_is_copy(&tcp, wall - 4 * TC_SEC + TC_MS));
		assert_false(tc_mark_is_copy(&tcp, wall + 5 * TC_SEC));
		assert_false(tc_mark_is_copy(&tcp, wall - 5 * TC_SEC));

		struct tc_tcp ack = { .flags = TC_TCP_ACK, .opt = tcp.opt };
		assert_true(tc_mark_is_copy(&ack, wall));
		assert_false(tc_mark_is_copy(&ack, wall + 5 * TC_SEC));
	}
}

static void each_sign_of_a_copy_counts(void **state)
{
	(void)state;
	struct random rnd = { 6 };
	struct tc_tcp copy = syn_of_a_copy(&rnd, walls[0], 0);
	struct tc_tcp others[8];
	for (unsigned i = 0; i < 8; i++) {
		others[i] = copy;
	}
	others[0].win = 29200;
	others[1].opt.ws_shift = 8;
	others[2].opt.has_ws = false;
	others[3].opt.sack_ok = false;
	others[4].opt.has_mss = false;
	others[5].opt.has_ts = false;
	others[6].seq.v += 600U << 16; /* 9.6 s */
	others[7].seq.v -= 600U << 16;
	assert_true(tc_mark_is_copy(&copy, walls[0]));
	for (unsigned i = 0; i < 8; i++) {
		assert_false(tc_mark_is_copy(&others[i], walls[0]));
	}
}

/* The header says 2^-19 for a TSval, and 2^-6 more for an ISN. */
static void a_client_is_seldom_taken_for_a_copy(void **state)
{
	(void)state;
	struct random rnd = { 7 };
	unsigned by_ack = 0, by_isn = 0;
	for (unsigned i = 0; i < 10000000; i++) {
		struct tc_tcp ack = { .flags = TC_TCP_ACK,
				      .opt = { .has_ts = true,
					       .tsval = (uint32_t)random_u64(&rnd) } };
		by_ack += tc_mark_is_copy(&ack, walls[0]);
	}
	struct tc_tcp syn = syn_of_a_copy(&rnd, walls[0], 0);
	for (unsigned i = 0; i < 1000000; i++) {
		syn.seq.v = (uint32_t)random_u64(&rnd);
		by_isn += tc_mark_is_copy(&syn, walls[0]);
	}
	assert_in_range(by_ack, 5, 40);	       /* 19 */
	assert_in_range(by_isn, 14000, 17000); /* 15500 */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_mark_is_recognised_by_its_isn_and_by_its_syn),
		cmocka_unit_test(a_later_clock_gives_a_later_isn),
		cmocka_unit_test(a_syn_with_another_window_isn_key_or_tuple_is_no_mark),
		cmocka_unit_test(a_strangers_isn_passes_as_seldom_as_sixteen_bits_say),
		cmocka_unit_test(the_value_of_a_mark_is_fixed),
		cmocka_unit_test(a_copy_is_known_without_its_key),
		cmocka_unit_test(each_sign_of_a_copy_counts),
		cmocka_unit_test(a_client_is_seldom_taken_for_a_copy),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
