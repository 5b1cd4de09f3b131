/* SPDX-License-Identifier: BSD-2-Clause
 * deliver/packet.c - segments to the target through a packet socket
 */
#include "deliver/packet.h"

#include "base/bytes.h"
#include "deliver/cut.h"
#include "deliver/errors.h"
#include "deliver/host.h"
#include "deliver/route.h"
#include "port/error.h"
#include "wire/frame.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/virtio_net.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define BATCH 64
#define SEND_BUFFER (8 << 20)
#define VNET_BYTES sizeof(struct virtio_net_hdr)
#define HEAD_MAX (VNET_BYTES + ETH_HLEN + TC_HEADERS_MAX)
/* Of the checksum in a TCP header */
#define TCP_CHECKSUM_AT 16

/**
 * struct slot - one packet, or several that the kernel will cut from it
 * @ordinal: of its segment, so that a segment of many packets is one error
 */
struct slot {
	uint64_t ordinal;
	uint32_t replica;
	uint32_t pkts;
	uint32_t ip_bytes;
	struct sockaddr_ll to;
	uint8_t head[HEAD_MAX];
	struct iovec iov[1 + TC_SEGMENT_VIEWS];
};

struct packet {
	struct tc_deliver base;
	struct tc_route *route; /* owned */
	int fd;
	bool gso;
	uint16_t ip_id;
	uint64_t failed; /* ordinal of the last segment that was counted as an error */
	unsigned n;	 /* slots that wait */
	struct tc_deliver_stats stats;
	struct tc_errors errors;
	struct mmsghdr msgs[BATCH];
	struct slot slots[BATCH];
};

static struct packet *of(struct tc_deliver *d)
{
	return (struct packet *)(void *)d;
}

static void packet_wait(struct tc_deliver *d, struct tc_wait *ret_wait)
{
	*ret_wait = (struct tc_wait){ .read = true };
	tc_route_wait(of(d)->route, &ret_wait->fd, &ret_wait->deadline);
}

static void packet_on_ready(struct tc_deliver *d, tc_time now)
{
	tc_route_on_ready(of(d)->route, now);
}

static void fail(struct packet *p, uint64_t ordinal, uint32_t replica, int error, tc_time now)
{
	if (p->failed != ordinal) {
		p->failed = ordinal;
		p->stats.errors++;
		tc_errors_add(&p->errors, replica, error, now);
	}
}

/* After these the route or the device is not what we thought */
static bool is_suspicious(int error)
{
	return error == EMSGSIZE || error == ENETDOWN || error == ENXIO || error == ENODEV;
}

static void packet_flush(struct tc_deliver *d, tc_time now)
{
	struct packet *p = of(d);
	unsigned i = 0;
	while (i < p->n) {
		p->stats.calls++;
		int sent = sendmmsg(p->fd, p->msgs + i, p->n - i, MSG_DONTWAIT);
		if (sent < 0 && errno == EINTR) {
			continue;
		}
		if (sent <= 0) {
			/* the first of these failed: it is left out, and the rest has its own chance, unless the buffer is full */
			int error = sent == 0 ? EIO : errno;
			unsigned end = error == EAGAIN ? p->n : i + 1;
			for (; i < end; i++) {
				fail(p, p->slots[i].ordinal, p->slots[i].replica, error, now);
			}
			if (is_suspicious(error)) {
				tc_route_suspect(p->route, now);
			}
			continue;
		}
		for (unsigned end = i + (unsigned)sent; i < end; i++) {
			p->stats.pkts += p->slots[i].pkts;
			p->stats.bytes += p->slots[i].ip_bytes;
		}
	}
	p->n = 0;
}

static void fill_vnet(struct slot *s, const struct tc_cut *cut, const struct tc_cut_part *part,
		      bool v4, size_t ip_at, size_t tcp_at)
{
	struct virtio_net_hdr vnet = {
		.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
		.gso_type = VIRTIO_NET_HDR_GSO_NONE,
		.hdr_len = (uint16_t)(ip_at + cut->headers),
		.csum_start = (uint16_t)(ip_at + tcp_at),
		.csum_offset = TCP_CHECKSUM_AT,
	};
	if (part->pkts > 1) {
		vnet.gso_type = v4 ? VIRTIO_NET_HDR_GSO_TCPV4 : VIRTIO_NET_HDR_GSO_TCPV6;
		vnet.gso_size = (uint16_t)cut->size;
	}
	memcpy(s->head, &vnet, sizeof vnet);
}

/* The headers of a packet into its slot; returns their bytes, with the vnet header if there is one */
static size_t fill_head(struct packet *p, struct slot *s, const struct tc_cut *cut,
			const struct tc_cut_part *part, const struct tc_hop *hop)
{
	bool v4 = tc_ip_is_v4(&cut->seg->src);
	uint16_t type = v4 ? ETH_P_IP : ETH_P_IPV6;
	size_t vnet = p->gso ? VNET_BYTES : 0;
	uint8_t *link = s->head + vnet;
	if (hop->link_bytes > 0) {
		memcpy(link, hop->dst_mac, ETH_ALEN);
		memcpy(link + ETH_ALEN, hop->src_mac, ETH_ALEN);
		tc_put_be16(link + 2 * (size_t)ETH_ALEN, type);
	}
	size_t tcp_at = 0;
	size_t n = tc_headers_encode(cut->seg, part->offset, part->len, p->ip_id, p->gso,
				     link + hop->link_bytes, &tcp_at);
	p->ip_id = (uint16_t)(p->ip_id + part->pkts);
	if (p->gso) {
		fill_vnet(s, cut, part, v4, hop->link_bytes, tcp_at);
	}
	s->to = (struct sockaddr_ll){
		.sll_family = AF_PACKET,
		.sll_protocol = htons(type),
		.sll_ifindex = hop->ifindex,
		.sll_halen = ETH_ALEN,
	};
	memcpy(s->to.sll_addr, hop->dst_mac, ETH_ALEN);
	return vnet + hop->link_bytes + n;
}

static void queue(struct packet *p, const struct tc_segment *seg, const struct tc_hop *hop,
		  struct tc_cut *cut, tc_time now)
{
	for (;;) {
		if (p->n == BATCH) {
			packet_flush(&p->base, now);
		}
		struct slot *s = &p->slots[p->n];
		struct tc_cut_part part;
		unsigned n_iov;
		if (!tc_cut_next(cut, &part, s->iov + 1, &n_iov)) {
			return;
		}
		s->ordinal = p->stats.segments;
		s->replica = seg->replica;
		s->pkts = part.pkts;
		s->ip_bytes = part.len + part.pkts * cut->headers;
		s->iov[0].iov_base = s->head;
		s->iov[0].iov_len = fill_head(p, s, cut, &part, hop);
		p->msgs[p->n++].msg_hdr = (struct msghdr){
			.msg_name = &s->to,
			.msg_namelen = sizeof s->to,
			.msg_iov = s->iov,
			.msg_iovlen = 1 + n_iov,
		};
	}
}

static void packet_send(struct tc_deliver *d, const struct tc_segment *seg, tc_time now)
{
	struct packet *p = of(d);
	const struct tc_hop *hop = tc_route_hop(p->route, &seg->dst);
	struct tc_cut cut;
	p->stats.segments++;
	if (hop == NULL) {
		fail(p, p->stats.segments, seg->replica, EHOSTUNREACH, now);
	} else if (hop->error != 0) {
		fail(p, p->stats.segments, seg->replica, -hop->error, now);
	} else if (!hop->has_mac) {
		p->stats.no_neighbor++;
		fail(p, p->stats.segments, seg->replica, EHOSTUNREACH, now);
	} else if (!tc_cut_init(&cut, seg, hop->mtu, p->gso)) {
		fail(p, p->stats.segments, seg->replica, EMSGSIZE, now);
	} else {
		queue(p, seg, hop, &cut, now);
	}
}

static bool packet_next_event(struct tc_deliver *d, struct tc_event *ret_ev)
{
	struct packet *p = of(d);
	struct tc_ip target;
	uint32_t mtu;
	if (tc_route_next_mtu(p->route, &target, &mtu)) {
		*ret_ev = (struct tc_event){ .kind = TC_EVENT_PATH_MTU,
					     .target = target,
					     .count = mtu };
		return true;
	}
	return tc_errors_next(&p->errors, ret_ev);
}

static uint64_t packet_speed(const struct tc_deliver *d)
{
	return tc_route_speed(((const struct packet *)(const void *)d)->route);
}

static void packet_stats(struct tc_deliver *d, struct tc_deliver_stats *ret_stats)
{
	*ret_stats = of(d)->stats;
}

static void packet_free(struct tc_deliver *d)
{
	struct packet *p = of(d);
	if (p->route != NULL) {
		tc_route_free(p->route);
	}
	if (p->fd >= 0) {
		close(p->fd);
	}
	free(p);
}

static const struct tc_deliver_ops packet_ops = {
	.wait = packet_wait,
	.on_ready = packet_on_ready,
	.send = packet_send,
	.flush = packet_flush,
	.next_event = packet_next_event,
	.speed = packet_speed,
	.stats = packet_stats,
	.free = packet_free,
};

static int open_socket(struct packet *p, const struct tc_deliver_packet_config *cfg,
		       char *ret_error)
{
	/* without a protocol it receives nothing */
	p->fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (p->fd < 0) {
		int err = -errno;
		return tc_driver_error(ret_error, err, "cannot open a packet socket for sending%s",
				       err == -EPERM ? " (it needs root or CAP_NET_RAW)" : "");
	}
	int size = SEND_BUFFER;
	if (setsockopt(p->fd, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof size) != 0) {
		/* not allowed to exceed the host's limit: as much as it allows */
		(void)setsockopt(p->fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
	}
	int on = 1;
	p->gso =
		!cfg->no_gso && setsockopt(p->fd, SOL_PACKET, PACKET_VNET_HDR, &on, sizeof on) == 0;
	return 0;
}

static int find_targets(struct packet *p, const struct tc_deliver_packet_config *cfg, tc_time now,
			char *ret_error)
{
	struct tc_route_config route = {
		.maps = cfg->maps,
		.n_maps = cfg->n_maps,
		.device = cfg->device,
		.neighbors = true,
	};
	int err = tc_route_new(&route, now, &p->route, ret_error);
	for (unsigned i = 0; i < cfg->n_maps && err == 0; i++) {
		const struct tc_ip *target = &cfg->maps[i].target;
		const char *need = NULL;
		if (tc_route_hop(p->route, target)->local) {
			need = tc_host_takes_local(target);
		}
		if (need != NULL) {
			char text[TC_IP_TEXT_MAX];
			err = tc_driver_say(
				ret_error, -EADDRNOTAVAIL,
				"target '%s' is this host, which takes no packets of foreign "
				"clients from itself: sysctl -w %s, or --deliver raw",
				tc_ip_format(target, text, sizeof text), need);
		}
	}
	return err;
}

int tc_deliver_packet_new(const struct tc_deliver_packet_config *cfg, tc_time now,
			  struct tc_deliver **ret, char *ret_error)
{
	struct packet *p = calloc(1, sizeof *p);
	if (p == NULL) {
		return tc_driver_error(ret_error, -ENOMEM, "cannot make a way to the targets");
	}
	p->base.ops = &packet_ops;
	int err = open_socket(p, cfg, ret_error);
	if (err == 0) {
		err = find_targets(p, cfg, now, ret_error);
	}
	if (err < 0) {
		packet_free(&p->base);
		return err;
	}
	*ret = &p->base;
	return 0;
}

bool tc_deliver_packet_text(const struct tc_deliver *d, unsigned i, char *buf, size_t n)
{
	return tc_route_text(((const struct packet *)(const void *)d)->route, i, buf, n);
}
