/* SPDX-License-Identifier: BSD-2-Clause
 * wire/checksum.h - the Internet checksum, whole and partial
 *
 * Layer:   wire. Pure.
 * Source:  RFC 1071; RFC 9293 3.1 and RFC 8200 8.1 (pseudo-headers).
 *
 * A sum is kept unfolded in 64 bits and may be continued: sum(a ++ b) = sum(b, sum(a)) when a has even length.
 * Checksums of captured packets are never verified: offload leaves only the pseudo-header's part in them.
 */
#ifndef TC_WIRE_CHECKSUM_H
#define TC_WIRE_CHECKSUM_H

#include "base/ip.h"
#include "base/types.h"

/** tc_csum_add() - continue @sum over @v as 16-bit big-endian words; an odd last byte is padded with zero */
uint64_t tc_csum_add(uint64_t sum, struct tc_view v);

/** tc_csum_add_views() - continue @sum over @n views as if they were one run of bytes, whatever their lengths */
uint64_t tc_csum_add_views(uint64_t sum, const struct tc_view *v, size_t n);

/** tc_csum_pseudo() - sum of the pseudo-header, by the family of @src: protocol 6, TCP header + payload are @len bytes */
uint64_t tc_csum_pseudo(const struct tc_ip *src, const struct tc_ip *dst, uint8_t proto,
			uint32_t len);

/** tc_csum_fold() - 16 bits, not complemented: what a NEEDS_CSUM packet carries of its pseudo-header */
uint16_t tc_csum_fold(uint64_t sum);

/** tc_csum_finish() - fold and complement: what a header carries, in host order */
uint16_t tc_csum_finish(uint64_t sum);

#endif
