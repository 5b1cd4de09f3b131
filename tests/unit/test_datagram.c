/* SPDX-License-Identifier: BSD-2-Clause
 * test_datagram.c - IP headers of both families, whole and broken
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "unit/packet.h"
#include "wire/datagram.h"

#include <stdlib.h>

/* From memory of exactly @n bytes, so that a sanitizer sees a read past the end; the body then points nowhere. */
static enum tc_drop decode_part(const struct bytes *p, size_t n, size_t wire_len,
				struct tc_datagram *ret_dgram)
{
	uint8_t *exact = malloc(n > 0 ? n : 1);
	assert_non_null(exact);
	memcpy(exact, p->b, n);
	enum tc_drop drop = tc_datagram_decode((struct tc_view){ exact, n }, wire_len, ret_dgram);
	if (drop == TC_DROP_NONE) {
		ret_dgram->body.p = p->b + (ret_dgram->body.p - exact);
	}
	free(exact);
	return drop;
}

static enum tc_drop decode(const struct bytes *p, struct tc_datagram *ret_dgram)
{
	return decode_part(p, p->n, p->n, ret_dgram);
}

static void expect_drop(const struct bytes *p, enum tc_drop want)
{
	struct tc_datagram d;
	struct tc_datagram untouched;
	memset(&d, 0x5a, sizeof d);
	memset(&untouched, 0x5a, sizeof untouched);
	assert_string_equal(tc_drop_name(decode(p, &d)), tc_drop_name(want));
	assert_memory_equal(&d, &untouched, sizeof d);
}

/* Which prefixes of @p are too short: all below @headers. The rest is read, with the body's length as on the wire. */
static void expect_short_below(const struct bytes *p, size_t headers, uint32_t body_len)
{
	struct tc_datagram d;
	for (size_t n = 0; n < headers; n++) {
		assert_int_equal(decode_part(p, n, p->n, &d), TC_DROP_SHORT);
	}
	for (size_t n = headers; n <= p->n; n++) {
		assert_int_equal(decode_part(p, n, p->n, &d), TC_DROP_NONE);
		assert_int_equal(d.body_len, body_len);
		assert_int_equal(d.body.n, n - headers);
	}
}

static void an_ipv4_packet_is_read(void **state)
{
	(void)state;
	struct bytes p = { .n = 0 };
	struct tc_datagram d;
	add_v4(&p, 20 + 100);
	add_run(&p, 100, 1);
	assert_int_equal(decode(&p, &d), TC_DROP_NONE);
	struct tc_ip src = tc_ip_from_v4((const uint8_t[]){ 10, 0, 0, 1 });
	struct tc_ip dst = tc_ip_from_v4((const uint8_t[]){ 10, 0, 0, 2 });
	assert_true(tc_ip_eq(&d.src, &src) && tc_ip_eq(&d.dst, &dst));
	assert_int_equal(d.proto, TC_PROTO_TCP);
	assert_false(d.fragment || d.more);
	assert_int_equal(d.offset, 0);
	assert_int_equal(d.body.n, 100);
	assert_int_equal(d.body_len, 100);
	assert_int_equal(d.body.p[0], 1);
	expect_short_below(&p, 20, 100);
}

static void ipv4_options_are_stepped_over(void **state)
{
	(void)state;
	struct bytes p = { .n = 0 };
	add_v4(&p, 60 + 8);
	p.b[0] = 0x4f;
	add_run(&p, 40, 0);
	add_run(&p, 8, 0x70);
	struct tc_datagram d;
	assert_int_equal(decode(&p, &d), TC_DROP_NONE);
	assert_int_equal(d.body.p[0], 0x70);
	expect_short_below(&p, 60, 8);
}

static void an_ipv4_header_that_contradicts_itself_is_refused(void **state)
{
	(void)state;
	struct bytes p = { .n = 0 };
	add_v4(&p, 40);
	add_run(&p, 20, 0);
	p.b[0] = 0x44; /* shorter than a header */
	expect_drop(&p, TC_DROP_BAD_IP);
	p.b[0] = 0x45;
	p.b[3] = 19; /* total shorter than its header */
	expect_drop(&p, TC_DROP_BAD_IP);
	p.b[0] = 0x46;
	p.b[3] = 23;
	expect_drop(&p, TC_DROP_BAD_IP);
}

static void what_is_no_ip_version_is_not_ip(void **state)
{
	(void)state;
	for (unsigned version = 0; version < 16; version++) {
		struct bytes p = { .n = 0 };
		add8(&p, version << 4 | 5);
		add_zeros(&p, 80);
		if (version != 4 && version != 6) {
			expect_drop(&p, TC_DROP_NOT_IP);
		}
	}
	struct bytes none = { .n = 0 };
	expect_drop(&none, TC_DROP_SHORT);
}

static void padding_of_the_link_is_no_body(void **state)
{
	(void)state;
	struct bytes p = { .n = 0 };
	add_v4(&p, 20 + 5);
	add_run(&p, 5, 1);
	add_zeros(&p, 21);
	struct tc_datagram d;
	assert_int_equal(decode(&p, &d), TC_DROP_NONE);
	assert_int_equal(d.body.n, 5);
	assert_int_equal(d.body_len, 5);

	struct bytes q = { .n = 0 };
	add_v6(&q, 5, TC_PROTO_TCP);
	add_run(&q, 5, 1);
	add_zeros(&q, 9);
	assert_int_equal(decode(&q, &d), TC_DROP_NONE);
	assert_int_equal(d.body.n, 5);
	assert_int_equal(d.body_len, 5);
}

static void a_length_of_zero_means_the_length_on_the_wire(void **state)
{
	(void)state;
	struct bytes p = { .n = 0 };
	add_v4(&p, 0);
	add_run(&p, 100, 1);
	struct tc_datagram d;
	assert_int_equal(decode_part(&p, p.n, 70020, &d), TC_DROP_NONE);
	assert_int_equal(d.body.n, 100);
	assert_int_equal(d.body_len, 70000);
	/* a capture that lies about the wire: what is there is there */
	assert_int_equal(decode_part(&p, p.n, 3, &d), TC_DROP_NONE);
	assert_int_equal(d.body_len, 100);

	struct bytes q = { .n = 0 };
	add_v6(&q, 0, TC_PROTO_TCP);
	add_run(&q, 100, 1);
	assert_int_equal(decode_part(&q, q.n, 180040, &d), TC_DROP_NONE);
	assert_int_equal(d.body.n, 100);
	assert_int_equal(d.body_len, 180000);
}

static void a_length_beyond_the_wire_is_believed(void **state)
{
	(void)state;
	struct bytes p = { .n = 0 };
	add_v4(&p, 1500);
	add_run(&p, 100, 1);
	struct tc_datagram d;
	assert_int_equal(decode(&p, &d), TC_DROP_NONE);
	assert_int_equal(d.body.n, 100);
	assert_int_equal(d.body_len, 1480);
}

static void an_ipv4_fragment_says_which_part_it_is(void **state)
{
	(void)state;
	static const struct {
		unsigned part;
		bool fragment;
		bool more;
		uint32_t offset;
	} rows[] = {
		{ 0x0000, false, false, 0 },	{ 0x4000, false, false, 0 },
		{ 0x8000, false, false, 0 },	{ 0x2000, true, true, 0 },
		{ 0x2001, true, true, 8 },	{ 0x00b9, true, false, 1480 },
		{ 0x1fff, true, false, 65528 },
	};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct bytes p = { .n = 0 };
		add_v4_part(&p, 28, 0x1234, rows[i].part, 17);
		add_run(&p, 8, 0);
		struct tc_datagram d;
		assert_int_equal(decode(&p, &d), TC_DROP_NONE);
		assert_int_equal(d.fragment, rows[i].fragment);
		assert_int_equal(d.more, rows[i].more);
		assert_int_equal(d.offset, rows[i].offset);
		assert_int_equal(d.id, rows[i].fragment ? 0x1234 : 0);
		assert_int_equal(d.proto, 17);
	}
}

static void an_ipv6_packet_is_read(void **state)
{
	(void)state;
	struct bytes p = { .n = 0 };
	add_v6(&p, 33, TC_PROTO_TCP);
	add_run(&p, 33, 1);
	struct tc_datagram d;
	assert_int_equal(decode(&p, &d), TC_DROP_NONE);
	struct tc_ip src;
	struct tc_ip dst;
	tc_ip_parse("2001:db8::1", &src);
	tc_ip_parse("2001:db8::2", &dst);
	assert_true(tc_ip_eq(&d.src, &src) && tc_ip_eq(&d.dst, &dst));
	assert_int_equal(d.proto, TC_PROTO_TCP);
	assert_false(d.fragment);
	assert_int_equal(d.body.p[0], 1);
	expect_short_below(&p, 40, 33);
}

/* An extension header of @len bytes: @unit is what its length field counts, @less what it leaves out */
static void add_extension(struct bytes *p, unsigned next, unsigned len, unsigned unit,
			  unsigned less)
{
	add8(p, next);
	add8(p, len / unit - less);
	add_zeros(p, len - 2);
}

static void each_extension_header_is_stepped_over(void **state)
{
	(void)state;
	static const struct {
		unsigned kind;
		unsigned unit;
		unsigned less;
	} rows[] = { { 0, 8, 1 },   { 43, 8, 1 },  { 60, 8, 1 }, { 51, 4, 2 },
		     { 135, 8, 1 }, { 139, 8, 1 }, { 140, 8, 1 } };
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct bytes p = { .n = 0 };
		add_v6(&p, 24 + 20, rows[i].kind);
		add_extension(&p, TC_PROTO_TCP, 24, rows[i].unit, rows[i].less);
		add_run(&p, 20, 0x60);
		struct tc_datagram d;
		assert_int_equal(decode(&p, &d), TC_DROP_NONE);
		assert_int_equal(d.proto, TC_PROTO_TCP);
		assert_int_equal(d.body_len, 20);
		assert_int_equal(d.body.p[0], 0x60);
		expect_short_below(&p, 64, 20);
	}
}

static void a_chain_in_the_order_of_rfc_8200_is_walked(void **state)
{
	(void)state;
	struct bytes p = { .n = 0 };
	add_v6(&p, 8 + 16 + 8 + 8 + 12 + 8 + 20, 0);
	add_extension(&p, 60, 8, 8, 1);
	add_extension(&p, 43, 16, 8, 1);
	add_extension(&p, 44, 8, 8, 1);
	add_zeros(&p, 0);
	p.b[p.n - 8] = 51; /* an atomic fragment */
	add_extension(&p, 60, 12, 4, 2);
	add_extension(&p, TC_PROTO_TCP, 8, 8, 1);
	add_run(&p, 20, 0x60);
	struct tc_datagram d;
	tc_put_be16(p.b + 4, (uint16_t)(p.n - 40));
	assert_int_equal(decode(&p, &d), TC_DROP_NONE);
	assert_int_equal(d.proto, TC_PROTO_TCP);
	assert_false(d.fragment);
	assert_int_equal(d.id, 0);
	assert_int_equal(d.body_len, 20);
	assert_int_equal(d.body.p[0], 0x60);
}

static void a_chain_that_is_too_long_or_past_the_end_is_refused(void **state)
{
	(void)state;
	for (unsigned n = 8; n <= 9; n++) {
		struct bytes p = { .n = 0 };
		add_v6(&p, n * 8 + 20, 60);
		for (unsigned i = 1; i <= n; i++) {
			add_extension(&p, i < n ? 60 : TC_PROTO_TCP, 8, 8, 1);
		}
		add_zeros(&p, 20);
		struct tc_datagram d;
		assert_int_equal(decode(&p, &d), n == 8 ? TC_DROP_NONE : TC_DROP_BAD_IP);
	}

	struct bytes past = { .n = 0 };
	add_v6(&past, 16, 60);
	add_extension(&past, TC_PROTO_TCP, 16, 8, 1);
	add_zeros(&past, 100);
	past.b[41] = 2; /* 24 bytes in a packet of 16 */
	expect_drop(&past, TC_DROP_BAD_IP);
	past.b[5] = 7; /* a header of 8 in a packet of 7 */
	past.b[41] = 0;
	expect_drop(&past, TC_DROP_BAD_IP);

	struct bytes late = { .n = 0 };
	add_v6(&late, 16 + 20, 60);
	add_extension(&late, 0, 8, 8, 1); /* hop-by-hop options not first */
	add_extension(&late, TC_PROTO_TCP, 8, 8, 1);
	add_zeros(&late, 20);
	expect_drop(&late, TC_DROP_BAD_IP);
}

static void encrypted_or_empty_packets_end_the_chain(void **state)
{
	(void)state;
	static const unsigned ends[] = { 50, 59, 58, 17, 4, 41, 47, 253 };
	for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++) {
		struct bytes p = { .n = 0 };
		add_v6(&p, 8 + 20, 60);
		add_extension(&p, ends[i], 8, 8, 1);
		add_zeros(&p, 20);
		struct tc_datagram d;
		assert_int_equal(decode(&p, &d), TC_DROP_NONE);
		assert_int_equal(d.proto, ends[i]);
		assert_int_equal(d.body_len, 20);
		assert_false(tc_datagram_may_hold_tcp(&d));
	}
}

static void add_fragment(struct bytes *p, unsigned next, unsigned part, uint32_t id)
{
	add8(p, next);
	add8(p, 0);
	add16(p, part);
	add32(p, id);
}

static void an_ipv6_fragment_says_which_part_it_is(void **state)
{
	(void)state;
	static const struct {
		unsigned part;
		bool fragment;
		bool more;
		uint32_t offset;
	} rows[] = {
		{ 0x0000, false, false, 0 },   { 0x0006, false, false, 0 },
		{ 0x0001, true, true, 0 },     { 0x0009, true, true, 8 },
		{ 0x05c8, true, false, 1480 }, { 0xfff8, true, false, 65528 },
	};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct bytes p = { .n = 0 };
		add_v6(&p, 8 + 8 + 24, 60);
		add_extension(&p, 44, 8, 8, 1);
		add_fragment(&p, TC_PROTO_TCP, rows[i].part, 0x89abcdef);
		add_run(&p, 24, 0x60);
		struct tc_datagram d;
		assert_int_equal(decode(&p, &d), TC_DROP_NONE);
		assert_int_equal(d.fragment, rows[i].fragment);
		assert_int_equal(d.more, rows[i].more);
		assert_int_equal(d.offset, rows[i].offset);
		assert_int_equal(d.id, rows[i].fragment ? 0x89abcdef : 0);
		assert_int_equal(d.proto, TC_PROTO_TCP);
		assert_int_equal(d.body_len, 24);
		assert_int_equal(d.body.p[0], 0x60);
	}
}

static void what_follows_a_real_fragment_header_is_left_for_the_whole(void **state)
{
	(void)state;
	struct bytes p = { .n = 0 };
	add_v6(&p, 8 + 16, 44);
	add_fragment(&p, 60, 0x0001, 7);
	add_zeros(&p, 16);
	struct tc_datagram d;
	assert_int_equal(decode(&p, &d), TC_DROP_NONE);
	assert_int_equal(d.proto, 60);
	assert_int_equal(d.body_len, 16);
	assert_true(tc_datagram_may_hold_tcp(&d));
}

/* The datagram that reassembly would hand over: @kind first, then @p */
static struct tc_datagram rebuilt(const struct bytes *p, unsigned kind, bool v6)
{
	struct tc_datagram d = { .proto = (uint8_t)kind,
				 .body = view_of(p),
				 .body_len = (uint32_t)p->n };
	tc_ip_parse(v6 ? "2001:db8::1" : "10.0.0.1", &d.src);
	tc_ip_parse(v6 ? "2001:db8::2" : "10.0.0.2", &d.dst);
	return d;
}

static void the_chain_of_a_rebuilt_datagram_goes_on(void **state)
{
	(void)state;
	struct bytes p = { .n = 0 };
	add_extension(&p, 60, 8, 8, 1);
	add_extension(&p, TC_PROTO_TCP, 16, 8, 1);
	add_run(&p, 20, 0x60);
	struct tc_datagram d = rebuilt(&p, 43, true);
	assert_int_equal(tc_datagram_skip_extensions(&d), TC_DROP_NONE);
	assert_int_equal(d.proto, TC_PROTO_TCP);
	assert_int_equal(d.body_len, 20);
	assert_int_equal(d.body.p[0], 0x60);

	d = rebuilt(&p, 43, true);
	d.body.n = 20; /* the capture cut it inside the second header */
	assert_int_equal(tc_datagram_skip_extensions(&d), TC_DROP_SHORT);
	assert_int_equal(d.proto, 43);

	d = rebuilt(&p, 43, false); /* over IPv4 these numbers are protocols like others */
	assert_int_equal(tc_datagram_skip_extensions(&d), TC_DROP_NONE);
	assert_int_equal(d.proto, 43);
	assert_false(tc_datagram_may_hold_tcp(&d));
}

static void a_fragment_inside_a_rebuilt_datagram_is_refused(void **state)
{
	(void)state;
	struct bytes p = { .n = 0 };
	add_fragment(&p, TC_PROTO_TCP, 0x0001, 9);
	add_zeros(&p, 16);
	struct tc_datagram d = rebuilt(&p, 44, true);
	assert_int_equal(tc_datagram_skip_extensions(&d), TC_DROP_BAD_IP);
	assert_int_equal(d.proto, 44);
}

/* A hop-by-hop header with a jumbo payload option of value @len, as Linux writes it for BIG TCP */
static void add_jumbo(struct bytes *p, unsigned next, uint32_t len)
{
	add8(p, next);
	add8(p, 0);
	add8(p, 0xc2);
	add8(p, 4);
	add32(p, len);
}

static void a_jumbo_payload_option_says_the_length(void **state)
{
	(void)state;
	struct bytes p = { .n = 0 };
	add_v6(&p, 0, 0);
	add_jumbo(&p, TC_PROTO_TCP, 8 + 100000);
	add_run(&p, 500, 0x60);
	struct tc_datagram d;
	assert_int_equal(decode_part(&p, p.n, 40 + 8 + 99000, &d), TC_DROP_NONE);
	assert_int_equal(d.body_len, 100000);
	assert_int_equal(d.body.n, 500);
	assert_int_equal(d.body.p[0], 0x60);
}

static void a_jumbo_option_is_found_behind_others(void **state)
{
	(void)state;
	struct bytes p = { .n = 0 };
	add_v6(&p, 0, 0);
	add8(&p, TC_PROTO_TCP);
	add8(&p, 1);
	add8(&p, 0); /* pad1 */
	add8(&p, 5); /* router alert */
	add8(&p, 2);
	add16(&p, 0);
	add8(&p, 0); /* pad1 */
	add8(&p, 0xc2);
	add8(&p, 4);
	add32(&p, 16 + 70000);
	add16(&p, 0x0100); /* padn of no bytes */
	add_run(&p, 100, 0);
	struct tc_datagram d;
	assert_int_equal(decode(&p, &d), TC_DROP_NONE);
	assert_int_equal(d.body_len, 70000);
}

static void a_jumbo_option_that_is_broken_or_small_is_not_believed(void **state)
{
	(void)state;
	struct bytes p = { .n = 0 };
	add_v6(&p, 0, 0);
	add_jumbo(&p, TC_PROTO_TCP, 65535);
	add_zeros(&p, 100);
	expect_drop(&p, TC_DROP_BAD_IP); /* RFC 2675 3: would have fitted */

	p.b[43] = 5; /* an option past its header's end: the wire's length counts */
	struct tc_datagram d;
	assert_int_equal(decode(&p, &d), TC_DROP_NONE);
	assert_int_equal(d.body_len, 100);

	p.b[5] = 58; /* a length in the header goes before */
	p.b[43] = 4;
	assert_int_equal(decode(&p, &d), TC_DROP_NONE);
	assert_int_equal(d.body_len, 50);

	struct bytes end = { .n = 0 }; /* an option that goes on behind its header is none */
	add_v6(&end, 0, 0);
	add32(&end, TC_PROTO_TCP << 24 | 0x0100);
	add16(&end, 0xc204);
	add32(&end, 0x00010000);
	add_zeros(&end, 100);
	assert_int_equal(decode(&end, &d), TC_DROP_NONE);
	assert_int_equal(d.body_len, end.n - 48);

	struct bytes f = { .n = 0 };
	add_v6(&f, 0, 0);
	add_jumbo(&f, 44, 70000);
	add_fragment(&f, TC_PROTO_TCP, 1, 1);
	add_zeros(&f, 100);
	expect_drop(&f, TC_DROP_BAD_IP);
}

static void an_ipv6_header_with_mapped_ipv4_addresses_is_refused(void **state)
{
	(void)state;
	static const uint8_t mapped[16] = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 10, 0, 0, 1 };
	for (size_t at = 8; at <= 24; at += 16) {
		struct bytes p = { .n = 0 };
		add_v6(&p, 20, TC_PROTO_TCP);
		add_zeros(&p, 20);
		memcpy(p.b + at, mapped, sizeof mapped);
		expect_drop(&p, TC_DROP_BAD_IP);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_ipv4_packet_is_read),
		cmocka_unit_test(ipv4_options_are_stepped_over),
		cmocka_unit_test(an_ipv4_header_that_contradicts_itself_is_refused),
		cmocka_unit_test(what_is_no_ip_version_is_not_ip),
		cmocka_unit_test(padding_of_the_link_is_no_body),
		cmocka_unit_test(a_length_of_zero_means_the_length_on_the_wire),
		cmocka_unit_test(a_length_beyond_the_wire_is_believed),
		cmocka_unit_test(an_ipv4_fragment_says_which_part_it_is),
		cmocka_unit_test(an_ipv6_packet_is_read),
		cmocka_unit_test(each_extension_header_is_stepped_over),
		cmocka_unit_test(a_chain_in_the_order_of_rfc_8200_is_walked),
		cmocka_unit_test(a_chain_that_is_too_long_or_past_the_end_is_refused),
		cmocka_unit_test(encrypted_or_empty_packets_end_the_chain),
		cmocka_unit_test(an_ipv6_fragment_says_which_part_it_is),
		cmocka_unit_test(what_follows_a_real_fragment_header_is_left_for_the_whole),
		cmocka_unit_test(the_chain_of_a_rebuilt_datagram_goes_on),
		cmocka_unit_test(a_fragment_inside_a_rebuilt_datagram_is_refused),
		cmocka_unit_test(a_jumbo_payload_option_says_the_length),
		cmocka_unit_test(a_jumbo_option_is_found_behind_others),
		cmocka_unit_test(a_jumbo_option_that_is_broken_or_small_is_not_believed),
		cmocka_unit_test(an_ipv6_header_with_mapped_ipv4_addresses_is_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
