/* SPDX-License-Identifier: BSD-2-Clause
 * capture/ring.h - live capture from the packet rings of one or several devices
 *
 * Layer:   capture. The default driver of tcpcopy, and what intercept listens with.
 *
 * What it asks of the kernel is in capture/device.h, what it asks for in capture/filter.h. Reading makes no system call for a packet:
 * one for a block at most, and that only while the kernel drops or could have. Drops, and packets that the kernel had to cut, are
 * kernel_drops of the statistics and a TC_EVENT_CAPTURE_LOSS.
 *
 * Devices that go down or disappear are waited for; they are looked for once a second, and nothing else is disturbed.
 */
#ifndef TC_CAPTURE_RING_H
#define TC_CAPTURE_RING_H

#include "port/port.h"

#define TC_RING_DEVICES_MAX 32

/**
 * struct tc_capture_ring_config - all borrowed for the call but @clock
 * @devices:      names; "any" takes all devices of this namespace, without the tags of VLANs
 * @filter:       pcap text (capture/filter.h, or the user's own)
 * @own_filter:   the text is the user's own and stays as it is; ours also matches behind one tag inside the frame
 * @headers_only: keep TC_FILTER_SNAP_HEADERS bytes of a packet, and do not call that a loss
 * @snap:         bytes kept of a packet, 0 for all of it; a packet that is longer counts as lost
 * @bytes:        of all rings together, 0 for the default of 64 MB
 * @timeout_ms:   the longest that a packet waits in a block that is not full, 0 for the default of 1
 * @outgoing:     also what this host sends (the online server's own packets)
 * @promiscuous:  also frames for other hosts (a mirror port)
 * @clock:        borrowed for the life of the driver
 */
struct tc_capture_ring_config {
	const char *const *devices;
	unsigned n_devices;
	const char *filter;
	bool own_filter;
	bool headers_only;
	uint32_t snap;
	size_t bytes;
	unsigned timeout_ms;
	bool outgoing;
	bool promiscuous;
	const struct tc_clock *clock;
};

/**
 * tc_capture_ring_new() - bind the rings
 * @ret:       owned by the caller, freed by its ops
 * @ret_error: TC_DRIVER_ERROR_MAX bytes
 * Return: 0 or -errno.
 */
int tc_capture_ring_new(const struct tc_capture_ring_config *cfg, struct tc_capture **ret,
			char *ret_error);

/**
 * tc_capture_ring_refilter() - replace the filter of a ring; what it does not match is not seen from now on
 * @c:         made by tc_capture_ring_new()
 * @filter:    pcap text; compiled here, which takes milliseconds
 * @ret_error: TC_DRIVER_ERROR_MAX bytes
 * Return: 0 or -errno. When it fails with several devices some of them may have the new filter.
 */
int tc_capture_ring_refilter(struct tc_capture *c, const char *filter, char *ret_error);

#endif
