/* SPDX-License-Identifier: BSD-2-Clause
 * capture/stamp.h - the kernel's wall-clock stamps on the engine's clock
 *
 * Layer:   capture. Asks the clock at most once for each `now` that it is given; no other system call.
 *
 * The offset between both clocks is measured again each second. Between two measurements somebody may set the wall clock; a stamp that
 * lies in the future or well before its predecessor is a sign of that and has the offset measured at once. What then still does not
 * fit (stamps from before the step that are read after it) is clamped: never after `now`, never far before its predecessor.
 */
#ifndef TC_CAPTURE_STAMP_H
#define TC_CAPTURE_STAMP_H

#include "port/port.h"

/* Stamps of different CPUs are this much out of order at most; more is a step of the clock */
#define TC_STAMP_DISORDER (10 * TC_MS)

/**
 * struct tc_stamp
 * @clock:  borrowed for the life of the object
 * @offset: wall clock minus the engine's
 * @steps:  how often the wall clock was set
 */
struct tc_stamp {
	const struct tc_clock *clock;
	tc_time offset;
	tc_time measured_at;
	uint64_t steps;
};

void tc_stamp_init(struct tc_stamp *s, const struct tc_clock *clock);

/**
 * tc_stamp_convert() - a wall-clock stamp to the engine's clock
 * @last: latest result of the same source, which this call advances; INT64_MIN at first
 * Return: a time that is not after @now.
 */
tc_time tc_stamp_convert(struct tc_stamp *s, tc_time wall, tc_time *last, tc_time now);

#endif
