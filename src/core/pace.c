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
 * Bytes are counted from the target's position when the turn's last byte was spoken, so that no error adds up over turns.
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
	return tc_time_clamp(TC_LIMIT_FACTOR * (tc_time)r->answer_us * TC_US, TC_LIMIT_MIN,
			     TC_LIMIT_MAX);
}

/* When the target's answer to the present turn counts as complete. */
static tc_time answered_at(const struct tc_core *c, const struct tc_replica *r, tc_time now,
			   const struct tc_turn *m, bool *ret_limit)
{
	uint32_t expected = (uint32_t)tc_seq_diff(m->ack, r->turn_ack);
	uint32_t got = (uint32_t)tc_seq_diff(r->ep.rcv_nxt, r->ans_base);
	tc_time sent = tc_stamp_past(r->ep.sent_at, now);
	tc_time limit = sent + answer_limit(r);
	*ret_limit = false;
	if (got > 0 && (got >= expected || r->ep.fin_rcvd)) {
		return tc_stamp_past(r->ans_last, now);
	}
	if (r->ep.fin_rcvd) {
		return sent; /* it will not say anything any more */
	}
	if (got > 0) {
		tc_time pause = c->targets[tc_replica_target(c, r)].max_pause;
		tc_time quiet = tc_stamp_past(r->ans_last, now) +
				tc_time_clamp(2 * pause, TC_QUIET_MIN, TC_QUIET_MAX);
		if (quiet <= limit) {
			return quiet;
		}
	}
	*ret_limit = true;
	return limit;
}

tc_time tc_pace_gate(const struct tc_core *c, const struct tc_replica *r, const struct tc_turn *m,
		     tc_time now, bool *ret_limit)
{
	*ret_limit = false;
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
		return answered_at(c, r, now, m, ret_limit) + (tc_time)m->think_us * TC_US;
	case TC_PACE_RESPONSE:
		return r->timed ? m->at : tc_time_max(m->at, answered_at(c, r, now, m, ret_limit));
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

void tc_pace_on_begin(struct tc_core *c, struct tc_replica *r, const struct tc_turn *m,
		      bool by_limit, tc_time now)
{
	r->turn_ack = m->ack;
	bool paced = c->cfg.pace == TC_PACE_RESPONSE || c->cfg.pace == TC_PACE_THINK;
	r->late_us = 0;
	if (tc_stamp_is_set(r->ans_last)) {
		if (r->turns > 0) {
			sample(r,
			       tc_stamp_past(r->ans_last, now) - tc_stamp_past(r->ep.sent_at, now));
		}
	} else if (by_limit && r->turns > 0) {
		r->late_us = (uint32_t)((now - tc_stamp_past(r->ep.sent_at, now)) / TC_US);
	}
	r->limits = by_limit ? r->limits + 1 : 0;
	c->ledger.turns_by_limit += by_limit;
	if (paced && !r->timed && r->limits >= TC_LIMITS_IN_A_ROW) {
		r->timed = true;
		c->ledger.sessions_timed++;
	}
	tc_time lag = now > m->at ? (now - m->at) / TC_US : 0;
	unsigned bucket = 0;
	while (bucket < TC_LAG_BUCKETS - 1 && lag >= (tc_time)1 << bucket) {
		bucket++;
	}
	c->ledger.lag[bucket]++;
	c->ledger.turns++;
	r->turns++;
}

void tc_pace_on_spoken(struct tc_replica *r)
{
	r->ans_base = r->ep.rcv_nxt;
	r->ans_last = TC_STAMP_NEVER;
}

void tc_pace_on_heard(struct tc_core *c, struct tc_replica *r, tc_time now)
{
	struct tc_target *t = &c->targets[tc_replica_target(c, r)];
	if (tc_stamp_is_set(r->ans_last)) {
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
