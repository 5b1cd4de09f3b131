/* SPDX-License-Identifier: BSD-2-Clause
 * core/turns.h - where the turns of a stream begin
 *
 * Layer:   core.
 *
 * A turn is the run of client bytes between two advances of the client's acknowledgement: what it said after hearing so much. The
 * acknowledgement of a byte is the smallest one on any segment at or beyond it, since a retransmission carries a later one. So the
 * marks of a stream, sorted by position, have rising acknowledgements, and the difference of two neighbours is the exact size of
 * the online server's answer in between (a FIN of the server counts one). A FIN or RST of the client may begin a turn without bytes.
 *
 * Only turns that some replica has not begun have a mark; each replica keeps the acknowledgement of the turn that it speaks.
 */
#ifndef TC_CORE_TURNS_H
#define TC_CORE_TURNS_H

#include "base/slab.h"
#include "base/types.h"

struct tc_turn {
	uint32_t next;
	tc_seq pos; /* client's sequence number of its first byte */
	tc_seq ack; /* what the client had heard */
	uint32_t
		think_us; /* the client's think time before it, 0 when the online server's packets are not captured */
	tc_time at; /* capture time of its first byte */
};

struct tc_turns {
	uint32_t head; /* TC_NIL: no turn waits */
	uint32_t tail;
	uint32_t waiting;
	tc_seq ack; /* of the last turn that has no mark any more, or of the handshake */
};

void tc_turns_init(struct tc_turns *t, tc_seq ack);
void tc_turns_fini(struct tc_turns *t, struct tc_slab *slab);

/**
 * tc_turns_add() - bytes (or a FIN) were captured
 * @turn: .pos and .ack as on the segment, .at and .think_us in case it begins a turn; .next is ignored
 * @len:  bytes from .pos on, 0 for a FIN
 * @far:  highest position that was known before
 * Return: true when marks other than a new last one have moved or gone. When no mark is left the bytes join the turn before them.
 */
bool tc_turns_add(struct tc_turns *t, struct tc_slab *slab, const struct tc_turn *turn,
		  uint32_t len, tc_seq far);

/** tc_turns_drop_head() - every replica has begun the first one */
void tc_turns_drop_head(struct tc_turns *t, struct tc_slab *slab);

/** tc_turns_after() - first mark that heard more than @ack, TC_NIL for none: the next turn of a replica that speaks one with @ack */
uint32_t tc_turns_after(const struct tc_turns *t, const struct tc_slab *slab, tc_seq ack);

static inline struct tc_turn *tc_turn_at(const struct tc_slab *slab, uint32_t i)
{
	return tc_slab_at(slab, i);
}

#endif
