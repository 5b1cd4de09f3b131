/* SPDX-License-Identifier: BSD-2-Clause
 * bench/core_upload.c - how long the core takes to bring an upload over a bad wire, in virtual time
 *
 *     client's packets --> core --> ab: wire --> target's TCP, a model: acknowledges, reports by SACK, never sends
 *                           ^------ ba: wire <------'
 *                      reports, in batches
 *
 * The wire is the lab's (lab/wire_line.h) without its devices; the target behaves as Linux does where that matters here: every second
 * segment is acknowledged, at once when something is missing or comes twice, the first ones all, the rest after 40 ms; three SACK
 * blocks, the newest first.
 * No clock, no network, no root: the same seed gives the same figures on every machine. tests/netns/test_endpoint.py is the same
 * with real parts.
 */
#include "cli/option.h"
#include "core/core.h"
#include "core/state.h"
#include "lab/wire_line.h"
#include "lab/wire_queue.h"
#include "wire/packet.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define ISN 1000u
#define TARGET_ISN 5000000u
#define CAPTURE_BYTES 32768 /* of a super-packet of the client */
#define CAPTURE_GAP (300 * TC_US)
#define HEADERS (14 + 20 + 32)
#define MSS 1460
#define TARGET_WIN 32768 /* << 7: 4 MB */
#define WIN_SHIFT 7
#define QUICK_ACKS 16
#define DELAYED_ACK (40 * TC_MS)
#define RANGES 4096
#define SACKS 3
#define GIVE_UP (600 * TC_SEC)

struct options {
	int64_t bytes;
	int64_t seeds;
	int64_t first_seed;
	int64_t reports_ns;
	int64_t stall_ns;
	int64_t mute_ns;
	struct wire_settings wire; /* both ways */
	int64_t most_ms;
	int64_t trace_ns;
	bool verbose;
	bool help;
};

#define AT(m) .offset = offsetof(struct options, m)

static const struct tc_option option_table[] = {
	{ "bytes", 0, TC_OPTION_SIZE, AT(bytes), .arg = "BYTES", .min = 1, .max = 1 << 30,
	  .scale = 1, .initial = 10000000, .help = "of the upload; default 10000000" },
	{ "seeds", 0, TC_OPTION_NUMBER, AT(seeds), .arg = "N", .min = 1, .max = 1000, .initial = 25,
	  .help = "runs; default 25" },
	{ "first-seed", 0, TC_OPTION_NUMBER, AT(first_seed), .arg = "N", .min = 1,
	  .max = 1000000000, .initial = 1, .help = "default 1" },
	{ "reports", 0, TC_OPTION_DURATION, AT(reports_ns), .arg = "MS", .min = 0,
	  .max = 100 * TC_MS, .scale = TC_MS, .initial = TC_MS,
	  .help = "the target's answers come in batches, so far apart; default 1" },
	{ "stall", 0, TC_OPTION_DURATION, AT(stall_ns), .arg = "MS", .min = 0, .max = 900 * TC_MS,
	  .scale = TC_MS, .help = "once a second our side has no CPU for so long; default 0" },
	{ "mute", 0, TC_OPTION_DURATION, AT(mute_ns), .arg = "MS", .min = 0, .max = 900 * TC_MS,
	  .scale = TC_MS,
	  .help = "once a second no report comes for so long, while our timers run; default 0" },
	{ "delay", 0, TC_OPTION_DURATION, AT(wire.delay_ns), .arg = "MS", .min = 0,
	  .max = 10 * TC_SEC, .scale = TC_MS, .initial = 20 * TC_MS,
	  .help = "of the wire, each way; default 20" },
	{ "loss", 0, TC_OPTION_DECIMAL, AT(wire.loss), .arg = "PCT", .min = 0,
	  .max = WIRE_SHARE_MAX, .scale = WIRE_SHARE_MAX / 100, .initial = WIRE_SHARE_MAX / 100,
	  .help = "of frames, each way; default 1" },
	{ "reorder", 0, TC_OPTION_DECIMAL, AT(wire.hold_share), .arg = "PCT", .min = 0,
	  .max = WIRE_SHARE_MAX, .scale = WIRE_SHARE_MAX / 100,
	  .help = "share of frames that is held 1 ms; default 0" },
	{ "rate", 0, TC_OPTION_DECIMAL, AT(wire.rate_bps), .arg = "MBIT", .min = 1,
	  .max = INT64_C(100000000000), .scale = 1000000, .initial = 20000000,
	  .help = "default 20" },
	{ "queue", 0, TC_OPTION_SIZE, AT(wire.queue_bytes), .arg = "BYTES", .min = 0,
	  .max = 1 << 30, .scale = 1, .initial = 32768,
	  .help = "what waits for the rate; default 32k" },
	{ "most", 0, TC_OPTION_NUMBER, AT(most_ms), .arg = "MS", .min = 1, .max = INT64_MAX / TC_MS,
	  .initial = INT64_MAX / TC_MS, .help = "exit status 1 when the median is above it" },
	{ "trace", 0, TC_OPTION_DURATION, AT(trace_ns), .arg = "MS", .min = 0, .max = 10 * TC_SEC,
	  .scale = TC_MS, .help = "the state of the endpoint, so often" },
	{ "verbose", 0, TC_OPTION_FLAG, AT(verbose), .help = "each run" },
	{ "help", 'h', TC_OPTION_FLAG, AT(help), .help = "print this, and end" },
	{ 0 },
};

/** struct message - a TCP packet on the wire, either way */
struct message {
	struct tc_tcp tcp;
	uint32_t len;
};

/** struct target - a receiver; ranges are what came beyond a gap, the newest first */
struct target {
	bool open;
	bool fin_acked;
	tc_seq rcv_nxt;
	tc_seq fin; /* with has_fin */
	bool has_fin;
	uint32_t n;
	struct tc_sack range[RANGES];
	uint32_t tsval_seen;
	uint32_t unacked; /* segments */
	uint32_t acks;	  /* sent at once so far */
	tc_time ack_at;	  /* delayed; TC_TIME_NEVER for none */
};

struct direction {
	struct wire_line line;
	struct wire_queue queue;
};

struct upload {
	const struct options *opt;
	struct tc_core *core;
	struct direction ab, ba;
	struct target target;
	struct tc_tuple at_target;
	tc_time now;
	tc_time client_at; /* when the next packet of the client is captured */
	uint32_t client_said;
	bool client_done;
	uint8_t *bytes; /* of one packet of the client */

	struct tc_answer *reports; /* that wait for their batch */
	unsigned n_reports;
	tc_time reports_at;
	tc_time began; /* when the target's SYN-ACK went out */
	tc_time done;  /* when the target had the last byte */
	tc_time trace_at;
};

#define REPORTS_MAX 65536

/* --- the target --- */

static void transmit(struct direction *d, const struct message *m, tc_time now)
{
	tc_time out;
	for (unsigned n = wire_line_take(&d->line, HEADERS + m->len, now, &out); n > 0; n--) {
		struct wire_slot *slot = wire_queue_put(&d->queue, out);
		if (slot != NULL) {
			memcpy(slot->data, m, sizeof *m);
		}
	}
}

/* @again: what came a second time, reported first (RFC 2883); left == right: nothing did */
static void answer_again(struct upload *u, uint8_t flags, struct tc_sack again)
{
	struct target *t = &u->target;
	struct message m = { .tcp = {
				     .seq = tc_seq_of(TARGET_ISN + 1 + (t->fin_acked ? 1u : 0u)),
				     .ack = t->rcv_nxt,
				     .flags = flags,
				     .win = TARGET_WIN,
				     .opt = { .has_ts = true,
					      .tsval = (uint32_t)(u->now / TC_MS),
					      .tsecr = t->tsval_seen },
			     } };
	if (flags & TC_TCP_SYN) {
		m.tcp.seq = tc_seq_of(TARGET_ISN);
		m.tcp.opt.has_mss = true;
		m.tcp.opt.mss = MSS;
		m.tcp.opt.has_ws = true;
		m.tcp.opt.ws_shift = WIN_SHIFT;
		m.tcp.opt.sack_ok = true;
	}
	if (!tc_seq_eq(again.left, again.right)) {
		m.tcp.opt.sack[m.tcp.opt.n_sack++] = again;
	}
	for (uint32_t i = 0; i < t->n && m.tcp.opt.n_sack < SACKS; i++) {
		m.tcp.opt.sack[m.tcp.opt.n_sack++] = t->range[i];
	}
	t->unacked = 0;
	t->ack_at = TC_TIME_NEVER;
	transmit(&u->ba, &m, u->now);
}

static void answer(struct upload *u, uint8_t flags)
{
	answer_again(u, flags, (struct tc_sack){ 0 });
}

/* A range beyond a gap: joined with those that it touches, and put first. */
static void add_range(struct target *t, struct tc_sack s)
{
	uint32_t kept = 0;
	for (uint32_t i = 0; i < t->n; i++) {
		struct tc_sack r = t->range[i];
		if (tc_seq_le(r.left, s.right) && tc_seq_le(s.left, r.right)) {
			s.left = tc_seq_min(s.left, r.left);
			s.right = tc_seq_max(s.right, r.right);
		} else {
			t->range[kept++] = r;
		}
	}
	t->n = kept < RANGES ? kept : RANGES - 1;
	memmove(t->range + 1, t->range, t->n * sizeof t->range[0]);
	t->range[0] = s;
	t->n++;
}

/* Ranges that no gap separates any more. */
static void advance(struct target *t, tc_seq end)
{
	t->rcv_nxt = tc_seq_max(t->rcv_nxt, end);
	for (uint32_t i = 0; i < t->n;) {
		if (tc_seq_le(t->range[i].left, t->rcv_nxt)) {
			t->rcv_nxt = tc_seq_max(t->rcv_nxt, t->range[i].right);
			t->n--;
			memmove(t->range + i, t->range + i + 1, (t->n - i) * sizeof t->range[0]);
			i = 0;
		} else {
			i++;
		}
	}
}

static void close_target(struct upload *u)
{
	struct target *t = &u->target;
	t->rcv_nxt = tc_seq_add(t->fin, 1);
	answer(u, TC_TCP_ACK | TC_TCP_FIN);
	t->fin_acked = true;
}

static void take_segment(struct upload *u, const struct message *m)
{
	struct target *t = &u->target;
	tc_seq end = tc_seq_add(m->tcp.seq, m->len);
	bool in_order = tc_seq_le(m->tcp.seq, t->rcv_nxt);
	bool is_new = tc_seq_lt(t->rcv_nxt, end);
	bool had_gap = t->n > 0;
	if (m->tcp.flags & TC_TCP_FIN) {
		t->has_fin = true;
		t->fin = end;
	}
	if (in_order) {
		t->tsval_seen = m->tcp.opt.tsval;
		advance(t, end);
	} else {
		add_range(t, (struct tc_sack){ m->tcp.seq, end });
	}
	if (t->has_fin && tc_seq_eq(t->rcv_nxt, t->fin)) {
		u->done = u->done == 0 ? u->now : u->done;
		close_target(u);
		return;
	}
	if (m->len == 0 && in_order) {
		return;
	}
	t->unacked++;
	t->acks++;
	if (!is_new && m->len > 0) {
		answer_again(u, TC_TCP_ACK, (struct tc_sack){ m->tcp.seq, end });
		return;
	}
	if (!in_order || !is_new || had_gap || t->unacked >= 2 || t->acks <= QUICK_ACKS) {
		answer(u, TC_TCP_ACK);
	} else {
		t->ack_at = u->now + DELAYED_ACK;
	}
}

static void at_target(struct upload *u, const struct message *m)
{
	struct target *t = &u->target;
	if (m->tcp.flags & TC_TCP_SYN) {
		t->rcv_nxt = tc_seq_add(m->tcp.seq, 1);
		t->tsval_seen = m->tcp.opt.tsval;
		t->open = true;
		u->began = u->now;
		answer(u, TC_TCP_SYN | TC_TCP_ACK);
	} else if (t->open && !t->fin_acked) {
		take_segment(u, m);
	} else if (t->fin_acked && m->len > 0) {
		answer(u, TC_TCP_ACK);
	}
}

/* --- the core --- */

static void send_segment(struct upload *u, const struct tc_segment *seg)
{
	uint32_t offset = 0;
	do {
		struct message m = { .tcp = seg->tcp };
		m.len = tc_u32_min(seg->payload_len - offset, seg->cut);
		m.tcp.seq = tc_seq_add(seg->tcp.seq, offset);
		if (offset + m.len < seg->payload_len) {
			m.tcp.flags &= (uint8_t)~TC_TCP_FIN;
		}
		transmit(&u->ab, &m, u->now);
		offset += m.len;
	} while (offset < seg->payload_len);
}

static void pull(struct upload *u)
{
	struct tc_out out;
	while (tc_core_next_out(u->core, &out, u->now)) {
		if (out.kind == TC_OUT_SEGMENT) {
			send_segment(u, &out.segment);
		}
	}
}

static void report(struct upload *u, const struct message *m)
{
	if (u->n_reports == REPORTS_MAX) {
		return;
	}
	if (u->n_reports == 0) {
		tc_time batch = tc_time_max(u->opt->reports_ns, 1);
		u->reports_at = (u->now / batch + 1) * batch;
	}
	struct tc_answer *a = &u->reports[u->n_reports++];
	*a = (struct tc_answer){ .client = u->at_target.client,
				 .target = u->at_target.server,
				 .tcp = m->tcp };
	a->tcp.src_port = u->at_target.server_port;
	a->tcp.dst_port = u->at_target.client_port;
}

static void hand_over_reports(struct upload *u)
{
	for (unsigned i = 0; i < u->n_reports; i++) {
		tc_core_on_answer(u->core, &u->reports[i], u->now);
	}
	u->n_reports = 0;
	u->reports_at = TC_TIME_NEVER;
	pull(u);
}

/* SYN, ACK, data as fast as a LAN has it, FIN. */
static void client_speaks(struct upload *u, const struct tc_ip *online, uint16_t port)
{
	uint32_t left = (uint32_t)u->opt->bytes - u->client_said;
	bool first = u->now == 0;
	struct tc_packet pkt = {
		.at = u->now,
		.src = u->at_target.client,
		.dst = *online,
		.tcp = { .src_port = u->at_target.client_port,
			 .dst_port = port,
			 .seq = tc_seq_of(ISN + 1 + u->client_said),
			 .ack = tc_seq_of(1),
			 .flags = TC_TCP_ACK,
			 .win = 65535 },
	};
	u->client_at = u->now + CAPTURE_GAP;
	if (first) {
		pkt.tcp.seq = tc_seq_of(ISN);
		pkt.tcp.flags = TC_TCP_SYN;
	} else if (u->client_said > 0 || u->now > CAPTURE_GAP) {
		pkt.payload_len = tc_u32_min(left, CAPTURE_BYTES);
		pkt.payload = (struct tc_view){ u->bytes, pkt.payload_len };
		u->client_said += pkt.payload_len;
		if (pkt.payload_len == left) {
			pkt.tcp.flags |= TC_TCP_FIN;
			u->client_at = TC_TIME_NEVER;
		}
	}
	tc_core_on_client(u->core, &pkt, u->now);
	pull(u);
}

static void trace(struct upload *u)
{
	const struct tc_endpoint *ep = &tc_replica_at(u->core, 0)->ep;
	if (!tc_endpoint_is_open(ep)) {
		return;
	}
	printf("%8.3f una %9" PRIu32 " out %4d cwnd %4u ssthresh %4u lost %4d sacked %3u%s queue "
	       "%4.1f ms "
	       "rto %" PRIu64 " fast %" PRIu64 " rxt %" PRIu64 "\n",
	       (double)u->now / 1e9, ep->snd_una.v - ep->iss.v,
	       tc_seq_diff(ep->snd_nxt, ep->snd_una) / ep->cut, ep->cwnd / ep->cut,
	       ep->ssthresh / ep->cut,
	       tc_seq_diff(ep->lost_end, tc_seq_max(ep->rxt, ep->snd_una)) / ep->cut,
	       ep->board == TC_NIL ?
		       0 :
		       ((struct tc_board *)tc_slab_at(&u->core->boards, ep->board))->bytes /
			       ep->cut,
	       ep->in_recovery ? " recovery" : "         ",
	       (double)tc_time_max(u->ab.line.busy_until - u->now, 0) / 1e6, u->core->ledger.rtos,
	       u->core->ledger.fast_retransmits, u->core->ledger.retransmits);
}

/* --- the run --- */

/* When what is due at @t happens on a side that stands still for @still at the beginning of each second. */
static tc_time awake(tc_time t, tc_time still)
{
	tc_time ends = t / TC_SEC * TC_SEC + still;
	return t == TC_TIME_NEVER || t < TC_SEC ? t : tc_time_max(t, ends);
}

static tc_time reports_at(const struct upload *u)
{
	return awake(u->reports_at, tc_time_max(u->opt->stall_ns, u->opt->mute_ns));
}

static tc_time deadline_at(const struct upload *u)
{
	return awake(tc_core_deadline(u->core), u->opt->stall_ns);
}

static tc_time next_time(const struct upload *u)
{
	tc_time t = tc_time_min(u->client_at, reports_at(u));
	t = tc_time_min(t, wire_queue_deadline(&u->ab.queue));
	t = tc_time_min(t, wire_queue_deadline(&u->ba.queue));
	t = tc_time_min(t, u->target.ack_at);
	return tc_time_max(tc_time_min(t, deadline_at(u)), u->now);
}

static bool take(struct direction *d, tc_time now, struct message *ret)
{
	if (wire_queue_deadline(&d->queue) > now) {
		return false;
	}
	uint32_t slot = wire_queue_take(&d->queue);
	memcpy(ret, wire_queue_slot(&d->queue, slot)->data, sizeof *ret);
	wire_queue_give(&d->queue, slot);
	return true;
}

static void step(struct upload *u, const struct tc_ip *online, uint16_t port)
{
	struct message m;
	while (take(&u->ab, u->now, &m)) {
		at_target(u, &m);
	}
	while (take(&u->ba, u->now, &m)) {
		report(u, &m);
	}
	if (u->now >= u->target.ack_at) {
		answer(u, TC_TCP_ACK);
	}
	if (u->now >= reports_at(u)) {
		hand_over_reports(u);
	}
	if (u->now >= u->client_at) {
		client_speaks(u, online, port);
	}
	if (u->now >= deadline_at(u)) {
		tc_core_on_deadline(u->core, u->now);
		pull(u);
	}
	if (u->opt->trace_ns > 0 && u->now >= u->trace_at) {
		u->trace_at = u->now + u->opt->trace_ns;
		trace(u);
	}
}

static void open_direction(struct direction *d, const struct wire_settings *set, uint64_t seed,
			   unsigned number)
{
	wire_line_init(&d->line, set, seed, number);
	if (wire_queue_init(&d->queue, 65536, sizeof(struct message)) < 0) {
		abort();
	}
}

/** struct result - of one run; @ms: from the handshake to the last byte at the target; @dropped: our frames that did not arrive */
struct result {
	double ms;
	uint64_t dropped;
	struct tc_ledger ledger;
};

static void run(const struct options *opt, uint64_t seed, struct result *ret)
{
	static const uint8_t addresses[3][4] = { { 10, 0, 0, 1 },
						 { 10, 0, 0, 2 },
						 { 10, 0, 0, 3 } };
	struct tc_ip online = tc_ip_from_v4(addresses[1]);
	struct tc_map map = { .online = online,
			      .target = tc_ip_from_v4(addresses[2]),
			      .online_port = 80,
			      .online_port_last = 80,
			      .target_port = 8080 };
	struct upload u = { .opt = opt,
			    .at_target = { .client = tc_ip_from_v4(addresses[0]),
					   .server = map.target,
					   .client_port = 40000,
					   .server_port = 8080 },
			    .reports_at = TC_TIME_NEVER,
			    .target = { .ack_at = TC_TIME_NEVER } };
	struct tc_core_config cfg;
	tc_core_config_default(&cfg);
	cfg.maps = &map;
	cfg.n_maps = 1;
	cfg.channel = true;
	cfg.max_lag = GIVE_UP;
	cfg.mark_key = (struct tc_siphash_key){ seed, 1 };
	cfg.table_key = (struct tc_siphash_key){ seed, 2 };
	if (tc_core_config_size(&cfg, 16, (size_t)opt->bytes + (64 << 20)) < 0) {
		abort();
	}
	size_t n = (tc_core_bytes(&cfg) + 63) & ~(size_t)63;
	void *mem = aligned_alloc(64, n);
	u.bytes = calloc(1, CAPTURE_BYTES);
	u.reports = calloc(REPORTS_MAX, sizeof *u.reports);
	if (mem == NULL || u.bytes == NULL || u.reports == NULL) {
		abort();
	}
	memset(mem, 0, n);
	u.core = tc_core_init(mem, &cfg, 0);
	open_direction(&u.ab, &opt->wire, seed, 0);
	open_direction(&u.ba, &opt->wire, seed, 1);
	do {
		step(&u, &online, map.online_port);
		u.now = next_time(&u);
	} while (u.done == 0 && u.now < GIVE_UP);
	tc_core_ledger(u.core, &ret->ledger);
	ret->dropped = u.ab.line.counts.lost + u.ab.line.counts.queue_full;
	ret->ms = u.done == 0 ? (double)(GIVE_UP / TC_MS) : (double)(u.done - u.began) / 1e6;
	wire_queue_fini(&u.ab.queue);
	wire_queue_fini(&u.ba.queue);
	free(u.reports);
	free(u.bytes);
	free(mem);
}

static int by_time(const void *a, const void *b)
{
	double d = ((const struct result *)a)->ms - ((const struct result *)b)->ms;
	return (d > 0) - (d < 0);
}

static void print_run(int64_t seed, const struct result *r)
{
	printf("seed %" PRId64 ": %.0f ms, %" PRIu64 " dropped, %" PRIu64
	       " retransmissions, %" PRIu64 " recoveries, %" PRIu64 " timeouts\n",
	       seed, r->ms, r->dropped, r->ledger.retransmits, r->ledger.fast_retransmits,
	       r->ledger.rtos);
}

static int bench(const struct options *opt)
{
	int64_t n = opt->seeds;
	struct result *runs = calloc((size_t)n, sizeof *runs);
	struct result sum = { 0 };
	if (runs == NULL) {
		return 1;
	}
	for (int64_t i = 0; i < n; i++) {
		run(opt, (uint64_t)(opt->first_seed + i), &runs[i]);
		sum.dropped += runs[i].dropped;
		sum.ledger.retransmits += runs[i].ledger.retransmits;
		sum.ledger.fast_retransmits += runs[i].ledger.fast_retransmits;
		sum.ledger.rtos += runs[i].ledger.rtos;
		if (opt->verbose) {
			print_run(opt->first_seed + i, &runs[i]);
		}
	}
	qsort(runs, (size_t)n, sizeof *runs, by_time);
	double median = runs[n / 2].ms;
	printf("median %.0f ms, least %.0f, most %.0f; a run: %.1f dropped, %.1f retransmissions, "
	       "%.1f recoveries, %.1f timeouts\n",
	       median, runs[0].ms, runs[n - 1].ms, (double)sum.dropped / (double)n,
	       (double)sum.ledger.retransmits / (double)n,
	       (double)sum.ledger.fast_retransmits / (double)n,
	       (double)sum.ledger.rtos / (double)n);
	free(runs);
	return median > (double)opt->most_ms;
}

int main(int argc, char **argv)
{
	struct options opt;
	char error[TC_OPTION_ERROR_MAX];
	tc_option_defaults(option_table, &opt);
	if (tc_option_parse(option_table, &opt, argc, argv, NULL, error) < 0) {
		fprintf(stderr, "core_upload: %s\n", error);
		return 2;
	}
	if (opt.help) {
		printf("usage: core_upload [OPTIONS]\n\n"
		       "An upload over a bad wire, in virtual time: how long the core needs.\n\n");
		tc_option_help(option_table, stdout);
		return 0;
	}
	return bench(&opt);
}
