/* SPDX-License-Identifier: BSD-2-Clause
 * capture/raw.h - live capture with a raw socket, one packet a call
 *
 * Layer:   capture. As the classic tcpcopy did it; kept to be measured against capture/ring.h on the same build, and for hosts where
 *          a packet socket is not to be had.
 * Source:  raw(7).
 *
 * It sees IPv4 only, and only what is for this host. Each packet wakes the reader, which production pays for. Packets have the time
 * at which they were read, not the one at which they came. The kernel has put fragments together before.
 */
#ifndef TC_CAPTURE_RAW_H
#define TC_CAPTURE_RAW_H

#include "port/port.h"

/**
 * struct tc_capture_raw_config - borrowed for the call
 * @filter: pcap text, applied by the kernel to packets that begin with the IP header; NULL: all of TCP, as the classic did it
 */
struct tc_capture_raw_config {
	const char *filter;
};

/** tc_capture_raw_new() - as tc_capture_ring_new() */
int tc_capture_raw_new(const struct tc_capture_raw_config *cfg, struct tc_capture **ret,
		       char *ret_error);

#endif
