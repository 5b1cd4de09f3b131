/* SPDX-License-Identifier: BSD-2-Clause
 * capture/frames.c - captured frames to TCP packets, with fragments put together and all of it counted
 */
#include "capture/frames.h"

#include "wire/reassembly.h"

#include <errno.h>
#include <sys/mman.h>
#include <sys/random.h>

/* Fragments of TCP are rare; a burst of them is an attack. The memory is untouched until one comes. */
#define DATAGRAMS 64
#define DATAGRAM_BYTES (1u << 20)

int tc_frames_init(struct tc_frames *f, bool reassemble)
{
	*f = (struct tc_frames){ 0 };
	if (!reassemble) {
		return 0;
	}
	struct tc_reassembly_config cfg = {
		.datagrams = DATAGRAMS,
		.bytes = DATAGRAM_BYTES,
		.timeout = TC_REASSEMBLY_TIMEOUT,
	};
	if (getrandom(&cfg.key, sizeof cfg.key, 0) != (ssize_t)sizeof cfg.key) {
		return -EIO;
	}
	f->mem_bytes = tc_reassembly_bytes(&cfg);
	void *mem = mmap(NULL, f->mem_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
			 -1, 0);
	if (mem == MAP_FAILED) {
		return -errno;
	}
	f->mem = mem;
	f->reassembly = tc_reassembly_init(mem, &cfg);
	return 0;
}

void tc_frames_fini(struct tc_frames *f)
{
	if (f->mem != NULL) {
		munmap(f->mem, f->mem_bytes);
		f->mem = NULL;
		f->reassembly = NULL;
	}
}

bool tc_frames_next(struct tc_frames *f, const struct tc_frame *frame, struct tc_packet *ret_pkt)
{
	enum tc_drop drop = TC_DROP_NONE;
	f->stats.pkts++;
	f->stats.bytes += frame->wire_len;
	if (tc_frame_input(f->reassembly, frame, ret_pkt, &drop)) {
		return true;
	}
	if (drop != TC_DROP_NONE) {
		f->stats.drops[drop]++;
	}
	return false;
}

void tc_frames_stats(const struct tc_frames *f, struct tc_capture_stats *ret_stats)
{
	*ret_stats = f->stats;
	if (f->reassembly != NULL) {
		struct tc_reassembly_stats reassembly;
		tc_reassembly_stats(f->reassembly, &reassembly);
		ret_stats->drops[TC_DROP_FRAGMENT] += reassembly.lost;
	}
}
