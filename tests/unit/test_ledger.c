/* SPDX-License-Identifier: BSD-2-Clause
 * test_ledger.c - the books: when they balance, and which sum does not
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "wire/ledger.h"

static struct tc_ledger balanced(void)
{
	struct tc_ledger l = {
		.seen = 100,
		.used = 60,
		.syns_held = 3,
		.to_copy = 5000,
		.delivered = 4000,
		.held = 300,
		.opened = 20,
		.live = 5,
	};
	l.drops[TC_DROP_SHORT] = 30;
	l.drops[TC_DROP__N - 1] = 7;
	l.lost[TC_END_HOLE] = 600;
	l.lost[TC_END__N - 1] = 100;
	l.ended[TC_END_CLOSED] = 14;
	l.ended[TC_END__N - 1] = 1;
	return l;
}

static void empty_books_balance(void **state)
{
	(void)state;
	struct tc_ledger l = { 0 };
	assert_null(tc_ledger_balance(&l));
}

static void books_balance_when_each_sum_holds(void **state)
{
	(void)state;
	struct tc_ledger l = balanced();
	assert_null(tc_ledger_balance(&l));
}

static void a_sum_that_is_off_by_one_is_named(void **state)
{
	(void)state;
	struct tc_ledger l = balanced();
	uint64_t *const packets[] = { &l.seen, &l.used, &l.syns_held, &l.drops[TC_DROP_NO_MAP] };
	uint64_t *const bytes[] = { &l.to_copy, &l.delivered, &l.held, &l.lost[TC_END_LAG] };
	uint64_t *const sessions[] = { &l.opened, &l.live, &l.ended[TC_END_IDLE] };
	for (size_t i = 0; i < sizeof packets / sizeof packets[0]; i++) {
		++*packets[i];
		assert_string_equal(tc_ledger_balance(&l), "packets");
		--*packets[i];
	}
	for (size_t i = 0; i < sizeof bytes / sizeof bytes[0]; i++) {
		++*bytes[i];
		assert_string_equal(tc_ledger_balance(&l), "bytes");
		--*bytes[i];
	}
	for (size_t i = 0; i < sizeof sessions / sizeof sessions[0]; i++) {
		++*sessions[i];
		assert_string_equal(tc_ledger_balance(&l), "sessions");
		--*sessions[i];
	}
}

static void a_percentile_is_the_upper_bound_of_its_bucket(void **state)
{
	(void)state;
	struct tc_ledger l = { 0 };
	assert_int_equal(tc_ledger_lag_percentile(&l, 500), 0);
	l.lag[3] = 90;
	l.lag[10] = 9;
	l.lag[20] = 1;
	assert_int_equal(tc_ledger_lag_percentile(&l, 0), 1);
	assert_int_equal(tc_ledger_lag_percentile(&l, 500), 8);
	assert_int_equal(tc_ledger_lag_percentile(&l, 900), 8);
	assert_int_equal(tc_ledger_lag_percentile(&l, 901), 1024);
	assert_int_equal(tc_ledger_lag_percentile(&l, 990), 1024);
	assert_int_equal(tc_ledger_lag_percentile(&l, 991), 1 << 20);
	assert_int_equal(tc_ledger_lag_percentile(&l, 1000), 1 << 20);
	l.lag[TC_LAG_BUCKETS - 1] = 1000;
	assert_true(tc_ledger_lag_percentile(&l, 1000) == (uint64_t)1 << (TC_LAG_BUCKETS - 1));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(empty_books_balance),
		cmocka_unit_test(books_balance_when_each_sum_holds),
		cmocka_unit_test(a_sum_that_is_off_by_one_is_named),
		cmocka_unit_test(a_percentile_is_the_upper_bound_of_its_bucket),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
