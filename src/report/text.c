/* SPDX-License-Identifier: BSD-2-Clause
 * report/text.c - the summary for people
 *
 * One subject a line; what is zero and would only be noise is left out, what must never be overlooked (losses of the kernel, books
 * that do not balance) is always there.
 */
#include "report/figures.h"
#include "report/report.h"

#include <inttypes.h>

/* "  lost       " */
#define HEAD "  %-10s "

static const char *plural(uint64_t n)
{
	return n == 1 ? "" : "s";
}

static void first_line(const struct tc_report *r, FILE *to)
{
	const struct tc_ledger *l = &r->ledger;
	char fidelity[TC_FIDELITY_TEXT_MAX];
	uint64_t complete = l->complete + l->live_complete;
	if (tc_figure_due(r) == 0) {
		fprintf(to, "nothing %s to be copied (sessions %" PRIu64 "/%" PRIu64 " complete)\n",
			r->final ? "was" : "had", complete, l->opened);
		return;
	}
	fprintf(to, "fidelity %s of client bytes%s (sessions %" PRIu64 "/%" PRIu64 " complete)\n",
		tc_fidelity_format(l->delivered, tc_figure_due(r), fidelity),
		r->final ? "" : " so far", complete, l->opened);
}

static void bytes(const struct tc_ledger *l, FILE *to)
{
	fprintf(to,
		HEAD "%" PRIu64 " to be copied: %" PRIu64 " delivered, %" PRIu64 " lost, %" PRIu64
		     " held\n",
		"bytes", l->to_copy, l->delivered, tc_figure_sum(l->lost, TC_END__N), l->held);
	const char *head = "lost";
	for (unsigned e = 0; e < TC_END__N; e++) {
		if (l->lost[e] > 0) {
			fprintf(to, HEAD "%" PRIu64 " byte%s, %" PRIu64 " session%s: %s\n", head,
				l->lost[e], plural(l->lost[e]), l->ended[e], plural(l->ended[e]),
				tc_end_text((enum tc_end)e));
			head = "";
		}
	}
}

static void sessions(const struct tc_ledger *l, FILE *to)
{
	fprintf(to, HEAD "%" PRIu64 " opened, %" PRIu64 " live", "sessions", l->opened, l->live);
	for (unsigned e = 0; e < TC_END__N; e++) {
		if (l->ended[e] > 0) {
			fprintf(to, ", %" PRIu64 " %s", l->ended[e], tc_end_text((enum tc_end)e));
		}
	}
	fputc('\n', to);
	if (l->joined > 0) {
		fprintf(to,
			HEAD "%" PRIu64 " in the middle; %" PRIu64
			     " byte%s before that not copied\n",
			"joined", l->joined, l->joined_skipped, plural(l->joined_skipped));
	}
	if (l->reopened > 0) {
		fprintf(to,
			HEAD "%" PRIu64
			     " anew, because the target closed earlier than its client\n",
			"reopened", l->reopened);
	}
	if (l->holes > 0) {
		fprintf(to, HEAD "%" PRIu64 " in what the capture saw of clients\n", "holes",
			l->holes);
	}
}

static void turns(const struct tc_ledger *l, FILE *to)
{
	char median[TC_FIGURE_MAX];
	char p99[TC_FIGURE_MAX];
	fprintf(to, HEAD "%" PRIu64, "turns", l->turns);
	if (l->turns > 0) {
		fprintf(to, ", lag below %s median, %s p99",
			tc_figure_ms(tc_ledger_lag_percentile(l, 500), median),
			tc_figure_ms(tc_ledger_lag_percentile(l, 990), p99));
	}
	if (l->turns_by_limit > 0) {
		fprintf(to, "; %" PRIu64 " did not wait for a late answer", l->turns_by_limit);
	}
	if (l->sessions_timed > 0) {
		fprintf(to, "; %" PRIu64 " session%s went on by time alone", l->sessions_timed,
			plural(l->sessions_timed));
	}
	fputc('\n', to);
}

static void drops(const uint64_t *counts, FILE *to)
{
	const char *before = ": ";
	for (unsigned d = 0; d < TC_DROP__N; d++) {
		if (counts[d] > 0) {
			fprintf(to, "%s%" PRIu64 " %s", before, counts[d],
				tc_drop_text((enum tc_drop)d));
			before = ", ";
		}
	}
	fputc('\n', to);
}

static void packets(const struct tc_report *r, FILE *to)
{
	const struct tc_ledger *l = &r->ledger;
	const struct tc_capture_stats *c = &r->capture;
	fprintf(to, HEAD "%" PRIu64 " frames read, %" PRIu64 " dropped by the kernel", "capture",
		c->pkts, c->kernel_drops);
	if (c->time_steps > 0) {
		fprintf(to, ", %" PRIu64 " step%s of the clock", c->time_steps,
			plural(c->time_steps));
	}
	if (c->devices_down > 0) {
		fprintf(to, ", %" PRIu32 " device%s down", c->devices_down,
			plural(c->devices_down));
	}
	fprintf(to, ", %" PRIu64 " not usable", tc_figure_sum(c->drops, TC_DROP__N));
	drops(c->drops, to);
	fprintf(to, HEAD "%" PRIu64 " seen, %" PRIu64 " used", "packets", l->seen, l->used);
	if (l->syns_held > 0) {
		fprintf(to, ", %" PRIu64 " SYN%s waiting", l->syns_held, plural(l->syns_held));
	}
	fprintf(to, ", %" PRIu64 " not", tc_figure_sum(l->drops, TC_DROP__N));
	drops(l->drops, to);
}

static void sent(const struct tc_report *r, FILE *to)
{
	const struct tc_ledger *l = &r->ledger;
	const struct tc_deliver_stats *d = &r->deliver;
	fprintf(to,
		HEAD "%" PRIu64 " packets (%" PRIu64 " bytes) of %" PRIu64 " segments, %" PRIu64
		     " sent again, %" PRIu64 " not sent\n",
		"sent", d->pkts, d->bytes, l->segments, l->retransmits, d->errors);
	if (d->no_neighbor > 0) {
		fprintf(to, HEAD "%" PRIu64 " had to wait for the next hop's MAC address\n", "",
			d->no_neighbor);
	}
	fprintf(to, HEAD "%" PRIu64 " used, %" PRIu64 " not", "answers",
		l->answers - tc_figure_sum(l->answer_drops, TC_DROP__N),
		tc_figure_sum(l->answer_drops, TC_DROP__N));
	drops(l->answer_drops, to);
}

static void limits(const struct tc_report *r, FILE *to)
{
	const struct tc_report_limits *l = &r->limits;
	char waited[TC_FIGURE_MAX];
	if (l->out_waits > 0) {
		fprintf(to,
			HEAD "%" PRIu64 " segment%s waited %s in all for --max-out (%" PRIu64
			     ".%" PRIu64 " Mbit/s)\n",
			"limits", l->out_delayed, plural(l->out_delayed),
			tc_figure_ms((uint64_t)(l->out_waited / TC_US), waited),
			l->out_bits / 1000000, l->out_bits % 1000000 / 100000);
	}
	if (l->reductions > 0) {
		fprintf(to,
			HEAD "%.1f %% of the clients are copied now, %.1f %% at the least: the "
			     "capture was too far behind %" PRIu64 " time%s\n",
			"shed", tc_figure_kept(l->kept), tc_figure_kept(l->kept_least),
			l->reductions, plural(l->reductions));
	}
}

static void channels(const struct tc_report *r, FILE *to)
{
	const struct tc_answers_stats *a = &r->answers;
	if (r->n_channels == 0) {
		return;
	}
	fprintf(to,
		HEAD "%" PRIu32 " of %" PRIu32 " up; lost %" PRIu64
		     " time%s; intercept read %" PRIu64 " frames, its kernel dropped %" PRIu64 "\n",
		"channel", a->up, a->configured, a->disconnects, plural(a->disconnects),
		a->peer_pkts, a->peer_drops);
	for (unsigned i = 0; i < r->n_channels; i++) {
		fprintf(to, HEAD "%s\n", "", r->channels[i]);
	}
}

static void books(const struct tc_ledger *l, FILE *to)
{
	const char *wrong = tc_ledger_balance(l);
	if (wrong != NULL) {
		fprintf(to, HEAD "DO NOT BALANCE: the sum of %s; please report this as a bug\n",
			"books", wrong);
	} else {
		fprintf(to, HEAD "balance\n", "books");
	}
	if (l->bugs > 0) {
		fprintf(to, HEAD "%" PRIu64 ", the first at %s; please report this\n", "bugs",
			l->bugs, l->bug_at != NULL ? l->bug_at : "?");
	}
}

void tc_report_text(const struct tc_report *r, FILE *to)
{
	first_line(r, to);
	bytes(&r->ledger, to);
	sessions(&r->ledger, to);
	turns(&r->ledger, to);
	packets(r, to);
	sent(r, to);
	limits(r, to);
	channels(r, to);
	books(&r->ledger, to);
}
