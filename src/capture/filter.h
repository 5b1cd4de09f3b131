/* SPDX-License-Identifier: BSD-2-Clause
 * capture/filter.h - which packets the kernel shall give us: pcap text from the maps, classic BPF from the text
 *
 * Layer:   capture. Allocates; used while a capture is made, never on a packet path.
 * Source:  pcap-filter(7); linux/filter.h.
 *
 * The text is made first and compiled later, because the user may give a text of his own (-F) and because --dry-run shows it.
 * It is written for frames whose outer VLAN tag is beside the frame, as packet sockets deliver them. A user's text that says `vlan`
 * means that tag too: libpcap knows how to ask the kernel for it, but tells only a handle that is open on the device, so one is
 * opened for the moment of compiling.
 *
 *     clients     tcp and (((dst port 80) and (dst host 10.0.0.2 or dst host 2001:db8::2)) or ...)
 *     answers     tcp and (src host 10.0.0.3 and (src port 8080))
 *
 * What it cannot see: TCP behind IPv6 extension headers other than a fragment header, and behind tunnels.
 */
#ifndef TC_CAPTURE_FILTER_H
#define TC_CAPTURE_FILTER_H

#include "base/map.h"
#include "wire/frame.h"

struct sock_filter;

/* The kernel's limit for one program (BPF_MAXINSNS) */
#define TC_FILTER_INSNS_MAX 4096

/* libpcap's optimizer takes a time that grows with the square of the program and worse: half a second for this many instructions,
 * minutes for ten times as many. Finding that out takes time with the length of the text. */
#define TC_FILTER_PLAIN_MAX 8192
#define TC_FILTER_TEXT_MAX 16384

/* Snap length that cuts nothing: longer than any block of a ring */
#define TC_FILTER_SNAP_ALL 262144

/* Ethernet, two VLAN tags, IPv6, TCP with all options, and some room: what intercept needs of an answer */
#define TC_FILTER_SNAP_HEADERS 160

/**
 * struct tc_filter_config - what clients send, as the maps say
 * @locals:     addresses for maps without one; with none of the target's family such a map means any address of that family
 * @online_too: also what the online servers send themselves (TC_PACE_THINK)
 * @fragments:  also later fragments of TCP packets, for a reassembly
 *
 * What goes to a target (or, with online_too, comes from it) never matches: it is our own copy.
 */
struct tc_filter_config {
	const struct tc_map *maps; /* borrowed for the call */
	unsigned n_maps;
	const struct tc_ip *locals; /* borrowed for the call */
	unsigned n_locals;
	bool online_too;
	bool fragments;
};

/**
 * tc_filter_text() - the capture filter of tcpcopy
 * @ret_text: owned by the caller, free()
 * Return: 0, -EINVAL without maps, -ENOMEM.
 */
int tc_filter_text(const struct tc_filter_config *cfg, char **ret_text);

/** struct tc_filter_target - a service whose answers are wanted */
struct tc_filter_target {
	struct tc_ip ip;
	uint16_t port;
	uint16_t port_last;
};

/** tc_filter_answers_text() - the capture filter of intercept; as tc_filter_text() */
int tc_filter_answers_text(const struct tc_filter_target *targets, unsigned n, char **ret_text);

/** struct tc_filter - a compiled program; .insns is owned, NULL when there is none */
struct tc_filter {
	struct sock_filter *insns;
	uint16_t n;
};

/**
 * tc_filter_compile() - text to classic BPF
 * @device:    that it is for, NULL when it has no name
 * @link:      TC_LINK_ETHERNET or TC_LINK_RAW
 * @snap:      bytes that the kernel keeps of a packet that matches
 * @tagged:    also what matches behind one tag inside the frame (QinQ: only the outer tag is taken out by the kernel);
 *             Ethernet only
 * @ret_error: TC_DRIVER_ERROR_MAX bytes; names the filter and the cause
 * Return: 0, -EINVAL (the text, or the device), -E2BIG (too long, or too many instructions), -ENOMEM.
 */
int tc_filter_compile(const char *text, const char *device, enum tc_link link, uint32_t snap,
		      bool tagged, struct tc_filter *ret, char *ret_error);

void tc_filter_fini(struct tc_filter *f);

#endif
