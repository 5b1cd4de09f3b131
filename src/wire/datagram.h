/* SPDX-License-Identifier: BSD-2-Clause
 * wire/datagram.h - an IP packet to its addresses, its transport protocol and its body
 *
 * Layer:   wire. No I/O, no allocation.
 * Source:  RFC 791 3.1; RFC 8200 3, 4 (extension headers); RFC 2675 2 (jumbograms); RFC 6946 (atomic fragments);
 *          RFC 4302 2 (AH); RFC 7401, 5533, 6275 (further headers of the same shape).
 *
 * The body is what follows the IP headers, as far as it was captured; its length on the wire comes from the IP header. That says 0
 * where the sender did not know yet (TSO) or where 16 bits are too few (BIG TCP): then the length on the wire counts, or a jumbo
 * payload option. What was captured beyond the IP packet's end is padding of the link.
 * Header checksums are not verified: on the sending host they may not be there yet.
 */
#ifndef TC_WIRE_DATAGRAM_H
#define TC_WIRE_DATAGRAM_H

#include "base/ip.h"
#include "base/types.h"
#include "wire/drop.h"

#define TC_PROTO_TCP 6

/**
 * struct tc_datagram - an IP packet, or a fragment of one
 * @proto:     what @body begins with; of an IPv6 fragment other than the first one it means nothing (RFC 8200 4.5)
 * @fragment:  the body is a part of a datagram's; the next three are 0 otherwise
 * @more:      not the last part
 * @offset:    bytes of the datagram before the body
 * @id:        the same in all parts of a datagram
 * @body:      captured bytes of the body; borrowed from what was decoded
 * @body_len:  its length on the wire; more than body.n where the capture cut the packet
 */
struct tc_datagram {
	struct tc_ip src;
	struct tc_ip dst;
	uint8_t proto;
	bool fragment;
	bool more;
	uint32_t offset;
	uint32_t id;
	struct tc_view body;
	uint32_t body_len;
};

/**
 * tc_datagram_decode() - read the IP headers
 * @v:        captured bytes from the IP header on, with what follows the packet
 * @wire_len: their length on the wire, >= v.n
 * Total: accepts any bytes. IPv4 and IPv6 are told apart by the header's first four bits.
 * Return: TC_DROP_NONE; TC_DROP_NOT_IP, TC_DROP_SHORT, TC_DROP_BAD_IP.
 */
enum tc_drop tc_datagram_decode(struct tc_view v, size_t wire_len, struct tc_datagram *ret_dgram);

/**
 * tc_datagram_skip_extensions() - go on to the transport header of an IPv6 datagram that was rebuilt from fragments
 * @dgram: begins with what its first fragment header named; on success moved to what is not an extension header
 * A fragment header in a rebuilt datagram is refused: nothing sends that but attacks.
 * Return: TC_DROP_NONE, TC_DROP_SHORT, TC_DROP_BAD_IP.
 */
enum tc_drop tc_datagram_skip_extensions(struct tc_datagram *dgram);

/** tc_datagram_may_hold_tcp() - can @proto lead to TCP: is it TCP, or over IPv6 an extension header */
bool tc_datagram_may_hold_tcp(const struct tc_datagram *dgram);

#endif
