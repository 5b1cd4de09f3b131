/* SPDX-License-Identifier: BSD-2-Clause
 * tcpcopy/drivers.h - the drivers that a plan asks for
 *
 * Layer:   program.
 */
#ifndef TC_TCPCOPY_DRIVERS_H
#define TC_TCPCOPY_DRIVERS_H

#include "port/error.h"
#include "port/port.h"
#include "tcpcopy/plan.h"

/** struct tc_drivers - owned; NULL for those that there are not (yet) */
struct tc_drivers {
	struct tc_capture *capture;
	struct tc_deliver *deliver;
	struct tc_answers *answers;
};

/**
 * tc_drivers_new() - open all of them: the capture last, for what it keeps is only read once the worker runs
 * The channels get up to half a second to come up, so that what is wrong can be told before we detach.
 * @plan:      borrowed for the life of the drivers
 * @ret:       needs tc_drivers_fini() also after a failure
 * @ret_error: TC_DRIVER_ERROR_MAX bytes
 * Return: 0; -EPERM, -EACCES: a right is missing; another -errno.
 */
int tc_drivers_new(const struct tc_plan *plan, const struct tc_clock *clock, struct tc_drivers *ret,
		   char *ret_error);
void tc_drivers_fini(struct tc_drivers *d);

#endif
