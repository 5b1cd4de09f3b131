/* SPDX-License-Identifier: BSD-2-Clause
 * sim/capture.c - the capture point: what the core gets to see of a client, and when
 *
 * It keeps the truth: which bytes, FINs and RSTs were captured, and whether something was missed for good.
 */
#include "sim/sim.h"

/* A handshake that completes when a newer SYN of the same tuple was seen is over for everybody who sees it in that order. */
static bool is_overtaken(const struct sim *s, unsigned conv, bool *ret_accepted)
{
	bool overtaken = false;
	for (unsigned i = conv + 1; i < s->n_convs; i++) {
		if (s->convs[i].place == s->convs[conv].place && s->convs[i].syn_captured) {
			overtaken = true;
			*ret_accepted |= s->convs[i].accepted;
		}
	}
	return overtaken;
}

/* Turns whose first byte the core can speak now. */
static void note_turns(struct sim *s, struct sim_conv *c)
{
	while (c->seen_turns < c->n_turns) {
		uint32_t start = c->seen_turns == 0 ? 0 : c->turns[c->seen_turns - 1].request_end;
		if (sim_conv_captured(c) <= start) {
			return;
		}
		c->turns[c->seen_turns++].seen_at = s->q.now;
	}
}

static void note(struct sim *s, const struct sim_pkt *pkt)
{
	struct sim_conv *c = &s->convs[pkt->who];
	uint8_t flags = pkt->tcp.flags;
	bool lost_its_tuple = false;
	bool overtaken = is_overtaken(s, pkt->who, &lost_its_tuple);
	if (lost_its_tuple) {
		c->missed = true; /* it came too late: the tuple stands for the next one now */
		return;
	}
	if ((flags & TC_TCP_SYN) != 0) {
		c->syn_captured = true;
	} else if ((flags & TC_TCP_ACK) != 0 && !c->accepted && !c->rst_captured && !overtaken) {
		c->accepted = true;
		c->accepted_at = s->q.now;
	}
	if ((flags & TC_TCP_FIN) != 0) {
		c->fin_captured = true;
	}
	if ((flags & TC_TCP_RST) != 0) {
		c->rst_captured = true;
	}
	if (pkt->len > 0 || (flags & (TC_TCP_FIN | TC_TCP_RST)) != 0) {
		c->said = tc_u32_max(c->said, pkt->offset + pkt->len);
	}
	if (!pkt->garbage && !sim_spans_add(&c->captured, pkt->offset, pkt->offset + pkt->len)) {
		sim_fail(s, "model: too many gaps in what was captured");
	}
	note_turns(s, c);
}

uint32_t sim_conv_captured(const struct sim_conv *c)
{
	return sim_spans_end(&c->captured, 0);
}

static void give(struct sim *s, uint32_t i)
{
	static const uint8_t garbage[1] = { 0xee };
	const struct sim_pkt *pkt = &s->pkts[i];
	const struct tc_tuple *t = &s->places[s->convs[pkt->who].place].online;
	struct tc_packet seen = {
		.at = pkt->at,
		.src = t->client,
		.dst = t->server,
		.tcp = pkt->tcp,
		.payload = { pkt->garbage ? garbage : sim_bytes(s, pkt->who, pkt->offset),
			     pkt->len },
		.payload_len = pkt->len,
	};
	struct tc_ledger before;
	tc_core_ledger(s->core, &before);
	sim_share_on_give(s, pkt);
	sim_core_on_client(s, &seen);
	sim_share_after_give(s, pkt->who, &before);
	sim_pkt_free(s, i);
}

/* How long a packet of a client may be under way after one that it sent later */
static tc_time overtakes_for(const struct sim *s)
{
	return 50 * TC_MS + s->p.client_rtt_us * TC_US * s->p.slow_permille / 1000 +
	       s->p.held_ms * TC_MS;
}

void sim_capture_on_packet(struct sim *s, uint32_t i)
{
	struct sim_pkt *pkt = &s->pkts[i];
	struct sim_conv *c = &s->convs[pkt->who];
	if ((pkt->tcp.flags & TC_TCP_RST) != 0 && !c->accepted && c->left != SIM_LEFT_SHED &&
	    s->q.now < c->done_at + overtakes_for(s)) {
		/* an RST that overtakes the whole handshake makes it a connection that never was; that is not what is tested */
		sim_queue_push(&s->q, s->q.now + TC_MS, SIM_EV_CAPTURE, i);
		return;
	}
	if (s->q.now < s->core_from + s->p.join_ms * TC_MS) {
		c->missed = true;
		sim_send(s, &s->to_online, i, SIM_EV_TO_ONLINE);
		return;
	}
	if (!sim_share_passes(s, pkt) || !sim_file_has(s, pkt->who)) {
		sim_send(s, &s->to_online, i, SIM_EV_TO_ONLINE);
		return;
	}
	bool missed = sim_rng_permille(&s->dice, s->p.hole);
	sim_trace_pkt(s, missed ? "missed >" : "capture >", pkt->who, &pkt->tcp, pkt->len);
	if (missed) {
		c->missed = true;
		s->lost_unsaid++;
		if (s->p.hole_notice != 0 && s->lost_unsaid == 1) {
			sim_queue_push(&s->q, s->q.now + sim_rng_range(&s->dice, 0, 200) * TC_MS,
				       SIM_EV_LOSS_NOTICE, 0);
		}
		sim_send(s, &s->to_online, i, SIM_EV_TO_ONLINE);
		return;
	}
	note(s, pkt);
	pkt->at = s->q.now;
	uint32_t copy = sim_pkt_copy(s, i);
	sim_send(s, &s->to_online, i, SIM_EV_TO_ONLINE);
	if (s->p.block_us == 0) {
		give(s, copy);
		return;
	}
	s->pkts[copy].next = TC_NIL;
	if (s->block_head == TC_NIL) {
		s->block_head = copy;
	} else {
		s->pkts[s->block_tail].next = copy;
	}
	s->block_tail = copy;
	if (!s->block_pending) {
		tc_time block = s->p.block_us * TC_US;
		s->block_pending = true;
		sim_queue_push(&s->q, (s->q.now / block + 1) * block, SIM_EV_CAPTURE_BLOCK, 0);
	}
}

void sim_capture_on_block(struct sim *s)
{
	s->block_pending = false;
	uint32_t i = s->block_head;
	s->block_head = TC_NIL;
	while (i != TC_NIL && !s->failed) {
		uint32_t next = s->pkts[i].next;
		give(s, i);
		i = next;
	}
}

void sim_capture_on_loss_notice(struct sim *s, uint32_t count)
{
	(void)count;
	struct tc_event ev = {
		.kind = TC_EVENT_CAPTURE_LOSS,
		.at = s->q.now,
		.count = s->lost_unsaid,
	};
	s->lost_unsaid = 0;
	sim_core_on_event(s, &ev);
}

/* Anything at all: of known tuples or not, with any flags, numbers and sizes. It must be dropped or ignored, and never change a stream:
 * so the numbers of known tuples lie far from theirs. */
void sim_capture_on_noise(struct sim *s)
{
	struct sim_rng *r = &s->dice;
	if (s->file_ended) {
		return;
	}
	struct tc_tuple t = s->places[sim_rng_range(r, 0, s->n_places - 1)].online;
	uint64_t bits = sim_rng_next(r);
	if ((bits & 3) != 0) {
		t.client_port = (uint16_t)(bits >> 8 | 1);
		t.client.b[15] = 200;
	}
	if ((bits & 7) == 7) {
		t.server_port = (uint16_t)sim_rng_next(r);
	}
	uint32_t len = (bits >> 32 & 7) == 0 ? (uint32_t)sim_rng_range(r, 1, 3000) : 0;
	uint8_t flags = (uint8_t)sim_rng_next(r);
	bool known = t.client.b[15] != 200;
	struct tc_packet pkt = {
		.at = s->q.now,
		.src = t.client,
		.dst = t.server,
		.tcp = {
			.src_port = t.client_port,
			.dst_port = t.server_port,
			.seq = tc_seq_of((uint32_t)sim_rng_next(r)),
			.ack = tc_seq_of((uint32_t)sim_rng_next(r)),
			.flags = known ? flags & (TC_TCP_PSH | TC_TCP_URG) : flags,
			.win = (uint16_t)sim_rng_next(r),
		},
		.payload = { sim_bytes(s, 0, 0), len },
		.payload_len = len,
	};
	sim_trace_pkt(s, "noise >", t.client_port, &pkt.tcp, len);
	sim_core_on_client(s, &pkt);
	if (s->noise_left > 0) {
		s->noise_left--;
		sim_queue_push(&s->q, s->q.now + sim_rng_range(r, 0, 20) * TC_MS, SIM_EV_NOISE, 0);
	}
}
