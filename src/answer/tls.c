/* SPDX-License-Identifier: BSD-2-Clause
 * answer/tls.c - TLS 1.3 over a non-blocking socket
 *
 * OpenSSL's own socket BIO writes with write(2), which raises SIGPIPE in whoever uses this library; so the BIO is ours, and is as thin.
 */
#include "answer/tls.h"

#include "answer/socket.h"
#include "port/error.h"

#include <assert.h>
#include <errno.h>
#include <openssl/bio.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define CIPHER "TLS_AES_128_GCM_SHA256"
/* its number, RFC 8446 B.4 */
static const unsigned char cipher_id[2] = { 0x13, 0x01 };
/* A certificate of ours has less than 500 bytes; a client need not take more than this from a server. */
#define CERT_LIST_MAX 8192
/* Clocks differ and nobody checks it, but a certificate must name a time. */
#define CERT_SECONDS (10L * 365 * 86400)

static_assert(TC_TLS_WHY_MAX >= TC_SOCKET_ERROR_MAX, "the text of an errno fits");

struct tc_tls {
	enum tc_tls_side side;
	SSL_CTX *ctx;
	BIO_METHOD *bio;
	bool has_key;
	struct tc_key key;
};

/* ---- the socket ---- */

static int socket_fd(BIO *b)
{
	const struct tc_tls_conn *c = BIO_get_data(b);
	return c->fd;
}

static bool is_again(int err)
{
	return err == EAGAIN || err == EWOULDBLOCK || err == EINTR;
}

static int socket_write(BIO *b, const char *buf, int n)
{
	BIO_clear_retry_flags(b);
	ssize_t r = send(socket_fd(b), buf, (size_t)n, MSG_NOSIGNAL);
	if (r < 0 && is_again(errno)) {
		BIO_set_retry_write(b);
	}
	return (int)r;
}

static int socket_read(BIO *b, char *buf, int n)
{
	BIO_clear_retry_flags(b);
	errno = 0;
	ssize_t r = recv(socket_fd(b), buf, (size_t)n, 0);
	if (r < 0 && is_again(errno)) {
		BIO_set_retry_read(b);
	}
	return (int)r;
}

static long socket_ctrl(BIO *b, int cmd, long num, void *ptr)
{
	(void)b;
	(void)num;
	(void)ptr;
	return cmd == BIO_CTRL_FLUSH ? 1 : 0;
}

static BIO_METHOD *socket_method(void)
{
	BIO_METHOD *m = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "tcpcopy socket");
	if (m != NULL && BIO_meth_set_write(m, socket_write) == 1 &&
	    BIO_meth_set_read(m, socket_read) == 1 && BIO_meth_set_ctrl(m, socket_ctrl) == 1) {
		return m;
	}
	BIO_meth_free(m);
	return NULL;
}

/* ---- the key ---- */

/* TLS 1.3 takes an external key as if it were a session to be resumed. */
static SSL_SESSION *key_session(SSL *ssl, const struct tc_key *key)
{
	SSL_SESSION *s = SSL_SESSION_new();
	const SSL_CIPHER *cipher = SSL_CIPHER_find(ssl, cipher_id);
	if (s != NULL && cipher != NULL &&
	    SSL_SESSION_set1_master_key(s, key->secret, TC_KEY_LEN) == 1 &&
	    SSL_SESSION_set_cipher(s, cipher) == 1 &&
	    SSL_SESSION_set_protocol_version(s, TLS1_3_VERSION) == 1) {
		return s;
	}
	SSL_SESSION_free(s);
	return NULL;
}

/* Client: the key to offer. Called again with @md when the server has chosen the hash; there is but one. */
static int offer_key(SSL *ssl, const EVP_MD *md, const unsigned char **id, size_t *id_len,
		     SSL_SESSION **session)
{
	(void)md;
	const struct tc_tls *tls = SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));
	*session = NULL;
	*id = NULL;
	*id_len = 0;
	if (!tls->has_key) {
		return 1;
	}
	*session = key_session(ssl, &tls->key);
	*id = (const unsigned char *)tls->key.identity;
	*id_len = TC_KEY_IDENTITY_LEN;
	return *session != NULL;
}

/* Server: a client offers a key. With none of ours the handshake goes on with the certificate. */
static int find_key(SSL *ssl, const unsigned char *id, size_t id_len, SSL_SESSION **session)
{
	const struct tc_tls *tls = SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));
	struct tc_tls_conn *c = SSL_get_app_data(ssl);
	*session = NULL;
	if (!tls->has_key || id_len != TC_KEY_IDENTITY_LEN ||
	    CRYPTO_memcmp(id, tls->key.identity, TC_KEY_IDENTITY_LEN) != 0) {
		c->key_state = TC_TLS_KEY_OTHER;
		return 1;
	}
	*session = key_session(ssl, &tls->key);
	return *session != NULL;
}

/* ---- the context ---- */

static bool add_name(X509 *cert)
{
	X509_NAME *name = X509_get_subject_name(cert); /* borrowed from the certificate */
	return X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC,
					  (const unsigned char *)"intercept", -1, -1, 0) == 1 &&
	       X509_set_issuer_name(cert, name) == 1;
}

static bool use_own_certificate(SSL_CTX *ctx)
{
	EVP_PKEY *pkey = EVP_EC_gen("P-256");
	X509 *cert = X509_new();
	bool ok = pkey != NULL && cert != NULL && X509_set_version(cert, X509_VERSION_3) == 1 &&
		  ASN1_INTEGER_set(X509_get_serialNumber(cert), 1) == 1 &&
		  X509_gmtime_adj(X509_getm_notBefore(cert), -86400) != NULL &&
		  X509_gmtime_adj(X509_getm_notAfter(cert), CERT_SECONDS) != NULL &&
		  add_name(cert) && X509_set_pubkey(cert, pkey) == 1 &&
		  X509_sign(cert, pkey, EVP_sha256()) > 0 &&
		  SSL_CTX_use_certificate(ctx, cert) == 1 && SSL_CTX_use_PrivateKey(ctx, pkey) == 1;
	X509_free(cert);
	EVP_PKEY_free(pkey);
	return ok;
}

static bool set_up(struct tc_tls *tls)
{
	SSL_CTX *ctx = tls->ctx;
	SSL_CTX_set_app_data(ctx, tls);
	SSL_CTX_set_mode(ctx, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	/* back to us after each record: a flood of key updates must not keep us in one read */
	SSL_CTX_clear_mode(ctx, SSL_MODE_AUTO_RETRY);
	SSL_CTX_set_options(ctx, SSL_OP_NO_TICKET | SSL_OP_NO_RENEGOTIATION);
	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_verify(ctx, SSL_VERIFY_NONE, NULL);
	SSL_CTX_set_max_cert_list(ctx, CERT_LIST_MAX);
	SSL_CTX_set_read_ahead(ctx, 1); /* one system call for a record, not two */
	if (SSL_CTX_set_min_proto_version(ctx, TLS1_3_VERSION) != 1 ||
	    SSL_CTX_set_ciphersuites(ctx, CIPHER) != 1) {
		return false;
	}
	if (tls->side == TC_TLS_CLIENT) {
		SSL_CTX_set_psk_use_session_callback(ctx, offer_key);
		return true;
	}
	SSL_CTX_set_psk_find_session_callback(ctx, find_key);
	return SSL_CTX_set_num_tickets(ctx, 0) == 1 && use_own_certificate(ctx);
}

int tc_tls_new(enum tc_tls_side side, const struct tc_key *key, struct tc_tls **ret_tls,
	       char *ret_error)
{
	struct tc_tls *tls = calloc(1, sizeof *tls);
	if (tls == NULL) {
		return tc_driver_error(ret_error, -ENOMEM, "cannot set up TLS");
	}
	tls->side = side;
	if (key != NULL) {
		tls->has_key = true;
		tls->key = *key;
	}
	ERR_clear_error();
	tls->bio = socket_method();
	tls->ctx = SSL_CTX_new(side == TC_TLS_CLIENT ? TLS_client_method() : TLS_server_method());
	if (tls->bio == NULL || tls->ctx == NULL || !set_up(tls)) {
		const char *why = ERR_reason_error_string(ERR_peek_last_error());
		tc_driver_say(ret_error, -EIO, "cannot set up TLS 1.3 with %s: %s: %s",
			      OpenSSL_version(OPENSSL_VERSION_STRING), CIPHER,
			      why != NULL ? why : "refused");
		tc_tls_free(tls);
		return -EIO;
	}
	*ret_tls = tls;
	return 0;
}

void tc_tls_free(struct tc_tls *tls)
{
	if (tls == NULL) {
		return;
	}
	SSL_CTX_free(tls->ctx);
	BIO_meth_free(tls->bio);
	tc_key_fini(&tls->key);
	free(tls);
}

/* ---- a connection ---- */

int tc_tls_conn_open(struct tc_tls *tls, struct tc_tls_conn *c, int fd)
{
	*c = (struct tc_tls_conn){ .fd = fd };
	SSL *ssl = SSL_new(tls->ctx);
	BIO *bio = BIO_new(tls->bio);
	if (ssl == NULL || bio == NULL) {
		SSL_free(ssl);
		BIO_free(bio);
		close(fd);
		return -ENOMEM;
	}
	BIO_set_data(bio, c);
	BIO_set_init(bio, 1);
	SSL_set_bio(ssl, bio, bio);
	SSL_set_app_data(ssl, c);
	if (tls->side == TC_TLS_CLIENT) {
		SSL_set_connect_state(ssl);
	} else {
		SSL_set_accept_state(ssl);
	}
	c->ssl = ssl;
	return 0;
}

void tc_tls_conn_close(struct tc_tls_conn *c)
{
	if (c->ssl == NULL) {
		return;
	}
	ERR_clear_error();
	(void)SSL_shutdown(
		c->ssl); /* refused in the middle of a handshake or after a failure: nothing is lost */
	SSL_free(c->ssl);
	close(c->fd);
	c->ssl = NULL;
}

/* What an operation that returned @r <= 0 means. @err is its errno. */
static int result(struct tc_tls_conn *c, int r, int err)
{
	switch (SSL_get_error(c->ssl, r)) {
	case SSL_ERROR_WANT_READ:
		c->want_read = true;
		return TC_TLS_E_AGAIN;
	case SSL_ERROR_WANT_WRITE:
		c->want_write = true;
		return TC_TLS_E_AGAIN;
	case SSL_ERROR_ZERO_RETURN:
		(void)snprintf(c->why, sizeof c->why, "closed by the other side");
		return -EPIPE;
	case SSL_ERROR_SYSCALL:
		if (err == 0) {
			(void)snprintf(c->why, sizeof c->why, "closed by the other side");
			return -EPIPE;
		}
		tc_socket_error(err, c->why);
		return -err;
	default:
		break;
	}
	unsigned long e = ERR_peek_last_error();
	if (ERR_GET_REASON(e) == SSL_R_UNEXPECTED_EOF_WHILE_READING) {
		(void)snprintf(c->why, sizeof c->why, "closed by the other side");
		return -EPIPE;
	}
	const char *reason = ERR_reason_error_string(e);
	(void)snprintf(c->why, sizeof c->why, "TLS failed: %s",
		       reason != NULL ? reason : "no reason given");
	return -EPROTO;
}

static void begin(struct tc_tls_conn *c)
{
	ERR_clear_error();
	errno = 0;
	c->want_read = c->want_write = false;
}

int tc_tls_handshake(struct tc_tls_conn *c)
{
	begin(c);
	int r = SSL_do_handshake(c->ssl);
	if (r != 1) {
		return result(c, r, errno);
	}
	if (SSL_session_reused(c->ssl)) {
		c->key_state = TC_TLS_KEY_SAME; /* nothing but the key can be resumed here */
	}
	return 0;
}

int tc_tls_read(struct tc_tls_conn *c, uint8_t *buf, size_t n, size_t *ret_n)
{
	begin(c);
	int r = SSL_read_ex(c->ssl, buf, n, ret_n);
	return r == 1 ? 0 : result(c, r, errno);
}

int tc_tls_write(struct tc_tls_conn *c, const uint8_t *buf, size_t n, size_t *ret_n)
{
	begin(c);
	int r = SSL_write_ex(c->ssl, buf, n, ret_n);
	return r == 1 ? 0 : result(c, r, errno);
}
