/* SPDX-License-Identifier: BSD-2-Clause
 * test_wheel.c - the timing wheel against a list of deadlines
 *
 * The list says for each index the tick in which it must fire: its deadline rounded up, or the wheel's present tick when that lies
 * behind, or the end of the wheel's range. Fired at exactly that tick means: never early, at most one tick late, nothing lost.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "base/wheel.h"
#include "unit/random.h"

#include <stdlib.h>

#define NODES 64
#define TICK ((tc_time)1 << TC_WHEEL_TICK_SHIFT)
#define DAY (24 * 3600 * TC_SEC)
#define RANGE ((tc_time)63 << 24 << TC_WHEEL_TICK_SHIFT)

struct model {
	struct tc_wheel wheel;
	struct tc_wheel_node nodes[NODES];
	struct random rnd;
	tc_time now;
	tc_time due[NODES]; /* start of the tick in which it must fire; TC_TIME_NEVER: not armed */
};

static void model_init(struct model *m, tc_time now, uint64_t seed)
{
	m->rnd = (struct random){ seed };
	m->now = now;
	tc_wheel_init(&m->wheel, m->nodes, now);
	for (uint32_t i = 0; i < NODES; i++) {
		tc_wheel_node_init(&m->wheel, i);
		m->due[i] = TC_TIME_NEVER;
	}
}

static tc_time tick_of(tc_time at)
{
	return at / TICK * TICK;
}

static void arm(struct model *m, uint32_t i, tc_time at)
{
	tc_wheel_arm(&m->wheel, i, at);
	if (at == TC_TIME_NEVER) {
		m->due[i] = at;
		return;
	}
	tc_time floor = tick_of(m->now);
	tc_time up = at <= floor ? floor : at > floor + RANGE ? floor + RANGE : at;
	m->due[i] = tick_of(up + TICK - 1);
}

static tc_time first_due(const struct model *m)
{
	tc_time first = TC_TIME_NEVER;
	for (uint32_t i = 0; i < NODES; i++) {
		first = tc_time_min(first, m->due[i]);
	}
	return first;
}

/* Go to @now and take all that has come. Returns how many. */
static unsigned advance(struct model *m, tc_time now)
{
	unsigned fired = 0;
	m->now = now;
	for (uint32_t i; (i = tc_wheel_next(&m->wheel, now)) != TC_NIL; fired++) {
		assert_in_range(i, 0, NODES - 1);
		assert_true(m->due[i] <= now);
		m->due[i] = TC_TIME_NEVER;
	}
	assert_true(first_due(m) > now); /* nothing that has come was left */
	tc_time deadline = tc_wheel_deadline(&m->wheel);
	assert_true(deadline > now); /* or its owner would spin */
	assert_true(deadline <= first_due(m));
	assert_int_equal(deadline == TC_TIME_NEVER, first_due(m) == TC_TIME_NEVER);
	return fired;
}

/* Spans of all sizes, as likely within a tick as of days */
static tc_time span(struct model *m, unsigned bits_max)
{
	return (tc_time)(random_u64(&m->rnd) >> (64 - 1 - random_below(&m->rnd, bits_max)));
}

static void random_walk(tc_time start, unsigned arm_bits, unsigned step_bits, int steps,
			uint64_t seed)
{
	struct model m;
	model_init(&m, start, seed);
	for (int s = 0; s < steps; s++) {
		uint32_t i = random_below(&m.rnd, NODES);
		switch (random_below(&m.rnd, 10)) {
		case 0:
			arm(&m, i, TC_TIME_NEVER);
			break;
		case 1:
			arm(&m, i, m.now - tc_time_min(m.now, span(&m, 40))); /* in the past */
			break;
		case 2:
			advance(&m, m.now); /* again without progress of time */
			break;
		case 3:
			advance(&m, m.now + span(&m, step_bits));
			break;
		case 4:
			if (tc_wheel_deadline(&m.wheel) != TC_TIME_NEVER) {
				advance(&m, tc_time_max(m.now, tc_wheel_deadline(&m.wheel)));
			}
			break;
		default:
			arm(&m, i, m.now + span(&m, arm_bits));
			break;
		}
		tc_time deadline = tc_wheel_deadline(&m.wheel);
		assert_true(deadline <= first_due(&m));
		assert_int_equal(deadline == TC_TIME_NEVER, first_due(&m) == TC_TIME_NEVER);
	}
}

static void random_operations_agree_with_a_list_of_deadlines(void **state)
{
	(void)state;
	random_walk(0, 36, 32, 50000, 1);	       /* a minute ahead, seconds at a step */
	random_walk(12345 * TC_SEC, 48, 44, 50000, 2); /* days, hours */
	random_walk(5, 30, 20, 50000, 3);	       /* a second, within ticks */
}

static void deadlines_beyond_the_range_fire_at_its_end_and_never_spin(void **state)
{
	(void)state;
	random_walk(777 * DAY, 62, 50, 50000, 4);
	random_walk(RANGE - 1, 54, 49, 50000, 5);
}

static void nodes_armed_across_each_levels_edge_fire_in_their_tick(void **state)
{
	(void)state;
	struct model m;
	for (unsigned level = 1; level <= TC_WHEEL_LEVELS; level++) {
		tc_time edge = (tc_time)1 << (6 * level + TC_WHEEL_TICK_SHIFT);
		for (tc_time start = edge - 3 * TICK; start <= edge + 3 * TICK; start += TICK / 2) {
			model_init(&m, start, 1);
			for (uint32_t i = 0; i < NODES; i++) {
				arm(&m, i, edge + ((tc_time)i - NODES / 2) * TICK / 3);
			}
			for (tc_time now = start; now < edge + NODES * TICK; now += TICK / 2) {
				advance(&m, now);
			}
			assert_true(first_due(&m) == TC_TIME_NEVER);
		}
	}
}

/* The node a whole turn of the top level ahead must not seem to be due now. */
static void a_deadline_at_the_end_of_the_range_does_not_wake_its_owner_now(void **state)
{
	(void)state;
	struct model m;
	model_init(&m, ((tc_time)1 << 24 << TC_WHEEL_TICK_SHIFT) - 1, 1);
	for (tc_time at = m.now + RANGE - 3 * TICK; at < m.now + RANGE + 3 * DAY; at += DAY / 4) {
		arm(&m, 0, at);
		assert_true(tc_wheel_deadline(&m.wheel) > m.now);
		assert_int_equal(advance(&m, m.now), 0);
	}
}

static void following_the_deadline_wakes_at_most_once_a_level(void **state)
{
	(void)state;
	struct model m;
	for (uint64_t seed = 1; seed <= 200; seed++) {
		model_init(&m, (tc_time)seed * 1234567891, seed);
		arm(&m, 3, m.now + span(&m, 46));
		unsigned wakes = 0;
		for (unsigned fired = 0; fired == 0; wakes++) {
			fired = advance(&m, tc_time_max(m.now, tc_wheel_deadline(&m.wheel)));
		}
		assert_in_range(wakes, 1, TC_WHEEL_LEVELS);
	}
}

static void one_long_sleep_fires_all_at_once(void **state)
{
	(void)state;
	struct model m;
	model_init(&m, 99 * TC_SEC, 1);
	for (uint32_t i = 0; i < NODES; i++) {
		arm(&m, i, m.now + span(&m, 46));
	}
	assert_int_equal(advance(&m, m.now + 3 * DAY), NODES);
	assert_true(tc_wheel_deadline(&m.wheel) == TC_TIME_NEVER);
}

static void time_that_stands_or_goes_back_fires_nothing_early(void **state)
{
	(void)state;
	struct model m;
	model_init(&m, 100 * TC_SEC, 1);
	arm(&m, 1, 100 * TC_SEC + 10 * TICK);
	assert_int_equal(tc_wheel_next(&m.wheel, 100 * TC_SEC), TC_NIL);
	assert_int_equal(tc_wheel_next(&m.wheel, 99 * TC_SEC), TC_NIL);
	assert_int_equal(tc_wheel_next(&m.wheel, 0), TC_NIL);
	assert_int_equal(tc_wheel_next(&m.wheel, 100 * TC_SEC + 9 * TICK), TC_NIL);
	assert_int_equal(tc_wheel_next(&m.wheel, 100 * TC_SEC + 12 * TICK), 1);
}

static void arming_again_replaces_and_never_disarms(void **state)
{
	(void)state;
	struct model m;
	model_init(&m, 0, 1);
	arm(&m, 0, 5 * TC_SEC);
	arm(&m, 0, 50 * TC_SEC);
	assert_int_equal(advance(&m, 10 * TC_SEC), 0);
	arm(&m, 0, TC_TIME_NEVER);
	arm(&m, 0, TC_TIME_NEVER);
	assert_true(tc_wheel_deadline(&m.wheel) == TC_TIME_NEVER);
	assert_int_equal(advance(&m, 60 * TC_SEC), 0);
	arm(&m, 0, 61 * TC_SEC);
	assert_int_equal(advance(&m, 62 * TC_SEC), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(random_operations_agree_with_a_list_of_deadlines),
		cmocka_unit_test(deadlines_beyond_the_range_fire_at_its_end_and_never_spin),
		cmocka_unit_test(nodes_armed_across_each_levels_edge_fire_in_their_tick),
		cmocka_unit_test(a_deadline_at_the_end_of_the_range_does_not_wake_its_owner_now),
		cmocka_unit_test(following_the_deadline_wakes_at_most_once_a_level),
		cmocka_unit_test(one_long_sleep_fires_all_at_once),
		cmocka_unit_test(time_that_stands_or_goes_back_fires_nothing_early),
		cmocka_unit_test(arming_again_replaces_and_never_disarms),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
