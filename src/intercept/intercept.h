/* SPDX-License-Identifier: BSD-2-Clause
 * intercept/intercept.h - the loop: capture and channel on one side, the relay in the middle
 *
 * Layer:   program. One thread; nothing in it blocks.
 *
 *     wait:  the capture's blocks, the channel's sockets, one timer, signals
 *     turn:  channel in -> relay | captured packets -> relay | relay -> one batch for each tcpcopy
 *
 * A turn's work is bounded; when more is left the loop goes on without waiting. The capture wakes us for a block, not for a packet, and a
 * tcpcopy gets one write a turn.
 */
#ifndef TC_INTERCEPT_INTERCEPT_H
#define TC_INTERCEPT_INTERCEPT_H

#include "base/log.h"
#include "intercept/settings.h"
#include "intercept/summary.h"

struct tc_intercept;

/**
 * tc_intercept_new() - listen and capture
 * @set, @log, @clock: borrowed until tc_intercept_free()
 * @log_path:  reopened on SIGHUP; NULL for none
 * @ret_error: TC_DRIVER_ERROR_MAX bytes
 * Return: 0; -EPERM: a privilege is missing; another -errno.
 */
int tc_intercept_new(const struct tc_intercept_settings *set, struct tc_log *log,
		     const char *log_path, const struct tc_clock *clock, struct tc_intercept **ret,
		     char *ret_error);
void tc_intercept_free(struct tc_intercept *w);

/** tc_intercept_hello() - what is done from now on, and what a reader of the log should know */
void tc_intercept_hello(struct tc_intercept *w);

/** tc_intercept_run() - until SIGTERM or SIGINT. Return: 0, or -EIO when the loop failed */
int tc_intercept_run(struct tc_intercept *w);

void tc_intercept_summary(struct tc_intercept *w, struct tc_summary *ret);

#endif
