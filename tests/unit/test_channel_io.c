/* SPDX-License-Identifier: BSD-2-Clause
 * test_channel_io.c - the two ends of the channel against each other, and against those who do not keep to the rules
 *
 * The sockets are real (loopback), the time is not: each step is a millisecond, and limits are passed by adding to it.
 *
 * Length: one short test for each behaviour of two ends that only make sense together, on one small world.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

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

static struct tc_key key_of(uint8_t first)
{
	uint8_t secret[TC_KEY_LEN] = { first, 2, 3 };
	struct tc_key key;
	assert_int_equal(tc_key_set(secret, &key), 0);
	return key;
}

static void new_server(struct world *w, const struct tc_key *key, uint16_t port)
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

static struct tc_channel_hello hello_of(void)
{
	return (struct tc_channel_hello){ .instance = 77,
					  .mark_key = { 5, 6 },
					  .n_targets = 1,
					  .targets = { { tc_ip_from_v4(loopback), 80 } },
					  .software = "tcpcopy test" };
}

static struct tc_answers *new_client(const struct world *w, const struct tc_key *key)
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

static struct world make(const struct tc_key *server_key, const struct tc_key *client_key)
{
	struct world w = { .now = 1000 * TC_SEC };
	new_server(&w, server_key, 0);
	w.client = new_client(&w, client_key);
	return w;
}

static void end(struct world *w)
{
	if (w->client != NULL) {
		w->client->ops->free(w->client);
	}
	tc_channel_server_free(w->server);
}

static void on_event(struct world *w, const struct tc_server_event *ev)
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

static void step_server(struct world *w)
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

static void step(struct world *w)
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

static struct tc_answers_stats stats(struct world *w)
{
	struct tc_answers_stats s;
	w->client->ops->stats(w->client, &s);
	return s;
}

static struct tc_channel_server_stats server_stats(struct world *w)
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

static bool is_up(struct world *w)
{
	return stats(w).up == 1;
}

static const char *text(struct world *w)
{
	return w->client->ops->text(w->client, 0);
}

static void assert_text(struct world *w, const char *part)
{
	if (strstr(text(w), part) == NULL) {
		fail_msg("'%s' does not say '%s'", text(w), part);
	}
}

static int next_event(struct world *w)
{
	struct tc_event ev;
	return w->client->ops->next_event(w->client, &ev) ? (int)ev.kind : -1;
}

static struct tc_answer answer_of(uint32_t seq)
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
static size_t answers(uint8_t *buf, size_t n, uint16_t count, uint32_t seq)
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

/* ---- greeting and keys ---- */

static void without_keys_a_tcpcopy_is_welcomed_and_told_that_nobody_is_authenticated(void **state)
{
	(void)state;
	struct world w = make(NULL, NULL);
	assert_int_equal(next_event(&w), -1);
	UNTIL(&w, is_up(&w));
	assert_int_equal(w.hellos, 1);
	struct tc_channel_hello hello = hello_of();
	assert_memory_equal(&w.hello, &hello, sizeof hello);
	assert_int_equal(next_event(&w), TC_EVENT_CHANNEL_UP);
	assert_int_equal(next_event(&w), -1);
	assert_text(&w, "connected to 127.0.0.1:");
	assert_text(&w, "intercept test");
	assert_text(&w, "not authenticated");
	assert_int_equal(stats(&w).connects, 1);
	assert_int_equal(stats(&w).configured, 1);
	assert_int_equal(server_stats(&w).up, 1);
	end(&w);
}

static void with_the_same_key_a_tcpcopy_is_welcomed(void **state)
{
	(void)state;
	struct tc_key key = key_of(1);
	struct world w = make(&key, &key);
	UNTIL(&w, is_up(&w));
	assert_text(&w, "with key");
	end(&w);
}

static void with_another_key_neither_side_goes_on_and_no_hello_is_sent(void **state)
{
	(void)state;
	struct tc_key one = key_of(1), other = key_of(2);
	struct world w = make(&one, &other);
	UNTIL(&w, stats(&w).refused > 0 && server_stats(&w).refused > 0 && w.closed > 0);
	assert_text(&w, "has another key, or none");
	assert_non_null(strstr(w.closed_text, "the keys differ"));
	assert_int_equal(w.hellos, 0);
	assert_int_equal(next_event(&w), -1);
	end(&w);
}

static void a_tcpcopy_without_the_key_is_refused_in_words(void **state)
{
	(void)state;
	struct tc_key key = key_of(1);
	struct world w = make(&key, NULL);
	UNTIL(&w, stats(&w).refused > 0);
	assert_text(&w, "refused by 127.0.0.1");
	assert_text(&w, "intercept has a key");
	UNTIL(&w, w.closed > 0);
	assert_non_null(strstr(w.closed_text, "intercept has a key"));
	assert_int_equal(w.hellos, 0);
	end(&w);
}

static void a_tcpcopy_with_a_key_tells_nothing_to_an_intercept_without_one(void **state)
{
	(void)state;
	struct tc_key key = key_of(1);
	struct world w = make(NULL, &key);
	UNTIL(&w, stats(&w).refused > 0);
	assert_text(&w, "has another key, or none");
	assert_int_equal(w.hellos, 0);
	/* and it does not give up */
	UNTIL(&w, stats(&w).refused > 1);
	end(&w);
}

static void a_refusal_of_the_program_arrives_in_words(void **state)
{
	(void)state;
	struct world w = make(NULL, NULL);
	w.refuse_all = true;
	UNTIL(&w, stats(&w).refused > 1);
	assert_text(&w, "serves other tcpcopies");
	assert_int_equal(stats(&w).up, 0);
	end(&w);
}

/* ---- what is told ---- */

static void answers_arrive_one_by_one_and_in_order(void **state)
{
	(void)state;
	struct world w = make(NULL, NULL);
	UNTIL(&w, is_up(&w));
	uint32_t seq = 0;
	struct tc_answer a;
	for (unsigned round = 0; round < 50; round++) {
		size_t room;
		uint8_t *p = tc_channel_server_room(w.server, w.conn, &room);
		assert_non_null(p);
		tc_channel_server_send(w.server, w.conn, answers(p, room, 400, round * 400));
		UNTIL(&w, w.client->ops->next(w.client, &a));
		do {
			assert_int_equal(a.tcp.seq.v, seq++);
		} while (seq < (round + 1) * 400 && w.client->ops->next(w.client, &a));
		UNTIL(&w, seq == (round + 1) * 400 || w.client->ops->next(w.client, &a));
	}
	assert_false(w.client->ops->next(w.client, &a));
	struct tc_answer expected = answer_of(seq - 1);
	assert_memory_equal(&a.client, &expected.client, sizeof a.client);
	assert_memory_equal(&a.target, &expected.target, sizeof a.target);
	assert_int_equal(stats(&w).answers, 20000);
	assert_int_equal(stats(&w).merged, 40000);
	end(&w);
}

static void announcements_and_disownments_arrive(void **state)
{
	(void)state;
	struct world w = make(NULL, NULL);
	struct tc_tuple t = { .client = tc_ip_from_v4(loopback),
			      .client_port = 5,
			      .server_port = 6 };
	assert_int_equal(w.client->ops->announce(w.client, &t), 0); /* nobody is there to be told */
	UNTIL(&w, is_up(&w));
	assert_int_equal(w.client->ops->announce(w.client, &t), 0);
	t.client_port = 7;
	assert_int_equal(w.client->ops->disown(w.client, &t), 0);
	struct tc_wait wait;
	w.client->ops->wait(w.client, 0, &wait);
	assert_true(wait.write);
	UNTIL(&w, w.disowned == 1);
	assert_int_equal(w.announced, 1);
	assert_memory_equal(&w.tuple, &t, sizeof t);
	end(&w);
}

static void a_full_buffer_refuses_further_announcements(void **state)
{
	(void)state;
	struct world w = make(NULL, NULL);
	UNTIL(&w, is_up(&w));
	struct tc_tuple t = { .client_port = 5 };
	unsigned n = 0;
	while (w.client->ops->announce(w.client, &t) == 0) {
		n++;
	}
	assert_int_equal(w.client->ops->announce(w.client, &t), -ENOBUFS);
	assert_true(n > 100);
	UNTIL(&w, w.announced == n);
	assert_int_equal(w.client->ops->announce(w.client, &t), 0);
	end(&w);
}

static void what_intercept_knows_comes_back_as_an_event(void **state)
{
	(void)state;
	struct world w = make(NULL, NULL);
	UNTIL(&w, is_up(&w));
	assert_int_equal(next_event(&w), TC_EVENT_CHANNEL_UP);
	struct tc_tuple t = { .client_port = 5, .server_port = 6 };
	uint8_t batch[TC_CHANNEL_HEAD + TC_CHANNEL_TUPLE_LEN];
	struct tc_channel_head head = { TC_CHANNEL_ANNOUNCED, TC_CHANNEL_VERSION, 1,
					TC_CHANNEL_TUPLE_LEN };
	tc_channel_head_encode(&head, batch);
	tc_channel_tuple_encode(&t, batch + TC_CHANNEL_HEAD, TC_CHANNEL_TUPLE_LEN);
	assert_true(tc_channel_server_put(w.server, w.conn, batch, sizeof batch));
	struct tc_event ev;
	UNTIL(&w, w.client->ops->next_event(w.client, &ev));
	assert_int_equal(ev.kind, TC_EVENT_ANNOUNCED);
	assert_memory_equal(&ev.tuple, &t, sizeof t);
	end(&w);
}

static void statistics_of_intercept_are_summed_over_its_lives(void **state)
{
	(void)state;
	struct world w = make(NULL, NULL);
	UNTIL(&w, is_up(&w));
	uint8_t batch[64];
	const struct tc_channel_stats lives[] = { { 100, 3, 90, 7 },
						  { 150, 4, 140, 8 },
						  { 10, 1, 9, 1 } };
	const uint64_t pkts[] = { 100, 150, 160 };
	for (unsigned i = 0; i < 3; i++) {
		size_t n = tc_channel_stats_encode(&lives[i], batch, sizeof batch);
		assert_true(tc_channel_server_put(w.server, w.conn, batch, n));
		UNTIL(&w, stats(&w).peer_pkts == pkts[i]);
	}
	assert_int_equal(stats(&w).peer_drops, 5);
	assert_int_equal(stats(&w).peer_stray, 9);
	end(&w);
}

/* ---- life and death ---- */

static void pings_keep_an_idle_channel_alive(void **state)
{
	(void)state;
	struct world w = make(NULL, NULL);
	UNTIL(&w, is_up(&w));
	for (unsigned i = 0; i < 100; i++) {
		w.now += TC_SEC;
		for (unsigned k = 0; k < 4; k++) {
			step(&w);
		}
	}
	assert_true(is_up(&w));
	assert_int_equal(stats(&w).connects, 1);
	assert_int_equal(w.closed, 0);
	end(&w);
}

static void an_intercept_that_hangs_is_given_up_within_six_seconds(void **state)
{
	(void)state;
	struct world w = make(NULL, NULL);
	UNTIL(&w, is_up(&w));
	w.server_stopped = true;
	tc_time hung = w.now;
	while (is_up(&w)) {
		w.now += 100 * TC_MS;
		step(&w);
		assert_true(w.now - hung < 6 * TC_SEC);
	}
	assert_text(&w, "does not answer any more");
	assert_int_equal(next_event(&w), TC_EVENT_CHANNEL_DOWN);
	/* it is connected again by the kernel, but nobody greets */
	UNTIL(&w, strstr(text(&w), "no greeting") != NULL || (w.now += 100 * TC_MS, false));
	w.server_stopped = false;
	UNTIL(&w, is_up(&w));
	end(&w);
}

static void a_tcpcopy_that_was_stopped_for_a_minute_does_not_blame_the_other_side(void **state)
{
	(void)state;
	struct world w = make(NULL, NULL);
	UNTIL(&w, is_up(&w));
	w.now += 10 * TC_SEC;
	w.client->ops->on_ready(w.client, 0, w.now);
	assert_true(is_up(&w));
	end(&w);
}

static void a_tcpcopy_that_hangs_is_dropped(void **state)
{
	(void)state;
	struct world w = make(NULL, NULL);
	UNTIL(&w, is_up(&w));
	w.now += 16 * TC_SEC;
	step_server(&w);
	assert_int_equal(w.closed, 1);
	assert_int_equal(server_stats(&w).up, 0);
	end(&w);
}

static void a_channel_comes_back_after_a_restart_of_intercept(void **state)
{
	(void)state;
	struct world w = make(NULL, NULL);
	UNTIL(&w, is_up(&w));
	assert_int_equal(next_event(&w), TC_EVENT_CHANNEL_UP);
	uint16_t port = w.port;
	/* its last words are still heard */
	size_t room;
	uint8_t *p = tc_channel_server_room(w.server, w.conn, &room);
	tc_channel_server_send(w.server, w.conn, answers(p, room, 3, 0));
	tc_channel_server_free(w.server);
	w.server = NULL;
	unsigned n = 0;
	struct tc_answer a;
	UNTIL(&w, (n += w.client->ops->next(w.client, &a)) == 3);
	UNTIL(&w, !is_up(&w));
	assert_int_equal(next_event(&w), TC_EVENT_CHANNEL_DOWN);
	UNTIL(&w, strstr(text(&w), "connection refused") != NULL);
	tc_time refused = w.now;
	new_server(&w, NULL, port);
	UNTIL(&w, is_up(&w));
	assert_true(w.now - refused < 2 * TC_SEC);
	assert_int_equal(next_event(&w), TC_EVENT_CHANNEL_UP);
	assert_int_equal(stats(&w).connects, 2);
	assert_int_equal(stats(&w).disconnects, 1);
	end(&w);
}

static void retries_are_never_more_than_ten_a_second_nor_less_than_one(void **state)
{
	(void)state;
	struct world w = make(NULL, NULL);
	tc_channel_server_free(w.server);
	w.server = NULL;
	tc_time last = 0;
	unsigned tries = 0;
	for (tc_time until = w.now + 20 * TC_SEC; w.now < until; w.now += 5 * TC_MS) {
		struct tc_wait wait;
		w.client->ops->wait(w.client, 0, &wait);
		if (wait.fd < 0 && wait.deadline <= w.now) {
			assert_true(tries == 0 || w.now - last >= 95 * TC_MS);
			assert_true(tries == 0 || w.now - last <= 1100 * TC_MS);
			last = w.now;
			tries++;
		}
		w.client->ops->on_ready(w.client, 0, w.now);
	}
	assert_in_range(tries, 19, 30);
	end(&w);
}

/* ---- those who do not keep to the rules ---- */

static int dial(const struct world *w)
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

static struct raw *raw_new(struct world *w, const struct tc_key *key)
{
	struct raw *r = calloc(1, sizeof *r);
	char error[TC_DRIVER_ERROR_MAX];
	assert_int_equal(tc_tls_new(TC_TLS_CLIENT, key, &r->tls, error), 0);
	assert_int_equal(tc_link_open(&r->link, r->tls, dial(w)), 0);
	UNTIL(w, tc_tls_handshake(&r->link.tls) == 0);
	return r;
}

static void raw_free(struct raw *r)
{
	tc_link_close(&r->link);
	tc_tls_free(r->tls);
	free(r);
}

static void raw_send(struct raw *r, const uint8_t *batch, size_t n)
{
	assert_true(tc_link_put(&r->link, batch, n));
	assert_int_equal(tc_link_flush(&r->link), 0);
}

static size_t hello_batch(uint8_t *buf, size_t n, uint64_t instance)
{
	struct tc_channel_hello hello = hello_of();
	hello.instance = instance;
	return tc_channel_hello_encode(&hello, buf, n);
}

/* The next batch's type; its body is the link's. */
static int raw_receive(struct world *w, struct raw *r, struct tc_view *body)
{
	struct tc_channel_head head;
	bool any = false;
	UNTIL(w, (tc_link_fill(&r->link, &any), tc_link_next(&r->link, &head, body) == 0));
	return head.type;
}

static void a_hello_of_another_version_is_refused_in_words(void **state)
{
	(void)state;
	struct world w = make(NULL, NULL);
	struct raw *r = raw_new(&w, NULL);
	uint8_t buf[2000];
	size_t n = hello_batch(buf, sizeof buf, 1);
	buf[1] = TC_CHANNEL_VERSION + 1;
	raw_send(r, buf, n);
	struct tc_view body;
	struct tc_channel_refuse refuse;
	assert_int_equal(raw_receive(&w, r, &body), TC_CHANNEL_REFUSE);
	assert_int_equal(tc_channel_refuse_decode(body, &refuse), 0);
	assert_int_equal(refuse.code, TC_CHANNEL_REFUSE_VERSION);
	assert_non_null(strstr(refuse.text, "version"));
	raw_free(r);
	end(&w);
}

static void a_first_batch_that_is_no_hello_is_refused(void **state)
{
	(void)state;
	static const struct tc_channel_head heads[] = {
		{ TC_CHANNEL_PING, TC_CHANNEL_VERSION, 1, 8 },
		{ TC_CHANNEL_HELLO, TC_CHANNEL_VERSION, 1, 8 },
		{ TC_CHANNEL_HELLO, TC_CHANNEL_VERSION, 2, 8 },
		{ TC_CHANNEL_HELLO, TC_CHANNEL_VERSION, 1, TC_CHANNEL_BODY_MAX + 1 },
	};
	struct world w = make(NULL, NULL);
	for (unsigned i = 0; i < 4; i++) {
		struct raw *r = raw_new(&w, NULL);
		uint8_t buf[TC_CHANNEL_HEAD + 8] = { 0 };
		tc_channel_head_encode(&heads[i], buf);
		raw_send(r, buf, sizeof buf);
		struct tc_view body;
		struct tc_channel_refuse refuse;
		assert_int_equal(raw_receive(&w, r, &body), TC_CHANNEL_REFUSE);
		assert_int_equal(tc_channel_refuse_decode(body, &refuse), 0);
		assert_int_equal(refuse.code, TC_CHANNEL_REFUSE_MALFORMED);
		raw_free(r);
	}
	end(&w);
}

static void a_peer_whose_batch_contradicts_itself_is_dropped_and_others_are_not(void **state)
{
	(void)state;
	static const struct tc_channel_head heads[] = {
		{ TC_CHANNEL_ANNOUNCE, TC_CHANNEL_VERSION, 2, TC_CHANNEL_TUPLE_LEN },
		{ TC_CHANNEL_ANNOUNCE, TC_CHANNEL_VERSION, 0, TC_CHANNEL_TUPLE_LEN },
		{ TC_CHANNEL_DISOWN, TC_CHANNEL_VERSION, 1, TC_CHANNEL_TUPLE_LEN - 1 },
		{ TC_CHANNEL_DISOWN, TC_CHANNEL_VERSION + 1, 1, TC_CHANNEL_TUPLE_LEN },
		{ TC_CHANNEL_PING, TC_CHANNEL_VERSION, 1, 7 },
		{ TC_CHANNEL_PING, TC_CHANNEL_VERSION, 1, UINT32_MAX },
	};
	struct world w = make(NULL, NULL);
	UNTIL(&w, is_up(&w));
	for (unsigned i = 0; i < sizeof heads / sizeof heads[0]; i++) {
		struct raw *r = raw_new(&w, NULL);
		uint8_t buf[2000] = { 0 };
		raw_send(r, buf, hello_batch(buf, sizeof buf, 100 + i));
		struct tc_view body;
		assert_int_equal(raw_receive(&w, r, &body), TC_CHANNEL_WELCOME);
		memset(buf, 0, sizeof buf);
		tc_channel_head_encode(&heads[i], buf);
		raw_send(r, buf, TC_CHANNEL_HEAD + TC_CHANNEL_TUPLE_LEN);
		UNTIL(&w, server_stats(&w).malformed == i + 1);
		raw_free(r);
	}
	assert_int_equal(server_stats(&w).up, 1);
	assert_true(is_up(&w));
	assert_int_equal(stats(&w).connects, 1);
	end(&w);
}

static void a_batch_of_an_unknown_type_is_skipped_by_both_sides(void **state)
{
	(void)state;
	struct world w = make(NULL, NULL);
	UNTIL(&w, is_up(&w));
	uint8_t buf[TC_CHANNEL_HEAD + 5] = { 0 };
	struct tc_channel_head head = { 200, TC_CHANNEL_VERSION, 3, 5 };
	tc_channel_head_encode(&head, buf);
	assert_true(tc_channel_server_put(w.server, w.conn, buf, sizeof buf));
	size_t room;
	uint8_t *p = tc_channel_server_room(w.server, w.conn, &room);
	tc_channel_server_send(w.server, w.conn, answers(p, room, 1, 0));
	struct tc_answer a;
	UNTIL(&w, w.client->ops->next(w.client, &a));

	struct raw *r = raw_new(&w, NULL);
	uint8_t hello[2000];
	raw_send(r, hello, hello_batch(hello, sizeof hello, 5));
	raw_send(r, buf, sizeof buf);
	uint8_t ping[TC_CHANNEL_HEAD + 8];
	raw_send(r, ping, tc_channel_ping_encode(TC_CHANNEL_PING, 42, ping, sizeof ping));
	struct tc_view body;
	assert_int_equal(raw_receive(&w, r, &body), TC_CHANNEL_WELCOME);
	assert_int_equal(raw_receive(&w, r, &body), TC_CHANNEL_PONG);
	uint64_t token;
	assert_int_equal(tc_channel_ping_decode(body, &token), 0);
	assert_int_equal(token, 42);
	raw_free(r);
	end(&w);
}

static void
an_intercept_whose_batch_contradicts_itself_is_given_up_and_connected_again(void **state)
{
	(void)state;
	/* count and length of an ANSWERS batch that really holds two records */
	static const struct {
		int count, length;
		uint8_t version;
	} cases[] = { { 1, 0, 1 }, { 3, 0, 1 }, { 0, 0, 1 }, { 2, -1, 1 }, { 2, 0, 2 } };
	struct world w = make(NULL, NULL);
	for (unsigned i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		UNTIL(&w, is_up(&w));
		uint8_t buf[512];
		size_t n = answers(buf, sizeof buf, 2, 0);
		struct tc_channel_head head = {
			TC_CHANNEL_ANSWERS, cases[i].version, (uint16_t)cases[i].count,
			(uint32_t)((int)(n - TC_CHANNEL_HEAD) + cases[i].length)
		};
		tc_channel_head_encode(&head, buf);
		assert_true(tc_channel_server_put(w.server, w.conn, buf, n));
		struct tc_answer a;
		UNTIL(&w, w.client->ops->next(w.client, &a) ? false : stats(&w).malformed == i + 1);
		assert_text(&w, "contradicts itself");
	}
	UNTIL(&w, is_up(&w));
	end(&w);
}

static void what_listens_there_may_be_no_intercept(void **state)
{
	(void)state;
	struct world w = { .now = 1000 * TC_SEC };
	struct tc_ip ip = tc_ip_from_v4(loopback);
	int listener = tc_socket_listen(&ip, 0);
	assert_true(listener >= 0);
	w.port = tc_socket_port(listener);
	w.client = new_client(&w, NULL);
	uint16_t from;
	int fd = -1;
	UNTIL(&w, (fd = tc_socket_accept(listener, &ip, &from)) >= 0);
	assert_int_equal(write(fd, "HTTP/1.1 400 Bad Request\r\n\r\n", 28), 28);
	UNTIL(&w, strstr(text(&w), "may be no intercept") != NULL);
	close(fd);
	/* one that says nothing */
	UNTIL(&w, (fd = tc_socket_accept(listener, &ip, &from)) >= 0);
	w.now += 6 * TC_SEC;
	step(&w);
	assert_text(&w, "no greeting");
	close(fd);
	close(listener);
	w.client->ops->free(w.client);
}

static void strangers_disturb_nobody_and_do_not_stay(void **state)
{
	(void)state;
	struct world w = make(NULL, NULL);
	UNTIL(&w, is_up(&w));

	static const uint8_t half_hello[] = {
		0x16, 0x03, 0x01, 0x02, 0x00, 0x01, 0x00, 0x01, 0xfc
	};
	static uint8_t garbage[20000];
	for (size_t i = 0; i < sizeof garbage; i++) {
		garbage[i] = (uint8_t)(i * 31 + 7);
	}
	int three = dial(&w), half = dial(&w), noise = dial(&w);
	for (unsigned i = 0; i < 20; i++) {
		step(&w);
	}
	assert_int_equal(write(three, "abc", 3), 3);
	assert_int_equal(write(half, half_hello, sizeof half_hello), sizeof half_hello);
	assert_true(send(noise, garbage, sizeof garbage, MSG_NOSIGNAL) > 0);
	UNTIL(&w, w.closed == 1); /* the noise */
	assert_non_null(strstr(w.closed_text, "TLS failed"));
	assert_int_equal(server_stats(&w).strangers_ended, 1);

	/* the peer goes on, and a new one gets in beside them */
	size_t room;
	uint8_t *p = tc_channel_server_room(w.server, w.conn, &room);
	tc_channel_server_send(w.server, w.conn, answers(p, room, 5, 0));
	struct tc_answer a;
	UNTIL(&w, w.client->ops->next(w.client, &a));
	struct raw *r = raw_new(&w, NULL);
	uint8_t hello[2000];
	raw_send(r, hello, hello_batch(hello, sizeof hello, 5));
	struct tc_view body;
	assert_int_equal(raw_receive(&w, r, &body), TC_CHANNEL_WELCOME);
	assert_int_equal(server_stats(&w).up, 2);

	w.now += 3 * TC_SEC;
	UNTIL(&w, server_stats(&w).strangers_ended == 3);
	assert_int_equal(server_stats(&w).up, 2);
	raw_free(r);
	close(three);
	close(half);
	close(noise);
	end(&w);
}

static void hundreds_of_idle_connections_do_not_keep_a_tcpcopy_out(void **state)
{
	(void)state;
	enum { MANY = 400 };
	static int fds[MANY];
	struct world w = make(NULL, NULL);
	for (unsigned i = 0; i < MANY; i++) {
		fds[i] = dial(&w);
		step_server(&w);
		w.now += 20 * TC_MS;
	}
	UNTIL(&w, is_up(&w));
	assert_true(server_stats(&w).turned_away > MANY / 2);
	for (unsigned i = 0; i < MANY; i++) {
		close(fds[i]);
	}
	assert_int_equal(stats(&w).connects, 1);
	end(&w);
}

static void a_peer_that_does_not_read_only_stops_itself(void **state)
{
	(void)state;
	struct world w = make(NULL, NULL);
	UNTIL(&w, is_up(&w));
	unsigned reader = w.conn;
	struct raw *r = raw_new(&w, NULL);
	uint8_t hello[2000];
	raw_send(r, hello, hello_batch(hello, sizeof hello, 5));
	UNTIL(&w, w.hellos == 2);
	unsigned slow = w.conn;

	size_t room;
	uint8_t *p;
	unsigned batches = 0;
	struct tc_answer a;
	unsigned read = 0;
	while ((p = tc_channel_server_room(w.server, slow, &room)) != NULL) {
		tc_channel_server_send(w.server, slow, answers(p, room, 400, 0));
		assert_true(++batches < 5000);
		p = tc_channel_server_room(w.server, reader, &room);
		if (p != NULL) {
			tc_channel_server_send(w.server, reader, answers(p, room, 4, 0));
		}
		step(&w);
		while (w.client->ops->next(w.client, &a)) {
			read++;
		}
	}
	assert_true(read > 4);
	/* nothing more is taken for it, small or large */
	uint8_t stats_batch[64];
	struct tc_channel_stats s = { 0 };
	size_t n = tc_channel_stats_encode(&s, stats_batch, sizeof stats_batch);
	for (unsigned i = 0; i < 3000 && tc_channel_server_put(w.server, slow, stats_batch, n);
	     i++) {
		assert_true(i < 2999);
	}
	p = tc_channel_server_room(w.server, reader, &room);
	assert_non_null(p);
	tc_channel_server_send(w.server, reader, answers(p, room, 1, 0));
	UNTIL(&w, w.client->ops->next(w.client, &a));
	/* when it reads again it goes on */
	bool any = false;
	UNTIL(&w, (tc_link_discard(&r->link), tc_link_fill(&r->link, &any) == 0) &&
			  tc_channel_server_room(w.server, slow, &room) != NULL);
	raw_free(r);
	end(&w);
}

static void
there_are_places_for_so_many_peers_and_one_that_is_dropped_leaves_its_place(void **state)
{
	(void)state;
	struct world w = make(NULL, NULL);
	UNTIL(&w, is_up(&w));
	struct raw *raws[PEERS];
	struct tc_view body;
	uint8_t hello[2000];
	for (unsigned i = 0; i < PEERS - 1; i++) {
		raws[i] = raw_new(&w, NULL);
		raw_send(raws[i], hello, hello_batch(hello, sizeof hello, 5 + i));
		assert_int_equal(raw_receive(&w, raws[i], &body), TC_CHANNEL_WELCOME);
	}
	assert_int_equal(server_stats(&w).up, PEERS);
	tc_channel_server_drop(w.server, w.conn, "replaced");
	UNTIL(&w, w.closed == 1);
	assert_string_equal(w.closed_text, "replaced");
	assert_int_equal(server_stats(&w).up, PEERS - 1);
	for (unsigned i = 0; i < PEERS - 1; i++) {
		raw_free(raws[i]);
	}
	end(&w);
}

static void a_hello_may_wait_for_its_answer_and_its_sender_may_go_meanwhile(void **state)
{
	(void)state;
	struct world w = make(NULL, NULL);
	w.undecided = true;
	UNTIL(&w, w.hellos == 1);
	for (unsigned i = 0; i < 500; i++) {
		step(&w);
	}
	assert_int_equal(w.closed, 0);
	tc_channel_server_welcome(w.server, w.conn);
	UNTIL(&w, is_up(&w));

	struct raw *r = raw_new(&w, NULL);
	uint8_t hello[2000];
	raw_send(r, hello, hello_batch(hello, sizeof hello, 5));
	UNTIL(&w, w.hellos == 2);
	raw_free(r);
	UNTIL(&w, w.closed == 1);
	assert_int_equal(server_stats(&w).up, 1);

	r = raw_new(&w, NULL);
	raw_send(r, hello, hello_batch(hello, sizeof hello, 5));
	UNTIL(&w, w.hellos == 3);
	tc_channel_server_drop(w.server, w.conn, "replaced");
	UNTIL(&w, w.closed == 2);
	assert_string_equal(w.closed_text, "replaced");
	raw_free(r);
	end(&w);
}

static void batches_that_come_in_single_bytes_are_put_together(void **state)
{
	(void)state;
	struct world w = make(NULL, NULL);
	struct raw *r = raw_new(&w, NULL);
	uint8_t buf[2000];
	size_t n = hello_batch(buf, sizeof buf, 5);
	for (size_t i = 0; i < n; i++) {
		raw_send(r, buf + i, 1);
		if (i % 16 == 0) {
			step(&w);
		}
	}
	struct tc_view body;
	assert_int_equal(raw_receive(&w, r, &body), TC_CHANNEL_WELCOME);
	raw_free(r);
	end(&w);
}

static void a_port_that_is_taken_is_said_with_its_remedy(void **state)
{
	(void)state;
	struct world w = make(NULL, NULL);
	struct tc_ip ip = tc_ip_from_v4(loopback);
	struct tc_channel_server_config cfg = {
		.ip = &ip, .port = w.port, .software = "", .peers = 1
	};
	struct tc_channel_server *second = NULL;
	char error[TC_DRIVER_ERROR_MAX] = "";
	assert_int_equal(tc_channel_server_new(&cfg, &second, error), -EADDRINUSE);
	assert_non_null(strstr(error, "another program does"));
	assert_non_null(strstr(error, "-p"));
	assert_null(second);
	end(&w);
}

static void all_addresses_of_both_families_are_listened_on(void **state)
{
	(void)state;
	int listener = tc_socket_listen(NULL, 0);
	assert_true(listener >= 0);
	struct tc_ip v4 = tc_ip_from_v4(loopback), v6, from;
	assert_int_equal(tc_ip_parse("::1", &v6), 0);
	const struct tc_ip *ips[] = { &v4, &v6 };
	for (unsigned i = 0; i < 2; i++) {
		int fd = tc_socket_connect(ips[i], tc_socket_port(listener));
		if (fd == -EADDRNOTAVAIL || fd == -EAFNOSUPPORT) {
			continue; /* no IPv6 here */
		}
		struct pollfd p = { .fd = listener, .events = POLLIN };
		assert_int_equal(poll(&p, 1, 1000), 1);
		uint16_t port;
		int accepted = tc_socket_accept(listener, &from, &port);
		assert_true(accepted >= 0);
		assert_true(tc_ip_eq(&from, ips[i]));
		close(accepted);
		close(fd);
	}
	close(listener);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			without_keys_a_tcpcopy_is_welcomed_and_told_that_nobody_is_authenticated),
		cmocka_unit_test(with_the_same_key_a_tcpcopy_is_welcomed),
		cmocka_unit_test(with_another_key_neither_side_goes_on_and_no_hello_is_sent),
		cmocka_unit_test(a_tcpcopy_without_the_key_is_refused_in_words),
		cmocka_unit_test(a_tcpcopy_with_a_key_tells_nothing_to_an_intercept_without_one),
		cmocka_unit_test(a_refusal_of_the_program_arrives_in_words),
		cmocka_unit_test(answers_arrive_one_by_one_and_in_order),
		cmocka_unit_test(announcements_and_disownments_arrive),
		cmocka_unit_test(a_full_buffer_refuses_further_announcements),
		cmocka_unit_test(what_intercept_knows_comes_back_as_an_event),
		cmocka_unit_test(statistics_of_intercept_are_summed_over_its_lives),
		cmocka_unit_test(pings_keep_an_idle_channel_alive),
		cmocka_unit_test(an_intercept_that_hangs_is_given_up_within_six_seconds),
		cmocka_unit_test(
			a_tcpcopy_that_was_stopped_for_a_minute_does_not_blame_the_other_side),
		cmocka_unit_test(a_tcpcopy_that_hangs_is_dropped),
		cmocka_unit_test(a_channel_comes_back_after_a_restart_of_intercept),
		cmocka_unit_test(retries_are_never_more_than_ten_a_second_nor_less_than_one),
		cmocka_unit_test(a_hello_of_another_version_is_refused_in_words),
		cmocka_unit_test(a_first_batch_that_is_no_hello_is_refused),
		cmocka_unit_test(
			a_peer_whose_batch_contradicts_itself_is_dropped_and_others_are_not),
		cmocka_unit_test(a_batch_of_an_unknown_type_is_skipped_by_both_sides),
		cmocka_unit_test(
			an_intercept_whose_batch_contradicts_itself_is_given_up_and_connected_again),
		cmocka_unit_test(what_listens_there_may_be_no_intercept),
		cmocka_unit_test(strangers_disturb_nobody_and_do_not_stay),
		cmocka_unit_test(hundreds_of_idle_connections_do_not_keep_a_tcpcopy_out),
		cmocka_unit_test(a_peer_that_does_not_read_only_stops_itself),
		cmocka_unit_test(
			there_are_places_for_so_many_peers_and_one_that_is_dropped_leaves_its_place),
		cmocka_unit_test(a_hello_may_wait_for_its_answer_and_its_sender_may_go_meanwhile),
		cmocka_unit_test(batches_that_come_in_single_bytes_are_put_together),
		cmocka_unit_test(a_port_that_is_taken_is_said_with_its_remedy),
		cmocka_unit_test(all_addresses_of_both_families_are_listened_on),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
