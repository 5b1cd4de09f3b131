/* SPDX-License-Identifier: BSD-2-Clause
 * core/recovery.c - see the picture in core/endpoint.h
 */
#include "core/recovery.h"

#include "core/constants.h"

#include <string.h>

static uint32_t initial_window(const struct tc_endpoint *ep)
{
	return TC_INITIAL_WINDOW_SEGMENTS * (uint32_t)ep->cut;
}

void tc_recovery_init(struct tc_endpoint *ep)
{
	ep->cwnd = initial_window(ep);
	ep->ssthresh = TC_CWND_MAX;
	ep->recover = ep->iss;
	ep->rxt = ep->snd_una;
	ep->lost_end = ep->snd_una;
}

void tc_rtt_sample(struct tc_endpoint *ep, tc_time rtt)
{
	int64_t us = rtt / TC_US;
	us = us < 1 ? 1 : us > 60000000 ? 60000000 : us;
	uint32_t r = (uint32_t)us;
	if (ep->srtt_us == 0) {
		ep->srtt_us = r;
		ep->rttvar_us = r / 2;
		return;
	}
	uint32_t diff = r > ep->srtt_us ? r - ep->srtt_us : ep->srtt_us - r;
	ep->rttvar_us = (uint32_t)(((uint64_t)ep->rttvar_us * 3 + diff) / 4);
	ep->srtt_us = (uint32_t)(((uint64_t)ep->srtt_us * 7 + r) / 8);
	ep->srtt_us += ep->srtt_us == 0;
}

tc_time tc_rto(const struct tc_endpoint *ep)
{
	tc_time rto = TC_RTO_INITIAL;
	if (ep->srtt_us != 0) {
		rto = (tc_time)ep->srtt_us * TC_US + 4 * (tc_time)ep->rttvar_us * TC_US;
		rto = tc_time_max(rto, TC_RTO_MIN);
	}
	return tc_time_min(rto << (ep->backoff > 8 ? 8 : ep->backoff), TC_RTO_MAX);
}

struct tc_board *tc_endpoint_take_board(struct tc_endpoint *ep, const struct tc_endpoint_env *env)
{
	if (ep->board == TC_NIL) {
		ep->board = tc_slab_take(env->boards);
		if (ep->board == TC_NIL) {
			return NULL;
		}
		struct tc_board *b = tc_endpoint_board(ep, env);
		*b = (struct tc_board){ .rxt_nxt = ep->snd_nxt };
	}
	return tc_endpoint_board(ep, env);
}

static uint32_t missing(const struct tc_board *b, tc_seq from, tc_seq to)
{
	if (b != NULL) {
		return tc_board_missing(b, from, to);
	}
	return tc_seq_lt(from, to) ? (uint32_t)tc_seq_diff(to, from) : 0;
}

uint32_t tc_recovery_pipe(const struct tc_endpoint *ep, const struct tc_endpoint_env *env)
{
	const struct tc_board *b = tc_endpoint_board(ep, env);
	uint32_t out = missing(b, ep->snd_una, ep->snd_nxt);
	uint32_t lost = missing(b, tc_seq_max(ep->rxt, ep->snd_una), ep->lost_end);
	return out > lost ? out - lost : 0;
}

static void grow(struct tc_endpoint *ep, uint32_t acked)
{
	if (!ep->cwnd_limited) {
		return; /* the window was not what held us back: it proves nothing (RFC 7661 4.4.1) */
	}
	uint32_t add;
	if (ep->cwnd < ep->ssthresh) {
		add = tc_u32_min(acked, 2 * (uint32_t)ep->cut);
	} else {
		uint32_t part = tc_u32_min(acked, ep->cwnd);
		add = tc_u32_max(1, (uint32_t)((uint64_t)ep->cut * part * TC_AVOIDANCE_PERCENT /
					       100 / ep->cwnd));
	}
	ep->cwnd = tc_u32_min(ep->cwnd + add, TC_CWND_MAX);
}

/* The first segment that is not acknowledged is lost; without SACK that is all that is known (RFC 6582 3.2). */
static void lose_first(struct tc_endpoint *ep)
{
	ep->rxt = ep->snd_una;
	ep->lost_end = tc_seq_min(tc_seq_add(ep->snd_una, ep->cut), ep->snd_nxt);
	ep->force_rxt = true;
}

void tc_recovery_on_ack(struct tc_endpoint *ep, struct tc_endpoint_env *env, uint32_t acked)
{
	struct tc_board *b = tc_endpoint_board(ep, env);
	if (b != NULL) {
		tc_board_acked(b, ep->snd_una);
		if (b->n == 0) {
			tc_slab_give(env->boards, ep->board);
			ep->board = TC_NIL;
		} else {
			b->rxt_nxt = ep->snd_nxt;
			b->again_due = false;
		}
	}
	ep->rxt = tc_seq_max(ep->rxt, ep->snd_una);
	ep->lost_end = tc_seq_max(ep->lost_end, ep->snd_una);
	ep->dup_acks = 0;
	if (!ep->in_recovery) {
		grow(ep, acked);
		return;
	}
	if (tc_seq_le(ep->recover, ep->snd_una)) {
		ep->in_recovery = false;
		ep->cwnd = tc_u32_max(ep->ssthresh, 2 * (uint32_t)ep->cut);
	} else if (!ep->has_sack) {
		/* a partial acknowledgement: the next hole; deflate by what left the network */
		ep->cwnd -= tc_u32_min(acked, ep->cwnd - ep->cut);
		ep->cwnd += ep->cut;
		lose_first(ep);
	}
}

/* RFC 6675 4, IsLost(snd_una): enough was reported above the first missing byte. */
static bool sack_says_lost(const struct tc_endpoint *ep, const struct tc_board *b)
{
	return b != NULL &&
	       (b->n >= TC_DUP_ACKS || b->bytes > (TC_DUP_ACKS - 1) * (uint32_t)ep->cut);
}

/*
 * Of all that was sent and is not acknowledged, reported or not (RFC 5681 (4)). Where slow start overshot half of it, RFC 9438 4.6: it sent
 * twice what the path holds.
 */
static uint32_t reduced_flight(const struct tc_endpoint *ep)
{
	uint32_t flight = (uint32_t)tc_seq_diff(ep->snd_nxt, ep->snd_una);
	uint64_t percent = ep->cwnd < ep->ssthresh ? 50 : TC_REDUCED_PERCENT;
	return tc_u32_max((uint32_t)(flight * percent / 100), 2 * (uint32_t)ep->cut);
}

void tc_recovery_on_dup(struct tc_endpoint *ep, struct tc_endpoint_env *env, unsigned n)
{
	struct tc_board *b = tc_endpoint_board(ep, env);
	ep->dup_acks = (uint8_t)tc_u32_min(ep->dup_acks + n, 255);
	/* Something that was sent well after the retransmission has arrived, and the retransmission has not: it is lost too. */
	if (b != NULL && tc_seq_lt(ep->snd_una, ep->recover) && tc_seq_lt(ep->snd_una, ep->rxt) &&
	    tc_seq_diff(tc_board_top(b, ep->snd_una), b->rxt_nxt) > 2 * (int32_t)ep->cut) {
		b->again_due = true;
		b->rxt_nxt = ep->snd_nxt;
	}
	if (ep->in_recovery) {
		if (ep->has_sack) {
			ep->lost_end = tc_seq_max(
				ep->lost_end, tc_board_top(b != NULL ? b : &(struct tc_board){ 0 },
							   ep->lost_end));
		} else {
			ep->cwnd = tc_u32_min(ep->cwnd + n * ep->cut, TC_CWND_MAX);
		}
		return;
	}
	bool lost = sack_says_lost(ep, b) || ep->dup_acks >= TC_DUP_ACKS;
	/* RFC 6582 3.2 step 2: duplicates of what a timeout resent are no new loss */
	if (!lost || !tc_seq_lt(ep->recover, tc_seq_add(ep->snd_una, 1)) ||
	    tc_seq_lt(ep->rxt, ep->lost_end)) {
		return;
	}
	env->ledger->fast_retransmits++;
	ep->ssthresh = reduced_flight(ep);
	ep->cwnd = ep->ssthresh + (ep->has_sack ? 0 : TC_DUP_ACKS * (uint32_t)ep->cut);
	ep->recover = ep->snd_nxt;
	ep->in_recovery = true;
	lose_first(ep);
	if (b != NULL) {
		ep->lost_end = tc_seq_max(ep->lost_end, tc_board_top(b, ep->lost_end));
	}
}

void tc_recovery_undo(struct tc_endpoint *ep, const struct tc_endpoint_env *env, uint32_t tsecr)
{
	struct tc_board *b = tc_endpoint_board(ep, env);
	if (b == NULL || !b->undo) {
		return;
	}
	b->undo = false;
	if ((int32_t)(tsecr - b->undo_ts) < 0) {
		ep->cwnd = b->undo_cwnd;
		ep->ssthresh = b->undo_ssthresh;
		ep->rxt = ep->lost_end;
		ep->recover = ep->snd_una;
		ep->force_rxt = false;
	}
}

void tc_recovery_on_timeout(struct tc_endpoint *ep, struct tc_endpoint_env *env, tc_time now)
{
	/* boards are for SACK first: a stall of the target asks for as many as there are connections */
	bool spare = tc_slab_left(env->boards) > env->boards->capacity / 2;
	struct tc_board *b = ep->has_ts && (spare || ep->board != TC_NIL) ?
				     tc_endpoint_take_board(ep, env) :
				     NULL;
	env->ledger->rtos++;
	if (ep->backoff == 0) {
		if (b != NULL) {
			b->undo = true;
			b->undo_ts = tc_endpoint_ts(ep, env, now);
			b->undo_cwnd = ep->cwnd;
			b->undo_ssthresh = ep->ssthresh;
		}
		ep->ssthresh = reduced_flight(ep);
	}
	tc_endpoint_back_off(ep);
	ep->cwnd = ep->cut;
	ep->recover = ep->snd_nxt;
	ep->in_recovery = false;
	ep->dup_acks = 0;
	ep->rxt = ep->snd_una;
	ep->lost_end = ep->snd_nxt;
	ep->force_rxt = true;
	ep->rtt_at = TC_STAMP_NEVER; /* Karn: what is sent again is not timed */
}
