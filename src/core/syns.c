/* SPDX-License-Identifier: BSD-2-Clause
 * core/syns.c - a ring of lone SYNs, found by a table
 *
 * Slots are taken in order of arrival, so the oldest is always at the front; one that was accepted stays as an empty slot until the
 * front passes it. That wastes slots, never time.
 */
#include "core/syns.h"

#include "core/constants.h"

struct tc_syn *tc_syns_find(const struct tc_syns *s, const struct tc_tuple *tuple, uint32_t hash)
{
	for (uint32_t pos = tc_table_find(&s->table, hash); pos != TC_NIL;
	     pos = tc_table_again(&s->table, hash, pos)) {
		struct tc_syn *syn = &s->ring[tc_table_index(&s->table, pos)];
		if (tc_tuple_eq(&syn->tuple, tuple)) {
			return syn;
		}
	}
	return NULL;
}

/* The front moves over slots that are not in use any more. */
static void trim(struct tc_syns *s)
{
	while (s->n > 0 && !s->ring[s->first].live) {
		s->first = s->first + 1 == s->capacity ? 0 : s->first + 1;
		s->n--;
	}
}

struct tc_syn *tc_syns_add(struct tc_syns *s, const struct tc_tuple *tuple, uint32_t hash,
			   tc_seq isn, tc_time at)
{
	trim(s);
	if (s->n == s->capacity) {
		return NULL;
	}
	uint32_t i = (uint32_t)(((uint64_t)s->first + s->n) % s->capacity);
	if (!tc_table_insert(&s->table, hash, i)) {
		return NULL;
	}
	s->n++;
	s->live++;
	s->ring[i] = (struct tc_syn){
		.tuple = *tuple, .at = at, .isn = isn, .hash = hash, .chunk = TC_NIL, .live = true
	};
	return &s->ring[i];
}

void tc_syns_remove(struct tc_syns *s, struct tc_syn *syn)
{
	tc_table_remove(&s->table, syn->hash, (uint32_t)(syn - s->ring));
	syn->live = false;
	s->live--;
	trim(s);
}

struct tc_syn *tc_syns_expired(struct tc_syns *s, tc_time now)
{
	trim(s);
	return s->n > 0 && s->ring[s->first].at + TC_SYN_LIFE <= now ? &s->ring[s->first] : NULL;
}

tc_time tc_syns_deadline(const struct tc_syns *s)
{
	/* the front is live, or the ring is empty: every removal trims */
	return s->n > 0 ? s->ring[s->first].at + TC_SYN_LIFE : TC_TIME_NEVER;
}
