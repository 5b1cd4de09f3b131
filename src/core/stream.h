/* SPDX-License-Identifier: BSD-2-Clause
 * core/stream.h - the bytes that one client sent, rebuilt from its packets
 *
 * Layer:   core.
 * Source:  RFC 9293 3.4, 3.10.7.4 (sequence space); where copies of a byte differ the first one wins.
 *
 * A position is the client's own sequence number. Bytes are copied once, into chunks of a common slab; the chunks of a stream are a
 * list that is sorted and without overlap:
 *
 *     base         end              far            base  kept from here (every replica's acknowledged position)
 *      |####|######|......|###|######|             end   all before it was seen
 *                   a gap                          far   the highest position seen, FIN not counted
 *
 * A packet in order touches the last chunk only. A gap is filled, or is a hole: that is the session's judgement.
 */
#ifndef TC_CORE_STREAM_H
#define TC_CORE_STREAM_H

#include "base/slab.h"
#include "base/types.h"

#define TC_CHUNK_BYTES 4096

struct tc_chunk {
	uint32_t next;
	tc_seq pos;
	uint32_t len;
	uint32_t unused; /* keeps .at aligned */
	tc_time at;	 /* capture time of its first byte */
	uint8_t data[TC_CHUNK_BYTES - 24];
};

_Static_assert(sizeof(struct tc_chunk) == TC_CHUNK_BYTES, "a chunk is a page");

struct tc_stream {
	uint32_t head; /* chunk, TC_NIL when nothing is kept */
	uint32_t tail;
	uint32_t hint;	 /* chunk that was touched last: where to look first; TC_NIL */
	uint32_t pieces; /* runs begun behind a gap since there is one */
	tc_seq end;
	tc_seq far;
};

enum { TC_STREAM_E_DUPLICATE = 1, TC_STREAM_E_MEMORY = 2, TC_STREAM_E_PIECES = 3 };

/** tc_stream_init() - nothing seen; the first byte will be at @first */
void tc_stream_init(struct tc_stream *s, tc_seq first);

/** tc_stream_fini() - give all chunks back */
void tc_stream_fini(struct tc_stream *s, struct tc_slab *chunks);

/**
 * tc_stream_add() - bytes at @pos, captured at @at
 * @v:    what was captured of them
 * @len:  what was sent, >= v.n: the capture may have cut the packet
 * Bytes before end, or in a chunk already, are not taken again. The caller has checked that @pos lies near end.
 * Return: 0 when something was new; TC_STREAM_E_DUPLICATE when nothing was; TC_STREAM_E_MEMORY when no chunk was left (what fitted is kept);
 * TC_STREAM_E_PIECES when it lies in too many pieces.
 */
int tc_stream_add(struct tc_stream *s, struct tc_slab *chunks, tc_seq pos, struct tc_view v,
		  uint32_t len, tc_time at);

/** tc_stream_release() - bytes before @pos are no longer needed */
void tc_stream_release(struct tc_stream *s, struct tc_slab *chunks, tc_seq pos);

/**
 * tc_stream_views() - the bytes [@pos, @pos + @len), which lie before end, as views into chunks
 * @n_views:  capacity; on return how many were used
 * Return: bytes covered, fewer than @len when the views did not suffice.
 */
uint32_t tc_stream_views(const struct tc_stream *s, const struct tc_slab *chunks, tc_seq pos,
			 uint32_t len, struct tc_view *views, uint16_t *n_views);

/** tc_stream_time() - capture time of the chunk that holds @pos; TC_TIME_NEVER when it is not kept */
tc_time tc_stream_time(const struct tc_stream *s, const struct tc_slab *chunks, tc_seq pos);

static inline bool tc_stream_has_gap(const struct tc_stream *s)
{
	return !tc_seq_eq(s->end, s->far);
}

#endif
