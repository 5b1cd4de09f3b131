/* SPDX-License-Identifier: BSD-2-Clause
 * core/admit.c - which connections are copied at all, from their SYN to the ACK that completes the handshake
 *
 * A connection is left out because no map names it, because -r did not choose its client, or because there is too much to copy: then whole
 * sessions are shed, and counted. The share of clients that is kept (wire/share.h) is applied by the capture's filter in the kernel too, which
 * lets only SYNs of the others pass, so that a shed session is counted at its SYN. What --limit-sessions sheds stays as a ghost, whose bytes
 * are counted.
 */
#include "core/constants.h"
#include "core/state.h"
#include "wire/mark.h"
#include "wire/share.h"

enum tc_drop tc_admit(const struct tc_core *c, const struct tc_tuple *t, uint16_t *ret_map)
{
	uint16_t map = 0;
	while (map < c->cfg.n_maps &&
	       !tc_map_covers(&c->cfg.maps[map], &t->server, t->server_port)) {
		map++;
	}
	if (map == c->cfg.n_maps) {
		return TC_DROP_NO_MAP;
	}
	for (uint32_t i = 0; i < c->cfg.n_maps; i++) {
		if (tc_ip_eq(&c->cfg.maps[i].target, &t->client)) {
			return TC_DROP_FROM_TARGET;
		}
	}
	if (c->cfg.share_permyriad < 10000) {
		struct {
			struct tc_ip client;
			uint32_t port;
		} who = { t->client, t->client_port };
		if (tc_siphash(&c->cfg.table_key, &who, sizeof who) % 10000 >=
		    c->cfg.share_permyriad) {
			return TC_DROP_SAMPLED_OUT;
		}
	}
	*ret_map = map;
	return TC_DROP_NONE;
}

bool tc_admit_is_shed(const struct tc_core *c, const struct tc_tuple *t)
{
	return tc_share_of(&t->client, t->client_port) >= c->keep_share;
}

static enum tc_drop drop_of(const struct tc_syn *syn)
{
	return syn->end == TC_END_SHED	  ? TC_DROP_SHED :
	       syn->end == TC_END_NO_ROOM ? TC_DROP_FLOWS_FULL :
					    TC_DROP_SYN_NO_ACCEPT;
}

bool tc_admit_session(struct tc_core *c, tc_time now)
{
	if (c->cfg.limit_sessions == 0) {
		return true;
	}
	tc_time at = tc_time_max(c->session_at, now - TC_SEC) + TC_SEC / c->cfg.limit_sessions;
	if (at > now) {
		return false;
	}
	c->session_at = at;
	return true;
}

static void forget_data(struct tc_core *c, struct tc_syn *syn)
{
	if (syn->end == TC_END_NONE && syn->chunk != TC_NIL) {
		tc_slab_give(&c->chunks, syn->chunk);
		c->syns.chunks--;
		syn->chunk = TC_NIL;
	}
}

/* All copies of a session that is not copied at all; its lone SYN stays, so that its bytes are counted. */
static void leave_out(struct tc_core *c, struct tc_syn *syn, enum tc_end end)
{
	forget_data(c, syn);
	syn->said = syn->isn;
	syn->end = (uint8_t)end;
	c->ledger.opened += c->cfg.copies;
	c->ledger.ended[end] += c->cfg.copies;
}

static void forget_syn(struct tc_core *c, struct tc_syn *syn)
{
	forget_data(c, syn);
	tc_syns_remove(&c->syns, syn, tc_core_hash(c, &syn->tuple));
	c->ledger.syns_held--;
}

void tc_admit_give_up(struct tc_core *c, struct tc_syn *syn)
{
	c->ledger.drops[drop_of(syn)]++;
	forget_syn(c, syn);
}

void tc_admit_count_lost(struct tc_core *c, uint64_t n, enum tc_end end)
{
	c->ledger.to_copy += n * c->cfg.copies;
	c->ledger.lost[end] += n * c->cfg.copies;
}

enum tc_drop tc_admit_on_left_out(struct tc_core *c, struct tc_syn *syn,
				  const struct tc_packet *pkt)
{
	enum tc_drop drop = drop_of(syn);
	tc_seq last = tc_seq_add(pkt->tcp.seq, pkt->payload_len - 1);
	int32_t n = tc_seq_diff(last, syn->said);
	bool ends = pkt->tcp.flags & (TC_TCP_FIN | TC_TCP_RST);
	bool says = pkt->payload_len > 0 && n <= (int32_t)TC_STREAM_AHEAD_MAX;
	if (n > 0 && (ends || says)) {
		tc_admit_count_lost(c, (uint32_t)n, syn->end);
		syn->said = last;
	}
	if (ends) {
		tc_admit_give_up(c, syn);
	}
	return drop;
}

void tc_admit_shed_syns(struct tc_core *c)
{
	struct tc_syn *syn = tc_syns_youngest(&c->syns);
	for (uint32_t i = 0; syn != NULL && i < TC_SHED_SYNS_MAX; i++) {
		if (syn->end == TC_END_NONE && tc_admit_is_shed(c, &syn->tuple)) {
			leave_out(c, syn, TC_END_SHED);
		}
		syn = tc_syns_older(&c->syns, syn);
	}
}

/* Data on a SYN (RFC 7413): one chunk, while there are some to spare. */
static void keep_syn_data(struct tc_core *c, struct tc_syn *syn, const struct tc_packet *pkt)
{
	if (pkt->payload.n == 0 || c->syns.chunks >= c->syns.chunks_max) {
		return;
	}
	syn->chunk = tc_slab_take(&c->chunks);
	if (syn->chunk == TC_NIL) {
		return;
	}
	c->syns.chunks++;
	struct tc_chunk *chunk = tc_slab_at(&c->chunks, syn->chunk);
	chunk->len = tc_u32_min((uint32_t)pkt->payload.n, (uint32_t)sizeof chunk->data);
	memcpy(chunk->data, pkt->payload.p, chunk->len);
}

enum tc_drop tc_admit_on_syn(struct tc_core *c, struct tc_session *s, const struct tc_tuple *t,
			     uint32_t hash, const struct tc_packet *pkt, bool *ret_held)
{
	uint16_t map;
	enum tc_drop drop = tc_admit(c, t, &map);
	if (drop != TC_DROP_NONE) {
		return drop;
	}
	if (pkt->tcp.opt.mp_join) {
		return TC_DROP_MPTCP;
	}
	if (c->stopping || (pkt->tcp.flags & TC_TCP_ACK)) {
		return TC_DROP_NO_SESSION; /* with an ACK it is a server's answer */
	}
	struct tc_syn *syn = tc_syns_find(&c->syns, t, hash);
	if ((s != NULL && tc_seq_eq(s->isn, pkt->tcp.seq)) ||
	    (syn != NULL && tc_seq_eq(syn->isn, pkt->tcp.seq))) {
		return TC_DROP_DUPLICATE;
	}
	if (syn != NULL) {
		tc_admit_give_up(c, syn);
	}
	if (tc_slab_left(&c->syns.slab) == 0) {
		/* a handshake takes a round trip: who waits longest is the likeliest to be a part of a flood */
		struct tc_syn *oldest = tc_syns_oldest(&c->syns);
		c->ledger.drops[oldest->end == TC_END_NONE ? TC_DROP_SYNS_FULL : drop_of(oldest)]++;
		forget_syn(c, oldest);
	}
	syn = tc_syns_add(&c->syns, t, hash, pkt->tcp.seq, tc_clients_time(c, pkt->at));
	if (syn == NULL) {
		return TC_DROP_SYNS_FULL;
	}
	syn->device = (uint16_t)pkt->device;
	syn->copy = tc_mark_is_copy(&pkt->tcp, pkt->at + c->cfg.wall_offset);
	if (!syn->copy && tc_admit_is_shed(c, t)) {
		if (s != NULL) {
			tc_session_detach(c, s,
					  pkt->at); /* the ACK that would show it is not captured */
			s = NULL;
		}
		leave_out(c, syn, TC_END_SHED);
	} else {
		keep_syn_data(c, syn, pkt);
	}
	if (s != NULL) {
		s->has_syn = true;
	}
	*ret_held = true;
	c->ledger.syns_held++;
	return TC_DROP_NONE;
}

/* The handshake is complete: the lone SYN becomes a session, in the place of an older one on the tuple. */
enum tc_drop tc_admit_accept(struct tc_core *c, struct tc_syn *syn, struct tc_session *old,
			     const struct tc_packet *pkt, tc_time now)
{
	uint16_t map = 0;
	struct tc_session *s;
	enum tc_drop drop = c->stopping ? TC_DROP_NO_SESSION : tc_admit(c, &syn->tuple, &map);
	if (drop == TC_DROP_NONE && !syn->copy && tc_admit_is_shed(c, &syn->tuple)) {
		leave_out(c, syn, TC_END_SHED);
		return tc_admit_on_left_out(c, syn, pkt);
	}
	if (drop == TC_DROP_NONE) {
		if (old != NULL) {
			tc_session_detach(c, old, now);
		}
		drop = tc_session_open(c, syn, pkt, map, now, &s);
	}
	if (drop == TC_DROP_FLOWS_FULL) {
		leave_out(c, syn, TC_END_NO_ROOM);
		return tc_admit_on_left_out(c, syn, pkt);
	}
	if (drop != TC_DROP_NONE) {
		forget_syn(c, syn);
		c->ledger.drops[drop]++;
		return drop;
	}
	if (syn->copy) {
		forget_syn(c, syn);
		c->ledger.drops[TC_DROP_FROM_COPY]++;
		return tc_session_on_packet(c, s, pkt, now);
	}
	if (syn->chunk != TC_NIL) {
		const struct tc_chunk *chunk = tc_slab_at(&c->chunks, syn->chunk);
		struct tc_packet data = *pkt;
		data.tcp.seq = tc_session_first(s);
		data.tcp.flags = TC_TCP_ACK;
		data.payload = (struct tc_view){ chunk->data, chunk->len };
		data.payload_len = chunk->len;
		tc_session_on_packet(c, s, &data, now);
	}
	forget_syn(c, syn);
	c->ledger.used++;
	return tc_session_on_packet(c, s, pkt, now);
}
