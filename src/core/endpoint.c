/* SPDX-License-Identifier: BSD-2-Clause
 * core/endpoint.c - what the target says: the checks of RFC 9293 3.10.7 in their order
 *
 * Where we leave the RFC, because answers reach us as reports of headers, out of order and possibly with some lost:
 *   - 3.10.7.4 first: we acknowledge the highest byte announced even when reports before it are missing (the payload comes here never, so
 *     nothing is missed), but only inside the window that we advertised;
 *   - a report whose own ack is not in [iss, snd_nxt] is of another connection on this tuple and is not answered at all: acting on
 *     it would make the target discard all that we say;
 *   - a pure acknowledgement from before rcv_nxt is a report that was overtaken, not a probe: it is not acknowledged, unless its
 *     number is rcv_nxt - 1, which is how probes look (RFC 9293 3.8.4).
 */
#include "core/endpoint.h"

#include "core/constants.h"
#include "core/recovery.h"

void tc_endpoint_init(struct tc_endpoint *ep, const struct tc_endpoint_open *open, tc_time now)
{
	*ep = (struct tc_endpoint){
		.iss = open->iss,
		.snd_una = open->iss,
		.snd_nxt = open->iss,
		.ts_last = open->has_ts_floor ? open->ts_floor + 1 : 0,
		.has_ts = open->has_ts_floor, /* until the SYN-ACK says: is ts_last a floor */
		.board = TC_NIL,
		.sent_at = tc_stamp_of(now),
		.cut = open->mss,
		.syn_win = open->syn_win,
		.state = TC_TCP_SYN_SENT,
		.syn_due = true,
	};
	tc_recovery_init(ep);
}

void tc_endpoint_fini(struct tc_endpoint *ep, struct tc_endpoint_env *env)
{
	if (ep->board != TC_NIL) {
		tc_slab_give(env->boards, ep->board);
		ep->board = TC_NIL;
	}
	ep->state = TC_TCP_CLOSED;
	ep->rtx_at = TC_STAMP_NEVER;
}

uint32_t tc_endpoint_ts(const struct tc_endpoint *ep, const struct tc_endpoint_env *env,
			tc_time now)
{
	uint32_t ts = (uint32_t)((now + env->wall_offset) / TC_MS);
	bool has_floor = ep->state != TC_TCP_SYN_SENT || ep->has_ts || ep->syns > 0;
	return has_floor && (int32_t)(ts - ep->ts_last) < 0 ? ep->ts_last : ts;
}

void tc_endpoint_reset(struct tc_endpoint *ep)
{
	ep->rst_due = true;
	ep->half_open = false;
}

void tc_endpoint_set_mss(struct tc_endpoint *ep, uint16_t mss)
{
	uint16_t opts = ep->state != TC_TCP_SYN_SENT && ep->has_ts ? 12 : 0;
	uint16_t cut = (uint16_t)(mss > opts + TC_MSS_MIN ? mss - opts : TC_MSS_MIN);
	if (cut < ep->cut) {
		ep->cut = cut;
	}
}

static uint32_t rcv_wnd(const struct tc_endpoint *ep)
{
	return ep->has_ws ? (uint32_t)TC_RCV_WIN_MAX << TC_RCV_WIN_SHIFT : TC_RCV_WIN_MAX;
}

static void take_options(struct tc_endpoint *ep, const struct tc_answer *ans)
{
	const struct tc_tcpopt *opt = &ans->tcp.opt;
	uint32_t mss = opt->has_mss		 ? opt->mss :
		       tc_ip_is_v4(&ans->client) ? TC_MSS_DEFAULT_V4 :
						   TC_MSS_DEFAULT_V6;
	ep->has_ts = opt->has_ts;
	ep->has_ws = opt->has_ws;
	ep->has_sack = opt->sack_ok;
	ep->snd_wscale = opt->has_ws ? opt->ws_shift : 0;
	ep->ts_recent = opt->tsval;
	mss = tc_u32_min(tc_u32_max(mss, TC_MSS_MIN), ep->cut);
	/* RFC 6691: the MSS does not count options, a segment's bytes do */
	ep->cut = (uint16_t)(mss - (ep->has_ts && mss > 12 + TC_MSS_MIN ? 12 : 0));
}

/* RFC 9293 3.10.7.3 */
static enum tc_drop in_syn_sent(struct tc_endpoint *ep, const struct tc_answer *ans, tc_time now,
				struct tc_news *news)
{
	const struct tc_tcp *tcp = &ans->tcp;
	bool acceptable = (tcp->flags & TC_TCP_ACK) && ep->syns > 0 &&
			  tc_seq_eq(tcp->ack, tc_seq_add(ep->iss, 1));
	if ((tcp->flags & TC_TCP_ACK) && !acceptable) {
		/* First: a half-open leftover on this tuple. Kill it at its own number, and ask again at once. */
		if (!(tcp->flags & TC_TCP_RST) && ep->syns > 0) {
			ep->rst_due = true;
			ep->half_open = true;
			ep->rcv_nxt = tcp->ack;
			ep->syn_due = true;
		}
		return TC_DROP_ANSWER_STALE;
	}
	if (tcp->flags & TC_TCP_RST) { /* second */
		news->refused = acceptable;
		return acceptable ? TC_DROP_NONE : TC_DROP_ANSWER_STALE;
	}
	if (!(tcp->flags & TC_TCP_SYN) ||
	    !acceptable) { /* fourth; a SYN without ACK would be a simultaneous open: not by a server */
		return TC_DROP_ANSWER_STALE;
	}
	if (tc_stamp_is_set(ep->rtt_at)) {
		tc_rtt_sample(ep, now - tc_stamp_past(ep->rtt_at, now));
		ep->rtt_at = TC_STAMP_NEVER;
	}
	ep->rcv_nxt = tc_seq_add(tcp->seq, 1);
	ep->snd_una = tcp->ack;
	ep->snd_wl1 = tcp->seq;
	ep->snd_wnd = tcp->win; /* RFC 7323 2.2: never scaled on a SYN */
	ep->max_wnd = ep->snd_wnd;
	take_options(ep, ans);
	ep->state = TC_TCP_ESTABLISHED;
	ep->backoff = 0;
	ep->syn_due = false;
	ep->ack_due = true;
	ep->rtx_at = TC_STAMP_NEVER;
	ep->owing_at = TC_STAMP_NEVER;
	ep->sent_at = tc_stamp_of(now);
	tc_recovery_init(ep);
	news->established = true;
	return TC_DROP_NONE;
}

static bool note_sack(struct tc_endpoint *ep, struct tc_endpoint_env *env,
		      const struct tc_tcpopt *opt)
{
	bool fresh = false;
	for (unsigned i = 0; ep->has_sack && i < opt->n_sack; i++) {
		struct tc_sack s = opt->sack[i];
		/* a D-SACK (RFC 2883) lies below snd_una: no news */
		if (!tc_seq_lt(s.left, s.right) || tc_seq_lt(ep->snd_nxt, s.right) ||
		    tc_seq_le(s.left, ep->snd_una)) {
			continue;
		}
		struct tc_board *b = tc_endpoint_board(ep, env);
		if (b == NULL) {
			b = tc_endpoint_take_board(ep, env);
			if (b == NULL) {
				return fresh; /* no board left: as without SACK */
			}
		}
		fresh |= tc_board_add(b, s);
	}
	return fresh;
}

static void after_fin_acked(struct tc_endpoint *ep)
{
	switch (ep->state) {
	case TC_TCP_FIN_WAIT_1:
		ep->state = TC_TCP_FIN_WAIT_2;
		break;
	case TC_TCP_CLOSING:
		ep->state = TC_TCP_TIME_WAIT;
		break;
	case TC_TCP_LAST_ACK:
		ep->state = TC_TCP_CLOSED;
		break;
	default:
		break;
	}
}

static void rtt_from_ack(struct tc_endpoint *ep, const struct tc_endpoint_env *env,
			 const struct tc_tcp *tcp, tc_time now)
{
	if (tc_stamp_is_set(ep->rtt_at)) {
		if (tc_seq_le(ep->rtt_seq, tcp->ack)) {
			tc_rtt_sample(ep, now - tc_stamp_past(ep->rtt_at, now));
			ep->rtt_at = TC_STAMP_NEVER;
		}
	} else if (ep->has_ts && tcp->opt.has_ts && tcp->opt.tsecr != 0 && ep->backoff > 0) {
		/* RFC 7323 4.1: what was sent again can be timed too; in milliseconds, so only where nothing finer is there */
		uint32_t ms = tc_endpoint_ts(ep, env, now) - tcp->opt.tsecr;
		if (ms < 60000) {
			tc_rtt_sample(ep, (tc_time)ms * TC_MS);
		}
	}
}

/* 3.10.7.4 fifth: the ACK field. @len: sequence numbers that the answer itself takes */
static void take_ack(struct tc_endpoint *ep, struct tc_endpoint_env *env,
		     const struct tc_answer *ans, uint32_t len, tc_time now, struct tc_news *news)
{
	const struct tc_tcp *tcp = &ans->tcp;
	uint32_t wnd = (uint32_t)tcp->win << ep->snd_wscale;
	bool advances = tc_seq_lt(ep->snd_una, tcp->ack);
	bool window_moved = false;
	/* 3.10.7.4 asks for SND.WL2 too; as in Linux a new ack, or a larger window, tells as much */
	bool current = tc_seq_eq(tcp->ack, ep->snd_una);
	if (advances || (current && (tc_seq_lt(ep->snd_wl1, tcp->seq) ||
				     (tc_seq_eq(ep->snd_wl1, tcp->seq) && ep->snd_wnd < wnd)))) {
		window_moved = wnd != ep->snd_wnd;
		ep->snd_wnd = wnd;
		ep->max_wnd = tc_u32_max(ep->max_wnd, wnd);
		ep->snd_wl1 = tcp->seq;
	}
	if (window_moved && tc_seq_eq(ep->snd_una, ep->snd_nxt)) {
		/* it was the probe's timer; what may be sent is decided anew */
		ep->rtx_at = TC_STAMP_NEVER;
		ep->backoff = 0;
	}
	bool was_outstanding = tc_seq_lt(ep->snd_una, ep->snd_nxt);
	if (advances) {
		uint32_t n = (uint32_t)tc_seq_diff(tcp->ack, ep->snd_una);
		bool fin_acked = ep->fin_sent && tc_seq_eq(tcp->ack, ep->snd_nxt);
		rtt_from_ack(ep, env, tcp, now);
		if (tcp->opt.has_ts) {
			tc_recovery_undo(ep, env, tcp->opt.tsecr);
		}
		ep->snd_una = tcp->ack;
		ep->backoff = 0;
		bool more = tc_seq_lt(ep->snd_una, ep->snd_nxt);
		ep->rtx_at = more ? tc_stamp_of(now + tc_rto(ep)) :
				    TC_STAMP_NEVER; /* RFC 6298 5.2, 5.3 */
		ep->owing_at = more ? tc_stamp_of(now) : TC_STAMP_NEVER;
		news->acked = n - fin_acked;
		tc_recovery_on_ack(ep, env, n);
		if (fin_acked) {
			after_fin_acked(ep);
		}
	}
	bool fresh = note_sack(ep, env, &tcp->opt);
	/* RFC 5681 2, duplicate acknowledgement: no data, no news, something outstanding */
	bool dup = current && was_outstanding && len == 0 && !window_moved &&
		   (fresh || !ep->has_sack || ep->board == TC_NIL);
	if (fresh || dup) {
		tc_recovery_on_dup(ep, env, dup ? 1 + ans->merged : 0);
	}
}

static void take_fin(struct tc_endpoint *ep)
{
	ep->fin_rcvd = true;
	switch (ep->state) {
	case TC_TCP_ESTABLISHED:
		ep->state = TC_TCP_CLOSE_WAIT;
		break;
	case TC_TCP_FIN_WAIT_1:
		ep->state = TC_TCP_CLOSING;
		break;
	case TC_TCP_FIN_WAIT_2:
		ep->state = TC_TCP_TIME_WAIT;
		break;
	default:
		break;
	}
}

/* 3.10.7.4 seventh, eighth: data and FIN, which both are only numbers here */
static void take_data(struct tc_endpoint *ep, const struct tc_answer *ans, uint32_t len,
		      struct tc_news *news)
{
	tc_seq end = tc_seq_add(ans->tcp.seq, len);
	if (len == 0) {
		return;
	}
	ep->ack_due = true;
	if (!tc_seq_lt(ep->rcv_nxt, end) || ep->fin_rcvd) {
		return;
	}
	news->received = (uint32_t)tc_seq_diff(end, ep->rcv_nxt);
	ep->rcv_nxt = end;
	if (ans->tcp.flags & TC_TCP_FIN) {
		take_fin(ep);
	}
}

enum tc_drop tc_endpoint_on_answer(struct tc_endpoint *ep, struct tc_endpoint_env *env,
				   const struct tc_answer *ans, tc_time now,
				   struct tc_news *ret_news)
{
	*ret_news = (struct tc_news){ 0 };
	const struct tc_tcp *tcp = &ans->tcp;
	if (ep->state == TC_TCP_SYN_SENT) {
		return in_syn_sent(ep, ans, now, ret_news);
	}
	if (ep->state == TC_TCP_CLOSED) {
		return TC_DROP_ANSWER_STALE;
	}
	bool has_ack = tcp->flags & TC_TCP_ACK;
	if (has_ack && (tc_seq_lt(tcp->ack, ep->iss) || tc_seq_lt(ep->snd_nxt, tcp->ack))) {
		return TC_DROP_ANSWER_STALE;
	}
	uint32_t len = ans->payload_len + ((tcp->flags & TC_TCP_FIN) != 0);
	int32_t ahead = tc_seq_diff(tcp->seq, ep->rcv_nxt);
	bool beyond = ahead > 0 && (uint32_t)ahead + len > rcv_wnd(ep);

	bool acks_us = has_ack && tc_seq_lt(ep->iss, tcp->ack);
	/* fourth, and RFC 5961 4; first of all here, for a SYN-ACK comes again when our ACK of it was lost */
	if (tcp->flags & TC_TCP_SYN) {
		ep->ack_due = true;
		return ahead < 0 && acks_us ? TC_DROP_NONE : TC_DROP_ANSWER_STALE;
	}
	if (beyond) { /* first: outside of the window */
		return TC_DROP_ANSWER_STALE;
	}
	if (tcp->flags & TC_TCP_RST) { /* second, RFC 5961 3.2 */
		if (ahead == 0) {
			ret_news->reset = true;
			return TC_DROP_NONE;
		}
		ep->ack_due |= ahead > 0;
		return TC_DROP_ANSWER_STALE;
	}
	if (!has_ack) {
		return TC_DROP_ANSWER_STALE;
	}
	ep->heard = true;
	if (ep->has_ts && tcp->opt.has_ts && (int32_t)(tcp->opt.tsval - ep->ts_recent) > 0 &&
	    ahead <= 0) {
		ep->ts_recent = tcp->opt.tsval; /* RFC 7323 4.3 */
	}
	if (len == 0 && ahead == -1) {
		ep->ack_due = true; /* a keep-alive or a window probe */
	}
	take_ack(ep, env, ans, len, now, ret_news);
	take_data(ep, ans, len, ret_news);
	return TC_DROP_NONE;
}

void tc_endpoint_on_deadline(struct tc_endpoint *ep, struct tc_endpoint_env *env, tc_time now)
{
	if (now < tc_stamp_next(ep->rtx_at, now)) {
		return;
	}
	ep->rtx_at = TC_STAMP_NEVER;
	if (ep->state == TC_TCP_SYN_SENT) {
		env->ledger->rtos++;
		tc_endpoint_back_off(ep);
		ep->syn_due = true;
		ep->rtt_at = TC_STAMP_NEVER;
	} else if (tc_seq_lt(ep->snd_una, ep->snd_nxt)) {
		tc_recovery_on_timeout(ep, env, now);
	} else {
		tc_endpoint_back_off(ep);
		ep->probe_due = true; /* RFC 9293 3.8.6.1 */
	}
}
