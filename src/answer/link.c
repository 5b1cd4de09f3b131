/* SPDX-License-Identifier: BSD-2-Clause
 * answer/link.c - batches over one TLS connection
 */
#include "answer/link.h"

#include <string.h>

/* Reads in one call: a peer that sends one byte a record must not keep us from the others. */
#define READS_MAX 64

static void empty(struct tc_link *l)
{
	tc_link_discard(l);
	l->out_head = l->out_tail = 0;
}

int tc_link_open(struct tc_link *l, struct tc_tls *tls, int fd)
{
	empty(l);
	l->in_more = true; /* the handshake may have read further than its own end */
	return tc_tls_conn_open(tls, &l->tls, fd);
}

void tc_link_close(struct tc_link *l)
{
	tc_tls_conn_close(&l->tls);
	empty(l);
}

int tc_link_fill(struct tc_link *l, bool *ret_any)
{
	for (unsigned i = 0; i < READS_MAX && l->in_tail < TC_LINK_BUF; i++) {
		size_t n;
		int r = tc_tls_read(&l->tls, l->in + l->in_tail, TC_LINK_BUF - l->in_tail, &n);
		if (r == TC_TLS_E_AGAIN) {
			l->in_more = false;
			return 0;
		}
		if (r < 0) {
			return r;
		}
		l->in_tail += n;
		*ret_any = true;
	}
	l->in_more = true;
	return 0;
}

/* The batch before is done with; make room for a whole one after the head. */
static void release(struct tc_link *l)
{
	l->in_head += l->in_batch;
	l->in_batch = 0;
	if (l->in_head == l->in_tail) {
		l->in_head = l->in_tail = 0;
	} else if (TC_LINK_BUF - l->in_head < TC_LINK_BATCH_MAX) {
		memmove(l->in, l->in + l->in_head, l->in_tail - l->in_head);
		l->in_tail -= l->in_head;
		l->in_head = 0;
	}
}

int tc_link_next(struct tc_link *l, struct tc_channel_head *ret_head, struct tc_view *ret_body)
{
	release(l);
	struct tc_view v = { l->in + l->in_head, l->in_tail - l->in_head };
	struct tc_channel_head head;
	int r = tc_channel_head_decode(v, &head);
	if (r != 0) {
		return r;
	}
	if (v.n < TC_CHANNEL_HEAD + head.length) {
		return TC_CHANNEL_E_MORE;
	}
	l->in_batch = TC_CHANNEL_HEAD + head.length;
	*ret_head = head;
	*ret_body = (struct tc_view){ v.p + TC_CHANNEL_HEAD, head.length };
	return 0;
}

void tc_link_discard(struct tc_link *l)
{
	l->in_head = l->in_tail = l->in_batch = 0;
}

uint8_t *tc_link_room(struct tc_link *l, size_t *ret_n)
{
	if (l->out_head > 0) {
		/* TLS may have begun with these bytes, but it may find them elsewhere (SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER) */
		memmove(l->out, l->out + l->out_head, l->out_tail - l->out_head);
		l->out_tail -= l->out_head;
		l->out_head = 0;
	}
	*ret_n = TC_LINK_BUF - l->out_tail;
	return l->out + l->out_tail;
}

void tc_link_commit(struct tc_link *l, size_t n)
{
	l->out_tail += n;
}

bool tc_link_put(struct tc_link *l, const uint8_t *batch, size_t n)
{
	size_t room;
	uint8_t *p = tc_link_room(l, &room);
	if (n > room) {
		return false;
	}
	memcpy(p, batch, n);
	tc_link_commit(l, n);
	return true;
}

int tc_link_flush(struct tc_link *l)
{
	while (l->out_head < l->out_tail) {
		size_t n;
		int r = tc_tls_write(&l->tls, l->out + l->out_head, l->out_tail - l->out_head, &n);
		if (r == TC_TLS_E_AGAIN) {
			return 0;
		}
		if (r < 0) {
			return r;
		}
		l->out_head += n;
	}
	l->out_head = l->out_tail = 0;
	return 0;
}

void tc_link_wants(const struct tc_link *l, bool *ret_read, bool *ret_write, bool *ret_now)
{
	bool room = l->in_tail < TC_LINK_BUF;
	*ret_read = room;
	*ret_write = l->tls.want_write || !tc_link_is_flushed(l);
	*ret_now = room && l->in_more;
}
