/* SPDX-License-Identifier: BSD-2-Clause
 * engine/watch.h - a driver's descriptor and deadline in the event loop
 *
 * Layer:   engine. Internal to it.
 *
 * A driver says after each call what it waits for; what did not change costs no system call. A callback only notes that the driver is
 * ready: the turn that follows does the work, once for all that came.
 */
#ifndef TC_ENGINE_WATCH_H
#define TC_ENGINE_WATCH_H

#include "port/port.h"

#include <event2/event_struct.h>

struct event_base;

/**
 * struct tc_watch
 * @what:     EV_READ, EV_WRITE of what the driver asked for; 0: nothing
 * @polled:   the kernel cannot watch it: asked for, not armed
 * @ready:    the descriptor was ready since tc_watch_take()
 * @deadline: what the driver asked for
 */
struct tc_watch {
	struct event ev;
	int fd;
	short what;
	bool polled;
	bool ready;
	tc_time deadline;
};

void tc_watch_init(struct tc_watch *w);

/**
 * tc_watch_set() - wait for what @wait says from now on
 * A descriptor that the kernel cannot watch (a regular file) is polled: the deadline becomes @poll_at at the latest.
 */
void tc_watch_set(struct tc_watch *w, struct event_base *base, const struct tc_wait *wait,
		  tc_time poll_at);

/** tc_watch_take() - is it to be called: its descriptor was ready, or its deadline has come; forgets it */
bool tc_watch_take(struct tc_watch *w, tc_time now);

void tc_watch_fini(struct tc_watch *w);

#endif
