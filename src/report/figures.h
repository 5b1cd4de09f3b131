/* SPDX-License-Identifier: BSD-2-Clause
 * report/figures.h - figures that several forms of a report show
 *
 * Layer:   report. Internal to it.
 */
#ifndef TC_REPORT_FIGURES_H
#define TC_REPORT_FIGURES_H

#include "report/report.h"
#include "wire/share.h"

#define TC_FIGURE_MAX 32

/** tc_figure_due() - bytes that could have been delivered by now */
uint64_t tc_figure_due(const struct tc_report *r);

/** tc_figure_ms() - @us microseconds for people; returns @buf */
const char *tc_figure_ms(uint64_t us, char buf[TC_FIGURE_MAX]);

/** tc_figure_kept() - a share of the clients in percent */
static inline double tc_figure_kept(uint32_t share)
{
	return share * 100.0 / TC_SHARE_ALL;
}

static inline uint64_t tc_figure_sum(const uint64_t *v, unsigned n)
{
	uint64_t sum = 0;
	for (unsigned i = 0; i < n; i++) {
		sum += v[i];
	}
	return sum;
}

#endif
