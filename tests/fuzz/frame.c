/* SPDX-License-Identifier: BSD-2-Clause
 * fuzz/frame.c - any bytes as a frame of any link type
 *
 * Input: link type(1) | bytes on the wire beyond those captured(2) | tag(2) | the frame.
 * Promised: the payload lies in the frame; a drop leaves the packet untouched; a packet that was read and is written with
 * tc_headers_encode() reads the same again.
 */
#include "fuzz/fuzz.h"

#include "base/bytes.h"
#include "wire/frame.h"

#include <string.h>

static bool same_options(const struct tc_tcpopt *a, const struct tc_tcpopt *b)
{
	return a->has_mss == b->has_mss && a->has_ws == b->has_ws && a->has_ts == b->has_ts &&
	       a->sack_ok == b->sack_ok && a->ws_shift == b->ws_shift && a->mss == b->mss &&
	       a->tsval == b->tsval && a->tsecr == b->tsecr;
}

static void write_and_read(const struct tc_packet *pkt)
{
	static uint8_t buf[TC_HEADERS_MAX + 65536];
	struct tc_segment seg = {
		.src = pkt->src,
		.dst = pkt->dst,
		.tcp = pkt->tcp,
		.payload_len = (uint32_t)pkt->payload.n,
		.n_views = 1,
		.payload = { pkt->payload },
	};
	size_t tcp_at;
	size_t n = tc_headers_encode(&seg, 0, seg.payload_len, 1, false, buf, &tcp_at);
	if (n == 0) {
		promise(seg.payload_len > 65535 - TC_HEADERS_MAX);
		return;
	}
	memcpy(buf + n, pkt->payload.p, pkt->payload.n);
	struct tc_frame frame = { .link = TC_LINK_RAW, .data = { buf, n + pkt->payload.n } };
	struct tc_packet back;
	promise(tc_frame_decode(&frame, &back) == TC_DROP_NONE);
	const struct tc_tcp *a = &pkt->tcp;
	const struct tc_tcp *b = &back.tcp;
	promise(tc_ip_eq(&back.src, &pkt->src) && tc_ip_eq(&back.dst, &pkt->dst));
	promise(a->src_port == b->src_port && a->dst_port == b->dst_port && a->win == b->win);
	promise(tc_seq_eq(a->seq, b->seq) && tc_seq_eq(a->ack, b->ack));
	promise(a->flags == b->flags && a->urg == b->urg && same_options(&a->opt, &b->opt));
	promise(back.payload_len == pkt->payload.n && back.payload.n == pkt->payload.n);
	promise(memcmp(back.payload.p, pkt->payload.p, back.payload.n) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < 5) {
		return 0;
	}
	struct tc_frame frame = {
		.link = (enum tc_link)(data[0] % (TC_LINK__N + 1)),
		.data = { data + 5, size - 5 },
		.wire_len = (uint32_t)size - 5 + tc_get_be16(data + 1),
		.vlan = tc_get_be16(data + 3),
		.at = 7,
	};
	struct tc_packet pkt;
	struct tc_packet untouched;
	memset(&pkt, 0x5a, sizeof pkt);
	memset(&untouched, 0x5a, sizeof untouched);
	enum tc_drop drop = tc_frame_decode(&frame, &pkt);
	promise(drop < TC_DROP__N);
	if (drop != TC_DROP_NONE) {
		promise(memcmp(&pkt, &untouched, sizeof pkt) == 0);
		return 0;
	}
	promise(pkt.payload.p >= frame.data.p);
	promise(pkt.payload.p + pkt.payload.n <= frame.data.p + frame.data.n);
	promise(pkt.payload.n <= pkt.payload_len);
	promise(pkt.tcp.opt.n_sack <= TC_TCPOPT_SACK_MAX);
	write_and_read(&pkt);
	return 0;
}
