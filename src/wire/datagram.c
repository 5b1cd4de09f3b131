/* SPDX-License-Identifier: BSD-2-Clause
 * wire/datagram.c - IPv4 and IPv6 headers
 */
#include "wire/datagram.h"

#include "base/bytes.h"

enum {
	V4_HEAD = 20,
	V4_MORE = 0x2000,
	V4_OFFSET = 0x1fff, /* in units of 8 bytes */
	V6_HEAD = 40,
};

enum {
	EXT_HOP_BY_HOP = 0,
	EXT_ROUTING = 43,
	EXT_FRAGMENT = 44,
	EXT_AH = 51,
	EXT_DESTINATION = 60,
	EXT_MOBILITY = 135,
	EXT_HIP = 139,
	EXT_SHIM6 = 140,
};

/* RFC 8200 4.1 lists seven at most; the limit keeps a made-up chain of thousands from costing time. */
#define EXTENSIONS_MAX 8
#define OPTION_PAD1 0
#define OPTION_JUMBO 0xc2
#define JUMBO_MIN 65536

static enum tc_drop decode_v4(struct tc_view v, size_t wire_len, struct tc_datagram *ret_dgram)
{
	if (v.n < V4_HEAD) {
		return TC_DROP_SHORT;
	}
	const uint8_t *p = v.p;
	size_t head = (size_t)(p[0] & 15) * 4;
	size_t total = tc_get_be16(p + 2);
	if (total == 0) {
		total = wire_len;
	}
	if (head < V4_HEAD || total < head) {
		return TC_DROP_BAD_IP;
	}
	if (v.n < head) {
		return TC_DROP_SHORT;
	}
	unsigned part = tc_get_be16(p + 6) & (V4_MORE | V4_OFFSET);
	*ret_dgram = (struct tc_datagram){
		.src = tc_ip_from_v4(p + 12),
		.dst = tc_ip_from_v4(p + 16),
		.proto = p[9],
		.fragment = part != 0,
		.more = (part & V4_MORE) != 0,
		.offset = (part & V4_OFFSET) * 8,
		.id = part != 0 ? tc_get_be16(p + 4) : 0,
		.body = { p + head, (v.n < total ? v.n : total) - head },
		.body_len = (uint32_t)(total - head),
	};
	return TC_DROP_NONE;
}

static bool is_extension(uint8_t proto)
{
	switch (proto) {
	case EXT_HOP_BY_HOP:
	case EXT_ROUTING:
	case EXT_FRAGMENT:
	case EXT_AH:
	case EXT_DESTINATION:
	case EXT_MOBILITY:
	case EXT_HIP:
	case EXT_SHIM6:
		return true;
	default:
		return false;
	}
}

/* Set the body back by @n bytes of headers; they are all there. */
static void advance(struct tc_datagram *d, size_t n)
{
	d->body.p += n;
	d->body.n -= n;
	d->body_len -= (uint32_t)n;
}

/*
 * Walk the extension headers at the front of the body, up to a header of another kind or behind the first real fragment header.
 * An atomic fragment, offset 0 and no more, is a whole datagram (RFC 6946).
 */
static enum tc_drop skip_extensions(struct tc_datagram *d)
{
	for (unsigned i = 0; is_extension(d->proto); i++) {
		if (i == EXTENSIONS_MAX || d->body_len < 8) {
			return TC_DROP_BAD_IP;
		}
		if (d->body.n < 8) {
			return TC_DROP_SHORT;
		}
		const uint8_t *p = d->body.p;
		if (d->proto == EXT_FRAGMENT) {
			unsigned part = tc_get_be16(p + 2);
			d->proto = p[0];
			d->offset = part & ~7U;
			d->more = part & 1;
			d->fragment = d->more || d->offset != 0;
			d->id = d->fragment ? tc_get_be32(p + 4) : 0;
			advance(d, 8);
			if (d->fragment) {
				return TC_DROP_NONE;
			}
			continue;
		}
		size_t len = d->proto == EXT_AH ? (size_t)(p[1] + 2) * 4 : (size_t)(p[1] + 1) * 8;
		/* hop-by-hop options stand first or nowhere (RFC 8200 4.1) */
		if (len > d->body_len || (d->proto == EXT_HOP_BY_HOP && i > 0)) {
			return TC_DROP_BAD_IP;
		}
		if (len > d->body.n) {
			return TC_DROP_SHORT;
		}
		d->proto = p[0];
		advance(d, len);
	}
	return TC_DROP_NONE;
}

/* The value of a jumbo payload option in the hop-by-hop header @v, as far as it was captured; 0 when there is none. */
static uint32_t find_jumbo(struct tc_view v)
{
	if (v.n < 8) {
		return 0;
	}
	size_t end = (size_t)(v.p[1] + 1) * 8;
	if (end > v.n) {
		end = v.n;
	}
	for (size_t i = 2; i + 2 <= end;) {
		if (v.p[i] == OPTION_PAD1) {
			i++;
			continue;
		}
		if (v.p[i] == OPTION_JUMBO && v.p[i + 1] == 4 && i + 6 <= end) {
			return tc_get_be32(v.p + i + 2);
		}
		i += 2 + (size_t)v.p[i + 1];
	}
	return 0;
}

static enum tc_drop decode_v6(struct tc_view v, size_t wire_len, struct tc_datagram *ret_dgram)
{
	if (v.n < V6_HEAD) {
		return TC_DROP_SHORT;
	}
	const uint8_t *p = v.p;
	struct tc_view rest = { p + V6_HEAD, v.n - V6_HEAD };
	size_t len = tc_get_be16(p + 4);
	bool jumbo = false;
	if (len == 0) {
		uint32_t said = p[6] == EXT_HOP_BY_HOP ? find_jumbo(rest) : 0;
		jumbo = said != 0;
		len = jumbo ? said : wire_len - V6_HEAD;
		if (jumbo && said < JUMBO_MIN) {
			return TC_DROP_BAD_IP;
		}
	}
	struct tc_datagram d = {
		.src = tc_ip_from_v6(p + 8),
		.dst = tc_ip_from_v6(p + 24),
		.proto = p[6],
		.body = { rest.p, rest.n < len ? rest.n : len },
		.body_len = len < UINT32_MAX ? (uint32_t)len : UINT32_MAX,
	};
	if (tc_ip_is_v4(&d.src) || tc_ip_is_v4(&d.dst)) {
		return TC_DROP_BAD_IP; /* mapped addresses never travel; they would pass for IPv4 here */
	}
	enum tc_drop drop = skip_extensions(&d);
	if (drop != TC_DROP_NONE) {
		return drop;
	}
	if (jumbo && d.fragment) {
		return TC_DROP_BAD_IP; /* RFC 2675 3 */
	}
	*ret_dgram = d;
	return TC_DROP_NONE;
}

enum tc_drop tc_datagram_decode(struct tc_view v, size_t wire_len, struct tc_datagram *ret_dgram)
{
	if (v.n == 0) {
		return TC_DROP_SHORT;
	}
	if (wire_len < v.n) {
		wire_len = v.n;
	}
	switch (v.p[0] >> 4) {
	case 4:
		return decode_v4(v, wire_len, ret_dgram);
	case 6:
		return decode_v6(v, wire_len, ret_dgram);
	default:
		return TC_DROP_NOT_IP;
	}
}

enum tc_drop tc_datagram_skip_extensions(struct tc_datagram *dgram)
{
	struct tc_datagram d = *dgram;
	if (!tc_ip_is_v4(&d.src)) {
		enum tc_drop drop = skip_extensions(&d);
		if (drop != TC_DROP_NONE) {
			return drop;
		}
		if (d.fragment) {
			return TC_DROP_BAD_IP;
		}
	}
	*dgram = d;
	return TC_DROP_NONE;
}

bool tc_datagram_may_hold_tcp(const struct tc_datagram *dgram)
{
	return dgram->proto == TC_PROTO_TCP ||
	       (!tc_ip_is_v4(&dgram->src) && is_extension(dgram->proto));
}
