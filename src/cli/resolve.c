/* SPDX-License-Identifier: BSD-2-Clause
 * cli/resolve.c - addresses and ports in option values
 */
#include "cli/resolve.h"

#include "cli/option.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>

#define HOST_MAX 256 /* 253 characters of a DNS name, RFC 1035 3.1 */
#define PORT_MAX 8

/* A terminated copy; false when it is empty or too long. */
static bool copy(const char *text, size_t n, char *buf, size_t size)
{
	if (n == 0 || n >= size) {
		return false;
	}
	memcpy(buf, text, n);
	buf[n] = '\0';
	return true;
}

static bool from_sockaddr(const struct sockaddr *sa, struct tc_ip *ret_ip)
{
	if (sa->sa_family == AF_INET) {
		struct sockaddr_in in;
		memcpy(&in, sa, sizeof in);
		uint8_t b[4];
		memcpy(b, &in.sin_addr, sizeof b);
		*ret_ip = tc_ip_from_v4(b);
		return true;
	}
	if (sa->sa_family == AF_INET6) {
		struct sockaddr_in6 in6;
		memcpy(&in6, sa, sizeof in6);
		*ret_ip = tc_ip_from_v6(in6.sin6_addr.s6_addr);
		return true;
	}
	return false;
}

int tc_resolve(const char *text, size_t n, const struct tc_ip *like, struct tc_ip *ret_ip,
	       const char **ret_why)
{
	char host[HOST_MAX];
	if (!copy(text, n, host, sizeof host)) {
		*ret_why = n == 0 ? "it is empty" : "it is too long for a name";
		return -EINVAL;
	}
	if (tc_ip_parse(host, ret_ip) == 0) {
		return 0;
	}
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM };
	if (like != NULL) {
		hints.ai_family = tc_ip_is_v4(like) ? AF_INET : AF_INET6;
	}
	struct addrinfo *list;
	int rc = getaddrinfo(host, NULL, &hints, &list);
	if (rc != 0) {
		*ret_why = gai_strerror(rc);
		return -EINVAL;
	}
	bool found = false;
	for (const struct addrinfo *a = list; a != NULL && !found; a = a->ai_next) {
		found = from_sockaddr(a->ai_addr, ret_ip);
	}
	freeaddrinfo(list);
	*ret_why = "it has no IP address";
	return found ? 0 : -EINVAL;
}

int tc_port_parse(const char *text, size_t n, uint16_t *ret_port)
{
	char port[PORT_MAX];
	int64_t v;
	if (!copy(text, n, port, sizeof port) || tc_number_parse(port, 1, UINT16_MAX, &v) < 0) {
		return -EINVAL;
	}
	*ret_port = (uint16_t)v;
	return 0;
}

int tc_host_split(const char *text, size_t n, struct tc_host_text *ret, const char **ret_why)
{
	const char *end = text + n;
	const char *colon;
	if (n > 0 && text[0] == '[') {
		const char *close = memchr(text, ']', n);
		if (close == NULL) {
			*ret_why = "']' is missing";
			return -EINVAL;
		}
		if (close + 1 != end && close[1] != ':') {
			*ret_why = "':' and a port, or nothing, may follow the ']'";
			return -EINVAL;
		}
		*ret = (struct tc_host_text){ .host = text + 1,
					      .host_len = (size_t)(close - text) - 1 };
		colon = close + 1 != end ? close + 1 : NULL;
	} else {
		colon = memchr(text, ':', n);
		const char *more =
			colon != NULL ? memchr(colon + 1, ':', (size_t)(end - colon - 1)) : NULL;
		if (more != NULL) {
			*ret_why = "an IPv6 address stands in brackets, as in [2001:db8::1]:8080";
			return -EINVAL;
		}
		*ret = (struct tc_host_text){ .host = text,
					      .host_len =
						      colon != NULL ? (size_t)(colon - text) : n };
	}
	if (colon != NULL) {
		ret->port = colon + 1;
		ret->port_len = (size_t)(end - colon - 1);
	}
	return 0;
}
