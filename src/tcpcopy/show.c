/* SPDX-License-Identifier: BSD-2-Clause
 * tcpcopy/show.c - a plan as text: --dry-run
 */
#include "tcpcopy/show.h"

#include "capture/filter.h"
#include "cli/maps.h"
#include "cli/number.h"
#include "deliver/route.h"
#include "engine/clock.h"
#include "engine/engine.h"
#include "port/error.h"

#include <errno.h>
#include <net/if.h>
#include <unistd.h>

/* "map        " */
#define HEAD "%-10s "

static void show_maps(const struct tc_plan *p, FILE *to)
{
	char buf[TC_MAP_TEXT_MAX];
	bool any = false;
	for (uint32_t i = 0; i < p->n_maps; i++) {
		fprintf(to, HEAD "%s\n", i == 0 ? "map" : "", tc_map_format(&p->maps[i], buf));
		any = any || tc_ip_is_any(&p->maps[i].online);
	}
	for (unsigned i = 0; any && i < p->n_locals && !p->own_filter; i++) {
		char ip[TC_IP_TEXT_MAX];
		fprintf(to, HEAD "%s\n", i == 0 ? "addresses" : "",
			tc_ip_format(&p->locals[i], ip, sizeof ip));
	}
}

static void show_clients(const struct tc_plan *p, FILE *to)
{
	const struct tc_core_config *c = &p->core;
	if (!tc_ip_is_any(&p->localhost)) {
		char ip[TC_IP_TEXT_MAX];
		fprintf(to, HEAD "speaks as %s\n", "localhost",
			tc_ip_format(&p->localhost, ip, sizeof ip));
	}
	if (c->copies == 1 && p->opt->clients == NULL && !c->alias_first) {
		return;
	}
	fprintf(to, HEAD "%u of each session", "copies", c->copies);
	if (p->opt->clients != NULL) {
		fprintf(to, ", from %u addresses", c->n_pool_v4 + c->n_pool_v6);
	}
	fprintf(to, ", ports %u to %u\n", c->alias_port_first, c->alias_port_last);
}

static int show_inputs(const struct tc_plan *p, FILE *to)
{
	int rc = 0;
	for (unsigned i = 0; i < p->n_inputs; i++) {
		const char *name = p->inputs[i];
		const char *wrong = "";
		if (p->offline) {
			if (strcmp(name, "-") != 0 && access(name, R_OK) < 0) {
				wrong = ": cannot be read";
			}
		} else if (strcmp(name, "any") != 0 && if_nametoindex(name) == 0) {
			wrong = ": no such device";
		}
		rc = wrong[0] != '\0' ? -EINVAL : rc;
		fprintf(to, HEAD "%s '%s'%s\n", i == 0 ? "input" : "",
			p->offline ? "file" : "device", name, wrong);
	}
	return rc;
}

static int show_filter(const struct tc_plan *p, FILE *to)
{
	char error[TC_DRIVER_ERROR_MAX];
	struct tc_filter f = { 0 };
	if (p->filter == NULL) {
		fprintf(to, HEAD "none: the maps choose\n", "filter");
		return 0;
	}
	int rc = tc_filter_compile(p->filter, NULL, TC_LINK_ETHERNET, TC_FILTER_SNAP_ALL, false, &f,
				   error);
	fprintf(to, HEAD "%s\n", "filter", p->filter);
	if (rc < 0) {
		fprintf(to, HEAD "%s\n", "", error);
		return -EINVAL;
	}
	tc_filter_fini(&f);
	return 0;
}

/* @speed: of the slowest link, 0 when none tells it */
static void show_limits(const struct tc_plan *p, uint64_t speed, FILE *to)
{
	const struct tc_run_options *opt = p->opt;
	char text[TC_NUMBER_TEXT_MAX];
	uint64_t bits = tc_engine_max_out((uint64_t)opt->max_out_bits, speed);
	fprintf(to, HEAD "%s out", "limits", tc_rate_format((int64_t)bits, text));
	if (opt->max_out_bits == 0 && speed > 0) {
		fprintf(to, ", of a link of %s", tc_rate_format((int64_t)speed, text));
	}
	if (opt->limit_sessions > 0) {
		fprintf(to, "; %lld new sessions a second", (long long)opt->limit_sessions);
	}
	fputc('\n', to);
}

static int show_routes(const struct tc_plan *p, FILE *to)
{
	struct tc_route_config cfg = { .maps = p->maps,
				       .n_maps = p->n_maps,
				       .device = p->opt->out };
	const struct tc_clock *clock = tc_clock_system();
	char text[TC_DRIVER_ERROR_MAX];
	struct tc_route *route;
	if (tc_route_new(&cfg, clock->now(clock->ctx), &route, text) < 0) {
		fprintf(to, HEAD "%s\n", "target", text);
		return -EINVAL;
	}
	for (unsigned i = 0; tc_route_text(route, i, text, sizeof text); i++) {
		fprintf(to, HEAD "%s\n", i == 0 ? "target" : "", text);
	}
	show_limits(p, tc_route_speed(route), to);
	tc_route_free(route);
	return 0;
}

static void show_hosts(const struct tc_plan *p, FILE *to)
{
	for (uint32_t i = 0; i < p->n_hosts; i++) {
		char ip[TC_IP_TEXT_MAX];
		tc_ip_format(&p->hosts[i].ip, ip, sizeof ip);
		fprintf(to, tc_ip_is_v4(&p->hosts[i].ip) ? HEAD "%s:%u" : HEAD "[%s]:%u",
			i == 0 ? "intercept" : "", ip, p->hosts[i].port);
		fputs(p->opt->key == NULL && i == 0 ? ", without a key\n" : "\n", to);
	}
}

static void show_memory(const struct tc_plan *p, FILE *to)
{
	char all[TC_NUMBER_TEXT_MAX];
	char ring[TC_NUMBER_TEXT_MAX];
	fprintf(to, HEAD "%s: %s for the capture, %zu MB for %u sessions and %u chunks of bytes\n",
		"memory", tc_size_format(p->opt->memory_bytes, all),
		tc_size_format((int64_t)p->ring_bytes, ring), tc_core_bytes(&p->core) >> 20,
		p->core.sessions, p->core.chunks);
}

static void show_pace(const struct tc_plan *p, FILE *to)
{
	static const char *const paces[TC_PACE__N] = {
		[TC_PACE_RESPONSE] = "response", [TC_PACE_THINK] = "think",
		[TC_PACE_TIMED] = "timed",	 [TC_PACE_RATE] = "rate",
		[TC_PACE_ASAP] = "asap",
	};
	char share[TC_NUMBER_TEXT_MAX];
	char lag[TC_NUMBER_TEXT_MAX];
	char speed[TC_NUMBER_TEXT_MAX];
	fprintf(to, HEAD "%s", "pace", paces[p->core.pace]);
	if (p->core.pace == TC_PACE_RATE) {
		fprintf(to, " of %u turns a second", p->core.rate);
	}
	fprintf(to, ", %s %% of the sessions",
		tc_decimal_format(p->opt->share_permyriad, 100, share));
	if (p->core.max_lag != TC_TIME_NEVER) {
		fprintf(to, ", at most %s behind", tc_duration_format(p->core.max_lag, lag));
	}
	if (p->ramp > 0) {
		fprintf(to, ", all of them after %s", tc_duration_format(p->ramp, lag));
	}
	if (p->offline) {
		fprintf(to, ", speed %s, passes %lld",
			tc_decimal_format(p->opt->speed_permille, 1000, speed),
			(long long)p->opt->passes);
	}
	fputc('\n', to);
}

int tc_show(const struct tc_plan *plan, FILE *to)
{
	show_maps(plan, to);
	show_clients(plan, to);
	int rc = show_inputs(plan, to);
	rc = show_filter(plan, to) < 0 ? -EINVAL : rc;
	rc = show_routes(plan, to) < 0 ? -EINVAL : rc;
	show_hosts(plan, to);
	show_memory(plan, to);
	show_pace(plan, to);
	return rc;
}
