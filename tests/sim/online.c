/* SPDX-License-Identifier: BSD-2-Clause
 * sim/online.c - the online server: it takes what arrives, acknowledges it at once, and answers in its time
 */
#include "sim/sim.h"

#define SAY_MOST 16384
#define SYN_ACK_AGAIN TC_SEC

static unsigned number(const struct sim *s, const struct sim_conv *c)
{
	return (unsigned)(c - s->convs);
}

/* @len bytes of the server's stream, which always arrive; an acknowledgement alone may be lost. */
static void say(struct sim *s, struct sim_conv *c, uint32_t len, uint8_t flags)
{
	const struct tc_tuple *t = &s->places[c->place].online;
	uint32_t i = sim_pkt_new(s);
	struct sim_pkt *pkt = &s->pkts[i];
	pkt->who = (uint16_t)number(s, c);
	pkt->len = len;
	pkt->tcp = (struct tc_tcp){
		.src_port = t->server_port,
		.dst_port = t->client_port,
		.seq = tc_seq_of(c->irs + c->online_nxt),
		.ack = tc_seq_of(c->iss + c->online_rcv),
		.flags = flags,
		.win = 512,
	};
	if ((flags & TC_TCP_SYN) != 0) {
		pkt->tcp.seq = tc_seq_of(c->irs);
	}
	c->online_nxt += len + ((flags & TC_TCP_FIN) != 0);
	sim_trace_pkt(s, "online <", pkt->who, &pkt->tcp, len);
	if (s->p.pace == TC_PACE_THINK) {
		struct tc_packet seen = {
			.at = s->q.now,
			.src = t->server,
			.dst = t->client,
			.tcp = pkt->tcp,
			.payload_len = len,
		};
		sim_core_on_online(s, &seen);
	}
	if (len == 0 && flags == TC_TCP_ACK && sim_rng_permille(&c->rng, s->p.ack_loss)) {
		sim_pkt_free(s, i);
		return;
	}
	sim_send(s, &s->to_client, i, SIM_EV_TO_CLIENT);
}

static void say_all(struct sim *s, struct sim_conv *c, uint32_t len)
{
	while (len > 0) {
		uint32_t n = tc_u32_min(len, SAY_MOST);
		say(s, c, n, TC_TCP_ACK | TC_TCP_PSH);
		len -= n;
	}
}

static bool all_heard(const struct sim_conv *c)
{
	return c->online_turn == c->n_turns;
}

/* When the application has something to do next. */
static void plan_next(struct sim *s, struct sim_conv *c)
{
	if (c->online_fin || c->online_gone || c->online_at != TC_TIME_NEVER) {
		return;
	}
	if (c->online_pushes) {
		c->online_at = s->q.now + sim_rng_range(&c->rng, 0, 50 * TC_MS);
	} else if (!all_heard(c)) {
		const struct sim_turn *t = &c->turns[c->online_turn];
		if (c->online_rcv >= 1 + t->request_end) {
			c->online_at = s->q.now + t->service;
		}
	} else if (c->online_rcv > 1 + c->total || c->close == SIM_CLOSE_SERVER ||
		   c->close == SIM_CLOSE_BOTH) {
		/* the client's FIN is here, or this server closes by itself */
		c->online_at = s->q.now + sim_rng_range(&c->rng, 0, 2 * TC_MS);
	}
	sim_timer_set(&c->online_timer, &s->q, c->online_at, SIM_EV_ONLINE_TIMER, number(s, c));
}

void sim_online_on_timer(struct sim *s, unsigned conv)
{
	struct sim_conv *c = &s->convs[conv];
	if (!sim_timer_due(&c->online_timer, &s->q, SIM_EV_ONLINE_TIMER, conv)) {
		return;
	}
	c->online_at = TC_TIME_NEVER;
	if (c->online_gone) {
		return;
	}
	if (!c->online_open) {
		say(s, c, 0, TC_TCP_SYN | TC_TCP_ACK);
		c->online_at = s->q.now + SYN_ACK_AGAIN;
		sim_timer_set(&c->online_timer, &s->q, c->online_at, SIM_EV_ONLINE_TIMER, conv);
		return;
	}
	if (c->online_pushes) {
		c->online_pushes = false;
		say_all(s, c, c->turns[c->online_turn - 1].push);
	} else if (!all_heard(c)) {
		struct sim_turn *t = &c->turns[c->online_turn++];
		t->answer_end = c->online_nxt - 1 + t->answer;
		say_all(s, c, t->answer);
		c->online_pushes = t->push > 0;
	} else {
		c->online_fin = true;
		say(s, c, 0, TC_TCP_FIN | TC_TCP_ACK);
	}
	plan_next(s, c);
}

static void on_syn(struct sim *s, struct sim_conv *c, const struct sim_pkt *pkt)
{
	if (c->lone) {
		return;
	}
	if (c->refused) {
		c->online_rcv = 1;
		say(s, c, 0, TC_TCP_RST | TC_TCP_ACK);
		return;
	}
	if (c->online_rcv == 0) {
		/* data on the SYN is taken, or not and has to be said again */
		c->online_rcv = 1 + (sim_rng_permille(&c->rng, 700) ? pkt->len : 0);
		c->online_nxt = 1;
	}
	say(s, c, 0, TC_TCP_SYN | TC_TCP_ACK);
	c->online_at = s->q.now + SYN_ACK_AGAIN;
	sim_timer_set(&c->online_timer, &s->q, c->online_at, SIM_EV_ONLINE_TIMER, number(s, c));
}

void sim_online_on_packet(struct sim *s, const struct sim_pkt *pkt)
{
	struct sim_conv *c = &s->convs[pkt->who];
	uint8_t flags = pkt->tcp.flags;
	if ((flags & TC_TCP_RST) != 0) {
		c->online_gone = true;
		return;
	}
	if (c->online_gone) {
		return;
	}
	if ((flags & TC_TCP_SYN) != 0) {
		on_syn(s, c, pkt);
		return;
	}
	if (c->online_rcv == 0) {
		return;
	}
	if (!c->online_open) {
		c->online_open = true;
		c->online_at = TC_TIME_NEVER;
		say_all(s, c, c->greeting);
	}
	uint32_t off = pkt->tcp.seq.v - c->iss;
	uint32_t end = off + pkt->len + ((flags & TC_TCP_FIN) != 0);
	if (end > off) {
		if (!sim_spans_add(&c->online_got, off, end)) {
			return; /* as a server does whose queue is full: it will come again */
		}
		c->online_rcv = sim_spans_end(&c->online_got, c->online_rcv);
		sim_spans_drop(&c->online_got, c->online_rcv);
		say(s, c, 0, TC_TCP_ACK);
	}
	plan_next(s, c);
}
