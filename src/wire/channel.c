/* SPDX-License-Identifier: BSD-2-Clause
 * wire/channel.c - the channel's batches and records
 *
 * Both directions go through a cursor that remembers whether it ran out of bytes, so that each record is written and read as the
 * straight list of its fields, and checked once at the end.
 */
#include "wire/channel.h"

#include "base/bytes.h"

#include <string.h>

struct writer {
	uint8_t *p;
	size_t n; /* bytes left */
	bool full;
};

static uint8_t *room(struct writer *w, size_t n)
{
	if (w->full || w->n < n) {
		w->full = true;
		return NULL;
	}
	uint8_t *p = w->p;
	w->p += n;
	w->n -= n;
	return p;
}

static void put8(struct writer *w, uint8_t v)
{
	uint8_t *p = room(w, 1);
	if (p != NULL) {
		*p = v;
	}
}

static void put16(struct writer *w, uint16_t v)
{
	uint8_t *p = room(w, 2);
	if (p != NULL) {
		tc_put_be16(p, v);
	}
}

static void put32(struct writer *w, uint32_t v)
{
	uint8_t *p = room(w, 4);
	if (p != NULL) {
		tc_put_be32(p, v);
	}
}

static void put64(struct writer *w, uint64_t v)
{
	uint8_t *p = room(w, 8);
	if (p != NULL) {
		tc_put_be64(p, v);
	}
}

static void put_bytes(struct writer *w, const void *bytes, size_t n)
{
	uint8_t *p = room(w, n);
	if (p != NULL) {
		memcpy(p, bytes, n);
	}
}

/* Reading past the end gives zeros and sets @bad. */
struct reader {
	const uint8_t *p;
	size_t n; /* bytes left */
	bool bad;
};

static struct reader reader_of(struct tc_view v)
{
	return (struct reader){ .p = v.p, .n = v.n };
}

static const uint8_t *take(struct reader *r, size_t n)
{
	static const uint8_t zeros[16];
	if (r->bad || r->n < n) {
		r->bad = true;
		return zeros;
	}
	const uint8_t *p = r->p;
	r->p += n;
	r->n -= n;
	return p;
}

static uint8_t get8(struct reader *r)
{
	return *take(r, 1);
}

static uint16_t get16(struct reader *r)
{
	return tc_get_be16(take(r, 2));
}

static uint32_t get32(struct reader *r)
{
	return tc_get_be32(take(r, 4));
}

static uint64_t get64(struct reader *r)
{
	return tc_get_be64(take(r, 8));
}

static struct tc_ip get_ip(struct reader *r, bool v6)
{
	return v6 ? tc_ip_from_v6(take(r, 16)) : tc_ip_from_v4(take(r, 4));
}

/* @n bytes of text into @dst of @size bytes: terminated, and printable whatever came, for it goes to a log. */
static void get_text(struct reader *r, size_t n, char *dst, size_t size)
{
	if (n >= size) {
		r->bad = true;
	}
	if (r->bad || r->n < n) {
		r->bad = true;
		return;
	}
	const uint8_t *p = take(r, n);
	for (size_t i = 0; i < n; i++) {
		dst[i] = p[i] >= ' ' && p[i] <= '~' ? (char)p[i] : '?';
	}
	dst[n] = '\0';
}

/* 0 when all was there and nothing is left over */
static int finish(const struct reader *r)
{
	return r->bad || r->n != 0 ? TC_CHANNEL_E_MALFORMED : 0;
}

const char *tc_channel_refusal_text(enum tc_channel_refusal r)
{
	static const char *const texts[TC_CHANNEL_REFUSE__N] = {
		[TC_CHANNEL_REFUSE_VERSION] = "speaks another version of the channel: install the "
					      "same release on both hosts",
		[TC_CHANNEL_REFUSE_KEY_NEEDED] =
			"intercept has a key, this tcpcopy none: give --key with the same file",
		[TC_CHANNEL_REFUSE_OTHER_KEY] =
			"the keys differ: give --key with the same file on both hosts",
		[TC_CHANNEL_REFUSE_BUSY] = "intercept serves other tcpcopies and takes no more: "
					   "end one, or start intercept without -c",
		[TC_CHANNEL_REFUSE_MALFORMED] =
			"the hello was not understood: install the same release on both hosts",
	};
	if ((unsigned)r >= TC_CHANNEL_REFUSE__N || texts[r] == NULL) {
		return "refused for a reason that this version does not know";
	}
	return texts[r];
}

int tc_channel_head_decode(struct tc_view v, struct tc_channel_head *ret_head)
{
	if (v.n < TC_CHANNEL_HEAD) {
		return TC_CHANNEL_E_MORE;
	}
	struct tc_channel_head head = {
		.type = v.p[0],
		.version = v.p[1],
		.count = tc_get_be16(v.p + 2),
		.length = tc_get_be32(v.p + 4),
	};
	if (head.length > TC_CHANNEL_BODY_MAX) {
		return TC_CHANNEL_E_MALFORMED;
	}
	*ret_head = head;
	return 0;
}

void tc_channel_head_encode(const struct tc_channel_head *head, uint8_t buf[TC_CHANNEL_HEAD])
{
	buf[0] = head->type;
	buf[1] = head->version;
	tc_put_be16(buf + 2, head->count);
	tc_put_be32(buf + 4, head->length);
}

/* A batch of one record: leave room for the head, and write it when the length is known. */
static struct writer batch_begin(uint8_t *buf, size_t n)
{
	struct writer w = { .p = buf, .n = n };
	room(&w, TC_CHANNEL_HEAD);
	return w;
}

static size_t batch_end(const struct writer *w, enum tc_channel_type type, uint8_t *buf)
{
	if (w->full) {
		return 0;
	}
	size_t size = (size_t)(w->p - buf);
	tc_channel_head_encode(
		&(struct tc_channel_head){
			.type = (uint8_t)type,
			.version = TC_CHANNEL_VERSION,
			.count = 1,
			.length = (uint32_t)(size - TC_CHANNEL_HEAD),
		},
		buf);
	return size;
}

size_t tc_channel_hello_encode(const struct tc_channel_hello *h, uint8_t *buf, size_t n)
{
	if (h->n_targets > TC_CHANNEL_TARGETS_MAX) {
		return 0;
	}
	struct writer w = batch_begin(buf, n);
	put64(&w, h->instance);
	put64(&w, h->mark_key.k0);
	put64(&w, h->mark_key.k1);
	put16(&w, h->n_targets);
	for (unsigned i = 0; i < h->n_targets; i++) {
		put_bytes(&w, h->targets[i].ip.b, 16);
		put16(&w, h->targets[i].port);
	}
	size_t len = strnlen(h->software, sizeof h->software - 1);
	put8(&w, (uint8_t)len);
	put_bytes(&w, h->software, len);
	return batch_end(&w, TC_CHANNEL_HELLO, buf);
}

int tc_channel_hello_decode(struct tc_view body, struct tc_channel_hello *ret_hello)
{
	struct reader r = reader_of(body);
	struct tc_channel_hello h = { .instance = get64(&r) };
	h.mark_key.k0 = get64(&r);
	h.mark_key.k1 = get64(&r);
	h.n_targets = get16(&r);
	if (h.n_targets > TC_CHANNEL_TARGETS_MAX) {
		return TC_CHANNEL_E_MALFORMED;
	}
	for (unsigned i = 0; i < h.n_targets; i++) {
		h.targets[i].ip = get_ip(&r, true);
		h.targets[i].port = get16(&r);
	}
	get_text(&r, get8(&r), h.software, sizeof h.software);
	if (finish(&r) != 0) {
		return TC_CHANNEL_E_MALFORMED;
	}
	*ret_hello = h;
	return 0;
}

size_t tc_channel_welcome_encode(const char *software, uint8_t *buf, size_t n)
{
	struct writer w = batch_begin(buf, n);
	size_t len = strnlen(software, 31);
	put8(&w, (uint8_t)len);
	put_bytes(&w, software, len);
	return batch_end(&w, TC_CHANNEL_WELCOME, buf);
}

int tc_channel_welcome_decode(struct tc_view body, char ret_software[32])
{
	struct reader r = reader_of(body);
	char text[32] = "";
	get_text(&r, get8(&r), text, sizeof text);
	if (finish(&r) != 0) {
		return TC_CHANNEL_E_MALFORMED;
	}
	memcpy(ret_software, text, sizeof text);
	return 0;
}

size_t tc_channel_refuse_encode(const struct tc_channel_refuse *refuse, uint8_t *buf, size_t n)
{
	struct writer w = batch_begin(buf, n);
	size_t len = strnlen(refuse->text, sizeof refuse->text - 1);
	put16(&w, (uint16_t)refuse->code);
	put16(&w, (uint16_t)len);
	put_bytes(&w, refuse->text, len);
	return batch_end(&w, TC_CHANNEL_REFUSE, buf);
}

int tc_channel_refuse_decode(struct tc_view body, struct tc_channel_refuse *ret_refuse)
{
	struct reader r = reader_of(body);
	struct tc_channel_refuse refuse = { .text = "" };
	uint16_t code = get16(&r);
	bool known = code != 0 && code < TC_CHANNEL_REFUSE__N;
	refuse.code = known ? (enum tc_channel_refusal)code : TC_CHANNEL_REFUSE__N;
	get_text(&r, get16(&r), refuse.text, sizeof refuse.text);
	if (finish(&r) != 0) {
		return TC_CHANNEL_E_MALFORMED;
	}
	*ret_refuse = refuse;
	return 0;
}

size_t tc_channel_stats_encode(const struct tc_channel_stats *s, uint8_t *buf, size_t n)
{
	struct writer w = batch_begin(buf, n);
	put64(&w, s->pkts);
	put64(&w, s->kernel_drops);
	put64(&w, s->reported);
	put64(&w, s->stray);
	return batch_end(&w, TC_CHANNEL_STATS, buf);
}

int tc_channel_stats_decode(struct tc_view body, struct tc_channel_stats *ret_stats)
{
	struct reader r = reader_of(body);
	struct tc_channel_stats s = { .pkts = get64(&r) };
	s.kernel_drops = get64(&r);
	s.reported = get64(&r);
	s.stray = get64(&r);
	if (finish(&r) != 0) {
		return TC_CHANNEL_E_MALFORMED;
	}
	*ret_stats = s;
	return 0;
}

size_t tc_channel_ping_encode(enum tc_channel_type type, uint64_t token, uint8_t *buf, size_t n)
{
	struct writer w = batch_begin(buf, n);
	put64(&w, token);
	return batch_end(&w, type, buf);
}

int tc_channel_ping_decode(struct tc_view body, uint64_t *ret_token)
{
	struct reader r = reader_of(body);
	uint64_t token = get64(&r);
	if (finish(&r) != 0) {
		return TC_CHANNEL_E_MALFORMED;
	}
	*ret_token = token;
	return 0;
}

enum {
	WHAT_V6 = 1 << 0,
	WHAT_MSS = 1 << 1,
	WHAT_WS = 1 << 2,
	WHAT_TS = 1 << 3,
	WHAT_SACK_OK = 1 << 4,
	WHAT_SACK_SHIFT = 5,
};

static uint8_t answer_what(const struct tc_answer *a)
{
	const struct tc_tcpopt *opt = &a->tcp.opt;
	unsigned n_sack = tc_u32_min(opt->n_sack, TC_TCPOPT_SACK_MAX);
	unsigned what = n_sack << WHAT_SACK_SHIFT;
	what |= tc_ip_is_v4(&a->client) && tc_ip_is_v4(&a->target) ? 0 : WHAT_V6;
	what |= opt->has_mss ? WHAT_MSS : 0;
	what |= opt->has_ws ? WHAT_WS : 0;
	what |= opt->has_ts ? WHAT_TS : 0;
	what |= opt->sack_ok ? WHAT_SACK_OK : 0;
	return (uint8_t)what;
}

size_t tc_channel_answer_encode(const struct tc_answer *a, uint8_t *buf, size_t n)
{
	struct writer w = { .p = buf, .n = n };
	const struct tc_tcp *tcp = &a->tcp;
	unsigned what = answer_what(a);
	size_t skip = (what & WHAT_V6) != 0 ? 0 : 12;
	put8(&w, (uint8_t)what);
	put8(&w, tcp->flags);
	put16(&w, tcp->win);
	put32(&w, tcp->seq.v);
	put32(&w, tcp->ack.v);
	put32(&w, a->payload_len);
	put16(&w, (uint16_t)tc_u32_min(a->merged, UINT16_MAX));
	put16(&w, tcp->dst_port);
	put16(&w, tcp->src_port);
	put_bytes(&w, a->client.b + skip, 16 - skip);
	put_bytes(&w, a->target.b + skip, 16 - skip);
	if ((what & WHAT_MSS) != 0) {
		put16(&w, tcp->opt.mss);
	}
	if ((what & WHAT_WS) != 0) {
		put8(&w, tcp->opt.ws_shift);
	}
	if ((what & WHAT_TS) != 0) {
		put32(&w, tcp->opt.tsval);
		put32(&w, tcp->opt.tsecr);
	}
	for (unsigned i = 0; i < what >> WHAT_SACK_SHIFT; i++) {
		put32(&w, tcp->opt.sack[i].left.v);
		put32(&w, tcp->opt.sack[i].right.v);
	}
	return w.full ? 0 : n - w.n;
}

static void get_options(struct reader *r, unsigned what, struct tc_tcpopt *opt)
{
	opt->sack_ok = (what & WHAT_SACK_OK) != 0;
	opt->n_sack = (uint8_t)(what >> WHAT_SACK_SHIFT);
	if (opt->n_sack > TC_TCPOPT_SACK_MAX) {
		r->bad = true;
		return;
	}
	if ((what & WHAT_MSS) != 0) {
		opt->has_mss = true;
		opt->mss = get16(r);
	}
	if ((what & WHAT_WS) != 0) {
		opt->has_ws = true;
		opt->ws_shift = get8(r);
		r->bad |= opt->ws_shift > TC_TCPOPT_WS_MAX;
	}
	if ((what & WHAT_TS) != 0) {
		opt->has_ts = true;
		opt->tsval = get32(r);
		opt->tsecr = get32(r);
	}
	for (unsigned i = 0; i < opt->n_sack; i++) {
		opt->sack[i].left = tc_seq_of(get32(r));
		opt->sack[i].right = tc_seq_of(get32(r));
	}
}

int tc_channel_answer_decode(struct tc_view *body, struct tc_answer *ret_answer)
{
	struct reader r = reader_of(*body);
	struct tc_answer a = { 0 };
	unsigned what = get8(&r);
	a.tcp.flags = get8(&r);
	a.tcp.win = get16(&r);
	a.tcp.seq = tc_seq_of(get32(&r));
	a.tcp.ack = tc_seq_of(get32(&r));
	a.payload_len = get32(&r);
	a.merged = get16(&r);
	a.tcp.dst_port = get16(&r);
	a.tcp.src_port = get16(&r);
	a.client = get_ip(&r, (what & WHAT_V6) != 0);
	a.target = get_ip(&r, (what & WHAT_V6) != 0);
	get_options(&r, what, &a.tcp.opt);
	if (r.bad) {
		return TC_CHANNEL_E_MALFORMED;
	}
	*body = (struct tc_view){ r.p, r.n };
	*ret_answer = a;
	return 0;
}

size_t tc_channel_tuple_encode(const struct tc_tuple *t, uint8_t *buf, size_t n)
{
	struct writer w = { .p = buf, .n = n };
	put16(&w, t->client_port);
	put16(&w, t->server_port);
	put_bytes(&w, t->client.b, 16);
	put_bytes(&w, t->server.b, 16);
	return w.full ? 0 : n - w.n;
}

int tc_channel_tuple_decode(struct tc_view *body, struct tc_tuple *ret_tuple)
{
	struct reader r = reader_of(*body);
	struct tc_tuple t = { .client_port = get16(&r) };
	t.server_port = get16(&r);
	t.client = get_ip(&r, true);
	t.server = get_ip(&r, true);
	if (r.bad) {
		return TC_CHANNEL_E_MALFORMED;
	}
	*body = (struct tc_view){ r.p, r.n };
	*ret_tuple = t;
	return 0;
}
