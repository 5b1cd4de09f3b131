/* SPDX-License-Identifier: BSD-2-Clause
 * base/stopwatch.h - a clock that can be stopped, and goes on where it stopped
 *
 * Layer:   base. Read off another clock, which never goes back: @now is always that one's time. Zero and tc_stopwatch_init() are not
 *          the same: a stopwatch of zero stands.
 */
#ifndef TC_BASE_STOPWATCH_H
#define TC_BASE_STOPWATCH_H

#include "base/types.h"

/**
 * struct tc_stopwatch
 * @stopped_at: TC_TIME_NEVER: it goes
 * @lost:       for how long it has stood, until it was started last
 */
struct tc_stopwatch {
	tc_time stopped_at;
	tc_time lost;
};

/** tc_stopwatch_init() - it goes, and shows the other clock's time */
static inline void tc_stopwatch_init(struct tc_stopwatch *w)
{
	*w = (struct tc_stopwatch){ .stopped_at = TC_TIME_NEVER };
}

static inline bool tc_stopwatch_stands(const struct tc_stopwatch *w)
{
	return w->stopped_at != TC_TIME_NEVER;
}

static inline void tc_stopwatch_stop(struct tc_stopwatch *w, tc_time now)
{
	w->stopped_at = tc_time_min(w->stopped_at, now);
}

static inline void tc_stopwatch_start(struct tc_stopwatch *w, tc_time now)
{
	w->lost += now - tc_time_min(w->stopped_at, now);
	w->stopped_at = TC_TIME_NEVER;
}

/** tc_stopwatch_read() - what it shows at @now, or showed then, if it has not stood since */
static inline tc_time tc_stopwatch_read(const struct tc_stopwatch *w, tc_time now)
{
	return tc_time_min(now, w->stopped_at) - w->lost;
}

/** tc_stopwatch_when() - the other clock's time at which it will show @t, if it does not stand until then; TC_TIME_NEVER for that */
static inline tc_time tc_stopwatch_when(const struct tc_stopwatch *w, tc_time t)
{
	return t == TC_TIME_NEVER ? TC_TIME_NEVER : t + w->lost;
}

#endif
