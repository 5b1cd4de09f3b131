/* SPDX-License-Identifier: BSD-2-Clause
 * core/stream.c - chunks in order
 *
 * Every way into the list is place(): it copies one run of bytes that is known to be new and to end before the next chunk, into the
 * room behind the chunk before it where they touch, and into fresh chunks for the rest. tc_stream_add() cuts what it is given into
 * such runs. A gap in the captured bytes of a packet (len > v.n) is no different from one between packets.
 */
#include "core/stream.h"

#include "core/constants.h"

void tc_stream_init(struct tc_stream *s, tc_seq first)
{
	*s = (struct tc_stream){
		.head = TC_NIL, .tail = TC_NIL, .hint = TC_NIL, .end = first, .far = first
	};
}

static struct tc_chunk *chunk_at(const struct tc_slab *chunks, uint32_t i)
{
	return tc_slab_at(chunks, i);
}

static tc_seq chunk_end(const struct tc_chunk *c)
{
	return tc_seq_add(c->pos, c->len);
}

void tc_stream_fini(struct tc_stream *s, struct tc_slab *chunks)
{
	while (s->head != TC_NIL) {
		uint32_t next = chunk_at(chunks, s->head)->next;
		tc_slab_give(chunks, s->head);
		s->head = next;
	}
	s->tail = TC_NIL;
	s->hint = TC_NIL;
}

/* A fresh chunk behind @prev (TC_NIL: at the head); TC_NIL when the slab is empty. */
static uint32_t link_after(struct tc_stream *s, struct tc_slab *chunks, uint32_t prev)
{
	uint32_t i = tc_slab_take(chunks);
	if (i == TC_NIL) {
		return TC_NIL;
	}
	struct tc_chunk *c = chunk_at(chunks, i);
	uint32_t *from = prev == TC_NIL ? &s->head : &chunk_at(chunks, prev)->next;
	c->next = *from;
	*from = i;
	if (c->next == TC_NIL) {
		s->tail = i;
	}
	return i;
}

/* Copy new bytes behind @prev. Returns the chunk that holds the last of them, or TC_NIL when memory ran out. */
static uint32_t place(struct tc_stream *s, struct tc_slab *chunks, uint32_t prev, tc_seq pos,
		      struct tc_view v, tc_time at)
{
	if (prev != TC_NIL) {
		struct tc_chunk *c = chunk_at(chunks, prev);
		if (tc_seq_eq(chunk_end(c), pos)) {
			uint32_t n = tc_u32_min((uint32_t)v.n, (uint32_t)sizeof c->data - c->len);
			memcpy(c->data + c->len, v.p, n);
			c->len += n;
			v.p += n;
			v.n -= n;
			pos = tc_seq_add(pos, n);
		}
	}
	while (v.n > 0) {
		uint32_t i = link_after(s, chunks, prev);
		if (i == TC_NIL) {
			return TC_NIL;
		}
		struct tc_chunk *c = chunk_at(chunks, i);
		c->pos = pos;
		c->at = at;
		c->len = tc_u32_min((uint32_t)v.n, (uint32_t)sizeof c->data);
		memcpy(c->data, v.p, c->len);
		v.p += c->len;
		v.n -= c->len;
		pos = tc_seq_add(pos, c->len);
		prev = i;
	}
	return prev;
}

/* The last chunk that begins at or before @pos, TC_NIL when none does. */
static uint32_t find_before(const struct tc_stream *s, const struct tc_slab *chunks, tc_seq pos)
{
	if (s->tail != TC_NIL && tc_seq_le(chunk_at(chunks, s->tail)->pos, pos)) {
		return s->tail;
	}
	uint32_t prev = TC_NIL;
	bool hinted = s->hint != TC_NIL && tc_seq_le(chunk_at(chunks, s->hint)->pos, pos);
	for (uint32_t i = hinted ? s->hint : s->head; i != TC_NIL; i = chunk_at(chunks, i)->next) {
		if (tc_seq_lt(pos, chunk_at(chunks, i)->pos)) {
			break;
		}
		prev = i;
	}
	return prev;
}

/* end moves over every chunk that now touches it. */
static void advance_end(struct tc_stream *s, const struct tc_slab *chunks, uint32_t from)
{
	for (uint32_t i = from != TC_NIL ? from : s->head; i != TC_NIL;
	     i = chunk_at(chunks, i)->next) {
		const struct tc_chunk *c = chunk_at(chunks, i);
		if (tc_seq_lt(s->end, c->pos)) {
			break;
		}
		s->end = tc_seq_max(s->end, chunk_end(c));
	}
}

int tc_stream_add(struct tc_stream *s, struct tc_slab *chunks, tc_seq pos, struct tc_view v,
		  uint32_t len, tc_time at)
{
	tc_seq stop = tc_seq_add(pos, (uint32_t)v.n);
	tc_seq far = tc_seq_add(pos, len);
	bool fresh = tc_seq_lt(s->far, far);
	s->far = tc_seq_max(s->far, far);
	if (tc_seq_lt(pos, s->end)) {
		uint32_t old = (uint32_t)tc_seq_diff(s->end, pos);
		if (old >= v.n) {
			return fresh ? 0 : TC_STREAM_E_DUPLICATE;
		}
		v.p += old;
		v.n -= old;
		pos = s->end;
	}
	uint32_t prev = find_before(s, chunks, pos);
	uint32_t first = prev;
	while (tc_seq_lt(pos, stop)) {
		if (prev != TC_NIL && tc_seq_lt(pos, chunk_end(chunk_at(chunks, prev)))) {
			/* inside a chunk: the first copy wins */
			tc_seq to = tc_seq_min(stop, chunk_end(chunk_at(chunks, prev)));
			v.p += tc_seq_diff(to, pos);
			v.n -= (uint32_t)tc_seq_diff(to, pos);
			pos = to;
			continue;
		}
		uint32_t next = prev == TC_NIL ? s->head : chunk_at(chunks, prev)->next;
		tc_seq to = next == TC_NIL ? stop : tc_seq_min(stop, chunk_at(chunks, next)->pos);
		uint32_t n = (uint32_t)tc_seq_diff(to, pos);
		if (n > 0) {
			bool joins =
				prev != TC_NIL && tc_seq_eq(chunk_end(chunk_at(chunks, prev)), pos);
			s->pieces += !joins && tc_seq_lt(s->end, pos);
			if (s->pieces > TC_STREAM_PIECES_MAX) {
				advance_end(s, chunks, first);
				return TC_STREAM_E_PIECES;
			}
			fresh = true;
			prev = place(s, chunks, prev, pos, (struct tc_view){ v.p, n }, at);
			if (prev == TC_NIL) {
				advance_end(s, chunks, first);
				return TC_STREAM_E_MEMORY;
			}
			v.p += n;
			v.n -= n;
			pos = to;
		}
		if (tc_seq_lt(pos, stop)) {
			prev = next;
		}
	}
	advance_end(s, chunks, first);
	s->hint = prev;
	s->pieces = tc_seq_eq(s->end, s->far) ? 0 : s->pieces;
	return fresh ? 0 : TC_STREAM_E_DUPLICATE;
}

void tc_stream_release(struct tc_stream *s, struct tc_slab *chunks, tc_seq pos)
{
	while (s->head != TC_NIL && tc_seq_le(chunk_end(chunk_at(chunks, s->head)), pos)) {
		uint32_t next = chunk_at(chunks, s->head)->next;
		s->hint = s->hint == s->head ? TC_NIL : s->hint;
		tc_slab_give(chunks, s->head);
		s->head = next;
	}
	if (s->head == TC_NIL) {
		s->tail = TC_NIL;
	}
}

uint32_t tc_stream_views(const struct tc_stream *s, const struct tc_slab *chunks, tc_seq pos,
			 uint32_t len, struct tc_view *views, uint16_t *n_views)
{
	uint16_t used = 0;
	uint32_t done = 0;
	for (uint32_t i = find_before(s, chunks, pos); i != TC_NIL && done < len && used < *n_views;
	     i = chunk_at(chunks, i)->next) {
		const struct tc_chunk *c = chunk_at(chunks, i);
		uint32_t skip = (uint32_t)tc_seq_diff(tc_seq_add(pos, done), c->pos);
		if (skip >= c->len) {
			break;
		}
		uint32_t n = tc_u32_min(c->len - skip, len - done);
		views[used++] = (struct tc_view){ c->data + skip, n };
		done += n;
	}
	*n_views = used;
	return done;
}

tc_time tc_stream_time(const struct tc_stream *s, const struct tc_slab *chunks, tc_seq pos)
{
	uint32_t i = find_before(s, chunks, pos);
	if (i == TC_NIL || tc_seq_le(chunk_end(chunk_at(chunks, i)), pos)) {
		return TC_TIME_NEVER;
	}
	return chunk_at(chunks, i)->at;
}
