/* SPDX-License-Identifier: BSD-2-Clause
 * base/ip.h - an IP address, and the name of a TCP connection
 *
 * Layer:   base. Values; text in both directions.
 * Source:  RFC 4291 2.5.5.2: an IPv4 address is kept as ::ffff:a.b.c.d, so that both families take one path.
 * Order:   addresses are network-order bytes, ports are host order.
 */
#ifndef TC_BASE_IP_H
#define TC_BASE_IP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct tc_ip {
	uint8_t b[16];
};

#define TC_IP_TEXT_MAX 46

static inline bool tc_ip_is_v4(const struct tc_ip *ip)
{
	static const uint8_t prefix[12] = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff };
	return memcmp(ip->b, prefix, sizeof prefix) == 0;
}

/** tc_ip_is_any() - is it no address: :: or 0.0.0.0; in a map it stands for any address */
static inline bool tc_ip_is_any(const struct tc_ip *ip)
{
	static const uint8_t zero[16];
	return memcmp(ip->b, zero, sizeof zero) == 0 ||
	       (tc_ip_is_v4(ip) && memcmp(ip->b + 12, zero, 4) == 0);
}

static inline bool tc_ip_eq(const struct tc_ip *a, const struct tc_ip *b)
{
	return memcmp(a->b, b->b, sizeof a->b) == 0;
}

/** tc_ip_from_v4() - from the 4 bytes of an IPv4 address in network order */
static inline struct tc_ip tc_ip_from_v4(const uint8_t v4[4])
{
	struct tc_ip ip = { { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, v4[0], v4[1], v4[2],
			      v4[3] } };
	return ip;
}

/** tc_ip_from_v6() - from the 16 bytes of an IPv6 address in network order */
static inline struct tc_ip tc_ip_from_v6(const uint8_t v6[16])
{
	struct tc_ip ip;
	memcpy(ip.b, v6, sizeof ip.b);
	return ip;
}

/**
 * tc_ip_parse() - read an address from text
 * @text: "a.b.c.d" or IPv6 without brackets
 * Return: 0, or -EINVAL and *@ret_ip untouched.
 */
int tc_ip_parse(const char *text, struct tc_ip *ret_ip);

/** tc_ip_format() - write as text, IPv4 dotted; returns @buf, always terminated (@n >= TC_IP_TEXT_MAX is enough) */
const char *tc_ip_format(const struct tc_ip *ip, char *buf, size_t n);

/**
 * struct tc_tuple - one TCP connection as its client names it
 * @client:      the client's address; for a replica the address that the target sees
 * @server:      the online server's address; for a replica the target's
 * @link_id:     VLAN or tunnel that it was captured in, 0 for none; always 0 at the target
 *
 * Exactly 40 bytes without padding, so that it can be hashed and compared as bytes.
 */
struct tc_tuple {
	struct tc_ip client;
	struct tc_ip server;
	uint16_t client_port;
	uint16_t server_port;
	uint32_t link_id;
};

_Static_assert(sizeof(struct tc_tuple) == 40, "a tuple is hashed as bytes");

static inline bool tc_tuple_eq(const struct tc_tuple *a, const struct tc_tuple *b)
{
	return memcmp(a, b, sizeof *a) == 0;
}

#endif
