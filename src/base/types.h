/* SPDX-License-Identifier: BSD-2-Clause
 * base/types.h - time, sequence numbers and borrowed bytes
 *
 * Layer:   base. Values only: no I/O, no allocation, no clock.
 * Source:  RFC 9293 3.4 (arithmetic of sequence numbers, modulo 2^32).
 */
#ifndef TC_BASE_TYPES_H
#define TC_BASE_TYPES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** A point in time or a span: nanoseconds on the engine's monotonic clock. */
typedef int64_t tc_time;

#define TC_TIME_NEVER INT64_MAX
#define TC_US ((tc_time)1000)
#define TC_MS ((tc_time)1000000)
#define TC_SEC ((tc_time)1000000000)

/** Borrowed bytes; valid until the call that got them returns, unless said otherwise. */
struct tc_view {
	const uint8_t *p;
	size_t n;
};

/** A TCP sequence number in host order. Compared only with the functions below: numbers wrap. */
typedef struct {
	uint32_t v;
} tc_seq;

static inline tc_seq tc_seq_of(uint32_t v)
{
	return (tc_seq){ v };
}

static inline tc_seq tc_seq_add(tc_seq s, uint32_t n)
{
	return (tc_seq){ s.v + n };
}

/** tc_seq_diff() - signed distance a - b; meaningful while they are less than 2^31 apart */
static inline int32_t tc_seq_diff(tc_seq a, tc_seq b)
{
	return (int32_t)(a.v - b.v);
}

static inline bool tc_seq_lt(tc_seq a, tc_seq b)
{
	return tc_seq_diff(a, b) < 0;
}

static inline bool tc_seq_le(tc_seq a, tc_seq b)
{
	return tc_seq_diff(a, b) <= 0;
}

static inline bool tc_seq_eq(tc_seq a, tc_seq b)
{
	return a.v == b.v;
}

static inline tc_seq tc_seq_max(tc_seq a, tc_seq b)
{
	return tc_seq_lt(a, b) ? b : a;
}

static inline tc_seq tc_seq_min(tc_seq a, tc_seq b)
{
	return tc_seq_lt(a, b) ? a : b;
}

static inline tc_time tc_time_min(tc_time a, tc_time b)
{
	return a < b ? a : b;
}

static inline tc_time tc_time_max(tc_time a, tc_time b)
{
	return a > b ? a : b;
}

static inline tc_time tc_time_clamp(tc_time t, tc_time lo, tc_time hi)
{
	return t < lo ? lo : t > hi ? hi : t;
}

static inline uint32_t tc_u32_min(uint32_t a, uint32_t b)
{
	return a < b ? a : b;
}

static inline uint32_t tc_u32_max(uint32_t a, uint32_t b)
{
	return a > b ? a : b;
}

#endif
