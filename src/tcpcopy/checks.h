/* SPDX-License-Identifier: BSD-2-Clause
 * tcpcopy/checks.h - what does not work, seen in the first seconds of traffic, and the command that mends it
 *
 * Layer:   program. Reports in, sentences out: no I/O, no clock. Asked once a second, never on a packet's path.
 *
 * The report at the end says what went wrong; this says it while somebody is watching. Each finding is told once, when the figures
 * alone make it likely, and names what to do. They are warnings: the run goes on.
 *
 *     no frame     nothing that -F lets through has come for 5 s
 *     no map       it has, but all of it goes to addresses that no -x names
 *     device down  it is waited for
 *     no neighbour segments wait for the MAC address of the next hop
 *     no answer    SYNs are on the wire for 3 s, a channel is up, and nothing has reached intercept: route, rp_filter, firewall
 *     no copy      something has reached intercept, but nothing that belongs to a copy
 *     no online    --pace think, and the online server is not heard
 *     from copy    what arrives here was said by another tcpcopy: the two may copy to each other
 */
#ifndef TC_TCPCOPY_CHECKS_H
#define TC_TCPCOPY_CHECKS_H

#include "report/report.h"
#include "tcpcopy/plan.h"

enum tc_check {
	TC_CHECK_NO_FRAME,
	TC_CHECK_NO_MAP,
	TC_CHECK_DEVICE_DOWN,
	TC_CHECK_NO_NEIGHBOR,
	TC_CHECK_NO_ANSWER,
	TC_CHECK_NO_COPY,
	TC_CHECK_NO_ONLINE,
	TC_CHECK_FROM_COPY,
	TC_CHECK__N
};

#define TC_CHECK_TEXT_MAX 800

/**
 * struct tc_checks - zero, but for @plan
 * @plan:    borrowed
 * @sent_at: .elapsed of the first report that had a packet on the wire, once @sent
 */
struct tc_checks {
	const struct tc_plan *plan;
	bool sent;
	tc_time sent_at;
	bool told[TC_CHECK__N];
};

/**
 * tc_checks_next() - a finding that was not told yet; call again until there is none
 * @r:        as things stand
 * @ret_text: a sentence, TC_CHECK_TEXT_MAX bytes
 * Return: false when there is none.
 */
bool tc_checks_next(struct tc_checks *c, const struct tc_report *r, char *ret_text);

#endif
