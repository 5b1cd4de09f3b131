/* SPDX-License-Identifier: BSD-2-Clause
 * packaging/static-mnl.c - libmnl's functions that we use, for the static build on systems without libmnl.a
 *
 * Debian's libmnl-dev has no static library. These have the signatures and the meaning of libmnl.h of 1.0.4; a function of it that is
 * used and not here fails to link. Where there is a libmnl.a, that is linked instead.
 * Source: linux/netlink.h: messages and attributes begin at multiples of 4 bytes, each with its length, header included.
 */
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/netlink.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define MESSAGE_HEAD sizeof(struct nlmsghdr)
#define ATTR_HEAD sizeof(struct nlattr)

struct mnl_socket {
	int fd;
};

static size_t aligned(size_t n)
{
	return (n + NLMSG_ALIGNTO - 1) / NLMSG_ALIGNTO * NLMSG_ALIGNTO;
}

/* ---- sockets ---- */

struct mnl_socket *mnl_socket_open2(int bus, int flags)
{
	struct mnl_socket *nl = calloc(1, sizeof *nl);
	if (nl == NULL) {
		return NULL;
	}
	nl->fd = socket(AF_NETLINK, SOCK_RAW | flags, bus);
	if (nl->fd < 0) {
		free(nl);
		return NULL;
	}
	return nl;
}

int mnl_socket_bind(struct mnl_socket *nl, unsigned int groups, pid_t pid)
{
	struct sockaddr_nl a = { .nl_family = AF_NETLINK,
				 .nl_groups = groups,
				 .nl_pid = (unsigned int)pid };
	return bind(nl->fd, (const struct sockaddr *)&a, sizeof a);
}

int mnl_socket_get_fd(const struct mnl_socket *nl)
{
	return nl->fd;
}

int mnl_socket_setsockopt(const struct mnl_socket *nl, int type, void *buf, socklen_t len)
{
	return setsockopt(nl->fd, SOL_NETLINK, type, buf, len);
}

ssize_t mnl_socket_sendto(const struct mnl_socket *nl, const void *req, size_t siz)
{
	struct sockaddr_nl kernel = { .nl_family = AF_NETLINK };
	return sendto(nl->fd, req, siz, 0, (const struct sockaddr *)&kernel, sizeof kernel);
}

ssize_t mnl_socket_recvfrom(const struct mnl_socket *nl, void *buf, size_t siz)
{
	struct sockaddr_nl from;
	struct iovec iov = { .iov_base = buf, .iov_len = siz };
	struct msghdr msg = {
		.msg_name = &from, .msg_namelen = sizeof from, .msg_iov = &iov, .msg_iovlen = 1
	};
	ssize_t n = recvmsg(nl->fd, &msg, 0);
	if (n < 0) {
		return n;
	}
	if ((msg.msg_flags & MSG_TRUNC) != 0) {
		errno = ENOSPC;
		return -1;
	}
	if (msg.msg_namelen != sizeof from) {
		errno = EINVAL;
		return -1;
	}
	return n;
}

int mnl_socket_close(struct mnl_socket *nl)
{
	int r = close(nl->fd);
	free(nl);
	return r;
}

/* ---- messages ---- */

struct nlmsghdr *mnl_nlmsg_put_header(void *buf)
{
	struct nlmsghdr *nlh = buf;
	memset(nlh, 0, MESSAGE_HEAD);
	nlh->nlmsg_len = MESSAGE_HEAD;
	return nlh;
}

void *mnl_nlmsg_put_extra_header(struct nlmsghdr *nlh, size_t size)
{
	char *p = (char *)nlh + nlh->nlmsg_len;
	memset(p, 0, aligned(size));
	nlh->nlmsg_len += (uint32_t)aligned(size);
	return p;
}

bool mnl_nlmsg_ok(const struct nlmsghdr *nlh, int len)
{
	return len >= (int)sizeof *nlh && nlh->nlmsg_len >= sizeof *nlh &&
	       nlh->nlmsg_len <= (uint32_t)len;
}

struct nlmsghdr *mnl_nlmsg_next(const struct nlmsghdr *nlh, int *len)
{
	size_t n = aligned(nlh->nlmsg_len);
	*len -= (int)n;
	return (struct nlmsghdr *)((char *)(uintptr_t)nlh + n);
}

void *mnl_nlmsg_get_payload(const struct nlmsghdr *nlh)
{
	return (char *)(uintptr_t)nlh + MESSAGE_HEAD;
}

/* ---- attributes ---- */

uint16_t mnl_attr_get_type(const struct nlattr *attr)
{
	return (uint16_t)(attr->nla_type & (uint16_t)NLA_TYPE_MASK);
}

uint16_t mnl_attr_get_payload_len(const struct nlattr *attr)
{
	return (uint16_t)(attr->nla_len - ATTR_HEAD);
}

void *mnl_attr_get_payload(const struct nlattr *attr)
{
	return (char *)(uintptr_t)attr + ATTR_HEAD;
}

uint32_t mnl_attr_get_u32(const struct nlattr *attr)
{
	uint32_t v;
	memcpy(&v, mnl_attr_get_payload(attr), sizeof v);
	return v;
}

void mnl_attr_put(struct nlmsghdr *nlh, uint16_t type, size_t len, const void *data)
{
	char *p = (char *)nlh + aligned(nlh->nlmsg_len);
	struct nlattr attr = { .nla_len = (uint16_t)(ATTR_HEAD + len), .nla_type = type };
	memset(p, 0, ATTR_HEAD + aligned(len));
	memcpy(p, &attr, sizeof attr);
	memcpy(p + ATTR_HEAD, data, len);
	nlh->nlmsg_len += (uint32_t)(ATTR_HEAD + aligned(len));
}

void mnl_attr_put_u32(struct nlmsghdr *nlh, uint16_t type, uint32_t data)
{
	mnl_attr_put(nlh, type, sizeof data, &data);
}

/* All attributes in @n bytes at @p; one that is cut ends them */
static int parse(const char *p, size_t n, mnl_attr_cb_t cb, void *data)
{
	int r = MNL_CB_OK;
	while (n >= ATTR_HEAD && r > MNL_CB_STOP) {
		const struct nlattr *attr = (const void *)p;
		size_t whole = aligned(attr->nla_len);
		if (attr->nla_len < ATTR_HEAD || attr->nla_len > n) {
			break;
		}
		r = cb(attr, data);
		whole = whole < n ? whole : n;
		p += whole;
		n -= whole;
	}
	return r;
}

int mnl_attr_parse(const struct nlmsghdr *nlh, unsigned int offset, mnl_attr_cb_t cb, void *data)
{
	size_t head = MESSAGE_HEAD + aligned(offset);
	size_t n = nlh->nlmsg_len > head ? nlh->nlmsg_len - head : 0;
	return parse((const char *)nlh + head, n, cb, data);
}

int mnl_attr_parse_nested(const struct nlattr *attr, mnl_attr_cb_t cb, void *data)
{
	return parse(mnl_attr_get_payload(attr), mnl_attr_get_payload_len(attr), cb, data);
}
