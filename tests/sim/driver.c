/* SPDX-License-Identifier: BSD-2-Clause
 * sim/driver.c - the core between its neighbours: what an engine does, without its system calls
 *
 * After every verb the outputs are pulled, the books are balanced and the deadline is looked at.
 */
#include "sim/sim.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* tc_core_check() walks over everything, so a mass run asks it only now and then; one seed alone is checked after each verb. */
#define CHECK_EVERY 61
#define AGAIN_MAX 8

static const int errors[] = { EPERM, EMSGSIZE, ENOBUFS, EHOSTUNREACH };

/* A core of a scenario's size: small tables, so that to fill them is possible. */
static void configure(struct sim *s, struct tc_core_config *cfg)
{
	const struct sim_params *p = &s->p;
	struct sim_rng r = sim_rng_of(s->seed, 2);
	tc_core_config_default(cfg);
	cfg->copies = (uint32_t)p->copies;
	cfg->sessions = 64;
	cfg->replicas = 64 * cfg->copies;
	cfg->syns = 64;
	cfg->closed = 64;
	cfg->chunks = (uint32_t)p->chunks;
	cfg->turns = 512;
	cfg->boards = 64;
	if (p->tables != 0) {
		cfg->sessions = cfg->replicas = cfg->syns = (uint32_t)p->tables;
		cfg->turns = 2 * (uint32_t)p->tables;
		cfg->boards = 1;
	}
	cfg->maps = s->maps;
	cfg->n_maps = 4;
	cfg->table_key = s->table_key =
		(struct tc_siphash_key){ sim_rng_next(&r), sim_rng_next(&r) };
	cfg->mark_key = (struct tc_siphash_key){ sim_rng_next(&r), sim_rng_next(&r) };
	cfg->wall_offset =
		sim_rng_range(&r, 1, 1000000) * 3600 * TC_SEC + sim_rng_range(&r, 0, TC_SEC);
	if (p->clock_wrap != 0) {
		/* both clocks are whole at 2^32 ms: the ISN's counts 2^16 steps of 16 ms */
		cfg->wall_offset =
			((tc_time)400 << 32) * TC_MS - s->q.now - sim_rng_range(&r, 0, 500) * TC_MS;
	}
	cfg->pace = (enum tc_pace)p->pace;
	cfg->rate = 100;
	cfg->pool = s->pool;
	cfg->n_pool_v4 = cfg->n_pool_v6 = (uint32_t)p->pool;
	cfg->alias_port_last = (uint16_t)(cfg->alias_port_first + p->alias_ports - 1);
	cfg->alias_first = p->alias_first != 0;
	cfg->share_permyriad = (uint32_t)p->sample;
	cfg->whole_only = p->whole_only != 0;
	cfg->limit_sessions = (uint32_t)p->limit_sessions;
	cfg->slow_permille = (uint32_t)p->slow_permille;
	cfg->hole_resume = p->hole_resume != 0;
	cfg->channel = p->relay == 0;
	cfg->session_events = true;
	cfg->mss = (uint16_t)p->core_mss;
	cfg->rtt = p->rtt_us * TC_US;
	cfg->overlap = p->overlap_ms * TC_MS;
	cfg->max_lag = p->max_lag_ms * TC_MS;
	cfg->idle = p->idle_ms != 0 ? p->idle_ms * TC_MS : TC_TIME_NEVER;
	s->mark_key = cfg->mark_key;
}

void sim_core_start(struct sim *s)
{
	struct tc_core_config cfg;
	configure(s, &cfg);
	size_t n = (tc_core_bytes(&cfg) + 63) & ~(size_t)63;
	if (n > s->core_bytes) {
		free(s->core_mem);
		s->core_mem = aligned_alloc(64, n);
		if (s->core_mem == NULL) {
			abort();
		}
		s->core_bytes = n;
	}
	memset(s->core_mem, 0, n);
	s->core_from = s->q.now;
	s->core_timer = SIM_TIMER_IDLE;
	s->core = tc_core_init(s->core_mem, &cfg, s->q.now);
	if (s->core == NULL) {
		sim_fail(s, "tc_core_init() refused a sane configuration");
	}
}

/* The packets on the wire that one segment becomes. */
static void cut_and_send(struct sim *s, const struct tc_segment *seg, uint16_t slot)
{
	uint32_t off = 0;
	do {
		uint32_t n = seg->payload_len - off;
		if (seg->cut != 0) {
			n = tc_u32_min(n, seg->cut);
		}
		s->mtu_due |= s->p.mtu_event != 0 && s->p.fwd_mtu != 0 && n > s->p.fwd_mtu;
		uint32_t i = sim_pkt_new(s);
		struct sim_pkt *pkt = &s->pkts[i];
		pkt->who = slot;
		pkt->life = s->slots[slot].life;
		pkt->len = n;
		pkt->tcp = seg->tcp;
		pkt->tcp.seq = tc_seq_add(seg->tcp.seq, off);
		off += n;
		if (off < seg->payload_len) {
			pkt->tcp.flags &= (uint8_t) ~(TC_TCP_FIN | TC_TCP_PSH);
		}
		sim_send(s, &s->to_target, i, SIM_EV_TO_TARGET);
	} while (off < seg->payload_len && !s->failed);
}

struct refused {
	uint32_t replica;
	int error;
};

static void pull(struct sim *s)
{
	struct tc_out out;
	unsigned count = 0;
	struct refused refused[8];
	unsigned n_refused = 0;
	while (!s->failed && tc_core_next_out(s->core, &out, s->q.now)) {
		if (++count > 100000) {
			sim_fail(s, "core: next_out never ends");
			return;
		}
		uint16_t slot = SIM_NONE;
		switch (out.kind) {
		case TC_OUT_SEGMENT:
			sim_watch_segment(s, &out.segment, &slot);
			if (s->failed) {
				return;
			}
			if (n_refused < 8 && sim_rng_permille(&s->dice, s->p.send_error)) {
				refused[n_refused++] = (struct refused){
					out.segment.replica,
					errors[sim_rng_range(&s->dice, 0, 3)],
				};
			} else {
				cut_and_send(s, &out.segment, slot);
			}
			break;
		case TC_OUT_ANNOUNCE:
			sim_report_announce(s, &out.tuple);
			break;
		case TC_OUT_DISOWN:
			if (s->relay != NULL) {
				tc_relay_on_disown(s->relay, s->peer, &out.tuple);
			}
			break;
		case TC_OUT_SESSION:
			sim_watch_session(s, &out.session);
			break;
		}
	}
	for (unsigned i = 0; i < n_refused && !s->failed; i++) {
		struct tc_event ev = {
			.kind = TC_EVENT_SEND_ERROR,
			.at = s->q.now,
			.replica = refused[i].replica,
			.error = refused[i].error,
		};
		sim_core_on_event(s, &ev);
	}
}

static void check(struct sim *s)
{
	s->verbs++;
	struct tc_ledger l;
	tc_core_ledger(s->core, &l);
	const char *bad = tc_ledger_balance(&l);
	if (bad != NULL) {
		sim_fail(s, "core: the books do not balance: %s", bad);
	}
	if (l.bugs != 0) {
		sim_fail(s, "core: a bug at %s", l.bug_at != NULL ? l.bug_at : "?");
	}
	if (s->thorough || s->verbs % CHECK_EVERY == 0) {
		bad = tc_core_check(s->core, s->q.now);
		if (bad != NULL) {
			sim_fail(s, "core: tc_core_check: %s", bad);
		}
	}
}

static void arm(struct sim *s)
{
	tc_time at = tc_core_deadline(s->core);
	s->core_deadline = at;
	if (at == TC_TIME_NEVER) {
		s->core_timer.at = TC_TIME_NEVER;
		return;
	}
	tc_time late = sim_rng_range(&s->dice, 0, s->p.late_us) * TC_US;
	at = tc_time_max(at, s->q.now) + late;
	sim_timer_set(&s->core_timer, &s->q, at, SIM_EV_CORE, 0);
}

/* A driver that can learn the path's MTU (IP_RECVERR, a route) tells the core, once. */
static void tell_mtu(struct sim *s)
{
	if (!s->mtu_due || s->mtu_said || s->failed) {
		return;
	}
	s->mtu_said = true;
	for (unsigned i = 0; i < 4; i++) {
		struct tc_event ev = {
			.kind = TC_EVENT_PATH_MTU,
			.at = s->q.now,
			.count = (uint64_t)s->p.fwd_mtu +
				 (tc_ip_is_v4(&s->maps[i].target) ? 40 : 60),
			.target = s->maps[i].target,
		};
		tc_core_on_event(s->core, &ev, s->q.now);
		pull(s);
	}
}

static void after(struct sim *s)
{
	pull(s);
	tell_mtu(s);
	if (!s->failed) {
		check(s);
		arm(s);
	}
}

void sim_core_on_client(struct sim *s, const struct tc_packet *pkt)
{
	enum tc_drop d = tc_core_on_client(s->core, pkt, s->q.now);
	if (d != TC_DROP_NONE) {
		sim_trace(s, "dropped: %s", tc_drop_name(d));
	}
	after(s);
}

void sim_core_on_online(struct sim *s, const struct tc_packet *pkt)
{
	tc_core_on_online(s->core, pkt, s->q.now);
	after(s);
}

void sim_core_on_answer(struct sim *s, const struct tc_answer *ans)
{
	sim_watch_report(s, ans);
	enum tc_drop d = tc_core_on_answer(s->core, ans, s->q.now);
	if (d != TC_DROP_NONE) {
		sim_trace(s, "not believed: %s", tc_drop_name(d));
	}
	after(s);
}

void sim_core_on_event(struct sim *s, const struct tc_event *ev)
{
	sim_trace(s, "event %d count %llu", (int)ev->kind, (unsigned long long)ev->count);
	tc_core_on_event(s->core, ev, s->q.now);
	after(s);
}

void sim_core_on_timer(struct sim *s)
{
	if (!sim_timer_due(&s->core_timer, &s->q, SIM_EV_CORE, 0)) {
		return;
	}
	s->deadlines++;
	/* what was pulled may have armed something that is due at once, but not for ever */
	unsigned again = 0;
	do {
		tc_core_on_deadline(s->core, s->q.now);
		after(s);
		if (++again > AGAIN_MAX) {
			sim_fail(s, "core: its deadline stays in the past: a busy loop");
		}
	} while (!s->failed && tc_core_deadline(s->core) <= s->q.now);
}
