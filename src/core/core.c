/* SPDX-License-Identifier: BSD-2-Clause
 * core/core.c - the verbs: who gets a packet, and what is pulled when
 *
 * A client's packet belongs to a session, or to a lone SYN that it turns into one, or is dropped for a named reason. Things that concern all
 * replicas at once (a channel came up, the capture lost packets) are told to them in steps, so that no verb takes long.
 */
#include "core/constants.h"
#include "core/state.h"
#include "wire/share.h"

#include <errno.h>

/* --- setting up --- */

void tc_core_config_default(struct tc_core_config *cfg)
{
	*cfg = (struct tc_core_config){
		.pace = TC_PACE_RESPONSE,
		.copies = 1,
		.alias_port_first = 1024,
		.alias_port_last = 32767, /* below the ports that clients choose by themselves */
		.share_permyriad = 10000,
		.overlap = TC_SEC,
		.max_lag = 10 * TC_SEC,
		.slow_permille = 1000,
		.idle = TC_TIME_NEVER,
		.keepalive = 10 * TC_SEC,
	};
}

struct layout {
	uint8_t *mem; /* NULL: only count */
	size_t at;
};

static void *lay(struct layout *l, size_t bytes)
{
	void *p = l->mem != NULL ? l->mem + l->at : NULL;
	l->at += (bytes + 63) / 64 * 64;
	return p;
}

/* Where each table lies. With c == NULL nothing but the size is found out. */
static size_t place(struct tc_core *c, const struct tc_core_config *cfg)
{
	struct layout l = { .mem = (uint8_t *)c };
	lay(&l, sizeof *c);
	void *sessions = lay(&l, tc_slab_bytes(sizeof(struct tc_session), cfg->sessions));
	void *replicas = lay(&l, tc_slab_bytes(sizeof(struct tc_replica), cfg->replicas));
	void *chunks = lay(&l, tc_slab_bytes(sizeof(struct tc_chunk), cfg->chunks));
	void *turns = lay(&l, tc_slab_bytes(sizeof(struct tc_turn), cfg->turns));
	void *boards = lay(&l, tc_slab_bytes(sizeof(struct tc_board), cfg->boards));
	void *by_online = lay(&l, tc_table_bytes(cfg->sessions));
	void *by_target = lay(&l, tc_table_bytes(cfg->replicas));
	void *syns = lay(&l, sizeof(struct tc_syn) * cfg->syns);
	void *by_syn = lay(&l, tc_table_bytes(cfg->syns));
	void *closeds = lay(&l, sizeof(struct tc_closed) * cfg->closed);
	void *by_closed = lay(&l, tc_table_bytes(cfg->closed));
	void *nodes =
		lay(&l, sizeof(struct tc_wheel_node) * ((size_t)cfg->replicas + cfg->sessions));
	if (c != NULL) {
		tc_slab_init(&c->sessions, sessions, sizeof(struct tc_session), cfg->sessions);
		tc_slab_init(&c->replicas, replicas, sizeof(struct tc_replica), cfg->replicas);
		tc_slab_init(&c->chunks, chunks, sizeof(struct tc_chunk), cfg->chunks);
		tc_slab_init(&c->turns, turns, sizeof(struct tc_turn), cfg->turns);
		tc_slab_init(&c->boards, boards, sizeof(struct tc_board), cfg->boards);
		tc_table_init(&c->by_online, by_online, cfg->sessions);
		tc_table_init(&c->by_target, by_target, cfg->replicas);
		tc_syns_init(&c->syns, syns, by_syn, cfg->syns,
			     tc_clients_patience(c, TC_SYN_LIFE));
		c->syns.chunks_max = cfg->chunks / TC_SYN_CHUNKS_SHARE;
		c->closeds = (struct tc_closeds){ .ring = closeds, .capacity = cfg->closed };
		tc_table_init(&c->closeds.table, by_closed, cfg->closed);
		c->wheel.nodes = nodes;
	}
	return l.at;
}

int tc_core_config_size(struct tc_core_config *cfg, uint32_t sessions, size_t bytes)
{
	cfg->sessions = sessions;
	cfg->replicas = sessions * cfg->copies;
	cfg->syns = tc_u32_max(sessions / 2, 1024);
	cfg->closed = tc_u32_max(sessions, 16384) * 4;
	cfg->turns = tc_u32_max(sessions, 4096) * 2;
	cfg->boards = tc_u32_max(sessions / 8, 256);
	cfg->chunks = 0;
	size_t tables = tc_core_bytes(cfg);
	size_t least = (size_t)256 * TC_CHUNK_BYTES;
	if (bytes < tables + least) {
		return -ENOSPC;
	}
	size_t chunks = (bytes - tables) / TC_CHUNK_BYTES;
	cfg->chunks = chunks < UINT32_MAX / 2 ? (uint32_t)chunks : UINT32_MAX / 2;
	return 0;
}

size_t tc_core_bytes(const struct tc_core_config *cfg)
{
	return place(NULL, cfg);
}

static uint16_t first_mss(const struct tc_core_config *cfg, const struct tc_ip *target)
{
	uint32_t headers = tc_ip_is_v4(target) ? 40 : 60;
	uint32_t mtu = cfg->mtu != 0 ? cfg->mtu : TC_MTU_DEFAULT;
	uint32_t mss = mtu > headers + TC_MSS_MIN ? mtu - headers : TC_MSS_MIN;
	return (uint16_t)(cfg->mss != 0 ? tc_u32_min(cfg->mss, mss) : mss);
}

struct tc_core *tc_core_init(void *mem, const struct tc_core_config *cfg, tc_time now)
{
	struct tc_core *c = mem;
	c->cfg = *cfg;
	place(c, cfg);
	tc_wheel_init(&c->wheel, c->wheel.nodes, now);
	c->env = (struct tc_endpoint_env){
		.boards = &c->boards,
		.ledger = &c->ledger,
		.wall_offset = cfg->wall_offset,
	};
	for (uint16_t i = 0; i < cfg->n_maps; i++) {
		uint16_t same = 0;
		while (same < i && !(tc_ip_eq(&cfg->maps[same].target, &cfg->maps[i].target) &&
				     cfg->maps[same].target_port == cfg->maps[i].target_port)) {
			same++;
		}
		c->target_of[i] = same;
		c->targets[i].mss = first_mss(cfg, &cfg->maps[i].target);
	}
	c->ready_head = TC_NIL;
	c->ready_tail = TC_NIL;
	for (uint32_t i = 0; i < TC_MAPS_MAX; i++) {
		c->targets[i].heard_at = INT64_MIN / 2;
	}
	c->keep_share = TC_SHARE_ALL;
	c->session_at = INT64_MIN / 2;
	tc_stopwatch_init(&c->clients);
	c->recording_at = now;
	c->loss_at = INT64_MIN / 2;
	c->channel_up = cfg->channel;
	c->scan_at = TC_TIME_NEVER;
	return c;
}

uint32_t tc_core_hash(const struct tc_core *c, const struct tc_tuple *tuple)
{
	return (uint32_t)tc_siphash(&c->cfg.table_key, tuple, sizeof *tuple);
}

void tc_core_note(struct tc_core *c, const struct tc_note *note)
{
	if (c->n_notes < TC_NOTES_MAX) {
		c->notes[(c->first_note + c->n_notes++) % TC_NOTES_MAX] = *note;
	}
}

void tc_core_note_session(struct tc_core *c, const struct tc_session *s, const struct tc_replica *r,
			  enum tc_end end, uint64_t lost)
{
	if (!c->cfg.session_events) {
		return;
	}
	struct tc_note note = { .kind = TC_OUT_SESSION };
	note.session.replica = tc_replica_index(c, r);
	note.session.online = s->online;
	tc_replica_tuple(c, r, &note.session.target);
	note.session.end = end;
	note.session.turns = r->turns;
	note.session.delivered = (uint32_t)tc_seq_diff(tc_replica_pos(r), tc_session_first(s));
	note.session.lost = lost;
	tc_core_note(c, &note);
}

/* --- packets of clients --- */

static struct tc_session *find_session(const struct tc_core *c, const struct tc_tuple *online,
				       uint32_t hash)
{
	for (uint32_t pos = tc_table_find(&c->by_online, hash); pos != TC_NIL;
	     pos = tc_table_again(&c->by_online, hash, pos)) {
		struct tc_session *s = tc_session_at(c, tc_table_index(&c->by_online, pos));
		if (tc_tuple_eq(&s->online, online)) {
			return s;
		}
	}
	return NULL;
}

/* A packet that belongs to nothing: why it is not copied; it may be the first that we see of a connection that was open before. */
static enum tc_drop on_unknown(struct tc_core *c, const struct tc_tuple *t, uint32_t online_hash,
			       bool has_syn, const struct tc_packet *pkt)
{
	uint16_t map;
	enum tc_drop drop = tc_admit(c, t, &map);
	if (drop != TC_DROP_NONE) {
		return drop;
	}
	if (tc_admit_is_shed(c, t)) {
		return TC_DROP_SHED;
	}
	const struct tc_map *m = &c->cfg.maps[map];
	struct tc_tuple target = {
		.client = t->client,
		.server = m->target,
		.client_port = t->client_port,
		.server_port = tc_map_target_port(m, t->server_port),
	};
	uint32_t hash = tc_core_hash(c, &target);
	const struct tc_closed *closed =
		tc_closeds_find(&c->closeds, &t->client, t->client_port, c->target_of[map], hash);
	/* of this recording: what closed before it did so in another one */
	tc_time known = tc_time_max(pkt->at, c->recording_at + TC_CLOSED_LIFE);
	bool was_ours = (closed != NULL && !tc_closed_is_old(closed, known)) ||
			tc_replica_find(c, &target, hash) != NULL;
	if (was_ours) {
		return TC_DROP_AFTER_END;
	}
	/* a lone SYN of the tuple is the better claim */
	drop = has_syn ? TC_DROP_NO_SESSION : tc_session_join(c, t, online_hash, map, pkt);
	if (drop == TC_DROP_FLOWS_FULL) {
		/* without a place nothing tells whether they were counted already */
		tc_admit_count_lost(c, pkt->payload_len, TC_END_NO_ROOM);
	}
	return drop;
}

static enum tc_drop on_client(struct tc_core *c, const struct tc_packet *pkt, tc_time now,
			      bool *ret_held)
{
	struct tc_tuple t = {
		.client = pkt->src,
		.server = pkt->dst,
		.client_port = pkt->tcp.src_port,
		.server_port = pkt->tcp.dst_port,
		.link_id = pkt->link_id,
	};
	uint32_t hash = tc_core_hash(c, &t);
	struct tc_session *s = find_session(c, &t, hash);
	if (pkt->tcp.flags & TC_TCP_SYN) {
		return tc_admit_on_syn(c, s, &t, hash, pkt, ret_held);
	}
	if (s != NULL && !s->has_syn) {
		return tc_session_on_packet(c, s, pkt, now);
	}
	struct tc_syn *syn = tc_syns_find(&c->syns, &t, hash);
	if (syn != NULL) {
		int32_t ahead = tc_seq_diff(pkt->tcp.seq, tc_seq_add(syn->isn, 1));
		int32_t most =
			(int32_t)(syn->end != TC_END_NONE ? TC_GHOST_AHEAD_MAX : TC_NEAR_MAX);
		bool its = ahead >= 0 && ahead <= most && pkt->device == syn->device;
		if (its && syn->end != TC_END_NONE) {
			return tc_admit_on_left_out(c, syn, pkt);
		}
		if (its && (pkt->tcp.flags & TC_TCP_RST)) {
			tc_admit_give_up(c, syn);
			return TC_DROP_SYN_NO_ACCEPT;
		}
		if (its && (pkt->tcp.flags & TC_TCP_ACK)) {
			return tc_admit_accept(c, syn, s, pkt, now);
		}
	} else if (s != NULL) {
		s->has_syn = false; /* it was given up */
	}
	if (s != NULL) {
		return tc_session_on_packet(c, s, pkt, now);
	}
	return on_unknown(c, &t, hash, syn != NULL, pkt);
}

enum tc_drop tc_core_on_client(struct tc_core *c, const struct tc_packet *pkt, tc_time now)
{
	bool held = false;
	c->ledger.seen++;
	if (c->ended) {
		c->ended = false;
		c->recording_at = now;
	}
	enum tc_drop drop = on_client(c, pkt, now, &held);
	if (drop != TC_DROP_NONE) {
		c->ledger.drops[drop]++;
	} else if (!held) {
		c->ledger.used++;
	}
	return drop;
}

void tc_core_on_online(struct tc_core *c, const struct tc_packet *pkt, tc_time now)
{
	struct tc_tuple t = {
		.client = pkt->dst,
		.server = pkt->src,
		.client_port = pkt->tcp.dst_port,
		.server_port = pkt->tcp.src_port,
		.link_id = pkt->link_id,
	};
	(void)now;
	struct tc_session *s = find_session(c, &t, tc_core_hash(c, &t));
	if (s != NULL && pkt->payload_len > 0) {
		s->online_at = tc_clients_time(c, pkt->at);
	}
}

/* --- the target's answers --- */

static uint16_t target_number(const struct tc_core *c, const struct tc_tuple *target)
{
	uint32_t i = 0;
	for (; i < c->cfg.n_maps; i++) {
		const struct tc_map *m = &c->cfg.maps[i];
		uint16_t last = tc_map_target_port(m, m->online_port_last);
		if (target->server_port >= m->target_port && target->server_port <= last &&
		    tc_ip_eq(&m->target, &target->server)) {
			break;
		}
	}
	return i < c->cfg.n_maps ? c->target_of[i] : UINT16_MAX;
}

enum tc_drop tc_core_on_answer(struct tc_core *c, const struct tc_answer *ans, tc_time now)
{
	struct tc_tuple t = {
		.client = ans->client,
		.server = ans->target,
		.client_port = ans->tcp.dst_port,
		.server_port = ans->tcp.src_port,
	};
	uint32_t hash = tc_core_hash(c, &t);
	c->ledger.answers++;
	struct tc_replica *r = tc_replica_find(c, &t, hash);
	enum tc_drop drop = r != NULL ? tc_replica_on_answer(c, r, ans, now) :
					tc_reply_to(c, &t, target_number(c, &t), hash, ans, now);
	if (drop == TC_DROP_ANSWER_STRAY) {
		struct tc_note note = { .kind = TC_OUT_DISOWN, .tuple = t };
		tc_core_note(c, &note);
	}
	if (drop != TC_DROP_NONE) {
		c->ledger.answer_drops[drop]++;
	}
	return drop;
}

/* --- events --- */

void tc_core_begin_scan(struct tc_core *c, struct tc_scan *scan, tc_time now)
{
	c->scan_at = tc_time_min(c->scan_at, now);
	scan->again = scan->on;
	scan->next = scan->on ? scan->next : 0;
	scan->on = true;
}

static void keep_share(struct tc_core *c, uint32_t share, tc_time now)
{
	bool fewer = share < c->keep_share;
	c->keep_share = share;
	if (fewer) {
		tc_admit_shed_syns(c);
		tc_core_begin_scan(c, &c->shed_scan, now);
	}
}

static void stop(struct tc_core *c, tc_time now)
{
	c->stopping = true;
	for (uint32_t i = 0; i < c->replicas.fresh; i++) {
		struct tc_replica *r = tc_replica_at(c, i);
		if (tc_replica_is_live(r)) {
			/* one that waits has nothing to drain, whatever it waits for */
			r->drain_since = r->waiting ? TC_STAMP_NEVER : r->drain_since;
			tc_replica_drain(c, r, TC_END_STOPPED, now);
		}
	}
}

static void on_capture_end(struct tc_core *c)
{
	struct tc_syn *syn;
	c->ended = true;
	while ((syn = tc_syns_expired(&c->syns, TC_TIME_NEVER - 1)) != NULL) {
		tc_admit_give_up(c, syn);
	}
	tc_session_forget_ghosts(c);
	for (uint32_t i = 0; i < c->replicas.fresh; i++) {
		struct tc_replica *r = tc_replica_at(c, i);
		if (tc_replica_is_live(r)) {
			tc_session_on_capture_end(c, tc_session_at(c, r->session));
			tc_replica_touch(c, r);
		}
	}
}

static void lower_mss(struct tc_core *c, const struct tc_ip *target, uint32_t mss)
{
	for (uint32_t i = 0; i < c->cfg.n_maps; i++) {
		if (tc_ip_eq(&c->cfg.maps[i].target, target) && mss < c->targets[i].mss) {
			c->targets[i].mss = (uint16_t)tc_u32_max(mss, TC_MSS_MIN);
		}
	}
}

void tc_core_on_event(struct tc_core *c, const struct tc_event *ev, tc_time now)
{
	switch (ev->kind) {
	case TC_EVENT_CAPTURE_LOSS:
		c->loss_at = tc_clients_time(c, now);
		tc_core_begin_scan(c, &c->loss_scan, now);
		break;
	case TC_EVENT_CAPTURE_HELD:
		if (ev->count > 0) {
			tc_stopwatch_stop(&c->clients, now);
		} else {
			tc_stopwatch_start(&c->clients, now);
		}
		break;
	case TC_EVENT_CAPTURE_END:
		on_capture_end(c);
		break;
	case TC_EVENT_CHANNEL_UP:
		c->channel_up = true;
		tc_core_begin_scan(c, &c->channel_scan, now);
		break;
	case TC_EVENT_CHANNEL_DOWN:
		c->channel_up = false;
		break;
	case TC_EVENT_SEND_ERROR:
		c->ledger.send_errors++;
		if (ev->error == EMSGSIZE && ev->replica < c->replicas.fresh &&
		    tc_replica_is_live(tc_replica_at(c, ev->replica))) {
			tc_path_on_too_large(c, tc_replica_at(c, ev->replica));
		}
		break;
	case TC_EVENT_PATH_MTU:
		lower_mss(c, &ev->target,
			  (uint32_t)ev->count - (tc_ip_is_v4(&ev->target) ? 40 : 60));
		break;
	case TC_EVENT_KEEP_SHARE:
		keep_share(c, (uint32_t)ev->count, now);
		break;
	case TC_EVENT_SAMPLE:
		c->cfg.share_permyriad = (uint32_t)ev->count;
		break;
	case TC_EVENT_STOP:
		stop(c, now);
		break;
	default: /* TC_EVENT_ANNOUNCED: marks open flows; nothing waits for it */
		break;
	}
}

static void on_loss(struct tc_core *c, struct tc_replica *r, tc_time now)
{
	(void)now;
	tc_session_on_loss(c, tc_session_at(c, r->session));
}

static void on_shed(struct tc_core *c, struct tc_replica *r, tc_time now)
{
	if (tc_admit_is_shed(c, &tc_session_at(c, r->session)->online)) {
		/* whatever it drained for */
		r->drain_since = tc_stamp_of(now);
		r->drain_end = TC_END_SHED;
		tc_replica_touch(c, r);
	}
}

static void on_wake(struct tc_core *c, struct tc_replica *r, tc_time now)
{
	(void)now;
	if (r->held_back) {
		tc_replica_touch(c, r);
	}
}

static void on_channel(struct tc_core *c, struct tc_replica *r, tc_time now)
{
	(void)now;
	if (!r->waiting) {
		struct tc_note note = { .kind = TC_OUT_ANNOUNCE };
		tc_replica_tuple(c, r, &note.tuple);
		tc_core_note(c, &note);
	}
	tc_replica_touch(c, r);
}

/* One step over all replicas; it ends early when what it tells would find no room. */
static void scan_step(struct tc_core *c, struct tc_scan *scan,
		      void (*tell)(struct tc_core *c, struct tc_replica *r, tc_time now),
		      tc_time now)
{
	uint32_t to = tc_u32_min(c->replicas.fresh, scan->next + TC_ANNOUNCE_BATCH);
	for (; scan->on && scan->next < to && c->n_notes < TC_NOTES_MAX; scan->next++) {
		struct tc_replica *r = tc_replica_at(c, scan->next);
		if (tc_replica_is_live(r)) {
			tell(c, r, now);
		}
	}
	if (scan->on && scan->next >= c->replicas.fresh) {
		scan->on = scan->again;
		scan->again = false;
		scan->next = 0;
	}
}

static void scan(struct tc_core *c, tc_time now)
{
	scan_step(c, &c->loss_scan, on_loss, now);
	scan_step(c, &c->channel_scan, on_channel, now);
	scan_step(c, &c->shed_scan, on_shed, now);
	scan_step(c, &c->wake_scan, on_wake, now);
	bool more = c->loss_scan.on || c->channel_scan.on || c->shed_scan.on || c->wake_scan.on;
	c->scan_at = more ? now + TC_MS : TC_TIME_NEVER;
}

void tc_core_on_deadline(struct tc_core *c, tc_time now)
{
	uint32_t i;
	if (now >= c->scan_at) {
		scan(c, now);
	}
	while ((i = tc_wheel_next(&c->wheel, now)) != TC_NIL) {
		if (i < c->cfg.replicas) {
			tc_replica_on_deadline(c, tc_replica_at(c, i), now);
		} else {
			tc_session_on_deadline(c, tc_session_at(c, i - c->cfg.replicas), now);
		}
	}
	struct tc_syn *syn;
	while ((syn = tc_syns_expired(&c->syns, tc_clients_time(c, now))) != NULL) {
		tc_admit_give_up(c, syn);
	}
}

tc_time tc_core_deadline(const struct tc_core *c)
{
	tc_time at = tc_time_min(tc_wheel_deadline(&c->wheel), c->scan_at);
	if (tc_stopwatch_stands(&c->clients)) {
		return at;
	}
	return tc_time_min(at, tc_stopwatch_when(&c->clients, tc_syns_deadline(&c->syns)));
}

/* --- outputs --- */

static bool next_note(struct tc_core *c, struct tc_out *ret_out)
{
	if (c->n_notes == 0) {
		return false;
	}
	const struct tc_note *note = &c->notes[c->first_note];
	ret_out->kind = note->kind;
	if (note->kind == TC_OUT_SESSION) {
		ret_out->session = note->session;
	} else {
		ret_out->tuple = note->tuple;
	}
	c->first_note = (c->first_note + 1) % TC_NOTES_MAX;
	c->n_notes--;
	return true;
}

static struct tc_replica *next_ready(struct tc_core *c)
{
	if (c->ready_head == TC_NIL) {
		return NULL;
	}
	struct tc_replica *r = tc_replica_at(c, c->ready_head);
	c->ready_head = r->ready_next;
	if (c->ready_head == TC_NIL) {
		c->ready_tail = TC_NIL;
	}
	return r;
}

/* Pull a replica; true when it spoke. */
static bool pull(struct tc_core *c, struct tc_replica *r, struct tc_segment *ret_seg, tc_time now)
{
	enum tc_pull pulled = tc_replica_next(c, r, ret_seg, now);
	if (pulled == TC_PULL_GONE) {
		return false;
	}
	r->ready = false;
	if (pulled != TC_PULL_NOTHING) {
		tc_replica_touch(c, r); /* behind the others: all speak in turn */
	}
	return pulled == TC_PULL_SEGMENT;
}

bool tc_core_next_out(struct tc_core *c, struct tc_out *ret_out, tc_time now)
{
	for (;;) {
		if (next_note(c, ret_out)) {
			return true;
		}
		if (tc_reply_next(c, &ret_out->segment)) {
			ret_out->kind = TC_OUT_SEGMENT;
			return true;
		}
		struct tc_replica *r = next_ready(c);
		if (r == NULL) {
			return false;
		}
		if (pull(c, r, &ret_out->segment, now)) {
			ret_out->kind = TC_OUT_SEGMENT;
			return true;
		}
	}
}

void tc_core_ledger(const struct tc_core *c, struct tc_ledger *ret_ledger)
{
	*ret_ledger = c->ledger;
	ret_ledger->tuples_forgotten = c->closeds.forgotten;
}

uint32_t tc_core_live(const struct tc_core *c)
{
	return c->replicas.used;
}

static uint32_t permille(const struct tc_slab *s)
{
	return (uint32_t)((uint64_t)s->used * 1000 / s->capacity);
}

uint32_t tc_core_full_permille(const struct tc_core *c)
{
	return tc_u32_max(permille(&c->chunks),
			  tc_u32_max(permille(&c->turns), permille(&c->replicas)));
}
