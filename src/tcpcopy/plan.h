/* SPDX-License-Identifier: BSD-2-Clause
 * tcpcopy/plan.h - what the options mean together, and on this host
 *
 * Layer:   program. Resolves names and reads the host's addresses; opens nothing, changes nothing, needs no privilege. --dry-run
 *          shows a plan, all else carries it out.
 */
#ifndef TC_TCPCOPY_PLAN_H
#define TC_TCPCOPY_PLAN_H

#include "cli/clients.h"
#include "cli/hosts.h"
#include "core/core.h"
#include "tcpcopy/options.h"
#include "wire/channel.h"

#define TC_PLAN_LOCALS_MAX 256
#define TC_PLAN_INPUTS_MAX 32
#define TC_PLAN_ERROR_MAX 640

/**
 * struct tc_plan
 * @opt:     borrowed for the life of the plan
 * @targets: each address and port that the maps lead to, once: what intercept is told
 * @locals:  this host's addresses: what a map without an address means; none when it means any address. Without those of loopback
 *           and link-local ones, whose clients could not be imitated from elsewhere
 * @inputs:  devices, or files when .offline; owned with .input_text, where they lie
 * @filter:  pcap text, owned; NULL: none (offline without -F everything is read, and the maps decide)
 * @ring_bytes: of the capture; 0 where it has no buffer of ours
 * @clients: -c
 * @localhost: -H; tc_ip_is_any(): none
 * @ramp:    0: none
 * @core:    complete: its maps and its pool are those of this plan
 */
struct tc_plan {
	const struct tc_run_options *opt;
	struct tc_map maps[TC_MAPS_MAX];
	uint32_t n_maps;
	struct tc_channel_target targets[TC_CHANNEL_TARGETS_MAX];
	uint16_t n_targets;
	struct tc_host hosts[TC_HOSTS_MAX];
	uint32_t n_hosts;
	struct tc_ip locals[TC_PLAN_LOCALS_MAX];
	unsigned n_locals;
	bool offline;
	char *input_text;
	const char *inputs[TC_PLAN_INPUTS_MAX];
	unsigned n_inputs;
	char *filter;
	bool own_filter;
	size_t ring_bytes;
	struct tc_clients clients;
	struct tc_ip localhost;
	tc_time ramp;
	struct tc_core_config core;
};

/**
 * tc_plan_make() - from the options
 * @ret_plan:  must stay where it is: its core's maps point into it. Needs tc_plan_fini() also after a failure
 * @ret_error: a sentence for people, TC_PLAN_ERROR_MAX bytes
 * Return: 0; -EINVAL: the options are wrong; any other -errno: they cannot be carried out on this host.
 */
int tc_plan_make(const struct tc_run_options *opt, struct tc_plan *ret_plan, char *ret_error);
void tc_plan_fini(struct tc_plan *plan);

/** tc_plan_needs_online() - must the online server's own packets be captured, too */
static inline bool tc_plan_needs_online(const struct tc_plan *plan)
{
	return plan->core.pace == TC_PACE_THINK;
}

#endif
