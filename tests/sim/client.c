/* SPDX-License-Identifier: BSD-2-Clause
 * sim/client.c - a client: an application with requests, and as much TCP as the capture can tell from the real thing
 *
 * Sending is NewReno without SACK; what the server sends always arrives, in order, though its acknowledgements may be lost. Packets go
 * into the link to the capture point: what is lost there the capture never sees, and the retransmission is the first copy.
 */
#include "sim/sim.h"

#define CLIENT_RTO_MIN (200 * TC_MS)
#define CLIENT_SYN_RTO TC_SEC
#define CLIENT_SYN_TRIES 4
#define CLIENT_DELAYED_ACK (40 * TC_MS)
#define CLIENT_PROBE_EVERY TC_SEC

/* What takes a client so long in life */
static tc_time slow(const struct sim *s, tc_time t)
{
	return t * s->p.slow_permille / 1000;
}

static unsigned number(const struct sim *s, const struct sim_conv *c)
{
	return (unsigned)(c - s->convs);
}

static uint32_t fin_offset(const struct sim_conv *c)
{
	return 1 + c->limit;
}

static struct tc_tcpopt options(const struct sim *s, uint8_t flags)
{
	struct tc_tcpopt opt = { 0 };
	if ((flags & TC_TCP_SYN) != 0) {
		opt.has_mss = true;
		opt.mss = (uint16_t)s->p.client_mss;
		opt.has_ws = true;
		opt.ws_shift = 7;
		opt.sack_ok = true;
	}
	if (s->p.client_ts != 0) {
		opt.has_ts = true;
		/* not the wall clock, by which copies are known */
		opt.tsval = (uint32_t)(s->q.now / TC_MS) + 0x5a000000;
		opt.tsecr = 1;
	}
	return opt;
}

/* One packet into the network: @len bytes of the stream from offset @off (of sequence space) on. */
static void emit_bytes(struct sim *s, struct sim_conv *c, uint32_t off, uint32_t len, uint8_t flags,
		       bool garbage)
{
	const struct tc_tuple *t = &s->places[c->place].online;
	uint32_t i = sim_pkt_new(s);
	struct sim_pkt *pkt = &s->pkts[i];
	pkt->who = (uint16_t)number(s, c);
	pkt->offset = off - 1;
	pkt->len = len;
	pkt->garbage = garbage;
	pkt->tcp = (struct tc_tcp){
		.src_port = t->client_port,
		.dst_port = t->server_port,
		.seq = tc_seq_of(c->iss + off),
		.ack = tc_seq_of((flags & TC_TCP_ACK) != 0 ? c->irs + c->rcv : 0),
		.flags = flags,
		.win = 512,
		.opt = options(s, flags),
	};
	if ((flags & TC_TCP_SYN) != 0) {
		pkt->tcp.seq = tc_seq_of(c->iss);
		pkt->offset = 0;
	}
	if ((flags & TC_TCP_ACK) != 0) {
		c->rcv_acked = c->rcv;
		c->ack_at = TC_TIME_NEVER;
	}
	c->last_at = s->q.now;
	sim_trace_pkt(s, "client >", number(s, c), &pkt->tcp, len);
	sim_send(s, &s->to_capture, i, SIM_EV_CAPTURE);
}

static void emit(struct sim *s, struct sim_conv *c, uint32_t off, uint32_t len, uint8_t flags)
{
	emit_bytes(s, c, off, len, flags, false);
}

static void arm(struct sim *s, struct sim_conv *c)
{
	tc_time at =
		tc_time_min(tc_time_min(c->rto_at, c->ack_at), tc_time_min(c->app_at, c->probe_at));
	sim_timer_set(&c->timer, &s->q, at, SIM_EV_CLIENT_TIMER, number(s, c));
}

static void done(struct sim *s, struct sim_conv *c)
{
	if (c->step == SIM_CLIENT_DONE) {
		return;
	}
	c->step = SIM_CLIENT_DONE;
	c->done_at = s->q.now;
	c->rto_at = c->app_at = c->probe_at = c->ack_at = TC_TIME_NEVER;
	sim_trace(s, "client %u is done", number(s, c));
	unsigned next = number(s, c) + 1;
	if (next < s->n_convs && s->convs[next].place == c->place &&
	    s->convs[next].pass == c->pass) {
		tc_time gap = sim_rng_range(&c->rng, 0, s->p.reuse_gap_us) * TC_US;
		sim_queue_push(&s->q, s->q.now + gap, SIM_EV_CLIENT_START, next);
	}
}

/* One segment from @off on; a retransmission may have other boundaries than the first copy had. */
static uint32_t segment(struct sim *s, struct sim_conv *c, uint32_t off, bool again)
{
	uint32_t most = (uint32_t)s->p.client_mss;
	if (s->p.super > 1 && !again) {
		most *= (uint32_t)sim_rng_range(&c->rng, 1, s->p.super);
		most = tc_u32_min(most, 65160);
	}
	if (again && sim_rng_permille(&c->rng, s->p.client_overlap)) {
		most = (uint32_t)sim_rng_range(&c->rng, 1, 2 * most);
	}
	uint32_t stop = again ? tc_u32_min(c->high, 1 + c->limit) : 1 + c->limit;
	uint32_t len = off < stop ? tc_u32_min(most, stop - off) : 0;
	uint8_t flags = TC_TCP_ACK;
	bool fin = c->fin && off + len == fin_offset(c);
	if (len > 0 && off + len == 1 + c->limit) {
		flags |= TC_TCP_PSH;
	}
	if (fin) {
		flags |= TC_TCP_FIN;
	}
	if (len == 0 && !fin) {
		return 0;
	}
	emit(s, c, off, len, flags);
	return len + (fin ? 1 : 0);
}

static void output(struct sim *s, struct sim_conv *c)
{
	uint32_t stop = 1 + c->limit + (c->fin ? 1 : 0);
	while (c->nxt < stop && c->nxt - c->una < c->window) {
		uint32_t n = segment(s, c, c->nxt, false);
		c->nxt += n;
		c->high = tc_u32_max(c->high, c->nxt);
	}
	if (c->una < c->nxt && c->rto_at == TC_TIME_NEVER) {
		c->rto_at = s->q.now + c->rto;
	}
}

static void reset(struct sim *s, struct sim_conv *c, bool with_ack)
{
	c->rst = true;
	emit(s, c, c->nxt, 0, with_ack ? TC_TCP_RST | TC_TCP_ACK : TC_TCP_RST);
	done(s, c);
}

static void next_turn(struct sim *s, struct sim_conv *c)
{
	tc_time think = c->turn < c->n_turns ? c->turns[c->turn].think :
					       sim_rng_range(&c->rng, 0, s->p.think_us) * TC_US;
	c->step = c->turn < c->n_turns ? SIM_CLIENT_THINKS : SIM_CLIENT_CLOSES;
	if (c->step == SIM_CLIENT_THINKS && c->turn > 0 && c->turns[c->turn].pipelined) {
		think /= 100;
	}
	if (c->step == SIM_CLIENT_CLOSES &&
	    (c->close == SIM_CLOSE_HALF || c->close == SIM_CLOSE_ABORT)) {
		think = c->close == SIM_CLOSE_HALF ? 0 : c->turns[c->turn - 1].service / 2;
	}
	if (c->step == SIM_CLIENT_CLOSES && c->close == SIM_CLOSE_BOTH) {
		think = sim_rng_range(&c->rng, 0, 2 * TC_MS);
	}
	c->app_at = s->q.now + think;
	if (s->p.probes != 0 && think > CLIENT_PROBE_EVERY) {
		c->probe_at = s->q.now + CLIENT_PROBE_EVERY;
	}
}

/* Has the application heard what it waits for? */
static void application(struct sim *s, struct sim_conv *c)
{
	if (c->step == SIM_CLIENT_GREETING && c->rcv >= 1 + c->greeting) {
		next_turn(s, c);
	}
	if (c->step == SIM_CLIENT_HEARS) {
		const struct sim_turn *last = &c->turns[c->turn - 1];
		bool hasty = c->turn < c->n_turns ?
				     c->turns[c->turn].pipelined :
				     c->close == SIM_CLOSE_HALF || c->close == SIM_CLOSE_ABORT;
		if (hasty || (last->answer_end > 0 && c->rcv >= 1 + last->answer_end)) {
			next_turn(s, c);
		}
	}
}

static void say_request(struct sim *s, struct sim_conv *c)
{
	c->limit = c->turns[c->turn].request_end;
	c->turn++;
	c->step = SIM_CLIENT_HEARS;
	output(s, c);
	application(s, c);
}

static void close_it(struct sim *s, struct sim_conv *c)
{
	switch (c->close) {
	case SIM_CLOSE_RST_ACK:
		c->heard_all = true;
		reset(s, c, true);
		return;
	case SIM_CLOSE_RST:
	case SIM_CLOSE_ABORT:
		reset(s, c, false);
		return;
	case SIM_CLOSE_VANISH:
		done(s, c);
		return;
	case SIM_CLOSE_SERVER:
		if (!c->fin_heard) {
			c->app_at = s->q.now + 5 * TC_MS;
			return;
		}
		break;
	default:
		break;
	}
	c->fin = true;
	c->heard_all = c->close != SIM_CLOSE_HALF;
	c->step = SIM_CLIENT_CLOSED;
	output(s, c);
}

void sim_client_start(struct sim *s, unsigned conv)
{
	struct sim_conv *c = &s->convs[conv];
	for (unsigned i = 0; i < conv; i++) {
		if (s->places[s->convs[i].place].slot == s->places[c->place].slot) {
			s->convs[i].superseded = true;
		}
	}
	c->step = SIM_CLIENT_SYN;
	c->window = 10 * (uint32_t)s->p.client_mss;
	c->rto = slow(s, CLIENT_SYN_RTO);
	c->limit = c->syn_data;
	c->nxt = 1 + c->syn_data;
	c->high = c->nxt;
	c->rto_at = s->q.now + c->rto;
	emit(s, c, 0, c->syn_data, TC_TCP_SYN);
	arm(s, c);
}

static void on_rto(struct sim *s, struct sim_conv *c)
{
	c->rto_at = s->q.now + c->rto;
	c->rto *= 2;
	if (c->step == SIM_CLIENT_SYN) {
		if (++c->tries == CLIENT_SYN_TRIES) {
			done(s, c);
			return;
		}
		/* as Linux does: a SYN whose data was not taken is repeated without */
		c->syn_data = c->tries > 1 ? 0 : c->syn_data;
		emit(s, c, 0, c->syn_data, TC_TCP_SYN);
		return;
	}
	if (c->una >= c->nxt) {
		c->rto_at = TC_TIME_NEVER;
		return;
	}
	c->recover = c->nxt;
	c->dup_acks = 0;
	segment(s, c, c->una, true);
}

static void on_probe(struct sim *s, struct sim_conv *c)
{
	c->probe_at = TC_TIME_NEVER;
	if (c->step != SIM_CLIENT_THINKS && c->step != SIM_CLIENT_CLOSES) {
		return;
	}
	if (c->una == c->nxt && c->nxt > 1) {
		/* an old client's probe carries a byte, of any value, that was acknowledged long ago; it must not fall into a hole of
		 * the capture, where nobody could tell it from the client's own */
		bool byte = s->p.probes == 2 && sim_is_exact(s) && s->p.syn_data == 0;
		emit_bytes(s, c, c->nxt - 1, byte ? 1 : 0, TC_TCP_ACK, true);
	}
	if (c->app_at > s->q.now + CLIENT_PROBE_EVERY && c->app_at != TC_TIME_NEVER) {
		c->probe_at = s->q.now + CLIENT_PROBE_EVERY;
	}
}

void sim_client_on_timer(struct sim *s, unsigned conv)
{
	struct sim_conv *c = &s->convs[conv];
	if (!sim_timer_due(&c->timer, &s->q, SIM_EV_CLIENT_TIMER, conv)) {
		return;
	}
	tc_time now = s->q.now;
	if (c->rto_at <= now) {
		on_rto(s, c);
	}
	if (c->app_at <= now) {
		c->app_at = TC_TIME_NEVER;
		if (c->step == SIM_CLIENT_THINKS) {
			say_request(s, c);
		} else if (c->step == SIM_CLIENT_CLOSES) {
			close_it(s, c);
		}
	}
	if (c->probe_at <= now) {
		on_probe(s, c);
	}
	if (c->ack_at <= now) {
		emit(s, c, c->nxt, 0, TC_TCP_ACK);
	}
	arm(s, c);
}

static void on_ack(struct sim *s, struct sim_conv *c, uint32_t ack)
{
	if (ack > c->una) {
		c->window = tc_u32_min(c->window + (ack - c->una), 262144);
		c->una = ack;
		c->nxt = tc_u32_max(c->nxt, ack);
		c->dup_acks = 0;
		c->rto = slow(s, tc_time_max(CLIENT_RTO_MIN, 3 * s->p.client_rtt_us * TC_US));
		c->rto_at = c->una < c->nxt ? s->q.now + c->rto : TC_TIME_NEVER;
		if (c->una < c->recover) {
			segment(s, c, c->una, true);
		}
	} else if (ack == c->una && c->una < c->nxt && ++c->dup_acks == 3 && c->una >= c->recover) {
		c->recover = c->nxt;
		segment(s, c, c->una, true);
	}
}

static void on_syn_ack(struct sim *s, struct sim_conv *c, const struct sim_pkt *pkt)
{
	uint32_t ack = pkt->tcp.ack.v - c->iss;
	c->rcv = 1;
	c->rcv_acked = 0;
	c->una = ack;
	c->nxt = ack; /* data of the SYN that was not taken is said again */
	c->rto_at = TC_TIME_NEVER;
	c->tries = 0;
	c->rto = slow(s, tc_time_max(CLIENT_RTO_MIN, 3 * s->p.client_rtt_us * TC_US));
	emit(s, c, c->nxt, 0, TC_TCP_ACK);
	c->step = SIM_CLIENT_GREETING;
	application(s, c);
	output(s, c);
}

void sim_client_on_packet(struct sim *s, const struct sim_pkt *pkt)
{
	struct sim_conv *c = &s->convs[pkt->who];
	uint8_t flags = pkt->tcp.flags;
	if (c->step == SIM_CLIENT_WAITS || c->step == SIM_CLIENT_DONE) {
		return;
	}
	if ((flags & TC_TCP_RST) != 0) {
		done(s, c);
		return;
	}
	if ((flags & TC_TCP_SYN) != 0) {
		if (c->step == SIM_CLIENT_SYN) {
			on_syn_ack(s, c, pkt);
		} else {
			emit(s, c, c->nxt, 0, TC_TCP_ACK);
		}
		arm(s, c);
		return;
	}
	on_ack(s, c, pkt->tcp.ack.v - c->iss);
	uint32_t end = pkt->tcp.seq.v - c->irs + pkt->len + ((flags & TC_TCP_FIN) != 0);
	if (end > c->rcv) {
		c->rcv = end;
		c->fin_heard |= (flags & TC_TCP_FIN) != 0;
		if (c->fin_heard && c->close == SIM_CLOSE_FIN_RST && c->fin) {
			reset(s, c, false);
			return;
		}
		/* every second segment at once, as delayed acknowledgements are */
		bool prompt = c->fin_heard || c->rcv - c->rcv_acked > 2000;
		c->ack_at =
			prompt ? s->q.now :
				 s->q.now + slow(s, sim_rng_range(&c->rng, 0, CLIENT_DELAYED_ACK));
	}
	application(s, c);
	output(s, c);
	if (c->ack_at <= s->q.now) {
		emit(s, c, c->nxt, 0, TC_TCP_ACK);
	}
	if (c->fin && c->fin_heard && c->una == fin_offset(c) + 1) {
		done(s, c);
	}
	arm(s, c);
}
