/* SPDX-License-Identifier: BSD-2-Clause
 * capture/frames.h - captured frames to TCP packets, with fragments put together and all of it counted
 *
 * Layer:   capture. What every capture driver does with a frame once it has it. Allocates when it is made only.
 */
#ifndef TC_CAPTURE_FRAMES_H
#define TC_CAPTURE_FRAMES_H

#include "port/port.h"
#include "wire/frame.h"

/**
 * struct tc_frames
 * @reassembly: in @mem; NULL: fragments are drops
 * @mem:        owned
 * @stats:      the driver adds what is its own
 */
struct tc_frames {
	struct tc_reassembly *reassembly;
	void *mem;
	size_t mem_bytes;
	struct tc_capture_stats stats;
};

/** tc_frames_init() - @reassemble: put fragments together. Return: 0 or -errno; tc_frames_fini() in either case */
int tc_frames_init(struct tc_frames *f, bool reassemble);
void tc_frames_fini(struct tc_frames *f);

/**
 * tc_frames_next() - read one frame
 * @ret_pkt: payload borrows from the frame, or from @f until the next call
 * Return: false when there is no TCP packet in it (counted), or it is held for the rest of its datagram.
 */
bool tc_frames_next(struct tc_frames *f, const struct tc_frame *frame, struct tc_packet *ret_pkt);

/** tc_frames_stats() - the counters, with the fragments that never became whole */
void tc_frames_stats(const struct tc_frames *f, struct tc_capture_stats *ret_stats);

#endif
