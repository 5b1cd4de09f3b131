/* SPDX-License-Identifier: BSD-2-Clause
 * test_engine_file.c - a file can wait: for a channel, for room, for the last session of a pass
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "unit/fake_engine.h"

#include "engine/room.h"

static int setup_file(void **state)
{
	int rc = setup(state);
	struct fake *f = *state;
	f->cfg.offline = true;
	f->file_ends = true;
	f->channel_up = 1;
	f->capture_wait.deadline = 0; /* what is there is due */
	return rc;
}

static void a_file_without_sessions_ends_by_itself(void **state)
{
	struct fake *f = *state;
	f->to_capture = 1000;
	f->core.outs_per_packet = 2;
	assert_int_equal(run(f), 0);
	assert_int_equal(f->core.client, 1000);
	assert_int_equal(f->sent, 2000);
	assert_int_equal(f->core.events[TC_EVENT_STOP], 1);
	assert_true(stats_of(f).turns >= 4);
}

static void end_session(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	struct fake *f = arg;
	if (f->captured == 0) {
		after(f, 5, end_session);
		return;
	}
	f->ticks = f->captured;
	f->core.live = 0;
}

static void a_file_ends_with_its_last_session(void **state)
{
	struct fake *f = *state;
	f->to_capture = 1;
	f->core.live = 1;
	after(f, 30, end_session);
	assert_int_equal(run(f), 0);
	assert_int_equal(f->ticks, 1);
	assert_int_equal(f->core.events[TC_EVENT_STOP], 1);
}

static void deliver_something(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	struct fake *f = arg;
	f->core.delivered++;
}

static void a_session_that_does_nothing_any_more_does_not_keep_a_file_from_ending(void **state)
{
	struct fake *f = *state;
	f->to_capture = 1;
	f->passes = 1;
	f->core.live = 1;
	f->core_config.keepalive = 10 * TC_SEC;
	f->speed = 200;
	after(f, 100, deliver_something); /* 20 s of the fake clock */
	tc_time begin = now_scaled(NULL);
	assert_int_equal(run(f), 0);
	assert_true(now_scaled(NULL) - begin >= 50 * TC_SEC);
	assert_int_equal(f->core.events[TC_EVENT_STOP], 1);
	assert_int_equal(f->passes, 1);
}

static void a_pass_begins_when_the_last_session_of_the_one_before_is_over(void **state)
{
	struct fake *f = *state;
	f->to_capture = 3;
	f->passes = 2;
	f->pass_pkts = 3;
	f->core.live = 1;
	after(f, 30, end_session);
	assert_int_equal(run(f), 0);
	assert_int_equal(f->ticks, 3);
	assert_int_equal(f->captured, 9);
	assert_int_equal(f->core.events[TC_EVENT_STOP], 1);
}

static void a_file_waits_for_a_channel(void **state)
{
	struct fake *f = *state;
	f->to_capture = 1;
	f->channel_up = 0;
	after(f, 20, break_off);
	assert_int_equal(run(f), 0);
	assert_int_equal(f->captured, 0);
	tc_engine_free(f->engine);
	f->channel_up = 1;
	assert_int_equal(run(f), 0);
	assert_int_equal(f->captured, 1);
	assert_int_equal(f->core.events[TC_EVENT_CHANNEL_UP], 1);
}

static void lose_channel(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	struct fake *f = arg;
	f->channel_down = 1;
}

static void note_captured(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	struct fake *f = arg;
	f->ticks = f->captured;
	assert_int_equal(f->channel_down, 0);
}

static void find_channel(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	struct fake *f = arg;
	assert_int_equal(f->captured, f->ticks);
	f->channel_up = 1;
}

static void a_file_waits_for_a_channel_that_was_lost_and_time_stands_meanwhile(void **state)
{
	struct fake *f = *state;
	f->endless = true;
	f->file_ends = false;
	f->core.outs_per_packet = 1;
	after(f, 20, lose_channel);
	after(f, 100, note_captured);
	after(f, 600, find_channel);
	after(f, 650, break_off);
	assert_int_equal(run(f), 0);
	assert_true(f->captured > f->ticks);
	assert_true(f->ticks > 0);
	assert_int_equal(f->sent, f->captured);
	/* each verb asserts that time does not go back; here, that it did not go on either */
	assert_true(f->core.max_step < 300 * TC_MS);
	assert_int_equal(f->core.events[TC_EVENT_CHANNEL_DOWN], 1);
}

static void live_traffic_does_not_wait_for_a_channel(void **state)
{
	struct fake *f = *state;
	f->cfg.offline = false;
	f->endless = true;
	f->file_ends = false;
	after(f, 20, lose_channel);
	after(f, 60, note_captured);
	after(f, 120, break_off);
	assert_int_equal(run(f), 0);
	assert_true(f->captured > f->ticks);
}

static void a_stop_is_done_though_there_is_no_channel(void **state)
{
	struct fake *f = *state;
	f->channel_up = 0;
	f->core.live = 1;
	assert_int_equal(tc_engine_new(&f->cfg, &f->engine), 0);
	tc_engine_stop(f->engine);
	assert_int_equal(tc_engine_run(f->engine), 0);
	assert_int_equal(f->core.events[TC_EVENT_STOP], 1);
}

static void make_room(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	struct fake *f = arg;
	f->ticks = f->captured;
	f->core.full = 0;
	f->core.full_per_packet = 0;
	assert_int_equal(f->core.counts[TC_EVENT_CAPTURE_HELD], 1);
}

static void a_file_waits_for_room_and_its_clients_do_not_age(void **state)
{
	struct fake *f = *state;
	f->to_capture = 1000;
	f->core.full_per_packet = 10;
	after(f, 100, make_room);
	assert_int_equal(run(f), 0);
	assert_int_equal(f->ticks, TC_ROOM_FULL_PERMILLE / 10);
	assert_int_equal(f->captured, 1000);
	assert_int_equal(f->core.events[TC_EVENT_CAPTURE_HELD], 2);
	assert_int_equal(f->core.counts[TC_EVENT_CAPTURE_HELD], 0);
	/* packets come later by the wait, and the file did not see it pass */
	assert_true(f->core.last_at - f->file_now >= 50 * TC_MS);
}

static void room_that_never_comes_is_waited_for_so_long(void **state)
{
	struct fake *f = *state;
	f->to_capture = 1000;
	f->core.full = 1000;
	f->speed = 100;
	tc_time begin = now_scaled(NULL);
	assert_int_equal(run(f), 0);
	assert_true(now_scaled(NULL) - begin >= TC_ROOM_PATIENCE);
	assert_int_equal(f->captured, 1000);
}

static void as_long_as_something_is_delivered_there_is_hope(void **state)
{
	struct fake *f = *state;
	f->to_capture = 1;
	f->core.full = 1000;
	f->speed = 100;
	for (int i = 1; i <= 4; i++) {
		after(f, i * 60, deliver_something); /* 6 s of the fake clock */
	}
	after(f, 290, break_off);
	assert_int_equal(run(f), 0);
	assert_int_equal(f->captured, 0);
}

#define FILE_TEST(fn) cmocka_unit_test_setup_teardown(fn, setup_file, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		FILE_TEST(a_file_without_sessions_ends_by_itself),
		FILE_TEST(a_file_ends_with_its_last_session),
		FILE_TEST(a_session_that_does_nothing_any_more_does_not_keep_a_file_from_ending),
		FILE_TEST(a_pass_begins_when_the_last_session_of_the_one_before_is_over),
		FILE_TEST(a_file_waits_for_a_channel),
		FILE_TEST(a_file_waits_for_a_channel_that_was_lost_and_time_stands_meanwhile),
		FILE_TEST(live_traffic_does_not_wait_for_a_channel),
		FILE_TEST(a_stop_is_done_though_there_is_no_channel),
		FILE_TEST(a_file_waits_for_room_and_its_clients_do_not_age),
		FILE_TEST(room_that_never_comes_is_waited_for_so_long),
		FILE_TEST(as_long_as_something_is_delivered_there_is_hope),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
