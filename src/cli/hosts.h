/* SPDX-License-Identifier: BSD-2-Clause
 * cli/hosts.h - HOST[:PORT],...: where the intercepts are
 *
 * Layer:   cli. Asks the system's resolver, so it may block: at start only.
 */
#ifndef TC_CLI_HOSTS_H
#define TC_CLI_HOSTS_H

#include "base/ip.h"

#define TC_HOSTS_MAX 64

struct tc_host {
	struct tc_ip ip;
	uint16_t port;
};

/**
 * tc_hosts_parse() - IPv4, IPv6 (in brackets where a port follows), names; the same place twice is an error
 * @option:       what the error calls the option ("-s")
 * @default_port: for those without a port
 * @ret_hosts:    TC_HOSTS_MAX of them
 * @ret_error:    on failure a sentence, TC_OPTION_ERROR_MAX bytes
 * Return: 0, or -EINVAL.
 */
int tc_hosts_parse(const char *option, const char *text, uint16_t default_port,
		   struct tc_host *ret_hosts, uint32_t *ret_n, char *ret_error);

#endif
