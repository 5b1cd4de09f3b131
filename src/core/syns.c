/* SPDX-License-Identifier: BSD-2-Clause
 * core/syns.c - lone SYNs in a list by age, found by a table
 */
#include "core/syns.h"

#include "core/constants.h"

static struct tc_syn *at(const struct tc_syns *s, uint32_t i)
{
	return tc_slab_at(&s->slab, i);
}

static uint32_t index_of(const struct tc_syns *s, const struct tc_syn *syn)
{
	return (uint32_t)(((const uint8_t *)syn - s->slab.mem) / s->slab.size);
}

void tc_syns_init(struct tc_syns *s, void *slots, void *table, uint32_t capacity, tc_time life)
{
	*s = (struct tc_syns){ .oldest = TC_NIL, .youngest = TC_NIL, .life = life };
	tc_slab_init(&s->slab, slots, sizeof(struct tc_syn), capacity);
	tc_table_init(&s->table, table, capacity);
}

struct tc_syn *tc_syns_find(const struct tc_syns *s, const struct tc_tuple *tuple, uint32_t hash)
{
	for (uint32_t pos = tc_table_find(&s->table, hash); pos != TC_NIL;
	     pos = tc_table_again(&s->table, hash, pos)) {
		struct tc_syn *syn = at(s, tc_table_index(&s->table, pos));
		if (tc_tuple_eq(&syn->tuple, tuple)) {
			return syn;
		}
	}
	return NULL;
}

struct tc_syn *tc_syns_add(struct tc_syns *s, const struct tc_tuple *tuple, uint32_t hash,
			   tc_seq isn, tc_time when)
{
	uint32_t i = tc_slab_take(&s->slab);
	if (i == TC_NIL) {
		return NULL;
	}
	if (!tc_table_insert(&s->table, hash, i)) {
		tc_slab_give(&s->slab, i);
		return NULL;
	}
	s->latest = tc_time_max(s->latest, when);
	*at(s, i) = (struct tc_syn){
		.tuple = *tuple,
		.at = tc_stamp_of(when),
		.isn = isn,
		.chunk = TC_NIL,
		.older = s->youngest,
		.younger = TC_NIL,
	};
	*(s->youngest == TC_NIL ? &s->oldest : &at(s, s->youngest)->younger) = i;
	s->youngest = i;
	return at(s, i);
}

void tc_syns_remove(struct tc_syns *s, struct tc_syn *syn, uint32_t hash)
{
	uint32_t i = index_of(s, syn);
	*(syn->older == TC_NIL ? &s->oldest : &at(s, syn->older)->younger) = syn->younger;
	*(syn->younger == TC_NIL ? &s->youngest : &at(s, syn->younger)->older) = syn->older;
	tc_table_remove(&s->table, hash, i);
	tc_slab_give(&s->slab, i);
}

struct tc_syn *tc_syns_youngest(const struct tc_syns *s)
{
	return s->youngest == TC_NIL ? NULL : at(s, s->youngest);
}

struct tc_syn *tc_syns_older(const struct tc_syns *s, const struct tc_syn *syn)
{
	return syn->older == TC_NIL ? NULL : at(s, syn->older);
}

tc_time tc_syns_deadline(const struct tc_syns *s)
{
	return s->oldest == TC_NIL ? TC_TIME_NEVER :
				     tc_stamp_past(at(s, s->oldest)->at, s->latest) + s->life;
}

struct tc_syn *tc_syns_oldest(const struct tc_syns *s)
{
	return s->oldest != TC_NIL ? at(s, s->oldest) : NULL;
}

struct tc_syn *tc_syns_expired(const struct tc_syns *s, tc_time now)
{
	return tc_syns_deadline(s) <= now ? at(s, s->oldest) : NULL;
}
