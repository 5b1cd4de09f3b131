/* SPDX-License-Identifier: BSD-2-Clause
 * test_types.c - sequence numbers, times, numbers in network order
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "base/bytes.h"
#include "base/types.h"

#include <string.h>

static void a_sequence_number_is_less_when_it_lies_behind_across_the_wrap(void **state)
{
	(void)state;
	tc_seq before = tc_seq_of(0xfffffff0);
	tc_seq after = tc_seq_add(before, 0x20);
	assert_int_equal(after.v, 0x10);
	assert_true(tc_seq_lt(before, after));
	assert_false(tc_seq_lt(after, before));
	assert_int_equal(tc_seq_diff(after, before), 0x20);
	assert_int_equal(tc_seq_diff(before, after), -0x20);
	assert_true(tc_seq_eq(tc_seq_max(before, after), after));
	assert_true(tc_seq_eq(tc_seq_max(after, before), after));
	assert_true(tc_seq_eq(tc_seq_min(before, after), before));
	assert_true(tc_seq_eq(tc_seq_min(after, before), before));
}

static void a_sequence_number_is_not_less_than_itself(void **state)
{
	(void)state;
	tc_seq s = tc_seq_of(7);
	assert_false(tc_seq_lt(s, s));
	assert_true(tc_seq_le(s, s));
	assert_true(tc_seq_eq(s, s));
	assert_false(tc_seq_eq(s, tc_seq_of(8)));
}

static void half_the_space_is_the_farthest_that_can_be_told(void **state)
{
	(void)state;
	tc_seq s = tc_seq_of(0);
	assert_true(tc_seq_lt(s, tc_seq_of(0x7fffffff)));
	assert_false(tc_seq_lt(s, tc_seq_of(0x80000001)));
	assert_true(tc_seq_le(tc_seq_of(0x80000001), s));
}

static void a_time_is_clamped_to_both_ends(void **state)
{
	(void)state;
	assert_true(tc_time_clamp(5, 10, 20) == 10);
	assert_true(tc_time_clamp(15, 10, 20) == 15);
	assert_true(tc_time_clamp(25, 10, 20) == 20);
	assert_true(tc_time_min(TC_TIME_NEVER, -1) == -1);
	assert_true(tc_time_max(TC_TIME_NEVER, -1) == TC_TIME_NEVER);
	assert_true(tc_u32_min(1, 0xffffffff) == 1);
	assert_true(tc_u32_max(1, 0xffffffff) == 0xffffffff);
}

static void numbers_are_big_endian_in_memory_at_any_address(void **state)
{
	(void)state;
	static const uint8_t want[8] = { 0x81, 0x82, 0x83, 0x84, 0x85, 0x86, 0x87, 0x88 };
	for (size_t at = 0; at < 8; at++) {
		uint8_t b[16] = { 0 };
		tc_put_be64(b + at, 0x8182838485868788);
		assert_memory_equal(b + at, want, 8);
		assert_true(tc_get_be64(b + at) == 0x8182838485868788);
		tc_put_be32(b + at, 0x91929394);
		assert_true(tc_get_be32(b + at) == 0x91929394);
		assert_int_equal(b[at], 0x91);
		tc_put_be16(b + at, 0xa1a2);
		assert_int_equal(tc_get_be16(b + at), 0xa1a2);
		assert_int_equal(b[at + 1], 0xa2);
		assert_int_equal(b[at + 2], 0x93);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_sequence_number_is_less_when_it_lies_behind_across_the_wrap),
		cmocka_unit_test(a_sequence_number_is_not_less_than_itself),
		cmocka_unit_test(half_the_space_is_the_farthest_that_can_be_told),
		cmocka_unit_test(a_time_is_clamped_to_both_ends),
		cmocka_unit_test(numbers_are_big_endian_in_memory_at_any_address),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
