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
