/* SPDX-License-Identifier: BSD-2-Clause
 * wire/drop.c - names of drops and ends
 */
#include "wire/drop.h"

#include <assert.h>
#include <stddef.h>

struct text {
	const char *name;
	const char *text;
};

static const struct text drops[] = {
	[TC_DROP_NONE] = { "used", "used" },
	[TC_DROP_SHORT] = { "short", "ends before its headers do" },
	[TC_DROP_BAD_IP] = { "bad-ip", "IP header contradicts itself" },
	[TC_DROP_BAD_TCP] = { "bad-tcp", "TCP header contradicts itself" },
	[TC_DROP_BAD_OPTION] = { "bad-option", "malformed TCP options" },
	[TC_DROP_NOT_IP] = { "not-ip", "neither IPv4 nor IPv6" },
	[TC_DROP_NOT_TCP] = { "not-tcp", "not TCP" },
	[TC_DROP_FRAGMENT] = { "fragment", "IP fragment that could not be reassembled" },
	[TC_DROP_LINK] = { "link", "unknown link type or encapsulation" },
	[TC_DROP_NO_MAP] = { "no-map", "goes to an address that no -x names" },
	[TC_DROP_FROM_TARGET] = { "from-target", "comes from a target itself" },
	[TC_DROP_FROM_COPY] = { "from-copy", "a copy of another tcpcopy" },
	[TC_DROP_SAMPLED_OUT] = { "sampled-out", "left out by -r" },
	[TC_DROP_MPTCP] = { "mptcp", "MPTCP subflow" },
	[TC_DROP_NO_SESSION] = { "no-session",
				 "connection was open before the copy began, or has ended" },
	[TC_DROP_SYN_NO_ACCEPT] = { "syn-no-accept", "the online server never accepted this SYN" },
	[TC_DROP_SYNS_FULL] = { "syns-full",
				"forgotten early: table of half-open connections full" },
	[TC_DROP_FLOWS_FULL] = { "flows-full", "session table full" },
	[TC_DROP_MEMORY] = { "memory", "memory budget used up" },
	[TC_DROP_DUPLICATE] = { "duplicate", "seen before" },
	[TC_DROP_OUT_OF_WINDOW] = { "out-of-window",
				    "sequence number that cannot belong to the stream" },
	[TC_DROP_AFTER_END] = { "after-end", "after the session had ended" },
	[TC_DROP_SHED] = { "shed", "of a session that was shed" },
	[TC_DROP_ANSWER_STRAY] = { "answer-stray", "answer that fits no copied connection" },
	[TC_DROP_ANSWER_STALE] = { "answer-stale", "answer outside what TCP accepts" },
};

static const struct text ends[] = {
	[TC_END_NONE] = { "open", "still open" },
	[TC_END_CLOSED] = { "closed", "closed by both sides" },
	[TC_END_CLIENT_RST] = { "client-rst", "reset by the client" },
	[TC_END_TARGET_RST] = { "target-rst", "reset by the target" },
	[TC_END_REFUSED] = { "refused", "refused by the target" },
	[TC_END_NO_SYN_ACK] = { "no-syn-ack", "the target never answered the SYN" },
	[TC_END_NO_ACK] = { "no-ack", "the target stopped acknowledging" },
	[TC_END_TARGET_QUIET] = { "target-quiet", "the target did not close in time" },
	[TC_END_HOLE] = { "hole", "the capture lost bytes of the client" },
	[TC_END_LAG] = { "lag", "too far behind the online server" },
	[TC_END_MEMORY] = { "memory", "memory budget used up" },
	[TC_END_SHED] = { "shed", "shed to protect production" },
	[TC_END_NO_ROOM] = { "no-room", "session table full" },
	[TC_END_NO_TUPLE] = { "no-tuple",
			      "no free address and port for the copy: -c is too small" },
	[TC_END_IDLE] = { "idle", "silent for too long" },
	[TC_END_REUSED] = { "reused", "the client used its port again before the copy was done" },
	[TC_END_NO_ANSWERS] = { "no-answers", "no intercept reported the target's answers" },
	[TC_END_CAPTURE_END] = { "capture-end", "open at the end of the file" },
	[TC_END_STOPPED] = { "stopped", "open when tcpcopy stopped" },
	[TC_END_BUG] = { "bug", "a bug in tcpcopy" },
};

static_assert(sizeof drops / sizeof drops[0] == TC_DROP__N, "a drop without a name");
static_assert(sizeof ends / sizeof ends[0] == TC_END__N, "an end without a name");

const char *tc_drop_name(enum tc_drop d)
{
	return (unsigned)d < TC_DROP__N ? drops[d].name : "?";
}

const char *tc_drop_text(enum tc_drop d)
{
	return (unsigned)d < TC_DROP__N ? drops[d].text : "?";
}

const char *tc_end_name(enum tc_end e)
{
	return (unsigned)e < TC_END__N ? ends[e].name : "?";
}

const char *tc_end_text(enum tc_end e)
{
	return (unsigned)e < TC_END__N ? ends[e].text : "?";
}
