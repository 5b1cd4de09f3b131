/* SPDX-License-Identifier: BSD-2-Clause
 * lab/wire_cut.c - a super-frame into frames
 */
#include "lab/wire_cut.h"

#include "base/bytes.h"
#include "wire/checksum.h"
#include "wire/packet.h"

#include <linux/if_ether.h>
#include <netinet/in.h>
#include <string.h>

#define V4_BYTES 20
#define V6_BYTES 40
#define TCP_BYTES 20
#define TCP_CHECKSUM_AT 16

/* Where the IP header begins, behind any tags; 0: not IP. */
static uint32_t find_ip(struct tc_view v, bool *ret_v4)
{
	uint32_t at = ETH_HLEN;
	uint16_t type = v.n >= ETH_HLEN ? tc_get_be16(v.p + at - 2) : 0;
	while ((type == ETH_P_8021Q || type == ETH_P_8021AD) && v.n >= at + 4) {
		at += 4;
		type = tc_get_be16(v.p + at - 2);
	}
	*ret_v4 = type == ETH_P_IP;
	return type == ETH_P_IP || type == ETH_P_IPV6 ? at : 0;
}

bool wire_cut_init(struct wire_cut *c, const struct wire_frame *frame)
{
	struct tc_view v = frame->data;
	unsigned type = frame->head.gso_type & ~(unsigned)VIRTIO_NET_HDR_GSO_ECN;
	*c = (struct wire_cut){ .frame = frame };
	if ((type != VIRTIO_NET_HDR_GSO_TCPV4 && type != VIRTIO_NET_HDR_GSO_TCPV6) ||
	    frame->head.gso_size == 0) {
		return false;
	}
	c->ip_at = find_ip(v, &c->v4);
	if (c->ip_at == 0 || v.n < c->ip_at + (c->v4 ? V4_BYTES : V6_BYTES)) {
		return false;
	}
	const uint8_t *ip = v.p + c->ip_at;
	c->tcp_at = c->ip_at + (c->v4 ? (ip[0] & 0x0fu) * 4u : V6_BYTES);
	if (ip[c->v4 ? 9 : 6] != IPPROTO_TCP || c->tcp_at < c->ip_at + V4_BYTES ||
	    v.n < c->tcp_at + TCP_BYTES) {
		return false;
	}
	c->payload_at = c->tcp_at + (v.p[c->tcp_at + 12] >> 4) * 4u;
	return c->payload_at >= c->tcp_at + TCP_BYTES && v.n > c->payload_at;
}

static uint32_t payload_len(const struct wire_cut *c)
{
	uint32_t all = (uint32_t)c->frame->data.n - c->payload_at;
	return tc_u32_min(all - c->offset, c->frame->head.gso_size);
}

uint32_t wire_cut_len(const struct wire_cut *c)
{
	uint32_t n = payload_len(c);
	return n > 0 ? c->payload_at + n : 0;
}

void wire_cut_advance(struct wire_cut *c)
{
	c->offset += payload_len(c);
	c->parts++;
}

static void write_ip(const struct wire_cut *c, uint8_t *ip, uint32_t len)
{
	if (!c->v4) {
		tc_put_be16(ip + 4, (uint16_t)(len - V6_BYTES));
		return;
	}
	tc_put_be16(ip + 2, (uint16_t)len);
	tc_put_be16(ip + 4, (uint16_t)(tc_get_be16(ip + 4) + c->parts));
	tc_put_be16(ip + 10, 0);
	tc_put_be16(ip + 10,
		    tc_csum_finish(tc_csum_add(0, (struct tc_view){ ip, c->tcp_at - c->ip_at })));
}

/* The pseudo-header's sum: both addresses, the protocol, the length. */
static uint16_t pseudo_sum(const struct wire_cut *c, const uint8_t *ip, uint32_t tcp_len)
{
	struct tc_view addresses = { ip + (c->v4 ? 12 : 8), c->v4 ? 8 : 32 };
	return tc_csum_fold(tc_csum_add(0, addresses) + IPPROTO_TCP + tcp_len);
}

void wire_cut_write(const struct wire_cut *c, uint8_t *buf, struct virtio_net_hdr *ret_head)
{
	const uint8_t *from = c->frame->data.p;
	uint32_t n = payload_len(c);
	uint8_t *ip = buf + c->ip_at;
	uint8_t *tcp = buf + c->tcp_at;
	uint32_t tcp_len = c->payload_at - c->tcp_at + n;
	bool last = c->payload_at + c->offset + n == c->frame->data.n;
	memcpy(buf, from, c->payload_at);
	memcpy(buf + c->payload_at, from + c->payload_at + c->offset, n);
	write_ip(c, ip, c->tcp_at - c->ip_at + tcp_len);
	tc_put_be32(tcp + 4, tc_get_be32(tcp + 4) + c->offset);
	tcp[13] &= last ? 0xff : (uint8_t) ~(TC_TCP_FIN | TC_TCP_PSH);
	tcp[13] &= c->parts == 0 ? 0xff : (uint8_t)~TC_TCP_CWR;
	tc_put_be16(tcp + TCP_CHECKSUM_AT, pseudo_sum(c, ip, tcp_len));
	*ret_head = (struct virtio_net_hdr){
		.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
		.gso_type = VIRTIO_NET_HDR_GSO_NONE,
		.csum_start = (uint16_t)c->tcp_at,
		.csum_offset = TCP_CHECKSUM_AT,
	};
}
