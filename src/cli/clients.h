/* SPDX-License-Identifier: BSD-2-Clause
 * cli/clients.h - the value of -c: addresses that copies speak from
 *
 * Layer:   cli. Allocates the list.
 *
 *     PART = IPv4 | IPv4 "/" BITS | a.b.c.x | IPv6 | IPv6 "/" BITS
 *
 * a.b.c.x is what the classic had: 1 to 254. Of an IPv4 network with less than 31 bits the first and the last address are left out, of
 * an IPv6 network the first one: hosts do not have them. The same address twice counts once.
 */
#ifndef TC_CLI_CLIENTS_H
#define TC_CLI_CLIENTS_H

#include "base/ip.h"

#define TC_CLIENTS_MAX 65536

/**
 * struct tc_clients
 * @ips: n_v4 IPv4 addresses, then n_v6 IPv6 ones, each family in ascending order; owned, tc_clients_fini()
 */
struct tc_clients {
	struct tc_ip *ips;
	uint32_t n_v4;
	uint32_t n_v6;
};

/**
 * tc_clients_parse() - PART,...
 * @ret:       untouched on failure
 * @ret_error: a sentence that begins with "-c: ", TC_OPTION_ERROR_MAX bytes
 * Return: 0, -EINVAL, or -ENOMEM.
 */
int tc_clients_parse(const char *text, struct tc_clients *ret, char *ret_error);
void tc_clients_fini(struct tc_clients *clients);

#endif
