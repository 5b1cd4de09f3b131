/* SPDX-License-Identifier: BSD-2-Clause
 * unit/fake_engine.h - an engine whose core and drivers only keep a diary
 *
 * The core's verbs are defined here, so the library of the real one is not linked. For one file of a program.
 */
#ifndef TC_UNIT_FAKE_ENGINE_H
#define TC_UNIT_FAKE_ENGINE_H

#include "engine/clock.h"
#include "engine/engine.h"

#include <errno.h>
#include <event2/event.h>

struct tc_core {
	unsigned client;
	unsigned online;
	unsigned answers;
	unsigned events[TC_EVENT__N];
	unsigned deadlines;
	unsigned outs;	    /* segments that wait to be pulled */
	unsigned announces; /* the same of announcements */
	unsigned outs_per_packet;
	uint32_t payload_len;	      /* of each segment */
	uint64_t counts[TC_EVENT__N]; /* of the last event of a kind */
	uint32_t first_share;
	struct tc_ip last_client;
	uint32_t live;
	uint32_t full; /* permille */
	uint32_t full_per_packet;
	uint64_t delivered;
	tc_time now; /* of the last verb that has one; it never goes back */
	tc_time max_step;
	tc_time last_at; /* of a client's packet */
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
	uint32_t used; /* of the ring */
	unsigned used_asked;
	uint32_t kept;		  /* share that the kernel was told */
	uint32_t read_when_kept;  /* from this one on it is read to its end */
	uint32_t empty_when_kept; /* .used falls to 0 when it is told this one */
	int keep_error;
	uint64_t link_speed;
	unsigned to_answer;
	unsigned answer_on_ready; /* answers that each reading of the channel brings */
	unsigned channel_reads;
	unsigned channel_up;   /* events left to give */
	unsigned channel_down; /* the same, given first */
	unsigned passes;       /* that follow, of .pass_pkts packets each */
	unsigned pass_pkts;
	tc_time file_now; /* of the last next() */
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

static void time_goes_on(struct tc_core *c, tc_time now)
{
	assert_true(now >= c->now);
	c->max_step = c->now > 0 ? tc_time_max(c->max_step, now - c->now) : 0;
	c->now = now;
}

static void core_is_touched(tc_time now)
{
	assert_int_equal(fake->unflushed, 0);
	time_goes_on(&fake->core, now);
}

size_t tc_core_bytes(const struct tc_core_config *cfg)
{
	(void)cfg;
	return sizeof(struct tc_core);
}

struct tc_core *tc_core_init(void *mem, const struct tc_core_config *cfg, tc_time now)
{
	(void)now;
	assert_int_equal((uintptr_t)mem % 64, 0);
	fake->core.first_share = cfg->share_permyriad;
	return &fake->core;
}

enum tc_drop tc_core_on_client(struct tc_core *c, const struct tc_packet *pkt, tc_time now)
{
	core_is_touched(now);
	c->client++;
	c->full += c->full_per_packet;
	c->last_at = pkt->at;
	c->last_client = pkt->src;
	c->outs += c->outs_per_packet;
	return TC_DROP_NONE;
}

void tc_core_on_online(struct tc_core *c, const struct tc_packet *pkt, tc_time now)
{
	core_is_touched(now);
	c->online++;
	c->last_client = pkt->dst;
}

enum tc_drop tc_core_on_answer(struct tc_core *c, const struct tc_answer *ans, tc_time now)
{
	(void)ans;
	core_is_touched(now);
	c->answers++;
	c->outs++;
	return TC_DROP_NONE;
}

void tc_core_on_event(struct tc_core *c, const struct tc_event *ev, tc_time now)
{
	core_is_touched(now);
	c->events[ev->kind]++;
	c->counts[ev->kind] = ev->count;
	if (ev->kind == TC_EVENT_STOP && !c->live_after_stop) {
		c->live = 0;
	}
}

void tc_core_on_deadline(struct tc_core *c, tc_time now)
{
	core_is_touched(now);
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
	time_goes_on(c, now);
	if (c->outs > 0) {
		c->outs--;
		*ret_out = (struct tc_out){ .kind = TC_OUT_SEGMENT };
		ret_out->segment.payload_len = c->payload_len;
		ret_out->segment.cut = 1000;
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
	*ret_ledger = (struct tc_ledger){ .delivered = c->delivered };
}

uint32_t tc_core_live(const struct tc_core *c)
{
	return c->live;
}

uint32_t tc_core_full_permille(const struct tc_core *c)
{
	return c->full;
}

static bool capture_next(struct tc_capture *c, tc_time now, struct tc_packet *ret_pkt)
{
	(void)c;
	fake->file_now = now;
	if (fake->to_capture == 0 && !fake->endless) {
		return false;
	}
	fake->to_capture -= fake->endless ? 0 : 1;
	fake->captured++;
	*ret_pkt = fake->pkt;
	ret_pkt->at = now;
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

static void capture_wait(struct tc_capture *c, struct tc_wait *ret_wait)
{
	*ret_wait = fake->capture_wait;
	if (capture_is_done(c)) {
		ret_wait->deadline = TC_TIME_NEVER;
	}
}

static bool capture_again(struct tc_capture *c)
{
	(void)c;
	if (fake->passes == 0) {
		return false;
	}
	fake->passes--;
	fake->to_capture = fake->pass_pkts;
	return true;
}

static uint32_t capture_used(const struct tc_capture *c)
{
	(void)c;
	fake->used_asked++;
	return fake->used;
}

static int capture_keep_share(struct tc_capture *c, uint32_t share)
{
	(void)c;
	if (fake->keep_error == 0) {
		fake->kept = share;
		fake->used = share == fake->empty_when_kept ? 0 : fake->used;
		if (share == fake->read_when_kept) {
			fake->endless = false;
			fake->capture_wait.deadline = 1; /* the loop goes on */
		}
	}
	return fake->keep_error;
}

static const struct tc_capture_ops capture_ops = { .wait = capture_wait,
						   .next = capture_next,
						   .next_event = capture_next_event,
						   .is_done = capture_is_done,
						   .again = capture_again,
						   .used = capture_used,
						   .keep_share = capture_keep_share };

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

static uint64_t deliver_speed(const struct tc_deliver *d)
{
	(void)d;
	return fake->link_speed;
}

static const struct tc_deliver_ops deliver_ops = { .wait = deliver_wait,
						   .on_ready = deliver_on_ready,
						   .send = deliver_send,
						   .flush = deliver_flush,
						   .next_event = deliver_next_event,
						   .speed = deliver_speed };

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
	if (fake->channel_down > 0) {
		fake->channel_down--;
		*ret_ev = (struct tc_event){ .kind = TC_EVENT_CHANNEL_DOWN };
		return true;
	}
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
	f.core_config =
		(struct tc_core_config){ .maps = &f.map, .n_maps = 1, .share_permyriad = 10000 };
	f.cfg = (struct tc_engine_config){ .base = f.base,
					   .core = &f.core_config,
					   .capture = &f.capture,
					   .deliver = &f.deliver,
					   .answers = &f.channel,
					   .clock = &clock_scaled,
					   .max_out = UINT64_C(1000000000000),
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

static void break_off(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	struct fake *f = arg;
	tc_engine_break(f->engine);
}

static struct tc_engine_stats stats_of(const struct fake *f)
{
	struct tc_engine_stats stats;
	tc_engine_stats(f->engine, &stats);
	return stats;
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

#endif
