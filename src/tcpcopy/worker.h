/* SPDX-License-Identifier: BSD-2-Clause
 * tcpcopy/worker.h - an engine with what is around it: signals, the line each second, the reports
 *
 * Layer:   program.
 *
 *     SIGTERM, SIGINT   drain, report, end; a second one ends at once
 *     SIGUSR1           report as things stand
 *     SIGHUP            open the log file again
 */
#ifndef TC_TCPCOPY_WORKER_H
#define TC_TCPCOPY_WORKER_H

#include "base/log.h"
#include "tcpcopy/drivers.h"
#include "tcpcopy/plan.h"

struct tc_worker;

/**
 * tc_worker_new() - everything is ready to run, nothing runs; tells how the channels are
 * @plan, @drivers, @clock, @log: borrowed until tc_worker_free()
 * @log_path:  -l, as it is to be opened again; NULL for none; borrowed likewise
 * @ret_error: TC_DRIVER_ERROR_MAX bytes
 * Return: 0 or -errno.
 */
int tc_worker_new(const struct tc_plan *plan, const struct tc_drivers *drivers,
		  const struct tc_clock *clock, struct tc_log *log, const char *log_path,
		  struct tc_worker **ret, char *ret_error);
void tc_worker_free(struct tc_worker *w);

/** tc_worker_run() - until the end of the input or a signal, then the final report. Return: the exit status */
int tc_worker_run(struct tc_worker *w);

#endif
