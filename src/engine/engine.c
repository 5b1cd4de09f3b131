/* SPDX-License-Identifier: BSD-2-Clause
 * engine/engine.c - a worker: the loop that joins the core with its drivers
 *
 * A segment's views live in the core's chunks until its next verb. So a turn feeds the core first, then pulls all segments, and
 * flushes them before it feeds the core again: rounds(), below. What a round itself brings up (a send error, an answer that came in
 * while the channel was written) is fed in the next round.
 */
#include "engine/engine.h"

#include "base/stopwatch.h"
#include "engine/clock.h"
#include "engine/outlet.h"
#include "engine/ramp.h"
#include "engine/room.h"
#include "engine/shed.h"
#include "engine/watch.h"

#include <errno.h>
#include <event2/event.h>
#include <stdlib.h>
#include <sys/mman.h>

/* Bounds of one turn: some 100 us of work each, so that a signal never waits for long. */
#define PKTS_MAX 256
#define ANSWERS_MAX 1024
#define EVENTS_MAX 64
#define OUTS_MAX 4096
#define ROUNDS_MAX 4

/* The timer is never armed for less: whatever a driver asks for, the loop does not spin. */
#define TIMER_MIN (50 * TC_US)
#define TIMER_MAX TC_SEC
/* How often a descriptor that cannot be watched, or that wakes us for nothing, is read. */
#define POLL TC_MS
/* How often a ring is looked at while it is not read to its end */
#define LOOK_INTERVAL TC_MS
#define SPEED_INTERVAL TC_SEC

/* At the end of a file: what a session may take to do anything, beyond the acknowledgement that its target may owe (-k) */
#define END_PATIENCE (20 * TC_SEC)

struct tc_engine {
	struct tc_engine_config cfg;
	struct tc_core *core;
	void *mem; /* of the core: owned, mapped */
	size_t mem_bytes;
	struct event *timer; /* owned */
	tc_time timer_at;    /* what it is armed for */
	struct tc_watch capture;
	struct tc_watch deliver;
	struct tc_watch *channels; /* owned, n_channels of them */
	unsigned n_channels;
	bool channel_up;		/* one of them is */
	struct tc_stopwatch core_clock; /* stands while a file waits for a channel */
	struct tc_stopwatch file_clock; /* reads core_clock; stands while it waits for room, too */
	struct tc_room room;
	bool more;     /* the turn left work for the next one */
	bool spurious; /* the capture's descriptor woke us, and nothing was there */
	bool stop_wanted;
	bool break_wanted;
	bool stopping;
	bool announced; /* a channel has something to write */
	struct tc_outlet outlet;
	tc_time speed_at; /* when links are asked next */
	struct tc_shed shed;
	uint32_t core_share; /* that the core keeps */
	struct tc_strays strays;
	tc_time look_at;
	struct tc_ramp ramp;
	struct tc_ip loopback; /* what cfg.localhost stands for; any address: nothing */
	tc_time stop_by;
	struct tc_engine_stats stats;
};

static tc_time clock_now(const struct tc_engine *e)
{
	return e->cfg.clock->now(e->cfg.clock->ctx);
}

static tc_time core_now(const struct tc_engine *e, tc_time now)
{
	return tc_stopwatch_read(&e->core_clock, now);
}

/* The client's side names the server as destination, the online server itself as source. */
static bool is_from_online(const struct tc_engine *e, const struct tc_packet *pkt)
{
	bool from_online = false;
	for (uint32_t i = 0; i < e->cfg.core->n_maps; i++) {
		const struct tc_map *m = &e->cfg.core->maps[i];
		if (tc_map_covers(m, &pkt->dst, pkt->tcp.dst_port)) {
			return false;
		}
		from_online = from_online || tc_map_covers(m, &pkt->src, pkt->tcp.src_port);
	}
	return from_online;
}

/* -H: a client on this host has an address that nobody else can reach */
static void rename_client(const struct tc_engine *e, struct tc_ip *client)
{
	if (!tc_ip_is_any(&e->loopback) && tc_ip_eq(client, &e->loopback)) {
		*client = e->cfg.localhost;
	}
}

/* Does a file wait for a channel? */
static bool is_waiting(const struct tc_engine *e)
{
	return tc_stopwatch_stands(&e->core_clock);
}

static void look_at_channel(struct tc_engine *e, tc_time now)
{
	bool wait = e->cfg.offline && !e->channel_up && !e->stopping;
	(wait ? tc_stopwatch_stop : tc_stopwatch_start)(&e->core_clock, now);
}

static void hold_file(struct tc_engine *e, bool hold, tc_time at)
{
	if (hold == tc_stopwatch_stands(&e->file_clock)) {
		return;
	}
	(hold ? tc_stopwatch_stop : tc_stopwatch_start)(&e->file_clock, at);
	struct tc_event ev = { .kind = TC_EVENT_CAPTURE_HELD, .at = at, .count = hold };
	tc_core_on_event(e->core, &ev, at);
}

static bool may_capture(const struct tc_engine *e)
{
	return !e->stopping && !is_waiting(e) && !tc_stopwatch_stands(&e->file_clock);
}

/* What the capture has next, at the time of the core. */
static bool next_packet(struct tc_engine *e, struct tc_packet *pkt, tc_time at)
{
	struct tc_capture *c = e->cfg.capture;
	if (e->cfg.offline && !e->room.hopeless && tc_room_is_full(e->core)) {
		return false;
	}
	if (!c->ops->next(c, tc_stopwatch_read(&e->file_clock, at), pkt)) {
		return false;
	}
	pkt->at = tc_stopwatch_when(&e->file_clock, pkt->at);
	return true;
}

static void on_client(struct tc_engine *e, const struct tc_packet *pkt, tc_time at)
{
	bool begins = (pkt->tcp.flags & (TC_TCP_SYN | TC_TCP_ACK)) == TC_TCP_SYN;
	if (tc_core_on_client(e->core, pkt, at) == TC_DROP_NO_MAP && begins) {
		tc_strays_note(&e->strays, &pkt->dst, pkt->tcp.dst_port);
	}
}

/* Return: packets taken. */
static unsigned drain_capture(struct tc_engine *e, tc_time at)
{
	struct tc_capture *c = e->cfg.capture;
	struct tc_packet pkt;
	unsigned n = 0;
	while (n < PKTS_MAX && next_packet(e, &pkt, at)) {
		n++;
		if (e->cfg.online && is_from_online(e, &pkt)) {
			e->stats.online++;
			rename_client(e, &pkt.dst);
			tc_core_on_online(e->core, &pkt, at);
		} else {
			rename_client(e, &pkt.src);
			on_client(e, &pkt, at);
		}
	}
	struct tc_event ev;
	unsigned events = 0;
	while (events < EVENTS_MAX && c->ops->next_event(c, at, &ev)) {
		events++;
		tc_core_on_event(e->core, &ev, at);
	}
	if (n == PKTS_MAX || events == EVENTS_MAX) {
		e->more = true;
	}
	return n + events;
}

static void tell_share(struct tc_engine *e, tc_time now)
{
	e->core_share = e->shed.share;
	struct tc_event ev = { .kind = TC_EVENT_KEEP_SHARE, .at = now, .count = e->core_share };
	tc_core_on_event(e->core, &ev, now);
}

/*
 * The others are left out by the core; where the capture can do it, they do not even come here. What waits to be read was captured with the
 * share before: those who come back are not welcome before it is read, or the core would miss what the kernel left out of them.
 */
static void keep_share(struct tc_engine *e, tc_time now)
{
	struct tc_capture *c = e->cfg.capture;
	/* the kernel knows nothing of another address for this host's clients */
	if (!tc_ip_is_any(&e->loopback) || c->ops->keep_share(c, e->shed.share) < 0) {
		e->stats.share_errors++;
	}
	if (e->shed.share < e->core_share) {
		tell_share(e, now);
	}
}

/* A capture that was read to its end is empty, and need not be asked. */
static void look_at_ring(struct tc_engine *e, tc_time now)
{
	struct tc_capture *c = e->cfg.capture;
	if (!e->more && e->core_share < e->shed.share) {
		tell_share(e, now);
	}
	if (c->ops->used == NULL || now < e->look_at || (!e->more && tc_shed_is_idle(&e->shed))) {
		return;
	}
	e->look_at = now + LOOK_INTERVAL;
	if (tc_shed_look(&e->shed, e->more ? c->ops->used(c) : 0, now)) {
		keep_share(e, now);
	}
}

static void turn_capture(struct tc_engine *e, tc_time now, bool *ret_busy)
{
	struct tc_capture *c = e->cfg.capture;
	bool woken = e->capture.ready;
	tc_time at = core_now(e, now);
	e->spurious = false;
	*ret_busy = false;
	if (e->cfg.offline && !e->stopping && !is_waiting(e)) {
		bool done = c->ops->is_done(c);
		hold_file(e, !done && tc_room_look(&e->room, e->core, at), at);
	}
	if (may_capture(e)) {
		tc_watch_take(&e->capture, now);
		*ret_busy = drain_capture(e, at) > 0;
		if (woken && !*ret_busy && c->ops->used != NULL && c->ops->used(c) > 0) {
			e->more = true; /* what it holds is of no use, but it is not empty */
		}
		look_at_ring(e, at);
		e->spurious = woken && !*ret_busy && !e->more;
	}
}

/* A busy capture reads the channels along, before they wake us themselves. */
static void turn_drivers(struct tc_engine *e, tc_time now, bool busy)
{
	struct tc_deliver *d = e->cfg.deliver;
	struct tc_answers *a = e->cfg.answers;
	if (tc_watch_take(&e->deliver, now)) {
		d->ops->on_ready(d, now);
	}
	for (unsigned i = 0; i < e->n_channels; i++) {
		if (tc_watch_take(&e->channels[i], now) || busy) {
			a->ops->on_ready(a, i, now);
		}
	}
}

static void on_channel(struct tc_engine *e, bool up, tc_time now)
{
	e->channel_up = up;
	look_at_channel(e, now);
	if (up) {
		tc_ramp_begin(&e->ramp, core_now(e, now));
	}
}

/* Answers and events into the core. Return: how many; a full measure asks for another round. */
static unsigned feed(struct tc_engine *e, tc_time now)
{
	struct tc_answers *a = e->cfg.answers;
	struct tc_deliver *d = e->cfg.deliver;
	struct tc_answer ans;
	struct tc_event ev;
	unsigned n = 0;
	/* a channel's events first: answers belong to the channel that is up now */
	for (unsigned i = 0; a != NULL && i < EVENTS_MAX && a->ops->next_event(a, &ev); i++, n++) {
		if (ev.kind == TC_EVENT_CHANNEL_UP || ev.kind == TC_EVENT_CHANNEL_DOWN) {
			on_channel(e, ev.kind == TC_EVENT_CHANNEL_UP, now);
		}
		tc_core_on_event(e->core, &ev, core_now(e, now));
	}
	tc_time at = core_now(e, now);
	for (unsigned i = 0; a != NULL && i < ANSWERS_MAX && a->ops->next(a, &ans); i++, n++) {
		tc_core_on_answer(e->core, &ans, at);
	}
	for (unsigned i = 0; i < EVENTS_MAX && d->ops->next_event(d, &ev); i++, n++) {
		tc_core_on_event(e->core, &ev, at);
	}
	if (tc_core_deadline(e->core) <= at) {
		tc_core_on_deadline(e->core, at);
		n++;
	}
	return n;
}

static void announce(struct tc_engine *e, const struct tc_out *out)
{
	struct tc_answers *a = e->cfg.answers;
	if (a == NULL) {
		return;
	}
	int rc = out->kind == TC_OUT_ANNOUNCE ? a->ops->announce(a, &out->tuple) :
						a->ops->disown(a, &out->tuple);
	e->announced = true;
	if (rc < 0) {
		e->stats.announce_full++;
	}
}

static void hand_out(struct tc_engine *e, const struct tc_out *out, tc_time now)
{
	struct tc_deliver *d = e->cfg.deliver;
	switch (out->kind) {
	case TC_OUT_SEGMENT:
		tc_outlet_take(&e->outlet, &out->segment);
		d->ops->send(d, &out->segment, now);
		break;
	case TC_OUT_ANNOUNCE:
	case TC_OUT_DISOWN:
		announce(e, out);
		break;
	case TC_OUT_SESSION:
		if (e->cfg.on_session != NULL) {
			e->cfg.on_session(e->cfg.on_session_ctx, &out->session);
		}
		break;
	}
}

/* All that the core has to say and that may be sent, out; after it no view of the core's chunks is held. Return: how many. */
static unsigned pull(struct tc_engine *e, tc_time now)
{
	struct tc_out out;
	unsigned n = 0;
	if (is_waiting(e)) {
		return 0;
	}
	while (n < OUTS_MAX && tc_outlet_is_open(&e->outlet, now) &&
	       tc_core_next_out(e->core, &out, core_now(e, now))) {
		n++;
		hand_out(e, &out, now);
	}
	tc_outlet_on_pulled(&e->outlet, n, now);
	if (n == OUTS_MAX) {
		e->more = true;
	}
	if (n > 0) {
		e->cfg.deliver->ops->flush(e->cfg.deliver, now);
	}
	return n;
}

/* What was announced leaves at once, before the kernel has said that the channel may be written. */
static void write_channels(struct tc_engine *e, tc_time now)
{
	struct tc_answers *a = e->cfg.answers;
	for (unsigned i = 0; e->announced && i < e->n_channels; i++) {
		a->ops->on_ready(a, i, now);
	}
	e->announced = false;
}

static void rounds(struct tc_engine *e, tc_time now)
{
	unsigned n = 1;
	for (unsigned i = 0; i < ROUNDS_MAX && n > 0; i++) {
		n = feed(e, now);
		n += pull(e, now);
		write_channels(e, now);
	}
	if (n > 0) {
		e->more = true;
	}
}

static void begin_stop(struct tc_engine *e, tc_time now)
{
	if (e->stopping) {
		return;
	}
	e->stopping = true;
	e->stop_by = now + e->cfg.stop_limit;
	look_at_channel(e, now);
	struct tc_event ev = { .kind = TC_EVENT_STOP, .at = now };
	tc_core_on_event(e->core, &ev, core_now(e, now));
}

/* A pass of a file is over when it is at its end and its last session is, or will never be: a target may keep a window closed for good. */
static void check_end_of_capture(struct tc_engine *e)
{
	struct tc_capture *c = e->cfg.capture;
	if (!c->ops->is_done(c)) {
		return;
	}
	tc_time now = clock_now(e);
	if (tc_core_live(e->core) > 0) {
		tc_time idle = tc_room_idle(&e->room, e->core, core_now(e, now));
		if (idle >= e->cfg.core->keepalive + END_PATIENCE) {
			begin_stop(e, now);
		}
		return;
	}
	if (!c->ops->again(c)) {
		begin_stop(e, now);
	}
	e->more = true;
}

/* A link may come up with another speed. */
static void ask_speed(struct tc_engine *e, tc_time now)
{
	if (now < e->speed_at) {
		return;
	}
	e->speed_at = now + SPEED_INTERVAL;
	uint64_t link = e->cfg.deliver->ops->speed(e->cfg.deliver);
	tc_outlet_set(&e->outlet, tc_engine_max_out(e->cfg.max_out, link));
}

static void ramp_up(struct tc_engine *e, tc_time at)
{
	if (tc_ramp_look(&e->ramp, at)) {
		struct tc_event ev = { .kind = TC_EVENT_SAMPLE,
				       .at = at,
				       .count = tc_ramp_share(&e->ramp) };
		tc_core_on_event(e->core, &ev, at);
	}
}

static void turn(struct tc_engine *e)
{
	tc_time now = clock_now(e);
	bool busy;
	e->stats.turns++;
	e->more = false;
	if (e->stop_wanted) {
		begin_stop(e, now);
	}
	ask_speed(e, now);
	ramp_up(e, core_now(e, now));
	turn_capture(e, now, &busy);
	turn_drivers(e, now, busy);
	rounds(e, clock_now(e));
	if (!e->stopping) {
		check_end_of_capture(e);
	}
	if (!e->stopping && !is_waiting(e) && tc_stopwatch_stands(&e->file_clock) &&
	    !tc_room_is_full(e->core)) {
		e->more = true; /* the file can go on */
	}
	e->stats.full_turns += e->more;
}

/* What is due at a time of the core's clock */
static tc_time core_deadline(const struct tc_engine *e)
{
	tc_time at = tc_time_min(tc_core_deadline(e->core), tc_ramp_at(&e->ramp));
	if (tc_stopwatch_stands(&e->file_clock)) {
		at = tc_time_min(at, e->room.since + TC_ROOM_PATIENCE);
	}
	return is_waiting(e) ? TC_TIME_NEVER : tc_stopwatch_when(&e->core_clock, at);
}

static tc_time earliest(const struct tc_engine *e)
{
	tc_time at = core_deadline(e);
	at = tc_time_min(at, e->deliver.deadline);
	if (!is_waiting(e)) {
		at = tc_time_min(at, tc_outlet_opens_at(&e->outlet));
	}
	for (unsigned i = 0; i < e->n_channels; i++) {
		at = tc_time_min(at, e->channels[i].deadline);
	}
	if (may_capture(e)) {
		at = tc_time_min(at, e->capture.deadline);
	}
	return at;
}

static void arm_timer(struct tc_engine *e, tc_time now)
{
	tc_time at = tc_time_clamp(earliest(e), now + TIMER_MIN, now + TIMER_MAX);
	/* A deadline that moves away with each packet is not followed: an armed timer may be early by a quarter of the wait. */
	if (e->timer_at > now && e->timer_at <= at && at - e->timer_at <= (at - now) / 4) {
		return;
	}
	tc_time wait_us = (at - now + TC_US - 1) / TC_US;
	struct timeval tv = { .tv_sec = wait_us / 1000000, .tv_usec = wait_us % 1000000 };
	event_add(e->timer, &tv);
	e->timer_at = at;
}

static void arm(struct tc_engine *e)
{
	tc_time now = clock_now(e);
	struct tc_wait wait = { .fd = -1, .deadline = TC_TIME_NEVER };
	if (may_capture(e)) {
		e->cfg.capture->ops->wait(e->cfg.capture, &wait);
		tc_time at = tc_stopwatch_when(&e->file_clock, wait.deadline);
		wait.deadline = tc_stopwatch_when(&e->core_clock, at);
		if (e->spurious) {
			wait.fd = -1;
			wait.deadline = tc_time_min(wait.deadline, now + POLL);
		}
	}
	tc_watch_set(&e->capture, e->cfg.base, &wait, now + POLL);
	e->cfg.deliver->ops->wait(e->cfg.deliver, &wait);
	tc_watch_set(&e->deliver, e->cfg.base, &wait, now + POLL);
	for (unsigned i = 0; i < e->n_channels; i++) {
		e->cfg.answers->ops->wait(e->cfg.answers, i, &wait);
		tc_watch_set(&e->channels[i], e->cfg.base, &wait, now + POLL);
	}
	arm_timer(e, now);
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	struct tc_engine *e = arg;
	e->timer_at = TC_TIME_NEVER;
}

int tc_engine_run(struct tc_engine *e)
{
	for (;;) {
		turn(e);
		if (e->break_wanted || (e->stopping && tc_core_live(e->core) == 0 && !e->more)) {
			return 0;
		}
		if (e->stopping && clock_now(e) >= e->stop_by) {
			return -ETIMEDOUT;
		}
		arm(e);
		if (event_base_loop(e->cfg.base, EVLOOP_ONCE | (e->more ? EVLOOP_NONBLOCK : 0)) <
		    0) {
			return -EIO;
		}
	}
}

void tc_engine_stop(struct tc_engine *e)
{
	e->stop_wanted = true;
}

void tc_engine_break(struct tc_engine *e)
{
	e->break_wanted = true;
}

const struct tc_core *tc_engine_core(const struct tc_engine *e)
{
	return e->core;
}

void tc_engine_stats(const struct tc_engine *e, struct tc_engine_stats *ret_stats)
{
	*ret_stats = e->stats;
	ret_stats->out_bits = e->outlet.bits;
	ret_stats->out_waits = e->outlet.waits;
	ret_stats->out_delayed = e->outlet.delayed;
	ret_stats->out_waited = e->outlet.waited;
	ret_stats->share = e->shed.share;
	ret_stats->share_lowest = e->shed.lowest;
	ret_stats->share_reductions = e->shed.reductions;
	ret_stats->stray = *tc_strays_most(&e->strays);
}

void tc_engine_free(struct tc_engine *e)
{
	if (e == NULL) {
		return;
	}
	tc_watch_fini(&e->capture);
	tc_watch_fini(&e->deliver);
	for (unsigned i = 0; i < e->n_channels; i++) {
		tc_watch_fini(&e->channels[i]);
	}
	if (e->timer != NULL) {
		event_free(e->timer);
	}
	if (e->mem != NULL) {
		munmap(e->mem, e->mem_bytes);
	}
	free(e->channels);
	free(e);
}

/* Pages of a fresh mapping are zero and cost nothing before they are touched. */
static int new_core(struct tc_engine *e)
{
	e->mem_bytes = tc_core_bytes(e->cfg.core);
	void *mem = mmap(NULL, e->mem_bytes, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (mem == MAP_FAILED) {
		return -ENOMEM;
	}
	e->mem = mem;
	struct tc_core_config cfg = *e->cfg.core;
	cfg.share_permyriad = tc_ramp_share(&e->ramp);
	e->core = tc_core_init(mem, &cfg, clock_now(e));
	return 0;
}

static int new_channels(struct tc_engine *e)
{
	if (e->cfg.answers == NULL) {
		on_channel(e, true, clock_now(e));
		return 0;
	}
	struct tc_answers_stats stats;
	e->cfg.answers->ops->stats(e->cfg.answers, &stats);
	e->channels = calloc(stats.configured + 1, sizeof *e->channels);
	if (e->channels == NULL) {
		return -ENOMEM;
	}
	e->n_channels = stats.configured;
	for (unsigned i = 0; i < e->n_channels; i++) {
		tc_watch_init(&e->channels[i]);
		e->channels[i].deadline = 0; /* the first turn begins to connect */
	}
	return 0;
}

static void begin_limits(struct tc_engine *e)
{
	static const struct tc_ip loopback6 = { { [15] = 1 } };
	tc_time now = clock_now(e);
	tc_outlet_init(&e->outlet, now);
	ask_speed(e, now);
	tc_shed_init(&e->shed, now);
	e->core_share = e->shed.share;
	if (!tc_ip_is_any(&e->cfg.localhost)) {
		e->loopback = tc_ip_is_v4(&e->cfg.localhost) ?
				      tc_ip_from_v4((const uint8_t[]){ 127, 0, 0, 1 }) :
				      loopback6;
	}
}

int tc_engine_new(const struct tc_engine_config *cfg, struct tc_engine **ret_engine)
{
	struct tc_engine *e = calloc(1, sizeof *e);
	if (e == NULL) {
		return -ENOMEM;
	}
	e->cfg = *cfg;
	e->timer_at = TC_TIME_NEVER;
	tc_ramp_init(&e->ramp, cfg->core->share_permyriad, cfg->ramp);
	begin_limits(e);
	tc_stopwatch_init(&e->core_clock);
	tc_stopwatch_init(&e->file_clock);
	tc_room_init(&e->room, clock_now(e));
	tc_watch_init(&e->capture);
	tc_watch_init(&e->deliver);
	e->deliver.deadline = 0; /* the first turn looks for routes and neighbours */
	int rc = new_core(e);
	if (rc == 0) {
		rc = new_channels(e);
	}
	look_at_channel(e, clock_now(e));
	if (rc == 0) {
		e->timer = event_new(cfg->base, -1, 0, on_timer, e);
		rc = e->timer != NULL ? 0 : -EINVAL;
	}
	if (rc < 0) {
		tc_engine_free(e);
		return rc;
	}
	*ret_engine = e;
	return 0;
}
