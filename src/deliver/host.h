/* SPDX-License-Identifier: BSD-2-Clause
 * deliver/host.h - what the settings of this network namespace mean for sending
 *
 * Layer:   deliver. Reads /proc/sys; used while a driver is made.
 * Source:  Documentation/networking/ip-sysctl.rst, nf_conntrack-sysctl.rst.
 */
#ifndef TC_DELIVER_HOST_H
#define TC_DELIVER_HOST_H

#include "base/ip.h"

/** tc_host_conntrack() - entries of connection tracking here; 0 where it is not at work */
long tc_host_conntrack(void);

/**
 * tc_host_takes_local() - does this host take a packet of a client elsewhere for @ip, one of its own, from the loopback device
 *
 * A packet that did not come through the kernel's own output is checked like one from outside: strict rp_filter refuses a client
 * whose route is not lo; 127.0.0.0/8 is refused without route_localnet. (One of the host's own addresses as client also needs
 * accept_local, which is up to those clients.) IPv6 has no such checks.
 * Return: NULL, or what has to be set.
 */
const char *tc_host_takes_local(const struct tc_ip *ip);

#endif
