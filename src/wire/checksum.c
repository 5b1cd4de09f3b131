/* SPDX-License-Identifier: BSD-2-Clause
 * wire/checksum.c - the Internet checksum
 *
 * The sum of 16-bit words is the same in either byte order once its bytes are swapped at the end (RFC 1071 2 (B)), and wider words
 * may be added as long as no carry is lost (2 (C)). So native 32-bit words are added into 64 bits, which holds the carries of
 * 2^32 of them.
 */
#include "wire/checksum.h"

#include <string.h>

uint16_t tc_csum_fold(uint64_t sum)
{
	sum = (sum & 0xffffffff) + (sum >> 32);
	sum = (sum & 0xffff) + (sum >> 16 & 0xffff) + (sum >> 32);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)sum;
}

uint16_t tc_csum_finish(uint64_t sum)
{
	return (uint16_t)~tc_csum_fold(sum);
}

static uint64_t load32(const uint8_t *p)
{
	uint32_t w;
	memcpy(&w, p, sizeof w);
	return w;
}

static uint16_t swap16(uint16_t v)
{
	return (uint16_t)(v << 8 | v >> 8);
}

/* Two bytes in memory as the big-endian number that they are */
static uint16_t native_to_be(uint16_t v)
{
	return __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? swap16(v) : v;
}

uint64_t tc_csum_add(uint64_t sum, struct tc_view v)
{
	const uint8_t *p = v.p;
	size_t left = v.n;
	uint64_t a = 0;
	uint64_t b = 0;
	for (; left >= 32; left -= 32, p += 32) {
		a += load32(p) + load32(p + 4) + load32(p + 8) + load32(p + 12);
		b += load32(p + 16) + load32(p + 20) + load32(p + 24) + load32(p + 28);
	}
	for (; left >= 4; left -= 4, p += 4) {
		a += load32(p);
	}
	if (left > 0) {
		uint8_t last[4] = { 0 };
		memcpy(last, p, left);
		a += load32(last);
	}
	return sum + native_to_be(tc_csum_fold(a + b));
}

uint64_t tc_csum_add_views(uint64_t sum, const struct tc_view *v, size_t n)
{
	bool odd = false;
	for (size_t i = 0; i < n; i++) {
		uint16_t part = tc_csum_fold(tc_csum_add(0, v[i]));
		/* a view that begins at an odd byte of the run has its high and low bytes the other way round */
		sum += odd ? swap16(part) : part;
		odd ^= v[i].n & 1;
	}
	return sum;
}

uint64_t tc_csum_pseudo(const struct tc_ip *src, const struct tc_ip *dst, uint8_t proto,
			uint32_t len)
{
	size_t at = tc_ip_is_v4(src) ? 12 : 0;
	uint64_t sum = (uint64_t)proto + len;
	sum = tc_csum_add(sum, (struct tc_view){ src->b + at, sizeof src->b - at });
	return tc_csum_add(sum, (struct tc_view){ dst->b + at, sizeof dst->b - at });
}
