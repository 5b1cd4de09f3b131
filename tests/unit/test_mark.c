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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_mark_is_recognised_by_its_isn_and_by_its_syn),
		cmocka_unit_test(a_later_clock_gives_a_later_isn),
		cmocka_unit_test(a_syn_with_another_window_isn_key_or_tuple_is_no_mark),
		cmocka_unit_test(a_strangers_isn_passes_as_seldom_as_sixteen_bits_say),
		cmocka_unit_test(the_value_of_a_mark_is_fixed),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
