/* SPDX-License-Identifier: BSD-2-Clause
 * test_relay.c - flows, owners and queues of intercept's relay
 *
 * Length: one short test for each behaviour of one module, on one small world.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "base/table.h"
#include "intercept/relay.h"
#include "wire/mark.h"

#include <errno.h>
#include <stdlib.h>

#define START (1000 * TC_SEC)
#define IDLE (300 * TC_SEC)
#define SERVER_ISN 900u

struct world {
	struct tc_relay *r;
	void *mem;
	tc_time now;
};

static struct world make(uint32_t flows, uint32_t queue, uint32_t offers)
{
	struct tc_relay_config cfg = { .flows = flows,
				       .queue = queue,
				       .offers_per_second = offers,
				       .flow_idle = IDLE,
				       .table_key = { 1, 2 } };
	size_t n = (tc_relay_bytes(&cfg) + 63) / 64 * 64;
	struct world w = { .mem = aligned_alloc(64, n), .now = START };
	assert_non_null(w.mem);
	memset(w.mem, 0, n);
	w.r = tc_relay_init(w.mem, &cfg, w.now);
	assert_non_null(w.r);
	return w;
}

static void check(const struct world *w)
{
	const char *bad = tc_relay_check(w->r);
	if (bad != NULL) {
		fail_msg("%s", bad);
	}
}

static void end(struct world *w)
{
	check(w);
	free(w->mem);
}

static struct tc_ip ip(uint8_t last)
{
	return tc_ip_from_v4((uint8_t[]){ 10, 0, 0, last });
}

static struct tc_siphash_key key_of(uint64_t instance)
{
	return (struct tc_siphash_key){ instance * 0x9e3779b97f4a7c15u, ~instance };
}

static struct tc_channel_hello hello_of(uint64_t instance, uint8_t target, uint16_t port)
{
	return (struct tc_channel_hello){ .instance = instance,
					  .mark_key = key_of(instance),
					  .n_targets = 1,
					  .targets = { { ip(target), port } },
					  .software = "test" };
}

/* A tcpcopy with this number copies to 10.0.0.2:80. */
static unsigned come(struct world *w, uint64_t instance)
{
	struct tc_channel_hello h = hello_of(instance, 2, 80);
	unsigned peer = 99;
	assert_int_equal(tc_relay_on_hello(w->r, &h, w->now, &peer), 0);
	return peer;
}

static struct tc_tuple tuple_of(uint16_t client_port)
{
	return (struct tc_tuple){
		.client = ip(100), .server = ip(2), .client_port = client_port, .server_port = 80
	};
}

static struct tc_packet packet(uint16_t client_port, uint8_t flags, uint32_t seq, uint32_t ack,
			       uint32_t len)
{
	return (struct tc_packet){ .src = ip(2),
				   .dst = ip(100),
				   .tcp = { .src_port = 80,
					    .dst_port = client_port,
					    .seq = tc_seq_of(seq),
					    .ack = tc_seq_of(ack),
					    .flags = flags,
					    .win = 500 },
				   .payload_len = len };
}

static void on(struct world *w, struct tc_packet pkt)
{
	tc_relay_on_packet(w->r, &pkt, w->now);
	check(w);
}

static uint32_t isn_of(uint64_t instance, uint16_t client_port, uint16_t clock)
{
	struct tc_siphash_key key = key_of(instance);
	struct tc_tuple t = tuple_of(client_port);
	return tc_mark_make(&key, &t, clock).isn.v;
}

/* The target accepts the connection that this tcpcopy opened; returns the acknowledgement, one beyond the ISN. */
static uint32_t accept_of(struct world *w, uint64_t instance, uint16_t client_port, uint16_t clock)
{
	uint32_t ack = isn_of(instance, client_port, clock) + 1;
	on(w, packet(client_port, TC_TCP_SYN | TC_TCP_ACK, SERVER_ISN, ack, 0));
	return ack;
}

#define MANY 2048

/* All that waits for @peer, read as its tcpcopy would. */
static unsigned pull(struct world *w, unsigned peer, struct tc_answer ans[MANY])
{
	uint8_t buf[TC_CHANNEL_HEAD + TC_CHANNEL_BODY_MAX];
	unsigned n = 0;
	while (tc_relay_has_batch(w->r, peer)) {
		size_t len = tc_relay_next_batch(w->r, peer, buf, sizeof buf);
		struct tc_channel_head head;
		assert_int_equal(tc_channel_head_decode((struct tc_view){ buf, sizeof buf }, &head),
				 0);
		assert_int_equal(head.type, TC_CHANNEL_ANSWERS);
		assert_int_equal(head.version, TC_CHANNEL_VERSION);
		assert_int_equal(TC_CHANNEL_HEAD + head.length, len);
		struct tc_view body = { buf + TC_CHANNEL_HEAD, head.length };
		for (unsigned i = 0; i < head.count; i++) {
			assert_true(n < MANY);
			assert_int_equal(tc_channel_answer_decode(&body, &ans[n++]), 0);
		}
		assert_int_equal(body.n, 0);
	}
	return n;
}

static unsigned count(struct world *w, unsigned peer)
{
	static struct tc_answer ans[MANY];
	return pull(w, peer, ans);
}

static struct tc_relay_stats stats(const struct world *w)
{
	struct tc_relay_stats s;
	tc_relay_stats(w->r, &s);
	return s;
}

static void a_marked_syn_ack_opens_a_flow_and_its_packets_follow(void **state)
{
	(void)state;
	struct world w = make(16, 64, 0);
	unsigned p = come(&w, 1);
	uint32_t ack = accept_of(&w, 1, 5000, 7);
	struct tc_packet data = packet(5000, TC_TCP_ACK | TC_TCP_PSH, 901, ack + 10, 100);
	data.tcp.opt = (struct tc_tcpopt){ .has_ts = true, .tsval = 3, .tsecr = 4 };
	on(&w, data);

	struct tc_answer ans[MANY];
	assert_int_equal(pull(&w, p, ans), 2);
	assert_int_equal(ans[0].tcp.flags, TC_TCP_SYN | TC_TCP_ACK);
	assert_int_equal(ans[0].tcp.ack.v, ack);
	assert_true(tc_ip_eq(&ans[1].client, &data.dst));
	assert_true(tc_ip_eq(&ans[1].target, &data.src));
	assert_int_equal(ans[1].tcp.src_port, 80);
	assert_int_equal(ans[1].tcp.dst_port, 5000);
	assert_int_equal(ans[1].tcp.seq.v, 901);
	assert_int_equal(ans[1].tcp.opt.tsecr, 4);
	assert_int_equal(ans[1].payload_len, 100);
	assert_int_equal(ans[1].merged, 0);
	assert_int_equal(stats(&w).flows, 1);
	assert_int_equal(stats(&w).reported, 2);
	end(&w);
}

static void a_syn_ack_without_a_mark_opens_nothing(void **state)
{
	(void)state;
	struct world w = make(16, 64, 0);
	unsigned p = come(&w, 1);
	uint32_t isn = isn_of(1, 5000, 7);
	on(&w, packet(5000, TC_TCP_SYN | TC_TCP_ACK, SERVER_ISN, isn + 2, 0));
	on(&w, packet(5001, TC_TCP_SYN | TC_TCP_ACK, SERVER_ISN, isn + 1, 0));
	assert_int_equal(stats(&w).flows, 0);
	assert_int_equal(count(&w, p), 0);
	end(&w);
}

static void the_owner_is_the_peer_whose_key_verifies(void **state)
{
	(void)state;
	struct world w = make(64, 64, 0);
	unsigned peers[4];
	for (unsigned i = 0; i < 4; i++) {
		peers[i] = come(&w, 10 + i);
	}
	for (uint16_t i = 0; i < 4; i++) {
		uint32_t ack = accept_of(&w, 10 + i, (uint16_t)(6000 + i), i);
		on(&w, packet((uint16_t)(6000 + i), TC_TCP_ACK, 901, ack, 10));
	}
	for (unsigned i = 0; i < 4; i++) {
		struct tc_answer ans[MANY];
		assert_int_equal(pull(&w, peers[i], ans), 2);
		assert_int_equal(ans[1].tcp.dst_port, 6000 + i);
	}
	end(&w);
}

/* A clock value for which the marks of both keys are the same number. */
static uint16_t clock_of_both(uint64_t a, uint64_t b, uint16_t *ret_port)
{
	for (uint16_t port = 1000;; port++) {
		for (uint32_t clock = 0; clock < 0x10000; clock++) {
			if (isn_of(a, port, (uint16_t)clock) == isn_of(b, port, (uint16_t)clock)) {
				*ret_port = port;
				return (uint16_t)clock;
			}
		}
	}
}

static void when_two_keys_verify_both_are_told_until_one_disowns(void **state)
{
	(void)state;
	struct world w = make(16, 64, 0);
	unsigned a = come(&w, 1);
	unsigned b = come(&w, 2);
	uint16_t port;
	uint16_t clock = clock_of_both(1, 2, &port);
	uint32_t ack = accept_of(&w, 2, port, clock);
	assert_int_equal(count(&w, a), 1);
	assert_int_equal(count(&w, b), 1);

	struct tc_tuple t = tuple_of(port);
	tc_relay_on_disown(w.r, a, &t);
	on(&w, packet(port, TC_TCP_ACK, 901, ack, 10));
	assert_int_equal(count(&w, a), 0);
	assert_int_equal(count(&w, b), 1);
	assert_int_equal(stats(&w).flows, 1);
	end(&w);
}

static void a_packet_of_an_unknown_flow_is_offered_to_peers_with_that_target_alone(void **state)
{
	(void)state;
	struct world w = make(16, 64, 100);
	unsigned a = come(&w, 1);
	unsigned b = come(&w, 2);
	unsigned other_ip, other_port, any_port;
	struct tc_channel_hello h = hello_of(3, 3, 80);
	assert_int_equal(tc_relay_on_hello(w.r, &h, w.now, &other_ip), 0);
	h = hello_of(4, 2, 81);
	assert_int_equal(tc_relay_on_hello(w.r, &h, w.now, &other_port), 0);
	h = hello_of(5, 2, 0);
	assert_int_equal(tc_relay_on_hello(w.r, &h, w.now, &any_port), 0);

	on(&w, packet(5000, TC_TCP_ACK, 1, 2, 3));
	on(&w, packet(5000, TC_TCP_RST, 4, 0, 0));
	assert_int_equal(count(&w, a), 2);
	assert_int_equal(count(&w, b), 2);
	assert_int_equal(count(&w, any_port), 2);
	assert_int_equal(count(&w, other_ip), 0);
	assert_int_equal(count(&w, other_port), 0);
	assert_int_equal(stats(&w).offered, 6);
	assert_int_equal(stats(&w).flows, 0);
	end(&w);
}

static void a_packet_that_nobody_copies_to_is_stray(void **state)
{
	(void)state;
	struct world w = make(16, 64, 100);
	unsigned p = come(&w, 1);
	struct tc_packet other = packet(5000, TC_TCP_ACK, 1, 2, 3);
	other.src = ip(9);
	on(&w, other);
	on(&w, packet(5000, TC_TCP_SYN, 1, 0, 0)); /* the target's own connection */
	on(&w, packet(5000, TC_TCP_PSH, 1, 0, 0));
	assert_int_equal(count(&w, p), 0);
	assert_int_equal(stats(&w).stray, 3);
	struct tc_channel_stats s;
	tc_relay_peer_stats(w.r, p, &s);
	assert_int_equal(s.stray, 3);
	assert_int_equal(s.reported, 0);
	end(&w);
}

static void offers_keep_to_their_rate_for_each_peer(void **state)
{
	(void)state;
	struct world w = make(16, 1024, 10);
	unsigned p = come(&w, 1);
	for (unsigned i = 0; i < 50; i++) {
		on(&w, packet(5000, TC_TCP_ACK, 1, 2, 3));
	}
	assert_int_equal(count(&w, p), 10);
	assert_int_equal(stats(&w).limited, 40);
	w.now += TC_SEC / 2;
	for (unsigned i = 0; i < 50; i++) {
		on(&w, packet(5000, TC_TCP_ACK, 1, 2, 3));
	}
	assert_int_equal(count(&w, p), 5);
	/* what is known is not limited */
	accept_of(&w, 1, 6000, 1);
	assert_int_equal(count(&w, p), 1);
	end(&w);
}

static void a_young_report_is_not_merged(void **state)
{
	(void)state;
	struct world w = make(16, 64, 0);
	unsigned p = come(&w, 1);
	uint32_t ack = accept_of(&w, 1, 5000, 1);
	on(&w, packet(5000, TC_TCP_ACK, 901, ack, 10));
	w.now += TC_RELAY_MERGE;
	on(&w, packet(5000, TC_TCP_ACK, 911, ack, 10));
	assert_int_equal(count(&w, p), 3);
	assert_int_equal(stats(&w).merged, 0);
	end(&w);
}

/* Two packets of one flow, the second after TC_RELAY_MERGE: the one report that they become. */
static struct tc_answer merge_of(struct tc_packet first, struct tc_packet second)
{
	struct world w = make(16, 64, 0);
	unsigned p = come(&w, 1);
	accept_of(&w, 1, 5000, 1);
	assert_int_equal(count(&w, p), 1);
	on(&w, first);
	w.now += TC_RELAY_MERGE + 1;
	on(&w, second);
	struct tc_answer ans[MANY];
	assert_int_equal(pull(&w, p, ans), 1);
	assert_int_equal(ans[0].merged, 1);
	assert_int_equal(stats(&w).merged, 1);
	struct tc_channel_stats s;
	tc_relay_peer_stats(w.r, p, &s);
	assert_int_equal(s.reported, 3);
	end(&w);
	return ans[0];
}

static uint32_t end_of(const struct tc_answer *a)
{
	return a->tcp.seq.v + a->payload_len;
}

static void merged_reports_say_the_latest_ack_window_and_options(void **state)
{
	(void)state;
	struct tc_packet first = packet(5000, TC_TCP_ACK | TC_TCP_PSH, 901, 100, 10);
	struct tc_packet second = packet(5000, TC_TCP_ACK, 911, 150, 20);
	second.tcp.win = 77;
	second.tcp.opt = (struct tc_tcpopt){ .has_ts = true, .tsval = 8, .tsecr = 9 };
	struct tc_answer a = merge_of(first, second);
	assert_int_equal(a.tcp.ack.v, 150);
	assert_int_equal(a.tcp.win, 77);
	assert_int_equal(a.tcp.flags, TC_TCP_ACK);
	assert_true(a.tcp.opt.has_ts);
	assert_int_equal(a.tcp.opt.tsval, 8);
	assert_int_equal(a.tcp.seq.v, 901);
	assert_int_equal(end_of(&a), 931);
}

static void a_packet_that_comes_late_does_not_turn_the_ack_back(void **state)
{
	(void)state;
	struct tc_packet first = packet(5000, TC_TCP_ACK, 911, 150, 20);
	struct tc_packet second = packet(5000, TC_TCP_ACK, 901, 100, 10);
	second.tcp.win = 0;
	struct tc_answer a = merge_of(first, second);
	assert_int_equal(a.tcp.ack.v, 150);
	assert_int_equal(a.tcp.win, 500);
	assert_int_equal(a.tcp.seq.v, 901);
	assert_int_equal(end_of(&a), 931);
}

static void a_repeated_segment_does_not_turn_the_window_back(void **state)
{
	(void)state;
	struct tc_packet second = packet(5000, TC_TCP_ACK, 901, 150, 10);
	second.tcp.win = 0;
	struct tc_answer a = merge_of(packet(5000, TC_TCP_ACK, 911, 150, 20), second);
	assert_int_equal(a.tcp.win, 500);
	assert_int_equal(end_of(&a), 931);
}

static void bare_acknowledgements_make_no_payload(void **state)
{
	(void)state;
	struct tc_answer a = merge_of(packet(5000, TC_TCP_ACK, 901, 100, 0),
				      packet(5000, TC_TCP_ACK, 911, 150, 0));
	assert_int_equal(a.tcp.seq.v, 911);
	assert_int_equal(a.payload_len, 0);
	a = merge_of(packet(5000, TC_TCP_ACK, 911, 150, 0), packet(5000, TC_TCP_ACK, 901, 150, 0));
	assert_int_equal(a.tcp.seq.v, 911);
	assert_int_equal(a.payload_len, 0);
}

static void a_window_update_is_merged(void **state)
{
	(void)state;
	struct tc_packet first = packet(5000, TC_TCP_ACK, 901, 100, 0);
	first.tcp.win = 0;
	struct tc_answer a = merge_of(first, packet(5000, TC_TCP_ACK, 901, 100, 0));
	assert_int_equal(a.tcp.win, 500);
	assert_int_equal(a.payload_len, 0);
}

static void the_highest_end_is_kept_over_the_wrap_of_sequence_numbers(void **state)
{
	(void)state;
	struct tc_answer a = merge_of(packet(5000, TC_TCP_ACK, 0xfffffff0, 0xffffffff, 8),
				      packet(5000, TC_TCP_ACK, 4, 1, 10));
	assert_int_equal(a.tcp.seq.v, 0xfffffff0);
	assert_int_equal(end_of(&a), 14);
	assert_int_equal(a.payload_len, 30);
	assert_int_equal(a.tcp.ack.v, 1);
	/* and the other way round */
	a = merge_of(packet(5000, TC_TCP_ACK, 4, 1, 10),
		     packet(5000, TC_TCP_ACK, 0xfffffff0, 0xffffffff, 8));
	assert_int_equal(a.tcp.seq.v, 0xfffffff0);
	assert_int_equal(end_of(&a), 14);
	assert_int_equal(a.tcp.ack.v, 1);
}

static void a_fin_is_kept_and_stays_at_the_end_of_the_payload(void **state)
{
	(void)state;
	const uint8_t fin = TC_TCP_FIN | TC_TCP_ACK;
	/* data, then its FIN */
	struct tc_answer a =
		merge_of(packet(5000, TC_TCP_ACK, 901, 100, 10), packet(5000, fin, 911, 100, 5));
	assert_int_equal(a.tcp.flags, fin);
	assert_int_equal(end_of(&a), 916);
	/* the FIN, then an ACK that begins beyond it: that number is no byte */
	a = merge_of(packet(5000, fin, 901, 100, 10), packet(5000, TC_TCP_ACK, 912, 101, 0));
	assert_int_equal(a.tcp.flags, fin);
	assert_int_equal(a.tcp.ack.v, 101);
	assert_int_equal(end_of(&a), 911);
	/* an ACK from beyond the FIN, then the FIN repeated */
	a = merge_of(packet(5000, TC_TCP_ACK, 912, 101, 0), packet(5000, fin, 901, 101, 10));
	assert_int_equal(a.tcp.flags, fin);
	assert_int_equal(end_of(&a), 911);
	/* the FIN, then a part of what is before it */
	a = merge_of(packet(5000, fin, 901, 100, 10), packet(5000, TC_TCP_ACK, 901, 100, 4));
	assert_int_equal(a.tcp.flags, fin);
	assert_int_equal(end_of(&a), 911);
	/* the FIN twice */
	a = merge_of(packet(5000, fin, 911, 100, 0), packet(5000, fin, 901, 100, 10));
	assert_int_equal(end_of(&a), 911);
	assert_int_equal(a.payload_len, 10);
}

static void syn_acks_and_resets_are_never_merged(void **state)
{
	(void)state;
	struct world w = make(16, 64, 0);
	unsigned p = come(&w, 1);
	uint32_t ack = accept_of(&w, 1, 5000, 1);
	w.now += 1 * TC_SEC;
	accept_of(&w, 1, 5000, 1);
	w.now += 1 * TC_SEC;
	on(&w, packet(5000, TC_TCP_ACK, 901, ack, 1));
	w.now += 1 * TC_SEC;
	on(&w, packet(5000, TC_TCP_RST | TC_TCP_ACK, 902, ack, 0));
	w.now += 1 * TC_SEC;
	on(&w, packet(5000, TC_TCP_RST, 902, 0, 0));
	struct tc_answer ans[MANY];
	assert_int_equal(pull(&w, p, ans), 5);
	assert_int_equal(ans[2].tcp.flags, TC_TCP_ACK);
	assert_int_equal(ans[3].tcp.flags, TC_TCP_RST | TC_TCP_ACK);
	assert_int_equal(stats(&w).merged, 0);
	end(&w);
}

static void numbers_that_cannot_be_of_one_connection_are_not_merged(void **state)
{
	(void)state;
	struct world w = make(16, 64, 0);
	unsigned p = come(&w, 1);
	accept_of(&w, 1, 5000, 1);
	on(&w, packet(5000, TC_TCP_ACK, 901, 100, 1));
	w.now += 1 * TC_SEC;
	on(&w, packet(5000, TC_TCP_ACK, 901 + 0x60000000, 100, 1));
	on(&w, packet(5000, TC_TCP_ACK, 901, 0xa0000000, 1));
	assert_int_equal(count(&w, p), 4);
	end(&w);
}

static void a_queue_more_than_half_full_merges_at_once(void **state)
{
	(void)state;
	struct world w = make(16, 8, 0);
	unsigned p = come(&w, 1);
	uint32_t ack = accept_of(&w, 1, 5000, 1);
	for (unsigned i = 0; i < 100; i++) {
		on(&w, packet(5000, TC_TCP_ACK, 901 + i, ack, 1));
	}
	struct tc_answer ans[MANY];
	unsigned n = pull(&w, p, ans);
	assert_int_equal(n, 5); /* one SYN-ACK and four to be above the half */
	assert_int_equal(end_of(&ans[n - 1]), 1001);
	assert_int_equal(ans[n - 1].merged, 96);
	assert_int_equal(stats(&w).queue_full, 0);
	end(&w);
}

static void a_queue_is_bounded_and_counts_what_it_drops(void **state)
{
	(void)state;
	struct world w = make(64, 8, 0);
	unsigned p = come(&w, 1);
	for (uint16_t i = 0; i < 20; i++) {
		accept_of(&w, 1, (uint16_t)(5000 + i), 1);
	}
	assert_int_equal(stats(&w).queue_full, 12);
	assert_int_equal(count(&w, p), 8);
	/* and goes on when it was emptied, also for those whose report was dropped */
	on(&w, packet(5019, TC_TCP_ACK, 901, 1, 1));
	assert_int_equal(count(&w, p), 1);
	end(&w);
}

static void a_ring_of_reports_goes_round(void **state)
{
	(void)state;
	struct world w = make(16, 5, 0);
	unsigned p = come(&w, 1);
	accept_of(&w, 1, 5000, 1);
	assert_int_equal(count(&w, p), 1);
	for (uint32_t i = 0; i < 40; i++) {
		on(&w, packet(5000, TC_TCP_ACK, 901 + 2 * i, 1, 1));
		on(&w, packet(5000, TC_TCP_ACK, 902 + 2 * i, 1, 1));
		struct tc_answer ans[MANY];
		assert_int_equal(pull(&w, p, ans), 2);
		assert_int_equal(ans[0].tcp.seq.v, 901 + 2 * i);
		assert_int_equal(ans[1].tcp.seq.v, 902 + 2 * i);
	}
	end(&w);
}

static void when_the_flow_table_is_full_packets_are_offered_instead(void **state)
{
	(void)state;
	struct world w = make(4, 64, 100);
	unsigned p = come(&w, 1);
	unsigned other = come(&w, 2);
	for (uint16_t i = 0; i < 5; i++) {
		accept_of(&w, 1, (uint16_t)(5000 + i), 1);
	}
	assert_int_equal(stats(&w).flows, 4);
	assert_int_equal(stats(&w).flows_full, 1);
	assert_int_equal(stats(&w).offered, 1);
	assert_int_equal(count(&w, p), 5);
	assert_int_equal(count(&w, other), 0); /* the mark still says whose it is */
	on(&w, packet(5004, TC_TCP_ACK, 901, 1, 1));
	assert_int_equal(count(&w, p), 1);
	assert_int_equal(count(&w, other), 1);
	struct tc_tuple t = tuple_of(7000);
	assert_false(tc_relay_on_announce(w.r, p, &t, w.now));
	assert_int_equal(stats(&w).flows_full, 2);
	end(&w);
}

static void a_full_table_takes_a_flow_when_an_old_one_is_due(void **state)
{
	(void)state;
	struct world w = make(2, 64, 0);
	come(&w, 1);
	accept_of(&w, 1, 5000, 1);
	accept_of(&w, 1, 5001, 1);
	w.now += IDLE + TC_SEC;
	accept_of(&w, 1, 5002, 1);
	assert_int_equal(stats(&w).flows_full, 0);
	end(&w);
}

static void a_replaced_peer_keeps_its_number_flows_and_queue(void **state)
{
	(void)state;
	struct world w = make(16, 64, 0);
	unsigned p = come(&w, 1);
	uint32_t ack = accept_of(&w, 1, 5000, 1);
	assert_int_equal(come(&w, 1), p);
	on(&w, packet(5000, TC_TCP_ACK, 901, ack, 1));
	assert_int_equal(count(&w, p), 2);
	end(&w);
}

static void the_same_instance_with_another_key_is_another_peer(void **state)
{
	(void)state;
	struct world w = make(16, 64, 0);
	unsigned p = come(&w, 1);
	struct tc_channel_hello h = hello_of(1, 2, 80);
	h.mark_key.k1++;
	unsigned q = p;
	assert_int_equal(tc_relay_on_hello(w.r, &h, w.now, &q), 0);
	assert_int_not_equal(p, q);
	end(&w);
}

static void a_gone_peer_that_comes_back_has_its_flows_and_what_waited(void **state)
{
	(void)state;
	struct world w = make(16, 64, 100);
	unsigned p = come(&w, 1);
	unsigned other = come(&w, 2);
	uint32_t ack = accept_of(&w, 1, 5000, 1);
	assert_int_equal(count(&w, p), 1);
	tc_relay_on_gone(w.r, p, w.now);
	on(&w, packet(5000, TC_TCP_ACK, 901, ack, 1));
	assert_false(tc_relay_has_batch(w.r, p));
	assert_int_equal(count(&w, other), 1); /* offered: its tcpcopy may be gone for ever */
	w.now += 10 * TC_SEC;
	assert_int_equal(come(&w, 1), p);
	assert_int_equal(count(&w, p), 1);
	end(&w);
}

static void what_waits_for_a_gone_peer_is_not_stray(void **state)
{
	(void)state;
	struct world w = make(16, 64, 100);
	unsigned p = come(&w, 1);
	uint32_t ack = accept_of(&w, 1, 5000, 1);
	tc_relay_on_gone(w.r, p, w.now);
	on(&w, packet(5000, TC_TCP_ACK, 901, ack, 1));
	assert_int_equal(stats(&w).reported, 2);
	assert_int_equal(stats(&w).stray, 0);
	end(&w);
}

static void a_gone_peer_is_offered_nothing(void **state)
{
	(void)state;
	struct world w = make(16, 64, 100);
	unsigned p = come(&w, 1);
	tc_relay_on_gone(w.r, p, w.now);
	on(&w, packet(5000, TC_TCP_ACK, 901, 1, 1));
	assert_int_equal(stats(&w).stray, 1);
	assert_int_equal(come(&w, 1), p);
	assert_int_equal(count(&w, p), 0);
	end(&w);
}

static void a_peer_that_was_gone_for_long_is_forgotten(void **state)
{
	(void)state;
	struct world w = make(16, 64, 0);
	unsigned p = come(&w, 1);
	uint32_t ack = accept_of(&w, 1, 5000, 1);
	tc_relay_on_gone(w.r, p, w.now);
	w.now += IDLE;
	on(&w, packet(5000, TC_TCP_ACK, 901, ack, 1));
	assert_true(tc_relay_has_peer(w.r, p));
	tc_relay_on_deadline(w.r, w.now);
	check(&w);
	assert_false(tc_relay_has_peer(w.r, p));
	assert_int_equal(come(&w, 1), p);
	assert_int_equal(count(&w, p), 0);
	/* its flow was of the place's former life */
	on(&w, packet(5000, TC_TCP_ACK, 901, ack, 1));
	assert_int_equal(count(&w, p), 0);
	assert_int_equal(stats(&w).flows, 0);
	end(&w);
}

static void peers_are_bounded_and_the_longest_gone_makes_room(void **state)
{
	(void)state;
	struct world w = make(16, 64, 0);
	unsigned peers[TC_RELAY_PEERS];
	for (unsigned i = 0; i < TC_RELAY_PEERS; i++) {
		peers[i] = come(&w, 100 + i);
	}
	accept_of(&w, 100 + 7, 5000, 1);
	struct tc_channel_hello h = hello_of(200, 2, 80);
	unsigned q = 99;
	assert_int_equal(tc_relay_on_hello(w.r, &h, w.now, &q), -EBUSY);
	assert_int_equal(q, 99);
	tc_relay_on_gone(w.r, peers[7], w.now);
	tc_relay_on_gone(w.r, peers[3], w.now + 1);
	assert_int_equal(tc_relay_on_hello(w.r, &h, w.now + 2, &q), 0);
	assert_int_equal(q, peers[7]);
	/* the newcomer inherits neither flows nor queue */
	assert_int_equal(count(&w, q), 0);
	on(&w, packet(5000, TC_TCP_ACK, 901, 1, 1));
	assert_int_equal(count(&w, q), 0);
	end(&w);
}

static void an_announced_flow_needs_no_mark(void **state)
{
	(void)state;
	struct world w = make(16, 64, 0);
	unsigned p = come(&w, 1);
	struct tc_tuple t = tuple_of(5000);
	assert_true(tc_relay_on_announce(w.r, p, &t, w.now));
	assert_true(tc_relay_on_announce(w.r, p, &t, w.now));
	on(&w, packet(5000, TC_TCP_SYN | TC_TCP_ACK, SERVER_ISN, 12345, 0));
	on(&w, packet(5000, TC_TCP_ACK, 901, 12345, 4));
	assert_int_equal(count(&w, p), 2);
	end(&w);
}

static void an_announced_flow_has_one_owner_while_that_is_there(void **state)
{
	(void)state;
	struct world w = make(16, 64, 0);
	unsigned a = come(&w, 1);
	unsigned b = come(&w, 2);
	struct tc_tuple t = tuple_of(5000);
	assert_true(tc_relay_on_announce(w.r, a, &t, w.now));
	assert_false(tc_relay_on_announce(w.r, b, &t, w.now));
	assert_int_equal(stats(&w).foreign, 1);
	on(&w, packet(5000, TC_TCP_ACK, 901, 12345, 4));
	assert_int_equal(count(&w, a), 1);
	assert_int_equal(count(&w, b), 0);
	tc_relay_on_gone(w.r, a, w.now);
	assert_false(tc_relay_on_announce(w.r, a, &t, w.now));
	assert_true(tc_relay_on_announce(w.r, b, &t, w.now));
	on(&w, packet(5000, TC_TCP_ACK, 901, 12345, 4));
	assert_int_equal(count(&w, b), 1);
	end(&w);
}

static void a_disowned_flow_is_released(void **state)
{
	(void)state;
	struct world w = make(16, 64, 0);
	unsigned p = come(&w, 1);
	unsigned other = come(&w, 2);
	accept_of(&w, 1, 5000, 1);
	assert_int_equal(count(&w, p), 1);
	struct tc_tuple t = tuple_of(5000);
	tc_relay_on_disown(w.r, other, &t); /* not its own to disown */
	assert_int_equal(stats(&w).flows, 1);
	assert_int_equal(stats(&w).foreign, 1);
	tc_relay_on_disown(w.r, p, &t);
	tc_relay_on_disown(w.r, p, &t);
	assert_int_equal(stats(&w).flows, 0);
	on(&w, packet(5000, TC_TCP_ACK, 901, 1, 1));
	assert_int_equal(count(&w, p), 0);
	assert_int_equal(stats(&w).limited, 2); /* offered at a rate of none */
	end(&w);
}

static void a_silent_flow_is_forgotten_and_a_busy_one_is_not(void **state)
{
	(void)state;
	struct world w = make(16, 64, 0);
	come(&w, 1);
	accept_of(&w, 1, 5000, 1);
	accept_of(&w, 1, 5001, 1);
	for (unsigned i = 0; i < 10; i++) {
		w.now += IDLE / 5;
		on(&w, packet(5001, TC_TCP_ACK, 901, 1, 1));
		tc_relay_on_deadline(w.r, w.now);
		check(&w);
	}
	assert_int_equal(stats(&w).flows, 1);
	w.now += IDLE + TC_MS;
	tc_relay_on_deadline(w.r, w.now);
	assert_int_equal(stats(&w).flows, 0);
	end(&w);
}

static void a_flow_that_the_target_reset_or_closed_is_forgotten_sooner(void **state)
{
	(void)state;
	struct world w = make(16, 64, 0);
	come(&w, 1);
	accept_of(&w, 1, 5000, 1);
	accept_of(&w, 1, 5001, 1);
	accept_of(&w, 1, 5002, 1);
	on(&w, packet(5000, TC_TCP_RST, 901, 0, 0));
	on(&w, packet(5001, TC_TCP_FIN | TC_TCP_ACK, 901, 1, 0));
	w.now += 3 * TC_SEC;
	tc_relay_on_deadline(w.r, w.now);
	assert_int_equal(stats(&w).flows, 2);
	w.now += 60 * TC_SEC;
	tc_relay_on_deadline(w.r, w.now);
	assert_int_equal(stats(&w).flows, 1);
	end(&w);
}

static void a_reset_for_an_old_segment_does_not_end_a_flow_that_goes_on(void **state)
{
	(void)state;
	struct world w = make(16, 64, 0);
	come(&w, 1);
	uint32_t ack = accept_of(&w, 1, 5000, 1);
	on(&w, packet(5000, TC_TCP_RST, 77, 0, 0));
	on(&w, packet(5000, TC_TCP_ACK, 901, ack, 5));
	w.now += 30 * TC_SEC;
	tc_relay_on_deadline(w.r, w.now);
	assert_int_equal(stats(&w).flows, 1);
	end(&w);
}

static void a_tuple_used_again_by_another_tcpcopy_changes_hands(void **state)
{
	(void)state;
	struct world w = make(16, 64, 0);
	unsigned a = come(&w, 1);
	unsigned b = come(&w, 2);
	uint32_t ack = accept_of(&w, 1, 5000, 1);
	on(&w, packet(5000, TC_TCP_ACK, 901, ack, 5));
	w.now += TC_SEC;
	ack = accept_of(&w, 2, 5000, 2);
	on(&w, packet(5000, TC_TCP_ACK, 901, ack, 5));
	assert_int_equal(count(&w, a), 2);
	assert_int_equal(count(&w, b), 2);
	assert_int_equal(stats(&w).merged, 0);
	assert_int_equal(stats(&w).flows, 1);
	end(&w);
}

static void a_tuple_used_again_by_the_same_tcpcopy_is_one_flow_and_nothing_is_merged(void **state)
{
	(void)state;
	struct world w = make(16, 64, 0);
	unsigned p = come(&w, 1);
	uint32_t ack = accept_of(&w, 1, 5000, 1);
	on(&w, packet(5000, TC_TCP_FIN | TC_TCP_ACK, 901, ack, 5));
	w.now += TC_SEC;
	ack = accept_of(&w, 1, 5000, 60);
	on(&w, packet(5000, TC_TCP_ACK, 901, ack, 5));
	assert_int_equal(count(&w, p), 4);
	assert_int_equal(stats(&w).flows, 1);
	/* it lives again: what was a closed flow is now an open one */
	w.now += 61 * TC_SEC;
	tc_relay_on_deadline(w.r, w.now);
	assert_int_equal(stats(&w).flows, 1);
	end(&w);
}

static void a_real_connection_on_the_tuple_of_a_copy_ends_the_flow(void **state)
{
	(void)state;
	struct world w = make(16, 64, 0);
	unsigned p = come(&w, 1);
	uint32_t ack = accept_of(&w, 1, 5000, 1);
	assert_int_equal(count(&w, p), 1);
	on(&w, packet(5000, TC_TCP_SYN | TC_TCP_ACK, 77, ack + 1, 0));
	assert_int_equal(stats(&w).flows, 0);
	assert_int_equal(count(&w, p), 0);
	end(&w);
}

static void a_batch_fits_the_buffer_and_the_rest_waits(void **state)
{
	(void)state;
	struct world w = make(2048, 2048, 0);
	unsigned p = come(&w, 1);
	for (uint16_t i = 0; i < 1000; i++) {
		accept_of(&w, 1, (uint16_t)(5000 + i), 1);
	}
	uint8_t small[TC_CHANNEL_HEAD + TC_CHANNEL_ANSWER_MAX];
	assert_int_equal(tc_relay_next_batch(w.r, p, small, 4), 0);
	size_t len = tc_relay_next_batch(w.r, p, small, sizeof small);
	assert_true(len > TC_CHANNEL_HEAD && len <= sizeof small);
	uint8_t large[3 * TC_CHANNEL_BODY_MAX];
	len = tc_relay_next_batch(w.r, p, large, sizeof large);
	assert_true(len <= TC_CHANNEL_HEAD + TC_CHANNEL_BODY_MAX);
	assert_true(len > TC_CHANNEL_BODY_MAX - TC_CHANNEL_ANSWER_MAX);
	struct tc_channel_head first, second;
	assert_int_equal(tc_channel_head_decode((struct tc_view){ small, sizeof small }, &first),
			 0);
	assert_int_equal(tc_channel_head_decode((struct tc_view){ large, sizeof large }, &second),
			 0);
	assert_int_equal(first.count + second.count + count(&w, p), 1000);
	assert_int_equal(tc_relay_next_batch(w.r, p, large, sizeof large), 0);
	assert_int_equal(tc_relay_next_batch(w.r, 15, large, sizeof large), 0);
	assert_int_equal(tc_relay_next_batch(w.r, 16, large, sizeof large), 0);
	end(&w);
}

static void anything_in_any_order_keeps_the_invariants(void **state)
{
	(void)state;
	struct world w = make(24, 8, 2);
	uint64_t x = 42;
	for (unsigned step = 0; step < 200000; step++) {
		x = x * 6364136223846793005u + 1442695040888963407u;
		uint32_t a = (uint32_t)(x >> 33);
		uint64_t instance = 1 + a % 20;
		uint16_t port = (uint16_t)(5000 + (a >> 5) % 48);
		struct tc_tuple t = tuple_of(port);
		struct tc_packet pkt =
			packet(port, (uint8_t)(a >> 11), 900 + (a >> 3) % 5000, a % 7000, a % 1460);
		unsigned peer = (a >> 8) % (TC_RELAY_PEERS + 1);
		struct tc_channel_hello h = hello_of(instance, 2, 80);
		uint8_t buf[256];
		switch ((a >> 20) % 16) {
		case 0:
			tc_relay_on_hello(w.r, &h, w.now, &peer);
			break;
		case 1:
			tc_relay_on_gone(w.r, peer, w.now);
			break;
		case 2:
			tc_relay_on_announce(w.r, peer, &t, w.now);
			break;
		case 3:
			tc_relay_on_disown(w.r, peer, &t);
			break;
		case 4:
			w.now += (tc_time)(a % 40) * TC_SEC / 4;
			tc_relay_on_deadline(w.r, w.now);
			break;
		case 5:
		case 6:
			tc_relay_next_batch(w.r, peer, buf, sizeof buf);
			break;
		case 7:
		case 8:
		case 9:
			pkt.tcp.flags = TC_TCP_SYN | TC_TCP_ACK;
			pkt.tcp.ack = tc_seq_of(isn_of(instance, port, (uint16_t)a) + 1);
			/* fallthrough */
		default:
			tc_relay_on_packet(w.r, &pkt, w.now);
		}
		w.now += (tc_time)(a % 3) * TC_MS;
		check(&w);
	}
	struct tc_relay_stats s = stats(&w);
	assert_true(s.reported > 0);
	assert_true(s.merged > 0);
	assert_true(s.offered > 0);
	assert_true(s.limited > 0);
	assert_true(s.queue_full > 0);
	assert_true(s.flows_full > 0);
	assert_true(s.stray > 0);
	end(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_marked_syn_ack_opens_a_flow_and_its_packets_follow),
		cmocka_unit_test(a_syn_ack_without_a_mark_opens_nothing),
		cmocka_unit_test(the_owner_is_the_peer_whose_key_verifies),
		cmocka_unit_test(when_two_keys_verify_both_are_told_until_one_disowns),
		cmocka_unit_test(
			a_packet_of_an_unknown_flow_is_offered_to_peers_with_that_target_alone),
		cmocka_unit_test(a_packet_that_nobody_copies_to_is_stray),
		cmocka_unit_test(offers_keep_to_their_rate_for_each_peer),
		cmocka_unit_test(a_young_report_is_not_merged),
		cmocka_unit_test(merged_reports_say_the_latest_ack_window_and_options),
		cmocka_unit_test(a_packet_that_comes_late_does_not_turn_the_ack_back),
		cmocka_unit_test(a_repeated_segment_does_not_turn_the_window_back),
		cmocka_unit_test(bare_acknowledgements_make_no_payload),
		cmocka_unit_test(a_window_update_is_merged),
		cmocka_unit_test(the_highest_end_is_kept_over_the_wrap_of_sequence_numbers),
		cmocka_unit_test(a_fin_is_kept_and_stays_at_the_end_of_the_payload),
		cmocka_unit_test(syn_acks_and_resets_are_never_merged),
		cmocka_unit_test(numbers_that_cannot_be_of_one_connection_are_not_merged),
		cmocka_unit_test(a_queue_more_than_half_full_merges_at_once),
		cmocka_unit_test(a_queue_is_bounded_and_counts_what_it_drops),
		cmocka_unit_test(a_ring_of_reports_goes_round),
		cmocka_unit_test(when_the_flow_table_is_full_packets_are_offered_instead),
		cmocka_unit_test(a_full_table_takes_a_flow_when_an_old_one_is_due),
		cmocka_unit_test(a_replaced_peer_keeps_its_number_flows_and_queue),
		cmocka_unit_test(the_same_instance_with_another_key_is_another_peer),
		cmocka_unit_test(a_gone_peer_that_comes_back_has_its_flows_and_what_waited),
		cmocka_unit_test(what_waits_for_a_gone_peer_is_not_stray),
		cmocka_unit_test(a_gone_peer_is_offered_nothing),
		cmocka_unit_test(a_peer_that_was_gone_for_long_is_forgotten),
		cmocka_unit_test(peers_are_bounded_and_the_longest_gone_makes_room),
		cmocka_unit_test(an_announced_flow_needs_no_mark),
		cmocka_unit_test(an_announced_flow_has_one_owner_while_that_is_there),
		cmocka_unit_test(a_disowned_flow_is_released),
		cmocka_unit_test(a_silent_flow_is_forgotten_and_a_busy_one_is_not),
		cmocka_unit_test(a_flow_that_the_target_reset_or_closed_is_forgotten_sooner),
		cmocka_unit_test(a_reset_for_an_old_segment_does_not_end_a_flow_that_goes_on),
		cmocka_unit_test(a_tuple_used_again_by_another_tcpcopy_changes_hands),
		cmocka_unit_test(
			a_tuple_used_again_by_the_same_tcpcopy_is_one_flow_and_nothing_is_merged),
		cmocka_unit_test(a_real_connection_on_the_tuple_of_a_copy_ends_the_flow),
		cmocka_unit_test(a_batch_fits_the_buffer_and_the_rest_waits),
		cmocka_unit_test(anything_in_any_order_keeps_the_invariants),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
