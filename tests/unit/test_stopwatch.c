/* SPDX-License-Identifier: BSD-2-Clause
 * test_stopwatch.c - a clock that stands for a while, and goes on
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/stopwatch.h"

static void as_long_as_it_goes_it_is_the_other_clock(void **state)
{
	(void)state;
	struct tc_stopwatch w;
	tc_stopwatch_init(&w);
	assert_false(tc_stopwatch_stands(&w));
	assert_int_equal(tc_stopwatch_read(&w, 100), 100);
	assert_int_equal(tc_stopwatch_when(&w, 100), 100);
	tc_stopwatch_start(&w, 200); /* it goes already */
	assert_int_equal(tc_stopwatch_read(&w, 200), 200);
}

static void it_stands_and_goes_on_where_it_stood(void **state)
{
	(void)state;
	struct tc_stopwatch w;
	tc_stopwatch_init(&w);
	tc_stopwatch_stop(&w, 100);
	assert_true(tc_stopwatch_stands(&w));
	assert_int_equal(tc_stopwatch_read(&w, 150), 100);
	tc_stopwatch_stop(&w, 180); /* it stands already */
	assert_int_equal(tc_stopwatch_read(&w, 190), 100);
	tc_stopwatch_start(&w, 200);
	assert_false(tc_stopwatch_stands(&w));
	assert_int_equal(tc_stopwatch_read(&w, 200), 100);
	assert_int_equal(tc_stopwatch_read(&w, 230), 130);
	assert_int_equal(tc_stopwatch_when(&w, 130), 230);
}

static void what_it_lost_adds_up(void **state)
{
	(void)state;
	struct tc_stopwatch w;
	tc_stopwatch_init(&w);
	for (tc_time t = 0; t < 1000; t += 100) {
		tc_stopwatch_stop(&w, t);
		tc_stopwatch_start(&w, t + 30);
	}
	assert_int_equal(tc_stopwatch_read(&w, 1000), 700);
}

static void never_stays_never(void **state)
{
	(void)state;
	struct tc_stopwatch w;
	tc_stopwatch_init(&w);
	tc_stopwatch_stop(&w, 10);
	tc_stopwatch_start(&w, 20);
	assert_int_equal(tc_stopwatch_when(&w, TC_TIME_NEVER), TC_TIME_NEVER);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(as_long_as_it_goes_it_is_the_other_clock),
		cmocka_unit_test(it_stands_and_goes_on_where_it_stood),
		cmocka_unit_test(what_it_lost_adds_up),
		cmocka_unit_test(never_stays_never),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
