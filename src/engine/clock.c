/* SPDX-License-Identifier: BSD-2-Clause
 * engine/clock.c - the system's clocks
 */
#include "engine/clock.h"

#include <time.h>

static tc_time read_clock(clockid_t id)
{
	struct timespec ts;
	clock_gettime(id, &ts);
	return (tc_time)ts.tv_sec * TC_SEC + ts.tv_nsec;
}

static tc_time monotonic(void *ctx)
{
	(void)ctx;
	return read_clock(CLOCK_MONOTONIC);
}

static tc_time wall(void *ctx)
{
	(void)ctx;
	return read_clock(CLOCK_REALTIME);
}

const struct tc_clock *tc_clock_system(void)
{
	static const struct tc_clock system_clock = { .now = monotonic, .wall = wall };
	return &system_clock;
}

tc_time tc_clock_offset(const struct tc_clock *clock)
{
	/* Of a few tries the one with the least time between the two reads of the monotonic clock: nothing came between them. */
	tc_time best = TC_TIME_NEVER;
	tc_time offset = 0;
	for (int i = 0; i < 5; i++) {
		tc_time before = clock->now(clock->ctx);
		tc_time there = clock->wall(clock->ctx);
		tc_time took = clock->now(clock->ctx) - before;
		if (took < best) {
			best = took;
			offset = there - before - took / 2;
		}
	}
	return offset;
}
