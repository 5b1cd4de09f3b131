/* SPDX-License-Identifier: BSD-2-Clause
 * core/board.h - the SACK scoreboard: what the target has of what it has not acknowledged
 *
 * Layer:   core.
 * Source:  RFC 2018 4, RFC 6675 3. Ranges are sorted, disjoint, above the cumulative acknowledgement.
 * Limits:  TC_BOARD_RANGES ranges; when more are reported the highest are not kept: their bytes are sent again, nothing is lost.
 */
#ifndef TC_CORE_BOARD_H
#define TC_CORE_BOARD_H

#include "wire/tcpopt.h"

/* An overshoot of slow start loses every other packet of a window, and a SACK names only its three newest ranges */
#define TC_BOARD_RANGES 63

struct tc_board {
	tc_seq rxt_nxt; /* snd_nxt when the byte at snd_una was last sent again, or when snd_una came to it */
	bool again_due; /* what was sent again at snd_una is lost too */
	bool undo; /* the last timeout may have been for nothing: no acknowledgement has come since */
	uint32_t undo_ts; /* TSval of what it sent again */
	uint32_t undo_cwnd;
	uint32_t undo_ssthresh;
	uint32_t n;
	uint32_t bytes; /* in all ranges */
	struct tc_sack range[TC_BOARD_RANGES];
};

/** tc_board_add() - a block that a report carried, already checked to lie in what was sent; true when it tells something new */
bool tc_board_add(struct tc_board *b, struct tc_sack block);

/** tc_board_acked() - everything before @una is acknowledged */
void tc_board_acked(struct tc_board *b, tc_seq una);

/** tc_board_top() - the highest number that is reported, or @none when nothing is */
tc_seq tc_board_top(const struct tc_board *b, tc_seq none);

/** tc_board_hole() - the first missing run at or behind @from and before @to; false when there is none */
bool tc_board_hole(const struct tc_board *b, tc_seq from, tc_seq to, struct tc_sack *ret_hole);

/** tc_board_missing() - bytes in [@from, @to) that are not reported */
uint32_t tc_board_missing(const struct tc_board *b, tc_seq from, tc_seq to);

#endif
