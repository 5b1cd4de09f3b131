/* SPDX-License-Identifier: BSD-2-Clause
 * sim/world.c - one scenario from its first packet to its judgement
 */
#include "sim/sim.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Where virtual time begins: not zero, so that nothing takes an unset time for a real one. */
#define TIME_FROM (1000 * TC_SEC)
#define EVENTS_MAX 3000000
/* After STOP the core has its records of closed tuples and its ghosts left: 120 s, and a bit */
#define TIME_AFTER_STOP (200 * TC_SEC)
#define TIME_MAX (3600 * TC_SEC)
#define LOOK_EVERY (500 * TC_MS)

struct sim *sim_new(void)
{
	struct sim *s = calloc(1, sizeof *s);
	if (s == NULL) {
		abort();
	}
	struct sim_rng r = sim_rng_of(0, 0);
	for (unsigned i = 0; i < SIM_PATTERN; i += 8) {
		uint64_t bits = sim_rng_next(&r);
		memcpy(s->pattern + i, &bits, sizeof bits);
	}
	memcpy(s->pattern + SIM_PATTERN, s->pattern, sizeof s->pattern - SIM_PATTERN);
	return s;
}

void sim_free(struct sim *s)
{
	free(s->core_mem);
	free(s->relay_mem);
	free(s);
}

const uint8_t *sim_bytes(const struct sim *s, unsigned conv, uint32_t offset)
{
	return s->pattern + ((offset + conv * SIM_STRETCH) & (SIM_PATTERN - 1));
}

void sim_fail(struct sim *s, const char *format, ...)
{
	if (s->failed) {
		return;
	}
	s->failed = true;
	va_list ap;
	va_start(ap, format);
	vsnprintf(s->verdict, sizeof s->verdict, format, ap);
	va_end(ap);
	sim_trace(s, "FAILED: %s", s->verdict);
}

static void print_time(const struct sim *s)
{
	tc_time t = s->q.now - TIME_FROM;
	printf("%6lld.%06lld ms  ", (long long)(t / TC_MS), (long long)(t % TC_MS));
}

void sim_trace(const struct sim *s, const char *format, ...)
{
	if (!s->verbose) {
		return;
	}
	print_time(s);
	va_list ap;
	va_start(ap, format);
	vprintf(format, ap);
	va_end(ap);
	putchar('\n');
}

void sim_trace_pkt(const struct sim *s, const char *who, unsigned n, const struct tc_tcp *t,
		   uint32_t len)
{
	if (!s->verbose) {
		return;
	}
	static const char letters[] = "FSRP.UEW";
	char flags[9];
	unsigned k = 0;
	for (unsigned i = 0; i < 8; i++) {
		if ((t->flags >> i & 1) != 0) {
			flags[k++] = letters[i];
		}
	}
	flags[k] = '\0';
	print_time(s);
	printf("%-9s %2u %-4s seq %u len %u ack %u win %u", who, n, flags, t->seq.v, len, t->ack.v,
	       t->win);
	if (t->opt.has_ts) {
		printf(" ts %u %u", t->opt.tsval, t->opt.tsecr);
	}
	for (unsigned i = 0; i < t->opt.n_sack; i++) {
		printf(" sack %u-%u", t->opt.sack[i].left.v, t->opt.sack[i].right.v);
	}
	putchar('\n');
}

uint32_t sim_pkt_new(struct sim *s)
{
	uint32_t i = s->pkts_free;
	if (i != TC_NIL) {
		s->pkts_free = s->pkts[i].next;
	} else if (s->pkts_used < SIM_PKTS) {
		i = s->pkts_used++;
	} else {
		sim_fail(s, "model: more than %u packets under way", SIM_PKTS);
		return 0;
	}
	s->pkts_live++;
	s->pkts[i] = (struct sim_pkt){ 0 };
	return i;
}

uint32_t sim_pkt_copy(struct sim *s, uint32_t i)
{
	uint32_t copy = sim_pkt_new(s);
	s->pkts[copy] = s->pkts[i];
	return copy;
}

void sim_pkt_free(struct sim *s, uint32_t i)
{
	s->pkts[i].next = s->pkts_free;
	s->pkts_free = i;
	s->pkts_live--;
}

void sim_send(struct sim *s, struct sim_link *l, uint32_t i, uint32_t kind)
{
	tc_time at[SIM_LINK_COPIES];
	unsigned n = sim_link_send(l, s->q.now, s->pkts[i].len, at);
	if (n == 0) {
		sim_trace_pkt(s, "lost", s->pkts[i].who, &s->pkts[i].tcp, s->pkts[i].len);
		sim_pkt_free(s, i);
		return;
	}
	for (unsigned k = 1; k < n; k++) {
		sim_queue_push(&s->q, at[k], kind, sim_pkt_copy(s, i));
	}
	sim_queue_push(&s->q, at[0], kind, i);
}

uint16_t sim_slot_find(const struct sim *s, const struct tc_tuple *tuple)
{
	for (unsigned i = 0; i < s->n_slots; i++) {
		if (tc_tuple_eq(&s->slots[i].tuple, tuple)) {
			return (uint16_t)i;
		}
	}
	return SIM_NONE;
}

uint16_t sim_slot_add(struct sim *s, const struct tc_tuple *tuple)
{
	if (s->n_slots == SIM_SLOTS) {
		sim_fail(s, "model: more than %u tuples at the target", SIM_SLOTS);
		return SIM_NONE;
	}
	unsigned n = s->n_slots++;
	s->slots[n] = (struct sim_slot){ .tuple = *tuple, .life = SIM_NONE };
	s->slots[n].conn.timer = SIM_TIMER_IDLE;
	return (uint16_t)n;
}

static void links(struct sim *s)
{
	const struct sim_params *p = &s->p;
	tc_time half = p->client_rtt_us * TC_US / 2 * p->slow_permille / 1000;
	struct sim_link idle = { .down_from = TC_TIME_NEVER, .down_to = TC_TIME_NEVER };
	s->to_capture = s->to_online = s->to_client = s->to_target = s->from_target = idle;
	s->to_capture.rng = sim_rng_of(s->seed, 10);
	s->to_capture.delay = half;
	s->to_capture.jitter = p->client_jitter_us * TC_US;
	s->to_capture.loss_permille = p->client_loss;
	s->to_capture.reorder_permille = p->client_reorder;
	s->to_capture.hold = 3 * TC_MS;
	s->to_capture.dup_permille = p->client_dup;
	s->to_online.rng = sim_rng_of(s->seed, 11);
	s->to_online.delay = 10 * TC_US;
	s->to_online.loss_permille = p->server_loss;
	s->to_client.rng = sim_rng_of(s->seed, 12);
	s->to_client.delay = half;
	s->to_client.jitter = p->client_jitter_us * TC_US;
	struct sim_link *f = &s->to_target;
	f->rng = sim_rng_of(s->seed, 13);
	f->delay = p->fwd_delay_us * TC_US;
	f->jitter = p->fwd_jitter_us * TC_US;
	f->loss_permille = p->fwd_loss;
	f->reorder_permille = p->fwd_reorder;
	f->hold = 5 * TC_MS;
	f->dup_permille = p->fwd_dup;
	f->rate_kbit = p->fwd_rate_kbit;
	f->queue_bytes = p->fwd_queue;
	f->mtu = p->fwd_mtu;
	if (p->fwd_down_ms != 0) {
		f->down_from = s->q.now + p->fwd_down_at_ms * TC_MS;
		f->down_to = f->down_from + p->fwd_down_ms * TC_MS;
	}
	struct sim_link *r = &s->from_target;
	r->rng = sim_rng_of(s->seed, 14);
	r->delay = p->ret_delay_us * TC_US;
	r->jitter = p->ret_jitter_us * TC_US;
	r->loss_permille = p->ret_loss;
	r->reorder_permille = p->ret_reorder;
	r->hold = 5 * TC_MS;
	r->dup_permille = p->ret_dup;
	if (p->silent_ms != 0) {
		r->down_from = s->q.now + p->silent_at_ms * TC_MS;
		r->down_to = r->down_from + p->silent_ms * TC_MS;
	}
	r->late_permille = p->ret_stale;
	r->late = 4 * TC_SEC;
}

static void begin(struct sim *s, uint64_t seed, const struct sim_params *p)
{
	memset(&s->failed, 0, offsetof(struct sim, q) - offsetof(struct sim, failed));
	s->p = *p;
	s->seed = seed;
	sim_queue_init(&s->q, TIME_FROM);
	s->pkts_free = TC_NIL;
	s->block_head = s->batch_head = TC_NIL;
	s->dice = sim_rng_of(seed, 4);
	links(s);
	sim_plan(s);
	sim_core_start(s);
	if (s->failed) {
		return;
	}
	sim_report_start(s);
	for (unsigned i = 0; i < 4; i++) {
		s->heard_at[i] = -TIME_FROM;
	}
	sim_share_start(s);
	sim_file_start(s);
	if (p->channel_down_ms != 0) {
		tc_time at = s->q.now + p->channel_down_at_ms * TC_MS;
		sim_queue_push(&s->q, at, SIM_EV_CHANNEL, 0);
		sim_queue_push(&s->q, at + p->channel_down_ms * TC_MS, SIM_EV_CHANNEL, 1);
	}
	if (p->noise != 0) {
		s->noise_left = (unsigned)p->noise;
		sim_queue_push(&s->q, s->q.now, SIM_EV_NOISE, 0);
	}
	if (p->stop_ms != 0) {
		sim_queue_push(&s->q, s->q.now + p->stop_ms * TC_MS, SIM_EV_STOP, 0);
	}
	s->bound = sim_judge_bound(s);
	sim_queue_push(&s->q, s->q.now + LOOK_EVERY, SIM_EV_LOOK, 0);
}

static void stop(struct sim *s)
{
	if (s->stopped) {
		return;
	}
	s->stopped = true;
	struct tc_event ev = { .kind = TC_EVENT_STOP, .at = s->q.now };
	sim_trace(s, "stop");
	sim_core_on_event(s, &ev);
}

/* The end of [from, from + span) when it is now, 0 otherwise. */
static tc_time end_of(const struct sim *s, tc_time from, tc_time span)
{
	from += s->core_from;
	return s->q.now >= from && s->q.now < from + span ? from + span : 0;
}

/* What reaches our process waits while it has no CPU. */
static tc_time process_waits(const struct sim *s, uint32_t kind)
{
	switch ((enum sim_event_kind)kind) {
	case SIM_EV_CAPTURE_BLOCK:
	case SIM_EV_CORE:
	case SIM_EV_REPORT_BATCH:
	case SIM_EV_ANNOUNCED:
	case SIM_EV_LOSS_NOTICE:
	case SIM_EV_NOISE:
	case SIM_EV_STOP:
	case SIM_EV_KEEP:
	case SIM_EV_SAMPLE:
		return end_of(s, s->p.stall_at_ms * TC_MS, s->p.stall_ms * TC_MS);
	default:
		return 0;
	}
}

/* ... and what reaches intercept when that has none. */
static tc_time intercept_waits(const struct sim *s, uint32_t kind)
{
	tc_time to = 0;
	tc_time every = s->p.starve_ms * TC_MS + TC_SEC;
	if (kind != SIM_EV_REPORT && kind != SIM_EV_REPORT_BATCH && kind != SIM_EV_ANNOUNCED) {
		return 0;
	}
	for (int64_t i = 0; i < s->p.starve_times && to == 0 && s->p.starve_ms > 0; i++) {
		to = end_of(s, s->p.starve_at_ms * TC_MS + i * every, s->p.starve_ms * TC_MS);
	}
	return to;
}

/* While the capture is held the time of its clients stands still. */
static tc_time clients_wait(const struct sim *s, uint32_t kind)
{
	switch ((enum sim_event_kind)kind) {
	case SIM_EV_CLIENT_START:
	case SIM_EV_CLIENT_TIMER:
	case SIM_EV_ONLINE_TIMER:
	case SIM_EV_TO_ONLINE:
	case SIM_EV_TO_CLIENT:
	case SIM_EV_CAPTURE:
	case SIM_EV_CAPTURE_BLOCK:
	case SIM_EV_LOSS_NOTICE:
	case SIM_EV_NOISE:
	case SIM_EV_FILE:
		break;
	default:
		return 0;
	}
	tc_time held = s->p.held_ms * TC_MS;
	return end_of(s, s->p.held_at_ms * TC_MS, held) != 0 ? s->q.now + held : 0;
}

static bool waits(struct sim *s, const struct sim_event *ev)
{
	tc_time to = tc_time_max(process_waits(s, ev->kind), intercept_waits(s, ev->kind));
	to = tc_time_max(to, clients_wait(s, ev->kind));
	if (to == 0) {
		return false;
	}
	sim_queue_push(&s->q, to, ev->kind, ev->arg);
	return true;
}

static void announced(struct sim *s, unsigned slot)
{
	struct tc_event ev = {
		.kind = TC_EVENT_ANNOUNCED,
		.at = s->q.now,
		.tuple = s->slots[slot].tuple,
	};
	sim_core_on_event(s, &ev);
}

/* Length: one case for each kind of event */
static void dispatch(struct sim *s, const struct sim_event *ev)
{
	switch ((enum sim_event_kind)ev->kind) {
	case SIM_EV_CLIENT_START:
		sim_client_start(s, ev->arg);
		break;
	case SIM_EV_CLIENT_TIMER:
		sim_client_on_timer(s, ev->arg);
		break;
	case SIM_EV_ONLINE_TIMER:
		sim_online_on_timer(s, ev->arg);
		break;
	case SIM_EV_CAPTURE:
		sim_capture_on_packet(s, ev->arg);
		break;
	case SIM_EV_CAPTURE_BLOCK:
		sim_capture_on_block(s);
		break;
	case SIM_EV_TO_ONLINE:
		sim_online_on_packet(s, &s->pkts[ev->arg]);
		sim_pkt_free(s, ev->arg);
		break;
	case SIM_EV_TO_CLIENT:
		sim_client_on_packet(s, &s->pkts[ev->arg]);
		sim_pkt_free(s, ev->arg);
		break;
	case SIM_EV_CORE:
		sim_core_on_timer(s);
		break;
	case SIM_EV_TO_TARGET:
		sim_trace_pkt(s, "target >", s->pkts[ev->arg].who, &s->pkts[ev->arg].tcp,
			      s->pkts[ev->arg].len);
		sim_target_on_packet(s, &s->pkts[ev->arg]);
		sim_pkt_free(s, ev->arg);
		break;
	case SIM_EV_TARGET_TIMER:
		sim_target_on_timer(s, ev->arg);
		break;
	case SIM_EV_REPORT:
		sim_report_on_packet(s, ev->arg);
		break;
	case SIM_EV_ANSWER:
		sim_report_on_answer(s, ev->arg);
		break;
	case SIM_EV_REPORT_BATCH:
		sim_report_on_batch(s);
		break;
	case SIM_EV_ACK_DUE:
		sim_watch_ack_due(s, ev->arg);
		break;
	case SIM_EV_ANNOUNCED:
		announced(s, ev->arg);
		break;
	case SIM_EV_CHANNEL:
		sim_report_channel(s, ev->arg != 0);
		break;
	case SIM_EV_LOSS_NOTICE:
		sim_capture_on_loss_notice(s, ev->arg);
		break;
	case SIM_EV_NOISE:
		sim_capture_on_noise(s);
		break;
	case SIM_EV_STOP:
		stop(s);
		break;
	case SIM_EV_KEEP:
		sim_share_on_keep(s);
		break;
	case SIM_EV_SAMPLE:
		sim_share_on_sample(s);
		break;
	case SIM_EV_FILE:
		sim_file_on_look(s);
		break;
	case SIM_EV_HELD:
		sim_file_on_held(s, ev->arg != 0);
		break;
	case SIM_EV_LOOK:
	case SIM_EV__N:
		break;
	}
}

/* All clients are done, and since then the bound has passed: what lives now lives on purpose, or wrongly. */
static bool is_over(struct sim *s)
{
	tc_time done =
		s->core_from + (s->p.held_ms > 0 ? s->p.held_at_ms + s->p.held_ms : 0) * TC_MS;
	for (unsigned i = 0; i < s->n_convs; i++) {
		if (s->convs[i].step != SIM_CLIENT_DONE) {
			return false;
		}
		done = tc_time_max(done, s->convs[i].done_at);
	}
	return s->q.now >= done + s->bound ||
	       (s->q.now >= done + TC_SEC && tc_core_live(s->core) == 0);
}

static void look(struct sim *s)
{
	sim_watch_forgotten(s);
	if (!is_over(s)) {
		sim_queue_push(&s->q, s->q.now + LOOK_EVERY, SIM_EV_LOOK, 0);
		return;
	}
	if (!s->stopped) {
		sim_judge_alive(s);
	}
	stop(s);
	s->end = s->q.now + TIME_AFTER_STOP * tc_time_max(s->p.slow_permille, 1000) / 1000;
}

void sim_run(struct sim *s, uint64_t seed, const struct sim_params *p)
{
	begin(s, seed, p);
	s->end = TIME_FROM + TIME_MAX;
	struct sim_event ev;
	while (!s->failed && sim_queue_pop(&s->q, &ev) && s->q.now <= s->end) {
		if (ev.kind == SIM_EV_LOOK) {
			look(s);
		} else if (!waits(s, &ev)) {
			dispatch(s, &ev);
		}
		if (s->q.full) {
			sim_fail(s, "model: the event queue is full");
		}
		if (++s->events > EVENTS_MAX) {
			sim_fail(s, "runaway: more than %d events", EVENTS_MAX);
		}
	}
	if (!s->failed) {
		sim_judge_all(s);
	}
}
