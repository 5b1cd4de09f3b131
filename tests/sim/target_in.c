/* SPDX-License-Identifier: BSD-2-Clause
 * sim/target_in.c - a segment arrives at the target
 *
 * The order of checks is that of RFC 9293 3.10.7; its numbers stand beside them.
 */
#include "sim/sim.h"

/* Linux tcp_invalid_ratelimit */
#define OOW_EVERY (500 * TC_MS)
#define TIME_WAIT_LIFE (60 * TC_SEC)
#define MSS_NONE_V4 536
#define MSS_NONE_V6 1220

static bool is_v4(const struct sim *s, const struct sim_conn *c)
{
	return tc_ip_is_v4(&s->slots[c->slot].tuple.client);
}

/* A duplicate or challenge ACK that a stranger must not be able to make many of. */
static void limited_ack(struct sim *s, struct sim_conn *c, const struct sim_pkt *pkt)
{
	bool data = pkt->len > 0 && (pkt->tcp.flags & TC_TCP_SYN) == 0;
	if (!data) {
		if (s->q.now < c->oow_at) {
			return;
		}
		c->oow_at = s->q.now + OOW_EVERY;
	}
	sim_target_ack(s, c);
}

/* ---- 3.10.7.2 LISTEN ---- */

static void negotiate(struct sim *s, struct sim_conn *c, const struct tc_tcpopt *opt)
{
	const struct sim_params *p = &s->p;
	c->ts = opt->has_ts && p->target_ts != 0;
	c->sack = opt->sack_ok && p->target_sack != 0;
	c->ws = opt->has_ws && p->target_ws >= 0;
	c->snd_shift = c->ws ? opt->ws_shift : 0;
	c->rcv_shift = c->ws ? (uint8_t)p->target_ws : 0;
	while (c->rcv_shift > 0 && c->buf >> c->rcv_shift < 64) {
		c->rcv_shift--; /* nobody counts a small buffer in large units */
	}
	uint16_t mss = opt->has_mss ? opt->mss : is_v4(s, c) ? MSS_NONE_V4 : MSS_NONE_V6;
	c->mss = (uint16_t)(mss - (c->ts ? 12 : 0));
	if (c->ts) {
		c->ts_recent = opt->tsval;
	}
}

static void listen(struct sim *s, struct sim_conn *c, const struct sim_pkt *pkt)
{
	const struct tc_tcp *t = &pkt->tcp;
	if ((t->flags & TC_TCP_RST) != 0) {
		return;
	}
	if ((t->flags & TC_TCP_ACK) != 0 || (t->flags & TC_TCP_SYN) == 0) {
		sim_target_reset(s, pkt, SIM_RESET_NO_CONN);
		return;
	}
	if (s->p.target_refuse != 0) {
		sim_target_reset(s, pkt, SIM_RESET_REFUSED);
		return;
	}
	struct sim_timer timer = c->timer;
	/* a copy of the SYN after the connection was over: the core does not know of this one */
	bool again = c->heard_at != 0 && c->life == pkt->life;
	enum sim_reset reset = again ? c->reset : SIM_RESET_NONE;
	/* RFC 6528 and Linux: by a clock of 64 ns, and so above what the tuple said before */
	bool before = c->heard_at != 0;
	uint32_t above = c->iss + c->nxt + (uint32_t)((s->q.now - c->heard_at) / 64);
	*c = (struct sim_conn){
		.rng = sim_rng_of(s->seed, 1000 + pkt->life),
		.slot = pkt->who,
		.life = pkt->life,
		.state = SIM_SYN_RECEIVED,
		.irs = t->seq.v,
		.rcv_nxt = 1,
		.buf = (uint32_t)s->p.target_buf,
		.rto = TC_SEC,
		.rto_at = TC_TIME_NEVER,
		.ack_at = TC_TIME_NEVER,
		.keepalive_at = TC_TIME_NEVER,
		.wait_at = TC_TIME_NEVER,
		.app_at = TC_TIME_NEVER,
		.read_at = TC_TIME_NEVER,
		.heard_at = s->q.now,
		.again = again,
		.reset = reset,
		.acks_to_drop = (unsigned)s->p.target_drop_ack,
		.timer = timer,
	};
	c->iss = before ? above : (uint32_t)sim_rng_next(&c->rng);
	if (s->p.wrap != 0 && !before) {
		c->iss = (uint32_t)-sim_rng_range(&c->rng, 0, 3000);
	}
	negotiate(s, c, &t->opt);
	c->edge = 1 + tc_u32_min(c->buf, 65535);
	c->nxt = 1;
	c->cwnd = 10u * c->mss;
	sim_target_syn_ack(s, c);
	c->rto_at = s->q.now + c->rto;
}

/* ---- SYN-RECEIVED: Linux's tcp_check_req() ---- */

static bool establish(struct sim *s, struct sim_conn *c, const struct sim_pkt *pkt)
{
	const struct tc_tcp *t = &pkt->tcp;
	uint32_t off = t->seq.v - c->irs;
	if (c->ts && t->opt.has_ts && (int32_t)(t->opt.tsval - c->ts_recent) < 0) {
		limited_ack(s, c, pkt);
		return false;
	}
	if ((t->flags & TC_TCP_SYN) != 0 && off == 0 && (t->flags & TC_TCP_ACK) == 0) {
		sim_target_syn_ack(s, c); /* the SYN again */
		return false;
	}
	if (off < 1 || off > c->edge) {
		if ((t->flags & TC_TCP_RST) == 0) {
			limited_ack(s, c, pkt);
		}
		return false;
	}
	if ((t->flags & TC_TCP_RST) != 0) {
		c->was_rst = true;
		sim_target_close(c);
		return false;
	}
	if ((t->flags & TC_TCP_SYN) != 0) {
		sim_target_abort(s, c, SIM_RESET_BAD_ACK);
		return false;
	}
	if ((t->flags & TC_TCP_ACK) == 0) {
		return false;
	}
	if (t->ack.v != c->iss + 1) {
		sim_target_reset(s, pkt, SIM_RESET_BAD_ACK);
		return false;
	}
	if (c->acks_to_drop > 0) {
		c->acks_to_drop--; /* the accept queue is full: as if it had never come */
		return false;
	}
	c->state = SIM_ESTABLISHED;
	c->una = 1;
	c->tries = 0;
	c->rto = 200 * TC_MS;
	c->rto_at = TC_TIME_NEVER;
	c->snd_wnd = c->max_wnd = (uint32_t)t->win << c->snd_shift;
	c->wl1 = off;
	c->wl2 = t->ack.v - c->iss;
	sim_app_open(s, c);
	return true;
}

/* ---- TIME-WAIT, RFC 6191 ---- */

static void time_wait(struct sim *s, struct sim_conn *c, const struct sim_pkt *pkt)
{
	const struct tc_tcp *t = &pkt->tcp;
	bool older = c->ts && t->opt.has_ts && (int32_t)(t->opt.tsval - c->ts_recent) < 0;
	uint32_t off = t->seq.v - c->irs;
	if ((t->flags & (TC_TCP_SYN | TC_TCP_ACK | TC_TCP_RST)) == TC_TCP_SYN) {
		bool newer = c->ts ? t->opt.has_ts && (int32_t)(t->opt.tsval - c->ts_recent) > 0 :
				     (int32_t)(off - c->rcv_nxt) > 0;
		if (newer) {
			sim_target_close(c);
			listen(s, c, pkt);
			return;
		}
	}
	if ((t->flags & TC_TCP_RST) != 0) {
		if (!older && off == c->rcv_nxt) {
			sim_target_close(c);
		}
		return;
	}
	if (off != c->rcv_nxt || pkt->len > 0 || older ||
	    (t->flags & (TC_TCP_SYN | TC_TCP_FIN)) != 0) {
		sim_target_ack(s, c);
	}
}

/* ---- 3.10.7.4, synchronized states ---- */

/* First: sequence number, after PAWS. Signed distances: what lies far behind is as wrong as what lies far ahead. */
static bool acceptable(const struct sim_conn *c, const struct sim_pkt *pkt)
{
	uint8_t flags = pkt->tcp.flags;
	uint32_t from = pkt->tcp.seq.v - c->irs;
	uint32_t len = pkt->len + ((flags & TC_TCP_FIN) != 0) + ((flags & TC_TCP_SYN) != 0);
	int32_t before = (int32_t)(from + len - c->rcv_nxt);
	return before >= 0 && (int32_t)(from - c->edge) <= 0;
}

static void on_rst(struct sim *s, struct sim_conn *c, const struct sim_pkt *pkt)
{
	if (pkt->tcp.seq.v - c->irs == c->rcv_nxt) {
		c->was_rst = true;
		sim_app_on_end(s, c);
		sim_target_close(c);
	} else {
		limited_ack(s, c, pkt);
	}
}

static void measure(struct sim *s, struct sim_conn *c, const struct tc_tcp *t)
{
	if (!c->ts || !t->opt.has_ts || t->opt.tsecr == 0) {
		return;
	}
	tc_time rtt = (tc_time)((uint32_t)(s->q.now / TC_MS) - t->opt.tsecr) * TC_MS;
	if (rtt >= 0 && rtt < 10 * TC_SEC) {
		c->rto = tc_time_max(200 * TC_MS, 3 * rtt);
	}
}

static void on_new_ack(struct sim *s, struct sim_conn *c, const struct tc_tcp *t, uint32_t ack)
{
	c->cwnd = tc_u32_min(c->cwnd + (ack - c->una), 1u << 24);
	c->una = ack;
	c->tries = 0;
	measure(s, c, t);
	c->rto_at = c->una < c->nxt ? s->q.now + c->rto : TC_TIME_NEVER;
	bool fin_acked = c->fin_queued && ack == c->written + 2;
	if (!fin_acked) {
		return;
	}
	switch (c->state) {
	case SIM_FIN_WAIT_1:
		c->state = SIM_FIN_WAIT_2;
		break;
	case SIM_CLOSING:
		c->state = SIM_TIME_WAIT;
		c->wait_at = s->q.now + TIME_WAIT_LIFE;
		break;
	case SIM_LAST_ACK:
		sim_target_close(c);
		break;
	default:
		break;
	}
}

/* Fifth: the ACK field; false when the segment goes no further. */
static bool on_ack(struct sim *s, struct sim_conn *c, const struct sim_pkt *pkt)
{
	const struct tc_tcp *t = &pkt->tcp;
	uint32_t ack = t->ack.v - c->iss;
	if ((t->flags & TC_TCP_ACK) == 0) {
		return false;
	}
	if ((int32_t)(ack - c->nxt) > 0) {
		return false; /* Linux drops the segment with all that it carries */
	}
	if ((int32_t)(ack - c->una) < 0) {
		if ((int32_t)(ack + c->max_wnd - c->una) < 0) {
			limited_ack(s, c, pkt);
			return false;
		}
		return true;
	}
	uint32_t off = t->seq.v - c->irs;
	if ((int32_t)(c->wl1 - off) < 0 || (c->wl1 == off && (int32_t)(c->wl2 - ack) <= 0)) {
		c->snd_wnd = (uint32_t)t->win << c->snd_shift;
		c->max_wnd = tc_u32_max(c->max_wnd, c->snd_wnd);
		c->wl1 = off;
		c->wl2 = ack;
	}
	if (ack != c->una) {
		on_new_ack(s, c, t, ack);
		if (c->state != SIM_CLOSED && c->una < c->recover) {
			c->retransmitted_at = TC_TIME_NEVER; /* the next one is missing too */
		}
	}
	return c->state != SIM_CLOSED && c->state != SIM_TIME_WAIT;
}

/* Eighth: the FIN, which stands at offset @at. */
static void on_fin(struct sim *s, struct sim_conn *c, uint32_t at)
{
	if (c->fin_got) {
		c->ack_at = s->q.now; /* again: its acknowledgement was lost */
		return;
	}
	if (at != c->rcv_nxt) {
		return;
	}
	c->fin_got = true;
	c->fin_in_order = true;
	c->rcv_nxt++;
	c->ack_at = s->q.now;
	switch (c->state) {
	case SIM_ESTABLISHED:
		c->state = SIM_CLOSE_WAIT;
		break;
	case SIM_FIN_WAIT_1:
		c->state = SIM_CLOSING;
		break;
	case SIM_FIN_WAIT_2:
		c->state = SIM_TIME_WAIT;
		c->wait_at = s->q.now + TIME_WAIT_LIFE;
		sim_target_ack(s, c);
		break;
	default:
		break;
	}
}

/* Seventh: the text. */
static void on_data(struct sim *s, struct sim_conn *c, const struct sim_pkt *pkt)
{
	uint32_t from = pkt->tcp.seq.v - c->irs;
	uint32_t to = from + pkt->len;
	if (c->closed && (int32_t)(to - c->rcv_nxt) > 0) {
		sim_target_abort(s, c, SIM_RESET_APP);
		return;
	}
	to = tc_u32_min(to, c->edge);
	bool full = pkt->len >= c->mss;
	if ((int32_t)(from - c->rcv_nxt) > 0) {
		/* a FIN out of order is kept with its data, and has a place in the SACK block */
		bool fin = (pkt->tcp.flags & TC_TCP_FIN) != 0 && to == from + pkt->len;
		if (sim_spans_add(&c->ooo, from, to + fin) && fin) {
			c->fin_at = to;
		}
		sim_target_ack(s, c); /* duplicate ACK with SACK */
		return;
	}
	if ((int32_t)(to - c->rcv_nxt) <= 0) {
		sim_target_ack(s, c); /* nothing new */
		return;
	}
	bool filled = c->ooo.n > 0;
	c->rcv_nxt = sim_spans_end(&c->ooo, to);
	sim_spans_drop(&c->ooo, c->rcv_nxt);
	c->got = c->rcv_nxt - 1;
	if (c->fin_at != 0 && c->rcv_nxt == c->fin_at + 1) {
		c->got--;
		c->rcv_nxt--; /* on_fin() counts it */
		on_fin(s, c, c->fin_at);
	}
	c->acks_owed++;
	if (filled || (full && c->acks_owed >= 2)) {
		c->ack_at = s->q.now;
	} else {
		c->ack_at = tc_time_min(c->ack_at, s->q.now + 40 * TC_MS);
	}
}

static void synchronized(struct sim *s, struct sim_conn *c, const struct sim_pkt *pkt)
{
	const struct tc_tcp *t = &pkt->tcp;
	bool rst = (t->flags & TC_TCP_RST) != 0;
	if (!rst && c->ts && t->opt.has_ts && (int32_t)(t->opt.tsval - c->ts_recent) < 0) {
		limited_ack(s, c, pkt);
		return;
	}
	if ((t->flags & TC_TCP_SYN) != 0) {
		limited_ack(s, c, pkt); /* RFC 5961 4 */
		return;
	}
	if (!acceptable(c, pkt)) {
		if (!rst) {
			limited_ack(s, c, pkt);
		}
		return;
	}
	if (rst) {
		on_rst(s, c, pkt);
		return;
	}
	if (c->ts && t->opt.has_ts && (int32_t)(t->seq.v - c->irs - c->last_ack_sent) <= 0) {
		c->ts_recent = t->opt.tsval;
	}
	c->heard_at = s->q.now;
	c->probes = 0;
	if (!on_ack(s, c, pkt)) {
		return;
	}
	if (pkt->life != c->life) {
		sim_fail(s, "a segment of an earlier incarnation was accepted by the target");
		return;
	}
	if (pkt->len > 0) {
		on_data(s, c, pkt);
	}
	if (c->state != SIM_CLOSED && (t->flags & TC_TCP_FIN) != 0) {
		on_fin(s, c, t->seq.v - c->irs + pkt->len);
	}
	if (c->state != SIM_CLOSED && !s->failed) {
		sim_app_run(s, c);
	}
	if (c->state != SIM_CLOSED && !s->failed) {
		sim_target_output(s, c);
	}
}

void sim_target_on_packet(struct sim *s, const struct sim_pkt *pkt)
{
	struct sim_conn *c = &s->slots[pkt->who].conn;
	if (s->p.target_dead_ms >= 0 && s->q.now >= s->core_from + s->p.target_dead_ms * TC_MS) {
		return;
	}
	c->slot = pkt->who;
	switch (c->state) {
	case SIM_CLOSED:
		listen(s, c, pkt);
		break;
	case SIM_SYN_RECEIVED:
		if (establish(s, c, pkt)) {
			synchronized(s, c, pkt);
		}
		break;
	case SIM_TIME_WAIT:
		time_wait(s, c, pkt);
		break;
	default:
		synchronized(s, c, pkt);
		break;
	}
	sim_target_arm(s, c);
}
