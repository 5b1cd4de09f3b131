/* SPDX-License-Identifier: BSD-2-Clause
 * report/fidelity.c - the figure that heads each report, and the line that shows it live
 */
#include "report/figures.h"
#include "report/report.h"

#include <inttypes.h>

const char *tc_fidelity_format(uint64_t delivered, uint64_t to_copy, char buf[TC_FIDELITY_TEXT_MAX])
{
	/* Beyond 1.8 PB the product would not fit: both are halved, and what is not all is still less than 100.00 %. */
	while (to_copy > UINT64_MAX / 10000 && delivered != to_copy) {
		to_copy = to_copy / 2 + 1;
		delivered /= 2;
	}
	uint64_t permyriad = delivered == to_copy ? 10000 : delivered * 10000 / to_copy;
	snprintf(buf, TC_FIDELITY_TEXT_MAX, "%" PRIu64 ".%02" PRIu64 " %%", permyriad / 100,
		 permyriad % 100);
	return buf;
}

uint64_t tc_figure_due(const struct tc_report *r)
{
	return r->ledger.to_copy - (r->final ? 0 : r->ledger.held);
}

const char *tc_figure_ms(uint64_t us, char buf[TC_FIGURE_MAX])
{
	if (us < 10000) {
		snprintf(buf, TC_FIGURE_MAX, "%" PRIu64 ".%02" PRIu64 " ms", us / 1000,
			 us % 1000 / 10);
	} else if (us < 10000000) {
		snprintf(buf, TC_FIGURE_MAX, "%" PRIu64 " ms", us / 1000);
	} else {
		snprintf(buf, TC_FIGURE_MAX, "%" PRIu64 " s", us / 1000000);
	}
	return buf;
}

const char *tc_report_line(const struct tc_report *r, const struct tc_report *before,
			   char buf[TC_REPORT_LINE_MAX])
{
	char fidelity[TC_FIDELITY_TEXT_MAX] = "-";
	char lag[TC_FIGURE_MAX];
	if (tc_figure_due(r) > 0) {
		tc_fidelity_format(r->ledger.delivered, tc_figure_due(r), fidelity);
	}
	tc_time span = r->elapsed - before->elapsed;
	uint64_t turns = r->ledger.turns - before->ledger.turns;
	uint64_t per_second = span > TC_MS ? turns * 1000 / (uint64_t)(span / TC_MS) : turns;
	/* the lag of the turns since then */
	struct tc_ledger recent = { 0 };
	for (unsigned i = 0; i < TC_LAG_BUCKETS; i++) {
		recent.lag[i] = r->ledger.lag[i] - before->ledger.lag[i];
	}
	tc_figure_ms(tc_ledger_lag_percentile(&recent, 990), lag);
	char read[TC_FIGURE_MAX] = "";
	if (r->capture.read_permille > 0) {
		snprintf(read, sizeof read, ", %" PRIu32 ".%" PRIu32 " %% read",
			 r->capture.read_permille / 10, r->capture.read_permille % 10);
	}
	char kept[TC_FIGURE_MAX] = "";
	if (r->limits.reductions > 0 && r->limits.kept < TC_SHARE_ALL) {
		snprintf(kept, sizeof kept, ", SHEDDING %.1f %%",
			 100.0 - tc_figure_kept(r->limits.kept));
	}
	snprintf(buf, TC_REPORT_LINE_MAX,
		 "%" PRIu64 " sessions, %" PRIu64 " turns/s, fidelity %s, lag p99 %s%s%s%s",
		 r->ledger.live, per_second, fidelity, lag, read, kept,
		 r->n_channels > 0 && r->answers.up == 0 ? ", NO INTERCEPT" : "");
	return buf;
}
