/* SPDX-License-Identifier: BSD-2-Clause
 * deliver/host.c - what the settings of this network namespace mean for sending
 */
#include "deliver/host.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#define STRICT 1

/* 0 also where there is no such setting */
static long read_number(const char *path)
{
	char text[24] = "";
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0) {
		return 0;
	}
	ssize_t n = read(fd, text, sizeof text - 1);
	close(fd);
	return n > 0 ? strtol(text, NULL, 10) : 0;
}

long tc_host_conntrack(void)
{
	return read_number("/proc/sys/net/netfilter/nf_conntrack_count");
}

/* The kernel takes the larger of both, for the settings that we read */
static long larger(const char *all, const char *lo)
{
	long a = read_number(all), b = read_number(lo);
	return a > b ? a : b;
}

const char *tc_host_takes_local(const struct tc_ip *ip)
{
	if (!tc_ip_is_v4(ip)) {
		return NULL;
	}
	if (larger("/proc/sys/net/ipv4/conf/all/rp_filter",
		   "/proc/sys/net/ipv4/conf/lo/rp_filter") == STRICT) {
		return "net.ipv4.conf.lo.rp_filter=2";
	}
	if (ip->b[12] == 127 && larger("/proc/sys/net/ipv4/conf/all/route_localnet",
				       "/proc/sys/net/ipv4/conf/lo/route_localnet") == 0) {
		return "net.ipv4.conf.all.route_localnet=1"; /* of the device that answers leave by, too */
	}
	return NULL;
}
