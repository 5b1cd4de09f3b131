/* SPDX-License-Identifier: BSD-2-Clause
 * core/turns.c - marks, kept sorted and rising
 *
 * In order, a segment either carries the last mark's acknowledgement (nothing to do) or a later one (a mark behind the tail). The rest
 * is for reordering and loss on the client's path:
 *   - an older acknowledgement behind marks with later ones: those bytes were said before the client had heard so much; lower them;
 *   - bytes that fill a gap: whatever ack they carry now, they had heard no more than the bytes behind them.
 */
#include "core/turns.h"

#include "core/constants.h"

void tc_turns_init(struct tc_turns *t, tc_seq ack)
{
	*t = (struct tc_turns){ .head = TC_NIL, .tail = TC_NIL, .ack = ack };
}

void tc_turns_fini(struct tc_turns *t, struct tc_slab *slab)
{
	while (t->head != TC_NIL) {
		tc_turns_drop_head(t, slab);
	}
}

static tc_seq ack_of(const struct tc_turns *t, const struct tc_slab *slab, uint32_t i)
{
	return i == TC_NIL ? t->ack : tc_turn_at(slab, i)->ack;
}

static uint32_t next_of(const struct tc_turns *t, const struct tc_slab *slab, uint32_t i)
{
	return i == TC_NIL ? t->head : tc_turn_at(slab, i)->next;
}

static void append(struct tc_turns *t, struct tc_slab *slab, const struct tc_turn *turn)
{
	if (t->waiting >= TC_TURNS_WAITING_MAX) {
		return;
	}
	uint32_t i = tc_slab_take(slab);
	if (i == TC_NIL) {
		return;
	}
	struct tc_turn *m = tc_turn_at(slab, i);
	*m = *turn;
	m->next = TC_NIL;
	*(t->tail == TC_NIL ? &t->head : &tc_turn_at(slab, t->tail)->next) = i;
	t->tail = i;
	t->waiting++;
}

static void remove_after(struct tc_turns *t, struct tc_slab *slab, uint32_t prev)
{
	uint32_t i = next_of(t, slab, prev);
	uint32_t next = tc_turn_at(slab, i)->next;
	*(prev == TC_NIL ? &t->head : &tc_turn_at(slab, prev)->next) = next;
	if (next == TC_NIL) {
		t->tail = prev;
	}
	tc_slab_give(slab, i);
	t->waiting--;
}

void tc_turns_drop_head(struct tc_turns *t, struct tc_slab *slab)
{
	t->ack = tc_turn_at(slab, t->head)->ack;
	remove_after(t, slab, TC_NIL);
}

/* Marks that begin before @stop and claim to have heard more than @ack are wrong: the client had heard only @ack then. */
static bool lower(struct tc_turns *t, struct tc_slab *slab, tc_seq stop, tc_seq ack)
{
	bool moved = false;
	uint32_t prev = TC_NIL;
	for (uint32_t i = t->head; i != TC_NIL; i = next_of(t, slab, prev)) {
		struct tc_turn *m = tc_turn_at(slab, i);
		if (!tc_seq_lt(m->pos, stop)) {
			break;
		}
		if (tc_seq_lt(ack, m->ack)) {
			moved = true;
			if (tc_seq_le(ack, ack_of(t, slab, prev))) {
				remove_after(t, slab, prev);
				continue;
			}
			m->ack = ack;
		}
		prev = i;
	}
	return moved;
}

/* Bytes before known ones were heard no more than those: they join the turn before them, or the one that begins right behind them. */
static bool fill(struct tc_turns *t, struct tc_slab *slab, tc_seq pos, tc_seq stop, tc_seq ack)
{
	for (uint32_t i = t->head; i != TC_NIL; i = tc_turn_at(slab, i)->next) {
		struct tc_turn *m = tc_turn_at(slab, i);
		if (tc_seq_eq(m->pos, stop) && tc_seq_le(m->ack, ack)) {
			m->pos = pos;
			return true;
		}
	}
	return false;
}

bool tc_turns_add(struct tc_turns *t, struct tc_slab *slab, const struct tc_turn *turn,
		  uint32_t len, tc_seq far)
{
	tc_seq stop = tc_seq_add(turn->pos, len);
	bool moved = false;
	if (tc_seq_lt(turn->ack, ack_of(t, slab, t->tail))) {
		moved = lower(t, slab, stop, turn->ack);
	}
	if (tc_seq_lt(turn->pos, far)) {
		moved |= fill(t, slab, turn->pos, tc_seq_min(stop, far), turn->ack);
		if (!tc_seq_lt(far, stop)) {
			return moved;
		}
	}
	if (tc_seq_lt(ack_of(t, slab, t->tail), turn->ack)) {
		struct tc_turn last = *turn;
		last.pos = tc_seq_max(turn->pos, far);
		append(t, slab, &last);
	}
	return moved;
}

uint32_t tc_turns_after(const struct tc_turns *t, const struct tc_slab *slab, tc_seq ack)
{
	uint32_t i = t->head;
	while (i != TC_NIL && tc_seq_le(tc_turn_at(slab, i)->ack, ack)) {
		i = tc_turn_at(slab, i)->next;
	}
	return i;
}
