/* SPDX-License-Identifier: BSD-2-Clause
 * channel_world.h - the two ends of the channel on loopback, and a raw client that says whatever a test wants
 *
 * The sockets are real, the time is not: each step is a millisecond, and limits are passed by adding to it.
 */
#ifndef TC_UNIT_CHANNEL_WORLD_H
#define TC_UNIT_CHANNEL_WORLD_H

#include "answer/client.h"
#include "answer/link.h"
#include "answer/server.h"
#include "answer/socket.h"
#include "port/error.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define STEPS_MAX 3000
#define PEERS 3

struct world {
	struct tc_channel_server *server;
	struct tc_answers *client;
	tc_time now;
	uint16_t port;
	bool server_stopped;
	bool refuse_all;
	bool undecided; /* let those who said hello wait */
	/* what the server told */
	unsigned hellos;
	unsigned conn; /* of the last hello */
	struct tc_channel_hello hello;
	unsigned announced;
	unsigned disowned;
	struct tc_tuple tuple;
	unsigned closed;
	char closed_text[200];
};

static const uint8_t loopback[4] = { 127, 0, 0, 1 };

static inline struct tc_key key_of(uint8_t first)
{
	uint8_t secret[TC_KEY_LEN] = { first, 2, 3 };
	struct tc_key key;
	assert_int_equal(tc_key_set(secret, &key), 0);
	return key;
}

static inline void new_server(struct world *w, const struct tc_key *key, uint16_t port)
{
	struct tc_ip ip = tc_ip_from_v4(loopback);
	struct tc_channel_server_config cfg = {
		.ip = &ip, .port = port, .key = key, .software = "intercept test", .peers = PEERS
	};
	char error[TC_DRIVER_ERROR_MAX] = "";
	if (tc_channel_server_new(&cfg, &w->server, error) != 0) {
		fail_msg("%s", error);
	}
	w->port = tc_channel_server_port(w->server);
}

static inline struct tc_channel_hello hello_of(void)
{
	return (struct tc_channel_hello){ .instance = 77,
					  .mark_key = { 5, 6 },
					  .n_targets = 1,
					  .targets = { { tc_ip_from_v4(loopback), 80 } },
					  .software = "tcpcopy test" };
}

static inline struct tc_answers *new_client(const struct world *w, const struct tc_key *key)
{
	struct tc_channel_target at = { tc_ip_from_v4(loopback), w->port };
	struct tc_channel_hello hello = hello_of();
	struct tc_answers_client_config cfg = {
		.intercepts = &at, .n_intercepts = 1, .hello = &hello, .key = key
	};
	struct tc_answers *a;
	char error[TC_DRIVER_ERROR_MAX] = "";
	if (tc_answers_client_new(&cfg, &a, error) != 0) {
		fail_msg("%s", error);
	}
	return a;
}

static inline struct world make(const struct tc_key *server_key, const struct tc_key *client_key)
{
	struct world w = { .now = 1000 * TC_SEC };
	new_server(&w, server_key, 0);
	w.client = new_client(&w, client_key);
	return w;
}

static inline void end(struct world *w)
{
	if (w->client != NULL) {
		w->client->ops->free(w->client);
	}
	tc_channel_server_free(w->server);
}

static inline void on_event(struct world *w, const struct tc_server_event *ev)
{
	switch (ev->kind) {
	case TC_SERVER_HELLO:
		w->hellos++;
		w->conn = ev->conn;
		w->hello = ev->hello;
		if (w->undecided) {
			break;
		}
		if (w->refuse_all) {
			tc_channel_server_refuse(w->server, ev->conn, TC_CHANNEL_REFUSE_BUSY);
		} else {
			tc_channel_server_welcome(w->server, ev->conn);
		}
		break;
	case TC_SERVER_ANNOUNCE:
		w->announced++;
		w->tuple = ev->tuple;
		break;
	case TC_SERVER_DISOWN:
		w->disowned++;
		w->tuple = ev->tuple;
		break;
	case TC_SERVER_CLOSED:
		w->closed++;
		snprintf(w->closed_text, sizeof w->closed_text, "%s", ev->text);
		break;
	}
}

static inline void step_server(struct world *w)
{
	if (w->server == NULL || w->server_stopped) {
		return;
	}
	for (unsigned i = 0; i < tc_channel_server_slots(w->server); i++) {
		struct tc_wait wait;
		tc_channel_server_wait(w->server, i, &wait);
		tc_channel_server_on_ready(w->server, i, w->now);
	}
	struct tc_server_event ev;
	while (tc_channel_server_next(w->server, &ev)) {
		on_event(w, &ev);
	}
}

static inline void step(struct world *w)
{
	w->now += TC_MS;
	step_server(w);
	if (w->client != NULL) {
		struct tc_wait wait;
		w->client->ops->wait(w->client, 0, &wait);
		struct pollfd p = { .fd = wait.fd,
				    .events = (short)((wait.read ? POLLIN : 0) |
						      (wait.write ? POLLOUT : 0)) };
		poll(&p, 1, wait.deadline <= w->now ? 0 : 1);
		w->client->ops->on_ready(w->client, 0, w->now);
	}
}

static inline struct tc_answers_stats stats(struct world *w)
{
	struct tc_answers_stats s;
	w->client->ops->stats(w->client, &s);
	return s;
}

static inline struct tc_channel_server_stats server_stats(struct world *w)
{
	struct tc_channel_server_stats s;
	tc_channel_server_stats(w->server, &s);
	return s;
}

/* Steps until @cond; fails when it takes too long. */
#define UNTIL(w, cond)                                                                             \
	do {                                                                                       \
		unsigned steps_ = 0;                                                               \
		while (!(cond)) {                                                                  \
			step(w);                                                                   \
			if (++steps_ > STEPS_MAX) {                                                \
				fail_msg("never came: " #cond);                                    \
			}                                                                          \
		}                                                                                  \
	} while (0)

static inline bool is_up(struct world *w)
{
	return stats(w).up == 1;
}

static const char *text(struct world *w)
{
	return w->client->ops->text(w->client, 0);
}

static inline void assert_text(struct world *w, const char *part)
{
	if (strstr(text(w), part) == NULL) {
		fail_msg("'%s' does not say '%s'", text(w), part);
	}
}

static inline int next_event(struct world *w)
{
	struct tc_event ev;
	return w->client->ops->next_event(w->client, &ev) ? (int)ev.kind : -1;
}

static inline struct tc_answer answer_of(uint32_t seq)
{
	return (struct tc_answer){ .client = tc_ip_from_v4((uint8_t[]){ 10, 0, 0, 9 }),
				   .target = tc_ip_from_v4((uint8_t[]){ 10, 0, 0, 2 }),
				   .tcp = { .src_port = 80,
					    .dst_port = 5000,
					    .seq = tc_seq_of(seq),
					    .flags = TC_TCP_ACK },
				   .payload_len = 1,
				   .merged = 2 };
}

/* One batch of @count answers into @buf; numbers from @seq on. */
static inline size_t answers(uint8_t *buf, size_t n, uint16_t count, uint32_t seq)
{
	size_t length = 0;
	for (uint16_t i = 0; i < count; i++) {
		struct tc_answer a = answer_of(seq + i);
		size_t one = tc_channel_answer_encode(&a, buf + TC_CHANNEL_HEAD + length,
						      n - TC_CHANNEL_HEAD - length);
		assert_true(one > 0);
		length += one;
	}
	struct tc_channel_head head = { TC_CHANNEL_ANSWERS, TC_CHANNEL_VERSION, count,
					(uint32_t)length };
	tc_channel_head_encode(&head, buf);
	return TC_CHANNEL_HEAD + length;
}

static inline int dial(const struct world *w)
{
	struct tc_ip ip = tc_ip_from_v4(loopback);
	int fd = tc_socket_connect(&ip, w->port);
	assert_true(fd >= 0);
	return fd;
}

/* A client that speaks TLS, and then whatever the test wants. */
struct raw {
	struct tc_tls *tls;
	struct tc_link link;
};

static inline struct raw *raw_new(struct world *w, const struct tc_key *key)
{
	struct raw *r = calloc(1, sizeof *r);
	char error[TC_DRIVER_ERROR_MAX];
	assert_int_equal(tc_tls_new(TC_TLS_CLIENT, key, &r->tls, error), 0);
	assert_int_equal(tc_link_open(&r->link, r->tls, dial(w)), 0);
	UNTIL(w, tc_tls_handshake(&r->link.tls) == 0);
	return r;
}

static inline void raw_free(struct raw *r)
{
	tc_link_close(&r->link);
	tc_tls_free(r->tls);
	free(r);
}

static inline void raw_send(struct raw *r, const uint8_t *batch, size_t n)
{
	assert_true(tc_link_put(&r->link, batch, n));
	assert_int_equal(tc_link_flush(&r->link), 0);
}

static inline size_t hello_batch(uint8_t *buf, size_t n, uint64_t instance)
{
	struct tc_channel_hello hello = hello_of();
	hello.instance = instance;
	return tc_channel_hello_encode(&hello, buf, n);
}

/* The next batch's type; its body is the link's. */
static inline int raw_receive(struct world *w, struct raw *r, struct tc_view *body)
{
	struct tc_channel_head head;
	bool any = false;
	UNTIL(w, (tc_link_fill(&r->link, &any), tc_link_next(&r->link, &head, body) == 0));
	return head.type;
}

#endif
