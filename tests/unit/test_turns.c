/* SPDX-License-Identifier: BSD-2-Clause
 * unit/test_turns.c - core/turns.h against its definition: the ack of a byte is the smallest on any segment at or beyond it
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>

#include "core/constants.h"
#include "core/turns.h"

static _Alignas(64) uint8_t memory[5000 * sizeof(struct tc_turn)];
static struct tc_slab slab;

static int setup(void **state)
{
	(void)state;
	tc_slab_init(&slab, memory, sizeof(struct tc_turn), 5000);
	return 0;
}

/* What was added last ends here. */
static uint32_t far;

static void add(struct tc_turns *t, uint32_t pos, uint32_t len, uint32_t ack)
{
	struct tc_turn turn = { .pos = tc_seq_of(pos), .ack = tc_seq_of(ack), .at = pos };
	tc_turns_add(t, &slab, &turn, len, tc_seq_of(far));
	far = tc_seq_max(tc_seq_of(far), tc_seq_of(pos + len)).v;
}

static void begin(struct tc_turns *t, uint32_t pos, uint32_t ack)
{
	far = pos;
	tc_turns_init(t, tc_seq_of(ack));
}

/* The marks as "pos/ack pos/ack" */
static void assert_marks(const struct tc_turns *t, const char *want)
{
	char got[256] = "";
	size_t n = 0;
	for (uint32_t i = t->head; i != TC_NIL; i = tc_turn_at(&slab, i)->next) {
		n += (size_t)snprintf(got + n, sizeof got - n, "%s%u/%u", n ? " " : "",
				      tc_turn_at(&slab, i)->pos.v, tc_turn_at(&slab, i)->ack.v);
	}
	assert_string_equal(got, want);
}

static void a_later_ack_begins_a_turn_and_the_same_one_does_not(void **state)
{
	(void)state;
	struct tc_turns t;
	begin(&t, 100, 500);
	add(&t, 100, 10, 500);
	assert_marks(&t, "");
	add(&t, 110, 10, 700);
	add(&t, 120, 10, 700);
	add(&t, 130, 10, 900);
	assert_marks(&t, "110/700 130/900");
	assert_int_equal(tc_turns_after(&t, &slab, tc_seq_of(500)), t.head);
	assert_int_equal(tc_turns_after(&t, &slab, tc_seq_of(700)), t.tail);
	assert_true(tc_turns_after(&t, &slab, tc_seq_of(900)) == TC_NIL);
	tc_turns_drop_head(&t, &slab);
	assert_int_equal(t.ack.v, 700);
	tc_turns_fini(&t, &slab);
	assert_int_equal(slab.used, 0);
}

static void a_retransmission_with_a_later_ack_does_not_split_the_turn_it_belongs_to(void **state)
{
	(void)state;
	struct tc_turns t;
	begin(&t, 100, 500);
	add(&t, 110, 10, 500); /* 100..110 was lost on the way */
	add(&t, 100, 10, 900); /* and comes again, after the answer was heard */
	assert_marks(&t, "");
	tc_turns_fini(&t, &slab);
}

static void bytes_that_fill_a_gap_join_the_turn_behind_it(void **state)
{
	(void)state;
	struct tc_turns t;
	begin(&t, 100, 500);
	add(&t, 110, 10, 700);
	assert_marks(&t, "110/700");
	add(&t, 100, 10, 800);
	assert_marks(&t, "100/700");
	add(&t, 130, 10, 800); /* 120..130 is missing, and belongs to neither for sure */
	add(&t, 120, 5, 900);
	assert_marks(&t, "100/700 130/800");
	add(&t, 125, 25, 950); /* across the turn behind, and beyond what was known */
	assert_marks(&t, "100/700 130/800 140/950");
	tc_turns_fini(&t, &slab);
}

static void an_overtaken_segment_lowers_what_came_before_it_on_the_wire(void **state)
{
	(void)state;
	struct tc_turns t;
	begin(&t, 100, 500);
	add(&t, 100, 10, 900); /* a retransmission, captured first */
	add(&t, 110, 10, 700); /* its follower, older */
	assert_marks(&t, "100/700");
	add(&t, 120, 10, 500);
	assert_marks(&t, "");
	tc_turns_fini(&t, &slab);
	assert_int_equal(slab.used, 0);
}

static void a_fin_may_begin_a_turn_without_bytes(void **state)
{
	(void)state;
	struct tc_turns t;
	begin(&t, 100, 500);
	add(&t, 110, 0, 600);
	assert_marks(&t, "110/600");
	tc_turns_fini(&t, &slab);
}

static void numbers_wrap(void **state)
{
	(void)state;
	struct tc_turns t;
	begin(&t, 0xffffffffU, 0xfffffff0U);
	add(&t, 0xffffffffU, 10, 5);
	add(&t, 9, 10, 20);
	assert_marks(&t, "4294967295/5 9/20");
	tc_turns_fini(&t, &slab);
}

static void too_many_turns_join_the_last_one(void **state)
{
	(void)state;
	struct tc_turns t;
	begin(&t, 1, 0);
	for (uint32_t i = 1; i <= TC_TURNS_WAITING_MAX + 10; i++) {
		add(&t, i, 1, i);
	}
	assert_int_equal(t.waiting, TC_TURNS_WAITING_MAX);
	assert_int_equal(tc_turn_at(&slab, t.tail)->pos.v, TC_TURNS_WAITING_MAX);
	tc_turns_fini(&t, &slab);
	assert_int_equal(slab.used, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(a_later_ack_begins_a_turn_and_the_same_one_does_not, setup),
		cmocka_unit_test_setup(
			a_retransmission_with_a_later_ack_does_not_split_the_turn_it_belongs_to,
			setup),
		cmocka_unit_test_setup(bytes_that_fill_a_gap_join_the_turn_behind_it, setup),
		cmocka_unit_test_setup(an_overtaken_segment_lowers_what_came_before_it_on_the_wire,
				       setup),
		cmocka_unit_test_setup(a_fin_may_begin_a_turn_without_bytes, setup),
		cmocka_unit_test_setup(numbers_wrap, setup),
		cmocka_unit_test_setup(too_many_turns_join_the_last_one, setup),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
