/* SPDX-License-Identifier: BSD-2-Clause
 * capture/device.h - the receive ring of one network device
 *
 * Layer:   capture. One packet socket with a TPACKET_V3 ring; used by capture/ring.c.
 * Source:  Documentation/networking/packet_mmap.rst; linux/if_packet.h.
 *
 * The kernel packs packets into blocks and hands a block over when it is full or its time is up, so that production pays a wake-up
 * for each block and not for each packet. The socket is made without a protocol: it sees nothing until it is bound, and it is bound
 * when the filter is in place, so no unfiltered packet can get in.
 *
 * Ethernet and loopback give frames; any other device, and `any`, gives packets that begin with the IP header (SOCK_DGRAM), so that
 * one filter and one decoder fit whatever is in front of them.
 *
 * A device that goes down wakes the reader once (ENETDOWN, taken with tc_device_is_down()). The kernel hooks the socket up again
 * when the same device comes up; one that was deleted and made anew has another number and is bound by tc_device_revive().
 */
#ifndef TC_CAPTURE_DEVICE_H
#define TC_CAPTURE_DEVICE_H

#include "capture/filter.h"

#include <net/if.h>

/* A block must hold the longest packet; with the block timeout each block that is not empty is retired after it, so the number of
 * blocks is the number of milliseconds that a ring can hold. The kernel allocates powers of two: less than this would not hold 64 KB
 * and their headers. */
#define TC_DEVICE_BLOCK (128 * 1024)
#define TC_DEVICE_BLOCKS_MIN 4

/**
 * struct tc_device_config
 * @name:        of the device, or "any"
 * @filter:      pcap text
 * @tagged:      also match behind one VLAN tag inside the frame
 * @snap:        bytes kept of a packet
 * @bytes:       size of the ring
 * @timeout_ms:  how long a block that is not empty may wait
 * @outgoing:    also what this host sends; never on loopback, where each packet comes in, too
 * @promiscuous: also frames for other hosts (a mirror port)
 */
struct tc_device_config {
	const char *name;
	const char *filter;
	bool tagged;
	uint32_t snap;
	size_t bytes;
	unsigned timeout_ms;
	bool outgoing;
	bool promiscuous;
};

struct tc_device {
	int fd;
	char name[IFNAMSIZ];
	bool any;
	bool outgoing;
	bool promiscuous;
	bool down;
	enum tc_link link;

	struct sock_filter *
		filter; /* owned: the capture filter, and in front of it room for a share of the clients */
	uint16_t filter_n; /* steps of the capture filter */
	uint32_t share;	   /* of TC_SHARE_ALL */

	/* the ring; shared with the kernel */
	uint8_t *map;
	size_t map_bytes;
	uint32_t n_blocks;

	/* where we read */
	uint32_t block; /* the one we read or wait for */
	bool open;	/* it is ours */
	uint32_t run;	/* blocks read since there was none */
	bool losing;	/* packets may have been dropped: ask tc_device_lost() */
	uint32_t left;	/* packets not yet read of it */
	const uint8_t *next;
	tc_time last_at; /* for capture/stamp.h */
};

/**
 * tc_device_open() - bind a ring
 * @ret:       on success; needs tc_device_close()
 * @ret_error: TC_DRIVER_ERROR_MAX bytes
 * A device that is down is no error: it is waited for.
 * Return: 0 or -errno.
 */
int tc_device_open(const struct tc_device_config *cfg, struct tc_device *ret, char *ret_error);
void tc_device_close(struct tc_device *d);

/**
 * tc_device_refilter() - replace the filter; no packet is lost or seen twice by it
 * @cfg: only .filter, .tagged and .snap count
 * Return: 0 or -errno: the filter is as it was.
 */
int tc_device_refilter(struct tc_device *d, const struct tc_device_config *cfg, char *ret_error);

/**
 * tc_device_keep_share() - let only @share of TC_SHARE_ALL clients pass, and of the others what begins and ends a connection
 * No packet of those that pass before and after is lost by it. No allocation.
 * Return: 0 or -errno: the share is as it was.
 */
int tc_device_keep_share(struct tc_device *d, uint32_t share);

/**
 * tc_device_next() - the next frame; no system call
 * @ret_frame: .data is valid until the next call; .at is the kernel's wall-clock stamp; .device is not set
 */
bool tc_device_next(struct tc_device *d, struct tc_frame *ret_frame);

/** tc_device_lost() - packets that the kernel has dropped since the last call */
uint64_t tc_device_lost(struct tc_device *d);

/** tc_device_is_down() - take the socket's error, which would wake the reader for ever; is the device down? */
bool tc_device_is_down(struct tc_device *d);

/** tc_device_revive() - look whether a device that was down is back, and bind to it; call at most once a second */
void tc_device_revive(struct tc_device *d);

/** tc_device_used() - blocks that wait for the reader */
uint32_t tc_device_used(const struct tc_device *d);

#endif
