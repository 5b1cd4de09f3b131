/* SPDX-License-Identifier: BSD-2-Clause
 * core/closed.c - a ring of closed tuples, found by a table
 *
 * All live equally long, so the ring is in order of expiry. Expired ones go when their place is needed: a record that stands longer
 * than it must does no harm.
 */
#include "core/closed.h"

#include "core/constants.h"

struct tc_closed *tc_closeds_find(const struct tc_closeds *c, const struct tc_ip *client,
				  uint16_t client_port, uint16_t target, uint32_t hash)
{
	if (c->n == 0) {
		return NULL; /* a table that was never used has no pages yet, and reading would give it some */
	}
	for (uint32_t pos = tc_table_find(&c->table, hash); pos != TC_NIL;
	     pos = tc_table_again(&c->table, hash, pos)) {
		struct tc_closed *r = &c->ring[tc_table_index(&c->table, pos)];
		if (r->client_port == client_port && r->target == target &&
		    tc_ip_eq(&r->client, client)) {
			return r;
		}
	}
	return NULL;
}

static void remove_closed(struct tc_closeds *c, struct tc_closed *closed)
{
	tc_table_remove(&c->table, closed->hash, (uint32_t)(closed - c->ring));
	closed->live = false;
}

/* Room for one more: dead and expired ones at the front go; when there is none, the oldest. */
static void make_room(struct tc_closeds *c, uint32_t tick)
{
	while (c->n > 0) {
		struct tc_closed *oldest = &c->ring[c->first];
		bool expired = (int32_t)(tick - oldest->until) >= 0;
		if (oldest->live && !expired && c->n < c->capacity) {
			return;
		}
		if (oldest->live) {
			c->forgotten += !expired;
			remove_closed(c, oldest);
		}
		c->first = c->first + 1 == c->capacity ? 0 : c->first + 1;
		c->n--;
	}
}

void tc_closeds_add(struct tc_closeds *c, const struct tc_closed *closed, tc_time now)
{
	struct tc_closed *old = tc_closeds_find(c, &closed->client, closed->client_port,
						closed->target, closed->hash);
	if (old != NULL) {
		remove_closed(c, old);
	}
	make_room(c, (uint32_t)(now / TC_CLOSED_TICK));
	uint32_t i = (uint32_t)(((uint64_t)c->first + c->n) % c->capacity);
	if (!tc_table_insert(&c->table, closed->hash, i)) {
		c->forgotten++;
		return;
	}
	c->n++;
	c->ring[i] = *closed;
	c->ring[i].until = (uint32_t)((now + TC_CLOSED_LIFE) / TC_CLOSED_TICK);
	c->ring[i].live = true;
	c->ring[i].replies = TC_CLOSED_REPLIES;
}
