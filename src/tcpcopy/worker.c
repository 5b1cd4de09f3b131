/* SPDX-License-Identifier: BSD-2-Clause
 * tcpcopy/worker.c - an engine with what is around it
 */
#include "tcpcopy/worker.h"

#include "base/log.h"
#include "capture/file.h"
#include "cli/daemon.h"
#include "core/constants.h"
#include "engine/engine.h"
#include "report/report.h"
#include "tcpcopy/checks.h"
#include "wire/share.h"
#include "cli/exit.h"

#include <errno.h>
#include <event2/event.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#define TEXT_MAX 320
/* How long a stop may take beyond --overlap: the last words of a session are an RST, there is nothing to wait for after it. */
#define STOP_EXTRA (2 * TC_SEC)

enum { SIG_STOP_TERM, SIG_STOP_INT, SIG_REPORT, SIG_REOPEN, SIGS };

struct worker_channel {
	char text[TEXT_MAX]; /* what was last said of it */
};

struct tc_worker {
	const struct tc_plan *plan;
	const struct tc_drivers *drivers;
	const struct tc_clock *clock;
	const char *log_path;
	struct tc_log *log;
	struct event_base *base;
	struct tc_engine *engine;
	struct event *signals[SIGS];
	struct event *tick;
	tc_time begin;
	bool stopping;
	bool terminal; /* the line each second is written over itself */
	bool progress;
	bool shedding;
	struct tc_report last; /* of the last tick */
	struct tc_checks checks;
	unsigned n_channels;
	struct worker_channel *channels;
	const char **channel_texts; /* what a report shows */
};

static tc_time clock_now(const struct tc_worker *w)
{
	return w->clock->now(w->clock->ctx);
}

static void fill_report(struct tc_worker *w, bool final, struct tc_report *ret)
{
	const struct tc_drivers *d = w->drivers;
	*ret = (struct tc_report){ .version = TC_VERSION,
				   .elapsed = clock_now(w) - w->begin,
				   .offline = w->plan->offline,
				   .final = final };
	struct tc_engine_stats loop;
	tc_engine_stats(w->engine, &loop);
	ret->loop_turns = loop.turns;
	ret->loop_full = loop.full_turns;
	ret->announcements_lost = loop.announce_full;
	ret->online_pkts = loop.online;
	ret->limits = (struct tc_report_limits){
		.out_bits = loop.out_bits,
		.out_waits = loop.out_waits,
		.out_waited = loop.out_waited,
		.out_delayed = loop.out_delayed,
		.kept = loop.share,
		.kept_least = loop.share_lowest,
		.reductions = loop.share_reductions,
		.not_in_kernel = loop.share_errors,
	};
	ret->stray = (struct tc_report_stray){
		.ip = loop.stray.ip,
		.port = loop.stray.port,
		.syns = loop.stray.syns,
	};
	tc_core_ledger(tc_engine_core(w->engine), &ret->ledger);
	d->capture->ops->stats(d->capture, &ret->capture);
	d->deliver->ops->stats(d->deliver, &ret->deliver);
	d->answers->ops->stats(d->answers, &ret->answers);
	for (unsigned i = 0; i < w->n_channels; i++) {
		w->channel_texts[i] = d->answers->ops->text(d->answers, i);
	}
	ret->channels = w->channel_texts;
	ret->n_channels = w->n_channels;
}

static void clear_line(struct tc_worker *w)
{
	static const char clear[] = "\r\033[K";
	if (w->terminal) {
		tc_log_text(w->log, clear, sizeof clear - 1);
	}
}

/* A channel that goes up and down is told at most once a second, when its state is another one. */
static void tell_channels(struct tc_worker *w)
{
	struct tc_answers *a = w->drivers->answers;
	for (unsigned i = 0; i < w->n_channels; i++) {
		const char *text = a->ops->text(a, i);
		if (strcmp(text, w->channels[i].text) != 0) {
			clear_line(w);
			tc_log(w->log, TC_LOG_INFO, "%s", text);
			snprintf(w->channels[i].text, sizeof w->channels[i].text, "%s", text);
		}
	}
}

static void tell_findings(struct tc_worker *w, const struct tc_report *now)
{
	char text[TC_CHECK_TEXT_MAX];
	while (tc_checks_next(&w->checks, now, text)) {
		clear_line(w);
		tc_log(w->log, TC_LOG_WARNING, "%s", text);
	}
}

/* Said when it begins and when it is over; in between the reports have the share. */
static void tell_shedding(struct tc_worker *w, const struct tc_report *now)
{
	bool shedding = now->limits.kept < TC_SHARE_ALL;
	if (shedding == w->shedding) {
		return;
	}
	w->shedding = shedding;
	clear_line(w);
	if (shedding) {
		tc_log(w->log, TC_LOG_WARNING,
		       "captured packets come faster than they are read: whole sessions are shed, "
		       "%u "
		       "%% of the clients are kept",
		       now->limits.kept * 100 / TC_SHARE_ALL);
	} else {
		tc_log(w->log, TC_LOG_INFO, "all clients are copied again");
	}
}

static void on_tick(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	struct tc_worker *w = arg;
	struct tc_report now;
	char line[TC_REPORT_LINE_MAX];
	tell_channels(w);
	fill_report(w, false, &now);
	tell_findings(w, &now);
	tell_shedding(w, &now);
	if (!w->progress) {
		return;
	}
	tc_report_line(&now, &w->last, line);
	if (w->terminal) {
		clear_line(w);
		tc_log_text(w->log, line, strlen(line));
	} else {
		tc_log(w->log, TC_LOG_INFO, "%s", line);
	}
	w->last = now;
}

static void on_stop(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	struct tc_worker *w = arg;
	if (w->stopping) {
		tc_engine_break(w->engine);
		return;
	}
	w->stopping = true;
	clear_line(w);
	tc_log(w->log, TC_LOG_INFO, "stopping; a second signal ends at once");
	tc_engine_stop(w->engine);
}

static void on_report(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	struct tc_worker *w = arg;
	struct tc_report r;
	char *text = NULL;
	size_t n = 0;
	FILE *to = open_memstream(&text, &n);
	if (to == NULL) {
		return;
	}
	fill_report(w, false, &r);
	tc_report_text(&r, to);
	if (fclose(to) == 0) {
		clear_line(w);
		tc_log_text(w->log, text, n);
	}
	free(text);
}

static void on_reopen(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	struct tc_worker *w = arg;
	char error[TC_DAEMON_ERROR_MAX];
	if (w->log_path != NULL && tc_log_file_open(w->log_path, error) < 0) {
		tc_log(w->log, TC_LOG_ERROR, "%s", error);
	}
}

static void on_session(void *ctx, const struct tc_out_session *s)
{
	struct tc_worker *w = ctx;
	char client[TC_IP_TEXT_MAX];
	char target[TC_IP_TEXT_MAX];
	clear_line(w);
	tc_ip_format(&s->online.client, client, sizeof client);
	tc_ip_format(&s->target.server, target, sizeof target);
	tc_log(w->log, TC_LOG_DEBUG,
	       "session client=%s client_port=%u target=%s target_port=%u state=%s turns=%u "
	       "delivered=%llu lost=%llu",
	       client, s->online.client_port, target, s->target.server_port, tc_end_name(s->end),
	       s->turns, (unsigned long long)s->delivered, (unsigned long long)s->lost);
}

/* libevent's own messages tell nothing that a return value does not. */
static void no_log(int severity, const char *text)
{
	(void)severity;
	(void)text;
}

static int new_base(struct tc_worker *w)
{
	struct event_config *config = event_config_new();
	if (config == NULL) {
		return -ENOMEM;
	}
	event_set_log_callback(no_log);
	event_config_set_flag(config, EVENT_BASE_FLAG_PRECISE_TIMER);
	w->base = event_base_new_with_config(config);
	event_config_free(config);
	return w->base != NULL ? 0 : -ENOMEM;
}

static int new_engine(struct tc_worker *w)
{
	struct tc_engine_config cfg = {
		.base = w->base,
		.core = &w->plan->core,
		.capture = w->drivers->capture,
		.deliver = w->drivers->deliver,
		.answers = w->drivers->answers,
		.clock = w->clock,
		.online = tc_plan_needs_online(w->plan),
		.max_out = (uint64_t)w->plan->opt->max_out_bits,
		.ramp = w->plan->ramp,
		.localhost = w->plan->localhost,
		.offline = w->plan->offline,
		.stop_limit = tc_time_max(w->plan->core.overlap, TC_DRAIN_MAX) + STOP_EXTRA,
		.on_session = on_session,
		.on_session_ctx = w,
	};
	return tc_engine_new(&cfg, &w->engine);
}

static int new_events(struct tc_worker *w)
{
	static const struct {
		int number;
		event_callback_fn fn;
	} signals[SIGS] = {
		[SIG_STOP_TERM] = { SIGTERM, on_stop },
		[SIG_STOP_INT] = { SIGINT, on_stop },
		[SIG_REPORT] = { SIGUSR1, on_report },
		[SIG_REOPEN] = { SIGHUP, on_reopen },
	};
	for (unsigned i = 0; i < SIGS; i++) {
		w->signals[i] = evsignal_new(w->base, signals[i].number, signals[i].fn, w);
		if (w->signals[i] == NULL || event_add(w->signals[i], NULL) < 0) {
			return -ENOMEM;
		}
	}
	struct timeval second = { .tv_sec = 1 };
	w->tick = event_new(w->base, -1, EV_PERSIST, on_tick, w);
	return w->tick != NULL && event_add(w->tick, &second) == 0 ? 0 : -ENOMEM;
}

static int new_channels(struct tc_worker *w)
{
	struct tc_answers_stats stats;
	w->drivers->answers->ops->stats(w->drivers->answers, &stats);
	w->n_channels = stats.configured;
	w->channels = calloc(w->n_channels + 1, sizeof *w->channels);
	w->channel_texts = calloc(w->n_channels + 1, sizeof *w->channel_texts);
	return w->channels != NULL && w->channel_texts != NULL ? 0 : -ENOMEM;
}

int tc_worker_new(const struct tc_plan *plan, const struct tc_drivers *drivers,
		  const struct tc_clock *clock, struct tc_log *log, const char *log_path,
		  struct tc_worker **ret, char *ret_error)
{
	struct tc_worker *w = calloc(1, sizeof *w);
	if (w == NULL) {
		return tc_driver_error(ret_error, -ENOMEM, "cannot start");
	}
	*w = (struct tc_worker){
		.plan = plan,
		.drivers = drivers,
		.clock = clock,
		.log = log,
		.log_path = log_path,
		.checks = { .plan = plan },
	};
	int rc = new_channels(w);
	if (rc == 0) {
		rc = new_base(w);
	}
	if (rc == 0) {
		rc = new_engine(w);
	}
	if (rc == 0) {
		rc = new_events(w);
	}
	if (rc < 0) {
		tc_worker_free(w);
		return tc_driver_error(ret_error, rc, "cannot start");
	}
	tell_channels(w);
	*ret = w;
	return 0;
}

void tc_worker_free(struct tc_worker *w)
{
	if (w == NULL) {
		return;
	}
	for (unsigned i = 0; i < SIGS; i++) {
		if (w->signals[i] != NULL) {
			event_free(w->signals[i]);
		}
	}
	if (w->tick != NULL) {
		event_free(w->tick);
	}
	tc_engine_free(w->engine);
	if (w->base != NULL) {
		event_base_free(w->base);
	}
	free(w->channels);
	free(w->channel_texts);
	free(w);
}

/* Return: the exit status that the report alone would give. */
static int final_report(struct tc_worker *w)
{
	struct tc_report r;
	fill_report(w, true, &r);
	clear_line(w);
	tc_report_text(&r, stderr);
	tc_report_hints(&r, "tcpcopy: ", stderr);
	const char *damage = w->plan->offline ? tc_capture_file_damage(w->drivers->capture) : NULL;
	if (damage != NULL) {
		tc_log(w->log, TC_LOG_WARNING, "%s", damage);
	}
	int status = tc_ledger_balance(&r.ledger) == NULL ? TC_EXIT_DONE : TC_EXIT_FAILED;
	if (w->plan->opt->json) {
		int rc = tc_report_json(&r, stdout);
		if (rc < 0) {
			tc_log(w->log, TC_LOG_ERROR, "cannot write the report as JSON: %s",
			       strerror(-rc));
			status = TC_EXIT_FAILED;
		}
	}
	return status;
}

int tc_worker_run(struct tc_worker *w)
{
	signal(SIGPIPE, SIG_IGN);
	w->begin = clock_now(w);
	w->terminal = isatty(STDERR_FILENO);
	w->progress = w->terminal || w->plan->opt->progress;
	int rc = tc_engine_run(w->engine);
	if (rc == -ETIMEDOUT) {
		tc_log(w->log, TC_LOG_WARNING, "sessions could not be ended in time live=%u",
		       tc_core_live(tc_engine_core(w->engine)));
	} else if (rc < 0) {
		tc_log(w->log, TC_LOG_ERROR, "the event loop failed: %s", strerror(-rc));
	}
	int status = final_report(w);
	return rc == -EIO ? TC_EXIT_FAILED : status;
}
