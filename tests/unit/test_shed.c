/* SPDX-License-Identifier: BSD-2-Clause
 * test_shed.c - what share of the clients is kept while the ring fills
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "engine/shed.h"

/* Look each millisecond from @from for @span at a ring that is so full; returns how often the share changed */
static unsigned look_for(struct tc_shed *s, uint32_t used, tc_time from, tc_time span)
{
	unsigned changes = 0;
	for (tc_time now = from; now < from + span; now += TC_MS) {
		changes += tc_shed_look(s, used, now);
	}
	return changes;
}

static void a_ring_that_stays_more_than_half_full_halves_the_share_again_and_again(void **state)
{
	(void)state;
	struct tc_shed s;
	tc_shed_init(&s, 0);
	assert_int_equal(look_for(&s, 500, 0, 10 * TC_MS), 0);
	assert_int_equal(look_for(&s, 500, 10 * TC_MS, 10 * TC_MS), 1);
	assert_int_equal(s.share, TC_SHARE_ALL / 2);
	assert_int_equal(look_for(&s, 900, 20 * TC_MS, 20 * TC_MS), 2);
	assert_int_equal(s.share, TC_SHARE_ALL / 8);
	assert_int_equal(s.reductions, 3);
}

static void a_moment_more_than_half_full_sheds_nobody(void **state)
{
	(void)state;
	struct tc_shed s;
	tc_shed_init(&s, 0);
	for (unsigned i = 0; i < 10; i++) {
		tc_time at = i * 20 * TC_MS;
		assert_int_equal(look_for(&s, 999, at, 9 * TC_MS), 0);
		assert_int_equal(look_for(&s, 499, at + 9 * TC_MS, 11 * TC_MS), 0);
	}
	assert_true(tc_shed_is_idle(&s));
	assert_int_equal(s.lowest, TC_SHARE_ALL);
}

static void a_ring_that_gets_emptier_by_itself_is_left_alone(void **state)
{
	(void)state;
	struct tc_shed s;
	tc_shed_init(&s, 0);
	for (unsigned i = 0; i < 50; i++) {
		assert_int_equal(look_for(&s, 1000 - 10 * i, i * 10 * TC_MS, 10 * TC_MS), 0);
	}
	/* but one that then stays where it is, is not */
	assert_int_equal(look_for(&s, 510, 500 * TC_MS, 10 * TC_MS), 1);
}

static void who_looks_seldom_waits_for_an_effect_unless_the_ring_is_nearly_full(void **state)
{
	(void)state;
	struct tc_shed s;
	tc_shed_init(&s, 0);
	tc_time now = 0;
	for (unsigned i = 0; i < 10; i++, now += 100 * TC_MS) {
		assert_int_equal(tc_shed_look(&s, 600, now), i == 1 || i == 6);
	}
	assert_false(tc_shed_look(&s, 749, now));
	assert_true(tc_shed_look(&s, 750, now + 100 * TC_MS));
	assert_true(tc_shed_look(&s, 750, now + 200 * TC_MS));
}

static void never_is_nobody_left(void **state)
{
	(void)state;
	struct tc_shed s;
	tc_shed_init(&s, 0);
	assert_int_equal(look_for(&s, 1000, 0, TC_SEC), 10);
	assert_int_equal(s.share, TC_SHARE_ALL / 1024);
	assert_int_equal(s.lowest, s.share);
}

static void when_it_is_calm_the_share_doubles_to_what_it_was_halved_to_first(void **state)
{
	(void)state;
	struct tc_shed s;
	tc_shed_init(&s, 0);
	assert_int_equal(look_for(&s, 800, 0, 41 * TC_MS), 4);
	assert_int_equal(s.share, TC_SHARE_ALL / 16);
	tc_time calm = 41 * TC_MS;
	assert_int_equal(look_for(&s, 0, calm, TC_SEC - TC_MS), 0);
	assert_int_equal(look_for(&s, 0, calm + TC_SEC - TC_MS, 3 * TC_SEC), 3);
	assert_int_equal(s.share, TC_SHARE_ALL / 2);
	/* and then no faster than by an eighth in two seconds */
	assert_int_equal(look_for(&s, 0, calm + 4 * TC_SEC, TC_SEC - TC_MS), 0);
	assert_int_equal(look_for(&s, 0, calm + 5 * TC_SEC - TC_MS, 2 * TC_MS), 1);
	assert_int_equal(s.share, TC_SHARE_ALL / 2 + TC_SHARE_ALL / 16);
}

static void from_a_half_all_are_back_after_twelve_seconds(void **state)
{
	(void)state;
	struct tc_shed s;
	tc_shed_init(&s, 0);
	(void)look_for(&s, 600, 0, 11 * TC_MS);
	assert_int_equal(s.share, TC_SHARE_ALL / 2);
	assert_int_equal(look_for(&s, 0, 11 * TC_MS, 13 * TC_SEC), 6);
	assert_int_equal(s.share, TC_SHARE_ALL);
	assert_int_equal(s.lowest, TC_SHARE_ALL / 2);
	assert_true(tc_shed_is_idle(&s));
}

static void a_share_that_is_too_large_again_is_halved_from_where_it_is(void **state)
{
	(void)state;
	struct tc_shed s;
	tc_shed_init(&s, 0);
	(void)look_for(&s, 800, 0, 41 * TC_MS);
	(void)look_for(&s, 0, 41 * TC_MS, 2 * TC_SEC + TC_MS);
	assert_int_equal(s.share, TC_SHARE_ALL / 4);
	(void)look_for(&s, 800, 3 * TC_SEC, 31 * TC_MS);
	assert_int_equal(s.share, TC_SHARE_ALL / 32);
	(void)look_for(&s, 0, 4 * TC_SEC, 2 * TC_SEC + TC_MS);
	assert_int_equal(s.share, TC_SHARE_ALL / 8);
	(void)look_for(&s, 0, 6 * TC_SEC + TC_MS, TC_SEC);
	assert_int_equal(s.share, TC_SHARE_ALL / 8);
}

static void between_a_quarter_and_a_half_nothing_changes(void **state)
{
	(void)state;
	struct tc_shed s;
	tc_shed_init(&s, 0);
	(void)look_for(&s, 600, 0, 11 * TC_MS);
	assert_int_equal(look_for(&s, 250, 11 * TC_MS, 10 * TC_SEC), 0);
	assert_int_equal(look_for(&s, 499, 11 * TC_SEC, 10 * TC_SEC), 0);
	assert_int_equal(s.share, TC_SHARE_ALL / 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			a_ring_that_stays_more_than_half_full_halves_the_share_again_and_again),
		cmocka_unit_test(a_moment_more_than_half_full_sheds_nobody),
		cmocka_unit_test(a_ring_that_gets_emptier_by_itself_is_left_alone),
		cmocka_unit_test(
			who_looks_seldom_waits_for_an_effect_unless_the_ring_is_nearly_full),
		cmocka_unit_test(never_is_nobody_left),
		cmocka_unit_test(when_it_is_calm_the_share_doubles_to_what_it_was_halved_to_first),
		cmocka_unit_test(from_a_half_all_are_back_after_twelve_seconds),
		cmocka_unit_test(a_share_that_is_too_large_again_is_halved_from_where_it_is),
		cmocka_unit_test(between_a_quarter_and_a_half_nothing_changes),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
