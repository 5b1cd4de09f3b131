/* SPDX-License-Identifier: BSD-2-Clause
 * capture/ring.c - live capture from the packet rings of one or several devices
 *
 * Devices take turns by blocks: a busy one cannot keep the reader from the others for longer than a block.
 *
 * A socket with an error wakes its reader until the error is taken. Taking it costs a system call, so it is done only when the reader
 * was woken and found nothing: when next() has nothing twice in a row.
 */
#include "capture/ring.h"

#include "capture/device.h"
#include "capture/filter.h"
#include "capture/frames.h"
#include "capture/stamp.h"
#include "port/error.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

#define DEFAULT_BYTES (64u << 20)
#define DEFAULT_TIMEOUT_MS 1
#define ERRORS_INTERVAL TC_MS
#define REVIVE_INTERVAL TC_SEC
/* Of frames looked at in one call: when none of them is of use the loop must get its turn */
#define FRAMES_MAX 1024

struct ring {
	struct tc_capture base;
	unsigned n_devices;
	unsigned turn;	 /* the device that is read */
	unsigned n_down; /* devices that are waited for */
	int epoll_fd;	 /* over all devices, -1 when there is one */
	bool headers_only;
	bool outgoing;
	bool tagged; /* of the filter, with .snap: for another one */
	uint32_t snap;
	bool was_empty;	   /* next() had nothing when it was last called */
	tc_time errors_at; /* when sockets were last asked for errors */
	tc_time revive_at; /* when lost devices are looked for next */
	uint64_t lost;	   /* not yet told as an event */
	struct tc_stamp stamp;
	struct tc_frames frames;
	struct tc_device devices[];
};

static struct ring *of(struct tc_capture *c)
{
	return (struct ring *)(void *)c;
}

static void add_loss(struct ring *r, uint64_t n)
{
	r->lost += n;
	r->frames.stats.kernel_drops += n;
}

static void ring_wait(struct tc_capture *c, struct tc_wait *ret_wait)
{
	struct ring *r = of(c);
	*ret_wait = (struct tc_wait){
		.fd = r->epoll_fd >= 0 ? r->epoll_fd : r->devices[0].fd,
		.read = true,
		.deadline = r->n_down > 0 ? r->revive_at : TC_TIME_NEVER,
	};
}

/* The next frame of any device, the one of the last frame first until its block is read */
static bool next_frame(struct ring *r, struct tc_frame *ret_frame)
{
	for (unsigned i = 0; i < r->n_devices; i++) {
		struct tc_device *d = &r->devices[r->turn];
		bool found = tc_device_next(d, ret_frame);
		if (d->losing) {
			add_loss(r, tc_device_lost(d));
		}
		if (found) {
			ret_frame->device = r->turn;
		}
		if (!found || d->left == 0) {
			r->turn = r->turn + 1 == r->n_devices ? 0 : r->turn + 1;
		}
		if (found) {
			return true;
		}
	}
	return false;
}

static void take_errors(struct ring *r, tc_time now)
{
	if (now - r->errors_at < ERRORS_INTERVAL) {
		return;
	}
	r->errors_at = now;
	unsigned down = 0;
	for (unsigned i = 0; i < r->n_devices; i++) {
		down += tc_device_is_down(&r->devices[i]);
	}
	if (down > r->n_down) {
		r->revive_at = now + REVIVE_INTERVAL;
	}
	r->n_down = down;
}

static void revive(struct ring *r, tc_time now)
{
	r->revive_at = now + REVIVE_INTERVAL;
	for (unsigned i = 0; i < r->n_devices; i++) {
		if (r->devices[i].down) {
			tc_device_revive(&r->devices[i]);
			r->n_down -= !r->devices[i].down;
		}
	}
}

static void on_empty(struct ring *r, tc_time now)
{
	if (r->was_empty) {
		take_errors(r, now);
	}
	if (r->n_down > 0 && now >= r->revive_at) {
		revive(r, now);
	}
	r->was_empty = true;
}

static bool ring_next(struct tc_capture *c, tc_time now, struct tc_packet *ret_pkt)
{
	struct ring *r = of(c);
	struct tc_frame frame;
	for (unsigned i = 0; i < FRAMES_MAX; i++) {
		if (!next_frame(r, &frame)) {
			on_empty(r, now);
			return false;
		}
		r->frames.stats.wakeups += r->was_empty;
		r->was_empty = false;
		if (frame.data.n < frame.wire_len && !r->headers_only) {
			add_loss(r, 1);
		}
		frame.at = tc_stamp_convert(&r->stamp, frame.at, &r->devices[frame.device].last_at,
					    now);
		if (tc_frames_next(&r->frames, &frame, ret_pkt)) {
			return true;
		}
	}
	return false; /* though there is more, as used() tells */
}

static bool ring_next_event(struct tc_capture *c, tc_time now, struct tc_event *ret_ev)
{
	struct ring *r = of(c);
	if (r->lost == 0) {
		return false;
	}
	*ret_ev = (struct tc_event){ .kind = TC_EVENT_CAPTURE_LOSS, .at = now, .count = r->lost };
	r->lost = 0;
	return true;
}

static bool ring_is_done(const struct tc_capture *c)
{
	(void)c;
	return false;
}

/* The fullest one: it is the one that loses packets next */
static uint32_t ring_used(const struct tc_capture *c)
{
	const struct ring *r = (const struct ring *)(const void *)c;
	uint32_t used = 0;
	for (unsigned i = 0; i < r->n_devices; i++) {
		const struct tc_device *d = &r->devices[i];
		uint64_t permille = (uint64_t)tc_device_used(d) * 1000 / d->n_blocks;
		used = tc_u32_max(used, (uint32_t)permille);
	}
	return used;
}

static int ring_keep_share(struct tc_capture *c, uint32_t share)
{
	struct ring *r = of(c);
	if (r->outgoing) {
		return -EOPNOTSUPP; /* the client of a server's packet is not its source */
	}
	int first = 0;
	for (unsigned i = 0; i < r->n_devices; i++) {
		int err = tc_device_keep_share(&r->devices[i], share);
		first = first != 0 ? first : err;
	}
	return first;
}

static void ring_stats(struct tc_capture *c, struct tc_capture_stats *ret_stats)
{
	struct ring *r = of(c);
	for (unsigned i = 0; i < r->n_devices; i++) {
		add_loss(r, tc_device_lost(&r->devices[i]));
	}
	tc_frames_stats(&r->frames, ret_stats);
	ret_stats->ring_used_permille = ring_used(c);
	ret_stats->time_steps = r->stamp.steps;
	ret_stats->devices_down = r->n_down;
}

static void ring_free(struct tc_capture *c)
{
	struct ring *r = of(c);
	for (unsigned i = 0; i < r->n_devices; i++) {
		tc_device_close(&r->devices[i]);
	}
	if (r->epoll_fd >= 0) {
		close(r->epoll_fd);
	}
	tc_frames_fini(&r->frames);
	free(r);
}

static const struct tc_capture_ops ring_ops = {
	.wait = ring_wait,
	.next = ring_next,
	.next_event = ring_next_event,
	.is_done = ring_is_done,
	.used = ring_used,
	.keep_share = ring_keep_share,
	.stats = ring_stats,
	.free = ring_free,
};

/* One fd for all: readable when any of them is */
static int join(struct ring *r, char *ret_error)
{
	r->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	int err = r->epoll_fd < 0 ? -errno : 0;
	for (unsigned i = 0; i < r->n_devices && err == 0; i++) {
		struct epoll_event ev = { .events = EPOLLIN };
		if (epoll_ctl(r->epoll_fd, EPOLL_CTL_ADD, r->devices[i].fd, &ev) != 0) {
			err = -errno;
		}
	}
	return err == 0 ? 0 : tc_driver_error(ret_error, err, "cannot wait for several devices");
}

static int open_devices(struct ring *r, const struct tc_capture_ring_config *cfg, char *ret_error)
{
	size_t bytes = cfg->bytes != 0 ? cfg->bytes : DEFAULT_BYTES;
	struct tc_device_config dev = {
		.filter = cfg->filter,
		.tagged = r->tagged,
		.snap = r->snap,
		.bytes = bytes / cfg->n_devices,
		.timeout_ms = cfg->timeout_ms != 0 ? cfg->timeout_ms : DEFAULT_TIMEOUT_MS,
		.outgoing = cfg->outgoing,
		.promiscuous = cfg->promiscuous,
	};
	for (unsigned i = 0; i < cfg->n_devices; i++) {
		dev.name = cfg->devices[i];
		int err = tc_device_open(&dev, &r->devices[i], ret_error);
		if (err < 0) {
			return err;
		}
		r->n_devices++;
	}
	return 0;
}

int tc_capture_ring_new(const struct tc_capture_ring_config *cfg, struct tc_capture **ret,
			char *ret_error)
{
	if (cfg->n_devices == 0 || cfg->n_devices > TC_RING_DEVICES_MAX) {
		return tc_driver_say(ret_error, -EINVAL, "cannot capture on %u devices: 1 to %d",
				     cfg->n_devices, TC_RING_DEVICES_MAX);
	}
	struct ring *r = calloc(1, sizeof *r + cfg->n_devices * sizeof r->devices[0]);
	if (r == NULL) {
		return tc_driver_error(ret_error, -ENOMEM, "cannot make a capture");
	}
	r->base.ops = &ring_ops;
	r->epoll_fd = -1;
	r->headers_only = cfg->headers_only;
	r->outgoing = cfg->outgoing;
	r->tagged = !cfg->own_filter;
	r->snap = cfg->headers_only ? TC_FILTER_SNAP_HEADERS :
		  cfg->snap != 0    ? cfg->snap :
				      TC_FILTER_SNAP_ALL;
	tc_stamp_init(&r->stamp, cfg->clock);
	r->errors_at = r->stamp.measured_at;
	/* of the headers alone no datagram can be put together */
	int err = tc_frames_init(&r->frames, !cfg->headers_only);
	if (err < 0) {
		err = tc_driver_error(ret_error, err, "cannot prepare for fragments");
	} else {
		err = open_devices(r, cfg, ret_error);
	}
	if (err == 0 && r->n_devices > 1) {
		err = join(r, ret_error);
	}
	if (err < 0) {
		ring_free(&r->base);
		return err;
	}
	*ret = &r->base;
	return 0;
}

int tc_capture_ring_refilter(struct tc_capture *c, const char *filter, char *ret_error)
{
	struct ring *r = of(c);
	struct tc_device_config dev = { .filter = filter, .tagged = r->tagged, .snap = r->snap };
	int err = 0;
	for (unsigned i = 0; i < r->n_devices && err == 0; i++) {
		err = tc_device_refilter(&r->devices[i], &dev, ret_error);
	}
	return err;
}
