/* SPDX-License-Identifier: BSD-2-Clause
 * test_frame.c - frames of each link type, the TCP header, and headers of our own
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "unit/packet.h"
#include "unit/random.h"
#include "wire/checksum.h"
#include "wire/frame.h"

#include <stdlib.h>

#define PAYLOAD 30

/* The IP packet that the frames of these tests hold: TCP with timestamps, and PAYLOAD bytes that count up from 1 */
static void add_packet(struct bytes *p, bool v6)
{
	if (v6) {
		add_v6(p, 32 + PAYLOAD, 6);
	} else {
		add_v4(p, 20 + 32 + PAYLOAD);
	}
	add_tcp(p, TC_TCP_ACK | TC_TCP_PSH | TC_TCP_CWR, 12);
	add32(p, 0x0101080a);
	add32(p, 111);
	add32(p, 222);
	add_run(p, PAYLOAD, 1);
}

static struct tc_frame frame_of(enum tc_link link, const struct bytes *p)
{
	return (struct tc_frame){
		.link = link,
		.data = view_of(p),
		.wire_len = (uint32_t)p->n,
		.at = 12345,
		.device = 3,
	};
}

static void expect_packet(const struct tc_frame *frame, bool v6, uint32_t link_id)
{
	struct tc_packet pkt;
	memset(&pkt, 0x5a, sizeof pkt); /* all of it is written */
	assert_string_equal(tc_drop_name(tc_frame_decode(frame, &pkt)), "used");
	struct tc_ip src;
	struct tc_ip dst;
	tc_ip_parse(v6 ? "2001:db8::1" : "10.0.0.1", &src);
	tc_ip_parse(v6 ? "2001:db8::2" : "10.0.0.2", &dst);
	assert_true(tc_ip_eq(&pkt.src, &src) && tc_ip_eq(&pkt.dst, &dst));
	assert_true(pkt.at == 12345);
	assert_int_equal(pkt.device, 3);
	assert_int_equal(pkt.link_id, link_id);
	assert_int_equal(pkt.tcp.src_port, 40000);
	assert_int_equal(pkt.tcp.dst_port, 80);
	assert_int_equal(pkt.tcp.seq.v, 1000);
	assert_int_equal(pkt.tcp.ack.v, 2000);
	assert_int_equal(pkt.tcp.flags, TC_TCP_ACK | TC_TCP_PSH | TC_TCP_CWR);
	assert_int_equal(pkt.tcp.win, 500);
	assert_int_equal(pkt.tcp.urg, 0);
	assert_true(pkt.tcp.opt.has_ts && !pkt.tcp.opt.has_mss && pkt.tcp.opt.n_sack == 0);
	assert_int_equal(pkt.tcp.opt.tsval, 111);
	assert_int_equal(pkt.tcp.opt.tsecr, 222);
	assert_int_equal(pkt.payload_len, PAYLOAD);
	assert_int_equal(pkt.payload.n, PAYLOAD);
	assert_int_equal(pkt.payload.p[0], 1);
	assert_int_equal(pkt.payload.p[PAYLOAD - 1], PAYLOAD);
}

static void expect_drop(const struct tc_frame *frame, enum tc_drop want)
{
	struct tc_packet pkt;
	struct tc_packet untouched;
	memset(&pkt, 0x5a, sizeof pkt);
	memset(&untouched, 0x5a, sizeof untouched);
	assert_string_equal(tc_drop_name(tc_frame_decode(frame, &pkt)), tc_drop_name(want));
	assert_memory_equal(&pkt, &untouched, sizeof pkt);
}

static unsigned type_of(bool v6)
{
	return v6 ? 0x86dd : 0x0800;
}

static void add_sll(struct bytes *p, unsigned type)
{
	add16(p, 0);
	add16(p, 1);
	add16(p, 6);
	add_run(p, 8, 0xa0);
	add16(p, type);
}

static void add_sll2(struct bytes *p, unsigned type)
{
	add16(p, type);
	add16(p, 0);
	add32(p, 2);
	add16(p, 1);
	add8(p, 0);
	add8(p, 6);
	add_run(p, 8, 0xa0);
}

/* A frame of @link with both families; returns the bytes of its link header. */
static size_t make(struct bytes *p, enum tc_link link, bool v6)
{
	p->n = 0;
	switch (link) {
	case TC_LINK_ETHERNET:
		add_ethernet(p, type_of(v6));
		break;
	case TC_LINK_SLL:
		add_sll(p, type_of(v6));
		break;
	case TC_LINK_SLL2:
		add_sll2(p, type_of(v6));
		break;
	case TC_LINK_NULL:
		add32(p, v6 ? 30U << 24 : 2U << 24);
		break;
	case TC_LINK_LOOP:
		add32(p, v6 ? 24 : 2);
		break;
	default:
		break;
	}
	size_t head = p->n;
	add_packet(p, v6);
	return head;
}

static void frames_of_each_link_type_and_family_are_read(void **state)
{
	(void)state;
	for (int link = 0; link < TC_LINK__N; link++) {
		for (int v6 = 0; v6 <= 1; v6++) {
			struct bytes p;
			make(&p, (enum tc_link)link, v6);
			struct tc_frame frame = frame_of((enum tc_link)link, &p);
			expect_packet(&frame, v6, 0);
		}
	}
}

/* From memory of exactly its size, so that a sanitizer sees a read past the end */
static void a_frame_cut_in_its_headers_is_short_and_in_its_payload_is_not(void **state)
{
	(void)state;
	for (int link = 0; link < TC_LINK__N; link++) {
		for (int v6 = 0; v6 <= 1; v6++) {
			struct bytes p;
			size_t headers = make(&p, (enum tc_link)link, v6) + (v6 ? 40 : 20) + 32;
			for (size_t n = 0; n < p.n; n++) {
				uint8_t *exact = malloc(n > 0 ? n : 1);
				assert_non_null(exact);
				memcpy(exact, p.b, n);
				struct tc_frame frame = frame_of((enum tc_link)link, &p);
				frame.data = (struct tc_view){ exact, n };
				if (n < headers) {
					expect_drop(&frame, TC_DROP_SHORT);
				} else {
					struct tc_packet pkt;
					assert_int_equal(tc_frame_decode(&frame, &pkt),
							 TC_DROP_NONE);
					assert_int_equal(pkt.payload.n, n - headers);
					assert_int_equal(pkt.payload_len, PAYLOAD);
				}
				free(exact);
			}
		}
	}
}

static void an_empty_frame_without_memory_is_short(void **state)
{
	(void)state;
	for (int link = 0; link < TC_LINK__N; link++) {
		struct tc_frame frame = { .link = (enum tc_link)link };
		expect_drop(&frame, TC_DROP_SHORT);
	}
}

static void an_unknown_link_type_is_told(void **state)
{
	(void)state;
	struct bytes p;
	make(&p, TC_LINK_ETHERNET, false);
	struct tc_frame frame = frame_of(TC_LINK__N, &p);
	expect_drop(&frame, TC_DROP_LINK);
	frame.link = (enum tc_link) - 1;
	expect_drop(&frame, TC_DROP_LINK);
}

static void families_of_each_system_and_byte_order_are_known(void **state)
{
	(void)state;
	static const struct {
		uint32_t family;
		bool v6;
	} rows[] = { { 2, false }, { 10, true }, { 24, true }, { 28, true }, { 30, true } };
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct bytes p;
		make(&p, TC_LINK_NULL, rows[i].v6);
		tc_put_be32(p.b, rows[i].family);
		struct tc_frame frame = frame_of(TC_LINK_NULL, &p);
		expect_packet(&frame, rows[i].v6, 0);
		frame.link = TC_LINK_LOOP;
		expect_packet(&frame, rows[i].v6, 0);
		tc_put_be32(p.b, rows[i].family << 24);
		expect_drop(&frame, TC_DROP_NOT_IP); /* LOOP has one byte order */
		frame.link = TC_LINK_NULL;
		expect_packet(&frame, rows[i].v6, 0);
	}
	struct bytes p;
	make(&p, TC_LINK_NULL, false);
	tc_put_be32(p.b, 7);
	struct tc_frame frame = frame_of(TC_LINK_NULL, &p);
	expect_drop(&frame, TC_DROP_NOT_IP);
}

/* A frame with @n tags of the types and values in pairs */
static struct tc_frame tagged(struct bytes *p, const unsigned *tags, unsigned n)
{
	p->n = 0;
	add_ethernet(p, n > 0 ? tags[0] : 0x0800);
	for (unsigned i = 0; i < n; i++) {
		add16(p, tags[2 * i + 1]);
		add16(p, i + 1 < n ? tags[2 * i + 2] : 0x0800);
	}
	add_packet(p, false);
	return frame_of(TC_LINK_ETHERNET, p);
}

static void tags_in_the_frame_or_beside_it_name_the_link(void **state)
{
	(void)state;
	struct bytes p;
	struct tc_frame frame = tagged(&p, (const unsigned[]){ 0x8100, 0xe064 }, 1);
	expect_packet(&frame, false, 0x064); /* without the priority */

	frame = tagged(&p, NULL, 0);
	frame.vlan = 0xe064;
	expect_packet(&frame, false, 0x064);

	frame = tagged(&p, (const unsigned[]){ 0x88a8, 0x200, 0x8100, 0x064 }, 2);
	expect_packet(&frame, false, 0x200064);
	frame = tagged(&p, (const unsigned[]){ 0x9100, 0x200, 0x8100, 0x064 }, 2);
	expect_packet(&frame, false, 0x200064);

	/* the kernel moves the outer tag beside the frame */
	frame = tagged(&p, (const unsigned[]){ 0x8100, 0x064 }, 1);
	frame.vlan = 0x200;
	expect_packet(&frame, false, 0x200064);

	frame = tagged(&p, (const unsigned[]){ 0x8100, 0xe000 }, 1);
	expect_packet(&frame, false, 0); /* a priority tag is no VLAN */
}

static void more_tags_than_two_in_the_frame_are_an_unknown_encapsulation(void **state)
{
	(void)state;
	struct bytes p;
	struct tc_frame frame =
		tagged(&p, (const unsigned[]){ 0x88a8, 1, 0x8100, 2, 0x8100, 3 }, 3);
	expect_drop(&frame, TC_DROP_LINK);
}

static void a_frame_that_ends_inside_a_tag_is_short(void **state)
{
	(void)state;
	struct bytes p;
	struct tc_frame frame = tagged(&p, (const unsigned[]){ 0x88a8, 0x200, 0x8100, 0x064 }, 2);
	for (frame.data.n = 0; frame.data.n < 22; frame.data.n++) {
		expect_drop(&frame, TC_DROP_SHORT);
	}
}

static void tags_in_a_cooked_frame_are_read_too(void **state)
{
	(void)state;
	struct bytes p = { .n = 0 };
	add_sll(&p, 0x8100);
	add16(&p, 77);
	add16(&p, 0x86dd);
	add_packet(&p, true);
	struct tc_frame frame = frame_of(TC_LINK_SLL, &p);
	expect_packet(&frame, true, 77);
	p.n = 0;
	add_sll2(&p, 0x8100);
	add16(&p, 78);
	add16(&p, 0x0800);
	add_packet(&p, false);
	frame = frame_of(TC_LINK_SLL2, &p);
	expect_packet(&frame, false, 78);
}

static void frames_of_other_protocols_are_not_ip_and_tunnels_are_told(void **state)
{
	(void)state;
	static const struct {
		unsigned type;
		enum tc_drop want;
	} rows[] = {
		{ 0x0806, TC_DROP_NOT_IP }, { 0x88cc, TC_DROP_NOT_IP }, { 0x0026, TC_DROP_NOT_IP },
		{ 0x8847, TC_DROP_LINK },   { 0x8864, TC_DROP_LINK },	{ 0x86dd, TC_DROP_BAD_IP },
	};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct bytes p = { .n = 0 };
		add_ethernet(&p, rows[i].type);
		add_packet(&p, false);
		struct tc_frame frame = frame_of(TC_LINK_ETHERNET, &p);
		expect_drop(&frame, rows[i].want);
	}
	struct bytes p = { .n = 0 };
	add_zeros(&p, 60);
	struct tc_frame frame = frame_of(TC_LINK_RAW, &p);
	expect_drop(&frame, TC_DROP_NOT_IP);
}

static void padding_is_not_payload(void **state)
{
	(void)state;
	struct bytes p = { .n = 0 };
	add_ethernet(&p, 0x0800);
	add_v4(&p, 40);
	add_tcp(&p, TC_TCP_ACK, 0);
	add_zeros(&p, 6); /* a frame has 60 bytes at least */
	struct tc_frame frame = frame_of(TC_LINK_ETHERNET, &p);
	struct tc_packet pkt;
	assert_int_equal(tc_frame_decode(&frame, &pkt), TC_DROP_NONE);
	assert_int_equal(pkt.payload.n, 0);
	assert_int_equal(pkt.payload_len, 0);
}

static void a_length_of_zero_is_taken_from_the_wire_without_the_link_header(void **state)
{
	(void)state;
	struct bytes p;
	make(&p, TC_LINK_ETHERNET, false);
	tc_put_be16(p.b + 16, 0);
	struct tc_frame frame = frame_of(TC_LINK_ETHERNET, &p);
	frame.wire_len = 14 + 52 + 100000;
	struct tc_packet pkt;
	assert_int_equal(tc_frame_decode(&frame, &pkt), TC_DROP_NONE);
	assert_int_equal(pkt.payload_len, 100000);
	assert_int_equal(pkt.payload.n, PAYLOAD);
	frame.wire_len = 0; /* a driver that does not know */
	assert_int_equal(tc_frame_decode(&frame, &pkt), TC_DROP_NONE);
	assert_int_equal(pkt.payload_len, PAYLOAD);
}

static void other_transports_are_not_tcp(void **state)
{
	(void)state;
	struct bytes p;
	make(&p, TC_LINK_RAW, false);
	p.b[9] = 17;
	struct tc_frame frame = frame_of(TC_LINK_RAW, &p);
	expect_drop(&frame, TC_DROP_NOT_TCP);
	make(&p, TC_LINK_RAW, true);
	p.b[6] = 50;
	frame = frame_of(TC_LINK_RAW, &p);
	expect_drop(&frame, TC_DROP_NOT_TCP);
}

static void a_tcp_header_that_contradicts_itself_is_refused(void **state)
{
	(void)state;
	struct bytes p;
	make(&p, TC_LINK_RAW, false);
	struct tc_frame frame = frame_of(TC_LINK_RAW, &p);
	for (unsigned words = 0; words < 5; words++) {
		p.b[20 + 12] = (uint8_t)(words << 4);
		expect_drop(&frame, TC_DROP_BAD_TCP);
	}
	p.b[20 + 12] = 0xf0;
	tc_put_be16(p.b + 2, 20 + 59); /* the header ends behind the packet */
	expect_drop(&frame, TC_DROP_BAD_TCP);
	tc_put_be16(p.b + 2, 20 + 19);
	expect_drop(&frame, TC_DROP_BAD_TCP);
	tc_put_be16(p.b + 2, 20);
	expect_drop(&frame, TC_DROP_BAD_TCP);
}

static void malformed_options_are_told(void **state)
{
	(void)state;
	struct bytes p;
	make(&p, TC_LINK_RAW, false);
	p.b[20 + 20] = 5;
	p.b[20 + 21] = 0;
	struct tc_frame frame = frame_of(TC_LINK_RAW, &p);
	expect_drop(&frame, TC_DROP_BAD_OPTION);
}

static void a_fragment_is_dropped_and_one_of_udp_is_not_tcp(void **state)
{
	(void)state;
	struct bytes p;
	make(&p, TC_LINK_RAW, false);
	tc_put_be16(p.b + 6, 0x2000);
	struct tc_frame frame = frame_of(TC_LINK_RAW, &p);
	expect_drop(&frame, TC_DROP_FRAGMENT);
	p.b[9] = 17;
	expect_drop(&frame, TC_DROP_NOT_TCP);
}

/* A segment whose payload of @len bytes lies in views of random sizes in @memory */
static struct tc_segment a_segment(struct random *rnd, bool v6, uint8_t *memory, uint32_t len)
{
	struct tc_segment seg = {
		.tcp = { .src_port = 40000, .dst_port = 8080, .win = 501 },
		.payload_len = len,
	};
	tc_ip_parse(v6 ? "2001:db8::1" : "192.0.2.1", &seg.src);
	tc_ip_parse(v6 ? "2001:db8::2" : "198.51.100.7", &seg.dst);
	seg.tcp.seq = tc_seq_of((uint32_t)random_u64(rnd));
	seg.tcp.ack = tc_seq_of((uint32_t)random_u64(rnd));
	seg.tcp.flags = TC_TCP_ACK | TC_TCP_PSH;
	seg.tcp.opt = (struct tc_tcpopt){ .has_ts = true, .tsval = 5, .tsecr = 6 };
	random_bytes(rnd, memory, len);
	for (uint32_t at = 0; at < len;) {
		uint32_t n = seg.n_views + 1 < TC_SEGMENT_VIEWS ? 1 + random_below(rnd, len) : len;
		n = tc_u32_min(n, len - at);
		seg.payload[seg.n_views++] = (struct tc_view){ memory + at, n };
		at += n;
	}
	return seg;
}

/* What a receiver computes over the whole TCP part: 0xffff when the checksum is right */
static uint16_t received_sum(const struct tc_segment *seg, const uint8_t *tcp, size_t n)
{
	uint64_t sum = tc_csum_pseudo(&seg->src, &seg->dst, 6, (uint32_t)n);
	return tc_csum_fold(tc_csum_add(sum, (struct tc_view){ tcp, n }));
}

static void a_segment_in_parts_is_read_back_with_right_checksums(void **state)
{
	(void)state;
	struct random rnd = { 1 };
	static uint8_t memory[5000];
	static uint8_t pkt_bytes[TC_HEADERS_MAX + 5000];
	for (int round = 0; round < 400; round++) {
		bool v6 = round & 1;
		uint32_t len = random_below(&rnd, sizeof memory);
		struct tc_segment seg = a_segment(&rnd, v6, memory, len);
		uint32_t offset = random_below(&rnd, len + 1);
		uint32_t part = random_below(&rnd, len - offset + 1);
		size_t at = 0;
		size_t n = tc_headers_encode(&seg, offset, part, (uint16_t)round, false, pkt_bytes,
					     &at);
		assert_int_equal(at, v6 ? 40 : 20);
		assert_int_equal(n, at + 32);
		if (part > 0) {
			memcpy(pkt_bytes + n, memory + offset, part);
		}
		assert_int_equal(received_sum(&seg, pkt_bytes + at, n - at + part), 0xffff);

		struct tc_frame frame = { .link = TC_LINK_RAW,
					  .data = { pkt_bytes, n + part },
					  .wire_len = (uint32_t)n + part };
		struct tc_packet back;
		assert_int_equal(tc_frame_decode(&frame, &back), TC_DROP_NONE);
		assert_true(tc_ip_eq(&back.src, &seg.src) && tc_ip_eq(&back.dst, &seg.dst));
		assert_int_equal(back.tcp.src_port, seg.tcp.src_port);
		assert_int_equal(back.tcp.dst_port, seg.tcp.dst_port);
		assert_int_equal(back.tcp.seq.v, tc_seq_add(seg.tcp.seq, offset).v);
		assert_int_equal(back.tcp.ack.v, seg.tcp.ack.v);
		assert_int_equal(back.tcp.win, seg.tcp.win);
		assert_int_equal(back.tcp.opt.tsval, 5);
		assert_int_equal(back.tcp.opt.tsecr, 6);
		assert_int_equal(back.payload_len, part);
		assert_int_equal(back.tcp.flags,
				 TC_TCP_ACK | (offset + part == len ? TC_TCP_PSH : 0));
	}
}

static void an_ipv4_header_of_ours_has_its_checksum_its_id_and_no_df(void **state)
{
	(void)state;
	struct random rnd = { 2 };
	uint8_t memory[100];
	uint8_t buf[TC_HEADERS_MAX];
	size_t at;
	struct tc_segment seg = a_segment(&rnd, false, memory, sizeof memory);
	size_t n = tc_headers_encode(&seg, 0, 100, 0xbeef, false, buf, &at);
	assert_int_equal(tc_csum_fold(tc_csum_add(0, (struct tc_view){ buf, 20 })), 0xffff);
	assert_int_equal(tc_get_be16(buf + 2), n + 100);
	assert_int_equal(tc_get_be16(buf + 4), 0xbeef);
	assert_int_equal(tc_get_be16(buf + 6), 0);
	assert_int_equal(buf[8], 64);
}

static void a_partial_checksum_is_the_pseudo_headers_alone(void **state)
{
	(void)state;
	struct random rnd = { 3 };
	static uint8_t memory[3000];
	uint8_t buf[TC_HEADERS_MAX];
	for (int v6 = 0; v6 <= 1; v6++) {
		struct tc_segment seg = a_segment(&rnd, v6, memory, sizeof memory);
		size_t at;
		size_t n = tc_headers_encode(&seg, 1000, 1448, 1, true, buf, &at);
		uint32_t tcp_len = (uint32_t)(n - at) + 1448;
		assert_int_equal(tc_get_be16(buf + at + 16),
				 tc_csum_fold(tc_csum_pseudo(&seg.src, &seg.dst, 6, tcp_len)));
	}
}

static void flags_stay_with_the_bytes_that_they_belong_to(void **state)
{
	(void)state;
	struct random rnd = { 4 };
	uint8_t memory[100];
	uint8_t buf[TC_HEADERS_MAX];
	size_t at;
	struct tc_segment seg = a_segment(&rnd, false, memory, sizeof memory);
	seg.tcp.flags = TC_TCP_ACK | TC_TCP_PSH | TC_TCP_FIN | TC_TCP_CWR | TC_TCP_ECE;
	tc_headers_encode(&seg, 0, 40, 1, true, buf, &at);
	assert_int_equal(buf[at + 13], TC_TCP_ACK | TC_TCP_CWR | TC_TCP_ECE);
	tc_headers_encode(&seg, 40, 40, 1, true, buf, &at);
	assert_int_equal(buf[at + 13], TC_TCP_ACK | TC_TCP_ECE);
	tc_headers_encode(&seg, 80, 20, 1, true, buf, &at);
	assert_int_equal(buf[at + 13], TC_TCP_ACK | TC_TCP_ECE | TC_TCP_PSH | TC_TCP_FIN);
	tc_headers_encode(&seg, 0, 100, 1, true, buf, &at);
	assert_int_equal(buf[at + 13], seg.tcp.flags);
}

static void data_behind_a_syn_is_numbered_behind_it(void **state)
{
	(void)state;
	struct random rnd = { 5 };
	uint8_t memory[100];
	uint8_t buf[TC_HEADERS_MAX];
	size_t at;
	struct tc_segment seg = a_segment(&rnd, false, memory, sizeof memory);
	seg.tcp.flags = TC_TCP_SYN;
	tc_headers_encode(&seg, 0, 60, 1, true, buf, &at);
	assert_int_equal(buf[at + 13], TC_TCP_SYN);
	assert_int_equal(tc_get_be32(buf + at + 4), seg.tcp.seq.v);
	tc_headers_encode(&seg, 60, 40, 1, true, buf, &at);
	assert_int_equal(buf[at + 13], 0);
	assert_int_equal(tc_get_be32(buf + at + 4), tc_seq_add(seg.tcp.seq, 61).v);
}

static void a_packet_larger_than_ip_carries_is_refused(void **state)
{
	(void)state;
	struct random rnd = { 6 };
	uint8_t memory[1];
	uint8_t buf[TC_HEADERS_MAX];
	size_t at = 77;
	struct tc_segment v4 = a_segment(&rnd, false, memory, 0);
	assert_int_equal(tc_headers_encode(&v4, 0, 65535 - 52, 1, true, buf, &at), 52);
	assert_int_equal(tc_get_be16(buf + 2), 65535);
	struct tc_segment v6 = a_segment(&rnd, true, memory, 0);
	assert_int_equal(tc_headers_encode(&v6, 0, 65535 - 32, 1, true, buf, &at), 72);
	assert_int_equal(tc_get_be16(buf + 4), 65535);
	at = 77;
	assert_int_equal(tc_headers_encode(&v4, 0, 65536 - 52, 1, true, buf, &at), 0);
	assert_int_equal(tc_headers_encode(&v6, 0, 65536 - 32, 1, true, buf, &at), 0);
	assert_int_equal(tc_headers_encode(&v4, 0, UINT32_MAX, 1, true, buf, &at), 0);
	assert_int_equal(at, 77);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(frames_of_each_link_type_and_family_are_read),
		cmocka_unit_test(a_frame_cut_in_its_headers_is_short_and_in_its_payload_is_not),
		cmocka_unit_test(an_empty_frame_without_memory_is_short),
		cmocka_unit_test(an_unknown_link_type_is_told),
		cmocka_unit_test(families_of_each_system_and_byte_order_are_known),
		cmocka_unit_test(tags_in_the_frame_or_beside_it_name_the_link),
		cmocka_unit_test(more_tags_than_two_in_the_frame_are_an_unknown_encapsulation),
		cmocka_unit_test(a_frame_that_ends_inside_a_tag_is_short),
		cmocka_unit_test(tags_in_a_cooked_frame_are_read_too),
		cmocka_unit_test(frames_of_other_protocols_are_not_ip_and_tunnels_are_told),
		cmocka_unit_test(padding_is_not_payload),
		cmocka_unit_test(a_length_of_zero_is_taken_from_the_wire_without_the_link_header),
		cmocka_unit_test(other_transports_are_not_tcp),
		cmocka_unit_test(a_tcp_header_that_contradicts_itself_is_refused),
		cmocka_unit_test(malformed_options_are_told),
		cmocka_unit_test(a_fragment_is_dropped_and_one_of_udp_is_not_tcp),
		cmocka_unit_test(a_segment_in_parts_is_read_back_with_right_checksums),
		cmocka_unit_test(an_ipv4_header_of_ours_has_its_checksum_its_id_and_no_df),
		cmocka_unit_test(a_partial_checksum_is_the_pseudo_headers_alone),
		cmocka_unit_test(flags_stay_with_the_bytes_that_they_belong_to),
		cmocka_unit_test(data_behind_a_syn_is_numbered_behind_it),
		cmocka_unit_test(a_packet_larger_than_ip_carries_is_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
