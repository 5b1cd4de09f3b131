/* SPDX-License-Identifier: BSD-2-Clause
 * engine/watch.c - a driver's descriptor and deadline in the event loop
 */
#include "engine/watch.h"

#include <event2/event.h>

static void on_ready(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	struct tc_watch *w = arg;
	w->ready = true;
}

void tc_watch_init(struct tc_watch *w)
{
	*w = (struct tc_watch){ .fd = -1, .deadline = TC_TIME_NEVER };
}

static void disarm(struct tc_watch *w)
{
	if (w->what != 0 && !w->polled) {
		event_del(&w->ev);
	}
	w->what = 0;
	w->polled = false;
}

void tc_watch_fini(struct tc_watch *w)
{
	disarm(w);
	tc_watch_init(w);
}

static void arm(struct tc_watch *w, struct event_base *base, int fd, short what)
{
	w->fd = fd;
	w->what = what;
	w->polled = event_assign(&w->ev, base, fd, (short)(what | EV_PERSIST), on_ready, w) < 0 ||
		    event_add(&w->ev, NULL) < 0;
}

void tc_watch_set(struct tc_watch *w, struct event_base *base, const struct tc_wait *wait,
		  tc_time poll_at)
{
	short what = 0;
	if (wait->fd >= 0) {
		what = (short)((wait->read ? EV_READ : 0) | (wait->write ? EV_WRITE : 0));
	}
	if (what != w->what || (what != 0 && wait->fd != w->fd)) {
		disarm(w);
		if (what != 0) {
			arm(w, base, wait->fd, what);
		}
	}
	w->deadline = w->polled ? tc_time_min(wait->deadline, poll_at) : wait->deadline;
}

bool tc_watch_take(struct tc_watch *w, tc_time now)
{
	bool due = w->ready || w->deadline <= now;
	w->ready = false;
	return due;
}
