/* SPDX-License-Identifier: BSD-2-Clause
 * core/session.c - what one client said: its packets become bytes, turns, an end
 *
 * A hole is lost by the capture when new bytes beyond it keep coming for longer than any client would leave a loss unmended; sooner when
 * the ring itself reported a loss; and when the client has gone silent with bytes missing. Until then a gap is an honest loss on the
 * client's path, whose retransmission will come. A hole ends the session: what was before it is spoken, the rest is counted.
 *
 * How patient we are with a client is told by its own clock: it stands still while a file is not read on, and a file that is read more
 * slowly than it was recorded takes as much longer.
 *
 * When the copy ends before its client does the session stays as a ghost, so that what the client still says is counted as lost. What
 * another tcpcopy said is a ghost from the beginning, and none of it is in the books of bytes.
 */
#include "core/constants.h"
#include "core/state.h"
#include "wire/mark.h"

/* A turn may have begun. Replicas whose next one stands look again only when marks have moved: one walk a packet would be dear. */
static void add_turn(struct tc_core *c, struct tc_session *s, const struct tc_turn *turn,
		     uint32_t len, tc_seq far)
{
	bool moved = tc_turns_add(&s->turns, &c->turns, turn, len, far);
	for (uint32_t i = s->replicas; i != TC_NIL; i = tc_replica_at(c, i)->sibling) {
		struct tc_replica *r = tc_replica_at(c, i);
		if (moved) {
			r->next_turn = tc_turns_after(&s->turns, &c->turns, r->turn_ack);
		} else if (r->next_turn == TC_NIL && s->turns.tail != TC_NIL &&
			   tc_seq_lt(r->turn_ack, tc_turn_at(&c->turns, s->turns.tail)->ack)) {
			r->next_turn = s->turns.tail;
		}
	}
}

static void touch_replicas(struct tc_core *c, struct tc_session *s)
{
	for (uint32_t i = s->replicas; i != TC_NIL; i = tc_replica_at(c, i)->sibling) {
		tc_replica_touch(c, tc_replica_at(c, i));
	}
}

static void free_session(struct tc_core *c, struct tc_session *s)
{
	uint32_t i = tc_session_index(c, s);
	c->joining -= s->joining;
	if (!s->detached) {
		tc_table_remove(&c->by_online, s->hash, i);
	}
	tc_wheel_arm(&c->wheel, c->cfg.replicas + i, TC_TIME_NEVER);
	tc_slab_give(&c->sessions, i);
}

/* When the missing bytes are given up without any further packet. */
static tc_time gap_deadline(const struct tc_core *c, const struct tc_session *s)
{
	tc_time silent =
		s->last_at + tc_clients_patience(c, s->has_rst ? TC_HOLE_RESET : TC_HOLE_SILENT);
	if (c->loss_at < s->gap_at - TC_HOLE_RING_MIN) {
		return silent;
	}
	tc_time rtts = TC_HOLE_RING_RTTS * (tc_time)s->rtt_us * TC_US;
	return tc_time_min(silent, tc_time_max(c->loss_at, s->gap_at) +
					   tc_time_max(rtts, TC_HOLE_RING_MIN));
}

static tc_time ghost_idle(const struct tc_core *c, const struct tc_session *s)
{
	return tc_clients_patience(c, s->leaving ? TC_LEAVING : TC_GHOST_IDLE);
}

static void arm(struct tc_core *c, struct tc_session *s)
{
	tc_time at = c->cfg.idle == TC_TIME_NEVER ? TC_TIME_NEVER : s->last_at + c->cfg.idle;
	if (s->replicas == TC_NIL) {
		at = s->last_at + ghost_idle(c, s);
	} else if (s->gap_at != TC_TIME_NEVER) {
		at = tc_time_min(at, gap_deadline(c, s));
	}
	tc_wheel_arm(&c->wheel, c->cfg.replicas + tc_session_index(c, s),
		     tc_stopwatch_when(&c->clients, at)); /* while the clock stands this is early */
}

/* New bytes were seen: they are to be copied, or they are lost already. */
static void count_bytes(struct tc_core *c, struct tc_session *s, uint32_t n)
{
	uint32_t ended = (uint32_t)s->copies - s->live;
	c->ledger.to_copy += (uint64_t)n * s->copies;
	c->ledger.held += (uint64_t)n * s->live;
	c->ledger.lost[s->end] += (uint64_t)n * ended;
	if (n > 0) {
		c->ledger.live_complete -= s->whole;
		c->ledger.complete -= s->complete;
		s->whole = 0;
		s->complete = 0;
	}
}

/*
 * Whole sessions only: when one copy cannot be there none is, and all are counted. The session stays as a ghost then, so that its
 * bytes are counted too.
 */
static bool open_replicas(struct tc_core *c, struct tc_session *s, tc_time now)
{
	enum tc_end end = tc_admit_session(c, now) ? TC_END_NONE : TC_END_SHED;
	for (uint32_t copy = 0; copy < c->cfg.copies && end == TC_END_NONE; copy++) {
		end = tc_replica_open(c, s, copy, now);
	}
	if (end == TC_END_NONE) {
		return true;
	}
	for (uint32_t i = s->replicas; i != TC_NIL; i = tc_replica_at(c, i)->sibling) {
		tc_replica_at(c, i)->end = (uint8_t)end;
	}
	uint32_t missing = c->cfg.copies - s->copies;
	c->ledger.opened += missing;
	c->ledger.ended[end] += missing;
	s->copies = (uint16_t)c->cfg.copies;
	s->end = (uint8_t)end;
	return false;
}

/* Wait for a turn of this client to begin its copy at. */
static void begin_joining(struct tc_core *c, struct tc_session *s, bool heard)
{
	s->joining = true;
	s->heard = heard;
	c->joining++;
}

/*
 * When may a session whose copy has ended be copied again, from its client's next turn on? A client of the target itself would connect again: at
 * once after a reset, and after a while where nobody accepts, until it is back. TC_TIME_NEVER: not at all.
 */
static tc_time goes_on_at(const struct tc_core *c, const struct tc_session *s)
{
	switch (s->end) {
	case TC_END_HOLE:
		return c->cfg.hole_resume ? s->last_at : TC_TIME_NEVER;
	case TC_END_TARGET_RST:
		return s->last_at;
	case TC_END_REFUSED:
	case TC_END_NO_SYN_ACK:
	case TC_END_NO_ACK:
		return s->last_at + TC_RETRY;
	default:
		return TC_TIME_NEVER;
	}
}

void tc_session_release(struct tc_core *c, struct tc_session *s)
{
	if (s->replicas == TC_NIL) {
		tc_stream_fini(&s->stream, &c->chunks);
		tc_turns_fini(&s->turns, &c->turns);
		if (tc_session_is_over(s) || c->ended) {
			free_session(c, s);
		} else {
			s->stream.end = s->stream.far;
			s->gap_at = goes_on_at(c, s);
			s->base_ack = s->turns.ack;
			if (s->gap_at != TC_TIME_NEVER) {
				begin_joining(c, s, false);
			}
			arm(c, s);
		}
		return;
	}
	tc_seq pos = s->stream.far;
	tc_seq ack =
		s->turns.tail == TC_NIL ? s->turns.ack : tc_turn_at(&c->turns, s->turns.tail)->ack;
	for (uint32_t i = s->replicas; i != TC_NIL; i = tc_replica_at(c, i)->sibling) {
		const struct tc_replica *r = tc_replica_at(c, i);
		pos = tc_seq_min(pos, tc_replica_pos(r));
		ack = tc_seq_min(ack, r->turn_ack);
	}
	tc_stream_release(&s->stream, &c->chunks, pos);
	while (s->turns.head != TC_NIL &&
	       tc_seq_le(tc_turn_at(&c->turns, s->turns.head)->ack, ack)) {
		tc_turns_drop_head(&s->turns, &c->turns);
	}
}

void tc_session_end(struct tc_core *c, struct tc_session *s, enum tc_end end, tc_time now)
{
	for (uint32_t i = s->replicas; i != TC_NIL; i = tc_replica_at(c, i)->sibling) {
		tc_replica_drain(c, tc_replica_at(c, i), end, now);
	}
}

void tc_session_detach(struct tc_core *c, struct tc_session *s, tc_time now)
{
	bool was_over = tc_session_is_over(s);
	tc_table_remove(&c->by_online, s->hash, tc_session_index(c, s));
	s->detached = true;
	if (s->replicas == TC_NIL) {
		free_session(c, s);
	} else if (!was_over) {
		tc_session_end(c, s, TC_END_REUSED,
			       now); /* its client is gone, and we did not see it go */
	}
}

enum tc_drop tc_session_open(struct tc_core *c, struct tc_syn *syn, const struct tc_packet *pkt,
			     uint16_t map, tc_time now, struct tc_session **ret_session)
{
	uint32_t i = tc_slab_take(&c->sessions);
	if (i == TC_NIL) {
		return TC_DROP_FLOWS_FULL;
	}
	struct tc_session *s = tc_session_at(c, i);
	tc_time at = tc_clients_time(c, pkt->at);
	tc_time rtt = tc_time_clamp(at - tc_stamp_past(syn->at, at), 0, TC_SEC * 60);
	*s = (struct tc_session){
		.online = syn->tuple,
		.last_at = at,
		.gap_at = TC_TIME_NEVER,
		.isn = syn->isn,
		.base_ack = pkt->tcp.ack,
		.rtt_us = (uint32_t)(rtt / TC_US),
		.hash = tc_core_hash(c, &syn->tuple),
		.replicas = TC_NIL,
		.device = syn->device,
		.map = map,
	};
	tc_stream_init(&s->stream, tc_session_first(s));
	tc_turns_init(&s->turns, pkt->tcp.ack);
	if (!tc_table_insert(&c->by_online, s->hash, i)) {
		tc_slab_give(&c->sessions, i);
		return TC_DROP_FLOWS_FULL;
	}
	tc_wheel_node_init(&c->wheel, c->cfg.replicas + i);
	if (!syn->copy) {
		open_replicas(c, s, now);
	}
	arm(c, s);
	*ret_session = s;
	return TC_DROP_NONE;
}

enum tc_drop tc_session_join(struct tc_core *c, const struct tc_tuple *online, uint32_t hash,
			     uint16_t map, const struct tc_packet *pkt)
{
	if (tc_mark_is_copy(&pkt->tcp, pkt->at + c->cfg.wall_offset)) {
		return TC_DROP_FROM_COPY;
	}
	bool leaves = pkt->tcp.flags & (TC_TCP_FIN | TC_TCP_RST);
	if (!(pkt->tcp.flags & TC_TCP_ACK) || c->stopping || c->cfg.whole_only ||
	    c->joining >= c->cfg.sessions / TC_JOINING_SHARE) {
		return TC_DROP_NO_SESSION;
	}
	uint32_t i = tc_slab_take(&c->sessions);
	if (i == TC_NIL) {
		return TC_DROP_FLOWS_FULL;
	}
	struct tc_session *s = tc_session_at(c, i);
	*s = (struct tc_session){
		.online = *online,
		.last_at = tc_clients_time(c, pkt->at),
		.gap_at = TC_TIME_NEVER,
		.base_ack = pkt->tcp.ack,
		.hash = hash,
		.replicas = TC_NIL,
		.device = (uint16_t)pkt->device,
		.map = map,
	};
	tc_stream_init(&s->stream, tc_seq_add(pkt->tcp.seq, pkt->payload_len));
	tc_turns_init(&s->turns, pkt->tcp.ack);
	if (!tc_table_insert(&c->by_online, hash, i)) {
		tc_slab_give(&c->sessions, i);
		return TC_DROP_FLOWS_FULL;
	}
	tc_wheel_node_init(&c->wheel, c->cfg.replicas + i);
	begin_joining(c, s, pkt->payload_len == 0);
	s->leaving = leaves;
	c->ledger.joined_skipped += pkt->payload_len;
	arm(c, s);
	return TC_DROP_NO_SESSION;
}

/* The client speaks after it heard something: a turn begins, and with it the copy. */
static bool join_here(struct tc_core *c, struct tc_session *s, const struct tc_packet *pkt,
		      tc_time now)
{
	bool begins = !s->leaving && !tc_admit_is_shed(c, &s->online) && pkt->payload_len > 0 &&
		      tc_seq_eq(pkt->tcp.seq, s->stream.far) &&
		      (s->heard || tc_seq_lt(s->base_ack, pkt->tcp.ack)) &&
		      (s->gap_at == TC_TIME_NEVER || s->gap_at <= s->last_at);
	if (!begins || c->stopping) {
		return false;
	}
	s->isn = tc_seq_add(pkt->tcp.seq, UINT32_MAX);
	s->base_ack = pkt->tcp.ack;
	s->end = TC_END_NONE;
	s->copies = 0;
	s->complete = 0;
	s->holed = false;
	s->gap_at = TC_TIME_NEVER;
	tc_stream_init(&s->stream, pkt->tcp.seq);
	tc_turns_init(&s->turns, pkt->tcp.ack);
	open_replicas(c, s, now);
	s->joining = false;
	c->joining--;
	c->ledger.joined++;
	return true;
}

/* Between turns of a connection that is not copied yet. */
static enum tc_drop on_joining_packet(struct tc_core *c, struct tc_session *s,
				      const struct tc_packet *pkt)
{
	tc_seq end = tc_seq_add(pkt->tcp.seq, pkt->payload_len);
	bool says = pkt->payload_len > 0 || (pkt->tcp.flags & TC_TCP_FIN);
	enum tc_drop drop = s->end != TC_END_NONE ? TC_DROP_AFTER_END : TC_DROP_NO_SESSION;
	if (s->leaving) {
		return drop;
	}
	if (says && tc_seq_lt(s->stream.far, end)) {
		uint32_t n = (uint32_t)tc_seq_diff(end, s->stream.far);
		if (s->end != TC_END_NONE) {
			count_bytes(c, s, n); /* it was copied before: these are lost */
		} else {
			c->ledger.joined_skipped += n;
		}
		s->stream.far = end;
		s->stream.end = end;
		s->base_ack = pkt->tcp.ack;
		s->heard = false;
	} else if (pkt->payload_len == 0) {
		s->heard |= tc_seq_eq(pkt->tcp.seq, s->stream.far);
	}
	if (pkt->tcp.flags & (TC_TCP_FIN | TC_TCP_RST)) {
		s->leaving = true; /* what it overtook comes yet, and is no connection to join */
		arm(c, s);
	}
	return drop;
}

/* A packet of a client whose copy has ended: only numbers are looked at. */
static enum tc_drop on_ghost_packet(struct tc_core *c, struct tc_session *s,
				    const struct tc_packet *pkt)
{
	tc_seq pos = pkt->tcp.seq;
	tc_seq end = tc_seq_add(pos, pkt->payload_len);
	bool ends = pkt->tcp.flags & (TC_TCP_FIN | TC_TCP_RST);
	/* of one that was shed, the capture has left out what was in between */
	bool near = (pkt->tcp.flags & TC_TCP_RST) && s->end != TC_END_SHED;
	uint32_t ahead_max = near ? TC_NEAR_MAX : TC_GHOST_AHEAD_MAX;
	if (tc_seq_lt(s->stream.far, end) &&
	    (uint32_t)tc_seq_diff(end, s->stream.far) <= ahead_max &&
	    (pkt->payload_len > 0 || ends)) {
		count_bytes(c, s, (uint32_t)tc_seq_diff(end, s->stream.far));
		s->stream.far = end;
		s->stream.end = end;
	}
	enum tc_drop drop = s->copies == 0	  ? TC_DROP_FROM_COPY :
			    s->end == TC_END_SHED ? TC_DROP_SHED :
						    TC_DROP_AFTER_END;
	if (ends) {
		free_session(c, s);
	} else {
		arm(c, s);
	}
	return drop;
}

/* Its replicas end once they have said what is before it. */
static void find_hole(struct tc_core *c, struct tc_session *s)
{
	if (!s->holed) {
		c->ledger.holes++;
		s->holed = true;
		s->gap_at = TC_TIME_NEVER;
		touch_replicas(c, s);
	}
}

/* A gap began, moved on or closed; new bytes came beyond it or not. */
static void look_at_gap(struct tc_core *c, struct tc_session *s, tc_seq end_before, bool beyond,
			tc_time now)
{
	tc_time at = tc_clients_time(c, now);
	if (!tc_stream_has_gap(&s->stream) || s->holed) {
		s->gap_at = TC_TIME_NEVER;
		return;
	}
	if (s->gap_at == TC_TIME_NEVER || !tc_seq_eq(end_before, s->stream.end)) {
		s->gap_at = at;
		return;
	}
	tc_time patience = tc_time_max(tc_clients_patience(c, TC_HOLE_BUSY),
				       TC_HOLE_BUSY_RTTS * (tc_time)s->rtt_us * TC_US);
	if (beyond && at - s->gap_at >= patience) {
		find_hole(c, s);
	}
}

/* The client has said everything up to @pos, though we may not have seen it. */
static void reach(struct tc_core *c, struct tc_session *s, tc_seq pos, tc_time pkt_at)
{
	tc_time at = tc_clients_time(c, pkt_at);
	if (tc_seq_lt(s->stream.far, pos)) {
		count_bytes(c, s, (uint32_t)tc_seq_diff(pos, s->stream.far));
		s->stream.far = pos;
		s->gap_at = s->gap_at == TC_TIME_NEVER && !s->holed ? at : s->gap_at;
	}
}

/* The last chunks are for sessions that keep little: those of one slow target must not end all others. */
static bool is_greedy(const struct tc_core *c, const struct tc_session *s)
{
	if (c->chunks.capacity - c->chunks.used >= c->chunks.capacity / TC_CHUNKS_RESERVE_SHARE ||
	    s->stream.head == TC_NIL) {
		return false;
	}
	const struct tc_chunk *first = tc_slab_at(&c->chunks, s->stream.head);
	return tc_seq_diff(s->stream.far, first->pos) > TC_CHUNKS_RESERVE_BYTES;
}

static enum tc_drop take_data(struct tc_core *c, struct tc_session *s, const struct tc_packet *pkt,
			      tc_time now)
{
	tc_seq pos = pkt->tcp.seq;
	uint32_t len = pkt->payload_len;
	tc_seq end_before = s->stream.end;
	tc_seq far_before = s->stream.far;
	if (s->has_fin && tc_seq_lt(s->fin_pos, tc_seq_add(pos, len))) {
		return TC_DROP_OUT_OF_WINDOW; /* bytes behind a FIN */
	}
	if (tc_seq_diff(pos, s->stream.end) > (int32_t)TC_STREAM_AHEAD_MAX) {
		/* so far behind a gap nothing is kept; it is counted, and shows that the gap is a hole */
		reach(c, s, tc_seq_add(pos, len), pkt->at);
		look_at_gap(c, s, end_before, true, now);
		return TC_DROP_OUT_OF_WINDOW;
	}
	if (tc_seq_lt(s->stream.far, tc_seq_add(pos, len)) && is_greedy(c, s)) {
		reach(c, s, tc_seq_add(pos, len), pkt->at);
		tc_session_end(c, s, TC_END_MEMORY, now);
		return TC_DROP_MEMORY;
	}
	int r = tc_stream_add(&s->stream, &c->chunks, pos, pkt->payload, len, pkt->at);
	count_bytes(c, s, (uint32_t)tc_seq_diff(s->stream.far, far_before));
	look_at_gap(c, s, end_before, !tc_seq_eq(far_before, s->stream.far), now);
	if (r == TC_STREAM_E_MEMORY) {
		tc_session_end(c, s, TC_END_MEMORY, now);
		return TC_DROP_MEMORY;
	}
	if (r == TC_STREAM_E_PIECES) {
		find_hole(c, s); /* nobody's path does that */
		return TC_DROP_MEMORY;
	}
	if (r == TC_STREAM_E_DUPLICATE) {
		return TC_DROP_DUPLICATE;
	}
	if (tc_seq_lt(pos, end_before)) {
		/* what was there already belongs to its own turn */
		len -= (uint32_t)tc_seq_diff(end_before, pos);
		pos = end_before;
	}
	tc_time think = s->online_at > 0 ? tc_clients_time(c, pkt->at) - s->online_at : 0;
	struct tc_turn turn = {
		.pos = pos,
		.ack = pkt->tcp.ack,
		.think_us = (uint32_t)tc_time_clamp(think / TC_US, 0, UINT32_MAX),
		.at = pkt->at,
	};
	add_turn(c, s, &turn, len, far_before);
	return TC_DROP_NONE;
}

static enum tc_drop take_fin(struct tc_core *c, struct tc_session *s, const struct tc_packet *pkt)
{
	tc_seq pos = tc_seq_add(pkt->tcp.seq, pkt->payload_len);
	if (s->has_fin) {
		return TC_DROP_DUPLICATE;
	}
	if (tc_seq_lt(pos, s->stream.far)) {
		return TC_DROP_OUT_OF_WINDOW; /* bytes behind it were seen */
	}
	s->has_fin = true;
	s->fin_pos = pos;
	reach(c, s, pos, pkt->at);
	struct tc_turn turn = { .pos = pos, .ack = pkt->tcp.ack, .at = pkt->at };
	add_turn(c, s, &turn, 0, s->stream.far);
	return TC_DROP_NONE;
}

/* A reset without an acknowledgement says nothing of what the client had heard: wait for the beginning of an answer, if one is due. */
static enum tc_drop take_rst(struct tc_core *c, struct tc_session *s, const struct tc_packet *pkt)
{
	if (s->has_rst) {
		return TC_DROP_DUPLICATE;
	}
	/* Without an ACK its number is what the server acknowledged last, which may be old; but one of another connection is far off. */
	int32_t ahead = tc_seq_diff(pkt->tcp.seq, s->stream.far);
	int32_t said = tc_seq_diff(s->stream.far, tc_session_first(s));
	bool before_first = said >= 0 && said <= (int32_t)TC_NEAR_MAX && ahead < -said;
	if (ahead > (int32_t)TC_NEAR_MAX || ahead < -(int32_t)TC_NEAR_MAX || before_first) {
		return TC_DROP_OUT_OF_WINDOW;
	}
	s->has_rst = true;
	if (!s->has_fin) {
		reach(c, s, pkt->tcp.seq, pkt->at); /* it may have overtaken bytes */
	}
	tc_seq last =
		s->turns.tail == TC_NIL ? s->turns.ack : tc_turn_at(&c->turns, s->turns.tail)->ack;
	tc_seq heard = pkt->tcp.flags & TC_TCP_ACK ? pkt->tcp.ack : tc_seq_add(last, 1);
	if (!tc_seq_eq(s->stream.far, tc_session_first(s))) {
		struct tc_turn turn = { .pos = s->stream.far, .ack = heard, .at = pkt->at };
		add_turn(c, s, &turn, 0, s->stream.far);
	}
	return TC_DROP_NONE;
}

/* A flow may move to another device (a fail-over); a packet that is merely seen on two of them may not. */
static bool is_seen_twice(struct tc_session *s, const struct tc_packet *pkt, tc_time at)
{
	bool news = tc_seq_lt(s->stream.far, tc_seq_add(pkt->tcp.seq, pkt->payload_len));
	if (pkt->device != s->device && news && at - s->last_at > TC_DEVICE_SILENT) {
		s->device = (uint16_t)pkt->device;
	}
	return pkt->device != s->device;
}

enum tc_drop tc_session_on_packet(struct tc_core *c, struct tc_session *s,
				  const struct tc_packet *pkt, tc_time now)
{
	tc_time at = tc_clients_time(c, pkt->at);
	if (is_seen_twice(s, pkt, at)) {
		return TC_DROP_DUPLICATE;
	}
	/* a ghost keeps no bytes, so that it may have missed any number of them */
	int32_t ahead = tc_seq_diff(pkt->tcp.seq, s->stream.far);
	int32_t ahead_max =
		(int32_t)(s->replicas == TC_NIL ? TC_GHOST_AHEAD_MAX : TC_STREAM_AHEAD_MAX);
	if (ahead > ahead_max || ahead < -(int32_t)TC_GHOST_AHEAD_MAX) {
		return TC_DROP_OUT_OF_WINDOW;
	}
	if (!(pkt->tcp.flags & (TC_TCP_ACK | TC_TCP_RST))) {
		return TC_DROP_BAD_TCP; /* RFC 9293 3.10.7.4 fifth: only a first SYN comes without */
	}
	s->last_at = tc_time_max(s->last_at, at);
	if (s->joining && !join_here(c, s, pkt, now)) {
		return on_joining_packet(c, s, pkt);
	}
	if (s->replicas == TC_NIL) {
		return on_ghost_packet(c, s, pkt);
	}
	enum tc_drop drop = TC_DROP_NONE;
	if (pkt->tcp.flags & TC_TCP_RST) {
		drop = take_rst(c, s, pkt);
	} else {
		if (pkt->payload_len > 0) {
			drop = take_data(c, s, pkt, now);
		}
		if ((pkt->tcp.flags & TC_TCP_FIN) && drop != TC_DROP_OUT_OF_WINDOW) {
			enum tc_drop fin = take_fin(c, s, pkt);
			drop = pkt->payload_len == 0 || drop == TC_DROP_DUPLICATE ? fin : drop;
		}
	}
	if (s->gap_at != TC_TIME_NEVER || s->replicas == TC_NIL) {
		arm(c, s);
	}
	touch_replicas(c, s);
	return drop;
}

void tc_session_on_loss(struct tc_core *c, struct tc_session *s)
{
	if (s->gap_at != TC_TIME_NEVER) {
		arm(c, s);
	}
}

enum tc_end tc_session_cut(const struct tc_core *c, const struct tc_session *s)
{
	if (s->holed) {
		return TC_END_HOLE;
	}
	return c->ended && !tc_session_is_over(s) ? TC_END_CAPTURE_END : TC_END_NONE;
}

void tc_session_on_capture_end(struct tc_core *c, struct tc_session *s)
{
	if (tc_stream_has_gap(&s->stream)) {
		find_hole(c, s);
	}
}

void tc_session_forget_ghosts(struct tc_core *c)
{
	const struct tc_table *t = &c->by_online;
	uint32_t pos = 0;
	while (t->used > 0 && pos <= t->mask) {
		struct tc_session *s = tc_table_slot_is_empty(&t->slots[pos]) ?
					       NULL :
					       tc_session_at(c, tc_table_index(t, pos));
		if (s != NULL && s->replicas == TC_NIL) {
			free_session(c, s); /* another entry may have its slot then */
		} else {
			pos++;
		}
	}
}

void tc_session_on_deadline(struct tc_core *c, struct tc_session *s, tc_time now)
{
	tc_time at = tc_clients_time(c, now);
	if (tc_stopwatch_stands(&c->clients)) {
		/* its time has not come, and when it will is not known */
		tc_wheel_arm(&c->wheel, c->cfg.replicas + tc_session_index(c, s), now + TC_SEC);
		return;
	}
	if (s->replicas == TC_NIL) {
		if (at >= s->last_at + ghost_idle(c, s)) {
			free_session(c, s);
		} else {
			arm(c, s);
		}
		return;
	}
	if (c->cfg.idle != TC_TIME_NEVER && at >= s->last_at + c->cfg.idle) {
		tc_session_end(c, s, TC_END_IDLE, now);
		return;
	}
	if (s->gap_at != TC_TIME_NEVER && at >= gap_deadline(c, s)) {
		find_hole(c, s);
	}
	arm(c, s);
}
