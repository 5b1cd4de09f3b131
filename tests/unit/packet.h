/* SPDX-License-Identifier: BSD-2-Clause
 * unit/packet.h - packets written by hand, header after header
 *
 * Each function appends; lengths are arguments, so that they can be wrong. Addresses: 10.0.0.1 or 2001:db8::1 to .2 or ::2.
 */
#ifndef TC_UNIT_PACKET_H
#define TC_UNIT_PACKET_H

#include "base/bytes.h"
#include "base/types.h"

#include <string.h>

struct bytes {
	uint8_t b[70000];
	size_t n;
};

static inline void add8(struct bytes *p, unsigned v)
{
	p->b[p->n++] = (uint8_t)v;
}

static inline void add16(struct bytes *p, unsigned v)
{
	tc_put_be16(p->b + p->n, (uint16_t)v);
	p->n += 2;
}

static inline void add32(struct bytes *p, uint32_t v)
{
	tc_put_be32(p->b + p->n, v);
	p->n += 4;
}

/* @n bytes that count up from @first */
static inline void add_run(struct bytes *p, size_t n, unsigned first)
{
	for (size_t i = 0; i < n; i++) {
		add8(p, first + (unsigned)i);
	}
}

static inline void add_zeros(struct bytes *p, size_t n)
{
	memset(p->b + p->n, 0, n);
	p->n += n;
}

static inline void add_ethernet(struct bytes *p, unsigned type)
{
	add_run(p, 12, 0xa0);
	add16(p, type);
}

/* @part: the flags and the fragment offset as they stand in the header */
static inline void add_v4_part(struct bytes *p, unsigned total, unsigned id, unsigned part,
			       unsigned proto)
{
	static const uint8_t addresses[8] = { 10, 0, 0, 1, 10, 0, 0, 2 };
	add16(p, 0x4500);
	add16(p, total);
	add16(p, id);
	add16(p, part);
	add16(p, 64 << 8 | proto);
	add16(p, 0);
	memcpy(p->b + p->n, addresses, 8);
	p->n += 8;
}

static inline void add_v4(struct bytes *p, unsigned total)
{
	add_v4_part(p, total, 7, 0x4000, 6);
}

static inline void add_v6(struct bytes *p, unsigned payload_len, unsigned next)
{
	static const uint8_t prefix[15] = { 0x20, 0x01, 0x0d, 0xb8 };
	add32(p, 0x60012345);
	add16(p, payload_len);
	add16(p, next << 8 | 64);
	for (unsigned i = 1; i <= 2; i++) {
		memcpy(p->b + p->n, prefix, 15);
		p->n += 15;
		add8(p, i);
	}
}

/* From port 40000 to port 80, seq 1000, ack 2000, window 500, with @options_len bytes of options to come */
static inline void add_tcp(struct bytes *p, unsigned flags, size_t options_len)
{
	add16(p, 40000);
	add16(p, 80);
	add32(p, 1000);
	add32(p, 2000);
	add16(p, (unsigned)(20 + options_len) / 4 << 12 | flags);
	add16(p, 500);
	add16(p, 0);
	add16(p, 0);
}

static inline struct tc_view view_of(const struct bytes *p)
{
	return (struct tc_view){ p->b, p->n };
}

#endif
