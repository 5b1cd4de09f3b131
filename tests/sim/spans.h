/* SPDX-License-Identifier: BSD-2-Clause
 * sim/spans.h - which offsets of a stream are there
 *
 * Layer:   test. A sorted list of half-open spans that do not touch; for queues out of order, and for what was captured.
 */
#ifndef TC_SIM_SPANS_H
#define TC_SIM_SPANS_H

#include "base/types.h"

#define SIM_SPANS_MAX 96

struct sim_span {
	uint32_t from;
	uint32_t to;
};

struct sim_spans {
	uint32_t n;
	uint32_t
		latest; /* index of the span that the last addition went to: what SACK reports first */
	struct sim_span at[SIM_SPANS_MAX];
};

/** sim_spans_add() - [@from, @to) is there now; false when there is no room for one more span */
bool sim_spans_add(struct sim_spans *s, uint32_t from, uint32_t to);

/** sim_spans_end() - the offset up to which all is there from @from on; @from when it is not */
uint32_t sim_spans_end(const struct sim_spans *s, uint32_t from);

/** sim_spans_drop() - spans that end at or before @to are no longer needed */
void sim_spans_drop(struct sim_spans *s, uint32_t to);

#endif
