/* SPDX-License-Identifier: BSD-2-Clause
 * intercept/summary.c - the counters of intercept
 */
#include "intercept/summary.h"

#include <errno.h>
#include <jansson.h>

static unsigned long long count(uint64_t n)
{
	return n;
}

static uint64_t unusable(const struct tc_summary *s)
{
	uint64_t n = 0;
	for (unsigned i = 0; i < TC_DROP__N; i++) {
		n += s->capture.drops[i];
	}
	return n;
}

static void print_drops(const struct tc_summary *s, FILE *to)
{
	for (unsigned i = 0; i < TC_DROP__N; i++) {
		if (s->capture.drops[i] > 0) {
			fprintf(to, "    %llu %s\n", count(s->capture.drops[i]),
				tc_drop_text((enum tc_drop)i));
		}
	}
}

void tc_summary_text(const struct tc_summary *s, FILE *to)
{
	const struct tc_relay_stats *r = &s->relay;
	const struct tc_channel_server_stats *c = &s->channel;
	fprintf(to, "intercept: %.1f s\n", (double)s->elapsed / (double)TC_SEC);
	fprintf(to, "  captured: %llu frames, %llu lost by the kernel, %llu of no use\n",
		count(s->capture.pkts), count(s->capture.kernel_drops), count(unusable(s)));
	print_drops(s, to);
	fprintf(to,
		"  answers: %llu reports, %llu packets merged into them, %llu of copied "
		"connections "
		"now\n",
		count(r->reported), count(r->merged), count(r->flows));
	fprintf(to,
		"  unknown: %llu offered, %llu above the rate, %llu of no copied connection, %llu "
		"let pass (-x)\n",
		count(r->offered), count(r->limited), count(r->stray), count(s->passed));
	if (r->queue_full > 0) {
		fprintf(to, "  dropped: %llu reports, a tcpcopy did not read them: see --queue\n",
			count(r->queue_full));
	}
	if (r->flows_full > 0) {
		fprintf(to, "  dropped: %llu connections, the table was full: see --flows\n",
			count(r->flows_full));
	}
	fprintf(to,
		"  channel: %u tcpcopies now, %llu welcomed, %llu refused, %llu connections "
		"without "
		"a hello, %llu turned away\n",
		c->up, count(c->welcomed), count(c->refused), count(c->strangers_ended),
		count(c->turned_away));
	if (c->malformed > 0 || s->ignored > 0) {
		fprintf(to, "  misbehaved: %llu tcpcopies, %llu announcements without a key\n",
			count(c->malformed), count(s->ignored));
	}
	if (r->foreign > 0) {
		fprintf(to,
			"  without effect: %llu announcements or disownments of connections of "
			"another tcpcopy\n",
			count(r->foreign));
	}
}

static json_t *capture_json(const struct tc_summary *s)
{
	json_t *drops = json_object();
	for (unsigned i = 0; i < TC_DROP__N; i++) {
		if (s->capture.drops[i] > 0) {
			json_object_set_new(drops, tc_drop_name((enum tc_drop)i),
					    json_integer((json_int_t)s->capture.drops[i]));
		}
	}
	return json_pack("{s:I,s:I,s:I,s:I,s:o}", "frames", (json_int_t)s->capture.pkts, "bytes",
			 (json_int_t)s->capture.bytes, "kernel_drops",
			 (json_int_t)s->capture.kernel_drops, "wakeups",
			 (json_int_t)s->capture.wakeups, "unusable", drops);
}

static json_t *relay_json(const struct tc_summary *s)
{
	const struct tc_relay_stats *r = &s->relay;
	return json_pack("{s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I}", "packets",
			 (json_int_t)r->pkts, "reported", (json_int_t)r->reported, "merged",
			 (json_int_t)r->merged, "offered", (json_int_t)r->offered, "limited",
			 (json_int_t)r->limited, "stray", (json_int_t)r->stray, "passed",
			 (json_int_t)s->passed, "queue_full", (json_int_t)r->queue_full,
			 "flows_full", (json_int_t)r->flows_full, "foreign", (json_int_t)r->foreign,
			 "flows", (json_int_t)r->flows);
}

static json_t *channel_json(const struct tc_summary *s)
{
	const struct tc_channel_server_stats *c = &s->channel;
	return json_pack("{s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I}", "up", (json_int_t)c->up, "welcomed",
			 (json_int_t)c->welcomed, "refused", (json_int_t)c->refused, "accepted",
			 (json_int_t)c->accepted, "turned_away", (json_int_t)c->turned_away,
			 "strangers_ended", (json_int_t)c->strangers_ended, "malformed",
			 (json_int_t)c->malformed, "announcements_ignored", (json_int_t)s->ignored);
}

int tc_summary_json(const struct tc_summary *s, FILE *to)
{
	json_t *all = json_pack("{s:s,s:s,s:f,s:I,s:o,s:o,s:o}", "program", "intercept", "version",
				TC_VERSION, "seconds", (double)s->elapsed / (double)TC_SEC, "turns",
				(json_int_t)s->turns, "capture", capture_json(s), "relay",
				relay_json(s), "channel", channel_json(s));
	if (all == NULL) {
		return -EIO;
	}
	int bad = json_dumpf(all, to, JSON_COMPACT | JSON_REAL_PRECISION(9)) < 0 ||
		  fputc('\n', to) == EOF || fflush(to) == EOF;
	json_decref(all);
	return bad ? -EIO : 0;
}
