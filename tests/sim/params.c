/* SPDX-License-Identifier: BSD-2-Clause
 * sim/params.c - what a seed makes
 *
 * First everybody's everyday: a few clients, a good network, a target that answers much like the online server. Then one scene in
 * three adds a trouble of its own; each of the troubles that users of the classic met is a scene.
 */
#include "sim/params.h"

#include "sim/rng.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

struct knob {
	const char *name;
	const char *text;
	int64_t mild;
	size_t at;
};

static const struct knob knobs[] = {
#define SIM_KNOB(name, mild, text) { #name, text, mild, offsetof(struct sim_params, name) },
	SIM_PARAMS(SIM_KNOB)
#undef SIM_KNOB
};

unsigned sim_params_count(void)
{
	return sizeof knobs / sizeof knobs[0];
}

int64_t *sim_params_at(struct sim_params *p, unsigned i)
{
	return (int64_t *)(void *)((char *)p + knobs[i].at);
}

int64_t sim_params_mild_at(unsigned i)
{
	return knobs[i].mild;
}

const char *sim_params_name_at(unsigned i)
{
	return knobs[i].name;
}

void sim_params_mild(struct sim_params *p)
{
	snprintf(p->scene, sizeof p->scene, "mild");
	for (unsigned i = 0; i < sim_params_count(); i++) {
		*sim_params_at(p, i) = knobs[i].mild;
	}
}

bool sim_params_set(struct sim_params *p, const char *assignment)
{
	for (unsigned i = 0; i < sim_params_count(); i++) {
		size_t n = strlen(knobs[i].name);
		if (strncmp(assignment, knobs[i].name, n) != 0 || assignment[n] != '=') {
			continue;
		}
		char *end;
		int64_t v = strtoll(assignment + n + 1, &end, 10);
		if (end == assignment + n + 1 || *end != '\0') {
			return false;
		}
		*sim_params_at(p, i) = v;
		return true;
	}
	return false;
}

void sim_params_print(const struct sim_params *p, const char *prefix, FILE *to)
{
	struct sim_params copy = *p;
	for (unsigned i = 0; i < sim_params_count(); i++) {
		int64_t v = *sim_params_at(&copy, i);
		if (v != knobs[i].mild) {
			fprintf(to, " %s%s=%lld", prefix, knobs[i].name, (long long)v);
		}
	}
}

void sim_params_help(FILE *to)
{
	for (unsigned i = 0; i < sim_params_count(); i++) {
		fprintf(to, "    %-20s %6lld  %s\n", knobs[i].name, (long long)knobs[i].mild,
			knobs[i].text);
	}
}

/* ---- the everyday ---- */

static int64_t pick(struct sim_rng *r, const int64_t *v, unsigned n)
{
	return v[sim_rng_range(r, 0, (int64_t)n - 1)];
}

#define PICK(r, ...)                                                                               \
	pick(r, (const int64_t[]){ __VA_ARGS__ },                                                  \
	     sizeof((const int64_t[]){ __VA_ARGS__ }) / sizeof(int64_t))

static void everyday_clients(struct sim_params *p, struct sim_rng *r)
{
	p->convs = sim_rng_range(r, 1, 8);
	p->spread_us = sim_rng_log(r, 1, 100000);
	p->same = PICK(r, 0, 0, 1, 1, 2);
	p->v6 = PICK(r, 0, 0, 1);
	p->turns = sim_rng_log(r, 1, 12);
	p->req_max = sim_rng_log(r, 1, PICK(r, 500, 4000, 8000, 60000));
	p->ans_max = sim_rng_log(r, 1, PICK(r, 500, 5000, 100000));
	p->think_us = sim_rng_log(r, 1, 200000);
	p->service_us = sim_rng_log(r, 1, 50000);
	p->pipeline = PICK(r, 0, 0, 0, 200, 1000);
	p->greeting = PICK(r, 0, 0, 0, 1, 80, 3000);
	p->push = PICK(r, 0, 0, 0, 200);
	p->close = -1;
	p->syn_data = PICK(r, 0, 0, 0, 0, 0, 0, 30, 1000);
	p->probes = PICK(r, 0, 0, 0, 1, 2);
	p->client_ts = PICK(r, 1, 1, 1, 0);
	p->wrap = PICK(r, 0, 0, 1);
	p->client_mss = PICK(r, 1460, 1460, 1448, 1400, 1220, 536, 8960);
	p->super = PICK(r, 0, 0, 4, 44);
	p->client_rtt_us = sim_rng_log(r, 50, 100000);
	p->client_jitter_us = PICK(r, 0, 0, 100, 1000);
	p->block_us = PICK(r, 0, 1000, 1000, 4000);
}

static void everyday_network(struct sim_params *p, struct sim_rng *r)
{
	p->client_loss = PICK(r, 0, 0, 0, 5, 20);
	p->client_reorder = PICK(r, 0, 0, 5, 50);
	p->client_dup = PICK(r, 0, 0, 0, 10);
	p->client_overlap = PICK(r, 0, 300, 1000);
	p->server_loss = PICK(r, 0, 0, 0, 10);
	p->ack_loss = PICK(r, 0, 0, 20);
	p->fwd_delay_us = sim_rng_log(r, 20, 20000);
	p->fwd_jitter_us = PICK(r, 0, 0, 50, 500);
	p->ret_delay_us = sim_rng_log(r, 20, 20000);
	p->ret_jitter_us = PICK(r, 0, 0, 50, 500);
	p->ret_reorder = PICK(r, 0, 0, 0, 20);
	p->ret_batch_us = PICK(r, 0, 1000, 1000);
	p->ret_merge = PICK(r, 0, 1);
	p->relay = PICK(r, 0, 1);
	p->late_us = PICK(r, 0, 100, 1000);
}

static void everyday_target(struct sim_params *p, struct sim_rng *r)
{
	p->target_ts = PICK(r, 1, 1, 1, 1, 0);
	p->target_ws = PICK(r, 7, 7, 7, 0, 3, 14, -1);
	p->target_sack = PICK(r, 1, 1, 1, 0);
	p->target_mss = PICK(r, 1460, 1460, 1460, 1460, 8960, 1220, 536, 88, 0);
	p->target_buf = PICK(r, 65536, 65536, 262144, 14600, 4096);
	p->target_super = PICK(r, 0, 16, 44);
	p->answer = PICK(r, 0, 0, 0, SIM_ANSWER_HALF, SIM_ANSWER_DOUBLE, SIM_ANSWER_ONE,
			 SIM_ANSWER_NONE, SIM_ANSWER_RANDOM);
	p->answer_us = sim_rng_log(r, 1, 100000);
	p->answer_chunk = PICK(r, 0, 0, 0, 500);
	p->quit = PICK(r, 0, 0, 0, SIM_QUIT_LAST);
	p->pace = PICK(r, 0, 0, 0, 0, 0, 2, 4);
}

/* ---- scenes ---- */

struct scene {
	const char *name;
	int64_t weight;
	void (*set)(struct sim_params *p, struct sim_rng *r);
};

static void scene_everyday(struct sim_params *p, struct sim_rng *r)
{
	(void)p;
	(void)r;
}

static void scene_lossy(struct sim_params *p, struct sim_rng *r)
{
	p->fwd_loss = sim_rng_log(r, 1, 60);
	p->fwd_reorder = PICK(r, 0, 30, 200);
	p->fwd_dup = PICK(r, 0, 0, 20);
	p->ret_loss = PICK(r, 0, 5, 50);
	p->ret_dup = PICK(r, 0, 0, 50);
	p->pace = PICK(r, 0, 0, 2);
}

static void scene_slow_link(struct sim_params *p, struct sim_rng *r)
{
	p->fwd_rate_kbit = PICK(r, 5000, 20000, 20000, 100000);
	p->fwd_queue = PICK(r, 32768, 32768, 16384);
	p->fwd_delay_us = PICK(r, 1000, 20000, 40000);
	p->fwd_loss = PICK(r, 0, 0, 10);
	p->req_max = sim_rng_log(r, 1000, 200000);
	p->turns = sim_rng_range(r, 1, 3);
	p->convs = sim_rng_range(r, 1, 2);
}

static void scene_link_down(struct sim_params *p, struct sim_rng *r)
{
	p->fwd_down_at_ms = sim_rng_log(r, 1, 200);
	p->fwd_down_ms = sim_rng_log(r, 10, 4000);
}

static void scene_bulk(struct sim_params *p, struct sim_rng *r)
{
	p->convs = 1;
	p->turns = sim_rng_range(r, 1, 2);
	p->req_max = sim_rng_log(r, 100000, 1000000);
	p->target_buf = PICK(r, 65536, 262144, 1000000);
	p->target_mss = PICK(r, 1460, 1460, 8960);
	p->fwd_loss = PICK(r, 0, 0, 2, 10);
}

static void scene_zero_window(struct sim_params *p, struct sim_rng *r)
{
	p->target_buf = PICK(r, 2048, 4096, 16384);
	p->req_max = sim_rng_log(r, 4096, 60000);
	p->turns = sim_rng_range(r, 1, 3);
	p->target_stop_at = sim_rng_range(r, 0, 10000);
	p->target_stop_ms = sim_rng_log(r, 10, 5000);
	p->target_slow = PICK(r, 0, 0, 1000, 5000);
	p->target_shrink = PICK(r, 0, 0, 1);
	p->ret_loss = PICK(r, 0, 0, 100, 300);
	p->quit = PICK(r, 0, SIM_QUIT_LAST);
}

static void scene_reuse(struct sim_params *p, struct sim_rng *r)
{
	p->reuse = sim_rng_range(r, 1, 7);
	p->convs = (p->reuse + 1) * sim_rng_range(r, 1, 3);
	p->reuse_gap_us = sim_rng_log(r, 1, 3000000);
	p->turns = sim_rng_range(r, 1, 2);
	p->req_max = sim_rng_log(r, 1, 2000);
	p->think_us = sim_rng_log(r, 1, 5000);
	p->client_dup = 0; /* a copy of an old SYN behind a new one: nobody could tell */
	p->ret_stale = PICK(r, 0, 0, 100);
	p->overlap_ms = PICK(r, 100, 100, 0, 1000);
}

static void scene_hole(struct sim_params *p, struct sim_rng *r)
{
	p->hole = sim_rng_log(r, 2, 100);
	p->hole_notice = PICK(r, 0, 1);
	p->hole_resume = PICK(r, 0, 0, 1);
}

static void scene_stale(struct sim_params *p, struct sim_rng *r)
{
	p->ret_stale = sim_rng_log(r, 10, 300);
	p->ret_dup = PICK(r, 0, 50);
	p->ret_reorder = PICK(r, 20, 200);
	p->think_us = 1000000;
	p->reuse = PICK(r, 0, 1);
	p->convs = 2 + 2 * p->reuse;
}

static void scene_keepalive(struct sim_params *p, struct sim_rng *r)
{
	p->target_keepalive_ms = sim_rng_range(r, 300, 1500);
	p->think_us = 6000000;
	p->turns = 3;
	p->convs = 1;
	p->probes = PICK(r, 0, 1, 2);
}

static void scene_noise(struct sim_params *p, struct sim_rng *r)
{
	p->noise = sim_rng_log(r, 1, 300);
	p->lone = sim_rng_range(r, 0, 20);
	p->refused = sim_rng_range(r, 0, 5);
}

static void scene_path_mtu(struct sim_params *p, struct sim_rng *r)
{
	p->fwd_mtu = PICK(r, 1300, 1220, 600, 536);
	p->req_max = sim_rng_log(r, 100, 20000);
	p->target_mss = PICK(r, 1460, 1460, 8960);
	p->convs = sim_rng_range(r, 1, 2);
	p->turns = sim_rng_range(r, 1, 3);
	p->mtu_event = PICK(r, 0, 0, 1);
}

static void scene_channel_down(struct sim_params *p, struct sim_rng *r)
{
	p->channel_down_at_ms = sim_rng_log(r, 1, 300);
	p->channel_down_ms = sim_rng_log(r, 10, 5000);
}

static void scene_bad_target(struct sim_params *p, struct sim_rng *r)
{
	switch (sim_rng_range(r, 0, 3)) {
	case 0:
		p->target_refuse = 1;
		break;
	case 1:
		p->target_dead_ms = PICK(r, 0, 1, 30, 200);
		break;
	default:
		p->quit = PICK(r, SIM_QUIT_EARLY, SIM_QUIT_SHUTDOWN, SIM_QUIT_RST, SIM_QUIT_NEVER);
		break;
	}
}

static void scene_accept_queue(struct sim_params *p, struct sim_rng *r)
{
	p->target_drop_ack = sim_rng_range(r, 1, 2);
}

static void scene_send_error(struct sim_params *p, struct sim_rng *r)
{
	p->send_error = sim_rng_log(r, 5, 300);
}

static void scene_memory(struct sim_params *p, struct sim_rng *r)
{
	p->chunks = sim_rng_range(r, 2, 40);
	p->convs = sim_rng_range(r, 2, 6);
	p->req_max = sim_rng_log(r, 4000, 60000);
}

static void scene_slow_target(struct sim_params *p, struct sim_rng *r)
{
	p->answer_us = sim_rng_log(r, 500000, 4000000);
	p->max_lag_ms = PICK(r, 500, 2000, 10000);
	p->turns = sim_rng_range(r, 2, 8);
}

static void scene_stop(struct sim_params *p, struct sim_rng *r)
{
	p->stop_ms = sim_rng_log(r, 1, 500);
}

static void scene_idle(struct sim_params *p, struct sim_rng *r)
{
	p->idle_ms = sim_rng_log(r, 1000, 60000);
	p->close = PICK(r, -1, SIM_CLOSE_VANISH);
}

static void scene_join(struct sim_params *p, struct sim_rng *r)
{
	p->join_ms = sim_rng_log(r, 1, 500);
	p->turns = sim_rng_range(r, 2, 12);
}

static void scene_full_tables(struct sim_params *p, struct sim_rng *r)
{
	p->tables = sim_rng_range(r, 2, 6);
	p->convs = sim_rng_range(r, 4, 12);
}

static void scene_stall(struct sim_params *p, struct sim_rng *r)
{
	p->stall_at_ms = sim_rng_log(r, 1, 300);
	p->stall_ms = sim_rng_log(r, 2, 400);
	p->block_us = 1000;
	p->ret_batch_us = 1000;
}

static void scene_clock_wrap(struct sim_params *p, struct sim_rng *r)
{
	p->clock_wrap = 1;
	if ((sim_rng_next(r) & 1) != 0) {
		scene_reuse(p, r);
	}
}

static void scene_relay_full(struct sim_params *p, struct sim_rng *r)
{
	p->relay = 1;
	p->relay_queue = PICK(r, 4, 8, 16, 256);
	p->ret_batch_us = PICK(r, 1000, 20000, 100000);
	p->ret_jitter_us = PICK(r, 0, 500);
	p->ret_reorder = PICK(r, 0, 100, 300);
	p->target_super = PICK(r, 0, 16);
	if (p->relay_queue == 256) { /* not so that the RST itself may find it full */
		p->ret_batch_us = PICK(r, 100000, 300000);
		p->quit = PICK(r, 0, SIM_QUIT_EARLY, SIM_QUIT_RST);
	}
}

static void scene_imitate_rtt(struct sim_params *p, struct sim_rng *r)
{
	p->rtt_us = sim_rng_log(r, 1000, 200000);
}

static void scene_copies(struct sim_params *p, struct sim_rng *r)
{
	p->copies = PICK(r, 2, 2, 3);
	p->pool = PICK(r, 0, 0, 1, 3);
	p->alias_first = PICK(r, 0, 0, 1);
	p->alias_ports = PICK(r, 1000, 30000, 12);
}

static void scene_shed(struct sim_params *p, struct sim_rng *r)
{
	p->keep_times = sim_rng_range(r, 1, 12);
	p->keep_every_ms = sim_rng_log(r, 5, 500);
	p->keep_least = PICK(r, 0, 0, 300);
	p->keep_filter = PICK(r, 1, 1, 1, 0);
	p->spread_us = sim_rng_log(r, 1000, 1000000);
	p->copies = PICK(r, 1, 1, 2);
}

static void scene_sample(struct sim_params *p, struct sim_rng *r)
{
	p->sample = sim_rng_range(r, 500, 9000);
	p->sample_ms = sim_rng_log(r, 10, 1000);
	p->whole_only = PICK(r, 0, 1, 1);
	p->spread_us = sim_rng_log(r, 1000, 1000000);
}

static void scene_limit(struct sim_params *p, struct sim_rng *r)
{
	p->limit_sessions = sim_rng_log(r, 1, 20);
	p->spread_us = sim_rng_log(r, 1000, 5000000);
	p->copies = PICK(r, 1, 1, 2);
}

static void scene_silent(struct sim_params *p, struct sim_rng *r)
{
	p->silent_at_ms = PICK(r, 0, 0, sim_rng_log(r, 1, 4000));
	p->silent_ms = PICK(r, 3100, 4000, 5000, 6000, 6000, 12000);
	p->convs = sim_rng_range(r, 6, 32);
	p->spread_us = sim_rng_log(r, 1000, (p->silent_at_ms + p->silent_ms) * 1000);
	p->turns = sim_rng_range(r, 1, 3);
	p->req_max = sim_rng_log(r, 1, 4000);
	p->same = PICK(r, 0, 1);
	p->copies = PICK(r, 1, 1, 1, 2);
}

static void scene_file(struct sim_params *p, struct sim_rng *r)
{
	p->file_end_ms = sim_rng_log(r, 20, 2000);
	p->passes = PICK(r, 1, 1, 2, 3);
	p->slow_permille = PICK(r, 1000, 1000, 2000, 10000);
	p->client_loss = PICK(r, 0, 5, 20);
	p->lone = PICK(r, 0, 3);
}

static void scene_held(struct sim_params *p, struct sim_rng *r)
{
	p->held_at_ms = sim_rng_log(r, 1, 300);
	p->held_ms = sim_rng_log(r, 300, 40000);
	p->client_loss = PICK(r, 0, 5, 20);
	p->lone = PICK(r, 0, 3);
}

/* Answers by which it can be told whether all was served */
static void scene_hasty(struct sim_params *p, struct sim_rng *r)
{
	p->target_stall_at_ms = sim_rng_log(r, 1, 300);
	p->target_stall_ms = sim_rng_log(r, 100, 4000);
	p->target_hasty = 1;
	p->turns = PICK(r, 1, 1, 8);
	p->answer = SIM_ANSWER_EQUAL;
	p->answer_chunk = 0;
	p->push = 0;
	p->pipeline = 0;
	p->greeting = 0;
	p->pace = 0;
}

static void scene_starved(struct sim_params *p, struct sim_rng *r)
{
	p->starve_at_ms = sim_rng_log(r, 1, 500);
	p->starve_ms = sim_rng_range(r, 200, 900);
	p->starve_times = PICK(r, 1, 1, 3, 8);
	p->req_max = sim_rng_log(r, 100, 60000);
}

static const struct scene scenes[] = {
	{ "everyday", 60, scene_everyday },
	{ "lossy", 14, scene_lossy },
	{ "slow-link", 5, scene_slow_link },
	{ "link-down", 5, scene_link_down },
	{ "bulk", 3, scene_bulk },
	{ "zero-window", 8, scene_zero_window },
	{ "reuse", 12, scene_reuse },
	{ "hole", 8, scene_hole },
	{ "stale", 6, scene_stale },
	{ "keepalive", 4, scene_keepalive },
	{ "noise", 5, scene_noise },
	{ "path-mtu", 4, scene_path_mtu },
	{ "channel-down", 5, scene_channel_down },
	{ "bad-target", 8, scene_bad_target },
	{ "accept-queue", 3, scene_accept_queue },
	{ "send-error", 4, scene_send_error },
	{ "memory", 3, scene_memory },
	{ "slow-target", 4, scene_slow_target },
	{ "stop", 4, scene_stop },
	{ "idle", 3, scene_idle },
	{ "imitate-rtt", 3, scene_imitate_rtt },
	{ "relay-full", 8, scene_relay_full },
	{ "join", 4, scene_join },
	{ "full-tables", 3, scene_full_tables },
	{ "stall", 4, scene_stall },
	{ "clock-wrap", 4, scene_clock_wrap },
	{ "copies", 4, scene_copies },
	{ "shed", 4, scene_shed },
	{ "sample", 2, scene_sample },
	{ "limit", 2, scene_limit },
	{ "silent", 3, scene_silent },
	{ "file", 4, scene_file },
	{ "held", 3, scene_held },
	{ "hasty", 4, scene_hasty },
	{ "starved", 4, scene_starved },
};

#define N_SCENES (sizeof scenes / sizeof scenes[0])

static const struct scene *pick_scene(struct sim_rng *r)
{
	int64_t all = 0;
	for (unsigned i = 0; i < N_SCENES; i++) {
		all += scenes[i].weight;
	}
	int64_t dice = sim_rng_range(r, 0, all - 1);
	unsigned i = 0;
	while (dice >= scenes[i].weight) {
		dice -= scenes[i++].weight;
	}
	return &scenes[i];
}

void sim_params_of(struct sim_params *p, uint64_t seed)
{
	struct sim_rng r = sim_rng_of(seed, 0);
	sim_params_mild(p);
	everyday_clients(p, &r);
	everyday_network(p, &r);
	everyday_target(p, &r);
	const struct scene *one = pick_scene(&r);
	one->set(p, &r);
	snprintf(p->scene, sizeof p->scene, "%s", one->name);
	if (sim_rng_permille(&r, 150)) { /* troubles come in pairs */
		const struct scene *two = pick_scene(&r);
		two->set(p, &r);
		snprintf(p->scene, sizeof p->scene, "%s+%s", one->name, two->name);
	}
}
