/* SPDX-License-Identifier: BSD-2-Clause
 * script/numbers.c - the names under which a dialogue asks for numbers of the books
 */
#include "script/script.h"

#include <string.h>

bool script_number(const struct tc_core *core, const char *name, uint64_t *ret)
{
	struct tc_ledger l;
	tc_core_ledger(core, &l);
	const struct {
		const char *name;
		uint64_t value;
	} all[] = {
		{ "seen", l.seen },
		{ "used", l.used },
		{ "syns_held", l.syns_held },
		{ "to_copy", l.to_copy },
		{ "delivered", l.delivered },
		{ "held", l.held },
		{ "opened", l.opened },
		{ "live", l.live },
		{ "complete", l.complete },
		{ "turns", l.turns },
		{ "turns_by_limit", l.turns_by_limit },
		{ "turns_ahead", l.turns_ahead },
		{ "reopened", l.reopened },
		{ "sessions_timed", l.sessions_timed },
		{ "joined", l.joined },
		{ "joined_skipped", l.joined_skipped },
		{ "holes", l.holes },
		{ "segments", l.segments },
		{ "retransmits", l.retransmits },
		{ "rtos", l.rtos },
		{ "fast_retransmits", l.fast_retransmits },
		{ "zero_window_probes", l.zero_window_probes },
		{ "answers", l.answers },
		{ "resets_sent", l.resets_sent },
		{ "send_errors", l.send_errors },
		{ "replicas", tc_core_live(core) },
		{ "armed", tc_core_deadline(core) != TC_TIME_NEVER },
	};
	for (unsigned i = 0; i < sizeof all / sizeof all[0]; i++) {
		if (strcmp(name, all[i].name) == 0) {
			*ret = all[i].value;
			return true;
		}
	}
	for (unsigned i = 0; i < TC_DROP__N; i++) {
		if (strncmp(name, "drop.", 5) == 0 &&
		    strcmp(name + 5, tc_drop_name((enum tc_drop)i)) == 0) {
			*ret = l.drops[i] + l.answer_drops[i];
			return true;
		}
	}
	for (unsigned i = 0; i < TC_END__N; i++) {
		const char *end = tc_end_name((enum tc_end)i);
		if (strncmp(name, "ended.", 6) == 0 && strcmp(name + 6, end) == 0) {
			*ret = l.ended[i];
			return true;
		}
		if (strncmp(name, "lost.", 5) == 0 && strcmp(name + 5, end) == 0) {
			*ret = l.lost[i];
			return true;
		}
	}
	return false;
}
