/* SPDX-License-Identifier: BSD-2-Clause
 * sim/share.c - who is left out: by the share that is kept, by -r, by --limit-sessions
 *
 * The capture's filter is that of the kernel: of a client outside of the share only SYN, FIN and RST pass. It changes at once, while packets
 * that passed the old one may still wait in a block. What is left out is known here from the packets that the core was given, and
 * for --limit-sessions from the books, against which the rate is checked.
 */
#include "sim/sim.h"

#include "base/siphash.h"
#include "wire/share.h"

#define BEGINS_OR_ENDS (TC_TCP_SYN | TC_TCP_FIN | TC_TCP_RST)
#define SAMPLE_ALL 10000

void sim_share_start(struct sim *s)
{
	s->keep_share = TC_SHARE_ALL;
	s->sample = s->p.sample;
	s->keep_left = (unsigned)s->p.keep_times;
	s->share_dice = sim_rng_of(s->seed, 5);
	if (s->keep_left > 0) {
		tc_time at = sim_rng_range(&s->share_dice, 0, s->p.keep_every_ms) * TC_MS;
		sim_queue_push(&s->q, s->q.now + at, SIM_EV_KEEP, 0);
	}
	if (s->p.sample < SAMPLE_ALL && s->p.sample_ms > 0) {
		tc_time at = sim_rng_range(&s->share_dice, 0, s->p.sample_ms) * TC_MS;
		sim_queue_push(&s->q, s->q.now + at, SIM_EV_SAMPLE, 0);
	}
}

bool sim_share_passes(const struct sim *s, const struct sim_pkt *pkt)
{
	const struct sim_conv *c = &s->convs[pkt->who];
	return s->p.keep_filter == 0 || c->share < s->keep_share ||
	       (pkt->tcp.flags & BEGINS_OR_ENDS) != 0;
}

/* The core lets go what it has of clients that are not kept any more. */
static void shed(struct sim *s)
{
	for (unsigned i = 0; i < s->n_convs; i++) {
		struct sim_conv *c = &s->convs[i];
		if (c->share < s->keep_share || !c->syn_given || c->left != SIM_LEFT_NOT) {
			continue;
		}
		if (c->accept_given) {
			c->shed_at = c->shed_at == 0 ? s->q.now : c->shed_at;
		} else if (!c->over) {
			c->left = SIM_LEFT_SHED;
		}
	}
}

void sim_share_on_keep(struct sim *s)
{
	struct sim_rng *r = &s->share_dice;
	tc_time settled = s->keep_at + sim_share_grace(s);
	if (s->q.now < settled) {
		sim_queue_push(&s->q, settled, SIM_EV_KEEP, 0);
		return;
	}
	uint32_t before = s->keep_share;
	uint32_t least = (uint32_t)(s->p.keep_least * TC_SHARE_ALL / 1000);
	uint32_t share = (uint32_t)sim_rng_range(r, least, TC_SHARE_ALL);
	s->keep_left--;
	if (s->keep_left == 0 || sim_rng_permille(r, 300)) {
		share = TC_SHARE_ALL;
	}
	if (share > before) {
		sim_capture_on_block(s); /* the share grows when the ring was empty for long */
	}
	s->keep_at = s->q.now;
	s->keep_share = share;
	if (share < before) {
		shed(s);
	}
	struct tc_event ev = { .kind = TC_EVENT_KEEP_SHARE, .at = s->q.now, .count = share };
	sim_core_on_event(s, &ev);
	if (s->keep_left > 0) {
		tc_time wait = sim_rng_range(r, 0, s->p.keep_every_ms) * TC_MS;
		sim_queue_push(&s->q, s->q.now + wait, SIM_EV_KEEP, 0);
	}
}

void sim_share_on_sample(struct sim *s)
{
	struct sim_rng *r = &s->share_dice;
	s->sample = sim_rng_permille(r, 200) ? SAMPLE_ALL : sim_rng_range(r, s->sample, SAMPLE_ALL);
	struct tc_event ev = {
		.kind = TC_EVENT_SAMPLE,
		.at = s->q.now,
		.count = (uint64_t)s->sample,
	};
	sim_core_on_event(s, &ev);
	if (s->sample < SAMPLE_ALL) {
		tc_time wait = sim_rng_range(r, 1, s->p.sample_ms) * TC_MS;
		sim_queue_push(&s->q, s->q.now + wait, SIM_EV_SAMPLE, 0);
	}
}

static bool is_sampled(const struct sim *s, const struct tc_tuple *t)
{
	struct {
		struct tc_ip client;
		uint32_t port;
	} who = { t->client, t->client_port };
	return (int64_t)(tc_siphash(&s->table_key, &who, sizeof who) % SAMPLE_ALL) < s->sample;
}

static void on_syn(struct sim *s, struct sim_conv *c)
{
	const struct tc_tuple *t = &s->places[c->place].online;
	for (struct sim_conv *o = s->convs; o < c; o++) {
		o->over |= o->place == c->place && !o->accept_given;
	}
	if (c->accept_given) {
		return;
	}
	if (!c->syn_given) {
		c->left = is_sampled(s, t) ? SIM_LEFT_NOT : SIM_LEFT_SAMPLE;
	} else if (c->left == SIM_LEFT_SAMPLE && is_sampled(s, t)) {
		c->left = SIM_LEFT_NOT;
		c->syn_given = false;
	}
	if (!c->syn_given && c->left == SIM_LEFT_NOT && c->share >= s->keep_share) {
		c->left = SIM_LEFT_SHED;
	}
	c->syn_given = true;
}

void sim_share_on_give(struct sim *s, const struct sim_pkt *pkt)
{
	struct sim_conv *c = &s->convs[pkt->who];
	uint8_t flags = pkt->tcp.flags;
	bool ends = (flags & (TC_TCP_FIN | TC_TCP_RST)) != 0;
	if ((flags & TC_TCP_SYN) != 0) {
		on_syn(s, c);
		return;
	}
	if (c->left == SIM_LEFT_SHED && !c->over && (ends || pkt->len > 0) &&
	    (int32_t)(pkt->offset - c->shed_said) >= 0) {
		c->shed_said = pkt->offset + pkt->len;
		c->over = ends;
	}
	c->over |= (flags & TC_TCP_RST) != 0 && !c->accept_given;
	if (c->left == SIM_LEFT_NOT && !c->over && c->syn_given && (flags & TC_TCP_ACK) != 0) {
		c->accept_given = true;
	}
}

/* Sessions that were opened after @since */
static unsigned opened_since(const struct sim *s, tc_time since)
{
	unsigned n = 0;
	for (unsigned i = 0; i < s->n_sessions; i++) {
		n += s->sessions[i].copy == 0 && s->sessions[i].opened_at > since;
	}
	return n;
}

void sim_share_after_give(struct sim *s, unsigned conv, const struct tc_ledger *before)
{
	struct sim_conv *c = &s->convs[conv];
	int64_t limit = s->p.limit_sessions;
	struct tc_ledger l;
	tc_core_ledger(s->core, &l);
	if (limit == 0 || l.opened == before->opened || !sim_is_exact(s)) {
		return;
	}
	if (l.ended[TC_END_SHED] > before->ended[TC_END_SHED]) {
		if (c->left == SIM_LEFT_SHED) {
			return;
		}
		c->left = SIM_LEFT_LIMIT;
		if (opened_since(s, s->q.now - TC_SEC) < limit) {
			sim_fail(s, "a session was shed below the limit of sessions");
		}
		return;
	}
	for (unsigned i = 0; i < s->n_sessions; i++) {
		tc_time from = s->sessions[i].opened_at;
		int64_t most = limit + (s->q.now - from) / (TC_SEC / limit) + 1;
		if (opened_since(s, from - 1) > most) {
			sim_fail(s, "more sessions than the limit allows");
			return;
		}
	}
}

tc_time sim_share_grace(const struct sim *s)
{
	const struct sim_params *p = &s->p;
	return (p->late_us * 3 + p->rtt_us) * TC_US + p->stall_ms * TC_MS + 3 * TC_MS;
}
