/* SPDX-License-Identifier: BSD-2-Clause
 * capture/raw.c - live capture with a raw socket, one packet a call
 */
#include "capture/raw.h"

#include "capture/filter.h"
#include "capture/frames.h"
#include "port/error.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define RECEIVE_BUFFER (64 << 20)
#define PACKET_MAX 65536
#define DROPS_INTERVAL (100 * TC_MS)
/* Looked at in one call: when none of them is of use the loop must get its turn */
#define PACKETS_MAX 256

struct raw {
	struct tc_capture base;
	int fd;
	bool was_empty;
	uint32_t kernel_drops; /* the socket's counter, which wraps */
	uint64_t lost;	       /* not yet told as an event */
	tc_time drops_at;      /* when the counter was last read */
	struct tc_frames frames;
	uint8_t packet[PACKET_MAX];
};

static struct raw *of(struct tc_capture *c)
{
	return (struct raw *)(void *)c;
}

static void add_loss(struct raw *r, uint64_t n)
{
	r->lost += n;
	r->frames.stats.kernel_drops += n;
}

static void read_drops(struct raw *r)
{
	uint32_t info[SK_MEMINFO_VARS];
	socklen_t n = sizeof info;
	if (getsockopt(r->fd, SOL_SOCKET, SO_MEMINFO, info, &n) == 0 && n >= sizeof info) {
		add_loss(r, info[SK_MEMINFO_DROPS] - r->kernel_drops);
		r->kernel_drops = info[SK_MEMINFO_DROPS];
	}
}

static void raw_wait(struct tc_capture *c, struct tc_wait *ret_wait)
{
	*ret_wait = (struct tc_wait){ .fd = of(c)->fd, .read = true, .deadline = TC_TIME_NEVER };
}

static bool raw_next(struct tc_capture *c, tc_time now, struct tc_packet *ret_pkt)
{
	struct raw *r = of(c);
	for (unsigned i = 0; i < PACKETS_MAX; i++) {
		ssize_t n = recvfrom(r->fd, r->packet, sizeof r->packet, MSG_TRUNC, NULL, NULL);
		if (n < 0 && errno == EINTR) {
			continue;
		}
		if (n < 0) {
			/* nothing there, or an error of the device that this has taken */
			r->was_empty = true;
			return false;
		}
		size_t have = (size_t)n < sizeof r->packet ? (size_t)n : sizeof r->packet;
		r->frames.stats.wakeups += r->was_empty;
		r->was_empty = false;
		if (have < (size_t)n) {
			add_loss(r, 1);
		}
		struct tc_frame frame = {
			.link = TC_LINK_RAW,
			.data = { r->packet, have },
			.wire_len = (uint32_t)n,
			.at = now,
		};
		if (tc_frames_next(&r->frames, &frame, ret_pkt)) {
			return true;
		}
	}
	return false; /* what is left wakes the loop again */
}

static bool raw_next_event(struct tc_capture *c, tc_time now, struct tc_event *ret_ev)
{
	struct raw *r = of(c);
	if (now - r->drops_at >= DROPS_INTERVAL) {
		r->drops_at = now;
		read_drops(r);
	}
	if (r->lost == 0) {
		return false;
	}
	*ret_ev = (struct tc_event){ .kind = TC_EVENT_CAPTURE_LOSS, .at = now, .count = r->lost };
	r->lost = 0;
	return true;
}

static bool raw_is_done(const struct tc_capture *c)
{
	(void)c;
	return false;
}

static void raw_stats(struct tc_capture *c, struct tc_capture_stats *ret_stats)
{
	struct raw *r = of(c);
	uint32_t info[SK_MEMINFO_VARS];
	socklen_t n = sizeof info;
	read_drops(r);
	tc_frames_stats(&r->frames, ret_stats);
	if (getsockopt(r->fd, SOL_SOCKET, SO_MEMINFO, info, &n) == 0 && n >= sizeof info &&
	    info[SK_MEMINFO_RCVBUF] > 0) {
		uint64_t used =
			(uint64_t)info[SK_MEMINFO_RMEM_ALLOC] * 1000 / info[SK_MEMINFO_RCVBUF];
		ret_stats->ring_used_permille = used < 1000 ? (uint32_t)used : 1000;
	}
}

static void raw_free(struct tc_capture *c)
{
	struct raw *r = of(c);
	if (r->fd >= 0) {
		close(r->fd);
	}
	tc_frames_fini(&r->frames);
	free(r);
}

static const struct tc_capture_ops raw_ops = {
	.wait = raw_wait,
	.next = raw_next,
	.next_event = raw_next_event,
	.is_done = raw_is_done,
	.stats = raw_stats,
	.free = raw_free,
};

static int set_filter(struct raw *r, const char *text, char *ret_error)
{
	struct tc_filter filter = { 0 };
	int err = tc_filter_compile(text, NULL, TC_LINK_RAW, TC_FILTER_SNAP_ALL, false, &filter,
				    ret_error);
	if (err < 0) {
		return err;
	}
	struct sock_fprog program = { .len = filter.n, .filter = filter.insns };
	if (setsockopt(r->fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program) != 0) {
		err = tc_driver_error(ret_error, -errno,
				      "cannot attach the filter to a raw socket");
	}
	tc_filter_fini(&filter);
	return err;
}

/* A raw socket receives from the moment it is made: what came before its filter is thrown away */
static void drain(struct raw *r)
{
	ssize_t n;
	do {
		n = recv(r->fd, r->packet, sizeof r->packet, 0);
	} while (n >= 0 || errno == EINTR);
}

/* Nothing gets in until the real filter takes the place of this one, which is atomic */
static void refuse_all(struct raw *r)
{
	struct sock_filter none = BPF_STMT(BPF_RET | BPF_K, 0);
	struct sock_fprog program = { .len = 1, .filter = &none };
	(void)setsockopt(r->fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program);
	drain(r);
}

int tc_capture_raw_new(const struct tc_capture_raw_config *cfg, struct tc_capture **ret,
		       char *ret_error)
{
	struct raw *r = calloc(1, sizeof *r);
	if (r == NULL) {
		return tc_driver_error(ret_error, -ENOMEM, "cannot make a capture");
	}
	r->base.ops = &raw_ops;
	(void)tc_frames_init(&r->frames, false); /* takes nothing, cannot fail */
	r->fd = socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, IPPROTO_TCP);
	int err = r->fd < 0 ? -errno : 0;
	if (err < 0) {
		raw_free(&r->base);
		return tc_driver_error(ret_error, err, "cannot open a raw socket%s",
				       err == -EPERM ? " (it needs root or CAP_NET_RAW)" : "");
	}
	int size = RECEIVE_BUFFER;
	if (setsockopt(r->fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof size) != 0) {
		/* not allowed to exceed the host's limit: as much as it allows */
		(void)setsockopt(r->fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
	}
	if (cfg->filter != NULL) {
		refuse_all(r);
		err = set_filter(r, cfg->filter, ret_error);
	}
	if (err < 0) {
		raw_free(&r->base);
		return err;
	}
	*ret = &r->base;
	return 0;
}
