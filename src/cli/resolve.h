/* SPDX-License-Identifier: BSD-2-Clause
 * cli/resolve.h - addresses and ports in option values
 *
 * Layer:   cli. Asks the system's resolver, so it may block: at start only.
 */
#ifndef TC_CLI_RESOLVE_H
#define TC_CLI_RESOLVE_H

#include "base/ip.h"

/**
 * tc_resolve() - an address from the @n characters at @text: IPv4, IPv6 without brackets, or a host's name
 * @like:    a name stands for its address of the same family as this one; NULL: of any family
 * @ret_why: on failure a phrase for people, static or the C library's
 * Return: 0, or -EINVAL. Of a name with several addresses the first one counts, in the resolver's order.
 */
int tc_resolve(const char *text, size_t n, const struct tc_ip *like, struct tc_ip *ret_ip,
	       const char **ret_why);

/** tc_port_parse() - the @n characters at @text as a port, 1 to 65535; -EINVAL */
int tc_port_parse(const char *text, size_t n, uint16_t *ret_port);

/**
 * struct tc_host_text - where the parts of HOST[:PORT] lie: borrowed from the text that was split
 * @port: NULL when there is none
 */
struct tc_host_text {
	const char *host;
	size_t host_len;
	const char *port;
	size_t port_len;
};

/**
 * tc_host_split() - HOST[:PORT]; an IPv6 address with a port stands in brackets
 * @ret_why: on failure a phrase for people, static
 * Return: 0, or -EINVAL.
 */
int tc_host_split(const char *text, size_t n, struct tc_host_text *ret, const char **ret_why);

#endif
