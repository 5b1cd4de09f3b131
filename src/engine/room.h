/* SPDX-License-Identifier: BSD-2-Clause
 * engine/room.h - whether a file has to wait until the core has room again
 *
 * Layer:   engine. Time is an argument.
 *
 * A file that is read faster than its target works fills the core with what is still to be said. It loses nothing by waiting, so it
 * waits: as long as that helps. A target that takes nothing at all for TC_ROOM_PATIENCE is not waited for; then sessions find no memory,
 * and end with that name. At the end of the file it is the same: nobody is waited for who does nothing any more.
 */
#ifndef TC_ENGINE_ROOM_H
#define TC_ENGINE_ROOM_H

#include "core/core.h"

/* The rest is for what comes in one turn of the loop, and for the sessions that are there already */
#define TC_ROOM_FULL_PERMILLE 750
#define TC_ROOM_PATIENCE (10 * TC_SEC)

/**
 * struct tc_room
 * @progress: bytes delivered, turns spoken and sessions ended, when it was last looked at
 * @since:    there was room, or progress
 * @hopeless: there is none, and none will come
 */
struct tc_room {
	uint64_t progress;
	tc_time since;
	bool hopeless;
};

static inline bool tc_room_is_full(const struct tc_core *core)
{
	return tc_core_full_permille(core) >= TC_ROOM_FULL_PERMILLE;
}

static inline void tc_room_init(struct tc_room *r, tc_time now)
{
	*r = (struct tc_room){ .since = now };
}

/** tc_room_idle() - for how long nothing has moved */
static inline tc_time tc_room_idle(struct tc_room *r, const struct tc_core *core, tc_time now)
{
	struct tc_ledger l;
	tc_core_ledger(core, &l);
	uint64_t progress = l.delivered + l.turns + l.opened - l.live;
	if (progress != r->progress) {
		r->progress = progress;
		r->since = now;
	}
	return now - r->since;
}

/** tc_room_look() - is it better to wait now */
static inline bool tc_room_look(struct tc_room *r, const struct tc_core *core, tc_time now)
{
	if (!tc_room_is_full(core)) {
		r->since = now;
		r->hopeless = false;
		return false;
	}
	r->hopeless = tc_room_idle(r, core, now) >= TC_ROOM_PATIENCE;
	return !r->hopeless;
}

#endif
