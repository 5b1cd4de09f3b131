/* SPDX-License-Identifier: BSD-2-Clause
 * deliver/netlink.c - questions to the kernel about routes, devices and neighbours, and its news of them
 */
#include "deliver/netlink.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/ethtool.h>
#include <linux/if_link.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

static uint8_t family_of(const struct tc_ip *ip)
{
	return tc_ip_is_v4(ip) ? AF_INET : AF_INET6;
}

static void put_ip(struct nlmsghdr *nlh, uint16_t type, const struct tc_ip *ip)
{
	if (tc_ip_is_v4(ip)) {
		mnl_attr_put(nlh, type, 4, ip->b + 12);
	} else {
		mnl_attr_put(nlh, type, 16, ip->b);
	}
}

/* The attributes of a message that we may want: their types are small */
#define ATTRS 32
struct attrs {
	const struct nlattr *of[ATTRS];
};

static int keep_attr(const struct nlattr *attr, void *data)
{
	struct attrs *attrs = data;
	if (mnl_attr_get_type(attr) < ATTRS) {
		attrs->of[mnl_attr_get_type(attr)] = attr;
	}
	return MNL_CB_OK;
}

static uint32_t get_u32(const struct nlattr *attr)
{
	return attr != NULL && mnl_attr_get_payload_len(attr) == 4 ? mnl_attr_get_u32(attr) : 0;
}

/* @skip: bytes before the address */
static bool get_ip(const struct nlattr *attr, size_t skip, struct tc_ip *ret)
{
	if (attr == NULL || mnl_attr_get_payload_len(attr) < skip) {
		return false;
	}
	const uint8_t *p = mnl_attr_get_payload(attr);
	size_t n = mnl_attr_get_payload_len(attr) - skip;
	if (n == 4) {
		*ret = tc_ip_from_v4(p + skip);
	} else if (n == 16) {
		*ret = tc_ip_from_v6(p + skip);
	}
	return n == 4 || n == 16;
}

static bool get_mac(const struct nlattr *attr, uint8_t ret_mac[6])
{
	if (attr == NULL || mnl_attr_get_payload_len(attr) != 6) {
		return false;
	}
	memcpy(ret_mac, mnl_attr_get_payload(attr), 6);
	return true;
}

static void read_route(const struct nlmsghdr *nlh, struct tc_netlink_route *route)
{
	const struct rtmsg *head = mnl_nlmsg_get_payload(nlh);
	struct attrs attrs = { 0 };
	(void)mnl_attr_parse(nlh, sizeof *head, keep_attr, &attrs);
	route->local = head->rtm_type == RTN_LOCAL;
	route->ifindex = (int)get_u32(attrs.of[RTA_OIF]);
	if (!get_ip(attrs.of[RTA_GATEWAY], 0, &route->next_hop)) {
		/* a gateway of the other family has its family before it */
		(void)get_ip(attrs.of[RTA_VIA], sizeof(uint16_t), &route->next_hop);
	}
	if (attrs.of[RTA_METRICS] != NULL) {
		struct attrs metrics = { 0 };
		(void)mnl_attr_parse_nested(attrs.of[RTA_METRICS], keep_attr, &metrics);
		route->mtu = get_u32(metrics.of[RTAX_MTU]);
	}
}

static void read_link(const struct nlmsghdr *nlh, struct tc_netlink_link *link)
{
	const struct ifinfomsg *head = mnl_nlmsg_get_payload(nlh);
	struct attrs attrs = { 0 };
	(void)mnl_attr_parse(nlh, sizeof *head, keep_attr, &attrs);
	*link = (struct tc_netlink_link){
		.ifindex = head->ifi_index,
		.type = head->ifi_type,
		.gone = nlh->nlmsg_type == RTM_DELLINK,
		.up = (head->ifi_flags & IFF_UP) != 0,
		.noarp = (head->ifi_flags & (IFF_NOARP | IFF_LOOPBACK)) != 0,
		.mtu = get_u32(attrs.of[IFLA_MTU]),
	};
	link->has_mac = get_mac(attrs.of[IFLA_ADDRESS], link->mac);
}

/* false: an entry of something else than an IP address (a bridge's table) */
static bool read_neighbor(const struct nlmsghdr *nlh, struct tc_netlink_neighbor *neighbor)
{
	const struct ndmsg *head = mnl_nlmsg_get_payload(nlh);
	struct attrs attrs = { 0 };
	(void)mnl_attr_parse(nlh, sizeof *head, keep_attr, &attrs);
	*neighbor = (struct tc_netlink_neighbor){ .ifindex = head->ndm_ifindex };
	neighbor->kept = (head->ndm_state & (NUD_PERMANENT | NUD_NOARP)) != 0 ||
			 (head->ndm_flags & NTF_EXT_LEARNED) != 0 ||
			 (get_u32(attrs.of[NDA_FLAGS_EXT]) & NTF_EXT_MANAGED) != 0;
	bool has_mac = get_mac(attrs.of[NDA_LLADDR], neighbor->mac);
	if (nlh->nlmsg_type == RTM_DELNEIGH) {
		neighbor->state = TC_NEIGHBOR_GONE;
	} else if (has_mac && (head->ndm_state & (NUD_INCOMPLETE | NUD_FAILED)) == 0) {
		neighbor->state = TC_NEIGHBOR_KNOWN;
	} else {
		neighbor->state = TC_NEIGHBOR_UNKNOWN;
	}
	return get_ip(attrs.of[NDA_DST], 0, &neighbor->ip) &&
	       (head->ndm_family == AF_INET || head->ndm_family == AF_INET6);
}

static struct nlmsghdr *question(struct tc_netlink *nl, uint16_t type, uint16_t flags)
{
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(nl->asked);
	nlh->nlmsg_type = type;
	nlh->nlmsg_flags = (uint16_t)(NLM_F_REQUEST | flags);
	nlh->nlmsg_seq = ++nl->seq;
	return nlh;
}

/*
 * Send a question and read its answer, which is in the socket when the send returns.
 * Return: 0 and *@ret_answer of type @type (@type 0: just done), or -errno as the kernel says it.
 */
static int answer(struct tc_netlink *nl, const struct nlmsghdr *nlh, uint16_t type,
		  const struct nlmsghdr **ret_answer)
{
	if (mnl_socket_sendto(nl->ask, nlh, nlh->nlmsg_len) < 0) {
		return -errno;
	}
	ssize_t n;
	while ((n = mnl_socket_recvfrom(nl->ask, nl->asked, sizeof nl->asked)) > 0) {
		int left = (int)n;
		for (const struct nlmsghdr *a = (const void *)nl->asked; mnl_nlmsg_ok(a, left);
		     a = mnl_nlmsg_next(a, &left)) {
			if (a->nlmsg_seq != nl->seq) {
				continue; /* of a question whose answer was given up */
			}
			if (a->nlmsg_type == NLMSG_ERROR) {
				const struct nlmsgerr *e = mnl_nlmsg_get_payload(a);
				return e->error != 0 || type == 0 ? e->error : -EPROTO;
			}
			if (type != 0 && a->nlmsg_type == type) {
				*ret_answer = a;
				return 0;
			}
		}
	}
	return n < 0 ? -errno : -EPROTO;
}

int tc_netlink_ask_route(struct tc_netlink *nl, const struct tc_ip *ip, int ifindex,
			 struct tc_netlink_route *ret)
{
	struct nlmsghdr *nlh = question(nl, RTM_GETROUTE, 0);
	struct rtmsg *head = mnl_nlmsg_put_extra_header(nlh, sizeof *head);
	head->rtm_family = family_of(ip);
	head->rtm_dst_len = tc_ip_is_v4(ip) ? 32 : 128;
	put_ip(nlh, RTA_DST, ip);
	if (ifindex != 0) {
		mnl_attr_put_u32(nlh, RTA_OIF, (uint32_t)ifindex);
	}
	const struct nlmsghdr *a = NULL;
	int r = answer(nl, nlh, RTM_NEWROUTE, &a);
	if (r == 0) {
		struct tc_netlink_route route = { .next_hop = *ip };
		read_route(a, &route);
		*ret = route;
	}
	return r;
}

int tc_netlink_ask_link(struct tc_netlink *nl, int ifindex, struct tc_netlink_link *ret)
{
	struct nlmsghdr *nlh = question(nl, RTM_GETLINK, 0);
	struct ifinfomsg *head = mnl_nlmsg_put_extra_header(nlh, sizeof *head);
	head->ifi_index = ifindex;
	const struct nlmsghdr *a = NULL;
	int r = answer(nl, nlh, RTM_NEWLINK, &a);
	if (r == 0) {
		read_link(a, ret);
	}
	return r;
}

/* TUN devices say 10 Mbit/s, which is true of none of them, and nothing that serves clients is as slow */
#define SPEED_MIN_MBIT 11

uint64_t tc_netlink_ask_speed(const struct tc_netlink *nl, int ifindex)
{
	struct ethtool_cmd cmd = { .cmd = ETHTOOL_GSET };
	struct ifreq ifr = { .ifr_ifindex = ifindex };
	int fd = mnl_socket_get_fd(nl->ask);
	if (ioctl(fd, SIOCGIFNAME, &ifr) != 0) {
		return 0;
	}
	ifr.ifr_data = (void *)&cmd;
	if (ioctl(fd, SIOCETHTOOL, &ifr) != 0) {
		return 0;
	}
	uint32_t mbit = ethtool_cmd_speed(&cmd);
	return mbit >= SPEED_MIN_MBIT && mbit != (uint32_t)SPEED_UNKNOWN ? mbit * 1000000ULL : 0;
}

int tc_netlink_ask_neighbor(struct tc_netlink *nl, int ifindex, const struct tc_ip *ip,
			    struct tc_netlink_neighbor *ret)
{
	struct nlmsghdr *nlh = question(nl, RTM_GETNEIGH, 0);
	struct ndmsg *head = mnl_nlmsg_put_extra_header(nlh, sizeof *head);
	head->ndm_family = family_of(ip);
	head->ndm_ifindex = ifindex;
	put_ip(nlh, NDA_DST, ip);
	const struct nlmsghdr *a = NULL;
	int r = answer(nl, nlh, RTM_NEWNEIGH, &a);
	if (r == 0 && !read_neighbor(a, ret)) {
		r = -EPROTO;
	}
	return r;
}

int tc_netlink_resolve(struct tc_netlink *nl, int ifindex, const struct tc_ip *ip)
{
	struct nlmsghdr *nlh = question(nl, RTM_NEWNEIGH, NLM_F_CREATE | NLM_F_ACK);
	struct ndmsg *head = mnl_nlmsg_put_extra_header(nlh, sizeof *head);
	head->ndm_family = family_of(ip);
	head->ndm_ifindex = ifindex;
	head->ndm_state = NUD_NONE;
	head->ndm_flags = NTF_USE;
	put_ip(nlh, NDA_DST, ip);
	const struct nlmsghdr *a = NULL;
	return answer(nl, nlh, 0, &a);
}

/* false: nothing that concerns us */
static bool read_news(const struct nlmsghdr *nlh, struct tc_netlink_news *ret)
{
	switch (nlh->nlmsg_type) {
	case RTM_NEWNEIGH:
	case RTM_DELNEIGH:
		ret->kind = TC_NEWS_NEIGHBOR;
		return read_neighbor(nlh, &ret->neighbor);
	case RTM_NEWLINK:
	case RTM_DELLINK: {
		const struct ifinfomsg *head = mnl_nlmsg_get_payload(nlh);
		ret->kind = TC_NEWS_LINK;
		read_link(nlh, &ret->link);
		return head->ifi_family == AF_UNSPEC; /* others are of a bridge's ports */
	}
	case RTM_NEWROUTE:
	case RTM_DELROUTE:
	case RTM_NEWADDR:
	case RTM_DELADDR:
	case RTM_NEWRULE:
	case RTM_DELRULE:
		ret->kind = TC_NEWS_ROUTES;
		return true;
	default:
		return false;
	}
}

bool tc_netlink_next(struct tc_netlink *nl, struct tc_netlink_news *ret)
{
	for (;;) {
		const struct nlmsghdr *nlh = (const void *)nl->at;
		if (nl->left > 0 && mnl_nlmsg_ok(nlh, nl->left)) {
			nl->at = (const uint8_t *)mnl_nlmsg_next(nlh, &nl->left);
			if (read_news(nlh, ret)) {
				return true;
			}
			continue;
		}
		nl->left = 0;
		ssize_t n = mnl_socket_recvfrom(nl->news, nl->heard, sizeof nl->heard);
		if (n < 0 && (errno == ENOBUFS || errno == ENOSPC)) {
			ret->kind = TC_NEWS_MISSED;
			return true;
		}
		if (n <= 0) {
			return false;
		}
		nl->at = nl->heard;
		nl->left = (int)n;
	}
}

static int open_socket(struct mnl_socket **ret)
{
	struct mnl_socket *s = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (s == NULL) {
		return -errno;
	}
	*ret = s;
	return mnl_socket_bind(s, 0, MNL_SOCKET_AUTOPID) == 0 ? 0 : -errno;
}

int tc_netlink_init(struct tc_netlink *nl)
{
	static const int groups[] = {
		RTNLGRP_LINK,	   RTNLGRP_NEIGH,     RTNLGRP_IPV4_ROUTE,  RTNLGRP_IPV6_ROUTE,
		RTNLGRP_IPV4_RULE, RTNLGRP_IPV6_RULE, RTNLGRP_IPV4_IFADDR,
	};
	memset(nl, 0, sizeof *nl);
	nl->at = nl->heard;
	int r = open_socket(&nl->ask);
	if (r == 0) {
		r = open_socket(&nl->news);
	}
	for (size_t i = 0; i < sizeof groups / sizeof groups[0] && r == 0; i++) {
		int group = groups[i];
		if (mnl_socket_setsockopt(nl->news, NETLINK_ADD_MEMBERSHIP, &group, sizeof group) <
		    0) {
			r = -errno;
		}
	}
	return r;
}

void tc_netlink_fini(struct tc_netlink *nl)
{
	if (nl->ask != NULL) {
		mnl_socket_close(nl->ask);
	}
	if (nl->news != NULL) {
		mnl_socket_close(nl->news);
	}
	nl->ask = nl->news = NULL;
}

int tc_netlink_fd(const struct tc_netlink *nl)
{
	return mnl_socket_get_fd(nl->news);
}
