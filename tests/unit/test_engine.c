/* SPDX-License-Identifier: BSD-2-Clause
 * test_engine.c - the loop of a worker, with a core and drivers that only keep a diary
 *
 * The core's verbs are defined here, so the library of the real one is not linked.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "engine/clock.h"
#include "engine/engine.h"

#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <unistd.h>

struct tc_core {
	unsigned client;
	unsigned online;
	unsigned answers;
	unsigned events[TC_EVENT__N];
	unsigned deadlines;
	unsigned outs;	    /* segments that wait to be pulled */
	unsigned announces; /* the same of announcements */
	unsigned outs_per_packet;
	uint32_t live;
	uint64_t held;
	bool live_after_stop;
	tc_time deadline;
};

struct fake {
	struct tc_core core;
	struct tc_capture capture;
	struct tc_deliver deliver;
	struct tc_answers channel;
	struct tc_wait capture_wait;
	struct tc_wait deliver_wait;
	struct tc_wait channel_wait;
	unsigned to_capture; /* packets left in the file */
	bool endless;
	struct tc_packet pkt;
	unsigned captured;
	unsigned losses;
	bool file_ends;
	unsigned to_answer;
	unsigned answer_on_ready; /* answers that each reading of the channel brings */
	unsigned channel_reads;
	unsigned channel_up; /* events left to give */
	unsigned announced;
	unsigned sent;
	unsigned unflushed;
	unsigned flushes;
	unsigned deliver_reads;
	unsigned send_errors;
	unsigned speed; /* of the clock */
	struct event_base *base;
	struct tc_map map;
	struct tc_core_config core_config;
	struct tc_engine_config cfg;
	struct tc_engine *engine;
	unsigned ticks; /* of the test's own timer */
};

static struct fake *fake; /* drivers and verbs have no room for a context of ours */

static void core_is_touched(void)
{
	assert_int_equal(fake->unflushed, 0);
}

size_t tc_core_bytes(const struct tc_core_config *cfg)
{
	(void)cfg;
	return sizeof(struct tc_core);
}

struct tc_core *tc_core_init(void *mem, const struct tc_core_config *cfg, tc_time now)
{
	(void)cfg;
	(void)now;
	assert_int_equal((uintptr_t)mem % 64, 0);
	return &fake->core;
}

enum tc_drop tc_core_on_client(struct tc_core *c, const struct tc_packet *pkt, tc_time now)
{
	(void)pkt;
	(void)now;
	core_is_touched();
	c->client++;
	c->outs += c->outs_per_packet;
	return TC_DROP_NONE;
}

void tc_core_on_online(struct tc_core *c, const struct tc_packet *pkt, tc_time now)
{
	(void)pkt;
	(void)now;
	core_is_touched();
	c->online++;
}

enum tc_drop tc_core_on_answer(struct tc_core *c, const struct tc_answer *ans, tc_time now)
{
	(void)ans;
	(void)now;
	core_is_touched();
	c->answers++;
	c->outs++;
	return TC_DROP_NONE;
}

void tc_core_on_event(struct tc_core *c, const struct tc_event *ev, tc_time now)
{
	(void)now;
	core_is_touched();
	c->events[ev->kind]++;
	if (ev->kind == TC_EVENT_STOP && !c->live_after_stop) {
		c->live = 0;
	}
}

void tc_core_on_deadline(struct tc_core *c, tc_time now)
{
	core_is_touched();
	assert_true(now >= c->deadline);
	c->deadlines++;
	c->deadline = TC_TIME_NEVER;
}

tc_time tc_core_deadline(const struct tc_core *c)
{
	return c->deadline;
}

bool tc_core_next_out(struct tc_core *c, struct tc_out *ret_out, tc_time now)
{
	(void)now;
	if (c->outs > 0) {
		c->outs--;
		*ret_out = (struct tc_out){ .kind = TC_OUT_SEGMENT };
		return true;
	}
	if (c->announces > 0) {
		c->announces--;
		*ret_out = (struct tc_out){ .kind = TC_OUT_ANNOUNCE };
		return true;
	}
	return false;
}

void tc_core_ledger(const struct tc_core *c, struct tc_ledger *ret_ledger)
{
	*ret_ledger = (struct tc_ledger){ .held = c->held };
}

uint32_t tc_core_live(const struct tc_core *c)
{
	return c->live;
}

static void capture_wait(struct tc_capture *c, struct tc_wait *ret_wait)
{
	(void)c;
	*ret_wait = fake->capture_wait;
}

static bool capture_next(struct tc_capture *c, tc_time now, struct tc_packet *ret_pkt)
{
	(void)c;
	(void)now;
	if (fake->to_capture == 0 && !fake->endless) {
		return false;
	}
	fake->to_capture -= fake->endless ? 0 : 1;
	fake->captured++;
	*ret_pkt = fake->pkt;
	return true;
}

static bool capture_next_event(struct tc_capture *c, tc_time now, struct tc_event *ret_ev)
{
	(void)c;
	(void)now;
	if (fake->losses == 0) {
		return false;
	}
	fake->losses--;
	*ret_ev = (struct tc_event){ .kind = TC_EVENT_CAPTURE_LOSS };
	return true;
}

static bool capture_is_done(const struct tc_capture *c)
{
	(void)c;
	return fake->file_ends && fake->to_capture == 0;
}

static const struct tc_capture_ops capture_ops = { .wait = capture_wait,
						   .next = capture_next,
						   .next_event = capture_next_event,
						   .is_done = capture_is_done };

static void deliver_wait(struct tc_deliver *d, struct tc_wait *ret_wait)
{
	(void)d;
	*ret_wait = fake->deliver_wait;
}

static void deliver_on_ready(struct tc_deliver *d, tc_time now)
{
	(void)d;
	(void)now;
	fake->deliver_reads++;
}

static void deliver_send(struct tc_deliver *d, const struct tc_segment *seg, tc_time now)
{
	(void)d;
	(void)seg;
	(void)now;
	fake->sent++;
	fake->unflushed++;
}

static void deliver_flush(struct tc_deliver *d, tc_time now)
{
	(void)d;
	(void)now;
	fake->flushes++;
	fake->unflushed = 0;
}

static bool deliver_next_event(struct tc_deliver *d, struct tc_event *ret_ev)
{
	(void)d;
	if (fake->send_errors == 0) {
		return false;
	}
	fake->send_errors--;
	*ret_ev = (struct tc_event){ .kind = TC_EVENT_SEND_ERROR };
	return true;
}

static const struct tc_deliver_ops deliver_ops = { .wait = deliver_wait,
						   .on_ready = deliver_on_ready,
						   .send = deliver_send,
						   .flush = deliver_flush,
						   .next_event = deliver_next_event };

static void channel_wait(struct tc_answers *a, unsigned i, struct tc_wait *ret_wait)
{
	(void)a;
	assert_int_equal(i, 0);
	*ret_wait = fake->channel_wait;
}

static void channel_on_ready(struct tc_answers *a, unsigned i, tc_time now)
{
	(void)a;
	(void)now;
	assert_int_equal(i, 0);
	fake->channel_reads++;
	fake->to_answer += fake->answer_on_ready;
	fake->answer_on_ready = 0;
}

static bool channel_next(struct tc_answers *a, struct tc_answer *ret_ans)
{
	(void)a;
	if (fake->to_answer == 0) {
		return false;
	}
	fake->to_answer--;
	*ret_ans = (struct tc_answer){ 0 };
	return true;
}

static bool channel_next_event(struct tc_answers *a, struct tc_event *ret_ev)
{
	(void)a;
	if (fake->channel_up == 0) {
		return false;
	}
	fake->channel_up--;
	*ret_ev = (struct tc_event){ .kind = TC_EVENT_CHANNEL_UP };
	return true;
}

static int channel_announce(struct tc_answers *a, const struct tc_tuple *tuple)
{
	(void)a;
	(void)tuple;
	fake->announced++;
	return -ENOBUFS;
}

static void channel_stats(struct tc_answers *a, struct tc_answers_stats *ret_stats)
{
	(void)a;
	*ret_stats = (struct tc_answers_stats){ .configured = 1 };
}

static const struct tc_answers_ops channel_ops = { .wait = channel_wait,
						   .on_ready = channel_on_ready,
						   .next = channel_next,
						   .next_event = channel_next_event,
						   .announce = channel_announce,
						   .stats = channel_stats };

static tc_time now_scaled(void *ctx)
{
	const struct tc_clock *system_clock = tc_clock_system();
	return system_clock->now(ctx) * fake->speed;
}

static const struct tc_clock clock_scaled = { .now = now_scaled };

/* libevent says what it could not watch; we know. */
static void hush(int severity, const char *text)
{
	(void)severity;
	(void)text;
}

static int setup(void **state)
{
	static struct fake f;
	static const struct tc_wait nothing = { .fd = -1, .deadline = TC_TIME_NEVER };
	f = (struct fake){ .capture.ops = &capture_ops,
			   .deliver.ops = &deliver_ops,
			   .channel.ops = &channel_ops,
			   .capture_wait = nothing,
			   .deliver_wait = nothing,
			   .channel_wait = nothing,
			   .core.deadline = TC_TIME_NEVER,
			   .speed = 1 };
	fake = &f;
	event_set_log_callback(hush);
	struct event_config *config = event_config_new();
	event_config_set_flag(config, EVENT_BASE_FLAG_PRECISE_TIMER);
	f.base = event_base_new_with_config(config);
	event_config_free(config);
	f.map = (struct tc_map){ .online_port = 80, .online_port_last = 80, .target_port = 80 };
	assert_int_equal(tc_ip_parse("192.0.2.9", &f.map.target), 0);
	assert_int_equal(tc_ip_parse("192.0.2.1", &f.pkt.src), 0);
	assert_int_equal(tc_ip_parse("192.0.2.2", &f.pkt.dst), 0);
	f.pkt.tcp.src_port = 5555;
	f.pkt.tcp.dst_port = 80;
	f.core_config = (struct tc_core_config){ .maps = &f.map, .n_maps = 1 };
	f.cfg = (struct tc_engine_config){ .base = f.base,
					   .core = &f.core_config,
					   .capture = &f.capture,
					   .deliver = &f.deliver,
					   .answers = &f.channel,
					   .clock = &clock_scaled,
					   .stop_limit = TC_SEC };
	*state = &f;
	return 0;
}

static int teardown(void **state)
{
	struct fake *f = *state;
	tc_engine_free(f->engine);
	event_base_free(f->base);
	return 0;
}

static int run(struct fake *f)
{
	assert_int_equal(tc_engine_new(&f->cfg, &f->engine), 0);
	return tc_engine_run(f->engine);
}

/* Runs @fn once after @ms, from an event of the base. */
static void after(struct fake *f, int ms, event_callback_fn fn)
{
	struct timeval tv = { .tv_usec = ms * 1000 };
	assert_int_equal(event_base_once(f->base, -1, EV_TIMEOUT, fn, f, &tv), 0);
}

static void stop(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	struct fake *f = arg;
	f->ticks++;
	tc_engine_stop(f->engine);
}

static void break_off(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	struct fake *f = arg;
	tc_engine_break(f->engine);
}

static uint64_t turns(const struct fake *f)
{
	struct tc_engine_stats stats;
	tc_engine_stats(f->engine, &stats);
	return stats.turns;
}

static void a_file_without_sessions_ends_by_itself(void **state)
{
	struct fake *f = *state;
	f->file_ends = true;
	f->to_capture = 1000;
	f->core.outs_per_packet = 2;
	assert_int_equal(run(f), 0);
	assert_int_equal(f->core.client, 1000);
	assert_int_equal(f->sent, 2000);
	assert_int_equal(f->core.events[TC_EVENT_STOP], 1);
	assert_true(turns(f) >= 4);
}

static void connections_that_a_file_leaves_open_are_ended_when_all_is_quiet(void **state)
{
	struct fake *f = *state;
	f->file_ends = true;
	f->to_capture = 1;
	f->core.live = 1;
	f->speed = 20;
	tc_time begin = now_scaled(NULL);
	assert_int_equal(run(f), 0);
	assert_int_equal(f->core.events[TC_EVENT_STOP], 1);
	assert_true(now_scaled(NULL) - begin >= 3 * TC_SEC);
}

static void bytes_that_are_held_keep_a_file_from_ending(void **state)
{
	struct fake *f = *state;
	f->file_ends = true;
	f->core.live = 1;
	f->core.held = 5;
	f->speed = 20;
	after(f, 300, break_off); /* 6 s of the fake clock */
	assert_int_equal(run(f), 0);
	assert_int_equal(f->core.events[TC_EVENT_STOP], 0);
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
	struct tc_engine_stats stats;
	tc_engine_stats(f->engine, &stats);
	assert_true(stats.full_turns > 0);
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

static void a_file_waits_for_a_channel(void **state)
{
	struct fake *f = *state;
	f->cfg.wait_channel = true;
	f->file_ends = true;
	f->to_capture = 1;
	after(f, 20, break_off);
	assert_int_equal(run(f), 0);
	assert_int_equal(f->captured, 0);
	tc_engine_free(f->engine);
	f->channel_up = 1;
	assert_int_equal(run(f), 0);
	assert_int_equal(f->captured, 1);
	assert_int_equal(f->core.events[TC_EVENT_CHANNEL_UP], 1);
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
	struct tc_engine_stats stats;
	tc_engine_stats(f->engine, &stats);
	assert_int_equal(stats.announce_full, 1);
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

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_file_without_sessions_ends_by_itself),
		TEST(connections_that_a_file_leaves_open_are_ended_when_all_is_quiet),
		TEST(bytes_that_are_held_keep_a_file_from_ending),
		TEST(segments_are_flushed_before_the_core_is_touched_again),
		TEST(a_capture_that_never_ends_leaves_timers_their_turn),
		TEST(after_a_stop_the_capture_is_left_alone),
		TEST(a_break_ends_at_once_whatever_lives),
		TEST(packets_of_the_online_server_are_told_apart_by_the_maps),
		TEST(a_packet_between_two_such_ports_is_a_clients),
		TEST(a_file_waits_for_a_channel),
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
