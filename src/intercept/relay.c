/* SPDX-License-Identifier: BSD-2-Clause
 * intercept/relay.c - flows, their owners, and a queue for each peer
 *
 * A peer is a place for one instance of tcpcopy. It is free, live (its channel is up) or gone (its channel is lost, its flows and its
 * queue wait for it). The same instance gets its place back; a place that was gone for flow_idle, or the one that was gone for longest
 * when a stranger needs it, is given away.
 *
 * A flow has a set of owners, nearly always of one: a mark is 16 bits of a hash, so that with several peers a SYN-ACK verifies under
 * a second key once in 2^16. Then each of them is told, and the one whose connection it is not disowns it. A place that is given away
 * must not inherit flows, and there may be a million of them: each flow has the epoch in which its owners were set, each place the one
 * in which it was given; an owner whose place is younger than the flow is none.
 *
 * A flow has one node in a timing wheel. A packet only notes the time; the wheel asks again when the flow could have been silent for
 * long enough. Flows that the target ended are kept for a while, because it may have to repeat its last packets.
 *
 * A flow with one owner knows the position of its newest report in that owner's queue, so that later packets can be merged into it.
 */
#include "intercept/relay.h"

#include "base/siphash.h"
#include "base/table.h"
#include "base/wheel.h"
#include "intercept/relay-queue.h"
#include "wire/mark.h"

#include <assert.h>
#include <errno.h>

/* As long as Linux stays in TIME-WAIT or FIN-WAIT-2: until then it may still answer. */
#define FIN_LINGER (60 * TC_SEC)
/* A reset target repeats the reset for each packet that was under way. */
#define RST_LINGER (2 * TC_SEC)
/* Flows looked at in one call; on_deadline() has to keep up with some ten thousand short connections a second. */
#define EXPIRE_MAX 16384
#define EXPIRE_WHEN_FULL 8

#define ALIGN 64

enum flow_state {
	FLOW_OPEN, /* forgotten flow_idle after its last packet */
	FLOW_FIN,  /* the target closed its side: FIN_LINGER */
	FLOW_RST,  /* the last packet was a reset: RST_LINGER; any other packet opens it again */
};

struct flow {
	struct tc_tuple tuple;
	tc_time last;
	uint64_t newest; /* position of its newest report in its only owner's queue */
	uint32_t hash;
	uint32_t epoch; /* in which .owners was set */
	uint16_t owners;
	uint8_t state;
	bool announced; /* a peer claims it whatever its SYN-ACK says */
};

enum peer_state { PEER_FREE, PEER_LIVE, PEER_GONE };

struct peer {
	enum peer_state state;
	uint32_t epoch; /* in which this place was given to this instance */
	tc_time gone_at;
	tc_time offer_at; /* when the offers so far will be within the rate */
	struct tc_channel_hello hello;
	struct tc_relay_queue queue;
	uint64_t told; /* packets that its reports stand for */
};

struct tc_relay {
	struct tc_relay_config cfg;
	struct tc_relay_stats stats;
	struct tc_slab flows;
	struct tc_table table;
	struct tc_wheel wheel;
	uint32_t epoch;
	struct peer peers[TC_RELAY_PEERS];
};

static_assert(TC_RELAY_PEERS <= 16, "a set of owners has 16 bits");
static_assert(sizeof(struct flow) <= 80, "a flow grew");

static size_t align_up(size_t n)
{
	return (n + ALIGN - 1) & ~(size_t)(ALIGN - 1);
}

size_t tc_relay_bytes(const struct tc_relay_config *cfg)
{
	return align_up(sizeof(struct tc_relay)) +
	       align_up(tc_slab_bytes(sizeof(struct flow), cfg->flows)) +
	       align_up(tc_table_bytes(cfg->flows)) +
	       align_up(sizeof(struct tc_wheel_node) * cfg->flows) +
	       TC_RELAY_PEERS * align_up(tc_relay_queue_bytes(cfg->queue));
}

struct tc_relay *tc_relay_init(void *mem, const struct tc_relay_config *cfg, tc_time now)
{
	struct tc_relay *r = mem;
	uint8_t *p = (uint8_t *)mem + align_up(sizeof *r);
	r->cfg = *cfg;
	tc_slab_init(&r->flows, p, sizeof(struct flow), cfg->flows);
	p += align_up(tc_slab_bytes(sizeof(struct flow), cfg->flows));
	tc_table_init(&r->table, p, cfg->flows);
	p += align_up(tc_table_bytes(cfg->flows));
	tc_wheel_init(&r->wheel, (void *)p, now);
	p += align_up(sizeof(struct tc_wheel_node) * cfg->flows);
	for (unsigned i = 0; i < TC_RELAY_PEERS; i++) {
		tc_relay_queue_init(&r->peers[i].queue, p, cfg->queue);
		p += align_up(tc_relay_queue_bytes(cfg->queue));
	}
	return r;
}

/* ---- flows ---- */

static struct flow *flow_at(const struct tc_relay *r, uint32_t i)
{
	return tc_slab_at(&r->flows, i);
}

static struct tc_tuple tuple_of(const struct tc_packet *pkt)
{
	return (struct tc_tuple){ .client = pkt->dst,
				  .server = pkt->src,
				  .client_port = pkt->tcp.dst_port,
				  .server_port = pkt->tcp.src_port };
}

static uint32_t hash_of(const struct tc_relay *r, const struct tc_tuple *tuple)
{
	return (uint32_t)tc_siphash(&r->cfg.table_key, tuple, sizeof *tuple);
}

static uint32_t flow_find(const struct tc_relay *r, const struct tc_tuple *tuple, uint32_t hash)
{
	for (uint32_t pos = tc_table_find(&r->table, hash); pos != TC_NIL;
	     pos = tc_table_again(&r->table, hash, pos)) {
		uint32_t i = tc_table_index(&r->table, pos);
		if (tc_tuple_eq(&flow_at(r, i)->tuple, tuple)) {
			return i;
		}
	}
	return TC_NIL;
}

static void flow_free(struct tc_relay *r, uint32_t i)
{
	tc_wheel_arm(&r->wheel, i, TC_TIME_NEVER);
	tc_table_remove(&r->table, flow_at(r, i)->hash, i);
	tc_slab_give(&r->flows, i);
}

static tc_time flow_patience(const struct tc_relay *r, const struct flow *f)
{
	switch (f->state) {
	case FLOW_FIN:
		return tc_time_min(FIN_LINGER, r->cfg.flow_idle);
	case FLOW_RST:
		return tc_time_min(RST_LINGER, r->cfg.flow_idle);
	default:
		return r->cfg.flow_idle;
	}
}

static void expire(struct tc_relay *r, tc_time now, unsigned max)
{
	for (unsigned n = 0; n < max; n++) {
		uint32_t i = tc_wheel_next(&r->wheel, now);
		if (i == TC_NIL) {
			return;
		}
		struct flow *f = flow_at(r, i);
		tc_time end = f->last + flow_patience(r, f);
		if (end > now) {
			tc_wheel_arm(&r->wheel, i, end);
		} else {
			flow_free(r, i);
		}
	}
}

/* A new flow without owners, or TC_NIL. */
static uint32_t flow_open(struct tc_relay *r, const struct tc_tuple *tuple, uint32_t hash,
			  tc_time now)
{
	if (tc_slab_left(&r->flows) == 0) {
		expire(r, now, EXPIRE_WHEN_FULL);
	}
	uint32_t i = tc_slab_take(&r->flows);
	if (i == TC_NIL) {
		r->stats.flows_full++;
		return TC_NIL;
	}
	if (!tc_table_insert(&r->table, hash, i)) {
		tc_slab_give(&r->flows, i);
		r->stats.flows_full++;
		return TC_NIL;
	}
	*flow_at(r, i) = (struct flow){ .tuple = *tuple, .hash = hash, .last = now };
	tc_wheel_node_init(&r->wheel, i);
	tc_wheel_arm(&r->wheel, i, now + r->cfg.flow_idle);
	return i;
}

/* The owners of @f whose places were not given away since. */
static uint16_t flow_owners(const struct tc_relay *r, const struct flow *f)
{
	uint16_t owners = 0;
	for (unsigned p = 0; p < TC_RELAY_PEERS; p++) {
		if ((f->owners >> p & 1) != 0 && r->peers[p].state != PEER_FREE &&
		    r->peers[p].epoch <= f->epoch) {
			owners = (uint16_t)(owners | 1u << p);
		}
	}
	return owners;
}

static void flow_set_owners(const struct tc_relay *r, struct flow *f, uint16_t owners)
{
	if (owners != f->owners || f->epoch != r->epoch) {
		f->newest = 0; /* of another queue, perhaps */
	}
	f->owners = owners;
	f->epoch = r->epoch;
}

static void flow_note(struct tc_relay *r, uint32_t i, uint8_t flags, tc_time now)
{
	struct flow *f = flow_at(r, i);
	uint8_t state = f->state;
	if (flags & TC_TCP_RST) {
		state = FLOW_RST;
	} else if (flags & TC_TCP_FIN) {
		state = FLOW_FIN;
	} else if (state == FLOW_RST || (flags & TC_TCP_SYN)) {
		state = FLOW_OPEN;
	}
	f->last = now;
	if (state != f->state) {
		f->state = state;
		tc_wheel_arm(&r->wheel, i, now + flow_patience(r, f));
	}
}

/* ---- queues ---- */

/* Queue a report of @pkt for @p; position, or 0 when the queue is full. */
static uint64_t tell(struct tc_relay *r, struct peer *p, const struct tc_packet *pkt, tc_time now)
{
	uint64_t pos = tc_relay_queue_append(&p->queue, pkt, now);
	if (pos == 0) {
		r->stats.queue_full++;
		return 0;
	}
	r->stats.reported++;
	p->told++;
	return pos;
}

static void tell_owners(struct tc_relay *r, uint32_t i, uint16_t owners,
			const struct tc_packet *pkt, tc_time now)
{
	bool alone = (owners & (owners - 1)) == 0;
	for (unsigned n = 0; n < TC_RELAY_PEERS; n++) {
		struct peer *p = &r->peers[n];
		if ((owners >> n & 1) == 0) {
			continue;
		}
		if (!alone) {
			tell(r, p, pkt, now);
			continue;
		}
		if (tc_relay_queue_merge(&p->queue, flow_at(r, i)->newest, pkt, now,
					 TC_RELAY_MERGE)) {
			r->stats.merged++;
			p->told++;
			continue;
		}
		uint64_t pos = tell(r, p, pkt, now);
		if (pos != 0) {
			flow_at(r, i)->newest = pos;
		}
	}
}

/* ---- packets of unknown flows ---- */

static bool copies_to(const struct peer *p, const struct tc_ip *ip, uint16_t port)
{
	for (unsigned i = 0; i < p->hello.n_targets; i++) {
		const struct tc_channel_target *t = &p->hello.targets[i];
		if (tc_ip_eq(&t->ip, ip) && (t->port == port || t->port == 0)) {
			return true;
		}
	}
	return false;
}

/* A second's offers may come at once, then they come at the rate. */
static bool offer_is_within_rate(const struct tc_relay *r, struct peer *p, tc_time now)
{
	if (r->cfg.offers_per_second == 0) {
		return false;
	}
	tc_time step = TC_SEC / r->cfg.offers_per_second;
	tc_time at = tc_time_max(p->offer_at, now) + step;
	if (at > now + TC_SEC) {
		return false;
	}
	p->offer_at = at;
	return true;
}

static void offer(struct tc_relay *r, uint16_t peers, const struct tc_packet *pkt, tc_time now)
{
	if (peers == 0) {
		r->stats.stray++;
		return;
	}
	for (unsigned n = 0; n < TC_RELAY_PEERS; n++) {
		struct peer *p = &r->peers[n];
		if ((peers >> n & 1) == 0) {
			continue;
		}
		if (!offer_is_within_rate(r, p, now)) {
			r->stats.limited++;
		} else if (tell(r, p, pkt, now) != 0) {
			r->stats.offered++;
		}
	}
}

static uint16_t peers_that_copy_to(const struct tc_relay *r, const struct tc_packet *pkt)
{
	uint16_t peers = 0;
	for (unsigned n = 0; n < TC_RELAY_PEERS; n++) {
		if (r->peers[n].state == PEER_LIVE &&
		    copies_to(&r->peers[n], &pkt->src, pkt->tcp.src_port)) {
			peers = (uint16_t)(peers | 1u << n);
		}
	}
	return peers;
}

static uint16_t peers_by_mark(const struct tc_relay *r, const struct tc_tuple *tuple, tc_seq isn)
{
	uint16_t peers = 0;
	for (unsigned n = 0; n < TC_RELAY_PEERS; n++) {
		const struct peer *p = &r->peers[n];
		if (p->state != PEER_FREE && tc_mark_check_isn(&p->hello.mark_key, tuple, isn)) {
			peers = (uint16_t)(peers | 1u << n);
		}
	}
	return peers;
}

/*
 * A SYN-ACK begins a connection, also on a tuple that is known: its mark says whose. Without one a flow of an earlier mark is over,
 * and an announced one goes on. Return: the flow, TC_NIL for none; @ret_marked has the peers whose mark it carries.
 */
static uint32_t on_syn_ack(struct tc_relay *r, uint32_t i, const struct tc_tuple *tuple,
			   uint32_t hash, const struct tc_packet *pkt, tc_time now,
			   uint16_t *ret_marked)
{
	uint16_t marked = peers_by_mark(r, tuple, tc_seq_of(pkt->tcp.ack.v - 1));
	*ret_marked = marked;
	if (marked == 0) {
		if (i != TC_NIL && !flow_at(r, i)->announced) {
			flow_free(r, i);
			return TC_NIL;
		}
		return i;
	}
	if (i == TC_NIL) {
		i = flow_open(r, tuple, hash, now);
		if (i == TC_NIL) {
			return TC_NIL;
		}
	}
	struct flow *f = flow_at(r, i);
	flow_set_owners(r, f, f->announced ? (uint16_t)(flow_owners(r, f) | marked) : marked);
	return i;
}

/* Is one of @owners a peer that is there? A gone one must let another have its flow. */
static bool has_live(const struct tc_relay *r, uint16_t owners)
{
	for (unsigned n = 0; n < TC_RELAY_PEERS; n++) {
		if ((owners >> n & 1) != 0 && r->peers[n].state == PEER_LIVE) {
			return true;
		}
	}
	return false;
}

/* ---- verbs ---- */

void tc_relay_on_packet(struct tc_relay *r, const struct tc_packet *pkt, tc_time now)
{
	r->stats.pkts++;
	uint8_t flags = pkt->tcp.flags;
	if ((flags & (TC_TCP_ACK | TC_TCP_RST)) == 0) {
		r->stats.stray++; /* the target opens a connection of its own, or nonsense */
		return;
	}
	struct tc_tuple tuple = tuple_of(pkt);
	uint32_t hash = hash_of(r, &tuple);
	uint32_t i = flow_find(r, &tuple, hash);
	uint16_t marked = 0;
	if ((flags & (TC_TCP_SYN | TC_TCP_ACK | TC_TCP_RST)) == (TC_TCP_SYN | TC_TCP_ACK)) {
		i = on_syn_ack(r, i, &tuple, hash, pkt, now, &marked);
	}
	uint16_t owners = i != TC_NIL ? flow_owners(r, flow_at(r, i)) : 0;
	if (owners != 0) {
		flow_note(r, i, flags, now);
		tell_owners(r, i, owners, pkt, now);
		uint16_t others = has_live(r, owners) ? 0 : peers_that_copy_to(r, pkt);
		if (others != 0) {
			/* the owners may come back, or be gone for ever and another tcpcopy use their tuples */
			offer(r, others, pkt, now);
		}
		return;
	}
	if (i != TC_NIL) {
		flow_free(r, i); /* the places of all its owners were given away */
	}
	offer(r, marked != 0 ? marked : peers_that_copy_to(r, pkt), pkt, now);
}

static void peer_free(struct peer *p)
{
	p->state = PEER_FREE;
	tc_relay_queue_clear(&p->queue);
}

static struct peer *peer_place(struct tc_relay *r)
{
	struct peer *best = NULL;
	for (unsigned n = 0; n < TC_RELAY_PEERS; n++) {
		struct peer *p = &r->peers[n];
		if (p->state == PEER_FREE) {
			return p;
		}
		if (p->state == PEER_GONE && (best == NULL || p->gone_at < best->gone_at)) {
			best = p;
		}
	}
	return best;
}

int tc_relay_on_hello(struct tc_relay *r, const struct tc_channel_hello *hello, tc_time now,
		      unsigned *ret_peer)
{
	for (unsigned n = 0; n < TC_RELAY_PEERS; n++) {
		struct peer *p = &r->peers[n];
		const struct tc_siphash_key *key = &p->hello.mark_key;
		if (p->state != PEER_FREE && p->hello.instance == hello->instance &&
		    key->k0 == hello->mark_key.k0 && key->k1 == hello->mark_key.k1) {
			p->state = PEER_LIVE;
			p->hello = *hello;
			*ret_peer = n;
			return 0;
		}
	}
	struct peer *p = peer_place(r);
	if (p == NULL) {
		return -EBUSY;
	}
	peer_free(p);
	p->state = PEER_LIVE;
	p->epoch = ++r->epoch;
	p->offer_at = now;
	p->told = 0;
	p->hello = *hello;
	*ret_peer = (unsigned)(p - r->peers);
	return 0;
}

void tc_relay_on_gone(struct tc_relay *r, unsigned peer, tc_time now)
{
	if (peer < TC_RELAY_PEERS && r->peers[peer].state == PEER_LIVE) {
		r->peers[peer].state = PEER_GONE;
		r->peers[peer].gone_at = now;
	}
}

bool tc_relay_has_peer(const struct tc_relay *r, unsigned peer)
{
	return peer < TC_RELAY_PEERS && r->peers[peer].state != PEER_FREE;
}

bool tc_relay_on_announce(struct tc_relay *r, unsigned peer, const struct tc_tuple *tuple,
			  tc_time now)
{
	if (peer >= TC_RELAY_PEERS || r->peers[peer].state != PEER_LIVE) {
		return false;
	}
	struct tc_tuple t = *tuple;
	t.link_id = 0;
	uint16_t self = (uint16_t)(1u << peer);
	uint32_t hash = hash_of(r, &t);
	uint32_t i = flow_find(r, &t, hash);
	if (i == TC_NIL) {
		i = flow_open(r, &t, hash, now);
		if (i == TC_NIL) {
			return false;
		}
	}
	struct flow *f = flow_at(r, i);
	uint16_t owners = flow_owners(r, f);
	if ((owners & self) == 0 && has_live(r, owners)) {
		r->stats.foreign++;
		return false;
	}
	if (owners != self) {
		flow_set_owners(r, f, self);
	}
	f->announced = true;
	f->last = now;
	return true;
}

void tc_relay_on_disown(struct tc_relay *r, unsigned peer, const struct tc_tuple *tuple)
{
	if (peer >= TC_RELAY_PEERS) {
		return;
	}
	struct tc_tuple t = *tuple;
	t.link_id = 0;
	uint32_t i = flow_find(r, &t, hash_of(r, &t));
	if (i == TC_NIL) {
		return;
	}
	struct flow *f = flow_at(r, i);
	uint16_t owners = flow_owners(r, f);
	if ((owners >> peer & 1) == 0) {
		r->stats.foreign++; /* or it was offered a packet of it while its owner was gone */
		return;
	}
	owners = (uint16_t)(owners & ~(1u << peer));
	if (owners == 0) {
		flow_free(r, i);
	} else {
		flow_set_owners(r, f, owners);
	}
}

void tc_relay_on_deadline(struct tc_relay *r, tc_time now)
{
	expire(r, now, EXPIRE_MAX);
	for (unsigned n = 0; n < TC_RELAY_PEERS; n++) {
		struct peer *p = &r->peers[n];
		if (p->state == PEER_GONE && now - p->gone_at >= r->cfg.flow_idle) {
			peer_free(p);
		}
	}
}

size_t tc_relay_next_batch(struct tc_relay *r, unsigned peer, uint8_t *buf, size_t n)
{
	if (!tc_relay_has_batch(r, peer) || n < TC_CHANNEL_HEAD) {
		return 0;
	}
	struct peer *p = &r->peers[peer];
	size_t room = n - TC_CHANNEL_HEAD;
	if (room > TC_CHANNEL_BODY_MAX) {
		room = TC_CHANNEL_BODY_MAX;
	}
	uint16_t count = 0;
	size_t length = tc_relay_queue_encode(&p->queue, buf + TC_CHANNEL_HEAD, room, &count);
	if (count == 0) {
		return 0;
	}
	struct tc_channel_head head = { .type = TC_CHANNEL_ANSWERS,
					.version = TC_CHANNEL_VERSION,
					.count = count,
					.length = (uint32_t)length };
	tc_channel_head_encode(&head, buf);
	return TC_CHANNEL_HEAD + length;
}

bool tc_relay_has_batch(const struct tc_relay *r, unsigned peer)
{
	return peer < TC_RELAY_PEERS && r->peers[peer].state == PEER_LIVE &&
	       tc_relay_queue_used(&r->peers[peer].queue) > 0;
}

void tc_relay_stats(const struct tc_relay *r, struct tc_relay_stats *ret_stats)
{
	*ret_stats = r->stats;
	ret_stats->flows = r->flows.used;
}

void tc_relay_peer_stats(const struct tc_relay *r, unsigned peer,
			 struct tc_channel_stats *ret_stats)
{
	*ret_stats = (struct tc_channel_stats){
		.reported = peer < TC_RELAY_PEERS ? r->peers[peer].told : 0,
		.stray = r->stats.stray,
	};
}

static const char *check_flow(const struct tc_relay *r, uint32_t i)
{
	const struct flow *f = flow_at(r, i);
	if (f->hash != hash_of(r, &f->tuple) || flow_find(r, &f->tuple, f->hash) != i) {
		return "a flow is not found under its tuple";
	}
	if (f->owners == 0) {
		return "a flow has no owner";
	}
	if (f->newest == 0 || (f->owners & (f->owners - 1)) != 0) {
		return NULL;
	}
	const struct peer *p = &r->peers[__builtin_ctz(f->owners)];
	if (f->newest >= p->queue.tail) {
		return "a flow's newest report was never queued";
	}
	const struct tc_relay_report *rep = tc_relay_queue_at(&p->queue, f->newest);
	if (rep != NULL && !(tc_ip_eq(&rep->answer.client, &f->tuple.client) &&
			     rep->answer.tcp.dst_port == f->tuple.client_port)) {
		return "a flow's newest report is of another flow";
	}
	return NULL;
}

const char *tc_relay_check(const struct tc_relay *r)
{
	const struct tc_relay_stats *s = &r->stats;
	if (r->table.used != r->flows.used) {
		return "the table and the slab differ";
	}
	/* a packet with several owners, or offered to several peers, counts more than once */
	if (s->reported + s->merged + s->stray + s->limited + s->queue_full < s->pkts) {
		return "a packet has no fate";
	}
	if (s->offered > s->reported) {
		return "more offers than reports";
	}
	for (unsigned n = 0; n < TC_RELAY_PEERS; n++) {
		const struct peer *p = &r->peers[n];
		if (tc_relay_queue_used(&p->queue) > r->cfg.queue) {
			return "a queue is longer than it may be";
		}
		if (p->state == PEER_FREE && tc_relay_queue_used(&p->queue) != 0) {
			return "a queue of nobody";
		}
	}
	for (uint32_t pos = 0; pos <= r->table.mask; pos++) {
		if (!tc_table_slot_is_empty(&r->table.slots[pos])) {
			const char *bad = check_flow(r, tc_table_index(&r->table, pos));
			if (bad != NULL) {
				return bad;
			}
		}
	}
	return NULL;
}
