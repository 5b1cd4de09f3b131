/* SPDX-License-Identifier: BSD-2-Clause
 * test_slab.c - objects by index, against a list of those that are taken
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "base/slab.h"
#include "unit/random.h"

#include <stdbool.h>
#include <string.h>

enum { SIZE = 24, CAPACITY = 37 };

static void a_slab_gives_each_index_once_and_then_nil(void **state)
{
	(void)state;
	static uint8_t mem[SIZE * CAPACITY];
	bool taken[CAPACITY] = { false };
	struct tc_slab s;
	assert_int_equal(tc_slab_bytes(SIZE, CAPACITY), sizeof mem);
	tc_slab_init(&s, mem, SIZE, CAPACITY);
	for (int n = 0; n < CAPACITY; n++) {
		assert_int_equal(tc_slab_left(&s), CAPACITY - n);
		uint32_t i = tc_slab_take(&s);
		assert_in_range(i, 0, CAPACITY - 1);
		assert_false(taken[i]);
		taken[i] = true;
		assert_ptr_equal(tc_slab_at(&s, i), mem + (size_t)i * SIZE);
	}
	assert_int_equal(tc_slab_left(&s), 0);
	assert_int_equal(tc_slab_take(&s), TC_NIL);
	tc_slab_give(&s, 5);
	assert_int_equal(tc_slab_take(&s), 5);
	assert_int_equal(tc_slab_take(&s), TC_NIL);
}

static void memory_is_not_touched_before_it_is_used(void **state)
{
	(void)state;
	uint8_t mem[SIZE * CAPACITY];
	uint8_t untouched[SIZE * CAPACITY];
	memset(mem, 0xa5, sizeof mem);
	memset(untouched, 0xa5, sizeof untouched);
	struct tc_slab s;
	tc_slab_init(&s, mem, SIZE, CAPACITY);
	for (int n = 0; n < 3; n++) {
		tc_slab_take(&s);
	}
	assert_memory_equal(mem, untouched, sizeof mem);
}

/* Each taken object holds its own pattern: an index given twice, or a write outside a free one, would destroy one. */
static void objects_keep_their_bytes_while_others_come_and_go(void **state)
{
	(void)state;
	static uint8_t mem[SIZE * CAPACITY];
	struct random rnd = { 1 };
	uint32_t taken[CAPACITY];
	uint32_t n = 0;
	struct tc_slab s;
	tc_slab_init(&s, mem, SIZE, CAPACITY);
	for (int step = 0; step < 20000; step++) {
		if (random_below(&rnd, 100) < 50) {
			uint32_t i = tc_slab_take(&s);
			assert_int_equal(i == TC_NIL, n == CAPACITY);
			if (i != TC_NIL) {
				memset(tc_slab_at(&s, i), (int)(i + 1), SIZE);
				taken[n++] = i;
			}
		} else if (n > 0) {
			uint32_t k = random_below(&rnd, n);
			uint8_t want[SIZE];
			memset(want, (int)(taken[k] + 1), SIZE);
			assert_memory_equal(tc_slab_at(&s, taken[k]), want, SIZE);
			tc_slab_give(&s, taken[k]);
			taken[k] = taken[--n];
		}
		assert_int_equal(s.used, n);
		assert_int_equal(tc_slab_left(&s), CAPACITY - n);
	}
}

static void a_slab_of_no_objects_has_none(void **state)
{
	(void)state;
	struct tc_slab s;
	tc_slab_init(&s, NULL, SIZE, 0);
	assert_int_equal(tc_slab_take(&s), TC_NIL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_slab_gives_each_index_once_and_then_nil),
		cmocka_unit_test(memory_is_not_touched_before_it_is_used),
		cmocka_unit_test(objects_keep_their_bytes_while_others_come_and_go),
		cmocka_unit_test(a_slab_of_no_objects_has_none),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
