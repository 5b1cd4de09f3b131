/* SPDX-License-Identifier: BSD-2-Clause
 * unit/test_stream.c - core/stream.h against a plain array of bytes
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "core/stream.h"
#include "unit/random.h"

#define SPAN 60000
#define CHUNKS 64

static _Alignas(64) uint8_t memory[CHUNKS * TC_CHUNK_BYTES];
static struct tc_slab chunks;

static int setup(void **state)
{
	(void)state;
	tc_slab_init(&chunks, memory, TC_CHUNK_BYTES, CHUNKS);
	return 0;
}

/* What the stream should hold: the first copy of each byte, and how far it goes without a gap. */
struct model {
	uint8_t bytes[SPAN];
	bool has[SPAN];
	uint32_t end;
	uint32_t far;
};

static int model_add(struct model *m, uint32_t at, const uint8_t *p, uint32_t n)
{
	bool fresh = false;
	for (uint32_t i = 0; i < n; i++) {
		if (!m->has[at + i]) {
			m->has[at + i] = true;
			m->bytes[at + i] = p[i];
			fresh = true;
		}
	}
	while (m->end < SPAN && m->has[m->end]) {
		m->end++;
	}
	m->far = at + n > m->far ? at + n : m->far;
	return fresh ? 0 : TC_STREAM_E_DUPLICATE;
}

static void assert_same(const struct tc_stream *s, const struct model *m, tc_seq first,
			uint32_t from)
{
	assert_int_equal(tc_seq_diff(s->end, first), m->end);
	assert_int_equal(tc_seq_diff(s->far, first), m->far);
	uint32_t pos = from;
	while (pos < m->end) {
		struct tc_view views[3];
		uint16_t n_views = 3;
		uint32_t n = tc_stream_views(s, &chunks, tc_seq_add(first, pos), m->end - pos,
					     views, &n_views);
		assert_true(n > 0);
		for (uint16_t v = 0; v < n_views; v++) {
			assert_memory_equal(views[v].p, m->bytes + pos, views[v].n);
			pos += (uint32_t)views[v].n;
		}
	}
	assert_int_equal(pos, m->end > from ? m->end : from);
}

static void any_order_of_overlapping_segments_gives_the_first_copy_of_each_byte(void **state)
{
	(void)state;
	static struct model m;
	for (uint64_t run = 1; run <= 300; run++) {
		struct random rnd = { run };
		tc_seq first = tc_seq_of(
			run % 2 ? 0xffffc000U : (uint32_t)random_u64(&rnd)); /* half of them wrap */
		struct tc_stream s;
		uint32_t released = 0;
		memset(&m, 0, sizeof m);
		tc_stream_init(&s, first);
		for (unsigned i = 0; i < 120; i++) {
			uint8_t p[3000];
			uint32_t n = 1 + random_below(&rnd, i % 4 ? (uint32_t)sizeof p : 20);
			uint32_t base = m.end > 4000 ? m.end - 4000 : 0;
			uint32_t at =
				random_below(&rnd, 3) ? m.end : base + random_below(&rnd, 12000);
			if (at < released) {
				at = released;
			}
			if (at + n > SPAN) {
				break;
			}
			random_bytes(&rnd, p, n);
			int want = model_add(&m, at, p, n);
			assert_int_equal(tc_stream_add(&s, &chunks, tc_seq_add(first, at),
						       (struct tc_view){ p, n }, n, i),
					 want);
			assert_same(&s, &m, first, released);
			if (random_below(&rnd, 4) == 0 && m.end > released) {
				released += random_below(&rnd, m.end - released + 1);
				tc_stream_release(&s, &chunks, tc_seq_add(first, released));
			}
		}
		tc_stream_fini(&s, &chunks);
		assert_int_equal(chunks.used, 0);
	}
}

static void bytes_that_the_capture_cut_off_are_a_gap(void **state)
{
	(void)state;
	struct tc_stream s;
	tc_stream_init(&s, tc_seq_of(100));
	uint8_t p[10] = { 1 };
	assert_int_equal(
		tc_stream_add(&s, &chunks, tc_seq_of(100), (struct tc_view){ p, 10 }, 25, 7), 0);
	assert_int_equal(s.end.v, 110);
	assert_int_equal(s.far.v, 125);
	assert_true(tc_stream_has_gap(&s));
	assert_int_equal(tc_stream_time(&s, &chunks, tc_seq_of(105)), 7);
	assert_true(tc_stream_time(&s, &chunks, tc_seq_of(110)) == TC_TIME_NEVER);
	tc_stream_fini(&s, &chunks);
}

static void a_full_slab_is_told_and_what_fitted_is_kept(void **state)
{
	(void)state;
	struct tc_stream s;
	static uint8_t p[TC_CHUNK_BYTES * (CHUNKS + 2)];
	tc_stream_init(&s, tc_seq_of(0));
	assert_int_equal(tc_stream_add(&s, &chunks, tc_seq_of(0), (struct tc_view){ p, sizeof p },
				       sizeof p, 0),
			 TC_STREAM_E_MEMORY);
	assert_int_equal(chunks.used, CHUNKS);
	assert_int_equal(s.end.v, CHUNKS * sizeof(((struct tc_chunk *)0)->data));
	tc_stream_fini(&s, &chunks);
	assert_int_equal(chunks.used, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(
			any_order_of_overlapping_segments_gives_the_first_copy_of_each_byte, setup),
		cmocka_unit_test_setup(bytes_that_the_capture_cut_off_are_a_gap, setup),
		cmocka_unit_test_setup(a_full_slab_is_told_and_what_fitted_is_kept, setup),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
