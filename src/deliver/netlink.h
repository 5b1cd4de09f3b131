/* SPDX-License-Identifier: BSD-2-Clause
 * deliver/netlink.h - questions to the kernel about routes, devices and neighbours, and its news of them
 *
 * Layer:   deliver. Two netlink sockets, neither of which ever blocks: the kernel answers our questions before the send returns.
 * Source:  rtnetlink(7); linux/rtnetlink.h, linux/if_link.h, linux/neighbour.h.
 */
#ifndef TC_DELIVER_NETLINK_H
#define TC_DELIVER_NETLINK_H

#include "base/ip.h"

struct mnl_socket;

/* Longer than any single message of those we read */
#define TC_NETLINK_BUFFER 32768

/**
 * struct tc_netlink
 * @ask:  owned; for questions
 * @news: owned; joined to the kernel's announcements
 * @at, @left: what is still to be read of @heard
 */
struct tc_netlink {
	struct mnl_socket *ask;
	struct mnl_socket *news;
	uint32_t seq;
	const uint8_t *at;
	int left;
	uint8_t asked[TC_NETLINK_BUFFER];
	uint8_t heard[TC_NETLINK_BUFFER];
};

/** struct tc_netlink_route - @mtu: 0 when the route has none of its own; @next_hop: the gateway, or the destination itself */
struct tc_netlink_route {
	int ifindex;
	bool local;
	struct tc_ip next_hop;
	uint32_t mtu;
};

/** struct tc_netlink_link - a device; @type: ARPHRD_*; @up: it and its carrier's admin state; @has_mac: 6 bytes */
struct tc_netlink_link {
	int ifindex;
	unsigned type;
	bool gone;
	bool up;
	bool noarp;
	bool has_mac;
	uint8_t mac[6];
	uint32_t mtu;
};

enum tc_netlink_neighbor_state {
	TC_NEIGHBOR_KNOWN,   /* .mac is right */
	TC_NEIGHBOR_UNKNOWN, /* asked for, or given up */
	TC_NEIGHBOR_GONE,    /* the kernel has forgotten it, which says nothing of it */
};

/** struct tc_netlink_neighbor - @kept: somebody keeps it as it is (permanent, from a routing daemon, managed by the kernel) */
struct tc_netlink_neighbor {
	int ifindex;
	bool kept;
	struct tc_ip ip;
	enum tc_netlink_neighbor_state state;
	uint8_t mac[6];
};

enum tc_netlink_news_kind {
	TC_NEWS_ROUTES, /* some route, rule or address is new or gone */
	TC_NEWS_LINK,
	TC_NEWS_NEIGHBOR,
	TC_NEWS_MISSED, /* some news did not fit into the socket: ask for all again */
};

struct tc_netlink_news {
	enum tc_netlink_news_kind kind;
	union {
		struct tc_netlink_link link;
		struct tc_netlink_neighbor neighbor;
	};
};

/** tc_netlink_init() - Return: 0 or -errno; tc_netlink_fini() in either case */
int tc_netlink_init(struct tc_netlink *nl);
void tc_netlink_fini(struct tc_netlink *nl);
int tc_netlink_fd(const struct tc_netlink *nl);

/** tc_netlink_ask_route() - the route to @ip; @ifindex: through this device, 0 for any. -errno as the kernel says it */
int tc_netlink_ask_route(struct tc_netlink *nl, const struct tc_ip *ip, int ifindex,
			 struct tc_netlink_route *ret);
int tc_netlink_ask_link(struct tc_netlink *nl, int ifindex, struct tc_netlink_link *ret);
/** tc_netlink_ask_speed() - bits per second that a device sends at, 0 when it does not say (ethtool's, not netlink's question) */
uint64_t tc_netlink_ask_speed(const struct tc_netlink *nl, int ifindex);
/** tc_netlink_ask_neighbor() - -ENOENT when the kernel does not know it */
int tc_netlink_ask_neighbor(struct tc_netlink *nl, int ifindex, const struct tc_ip *ip,
			    struct tc_netlink_neighbor *ret);
/**
 * tc_netlink_resolve() - have the kernel find or confirm a neighbour; it answers as news. Needs CAP_NET_ADMIN
 * Never for one that is kept: the kernel takes NTF_USE as a wish to make it an ordinary one.
 */
int tc_netlink_resolve(struct tc_netlink *nl, int ifindex, const struct tc_ip *ip);

/** tc_netlink_next() - the next news; false when there is none now */
bool tc_netlink_next(struct tc_netlink *nl, struct tc_netlink_news *ret);

#endif
