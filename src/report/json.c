/* SPDX-License-Identifier: BSD-2-Clause
 * report/json.c - the books as one JSON object
 *
 * Names are stable: drops and ends have those of wire/drop.h. A table of losses holds what is not zero.
 */
#include "report/figures.h"
#include "report/report.h"

#include <errno.h>
#include <jansson.h>

struct field {
	const char *name;
	uint64_t value;
};

#define FIELDS(...)                                                                                \
	(const struct field[])                                                                     \
	{                                                                                          \
		__VA_ARGS__,                                                                       \
		{                                                                                  \
			NULL, 0                                                                    \
		}                                                                                  \
	}

/* @o with one more member, or NULL when memory is short: then @o and @value are gone. NULL goes in, NULL comes out. */
static json_t *with(json_t *o, const char *name, json_t *value)
{
	if (json_object_set_new(o, name, value) < 0) {
		json_decref(o);
		return NULL;
	}
	return o;
}

static json_t *number(uint64_t v)
{
	return json_integer((json_int_t)v);
}

static json_t *numbers(const struct field *fields)
{
	json_t *o = json_object();
	for (; fields->name != NULL; fields++) {
		o = with(o, fields->name, number(fields->value));
	}
	return o;
}

static json_t *by_drop(const uint64_t *counts)
{
	json_t *o = json_object();
	for (unsigned d = 0; d < TC_DROP__N; d++) {
		if (counts[d] > 0) {
			o = with(o, tc_drop_name((enum tc_drop)d), number(counts[d]));
		}
	}
	return o;
}

static json_t *by_end(const uint64_t *counts)
{
	json_t *o = json_object();
	for (unsigned e = 0; e < TC_END__N; e++) {
		if (counts[e] > 0) {
			o = with(o, tc_end_name((enum tc_end)e), number(counts[e]));
		}
	}
	return o;
}

static json_t *fidelity(const struct tc_report *r)
{
	char text[TC_FIDELITY_TEXT_MAX];
	if (tc_figure_due(r) == 0) {
		return json_null();
	}
	double percent = 0;
	tc_fidelity_format(r->ledger.delivered, tc_figure_due(r), text);
	sscanf(text, "%lf", &percent);
	return json_real(percent);
}

static json_t *bytes(const struct tc_ledger *l)
{
	json_t *o = numbers(FIELDS({ "to_copy", l->to_copy }, { "delivered", l->delivered },
				   { "held", l->held },
				   { "skipped_before_joining", l->joined_skipped }));
	return with(o, "lost", by_end(l->lost));
}

static json_t *sessions(const struct tc_ledger *l)
{
	json_t *o = numbers(FIELDS({ "opened", l->opened }, { "live", l->live },
				   { "complete", l->complete + l->live_complete },
				   { "joined", l->joined }, { "reopened", l->reopened },
				   { "timed", l->sessions_timed }, { "holes", l->holes }));
	return with(o, "ended", by_end(l->ended));
}

static json_t *turns(const struct tc_ledger *l)
{
	return numbers(FIELDS({ "spoken", l->turns }, { "by_limit", l->turns_by_limit },
			      { "lag_median_us", tc_ledger_lag_percentile(l, 500) },
			      { "lag_p99_us", tc_ledger_lag_percentile(l, 990) }));
}

static json_t *packets(const struct tc_ledger *l)
{
	json_t *o = numbers(
		FIELDS({ "seen", l->seen }, { "used", l->used }, { "syns_held", l->syns_held }));
	return with(o, "drops", by_drop(l->drops));
}

static json_t *capture(const struct tc_capture_stats *c)
{
	json_t *o = numbers(FIELDS({ "frames", c->pkts }, { "bytes", c->bytes },
				   { "kernel_drops", c->kernel_drops }, { "wakeups", c->wakeups },
				   { "time_steps", c->time_steps },
				   { "devices_down", c->devices_down }));
	return with(o, "drops", by_drop(c->drops));
}

static json_t *deliver(const struct tc_report *r)
{
	const struct tc_deliver_stats *d = &r->deliver;
	const struct tc_ledger *l = &r->ledger;
	return numbers(FIELDS({ "segments", l->segments }, { "packets", d->pkts },
			      { "bytes", d->bytes }, { "calls", d->calls }, { "errors", d->errors },
			      { "no_neighbor", d->no_neighbor }, { "retransmits", l->retransmits },
			      { "rtos", l->rtos }, { "fast_retransmits", l->fast_retransmits },
			      { "zero_window_probes", l->zero_window_probes },
			      { "resets", l->resets_sent }));
}

static json_t *answers(const struct tc_report *r)
{
	const struct tc_answers_stats *a = &r->answers;
	json_t *o = numbers(FIELDS(
		{ "channels", a->configured }, { "up", a->up }, { "connects", a->connects },
		{ "disconnects", a->disconnects }, { "refused", a->refused },
		{ "malformed", a->malformed }, { "reports", a->answers }, { "merged", a->merged },
		{ "batches", a->batches }, { "intercept_frames", a->peer_pkts },
		{ "intercept_kernel_drops", a->peer_drops }, { "intercept_stray", a->peer_stray }));
	return with(o, "drops", by_drop(r->ledger.answer_drops));
}

static json_t *loop(const struct tc_report *r)
{
	return numbers(FIELDS({ "turns", r->loop_turns }, { "full", r->loop_full },
			      { "announcements_lost", r->announcements_lost }));
}

static json_t *limits(const struct tc_report *r)
{
	const struct tc_report_limits *l = &r->limits;
	json_t *o =
		numbers(FIELDS({ "out_bits", l->out_bits }, { "out_waits", l->out_waits },
			       { "out_waited_us", (uint64_t)(l->out_waited / TC_US) },
			       { "out_delayed", l->out_delayed }, { "reductions", l->reductions },
			       { "not_in_kernel", l->not_in_kernel }));
	o = with(o, "kept_percent", json_real(tc_figure_kept(l->kept)));
	return with(o, "kept_percent_least", json_real(tc_figure_kept(l->kept_least)));
}

static json_t *balance(const struct tc_ledger *l)
{
	const char *wrong = tc_ledger_balance(l);
	return wrong == NULL ? json_true() : json_string(wrong);
}

int tc_report_json(const struct tc_report *r, FILE *to)
{
	const struct tc_ledger *l = &r->ledger;
	json_t *o = with(json_object(), "version", json_string(r->version));
	o = with(o, "final", json_boolean(r->final));
	o = with(o, "elapsed_ms", json_integer(r->elapsed / TC_MS));
	o = with(o, "fidelity_percent", fidelity(r));
	o = with(o, "bytes", bytes(l));
	o = with(o, "sessions", sessions(l));
	o = with(o, "turns", turns(l));
	o = with(o, "packets", packets(l));
	o = with(o, "capture", capture(&r->capture));
	o = with(o, "deliver", deliver(r));
	o = with(o, "answers", answers(r));
	o = with(o, "limits", limits(r));
	o = with(o, "loop", loop(r));
	o = with(o, "bugs", number(l->bugs));
	o = with(o, "balance", balance(l));
	if (o == NULL) {
		return -ENOMEM;
	}
	/* six digits: 99.98, not 99.980000000000004 */
	bool written = json_dumpf(o, to, JSON_COMPACT | JSON_REAL_PRECISION(6)) == 0 &&
		       fputc('\n', to) != EOF && fflush(to) == 0;
	json_decref(o);
	return written ? 0 : -EIO;
}
