/* SPDX-License-Identifier: BSD-2-Clause
 * lab/wire_port.c - a packet socket
 */
#include "lab/wire_port.h"

#include "base/bytes.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define READS 16
#define WRITES 64
#define TAG_BYTES 4
#define RECEIVE_BUFFER (64 << 20)
#define SEND_BUFFER (8 << 20)
/* An older stamp than this is not one of this clock */
#define STAMP_AGE_MAX TC_SEC

/** struct read - one frame, with room for a tag before it */
struct read {
	struct virtio_net_hdr head;
	uint8_t frame[TAG_BYTES + WIRE_FRAME_MAX];
	/* struct cmsghdr is what the kernel writes here */
	_Alignas(struct cmsghdr) uint8_t control[CMSG_SPACE(sizeof(struct timespec)) +
						 CMSG_SPACE(sizeof(struct tpacket_auxdata))];
	struct iovec iov[2];
};

struct wire_port_batch {
	unsigned n_read; /* frames in the batch */
	unsigned next;	 /* of them, the next to be looked at */
	tc_time offset;	 /* wall clock minus monotonic, at the read */
	tc_time read_at;
	struct mmsghdr in[READS];
	struct read reads[READS];

	unsigned n_write;
	struct mmsghdr out[WRITES];
	struct virtio_net_hdr heads[WRITES];
	struct iovec iov[WRITES][2];
};

/* --- opening --- */

static int set(int fd, int level, int name, int value)
{
	return setsockopt(fd, level, name, &value, sizeof value) < 0 ? -errno : 0;
}

static int find_device(struct wire_port *p, const char *device)
{
	struct ifreq req = { 0 };
	if (strlen(device) >= sizeof req.ifr_name) {
		return -ENODEV;
	}
	strcpy(req.ifr_name, device);
	if (ioctl(p->fd, SIOCGIFINDEX, &req) < 0) {
		return -errno;
	}
	p->ifindex = req.ifr_ifindex;
	if (ioctl(p->fd, SIOCGIFMTU, &req) < 0) {
		return -errno;
	}
	p->mtu = (uint32_t)req.ifr_mtu;
	return 0;
}

static int bind_socket(const struct wire_port *p)
{
	struct packet_mreq promiscuous = { .mr_ifindex = p->ifindex, .mr_type = PACKET_MR_PROMISC };
	struct sockaddr_ll here = {
		.sll_family = AF_PACKET,
		.sll_protocol = htons(ETH_P_ALL),
		.sll_ifindex = p->ifindex,
	};
	if (setsockopt(p->fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &promiscuous, sizeof promiscuous) <
		    0 ||
	    bind(p->fd, (const struct sockaddr *)&here, sizeof here) < 0) {
		return -errno;
	}
	return 0;
}

static int set_options(int fd)
{
	int r = set(fd, SOL_PACKET, PACKET_VNET_HDR, 1);
	r = r < 0 ? r : set(fd, SOL_PACKET, PACKET_AUXDATA, 1);
	r = r < 0 ? r : set(fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, 1);
	r = r < 0 ? r : set(fd, SOL_SOCKET, SO_TIMESTAMPNS, 1);
	r = r < 0 ? r : set(fd, SOL_SOCKET, SO_RCVBUFFORCE, RECEIVE_BUFFER);
	return r < 0 ? r : set(fd, SOL_SOCKET, SO_SNDBUFFORCE, SEND_BUFFER);
}

static void prepare_reads(struct wire_port_batch *b)
{
	for (unsigned i = 0; i < READS; i++) {
		struct read *r = &b->reads[i];
		r->iov[0] = (struct iovec){ &r->head, sizeof r->head };
		r->iov[1] = (struct iovec){ r->frame + TAG_BYTES, WIRE_FRAME_MAX };
		b->in[i].msg_hdr = (struct msghdr){ .msg_iov = r->iov, .msg_iovlen = 2 };
	}
}

int wire_port_open(struct wire_port *p, const char *device, const char **ret_what)
{
	*p = (struct wire_port){ .fd = -1 };
	*ret_what = "take memory";
	p->batch = calloc(1, sizeof *p->batch);
	if (p->batch == NULL) {
		return -ENOMEM;
	}
	prepare_reads(p->batch);
	*ret_what = "open a packet socket";
	/* no protocol yet: nothing is received before it is bound to its device */
	p->fd = socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int r = p->fd < 0 ? -errno : 0;
	if (r == 0) {
		*ret_what = "find the device";
		r = find_device(p, device);
	}
	if (r == 0) {
		*ret_what = "set up the packet socket";
		r = set_options(p->fd);
	}
	if (r == 0) {
		*ret_what = "bind to the device";
		r = bind_socket(p);
	}
	if (r < 0) {
		wire_port_close(p);
	}
	return r;
}

void wire_port_close(struct wire_port *p)
{
	if (p->fd >= 0) {
		close(p->fd);
	}
	free(p->batch);
	*p = (struct wire_port){ .fd = -1 };
}

/* --- reading --- */

static tc_time clock_ns(clockid_t id)
{
	struct timespec ts;
	clock_gettime(id, &ts);
	return (tc_time)ts.tv_sec * TC_SEC + ts.tv_nsec;
}

static bool read_batch(struct wire_port *p)
{
	struct wire_port_batch *b = p->batch;
	for (unsigned i = 0; i < READS; i++) {
		b->in[i].msg_hdr.msg_control = b->reads[i].control;
		b->in[i].msg_hdr.msg_controllen = sizeof b->reads[i].control;
	}
	int n = recvmmsg(p->fd, b->in, READS, MSG_DONTWAIT, NULL);
	b->next = 0;
	b->n_read = n > 0 ? (unsigned)n : 0;
	b->read_at = clock_ns(CLOCK_MONOTONIC);
	b->offset = clock_ns(CLOCK_REALTIME) - b->read_at;
	return n > 0;
}

/* Put the tag back where it was, behind the two addresses: the frame begins in the room then. */
static void put_tag(struct read *r, const struct tpacket_auxdata *aux)
{
	uint8_t *frame = r->frame;
	bool has_type = aux->tp_status & TP_STATUS_VLAN_TPID_VALID;
	memmove(frame, r->frame + TAG_BYTES, 2 * ETH_ALEN);
	tc_put_be16(frame + 2 * ETH_ALEN, has_type ? aux->tp_vlan_tpid : ETH_P_8021Q);
	tc_put_be16(frame + 2 * ETH_ALEN + 2, aux->tp_vlan_tci);
	r->head.csum_start = (uint16_t)(r->head.csum_start + TAG_BYTES);
}

static tc_time stamp_of(const struct wire_port_batch *b, const struct timespec *ts)
{
	tc_time at = (tc_time)ts->tv_sec * TC_SEC + ts->tv_nsec - b->offset;
	bool odd = at > b->read_at || b->read_at - at > STAMP_AGE_MAX;
	return odd ? b->read_at : at;
}

static void take_read(const struct wire_port_batch *b, struct read *r, struct msghdr *msg,
		      uint32_t len, struct wire_frame *ret_frame)
{
	uint32_t room = TAG_BYTES;
	ret_frame->at = b->read_at;
	for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c != NULL; c = CMSG_NXTHDR(msg, c)) {
		struct timespec ts;
		struct tpacket_auxdata aux;
		if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_TIMESTAMPNS) {
			memcpy(&ts, CMSG_DATA(c), sizeof ts);
			ret_frame->at = stamp_of(b, &ts);
		} else if (c->cmsg_level == SOL_PACKET && c->cmsg_type == PACKET_AUXDATA) {
			memcpy(&aux, CMSG_DATA(c), sizeof aux);
			if (aux.tp_status & TP_STATUS_VLAN_VALID) {
				put_tag(r, &aux);
				room = 0;
			}
		}
	}
	ret_frame->head = r->head;
	ret_frame->data = (struct tc_view){ r->frame + room, len + TAG_BYTES - room };
}

bool wire_port_next(struct wire_port *p, struct wire_frame *ret_frame)
{
	struct wire_port_batch *b = p->batch;
	for (;;) {
		if (b->next == b->n_read && !read_batch(p)) {
			return false;
		}
		unsigned i = b->next++;
		struct mmsghdr *m = &b->in[i];
		if (m->msg_hdr.msg_flags & MSG_TRUNC) {
			p->counts.cut_short++;
			continue;
		}
		if (m->msg_len < sizeof(struct virtio_net_hdr) + ETH_HLEN) {
			continue; /* an error report of the socket, not a frame */
		}
		take_read(b, &b->reads[i], &m->msg_hdr,
			  m->msg_len - (uint32_t)sizeof(struct virtio_net_hdr), ret_frame);
		return true;
	}
}

/* --- writing --- */

bool wire_port_is_full(const struct wire_port *p)
{
	return p->batch->n_write == WRITES;
}

void wire_port_send(struct wire_port *p, const struct virtio_net_hdr *head, struct tc_view frame)
{
	struct wire_port_batch *b = p->batch;
	unsigned i = b->n_write++;
	b->heads[i] = *head;
	b->iov[i][0] = (struct iovec){ &b->heads[i], sizeof b->heads[i] };
	b->iov[i][1] = (struct iovec){ (void *)(uintptr_t)frame.p, frame.n };
	b->out[i].msg_hdr = (struct msghdr){ .msg_iov = b->iov[i], .msg_iovlen = 2 };
}

void wire_port_flush(struct wire_port *p)
{
	struct wire_port_batch *b = p->batch;
	unsigned i = 0;
	while (i < b->n_write) {
		int n = sendmmsg(p->fd, b->out + i, b->n_write - i, MSG_DONTWAIT);
		if (n < 0 && errno == EINTR) {
			continue;
		}
		if (n <= 0) {
			p->counts.error = n == 0 ? EIO : errno;
			p->counts.not_sent++;
			i++;
			continue;
		}
		for (unsigned end = i + (unsigned)n; i < end; i++) {
			p->counts.sent++;
			p->counts.sent_bytes += b->iov[i][1].iov_len;
		}
	}
	b->n_write = 0;
}

void wire_port_look(struct wire_port *p)
{
	struct tpacket_stats stats;
	socklen_t len = sizeof stats;
	/* reading them sets them to zero */
	if (getsockopt(p->fd, SOL_PACKET, PACKET_STATISTICS, &stats, &len) == 0) {
		p->counts.kernel_drops += stats.tp_drops;
	}
}
