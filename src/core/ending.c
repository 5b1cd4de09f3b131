/* SPDX-License-Identifier: BSD-2-Clause
 * core/ending.c - is a copy over, and why
 *
 * Questions only; what follows from the answers is done in core/replica.c. A copy that is not closed by its client or its target ends because
 * one of them owes something for too long, or because we want it to end: then it has time to drain.
 */
#include "core/constants.h"
#include "core/state.h"

enum tc_end tc_ending_overdue(const struct tc_core *c, const struct tc_session *s,
			      const struct tc_replica *r, tc_time now, tc_time *ret_next)
{
	bool asked = !r->waiting;
	tc_time owing = tc_stamp_is_set(r->ep.owing_at) ?
				tc_stamp_past(r->ep.owing_at, now) + c->cfg.keepalive :
				TC_TIME_NEVER;
	tc_time behind = TC_TIME_NEVER;
	tc_seq next = asked && r->ep.state != TC_TCP_SYN_SENT ?
			      tc_replica_pos_of(r, r->ep.snd_nxt) :
			      tc_seq_add(r->base, 1);
	if (tc_seq_lt(next, s->stream.end)) {
		behind = tc_stream_time(&s->stream, &c->chunks, next);
	} else if (r->waiting) {
		behind = tc_stamp_past(r->ep.sent_at, now);
	}
	bool endless = behind == TC_TIME_NEVER || c->cfg.max_lag == TC_TIME_NEVER;
	behind = endless ? TC_TIME_NEVER : behind + c->cfg.max_lag;
	tc_time quiet = TC_TIME_NEVER;
	if (r->ep.state == TC_TCP_FIN_WAIT_2) {
		quiet = tc_time_max(tc_stamp_past(r->ep.sent_at, now),
				    tc_stopwatch_when(&c->clients, s->last_at));
		quiet = tc_stamp_is_set(r->ans_last) ?
				tc_time_max(quiet, tc_stamp_past(r->ans_last, now)) :
				quiet;
		quiet += c->ended ? TC_FIN_WAIT_2_END : TC_FIN_WAIT_2_MAX;
	}
	*ret_next = tc_time_min(tc_time_min(owing, behind), quiet);
	if (now < *ret_next) {
		return TC_END_NONE;
	}
	if (!c->channel_up) {
		return TC_END_NO_ANSWERS;
	}
	if (r->held_back || (asked && r->ep.state == TC_TCP_SYN_SENT && r->ep.syns > 0)) {
		return TC_END_NO_SYN_ACK;
	}
	if (now >= quiet) {
		return TC_END_TARGET_QUIET;
	}
	return now >= owing && !r->ep.heard ? TC_END_NO_ACK : TC_END_LAG;
}

bool tc_ending_all_said(const struct tc_core *c, const struct tc_session *s,
			const struct tc_replica *r)
{
	bool begun = r->next_turn == TC_NIL ||
		     (tc_stream_has_gap(&s->stream) &&
		      tc_seq_le(s->stream.end, tc_turn_at(&c->turns, r->next_turn)->pos));
	return tc_endpoint_is_open(&r->ep) && begun &&
	       tc_seq_le(tc_replica_seq(r, s->stream.end), r->ep.snd_una) &&
	       tc_seq_eq(r->ep.snd_una, r->ep.snd_nxt);
}

/*
 * When a replica that we end may be reset: after --overlap where somebody waits for its tuple, its memory, or has waited for it too long.
 * Otherwise what was said is to be answered first: a reset makes the target throw away what it has not read yet, though it has
 * acknowledged it.
 */
tc_time tc_ending_drained_at(const struct tc_core *c, const struct tc_session *s,
			     const struct tc_replica *r, tc_time now)
{
	tc_time since = tc_stamp_past(r->drain_since, now);
	if (r->drain_end == TC_END_SHED) {
		return since; /* each turn that it still took would cost those that are kept */
	}
	bool patient = r->drain_end == TC_END_HOLE || r->drain_end == TC_END_IDLE ||
		       r->drain_end == TC_END_CAPTURE_END || r->drain_end == TC_END_STOPPED;
	if (!patient || !tc_endpoint_is_open(&r->ep)) {
		return since + c->cfg.overlap;
	}
	tc_time at = since + tc_time_max(c->cfg.overlap, TC_DRAIN_MAX);
	if (tc_ending_all_said(c, s, r)) {
		at = tc_time_min(at, tc_pace_quiet_at(c, r, now));
	}
	return tc_time_max(at, since + c->cfg.overlap);
}
