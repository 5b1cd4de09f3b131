/* SPDX-License-Identifier: BSD-2-Clause
 * deliver/cut.h - a segment into packets
 *
 * Layer:   deliver. No I/O, no allocation.
 *
 *     struct tc_cut cut;
 *     tc_cut_init(&cut, seg, mtu, whole);
 *     while (tc_cut_next(&cut, ...)) one packet: headers and the views of its part of the payload
 */
#ifndef TC_DELIVER_CUT_H
#define TC_DELIVER_CUT_H

#include "wire/packet.h"

#include <sys/uio.h>

/* Bytes that IP can count in one packet */
#define TC_CUT_IP_MAX 65535

/**
 * struct tc_cut - where in a segment the next packet begins
 * @seg:     borrowed while this is used
 * @headers: bytes of IP and TCP headers
 * @size:    payload bytes of a packet on the wire
 * @step:    payload bytes given at once: @size, or the largest multiple of it that IP can count
 */
struct tc_cut {
	const struct tc_segment *seg;
	uint32_t headers;
	uint32_t size;
	uint32_t step;
	uint32_t offset;
	uint32_t view;	  /* index into seg->payload */
	size_t view_used; /* bytes of it already given */
	bool done;
};

/** struct tc_cut_part - payload [@offset, @offset + @len) of the segment, @pkts packets on the wire */
struct tc_cut_part {
	uint32_t offset;
	uint32_t len;
	uint32_t pkts;
};

/**
 * tc_cut_init() - begin
 * @mtu:   of the path, IP bytes
 * @whole: the kernel cuts: give as much at once as IP can count
 * Return: false when @mtu has no room for a byte of payload.
 */
bool tc_cut_init(struct tc_cut *c, const struct tc_segment *seg, uint32_t mtu, bool whole);

/**
 * tc_cut_next() - the next packet; a segment without payload is one packet
 * @iov:   room for TC_SEGMENT_VIEWS
 * @ret_n: how many of them were used
 */
bool tc_cut_next(struct tc_cut *c, struct tc_cut_part *ret_part, struct iovec *iov,
		 unsigned *ret_n);

#endif
