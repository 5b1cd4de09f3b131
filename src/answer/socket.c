/* SPDX-License-Identifier: BSD-2-Clause
 * answer/socket.c - TCP sockets for the channel
 */
#include "answer/socket.h"

#include <ctype.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#define BACKLOG 64
/* A peer whose host died is noticed after so long, also while bytes wait for it. */
#define DEAD_AFTER_MS 5000
#define KEEPALIVE_IDLE_S 2
#define KEEPALIVE_INTERVAL_S 1
#define KEEPALIVE_PROBES 3
/* What waits here cannot be merged any more; a few batches keep the path busy. */
#define NOTSENT_BYTES (64 * 1024)

union addr {
	struct sockaddr any;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
};

static socklen_t addr_of(const struct tc_ip *ip, uint16_t port, union addr *a)
{
	memset(a, 0, sizeof *a);
	if (tc_ip_is_v4(ip)) {
		a->v4.sin_family = AF_INET;
		a->v4.sin_port = htons(port);
		memcpy(&a->v4.sin_addr, ip->b + 12, 4);
		return sizeof a->v4;
	}
	a->v6.sin6_family = AF_INET6;
	a->v6.sin6_port = htons(port);
	memcpy(&a->v6.sin6_addr, ip->b, 16);
	return sizeof a->v6;
}

const char *tc_socket_text(const struct tc_ip *ip, uint16_t port, char buf[TC_SOCKET_TEXT_MAX])
{
	char text[TC_IP_TEXT_MAX];
	tc_ip_format(ip, text, sizeof text);
	(void)snprintf(buf, TC_SOCKET_TEXT_MAX, tc_ip_is_v4(ip) ? "%s:%u" : "[%s]:%u", text, port);
	return buf;
}

const char *tc_socket_error(int err, char buf[TC_SOCKET_ERROR_MAX])
{
	(void)snprintf(buf, TC_SOCKET_ERROR_MAX, "%s", strerror(err));
	buf[0] = (char)tolower((unsigned char)buf[0]);
	return buf;
}

static int set_int(int fd, int level, int option, int value)
{
	return setsockopt(fd, level, option, &value, sizeof value);
}

/* None of these is needed to work, only to work well: an old kernel without one is no failure. */
static void tune(int fd)
{
	(void)set_int(fd, IPPROTO_TCP, TCP_NODELAY, 1);
	(void)set_int(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, DEAD_AFTER_MS);
	(void)set_int(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, NOTSENT_BYTES);
	(void)set_int(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
	(void)set_int(fd, IPPROTO_TCP, TCP_KEEPIDLE, KEEPALIVE_IDLE_S);
	(void)set_int(fd, IPPROTO_TCP, TCP_KEEPINTVL, KEEPALIVE_INTERVAL_S);
	(void)set_int(fd, IPPROTO_TCP, TCP_KEEPCNT, KEEPALIVE_PROBES);
}

static int new_socket(int family)
{
	int fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_TCP);
	return fd < 0 ? -errno : fd;
}

static int listen_at(const struct tc_ip *ip, uint16_t port)
{
	union addr a;
	socklen_t len = addr_of(ip, port, &a);
	int fd = new_socket(a.any.sa_family);
	if (fd < 0) {
		return fd;
	}
	(void)set_int(fd, SOL_SOCKET, SO_REUSEADDR, 1);
	if (a.any.sa_family == AF_INET6) {
		(void)set_int(fd, IPPROTO_IPV6, IPV6_V6ONLY, tc_ip_is_any(ip) ? 0 : 1);
	}
	if (bind(fd, &a.any, len) < 0 || listen(fd, BACKLOG) < 0) {
		int r = -errno;
		close(fd);
		return r;
	}
	return fd;
}

int tc_socket_listen(const struct tc_ip *ip, uint16_t port)
{
	if (ip != NULL) {
		return listen_at(ip, port);
	}
	static const struct tc_ip all_v6 = { { 0 } };
	static const uint8_t all_v4[4] = { 0 };
	int fd = listen_at(&all_v6, port);
	if (fd == -EAFNOSUPPORT || fd == -EADDRNOTAVAIL) { /* a kernel without IPv6 */
		struct tc_ip v4 = tc_ip_from_v4(all_v4);
		fd = listen_at(&v4, port);
	}
	return fd;
}

static void read_addr(const union addr *a, struct tc_ip *ret_ip, uint16_t *ret_port)
{
	if (a->any.sa_family == AF_INET) {
		uint8_t b[4];
		memcpy(b, &a->v4.sin_addr, sizeof b);
		*ret_ip = tc_ip_from_v4(b);
		*ret_port = ntohs(a->v4.sin_port);
	} else {
		*ret_ip = tc_ip_from_v6(a->v6.sin6_addr.s6_addr);
		*ret_port = ntohs(a->v6.sin6_port);
	}
}

uint16_t tc_socket_port(int fd)
{
	union addr a = { .any.sa_family = AF_UNSPEC };
	socklen_t len = sizeof a;
	struct tc_ip ip;
	uint16_t port = 0;
	if (getsockname(fd, &a.any, &len) == 0) {
		read_addr(&a, &ip, &port);
	}
	return port;
}

int tc_socket_accept(int listener, struct tc_ip *ret_ip, uint16_t *ret_port)
{
	union addr a = { .any.sa_family = AF_UNSPEC };
	socklen_t len = sizeof a;
	int fd = accept4(listener, &a.any, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (fd < 0) {
		return -errno;
	}
	tune(fd);
	read_addr(&a, ret_ip, ret_port);
	return fd;
}

int tc_socket_connect(const struct tc_ip *ip, uint16_t port)
{
	union addr a;
	socklen_t len = addr_of(ip, port, &a);
	int fd = new_socket(a.any.sa_family);
	if (fd < 0) {
		return fd;
	}
	tune(fd);
	if (connect(fd, &a.any, len) < 0 && errno != EINPROGRESS) {
		int r = -errno;
		close(fd);
		return r;
	}
	return fd;
}

int tc_socket_is_connected(int fd, const struct tc_ip *ip, uint16_t port)
{
	/* asked again, the kernel tells how it went; an error waits in the socket first */
	int err = 0;
	socklen_t len = sizeof err;
	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &err, &len) < 0) {
		return -errno;
	}
	if (err != 0) {
		return -err;
	}
	union addr a;
	socklen_t addr_len = addr_of(ip, port, &a);
	if (connect(fd, &a.any, addr_len) == 0 || errno == EISCONN) {
		return 0;
	}
	return errno == EALREADY ? -EINPROGRESS : -errno;
}
