/* SPDX-License-Identifier: BSD-2-Clause
 * deliver/route.h - where a packet for a target goes: device, next hop, its MAC address, MTU
 *
 * Layer:   deliver. Netlink, never blocking after the start; allocates when it is made.
 * Source:  rtnetlink(7); linux/rtnetlink.h, linux/neighbour.h. Asks for one neighbour by address: Linux 5.0.
 *
 * A packet socket gets none of what the kernel does for others, so we ask it: which route (RTM_GETROUTE), which device
 * (RTM_GETLINK), which neighbour (RTM_GETNEIGH), and we follow what it announces of them. A neighbour that is not known is one that the
 * kernel is asked to resolve (NTF_USE), again each second; one that is known is confirmed each 20 seconds in the same way, because
 * nothing else would keep it alive.
 *
 *     target:   no route -> hop.error = -errno                      retried each second, and when routes change
 *               route, neighbour unknown -> hop.has_mac = false     asked for each second; its answer is announced
 *               known -> hop.has_mac = true                         confirmed each 20 s, changes are announced
 *
 * The MTU is the route's, with what the kernel has learned of the path, and at most the device's.
 */
#ifndef TC_DELIVER_ROUTE_H
#define TC_DELIVER_ROUTE_H

#include "base/map.h"
#include "base/types.h"

#include <net/if.h>

#define TC_ROUTE_RETRY TC_SEC
#define TC_ROUTE_CONFIRM (20 * TC_SEC)

/**
 * struct tc_hop - how to send to one target now
 * @error:      0, or why not: -ENETUNREACH, -EHOSTUNREACH, -ENETDOWN, -ENODEV, ...
 * @local:      it is an address of this host
 * @has_mac:    dst_mac is known, or the device needs none
 * @speed:      of the device in bits per second, 0 when it does not say
 * @link_bytes: of the link header: 14 for Ethernet, 0 for a device that takes bare IP packets
 */
struct tc_hop {
	int error;
	int ifindex;
	uint64_t speed;
	uint32_t mtu;
	uint8_t link_bytes;
	bool local;
	bool has_mac;
	uint8_t src_mac[6];
	uint8_t dst_mac[6];
};

/**
 * struct tc_route_config - all borrowed for the call
 * @maps:      its targets, each once; with the MAC addresses that the user gave: the target's for the next hop, the online one
 *             for the source
 * @device:    send through this device whatever the routes say, or NULL
 * @neighbors: the next hop's MAC address is needed
 */
struct tc_route_config {
	const struct tc_map *maps;
	unsigned n_maps;
	const char *device;
	bool neighbors;
};

struct tc_route;

/**
 * tc_route_new() - look all targets up; waits for neighbours, at most a second in all
 * @ret_error: TC_DRIVER_ERROR_MAX bytes: which target, and why it cannot be reached
 * A neighbour that does not answer yet is no error.
 * Return: 0 or -errno.
 */
int tc_route_new(const struct tc_route_config *cfg, tc_time now, struct tc_route **ret,
		 char *ret_error);
void tc_route_free(struct tc_route *r);

/** tc_route_hop() - NULL when @target is none of the maps' */
const struct tc_hop *tc_route_hop(struct tc_route *r, const struct tc_ip *target);

/** tc_route_speed() - of the slowest device towards a target that says, 0 when none does */
uint64_t tc_route_speed(const struct tc_route *r);

/** tc_route_wait() - the fd to read and the time to come at the latest */
void tc_route_wait(const struct tc_route *r, int *ret_fd, tc_time *ret_deadline);
/** tc_route_on_ready() - read what the kernel announced, look up what is due; bounded work */
void tc_route_on_ready(struct tc_route *r, tc_time now);
/** tc_route_suspect() - a send failed in a way that says that something has changed: look soon */
void tc_route_suspect(struct tc_route *r, tc_time now);

/** tc_route_next_mtu() - a target whose MTU has changed since the last call; false when there is none */
bool tc_route_next_mtu(struct tc_route *r, struct tc_ip *ret_target, uint32_t *ret_mtu);

/** tc_route_text() - target @i for people ("10.0.0.3 via 10.0.0.1 dev eth0 lladdr 52:..., mtu 1500"); false beyond the last */
bool tc_route_text(const struct tc_route *r, unsigned i, char *buf, size_t n);

#endif
