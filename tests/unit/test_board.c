/* SPDX-License-Identifier: BSD-2-Clause
 * unit/test_board.c - core/board.h against a plain array of flags
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "core/board.h"
#include "unit/random.h"

#define SPAN 400

static uint32_t count_missing(const bool *has, uint32_t from, uint32_t to)
{
	uint32_t n = 0;
	for (uint32_t i = from; i < to; i++) {
		n += !has[i];
	}
	return n;
}

static void blocks_in_any_order_are_what_a_bitmap_says(void **state)
{
	(void)state;
	for (uint64_t run = 1; run <= 2000; run++) {
		struct random rnd = { run };
		tc_seq base = tc_seq_of(run % 2 ? 0xffffff80U : (uint32_t)random_u64(&rnd));
		bool has[SPAN] = { false };
		uint32_t una = 0;
		struct tc_board b = { 0 };
		/* so few and so long that they never are more than the board's ranges */
		for (unsigned i = 0; i < 14; i++) {
			uint32_t left = una + 1 + random_below(&rnd, SPAN - una - 41);
			uint32_t right = left + 1 + random_below(&rnd, 40);
			bool fresh = count_missing(has, left, right) > 0;
			for (uint32_t k = left; k < right; k++) {
				has[k] = true;
			}
			struct tc_sack block = { tc_seq_add(base, left), tc_seq_add(base, right) };
			assert_int_equal(tc_board_add(&b, block), fresh);
			if (random_below(&rnd, 5) == 0) {
				una += random_below(&rnd, 20);
				tc_board_acked(&b, tc_seq_add(base, una));
			}
			uint32_t from = una + random_below(&rnd, SPAN - una);
			uint32_t to = from + random_below(&rnd, SPAN - from);
			assert_int_equal(
				tc_board_missing(&b, tc_seq_add(base, from), tc_seq_add(base, to)),
				count_missing(has, from, to));
			uint32_t hole = from;
			while (hole < to && has[hole]) {
				hole++;
			}
			struct tc_sack got;
			bool found = tc_board_hole(&b, tc_seq_add(base, from), tc_seq_add(base, to),
						   &got);
			assert_int_equal(found, hole < to);
			if (found) {
				assert_int_equal(tc_seq_diff(got.left, base), hole);
				while (hole < to && !has[hole]) {
					hole++;
				}
				assert_int_equal(tc_seq_diff(got.right, base), hole);
			}
			assert_int_equal(b.bytes, SPAN - una - count_missing(has, una, SPAN));
		}
	}
}

static void more_ranges_than_it_holds_forget_the_highest_only(void **state)
{
	(void)state;
	struct tc_board b = { 0 };
	for (uint32_t i = 0; i < TC_BOARD_RANGES; i++) {
		assert_true(tc_board_add(
			&b, (struct tc_sack){ tc_seq_of(100 + 10 * i), tc_seq_of(105 + 10 * i) }));
	}
	assert_false(tc_board_add(&b, (struct tc_sack){ tc_seq_of(1000), tc_seq_of(1005) }));
	assert_true(tc_board_add(&b, (struct tc_sack){ tc_seq_of(50), tc_seq_of(55) }));
	assert_int_equal(b.n, TC_BOARD_RANGES);
	assert_int_equal(b.range[0].left.v, 50);
	assert_int_equal(tc_board_top(&b, tc_seq_of(0)).v, 105 + 10 * (TC_BOARD_RANGES - 2));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(blocks_in_any_order_are_what_a_bitmap_says),
		cmocka_unit_test(more_ranges_than_it_holds_forget_the_highest_only),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
