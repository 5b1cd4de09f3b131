/* SPDX-License-Identifier: BSD-2-Clause
 * test_reassembly.c - datagrams in parts: in any order, twice, overlapping, contradicting, too many, too late
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "unit/packet.h"
#include "unit/random.h"
#include "wire/frame.h"
#include "wire/reassembly.h"

#include <stdlib.h>

struct fixture {
	void *mem;
	struct tc_reassembly *r;
	tc_time now;
	struct tc_datagram whole; /* the last one that was put together */
};

static struct fixture setup(uint32_t datagrams, size_t bytes)
{
	struct tc_reassembly_config cfg = {
		.datagrams = datagrams,
		.bytes = bytes,
		.timeout = TC_SEC,
		.key = { 1, 2 },
	};
	/* of exactly the size that was asked for, so that a sanitizer sees a write past the end */
	size_t n = tc_reassembly_bytes(&cfg);
	assert_int_equal(n % 64, 0);
	struct fixture f = { .mem = aligned_alloc(64, n), .now = 100 * TC_SEC };
	assert_non_null(f.mem);
	memset(f.mem, 0, n);
	f.r = tc_reassembly_init(f.mem, &cfg);
	return f;
}

static struct tc_reassembly_stats stats(const struct fixture *f)
{
	struct tc_reassembly_stats s;
	tc_reassembly_stats(f->r, &s);
	assert_int_equal(s.seen, s.dropped + s.joined + s.lost + s.held);
	return s;
}

static struct tc_datagram part_of(bool v6, uint32_t id, const uint8_t *bytes, uint32_t offset,
				  uint32_t len, bool more)
{
	struct tc_datagram d = {
		.proto = TC_PROTO_TCP,
		.fragment = true,
		.more = more,
		.offset = offset,
		.id = id,
		.body = { bytes + offset, len },
		.body_len = len,
	};
	tc_ip_parse(v6 ? "2001:db8::1" : "10.0.0.1", &d.src);
	tc_ip_parse(v6 ? "2001:db8::2" : "10.0.0.2", &d.dst);
	return d;
}

static enum tc_reassembly_verdict add(struct fixture *f, const struct tc_datagram *d)
{
	enum tc_reassembly_verdict v = tc_reassembly_add(f->r, d, 0, f->now, &f->whole);
	stats(f);
	return v;
}

static void expect_whole(const struct fixture *f, const uint8_t *bytes, uint32_t len)
{
	assert_false(f->whole.fragment);
	assert_int_equal(f->whole.proto, TC_PROTO_TCP);
	assert_int_equal(f->whole.body_len, len);
	assert_int_equal(f->whole.body.n, len);
	assert_memory_equal(f->whole.body.p, bytes, len);
}

static uint8_t text[70000];
static uint8_t other[70000];

static void fill(void)
{
	struct random rnd = { 9 };
	random_bytes(&rnd, text, sizeof text);
	for (size_t i = 0; i < sizeof other; i++) {
		other[i] = (uint8_t)~text[i];
	}
}

static void what_is_no_fragment_goes_on_and_is_not_counted(void **state)
{
	(void)state;
	struct fixture f = setup(4, 0);
	struct tc_datagram d = part_of(false, 1, text, 0, 100, false);
	d.fragment = false;
	assert_int_equal(add(&f, &d), TC_REASSEMBLY_WHOLE);
	assert_ptr_equal(f.whole.body.p, text);
	assert_int_equal(stats(&f).seen, 0);
	free(f.mem);
}

static void two_parts_in_either_order_make_a_datagram(void **state)
{
	(void)state;
	struct fixture f = setup(4, 0);
	for (int v6 = 0; v6 <= 1; v6++) {
		struct tc_datagram a = part_of(v6, 1, text, 0, 1480, true);
		struct tc_datagram b = part_of(v6, 1, text, 1480, 101, false);
		assert_int_equal(add(&f, &a), TC_REASSEMBLY_HELD);
		assert_int_equal(stats(&f).held, 1);
		assert_int_equal(add(&f, &b), TC_REASSEMBLY_JOINED);
		expect_whole(&f, text, 1581);
		assert_true(tc_ip_eq(&f.whole.src, &a.src) && tc_ip_eq(&f.whole.dst, &a.dst));
		assert_int_equal(add(&f, &b), TC_REASSEMBLY_HELD);
		assert_int_equal(add(&f, &a), TC_REASSEMBLY_JOINED);
		expect_whole(&f, text, 1581);
	}
	struct tc_reassembly_stats s = stats(&f);
	assert_int_equal(s.datagrams, 4);
	assert_int_equal(s.joined, 8);
	assert_int_equal(s.held, 0);
	free(f.mem);
}

/* A datagram cut at random; its parts come in random order, some of them twice */
struct cut {
	uint32_t len;
	uint32_t n;
	bool v6;
	uint32_t id;
	struct tc_datagram parts[200];
};

static void cut_at_random(struct random *rnd, struct cut *c, uint32_t id)
{
	c->v6 = random_below(rnd, 2);
	c->id = id;
	c->len = 9 + random_below(rnd, random_below(rnd, 4) == 0 ? 65527 : 5000);
	uint32_t piece = 8 * (1 + random_below(rnd, 400));
	piece = tc_u32_max(piece, c->len / 100 / 8 * 8 + 8);
	if (piece >= c->len) {
		piece = 8; /* at least two parts: c->len > 8 */
		c->len = tc_u32_min(c->len, 700);
	}
	c->n = 0;
	for (uint32_t at = 0; at < c->len;) {
		uint32_t n = tc_u32_min(piece, c->len - at);
		c->parts[c->n++] = part_of(c->v6, id, text + id % 16, at, n, at + n < c->len);
		at += n;
	}
	for (uint32_t i = 0; i < c->n / 4; i++) {
		c->parts[c->n] = c->parts[random_below(rnd, c->n)];
		c->n++;
	}
	for (uint32_t i = c->n - 1; i > 0; i--) {
		uint32_t k = random_below(rnd, i + 1);
		struct tc_datagram swap = c->parts[i];
		c->parts[i] = c->parts[k];
		c->parts[k] = swap;
	}
}

/* The step at which all parts have come once */
static uint32_t complete_at(const struct cut *c)
{
	static bool have[65536 / 8 + 1];
	memset(have, 0, sizeof have);
	uint32_t left = (c->len + 7) / 8;
	for (uint32_t i = 0; i < c->n; i++) {
		for (uint32_t at = 0; at < c->parts[i].body_len; at += 8) {
			bool *unit = &have[(c->parts[i].offset + at) / 8];
			left -= !*unit;
			*unit = true;
		}
		if (left == 0) {
			return i;
		}
	}
	return UINT32_MAX;
}

static void parts_in_any_order_and_twice_make_the_datagram_at_the_last_missing_one(void **state)
{
	(void)state;
	struct random rnd = { 1 };
	struct fixture f = setup(8, 0);
	for (uint32_t id = 0; id < 500; id++) {
		static struct cut c;
		cut_at_random(&rnd, &c, id);
		uint32_t last = complete_at(&c);
		for (uint32_t i = 0; i <= last; i++) {
			assert_int_equal(add(&f, &c.parts[i]),
					 i < last ? TC_REASSEMBLY_HELD : TC_REASSEMBLY_JOINED);
		}
		expect_whole(&f, text + id % 16, c.len);
		assert_int_equal(stats(&f).held, 0);
	}
	free(f.mem);
}

static void datagrams_whose_parts_alternate_do_not_mix(void **state)
{
	(void)state;
	struct random rnd = { 2 };
	enum { AT_A_TIME = 6 };
	struct fixture f = setup(AT_A_TIME, (size_t)AT_A_TIME * 65536);
	static struct cut cuts[AT_A_TIME];
	for (uint32_t round = 0; round < 60; round++) {
		uint32_t next[AT_A_TIME] = { 0 };
		uint32_t done = 0;
		for (uint32_t k = 0; k < AT_A_TIME; k++) {
			cut_at_random(&rnd, &cuts[k], round * AT_A_TIME + k);
		}
		while (done < AT_A_TIME) {
			uint32_t k = random_below(&rnd, AT_A_TIME);
			struct cut *c = &cuts[k];
			if (next[k] == UINT32_MAX) {
				continue;
			}
			uint32_t last = complete_at(c);
			enum tc_reassembly_verdict v = add(&f, &c->parts[next[k]]);
			if (next[k] == last) {
				assert_int_equal(v, TC_REASSEMBLY_JOINED);
				expect_whole(&f, text + c->id % 16, c->len);
				next[k] = UINT32_MAX;
				done++;
			} else {
				assert_int_equal(v, TC_REASSEMBLY_HELD);
				next[k]++;
			}
		}
	}
	assert_int_equal(stats(&f).evicted, 0);
	free(f.mem);
}

static void the_largest_datagram_fits_the_smallest_budget(void **state)
{
	(void)state;
	struct fixture f = setup(1, 0);
	struct tc_datagram a = part_of(false, 1, text, 0, 65528, true);
	struct tc_datagram b = part_of(false, 1, text, 65528, 7, false);
	assert_int_equal(add(&f, &b), TC_REASSEMBLY_HELD);
	assert_int_equal(add(&f, &a), TC_REASSEMBLY_JOINED);
	expect_whole(&f, text, 65535);
	free(f.mem);
}

static void a_part_that_cannot_be_one_is_dropped_alone(void **state)
{
	(void)state;
	struct fixture f = setup(4, 0);
	struct tc_datagram good = part_of(false, 1, text, 0, 16, true);
	struct tc_datagram empty = part_of(false, 1, text, 16, 0, false);
	struct tc_datagram odd = part_of(false, 1, text, 16, 9, true);
	struct tc_datagram beyond = part_of(false, 1, text, 65528, 8, false);
	struct tc_datagram far = part_of(false, 1, text, 8, UINT32_MAX, false);
	assert_int_equal(add(&f, &good), TC_REASSEMBLY_HELD);
	assert_int_equal(add(&f, &empty), TC_REASSEMBLY_DROPPED);
	assert_int_equal(add(&f, &odd), TC_REASSEMBLY_DROPPED);
	assert_int_equal(add(&f, &beyond), TC_REASSEMBLY_DROPPED);
	assert_int_equal(add(&f, &far), TC_REASSEMBLY_DROPPED);
	struct tc_reassembly_stats s = stats(&f);
	assert_int_equal(s.dropped, 4);
	assert_int_equal(s.held, 1);
	assert_int_equal(s.lost, 0);
	free(f.mem);
}

/* Two parts that contradict each other, in both orders: the second is dropped, the first is lost with it. */
static void expect_refused(const struct tc_datagram *a, const struct tc_datagram *b)
{
	for (int order = 0; order < 2; order++) {
		struct fixture f = setup(4, 0);
		assert_int_equal(add(&f, order == 0 ? a : b), TC_REASSEMBLY_HELD);
		assert_int_equal(add(&f, order == 0 ? b : a), TC_REASSEMBLY_DROPPED);
		struct tc_reassembly_stats s = stats(&f);
		assert_int_equal(s.refused, 1);
		assert_int_equal(s.lost, 1);
		assert_int_equal(s.dropped, 1);
		assert_int_equal(s.held, 0);
		free(f.mem);
	}
}

static void two_ends_or_bytes_beyond_the_end_give_the_datagram_up(void **state)
{
	(void)state;
	for (int v6 = 0; v6 <= 1; v6++) {
		struct tc_datagram end_at_24 = part_of(v6, 1, text, 16, 8, false);
		struct tc_datagram end_at_32 = part_of(v6, 1, text, 24, 8, false);
		struct tc_datagram end_at_20 = part_of(v6, 1, text, 16, 4, false);
		struct tc_datagram to_32 = part_of(v6, 1, text, 8, 24, true);
		expect_refused(&end_at_24, &end_at_32);
		expect_refused(&end_at_24, &end_at_20);
		expect_refused(&end_at_24, &to_32);
		expect_refused(&end_at_20, &to_32);
	}
}

static void over_ipv6_parts_that_overlap_with_other_bytes_give_the_datagram_up(void **state)
{
	(void)state;
	struct tc_datagram a = part_of(true, 1, text, 0, 32, true);
	struct tc_datagram b = part_of(true, 1, other, 24, 32, true);
	expect_refused(&a, &b);
	struct tc_datagram inside = part_of(true, 1, other, 8, 8, true);
	expect_refused(&a, &inside);
	struct tc_datagram tail = part_of(true, 1, text, 32, 5, false);
	struct tc_datagram other_tail = part_of(true, 1, other, 32, 5, false);
	expect_refused(&tail, &other_tail);
}

static void over_ipv6_the_same_bytes_again_are_a_duplicate(void **state)
{
	(void)state;
	struct fixture f = setup(4, 0);
	struct tc_datagram a = part_of(true, 1, text, 0, 32, true);
	struct tc_datagram b = part_of(true, 1, text, 32, 5, false);
	assert_int_equal(add(&f, &b), TC_REASSEMBLY_HELD);
	assert_int_equal(add(&f, &b), TC_REASSEMBLY_HELD);
	assert_int_equal(add(&f, &a), TC_REASSEMBLY_JOINED);
	expect_whole(&f, text, 37);
	assert_int_equal(stats(&f).joined, 3);
	free(f.mem);
}

/* Overlaps of all kinds against a map of bytes that only the first copy writes */
static void over_ipv4_the_first_copy_of_a_byte_wins(void **state)
{
	(void)state;
	struct random rnd = { 3 };
	for (uint32_t id = 0; id < 300; id++) {
		struct fixture f = setup(2, 0);
		uint32_t len = 200 + random_below(&rnd, 4000);
		uint32_t units = (len + 7) / 8;
		static uint8_t want[8192];
		static bool have[1024];
		memset(have, 0, sizeof have);
		uint32_t left = units;
		while (left > 0) {
			uint32_t first = random_below(&rnd, units);
			uint32_t n = 1 + random_below(&rnd, 40);
			n = tc_u32_min(n, units - first);
			const uint8_t *from = random_below(&rnd, 2) ? text : other;
			uint32_t end = tc_u32_min(8 * (first + n), len);
			for (uint32_t u = first; u < first + n; u++) {
				if (!have[u]) {
					have[u] = true;
					left--;
					memcpy(want + 8 * u, from + 8 * u, 8);
				}
			}
			struct tc_datagram d =
				part_of(false, id, from, 8 * first, end - 8 * first, end < len);
			assert_int_equal(add(&f, &d),
					 left > 0 ? TC_REASSEMBLY_HELD : TC_REASSEMBLY_JOINED);
		}
		expect_whole(&f, want, len);
		free(f.mem);
	}
}

static void parts_of_other_names_do_not_mix(void **state)
{
	(void)state;
	struct fixture f = setup(16, 16 * 2048 * 4);
	struct tc_datagram a = part_of(false, 1, text, 0, 16, true);
	struct tc_datagram rest[6];
	for (size_t i = 0; i < 6; i++) {
		rest[i] = part_of(false, 1, text, 16, 16, false);
	}
	rest[0].id = 2;
	tc_ip_parse("10.0.0.9", &rest[1].src);
	tc_ip_parse("10.0.0.9", &rest[2].dst);
	rest[3].proto = 17;
	assert_int_equal(add(&f, &a), TC_REASSEMBLY_HELD);
	for (size_t i = 0; i < 4; i++) {
		assert_int_equal(add(&f, &rest[i]), TC_REASSEMBLY_HELD);
	}
	assert_int_equal(tc_reassembly_add(f.r, &rest[4], 7, f.now, &f.whole), TC_REASSEMBLY_HELD);
	assert_int_equal(add(&f, &rest[5]), TC_REASSEMBLY_JOINED);
	expect_whole(&f, text, 32);
	free(f.mem);
}

static void over_ipv6_the_first_part_names_the_protocol(void **state)
{
	(void)state;
	struct fixture f = setup(4, 0);
	struct tc_datagram a = part_of(true, 1, text, 0, 16, true);
	struct tc_datagram b = part_of(true, 1, text, 16, 16, false);
	b.proto = 60;
	assert_int_equal(add(&f, &a), TC_REASSEMBLY_HELD);
	assert_int_equal(add(&f, &b), TC_REASSEMBLY_JOINED);
	assert_int_equal(f.whole.proto, TC_PROTO_TCP);
	free(f.mem);
}

static void a_datagram_is_given_up_after_the_timeout_and_not_before(void **state)
{
	(void)state;
	struct fixture f = setup(4, 0);
	struct tc_datagram a = part_of(false, 1, text, 0, 16, true);
	struct tc_datagram b = part_of(false, 1, text, 16, 16, false);
	assert_int_equal(add(&f, &a), TC_REASSEMBLY_HELD);
	f.now += TC_SEC;
	assert_int_equal(add(&f, &b), TC_REASSEMBLY_JOINED);
	assert_int_equal(add(&f, &a), TC_REASSEMBLY_HELD);
	f.now += TC_SEC + 1;
	assert_int_equal(add(&f, &b), TC_REASSEMBLY_HELD); /* begins anew */
	struct tc_reassembly_stats s = stats(&f);
	assert_int_equal(s.timeouts, 1);
	assert_int_equal(s.lost, 1);
	assert_int_equal(s.held, 1);
	tc_reassembly_expire(f.r, f.now + TC_SEC);
	assert_int_equal(stats(&f).held, 1);
	tc_reassembly_expire(f.r, f.now + TC_SEC + 1);
	assert_int_equal(stats(&f).held, 0);
	assert_int_equal(stats(&f).timeouts, 2);
	free(f.mem);
}

static void when_there_are_too_many_datagrams_the_oldest_gives_way(void **state)
{
	(void)state;
	struct fixture f = setup(3, 0);
	for (uint32_t id = 1; id <= 5; id++) {
		struct tc_datagram a = part_of(false, id, text, 0, 16, true);
		assert_int_equal(add(&f, &a), TC_REASSEMBLY_HELD);
	}
	struct tc_reassembly_stats s = stats(&f);
	assert_int_equal(s.evicted, 2);
	assert_int_equal(s.lost, 2);
	assert_int_equal(s.held, 3);
	for (uint32_t id = 3; id <= 5; id++) {
		struct tc_datagram b = part_of(false, id, text, 16, 16, false);
		assert_int_equal(add(&f, &b), TC_REASSEMBLY_JOINED);
	}
	free(f.mem);
}

/* The budget is one largest datagram: the one that grows keeps its place, also when it is the oldest. */
static void when_there_are_too_many_bytes_others_give_way(void **state)
{
	(void)state;
	struct fixture f = setup(8, 0);
	struct tc_datagram first = part_of(false, 1, text, 0, 2048, true);
	assert_int_equal(add(&f, &first), TC_REASSEMBLY_HELD);
	for (uint32_t id = 2; id <= 4; id++) {
		struct tc_datagram d = part_of(false, id, text, 0, 8192, true);
		assert_int_equal(add(&f, &d), TC_REASSEMBLY_HELD);
	}
	struct tc_datagram rest = part_of(false, 1, text, 2048, 63000, false);
	assert_int_equal(add(&f, &rest), TC_REASSEMBLY_JOINED);
	expect_whole(&f, text, 65048);
	struct tc_reassembly_stats s = stats(&f);
	assert_int_equal(s.evicted, 3);
	assert_int_equal(s.held, 0);
	free(f.mem);
}

static void what_the_capture_cut_ends_the_known_bytes_but_not_the_length(void **state)
{
	(void)state;
	for (int order = 0; order < 2; order++) {
		struct fixture f = setup(4, 0);
		struct tc_datagram parts[] = {
			part_of(false, 1, text, 0, 1480, true),
			part_of(false, 1, text, 1480, 1480, true),
			part_of(false, 1, text, 2960, 40, false),
		};
		parts[0].body.n = 140;
		parts[1].body.n = 0;
		parts[1].body.p = NULL;
		assert_int_equal(add(&f, &parts[order == 0 ? 0 : 2]), TC_REASSEMBLY_HELD);
		assert_int_equal(add(&f, &parts[1]), TC_REASSEMBLY_HELD);
		assert_int_equal(add(&f, &parts[order == 0 ? 2 : 0]), TC_REASSEMBLY_JOINED);
		assert_int_equal(f.whole.body_len, 3000);
		assert_int_equal(f.whole.body.n, 140);
		assert_memory_equal(f.whole.body.p, text, 140);
		free(f.mem);
	}
}

/* Garbage of few names, lengths and places, so that all of it meets; the books balance at each step (stats() asserts that). */
static void the_books_balance_whatever_comes(void **state)
{
	(void)state;
	struct random rnd = { 4 };
	struct fixture f = setup(5, 100000);
	for (int i = 0; i < 30000; i++) {
		uint32_t offset = 8 * random_below(&rnd, 20);
		uint32_t len = random_below(&rnd, 12) * (random_below(&rnd, 50) == 0 ? 777 : 8);
		struct tc_datagram d = part_of(random_below(&rnd, 2), random_below(&rnd, 6),
					       random_below(&rnd, 9) == 0 ? other : text, offset,
					       len, random_below(&rnd, 4) > 0);
		if (random_below(&rnd, 20) == 0) {
			d.body.n /= 2;
		}
		f.now += random_below(&rnd, 50) == 0 ? 2 * TC_SEC : TC_MS;
		add(&f, &d);
	}
	struct tc_reassembly_stats s = stats(&f);
	/* each fate was met, or this would have shown nothing */
	assert_true(s.datagrams > 100 && s.timeouts > 100 && s.evicted > 100 && s.refused > 100 &&
		    s.dropped > 100);
	tc_reassembly_expire(f.r, f.now + 2 * TC_SEC);
	assert_int_equal(stats(&f).held, 0);
	free(f.mem);
}

/* From here on: through tc_frame_input(), as a capture driver does */

#define PAYLOAD 400

static struct bytes frames[3];

/* A TCP packet of PAYLOAD bytes in fragments of @piece bytes into frames[]; returns how many. */
static unsigned make_frames(bool v6, unsigned proto, uint32_t piece, bool extension)
{
	static struct bytes whole;
	whole.n = 0;
	if (extension) {
		add16(&whole, proto << 8);
		add_zeros(&whole, 6);
	}
	add_tcp(&whole, TC_TCP_ACK, 0);
	add_run(&whole, PAYLOAD, 1);
	unsigned n = 0;
	for (size_t at = 0; at < whole.n; at += piece, n++) {
		size_t len = whole.n - at < piece ? whole.n - at : piece;
		bool more = at + len < whole.n;
		struct bytes *p = &frames[n];
		p->n = 0;
		if (v6) {
			add_v6(p, (unsigned)(8 + len), 44);
			add16(p, (extension ? 60 : proto) << 8);
			add16(p, (unsigned)at | more);
			add32(p, 99);
		} else {
			add_v4_part(p, (unsigned)(20 + len), 99,
				    (unsigned)(at / 8) | (more ? 0x2000 : 0), proto);
		}
		memcpy(p->b + p->n, whole.b + at, len);
		p->n += len;
	}
	return n;
}

static bool input(struct fixture *f, unsigned i, struct tc_packet *ret_pkt, enum tc_drop *ret_drop)
{
	struct tc_frame frame = {
		.link = TC_LINK_RAW,
		.data = view_of(&frames[i]),
		.wire_len = (uint32_t)frames[i].n,
		.vlan = 5,
		.at = f->now + i,
		.device = i,
	};
	return tc_frame_input(f->r, &frame, ret_pkt, ret_drop);
}

static void a_tcp_packet_in_fragments_comes_out_as_one(void **state)
{
	(void)state;
	for (int kind = 0; kind < 3; kind++) {
		struct fixture f = setup(4, 0);
		unsigned n = make_frames(kind > 0, TC_PROTO_TCP, 160, kind > 1);
		assert_int_equal(n, 3);
		struct tc_packet pkt;
		enum tc_drop drop = TC_DROP__N;
		assert_false(input(&f, 2, &pkt, &drop));
		assert_int_equal(drop, TC_DROP_NONE);
		drop = TC_DROP__N;
		assert_false(input(&f, 0, &pkt, &drop));
		assert_int_equal(drop, TC_DROP_NONE);
		assert_true(input(&f, 1, &pkt, &drop));
		assert_int_equal(pkt.tcp.dst_port, 80);
		assert_int_equal(pkt.payload_len, PAYLOAD);
		assert_int_equal(pkt.payload.n, PAYLOAD);
		for (unsigned i = 0; i < PAYLOAD; i++) {
			assert_int_equal(pkt.payload.p[i], (uint8_t)(1 + i));
		}
		/* the stamps of the frame that completed it */
		assert_int_equal(pkt.device, 1);
		assert_int_equal(pkt.link_id, 5);
		assert_true(pkt.at == f.now + 1);
		free(f.mem);
	}
}

static void a_rebuilt_packet_that_is_broken_is_dropped_for_that(void **state)
{
	(void)state;
	struct fixture f = setup(4, 0);
	struct tc_packet pkt;
	enum tc_drop drop;
	make_frames(false, TC_PROTO_TCP, 160, false);
	frames[0].b[20 + 12] = 0x40; /* a TCP header of 16 bytes */
	assert_false(input(&f, 0, &pkt, &drop));
	assert_false(input(&f, 1, &pkt, &drop));
	assert_false(input(&f, 2, &pkt, &drop));
	assert_int_equal(drop, TC_DROP_BAD_TCP);
	assert_int_equal(stats(&f).joined, 3);

	make_frames(true, 44, 160, true); /* a fragment header inside a rebuilt datagram */
	frames[0].b[48 + 8 + 3] = 1;
	assert_false(input(&f, 0, &pkt, &drop));
	assert_false(input(&f, 1, &pkt, &drop));
	assert_false(input(&f, 2, &pkt, &drop));
	assert_int_equal(drop, TC_DROP_BAD_IP);
	free(f.mem);
}

static void fragments_of_udp_take_no_room(void **state)
{
	(void)state;
	struct fixture f = setup(4, 0);
	struct tc_packet pkt;
	enum tc_drop drop;
	for (int v6 = 0; v6 <= 1; v6++) {
		make_frames(v6, 17, 160, false);
		for (unsigned i = 0; i < 3; i++) {
			assert_false(input(&f, i, &pkt, &drop));
			assert_int_equal(drop, TC_DROP_NOT_TCP);
		}
	}
	assert_int_equal(stats(&f).seen, 0);
	free(f.mem);
}

static void a_fragment_that_is_refused_is_a_drop(void **state)
{
	(void)state;
	struct fixture f = setup(4, 0);
	struct tc_packet pkt;
	enum tc_drop drop;
	make_frames(false, TC_PROTO_TCP, 160, false);
	frames[0].b[3] = 20 + 159; /* not the last, and no multiple of eight */
	assert_false(input(&f, 0, &pkt, &drop));
	assert_int_equal(drop, TC_DROP_FRAGMENT);
	f.r = NULL;
	assert_false(input(&f, 1, &pkt, &drop));
	assert_int_equal(drop, TC_DROP_FRAGMENT);
	free(f.mem);
}

int main(void)
{
	fill();
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_no_fragment_goes_on_and_is_not_counted),
		cmocka_unit_test(two_parts_in_either_order_make_a_datagram),
		cmocka_unit_test(
			parts_in_any_order_and_twice_make_the_datagram_at_the_last_missing_one),
		cmocka_unit_test(datagrams_whose_parts_alternate_do_not_mix),
		cmocka_unit_test(the_largest_datagram_fits_the_smallest_budget),
		cmocka_unit_test(a_part_that_cannot_be_one_is_dropped_alone),
		cmocka_unit_test(two_ends_or_bytes_beyond_the_end_give_the_datagram_up),
		cmocka_unit_test(
			over_ipv6_parts_that_overlap_with_other_bytes_give_the_datagram_up),
		cmocka_unit_test(over_ipv6_the_same_bytes_again_are_a_duplicate),
		cmocka_unit_test(over_ipv4_the_first_copy_of_a_byte_wins),
		cmocka_unit_test(parts_of_other_names_do_not_mix),
		cmocka_unit_test(over_ipv6_the_first_part_names_the_protocol),
		cmocka_unit_test(a_datagram_is_given_up_after_the_timeout_and_not_before),
		cmocka_unit_test(when_there_are_too_many_datagrams_the_oldest_gives_way),
		cmocka_unit_test(when_there_are_too_many_bytes_others_give_way),
		cmocka_unit_test(what_the_capture_cut_ends_the_known_bytes_but_not_the_length),
		cmocka_unit_test(the_books_balance_whatever_comes),
		cmocka_unit_test(a_tcp_packet_in_fragments_comes_out_as_one),
		cmocka_unit_test(a_rebuilt_packet_that_is_broken_is_dropped_for_that),
		cmocka_unit_test(fragments_of_udp_take_no_room),
		cmocka_unit_test(a_fragment_that_is_refused_is_a_drop),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
