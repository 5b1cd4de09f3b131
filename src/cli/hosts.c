/* SPDX-License-Identifier: BSD-2-Clause
 * cli/hosts.c - HOST[:PORT],...
 */
#include "cli/hosts.h"

#include "cli/option.h"
#include "cli/resolve.h"

#include <errno.h>

/* An IPv6 address without a port needs no brackets: it cannot be misread. */
static int split(const char *text, size_t n, struct tc_host_text *ret, const char **ret_why)
{
	char buf[TC_IP_TEXT_MAX];
	struct tc_ip ip;
	if (n < sizeof buf) {
		memcpy(buf, text, n);
		buf[n] = '\0';
		if (tc_ip_parse(buf, &ip) == 0) {
			*ret = (struct tc_host_text){ .host = text, .host_len = n };
			return 0;
		}
	}
	return tc_host_split(text, n, ret, ret_why);
}

static int fail(const char *option, const char *text, size_t n, const char *what, const char *why,
		char *ret_error)
{
	snprintf(ret_error, TC_OPTION_ERROR_MAX, "%s: '%.*s': %s%s", option, n > 80 ? 80 : (int)n,
		 text, what, why);
	return -EINVAL;
}

static int parse_one(const char *option, const char *text, size_t n, uint16_t default_port,
		     struct tc_host *ret, char *ret_error)
{
	struct tc_host_text t;
	const char *why;
	struct tc_host h = { .port = default_port };
	if (n == 0) {
		return fail(option, text, n, "a host is missing, as in 10.0.0.4 or 10.0.0.4:36524",
			    "", ret_error);
	}
	if (split(text, n, &t, &why) < 0) {
		return fail(option, text, n, why, "", ret_error);
	}
	if (t.port != NULL && tc_port_parse(t.port, t.port_len, &h.port) < 0) {
		return fail(option, text, n, "a port from 1 to 65535 must follow the ':'", "",
			    ret_error);
	}
	if (tc_resolve(t.host, t.host_len, NULL, &h.ip, &why) < 0) {
		return fail(option, text, n, "no address of this host: ", why, ret_error);
	}
	if (tc_ip_is_any(&h.ip)) {
		return fail(option, text, n, "an address of a host is needed, not of all", "",
			    ret_error);
	}
	*ret = h;
	return 0;
}

int tc_hosts_parse(const char *option, const char *text, uint16_t default_port,
		   struct tc_host *ret_hosts, uint32_t *ret_n, char *ret_error)
{
	uint32_t count = 0;
	for (;; count++) {
		size_t n = strcspn(text, ",");
		if (count == TC_HOSTS_MAX) {
			snprintf(ret_error, TC_OPTION_ERROR_MAX, "%s: more than %d hosts", option,
				 TC_HOSTS_MAX);
			return -EINVAL;
		}
		struct tc_host h;
		int rc = parse_one(option, text, n, default_port, &h, ret_error);
		if (rc < 0) {
			return rc;
		}
		for (uint32_t i = 0; i < count; i++) {
			if (ret_hosts[i].port == h.port && tc_ip_eq(&ret_hosts[i].ip, &h.ip)) {
				return fail(option, text, n, "this host and port is there twice",
					    "", ret_error);
			}
		}
		ret_hosts[count] = h;
		if (text[n] == '\0') {
			break;
		}
		text += n + 1;
	}
	*ret_n = count + 1;
	return 0;
}
