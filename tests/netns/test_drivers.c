/* SPDX-License-Identifier: BSD-2-Clause
 * tests/netns/test_drivers.c - drives one capture or deliver driver from the command line, for test_drivers.py
 *
 *     capture   print each captured packet as a line, until standard input is closed and nothing more has come for 100 ms, or
 *               --seconds long
 *     talk      be a client of --target: handshake, --bytes of payload in one segment, close
 *     syn       send a SYN each 100 ms for --seconds; print what the driver says about it
 *
 * Lines are "word key=value ...". "ready" says that the drivers are open. Exit: 0; 1 with the driver's own words on stderr.
 */
#include "capture/file.h"
#include "capture/filter.h"
#include "capture/raw.h"
#include "capture/ring.h"
#include "deliver/packet.h"
#include "deliver/raw.h"
#include "port/error.h"

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <poll.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define CLIENT_PORT 40000
#define CLIENT_ISN 1000u
#define PAYLOAD_MAX (4 << 20)
#define SEGMENT_MAX 65536 /* more than IP can count with its headers */
#define CHUNK 4096

struct options {
	const char *devices[TC_RING_DEVICES_MAX];
	unsigned n_devices;
	const char *filter;
	const char *file;
	const char *kind; /* ring or raw; packet or raw */
	const char *out_device;
	const char *client;
	const char *target;
	const char *mac;
	unsigned port;
	unsigned cut;
	uint32_t bytes;
	uint32_t snap;
	size_t ring_bytes;
	double seconds;
	double speed;
	int gap_ms;
	unsigned passes;
	int sleep_ms;
	uint32_t mark;
	bool headers_only;
	bool own_filter;
	bool outgoing;
	bool no_gso;
	bool allow_conntrack;
};

static tc_time clock_at(clockid_t id)
{
	struct timespec t;
	clock_gettime(id, &t);
	return (tc_time)t.tv_sec * TC_SEC + t.tv_nsec;
}

static tc_time now_monotonic(void *ctx)
{
	(void)ctx;
	return clock_at(CLOCK_MONOTONIC);
}

static tc_time now_wall(void *ctx)
{
	(void)ctx;
	return clock_at(CLOCK_REALTIME);
}

static const struct tc_clock real_clock = { now_monotonic, now_wall, NULL };

static tc_time now(void)
{
	return now_monotonic(NULL);
}

static void sleep_ms(int ms)
{
	poll(NULL, 0, ms);
}

static uint32_t digest(struct tc_view v)
{
	uint32_t h = 2166136261u; /* FNV-1a */
	for (size_t i = 0; i < v.n; i++) {
		h = (h ^ v.p[i]) * 16777619u;
	}
	return h;
}

static void print_packet(const struct tc_packet *p, tc_time t)
{
	char src[TC_IP_TEXT_MAX], dst[TC_IP_TEXT_MAX];
	printf("pkt device=%u link=%u src=%s sport=%u dst=%s dport=%u seq=%u flags=%u len=%u "
	       "have=%zu "
	       "digest=%u at_us=%" PRId64 " age_us=%" PRId64 "\n",
	       p->device, p->link_id, tc_ip_format(&p->src, src, sizeof src), p->tcp.src_port,
	       tc_ip_format(&p->dst, dst, sizeof dst), p->tcp.dst_port, p->tcp.seq.v, p->tcp.flags,
	       p->payload_len, p->payload.n, digest(p->payload), p->at / TC_US,
	       (t - p->at) / TC_US);
}

static void print_capture_stats(struct tc_capture *c)
{
	struct tc_capture_stats s;
	c->ops->stats(c, &s);
	printf("stats pkts=%" PRIu64 " bytes=%" PRIu64 " kernel_drops=%" PRIu64 " wakeups=%" PRIu64
	       " time_steps=%" PRIu64 " used=%u down=%u cpu_us=%" PRId64,
	       s.pkts, s.bytes, s.kernel_drops, s.wakeups, s.time_steps, s.ring_used_permille,
	       s.devices_down, clock_at(CLOCK_PROCESS_CPUTIME_ID) / TC_US);
	for (int i = 0; i < TC_DROP__N; i++) {
		if (s.drops[i] > 0) {
			printf(" drop_%s=%" PRIu64, tc_drop_name((enum tc_drop)i), s.drops[i]);
		}
	}
	printf("\n");
}

static void print_deliver_stats(struct tc_deliver *d)
{
	struct tc_deliver_stats s;
	d->ops->stats(d, &s);
	printf("stats segments=%" PRIu64 " pkts=%" PRIu64 " bytes=%" PRIu64 " calls=%" PRIu64
	       " errors=%" PRIu64 " no_neighbor=%" PRIu64 "\n",
	       s.segments, s.pkts, s.bytes, s.calls, s.errors, s.no_neighbor);
}

/* Wait for the driver, and if @more for it, too; returns whether @more has something */
static bool wait_for(const struct tc_wait *w, int more, tc_time until)
{
	tc_time left = tc_time_min(w->deadline, until) - now();
	struct pollfd p[] = {
		{ w->fd, (short)((w->read ? POLLIN : 0) | (w->write ? POLLOUT : 0)), 0 },
		{ more, POLLIN, 0 },
	};
	struct timespec ts = { 0 };
	if (left > 0) {
		ts = (struct timespec){ left / TC_SEC, left % TC_SEC };
	}
	return ppoll(p, 2, &ts, NULL) > 0 && p[1].revents != 0;
}

static int open_capture(const struct options *o, struct tc_capture **ret, char *error)
{
	if (o->file != NULL) {
		struct tc_capture_file_config cfg = {
			.paths = &o->file,
			.n_paths = 1,
			.filter = o->filter,
			.speed_permille = (uint32_t)(o->speed * 1000),
			.gap_limit = o->gap_ms < 0 ? TC_TIME_NEVER : o->gap_ms * TC_MS,
			.passes = o->passes,
		};
		return tc_capture_file_new(&cfg, ret, error);
	}
	if (strcmp(o->kind, "raw") == 0) {
		struct tc_capture_raw_config cfg = { .filter = o->filter };
		return tc_capture_raw_new(&cfg, ret, error);
	}
	struct tc_capture_ring_config cfg = {
		.devices = o->devices,
		.n_devices = o->n_devices,
		.filter = o->filter,
		.own_filter = o->own_filter,
		.headers_only = o->headers_only,
		.snap = o->snap,
		.bytes = o->ring_bytes,
		.outgoing = o->outgoing,
		.clock = &real_clock,
	};
	return tc_capture_ring_new(&cfg, ret, error);
}

static int open_deliver(const struct options *o, struct tc_deliver **ret, char *error)
{
	static struct tc_map map;
	if (tc_ip_parse(o->target, &map.target) != 0) {
		return tc_driver_say(error, -EINVAL, "'%s' is no address", o->target);
	}
	map.online_port = map.online_port_last = map.target_port = (uint16_t)o->port;
	if (o->mac != NULL) {
		map.has_target_mac =
			sscanf(o->mac, "%hhx:%hhx:%hhx:%hhx:%hhx:%hhx", &map.target_mac[0],
			       &map.target_mac[1], &map.target_mac[2], &map.target_mac[3],
			       &map.target_mac[4], &map.target_mac[5]) == 6;
	}
	if (strcmp(o->kind, "raw") == 0) {
		struct tc_deliver_raw_config cfg = {
			.maps = &map,
			.n_maps = 1,
			.device = o->out_device,
			.mark = o->mark,
			.allow_conntrack = o->allow_conntrack,
		};
		return tc_deliver_raw_new(&cfg, now(), ret, error);
	}
	struct tc_deliver_packet_config cfg = {
		.maps = &map, .n_maps = 1, .device = o->out_device, .no_gso = o->no_gso
	};
	int r = tc_deliver_packet_new(&cfg, now(), ret, error);
	char text[256];
	for (unsigned i = 0; r == 0 && tc_deliver_packet_text(*ret, i, text, sizeof text); i++) {
		printf("way %s\n", text);
	}
	return r;
}

static void run_capture(const struct options *o, struct tc_capture *c)
{
	tc_time end = now() + (tc_time)(o->seconds * (double)TC_SEC);
	if (o->sleep_ms > 0) {
		sleep_ms(o->sleep_ms);
	}
	uint64_t wakes = 0;
	int more = STDIN_FILENO;
	while (now() < end && !c->ops->is_done(c)) {
		struct tc_wait w;
		struct tc_packet pkt;
		struct tc_event ev;
		tc_time t = now();
		while (c->ops->next(c, t, &pkt)) {
			print_packet(&pkt, t);
			if (more < 0) {
				end = t + 100 * TC_MS;
			}
		}
		while (c->ops->next_event(c, t, &ev)) {
			printf("loss count=%" PRIu64 "\n", ev.count);
		}
		fflush(stdout);
		c->ops->wait(c, &w);
		if (wait_for(&w, more, end)) {
			more = -1;
			end = now() + 100 * TC_MS;
		}
		wakes++;
	}
	printf("done wakes=%" PRIu64 " damage=%d\n", wakes,
	       o->file != NULL && tc_capture_file_damage(c) != NULL);
	print_capture_stats(c);
}

static void print_events(struct tc_deliver *d)
{
	struct tc_event ev;
	while (d->ops->next_event(d, &ev)) {
		if (ev.kind == TC_EVENT_PATH_MTU) {
			printf("mtu bytes=%" PRIu64 "\n", ev.count);
		} else {
			printf("error replica=%u errno=%d name=%s\n", ev.replica, ev.error,
			       strerrorname_np(ev.error));
		}
	}
}

/* Wait until @until, and let the driver do what it has to meanwhile */
static void serve(struct tc_deliver *d, tc_time until)
{
	while (now() < until) {
		struct tc_wait w;
		d->ops->wait(d, &w);
		(void)wait_for(&w, -1, until);
		d->ops->on_ready(d, now());
		print_events(d);
		fflush(stdout);
	}
}

static struct tc_segment segment(const struct options *o, uint8_t flags, uint32_t seq, uint32_t ack)
{
	struct tc_segment s = {
		.replica = 7,
		.tcp = { .src_port = CLIENT_PORT,
			 .dst_port = (uint16_t)o->port,
			 .seq = tc_seq_of(seq),
			 .ack = tc_seq_of(ack),
			 .flags = flags,
			 .win = 65535 },
		.cut = (uint16_t)o->cut,
	};
	if (tc_ip_parse(o->client, &s.src) != 0 || tc_ip_parse(o->target, &s.dst) != 0) {
		abort();
	}
	return s;
}

static void run_syn(const struct options *o, struct tc_deliver *d)
{
	tc_time end = now() + (tc_time)(o->seconds * (double)TC_SEC);
	for (uint32_t i = 0; now() < end; i++) {
		struct tc_segment s = segment(o, TC_TCP_SYN, CLIENT_ISN + i, 0);
		d->ops->send(d, &s, now());
		d->ops->flush(d, now());
		print_events(d);
		fflush(stdout);
		serve(d, now() + 100 * TC_MS);
	}
	print_deliver_stats(d);
}

/* The next packet of the target that has @flags, within 2 seconds */
static bool hear(struct tc_capture *c, uint8_t flags, struct tc_packet *ret_pkt)
{
	tc_time end = now() + 2 * TC_SEC;
	while (now() < end) {
		while (c->ops->next(c, now(), ret_pkt)) {
			if ((ret_pkt->tcp.flags & flags) == flags) {
				return true;
			}
		}
		struct tc_wait w;
		c->ops->wait(c, &w);
		(void)wait_for(&w, -1, end);
	}
	return false;
}

static void send_one(struct tc_deliver *d, const struct tc_segment *s)
{
	d->ops->send(d, s, now());
	d->ops->flush(d, now());
}

static void send_bytes(const struct options *o, struct tc_deliver *d, const uint8_t *bytes,
		       uint32_t ack)
{
	uint32_t sent = 0;
	while (sent < o->bytes) {
		struct tc_segment s =
			segment(o, TC_TCP_ACK | TC_TCP_PSH, CLIENT_ISN + 1 + sent, ack);
		/* chunks of odd sizes, as a stream has them */
		while (s.payload_len < SEGMENT_MAX && sent < o->bytes &&
		       s.n_views < TC_SEGMENT_VIEWS) {
			uint32_t n = tc_u32_min(CHUNK - 1, o->bytes - sent);
			n = tc_u32_min(n, SEGMENT_MAX - s.payload_len);
			s.payload[s.n_views++] = (struct tc_view){ bytes + sent, n };
			s.payload_len += n;
			sent += n;
		}
		printf("segment len=%u views=%u\n", s.payload_len, s.n_views);
		d->ops->send(d, &s, now());
	}
	d->ops->flush(d, now());
}

static int run_talk(const struct options *o, struct tc_capture *c, struct tc_deliver *d)
{
	static uint8_t bytes[PAYLOAD_MAX];
	for (uint32_t i = 0; i < o->bytes; i++) {
		bytes[i] = (uint8_t)(i * 31 + i / 251);
	}
	struct tc_segment syn = segment(o, TC_TCP_SYN, CLIENT_ISN, 0);
	syn.tcp.opt.has_mss = true;
	syn.tcp.opt.mss = 1460;
	struct tc_packet pkt;
	send_one(d, &syn);
	if (!hear(c, TC_TCP_SYN | TC_TCP_ACK, &pkt)) {
		printf("no syn-ack\n");
		print_deliver_stats(d);
		print_events(d);
		return 1;
	}
	printf("syn-ack win=%u\n", pkt.tcp.win);
	uint32_t ack = pkt.tcp.seq.v + 1;
	struct tc_segment last = segment(o, TC_TCP_ACK, CLIENT_ISN + 1, ack);
	send_one(d, &last);
	send_bytes(o, d, bytes, ack);
	uint32_t end = CLIENT_ISN + 1 + o->bytes;
	bool acked = false;
	while (!acked && hear(c, TC_TCP_ACK, &pkt)) {
		acked = pkt.tcp.ack.v == end;
	}
	printf("acked all=%d ack=%u\n", acked, pkt.tcp.ack.v - CLIENT_ISN - 1);
	last = segment(o, TC_TCP_ACK | TC_TCP_FIN, end, ack);
	send_one(d, &last);
	print_deliver_stats(d);
	print_events(d);
	return acked ? 0 : 1;
}

enum {
	OPT_DEVICE = 1,
	OPT_FILTER,
	OPT_FILE,
	OPT_KIND,
	OPT_OUT,
	OPT_CLIENT,
	OPT_TARGET,
	OPT_MAC,
	OPT_PORT,
	OPT_CUT,
	OPT_BYTES,
	OPT_RING,
	OPT_SECONDS,
	OPT_SPEED,
	OPT_GAP,
	OPT_PASSES,
	OPT_SLEEP,
	OPT_SNAP,
	OPT_MARK,
	OPT_HEADERS,
	OPT_OWN,
	OPT_OUTGOING,
	OPT_NO_GSO,
	OPT_CONNTRACK,
};

static const struct option long_options[] = {
	{ "device", required_argument, NULL, OPT_DEVICE },
	{ "filter", required_argument, NULL, OPT_FILTER },
	{ "file", required_argument, NULL, OPT_FILE },
	{ "kind", required_argument, NULL, OPT_KIND },
	{ "out", required_argument, NULL, OPT_OUT },
	{ "client", required_argument, NULL, OPT_CLIENT },
	{ "target", required_argument, NULL, OPT_TARGET },
	{ "mac", required_argument, NULL, OPT_MAC },
	{ "port", required_argument, NULL, OPT_PORT },
	{ "cut", required_argument, NULL, OPT_CUT },
	{ "bytes", required_argument, NULL, OPT_BYTES },
	{ "ring-bytes", required_argument, NULL, OPT_RING },
	{ "seconds", required_argument, NULL, OPT_SECONDS },
	{ "speed", required_argument, NULL, OPT_SPEED },
	{ "gap-ms", required_argument, NULL, OPT_GAP },
	{ "passes", required_argument, NULL, OPT_PASSES },
	{ "sleep-ms", required_argument, NULL, OPT_SLEEP },
	{ "snap", required_argument, NULL, OPT_SNAP },
	{ "mark", required_argument, NULL, OPT_MARK },
	{ "headers-only", no_argument, NULL, OPT_HEADERS },
	{ "own-filter", no_argument, NULL, OPT_OWN },
	{ "outgoing", no_argument, NULL, OPT_OUTGOING },
	{ "no-gso", no_argument, NULL, OPT_NO_GSO },
	{ "allow-conntrack", no_argument, NULL, OPT_CONNTRACK },
	{ 0 },
};

static void set_number(struct options *o, int opt, const char *text)
{
	unsigned long n = strtoul(text, NULL, 10);
	switch (opt) {
	case OPT_PORT:
		o->port = (unsigned)n;
		break;
	case OPT_CUT:
		o->cut = (unsigned)n;
		break;
	case OPT_BYTES:
		o->bytes = n < PAYLOAD_MAX ? (uint32_t)n : PAYLOAD_MAX;
		break;
	case OPT_RING:
		o->ring_bytes = n;
		break;
	case OPT_SECONDS:
		o->seconds = strtod(text, NULL);
		break;
	case OPT_SPEED:
		o->speed = strtod(text, NULL);
		break;
	case OPT_GAP:
		o->gap_ms = (int)n;
		break;
	case OPT_PASSES:
		o->passes = (unsigned)n;
		break;
	case OPT_SNAP:
		o->snap = (uint32_t)n;
		break;
	case OPT_SLEEP:
		o->sleep_ms = (int)n;
		break;
	default:
		o->mark = (uint32_t)n;
		break;
	}
}

static void set_option(struct options *o, int opt, const char *text)
{
	switch (opt) {
	case OPT_DEVICE:
		if (o->n_devices < TC_RING_DEVICES_MAX) {
			o->devices[o->n_devices++] = text;
		}
		break;
	case OPT_FILTER:
		o->filter = text;
		break;
	case OPT_FILE:
		o->file = text;
		break;
	case OPT_KIND:
		o->kind = text;
		break;
	case OPT_OUT:
		o->out_device = text;
		break;
	case OPT_CLIENT:
		o->client = text;
		break;
	case OPT_TARGET:
		o->target = text;
		break;
	case OPT_MAC:
		o->mac = text;
		break;
	case OPT_HEADERS:
		o->headers_only = true;
		break;
	case OPT_OWN:
		o->own_filter = true;
		break;
	case OPT_OUTGOING:
		o->outgoing = true;
		break;
	case OPT_NO_GSO:
		o->no_gso = true;
		break;
	case OPT_CONNTRACK:
		o->allow_conntrack = true;
		break;
	default:
		set_number(o, opt, text);
		break;
	}
}

int main(int argc, char **argv)
{
	struct options o = { .kind = "default",
			     .port = 80,
			     .cut = 1448,
			     .seconds = 20,
			     .speed = 1,
			     .gap_ms = -1,
			     .passes = 1 };
	const char *what = argc > 1 ? argv[1] : "";
	int opt;
	while ((opt = getopt_long(argc, argv, "", long_options, NULL)) != -1) {
		if (opt == '?') {
			return 2;
		}
		set_option(&o, opt, optarg);
	}
	bool captures = strcmp(what, "capture") == 0 || strcmp(what, "talk") == 0;
	bool delivers = strcmp(what, "syn") == 0 || strcmp(what, "talk") == 0;
	char error[TC_DRIVER_ERROR_MAX];
	struct tc_capture *c = NULL;
	struct tc_deliver *d = NULL;
	struct options capture = o;
	if (delivers) {
		capture.kind = "ring"; /* --kind is the deliver's */
	}
	if ((captures && open_capture(&capture, &c, error) < 0) ||
	    (delivers && open_deliver(&o, &d, error) < 0)) {
		fprintf(stderr, "%s\n", error);
		return 1;
	}
	printf("ready\n");
	fflush(stdout);
	int status = 0;
	if (captures && delivers) {
		status = run_talk(&o, c, d);
	} else if (captures) {
		run_capture(&o, c);
	} else if (delivers) {
		run_syn(&o, d);
	}
	if (c != NULL) {
		c->ops->free(c);
	}
	if (d != NULL) {
		d->ops->free(d);
	}
	return status;
}
