/* SPDX-License-Identifier: BSD-2-Clause
 * fuzz/fake.c - sockets and TLS below an end of the channel, played by a fuzzer
 */
#include "fuzz/fake.h"

#include "answer/socket.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static struct fake fake;

static int new_fd(void)
{
	int fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	promise(fd >= 0);
	for (unsigned i = 0; i < FAKE_PEERS; i++) {
		if (fake.peers[i].fd == fd) {
			fake.peers[i].fd = -1; /* its number is another's now: it was closed */
		}
	}
	return fd;
}

/* Asks the kernel: not for each step. */
static bool is_open(int fd)
{
	return fd >= 0 && fcntl(fd, F_GETFD) >= 0;
}

struct fake *fake_begin(void)
{
	fake.n_tls = fake.calls = 0;
	fake.listener = -1;
	for (unsigned i = 0; i < FAKE_PEERS; i++) {
		struct fake_peer *p = &fake.peers[i];
		memset(p, 0, offsetof(struct fake_peer, again)); /* the buffers are large */
		p->fd = -1;
		p->key_state = TC_TLS_KEY_SAME;
		p->chunk = p->room = SIZE_MAX / 2;
		p->address = (uint8_t)i;
	}
	return &fake;
}

void fake_end(struct fake *f)
{
	promise(f->n_tls == 0 && !is_open(f->listener));
	for (unsigned i = 0; i < FAKE_PEERS; i++) {
		promise(!is_open(f->peers[i].fd));
	}
}

void fake_say(struct fake_peer *p, const uint8_t *bytes, size_t n)
{
	if (p->in_head == p->in_tail) {
		p->in_head = p->in_tail = 0;
	}
	size_t room = FAKE_IN - p->in_tail;
	n = n < room ? n : room;
	if (n > 0) {
		memcpy(p->in + p->in_tail, bytes, n);
	}
	p->in_tail += n;
}

void fake_say_any(struct fake_peer *p, struct input *in)
{
	size_t n = 0;
	const uint8_t *bytes = input_take(in, input_byte(in), &n);
	fake_say(p, bytes, n);
}

void fake_say_batch(struct fake_peer *p, struct input *in)
{
	uint8_t how = input_byte(in);
	struct tc_channel_head head = { .type = input_byte(in), .version = TC_CHANNEL_VERSION };
	if ((how & 0x30) == 0x30) {
		head.version = input_byte(in);
	}
	head.count = input_byte(in);
	size_t n = 0;
	const uint8_t *body = input_take(in, input_byte(in), &n);
	head.length = (how & 7) == 7 ? input_word(in) << (how & 8) : (uint32_t)n;
	uint8_t bytes[TC_CHANNEL_HEAD];
	tc_channel_head_encode(&head, bytes);
	fake_say(p, bytes, sizeof bytes);
	fake_say(p, body, n);
}

void fake_flow(struct fake_peer *p, struct input *in)
{
	uint8_t how = input_byte(in);
	p->chunk = (how & 0x80) != 0 ? SIZE_MAX / 2 : (size_t)(how & 0x7f) * (how & 0x7f);
	p->room = (how & 0x40) != 0 ? SIZE_MAX / 2 : input_word(in);
}

bool fake_knock(struct fake_peer *p)
{
	bool may = !p->waiting && p->tls == NULL;
	p->waiting = p->waiting || may;
	return may;
}

/* A connection begins: what was said over the one before is gone. */
static int begin(struct fake_peer *p)
{
	promise(!is_open(p->fd));
	p->fd = -1; /* before new_fd(), which looks for it */
	p->fd = new_fd();
	p->waiting = p->gone = false;
	p->in_head = p->in_tail = p->again_n = p->out_n = 0;
	memset(p->heard, 0, sizeof p->heard);
	return p->fd;
}

/* ---- what is sent must be understood ---- */

static void read_records(uint8_t type, unsigned count, struct tc_view body)
{
	struct tc_tuple tuple;
	struct tc_answer answer;
	for (unsigned i = 0; i < count; i++) {
		promise(type == TC_CHANNEL_ANSWERS ? tc_channel_answer_decode(&body, &answer) == 0 :
						     tc_channel_tuple_decode(&body, &tuple) == 0);
	}
	promise(body.n == 0);
}

static void read_batch(const struct tc_channel_head *head, struct tc_view body)
{
	struct tc_channel_hello hello;
	struct tc_channel_refuse refuse;
	struct tc_channel_stats stats;
	char software[32];
	uint64_t token;
	promise(head->version == TC_CHANNEL_VERSION);
	switch (head->type) {
	case TC_CHANNEL_HELLO:
		promise(tc_channel_hello_decode(body, &hello) == 0);
		break;
	case TC_CHANNEL_WELCOME:
		promise(tc_channel_welcome_decode(body, software) == 0);
		break;
	case TC_CHANNEL_REFUSE:
		promise(tc_channel_refuse_decode(body, &refuse) == 0);
		promise(refuse.code != TC_CHANNEL_REFUSE__N && refuse.text[0] != '\0');
		break;
	case TC_CHANNEL_STATS:
		promise(tc_channel_stats_decode(body, &stats) == 0);
		break;
	case TC_CHANNEL_PING:
	case TC_CHANNEL_PONG:
		promise(tc_channel_ping_decode(body, &token) == 0);
		break;
	default:
		promise(head->type <= TC_CHANNEL_PONG);
		read_records(head->type, head->count, body);
		break;
	}
}

static void hear(struct fake_peer *p, const uint8_t *bytes, size_t n)
{
	while (n > 0) {
		struct tc_channel_head head = { .length = 0 };
		/* first the head, then as much as it says */
		size_t want = TC_CHANNEL_HEAD;
		if (p->out_n >= want) {
			promise(tc_channel_head_decode((struct tc_view){ p->out, want }, &head) ==
				0);
			want += head.length;
		}
		size_t part = want - p->out_n < n ? want - p->out_n : n;
		memcpy(p->out + p->out_n, bytes, part);
		p->out_n += part;
		bytes += part;
		n -= part;
		if (p->out_n < TC_CHANNEL_HEAD) {
			return;
		}
		promise(tc_channel_head_decode((struct tc_view){ p->out, TC_CHANNEL_HEAD },
					       &head) == 0);
		if (p->out_n == TC_CHANNEL_HEAD + head.length) {
			read_batch(&head,
				   (struct tc_view){ p->out + TC_CHANNEL_HEAD, head.length });
			p->heard[head.type]++;
			p->out_n = 0;
		}
	}
}

/* ---- answer/socket.h ---- */

const char *tc_socket_text(const struct tc_ip *ip, uint16_t port, char buf[TC_SOCKET_TEXT_MAX])
{
	(void)snprintf(buf, TC_SOCKET_TEXT_MAX, "10.0.0.%u:%u", ip->b[15], port);
	return buf;
}

const char *tc_socket_error(int err, char buf[TC_SOCKET_ERROR_MAX])
{
	(void)snprintf(buf, TC_SOCKET_ERROR_MAX, "error %d", err);
	return buf;
}

int tc_socket_listen(const struct tc_ip *ip, uint16_t port)
{
	(void)ip;
	(void)port;
	fake.listener = new_fd();
	return fake.listener;
}

uint16_t tc_socket_port(int fd)
{
	promise(fd >= 0);
	return TC_CHANNEL_PORT;
}

int tc_socket_accept(int listener, struct tc_ip *ret_ip, uint16_t *ret_port)
{
	promise(listener == fake.listener);
	fake.calls++;
	for (unsigned i = 0; i < FAKE_PEERS; i++) {
		struct fake_peer *p = &fake.peers[i];
		if (!p->waiting) {
			continue;
		}
		if (p->connected != 0) {
			p->waiting = false;
			return p->connected;
		}
		*ret_ip = tc_ip_from_v4((const uint8_t[]){ 10, 0, 0, p->address });
		*ret_port = (uint16_t)(50000 + i);
		return begin(p);
	}
	return -EAGAIN;
}

/* tcpcopy's end names a peer by the port that it connects to. */
int tc_socket_connect(const struct tc_ip *ip, uint16_t port)
{
	promise(port < FAKE_PEERS && tc_ip_is_v4(ip));
	struct fake_peer *p = &fake.peers[port];
	if (p->connected == -ENETUNREACH) {
		return p->connected;
	}
	return begin(p);
}

int tc_socket_is_connected(int fd, const struct tc_ip *ip, uint16_t port)
{
	(void)ip;
	promise(fake.peers[port].fd == fd);
	return fake.peers[port].connected;
}

/* ---- answer/tls.h ---- */

struct tc_tls {
	enum tc_tls_side side;
};

int tc_tls_new(enum tc_tls_side side, const struct tc_key *key, struct tc_tls **ret_tls,
	       char *ret_error)
{
	(void)key;
	(void)ret_error;
	struct tc_tls *tls = malloc(sizeof *tls);
	if (tls == NULL) {
		return -ENOMEM;
	}
	tls->side = side;
	fake.n_tls++;
	*ret_tls = tls;
	return 0;
}

void tc_tls_free(struct tc_tls *tls)
{
	fake.n_tls -= tls != NULL;
	free(tls);
}

static struct fake_peer *peer_of(const struct tc_tls_conn *c)
{
	for (unsigned i = 0; i < FAKE_PEERS; i++) {
		struct fake_peer *p = &fake.peers[i];
		if (p->fd == c->fd && p->tls == c) {
			promise(c->ssl != NULL);
			return p;
		}
	}
	abort();
}

int tc_tls_conn_open(struct tc_tls *tls, struct tc_tls_conn *c, int fd)
{
	*c = (struct tc_tls_conn){ .fd = fd };
	for (unsigned i = 0; i < FAKE_PEERS; i++) {
		if (fake.peers[i].fd == fd) {
			fake.peers[i].tls = c;
			c->ssl = (struct ssl_st *)(void *)tls; /* any pointer that is one */
			fake.n_tls++;
			return 0;
		}
	}
	abort();
}

void tc_tls_conn_close(struct tc_tls_conn *c)
{
	if (c->ssl == NULL) {
		return;
	}
	struct fake_peer *p = peer_of(c);
	p->tls = NULL;
	p->fd = -1;
	promise(close(c->fd) == 0);
	c->ssl = NULL;
	fake.n_tls--;
}

static int fail(struct tc_tls_conn *c, int err)
{
	(void)snprintf(c->why, sizeof c->why, "as the input says");
	return err;
}

int tc_tls_handshake(struct tc_tls_conn *c)
{
	struct fake_peer *p = peer_of(c);
	c->want_read = p->handshake == TC_TLS_E_AGAIN;
	c->want_write = false;
	if (p->handshake == 0) {
		c->key_state = p->key_state;
	}
	return p->handshake < 0 ? fail(c, p->handshake) : p->handshake;
}

int tc_tls_read(struct tc_tls_conn *c, uint8_t *buf, size_t n, size_t *ret_n)
{
	struct fake_peer *p = peer_of(c);
	fake.calls++;
	promise(n > 0);
	c->want_read = c->want_write = false;
	size_t left = p->in_tail - p->in_head;
	size_t part = left < n ? left : n;
	part = part < p->chunk ? part : p->chunk;
	if (part == 0) {
		c->want_read = true;
		return p->gone && left == 0 ? fail(c, -EPIPE) : TC_TLS_E_AGAIN;
	}
	memcpy(buf, p->in + p->in_head, part);
	p->in_head += part;
	*ret_n = part;
	return 0;
}

int tc_tls_write(struct tc_tls_conn *c, const uint8_t *buf, size_t n, size_t *ret_n)
{
	struct fake_peer *p = peer_of(c);
	fake.calls++;
	promise(n > 0 && n >= p->again_n && memcmp(p->again, buf, p->again_n) == 0);
	p->again_n = 0;
	c->want_read = c->want_write = false;
	if (p->gone) {
		return fail(c, -EPIPE);
	}
	size_t part = n < p->room ? n : p->room;
	if (part == 0) {
		p->again_n = n < FAKE_AGAIN_MAX ? n : FAKE_AGAIN_MAX;
		memcpy(p->again, buf, p->again_n);
		c->want_write = true;
		return TC_TLS_E_AGAIN;
	}
	hear(p, buf, part);
	p->room -= part;
	*ret_n = part;
	return 0;
}
