/* SPDX-License-Identifier: BSD-2-Clause
 * engine/bucket.h - a rate of bytes that is kept
 *
 * Layer:   engine. Pure: time is an argument.
 *
 * The level grows with the rate up to a burst. As long as it is above zero something may pass, whatever its size: a segment of 64 KB
 * leaves a debt, which is waited for. Once it is empty it opens again only when there is a step of a millisecond in it, so that at its
 * limit a sender is woken a thousand times a second and not for each packet.
 */
#ifndef TC_ENGINE_BUCKET_H
#define TC_ENGINE_BUCKET_H

#include "base/types.h"

#define TC_BUCKET_STEP TC_MS
#define TC_BUCKET_BURST (5 * TC_BUCKET_STEP)

/** struct tc_bucket - @rate: bytes a second, above 0; @level: in nanoseconds of that rate, negative for a debt */
struct tc_bucket {
	uint64_t rate;
	tc_time level;
	tc_time at;
	bool empty; /* and waited for */
};

/** tc_bucket_init() - full */
static inline void tc_bucket_init(struct tc_bucket *b, uint64_t rate, tc_time now)
{
	*b = (struct tc_bucket){ .rate = rate, .level = TC_BUCKET_BURST, .at = now };
}

/** tc_bucket_is_open() - may something pass at @now */
static inline bool tc_bucket_is_open(struct tc_bucket *b, tc_time now)
{
	if (now > b->at) {
		b->level = tc_time_min(b->level + (now - b->at), TC_BUCKET_BURST);
		b->at = now;
	}
	b->empty = b->level < (b->empty ? TC_BUCKET_STEP : 1);
	return !b->empty;
}

/** tc_bucket_take() - so many bytes have passed */
static inline void tc_bucket_take(struct tc_bucket *b, uint32_t bytes)
{
	b->level -= (tc_time)((uint64_t)bytes * (uint64_t)TC_SEC / b->rate);
}

/** tc_bucket_opens_at() - when something may pass again, after tc_bucket_is_open() has said no */
static inline tc_time tc_bucket_opens_at(const struct tc_bucket *b)
{
	return b->at + (TC_BUCKET_STEP - b->level);
}

#endif
