/* SPDX-License-Identifier: BSD-2-Clause
 * port/clock.h - how far the two clocks are apart
 *
 * Layer:   port. For those who get stamps of one clock and must compare them with the other; not for each packet.
 */
#ifndef TC_PORT_CLOCK_H
#define TC_PORT_CLOCK_H

#include "port/port.h"

#define TC_CLOCK_TRIES 5

/**
 * tc_clock_offset() - wall clock minus monotonic clock
 * Of a few tries the one with the least time between the two reads of the monotonic clock: nothing came between them.
 */
static inline tc_time tc_clock_offset(const struct tc_clock *clock)
{
	tc_time best = TC_TIME_NEVER;
	tc_time offset = 0;
	for (int i = 0; i < TC_CLOCK_TRIES; i++) {
		tc_time before = clock->now(clock->ctx);
		tc_time wall = clock->wall(clock->ctx);
		tc_time took = clock->now(clock->ctx) - before;
		if (took < best) {
			best = took;
			offset = wall - before - took / 2;
		}
	}
	return offset;
}

#endif
