/* SPDX-License-Identifier: BSD-2-Clause
 * answer/tls.h - TLS 1.3 over a non-blocking socket
 *
 * Layer:   answer. OpenSSL on the descriptor; no buffer of ours, and none of OpenSSL's that grows with what the other side sends.
 * Source:  RFC 8446. One cipher suite (TLS_AES_128_GCM_SHA256), no tickets, no early data, no renegotiation.
 *
 * With a key both ends prove that they have it (external PSK with (EC)DHE). Without one, or when the keys differ, the server shows a
 * certificate that it made for itself at start: the channel is encrypted, and nobody is authenticated. OpenSSL falls back to that
 * silently, so who has a key looks at .key_state after the handshake.
 *
 * Errors:  0; TC_TLS_E_AGAIN, expected: wait as .want_read and .want_write say; -errno: the connection is of no more use,
 *          -EPIPE when the other side closed it, -EPROTO when it does not speak TLS as it should; .why says it in words.
 */
#ifndef TC_ANSWER_TLS_H
#define TC_ANSWER_TLS_H

#include "answer/key.h"

#include <stdbool.h>
#include <stddef.h>

struct ssl_st;

enum { TC_TLS_E_AGAIN = 1 };

enum tc_tls_side { TC_TLS_CLIENT, TC_TLS_SERVER };

/** struct tc_tls - what all connections of one end share */
struct tc_tls;

/**
 * tc_tls_new() - of a server this makes the certificate
 * @key:       copied; NULL for none
 * @ret_error: TC_DRIVER_ERROR_MAX bytes
 * Return: 0, -ENOMEM, or -EIO when OpenSSL does not do what we need.
 */
int tc_tls_new(enum tc_tls_side side, const struct tc_key *key, struct tc_tls **ret_tls,
	       char *ret_error);
/** tc_tls_free() - after all connections */
void tc_tls_free(struct tc_tls *tls);

/** What is known of the other side's key, once the handshake is done. */
enum tc_tls_key_state {
	TC_TLS_KEY_NONE,  /* neither side offered one, or a client's was not taken */
	TC_TLS_KEY_OTHER, /* server: the client offered a key that is not ours */
	TC_TLS_KEY_SAME,  /* both sides have it */
};

#define TC_TLS_WHY_MAX 120

/** struct tc_tls_conn - one connection; zero is "none" */
struct tc_tls_conn {
	struct ssl_st *ssl; /* owned */
	int fd;		    /* owned; meaningless without .ssl */
	enum tc_tls_key_state key_state;
	bool want_read;
	bool want_write;
	char why[TC_TLS_WHY_MAX]; /* of the last failure */
};

/**
 * tc_tls_conn_open() - speak TLS on a connected socket
 * @fd: non-blocking; the connection's from now on, also when this fails
 * @c:  must stay where it is until it is closed
 * Return: 0 or -ENOMEM.
 */
int tc_tls_conn_open(struct tc_tls *tls, struct tc_tls_conn *c, int fd);

/** tc_tls_conn_close() - with a word to the other side if that does not block; harmless when there is none */
void tc_tls_conn_close(struct tc_tls_conn *c);

int tc_tls_handshake(struct tc_tls_conn *c);
/**
 * tc_tls_read() - at least one byte into @buf
 * Read until TC_TLS_E_AGAIN: what TLS has taken from the socket already, the socket does not show.
 */
int tc_tls_read(struct tc_tls_conn *c, uint8_t *buf, size_t n, size_t *ret_n);
/** tc_tls_write() - at least one byte of @buf; after TC_TLS_E_AGAIN the same bytes must come again, and more may follow them */
int tc_tls_write(struct tc_tls_conn *c, const uint8_t *buf, size_t n, size_t *ret_n);

#endif
