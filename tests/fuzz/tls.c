/* SPDX-License-Identifier: BSD-2-Clause
 * fuzz/tls.c - any bytes below TLS: a stranger's, or those of somebody between the two ends
 *
 * Both ends of the channel's TLS are there, each on a socket whose other end is the input's: it carries bytes from one to the other,
 * changes, loses, repeats and adds some, and lets the ends speak. One that carries nothing is a stranger who sends what he likes.
 * The first byte chooses the keys. OpenSSL's random numbers make no two runs the same.
 * Promised: a call has one of the results that answer/tls.h names, with words when it failed; what is read was written, in that order,
 * whatever happens below; keys that are the same are never found where they are not; when nobody changes anything both ends agree, as
 * doc/channel.md says; and OpenSSL's memory for the two ends is bounded.
 */
#include "fuzz/input.h"

#include "answer/tls.h"
#include "port/error.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* For both ends: 172 KB measured, and the 128 KB for which OpenSSL makes room when a ClientHello claims to be so long */
#define MEMORY_MAX (384 * 1024)
#define PART_MAX 4096
#define SAY_MAX 40000
/* Turns in which two ends that nobody disturbs have said what they have to say */
#define TURNS_MAX 100

enum state { SHAKING, UP, OVER };

struct side {
	struct tc_tls_conn conn;
	enum state state;
	int wire;	       /* the other end of its socket: what it sends comes out here */
	uint8_t written, read; /* the next byte, each direction counts its own */
	size_t unsaid;	       /* bytes that it still wants to write */
};

struct world {
	struct side sides[2]; /* by enum tc_tls_side */
	unsigned keys[2];     /* 0: none */
	bool disturbed;
};

/* ---- OpenSSL's memory ---- */

#define ROOM 16 /* before each block, for its size; keeps the alignment */

static size_t used;
static size_t most;

static void *count_malloc(size_t n, const char *file, int line)
{
	(void)file;
	(void)line;
	uint8_t *p = malloc(n + ROOM);
	if (p == NULL) {
		return NULL;
	}
	memcpy(p, &n, sizeof n);
	used += n;
	most = used > most ? used : most;
	return p + ROOM;
}

static void count_free(void *block, const char *file, int line)
{
	(void)file;
	(void)line;
	size_t n;
	if (block == NULL) {
		return;
	}
	uint8_t *p = (uint8_t *)block - ROOM;
	memcpy(&n, p, sizeof n);
	used -= n;
	free(p);
}

static void *count_realloc(void *block, size_t n, const char *file, int line)
{
	size_t old = 0;
	void *p = count_malloc(n, file, line);
	if (p != NULL && block != NULL) {
		memcpy(&old, (uint8_t *)block - ROOM, sizeof old);
		memcpy(p, block, old < n ? old : n);
		count_free(block, file, line);
	}
	return p;
}

/* ---- contexts: made once, they cost a signature ---- */

#define KEYS 3

static struct tc_tls *contexts[2][KEYS];

static void make_contexts(void)
{
	char error[TC_DRIVER_ERROR_MAX];
	if (contexts[0][0] != NULL) {
		return;
	}
	promise(CRYPTO_set_mem_functions(count_malloc, count_realloc, count_free) == 1);
	for (unsigned k = 0; k < KEYS; k++) {
		struct tc_key key;
		const uint8_t secret[TC_KEY_LEN] = { (uint8_t)k };
		promise(tc_key_set(secret, &key) == 0);
		for (unsigned side = 0; side < 2; side++) {
			promise(tc_tls_new((enum tc_tls_side)side, k > 0 ? &key : NULL,
					   &contexts[side][k], error) == 0);
		}
	}
}

/* ---- the ends ---- */

static void check_result(struct world *w, unsigned i, int r)
{
	struct side *s = &w->sides[i];
	promise(r == 0 || r == TC_TLS_E_AGAIN || r < 0);
	promise(r != TC_TLS_E_AGAIN || s->conn.want_read || s->conn.want_write);
	if (r < 0) {
		promise(s->conn.why[0] != '\0' &&
			strnlen(s->conn.why, TC_TLS_WHY_MAX) < TC_TLS_WHY_MAX);
		tc_tls_conn_close(&s->conn);
		s->state = OVER;
	}
	promise(s->conn.key_state != TC_TLS_KEY_SAME ||
		(w->keys[0] != 0 && w->keys[0] == w->keys[1]));
}

static void hear(struct world *w, unsigned i)
{
	struct side *s = &w->sides[i];
	uint8_t buf[PART_MAX];
	int r = 0;
	for (unsigned reads = 0; reads < 64 && r == 0; reads++) {
		size_t n = 0;
		r = tc_tls_read(&s->conn, buf, sizeof buf, &n);
		promise(r != 0 || (n > 0 && n <= sizeof buf));
		for (size_t k = 0; r == 0 && k < n; k++) {
			promise(buf[k] == s->read++);
		}
	}
	check_result(w, i, r);
}

static void speak(struct world *w, unsigned i)
{
	struct side *s = &w->sides[i];
	static uint8_t buf[SAY_MAX];
	int r = 0;
	while (s->state == UP && s->unsaid > 0 && r == 0) {
		size_t n = 0;
		for (size_t k = 0; k < s->unsaid; k++) {
			buf[k] = (uint8_t)(s->written + k);
		}
		r = tc_tls_write(&s->conn, buf, s->unsaid, &n);
		if (r == 0) {
			promise(n > 0 && n <= s->unsaid);
			s->unsaid -= n;
			s->written = (uint8_t)(s->written + n);
		}
		check_result(w, i, r);
	}
}

static void step(struct world *w, unsigned i)
{
	struct side *s = &w->sides[i];
	if (s->state == SHAKING) {
		int r = tc_tls_handshake(&s->conn);
		check_result(w, i, r);
		if (r == 0) {
			s->state = UP;
		}
	}
	if (s->state == UP) {
		hear(w, i);
	}
	if (s->state == UP) {
		speak(w, i);
	}
}

/* ---- what is between them ---- */

static void put(struct world *w, unsigned to, const uint8_t *bytes, size_t n)
{
	if (n > 0 && send(w->sides[to].wire, bytes, n, MSG_DONTWAIT | MSG_NOSIGNAL) != (ssize_t)n) {
		w->disturbed = true; /* it was not read, or is over */
	}
}

/* Bytes that @from has sent */
static size_t get(struct world *w, unsigned from, uint8_t *buf, size_t n)
{
	ssize_t r = recv(w->sides[from].wire, buf, n, MSG_DONTWAIT);
	return r > 0 ? (size_t)r : 0;
}

static bool carry(struct world *w, unsigned from)
{
	uint8_t buf[PART_MAX];
	size_t n = get(w, from, buf, sizeof buf);
	put(w, !from, buf, n);
	return n > 0;
}

static void disturb(struct world *w, unsigned from, unsigned how, struct input *in)
{
	uint8_t buf[PART_MAX];
	size_t n = 0;
	w->disturbed = true;
	if (how == 0) { /* a stranger, or an addition */
		const uint8_t *bytes = input_take(in, input_word(in) % PART_MAX, &n);
		put(w, !from, bytes, n);
		return;
	}
	n = get(w, from, buf, 1 + input_word(in) % PART_MAX);
	if (n == 0 || how == 1) { /* lost */
		return;
	}
	if (how == 2) {
		buf[input_word(in) % n] ^= (uint8_t)(1 + input_byte(in) % 255);
	}
	put(w, !from, buf, n);
	if (how == 3) {
		put(w, !from, buf, n);
	}
}

static void operate(struct world *w, struct input *in)
{
	uint8_t op = input_byte(in);
	unsigned from = op >> 7;
	switch (op & 7) {
	case 0:
		step(w, from);
		break;
	case 1:
		carry(w, from);
		break;
	case 2:
		if (w->sides[from].unsaid == 0) {
			w->sides[from].unsaid = input_word(in) % SAY_MAX;
		}
		break;
	case 3: /* all that is on its way, and what comes of it */
		carry(w, from);
		step(w, !from);
		carry(w, !from);
		step(w, from);
		break;
	default:
		disturb(w, from, op & 3, in);
		break;
	}
}

/* Nobody was between them: they agree. */
static void finish(struct world *w)
{
	bool moved = true;
	for (unsigned i = 0; i < TURNS_MAX && moved; i++) {
		step(w, TC_TLS_CLIENT);
		moved = carry(w, TC_TLS_CLIENT);
		step(w, TC_TLS_SERVER);
		moved |= carry(w, TC_TLS_SERVER);
	}
	struct side *client = &w->sides[TC_TLS_CLIENT];
	struct side *server = &w->sides[TC_TLS_SERVER];
	if (w->disturbed) {
		return;
	}
	promise(!moved && client->state == UP && server->state == UP);
	promise(client->unsaid == 0 && server->unsaid == 0);
	promise(client->read == server->written && server->read == client->written);
	unsigned key = w->keys[TC_TLS_CLIENT];
	bool same = key != 0 && key == w->keys[TC_TLS_SERVER];
	promise(client->conn.key_state == (same ? TC_TLS_KEY_SAME : TC_TLS_KEY_NONE));
	promise(server->conn.key_state == (same	    ? TC_TLS_KEY_SAME :
					   key != 0 ? TC_TLS_KEY_OTHER :
						      TC_TLS_KEY_NONE));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = { data, size };
	struct world w = { .disturbed = false };
	make_contexts();
	size_t before = most = used;
	unsigned how = input_byte(&in);
	for (unsigned i = 0; i < 2; i++) {
		int fds[2];
		w.keys[i] = (how >> (4 * i) & 15) % KEYS;
		promise(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds) ==
			0);
		w.sides[i].wire = fds[1];
		promise(tc_tls_conn_open(contexts[i][w.keys[i]], &w.sides[i].conn, fds[0]) == 0);
	}
	while (in.n > 0) {
		operate(&w, &in);
	}
	finish(&w);
	for (unsigned i = 0; i < 2; i++) {
		tc_tls_conn_close(&w.sides[i].conn);
		close(w.sides[i].wire);
	}
	promise(most - before <= MEMORY_MAX);
	return 0;
}
