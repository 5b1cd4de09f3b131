/* SPDX-License-Identifier: BSD-2-Clause
 * wire/ledger.c - the sums of the books
 */
#include "wire/ledger.h"

#include <stddef.h>

static uint64_t sum(const uint64_t *v, unsigned n)
{
	uint64_t s = 0;
	for (unsigned i = 0; i < n; i++) {
		s += v[i];
	}
	return s;
}

const char *tc_ledger_balance(const struct tc_ledger *l)
{
	if (l->seen != l->used + sum(l->drops, TC_DROP__N) + l->syns_held) {
		return "packets";
	}
	if (l->to_copy != l->delivered + l->held + sum(l->lost, TC_END__N)) {
		return "bytes";
	}
	if (l->opened != l->live + sum(l->ended, TC_END__N)) {
		return "sessions";
	}
	return NULL;
}

uint64_t tc_ledger_lag_percentile(const struct tc_ledger *l, unsigned permille)
{
	uint64_t all = sum(l->lag, TC_LAG_BUCKETS);
	if (all == 0) {
		return 0;
	}
	uint64_t want = (all * permille + 999) / 1000;
	uint64_t have = 0;
	unsigned i = 0;
	for (; i < TC_LAG_BUCKETS - 1; i++) {
		have += l->lag[i];
		if (have >= want) {
			break;
		}
	}
	return (uint64_t)1 << i;
}
