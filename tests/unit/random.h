/* SPDX-License-Identifier: BSD-2-Clause
 * unit/random.h - random numbers that are the same in each run
 *
 * Source: Steele, Lea, Flood: "Fast splittable pseudorandom number generators" (2014), the mixing function.
 */
#ifndef TC_UNIT_RANDOM_H
#define TC_UNIT_RANDOM_H

#include <stddef.h>
#include <stdint.h>

struct random {
	uint64_t state;
};

static inline uint64_t random_u64(struct random *r)
{
	r->state += 0x9e3779b97f4a7c15ULL;
	uint64_t z = r->state;
	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ULL;
	z = (z ^ z >> 27) * 0x94d049bb133111ebULL;
	return z ^ z >> 31;
}

/** random_below() - 0..n-1; n > 0 */
static inline uint32_t random_below(struct random *r, uint32_t n)
{
	return (uint32_t)(random_u64(r) % n);
}

static inline void random_bytes(struct random *r, uint8_t *p, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		p[i] = (uint8_t)random_u64(r);
	}
}

#endif
