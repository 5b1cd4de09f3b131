/* SPDX-License-Identifier: BSD-2-Clause
 * engine/engine.h - a worker: one thread's world
 *
 * Layer:   engine. The only place that waits. Joins one core with one capture, one deliver, one answers and one clock.
 *
 *     loop:  wait for a descriptor, the timer, a signal
 *     turn:  captured packets -> core | channels -> answers -> core | events -> core | deadline -> core
 *            core -> segments -> deliver, flushed before the core is touched again
 *            one timer at the earliest deadline of all
 *
 * Production comes first: what may be sent in a second is limited, above it segments wait in the core (engine/outlet.h); and while the
 * capture comes in faster than it is read, whole clients are left out (engine/shed.h).
 *
 * A file can wait, and what waits has no time: the core's clock stands while no channel is up, that of the file, and of its clients, also
 * while the core has no room (engine/room.h). In a live run both are the clock that everybody has.
 *
 * The work of a turn is bounded; when more is left the loop goes on without waiting, so that signals and timers live however busy the
 * capture is. Descriptors wake the loop, packets do not: a turn takes all that is there, and reads the channels along with the
 * capture.
 */
#ifndef TC_ENGINE_ENGINE_H
#define TC_ENGINE_ENGINE_H

#include "core/core.h"
#include "engine/strays.h"
#include "port/port.h"

struct event_base;

/**
 * struct tc_engine_config
 * @base:      of libevent, with EVENT_BASE_FLAG_PRECISE_TIMER; borrowed. The caller may have events of its own in it
 * @core:      all but .maps is copied
 * @capture, @deliver, @answers, @clock: borrowed until tc_engine_free(); answers NULL: nothing reports answers
 * @online:    packets of the online server are captured too (TC_PACE_THINK): tell them apart by the maps
 * @max_out:   bits a second that may be sent, with all headers; 0: a fifth of the slowest link's towards a target
 * @ramp:      grow to core.share_permyriad in so long, in steps of a hundredth of it, from the first channel on; 0: begin with it
 * @localhost: taken for the client 127.0.0.1 or, when it is an IPv6 address, ::1; tc_ip_is_any(): nothing is
 * @offline:   the capture is a file, and loses nothing by waiting: it waits for a channel, for room, and between passes for the last session
 * @stop_limit: what a stop may take
 * @on_session: hears of each session that opens or ends, when core.session_events is set; NULL: nobody does. It must not block, and
 *              not call the engine
 */
struct tc_engine_config {
	struct event_base *base;
	const struct tc_core_config *core;
	struct tc_capture *capture;
	struct tc_deliver *deliver;
	struct tc_answers *answers;
	const struct tc_clock *clock;
	bool online;
	uint64_t max_out;
	tc_time ramp;
	struct tc_ip localhost;
	bool offline;
	tc_time stop_limit;
	void (*on_session)(void *ctx, const struct tc_out_session *session);
	void *on_session_ctx;
};

/** tc_engine_max_out() - bits a second that may be sent: @order, or when it is 0, a part of @link_speed, which 0 is not known */
static inline uint64_t tc_engine_max_out(uint64_t order, uint64_t link_speed)
{
	uint64_t part = link_speed > 0 ? link_speed / 5 : UINT64_C(200000000);
	return order > 0 ? order : part;
}

struct tc_engine_stats {
	uint64_t turns;
	uint64_t full_turns;	/* that had to leave work for the next one */
	uint64_t announce_full; /* announcements that a channel could not take */
	uint64_t online;	/* packets of the online server */
	uint64_t out_bits;	/* that may be sent in a second now */
	uint64_t out_waits;	/* times that segments had to wait for it */
	uint64_t out_delayed;	/* segments that left after such a wait */
	tc_time out_waited;	/* all waits together */
	uint32_t share;		/* of TC_SHARE_ALL clients, kept now */
	uint32_t share_lowest;	/* that it ever was */
	uint64_t share_reductions;
	uint64_t
		share_errors; /* times that the capture could not leave the others out: the core alone does */
	struct tc_stray stray; /* what clients that no map copies ask for most often */
};

struct tc_engine;

/**
 * tc_engine_new() - a worker, its core included; nothing is captured or sent before tc_engine_run()
 * Return: 0, -ENOMEM, or -EINVAL when libevent cannot be used.
 */
int tc_engine_new(const struct tc_engine_config *cfg, struct tc_engine **ret_engine);
void tc_engine_free(struct tc_engine *e);

/**
 * tc_engine_run() - loop until the end of a capture that has one and of all that it began, or until a stop is done
 * Return: 0; -ETIMEDOUT when a stop left sessions behind after stop_limit; -EIO when libevent failed.
 */
int tc_engine_run(struct tc_engine *e);

/** tc_engine_stop() - from an event of the base: no new sessions, drain those that live, then let tc_engine_run() return */
void tc_engine_stop(struct tc_engine *e);

/** tc_engine_break() - from an event of the base: let tc_engine_run() return at once */
void tc_engine_break(struct tc_engine *e);

/** tc_engine_core() - for its books */
const struct tc_core *tc_engine_core(const struct tc_engine *e);

void tc_engine_stats(const struct tc_engine *e, struct tc_engine_stats *ret_stats);

#endif
