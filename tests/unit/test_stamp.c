/* SPDX-License-Identifier: BSD-2-Clause
 * test_stamp.c - wall-clock stamps on the engine's clock, while the wall clock is set
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "capture/stamp.h"

#define HOUR (3600 * TC_SEC)
#define WALL_AT_START (1700000000 * TC_SEC)

struct clocks {
	tc_time mono;
	tc_time offset; /* wall minus monotonic */
	tc_time last;
	struct tc_clock clock;
	struct tc_stamp stamp;
};

static tc_time now(void *ctx)
{
	return ((struct clocks *)ctx)->mono;
}

static tc_time wall(void *ctx)
{
	const struct clocks *c = ctx;
	return c->mono + c->offset;
}

static void start(struct clocks *c)
{
	*c = (struct clocks){ .mono = 5 * TC_SEC, .offset = WALL_AT_START, .last = INT64_MIN };
	c->clock = (struct tc_clock){ now, wall, c };
	tc_stamp_init(&c->stamp, &c->clock);
}

/* A packet that the kernel stamped at @at of the engine's clock, when the wall clock was @offset ahead, read now */
static tc_time convert(struct clocks *c, tc_time at, tc_time offset)
{
	return tc_stamp_convert(&c->stamp, at + offset, &c->last, c->mono);
}

static void a_stamp_is_moved_by_the_offset_of_the_clocks(void **state)
{
	(void)state;
	struct clocks c;
	start(&c);
	c.mono += 10 * TC_MS;
	assert_int_equal(convert(&c, c.mono - 3 * TC_MS, c.offset), c.mono - 3 * TC_MS);
	assert_int_equal(c.stamp.steps, 0);
}

static void a_stamp_is_never_later_than_now(void **state)
{
	(void)state;
	struct clocks c;
	start(&c);
	/* the reader's `now` is older than the packet: it came while he worked */
	assert_int_equal(convert(&c, c.mono + 500 * TC_US, c.offset), c.mono);
	assert_int_equal(c.stamp.steps, 0);
}

static void a_clock_that_was_set_forward_is_noticed_at_the_next_packet(void **state)
{
	(void)state;
	struct clocks c;
	start(&c);
	c.mono += 100 * TC_MS;
	(void)convert(&c, c.mono, c.offset);
	c.mono += 100 * TC_MS;
	c.offset += HOUR;
	assert_int_equal(convert(&c, c.mono - TC_MS, c.offset), c.mono - TC_MS);
	assert_int_equal(c.stamp.steps, 1);
}

static void a_clock_that_was_set_back_is_noticed_at_the_next_packet(void **state)
{
	(void)state;
	struct clocks c;
	start(&c);
	c.mono += 100 * TC_MS;
	(void)convert(&c, c.mono, c.offset);
	c.mono += 100 * TC_MS;
	c.offset -= HOUR;
	assert_int_equal(convert(&c, c.mono - TC_MS, c.offset), c.mono - TC_MS);
	assert_int_equal(c.stamp.steps, 1);
}

static void stamps_from_before_a_step_do_not_leave_their_place(void **state)
{
	(void)state;
	struct clocks c;
	start(&c);
	c.mono += 100 * TC_MS;
	tc_time before = convert(&c, c.mono, c.offset);
	tc_time old = c.offset;
	c.offset += HOUR;
	c.mono += 2 * TC_SEC; /* measured again, because a second has passed */
	assert_int_equal(convert(&c, c.mono - TC_SEC, old), before);
	/* and what was stamped after the step is right */
	assert_int_equal(convert(&c, c.mono - TC_MS, c.offset), c.mono - TC_MS);
	assert_int_equal(c.stamp.steps, 1);
}

static void a_clock_that_is_slewed_is_followed_and_is_no_step(void **state)
{
	(void)state;
	struct clocks c;
	start(&c);
	for (int i = 0; i < 600; i++) {
		c.mono += TC_SEC;
		c.offset += TC_SEC / 2000; /* 500 ppm, the most that NTP slews */
		assert_int_equal(convert(&c, c.mono - TC_MS, c.offset), c.mono - TC_MS);
	}
	/* silence for an hour */
	c.mono += HOUR;
	c.offset += HOUR / 2000;
	assert_int_equal(convert(&c, c.mono - TC_MS, c.offset), c.mono - TC_MS);
	assert_int_equal(c.stamp.steps, 0);
}

static void a_little_disorder_between_cpus_is_kept(void **state)
{
	(void)state;
	struct clocks c;
	start(&c);
	c.mono += 100 * TC_MS;
	(void)convert(&c, c.mono - TC_MS, c.offset);
	assert_int_equal(convert(&c, c.mono - 3 * TC_MS, c.offset), c.mono - 3 * TC_MS);
	assert_int_equal(c.last, c.mono - TC_MS);
	assert_int_equal(c.stamp.steps, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_stamp_is_moved_by_the_offset_of_the_clocks),
		cmocka_unit_test(a_stamp_is_never_later_than_now),
		cmocka_unit_test(a_clock_that_was_set_forward_is_noticed_at_the_next_packet),
		cmocka_unit_test(a_clock_that_was_set_back_is_noticed_at_the_next_packet),
		cmocka_unit_test(stamps_from_before_a_step_do_not_leave_their_place),
		cmocka_unit_test(a_clock_that_is_slewed_is_followed_and_is_no_step),
		cmocka_unit_test(a_little_disorder_between_cpus_is_kept),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
