/* SPDX-License-Identifier: BSD-2-Clause
 * core/alias.c - which address and port a replica speaks from
 *
 * The first copy of a client keeps its own tuple, unless -c replaces all addresses or -f all ports. Every other copy gets one of its own: chosen by a keyed
 * hash of the client and the number of the copy, so that the same client meets the same tuple again, and moved on while somebody
 * else has it. A tuple that may still be in TIME-WAIT is taken only when a first round found nothing else: timestamps make it work.
 */
#include "core/constants.h"
#include "core/state.h"

static bool pick_address(const struct tc_core *c, bool v4, uint64_t h, uint32_t *ret_alias)
{
	const struct tc_core_config *cfg = &c->cfg;
	if (cfg->n_pool_v4 + cfg->n_pool_v6 == 0) {
		*ret_alias = TC_NIL;
		return true;
	}
	uint32_t n = v4 ? cfg->n_pool_v4 : cfg->n_pool_v6;
	if (n == 0) {
		return false; /* -c has no address of this family */
	}
	*ret_alias = (uint32_t)(h % n) + (v4 ? 0 : cfg->n_pool_v4);
	return true;
}

static bool is_free(const struct tc_core *c, struct tc_replica *r, bool closed_too, tc_time now)
{
	struct tc_tuple t;
	tc_replica_tuple(c, r, &t);
	uint32_t hash = tc_core_hash(c, &t);
	if (tc_replica_has(c, &t, hash)) {
		return false;
	}
	const struct tc_closed *closed = tc_closeds_find(&c->closeds, &t.client, t.client_port,
							 tc_replica_target(c, r), hash);
	return closed == NULL || closed_too || tc_closed_is_old(closed, now);
}

bool tc_alias_pick(const struct tc_core *c, const struct tc_session *s, struct tc_replica *r,
		   uint32_t copy, tc_time now)
{
	bool pooled = c->cfg.n_pool_v4 + c->cfg.n_pool_v6 > 0;
	r->alias = TC_NIL;
	r->client_port = s->online.client_port;
	if (copy == 0 && !pooled && !c->cfg.alias_first) {
		return true;
	}
	uint32_t span = (uint32_t)c->cfg.alias_port_last - c->cfg.alias_port_first + 1;
	struct {
		struct tc_ip client;
		uint32_t port;
		uint32_t copy;
		uint32_t try;
	} who = { s->online.client, s->online.client_port, copy, 0 };
	for (; who.try < 2 * TC_ALIAS_TRIES; who.try++) {
		uint64_t h = tc_siphash(&c->cfg.table_key, &who, sizeof who);
		if (!pick_address(c, tc_ip_is_v4(&s->online.client), h >> 32, &r->alias)) {
			return false;
		}
		r->client_port = (uint16_t)(c->cfg.alias_port_first + (uint32_t)h % span);
		if (is_free(c, r, who.try >= TC_ALIAS_TRIES, now)) {
			return true;
		}
	}
	return false;
}
