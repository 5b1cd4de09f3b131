/* SPDX-License-Identifier: BSD-2-Clause
 * test_channel_strangers.c - the channel against those who do not keep to its rules: no effect on anyone else, and counted
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "unit/channel_world.h"

#include <errno.h>
#include <openssl/ssl.h>
#include <unistd.h>

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

static void a_refusal_of_a_later_version_is_read_in_its_words(void **state)
{
	(void)state;
	struct world w = { .now = 1000 * TC_SEC };
	struct tc_ip ip = tc_ip_from_v4(loopback);
	int listener = tc_socket_listen(&ip, 0), fd = -1;
	uint16_t from;
	char error[TC_DRIVER_ERROR_MAX];
	struct raw *later = calloc(1, sizeof *later);
	w.port = tc_socket_port(listener);
	w.client = new_client(&w, NULL);
	assert_int_equal(tc_tls_new(TC_TLS_SERVER, NULL, &later->tls, error), 0);
	UNTIL(&w, (fd = tc_socket_accept(listener, &ip, &from)) >= 0);
	assert_int_equal(tc_link_open(&later->link, later->tls, fd), 0);
	UNTIL(&w, tc_tls_handshake(&later->link.tls) == 0);
	struct tc_view body;
	assert_int_equal(raw_receive(&w, later, &body), TC_CHANNEL_HELLO);
	struct tc_channel_refuse refuse = { .code = 77, .text = "wants a newer tcpcopy" };
	uint8_t batch[TC_CHANNEL_HEAD + 4 + TC_CHANNEL_TEXT_MAX];
	size_t n = tc_channel_refuse_encode(&refuse, batch, sizeof batch);
	batch[1] = TC_CHANNEL_VERSION + 1;
	raw_send(later, batch, n);
	UNTIL(&w, stats(&w).refused == 1);
	assert_text(&w, "wants a newer tcpcopy");
	raw_free(later);
	close(listener);
	w.client->ops->free(w.client);
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

static void tls_older_than_1_3_is_not_spoken(void **state)
{
	(void)state;
	struct world w = make(NULL, NULL);
	UNTIL(&w, is_up(&w));
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
	assert_int_equal(SSL_CTX_set_max_proto_version(ctx, TLS1_2_VERSION), 1);
	SSL *ssl = SSL_new(ctx);
	int fd = dial(&w);
	assert_int_equal(SSL_set_fd(ssl, fd), 1);
	UNTIL(&w, w.closed == 1 || SSL_connect(ssl) == 1);
	assert_int_equal(w.closed, 1);
	assert_non_null(strstr(w.closed_text, "unsupported protocol"));
	assert_int_equal(server_stats(&w).strangers_ended, 1);
	assert_int_equal(server_stats(&w).up, 1);
	SSL_free(ssl);
	SSL_CTX_free(ctx);
	close(fd);
	end(&w);
}

/* ---- a hello that was overheard ---- */

/* A client of TLS on a wire that somebody listens to. */
struct tapped {
	struct tc_tls *tls;
	struct tc_link link;
	int inner; /* its end of the wire */
	int outer; /* the server's */
	uint8_t said[8192];
	size_t n;
};

static void tap_turn(struct tapped *t)
{
	uint8_t buf[4096];
	if (tc_tls_handshake(&t->link.tls) == 0) {
		assert_int_equal(tc_link_flush(&t->link), 0);
	}
	ssize_t n = read(t->inner, t->said + t->n, sizeof t->said - t->n);
	if (n > 0) {
		assert_int_equal(write(t->outer, t->said + t->n, (size_t)n), n);
		t->n += (size_t)n;
	}
	n = read(t->outer, buf, sizeof buf);
	assert_true(n <= 0 || write(t->inner, buf, (size_t)n) == n);
}

/* All that a client of @key says up to its hello, which the server takes. */
static struct tapped *overhear(struct world *w, const struct tc_key *key)
{
	struct tapped *t = calloc(1, sizeof *t);
	int fds[2];
	char error[TC_DRIVER_ERROR_MAX];
	uint8_t hello[2000];
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
	assert_int_equal(tc_tls_new(TC_TLS_CLIENT, key, &t->tls, error), 0);
	assert_int_equal(tc_link_open(&t->link, t->tls, fds[0]), 0);
	assert_true(tc_link_put(&t->link, hello, hello_batch(hello, sizeof hello, 5)));
	t->inner = fds[1];
	t->outer = dial(w);
	unsigned before = w->hellos;
	UNTIL(w, (tap_turn(t), w->hellos == before + 1));
	tc_link_close(&t->link);
	tc_tls_free(t->tls);
	close(t->inner);
	close(t->outer);
	return t;
}

static void a_hello_that_was_overheard_and_is_said_again_is_none(void **state)
{
	(void)state;
	struct tc_key key = key_of(1);
	const struct tc_key *keys[] = { NULL, &key };
	for (unsigned i = 0; i < 2; i++) {
		struct world w = make(keys[i], keys[i]);
		UNTIL(&w, is_up(&w));
		struct tapped *t = overhear(&w, keys[i]);
		UNTIL(&w, w.closed == 1); /* the one that was overheard has gone */
		unsigned hellos = w.hellos;
		int again = dial(&w);
		for (size_t n = 0; n < t->n;) { /* in pieces, as the server may want to answer */
			size_t part = t->n - n < 200 ? t->n - n : 200;
			n += send(again, t->said + n, part, MSG_NOSIGNAL) > 0 ? part : t->n;
			step(&w);
		}
		UNTIL(&w, w.closed == 2);
		assert_non_null(strstr(w.closed_text, "TLS failed"));
		assert_int_equal(w.hellos, hellos);
		assert_int_equal(server_stats(&w).strangers_ended, 1);
		assert_true(is_up(&w));
		assert_int_equal(stats(&w).connects, 1);
		close(again);
		free(t);
		end(&w);
	}
}

static void a_stranger_that_speaks_slowly_has_three_seconds_in_all(void **state)
{
	(void)state;
	struct world w = make(NULL, NULL);
	UNTIL(&w, is_up(&w));
	struct tapped *t = overhear(&w, NULL);
	UNTIL(&w, w.closed == 1);
	int slow = dial(&w);
	step(&w);
	tc_time begin = w.now;
	for (size_t i = 0; w.closed == 1; i++) {
		assert_true(i < t->n && w.now - begin < 4 * TC_SEC);
		assert_int_equal(send(slow, t->said + i, 1, MSG_NOSIGNAL), 1);
		w.now += 100 * TC_MS;
		step(&w);
	}
	assert_string_equal(w.closed_text, "said no hello in time");
	assert_true(w.now - begin >= 3 * TC_SEC);
	assert_int_equal(server_stats(&w).strangers_ended, 1);
	assert_true(is_up(&w));
	close(slow);
	free(t);
	end(&w);
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_hello_of_another_version_is_refused_in_words),
		cmocka_unit_test(a_first_batch_that_is_no_hello_is_refused),
		cmocka_unit_test(
			a_peer_whose_batch_contradicts_itself_is_dropped_and_others_are_not),
		cmocka_unit_test(a_batch_of_an_unknown_type_is_skipped_by_both_sides),
		cmocka_unit_test(
			an_intercept_whose_batch_contradicts_itself_is_given_up_and_connected_again),
		cmocka_unit_test(a_refusal_of_a_later_version_is_read_in_its_words),
		cmocka_unit_test(what_listens_there_may_be_no_intercept),
		cmocka_unit_test(tls_older_than_1_3_is_not_spoken),
		cmocka_unit_test(a_hello_that_was_overheard_and_is_said_again_is_none),
		cmocka_unit_test(a_stranger_that_speaks_slowly_has_three_seconds_in_all),
		cmocka_unit_test(strangers_disturb_nobody_and_do_not_stay),
		cmocka_unit_test(hundreds_of_idle_connections_do_not_keep_a_tcpcopy_out),
		cmocka_unit_test(a_peer_that_does_not_read_only_stops_itself),
		cmocka_unit_test(
			there_are_places_for_so_many_peers_and_one_that_is_dropped_leaves_its_place),
		cmocka_unit_test(a_hello_may_wait_for_its_answer_and_its_sender_may_go_meanwhile),
		cmocka_unit_test(batches_that_come_in_single_bytes_are_put_together),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
