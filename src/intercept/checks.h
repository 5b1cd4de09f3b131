/* SPDX-License-Identifier: BSD-2-Clause
 * intercept/checks.h - what on this host is in the way, and the command that mends it
 *
 * Layer:   program. Reads settings of the kernel; at the start only.
 */
#ifndef TC_INTERCEPT_CHECKS_H
#define TC_INTERCEPT_CHECKS_H

#include "base/log.h"
#include "intercept/settings.h"

/**
 * tc_check_forwarding() - does this host send on the answers that it is sent
 * The kernel decides by the device on which an IPv4 packet comes in, and for IPv6 by all of them. Warns once for each setting.
 */
void tc_check_forwarding(const struct tc_intercept_settings *s, struct tc_log *log);

/** tc_check_silence() - warn that a tcpcopy is here for a while and nothing was captured; @filter: the text of the capture's */
void tc_check_silence(const struct tc_intercept_settings *s, const char *filter,
		      struct tc_log *log);

#endif
