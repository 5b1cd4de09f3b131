/* SPDX-License-Identifier: BSD-2-Clause
 * base/ip.c - addresses as text
 */
#include "base/ip.h"

#include <arpa/inet.h>
#include <errno.h>

int tc_ip_parse(const char *text, struct tc_ip *ret_ip)
{
	uint8_t b[16];
	if (inet_pton(AF_INET, text, b) == 1) {
		*ret_ip = tc_ip_from_v4(b);
		return 0;
	}
	if (inet_pton(AF_INET6, text, b) == 1) {
		*ret_ip = tc_ip_from_v6(b);
		return 0;
	}
	return -EINVAL;
}

const char *tc_ip_format(const struct tc_ip *ip, char *buf, size_t n)
{
	const char *s = tc_ip_is_v4(ip) ? inet_ntop(AF_INET, ip->b + 12, buf, (socklen_t)n) :
					  inet_ntop(AF_INET6, ip->b, buf, (socklen_t)n);
	if (s == NULL && n > 0) {
		buf[0] = '\0';
	}
	return buf;
}
