/* SPDX-License-Identifier: BSD-2-Clause
 * test_tcpopt.c - TCP options, each kind and each way to be wrong
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "unit/random.h"
#include "wire/tcpopt.h"

#include <stdlib.h>
#include <string.h>

/* From memory of exactly @n bytes, so that a sanitizer sees a read past the end */
static int decode(const uint8_t *bytes, size_t n, struct tc_tcpopt *ret_opt)
{
	uint8_t *exact = malloc(n > 0 ? n : 1);
	assert_non_null(exact);
	memcpy(exact, bytes, n);
	int r = tc_tcpopt_decode((struct tc_view){ exact, n }, ret_opt);
	free(exact);
	return r;
}

#define BYTES(...) (const uint8_t[]){ __VA_ARGS__ }, sizeof((const uint8_t[]){ __VA_ARGS__ })

static void expect_malformed(const uint8_t *bytes, size_t n)
{
	struct tc_tcpopt opt;
	struct tc_tcpopt untouched;
	memset(&opt, 0x5a, sizeof opt);
	memset(&untouched, 0x5a, sizeof untouched);
	assert_int_equal(decode(bytes, n, &opt), TC_TCPOPT_E_MALFORMED);
	assert_memory_equal(&opt, &untouched, sizeof opt);
}

static bool same(const struct tc_tcpopt *a, const struct tc_tcpopt *b)
{
	return a->has_mss == b->has_mss && a->has_ws == b->has_ws && a->has_ts == b->has_ts &&
	       a->sack_ok == b->sack_ok && a->mptcp == b->mptcp && a->mp_join == b->mp_join &&
	       a->ws_shift == b->ws_shift && a->n_sack == b->n_sack && a->mss == b->mss &&
	       a->tsval == b->tsval && a->tsecr == b->tsecr &&
	       memcmp(a->sack, b->sack, a->n_sack * sizeof a->sack[0]) == 0;
}

static void no_options_are_no_options(void **state)
{
	(void)state;
	struct tc_tcpopt opt;
	assert_int_equal(tc_tcpopt_decode((struct tc_view){ NULL, 0 }, &opt), 0);
	assert_true(same(&opt, &(struct tc_tcpopt){ 0 }));
	assert_int_equal(decode(BYTES(1, 1, 1, 1), &opt), 0);
	assert_true(same(&opt, &(struct tc_tcpopt){ 0 }));
}

static void the_options_of_a_linux_syn_are_read(void **state)
{
	(void)state;
	struct tc_tcpopt opt;
	assert_int_equal(
		decode(BYTES(2, 4, 0x05, 0xb4, 4, 2, 8, 10, 1, 2, 3, 4, 5, 6, 7, 8, 1, 3, 3, 7),
		       &opt),
		0);
	assert_true(same(&opt, &(struct tc_tcpopt){ .has_mss = true,
						    .mss = 1460,
						    .sack_ok = true,
						    .has_ts = true,
						    .tsval = 0x01020304,
						    .tsecr = 0x05060708,
						    .has_ws = true,
						    .ws_shift = 7 }));
}

static void timestamps_alone_read_the_same_on_the_short_way_and_the_long(void **state)
{
	(void)state;
	struct tc_tcpopt quick;
	struct tc_tcpopt slow;
	assert_int_equal(decode(BYTES(1, 1, 8, 10, 9, 8, 7, 6, 5, 4, 3, 2), &quick), 0);
	assert_int_equal(decode(BYTES(8, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 1), &slow), 0);
	assert_true(same(&quick, &slow));
	assert_true(quick.has_ts);
	assert_int_equal(quick.tsval, 0x09080706);
	assert_int_equal(quick.tsecr, 0x05040302);
}

static void sack_blocks_are_read_as_many_as_there_are(void **state)
{
	(void)state;
	uint8_t b[40] = { 1, 1, 5 };
	for (unsigned blocks = 1; blocks <= 4; blocks++) {
		b[3] = (uint8_t)(2 + 8 * blocks);
		for (unsigned i = 0; i < 8 * blocks; i++) {
			b[4 + i] = (uint8_t)(0x10 + i);
		}
		struct tc_tcpopt opt;
		assert_int_equal(decode(b, 4 + 8 * blocks, &opt), 0);
		assert_int_equal(opt.n_sack, blocks);
		assert_int_equal(opt.sack[0].left.v, 0x10111213);
		assert_int_equal(opt.sack[blocks - 1].right.v,
				 0x14151617 + 0x08080808 * (blocks - 1));
	}
}

static void more_than_four_sack_blocks_are_cut_to_four(void **state)
{
	(void)state;
	uint8_t b[2 + 8 * 6] = { 5, sizeof b };
	struct tc_tcpopt opt;
	assert_int_equal(decode(b, sizeof b, &opt), 0);
	assert_int_equal(opt.n_sack, TC_TCPOPT_SACK_MAX);
}

static void an_unknown_kind_is_skipped_by_its_length(void **state)
{
	(void)state;
	struct tc_tcpopt opt;
	assert_int_equal(decode(BYTES(34, 6, 2, 4, 9, 9, 254, 2, 2, 4, 1, 0), &opt), 0);
	assert_true(same(&opt, &(struct tc_tcpopt){ .has_mss = true, .mss = 256 }));
}

static void the_end_of_the_list_hides_what_follows(void **state)
{
	(void)state;
	struct tc_tcpopt opt;
	assert_int_equal(decode(BYTES(1, 0, 2, 0), &opt), 0);
	assert_true(same(&opt, &(struct tc_tcpopt){ 0 }));
	assert_int_equal(decode(BYTES(4, 2, 0, 2, 4, 5, 6, 7), &opt), 0);
	assert_true(same(&opt, &(struct tc_tcpopt){ .sack_ok = true }));
}

static void a_length_of_zero_one_or_past_the_end_is_malformed(void **state)
{
	(void)state;
	expect_malformed(BYTES(2, 0, 1, 1));
	expect_malformed(BYTES(34, 0));
	expect_malformed(BYTES(34, 1));
	expect_malformed(BYTES(34, 3));
	expect_malformed(BYTES(34));
	expect_malformed(BYTES(1, 1, 1, 8));
	expect_malformed(BYTES(1, 1, 8, 10, 1, 2, 3, 4));
	expect_malformed(BYTES(2, 255, 1, 1));
}

static void a_known_kind_of_another_length_is_malformed(void **state)
{
	(void)state;
	expect_malformed(BYTES(2, 3, 1));
	expect_malformed(BYTES(2, 5, 1, 2, 3));
	expect_malformed(BYTES(3, 2));
	expect_malformed(BYTES(3, 4, 1, 1));
	expect_malformed(BYTES(4, 3, 1));
	expect_malformed(BYTES(5, 2));
	expect_malformed(BYTES(5, 9, 1, 2, 3, 4, 5, 6, 7));
	expect_malformed(BYTES(8, 9, 1, 2, 3, 4, 5, 6, 7));
	expect_malformed(BYTES(8, 11, 1, 2, 3, 4, 5, 6, 7, 8, 9));
	expect_malformed(BYTES(30, 2));
}

static void a_window_shift_above_fourteen_is_fourteen(void **state)
{
	(void)state;
	struct tc_tcpopt opt;
	assert_int_equal(decode(BYTES(3, 3, 14, 1), &opt), 0);
	assert_int_equal(opt.ws_shift, 14);
	assert_int_equal(decode(BYTES(3, 3, 15, 1), &opt), 0);
	assert_int_equal(opt.ws_shift, 14);
	assert_int_equal(decode(BYTES(3, 3, 255, 1), &opt), 0);
	assert_int_equal(opt.ws_shift, 14);
}

static void mptcp_is_told_from_a_join_of_mptcp(void **state)
{
	(void)state;
	struct tc_tcpopt opt;
	assert_int_equal(decode(BYTES(30, 4, 0x01, 0x01), &opt), 0); /* MP_CAPABLE */
	assert_true(opt.mptcp);
	assert_false(opt.mp_join);
	assert_int_equal(decode(BYTES(30, 12, 0x10, 1, 1, 2, 3, 4, 5, 6, 7, 8), &opt), 0);
	assert_true(opt.mptcp);
	assert_true(opt.mp_join);
}

static void the_last_of_a_repeated_option_counts(void **state)
{
	(void)state;
	struct tc_tcpopt opt;
	assert_int_equal(decode(BYTES(2, 4, 0, 1, 2, 4, 0, 2), &opt), 0);
	assert_int_equal(opt.mss, 2);
}

/* All combinations of what we send: what was written reads back, and as many SACK blocks as 40 bytes hold. */
static void options_that_are_written_are_read_back(void **state)
{
	(void)state;
	for (unsigned bits = 0; bits < 16; bits++) {
		for (uint8_t blocks = 0; blocks <= TC_TCPOPT_SACK_MAX; blocks++) {
			struct tc_tcpopt opt = {
				.has_mss = bits & 1,
				.has_ws = bits >> 1 & 1,
				.has_ts = bits >> 2 & 1,
				.sack_ok = bits >> 3 & 1,
				.mss = bits & 1 ? 1460 : 0,
				.ws_shift = bits & 2 ? 9 : 0,
				.tsval = bits & 4 ? 0xfffefdfc : 0,
				.tsecr = bits & 4 ? 77 : 0,
				.n_sack = blocks,
			};
			for (uint32_t i = 0; i < blocks; i++) {
				opt.sack[i] = (struct tc_sack){ tc_seq_of(1000 * i),
								tc_seq_of(1000 * i + 500) };
			}
			uint8_t buf[TC_TCPOPT_MAX];
			size_t n = tc_tcpopt_encode(&opt, buf);
			assert_in_range(n, 0, TC_TCPOPT_MAX);
			assert_int_equal(n % 4, 0);
			struct tc_tcpopt back;
			assert_int_equal(decode(buf, n, &back), 0);
			/* a block more would not have fitted */
			assert_true(back.n_sack == blocks || n + 8 > TC_TCPOPT_MAX);
			assert_true(back.n_sack <= blocks);
			opt.n_sack = back.n_sack;
			assert_true(same(&back, &opt));
		}
	}
}

static void a_segment_with_timestamps_has_room_for_three_sack_blocks(void **state)
{
	(void)state;
	struct tc_tcpopt opt = { .has_ts = true, .n_sack = 4 };
	uint8_t buf[TC_TCPOPT_MAX];
	assert_int_equal(tc_tcpopt_encode(&opt, buf), 40);
	struct tc_tcpopt back;
	assert_int_equal(decode(buf, 40, &back), 0);
	assert_int_equal(back.n_sack, 3);
}

static void a_syn_is_written_as_linux_writes_it(void **state)
{
	(void)state;
	static const uint8_t want[] = { 2, 4, 0x05, 0xb4, 4, 2, 8, 10, 0, 0,
					0, 1, 0,    0,	  0, 0, 1, 3,  3, 7 };
	struct tc_tcpopt opt = { .has_mss = true,
				 .mss = 1460,
				 .sack_ok = true,
				 .has_ts = true,
				 .tsval = 1,
				 .has_ws = true,
				 .ws_shift = 7 };
	uint8_t buf[TC_TCPOPT_MAX];
	assert_int_equal(tc_tcpopt_encode(&opt, buf), sizeof want);
	assert_memory_equal(buf, want, sizeof want);
}

static void any_bytes_are_read_to_an_end(void **state)
{
	(void)state;
	struct random rnd = { 1 };
	unsigned good = 0;
	for (int i = 0; i < 50000; i++) {
		uint8_t b[40];
		size_t n = random_below(&rnd, sizeof b + 1);
		for (size_t k = 0; k < n; k++) {
			b[k] = (uint8_t)random_below(&rnd, 12);
		}
		struct tc_tcpopt opt;
		good += decode(b, n, &opt) == 0;
	}
	assert_in_range(good, 1000, 49000); /* both ways are walked */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_options_are_no_options),
		cmocka_unit_test(the_options_of_a_linux_syn_are_read),
		cmocka_unit_test(timestamps_alone_read_the_same_on_the_short_way_and_the_long),
		cmocka_unit_test(sack_blocks_are_read_as_many_as_there_are),
		cmocka_unit_test(more_than_four_sack_blocks_are_cut_to_four),
		cmocka_unit_test(an_unknown_kind_is_skipped_by_its_length),
		cmocka_unit_test(the_end_of_the_list_hides_what_follows),
		cmocka_unit_test(a_length_of_zero_one_or_past_the_end_is_malformed),
		cmocka_unit_test(a_known_kind_of_another_length_is_malformed),
		cmocka_unit_test(a_window_shift_above_fourteen_is_fourteen),
		cmocka_unit_test(mptcp_is_told_from_a_join_of_mptcp),
		cmocka_unit_test(the_last_of_a_repeated_option_counts),
		cmocka_unit_test(options_that_are_written_are_read_back),
		cmocka_unit_test(a_segment_with_timestamps_has_room_for_three_sack_blocks),
		cmocka_unit_test(a_syn_is_written_as_linux_writes_it),
		cmocka_unit_test(any_bytes_are_read_to_an_end),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
