/* SPDX-License-Identifier: BSD-2-Clause
 * intercept/checks.c - what on this host is in the way, and the command that mends it
 */
#include "intercept/checks.h"

#include <net/if.h>
#include <stdio.h>
#include <string.h>

#define PATH_MAX_BYTES (64 + IFNAMSIZ)
/* Of a filter that is quoted */
#define QUOTE_MAX 400

/* Is the setting @family.conf.@device.forwarding on; no where there is none */
static bool is_on(const char *family, const char *device)
{
	char path[PATH_MAX_BYTES];
	char c = '0';
	(void)snprintf(path, sizeof path, "/proc/sys/net/%s/conf/%s/forwarding", family, device);
	FILE *f = fopen(path, "re");
	if (f != NULL) {
		c = (char)fgetc(f);
		fclose(f);
	}
	return c == '1';
}

void tc_check_forwarding(const struct tc_intercept_settings *s, struct tc_log *log)
{
	bool all = is_on("ipv4", "all");
	for (unsigned i = 0; i < s->n_devices && !all; i++) {
		if (is_on("ipv4", s->devices[i])) {
			tc_log(log, TC_LOG_WARNING,
			       "this host forwards what comes in on %s, so the target's answers "
			       "would reach the clients: sysctl -w net/ipv4/conf/%s/forwarding=0",
			       s->devices[i], s->devices[i]);
		}
	}
	if (all) {
		tc_log(log, TC_LOG_WARNING,
		       "this host forwards packets, so the target's answers would reach the "
		       "clients: sysctl -w net.ipv4.ip_forward=0");
	}
	if (is_on("ipv6", "all")) {
		tc_log(log, TC_LOG_WARNING,
		       "this host forwards IPv6 packets, so the target's answers would reach the "
		       "clients: sysctl -w net.ipv6.conf.all.forwarding=0");
	}
}

void tc_check_silence(const struct tc_intercept_settings *s, const char *filter, struct tc_log *log)
{
	const char *device = s->n_devices == 1 ? s->devices[0] : "DEV";
	tc_log(log, TC_LOG_WARNING,
	       "a tcpcopy is here for 5 s, and no packet has been captured: if it copies now, "
	       "is the target's route to the clients the one to this host (there: ip route get "
	       "CLIENT), and what passes the filter: tcpdump -ni %s '%.*s'",
	       device, QUOTE_MAX, filter);
}
