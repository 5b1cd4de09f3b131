/* SPDX-License-Identifier: BSD-2-Clause
 * core/pace.c - when a turn may begin
 *
 * A turn is spoken as it comes: pace gates its start, not its end. For TC_PACE_RESPONSE a turn is spoken at its capture time, but not before
 * the target has answered the turn before it. Only headers of the answer are known, and the target's may be shorter, longer or
 * chunked otherwise than the online server's, so it counts as complete when
 *   - as many bytes have come as the online server sent (the client's acknowledgement tells exactly how many), or
 *   - it began and was then quiet for twice the largest pause that this target makes inside its answers, or
 *   - a limit has passed: four times the usual answer time of this session. After three limits in a row the target evidently
 *     does not answer (a subscription, a log stream), and time alone paces the rest.
 * Bytes are counted from the target's position when the turn's last byte was spoken, and only those that the target said when it had all of
 * the turn (their acknowledgement tells), so that no error adds up over turns.
 *
 * A real client hears the answer itself; we hear a report of it, later by its way here. In a dialogue without pauses that would add up
 * to a lag without bound. So a turn that is late may run ahead of the report: by a fourth of its lag, but never by more than the
 * round-trip time, so that it does not reach the target before the answer is expected to have left it; and only as long as the
 * target keeps answering, with as many bytes as the online server: so many are expected of the answer that is still on its way.
 */
#include "core/constants.h"
#include "core/state.h"

static tc_time answer_limit(const struct tc_replica *r)
{
	if (r->turns == 0) {
		return TC_GREETING_MAX;
	}
	if (r->answer_us == 0) {
		return TC_LIMIT_MAX;
	}
	tc_time limit = tc_time_max(TC_LIMIT_FACTOR * (tc_time)r->answer_us * TC_US, TC_LIMIT_MIN);
	return tc_time_min(limit << r->limits, TC_LIMIT_MAX);
}

/* Bytes of the answer to the present turn, so far. */
static uint32_t answer_bytes(const struct tc_replica *r)
{
	int32_t n = tc_seq_diff(r->ep.rcv_nxt, r->ans_base);
	return n > 0 ? (uint32_t)n : 0;
}

static uint32_t online_bytes(const struct tc_replica *r, const struct tc_turn *m)
{
	return (uint32_t)tc_seq_diff(m->ack, r->turn_ack);
}

tc_time tc_pace_quiet_at(const struct tc_core *c, const struct tc_replica *r, tc_time now)
{
	if (r->turns == 0) {
		return now; /* nothing was said that could be answered */
	}
	if (answer_bytes(r) == 0) {
		return r->ep.fin_rcvd ? now : TC_TIME_NEVER;
	}
	tc_time pause = c->targets[tc_replica_target(c, r)].max_pause;
	return tc_stamp_past(r->ans_last, now) +
	       tc_time_clamp(2 * pause, TC_QUIET_MIN, TC_QUIET_MAX);
}

/* When the target's answer to the present turn counts as complete. */
static tc_time answered_at(const struct tc_core *c, const struct tc_replica *r,
			   const struct tc_turn *m, tc_time now, enum tc_pace_why *ret_why)
{
	uint32_t got = answer_bytes(r);
	tc_time sent = tc_stamp_past(r->ep.sent_at, now);
	tc_time limit = sent + answer_limit(r);
	*ret_why = TC_PACE_ANSWERED;
	if (got > 0 && (got >= online_bytes(r, m) || r->ep.fin_rcvd)) {
		return tc_stamp_past(r->ans_last, now);
	}
	if (r->ep.fin_rcvd) {
		return sent; /* it will not say anything any more */
	}
	if (got > 0) {
		tc_time quiet = tc_pace_quiet_at(c, r, now);
		if (quiet <= limit) {
			return quiet;
		}
	}
	*ret_why = TC_PACE_LIMIT;
	return limit;
}

/* When the turn may run ahead of the report, as far as is known now; TC_TIME_NEVER: not at all. */
static tc_time ahead_at(const struct tc_core *c, const struct tc_replica *r,
			const struct tc_turn *m, tc_time now)
{
	if (r->turns == 0 || r->answer_us == 0 || r->limits > 0 || r->other_size ||
	    !tc_stamp_is_set(r->ans_last)) {
		return TC_TIME_NEVER;
	}
	tc_time answer = (tc_time)r->answer_us * TC_US;
	/* a sample in a dialogue may have waited for a delayed acknowledgement, one of a handshake has not */
	uint32_t rtt_us = tc_u32_min(r->ep.srtt_us, c->targets[tc_replica_target(c, r)].rtt_us);
	tc_time rtt = (tc_time)rtt_us * TC_US;
	if (now - tc_stamp_past(r->ans_last, now) > TC_AHEAD_PATIENCE * tc_time_max(answer, rtt)) {
		return TC_TIME_NEVER;
	}
	tc_time expected = tc_stamp_past(r->ep.sent_at, now) + answer;
	/* at t the turn is late by t - m->at, so that t = expected - (t - m->at) / 4 */
	tc_time by_lag = expected - (expected - m->at) / (TC_AHEAD_LAG_SHARE + 1);
	return tc_time_max(by_lag, expected - rtt);
}

static tc_time response_at(const struct tc_core *c, const struct tc_replica *r,
			   const struct tc_turn *m, tc_time now, enum tc_pace_why *ret_why)
{
	tc_time at = answered_at(c, r, m, now, ret_why);
	tc_time ahead = at <= now ? TC_TIME_NEVER : ahead_at(c, r, m, now);
	if (ahead < at) {
		*ret_why = TC_PACE_AHEAD;
		at = ahead;
	}
	return tc_time_max(m->at, at);
}

tc_time tc_pace_end_gate(const struct tc_core *c, const struct tc_replica *r,
			 const struct tc_turn *m, tc_time now)
{
	enum tc_pace_why why = TC_PACE_LIMIT;
	if (c->cfg.pace != TC_PACE_RESPONSE && c->cfg.pace != TC_PACE_THINK) {
		return tc_pace_gate(c, r, m, now, &why);
	}
	if (tc_seq_lt(r->ep.snd_una, r->ep.snd_nxt)) {
		return TC_TIME_NEVER; /* what has not arrived was not read; its acknowledgement wakes us */
	}
	bool sure = !r->timed && !r->unsure;
	tc_time at = sure ? answered_at(c, r, m, now, &why) : TC_TIME_NEVER;
	if (why == TC_PACE_ANSWERED && !r->ep.fin_rcvd && answer_bytes(r) > 0 &&
	    answer_bytes(r) < online_bytes(r, m)) {
		at = tc_time_max(at, tc_stamp_past(r->ans_last, now) + TC_QUIET_MAX);
	}
	if (why == TC_PACE_LIMIT && r->turns > 0) {
		tc_time sent = tc_stamp_past(r->ep.sent_at, now);
		tc_time heard = tc_stamp_is_set(r->ans_last) ?
					tc_time_max(sent, tc_stamp_past(r->ans_last, now)) :
					sent;
		at = tc_time_min(heard + TC_END_SILENT, tc_time_max(m->at, sent) + TC_END_PATIENCE);
	}
	return tc_time_max(m->at, at);
}

tc_time tc_pace_gate(const struct tc_core *c, const struct tc_replica *r, const struct tc_turn *m,
		     tc_time now, enum tc_pace_why *ret_why)
{
	*ret_why = TC_PACE_ANSWERED;
	switch (c->cfg.pace) {
	case TC_PACE_ASAP:
		return 0;
	case TC_PACE_RATE:
		return r->turns == 0 ? m->at :
				       tc_stamp_past(r->ep.sent_at, now) +
					       TC_SEC / (c->cfg.rate > 0 ? c->cfg.rate : 1);
	case TC_PACE_THINK:
		if (r->timed) {
			return m->at;
		}
		return answered_at(c, r, m, now, ret_why) + (tc_time)m->think_us * TC_US;
	case TC_PACE_RESPONSE:
		return r->timed ? m->at : response_at(c, r, m, now, ret_why);
	default:
		return m->at;
	}
}

static void sample(struct tc_replica *r, tc_time t)
{
	uint32_t us = (uint32_t)tc_time_clamp(t / TC_US, 1, TC_SEC / TC_US * 60);
	r->answer_us = r->answer_us == 0 ? us : (uint32_t)(((uint64_t)r->answer_us * 7 + us) / 8);
	r->answer_us += r->answer_us == 0;
}

static void note_lag(struct tc_ledger *l, tc_time lag)
{
	unsigned bucket = 0;
	while (bucket < TC_LAG_BUCKETS - 1 && lag / TC_US >= (tc_time)1 << bucket) {
		bucket++;
	}
	l->lag[bucket]++;
}

void tc_pace_on_begin(struct tc_core *c, struct tc_replica *r, const struct tc_turn *m,
		      enum tc_pace_why why, tc_time now)
{
	tc_time sent = tc_stamp_past(r->ep.sent_at, now);
	bool answered = answer_bytes(r) > 0 && answer_bytes(r) >= online_bytes(r, m);
	r->late_us = 0;
	if (answer_bytes(r) > 0) {
		if (r->turns > 0 &&
		    tc_stamp_past(r->ans_last, now) > sent) { /* not said again since */
			sample(r, tc_stamp_past(r->ans_last, now) - sent);
		}
	} else if (why == TC_PACE_LIMIT && r->turns > 0) {
		r->late_us = (uint32_t)((now - sent) / TC_US);
	}
	bool ahead = why == TC_PACE_AHEAD || (why == TC_PACE_LIMIT && !r->other_size);
	r->unsure |= r->timed || (why == TC_PACE_LIMIT && r->other_size);
	c->ledger.turns_ahead += why == TC_PACE_AHEAD;
	if (ahead) {
		/* that answer is still on its way */
		r->ans_base = tc_seq_add(r->ans_base, online_bytes(r, m));
	} else {
		if (answer_bytes(r) > 0) {
			r->other_size = answer_bytes(r) != online_bytes(r, m);
		}
		r->ans_base = r->ep.rcv_nxt;
	}
	if (r->timed && answered) {
		r->timed = false; /* it answers again */
	}
	r->limits = why == TC_PACE_LIMIT ? r->limits + 1 : 0;
	c->ledger.turns_by_limit += why == TC_PACE_LIMIT;
	if (r->limits >= TC_LIMITS_IN_A_ROW && !r->timed) {
		r->timed = true;
		c->ledger.sessions_timed++;
	}
	note_lag(&c->ledger, tc_time_max(now - m->at, 0));
	c->ledger.turns++;
	r->turns = r->turns < UINT16_MAX ? r->turns + 1 : r->turns;
	r->turn_ack = m->ack;
}

void tc_pace_on_spoken(struct tc_replica *r)
{
	r->ans_base = tc_seq_max(r->ans_base, r->ep.rcv_nxt);
}

void tc_pace_on_heard(struct tc_core *c, struct tc_replica *r, uint32_t received, tc_seq ack,
		      tc_time now)
{
	struct tc_target *t = &c->targets[tc_replica_target(c, r)];
	uint32_t got = answer_bytes(r);
	if (tc_seq_lt(ack, r->ep.snd_nxt)) { /* of an earlier turn, whatever its size */
		r->ans_base = tc_seq_max(r->ans_base, r->ep.rcv_nxt);
	}
	if (got > received) { /* it had begun before */
		tc_time pause = now - tc_stamp_past(r->ans_last, now);
		if (pause < TC_QUIET_MAX) {
			t->max_pause = tc_time_max(t->max_pause, pause);
		}
	} else if (r->late_us > 0) {
		sample(r, now - tc_stamp_past(r->ep.sent_at, now) + (tc_time)r->late_us * TC_US);
		r->late_us = 0;
	}
	r->ans_last = tc_stamp_of(now);
}
