/* SPDX-License-Identifier: BSD-2-Clause
 * test_cut.c - a segment into packets
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "deliver/cut.h"
#include "wire/frame.h"

#include <string.h>

static uint8_t stream[65536];

/* @n bytes in views of @chunk; the last takes what is left, for there are TC_SEGMENT_VIEWS at most */
static struct tc_segment segment(bool v4, uint32_t n, uint32_t chunk, uint16_t cut)
{
	struct tc_segment s = { .cut = cut, .payload_len = n };
	s.tcp.opt.has_ts = true; /* 12 bytes of options */
	if (v4) {
		s.src = s.dst = tc_ip_from_v4((const uint8_t[]){ 10, 0, 0, 1 });
	} else {
		s.src.b[15] = s.dst.b[15] = 2;
	}
	for (uint32_t at = 0; at < n; s.n_views++) {
		uint32_t len =
			s.n_views + 1 == TC_SEGMENT_VIEWS ? n - at : tc_u32_min(chunk, n - at);
		s.payload[s.n_views] = (struct tc_view){ stream + at, len };
		at += len;
	}
	return s;
}

/* All parts, checked: in order, without a gap, the right bytes, none above @step; returns how many */
static unsigned parts_of(const struct tc_segment *s, uint32_t mtu, bool whole,
			 uint32_t *ret_longest, uint32_t *ret_pkts)
{
	struct tc_cut c;
	struct tc_cut_part part;
	struct iovec iov[TC_SEGMENT_VIEWS];
	unsigned n_iov, parts = 0;
	uint32_t at = 0;
	*ret_longest = *ret_pkts = 0;
	assert_true(tc_cut_init(&c, s, mtu, whole));
	while (tc_cut_next(&c, &part, iov, &n_iov)) {
		assert_in_range(n_iov, 0, TC_SEGMENT_VIEWS);
		assert_int_equal(part.offset, at);
		uint32_t sum = 0;
		for (unsigned i = 0; i < n_iov; i++) {
			assert_true(iov[i].iov_len > 0);
			assert_memory_equal(iov[i].iov_base, stream + at + sum, iov[i].iov_len);
			sum += (uint32_t)iov[i].iov_len;
		}
		assert_int_equal(sum, part.len);
		at += part.len;
		*ret_longest = part.len > *ret_longest ? part.len : *ret_longest;
		*ret_pkts += part.pkts;
		parts++;
	}
	assert_int_equal(at, s->payload_len);
	return parts;
}

static void a_segment_without_payload_is_one_packet(void **state)
{
	(void)state;
	struct tc_segment s = segment(true, 0, 1, 1448);
	uint32_t longest, pkts;
	assert_int_equal(parts_of(&s, 1500, true, &longest, &pkts), 1);
	assert_int_equal(pkts, 1);
	assert_int_equal(parts_of(&s, 1500, false, &longest, &pkts), 1);
}

static void a_segment_is_cut_where_it_says(void **state)
{
	(void)state;
	struct tc_segment s = segment(true, 10000, 4096, 1000);
	uint32_t longest, pkts;
	assert_int_equal(parts_of(&s, 1500, false, &longest, &pkts), 10);
	assert_int_equal(longest, 1000);
	assert_int_equal(pkts, 10);
}

static void chunks_of_any_size_make_the_same_packets(void **state)
{
	(void)state;
	uint32_t longest, pkts;
	for (uint32_t chunk = 1; chunk < 3000; chunk += 97) {
		struct tc_segment s = segment(true, 12345, chunk, 1448);
		assert_int_equal(parts_of(&s, 1500, false, &longest, &pkts), 9);
		assert_int_equal(longest, 1448);
	}
}

static void the_kernel_gets_it_whole(void **state)
{
	(void)state;
	struct tc_segment s = segment(true, 60000, 4096, 1448);
	uint32_t longest, pkts;
	assert_int_equal(parts_of(&s, 1500, true, &longest, &pkts), 1);
	assert_int_equal(pkts, 42);
}

static void more_than_ip_can_count_is_cut_between_packets(void **state)
{
	(void)state;
	uint32_t longest, pkts;
	for (int v4 = 0; v4 < 2; v4++) {
		struct tc_segment s = segment(v4 != 0, 65536, 4096, 1428);
		assert_int_equal(parts_of(&s, 1500, true, &longest, &pkts), 2);
		assert_int_equal(longest % 1428, 0);
		assert_true(longest + (v4 ? 20 : 40) + 32 <= TC_CUT_IP_MAX);
		assert_int_equal(pkts, 46);
	}
}

static void no_packet_is_longer_than_the_mtu_whatever_the_segment_says(void **state)
{
	(void)state;
	uint32_t longest, pkts;
	struct tc_segment s = segment(true, 5000, 4096, 1448);
	(void)parts_of(&s, 1280, false, &longest, &pkts);
	assert_int_equal(longest, 1280 - 52);
	struct tc_segment v6 = segment(false, 5000, 4096, 1448);
	(void)parts_of(&v6, 1280, false, &longest, &pkts);
	assert_int_equal(longest, 1280 - 72);
	assert_int_equal(pkts, 5);
	/* a loopback MTU is more than IP can count */
	struct tc_segment large = segment(true, 65536, 4096, 0);
	(void)parts_of(&large, 65536, false, &longest, &pkts);
	assert_int_equal(longest, TC_CUT_IP_MAX - 52);
}

static void a_segment_that_says_no_cut_is_cut_at_the_mtu(void **state)
{
	(void)state;
	uint32_t longest, pkts;
	struct tc_segment s = segment(true, 5000, 4096, 0);
	(void)parts_of(&s, 1500, true, &longest, &pkts);
	assert_int_equal(pkts, 4);
}

static void an_mtu_without_room_for_a_byte_is_refused(void **state)
{
	(void)state;
	struct tc_cut c;
	struct tc_segment s = segment(true, 10, 10, 1448);
	assert_false(tc_cut_init(&c, &s, 52, true));
	assert_false(tc_cut_init(&c, &s, 0, false));
	assert_true(tc_cut_init(&c, &s, 53, false));
}

/* The header length that it counts with is the one that is written */
static void it_counts_the_headers_that_are_written(void **state)
{
	(void)state;
	struct tc_cut c;
	uint8_t buf[TC_HEADERS_MAX];
	size_t tcp_at;
	for (int v4 = 0; v4 < 2; v4++) {
		struct tc_segment s = segment(v4 != 0, 10, 10, 1448);
		s.tcp.opt.has_mss = s.tcp.opt.has_ws = s.tcp.opt.sack_ok = true;
		assert_true(tc_cut_init(&c, &s, 1500, true));
		assert_int_equal(c.headers, tc_headers_encode(&s, 0, 10, 1, false, buf, &tcp_at));
	}
}

static int fill_stream(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof stream; i++) {
		stream[i] = (uint8_t)(i ^ i >> 8);
	}
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_segment_without_payload_is_one_packet),
		cmocka_unit_test(a_segment_is_cut_where_it_says),
		cmocka_unit_test(chunks_of_any_size_make_the_same_packets),
		cmocka_unit_test(the_kernel_gets_it_whole),
		cmocka_unit_test(more_than_ip_can_count_is_cut_between_packets),
		cmocka_unit_test(no_packet_is_longer_than_the_mtu_whatever_the_segment_says),
		cmocka_unit_test(a_segment_that_says_no_cut_is_cut_at_the_mtu),
		cmocka_unit_test(an_mtu_without_room_for_a_byte_is_refused),
		cmocka_unit_test(it_counts_the_headers_that_are_written),
	};
	return cmocka_run_group_tests(tests, fill_stream, NULL);
}
