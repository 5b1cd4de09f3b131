/* SPDX-License-Identifier: BSD-2-Clause
 * sim/spans.c - a sorted list of spans
 */
#include "sim/spans.h"

#include <string.h>

bool sim_spans_add(struct sim_spans *s, uint32_t from, uint32_t to)
{
	if (from >= to) {
		return true;
	}
	uint32_t i = s->n;
	while (i > 0 && s->at[i - 1].to >= from) {
		i--;
	}
	/* spans i..j-1 touch the new one and melt into it */
	uint32_t j = i;
	while (j < s->n && s->at[j].from <= to) {
		from = tc_u32_min(from, s->at[j].from);
		to = tc_u32_max(to, s->at[j].to);
		j++;
	}
	if (i == j && s->n == SIM_SPANS_MAX) {
		return false;
	}
	memmove(&s->at[i + 1], &s->at[j], (s->n - j) * sizeof s->at[0]);
	s->n = s->n - (j - i) + 1;
	s->at[i] = (struct sim_span){ from, to };
	s->latest = i;
	return true;
}

uint32_t sim_spans_end(const struct sim_spans *s, uint32_t from)
{
	for (uint32_t i = 0; i < s->n && s->at[i].from <= from; i++) {
		if (s->at[i].to > from) {
			return s->at[i].to;
		}
	}
	return from;
}

void sim_spans_drop(struct sim_spans *s, uint32_t to)
{
	uint32_t n = 0;
	while (n < s->n && s->at[n].to <= to) {
		n++;
	}
	memmove(&s->at[0], &s->at[n], (s->n - n) * sizeof s->at[0]);
	s->n -= n;
	s->latest = s->latest >= n ? s->latest - n : 0;
}
