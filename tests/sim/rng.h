/* SPDX-License-Identifier: BSD-2-Clause
 * sim/rng.h - random numbers that a seed repeats
 *
 * Layer:   test. Values only.
 * Source:  Steele, Lea, Flood: "Fast Splittable Pseudorandom Number Generators" (2014), the finalizer called splitmix64.
 *
 * Every noun of a scenario has a stream of its own, named by (seed, stream): so that to change one parameter does not change the dice
 * of all others, and a smaller scenario is still the same scenario.
 */
#ifndef TC_SIM_RNG_H
#define TC_SIM_RNG_H

#include <stdbool.h>
#include <stdint.h>

struct sim_rng {
	uint64_t state;
};

static inline uint64_t sim_rng_next(struct sim_rng *r)
{
	uint64_t z = r->state += 0x9e3779b97f4a7c15ULL;
	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ULL;
	z = (z ^ z >> 27) * 0x94d049bb133111ebULL;
	return z ^ z >> 31;
}

static inline struct sim_rng sim_rng_of(uint64_t seed, uint64_t stream)
{
	struct sim_rng r = { seed * 0xd1342543de82ef95ULL + stream };
	r.state = sim_rng_next(&r) ^ stream << 32;
	return r;
}

/** sim_rng_range() - one of @lo..@hi, both included; @lo when @hi is not above it */
static inline int64_t sim_rng_range(struct sim_rng *r, int64_t lo, int64_t hi)
{
	if (hi <= lo) {
		return lo;
	}
	uint64_t n = (uint64_t)(hi - lo) + 1;
	return lo + (int64_t)(sim_rng_next(r) % n);
}

/** sim_rng_permille() - true @permille times in 1000 */
static inline bool sim_rng_permille(struct sim_rng *r, int64_t permille)
{
	return permille > 0 && sim_rng_range(r, 0, 999) < permille;
}

/** sim_rng_log() - one of @lo..@hi, each order of magnitude equally likely; @lo >= 1 */
static inline int64_t sim_rng_log(struct sim_rng *r, int64_t lo, int64_t hi)
{
	unsigned steps = 0;
	for (int64_t v = lo; v < hi; v *= 2) {
		steps++;
	}
	int64_t top = lo << sim_rng_range(r, 0, steps);
	int64_t v = sim_rng_range(r, top / 2, top);
	return v < lo ? lo : v > hi ? hi : v;
}

#endif
