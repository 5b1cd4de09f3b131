/* SPDX-License-Identifier: BSD-2-Clause
 * capture/file.h - replay of pcap and pcapng files: each packet when its time has come
 *
 * Layer:   capture. Time is the engine's: the first packet is there at the first next(), every other one as much later as it was
 *          recorded.
 *
 *     due = start of the pass + (sum of gaps, each at most gap_limit) * 1000 / speed_permille
 *
 * A packet is never early, and its .at is the time at which it was due, however late it is read. Recorded times that go back stand
 * still: a little disorder between CPUs does not shift what follows; a clock that was set back by more than a second is followed, and
 * so is that of a further file which begins before the end of the one before it. All of them are time_steps of the statistics.
 *
 * Of a file that ends in the middle of a record all before it is replayed; that record is a TC_DROP_SHORT, and
 * tc_capture_file_damage() says it in words. At the end of each pass there is a TC_EVENT_CAPTURE_END: nothing will come that fills a gap.
 */
#ifndef TC_CAPTURE_FILE_H
#define TC_CAPTURE_FILE_H

#include "port/port.h"

/**
 * struct tc_capture_file_config
 * @paths:          files, read one after another; "-": standard input. What is no regular file can be read only once, and alone.
 *                  Borrowed for the life of the driver
 * @filter:         pcap text; NULL: all TCP packets, the maps choose. Borrowed for the call
 * @speed_permille: 1000 as recorded, 2000 twice as fast, 500 half as fast
 * @gap_limit:      recorded gaps longer than this are cut to it, before the speed; TC_TIME_NEVER: none
 * @passes:         how often all of it is replayed; at the end of one is_done() is true, and again() begins the next. Its connections
 *                  have other sequence numbers (all of them moved by the same)
 */
struct tc_capture_file_config {
	const char *const *paths;
	unsigned n_paths;
	const char *filter;
	uint32_t speed_permille;
	tc_time gap_limit;
	unsigned passes;
};

/** tc_capture_file_new() - as tc_capture_ring_new(); of standard input it waits for the file header */
int tc_capture_file_new(const struct tc_capture_file_config *cfg, struct tc_capture **ret,
			char *ret_error);

/** tc_capture_file_damage() - at the end of the last pass: NULL, or which file ended in the middle of a record, and where; valid until free() */
const char *tc_capture_file_damage(const struct tc_capture *c);

#endif
