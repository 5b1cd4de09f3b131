/* SPDX-License-Identifier: BSD-2-Clause
 * engine/shed.h - what share of the clients is copied while the capture comes in faster than it is read
 *
 * Layer:   engine. Pure: time is an argument.
 *
 * A ring that runs full would lose packets of everybody at random. So when half of it waits to be read, half of the clients are
 * left out as a whole, and half of the rest again as long as that does not help. What waits in the ring was captured before, and has to be
 * read too, so more are left out at first than would be too many for good: when it is calm the share doubles until it is as large as
 * after the first halving, and then grows slowly, because each time that it is too early costs whole sessions.
 *
 *     ring      time  0   10 ms  20 ms          1 s         3 s
 *     > 1/2           #      #      #
 *     < 1/4                            ...........................
 *     share           1      1/2    1/4         1/2         9/16 ...
 *
 * Blocks of a ring are retired after a millisecond, however empty they are: after a pause of ours many of them wait that are read in no
 * time. So the first look only begins to watch, and nothing is shed as long as the ring gets emptier. Whoever gets little of a CPU looks
 * seldom: then what was done has time to show before more is done, unless the ring is nearly full.
 */
#ifndef TC_ENGINE_SHED_H
#define TC_ENGINE_SHED_H

#include "base/types.h"
#include "wire/share.h"

#define TC_SHED_HIGH_PERMILLE 500
#define TC_SHED_LOW_PERMILLE 250
/* How long it is watched before something is done; and how much emptier it must be then, for nothing to be done */
#define TC_SHED_WATCH (10 * TC_MS)
#define TC_SHED_FALL_PERMILLE 10
/* As many looks besides; above this there is no time for them */
#define TC_SHED_LOOKS 5
#define TC_SHED_URGENT_PERMILLE 750
/* How long it is calm before the share doubles, or grows by an eighth of itself, but by no less than this */
#define TC_SHED_CALM TC_SEC
#define TC_SHED_CALM_BEYOND (2 * TC_SEC)
#define TC_SHED_GROW_MIN (TC_SHARE_ALL / 64)
#define TC_SHED_SHARE_MIN (TC_SHARE_ALL / 1024)

/**
 * struct tc_shed
 * @share:      of TC_SHARE_ALL
 * @lowest:     that it ever was
 * @goal:       what it was halved to first, when it was last calm before: it may have been enough
 * @falling:    it was halved since it was last calm
 * @reductions: how often it was halved
 * @high_since: the ring is more than half full, and what is done about it was done then; TC_TIME_NEVER: it is not
 * @high_used:  how full it was then
 * @looks:      since then
 * @calm_since: it is less than a quarter full since then
 */
struct tc_shed {
	uint32_t share;
	uint32_t lowest;
	uint32_t goal;
	bool falling;
	uint64_t reductions;
	tc_time high_since;
	uint32_t high_used;
	uint32_t looks;
	tc_time calm_since;
};

void tc_shed_init(struct tc_shed *s, tc_time now);

/** tc_shed_look() - the ring is so full now. Return: has the share changed */
bool tc_shed_look(struct tc_shed *s, uint32_t used_permille, tc_time now);

/** tc_shed_is_idle() - all are kept, and an empty ring would change nothing: no need to look at one */
static inline bool tc_shed_is_idle(const struct tc_shed *s)
{
	return s->share == TC_SHARE_ALL && s->high_since == TC_TIME_NEVER;
}

#endif
