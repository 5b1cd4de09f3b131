/* SPDX-License-Identifier: BSD-2-Clause
 * test_table.c - the hash table against a list of its entries
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "base/table.h"
#include "unit/random.h"

#include <stdlib.h>

#define ENTRIES_MAX 2000

struct model {
	struct tc_table table;
	void *mem;
	struct random rnd;
	uint32_t n;
	struct {
		uint32_t hash;
		uint32_t index;
	} entries[ENTRIES_MAX];
	uint32_t next_index;
};

static void model_init(struct model *m, uint32_t entries, uint64_t seed)
{
	*m = (struct model){ .rnd = { seed } };
	m->mem = calloc(1, tc_table_bytes(entries));
	assert_non_null(m->mem);
	tc_table_init(&m->table, m->mem, entries);
}

/* What find and again say of @hash is what the list has: each entry once, no other. */
static void expect_same(const struct model *m, uint32_t hash)
{
	bool seen[ENTRIES_MAX] = { false };
	uint32_t found = 0;
	for (uint32_t pos = tc_table_find(&m->table, hash); pos != TC_NIL;
	     pos = tc_table_again(&m->table, hash, pos)) {
		uint32_t index = tc_table_index(&m->table, pos);
		uint32_t k = 0;
		while (k < m->n &&
		       (seen[k] || m->entries[k].hash != hash || m->entries[k].index != index)) {
			k++;
		}
		assert_true(k < m->n);
		seen[k] = true;
		found++;
	}
	uint32_t want = 0;
	for (uint32_t k = 0; k < m->n; k++) {
		want += m->entries[k].hash == hash;
	}
	assert_int_equal(found, want);
}

static void insert(struct model *m, uint32_t hash, uint32_t limit)
{
	bool ok = tc_table_insert(&m->table, hash, m->next_index);
	assert_int_equal(ok, m->n < limit);
	if (ok) {
		m->entries[m->n].hash = hash;
		m->entries[m->n++].index = m->next_index;
	}
	m->next_index++;
}

static void remove_one(struct model *m)
{
	if (m->n == 0) {
		return;
	}
	uint32_t k = random_below(&m->rnd, m->n);
	uint32_t hash = m->entries[k].hash;
	uint32_t index = m->entries[k].index;
	assert_true(tc_table_remove(&m->table, hash, index));
	m->entries[k] = m->entries[--m->n];
	assert_false(tc_table_remove(&m->table, hash, index));
}

/* @hash_of makes hashes; few values make long runs, those near the last slot make runs that wrap round. */
static void walk(uint32_t entries, uint32_t (*hash_of)(struct random *, uint32_t mask), int steps,
		 uint64_t seed)
{
	struct model m;
	model_init(&m, entries, seed);
	uint32_t limit = m.table.limit;
	assert_true(limit >= entries && limit <= ENTRIES_MAX);
	for (int i = 0; i < steps; i++) {
		/* grow and shrink in turns, so that full and empty are both met */
		uint32_t grow = i / 500 % 2 == 0 ? 70 : 30;
		if (random_below(&m.rnd, 100) < grow) {
			insert(&m, hash_of(&m.rnd, m.table.mask), limit);
		} else {
			remove_one(&m);
		}
		assert_int_equal(m.table.used, m.n);
		expect_same(&m, hash_of(&m.rnd, m.table.mask));
		if (m.n > 0) {
			expect_same(&m, m.entries[random_below(&m.rnd, m.n)].hash);
		}
	}
	while (m.n > 0) {
		remove_one(&m);
	}
	const uint8_t *bytes = m.mem;
	for (size_t i = 0; i < tc_table_bytes(entries); i++) {
		assert_int_equal(bytes[i], 0); /* empty as at the beginning: no tombstones */
	}
	free(m.mem);
}

static uint32_t any(struct random *rnd, uint32_t mask)
{
	(void)mask;
	return (uint32_t)random_u64(rnd);
}

static uint32_t one_of_a_few(struct random *rnd, uint32_t mask)
{
	(void)mask;
	return random_below(rnd, 5) * 0x10001;
}

static uint32_t near_the_end(struct random *rnd, uint32_t mask)
{
	return mask - random_below(rnd, 4) + random_below(rnd, 3) * (mask + 1);
}

static void random_operations_agree_with_a_list(void **state)
{
	(void)state;
	walk(14, any, 20000, 1);
	walk(200, any, 20000, 2);
	walk(1000, any, 5000, 3);
}

static void long_runs_of_few_hashes_agree_with_a_list(void **state)
{
	(void)state;
	walk(14, one_of_a_few, 20000, 4);
	walk(56, one_of_a_few, 5000, 5);
}

static void runs_that_wrap_round_the_last_slot_agree_with_a_list(void **state)
{
	(void)state;
	walk(14, near_the_end, 20000, 6);
	walk(56, near_the_end, 5000, 7);
}

static void slots_are_a_power_of_two_and_at_most_seven_eighths_full(void **state)
{
	(void)state;
	for (uint32_t entries = 1; entries < 5000; entries++) {
		uint32_t n = tc_table_slots(entries);
		assert_int_equal(n & (n - 1), 0);
		assert_true((uint64_t)n * 7 / 8 >= entries);
		assert_true(n == 16 || (uint64_t)n / 2 * 7 / 8 < entries);
	}
	assert_int_equal(tc_table_bytes(14), 16 * sizeof(struct tc_table_slot));
}

static void the_same_entry_may_be_there_twice(void **state)
{
	(void)state;
	struct tc_table_slot slots[16] = { { 0 } };
	struct tc_table t;
	tc_table_init(&t, slots, 14);
	assert_true(tc_table_insert(&t, 9, 0));
	assert_true(tc_table_insert(&t, 9, 0));
	assert_true(tc_table_remove(&t, 9, 0));
	assert_int_equal(tc_table_index(&t, tc_table_find(&t, 9)), 0);
	assert_true(tc_table_remove(&t, 9, 0));
	assert_int_equal(tc_table_find(&t, 9), TC_NIL);
	assert_false(tc_table_remove(&t, 9, 0));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(random_operations_agree_with_a_list),
		cmocka_unit_test(long_runs_of_few_hashes_agree_with_a_list),
		cmocka_unit_test(runs_that_wrap_round_the_last_slot_agree_with_a_list),
		cmocka_unit_test(slots_are_a_power_of_two_and_at_most_seven_eighths_full),
		cmocka_unit_test(the_same_entry_may_be_there_twice),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
