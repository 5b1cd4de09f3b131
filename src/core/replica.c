/* SPDX-License-Identifier: BSD-2-Clause
 * core/replica.c - one connection to the target: from waiting for its tuple to its end
 *
 * A tuple at the target has one owner. A replica whose tuple is taken waits; the owner gets --overlap to drain, is ended by a reset
 * at exactly snd_nxt, and the next one's SYN follows at once. What a tuple used (core/closed.h) lifts ISN and TSval above it.
 *
 * tc_replica_next() is the only place where a replica speaks or is freed. It asks in this order: may it begin at all; is it over; may a turn
 * begin; what does the endpoint want to send. When nothing is left it arms the one deadline that a replica has.
 */
#include "core/constants.h"
#include "core/state.h"
#include "wire/mark.h"

tc_seq tc_replica_pos(const struct tc_replica *r)
{
	if (r->waiting || r->ep.state == TC_TCP_SYN_SENT) {
		return tc_seq_add(r->base, 1);
	}
	bool fin_acked = r->ep.fin_sent && tc_seq_eq(r->ep.snd_una, r->ep.snd_nxt);
	return tc_seq_add(tc_replica_pos_of(r, r->ep.snd_una), fin_acked ? UINT32_MAX : 0);
}

bool tc_replica_is_whole(const struct tc_session *s, const struct tc_replica *r)
{
	return tc_seq_eq(tc_replica_pos(r), s->stream.far);
}

/* It is whole now, or @was and is no more. */
static void count_whole(struct tc_core *c, struct tc_session *s, bool was, bool is)
{
	s->whole = (uint16_t)(s->whole + is - was);
	c->ledger.live_complete += (uint64_t)is - was;
}

void tc_replica_tuple(const struct tc_core *c, const struct tc_replica *r,
		      struct tc_tuple *ret_tuple)
{
	const struct tc_session *s = tc_session_at(c, r->session);
	const struct tc_map *m = &c->cfg.maps[s->map];
	*ret_tuple = (struct tc_tuple){
		.client = r->alias == TC_NIL ? s->online.client : c->cfg.pool[r->alias],
		.server = m->target,
		.client_port = r->client_port,
		.server_port = tc_map_target_port(m, s->online.server_port),
	};
}

static uint32_t target_hash(const struct tc_core *c, const struct tc_replica *r)
{
	struct tc_tuple own;
	tc_replica_tuple(c, r, &own);
	return tc_core_hash(c, &own);
}

static bool has_tuple(const struct tc_core *c, const struct tc_replica *r,
		      const struct tc_tuple *target)
{
	struct tc_tuple own;
	tc_replica_tuple(c, r, &own);
	return tc_tuple_eq(&own, target);
}

bool tc_replica_has(const struct tc_core *c, const struct tc_tuple *target, uint32_t hash)
{
	for (uint32_t pos = tc_table_find(&c->by_target, hash); pos != TC_NIL;
	     pos = tc_table_again(&c->by_target, hash, pos)) {
		if (has_tuple(c, tc_replica_at(c, tc_table_index(&c->by_target, pos)), target)) {
			return true;
		}
	}
	return false;
}

/* Of the replicas of a tuple one has begun, at most; the others wait for it. */
struct tc_replica *tc_replica_find(const struct tc_core *c, const struct tc_tuple *target,
				   uint32_t hash)
{
	for (uint32_t pos = tc_table_find(&c->by_target, hash); pos != TC_NIL;
	     pos = tc_table_again(&c->by_target, hash, pos)) {
		struct tc_replica *r = tc_replica_at(c, tc_table_index(&c->by_target, pos));
		if (!r->waiting && has_tuple(c, r, target)) {
			return r;
		}
	}
	return NULL;
}

/* The one that has waited longest for the tuple, NULL for none. */
static struct tc_replica *find_waiting(const struct tc_core *c, const struct tc_tuple *target,
				       uint32_t hash, tc_time now)
{
	struct tc_replica *first = NULL;
	for (uint32_t pos = tc_table_find(&c->by_target, hash); pos != TC_NIL;
	     pos = tc_table_again(&c->by_target, hash, pos)) {
		struct tc_replica *r = tc_replica_at(c, tc_table_index(&c->by_target, pos));
		if (r->waiting && r->end == TC_END_NONE && has_tuple(c, r, target) &&
		    (first == NULL ||
		     tc_stamp_past(r->ep.sent_at, now) < tc_stamp_past(first->ep.sent_at, now))) {
			first = r;
		}
	}
	return first;
}

enum tc_end tc_replica_open(struct tc_core *c, struct tc_session *s, uint32_t copy, tc_time now)
{
	uint32_t i = tc_slab_take(&c->replicas);
	if (i == TC_NIL) {
		return TC_END_NO_ROOM;
	}
	struct tc_replica *r = tc_replica_at(c, i);
	*r = (struct tc_replica){
		.ep = { .sent_at = tc_stamp_of(now), .board = TC_NIL },
		.session = tc_session_index(c, s),
		.sibling = s->replicas,
		.base = s->isn,
		.next_turn = TC_NIL,
		.turn_ack = s->base_ack,
		.waiting = true,
	};
	enum tc_end end = !tc_alias_pick(c, s, r, copy, now)			? TC_END_NO_TUPLE :
			  !tc_table_insert(&c->by_target, target_hash(c, r), i) ? TC_END_NO_ROOM :
										  TC_END_NONE;
	if (end != TC_END_NONE) {
		r->session = TC_NIL; /* tc_replica_is_live() */
		tc_slab_give(&c->replicas, i);
		return end;
	}
	tc_wheel_node_init(&c->wheel, i);
	s->replicas = i;
	s->copies++;
	s->live++;
	count_whole(c, s, false, tc_replica_is_whole(s, r));
	c->ledger.opened++;
	c->ledger.live++;
	tc_core_note_session(c, s, r, TC_END_NONE, 0);
	tc_replica_touch(c, r);
	return TC_END_NONE;
}

void tc_replica_touch(struct tc_core *c, struct tc_replica *r)
{
	if (r->ready) {
		return;
	}
	uint32_t i = tc_replica_index(c, r);
	r->ready = true;
	r->ready_next = TC_NIL;
	if (c->ready_tail == TC_NIL) {
		c->ready_head = i;
	} else {
		tc_replica_at(c, c->ready_tail)->ready_next = i;
	}
	c->ready_tail = i;
}

void tc_replica_drain(struct tc_core *c, struct tc_replica *r, enum tc_end end, tc_time now)
{
	if (!tc_stamp_is_set(r->drain_since)) {
		r->drain_since = tc_stamp_of(now);
		r->drain_end = (uint8_t)end;
		tc_replica_touch(c, r);
	}
}

/* --- beginning --- */

/* ISN above, and TSval behind, what the tuple used before. */
static void open_endpoint(struct tc_core *c, struct tc_replica *r, const struct tc_tuple *target,
			  uint32_t hash, tc_time now)
{
	struct tc_closed *before = tc_closeds_find(
		&c->closeds, &target->client, target->client_port, tc_replica_target(c, r), hash);
	uint16_t clock = (uint16_t)((now + c->cfg.wall_offset) / TC_MARK_CLOCK_NS);
	struct tc_mark mark = tc_mark_make(&c->cfg.mark_key, target, clock);
	if (before != NULL && !tc_seq_lt(before->snd_nxt, mark.isn)) {
		mark = tc_mark_make(&c->cfg.mark_key, target,
				    (uint16_t)((before->snd_nxt.v >> 16) + 1));
	}
	struct tc_endpoint_open open = {
		.iss = mark.isn,
		.syn_win = mark.syn_win,
		.mss = c->targets[tc_replica_target(c, r)].mss,
		.has_ts_floor = before != NULL,
		.ts_floor = before != NULL ? before->tsval : 0,
	};
	tc_endpoint_init(&r->ep, &open, now);
	r->waiting = false;
	if (tc_stamp_is_set(r->drain_since)) {
		/* its own client went on meanwhile: still it gets its time */
		r->drain_since = tc_stamp_of(now);
	}
}

/* Begin when the channel is up and the tuple is free. */
static void try_begin(struct tc_core *c, struct tc_replica *r, tc_time now)
{
	if (!c->channel_up) {
		return; /* its coming up wakes us */
	}
	struct tc_tuple target;
	tc_replica_tuple(c, r, &target);
	uint32_t hash = tc_core_hash(c, &target);
	struct tc_replica *owner = tc_replica_find(c, &target, hash);
	if (owner != NULL) {
		if (owner->end == TC_END_NONE) {
			tc_replica_drain(c, owner, TC_END_REUSED, now);
		}
		return; /* its end wakes us */
	}
	if (find_waiting(c, &target, hash, now) != r) {
		return;
	}
	if (!tc_asking_begin(c, r, now)) {
		return; /* its target's first words wake us */
	}
	open_endpoint(c, r, &target, hash, now);
	if (find_waiting(c, &target, hash, now) != NULL) {
		tc_replica_drain(c, r, TC_END_REUSED, now); /* there is a third already */
	}
}

/* --- ending --- */

static void remember(struct tc_core *c, const struct tc_replica *r, const struct tc_tuple *target,
		     uint32_t hash, tc_time now)
{
	if (r->waiting || r->ep.syns == 0) {
		return; /* nothing was sent on this tuple */
	}
	struct tc_closed closed = {
		.client = target->client,
		.client_port = target->client_port,
		.target = tc_replica_target(c, r),
		.snd_nxt = r->ep.snd_nxt,
		.rcv_nxt = r->ep.rcv_nxt,
		.tsval = r->ep.ts_last,
		.ts_recent = r->ep.ts_recent,
		.hash = hash,
		.reset = r->reset_sent,
		.has_ts = r->ep.has_ts && r->ep.state != TC_TCP_SYN_SENT,
	};
	tc_closeds_add(&c->closeds, &closed, now);
}

/*
 * A connection that the target never accepted is not complete, even if its client said nothing; nor is one that the target reset, for nobody
 * knows what it threw away.
 */
static bool is_complete(const struct tc_session *s, const struct tc_replica *r, uint64_t lost)
{
	bool accepted = !r->waiting && r->ep.syns > 0 && r->ep.state != TC_TCP_SYN_SENT;
	bool cut = r->end == TC_END_BUG || r->end == TC_END_TARGET_RST;
	return accepted && lost == 0 && !cut && !tc_stream_has_gap(&s->stream);
}

static void finish(struct tc_core *c, struct tc_replica *r, tc_time now)
{
	struct tc_session *s = tc_session_at(c, r->session);
	uint32_t i = tc_replica_index(c, r);
	enum tc_end end = (enum tc_end)r->end;
	uint64_t lost = (uint32_t)tc_seq_diff(s->stream.far, tc_replica_pos(r));
	c->ledger.held -= lost;
	c->ledger.lost[end] += lost;
	c->ledger.ended[end]++;
	c->ledger.live--;
	count_whole(c, s, tc_replica_is_whole(s, r), false);
	if (is_complete(s, r, lost)) {
		c->ledger.complete++;
		s->complete++;
	}
	s->end = (uint8_t)end;
	tc_core_note_session(c, s, r, end, lost);

	if (r->held_back || (!r->waiting && r->ep.state == TC_TCP_SYN_SENT)) {
		tc_asking_end(c, r, now);
	}
	struct tc_tuple target;
	tc_replica_tuple(c, r, &target);
	uint32_t hash = tc_core_hash(c, &target);
	remember(c, r, &target, hash, now);
	tc_table_remove(&c->by_target, hash, i);
	tc_wheel_arm(&c->wheel, i, TC_TIME_NEVER);
	tc_endpoint_fini(&r->ep, &c->env);
	uint32_t *from = &s->replicas;
	while (*from != i) {
		from = &tc_replica_at(c, *from)->sibling;
	}
	*from = r->sibling;
	s->live--;
	r->session = TC_NIL;
	tc_slab_give(&c->replicas, i);

	struct tc_replica *next = find_waiting(c, &target, hash, now);
	if (next != NULL) {
		tc_replica_touch(c, next);
	}
	tc_session_release(c, s);
}

/* We end it: by a reset where the target knows of it. */
static void reset(struct tc_replica *r, enum tc_end end)
{
	/* its tuple is wanted, but a SYN that was repeated already would have got no answer anyway */
	bool unanswered = !r->waiting && r->ep.state == TC_TCP_SYN_SENT && r->ep.backoff > 0;
	r->end = (uint8_t)(unanswered && end == TC_END_REUSED ? TC_END_NO_SYN_ACK : end);
	if (!r->waiting && r->ep.syns > 0 && r->ep.state != TC_TCP_TIME_WAIT &&
	    r->ep.state != TC_TCP_CLOSED) {
		tc_endpoint_reset(&r->ep);
		r->reset_sent = true;
	}
}

/* Its client has used the tuple again before this one had it: it is next all the same. */
static bool waits_its_turn(const struct tc_replica *r)
{
	return r->waiting && (!tc_stamp_is_set(r->drain_since) || r->drain_end == TC_END_REUSED);
}

/*
 * The target has closed, its client has more to say: a real client would have seen the FIN at its turn's boundary and would have opened
 * a new connection. So we close in order, and go on with the turn that has just begun, on the same tuple.
 */
static void reopen(struct tc_core *c, struct tc_replica *r, tc_time now)
{
	struct tc_tuple target;
	tc_replica_tuple(c, r, &target);
	tc_seq next = tc_replica_pos(r);
	remember(c, r, &target, tc_core_hash(c, &target), now);
	tc_endpoint_fini(&r->ep, &c->env);
	r->ep = (struct tc_endpoint){ .sent_at = tc_stamp_of(now), .board = TC_NIL };
	r->base = tc_seq_add(next, UINT32_MAX);
	r->reopening = false;
	r->unsure = false;
	r->limits = 0;
	r->late_us = 0;
	r->ans_last = TC_STAMP_NEVER;
	r->waiting = true;
	c->ledger.reopened++;
	struct tc_replica *next_owner = find_waiting(c, &target, tc_core_hash(c, &target), now);
	if (next_owner != NULL) {
		tc_replica_touch(c, next_owner);
	}
}

/* Set .end when it is over. @ret_next: when to look again. Return: true when it begins anew */
static bool check_end(struct tc_core *c, const struct tc_session *s, struct tc_replica *r,
		      tc_time now, tc_time *ret_next)
{
	*ret_next = TC_TIME_NEVER;
	if (r->end != TC_END_NONE) {
		return false;
	}
	if (!r->waiting && (r->ep.state == TC_TCP_TIME_WAIT || r->ep.state == TC_TCP_CLOSED)) {
		if (r->reopening && !tc_stamp_is_set(r->drain_since) && !s->detached) {
			reopen(c, r, now);
			return true;
		}
		bool drained = tc_stamp_is_set(r->drain_since);
		r->end = (uint8_t)(!r->reopening ? TC_END_CLOSED :
				   drained	 ? r->drain_end :
						   TC_END_REUSED);
		return false;
	}
	if (s->has_rst && tc_ending_all_said(c, s, r) && !tc_stream_has_gap(&s->stream)) {
		reset(r, TC_END_CLIENT_RST);
		return false;
	}
	enum tc_end cut = tc_session_cut(c, s);
	if (cut != TC_END_NONE && tc_ending_all_said(c, s, r)) {
		tc_replica_drain(c, r, cut, now);
	}
	if (tc_stamp_is_set(r->drain_since) && !waits_its_turn(r)) {
		*ret_next = tc_ending_drained_at(c, s, r, now);
		if (now >= *ret_next || r->waiting) {
			reset(r, (enum tc_end)r->drain_end);
		}
		return false;
	}
	enum tc_end end = tc_ending_overdue(c, s, r, now, ret_next);
	if (end == TC_END_NONE) {
		return false;
	}
	if (end == TC_END_LAG && !r->waiting && c->cfg.overlap > 0) {
		tc_replica_drain(c, r, end, now);
		*ret_next = tc_ending_drained_at(c, s, r, now);
		return false;
	}
	reset(r, end);
	return false;
}

/* --- speaking --- */

/* Begin the turns whose time has come. @ret_next: when the next one may; @ret_supply: what may be spoken now */
static void supply(struct tc_core *c, struct tc_session *s, struct tc_replica *r, tc_time now,
		   struct tc_supply *ret_supply, tc_time *ret_next)
{
	bool hurry = tc_stamp_is_set(r->drain_since) &&
		     (r->drain_end == TC_END_REUSED || r->drain_end == TC_END_STOPPED);
	*ret_next = TC_TIME_NEVER;
	while (r->next_turn != TC_NIL && !r->reopening) {
		const struct tc_turn *m = tc_turn_at(&c->turns, r->next_turn);
		if (tc_seq_lt(r->ep.snd_nxt, tc_replica_seq(r, m->pos)) ||
		    tc_seq_lt(s->stream.end, m->pos)) {
			break; /* the turn before it is still being spoken, or is not complete */
		}
		enum tc_pace_why why = TC_PACE_ANSWERED;
		bool says = tc_seq_lt(m->pos, s->stream.end); /* more than a FIN or an RST */
		tc_time at = hurry ? now :
			     says  ? tc_pace_gate(c, r, m, now, &why) :
				     tc_pace_end_gate(c, r, m, now);
		if (now < at) {
			*ret_next = at;
			break;
		}
		if (says) {
			tc_pace_on_begin(c, r, m, why, now);
		} else {
			r->turn_ack = m->ack;
		}
		r->next_turn = m->next;
		r->reopening = says && r->ep.state == TC_TCP_CLOSE_WAIT &&
			       !tc_stamp_is_set(r->drain_since);
		tc_session_release(c, s);
	}
	if (r->reopening) {
		*ret_supply = (struct tc_supply){ .limit = r->ep.snd_nxt, .fin = true };
		return;
	}
	tc_seq limit = s->stream.end;
	if (r->next_turn != TC_NIL) {
		limit = tc_seq_min(limit, tc_turn_at(&c->turns, r->next_turn)->pos);
	}
	ret_supply->limit = tc_replica_seq(r, limit);
	ret_supply->fin =
		s->has_fin && !s->has_rst && r->next_turn == TC_NIL && tc_seq_eq(limit, s->fin_pos);
}

/* Attach addresses and bytes. False when the bytes are not there, which would be a bug. */
static bool fill(const struct tc_core *c, const struct tc_session *s, const struct tc_replica *r,
		 struct tc_plan *plan, struct tc_segment *seg)
{
	struct tc_tuple t;
	tc_replica_tuple(c, r, &t);
	seg->replica = tc_replica_index(c, r);
	seg->src = t.client;
	seg->dst = t.server;
	seg->tcp.src_port = t.client_port;
	seg->tcp.dst_port = t.server_port;
	seg->n_views = 0;
	if (plan->len == 0) {
		return true;
	}
	uint16_t views = TC_SEGMENT_VIEWS;
	uint32_t n = tc_stream_views(&s->stream, &c->chunks, tc_replica_pos_of(r, plan->seq),
				     plan->len, seg->payload, &views);
	seg->n_views = views;
	if (n < plan->len) {
		plan->len = n;
		plan->fin = false;
		plan->last = false;
	}
	return n > 0;
}

/* A turn that needs no mark: the first of a session whose server does not speak first. */
static void begin_first(struct tc_core *c, const struct tc_session *s, struct tc_replica *r,
			tc_seq pos, tc_time now)
{
	struct tc_turn first = { .pos = pos,
				 .ack = r->turn_ack,
				 .at = tc_stream_time(&s->stream, &c->chunks, pos) };
	tc_pace_on_begin(c, r, &first, TC_PACE_ANSWERED, now);
}

static bool speak(struct tc_core *c, struct tc_session *s, struct tc_replica *r,
		  const struct tc_supply *sup, tc_time now, struct tc_segment *ret_seg)
{
	struct tc_plan plan;
	tc_endpoint_plan(&r->ep, &c->env, sup, now, &plan);
	if (plan.kind == TC_PLAN_NONE) {
		return false;
	}
	if (!fill(c, s, r, &plan, ret_seg)) {
		tc_bug(c);
		reset(r, TC_END_BUG);
		return false;
	}
	if (plan.kind == TC_PLAN_NEW && plan.len > 0 && r->turns == 0) {
		begin_first(c, s, r, tc_replica_pos_of(r, plan.seq), now);
	}
	tc_endpoint_emit(&r->ep, &c->env, &plan, now, ret_seg);
	if (plan.kind == TC_PLAN_NEW && plan.len > 0) {
		tc_pace_on_spoken(r);
	}
	return true;
}

/* -R: what is a reaction to an answer waits until the answer would have reached a client at that distance. */
static void hold_back(const struct tc_core *c, struct tc_replica *r, tc_time now)
{
	tc_time own = (tc_time)r->ep.srtt_us * TC_US;
	if (c->cfg.rtt > own && !tc_stamp_is_set(r->hold_until)) {
		r->hold_until = tc_stamp_of(now + (c->cfg.rtt - own));
	}
}

static bool is_held_back(struct tc_replica *r, tc_time now)
{
	if (tc_stamp_next(r->hold_until, now) <= now) {
		r->hold_until = TC_STAMP_NEVER;
	}
	return tc_stamp_is_set(r->hold_until) && r->end == TC_END_NONE;
}

enum tc_pull tc_replica_next(struct tc_core *c, struct tc_replica *r, struct tc_segment *ret_seg,
			     tc_time now)
{
	struct tc_session *s = tc_session_at(c, r->session);
	tc_time end_at;
	tc_time turn_at = TC_TIME_NEVER;
	if (r->waiting && r->turns > 0 && s->detached && r->end == TC_END_NONE) {
		r->end =
			TC_END_REUSED; /* it was to go on anew, but its client is on the tuple with something newer */
	}
	if (r->end == TC_END_NONE && waits_its_turn(r)) {
		try_begin(c, r, now);
	}
	if (is_held_back(r, now)) {
		tc_wheel_arm(&c->wheel, tc_replica_index(c, r), tc_stamp_next(r->hold_until, now));
		return TC_PULL_NOTHING;
	}
	struct tc_supply sup = { .limit = r->ep.snd_nxt };
	if (!r->waiting && r->end == TC_END_NONE && tc_endpoint_is_open(&r->ep)) {
		supply(c, s, r, now, &sup, &turn_at);
	}
	/* after the turns: the last one to begin may be a reset without bytes */
	if (check_end(c, s, r, now, &end_at)) {
		return TC_PULL_AGAIN;
	}
	if (!r->waiting) {
		tc_endpoint_set_mss(&r->ep, c->targets[tc_replica_target(c, r)].mss);
		bool last_words = r->ep.rst_due || (r->end == TC_END_CLOSED && r->ep.ack_due);
		if ((r->end == TC_END_NONE || last_words) && speak(c, s, r, &sup, now, ret_seg)) {
			return TC_PULL_SEGMENT;
		}
	}
	if (r->end != TC_END_NONE) {
		finish(c, r, now);
		return TC_PULL_GONE;
	}
	tc_time at = tc_time_min(tc_time_min(end_at, turn_at),
				 r->waiting ? TC_TIME_NEVER : tc_endpoint_deadline(&r->ep, now));
	tc_wheel_arm(&c->wheel, tc_replica_index(c, r), at);
	return TC_PULL_NOTHING;
}

void tc_replica_on_deadline(struct tc_core *c, struct tc_replica *r, tc_time now)
{
	if (!r->waiting) {
		uint8_t backoff = r->ep.backoff;
		tc_endpoint_on_deadline(&r->ep, &c->env, now);
		if (r->ep.backoff != backoff) {
			tc_path_on_timeout(c, r);
		}
	}
	tc_replica_touch(c, r);
}

enum tc_drop tc_replica_on_answer(struct tc_core *c, struct tc_replica *r,
				  const struct tc_answer *ans, tc_time now)
{
	struct tc_news news;
	struct tc_session *s = tc_session_at(c, r->session);
	if (r->end != TC_END_NONE) {
		return TC_DROP_ANSWER_STALE;
	}
	uint8_t backoff = r->ep.backoff;
	bool asked = r->ep.state == TC_TCP_SYN_SENT;
	bool was_whole = tc_replica_is_whole(s, r);
	enum tc_drop drop = tc_endpoint_on_answer(&r->ep, &c->env, ans, now, &news);
	count_whole(c, s, was_whole, tc_replica_is_whole(s, r));
	tc_asking_heard(c, r, now);
	if (asked && r->ep.state != TC_TCP_SYN_SENT) {
		tc_asking_end(c, r, now);
	}
	if (news.established) {
		r->ans_base = r->ep.rcv_nxt;
		tc_path_on_handshake(c, r);
	}
	if (news.acked > 0) {
		c->ledger.held -= news.acked;
		c->ledger.delivered += news.acked;
		tc_path_on_acked(c, r, backoff, news.acked);
	}
	if (news.received > 0) {
		tc_pace_on_heard(c, r, news.received, ans->tcp.ack, now);
	}
	if (r->ep.ack_due) {
		hold_back(c, r, now);
	}
	if (news.refused || news.reset) {
		r->end = news.refused ? TC_END_REFUSED : TC_END_TARGET_RST;
	}
	tc_replica_touch(c, r);
	if (news.acked > 0) {
		tc_session_release(c, s);
	}
	return drop;
}
