/* SPDX-License-Identifier: BSD-2-Clause
 * core/endpoint_send.c - what we say: plan and emit
 *
 * The order of plan(): a reset ends everything; a SYN comes before anything; what is lost goes before what is new; what is new carries the
 * acknowledgement that may be due; a bare acknowledgement is last.
 */
#include "core/constants.h"
#include "core/endpoint.h"
#include "core/recovery.h"

static tc_seq data_end(const struct tc_endpoint *ep)
{
	return ep->fin_sent ? tc_seq_add(ep->snd_nxt, UINT32_MAX) : ep->snd_nxt;
}

/* --- pacing: the window is spread over the round trip, so that a pause of ours is not followed by all of it at line rate --- */

/* Time that @bytes take at the present rate: a window a round trip, and somewhat more so that the window stays what limits. */
static tc_time pace_time(const struct tc_endpoint *ep, uint32_t bytes)
{
	uint32_t percent = ep->cwnd < ep->ssthresh ? TC_PACING_SLOW_START : TC_PACING_AVOIDANCE;
	return (tc_time)((uint64_t)bytes * ep->srtt_us * 100 / ((uint64_t)ep->cwnd * percent)) *
	       TC_US;
}

/* What may go at once: ten segments, or what the rate sends in the time that a batch of reports spans. */
static tc_time pace_burst(const struct tc_endpoint *ep)
{
	return tc_time_max(pace_time(ep, TC_INITIAL_WINDOW_SEGMENTS * (uint32_t)ep->cut),
			   TC_PACING_BATCH);
}

static tc_time pace_ahead(const struct tc_endpoint *ep, tc_time now)
{
	return tc_stamp_is_set(ep->pace_at) ?
		       tc_time_max(tc_stamp_next(ep->pace_at, now) - now, 0) :
		       0;
}

/* How much of @len may go now: whole segments, unless it is all. */
static uint32_t pace(struct tc_endpoint *ep, uint32_t len, tc_time now)
{
	if (ep->srtt_us == 0 || len == 0) {
		return len;
	}
	tc_time free = pace_burst(ep) - pace_ahead(ep, now);
	tc_time all = pace_time(ep, len);
	if (free >= all) {
		return len;
	}
	if (tc_seq_eq(ep->snd_una, ep->snd_nxt)) {
		/* nothing is out whose acknowledgement would go on: an SRTT that was measured in bad times must not hold us back */
		return tc_u32_min(len, TC_INITIAL_WINDOW_SEGMENTS * (uint32_t)ep->cut);
	}
	ep->paced = true;
	if (free <= 0) {
		return 0;
	}
	return (uint32_t)((uint64_t)len * (uint64_t)free / (uint64_t)all) / ep->cut * ep->cut;
}

tc_time tc_endpoint_deadline(const struct tc_endpoint *ep, tc_time now)
{
	tc_time at = tc_stamp_next(ep->rtx_at, now);
	if (ep->paced) {
		tc_time wake = now + pace_ahead(ep, now) - pace_burst(ep) +
			       pace_time(ep, 2 * (uint32_t)ep->cut);
		at = tc_time_min(at, tc_time_max(wake, now + TC_US));
	}
	return at;
}

/* Payload for one super-segment: whole packets as far as there are several. */
static uint32_t whole_packets(const struct tc_endpoint *ep, uint32_t len)
{
	uint32_t most = TC_SEGMENT_BYTES_MAX / ep->cut * ep->cut;
	return tc_u32_min(len, most);
}

/* The retransmission at snd_una is lost too: once more, whatever cwnd says. It is one segment in a round trip. */
static bool plan_again(struct tc_endpoint *ep, struct tc_board *b, const struct tc_supply *supply,
		       struct tc_plan *plan)
{
	struct tc_sack hole;
	tc_seq end = data_end(ep);
	b->again_due = false;
	if (!tc_board_hole(b, ep->snd_una, ep->lost_end, &hole) ||
	    !tc_seq_eq(hole.left, ep->snd_una) || !tc_seq_lt(hole.left, end)) {
		return false;
	}
	uint32_t len =
		tc_u32_min((uint32_t)tc_seq_diff(tc_seq_min(hole.right, end), hole.left), ep->cut);
	*plan = (struct tc_plan){
		.kind = TC_PLAN_RESEND,
		.seq = hole.left,
		.len = len,
		.last = tc_seq_eq(tc_seq_add(hole.left, len), supply->limit),
	};
	return true;
}

static bool plan_resend(struct tc_endpoint *ep, const struct tc_endpoint_env *env,
			const struct tc_supply *supply, tc_time now, struct tc_plan *plan)
{
	const struct tc_board *b = tc_endpoint_board(ep, env);
	struct tc_sack hole = { tc_seq_max(ep->rxt, ep->snd_una), ep->lost_end };
	if (b != NULL ? !tc_board_hole(b, hole.left, hole.right, &hole) :
			!tc_seq_lt(hole.left, hole.right)) {
		ep->rxt = ep->lost_end;
		return false;
	}
	ep->rxt = hole.left; /* what the target reported meanwhile is skipped */
	uint32_t pipe = tc_recovery_pipe(ep, env);
	uint32_t room = ep->cwnd > pipe ? ep->cwnd - pipe : 0;
	if (ep->force_rxt) {
		room = tc_u32_max(room, ep->cut);
	}
	ep->cwnd_limited = (uint32_t)tc_seq_diff(ep->lost_end, hole.left) > room;
	if (room < ep->cut) {
		return false;
	}
	tc_seq end = data_end(ep);
	uint32_t data = tc_seq_lt(hole.left, end) ?
				(uint32_t)tc_seq_diff(tc_seq_min(hole.right, end), hole.left) :
				0;
	uint32_t len = tc_u32_min(data, room / ep->cut * ep->cut);
	/* the segment that a timer or duplicates ask for is not held back: nothing else may be out whose acknowledgement would go on */
	len = ep->force_rxt ? tc_u32_min(len, ep->cut) : whole_packets(ep, pace(ep, len, now));
	if (len == 0 && data > 0) {
		return false;
	}
	bool fin = ep->fin_sent && tc_seq_eq(tc_seq_add(hole.left, len), end) &&
		   tc_seq_lt(end, hole.right);
	*plan = (struct tc_plan){
		.kind = TC_PLAN_RESEND,
		.seq = hole.left,
		.len = len,
		.fin = fin,
		.last = tc_seq_eq(tc_seq_add(hole.left, len), supply->limit),
	};
	return true;
}

/* Bytes of the target's window that are still free. */
static uint32_t usable(const struct tc_endpoint *ep)
{
	uint32_t out = (uint32_t)tc_seq_diff(ep->snd_nxt, ep->snd_una);
	return ep->snd_wnd > out ? ep->snd_wnd - out : 0;
}

/* Nothing may go although something waits, and no answer is owed that would change it: probe after a while. */
static void wait_for_window(struct tc_endpoint *ep, tc_time now)
{
	if (tc_seq_eq(ep->snd_una, ep->snd_nxt) && !tc_stamp_is_set(ep->rtx_at)) {
		tc_time rto = tc_rto(ep);
		ep->rtx_at = tc_stamp_of(
			now + (usable(ep) > 0 ? tc_time_min(rto, TC_SWS_OVERRIDE) : rto));
	}
}

static bool plan_new(struct tc_endpoint *ep, const struct tc_endpoint_env *env,
		     const struct tc_supply *supply, tc_time now, struct tc_plan *plan)
{
	bool may_speak = ep->state == TC_TCP_ESTABLISHED || ep->state == TC_TCP_CLOSE_WAIT;
	if (!may_speak) {
		return false;
	}
	uint32_t waiting = tc_seq_lt(ep->snd_nxt, supply->limit) ?
				   (uint32_t)tc_seq_diff(supply->limit, ep->snd_nxt) :
				   0;
	ep->cwnd_limited &= waiting > 0;
	if (waiting == 0 && !supply->fin) {
		return false;
	}
	if (tc_seq_eq(ep->snd_una, ep->snd_nxt) &&
	    now - tc_stamp_past(ep->sent_at, now) > tc_rto(ep)) {
		/* RFC 5681 4.1: after a pause the path is not known any more */
		ep->cwnd = tc_u32_min(ep->cwnd, TC_INITIAL_WINDOW_SEGMENTS * (uint32_t)ep->cut);
	}
	uint32_t pipe = tc_recovery_pipe(ep, env);
	uint32_t room = ep->cwnd > pipe ? ep->cwnd - pipe : 0;
	uint32_t win = usable(ep);
	uint32_t len = tc_u32_min(waiting, win);
	/* RFC 9293 3.8.6.2.1: no silly small segments into a nearly full window */
	bool silly = len < waiting && len < ep->cut && len < ep->max_wnd / 2;
	if (silly && !(ep->probe_due && len > 0)) {
		if (!ep->probe_due) {
			wait_for_window(ep, now);
		}
		return false;
	}
	ep->cwnd_limited = len > room;
	if (len > room) {
		len = room / ep->cut * ep->cut;
		if (len == 0) {
			return false; /* acknowledgements will make room: something is in the network */
		}
	}
	uint32_t wanted = len;
	len = whole_packets(ep, pace(ep, len, now));
	if (len == 0 && wanted > 0) {
		return false;
	}
	bool all = len == waiting;
	if (len == 0 && !(all && supply->fin)) {
		return false;
	}
	*plan = (struct tc_plan){
		.kind = TC_PLAN_NEW,
		.seq = ep->snd_nxt,
		.len = len,
		.fin = all && supply->fin,
		.last = all,
	};
	return true;
}

void tc_endpoint_plan(struct tc_endpoint *ep, struct tc_endpoint_env *env,
		      const struct tc_supply *supply, tc_time now, struct tc_plan *ret_plan)
{
	*ret_plan = (struct tc_plan){ .kind = TC_PLAN_NONE };
	ep->paced = false;
	if (ep->rst_due) {
		*ret_plan = (struct tc_plan){ .kind = TC_PLAN_RST,
					      .seq = ep->half_open ? ep->rcv_nxt : ep->snd_nxt };
		return;
	}
	if (ep->state == TC_TCP_SYN_SENT) {
		if (ep->syn_due) {
			*ret_plan = (struct tc_plan){ .kind = TC_PLAN_SYN, .seq = ep->iss };
		}
		return;
	}
	if (ep->state == TC_TCP_CLOSED) {
		return;
	}
	struct tc_board *b = tc_endpoint_board(ep, env);
	if (b != NULL && b->again_due && plan_again(ep, b, supply, ret_plan)) {
		return;
	}
	bool resends = tc_seq_lt(ep->rxt, ep->lost_end);
	if (resends && plan_resend(ep, env, supply, now, ret_plan)) {
		return;
	}
	resends = tc_seq_lt(ep->rxt,
			    ep->lost_end); /* it waits for room: nothing new goes before it */
	if (!resends && plan_new(ep, env, supply, now, ret_plan)) {
		return;
	}
	if (ep->probe_due) {
		*ret_plan = (struct tc_plan){ .kind = TC_PLAN_PROBE,
					      .seq = tc_seq_add(ep->snd_una, UINT32_MAX) };
	} else if (ep->ack_due) {
		*ret_plan = (struct tc_plan){ .kind = TC_PLAN_ACK, .seq = ep->snd_nxt };
	}
}

static void emit_syn(struct tc_endpoint *ep, struct tc_endpoint_env *env, tc_time now,
		     struct tc_segment *seg)
{
	bool v4 = tc_ip_is_v4(&seg->src);
	ep->ts_last = tc_endpoint_ts(ep, env, now);
	seg->tcp.flags = TC_TCP_SYN;
	seg->tcp.win = ep->syn_win;
	seg->tcp.opt = (struct tc_tcpopt){
		.has_mss = true,
		.mss = (uint16_t)(TC_MTU_DEFAULT - (v4 ? 40 : 60)),
		.has_ws = true,
		.ws_shift = TC_RCV_WIN_SHIFT,
		.sack_ok = true,
		.has_ts = true,
		.tsval = ep->ts_last,
	};
	if (ep->syns == 0) {
		ep->rtt_at = tc_stamp_of(now);
		ep->owing_at = tc_stamp_of(now);
	} else {
		ep->rtt_at = TC_STAMP_NEVER;
		env->ledger->retransmits++;
	}
	ep->syns = ep->syns < UINT8_MAX ? ep->syns + 1 : ep->syns;
	ep->syn_due = false;
	ep->snd_nxt = tc_seq_add(ep->iss, 1);
	ep->rtx_at = tc_stamp_of(now + tc_rto(ep));
}

/* Books of what takes sequence numbers. */
static void sent(struct tc_endpoint *ep, struct tc_endpoint_env *env, const struct tc_plan *plan,
		 tc_time now)
{
	tc_seq end = tc_seq_add(plan->seq, plan->len + plan->fin);
	if (plan->kind == TC_PLAN_RESEND) {
		env->ledger->retransmits++;
		struct tc_board *b = tc_endpoint_board(ep, env);
		if (b != NULL && tc_seq_eq(plan->seq, ep->snd_una)) {
			b->rxt_nxt = ep->snd_nxt;
		}
		ep->rxt = tc_seq_max(ep->rxt, end);
		ep->force_rxt = false;
		ep->rtt_at = TC_STAMP_NEVER;
	} else {
		if (!tc_stamp_is_set(ep->rtt_at) && ep->backoff == 0) {
			ep->rtt_at = tc_stamp_of(now);
			ep->rtt_seq = end;
		}
		ep->snd_nxt = end;
	}
	ep->sent_at = tc_stamp_of(now);
	if (plan->len > 0 && ep->srtt_us != 0) {
		ep->pace_at = tc_stamp_of(now + pace_ahead(ep, now) + pace_time(ep, plan->len));
	}
	if (!tc_stamp_is_set(ep->owing_at)) {
		ep->owing_at = tc_stamp_of(now);
		ep->heard = false;
	}
	if (plan->fin && !ep->fin_sent) {
		ep->fin_sent = true;
		ep->state = ep->state == TC_TCP_CLOSE_WAIT ? TC_TCP_LAST_ACK : TC_TCP_FIN_WAIT_1;
	}
	if (!tc_stamp_is_set(ep->rtx_at) || plan->kind == TC_PLAN_RESEND) {
		ep->rtx_at = tc_stamp_of(now + tc_rto(ep)); /* RFC 6298 5.1 */
	}
}

void tc_endpoint_emit(struct tc_endpoint *ep, struct tc_endpoint_env *env,
		      const struct tc_plan *plan, tc_time now, struct tc_segment *ret_seg)
{
	struct tc_tcp *tcp = &ret_seg->tcp;
	env->ledger->segments++;
	ret_seg->payload_len = plan->len;
	ret_seg->cut = ep->cut;
	tcp->seq = plan->seq;
	tcp->ack = tc_seq_of(0);
	tcp->urg = 0;
	if (plan->kind == TC_PLAN_SYN) {
		emit_syn(ep, env, now, ret_seg);
		return;
	}
	tcp->opt = (struct tc_tcpopt){ 0 };
	if (plan->kind == TC_PLAN_RST) {
		/* RFC 9293 3.10.7.3: in SYN-SENT at the number that was acknowledged, without an ACK */
		bool synchronized = ep->state != TC_TCP_SYN_SENT;
		tcp->flags = !synchronized ? TC_TCP_RST : TC_TCP_RST | TC_TCP_ACK;
		tcp->ack = synchronized ? ep->rcv_nxt : tc_seq_of(0);
		tcp->win = 0;
		ep->rst_due = false;
		ep->half_open = false;
		env->ledger->resets_sent++;
		return;
	}
	tcp->flags = TC_TCP_ACK;
	tcp->flags |= plan->fin ? TC_TCP_FIN : 0;
	tcp->flags |= plan->len > 0 && plan->last ? TC_TCP_PSH : 0;
	tcp->ack = ep->rcv_nxt;
	tcp->win = TC_RCV_WIN_MAX;
	if (ep->has_ts) {
		ep->ts_last = tc_endpoint_ts(ep, env, now);
		tcp->opt.has_ts = true;
		tcp->opt.tsval = ep->ts_last;
		tcp->opt.tsecr = ep->ts_recent;
	}
	ep->ack_due = false;
	if (plan->kind == TC_PLAN_PROBE) {
		env->ledger->zero_window_probes++;
		ep->probe_due = false;
		ep->rtx_at = tc_stamp_of(now + tc_rto(ep));
	} else if (plan->kind != TC_PLAN_ACK) {
		ep->probe_due = false;
		sent(ep, env, plan, now);
	}
}
