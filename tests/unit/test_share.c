/* SPDX-License-Identifier: BSD-2-Clause
 * test_share.c - the kernel's program and the core mean the same clients by a share
 *
 * libpcap's interpreter of classic BPF stands for the kernel's; tests/netns/test_caps.py has the kernel itself.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "base/bytes.h"
#include "capture/share.h"
#include "unit/random.h"

#include <linux/filter.h>
#include <pcap/pcap.h>

#define FRAME_MAX 256
#define TRIES 2000

struct shape {
	enum tc_link link;
	unsigned tag; /* Ethernet type of a tag inside the frame, 0 for none */
	bool six;
	unsigned ip_options; /* words of IPv4 options */
	uint8_t flags;
};

static struct tc_ip random_ip(struct random *r, bool six)
{
	uint8_t b[16];
	random_bytes(r, b, sizeof b);
	b[0] = 0x20; /* no IPv4 address */
	return six ? tc_ip_from_v6(b) : tc_ip_from_v4(b);
}

/* A frame from client:port; returns its length, and where its IP header is */
static size_t build(const struct shape *s, const struct tc_ip *client, uint16_t port, uint8_t *buf,
		    size_t *ret_ip_at)
{
	size_t at = 0;
	if (s->link == TC_LINK_ETHERNET) {
		at = 12;
		if (s->tag != 0) {
			tc_put_be16(buf + at, (uint16_t)s->tag);
			tc_put_be16(buf + at + 2, 5);
			at += 4;
		}
		tc_put_be16(buf + at, s->six ? 0x86dd : 0x0800);
		at += 2;
	}
	*ret_ip_at = at;
	if (s->six) {
		buf[at] = 0x60;
		buf[at + 6] = 6;
		memcpy(buf + at + 8, client->b, 16);
		at += 40;
	} else {
		buf[at] = (uint8_t)(0x45 + s->ip_options);
		buf[at + 6] = 0x40; /* may not be fragmented */
		buf[at + 9] = 6;
		memcpy(buf + at + 12, client->b + 12, 4);
		at += 20 + (size_t)s->ip_options * 4;
	}
	tc_put_be16(buf + at, port);
	buf[at + 13] = s->flags;
	return at + 20;
}

static bool keeps(enum tc_link link, uint32_t share, const uint8_t *frame, size_t n)
{
	struct sock_filter steps[TC_SHARE_PROGRAM_MAX + 1];
	unsigned count = tc_share_program(link, share, steps);
	assert_in_range(count, 0, TC_SHARE_PROGRAM_MAX);
	steps[count] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, 1000);
	struct bpf_insn insns[TC_SHARE_PROGRAM_MAX + 1];
	for (unsigned i = 0; i <= count; i++) {
		insns[i] = (struct bpf_insn){ steps[i].code, steps[i].jt, steps[i].jf, steps[i].k };
	}
	assert_true(bpf_validate(insns, (int)count + 1));
	struct bpf_program program = { count + 1, insns };
	struct pcap_pkthdr head = { .caplen = (uint32_t)n, .len = (uint32_t)n };
	return pcap_offline_filter(&program, &head, frame) != 0;
}

static void agrees(const struct shape *s)
{
	struct random r = { .state = 7 };
	unsigned kept = 0;
	for (unsigned i = 0; i < TRIES; i++) {
		uint8_t frame[FRAME_MAX] = { 0 };
		size_t ip_at;
		struct tc_ip client = random_ip(&r, s->six);
		uint16_t port = (uint16_t)random_below(&r, 65536);
		uint32_t share = random_below(&r, TC_SHARE_ALL + 1);
		size_t n = build(s, &client, port, frame, &ip_at);
		bool in = tc_share_of(&client, port) < share;
		assert_int_equal(keeps(s->link, share, frame, n), in);
		kept += in;
	}
	assert_in_range(kept, TRIES / 3, TRIES * 2 / 3);
}

static void the_program_and_the_core_keep_the_same_clients(void **state)
{
	(void)state;
	static const struct shape shapes[] = {
		{ .link = TC_LINK_ETHERNET, .flags = TC_TCP_ACK },
		{ .link = TC_LINK_ETHERNET, .flags = TC_TCP_ACK, .ip_options = 10 },
		{ .link = TC_LINK_ETHERNET, .flags = TC_TCP_ACK | TC_TCP_PSH, .six = true },
		{ .link = TC_LINK_ETHERNET, .flags = TC_TCP_ACK, .tag = 0x8100 },
		{ .link = TC_LINK_ETHERNET, .flags = TC_TCP_ACK, .tag = 0x88a8, .six = true },
		{ .link = TC_LINK_ETHERNET, .flags = TC_TCP_ACK, .tag = 0x9100 },
		{ .link = TC_LINK_RAW, .flags = TC_TCP_ACK, .ip_options = 1 },
		{ .link = TC_LINK_RAW, .flags = TC_TCP_ACK, .six = true },
	};
	for (unsigned i = 0; i < sizeof shapes / sizeof shapes[0]; i++) {
		agrees(&shapes[i]);
	}
}

static void beginnings_and_ends_of_connections_are_kept_of_all_clients(void **state)
{
	(void)state;
	static const uint8_t flags[] = { TC_TCP_SYN, TC_TCP_FIN | TC_TCP_ACK, TC_TCP_RST,
					 TC_TCP_RST | TC_TCP_ACK };
	struct random r = { .state = 1 };
	for (unsigned i = 0; i < 2 * sizeof flags; i++) {
		struct shape s = { .link = TC_LINK_ETHERNET, .flags = flags[i / 2], .six = i % 2 };
		uint8_t frame[FRAME_MAX] = { 0 };
		size_t ip_at;
		struct tc_ip client = random_ip(&r, s.six);
		size_t n = build(&s, &client, 5555, frame, &ip_at);
		assert_true(keeps(s.link, 0, frame, n));
	}
}

static void what_has_no_ports_is_left_to_the_filter(void **state)
{
	(void)state;
	struct shape four = { .link = TC_LINK_ETHERNET, .flags = TC_TCP_ACK };
	struct shape six = four;
	six.six = true;
	struct random r = { .state = 1 };
	struct tc_ip client = random_ip(&r, false), client6 = random_ip(&r, true);
	uint8_t frame[FRAME_MAX] = { 0 };
	size_t at;
	size_t n = build(&four, &client, 5555, frame, &at);
	assert_false(keeps(TC_LINK_ETHERNET, 0, frame, n));
	frame[at + 7] = 1; /* a later fragment */
	assert_true(keeps(TC_LINK_ETHERNET, 0, frame, n));
	frame[at + 6] = 0x20; /* the first one */
	frame[at + 7] = 0;
	assert_true(keeps(TC_LINK_ETHERNET, 0, frame, n));
	frame[at + 6] = 0;
	frame[at + 9] = 17; /* UDP */
	assert_true(keeps(TC_LINK_ETHERNET, 0, frame, n));
	tc_put_be16(frame + 12, 0x0806); /* ARP */
	assert_true(keeps(TC_LINK_ETHERNET, 0, frame, n));
	n = build(&six, &client6, 5555, frame, &at);
	assert_false(keeps(TC_LINK_ETHERNET, 0, frame, n));
	frame[at + 6] = 44; /* a fragment header */
	assert_true(keeps(TC_LINK_ETHERNET, 0, frame, n));
}

static void neighbouring_ports_of_one_client_are_spread_evenly(void **state)
{
	(void)state;
	struct tc_ip client;
	assert_int_equal(tc_ip_parse("10.1.0.11", &client), 0);
	for (uint32_t share = TC_SHARE_ALL / 2; share >= TC_SHARE_ALL / 16; share /= 2) {
		for (unsigned distance = 1; distance <= 2; distance++) {
			unsigned kept = 0;
			for (unsigned i = 0; i < 1024; i++) {
				kept += tc_share_of(&client, (uint16_t)(32768 + i * distance)) <
					share;
			}
			unsigned fair = 1024 * share / TC_SHARE_ALL;
			assert_in_range(kept, fair * 7 / 8, fair * 9 / 8);
		}
	}
}

static void a_share_has_all_clients_of_a_smaller_one(void **state)
{
	(void)state;
	struct shape s = { .link = TC_LINK_ETHERNET, .flags = TC_TCP_ACK };
	struct random r = { .state = 3 };
	for (unsigned i = 0; i < TRIES; i++) {
		uint8_t frame[FRAME_MAX] = { 0 };
		size_t at;
		struct tc_ip client = random_ip(&r, false);
		size_t n = build(&s, &client, (uint16_t)random_below(&r, 65536), frame, &at);
		uint32_t share = random_below(&r, TC_SHARE_ALL);
		if (keeps(s.link, share, frame, n)) {
			assert_true(keeps(s.link, share + 1, frame, n));
		}
	}
}

static void the_whole_needs_no_program(void **state)
{
	(void)state;
	struct sock_filter steps[TC_SHARE_PROGRAM_MAX];
	assert_int_equal(tc_share_program(TC_LINK_ETHERNET, TC_SHARE_ALL, steps), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_program_and_the_core_keep_the_same_clients),
		cmocka_unit_test(beginnings_and_ends_of_connections_are_kept_of_all_clients),
		cmocka_unit_test(what_has_no_ports_is_left_to_the_filter),
		cmocka_unit_test(neighbouring_ports_of_one_client_are_spread_evenly),
		cmocka_unit_test(a_share_has_all_clients_of_a_smaller_one),
		cmocka_unit_test(the_whole_needs_no_program),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
