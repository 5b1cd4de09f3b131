/* SPDX-License-Identifier: BSD-2-Clause
 * lab/turns.h - what the clients and the servers of the lab agree about: turns
 *
 *     "BODY ANSWER\n" and BODY bytes   -->
 *                                      <--   ANSWER bytes
 *
 * lab/scenario_server.py and lab/load.py speak the same, with more manners; lab/turn_server.c and lab/turn_load.c do at rates that
 * they cannot reach.
 */
#ifndef TC_LAB_TURNS_H
#define TC_LAB_TURNS_H

#include "base/ip.h"
#include "base/types.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>
#include <time.h>

/* A head at its longest, with its newline */
#define TURN_HEAD_MAX 32
#define TURN_BYTES_MAX (INT64_C(1) << 30)

static inline tc_time turn_now(void)
{
	struct timespec ts;
	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (tc_time)ts.tv_sec * TC_SEC + ts.tv_nsec;
}

/* FNV-1a, 64 bits: tells two texts apart that nobody made alike on purpose */
#define TURN_DIGEST_INIT UINT64_C(0xcbf29ce484222325)
static inline uint64_t turn_digest(uint64_t digest, const uint8_t *p, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		digest = (digest ^ p[i]) * UINT64_C(0x100000001b3);
	}
	return digest;
}

/* IPv4 as ::ffff:a.b.c.d, for a socket of either family */
static inline struct sockaddr_in6 turn_address(const struct tc_ip *ip, int64_t port)
{
	struct sockaddr_in6 sa = { .sin6_family = AF_INET6, .sin6_port = htons((uint16_t)port) };
	memcpy(&sa.sin6_addr, ip->b, sizeof ip->b);
	return sa;
}

#endif
