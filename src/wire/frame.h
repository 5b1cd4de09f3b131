/* SPDX-License-Identifier: BSD-2-Clause
 * wire/frame.h - a captured frame to a tc_packet, and a segment's headers to bytes
 *
 * Layer:   wire. No I/O, no allocation.
 * Source:  IEEE 802.3, 802.1Q; RFC 791, 8200, 9293.
 *
 * Sizes of the payload come from the IP header; only where that says 0 (TSO before the length is known, BIG TCP) from the length
 * on the wire. Link padding beyond the IP length is not payload. Nothing is read past the captured bytes.
 */
#ifndef TC_WIRE_FRAME_H
#define TC_WIRE_FRAME_H

#include "wire/drop.h"
#include "wire/packet.h"

enum tc_link {
	TC_LINK_ETHERNET, /* Ethernet II, with any number (up to 2) of 802.1Q or 802.1ad tags in the frame */
	TC_LINK_RAW,  /* begins with the IP header */
	TC_LINK_NULL, /* BSD loopback: 4 bytes of address family in the writer's byte order */
	TC_LINK_LOOP, /* OpenBSD loopback: the same in network order */
	TC_LINK_SLL,  /* Linux cooked v1, 16 bytes */
	TC_LINK_SLL2, /* Linux cooked v2, 20 bytes */
	TC_LINK__N
};

/**
 * struct tc_frame - one frame as the capture got it
 * @data:      captured bytes from the link header on; borrowed
 * @wire_len:  length on the wire, >= data.n
 * @vlan:      tag beside the frame (tpacket, cooked), with or without its priority bits, 0 for none; tags in the frame are added
 *             by the decoder: the link_id of a packet holds 12 bits a tag, the innermost lowest
 */
struct tc_frame {
	enum tc_link link;
	struct tc_view data;
	uint32_t wire_len;
	uint32_t vlan;
	tc_time at;
	uint32_t device;
};

/**
 * tc_frame_decode() - find the TCP packet in a frame
 * @ret_pkt: on success; payload borrows from frame->data
 * Total: accepts any bytes.
 * Return: TC_DROP_NONE, or why there is no TCP packet in it.
 */
enum tc_drop tc_frame_decode(const struct tc_frame *frame, struct tc_packet *ret_pkt);

struct tc_reassembly;

/**
 * tc_frame_input() - the same for a capture driver: with fragments put together
 * @r:        wire/reassembly.h, borrowed for the call; NULL: a fragment is dropped
 * @ret_pkt:  when true is returned; payload borrows from frame->data, or from @r until the next call with it
 * @ret_drop: when false is returned: why there is no packet; TC_DROP_NONE: a fragment is held for the rest of its datagram
 * The packet of a datagram in parts has the stamps of the frame that completed it.
 */
bool tc_frame_input(struct tc_reassembly *r, const struct tc_frame *frame,
		    struct tc_packet *ret_pkt, enum tc_drop *ret_drop);

#define TC_HEADERS_MAX (40 + 60) /* IPv6 + TCP with all options */

/**
 * tc_headers_encode() - write the IP and TCP headers of a segment or of a part of it
 * @seg:      its addresses and TCP header; the family is that of seg->src
 * @offset:   payload bytes of @seg before this packet; added to the sequence number; beyond 0 SYN and CWR are cleared
 * @len:      payload bytes in this packet; FIN and PSH are kept only when offset + len is the segment's end
 * @ip_id:    identification of an IPv4 header (DF is clear, so it must differ between packets of a flow)
 * @partial:  leave the pseudo-header's sum in the checksum field (NEEDS_CSUM); otherwise the sum over header and
 *            payload is complete
 * @buf:      TC_HEADERS_MAX bytes
 * Return: header bytes written; @ret_tcp_at is where the TCP header begins. 0: with @len the packet would exceed what IP can
 * carry, 65535 bytes.
 */
size_t tc_headers_encode(const struct tc_segment *seg, uint32_t offset, uint32_t len,
			 uint16_t ip_id, bool partial, uint8_t *buf, size_t *ret_tcp_at);

#endif
