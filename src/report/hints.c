/* SPDX-License-Identifier: BSD-2-Clause
 * report/hints.c - what the books say about a likely cause of losses
 *
 * Each hint names one cause that the figures alone prove or make likely, and what to do about it. No figure, no hint.
 */
#include "report/figures.h"
#include "report/report.h"

#include <inttypes.h>

struct hint {
	bool (*applies)(const struct tc_report *r);
	const char *text;
};

/* more than one in a hundred of those that ended */
static bool is_common(const struct tc_report *r, enum tc_end e)
{
	uint64_t all = tc_figure_sum(r->ledger.ended, TC_END__N);
	return r->ledger.ended[e] > 0 && r->ledger.ended[e] >= all / 100;
}

static bool no_frames(const struct tc_report *r)
{
	return !r->offline && r->capture.pkts == 0 && r->capture.kernel_drops == 0;
}

static bool file_is_empty(const struct tc_report *r)
{
	return r->offline && r->capture.pkts == 0;
}

static bool no_maps(const struct tc_report *r)
{
	return r->ledger.seen > 0 && r->ledger.drops[TC_DROP_NO_MAP] == r->ledger.seen;
}

static bool no_accept(const struct tc_report *r)
{
	return r->ledger.opened == 0 &&
	       r->ledger.drops[TC_DROP_SYN_NO_ACCEPT] + r->ledger.syns_held > 0;
}

static bool no_channel(const struct tc_report *r)
{
	return r->n_channels > 0 && r->answers.connects == 0;
}

static bool kernel_drops(const struct tc_report *r)
{
	return r->capture.kernel_drops > 0;
}

static bool peer_drops(const struct tc_report *r)
{
	return r->answers.peer_drops > 0;
}

static bool no_neighbor(const struct tc_report *r)
{
	return r->deliver.no_neighbor > 0 && r->deliver.pkts == 0;
}

/* SYNs went out, some of them more than once, and not one answer came back, though a channel was up */
static bool no_answers(const struct tc_report *r)
{
	return r->answers.connects > 0 && r->ledger.answers == 0 && r->deliver.pkts > 0 &&
	       r->ledger.rtos > 0;
}

static bool some_no_syn_ack(const struct tc_report *r)
{
	return is_common(r, TC_END_NO_SYN_ACK) && r->ledger.answers > 0;
}

static bool refused(const struct tc_report *r)
{
	return is_common(r, TC_END_REFUSED);
}

static bool memory(const struct tc_report *r)
{
	return r->ledger.drops[TC_DROP_MEMORY] + r->ledger.drops[TC_DROP_FLOWS_FULL] > 0;
}

static bool lost_with_channel(const struct tc_report *r)
{
	return r->answers.disconnects > 0 &&
	       (is_common(r, TC_END_NO_ANSWERS) || is_common(r, TC_END_NO_ACK) ||
		is_common(r, TC_END_LAG));
}

static bool lag(const struct tc_report *r)
{
	return is_common(r, TC_END_LAG) && !lost_with_channel(r);
}

static bool shed(const struct tc_report *r)
{
	return r->limits.reductions > 0;
}

/* a tenth of the time, and sessions were late for it */
static bool max_out(const struct tc_report *r)
{
	return r->limits.out_waited > r->elapsed / 10 && is_common(r, TC_END_LAG);
}

/* Where they do go */
static void stray(const struct tc_report *r, FILE *to)
{
	char ip[TC_IP_TEXT_MAX];
	if (r->stray.syns > 0) {
		tc_ip_format(&r->stray.ip, ip, sizeof ip);
		fprintf(to, "; most connections are opened to port %u of %s", r->stray.port, ip);
	}
}

static const struct hint hints[] = {
	{ no_frames, "no packet was captured: does the traffic of -x pass the devices of -i, and "
		     "does -F let it through?" },
	{ file_is_empty, "no packet was read: the file has none, or none that -F lets through" },
	{ no_maps, "all packets go to addresses that no -x names" },
	{ no_accept, "SYNs were seen but no connection was accepted: are the clients' later "
		     "packets in the capture, too?" },
	{ no_channel, "no intercept was ever connected: is intercept running at -s, and is its "
		      "port open?" },
	{ no_neighbor, "the next hop towards the target does not answer: is the target up, and is "
		       "the route right?" },
	{ no_answers, "the target's answers were not seen: does a firewall drop packets with the "
		      "clients' addresses, and do the answers go to the host of intercept?" },
	{ some_no_syn_ack, "the target does not answer all connections: its backlog may be too "
			   "short, or a firewall may drop some" },
	{ refused, "the target refuses connections: is its service listening on the port of -x?" },
	{ kernel_drops, "the kernel dropped packets before they could be read: a larger -B, or -r "
			"for a part of the sessions" },
	{ peer_drops, "the kernel of intercept's host dropped answers" },
	{ memory, "the memory budget was used up: a larger -m, or -r for a part of the sessions" },
	{ lost_with_channel,
	  "an intercept was lost, and connections that were open then ended for it: with --key at "
	  "both ends they are told to an intercept that is there again, and go on" },
	{ shed, "sessions were shed because captured packets came faster than they were read: more "
		"of a CPU for tcpcopy, or -r for a part of the sessions" },
	{ max_out, "sessions fell behind because more was to be sent than --max-out allows: a "
		   "larger one, or -r for a part of the sessions" },
	{ lag, "sessions fell too far behind: the target is slower than the online server; see "
	       "--max-lag, --pace and -r" },
};

void tc_report_hints(const struct tc_report *r, const char *prefix, FILE *to)
{
	for (size_t i = 0; i < sizeof hints / sizeof hints[0]; i++) {
		if (!hints[i].applies(r)) {
			continue;
		}
		fprintf(to, "%s%s", prefix, hints[i].text);
		if (hints[i].applies == no_maps) {
			stray(r, to);
		}
		fputc('\n', to);
	}
}
