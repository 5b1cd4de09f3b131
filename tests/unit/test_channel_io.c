/* SPDX-License-Identifier: BSD-2-Clause
 * test_channel_io.c - the two ends of the channel against each other; those who do not keep to the rules: test_channel_strangers.c
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "unit/channel_world.h"

#include <errno.h>
#include <poll.h>
#include <unistd.h>

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

/* ---- listening ---- */

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
		cmocka_unit_test(a_port_that_is_taken_is_said_with_its_remedy),
		cmocka_unit_test(all_addresses_of_both_families_are_listened_on),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
