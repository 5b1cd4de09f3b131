/* SPDX-License-Identifier: BSD-2-Clause
 * base/map.h - which online address is copied to which target: one part of -x
 *
 * Layer:   base. Values.
 */
#ifndef TC_BASE_MAP_H
#define TC_BASE_MAP_H

#include "base/ip.h"

#define TC_MAPS_MAX 64

/**
 * struct tc_map - [IP:]PORT[-PORT][@MAC]-IP:PORT[@MAC]
 * @online:      address of the online server, tc_ip_is_any() for any of the target's family: a copy keeps its client's address
 * @online_port: first port; @online_port_last is the last, the same for one port
 * @target:      always given
 * @target_port: for the first online port; a range of ports keeps its distance
 */
struct tc_map {
	struct tc_ip online;
	struct tc_ip target;
	uint16_t online_port;
	uint16_t online_port_last;
	uint16_t target_port;
	bool has_online_mac;
	bool has_target_mac;
	uint8_t online_mac[6];
	uint8_t target_mac[6];
};

static inline bool tc_map_covers_ip(const struct tc_map *m, const struct tc_ip *online)
{
	return tc_ip_is_any(&m->online) ? tc_ip_is_v4(online) == tc_ip_is_v4(&m->target) :
					  tc_ip_eq(&m->online, online);
}

static inline bool tc_map_covers(const struct tc_map *m, const struct tc_ip *online, uint16_t port)
{
	return port >= m->online_port && port <= m->online_port_last && tc_map_covers_ip(m, online);
}

/** tc_map_target_port() - the target's port for the online @port, which the map covers */
static inline uint16_t tc_map_target_port(const struct tc_map *m, uint16_t port)
{
	return (uint16_t)(m->target_port + (port - m->online_port));
}

#endif
