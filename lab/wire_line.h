/* SPDX-License-Identifier: BSD-2-Clause
 * lab/wire_line.h - one direction of the wire: which frames come out at its end, and when
 *
 * Layer:   lab. No I/O, no clock, no allocation: numbers only.
 *
 *     frame -> lost? -> bottleneck (rate, queue) -> delay, jitter, hold -> once or twice out
 *
 * The bottleneck sends one frame after the other. What it has not sent yet is at most .queue_bytes; a frame beyond that is dropped, as at
 * the end of a router's queue. Bytes are those of the Ethernet frame, without preamble and check sequence. Frames stay in order,
 * whatever the jitter, but for those that are picked to be held: the ones behind them overtake.
 *
 * Each kind of mishap has dice of its own, thrown once a frame: to change one setting does not change what befalls frames by another.
 */
#ifndef TC_LAB_WIRE_LINE_H
#define TC_LAB_WIRE_LINE_H

#include "base/types.h"

/* Shares are in millionths. */
#define WIRE_SHARE_MAX 1000000

/** struct wire_settings - members are what the option table writes */
struct wire_settings {
	int64_t loss;
	int64_t duplicate;
	int64_t hold_share;
	int64_t hold_ns;
	int64_t delay_ns;
	int64_t jitter_ns; /* up to so much more than the delay, all values equally likely */
	int64_t rate_bps;  /* bits a second, 0: no bottleneck */
	int64_t queue_bytes;
};

struct wire_line_counts {
	uint64_t frames; /* that came in */
	uint64_t bytes;
	uint64_t lost;
	uint64_t queue_full;
	uint64_t held;
	uint64_t duplicated;
};

struct wire_dice {
	uint64_t state;
};

struct wire_line {
	const struct wire_settings *set; /* borrowed for the life of the line */
	struct wire_dice loss, duplicate, hold, jitter;
	tc_time busy_until; /* the bottleneck */
	tc_time last_out;
	struct wire_line_counts counts;
};

/** wire_line_init() - @seed, @direction: what names the dice */
void wire_line_init(struct wire_line *l, const struct wire_settings *set, uint64_t seed,
		    unsigned direction);

/**
 * wire_line_take() - a frame of @len bytes came in at @now
 * @ret_out: when it comes out at the other end
 * Return: how often it comes out: 0, 1 or 2.
 */
unsigned wire_line_take(struct wire_line *l, uint32_t len, tc_time now, tc_time *ret_out);

#endif
