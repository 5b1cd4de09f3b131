/* SPDX-License-Identifier: BSD-2-Clause
 * sim/target_out.c - what the target says, and when it says it again
 */
#include "sim/sim.h"

#define RTO_MAX (8 * TC_SEC)
#define TRIES_MAX 12
#define SYN_ACK_TRIES_MAX 5
#define KEEPALIVE_EVERY TC_SEC
#define KEEPALIVE_PROBES 4
#define HEADER_OPTIONS_MAX 64000u

/* The window field, and the right edge that it stands for. */
static uint16_t window(const struct sim *s, struct sim_conn *c, bool syn)
{
	uint32_t waiting = c->rcv_nxt - 1 - (c->fin_got ? 1 : 0) - c->read;
	uint32_t room = c->buf > waiting ? c->buf - waiting : 0;
	uint32_t edge = c->rcv_nxt + room;
	uint32_t unit = 1u << (syn ? 0 : c->rcv_shift);
	if ((int32_t)(edge - c->edge) < 0 && s->p.target_shrink == 0) {
		edge = c->edge;
	} else if ((int32_t)(edge - c->edge) > 0 &&
		   edge - c->edge < tc_u32_min(c->buf / 2, c->mss)) {
		edge = c->edge; /* RFC 9293 3.8.6.2.2: no silly window */
	}
	uint32_t win = (int32_t)(edge - c->rcv_nxt) > 0 ? edge - c->rcv_nxt : 0;
	uint32_t field = win / unit;
	if ((int32_t)(c->rcv_nxt + field * unit - c->edge) < 0 && s->p.target_shrink == 0) {
		field = (c->edge - c->rcv_nxt + unit - 1) /
			unit; /* rounded up, so as not to go back */
	}
	field = tc_u32_min(field, 65535);
	c->edge = c->rcv_nxt + field * unit;
	return (uint16_t)field;
}

static void sack_blocks(const struct sim_conn *c, struct tc_tcpopt *opt)
{
	if (!c->sack || c->ooo.n == 0) {
		return;
	}
	unsigned most = c->ts ? 3 : 4;
	/* the one that grew last comes first, RFC 2018 4 */
	unsigned n = 0;
	for (unsigned k = 0; k < c->ooo.n && n < most; k++) {
		unsigned i = (c->ooo.latest + k) % c->ooo.n;
		opt->sack[n++] = (struct tc_sack){
			tc_seq_of(c->irs + c->ooo.at[i].from),
			tc_seq_of(c->irs + c->ooo.at[i].to),
		};
	}
	opt->n_sack = (uint8_t)n;
}

static void emit(struct sim *s, uint16_t slot, uint16_t life, const struct tc_tcp *t, uint32_t len)
{
	uint32_t i = sim_pkt_new(s);
	struct sim_pkt *pkt = &s->pkts[i];
	const struct tc_tuple *tuple = &s->slots[slot].tuple;
	pkt->who = slot;
	pkt->life = life;
	pkt->len = len;
	pkt->tcp = *t;
	pkt->tcp.src_port = tuple->server_port;
	pkt->tcp.dst_port = tuple->client_port;
	sim_trace_pkt(s, "target <", slot, &pkt->tcp, len);
	sim_send(s, &s->from_target, i, SIM_EV_REPORT);
}

/* One segment of the connection: @len bytes from offset @off on. */
static void say(struct sim *s, struct sim_conn *c, uint32_t off, uint32_t len, uint8_t flags)
{
	struct tc_tcp t = {
		.seq = tc_seq_of(c->iss + off),
		.ack = tc_seq_of(c->irs + c->rcv_nxt),
		.flags = flags,
		.win = window(s, c, (flags & TC_TCP_SYN) != 0),
	};
	if (c->ts) {
		t.opt.has_ts = true;
		t.opt.tsval = (uint32_t)(s->q.now / TC_MS);
		t.opt.tsecr = c->ts_recent;
	}
	if ((flags & TC_TCP_SYN) != 0) {
		t.opt.has_mss = s->p.target_mss != 0;
		t.opt.mss = (uint16_t)s->p.target_mss;
		t.opt.sack_ok = c->sack;
		t.opt.has_ws = c->ws;
		t.opt.ws_shift = c->rcv_shift;
	} else {
		sack_blocks(c, &t.opt);
	}
	c->ack_at = TC_TIME_NEVER;
	c->acks_owed = 0;
	c->last_ack_sent = c->rcv_nxt;
	emit(s, c->slot, c->life, &t, len);
}

void sim_target_ack(struct sim *s, struct sim_conn *c)
{
	say(s, c, c->nxt, 0, TC_TCP_ACK);
}

void sim_target_syn_ack(struct sim *s, struct sim_conn *c)
{
	say(s, c, 0, 0, TC_TCP_SYN | TC_TCP_ACK);
}

void sim_target_reset(struct sim *s, const struct sim_pkt *pkt, enum sim_reset why)
{
	const struct tc_tcp *in = &pkt->tcp;
	struct tc_tcp t = { .flags = TC_TCP_RST };
	if ((in->flags & TC_TCP_ACK) != 0) {
		t.seq = in->ack;
	} else {
		uint32_t len = pkt->len + ((in->flags & TC_TCP_SYN) != 0) +
			       ((in->flags & TC_TCP_FIN) != 0);
		t.ack = tc_seq_add(in->seq, len);
		t.flags |= TC_TCP_ACK;
	}
	struct sim_conn *c = &s->slots[pkt->who].conn;
	if (c->reset == SIM_RESET_NONE) {
		c->reset = why;
	}
	emit(s, pkt->who, pkt->life, &t, 0);
}

void sim_target_abort(struct sim *s, struct sim_conn *c, enum sim_reset why)
{
	if (c->reset == SIM_RESET_NONE) {
		c->reset = why;
	}
	say(s, c, c->nxt, 0, TC_TCP_RST | TC_TCP_ACK);
	sim_target_close(c);
}

void sim_target_close(struct sim_conn *c)
{
	c->state = SIM_CLOSED;
	c->rto_at = c->ack_at = c->keepalive_at = c->wait_at = TC_TIME_NEVER;
	c->app_at = c->read_at = TC_TIME_NEVER;
}

void sim_target_arm(struct sim *s, struct sim_conn *c)
{
	tc_time at = tc_time_min(tc_time_min(c->rto_at, c->ack_at),
				 tc_time_min(c->keepalive_at, c->wait_at));
	at = tc_time_min(at, tc_time_min(c->app_at, c->read_at));
	sim_timer_set(&c->timer, &s->q, c->state == SIM_CLOSED ? TC_TIME_NEVER : at,
		      SIM_EV_TARGET_TIMER, c->slot);
}

/* ---- sending ---- */

static bool may_send(const struct sim_conn *c)
{
	return c->state != SIM_CLOSED && c->state != SIM_SYN_RECEIVED && c->state != SIM_TIME_WAIT;
}

static void retransmit(struct sim *s, struct sim_conn *c)
{
	if (c->una <= c->written) {
		uint32_t len = tc_u32_min(c->mss, c->written + 1 - c->una);
		say(s, c, c->una, len, TC_TCP_ACK | TC_TCP_PSH);
	} else if (c->fin_queued && c->una == c->written + 1 && c->nxt == c->written + 2) {
		say(s, c, c->una, 0, TC_TCP_FIN | TC_TCP_ACK);
	}
	c->retransmitted_at = s->q.now;
}

void sim_target_output(struct sim *s, struct sim_conn *c)
{
	if (!may_send(c)) {
		return;
	}
	if (c->una < c->recover && c->retransmitted_at == TC_TIME_NEVER && c->una < c->nxt) {
		retransmit(s, c);
	}
	uint32_t room = c->una + tc_u32_min(c->snd_wnd, c->cwnd);
	while (c->nxt <= c->written && (int32_t)(room - c->nxt) > 0) {
		uint32_t most = c->mss * (s->p.target_super > 1 ? (uint32_t)s->p.target_super : 1);
		uint32_t len = tc_u32_min(tc_u32_min(most, HEADER_OPTIONS_MAX),
					  tc_u32_min(room - c->nxt, c->written + 1 - c->nxt));
		say(s, c, c->nxt, len, TC_TCP_ACK | TC_TCP_PSH);
		c->nxt += len;
	}
	if (c->fin_queued && c->nxt == c->written + 1) {
		say(s, c, c->nxt, 0, TC_TCP_FIN | TC_TCP_ACK);
		c->nxt++;
		c->state = c->state == SIM_ESTABLISHED ? SIM_FIN_WAIT_1 : SIM_LAST_ACK;
	}
	if (c->rto_at == TC_TIME_NEVER && (c->una < c->nxt || c->nxt <= c->written)) {
		c->rto_at = s->q.now + c->rto;
	}
	if (c->ack_at <= s->q.now) {
		sim_target_ack(s, c);
	}
	if (s->p.target_keepalive_ms != 0 && c->keepalive_at == TC_TIME_NEVER) {
		c->keepalive_at = s->q.now + s->p.target_keepalive_ms * TC_MS;
	}
}

static void on_rto(struct sim *s, struct sim_conn *c)
{
	c->rto_at = TC_TIME_NEVER;
	if (c->state == SIM_SYN_RECEIVED) {
		if (++c->tries > SYN_ACK_TRIES_MAX) {
			sim_target_close(c);
			return;
		}
		sim_target_syn_ack(s, c);
	} else if (c->una < c->nxt) {
		if (++c->tries > TRIES_MAX) {
			sim_target_close(c);
			return;
		}
		c->cwnd = c->mss;
		c->recover = c->nxt;
		retransmit(s, c);
	} else if (c->nxt <= c->written) {
		say(s, c, c->nxt - 1, 0, TC_TCP_ACK); /* the peer's window is zero: probe it */
	} else {
		return;
	}
	c->rto = tc_time_min(2 * c->rto, RTO_MAX);
	c->rto_at = s->q.now + c->rto;
}

static void on_keepalive(struct sim *s, struct sim_conn *c)
{
	tc_time idle = s->p.target_keepalive_ms * TC_MS;
	c->keepalive_at = TC_TIME_NEVER;
	if (c->state != SIM_ESTABLISHED && c->state != SIM_CLOSE_WAIT &&
	    c->state != SIM_FIN_WAIT_2) {
		return;
	}
	if (c->probes == 0 && s->q.now < c->heard_at + idle) {
		c->keepalive_at = c->heard_at + idle;
		return;
	}
	if (c->probes == KEEPALIVE_PROBES) {
		sim_target_abort(s, c, SIM_RESET_KEEPALIVE);
		return;
	}
	c->probes++;
	say(s, c, c->nxt - 1, 0, TC_TCP_ACK);
	c->keepalive_at = s->q.now + KEEPALIVE_EVERY;
}

void sim_target_on_timer(struct sim *s, unsigned slot)
{
	struct sim_conn *c = &s->slots[slot].conn;
	if (!sim_timer_due(&c->timer, &s->q, SIM_EV_TARGET_TIMER, slot)) {
		return;
	}
	tc_time now = s->q.now;
	if (s->p.target_dead_ms >= 0 && now >= s->core_from + s->p.target_dead_ms * TC_MS) {
		sim_target_close(c);
		return;
	}
	if (c->wait_at <= now) {
		sim_target_close(c);
		return;
	}
	if (c->rto_at <= now) {
		on_rto(s, c);
	}
	if (c->keepalive_at <= now) {
		on_keepalive(s, c);
	}
	if (c->app_at <= now || c->read_at <= now) {
		sim_app_on_timer(s, c);
	}
	if (c->ack_at <= now) {
		sim_target_ack(s, c);
	}
	sim_target_arm(s, c);
}
