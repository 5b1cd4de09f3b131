/* SPDX-License-Identifier: BSD-2-Clause
 * lab/wire_port.h - a network device as one end of the wire
 *
 * Layer:   lab. A packet socket, never waited for.
 * Source:  packet(7): PACKET_VNET_HDR, PACKET_AUXDATA, PACKET_IGNORE_OUTGOING; linux/virtio_net.h.
 *
 * Reads what comes in at the device, for whomever it is, and writes what goes out of it. A frame comes with its virtio header, so
 * unfinished checksums and super-frames are what they are; a VLAN tag that the kernel took out is put back. A frame's time is the
 * kernel's stamp, not when it was read, so that a late wake-up does not add to the delay.
 */
#ifndef TC_LAB_WIRE_PORT_H
#define TC_LAB_WIRE_PORT_H

#include "lab/wire_cut.h"

/* A super-frame: 65535 bytes of IP, Ethernet, two tags */
#define WIRE_FRAME_MAX (65535 + 14 + 8)

struct wire_port_counts {
	uint64_t kernel_drops; /* the socket's buffer was full */
	uint64_t cut_short;    /* frames longer than WIRE_FRAME_MAX, which are dropped */
	uint64_t sent;
	uint64_t sent_bytes;
	uint64_t not_sent; /* refused by the device */
	int error;	   /* errno of the last one of these */
};

struct wire_port_batch;

struct wire_port {
	int fd; /* owned */
	int ifindex;
	uint32_t mtu;
	struct wire_port_counts counts;
	struct wire_port_batch *batch; /* owned */
};

/**
 * wire_port_open() - @device must exist in this network namespace
 * @ret_what: on failure what could not be done, static text
 * Return: 0 or -errno.
 */
int wire_port_open(struct wire_port *p, const char *device, const char **ret_what);
void wire_port_close(struct wire_port *p);

/** wire_port_next() - the next frame that came in, false when there is none now; borrowed until the next call */
bool wire_port_next(struct wire_port *p, struct wire_frame *ret_frame);

/** wire_port_send() - a frame, complete but for what @head says; it may wait until wire_port_flush(), borrowed until then */
void wire_port_send(struct wire_port *p, const struct virtio_net_hdr *head, struct tc_view frame);
void wire_port_flush(struct wire_port *p);

/** wire_port_is_full() - flush before the next frame is sent */
bool wire_port_is_full(const struct wire_port *p);

/** wire_port_look() - ask the kernel for its drops */
void wire_port_look(struct wire_port *p);

#endif
