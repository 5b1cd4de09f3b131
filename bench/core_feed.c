/* SPDX-License-Identifier: BSD-2-Clause
 * bench/core_feed.c - connections by their number
 */
#include "bench/core_feed.h"

#include "base/bytes.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

#define CLIENT_NET 0x0a000000u /* 10.0.0.0 */
/* above the ports that further copies get */
#define CLIENT_PORT 32768u
#define PORTS 28000u
#define CLIENT_ISN 1000u
#define ONLINE_ISN 5000u
#define TARGET_ISN 900000u
#define ONLINE_PORT 80
#define TARGET_PORT 8080

void feed_expect(bool holds, const char *what)
{
	if (!holds) {
		fprintf(stderr, "not so: %s\n", what);
		exit(1);
	}
}

static struct tc_ip v4(uint32_t address)
{
	uint8_t b[4];
	tc_put_be32(b, address);
	return tc_ip_from_v4(b);
}

struct feed *feed_new(uint32_t sessions, uint32_t copies, bool huge)
{
	struct feed *f = calloc(1, sizeof *f);
	feed_expect(f != NULL, "there is memory for a feed");
	f->step = 10 * TC_US;
	f->now = TC_SEC;
	f->map = (struct tc_map){ .online = v4(0xc0000201),
				  .target = v4(0xc0000202),
				  .online_port = ONLINE_PORT,
				  .online_port_last = ONLINE_PORT,
				  .target_port = TARGET_PORT };
	tc_core_config_default(&f->cfg);
	f->cfg.maps = &f->map;
	f->cfg.n_maps = 1;
	f->cfg.copies = copies;
	f->cfg.channel = true;
	f->cfg.table_key = (struct tc_siphash_key){ 1, 2 };
	f->cfg.mark_key = (struct tc_siphash_key){ 3, 4 };
	f->cfg.sessions = sessions;
	f->cfg.replicas = sessions * copies;
	f->cfg.syns = 1024;
	f->cfg.closed = sessions * copies;
	f->cfg.turns = 4096;
	f->cfg.boards = 64;
	f->cfg.chunks = 4096;
	f->bytes = tc_core_bytes(&f->cfg);
	f->mem = mmap(NULL, f->bytes, PROT_READ | PROT_WRITE,
		      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	feed_expect(f->mem != MAP_FAILED, "there is memory for a core");
	feed_expect(!huge || madvise(f->mem, f->bytes, MADV_HUGEPAGE) == 0, "there are huge pages");
	f->core = tc_core_init(f->mem, &f->cfg, f->now);
	return f;
}

void feed_free(struct feed *f)
{
	munmap(f->mem, f->bytes);
	free(f);
}

struct tc_ledger feed_ledger(const struct feed *f)
{
	struct tc_ledger l;
	tc_core_ledger(f->core, &l);
	feed_expect(tc_ledger_balance(&l) == NULL, "the books balance");
	feed_expect(l.bugs == 0, "the core has no bug");
	return l;
}

/* The target's answer to one segment; false when it says nothing. */
static bool answer_to(const struct tc_segment *seg, struct tc_answer *ret)
{
	bool syn = seg->tcp.flags & TC_TCP_SYN;
	bool fin = seg->tcp.flags & TC_TCP_FIN;
	if (seg->payload_len == 0 && !syn && !fin) {
		return false;
	}
	*ret = (struct tc_answer){
		.client = seg->src,
		.target = seg->dst,
		.tcp = { .src_port = seg->tcp.dst_port,
			 .dst_port = seg->tcp.src_port,
			 .seq = syn ? tc_seq_of(TARGET_ISN) : seg->tcp.ack,
			 .ack = tc_seq_add(seg->tcp.seq, seg->payload_len + syn + fin),
			 .flags = (uint8_t)(TC_TCP_ACK | (syn ? TC_TCP_SYN : 0) |
					    (fin ? TC_TCP_FIN : 0)),
			 .win = 65535,
			 .opt = { .has_ts = true,
				  .tsval = seg->tcp.opt.tsval,
				  .tsecr = seg->tcp.opt.tsval } },
		.payload_len = seg->payload_len > 0 ? FEED_ANSWER_BYTES : 0,
	};
	if (syn) {
		ret->tcp.opt.has_mss = true;
		ret->tcp.opt.mss = 1460;
		ret->tcp.opt.has_ws = true;
		ret->tcp.opt.ws_shift = 7;
		ret->tcp.opt.sack_ok = true;
	}
	return true;
}

/* Until nobody has anything to say: what the core says, the target answers. */
static void settle(struct feed *f)
{
	struct tc_answer answers[FEED_BATCH_MAX];
	unsigned n;
	do {
		struct tc_out out;
		n = 0;
		while (n < FEED_BATCH_MAX && tc_core_next_out(f->core, &out, f->now)) {
			if (out.kind == TC_OUT_SEGMENT) {
				n += answer_to(&out.segment, &answers[n]);
			}
		}
		for (unsigned i = 0; i < n; i++) {
			tc_core_on_answer(f->core, &answers[i], f->now);
		}
	} while (n > 0);
}

/* A packet of connection @i. */
static struct tc_packet packet(struct feed *f, uint32_t i, uint32_t seq, uint32_t ack,
			       uint8_t flags, uint32_t len)
{
	static const uint8_t payload[FEED_REQUEST_BYTES];
	f->now += f->step;
	return (struct tc_packet){
		.at = f->now,
		.src = v4(CLIENT_NET + 1 + i / PORTS),
		.dst = f->map.online,
		.tcp = { .src_port = (uint16_t)(CLIENT_PORT + i % PORTS),
			 .dst_port = ONLINE_PORT,
			 .seq = tc_seq_of(seq),
			 .ack = tc_seq_of(ack),
			 .flags = flags,
			 .win = 500 },
		.payload = { payload, len },
		.payload_len = len,
	};
}

static void give(struct feed *f, const struct tc_packet *pkts, uint32_t n)
{
	if (tc_core_deadline(f->core) <= f->now) {
		tc_core_on_deadline(f->core, f->now);
	}
	for (uint32_t k = 0; k < n; k++) {
		tc_core_on_client(f->core, &pkts[k], f->now);
	}
	settle(f);
}

static void say(struct feed *f, uint32_t i, uint32_t seq, uint32_t ack, uint8_t flags)
{
	struct tc_packet pkt = packet(f, i, seq, ack, flags, 0);
	give(f, &pkt, 1);
}

void feed_open(struct feed *f, uint32_t i)
{
	say(f, i, CLIENT_ISN, 0, TC_TCP_SYN);
	say(f, i, CLIENT_ISN + 1, ONLINE_ISN + 1, TC_TCP_ACK);
}

/* What a client has said, and heard, after @n requests. */
static uint32_t seq_after(uint32_t n)
{
	return CLIENT_ISN + 1 + n * FEED_REQUEST_BYTES;
}

static uint32_t ack_after(uint32_t n)
{
	return ONLINE_ISN + 1 + n * FEED_ANSWER_BYTES;
}

void feed_requests(struct feed *f, const struct feed_request *r, uint32_t n)
{
	for (uint32_t k = 0; k < n; k++) {
		f->pkts[k] = packet(f, r[k].i, seq_after(r[k].nth), ack_after(r[k].nth),
				    TC_TCP_ACK | TC_TCP_PSH, FEED_REQUEST_BYTES);
	}
	give(f, f->pkts, n);
	for (uint32_t k = 0; k < n; k++) {
		f->pkts[k] = packet(f, r[k].i, seq_after(r[k].nth + 1), ack_after(r[k].nth + 1),
				    TC_TCP_ACK, 0);
	}
	give(f, f->pkts, n);
}

void feed_close(struct feed *f, uint32_t i, uint32_t n)
{
	say(f, i, seq_after(n), ack_after(n), TC_TCP_ACK | TC_TCP_FIN);
}
