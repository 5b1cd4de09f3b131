/* SPDX-License-Identifier: BSD-2-Clause
 * capture/device.c - the receive ring of one network device
 */
#include "capture/device.h"

#include "capture/share.h"
#include "port/error.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/filter.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if_arp.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

/* Of no meaning to version 3, but the kernel checks that it divides a block */
#define FRAME_SIZE 2048

/* Where a packet's sockaddr_ll is, behind its header */
#define ADDRESS_AT                                                                                 \
	((sizeof(struct tpacket3_hdr) + TPACKET_ALIGNMENT - 1) / TPACKET_ALIGNMENT *               \
	 TPACKET_ALIGNMENT)

static int set_int(int fd, int option, int value)
{
	return setsockopt(fd, SOL_PACKET, option, &value, sizeof value) == 0 ? 0 : -errno;
}

/* An attribute of the device: SIOCGIF* */
static int ask(const struct tc_device *d, unsigned long request, struct ifreq *ret)
{
	memset(ret, 0, sizeof *ret);
	memcpy(ret->ifr_name, d->name, sizeof d->name);
	return ioctl(d->fd, request, ret) == 0 ? 0 : -errno;
}

/* What its frames begin with */
static int ask_link(const struct tc_device *d, enum tc_link *ret_link)
{
	struct ifreq ifr;
	int r = ask(d, SIOCGIFHWADDR, &ifr);
	if (r == 0) {
		unsigned type = ifr.ifr_hwaddr.sa_family;
		*ret_link = type == ARPHRD_ETHER || type == ARPHRD_LOOPBACK ? TC_LINK_ETHERNET :
									      TC_LINK_RAW;
	}
	return r;
}

static int bind_device(struct tc_device *d)
{
	struct sockaddr_ll to = { .sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL) };
	if (!d->any) {
		struct ifreq ifr;
		int r = ask(d, SIOCGIFINDEX, &ifr);
		if (r < 0) {
			return r;
		}
		to.sll_ifindex = ifr.ifr_ifindex;
	}
	if (bind(d->fd, (const struct sockaddr *)&to, sizeof to) != 0) {
		return -errno;
	}
	if (d->promiscuous && !d->any) {
		struct packet_mreq mr = { .mr_ifindex = to.sll_ifindex,
					  .mr_type = PACKET_MR_PROMISC };
		if (setsockopt(d->fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &mr, sizeof mr) != 0) {
			return -errno;
		}
	}
	return 0;
}

static int make_ring(struct tc_device *d, const struct tc_device_config *cfg)
{
	int r = set_int(d->fd, PACKET_VERSION, TPACKET_V3);
	if (r < 0) {
		return r;
	}
	size_t blocks = cfg->bytes / TC_DEVICE_BLOCK;
	d->n_blocks = blocks < TC_DEVICE_BLOCKS_MIN ? TC_DEVICE_BLOCKS_MIN : (uint32_t)blocks;
	struct tpacket_req3 req = {
		.tp_block_size = TC_DEVICE_BLOCK,
		.tp_block_nr = d->n_blocks,
		.tp_frame_size = FRAME_SIZE,
		.tp_frame_nr = d->n_blocks * (TC_DEVICE_BLOCK / FRAME_SIZE),
		.tp_retire_blk_tov = cfg->timeout_ms,
	};
	if (setsockopt(d->fd, SOL_PACKET, PACKET_RX_RING, &req, sizeof req) != 0) {
		return -errno;
	}
	d->map_bytes = (size_t)d->n_blocks * TC_DEVICE_BLOCK;
	void *map = mmap(NULL, d->map_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, d->fd, 0);
	if (map == MAP_FAILED) {
		return -errno;
	}
	d->map = map;
	return 0;
}

/* The filter, and in front of it what keeps a share; @filter has TC_SHARE_PROGRAM_MAX steps of room before it */
static int attach(const struct tc_device *d, struct sock_filter *filter, uint16_t n, uint32_t share)
{
	struct sock_filter prefix[TC_SHARE_PROGRAM_MAX];
	unsigned more = tc_share_program(d->link, share, prefix);
	if (n + more > TC_FILTER_INSNS_MAX) {
		return -E2BIG;
	}
	struct sock_filter *begin = filter + TC_SHARE_PROGRAM_MAX - more;
	memcpy(begin, prefix, more * sizeof prefix[0]);
	struct sock_fprog program = { .len = (unsigned short)(n + more), .filter = begin };
	return setsockopt(d->fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program) == 0 ?
		       0 :
		       -errno;
}

int tc_device_keep_share(struct tc_device *d, uint32_t share)
{
	int r = attach(d, d->filter, d->filter_n, share);
	if (r == 0) {
		d->share = share;
	}
	return r;
}

int tc_device_refilter(struct tc_device *d, const struct tc_device_config *cfg, char *ret_error)
{
	struct tc_filter filter = { 0 };
	int r = tc_filter_compile(cfg->filter, d->any ? NULL : d->name, d->link, cfg->snap,
				  cfg->tagged, &filter, ret_error);
	if (r < 0) {
		return r;
	}
	struct sock_filter *steps = calloc(TC_SHARE_PROGRAM_MAX + filter.n, sizeof *steps);
	r = -ENOMEM;
	if (steps != NULL) {
		memcpy(steps + TC_SHARE_PROGRAM_MAX, filter.insns, filter.n * sizeof *steps);
		r = attach(d, steps, filter.n, d->share);
	}
	if (r == 0) {
		free(d->filter);
		d->filter = steps;
		d->filter_n = filter.n;
	} else {
		free(steps);
		r = tc_driver_error(ret_error, r, "cannot attach the filter to '%s'", d->name);
	}
	tc_filter_fini(&filter);
	return r;
}

static int open_socket(struct tc_device *d)
{
	bool frames = d->link == TC_LINK_ETHERNET;
	int fd = socket(AF_PACKET, (frames ? SOCK_RAW : SOCK_DGRAM) | SOCK_CLOEXEC | SOCK_NONBLOCK,
			0);
	if (fd < 0) {
		return -errno;
	}
	if (d->fd >= 0) {
		close(d->fd);
	}
	d->fd = fd;
	return 0;
}

/* The kind of socket follows from the device, which only a socket can ask for */
static int open_for_link(struct tc_device *d, char *ret_error)
{
	int r = open_socket(d);
	if (r < 0) {
		return tc_driver_error(ret_error, r, "cannot open a packet socket%s",
				       r == -EPERM ? " (it needs root or CAP_NET_RAW)" : "");
	}
	if (d->any) {
		return 0;
	}
	r = ask_link(d, &d->link);
	if (r == 0 && d->link == TC_LINK_ETHERNET) {
		r = open_socket(d);
	}
	return r == 0 ? 0 : tc_driver_error(ret_error, r, "cannot capture on '%s'", d->name);
}

static int set_up(struct tc_device *d, const struct tc_device_config *cfg, char *ret_error)
{
	int r = open_for_link(d, ret_error);
	if (r < 0) {
		return r;
	}
	r = tc_device_refilter(d, cfg, ret_error);
	if (r < 0) {
		return r;
	}
	r = make_ring(d, cfg);
	if (r < 0) {
		return tc_driver_error(ret_error, r, "cannot make a ring of %zu bytes for '%s'%s",
				       cfg->bytes, d->name, r == -ENOMEM ? " (ask for less)" : "");
	}
	if (!d->outgoing) {
		/* older kernels do not know it: then they are sorted out when they are read */
		(void)set_int(d->fd, PACKET_IGNORE_OUTGOING, 1);
	}
	r = bind_device(d);
	return r == 0 ? 0 : tc_driver_error(ret_error, r, "cannot capture on '%s'", d->name);
}

int tc_device_open(const struct tc_device_config *cfg, struct tc_device *ret, char *ret_error)
{
	struct tc_device d = {
		.fd = -1,
		.any = strcmp(cfg->name, "any") == 0,
		.outgoing = cfg->outgoing,
		.promiscuous = cfg->promiscuous,
		.link = TC_LINK_RAW,
		.share = TC_SHARE_ALL,
		.last_at = INT64_MIN,
	};
	if (strlen(cfg->name) >= sizeof d.name) {
		return tc_driver_error(ret_error, -ENODEV, "cannot capture on '%s'", cfg->name);
	}
	memcpy(d.name, cfg->name, strlen(cfg->name) + 1);
	int r = set_up(&d, cfg, ret_error);
	if (r < 0) {
		tc_device_close(&d);
		return r;
	}
	*ret = d;
	return 0;
}

void tc_device_close(struct tc_device *d)
{
	if (d->map != NULL) {
		munmap(d->map, d->map_bytes);
		d->map = NULL;
	}
	if (d->fd >= 0) {
		close(d->fd);
		d->fd = -1;
	}
	free(d->filter);
	d->filter = NULL;
}

static struct tpacket_block_desc *block_at(const struct tc_device *d, uint32_t i)
{
	return (void *)(d->map + (size_t)i * TC_DEVICE_BLOCK);
}

static uint32_t block_status(const struct tc_device *d, uint32_t i)
{
	return __atomic_load_n(&block_at(d, i)->hdr.bh1.block_status, __ATOMIC_ACQUIRE);
}

static void give_back(struct tc_device *d)
{
	__atomic_store_n(&block_at(d, d->block)->hdr.bh1.block_status, TP_STATUS_KERNEL,
			 __ATOMIC_RELEASE);
	d->open = false;
	d->block = d->block + 1 == d->n_blocks ? 0 : d->block + 1;
}

/* The next packet's place in the ring; NULL when there is none */
static const uint8_t *next_packet(struct tc_device *d)
{
	while (d->left == 0) {
		if (d->open) {
			give_back(d);
		}
		uint32_t status = block_status(d, d->block);
		if ((status & TP_STATUS_USER) == 0) {
			/* a ring that was full has as many blocks to read before it is empty */
			d->losing = d->losing || d->run >= d->n_blocks / 2;
			d->run = 0;
			return NULL;
		}
		const struct tpacket_hdr_v1 *head = &block_at(d, d->block)->hdr.bh1;
		d->open = true;
		d->run++;
		d->losing = d->losing || (status & TP_STATUS_LOSING) != 0;
		d->left = head->num_pkts;
		d->next = (const uint8_t *)block_at(d, d->block) + head->offset_to_first_pkt;
	}
	const uint8_t *at = d->next;
	const struct tpacket3_hdr *head = (const void *)at;
	d->left--;
	d->next = at + head->tp_next_offset;
	return at;
}

bool tc_device_next(struct tc_device *d, struct tc_frame *ret_frame)
{
	const uint8_t *at;
	while ((at = next_packet(d)) != NULL) {
		const struct tpacket3_hdr *head = (const void *)at;
		const struct sockaddr_ll *from = (const void *)(at + ADDRESS_AT);
		if (from->sll_pkttype == PACKET_OUTGOING &&
		    (!d->outgoing || from->sll_hatype == ARPHRD_LOOPBACK)) {
			continue;
		}
		/* on `any` a packet may pass with its tag, and then again on the VLAN's own device without it */
		bool tag = (head->tp_status & TP_STATUS_VLAN_VALID) != 0 && !d->any;
		*ret_frame = (struct tc_frame){
			.link = d->link,
			.data = { at + head->tp_mac, head->tp_snaplen },
			.wire_len = head->tp_len,
			.vlan = tag ? head->hv1.tp_vlan_tci & 0xfff : 0,
			.at = (tc_time)head->tp_sec * TC_SEC + head->tp_nsec,
		};
		return true;
	}
	return false;
}

uint64_t tc_device_lost(struct tc_device *d)
{
	struct tpacket_stats_v3 stats;
	socklen_t n = sizeof stats;
	d->losing = false;
	return getsockopt(d->fd, SOL_PACKET, PACKET_STATISTICS, &stats, &n) == 0 ? stats.tp_drops :
										   0;
}

bool tc_device_is_down(struct tc_device *d)
{
	int error = 0;
	socklen_t n = sizeof error;
	if (getsockopt(d->fd, SOL_SOCKET, SO_ERROR, &error, &n) == 0 && error != 0) {
		d->down = true;
	}
	return d->down;
}

/* Bind to the device that has this name now */
static bool bind_again(struct tc_device *d)
{
	enum tc_link link = TC_LINK__N;
	if (ask_link(d, &link) < 0 || link != d->link) {
		return false; /* made anew as something else: neither socket nor filter would fit */
	}
	if (bind_device(d) < 0) {
		return false;
	}
	/* the bind itself says whether the device is down; as news it would come too late */
	(void)tc_device_is_down(d);
	return true;
}

void tc_device_revive(struct tc_device *d)
{
	struct ifreq ifr;
	struct sockaddr_ll bound;
	socklen_t n = sizeof bound;
	if (ask(d, SIOCGIFINDEX, &ifr) < 0 ||
	    getsockname(d->fd, (struct sockaddr *)&bound, &n) != 0) {
		return;
	}
	if (ifr.ifr_ifindex != bound.sll_ifindex && !bind_again(d)) {
		return;
	}
	if (ask(d, SIOCGIFFLAGS, &ifr) == 0 && (ifr.ifr_flags & IFF_UP) != 0) {
		d->down = false;
	}
}

uint32_t tc_device_used(const struct tc_device *d)
{
	/* the blocks of the reader are one run from its own on: search for its end */
	uint32_t low = 0, high = d->n_blocks;
	while (low < high) {
		uint32_t mid = low + (high - low) / 2;
		if ((block_status(d, (d->block + mid) % d->n_blocks) & TP_STATUS_USER) != 0) {
			low = mid + 1;
		} else {
			high = mid;
		}
	}
	return low;
}
