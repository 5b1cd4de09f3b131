/* SPDX-License-Identifier: BSD-2-Clause
 * lab/wire_cut.h - a super-frame into the frames that it stands for
 *
 * Layer:   lab. No I/O, no allocation.
 * Source:  linux/virtio_net.h (GSO types); RFC 791, 8200, 9293 (headers).
 *
 * Virtual devices hand TCP over in pieces of up to 64 KB, to be cut by whoever needs it (GSO). A real wire has no such frames, and what
 * it loses, queues and delays is one frame of the MTU. So they are cut here, and no offload has to be switched off anywhere. The
 * checksum of TCP is left to the kernel, as in the super-frame: only the pseudo-header's part is written.
 */
#ifndef TC_LAB_WIRE_CUT_H
#define TC_LAB_WIRE_CUT_H

#include "base/types.h"

#include <linux/virtio_net.h>

/** struct wire_frame - as a port read it; @data is borrowed until the port is read again */
struct wire_frame {
	struct virtio_net_hdr head;
	struct tc_view data;
	tc_time at; /* when it came in */
};

static inline bool wire_frame_is_super(const struct wire_frame *f)
{
	return f->head.gso_type != VIRTIO_NET_HDR_GSO_NONE;
}

struct wire_cut {
	const struct wire_frame *frame; /* borrowed while this is used */
	uint32_t ip_at;
	uint32_t tcp_at;
	uint32_t payload_at;
	uint32_t offset; /* of the next frame in the payload */
	uint32_t parts;	 /* cut so far */
	bool v4;
};

/** wire_cut_init() - false when the frame is not TCP over IPv4 or IPv6 with complete headers */
bool wire_cut_init(struct wire_cut *c, const struct wire_frame *frame);

/** wire_cut_len() - bytes of the next frame, 0 when there is none */
uint32_t wire_cut_len(const struct wire_cut *c);

/** wire_cut_write() - write the next frame, wire_cut_len() bytes, and stay at it: it may be written twice */
void wire_cut_write(const struct wire_cut *c, uint8_t *buf, struct virtio_net_hdr *ret_head);

/** wire_cut_advance() - go on to the frame behind it */
void wire_cut_advance(struct wire_cut *c);

#endif
