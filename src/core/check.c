/* SPDX-License-Identifier: BSD-2-Clause
 * core/check.c - invariants over all objects, for tests
 */
#include "core/state.h"

/* A stream's chunks are sorted, disjoint, not empty, and cover everything from what is needed to end. */
static const char *check_stream(const struct tc_core *c, const struct tc_session *s,
				uint32_t *chunks)
{
	uint32_t last = TC_NIL;
	for (uint32_t i = s->stream.head; i != TC_NIL;
	     i = ((const struct tc_chunk *)tc_slab_at(&c->chunks, i))->next) {
		const struct tc_chunk *k = tc_slab_at(&c->chunks, i);
		if (++*chunks > c->chunks.used) {
			return "chunks in a circle";
		}
		if (k->len == 0 || k->len > sizeof k->data) {
			return "a chunk of impossible length";
		}
		if (last != TC_NIL) {
			const struct tc_chunk *p = tc_slab_at(&c->chunks, last);
			if (tc_seq_lt(k->pos, tc_seq_add(p->pos, p->len))) {
				return "chunks overlap";
			}
		}
		if (tc_seq_lt(s->stream.far, tc_seq_add(k->pos, k->len))) {
			return "a chunk beyond far";
		}
		last = i;
	}
	if (last != s->stream.tail) {
		return "tail is not the last chunk";
	}
	return tc_seq_lt(s->stream.far, s->stream.end) ? "end beyond far" : NULL;
}

static const char *check_turns(const struct tc_core *c, const struct tc_session *s, uint32_t *turns)
{
	tc_seq ack = s->turns.ack;
	uint32_t n = 0;
	for (uint32_t i = s->turns.head; i != TC_NIL; i = tc_turn_at(&c->turns, i)->next) {
		if (!tc_seq_lt(ack, tc_turn_at(&c->turns, i)->ack)) {
			return "turns do not rise";
		}
		ack = tc_turn_at(&c->turns, i)->ack;
		n++;
	}
	*turns += n;
	return n == s->turns.waiting ? NULL : "turns miscounted";
}

static const char *check_replica(const struct tc_core *c, const struct tc_replica *r)
{
	const struct tc_session *s = tc_session_at(c, r->session);
	const struct tc_endpoint *ep = &r->ep;
	if (r->next_turn != tc_turns_after(&s->turns, &c->turns, r->turn_ack)) {
		return "a replica waits for the wrong turn";
	}
	bool armed = c->wheel.nodes[tc_replica_index(c, r)].prev != UINT32_MAX;
	if (!r->ready && !r->waiting && !armed && tc_seq_lt(ep->snd_una, ep->snd_nxt)) {
		return "something is outstanding and no deadline is armed";
	}
	if (r->waiting) {
		return NULL;
	}
	if (tc_seq_lt(ep->snd_nxt, ep->snd_una)) {
		return "snd_una beyond snd_nxt";
	}
	if (!r->ready && tc_seq_lt(ep->snd_una, ep->snd_nxt) && !tc_stamp_is_set(ep->rtx_at)) {
		return "outstanding without a retransmission timer";
	}
	return NULL;
}

static const char *check_targets(const struct tc_core *c)
{
	uint32_t asking[TC_MAPS_MAX] = { 0 };
	uint32_t held[TC_MAPS_MAX] = { 0 };
	for (uint32_t i = 0; i < c->replicas.fresh; i++) {
		const struct tc_replica *r = tc_replica_at(c, i);
		if (tc_replica_is_live(r)) {
			uint16_t t = tc_replica_target(c, r);
			asking[t] += !r->waiting && r->ep.state == TC_TCP_SYN_SENT;
			held[t] += r->held_back;
		}
	}
	for (uint32_t i = 0; i < c->cfg.n_maps; i++) {
		if (asking[i] != c->targets[i].asking || held[i] != c->targets[i].held) {
			return "connections that ask their target miscounted";
		}
	}
	return NULL;
}

const char *tc_core_check(const struct tc_core *c, tc_time now)
{
	(void)now;
	uint32_t live = 0;
	uint32_t ready = 0;
	uint32_t chunks = c->syns.chunks;
	uint32_t turns = 0;
	uint64_t held = 0;
	uint64_t whole = 0;
	const char *bad = tc_ledger_balance(&c->ledger);
	if (bad != NULL) {
		return bad;
	}
	for (uint32_t i = 0; i < c->replicas.fresh; i++) {
		const struct tc_replica *r = tc_replica_at(c, i);
		if (!tc_replica_is_live(r)) {
			continue;
		}
		const struct tc_session *s = tc_session_at(c, r->session);
		live++;
		ready += r->ready;
		whole += tc_replica_is_whole(s, r);
		held += (uint32_t)tc_seq_diff(s->stream.far, tc_replica_pos(r));
		bad = check_replica(c, r);
		if (bad == NULL && s->replicas == i) { /* each session once */
			bad = check_stream(c, s, &chunks);
			bad = bad != NULL ? bad : check_turns(c, s, &turns);
		}
		if (bad != NULL) {
			return bad;
		}
	}
	bad = check_targets(c);
	if (bad != NULL) {
		return bad;
	}
	uint32_t queued = 0;
	for (uint32_t i = c->ready_head; i != TC_NIL && queued <= ready;
	     i = tc_replica_at(c, i)->ready_next) {
		queued++;
	}
	return live != c->replicas.used || live != c->ledger.live ? "live replicas miscounted" :
	       queued != ready					  ? "the ready queue is broken" :
	       chunks != c->chunks.used				  ? "chunks leaked" :
	       turns != c->turns.used				  ? "turns leaked" :
	       held != c->ledger.held				  ? "held bytes miscounted" :
	       whole != c->ledger.live_complete			  ? "whole replicas miscounted" :
								    NULL;
}
