/* SPDX-License-Identifier: BSD-2-Clause
 * core/stamp.h - points in time in four bytes, for objects of which there are a million
 *
 * Layer:   core.
 *
 * Microseconds modulo 2^32, which is 71 minutes; 0 is never. What has happened is read as the last moment before now that fits: an event older
 * than 71 minutes seems younger, never to come. What is to come may be 35 minutes ahead at most, and 35 late.
 */
#ifndef TC_CORE_STAMP_H
#define TC_CORE_STAMP_H

#include "base/types.h"

typedef struct {
	uint32_t v;
} tc_stamp;

#define TC_STAMP_NEVER ((tc_stamp){ 0 })

static inline bool tc_stamp_is_set(tc_stamp s)
{
	return s.v != 0;
}

static inline tc_stamp tc_stamp_of(tc_time t)
{
	uint32_t us = (uint32_t)(t / TC_US);
	return (tc_stamp){ us != 0 ? us : 1 };
}

/** tc_stamp_past() - when it happened; TC_TIME_NEVER when it never did */
static inline tc_time tc_stamp_past(tc_stamp s, tc_time now)
{
	tc_time us = now / TC_US;
	return s.v == 0 ? TC_TIME_NEVER : (us - (uint32_t)((uint32_t)us - s.v)) * TC_US;
}

/** tc_stamp_next() - when it is to happen; TC_TIME_NEVER when it is not */
static inline tc_time tc_stamp_next(tc_stamp s, tc_time now)
{
	tc_time us = now / TC_US;
	return s.v == 0 ? TC_TIME_NEVER : (us + (int32_t)(s.v - (uint32_t)us)) * TC_US;
}

#endif
