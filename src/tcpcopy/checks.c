/* SPDX-License-Identifier: BSD-2-Clause
 * tcpcopy/checks.c - what does not work, and the command that mends it
 */
#include "tcpcopy/checks.h"

#include <inttypes.h>
#include <stdarg.h>

/* Long enough for a busy server to have said something, short enough for somebody who has just started us */
#define QUIET (5 * TC_SEC)
/* Two RTOs of a SYN */
#define UNANSWERED (3 * TC_SEC)
/* Of a filter or a list that is quoted */
#define QUOTE_MAX 300

/* ---- is it so ---- */

static bool no_frame(const struct tc_checks *c, const struct tc_report *r)
{
	return !c->plan->offline && r->elapsed >= QUIET && r->capture.pkts == 0 &&
	       r->capture.kernel_drops == 0 && r->capture.devices_down == 0;
}

static bool no_map(const struct tc_checks *c, const struct tc_report *r)
{
	(void)c;
	return r->elapsed >= QUIET && r->ledger.seen > 0 &&
	       r->ledger.drops[TC_DROP_NO_MAP] == r->ledger.seen;
}

static bool device_down(const struct tc_checks *c, const struct tc_report *r)
{
	(void)c;
	return r->capture.devices_down > 0;
}

static bool no_neighbor(const struct tc_checks *c, const struct tc_report *r)
{
	(void)c;
	return r->deliver.no_neighbor > 0 && r->deliver.pkts == 0;
}

static bool is_unanswered(const struct tc_checks *c, const struct tc_report *r)
{
	return c->sent && r->elapsed - c->sent_at >= UNANSWERED && r->answers.connects > 0 &&
	       r->answers.answers == 0 && r->ledger.rtos > 0;
}

static bool no_answer(const struct tc_checks *c, const struct tc_report *r)
{
	return is_unanswered(c, r) && r->answers.peer_pkts == 0;
}

static bool no_copy(const struct tc_checks *c, const struct tc_report *r)
{
	return is_unanswered(c, r) && r->answers.peer_pkts > 0;
}

/* Its ACKs alone are as many as half of the clients' packets */
static bool no_online(const struct tc_checks *c, const struct tc_report *r)
{
	return tc_plan_needs_online(c->plan) && r->elapsed >= QUIET && r->ledger.used >= 10 &&
	       r->online_pkts == 0;
}

static bool from_copy(const struct tc_checks *c, const struct tc_report *r)
{
	(void)c;
	return r->ledger.drops[TC_DROP_FROM_COPY] > 0;
}

/* ---- in words ---- */

__attribute__((format(printf, 2, 3))) static void say(char *text, const char *fmt, ...)
{
	va_list args;
	va_start(args, fmt);
	(void)vsnprintf(text, TC_CHECK_TEXT_MAX, fmt, args);
	va_end(args);
}

/* The only device of -i, or a word for it */
static const char *device_of(const struct tc_plan *plan)
{
	return plan->n_inputs == 1 ? plan->inputs[0] : "DEV";
}

static void say_no_frame(const struct tc_checks *c, const struct tc_report *r, char *text)
{
	(void)r;
	const char *filter = c->plan->filter != NULL ? c->plan->filter : "";
	const char *device = device_of(c->plan);
	say(text,
	    "no packet has been captured in 5 s: if clients are active now, look what passes the "
	    "filter: tcpdump -ni %s '%.*s'; none does when -i names the wrong device, -F is too "
	    "narrow, or -x names another port or address",
	    device, QUOTE_MAX, filter);
}

static void say_no_map(const struct tc_checks *c, const struct tc_report *r, char *text)
{
	(void)c;
	char ip[TC_IP_TEXT_MAX];
	char online[TC_IP_TEXT_MAX + 10] = "IP:PORT";
	if (r->stray.syns > 0) {
		tc_ip_format(&r->stray.ip, ip, sizeof ip);
		(void)snprintf(online, sizeof online, strchr(ip, ':') ? "[%s]:%u" : "%s:%u", ip,
			       r->stray.port);
	}
	say(text,
	    "all %" PRIu64 " captured packets go to addresses or ports that no -x names: compare "
	    "with what --dry-run prints, and name the online address%s: -x %s-IP:PORT",
	    r->ledger.seen, r->stray.syns > 0 ? " (most connections are opened to this one)" : "",
	    online);
}

static void say_device_down(const struct tc_checks *c, const struct tc_report *r, char *text)
{
	say(text, "%" PRIu32 " of the devices of -i %s down and waited for: ip link set %s up",
	    r->capture.devices_down, r->capture.devices_down == 1 ? "is" : "are",
	    device_of(c->plan));
}

static void say_no_neighbor(const struct tc_checks *c, const struct tc_report *r, char *text)
{
	(void)r;
	char target[TC_IP_TEXT_MAX];
	tc_ip_format(&c->plan->targets[0].ip, target, sizeof target);
	say(text,
	    "the next hop towards the target does not tell its MAC address: is the target up, and "
	    "is the way right: ip route get %s; a next hop that answers nobody can be named: "
	    "-x ...@MAC",
	    target);
}

static void say_no_answer(const struct tc_checks *c, const struct tc_report *r, char *text)
{
	(void)r;
	const struct tc_plan *plan = c->plan;
	const struct tc_channel_target *t = &plan->targets[0];
	bool v4 = tc_ip_is_v4(&t->ip);
	bool mapped = plan->clients.n_v4 > 0 && v4;
	char client[TC_IP_TEXT_MAX] = "CLIENT", target[TC_IP_TEXT_MAX], host[TC_IP_TEXT_MAX];
	if (mapped) {
		tc_ip_format(&plan->clients.ips[0], client, sizeof client);
	}
	tc_ip_format(&t->ip, target, sizeof target);
	tc_ip_format(&plan->hosts[0].ip, host, sizeof host);
	say(text,
	    "the target does not answer: nothing of it has reached intercept in 3 s. On %s: (1) is "
	    "the route to the clients the one to intercept: ip route get %s must lead to %s, or: "
	    "ip "
	    "route add %s via %s; %s(%c) does a firewall drop packets from there to port %u",
	    target, client, host, mapped ? client : "CLIENTS/LEN", host,
	    v4 ? "(2) is rp_filter strict, which drops what comes in by another device than that "
		 "route's: sysctl -w net.ipv4.conf.all.rp_filter=2; " :
		 "",
	    v4 ? '3' : '2', t->port);
}

static void say_no_copy(const struct tc_checks *c, const struct tc_report *r, char *text)
{
	char target[TC_IP_TEXT_MAX];
	tc_ip_format(&c->plan->targets[0].ip, target, sizeof target);
	say(text,
	    "intercept has read %" PRIu64 " packets, and none of them answers a copy: a -F of "
	    "intercept may miss the target (look there: tcpdump -ni any 'tcp and src host %s and "
	    "src port %u'), or a device between may change addresses or sequence numbers",
	    r->answers.peer_pkts, target, c->plan->targets[0].port);
}

static void say_no_online(const struct tc_checks *c, const struct tc_report *r, char *text)
{
	(void)r;
	const char *why = c->plan->offline    ? "the files must hold both directions" :
			  c->plan->own_filter ? "-F must let both directions through" :
						"a mirror port must mirror both directions";
	say(text,
	    "--pace think knows no think time: not one packet of the online server has been "
	    "captured; %s; until then turns are spoken after the target's answer at once",
	    why);
}

static void say_from_copy(const struct tc_checks *c, const struct tc_report *r, char *text)
{
	(void)c;
	(void)r;
	say(text,
	    "copies of another tcpcopy arrive here, and are not copied again: when its -x names "
	    "this server and ours leads back to its server, each copy would be copied for ever; "
	    "name targets that no tcpcopy copies from");
}

static const struct {
	bool (*is_so)(const struct tc_checks *c, const struct tc_report *r);
	void (*say)(const struct tc_checks *c, const struct tc_report *r, char *text);
} checks[TC_CHECK__N] = {
	[TC_CHECK_NO_FRAME] = { no_frame, say_no_frame },
	[TC_CHECK_NO_MAP] = { no_map, say_no_map },
	[TC_CHECK_DEVICE_DOWN] = { device_down, say_device_down },
	[TC_CHECK_NO_NEIGHBOR] = { no_neighbor, say_no_neighbor },
	[TC_CHECK_NO_ANSWER] = { no_answer, say_no_answer },
	[TC_CHECK_NO_COPY] = { no_copy, say_no_copy },
	[TC_CHECK_NO_ONLINE] = { no_online, say_no_online },
	[TC_CHECK_FROM_COPY] = { from_copy, say_from_copy },
};

bool tc_checks_next(struct tc_checks *c, const struct tc_report *r, char *ret_text)
{
	if (!c->sent && r->deliver.pkts > 0) {
		c->sent = true;
		c->sent_at = r->elapsed;
	}
	for (unsigned i = 0; i < TC_CHECK__N; i++) {
		if (!c->told[i] && checks[i].is_so(c, r)) {
			c->told[i] = true;
			checks[i].say(c, r, ret_text);
			return true;
		}
	}
	return false;
}
