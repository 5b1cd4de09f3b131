/* SPDX-License-Identifier: BSD-2-Clause
 * capture/share.h - a program of the kernel's that lets a share of the clients pass
 *
 * Layer:   capture. No I/O, no allocation.
 * Source:  linux/filter.h; wire/share.h is the same share for the core.
 *
 * It stands in front of a capture filter: what it keeps goes on with the first step behind it, and all of its jumps are relative, so
 * any filter fits. It only ever says no to a TCP packet from a client outside the share, and not even then when the packet begins or
 * ends a connection: so the core counts each session that is left out, and its bytes. What has no ports (fragments), and what this
 * program cannot read (IPv6 extension headers, more than one VLAN tag inside the frame), is left to the filter.
 */
#ifndef TC_CAPTURE_SHARE_H
#define TC_CAPTURE_SHARE_H

#include "wire/frame.h"
#include "wire/share.h"

struct sock_filter;

/* Steps of the longest one */
#define TC_SHARE_PROGRAM_MAX 96

/**
 * tc_share_program() - a prefix that keeps @share of TC_SHARE_ALL clients
 * @link: TC_LINK_ETHERNET or TC_LINK_RAW
 * @ret:  TC_SHARE_PROGRAM_MAX steps
 * Return: how many steps; 0 when all clients are kept.
 */
unsigned tc_share_program(enum tc_link link, uint32_t share, struct sock_filter *ret);

#endif
