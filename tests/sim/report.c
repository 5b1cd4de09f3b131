/* SPDX-License-Identifier: BSD-2-Clause
 * sim/report.c - from the target's packets to answers at the core: what intercept and the channel do
 *
 * Straight, each packet is a report of its own, or one of a batch whose neighbours of one flow may be merged. With the relay it is the
 * real one, and its batches are encoded and decoded.
 */
#include "sim/sim.h"

#include <stdlib.h>
#include <string.h>

static void start_relay(struct sim *s)
{
	struct sim_rng r = sim_rng_of(s->seed, 3);
	struct tc_relay_config cfg = {
		.flows = 64 * (uint32_t)s->p.copies,
		/* many connections that begin at once do not fill it */
		.queue = (uint32_t)(s->p.relay_queue * s->p.copies * (1 + s->p.convs / 12)),
		.offers_per_second = 100,
		.flow_idle = 120 * TC_SEC,
		.table_key = { sim_rng_next(&r), sim_rng_next(&r) },
	};
	size_t n = (tc_relay_bytes(&cfg) + 63) & ~(size_t)63;
	if (n > s->relay_bytes) {
		free(s->relay_mem);
		s->relay_mem = aligned_alloc(64, n);
		if (s->relay_mem == NULL) {
			abort();
		}
		s->relay_bytes = n;
	}
	memset(s->relay_mem, 0, n);
	s->relay = tc_relay_init(s->relay_mem, &cfg, s->q.now);
	s->relay_chore = s->q.now;
}

static void hello(struct sim *s)
{
	struct tc_channel_hello h = { .instance = 1, .mark_key = s->mark_key, .n_targets = 4 };
	for (unsigned i = 0; i < 4; i++) {
		h.targets[i] =
			(struct tc_channel_target){ s->maps[i].target, s->maps[i].target_port };
	}
	if (tc_relay_on_hello(s->relay, &h, s->q.now, &s->peer) != 0) {
		sim_fail(s, "relay: no place for the only peer");
	}
}

void sim_report_channel(struct sim *s, bool up)
{
	sim_trace(s, "channel %s", up ? "up" : "down");
	s->channel_up = up;
	if (s->relay != NULL && up) {
		hello(s);
	} else if (s->relay != NULL) {
		tc_relay_on_gone(s->relay, s->peer, s->q.now);
	}
	struct tc_event ev = {
		.kind = up ? TC_EVENT_CHANNEL_UP : TC_EVENT_CHANNEL_DOWN,
		.at = s->q.now,
	};
	sim_core_on_event(s, &ev);
	if (up && s->relay != NULL && !s->batch_pending) {
		s->batch_pending = true;
		sim_queue_push(&s->q, s->q.now + TC_MS, SIM_EV_REPORT_BATCH, 0);
	}
}

void sim_report_start(struct sim *s)
{
	s->relay = NULL;
	s->channel_up = true;
	if (s->p.relay != 0) {
		start_relay(s);
		sim_report_channel(s, true);
	}
}

void sim_report_announce(struct sim *s, const struct tc_tuple *tuple)
{
	uint16_t slot = sim_slot_find(s, tuple);
	if (slot == SIM_NONE) {
		sim_fail(s, "core: announces a tuple of no client");
		return;
	}
	if (!s->channel_up ||
	    (s->relay != NULL && !tc_relay_on_announce(s->relay, s->peer, tuple, s->q.now))) {
		return;
	}
	sim_queue_push(&s->q, s->q.now + s->p.ret_delay_us * TC_US, SIM_EV_ANNOUNCED, slot);
}

static void tell(struct sim *s, const struct sim_pkt *pkt)
{
	const struct tc_tuple *t = &s->slots[pkt->who].tuple;
	struct tc_answer ans = {
		.client = t->client,
		.target = t->server,
		.tcp = pkt->tcp,
		.payload_len = pkt->len,
		.merged = pkt->merged,
	};
	sim_trace_pkt(s, "report <", pkt->who, &pkt->tcp, pkt->len);
	sim_core_on_answer(s, &ans);
}

static void batch_soon(struct sim *s, tc_time every)
{
	if (!s->batch_pending) {
		s->batch_pending = true;
		sim_queue_push(&s->q, (s->q.now / every + 1) * every, SIM_EV_REPORT_BATCH, 0);
	}
}

static bool mergeable(uint8_t flags)
{
	return (flags & (TC_TCP_SYN | TC_TCP_RST | TC_TCP_FIN)) == 0;
}

/* The latest header, and the highest end of payload; false when the two are not of one kind. */
static bool merge(struct sim_pkt *into, const struct sim_pkt *pkt)
{
	if (into->who != pkt->who || into->life != pkt->life || !mergeable(into->tcp.flags) ||
	    !mergeable(pkt->tcp.flags) || tc_seq_lt(pkt->tcp.ack, into->tcp.ack)) {
		return false;
	}
	tc_seq start = into->tcp.seq;
	tc_seq end = tc_seq_add(start, into->len);
	if (pkt->len > 0 && into->len > 0) {
		start = tc_seq_min(start, pkt->tcp.seq);
		end = tc_seq_max(end, tc_seq_add(pkt->tcp.seq, pkt->len));
	} else if (pkt->len > 0 || into->len == 0) {
		start = pkt->tcp.seq; /* an acknowledgement alone has a number, but announces no bytes */
		end = tc_seq_add(start, pkt->len);
	}
	into->tcp = pkt->tcp;
	into->tcp.seq = start;
	into->len = (uint32_t)tc_seq_diff(end, start);
	into->merged++;
	return true;
}

static void relay_take(struct sim *s, const struct sim_pkt *pkt)
{
	const struct tc_tuple *t = &s->slots[pkt->who].tuple;
	struct tc_packet seen = {
		.at = s->q.now,
		.src = t->server,
		.dst = t->client,
		.tcp = pkt->tcp,
		.payload_len = pkt->len,
	};
	struct tc_relay_stats before;
	struct tc_relay_stats after;
	tc_relay_stats(s->relay, &before);
	tc_relay_on_packet(s->relay, &seen, s->q.now);
	tc_relay_stats(s->relay, &after);
	if (after.reported + after.merged > before.reported + before.merged) {
		sim_relayed_in(&s->slots[pkt->who].relayed, &pkt->tcp, pkt->len, pkt->life);
	}
	if (s->q.now - s->relay_chore > TC_SEC) {
		s->relay_chore = s->q.now;
		tc_relay_on_deadline(s->relay, s->q.now);
		const char *bad = tc_relay_check(s->relay);
		if (bad != NULL) {
			sim_fail(s, "relay: %s", bad);
		}
	}
	batch_soon(s, s->p.ret_batch_us != 0 ? s->p.ret_batch_us * TC_US : 100 * TC_US);
}

void sim_report_on_packet(struct sim *s, uint32_t i)
{
	struct sim_pkt *pkt = &s->pkts[i];
	if (s->relay != NULL) {
		relay_take(s, pkt);
		sim_pkt_free(s, i);
		return;
	}
	if (s->p.ret_batch_us == 0) {
		sim_report_on_answer(s, i);
		return;
	}
	if (s->p.ret_merge != 0 && s->batch_head != TC_NIL && merge(&s->pkts[s->batch_tail], pkt)) {
		sim_pkt_free(s, i);
		return;
	}
	pkt->next = TC_NIL;
	if (s->batch_head == TC_NIL) {
		s->batch_head = i;
	} else {
		s->pkts[s->batch_tail].next = i;
	}
	s->batch_tail = i;
	batch_soon(s, s->p.ret_batch_us * TC_US);
}

void sim_report_on_answer(struct sim *s, uint32_t i)
{
	if (s->channel_up) {
		tell(s, &s->pkts[i]);
	}
	sim_pkt_free(s, i);
}

static void relay_emptied(struct sim *s)
{
	for (unsigned i = 0; i < s->n_slots; i++) {
		const char *bad = sim_relayed_empty(&s->slots[i].relayed);
		if (bad != NULL) {
			sim_fail(s, "relay: slot %u: %s", i, bad);
		}
	}
}

static void relay_batches(struct sim *s)
{
	uint8_t buf[TC_CHANNEL_HEAD + 1024];
	size_t n;
	while (s->channel_up && !s->failed &&
	       (n = tc_relay_next_batch(s->relay, s->peer, buf, sizeof buf)) > 0) {
		struct tc_channel_head head;
		struct tc_view v = { buf, n };
		if (tc_channel_head_decode(v, &head) != 0 || head.type != TC_CHANNEL_ANSWERS ||
		    head.length != n - TC_CHANNEL_HEAD) {
			sim_fail(s, "relay: a batch whose head is wrong");
			return;
		}
		struct tc_view body = { buf + TC_CHANNEL_HEAD, head.length };
		for (unsigned k = 0; k < head.count && !s->failed; k++) {
			struct tc_answer ans;
			if (tc_channel_answer_decode(&body, &ans) != 0) {
				sim_fail(s, "relay: an answer that cannot be decoded");
				return;
			}
			struct tc_tuple t = {
				.client = ans.client,
				.server = ans.target,
				.client_port = ans.tcp.dst_port,
				.server_port = ans.tcp.src_port,
			};
			uint16_t slot = sim_slot_find(s, &t);
			sim_trace_pkt(s, "relayed <", slot, &ans.tcp, ans.payload_len);
			if (slot != SIM_NONE) {
				sim_relayed_out(&s->slots[slot].relayed, &ans);
			}
			sim_core_on_answer(s, &ans);
		}
		if (body.n != 0 && !s->failed) {
			sim_fail(s, "relay: a batch with more in it than it counts");
		}
	}
	if (s->channel_up && !s->failed) {
		relay_emptied(s);
	}
}

void sim_report_on_batch(struct sim *s)
{
	s->batch_pending = false;
	if (s->relay != NULL) {
		relay_batches(s);
		return;
	}
	uint32_t i = s->batch_head;
	s->batch_head = TC_NIL;
	while (i != TC_NIL && !s->failed) {
		uint32_t next = s->pkts[i].next;
		sim_report_on_answer(s, i);
		i = next;
	}
}
