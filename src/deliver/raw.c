/* SPDX-License-Identifier: BSD-2-Clause
 * deliver/raw.c - segments to the target through raw sockets, one packet a call
 */
#include "deliver/raw.h"

#include "deliver/cut.h"
#include "deliver/errors.h"
#include "deliver/host.h"
#include "deliver/route.h"
#include "port/error.h"
#include "wire/frame.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define SEND_BUFFER (8 << 20)

struct raw {
	struct tc_deliver base;
	struct tc_route *route; /* owned */
	int fd4;
	int fd6; /* -1 where the host has no IPv6 */
	uint16_t ip_id;
	struct tc_deliver_stats stats;
	struct tc_errors errors;
};

static struct raw *of(struct tc_deliver *d)
{
	return (struct raw *)(void *)d;
}

static void raw_wait(struct tc_deliver *d, struct tc_wait *ret_wait)
{
	*ret_wait = (struct tc_wait){ .read = true };
	tc_route_wait(of(d)->route, &ret_wait->fd, &ret_wait->deadline);
}

static void raw_on_ready(struct tc_deliver *d, tc_time now)
{
	tc_route_on_ready(of(d)->route, now);
}

/* One packet; 0 or a positive errno */
static int send_part(struct raw *r, const struct tc_segment *seg, const struct tc_cut_part *part,
		     struct iovec *iov, unsigned n_iov)
{
	uint8_t head[TC_HEADERS_MAX];
	size_t tcp_at;
	iov[0].iov_base = head;
	iov[0].iov_len =
		tc_headers_encode(seg, part->offset, part->len, r->ip_id++, false, head, &tcp_at);
	struct sockaddr_in to4 = { .sin_family = AF_INET };
	struct sockaddr_in6 to6 = { .sin6_family = AF_INET6 };
	struct msghdr msg = { .msg_iov = iov, .msg_iovlen = 1 + n_iov };
	int fd = r->fd4;
	if (tc_ip_is_v4(&seg->dst)) {
		memcpy(&to4.sin_addr, seg->dst.b + 12, sizeof to4.sin_addr);
		msg.msg_name = &to4;
		msg.msg_namelen = sizeof to4;
	} else {
		memcpy(&to6.sin6_addr, seg->dst.b, sizeof to6.sin6_addr);
		msg.msg_name = &to6;
		msg.msg_namelen = sizeof to6;
		fd = r->fd6;
	}
	ssize_t n;
	do {
		r->stats.calls++;
		n = sendmsg(fd, &msg, MSG_DONTWAIT);
	} while (n < 0 && errno == EINTR);
	if (n < 0) {
		return errno;
	}
	r->stats.pkts++;
	r->stats.bytes += (uint64_t)n;
	return 0;
}

/* 0, or the first of its errors: what follows it in the segment is tried all the same */
static int send_parts(struct raw *r, const struct tc_segment *seg, uint32_t mtu)
{
	struct iovec iov[1 + TC_SEGMENT_VIEWS];
	struct tc_cut cut;
	struct tc_cut_part part;
	unsigned n_iov;
	if (!tc_cut_init(&cut, seg, mtu, false)) {
		return EMSGSIZE;
	}
	int error = 0;
	while (tc_cut_next(&cut, &part, iov + 1, &n_iov)) {
		int e = send_part(r, seg, &part, iov, n_iov);
		error = error != 0 ? error : e;
	}
	return error;
}

static void raw_send(struct tc_deliver *d, const struct tc_segment *seg, tc_time now)
{
	struct raw *r = of(d);
	const struct tc_hop *hop = tc_route_hop(r->route, &seg->dst);
	int error;
	r->stats.segments++;
	if (hop == NULL) {
		error = EHOSTUNREACH;
	} else if (hop->error != 0) {
		error = -hop->error;
	} else {
		error = send_parts(r, seg, hop->mtu);
	}
	if (error != 0) {
		r->stats.errors++;
		tc_errors_add(&r->errors, seg->replica, error, now);
	}
	if (error == EMSGSIZE || error == ENETUNREACH) {
		tc_route_suspect(r->route, now);
	}
}

static void raw_flush(struct tc_deliver *d, tc_time now)
{
	(void)d;
	(void)now;
}

static bool raw_next_event(struct tc_deliver *d, struct tc_event *ret_ev)
{
	struct raw *r = of(d);
	struct tc_ip target;
	uint32_t mtu;
	if (tc_route_next_mtu(r->route, &target, &mtu)) {
		*ret_ev = (struct tc_event){ .kind = TC_EVENT_PATH_MTU,
					     .target = target,
					     .count = mtu };
		return true;
	}
	return tc_errors_next(&r->errors, ret_ev);
}

static uint64_t raw_speed(const struct tc_deliver *d)
{
	return tc_route_speed(((const struct raw *)(const void *)d)->route);
}

static void raw_stats(struct tc_deliver *d, struct tc_deliver_stats *ret_stats)
{
	*ret_stats = of(d)->stats;
}

static void raw_free(struct tc_deliver *d)
{
	struct raw *r = of(d);
	if (r->route != NULL) {
		tc_route_free(r->route);
	}
	if (r->fd4 >= 0) {
		close(r->fd4);
	}
	if (r->fd6 >= 0) {
		close(r->fd6);
	}
	free(r);
}

static const struct tc_deliver_ops raw_ops = {
	.wait = raw_wait,
	.on_ready = raw_on_ready,
	.send = raw_send,
	.flush = raw_flush,
	.next_event = raw_next_event,
	.speed = raw_speed,
	.stats = raw_stats,
	.free = raw_free,
};

/* IPPROTO_RAW: the socket is for sending only, and takes whole packets with their IP header */
static int open_socket(int family, const struct tc_deliver_raw_config *cfg, int *ret_fd)
{
	int fd = socket(family, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, IPPROTO_RAW);
	if (fd < 0) {
		return -errno;
	}
	*ret_fd = fd;
	int size = SEND_BUFFER;
	if (setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof size) != 0) {
		/* not allowed to exceed the host's limit: as much as it allows */
		(void)setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
	}
	if (cfg->mark != 0 &&
	    setsockopt(fd, SOL_SOCKET, SO_MARK, &cfg->mark, sizeof cfg->mark) != 0) {
		return -errno;
	}
	if (cfg->device != NULL && setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, cfg->device,
					      (socklen_t)strlen(cfg->device) + 1) != 0) {
		return -errno;
	}
	return 0;
}

static int open_sockets(struct raw *r, const struct tc_deliver_raw_config *cfg, char *ret_error)
{
	int err = open_socket(AF_INET, cfg, &r->fd4);
	if (err == 0) {
		err = open_socket(AF_INET6, cfg, &r->fd6);
		if (err == -EAFNOSUPPORT) {
			err = 0; /* then there is no route to an IPv6 target either */
		}
	}
	if (err < 0) {
		return tc_driver_error(ret_error, err, "cannot open a raw socket for sending%s",
				       err == -EPERM ? " (it needs root or CAP_NET_RAW, for a mark "
						       "also CAP_NET_ADMIN)" :
						       "");
	}
	return 0;
}

static int find_targets(struct raw *r, const struct tc_deliver_raw_config *cfg, tc_time now,
			char *ret_error)
{
	struct tc_route_config route = {
		.maps = cfg->maps,
		.n_maps = cfg->n_maps,
		.device = cfg->device,
	};
	return tc_route_new(&route, now, &r->route, ret_error);
}

int tc_deliver_raw_new(const struct tc_deliver_raw_config *cfg, tc_time now,
		       struct tc_deliver **ret, char *ret_error)
{
	long entries = tc_host_conntrack();
	if (entries > 0 && !cfg->allow_conntrack) {
		return tc_driver_say(
			ret_error, -EBUSY,
			"connection tracking is at work here (%ld entries) and would keep one "
			"for each copied connection: deliver with packet sockets, or allow it",
			entries);
	}
	struct raw *r = calloc(1, sizeof *r);
	if (r == NULL) {
		return tc_driver_error(ret_error, -ENOMEM, "cannot make a way to the targets");
	}
	r->base.ops = &raw_ops;
	r->fd4 = r->fd6 = -1;
	int err = open_sockets(r, cfg, ret_error);
	if (err == 0) {
		err = find_targets(r, cfg, now, ret_error);
	}
	if (err < 0) {
		raw_free(&r->base);
		return err;
	}
	*ret = &r->base;
	return 0;
}
