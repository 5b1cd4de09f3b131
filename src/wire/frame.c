/* SPDX-License-Identifier: BSD-2-Clause
 * wire/frame.c - link headers, the TCP header, and headers of our own
 *
 * A frame is read in three steps, each of which narrows the view: the link header says where the IP header is, wire/datagram.h where
 * the body is and how long it was on the wire, the TCP header where the payload is.
 */
#include "wire/frame.h"

#include "base/bytes.h"
#include "wire/checksum.h"
#include "wire/reassembly.h"

enum {
	TYPE_IPV4 = 0x0800,
	TYPE_IPV6 = 0x86dd,
	TYPE_VLAN = 0x8100,
	TYPE_VLAN_SERVICE = 0x88a8,
	TYPE_VLAN_OLD = 0x9100, /* QinQ before 802.1ad */
	TYPE_MPLS = 0x8847,
	TYPE_PPPOE = 0x8864,
};

/* AF_INET6 differs from system to system; AF_INET does not. */
enum {
	FAMILY_INET = 2,
	FAMILY_INET6_LINUX = 10,
	FAMILY_INET6_BSD = 24,
	FAMILY_INET6_FREEBSD = 28,
	FAMILY_INET6_DARWIN = 30,
};

enum {
	ETHERNET_HEAD = 14,
	SLL_HEAD = 16,
	SLL2_HEAD = 20,
	FAMILY_HEAD = 4,
	TAG = 4,
	TAGS_MAX = 2,
	VLAN_BITS = 12,
	VLAN_ID = 0xfff,
	TCP_HEAD = 20,
	TTL = 64,
};

/* struct place - where the IP header is: bytes before it, its version (0: either), the tags on the way */
struct place {
	size_t at;
	unsigned version;
	uint32_t link_id;
};

/* The protocol of the frame is @type, and what it describes begins at place->at: step over tags. */
static enum tc_drop find_by_type(struct tc_view v, unsigned type, struct place *place)
{
	for (unsigned tags = 0;
	     type == TYPE_VLAN || type == TYPE_VLAN_SERVICE || type == TYPE_VLAN_OLD; tags++) {
		if (tags == TAGS_MAX) {
			return TC_DROP_LINK;
		}
		if (v.n - place->at < TAG) {
			return TC_DROP_SHORT;
		}
		const uint8_t *tag = v.p + place->at;
		place->link_id = place->link_id << VLAN_BITS | (tc_get_be16(tag) & VLAN_ID);
		type = tc_get_be16(tag + 2);
		place->at += TAG;
	}
	switch (type) {
	case TYPE_IPV4:
		place->version = 4;
		return TC_DROP_NONE;
	case TYPE_IPV6:
		place->version = 6;
		return TC_DROP_NONE;
	case TYPE_MPLS:
	case TYPE_PPPOE:
		return TC_DROP_LINK;
	default:
		return TC_DROP_NOT_IP;
	}
}

static enum tc_drop find_by_family(uint32_t family, struct place *place)
{
	switch (family) {
	case FAMILY_INET:
		place->version = 4;
		return TC_DROP_NONE;
	case FAMILY_INET6_LINUX:
	case FAMILY_INET6_BSD:
	case FAMILY_INET6_FREEBSD:
	case FAMILY_INET6_DARWIN:
		place->version = 6;
		return TC_DROP_NONE;
	default:
		return TC_DROP_NOT_IP;
	}
}

static enum tc_drop find_ip(const struct tc_frame *frame, struct place *place)
{
	static const uint8_t heads[] = {
		[TC_LINK_ETHERNET] = ETHERNET_HEAD, [TC_LINK_RAW] = 0,
		[TC_LINK_NULL] = FAMILY_HEAD,	    [TC_LINK_LOOP] = FAMILY_HEAD,
		[TC_LINK_SLL] = SLL_HEAD,	    [TC_LINK_SLL2] = SLL2_HEAD,
	};
	_Static_assert(sizeof heads / sizeof heads[0] == TC_LINK__N, "a link type without a head");
	if ((unsigned)frame->link >= TC_LINK__N) {
		return TC_DROP_LINK;
	}
	place->at = heads[frame->link];
	if (frame->data.n < place->at) {
		return TC_DROP_SHORT;
	}
	const uint8_t *p = frame->data.p;
	switch (frame->link) {
	case TC_LINK_ETHERNET:
		return find_by_type(frame->data, tc_get_be16(p + 12), place);
	case TC_LINK_SLL:
		return find_by_type(frame->data, tc_get_be16(p + 14), place);
	case TC_LINK_SLL2:
		return find_by_type(frame->data, tc_get_be16(p), place);
	case TC_LINK_NULL: {
		/* families are small numbers: the half that is zero tells the writer's byte order */
		uint32_t family = tc_get_be32(p);
		return find_by_family(family > 0xffff ? __builtin_bswap32(family) : family, place);
	}
	case TC_LINK_LOOP:
		return find_by_family(tc_get_be32(p), place);
	default:
		return TC_DROP_NONE;
	}
}

static enum tc_drop find_datagram(const struct tc_frame *frame, struct tc_datagram *ret_dgram,
				  uint32_t *ret_link_id)
{
	struct place place = { .link_id = frame->vlan & VLAN_ID };
	enum tc_drop drop = find_ip(frame, &place);
	if (drop != TC_DROP_NONE) {
		return drop;
	}
	if (frame->data.n == place.at) {
		return TC_DROP_SHORT;
	}
	struct tc_view v = { frame->data.p + place.at, frame->data.n - place.at };
	if (place.version != 0 && v.p[0] >> 4 != (int)place.version) {
		return TC_DROP_BAD_IP;
	}
	size_t wire_len = frame->wire_len > place.at ? frame->wire_len - place.at : 0;
	*ret_link_id = place.link_id;
	return tc_datagram_decode(v, wire_len, ret_dgram);
}

/* Of @ret_pkt all but the stamps of the capture. */
static enum tc_drop decode_tcp(const struct tc_datagram *d, struct tc_packet *ret_pkt)
{
	if (d->proto != TC_PROTO_TCP) {
		return TC_DROP_NOT_TCP;
	}
	if (d->body_len < TCP_HEAD) {
		return TC_DROP_BAD_TCP;
	}
	if (d->body.n < TCP_HEAD) {
		return TC_DROP_SHORT;
	}
	const uint8_t *p = d->body.p;
	size_t head = (size_t)(p[12] >> 4) * 4;
	if (head < TCP_HEAD || head > d->body_len) {
		return TC_DROP_BAD_TCP;
	}
	if (head > d->body.n) {
		return TC_DROP_SHORT;
	}
	struct tc_tcp *tcp = &ret_pkt->tcp;
	struct tc_view options = { p + TCP_HEAD, head - TCP_HEAD };
	if (tc_tcpopt_decode(options, &tcp->opt) != 0) {
		return TC_DROP_BAD_OPTION;
	}
	/* nothing fails from here on: ret_pkt may be written */
	tcp->src_port = tc_get_be16(p);
	tcp->dst_port = tc_get_be16(p + 2);
	tcp->seq = tc_seq_of(tc_get_be32(p + 4));
	tcp->ack = tc_seq_of(tc_get_be32(p + 8));
	tcp->flags = p[13];
	tcp->win = tc_get_be16(p + 14);
	tcp->urg = tc_get_be16(p + 18);
	ret_pkt->src = d->src;
	ret_pkt->dst = d->dst;
	ret_pkt->payload = (struct tc_view){ p + head, d->body.n - head };
	ret_pkt->payload_len = d->body_len - (uint32_t)head;
	return TC_DROP_NONE;
}

/* @d is a fragment: put it to the others of its datagram, and on JOINED make @d the rebuilt one. */
static enum tc_reassembly_verdict reassemble(struct tc_reassembly *r, const struct tc_frame *frame,
					     uint32_t link_id, struct tc_datagram *d,
					     enum tc_drop *ret_drop)
{
	/* no stack names another protocol in a later IPv6 fragment than in the first, though it may (RFC 8200 4.5) */
	*ret_drop = tc_datagram_may_hold_tcp(d) ? TC_DROP_FRAGMENT : TC_DROP_NOT_TCP;
	if (r == NULL || *ret_drop == TC_DROP_NOT_TCP) {
		return TC_REASSEMBLY_DROPPED;
	}
	struct tc_datagram part = *d;
	enum tc_reassembly_verdict verdict = tc_reassembly_add(r, &part, link_id, frame->at, d);
	if (verdict == TC_REASSEMBLY_HELD) {
		*ret_drop = TC_DROP_NONE;
	} else if (verdict == TC_REASSEMBLY_JOINED) {
		*ret_drop = tc_datagram_skip_extensions(d);
	}
	return verdict;
}

bool tc_frame_input(struct tc_reassembly *r, const struct tc_frame *frame,
		    struct tc_packet *ret_pkt, enum tc_drop *ret_drop)
{
	struct tc_datagram d;
	uint32_t link_id;
	enum tc_drop drop = find_datagram(frame, &d, &link_id);
	if (drop == TC_DROP_NONE && d.fragment &&
	    reassemble(r, frame, link_id, &d, &drop) != TC_REASSEMBLY_JOINED) {
		*ret_drop = drop;
		return false;
	}
	if (drop == TC_DROP_NONE) {
		drop = decode_tcp(&d, ret_pkt);
	}
	if (drop != TC_DROP_NONE) {
		*ret_drop = drop;
		return false;
	}
	ret_pkt->at = frame->at;
	ret_pkt->device = frame->device;
	ret_pkt->link_id = link_id;
	return true;
}

enum tc_drop tc_frame_decode(const struct tc_frame *frame, struct tc_packet *ret_pkt)
{
	enum tc_drop drop;
	return tc_frame_input(NULL, frame, ret_pkt, &drop) ? TC_DROP_NONE : drop;
}

static size_t encode_ip(const struct tc_segment *seg, size_t tcp_len, uint16_t ip_id, uint8_t *buf)
{
	if (!tc_ip_is_v4(&seg->src)) {
		tc_put_be32(buf, 0x60000000);
		tc_put_be16(buf + 4, (uint16_t)tcp_len);
		buf[6] = TC_PROTO_TCP;
		buf[7] = TTL;
		memcpy(buf + 8, seg->src.b, 16);
		memcpy(buf + 24, seg->dst.b, 16);
		return 40;
	}
	buf[0] = 0x45;
	buf[1] = 0;
	tc_put_be16(buf + 2, (uint16_t)(20 + tcp_len));
	tc_put_be16(buf + 4, ip_id);
	tc_put_be16(buf + 6, 0);
	buf[8] = TTL;
	buf[9] = TC_PROTO_TCP;
	tc_put_be16(buf + 10, 0);
	memcpy(buf + 12, seg->src.b + 12, 4);
	memcpy(buf + 16, seg->dst.b + 12, 4);
	tc_put_be16(buf + 10, tc_csum_finish(tc_csum_add(0, (struct tc_view){ buf, 20 })));
	return 20;
}

/* Sum of @len bytes of the payload from @offset on, as if they began at an even byte. */
static uint64_t sum_payload(const struct tc_segment *seg, size_t offset, size_t len)
{
	struct tc_view part[TC_SEGMENT_VIEWS];
	size_t n = 0;
	for (unsigned i = 0; i < seg->n_views && len > 0; i++) {
		struct tc_view v = seg->payload[i];
		if (offset >= v.n) {
			offset -= v.n;
			continue;
		}
		v.p += offset;
		v.n -= offset;
		offset = 0;
		if (v.n > len) {
			v.n = len;
		}
		len -= v.n;
		part[n++] = v;
	}
	return tc_csum_add_views(0, part, n);
}

size_t tc_headers_encode(const struct tc_segment *seg, uint32_t offset, uint32_t len,
			 uint16_t ip_id, bool partial, uint8_t *buf, size_t *ret_tcp_at)
{
	const struct tc_tcp *tcp = &seg->tcp;
	uint8_t options[TC_TCPOPT_MAX];
	size_t options_len = tc_tcpopt_encode(&tcp->opt, options);
	size_t head = TCP_HEAD + options_len;
	size_t at = tc_ip_is_v4(&seg->src) ? 20 : 40;
	size_t ip_len_max = at == 20 ? 65535 : 65535 + 40; /* IPv6 does not count its own header */
	if (at + head + len > ip_len_max) {
		return 0;
	}
	encode_ip(seg, head + len, ip_id, buf);

	uint8_t flags = tcp->flags;
	tc_seq seq = tc_seq_add(tcp->seq, offset);
	if (offset > 0) {
		/* a SYN takes the number before the first byte; the window reduction is told once */
		seq = tc_seq_add(seq, (flags & TC_TCP_SYN) != 0 ? 1 : 0);
		flags &= (uint8_t) ~(TC_TCP_SYN | TC_TCP_CWR);
	}
	if (offset + len != seg->payload_len) {
		flags &= (uint8_t) ~(TC_TCP_FIN | TC_TCP_PSH);
	}
	uint8_t *p = buf + at;
	tc_put_be16(p, tcp->src_port);
	tc_put_be16(p + 2, tcp->dst_port);
	tc_put_be32(p + 4, seq.v);
	tc_put_be32(p + 8, tcp->ack.v);
	p[12] = (uint8_t)(head / 4 << 4);
	p[13] = flags;
	tc_put_be16(p + 14, tcp->win);
	tc_put_be16(p + 16, 0);
	tc_put_be16(p + 18, tcp->urg);
	memcpy(p + TCP_HEAD, options, options_len);

	uint64_t sum = tc_csum_pseudo(&seg->src, &seg->dst, TC_PROTO_TCP, (uint32_t)(head + len));
	if (partial) {
		tc_put_be16(p + 16, tc_csum_fold(sum));
	} else {
		sum = tc_csum_add(sum, (struct tc_view){ p, head });
		tc_put_be16(p + 16, tc_csum_finish(sum + sum_payload(seg, offset, len)));
	}
	*ret_tcp_at = at;
	return at + head;
}
