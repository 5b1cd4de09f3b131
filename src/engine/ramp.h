/* SPDX-License-Identifier: BSD-2-Clause
 * engine/ramp.h - a share of the sessions that grows to its full size, a hundredth of it at a time
 *
 * Layer:   engine. Pure: time is an argument.
 */
#ifndef TC_ENGINE_RAMP_H
#define TC_ENGINE_RAMP_H

#include "base/types.h"

#define TC_RAMP_STEPS 100

/** struct tc_ramp - @full: permyriad at its end; @span: how long it takes; @begin: TC_TIME_NEVER: it waits */
struct tc_ramp {
	uint32_t full;
	tc_time span;
	tc_time begin;
	unsigned step;
};

/** tc_ramp_init() - @span 0: at its end */
static inline void tc_ramp_init(struct tc_ramp *r, uint32_t full, tc_time span)
{
	*r = (struct tc_ramp){ .full = full,
			       .span = span,
			       .begin = TC_TIME_NEVER,
			       .step = span > 0 ? 1 : TC_RAMP_STEPS };
}

/** tc_ramp_begin() - unless it has begun */
static inline void tc_ramp_begin(struct tc_ramp *r, tc_time now)
{
	r->begin = tc_time_min(r->begin, now);
}

/** tc_ramp_share() - permyriad now */
static inline uint32_t tc_ramp_share(const struct tc_ramp *r)
{
	return tc_u32_max(r->full * r->step / TC_RAMP_STEPS, 1);
}

/** tc_ramp_at() - when its next step is due; TC_TIME_NEVER: none is */
static inline tc_time tc_ramp_at(const struct tc_ramp *r)
{
	return r->begin == TC_TIME_NEVER || r->step == TC_RAMP_STEPS ?
		       TC_TIME_NEVER :
		       r->begin + r->span / TC_RAMP_STEPS * r->step;
}

/** tc_ramp_look() - take the steps that are due; has the share grown */
static inline bool tc_ramp_look(struct tc_ramp *r, tc_time now)
{
	unsigned before = r->step;
	while (now >= tc_ramp_at(r)) {
		r->step++;
	}
	return r->step != before;
}

#endif
