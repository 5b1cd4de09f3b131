/* SPDX-License-Identifier: BSD-2-Clause
 * base/siphash.h - SipHash-2-4, the keyed hash of flow tables and of marks
 *
 * Layer:   base. Pure.
 * Source:  Aumasson, Bernstein: "SipHash: a fast short-input PRF" (2012); test vectors of its appendix A in the unit test.
 * A header, so that the programs in the kernel compute the same value as the core.
 */
#ifndef TC_BASE_SIPHASH_H
#define TC_BASE_SIPHASH_H

#include <stddef.h>
#include <stdint.h>

struct tc_siphash_key {
	uint64_t k0, k1;
};

static inline uint64_t tc_siphash_rotl(uint64_t x, unsigned b)
{
	return x << b | x >> (64 - b);
}

static inline void tc_siphash_round(uint64_t v[4])
{
	v[0] += v[1];
	v[1] = tc_siphash_rotl(v[1], 13) ^ v[0];
	v[0] = tc_siphash_rotl(v[0], 32);
	v[2] += v[3];
	v[3] = tc_siphash_rotl(v[3], 16) ^ v[2];
	v[0] += v[3];
	v[3] = tc_siphash_rotl(v[3], 21) ^ v[0];
	v[2] += v[1];
	v[1] = tc_siphash_rotl(v[1], 17) ^ v[2];
	v[2] = tc_siphash_rotl(v[2], 32);
}

/* Eight bytes, little-endian; written out, for compilers make one load of that, but not of a loop. */
static inline uint64_t tc_siphash_word(const uint8_t *p)
{
	return (uint64_t)p[0] | (uint64_t)p[1] << 8 | (uint64_t)p[2] << 16 | (uint64_t)p[3] << 24 |
	       (uint64_t)p[4] << 32 | (uint64_t)p[5] << 40 | (uint64_t)p[6] << 48 |
	       (uint64_t)p[7] << 56;
}

/* The fewer than eight that are left over. */
static inline uint64_t tc_siphash_tail(const uint8_t *p, size_t n)
{
	uint64_t w = 0;
	for (size_t i = 0; i < n; i++) {
		w |= (uint64_t)p[i] << (8 * i);
	}
	return w;
}

/**
 * tc_siphash() - SipHash-2-4 of @n bytes at @p under @key
 * Return: 64 bits; any 32 or 16 of them may be used.
 */
static inline uint64_t tc_siphash(const struct tc_siphash_key *key, const void *p, size_t n)
{
	const uint8_t *b = p;
	uint64_t v[4] = { key->k0 ^ 0x736f6d6570736575ULL, key->k1 ^ 0x646f72616e646f6dULL,
			  key->k0 ^ 0x6c7967656e657261ULL, key->k1 ^ 0x7465646279746573ULL };
	size_t left = n;
	for (; left >= 8; left -= 8, b += 8) {
		uint64_t m = tc_siphash_word(b);
		v[3] ^= m;
		tc_siphash_round(v);
		tc_siphash_round(v);
		v[0] ^= m;
	}
	uint64_t last = tc_siphash_tail(b, left) | (uint64_t)(n & 0xff) << 56;
	v[3] ^= last;
	tc_siphash_round(v);
	tc_siphash_round(v);
	v[0] ^= last;
	v[2] ^= 0xff;
	for (int i = 0; i < 4; i++) {
		tc_siphash_round(v);
	}
	return v[0] ^ v[1] ^ v[2] ^ v[3];
}

#endif
