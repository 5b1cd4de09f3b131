/* SPDX-License-Identifier: BSD-2-Clause
 * answer/link.h - batches over one TLS connection, through two buffers of fixed size
 *
 * Layer:   answer. What both ends of the channel have in common.
 *
 *     socket -> tc_link_fill() -> [ in ] -> tc_link_next() -> one batch after another, read where it lies
 *     tc_link_room(), tc_link_commit() or tc_link_put() -> [ out ] -> tc_link_flush() -> socket
 *
 * Each buffer holds two of the longest batches, so that one can always be completed, or built, beside another. When the other side
 * does not read, the out buffer fills and room ends: what to do about it is the caller's affair.
 *
 * Errors:  as answer/tls.h; after a negative one the link is to be closed.
 */
#ifndef TC_ANSWER_LINK_H
#define TC_ANSWER_LINK_H

#include "answer/tls.h"
#include "wire/channel.h"

#define TC_LINK_BATCH_MAX ((size_t)TC_CHANNEL_HEAD + TC_CHANNEL_BODY_MAX)
#define TC_LINK_BUF (2 * TC_LINK_BATCH_MAX)

/** struct tc_link - zero is a closed one */
struct tc_link {
	struct tc_tls_conn tls;
	size_t in_head; /* the batch that is being looked at, then what follows it */
	size_t in_tail;
	size_t in_batch; /* length of that batch, 0 for none */
	bool in_more;	 /* reading ended because we had enough, not because nothing was there */
	size_t out_head;
	size_t out_tail;
	uint8_t in[TC_LINK_BUF];
	uint8_t out[TC_LINK_BUF];
};

/** tc_link_open() - as tc_tls_conn_open(); the handshake is tc_tls_handshake(&l->tls) */
int tc_link_open(struct tc_link *l, struct tc_tls *tls, int fd);
void tc_link_close(struct tc_link *l);

/**
 * tc_link_fill() - read what has come, as far as there is room; bounded work
 * @ret_any: set to true when something was read, untouched otherwise
 * Return: 0, or -errno: the other side is gone. Batches that were read before that can still be taken.
 */
int tc_link_fill(struct tc_link *l, bool *ret_any);

/**
 * tc_link_next() - the next batch
 * @ret_body: valid until the next call of tc_link_next()
 * Return: 0, TC_CHANNEL_E_MORE: not all of it is here yet; TC_CHANNEL_E_MALFORMED: the link is of no more use.
 */
int tc_link_next(struct tc_link *l, struct tc_channel_head *ret_head, struct tc_view *ret_body);

/** tc_link_discard() - throw away all that was read */
void tc_link_discard(struct tc_link *l);

/** tc_link_room() - where the next batch may be built, and for how many bytes; valid until the next call with this link */
uint8_t *tc_link_room(struct tc_link *l, size_t *ret_n);
/** tc_link_commit() - @n bytes were written there */
void tc_link_commit(struct tc_link *l, size_t n);
/** tc_link_put() - a whole batch; false when there is no room for it, and nothing is sent */
bool tc_link_put(struct tc_link *l, const uint8_t *batch, size_t n);

/** tc_link_flush() - send what the socket takes now. Return: 0, or -errno */
int tc_link_flush(struct tc_link *l);

static inline bool tc_link_is_flushed(const struct tc_link *l)
{
	return l->out_head == l->out_tail;
}

/** tc_link_wants() - what to wait for; @ret_now: do not wait, there is more to read than the socket shows */
void tc_link_wants(const struct tc_link *l, bool *ret_read, bool *ret_write, bool *ret_now);

#endif
