/* SPDX-License-Identifier: BSD-2-Clause
 * deliver/raw.h - segments to the target through raw sockets, one packet a call
 *
 * Layer:   deliver. As the classic tcpcopy did it: for hosts whose routing a packet socket cannot follow (tunnels with a policy, a
 *          target on this host), and to be measured against deliver/packet.h.
 * Source:  raw(7); IP_HDRINCL, IPV6_HDRINCL.
 *
 * Packets take the kernel's whole output path: routes, firewall, connection tracking. Connection tracking keeps an entry for each copied
 * connection, which can fill production's table, so it is refused where it is at work (there are entries in this network namespace),
 * unless the caller says otherwise. A firewall that drops a packet is an EPERM here.
 *
 * The cut is made here, with complete checksums, and never above the MTU of the path.
 */
#ifndef TC_DELIVER_RAW_H
#define TC_DELIVER_RAW_H

#include "base/map.h"
#include "port/port.h"

/**
 * struct tc_deliver_raw_config - all borrowed for the call
 * @maps:            their targets
 * @device:          send through this device, or NULL
 * @mark:            SO_MARK of each packet, 0 for none (needs CAP_NET_ADMIN)
 * @allow_conntrack: go on where connection tracking is at work
 */
struct tc_deliver_raw_config {
	const struct tc_map *maps;
	unsigned n_maps;
	const char *device;
	uint32_t mark;
	bool allow_conntrack;
};

/** tc_deliver_raw_new() - as tc_deliver_packet_new(); -EBUSY where connection tracking is at work */
int tc_deliver_raw_new(const struct tc_deliver_raw_config *cfg, tc_time now,
		       struct tc_deliver **ret, char *ret_error);

#endif
