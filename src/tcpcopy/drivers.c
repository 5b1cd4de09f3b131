/* SPDX-License-Identifier: BSD-2-Clause
 * tcpcopy/drivers.c - the drivers that a plan asks for
 */
#include "tcpcopy/drivers.h"

#include "answer/client.h"
#include "capture/file.h"
#include "capture/raw.h"
#include "capture/ring.h"
#include "deliver/packet.h"
#include "deliver/raw.h"

#include <errno.h>
#include <poll.h>
#include <sys/random.h>

/* What a channel gets to come up before we go on without it. */
#define CONNECT_LIMIT (500 * TC_MS)

static int new_answers(const struct tc_plan *plan, struct tc_answers **ret, char *error)
{
	struct tc_channel_target intercepts[TC_HOSTS_MAX];
	for (uint32_t i = 0; i < plan->n_hosts; i++) {
		intercepts[i] = (struct tc_channel_target){ .ip = plan->hosts[i].ip,
							    .port = plan->hosts[i].port };
	}
	struct tc_channel_hello hello = { .mark_key = plan->core.mark_key,
					  .n_targets = plan->n_targets,
					  .software = "tcpcopy " TC_VERSION };
	memcpy(hello.targets, plan->targets, sizeof hello.targets);
	if (getrandom(&hello.instance, sizeof hello.instance, 0) != sizeof hello.instance) {
		return tc_driver_error(error, -EIO, "no random numbers from the kernel");
	}
	struct tc_key key;
	struct tc_answers_client_config cfg = { .intercepts = intercepts,
						.n_intercepts = plan->n_hosts,
						.hello = &hello };
	if (plan->opt->key != NULL) {
		int rc = tc_key_read(plan->opt->key, &key, error);
		if (rc < 0) {
			return rc;
		}
		cfg.key = &key;
	}
	int rc = tc_answers_client_new(&cfg, ret, error);
	if (cfg.key != NULL) {
		tc_key_fini(&key);
	}
	return rc;
}

static int new_deliver(const struct tc_plan *plan, tc_time now, struct tc_deliver **ret,
		       char *error)
{
	if (plan->opt->deliver == TC_DELIVER_RAW) {
		struct tc_deliver_raw_config cfg = { .maps = plan->maps,
						     .n_maps = plan->n_maps,
						     .device = plan->opt->out,
						     .allow_conntrack =
							     plan->opt->allow_conntrack };
		return tc_deliver_raw_new(&cfg, now, ret, error);
	}
	struct tc_deliver_packet_config cfg = { .maps = plan->maps,
						.n_maps = plan->n_maps,
						.device = plan->opt->out };
	return tc_deliver_packet_new(&cfg, now, ret, error);
}

static int new_file(const struct tc_plan *plan, struct tc_capture **ret, char *error)
{
	const struct tc_run_options *opt = plan->opt;
	struct tc_capture_file_config cfg = {
		.paths = plan->inputs,
		.n_paths = plan->n_inputs,
		.filter = plan->filter,
		.speed_permille = (uint32_t)opt->speed_permille,
		.gap_limit = opt->max_gap_ns > 0 ? opt->max_gap_ns : TC_TIME_NEVER,
		.passes = (unsigned)opt->passes,
	};
	return tc_capture_file_new(&cfg, ret, error);
}

static int new_capture(const struct tc_plan *plan, const struct tc_clock *clock,
		       struct tc_capture **ret, char *error)
{
	const struct tc_run_options *opt = plan->opt;
	if (plan->offline) {
		return new_file(plan, ret, error);
	}
	if (opt->capture == TC_CAPTURE_RAW) {
		struct tc_capture_raw_config cfg = { .filter = plan->filter };
		return tc_capture_raw_new(&cfg, ret, error);
	}
	struct tc_capture_ring_config cfg = {
		.devices = plan->inputs,
		.n_devices = plan->n_inputs,
		.filter = plan->filter,
		.own_filter = plan->own_filter,
		.snap = (uint32_t)opt->snaplen,
		.bytes = plan->ring_bytes,
		.timeout_ms = (unsigned)((opt->latency_ns + TC_MS - 1) / TC_MS),
		.outgoing = tc_plan_needs_online(plan),
		.promiscuous = opt->promiscuous,
		.clock = clock,
	};
	return tc_capture_ring_new(&cfg, ret, error);
}

void tc_drivers_fini(struct tc_drivers *d)
{
	if (d->capture != NULL) {
		d->capture->ops->free(d->capture);
	}
	if (d->deliver != NULL) {
		d->deliver->ops->free(d->deliver);
	}
	if (d->answers != NULL) {
		d->answers->ops->free(d->answers);
	}
	*d = (struct tc_drivers){ 0 };
}

/* One look at all channels; returns how long to wait for more, in ms. */
static int look(struct tc_answers *a, unsigned n, struct pollfd *fds, tc_time now, tc_time end)
{
	tc_time until = end;
	for (unsigned i = 0; i < n; i++) {
		struct tc_wait wait;
		a->ops->on_ready(a, i, now);
		a->ops->wait(a, i, &wait);
		short events = (short)((wait.read ? POLLIN : 0) | (wait.write ? POLLOUT : 0));
		fds[i] = (struct pollfd){ .fd = wait.fd, .events = events };
		until = tc_time_min(until, wait.deadline);
	}
	return until <= now ? 1 : (int)((until - now) / TC_MS) + 1;
}

static void connect_channels(const struct tc_drivers *d, const struct tc_clock *clock)
{
	struct tc_answers *a = d->answers;
	struct tc_answers_stats stats;
	struct pollfd fds[TC_HOSTS_MAX];
	tc_time end = clock->now(clock->ctx) + CONNECT_LIMIT;
	for (;;) {
		a->ops->stats(a, &stats);
		tc_time now = clock->now(clock->ctx);
		if (stats.up == stats.configured || now >= end) {
			return;
		}
		int wait_ms = look(a, stats.configured, fds, now, end);
		if (poll(fds, stats.configured, wait_ms) < 0 && errno != EINTR) {
			return;
		}
	}
}

int tc_drivers_new(const struct tc_plan *plan, const struct tc_clock *clock, struct tc_drivers *ret,
		   char *ret_error)
{
	*ret = (struct tc_drivers){ 0 };
	int rc = new_answers(plan, &ret->answers, ret_error);
	if (rc == 0) {
		rc = new_deliver(plan, clock->now(clock->ctx), &ret->deliver, ret_error);
	}
	if (rc == 0) {
		connect_channels(ret, clock);
		rc = new_capture(plan, clock, &ret->capture, ret_error);
	}
	return rc;
}
