/* SPDX-License-Identifier: BSD-2-Clause
 * golden/replay.c - what the file driver gives, and when, on a clock that jumps from one moment to the next
 *
 * Usage: replay FILE [SPEED_PERMILLE [GAP_LIMIT_MS [PASSES]]]
 *     NANOSECONDS CLIENT_PORT PAYLOAD     since the start
 *     end: frames N steps N short N
 * It fails when a packet is there a nanosecond before the driver said that it would be.
 */
#include "capture/file.h"
#include "port/error.h"

#include <inttypes.h>
#include <poll.h>
#include <stdlib.h>

#define START (1000 * TC_SEC)

static void print_packet(const struct tc_packet *pkt)
{
	printf("%" PRId64 " %u %.*s\n", pkt->at - START, pkt->tcp.src_port, (int)pkt->payload.n,
	       (const char *)pkt->payload.p);
}

/* Wait for the thread that reads, or let the time come; false: a packet was early */
static bool advance(struct tc_capture *c, tc_time *now)
{
	struct tc_packet pkt;
	struct tc_wait w;
	c->ops->wait(c, &w);
	if (w.fd >= 0) {
		struct pollfd p = { .fd = w.fd, .events = POLLIN };
		(void)poll(&p, 1, -1);
	} else if (w.deadline > *now && w.deadline != TC_TIME_NEVER) {
		if (c->ops->next(c, w.deadline - 1, &pkt)) {
			printf("early: ");
			print_packet(&pkt);
			return false;
		}
		*now = w.deadline;
	}
	return true;
}

static uint32_t number(int argc, char **argv, int i, uint32_t otherwise)
{
	return argc > i ? (uint32_t)strtoul(argv[i], NULL, 10) : otherwise;
}

int main(int argc, char **argv)
{
	char error[TC_DRIVER_ERROR_MAX];
	const char *path = argc > 1 ? argv[1] : "";
	uint32_t limit_ms = number(argc, argv, 3, 0);
	struct tc_capture_file_config cfg = {
		.paths = &path,
		.n_paths = 1,
		.speed_permille = number(argc, argv, 2, 1000),
		.gap_limit = limit_ms > 0 ? limit_ms * TC_MS : TC_TIME_NEVER,
		.passes = number(argc, argv, 4, 1),
	};
	struct tc_capture *c;
	if (tc_capture_file_new(&cfg, &c, error) < 0) {
		fprintf(stderr, "replay: %s\n", error);
		return 1;
	}
	tc_time now = START;
	struct tc_packet pkt;
	bool right = true;
	while (right && (!c->ops->is_done(c) || c->ops->again(c))) {
		while (c->ops->next(c, now, &pkt)) {
			print_packet(&pkt);
		}
		right = advance(c, &now);
	}
	struct tc_event ev;
	while (c->ops->next_event(c, now, &ev)) {
	}
	struct tc_capture_stats s;
	c->ops->stats(c, &s);
	printf("end: frames %" PRIu64 " steps %" PRIu64 " short %" PRIu64 "\n", s.pkts,
	       s.time_steps, s.drops[TC_DROP_SHORT]);
	c->ops->free(c);
	return right ? 0 : 1;
}
