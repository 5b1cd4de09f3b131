/* SPDX-License-Identifier: BSD-2-Clause
 * test_engine.c - the loop of a worker
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "unit/fake_engine.h"

#include <fcntl.h>
#include <unistd.h>

static void stop(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	struct fake *f = arg;
	f->ticks++;
	tc_engine_stop(f->engine);
}

static uint64_t turns(const struct fake *f)
{
	return stats_of(f).turns;
}

static void segments_are_flushed_before_the_core_is_touched_again(void **state)
{
	struct fake *f = *state;
	f->file_ends = true;
	f->to_capture = 600;
	f->to_answer = 600;
	f->send_errors = 3;
	f->losses = 2;
	f->core.outs_per_packet = 1;
	/* core_is_touched() checks it at each verb */
	assert_int_equal(run(f), 0);
	assert_int_equal(f->core.answers, 600);
	assert_int_equal(f->core.events[TC_EVENT_SEND_ERROR], 3);
	assert_int_equal(f->core.events[TC_EVENT_CAPTURE_LOSS], 2);
	assert_int_equal(f->sent, 1200);
	assert_int_equal(f->unflushed, 0);
}

static void a_capture_that_never_ends_leaves_timers_their_turn(void **state)
{
	struct fake *f = *state;
	f->endless = true;
	after(f, 5, stop);
	assert_int_equal(run(f), 0);
	assert_int_equal(f->ticks, 1);
	assert_true(stats_of(f).full_turns > 0);
}

static void after_a_stop_the_capture_is_left_alone(void **state)
{
	struct fake *f = *state;
	f->endless = true;
	f->core.live = 1;
	f->core.live_after_stop = true;
	f->cfg.stop_limit = 50 * TC_MS;
	assert_int_equal(tc_engine_new(&f->cfg, &f->engine), 0);
	tc_engine_stop(f->engine);
	assert_int_equal(tc_engine_run(f->engine), -ETIMEDOUT);
	assert_int_equal(f->captured, 0);
	assert_int_equal(f->core.events[TC_EVENT_STOP], 1);
}

static void a_break_ends_at_once_whatever_lives(void **state)
{
	struct fake *f = *state;
	f->core.live = 1;
	after(f, 5, break_off);
	assert_int_equal(run(f), 0);
	assert_int_equal(f->core.events[TC_EVENT_STOP], 0);
}

static void packets_of_the_online_server_are_told_apart_by_the_maps(void **state)
{
	struct fake *f = *state;
	f->cfg.online = true;
	f->file_ends = true;
	f->to_capture = 1;
	f->pkt.tcp.src_port = 80;
	f->pkt.tcp.dst_port = 5555;
	assert_int_equal(run(f), 0);
	assert_int_equal(f->core.online, 1);
	assert_int_equal(f->core.client, 0);
}

static void a_packet_between_two_such_ports_is_a_clients(void **state)
{
	struct fake *f = *state;
	f->cfg.online = true;
	f->file_ends = true;
	f->to_capture = 1;
	f->pkt.tcp.src_port = 80;
	assert_int_equal(run(f), 0);
	assert_int_equal(f->core.client, 1);
}

static void a_busy_capture_reads_the_channel_along(void **state)
{
	struct fake *f = *state;
	f->file_ends = true;
	f->to_capture = 300;
	f->answer_on_ready = 7;
	assert_int_equal(run(f), 0);
	assert_true(f->channel_reads >= 2);
	assert_int_equal(f->core.answers, 7);
}

static void what_is_announced_is_written_at_once(void **state)
{
	struct fake *f = *state;
	f->file_ends = true;
	f->core.announces = 1;
	f->channel_wait.deadline = TC_TIME_NEVER;
	assert_int_equal(run(f), 0);
	assert_int_equal(f->announced, 1);
	assert_int_equal(f->channel_reads, 2); /* the first turn's, and the writing */
	assert_int_equal(stats_of(f).announce_full, 1);
}

static void the_cores_deadline_is_kept(void **state)
{
	struct fake *f = *state;
	tc_time begin = now_scaled(NULL);
	f->core.deadline = begin + 20 * TC_MS;
	after(f, 60, break_off);
	assert_int_equal(run(f), 0);
	assert_int_equal(f->core.deadlines, 1);
	assert_true(turns(f) < 20);
}

static void a_descriptor_that_wakes_us_for_nothing_does_not_spin(void **state)
{
	struct fake *f = *state;
	int fds[2];
	assert_int_equal(pipe(fds), 0);
	assert_int_equal(write(fds[1], "x", 1), 1); /* nobody reads it */
	f->capture_wait.fd = fds[0];
	f->capture_wait.read = true;
	after(f, 100, break_off);
	assert_int_equal(run(f), 0);
	assert_in_range(turns(f), 10, 250);
	close(fds[0]);
	close(fds[1]);
}

static void a_readable_channel_wakes_the_loop(void **state)
{
	struct fake *f = *state;
	int fds[2];
	assert_int_equal(pipe(fds), 0);
	f->channel_wait.fd = fds[0];
	f->channel_wait.read = true;
	assert_int_equal(tc_engine_new(&f->cfg, &f->engine), 0);
	after(f, 20, break_off);
	assert_int_equal(tc_engine_run(f->engine), 0);
	unsigned idle_reads = f->channel_reads;
	assert_true(idle_reads <= 2);
	tc_engine_free(f->engine);
	assert_int_equal(write(fds[1], "x", 1), 1);
	after(f, 20, break_off);
	assert_int_equal(run(f), 0);
	assert_true(f->channel_reads > idle_reads + 1);
	close(fds[0]);
	close(fds[1]);
}

static void a_regular_file_is_polled(void **state)
{
	struct fake *f = *state;
	int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	f->deliver_wait.fd = fd;
	f->deliver_wait.read = true;
	after(f, 50, break_off);
	assert_int_equal(run(f), 0);
	assert_in_range(f->deliver_reads, 5, 200);
	close(fd);
}

static void a_deadline_that_never_moves_on_does_not_spin(void **state)
{
	struct fake *f = *state;
	f->deliver_wait.deadline = 1;
	after(f, 50, break_off);
	assert_int_equal(run(f), 0);
	assert_in_range(turns(f), 10, 1100);
}

static void an_idle_worker_hardly_wakes(void **state)
{
	struct fake *f = *state;
	after(f, 200, break_off);
	assert_int_equal(run(f), 0);
	assert_true(turns(f) <= 5);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(segments_are_flushed_before_the_core_is_touched_again),
		TEST(a_capture_that_never_ends_leaves_timers_their_turn),
		TEST(after_a_stop_the_capture_is_left_alone),
		TEST(a_break_ends_at_once_whatever_lives),
		TEST(packets_of_the_online_server_are_told_apart_by_the_maps),
		TEST(a_packet_between_two_such_ports_is_a_clients),
		TEST(a_busy_capture_reads_the_channel_along),
		TEST(what_is_announced_is_written_at_once),
		TEST(the_cores_deadline_is_kept),
		TEST(a_descriptor_that_wakes_us_for_nothing_does_not_spin),
		TEST(a_readable_channel_wakes_the_loop),
		TEST(a_regular_file_is_polled),
		TEST(a_deadline_that_never_moves_on_does_not_spin),
		TEST(an_idle_worker_hardly_wakes),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
