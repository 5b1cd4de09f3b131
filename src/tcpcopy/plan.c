/* SPDX-License-Identifier: BSD-2-Clause
 * tcpcopy/plan.c - what the options mean together, and on this host
 */
#include "tcpcopy/plan.h"

#include "capture/filter.h"
#include "cli/maps.h"
#include "cli/number.h"
#include "engine/clock.h"
#include "port/clock.h"

#include <errno.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#define MB ((size_t)1 << 20)
/* One second of blocks: a busy host does not run a nice process for as long as that, now and then */
#define RING_BYTES (128 * MB)
/* What the process has of its own beside the ring and the core: data of libraries, the channels' buffers, the batch of the sender; seen: 3 MB */
#define PROCESS_BYTES (4 * MB)
/* -g: a hundredth more each second */
#define RAMP_UP (100 * TC_SEC)
/* Budget of the core for each session that it has room for: tables and a share of the chunks. */
#define SESSION_BYTES 4096
/* ... and for each further copy of it: tables alone, the bytes are shared. */
#define COPY_BYTES 512

__attribute__((format(printf, 2, 3))) static int refuse(char *ret_error, const char *fmt, ...)
{
	va_list args;
	va_start(args, fmt);
	vsnprintf(ret_error, TC_PLAN_ERROR_MAX, fmt, args);
	va_end(args);
	return -EINVAL;
}

static int make_maps(struct tc_plan *p, char *error)
{
	if (p->opt->map == NULL) {
		return refuse(error, "-x is missing: what is to be copied to where, as in "
				     "-x 80-10.0.0.3:8080 -s 10.0.0.4");
	}
	int rc = tc_maps_parse(p->opt->map, p->maps, &p->n_maps, error);
	if (rc < 0) {
		return rc;
	}
	if (p->opt->intercept == NULL) {
		return refuse(error, "-s is missing: where does intercept run, as in -s 10.0.0.4");
	}
	return tc_hosts_parse("-s", p->opt->intercept, (uint16_t)p->opt->port, p->hosts,
			      &p->n_hosts, error);
}

static bool add_target(struct tc_plan *p, const struct tc_ip *ip, uint16_t port)
{
	for (unsigned i = 0; i < p->n_targets; i++) {
		if (p->targets[i].port == port && tc_ip_eq(&p->targets[i].ip, ip)) {
			return true;
		}
	}
	if (p->n_targets == TC_CHANNEL_TARGETS_MAX) {
		return false;
	}
	p->targets[p->n_targets++] = (struct tc_channel_target){ .ip = *ip, .port = port };
	return true;
}

static int make_targets(struct tc_plan *p, char *error)
{
	for (uint32_t i = 0; i < p->n_maps; i++) {
		const struct tc_map *m = &p->maps[i];
		unsigned last = tc_map_target_port(m, m->online_port_last);
		for (unsigned port = m->target_port; port <= last; port++) {
			if (!add_target(p, &m->target, (uint16_t)port)) {
				return refuse(error,
					      "-x: intercept can be told of %d ports of targets, "
					      "and these are more",
					      TC_CHANNEL_TARGETS_MAX);
			}
		}
	}
	return 0;
}

static bool is_file(const char *name)
{
	struct stat st;
	return strcmp(name, "-") == 0 ||
	       (stat(name, &st) == 0 && (S_ISREG(st.st_mode) || S_ISFIFO(st.st_mode)));
}

/* A name of -i says by itself which of both it is; one that is neither is a slip of the pen. */
static int check_input(const char *name, char *error)
{
	if (is_file(name) || strcmp(name, "any") == 0 || if_nametoindex(name) != 0) {
		return 0;
	}
	snprintf(error, TC_PLAN_ERROR_MAX,
		 access(name, F_OK) == 0 ?
			 "-i: '%.200s': this is no file of packets, and no device" :
			 "-i: '%.200s': there is no such file, and no such device",
		 name);
	return -ENODEV;
}

static int add_inputs(struct tc_plan *p, const char *option, const char *list, char *error)
{
	p->input_text = strdup(list);
	if (p->input_text == NULL) {
		snprintf(error, TC_PLAN_ERROR_MAX, "out of memory");
		return -ENOMEM;
	}
	char *rest = p->input_text;
	for (char *name; (name = strsep(&rest, ",")) != NULL;) {
		if (name[0] == '\0') {
			return refuse(error, "%s: '%.80s': a name is missing", option, list);
		}
		if (p->n_inputs == TC_PLAN_INPUTS_MAX) {
			return refuse(error, "%s: more than %d names", option, TC_PLAN_INPUTS_MAX);
		}
		p->inputs[p->n_inputs++] = name;
	}
	return 0;
}

static int make_inputs(struct tc_plan *p, char *error)
{
	const struct tc_run_options *opt = p->opt;
	if ((opt->input != NULL) + (opt->device != NULL) + (opt->read != NULL) > 1) {
		return refuse(error, "only one of -i, --device and --read can be used");
	}
	if (opt->read != NULL) {
		p->offline = true;
		return add_inputs(p, "--read", opt->read, error);
	}
	if (opt->device != NULL) {
		return add_inputs(p, "--device", opt->device, error);
	}
	int rc = add_inputs(p, "-i", opt->input != NULL ? opt->input : "any", error);
	if (rc < 0) {
		return rc;
	}
	unsigned files = 0;
	for (unsigned i = 0; opt->input != NULL && i < p->n_inputs; i++) {
		rc = check_input(p->inputs[i], error);
		if (rc < 0) {
			return rc;
		}
		files += is_file(p->inputs[i]);
	}
	if (files != 0 && files != p->n_inputs) {
		return refuse(error, "-i: '%.200s': some of these are files and some are not",
			      opt->input);
	}
	p->offline = files > 0;
	return 0;
}

static int check_source(const struct tc_plan *p, char *error)
{
	const struct tc_run_options *opt = p->opt;
	if (!p->offline) {
		if (opt->speed_permille != 1000) {
			return refuse(error, "-a is for files: live traffic has its own speed");
		}
		if (opt->max_gap_ns != 0) {
			return refuse(error, "-I is for files: live traffic has its own gaps");
		}
		if (opt->passes != 1) {
			return refuse(error, "-T is for files: live traffic passes once");
		}
		if (opt->pace == TC_PACE_WORD_THINK && opt->capture == TC_CAPTURE_RAW) {
			return refuse(error,
				      "--pace think needs the online server's packets, which "
				      "--capture raw does not see");
		}
	}
	if ((opt->rate > 0) != (opt->pace == TC_PACE_WORD_RATE)) {
		return refuse(error, "--pace rate and --rate N belong together: so many turns a "
				     "second of each session");
	}
	if (opt->no_wait && opt->pace != TC_PACE_WORD_RESPONSE && opt->pace != TC_PACE_WORD_TIMED) {
		return refuse(error, "-W means --pace timed: give one of them");
	}
	return 0;
}

static bool is_loopback(const struct tc_ip *ip)
{
	static const uint8_t v6[16] = { [15] = 1 };
	return tc_ip_is_v4(ip) ? ip->b[12] == 127 : memcmp(ip->b, v6, sizeof v6) == 0;
}

static bool is_link_local(const struct tc_ip *ip)
{
	return tc_ip_is_v4(ip) ? ip->b[12] == 169 && ip->b[13] == 254 :
				 ip->b[0] == 0xfe && (ip->b[1] & 0xc0) == 0x80;
}

/* Of this host's own addresses, the one that -H has another for */
static bool is_replaced(const struct tc_plan *p, const struct tc_ip *ip)
{
	return !tc_ip_is_any(&p->localhost) && is_loopback(ip) &&
	       tc_ip_is_v4(ip) == tc_ip_is_v4(&p->localhost);
}

static int make_localhost(struct tc_plan *p, char *error)
{
	const char *text = p->opt->localhost;
	struct tc_ip ip;
	if (text == NULL) {
		return 0;
	}
	if (tc_ip_parse(text, &ip) < 0 || tc_ip_is_any(&ip) || is_loopback(&ip)) {
		return refuse(error,
			      "-H: '%.80s': an address is needed that the target can answer to",
			      text);
	}
	bool reached = false;
	for (uint32_t i = 0; i < p->n_maps; i++) {
		const struct tc_ip *target = &p->maps[i].target;
		if (tc_ip_eq(target, &ip)) {
			return refuse(error, "-H: %s is a target: it does not answer itself", text);
		}
		reached = reached || tc_ip_is_v4(target) == tc_ip_is_v4(&ip);
	}
	if (!reached) {
		return refuse(error, "-H: %s: there is no IPv%c target", text,
			      tc_ip_is_v4(&ip) ? '4' : '6');
	}
	p->localhost = ip;
	return 0;
}

static bool from_sockaddr(const struct sockaddr *sa, struct tc_ip *ret)
{
	if (sa != NULL && sa->sa_family == AF_INET) {
		struct sockaddr_in in;
		memcpy(&in, sa, sizeof in);
		uint8_t b[4];
		memcpy(b, &in.sin_addr, sizeof b);
		*ret = tc_ip_from_v4(b);
		return true;
	}
	if (sa != NULL && sa->sa_family == AF_INET6) {
		struct sockaddr_in6 in6;
		memcpy(&in6, sa, sizeof in6);
		*ret = tc_ip_from_v6(in6.sin6_addr.s6_addr);
		return true;
	}
	return false;
}

static bool is_local(const struct tc_plan *p, const struct tc_ip *ip)
{
	for (unsigned i = 0; i < p->n_locals; i++) {
		if (tc_ip_eq(&p->locals[i], ip)) {
			return true;
		}
	}
	return false;
}

static int make_locals(struct tc_plan *p, char *error)
{
	struct ifaddrs *list;
	if (getifaddrs(&list) < 0) {
		int rc = -errno;
		snprintf(error, TC_PLAN_ERROR_MAX, "cannot read this host's addresses: %s",
			 strerror(-rc));
		return rc;
	}
	for (const struct ifaddrs *a = list; a != NULL; a = a->ifa_next) {
		struct tc_ip ip;
		if (p->n_locals < TC_PLAN_LOCALS_MAX && from_sockaddr(a->ifa_addr, &ip) &&
		    (!is_loopback(&ip) || is_replaced(p, &ip)) && !is_link_local(&ip) &&
		    !is_local(p, &ip)) {
			p->locals[p->n_locals++] = ip;
		}
	}
	freeifaddrs(list);
	return 0;
}

/* A target that is the online server would be copied to itself, and each copy again. */
static int check_targets(const struct tc_plan *p, char *error)
{
	for (uint32_t i = 0; i < p->n_maps; i++) {
		const struct tc_map *m = &p->maps[i];
		bool same_ip = tc_ip_eq(&m->online, &m->target);
		if (tc_ip_is_any(&m->online) && !p->offline) {
			same_ip = is_loopback(&m->target) || is_local(p, &m->target);
		}
		if (same_ip && m->target_port <= m->online_port_last &&
		    m->online_port <= tc_map_target_port(m, m->online_port_last)) {
			char buf[TC_MAP_TEXT_MAX];
			return refuse(error,
				      "-x: '%s': the target is the online server itself: each copy "
				      "would be copied again",
				      tc_map_format(m, buf));
		}
	}
	return 0;
}

static bool has_client(const struct tc_clients *c, const struct tc_ip *ip)
{
	for (uint32_t i = 0; i < c->n_v4 + c->n_v6; i++) {
		if (tc_ip_eq(&c->ips[i], ip)) {
			return true;
		}
	}
	return false;
}

/* -c must have an address for each target's family, and none that is a target's own. */
static int check_clients(const struct tc_plan *p, char *error)
{
	for (uint32_t i = 0; i < p->n_maps; i++) {
		const struct tc_ip *target = &p->maps[i].target;
		char buf[TC_IP_TEXT_MAX];
		tc_ip_format(target, buf, sizeof buf);
		if ((tc_ip_is_v4(target) ? p->clients.n_v4 : p->clients.n_v6) == 0) {
			return refuse(error, "-c: there is no IPv%c address for the target %s",
				      tc_ip_is_v4(target) ? '4' : '6', buf);
		}
		if (has_client(&p->clients, target)) {
			return refuse(error, "-c: %s is a target: it does not answer itself", buf);
		}
	}
	return 0;
}

/* Copies beyond the first have ports of their own, and with -c all have: more than there are cannot be opened. */
static int check_copies(const struct tc_plan *p, char *error)
{
	const struct tc_core_config *c = &p->core;
	uint64_t ports = (uint64_t)c->alias_port_last - c->alias_port_first + 1;
	for (uint32_t i = 0; i < p->n_maps; i++) {
		bool v4 = tc_ip_is_v4(&p->maps[i].target);
		uint64_t room = p->opt->clients == NULL ?
					ports + !c->alias_first :
					ports * (v4 ? c->n_pool_v4 : c->n_pool_v6);
		if (c->copies > room) {
			return refuse(error,
				      "-n: %u copies of a session need more than the %llu ports "
				      "that there are: use more addresses with -c",
				      c->copies, (unsigned long long)room);
		}
	}
	return 0;
}

static int make_clients(struct tc_plan *p, char *error)
{
	struct tc_core_config *c = &p->core;
	c->copies = (uint32_t)p->opt->copies;
	if (p->opt->port_slice > 0) {
		unsigned all = (unsigned)c->alias_port_last - c->alias_port_first + 1;
		unsigned n = all / TC_PORT_SLICES;
		c->alias_port_first =
			(uint16_t)(c->alias_port_first + n * (unsigned)(p->opt->port_slice - 1));
		c->alias_port_last = (uint16_t)(c->alias_port_first + n - 1);
		c->alias_first = true;
	}
	if (p->opt->clients != NULL) {
		int rc = tc_clients_parse(p->opt->clients, &p->clients, error);
		if (rc == 0) {
			rc = check_clients(p, error);
		}
		if (rc < 0) {
			return rc;
		}
		c->pool = p->clients.ips;
		c->n_pool_v4 = p->clients.n_v4;
		c->n_pool_v6 = p->clients.n_v6;
	}
	return check_copies(p, error);
}

static int make_filter(struct tc_plan *p, char *error)
{
	const struct tc_run_options *opt = p->opt;
	int rc = 0;
	if (opt->filter != NULL) {
		p->own_filter = true;
		p->filter = strdup(opt->filter);
		rc = p->filter != NULL ? 0 : -ENOMEM;
	} else if (!p->offline) {
		struct tc_filter_config cfg = {
			.maps = p->maps,
			.n_maps = p->n_maps,
			.locals = p->locals,
			.n_locals = p->n_locals,
			.online_too = tc_plan_needs_online(p),
			.fragments = true,
		};
		rc = tc_filter_text(&cfg, &p->filter);
	}
	if (rc < 0) {
		snprintf(error, TC_PLAN_ERROR_MAX, "cannot make a filter: %s", strerror(-rc));
	}
	return rc;
}

static int make_memory(struct tc_plan *p, char *error)
{
	const struct tc_run_options *opt = p->opt;
	char all[TC_NUMBER_TEXT_MAX];
	char part[TC_NUMBER_TEXT_MAX];
	size_t memory = (size_t)opt->memory_bytes;
	tc_size_format(opt->memory_bytes, all);
	if ((size_t)opt->buffer_bytes > memory / 2) {
		return refuse(error, "-B: %s is more than half of -m (%s)",
			      tc_size_format(opt->buffer_bytes, part), all);
	}
	if (!p->offline && opt->capture == TC_CAPTURE_RING) {
		size_t ring = memory / 4 < RING_BYTES ? memory / 4 : RING_BYTES;
		p->ring_bytes = opt->buffer_bytes > 0 ? (size_t)opt->buffer_bytes : ring;
	}
	size_t left = memory - p->ring_bytes;
	left = left > PROCESS_BYTES ? left - PROCESS_BYTES : 0;
	size_t each = SESSION_BYTES + (size_t)(opt->copies - 1) * COPY_BYTES;
	uint32_t sessions = opt->sessions > 0 ? (uint32_t)opt->sessions : (uint32_t)(left / each);
	/* indices of copies are 32 bits wide, and half of them is more than any memory holds */
	if (left == 0 || (uint64_t)sessions * (uint64_t)opt->copies > UINT32_MAX / 2 ||
	    tc_core_config_size(&p->core, sessions, left) < 0) {
		return refuse(error, "-m: %s is too little for %u sessions and a buffer of %s", all,
			      sessions, tc_size_format((int64_t)p->ring_bytes, part));
	}
	return 0;
}

static enum tc_pace pace_of(const struct tc_run_options *opt)
{
	static const enum tc_pace paces[] = {
		[TC_PACE_WORD_RESPONSE] = TC_PACE_RESPONSE, [TC_PACE_WORD_THINK] = TC_PACE_THINK,
		[TC_PACE_WORD_TIMED] = TC_PACE_TIMED,	    [TC_PACE_WORD_RATE] = TC_PACE_RATE,
		[TC_PACE_WORD_ASAP] = TC_PACE_ASAP,
	};
	return opt->no_wait ? TC_PACE_TIMED : paces[opt->pace];
}

static int make_core(struct tc_plan *p, char *error)
{
	const struct tc_run_options *opt = p->opt;
	struct tc_core_config *c = &p->core;
	tc_core_config_default(c);
	c->maps = p->maps;
	c->n_maps = p->n_maps;
	c->wall_offset = tc_clock_offset(tc_clock_system());
	c->pace = pace_of(opt);
	c->share_permyriad = (uint32_t)opt->share_permyriad;
	c->rate = (uint32_t)opt->rate;
	c->limit_sessions = (uint32_t)opt->limit_sessions;
	/* a session that was left out when it began is not joined when the share has grown */
	c->whole_only = opt->whole || p->ramp > 0;
	c->hole_resume = opt->on_hole == TC_HOLE_RESUME;
	c->session_events = opt->verbose > 0;
	c->mss = (uint16_t)opt->mss;
	c->mtu = (uint16_t)opt->mtu;
	c->rtt = opt->rtt_ns;
	c->overlap = opt->overlap_ns;
	if (opt->max_lag_ns > 0) {
		c->max_lag = opt->max_lag_ns;
	} else if (p->offline) {
		c->max_lag = TC_TIME_NEVER; /* nobody waits for a file but its target */
	}
	if (p->offline && opt->speed_permille < 1000) {
		c->slow_permille = (uint32_t)(1000000 / opt->speed_permille);
	}
	c->idle = opt->idle_ns > 0 ? opt->idle_ns : TC_TIME_NEVER;
	c->keepalive = opt->keepalive_ns;
	if (getrandom(&c->table_key, sizeof c->table_key, 0) != sizeof c->table_key ||
	    getrandom(&c->mark_key, sizeof c->mark_key, 0) != sizeof c->mark_key) {
		snprintf(error, TC_PLAN_ERROR_MAX, "no random numbers from the kernel: %s",
			 strerror(errno));
		return -EIO;
	}
	int rc = make_clients(p, error);
	return rc < 0 ? rc : make_memory(p, error);
}

int tc_plan_make(const struct tc_run_options *opt, struct tc_plan *ret_plan, char *ret_error)
{
	struct tc_plan *p = ret_plan;
	*p = (struct tc_plan){ .opt = opt };
	p->ramp = opt->ramp_ns > 0 || !opt->ramp_up ? opt->ramp_ns : RAMP_UP;
	int rc = make_maps(p, ret_error);
	if (rc == 0) {
		rc = make_targets(p, ret_error);
	}
	if (rc == 0) {
		rc = make_inputs(p, ret_error);
	}
	if (rc == 0) {
		rc = check_source(p, ret_error);
	}
	if (rc == 0) {
		rc = make_localhost(p, ret_error);
	}
	if (rc == 0 && !p->offline) {
		rc = make_locals(p, ret_error);
	}
	if (rc == 0) {
		rc = check_targets(p, ret_error);
	}
	if (rc == 0) {
		rc = make_core(p, ret_error);
	}
	if (rc == 0) {
		rc = make_filter(p, ret_error);
	}
	return rc;
}

void tc_plan_fini(struct tc_plan *plan)
{
	free(plan->input_text);
	free(plan->filter);
	tc_clients_fini(&plan->clients);
	plan->input_text = NULL;
	plan->filter = NULL;
}
