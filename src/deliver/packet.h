/* SPDX-License-Identifier: BSD-2-Clause
 * deliver/packet.h - segments to the target through a packet socket
 *
 * Layer:   deliver. The default: batches of packets, large segments whole (GSO), nothing of production's packet path is passed:
 *          no connection tracking, no firewall, no route of its own.
 * Source:  packet(7); linux/virtio_net.h.
 *
 *     vnet header (GSO, checksum) | Ethernet | IP | TCP | views of the payload, not copied
 *
 * A segment longer than its cut goes down whole, at most 64 KB with its headers, and is cut by the device or by the kernel; where the
 * kernel has no vnet headers it is cut here, with complete checksums. Never more than the MTU of the path is put into a packet,
 * whatever the segment says.
 *
 * send() queues and flush() sends; nothing waits. What is not sent is counted and told as TC_EVENT_SEND_ERROR, and TCP sends it again.
 * As long as a next hop's MAC address is not known its segments are such errors (EHOSTUNREACH, no_neighbor).
 *
 * A target on this very host is reached through the loopback device, where the kernel takes packets of foreign clients
 * (deliver/host.h); where it does not, the driver is not made, and the error says which setting is in the way.
 */
#ifndef TC_DELIVER_PACKET_H
#define TC_DELIVER_PACKET_H

#include "base/map.h"
#include "port/port.h"

/**
 * struct tc_deliver_packet_config - all borrowed for the call
 * @maps:   their targets, with the MAC addresses that the user gave
 * @device: send through this device (-o), or NULL: as the routes say
 * @no_gso: cut large segments here
 */
struct tc_deliver_packet_config {
	const struct tc_map *maps;
	unsigned n_maps;
	const char *device;
	bool no_gso;
};

/**
 * tc_deliver_packet_new() - look up the ways to the targets; waits up to a second for their neighbours
 * @ret:       owned by the caller, freed by its ops
 * @ret_error: TC_DRIVER_ERROR_MAX bytes
 * Return: 0 or -errno.
 */
int tc_deliver_packet_new(const struct tc_deliver_packet_config *cfg, tc_time now,
			  struct tc_deliver **ret, char *ret_error);

/** tc_deliver_packet_text() - the way to target @i for people; false beyond the last */
bool tc_deliver_packet_text(const struct tc_deliver *d, unsigned i, char *buf, size_t n);

#endif
