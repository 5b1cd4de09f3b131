/* SPDX-License-Identifier: BSD-2-Clause
 * script/run.c - a dialogue, line by line, with the core on a virtual clock
 *
 * What the core says is collected when it is said, and compared when its line is reached. Before each line that is not about what was
 * said, nothing may be left over from an earlier moment.
 */
#include "script/script.h"

#include "wire/frame.h"
#include "wire/mark.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SAID_MAX 256
#define NOTES_MAX 64
#define BEGIN (1000 * TC_SEC)
#define CLIENT_PORT 40000
#define ONLINE_PORT 80
#define TARGET_PORT 8080
#define PACKET_MAX 70000

struct said {
	tc_time at;
	unsigned conn;
	uint32_t replica;
	struct tc_tcp tcp;
	uint16_t cut;
	uint32_t len;
	bool bytes_ok;	  /* they are those of the client's stream */
	bool bytes_other; /* ... of its other copy */
};

struct conn {
	bool has_isn, has_before;
	tc_seq isn;    /* I */
	tc_seq before; /* J */
	uint32_t tsval;
	uint32_t
		client_isn; /* of the last SYN that the client sent, and first byte of its stream */
	uint32_t base;	    /* offset in the stream that I + 1 stands for */
	uint32_t end;	    /* offset behind the last byte that was said */
	bool fresh;	    /* the client's SYN is newer than ours */
	uint32_t replica;
};

struct run {
	const struct script *s;
	struct tc_core *core;
	struct tc_map maps[2];
	tc_time now;
	tc_time line_at; /* when the line before happened */
	const struct script_item *it;
	bool failed;
	unsigned n_said, first_said;
	struct said said[SAID_MAX];
	unsigned n_notes, first_note;
	struct tc_out notes[NOTES_MAX];
	struct conn conns[SCRIPT_CONNS];
	uint8_t packet[PACKET_MAX];
	uint8_t payload[PACKET_MAX];
};

/* ---- telling what went wrong ---- */

static void number(const struct conn *c, tc_seq seq)
{
	if (c->has_isn && (uint32_t)tc_seq_diff(seq, c->isn) < 1U << 24) {
		printf("I+%u", seq.v - c->isn.v);
	} else {
		printf("%u", seq.v);
	}
}

static void print_said(const struct run *r, const struct said *x)
{
	static const char letters[] = "FSRP.";
	const struct conn *c = &r->conns[x->conn];
	tc_time t = x->at - BEGIN;
	printf("%lld.%03lldms out%u > ", (long long)(t / TC_MS), (long long)(t % TC_MS / TC_US),
	       x->conn + 1);
	for (unsigned i = 0; i < 5; i++) {
		if ((x->tcp.flags >> i & 1) != 0) {
			putchar(letters[i]);
		}
	}
	putchar(' ');
	number(c, x->tcp.seq);
	if (x->len > 0) {
		putchar(':');
		number(c, tc_seq_add(x->tcp.seq, x->len));
		printf("(%u) cut %u", x->len, x->cut);
	}
	printf(" ack %u win %u", x->tcp.ack.v, x->tcp.win);
	const struct tc_tcpopt *o = &x->tcp.opt;
	if (o->has_mss) {
		printf(" mss %u", o->mss);
	}
	if (o->has_ws) {
		printf(" ws %u", o->ws_shift);
	}
	if (o->has_ts) {
		printf(" ts %u %u", o->tsval, o->tsecr);
	}
	printf("%s\n", x->bytes_ok ? "" : x->bytes_other ? " other" : " WRONG BYTES");
}

static void fail(struct run *r, const char *what)
{
	if (r->failed) {
		return;
	}
	r->failed = true;
	printf("%s:%u: %s\n    expected: %s\n", r->s->file, r->it->line, what,
	       r->s->lines[r->it->line - 1]);
}

static void fail_said(struct run *r, const char *what, const struct said *x)
{
	if (!r->failed) {
		fail(r, what);
		printf("    got:      ");
		print_said(r, x);
	}
}

/* ---- the core ---- */

static unsigned conn_of(const struct tc_ip *client, uint16_t client_port, uint16_t server_port,
			uint16_t base)
{
	(void)client;
	unsigned n = (unsigned)(client_port - CLIENT_PORT - 1);
	n += server_port == base ? 0 : SCRIPT_CONNS / 2;
	return n < SCRIPT_CONNS ? n : SCRIPT_CONNS - 1;
}

static void check_bytes(struct run *r, const struct tc_segment *seg, struct said *x)
{
	struct conn *c = &r->conns[x->conn];
	uint32_t offset = c->base + (uint32_t)tc_seq_diff(seg->tcp.seq, c->isn) - 1;
	x->bytes_ok = x->bytes_other = true;
	for (unsigned i = 0; i < seg->n_views; i++) {
		for (size_t k = 0; k < seg->payload[i].n; k++, offset++) {
			x->bytes_ok &= seg->payload[i].p[k] == script_byte(offset, false);
			x->bytes_other &= seg->payload[i].p[k] == script_byte(offset, true);
		}
	}
	c->end = x->len > 0 && offset > c->end ? offset : c->end;
	x->bytes_other &= x->len > 0;
	x->bytes_ok |= x->len == 0;
}

static void collect_segment(struct run *r, const struct tc_segment *seg)
{
	if (r->n_said == SAID_MAX) {
		fail(r, "the core said more than a script can hold");
		return;
	}
	struct said *x = &r->said[r->n_said++];
	*x = (struct said){
		.at = r->now,
		.conn = conn_of(&seg->src, seg->tcp.src_port, seg->tcp.dst_port, TARGET_PORT),
		.replica = seg->replica,
		.tcp = seg->tcp,
		.cut = seg->cut,
		.len = seg->payload_len,
	};
	struct conn *c = &r->conns[x->conn];
	if ((seg->tcp.flags & TC_TCP_SYN) != 0 &&
	    (!c->has_isn || !tc_seq_eq(c->isn, seg->tcp.seq))) {
		c->has_before = c->has_isn;
		c->before = c->isn;
		if (!c->has_isn || !tc_seq_eq(c->isn, seg->tcp.seq)) {
			/* a new connection: of a new client's, or begun anew for the rest of the old one's */
			c->base = c->fresh ? 0 : c->end;
			c->end = c->base;
			c->fresh = false;
		}
		c->has_isn = true;
		c->isn = seg->tcp.seq;
	}
	if (seg->tcp.opt.has_ts) {
		c->tsval = seg->tcp.opt.tsval;
	}
	c->replica = seg->replica;
	check_bytes(r, seg, x);
}

static void pull(struct run *r)
{
	struct tc_out out;
	unsigned n = 0;
	while (!r->failed && tc_core_next_out(r->core, &out, r->now)) {
		if (out.kind == TC_OUT_SEGMENT) {
			collect_segment(r, &out.segment);
		} else if (r->n_notes < NOTES_MAX) {
			r->notes[r->n_notes++] = out;
		}
		if (++n > 10000) {
			fail(r, "the core never stops talking");
		}
	}
	struct tc_ledger l;
	tc_core_ledger(r->core, &l);
	const char *bad = tc_ledger_balance(&l);
	bad = bad != NULL ? bad : tc_core_check(r->core, r->now);
	bad = bad == NULL && l.bugs != 0 ? l.bug_at : bad;
	if (bad != NULL && !r->failed) {
		fail(r, "an invariant is broken");
		printf("    got:      %s\n", bad);
	}
}

/* Let the core's deadlines pass up to @to; with @stop, only until something was said. */
static void advance(struct run *r, tc_time to, bool stop)
{
	while (!r->failed && !(stop && r->first_said < r->n_said)) {
		tc_time at = tc_core_deadline(r->core);
		if (at > to) {
			break;
		}
		r->now = tc_time_max(r->now, at);
		tc_core_on_deadline(r->core, r->now);
		pull(r);
		if (tc_core_deadline(r->core) <= r->now) {
			r->now += TC_US; /* at once again, but time must pass */
		}
	}
	if (!(stop && r->first_said < r->n_said)) {
		r->now = tc_time_max(r->now, to);
	}
}

/* ---- numbers ---- */

static uint32_t value(struct run *r, const struct script_number *n, const struct conn *c)
{
	switch (n->symbol) {
	case 'I':
		return c->isn.v + n->offset;
	case 'J':
		return c->before.v + n->offset;
	case 'T':
		return c->tsval + n->offset;
	case 'W':
	case '*':
		fail(r, "this symbol has no value to give");
		return 0;
	default:
		return n->offset;
	}
}

static void give_options(struct run *r, const struct script_opts *o, const struct conn *c,
			 struct tc_tcpopt *opt)
{
	*opt = (struct tc_tcpopt){ .has_mss = o->has_mss,
				   .has_ws = o->has_ws,
				   .has_ts = o->has_ts };
	opt->mss = (uint16_t)(o->has_mss ? value(r, &o->mss, c) : 0);
	opt->ws_shift = (uint8_t)(o->has_ws ? value(r, &o->ws, c) : 0);
	opt->tsval = o->has_ts ? value(r, &o->tsval, c) : 0;
	opt->tsecr = o->has_ts ? value(r, &o->tsecr, c) : 0;
	opt->sack_ok = o->sack_ok;
	opt->n_sack = (uint8_t)o->n_sack;
	for (unsigned i = 0; i < o->n_sack; i++) {
		opt->sack[i] = (struct tc_sack){ tc_seq_of(value(r, &o->left[i], c)),
						 tc_seq_of(value(r, &o->right[i], c)) };
	}
}

static struct tc_tcp give_tcp(struct run *r, const struct script_item *it)
{
	const struct conn *c = &r->conns[it->conn];
	struct tc_tcp t = {
		.seq = tc_seq_of(value(r, &it->seq, c)),
		.ack = tc_seq_of(it->has_ack ? value(r, &it->ack, c) : 0),
		.flags = it->flags,
		.win = (uint16_t)(it->has_win ? value(r, &it->win, c) : 65535),
	};
	give_options(r, &it->opt, c, &t.opt);
	if (it->has_ack && (it->flags & TC_TCP_ACK) == 0) {
		fail(r, "an ack, but no flag for it");
	}
	return t;
}

/* ---- lines that put something in ---- */

static void verdict(struct run *r, enum tc_drop d)
{
	const char *name = tc_drop_name(d);
	if (r->it->has_verdict && strcmp(r->it->verdict, name) != 0) {
		fail(r, "another verdict on this packet");
		printf("    got:      = %s\n", name);
	}
}

static uint16_t client_port(unsigned conn)
{
	return (uint16_t)(CLIENT_PORT + 1 + conn % (SCRIPT_CONNS / 2));
}

static uint16_t service(unsigned conn)
{
	return conn >= SCRIPT_CONNS / 2;
}

static void fill_payload(struct run *r, const struct script_item *it, uint32_t seq)
{
	const struct conn *c = &r->conns[it->conn];
	uint32_t first = (it->flags & TC_TCP_SYN) != 0 ? 0 : seq - c->client_isn - 1;
	for (uint32_t i = 0; i < it->len && i < sizeof r->payload; i++) {
		r->payload[i] = script_byte(first + i, it->other);
	}
}

static void on_client(struct run *r, const struct script_item *it)
{
	struct conn *c = &r->conns[it->conn];
	struct tc_tcp t = give_tcp(r, it);
	t.src_port = client_port(it->conn);
	t.dst_port = (uint16_t)(ONLINE_PORT + service(it->conn));
	if (it->len + 100 > sizeof r->packet) {
		fail(r, "a packet that long does not exist");
		return;
	}
	if ((it->flags & TC_TCP_SYN) != 0) {
		c->client_isn = t.seq.v;
		c->fresh = true;
	}
	fill_payload(r, it, t.seq.v);
	struct tc_ip src = script_ip(r->s->v6, 1, 1);
	struct tc_ip dst = script_ip(r->s->v6, 9, 1);
	size_t n = script_encode(&src, &dst, &t, it->opt.raw, it->opt.n_raw, r->payload, it->len,
				 r->packet);
	struct tc_frame frame = {
		.link = TC_LINK_RAW,
		.data = { r->packet, n - (it->len - it->captured) },
		.wire_len = (uint32_t)n,
		.at = r->now,
	};
	struct tc_packet pkt;
	enum tc_drop d = tc_frame_decode(&frame, &pkt);
	if (d == TC_DROP_NONE) {
		pkt.tcp.opt.mp_join |= it->opt.join;
		d = tc_core_on_client(r->core, &pkt, r->now);
	}
	verdict(r, d);
}

static void on_online(struct run *r, const struct script_item *it)
{
	struct tc_tcp t = give_tcp(r, it);
	t.src_port = (uint16_t)(ONLINE_PORT + service(it->conn));
	t.dst_port = client_port(it->conn);
	struct tc_packet pkt = {
		.at = r->now,
		.src = script_ip(r->s->v6, 9, 1),
		.dst = script_ip(r->s->v6, 1, 1),
		.tcp = t,
		.payload_len = it->len,
	};
	tc_core_on_online(r->core, &pkt, r->now);
}

static void on_target(struct run *r, const struct script_item *it)
{
	struct tc_tcp t = give_tcp(r, it);
	t.src_port = (uint16_t)(TARGET_PORT + service(it->conn));
	t.dst_port = client_port(it->conn);
	struct tc_answer ans = {
		.client = script_ip(r->s->v6, 1, 1),
		.target = script_ip(r->s->v6, 8, 1),
		.tcp = t,
		.payload_len = it->len,
		.merged = it->merged,
	};
	verdict(r, tc_core_on_answer(r->core, &ans, r->now));
}

static void on_event(struct run *r, const struct script_item *it)
{
	static const char *const names[TC_EVENT__N] = {
		[TC_EVENT_CAPTURE_LOSS] = "capture-loss",
		[TC_EVENT_CAPTURE_HELD] = "capture-held",
		[TC_EVENT_CAPTURE_END] = "capture-end",
		[TC_EVENT_CHANNEL_UP] = "channel-up",
		[TC_EVENT_CHANNEL_DOWN] = "channel-down",
		[TC_EVENT_SEND_ERROR] = "send-error",
		[TC_EVENT_PATH_MTU] = "path-mtu",
		[TC_EVENT_ANNOUNCED] = "announced",
		[TC_EVENT_KEEP_SHARE] = "keep-share",
		[TC_EVENT_SAMPLE] = "sample",
		[TC_EVENT_STOP] = "stop",
	};
	struct tc_event ev = {
		.at = r->now,
		.count = it->number,
		.error = (int)it->number,
		.replica = r->conns[0].replica,
		.target = script_ip(r->s->v6, 8, 1),
	};
	unsigned k = 0;
	while (k < TC_EVENT__N && (names[k] == NULL || strcmp(names[k], it->name) != 0)) {
		k++;
	}
	if (k == TC_EVENT__N) {
		fail(r, "no such event");
		return;
	}
	ev.kind = (enum tc_event_kind)k;
	if (ev.kind == TC_EVENT_CHANNEL_UP || ev.kind == TC_EVENT_CHANNEL_DOWN) {
		ev.target = (struct tc_ip){ { 0 } };
	}
	tc_core_on_event(r->core, &ev, r->now);
}

/* ---- lines that look ---- */

static const char *other_options(struct run *r, const struct script_opts *o, const struct conn *c,
				 const struct tc_tcpopt *got)
{
	if (o->has_mss != got->has_mss || o->has_ws != got->has_ws || o->has_ts != got->has_ts ||
	    o->sack_ok != got->sack_ok || o->n_sack != got->n_sack) {
		return "other options";
	}
	if (o->has_mss && o->mss.symbol != '*' && value(r, &o->mss, c) != got->mss) {
		return "another MSS";
	}
	if (o->has_ws && o->ws.symbol != '*' && value(r, &o->ws, c) != got->ws_shift) {
		return "another window scale";
	}
	/* T is what was said last: this very segment, when it is in its turn */
	if (o->has_ts && o->tsval.symbol != 'T' && o->tsval.symbol != '*' &&
	    value(r, &o->tsval, c) != got->tsval) {
		return "another TSval";
	}
	if (o->has_ts && o->tsecr.symbol != '*' && value(r, &o->tsecr, c) != got->tsecr) {
		return "another TSecr";
	}
	return NULL;
}

static bool window_is(struct run *r, const struct script_item *it, const struct said *x)
{
	if (!it->has_win || it->win.symbol == '*') {
		return true;
	}
	if (it->win.symbol != 'W') {
		return value(r, &it->win, &r->conns[it->conn]) == x->tcp.win;
	}
	struct tc_tuple t = {
		.client = script_ip(r->s->v6, 1, 1),
		.server = script_ip(r->s->v6, 8, 1),
		.client_port = client_port(it->conn),
		.server_port = (uint16_t)(TARGET_PORT + service(it->conn)),
	};
	return tc_mark_check_syn(&r->s->cfg.mark_key, &t, x->tcp.seq, x->tcp.win);
}

static const char *differs(struct run *r, const struct script_item *it, const struct said *x)
{
	const struct conn *c = &r->conns[it->conn];
	if (x->conn != it->conn) {
		return "another connection's turn";
	}
	if (x->at < it->from || x->at > it->to) {
		return x->at < it->from ? "too early" : "too late";
	}
	if (it->flags != x->tcp.flags) {
		return "other flags";
	}
	if (it->seq.symbol != '*' && value(r, &it->seq, c) != x->tcp.seq.v) {
		return "another sequence number";
	}
	if (it->len != x->len) {
		return "another length";
	}
	if (it->has_ack && it->ack.symbol != '*' && value(r, &it->ack, c) != x->tcp.ack.v) {
		return "another acknowledgement";
	}
	if (it->has_cut && it->cut != x->cut) {
		return "cut elsewhere";
	}
	if (it->other ? !x->bytes_other : !x->bytes_ok) {
		return "other bytes than the client's";
	}
	if (!window_is(r, it, x)) {
		return "another window";
	}
	return it->opt.given ? other_options(r, &it->opt, c, &x->tcp.opt) : NULL;
}

static void expect_out(struct run *r, const struct script_item *it)
{
	advance(r, it->to, true);
	if (r->failed) {
		return;
	}
	if (r->first_said == r->n_said) {
		fail(r, "nothing was said");
		return;
	}
	const struct said *x = &r->said[r->first_said++];
	const char *bad = differs(r, it, x);
	if (bad != NULL) {
		fail_said(r, bad, x);
	}
	r->line_at = x->at;
}

static void nothing_left(struct run *r, tc_time before)
{
	if (r->first_said < r->n_said && r->said[r->first_said].at < before) {
		fail_said(r, "something was said before this", &r->said[r->first_said]);
	}
}

/* The next note of the kind that the line wants; what lies before it does not matter. */
static void expect_note(struct run *r, const struct script_item *it)
{
	enum tc_out_kind kind = it->actor == SCRIPT_SESSION  ? TC_OUT_SESSION :
				it->actor == SCRIPT_ANNOUNCE ? TC_OUT_ANNOUNCE :
							       TC_OUT_DISOWN;
	while (!r->failed && r->first_note < r->n_notes) {
		const struct tc_out *o = &r->notes[r->first_note++];
		if (o->kind != kind) {
			continue;
		}
		if (kind != TC_OUT_SESSION) {
			return;
		}
		const struct tc_out_session *x = &o->session;
		const char *name = x->end == TC_END_NONE ? "opened" : tc_end_name(x->end);
		if (strcmp(name, it->name) != 0) {
			continue;
		}
		if ((it->has_delivered && it->delivered != x->delivered) ||
		    (it->has_lost && it->lost != x->lost)) {
			fail(r, "a session with other sums");
			printf("    got:      %s delivered %llu lost %llu\n", name,
			       (unsigned long long)x->delivered, (unsigned long long)x->lost);
		}
		return;
	}
	fail(r, "no such note from the core");
}

static void expect_number(struct run *r, const struct script_item *it)
{
	uint64_t v;
	if (!script_number(r->core, it->name, &v)) {
		fail(r, "no such number");
	} else if (v != it->number) {
		fail(r, "another number");
		printf("    got:      %llu\n", (unsigned long long)v);
	}
}

/* ---- the whole ---- */

static void run_line(struct run *r, const struct script_item *it)
{
	switch (it->actor) {
	case SCRIPT_OUT:
		expect_out(r, it);
		return;
	case SCRIPT_SESSION:
	case SCRIPT_ANNOUNCE:
	case SCRIPT_DISOWN:
		advance(r, it->from, false);
		expect_note(r, it);
		return;
	default:
		break;
	}
	advance(r, it->from, false);
	nothing_left(r, it->from + (it->actor == SCRIPT_QUIET));
	r->line_at = r->now;
	if (r->failed) {
		return;
	}
	switch (it->actor) {
	case SCRIPT_CLIENT:
		on_client(r, it);
		break;
	case SCRIPT_ONLINE:
		on_online(r, it);
		break;
	case SCRIPT_TARGET:
		on_target(r, it);
		break;
	case SCRIPT_EVENT:
		on_event(r, it);
		break;
	case SCRIPT_CHECK:
		expect_number(r, it);
		break;
	default:
		break;
	}
	pull(r);
}

static void begin(struct run *r, struct tc_core_config *cfg, void **ret_mem)
{
	for (unsigned i = 0; i < 2; i++) {
		uint16_t online = (uint16_t)(ONLINE_PORT + i);
		r->maps[i] = (struct tc_map){
			.online = script_ip(r->s->v6, 9, 1),
			.online_port = online,
			.online_port_last = online,
			.target = script_ip(r->s->v6, 8, 1),
			.target_port = (uint16_t)(TARGET_PORT + i),
		};
	}
	cfg->maps = r->maps;
	cfg->n_maps = 2;
	size_t n = (tc_core_bytes(cfg) + 63) & ~(size_t)63;
	*ret_mem = aligned_alloc(64, n);
	if (*ret_mem == NULL) {
		abort();
	}
	memset(*ret_mem, 0, n);
	for (unsigned i = 0; i < SCRIPT_CONNS; i++) {
		r->conns[i].client_isn = r->s->joined_at - 1;
	}
	r->now = r->line_at = BEGIN;
	r->core = tc_core_init(*ret_mem, cfg, r->now);
}

bool script_run(const struct script *s)
{
	struct run *r = calloc(1, sizeof *r);
	if (r == NULL) {
		abort();
	}
	struct tc_core_config cfg = s->cfg;
	void *mem;
	r->s = s;
	begin(r, &cfg, &mem);
	for (unsigned i = 0; i < s->n_items && !r->failed; i++) {
		struct script_item it = s->items[i];
		tc_time from = it.relative ? r->line_at : BEGIN;
		it.from += from;
		it.to += from;
		r->it = &it;
		run_line(r, &it);
	}
	if (!r->failed && r->first_said < r->n_said) {
		r->it = &s->items[s->n_items - 1];
		fail_said(r, "more was said after the last line", &r->said[r->first_said]);
	}
	bool ok = !r->failed;
	free(mem);
	free(r);
	return ok;
}
