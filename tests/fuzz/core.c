/* SPDX-License-Identifier: BSD-2-Clause
 * fuzz/core.c - any sequence of verbs, from op-codes
 *
 * The first bytes choose the configuration, with tables so small that they run full; then come op-codes with their operands. Numbers are
 * given relative to what a real peer would send next, so that most inputs go deep; a few bits make them wild.
 * Promised: the invariants of tc_core_check() after every verb; bounded output for one input; a deadline that lies ahead once it was
 * served; no bug counted; and after TC_EVENT_STOP everything ends by itself.
 */
#include "fuzz/input.h"

#include "core/core.h"
#include "wire/share.h"

#include <stdlib.h>
#include <string.h>

/* more than may ask a silent target at the same time */
#define CLIENTS 12
#define OUTPUTS_MAX 20000

/* What the peers would say next. */
struct peers {
	struct {
		uint32_t nxt;
		uint32_t ack;
	} client[CLIENTS];
	struct {
		struct tc_ip ip;
		uint16_t port;
		uint32_t rcv_nxt; /* of the target: what it would acknowledge */
		uint32_t snd_nxt;
		bool used;
	} conn[CLIENTS * 3];
};

struct world {
	struct tc_core *core;
	struct peers peers;
	tc_time now;
};

static struct tc_ip ip(uint8_t last)
{
	const uint8_t v4[4] = { 10, 0, 0, last };
	return tc_ip_from_v4(v4);
}

static void note_segment(struct peers *p, const struct tc_segment *seg)
{
	unsigned at = CLIENTS * 3;
	for (unsigned i = 0; i < CLIENTS * 3; i++) {
		if (p->conn[i].used && p->conn[i].port == seg->tcp.src_port &&
		    tc_ip_eq(&p->conn[i].ip, &seg->src)) {
			at = i;
			break;
		}
		if (!p->conn[i].used && at == CLIENTS * 3) {
			at = i;
		}
	}
	if (at == CLIENTS * 3) {
		return;
	}
	bool opens = seg->tcp.flags & TC_TCP_SYN;
	p->conn[at].used = true;
	p->conn[at].ip = seg->src;
	p->conn[at].port = seg->tcp.src_port;
	p->conn[at].snd_nxt = opens ? 7000 : p->conn[at].snd_nxt;
	p->conn[at].rcv_nxt =
		seg->tcp.seq.v + seg->payload_len + opens + ((seg->tcp.flags & TC_TCP_FIN) != 0);
}

static void check(struct world *w)
{
	promise(tc_core_check(w->core, w->now) == NULL);
	struct tc_ledger l;
	tc_core_ledger(w->core, &l);
	promise(l.bugs == 0);
}

static void pull(struct world *w)
{
	struct tc_out out;
	unsigned n = 0;
	while (tc_core_next_out(w->core, &out, w->now)) {
		promise(++n < OUTPUTS_MAX);
		if (out.kind != TC_OUT_SEGMENT) {
			continue;
		}
		uint32_t sum = 0;
		for (unsigned i = 0; i < out.segment.n_views; i++) {
			sum += (uint32_t)out.segment.payload[i].n;
		}
		promise(sum == out.segment.payload_len);
		promise(out.segment.payload_len == 0 || out.segment.cut > 0);
		note_segment(&w->peers, &out.segment);
	}
	check(w);
}

static void op_client(struct world *w, struct input *in)
{
	static const uint8_t payload[3000];
	uint8_t who = input_byte(in) % CLIENTS;
	uint8_t how = input_byte(in);
	uint8_t flags = input_byte(in);
	uint32_t len = how & 1 ? input_word(in) % sizeof payload : how & 2 ? input_byte(in) : 0;
	uint32_t *nxt = &w->peers.client[who].nxt;
	struct tc_packet pkt = {
		.at = w->now - (how & 4 ? (tc_time)input_byte(in) * TC_MS : 0),
		.src = ip((uint8_t)(1 + who % 2)),
		.dst = ip(100),
		.device = how & 8 ? 1 : 0,
		.tcp = { .src_port = (uint16_t)(40000 + who / 2), .win = 500 },
		.payload = { payload, how & 16 ? len / 2 : len },
		.payload_len = len,
	};
	pkt.tcp.dst_port = who % 4 == 3 ? 81 : 80; /* two services of one client port */
	pkt.tcp.flags = flags & 0x3f ? flags & 0x17 : TC_TCP_ACK;
	if (flags & 0x80) { /* an orderly one */
		pkt.tcp.flags =
			(flags & TC_TCP_SYN) ? TC_TCP_SYN : TC_TCP_ACK | (flags & TC_TCP_FIN);
	}
	if (pkt.tcp.flags & TC_TCP_SYN) {
		*nxt = (uint32_t)input_byte(in) << 24;
		w->peers.client[who].ack = 5000;
	}
	int32_t off = how & 32 ? (int16_t)input_word(in) : 0;
	pkt.tcp.seq = tc_seq_of(*nxt + (uint32_t)off * (how & 64 ? 65536U : 1U));
	w->peers.client[who].ack += how & 128 ? input_byte(in) : 0;
	pkt.tcp.ack = tc_seq_of(w->peers.client[who].ack);
	if (off == 0) {
		*nxt += len + ((pkt.tcp.flags & (TC_TCP_SYN | TC_TCP_FIN)) != 0);
	}
	tc_core_on_client(w->core, &pkt, w->now);
}

static void op_answer(struct world *w, struct input *in)
{
	unsigned at = input_byte(in) % (CLIENTS * 3);
	uint8_t how = input_byte(in);
	uint8_t flags = input_byte(in);
	struct tc_answer a = {
		.client = w->peers.conn[at].used ? w->peers.conn[at].ip : ip(1),
		.target = ip(200),
		.tcp = { .src_port = 8080,
			 .dst_port = w->peers.conn[at].used ? w->peers.conn[at].port : 40000,
			 .win = how & 1 ? (uint16_t)input_word(in) : 65535 },
		.payload_len = how & 2 ? input_word(in) : 0,
		.merged = how & 4 ? input_byte(in) : 0,
	};
	a.tcp.flags = flags & 0x80 ? TC_TCP_ACK | (flags & TC_TCP_FIN) : flags & 0x17;
	int32_t seq_off = how & 8 ? (int16_t)input_word(in) : 0;
	int32_t ack_off = how & 16 ? (int16_t)input_word(in) : 0;
	uint32_t *nxt = &w->peers.conn[at].snd_nxt;
	a.tcp.seq = tc_seq_of(*nxt + (uint32_t)seq_off);
	a.tcp.ack = tc_seq_of(w->peers.conn[at].rcv_nxt + (uint32_t)ack_off);
	if (flags & 0x40) {
		a.tcp.flags = TC_TCP_SYN | TC_TCP_ACK;
	}
	if (a.tcp.flags & TC_TCP_SYN || how & 32) {
		a.tcp.opt = (struct tc_tcpopt){
			.has_ts = how & 32,
			.tsval = 1000,
			.has_mss = true,
			.mss = how & 64 ? input_byte(in) : 1460,
			.has_ws = how & 128,
			.ws_shift = how & 128 ? input_byte(in) % 15 : 0,
			.sack_ok = true,
		};
	} else if (how & 64) {
		a.tcp.opt.n_sack = 1 + input_byte(in) % TC_TCPOPT_SACK_MAX;
		for (unsigned i = 0; i < a.tcp.opt.n_sack; i++) {
			uint32_t left = a.tcp.ack.v + input_word(in);
			a.tcp.opt.sack[i] = (struct tc_sack){ tc_seq_of(left),
							      tc_seq_of(left + input_word(in)) };
		}
	}
	if (seq_off == 0) {
		*nxt += a.payload_len + ((a.tcp.flags & (TC_TCP_SYN | TC_TCP_FIN)) != 0);
	}
	tc_core_on_answer(w->core, &a, w->now);
}

static void serve(struct world *w)
{
	unsigned rounds = 0;
	do {
		tc_core_on_deadline(w->core, w->now);
		pull(w);
		promise(++rounds < 100);
	} while (tc_core_deadline(w->core) <= w->now);
}

static void op_time(struct world *w, struct input *in)
{
	uint8_t v = input_byte(in);
	tc_time until = w->now + ((tc_time)(v & 0x0f) + 1) * (v & 0x80 ? TC_SEC :
							      v & 0x40 ? 50 * TC_MS :
									 TC_MS);
	while (tc_core_deadline(w->core) < until) {
		w->now = tc_time_max(w->now, tc_core_deadline(w->core));
		serve(w);
	}
	w->now = until;
	serve(w);
}

static uint64_t count_of(enum tc_event_kind kind, struct input *in)
{
	uint32_t v = input_word(in);
	switch (kind) {
	case TC_EVENT_CAPTURE_HELD:
		return v & 1;
	case TC_EVENT_KEEP_SHARE:
		return v & 1 ? TC_SHARE_ALL : v;
	case TC_EVENT_SAMPLE:
		return v % 10001;
	default:
		return 68 + v; /* the least MTU of IPv4 */
	}
}

static void op_event(struct world *w, struct input *in)
{
	uint8_t v = input_byte(in);
	struct tc_event ev = { .kind = (enum tc_event_kind)(v % TC_EVENT_STOP),
			       .at = w->now,
			       .target = ip(200) };
	ev.replica = input_byte(in) % 32;
	ev.error = v & 0x80 ? 90 : 1;
	ev.count = count_of(ev.kind, in);
	tc_core_on_event(w->core, &ev, w->now);
}

static const struct tc_ip pool[2] = {
	{ { [10] = 0xff, [11] = 0xff, [12] = 10, [14] = 1, [15] = 1 } },
	{ { [10] = 0xff, [11] = 0xff, [12] = 10, [14] = 1, [15] = 2 } },
};

/* Both services lead to one target. */
static const struct tc_map maps[2] = {
	{ .target = { { [10] = 0xff, [11] = 0xff, [12] = 10, [15] = 200 } },
	  .online_port = 80,
	  .online_port_last = 80,
	  .target_port = 8080 },
	{ .target = { { [10] = 0xff, [11] = 0xff, [12] = 10, [15] = 200 } },
	  .online_port = 81,
	  .online_port_last = 81,
	  .target_port = 8080 },
};

static void configure_tables(struct tc_core_config *cfg, struct input *in)
{
	uint8_t v = input_byte(in);
	cfg->sessions = 1 + v % 16;
	cfg->copies = 1 + (v >> 6) % 3;
	cfg->replicas = tc_u32_max(cfg->sessions * cfg->copies - (v >> 5 & 1), 1);
	cfg->syns = 1 + v / 8 % 8;
	cfg->closed = 2;
	cfg->chunks = 1 + input_byte(in) % 40;
	cfg->turns = 1 + input_byte(in) % 8;
	cfg->boards = v & 1;
}

static void configure(struct tc_core_config *cfg, struct input *in)
{
	tc_core_config_default(cfg);
	cfg->maps = maps;
	cfg->n_maps = 2;
	cfg->pool = pool;
	configure_tables(cfg, in);
	uint8_t v = input_byte(in);
	cfg->pace = (enum tc_pace)(v % TC_PACE__N);
	cfg->rate = 10;
	cfg->hole_resume = v & 0x08;
	cfg->session_events = v & 0x10;
	cfg->rtt = v & 0x20 ? 30 * TC_MS : 0;
	cfg->idle = v & 0x40 ? 3 * TC_SEC : TC_TIME_NEVER;
	cfg->channel = !(v & 0x80);
	v = input_byte(in);
	cfg->limit_sessions = v & 0x01 ? 4 : 0;
	cfg->n_pool_v4 = v >> 1 & 1U ? 1 + (v >> 2 & 1U) : 0;
	cfg->alias_first = v & 0x08;
	cfg->alias_port_last = (uint16_t)(cfg->alias_port_first + (v & 0x10 ? 5 : 5000));
	cfg->share_permyriad = v & 0x20 ? 5000 : 10000;
	cfg->whole_only = v & 0x40;
	cfg->slow_permille = v & 0x80 ? 3000 : 1000;
	v = input_byte(in);
	cfg->max_lag = v & 0x01 ? TC_TIME_NEVER : v & 0x02 ? TC_SEC : cfg->max_lag;
	cfg->overlap = v & 0x04 ? 0 : cfg->overlap;
	cfg->keepalive = v & 0x08 ? TC_SEC : cfg->keepalive;
	cfg->wall_offset = 1700000000 * TC_SEC;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = { data, size };
	struct tc_core_config cfg;
	configure(&cfg, &in);
	size_t bytes = (tc_core_bytes(&cfg) + 63) / 64 * 64;
	void *mem = aligned_alloc(64, bytes);
	promise(mem != NULL);
	memset(mem, 0, bytes);
	struct world w = { .now = 1000 * TC_SEC };
	w.core = tc_core_init(mem, &cfg, w.now);
	while (in.n > 0) {
		switch (input_byte(&in) % 8) {
		case 0:
		case 1:
		case 2:
			op_client(&w, &in);
			break;
		case 3:
		case 4:
		case 5:
			op_answer(&w, &in);
			break;
		case 6:
			op_time(&w, &in);
			break;
		default:
			op_event(&w, &in);
			break;
		}
		pull(&w);
	}
	struct tc_event stop = { .kind = TC_EVENT_STOP, .at = w.now };
	tc_core_on_event(w.core, &stop, w.now);
	pull(&w);
	for (unsigned i = 0; i < 300 && tc_core_live(w.core) > 0; i++) {
		w.now += TC_SEC;
		serve(&w);
	}
	promise(tc_core_live(w.core) == 0);
	free(mem);
	return 0;
}
