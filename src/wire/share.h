/* SPDX-License-Identifier: BSD-2-Clause
 * wire/share.h - a share of all clients, as a socket filter of the kernel can compute it too
 *
 * Layer:   wire. Pure.
 *
 * When there is too much to copy, whole clients are left out: the filter in the kernel lets the same ones pass that the core goes on
 * with. So this hash has no key and uses only what classic BPF has: 32-bit loads, XOR, MUL, RSH. A client is an address and a
 * port, that is, one connection to a server; neighbouring ports are spread evenly (Fibonacci hashing).
 */
#ifndef TC_WIRE_SHARE_H
#define TC_WIRE_SHARE_H

#include "base/ip.h"

/* a share is so many of 65536 */
#define TC_SHARE_ALL 65536U
#define TC_SHARE_FACTOR 0x9E3779B1U

/** tc_share_of() - 0..65535: a client is part of a share when this is below it */
static inline uint32_t tc_share_of(const struct tc_ip *client, uint16_t port)
{
	uint32_t x = port;
	for (unsigned i = 0; i < sizeof client->b; i += 4) {
		x ^= (uint32_t)client->b[i] << 24 | (uint32_t)client->b[i + 1] << 16 |
		     (uint32_t)client->b[i + 2] << 8 | client->b[i + 3];
	}
	return (x * TC_SHARE_FACTOR) >> 16;
}

#endif
