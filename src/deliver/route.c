/* SPDX-License-Identifier: BSD-2-Clause
 * deliver/route.c - where a packet for a target goes: device, next hop, its MAC address, MTU
 *
 * News of routes come in storms (a routing daemon that starts), so they are gathered: all targets are looked up again a moment after
 * the first of them, and not more often than four times a second. News of a neighbour or a device carry all there is to know.
 */
#include "deliver/route.h"

#include "deliver/netlink.h"
#include "port/error.h"

#include <errno.h>
#include <net/if_arp.h>
#include <poll.h>
#include <stdlib.h>
#include <time.h>

#define GATHER (20 * TC_MS)
#define LOOKUP_INTERVAL (250 * TC_MS)
#define START_WAIT_MS 1000
/* Of messages handled at once; the rest keeps the fd readable */
#define NEWS_MAX 256
#define ETHERNET_BYTES 14

/**
 * struct place - one target
 * @next_hop:    whom to ask for a MAC address
 * @fixed_dst, @fixed_src: the user gave hop.dst_mac, hop.src_mac
 * @told_mtu:    what the reader of tc_route_next_mtu() knows
 * @due:         when to look again by ourselves
 */
struct place {
	struct tc_ip ip;
	struct tc_ip next_hop;
	struct tc_hop hop;
	uint32_t route_mtu;
	uint32_t told_mtu;
	tc_time due;
	bool fixed_dst;
	bool fixed_src;
	bool asks;     /* hop.dst_mac comes from a neighbour */
	int ask_error; /* what the kernel said when it was last asked to find it */
};

struct tc_route {
	struct tc_netlink nl;
	char device[IFNAMSIZ]; /* empty: as the routes say */
	bool neighbors;
	tc_time lookup_at; /* look all up then; TC_TIME_NEVER: nothing has changed */
	tc_time looked_at;
	unsigned n;
	struct place places[];
};

static void set_mtu(struct place *p, uint32_t device_mtu)
{
	p->hop.mtu = p->route_mtu != 0 ? tc_u32_min(p->route_mtu, device_mtu) : device_mtu;
}

/* What the device says; the route is known */
static void apply_link(struct tc_route *r, struct place *p, const struct tc_netlink_link *link)
{
	struct tc_hop *h = &p->hop;
	set_mtu(p, link->mtu);
	if (!link->up) {
		h->error = -ENETDOWN;
		return;
	}
	bool ethernet = link->type == ARPHRD_ETHER || link->type == ARPHRD_LOOPBACK;
	if (!ethernet && link->has_mac) {
		h->error = -EPROTONOSUPPORT; /* a link header that we cannot write */
		return;
	}
	h->error = 0;
	h->link_bytes = ethernet ? ETHERNET_BYTES : 0;
	if (ethernet && !p->fixed_src) {
		memcpy(h->src_mac, link->mac, sizeof h->src_mac);
	}
	p->asks = r->neighbors && ethernet && !link->noarp && !p->fixed_dst;
	if (!p->asks) {
		h->has_mac = true;
		if (!p->fixed_dst) {
			memset(h->dst_mac, 0, sizeof h->dst_mac);
		}
	}
}

/* Take what the kernel knows of the next hop, and have it found or confirmed */
static void ask_neighbor(struct tc_route *r, struct place *p)
{
	struct tc_netlink_neighbor neighbor = { .state = TC_NEIGHBOR_UNKNOWN };
	int err = tc_netlink_ask_neighbor(&r->nl, p->hop.ifindex, &p->next_hop, &neighbor);
	if (err == 0) {
		p->hop.has_mac = neighbor.state == TC_NEIGHBOR_KNOWN;
		memcpy(p->hop.dst_mac, neighbor.mac, sizeof neighbor.mac);
	}
	if (!neighbor.kept) {
		p->ask_error = tc_netlink_resolve(&r->nl, p->hop.ifindex, &p->next_hop);
	}
}

static int find_route(struct tc_route *r, const struct place *p, struct tc_netlink_route *ret)
{
	int ifindex = 0;
	if (r->device[0] != '\0') {
		ifindex = (int)if_nametoindex(r->device);
		if (ifindex == 0) {
			return -ENODEV;
		}
		if (p->fixed_dst) {
			*ret = (struct tc_netlink_route){ .ifindex = ifindex, .next_hop = p->ip };
			return 0;
		}
	}
	return tc_netlink_ask_route(&r->nl, &p->ip, ifindex, ret);
}

static void look_up(struct tc_route *r, struct place *p, tc_time now)
{
	struct tc_hop *h = &p->hop;
	struct tc_netlink_route route;
	struct tc_netlink_link link;
	h->error = find_route(r, p, &route);
	if (h->error == 0) {
		h->error = tc_netlink_ask_link(&r->nl, route.ifindex, &link);
	}
	if (h->error == 0) {
		if (h->ifindex != route.ifindex || !tc_ip_eq(&p->next_hop, &route.next_hop)) {
			h->has_mac = p->fixed_dst;
		}
		h->ifindex = route.ifindex;
		p->next_hop = route.next_hop;
		h->local = route.local;
		h->speed = tc_netlink_ask_speed(&r->nl, route.ifindex);
		p->route_mtu = route.mtu;
		apply_link(r, p, &link);
	}
	if (h->error == 0 && p->asks) {
		ask_neighbor(r, p);
	}
	p->due = now + (h->error == 0 && h->has_mac ? TC_ROUTE_CONFIRM : TC_ROUTE_RETRY);
}

static void look_all_up(struct tc_route *r, tc_time now)
{
	for (unsigned i = 0; i < r->n; i++) {
		look_up(r, &r->places[i], now);
	}
	r->lookup_at = TC_TIME_NEVER;
	r->looked_at = now;
}

void tc_route_suspect(struct tc_route *r, tc_time now)
{
	tc_time at = tc_time_max(now + GATHER, r->looked_at + LOOKUP_INTERVAL);
	r->lookup_at = tc_time_min(r->lookup_at, at);
}

static void on_neighbor(struct tc_route *r, const struct tc_netlink_neighbor *neighbor, tc_time now)
{
	for (unsigned i = 0; i < r->n; i++) {
		struct place *p = &r->places[i];
		if (!p->asks || p->hop.error != 0 || p->hop.ifindex != neighbor->ifindex ||
		    !tc_ip_eq(&p->next_hop, &neighbor->ip)) {
			continue;
		}
		switch (neighbor->state) {
		case TC_NEIGHBOR_KNOWN:
			p->hop.has_mac = true;
			memcpy(p->hop.dst_mac, neighbor->mac, sizeof neighbor->mac);
			p->due = now + TC_ROUTE_CONFIRM;
			break;
		case TC_NEIGHBOR_UNKNOWN:
			p->hop.has_mac = false;
			p->due = tc_time_min(p->due, now + TC_ROUTE_RETRY);
			break;
		case TC_NEIGHBOR_GONE: /* what we know stays right until we hear otherwise */
			p->due = tc_time_min(p->due, now + TC_ROUTE_RETRY);
			break;
		}
	}
}

static void on_link(struct tc_route *r, const struct tc_netlink_link *link, tc_time now)
{
	bool ours = false;
	for (unsigned i = 0; i < r->n; i++) {
		struct place *p = &r->places[i];
		if (p->hop.ifindex != link->ifindex) {
			/* one that has no way may find it here */
			ours = ours || p->hop.error != 0;
			continue;
		}
		if (link->gone || !link->up || p->hop.error != 0) {
			ours = true;
			p->hop.error = link->gone ? -ENODEV : link->up ? p->hop.error : -ENETDOWN;
		} else {
			apply_link(r, p, link);
		}
	}
	if (ours) {
		tc_route_suspect(r, now);
	}
}

static void on_news(struct tc_route *r, const struct tc_netlink_news *news, tc_time now)
{
	switch (news->kind) {
	case TC_NEWS_NEIGHBOR:
		on_neighbor(r, &news->neighbor, now);
		break;
	case TC_NEWS_LINK:
		on_link(r, &news->link, now);
		break;
	case TC_NEWS_ROUTES:
	case TC_NEWS_MISSED:
		tc_route_suspect(r, now);
		break;
	}
}

void tc_route_on_ready(struct tc_route *r, tc_time now)
{
	struct tc_netlink_news news;
	for (unsigned i = 0; i < NEWS_MAX && tc_netlink_next(&r->nl, &news); i++) {
		on_news(r, &news, now);
	}
	if (now >= r->lookup_at) {
		look_all_up(r, now);
	}
	for (unsigned i = 0; i < r->n; i++) {
		if (now >= r->places[i].due) {
			look_up(r, &r->places[i], now);
		}
	}
}

void tc_route_wait(const struct tc_route *r, int *ret_fd, tc_time *ret_deadline)
{
	tc_time deadline = r->lookup_at;
	for (unsigned i = 0; i < r->n; i++) {
		deadline = tc_time_min(deadline, r->places[i].due);
	}
	*ret_fd = tc_netlink_fd(&r->nl);
	*ret_deadline = deadline;
}

const struct tc_hop *tc_route_hop(struct tc_route *r, const struct tc_ip *target)
{
	for (unsigned i = 0; i < r->n; i++) {
		if (tc_ip_eq(&r->places[i].ip, target)) {
			return &r->places[i].hop;
		}
	}
	return NULL;
}

uint64_t tc_route_speed(const struct tc_route *r)
{
	uint64_t slowest = 0;
	for (unsigned i = 0; i < r->n; i++) {
		uint64_t speed = r->places[i].hop.speed;
		if (speed > 0 && (slowest == 0 || speed < slowest)) {
			slowest = speed;
		}
	}
	return slowest;
}

bool tc_route_next_mtu(struct tc_route *r, struct tc_ip *ret_target, uint32_t *ret_mtu)
{
	for (unsigned i = 0; i < r->n; i++) {
		struct place *p = &r->places[i];
		if (p->hop.error == 0 && p->hop.mtu != p->told_mtu) {
			p->told_mtu = p->hop.mtu;
			*ret_target = p->ip;
			*ret_mtu = p->hop.mtu;
			return true;
		}
	}
	return false;
}

static void format_mac(const uint8_t mac[6], char *buf, size_t n)
{
	(void)snprintf(buf, n, "%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2], mac[3],
		       mac[4], mac[5]);
}

bool tc_route_text(const struct tc_route *r, unsigned i, char *buf, size_t n)
{
	if (i >= r->n) {
		return false;
	}
	const struct place *p = &r->places[i];
	char ip[TC_IP_TEXT_MAX], via[TC_IP_TEXT_MAX], name[IF_NAMESIZE] = "?", mac[18] = "unknown";
	(void)tc_ip_format(&p->ip, ip, sizeof ip);
	if (p->hop.error != 0) {
		(void)snprintf(buf, n, "%s: %s", ip, strerror(-p->hop.error));
		return true;
	}
	if (if_indextoname((unsigned)p->hop.ifindex, name) == NULL) {
		name[0] = '?';
	}
	bool has_neighbor = p->asks || p->fixed_dst;
	if (p->hop.has_mac) {
		format_mac(p->hop.dst_mac, mac, sizeof mac);
	}
	(void)snprintf(buf, n, "%s%s%s dev %s%s%s mtu %u", ip,
		       tc_ip_eq(&p->ip, &p->next_hop) ? "" : " via ",
		       tc_ip_eq(&p->ip, &p->next_hop) ? "" :
							tc_ip_format(&p->next_hop, via, sizeof via),
		       name, has_neighbor ? " lladdr " : "", has_neighbor ? mac : "", p->hop.mtu);
	return true;
}

/* One place for each target; a contradiction between two maps is an error */
static int add_places(struct tc_route *r, const struct tc_route_config *cfg, char *ret_error)
{
	for (unsigned i = 0; i < cfg->n_maps; i++) {
		const struct tc_map *m = &cfg->maps[i];
		struct place *p = NULL;
		for (unsigned k = 0; k < r->n && p == NULL; k++) {
			p = tc_ip_eq(&r->places[k].ip, &m->target) ? &r->places[k] : NULL;
		}
		if (p == NULL) {
			p = &r->places[r->n++];
			p->ip = m->target;
			p->next_hop = m->target;
		}
		char text[TC_IP_TEXT_MAX];
		if ((m->has_target_mac && p->fixed_dst &&
		     memcmp(p->hop.dst_mac, m->target_mac, sizeof m->target_mac) != 0) ||
		    (m->has_online_mac && p->fixed_src &&
		     memcmp(p->hop.src_mac, m->online_mac, sizeof m->online_mac) != 0)) {
			return tc_driver_say(ret_error, -EINVAL,
					     "target '%s' has two different MAC addresses",
					     tc_ip_format(&m->target, text, sizeof text));
		}
		if (m->has_target_mac) {
			p->fixed_dst = true;
			p->hop.has_mac = true;
			memcpy(p->hop.dst_mac, m->target_mac, sizeof m->target_mac);
		}
		if (m->has_online_mac) {
			p->fixed_src = true;
			memcpy(p->hop.src_mac, m->online_mac, sizeof m->online_mac);
		}
	}
	return 0;
}

static int check_places(const struct tc_route *r, char *ret_error)
{
	for (unsigned i = 0; i < r->n; i++) {
		const struct place *p = &r->places[i];
		char text[TC_IP_TEXT_MAX];
		(void)tc_ip_format(&p->ip, text, sizeof text);
		if (p->hop.error == -EPROTONOSUPPORT) {
			return tc_driver_say(
				ret_error, p->hop.error,
				"the device towards target '%s' is neither Ethernet nor a "
				"plain tunnel: deliver with raw sockets instead",
				text);
		}
		if (p->hop.error == -ENODEV && r->device[0] != '\0') {
			return tc_driver_error(ret_error, p->hop.error, "cannot send on '%s'",
					       r->device);
		}
		if (p->hop.error != 0) {
			return tc_driver_error(ret_error, p->hop.error, "no way to target '%s'",
					       text);
		}
		if (p->asks && !p->hop.has_mac && p->ask_error == -EPERM) {
			return tc_driver_error(
				ret_error, -EPERM,
				"cannot look for the neighbour on the way to target '%s' "
				"(it needs CAP_NET_ADMIN, or the MAC address in the map)",
				text);
		}
	}
	return 0;
}

static int64_t elapsed_ms(const struct timespec *since)
{
	struct timespec t;
	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (t.tv_sec - since->tv_sec) * 1000 + (t.tv_nsec - since->tv_nsec) / 1000000;
}

/* The only wait: at the start, for neighbours that were just asked for */
static void await_neighbors(struct tc_route *r, tc_time now)
{
	struct timespec start;
	(void)clock_gettime(CLOCK_MONOTONIC, &start);
	int64_t elapsed;
	while ((elapsed = elapsed_ms(&start)) < START_WAIT_MS) {
		unsigned unknown = 0;
		for (unsigned i = 0; i < r->n; i++) {
			unknown += r->places[i].hop.error == 0 && !r->places[i].hop.has_mac;
		}
		if (unknown == 0) {
			return;
		}
		struct pollfd p = { .fd = tc_netlink_fd(&r->nl), .events = POLLIN };
		(void)poll(&p, 1, (int)(START_WAIT_MS - elapsed));
		tc_route_on_ready(r, now);
	}
}

int tc_route_new(const struct tc_route_config *cfg, tc_time now, struct tc_route **ret,
		 char *ret_error)
{
	struct tc_route *r = calloc(1, sizeof *r + cfg->n_maps * sizeof r->places[0]);
	if (r == NULL) {
		return tc_driver_error(ret_error, -ENOMEM, "cannot look for the targets");
	}
	r->neighbors = cfg->neighbors;
	int err = tc_netlink_init(&r->nl);
	if (err < 0) {
		err = tc_driver_error(ret_error, err, "cannot ask the kernel for routes");
	} else if (cfg->device != NULL && strlen(cfg->device) >= sizeof r->device) {
		err = tc_driver_error(ret_error, -ENODEV, "cannot send on '%s'", cfg->device);
	} else {
		err = add_places(r, cfg, ret_error);
	}
	if (err == 0) {
		if (cfg->device != NULL) {
			memcpy(r->device, cfg->device, strlen(cfg->device) + 1);
		}
		look_all_up(r, now);
		err = check_places(r, ret_error);
	}
	if (err < 0) {
		tc_route_free(r);
		return err;
	}
	await_neighbors(r, now);
	for (unsigned i = 0; i < r->n; i++) {
		r->places[i].told_mtu = r->places[i].hop.mtu;
	}
	*ret = r;
	return 0;
}

void tc_route_free(struct tc_route *r)
{
	tc_netlink_fini(&r->nl);
	free(r);
}
