/* SPDX-License-Identifier: BSD-2-Clause
 * test_filter.c - capture filters: their text, and what their programs let through
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "base/bytes.h"
#include "capture/filter.h"
#include "port/error.h"

#include <errno.h>
#include <linux/filter.h>
#include <pcap/pcap.h>
#include <stdlib.h>

static struct tc_ip ip(const char *text)
{
	struct tc_ip a;
	assert_int_equal(tc_ip_parse(text, &a), 0);
	return a;
}

static struct tc_map map(const char *online, uint16_t port, uint16_t last, const char *target,
			 uint16_t target_port)
{
	struct tc_map m = { .target = ip(target),
			    .online_port = port,
			    .online_port_last = last,
			    .target_port = target_port };
	if (online != NULL) {
		m.online = ip(online);
	}
	return m;
}

static char *text_of(const struct tc_filter_config *cfg)
{
	char *text = NULL;
	assert_int_equal(tc_filter_text(cfg, &text), 0);
	return text;
}

/* A frame from src:sport to dst:dport, with @tags VLAN tags in it; returns its length. TC_LINK_RAW: without Ethernet */
static size_t build(enum tc_link link, unsigned tags, const char *src, uint16_t sport,
		    const char *dst, uint16_t dport, uint8_t *buf)
{
	struct tc_segment seg = {
		.src = ip(src),
		.dst = ip(dst),
		.tcp = { .src_port = sport, .dst_port = dport, .flags = TC_TCP_ACK },
	};
	size_t n = 0;
	if (link == TC_LINK_ETHERNET) {
		memset(buf, 2, 12);
		n = 12;
		for (unsigned i = 0; i < tags; i++, n += 4) {
			tc_put_be16(buf + n, 0x8100);
			tc_put_be16(buf + n + 2, 5);
		}
		tc_put_be16(buf + n, tc_ip_is_v4(&seg.src) ? 0x0800 : 0x86dd);
		n += 2;
	}
	size_t tcp_at;
	return n + tc_headers_encode(&seg, 0, 0, 1, false, buf + n, &tcp_at);
}

/* What the kernel would keep of a frame: 0 is nothing */
static unsigned run(const char *text, enum tc_link link, uint32_t snap, bool tagged,
		    const uint8_t *frame, size_t n)
{
	struct tc_filter f = { 0 };
	char error[TC_DRIVER_ERROR_MAX] = "";
	if (tc_filter_compile(text, NULL, link, snap, tagged, &f, error) != 0) {
		fail_msg("%s", error);
	}
	struct bpf_insn *insns = calloc(f.n, sizeof *insns);
	assert_non_null(insns);
	for (unsigned i = 0; i < f.n; i++) {
		insns[i] = (struct bpf_insn){ f.insns[i].code, f.insns[i].jt, f.insns[i].jf,
					      f.insns[i].k };
	}
	struct bpf_program program = { f.n, insns };
	struct pcap_pkthdr head = { .caplen = (uint32_t)n, .len = (uint32_t)n };
	int r = pcap_offline_filter(&program, &head, frame);
	free(insns);
	tc_filter_fini(&f);
	return (unsigned)r;
}

static bool lets(const char *text, const char *src, uint16_t sport, const char *dst, uint16_t dport)
{
	uint8_t frame[256];
	size_t n = build(TC_LINK_ETHERNET, 0, src, sport, dst, dport, frame);
	bool ethernet = run(text, TC_LINK_ETHERNET, 1000, true, frame, n) != 0;
	n = build(TC_LINK_RAW, 0, src, sport, dst, dport, frame);
	bool raw = run(text, TC_LINK_RAW, 1000, true, frame, n) != 0;
	assert_int_equal(ethernet, raw);
	return raw;
}

static void the_text_names_ports_and_addresses_of_each_map(void **state)
{
	(void)state;
	struct tc_map maps[] = {
		map("10.0.0.2", 80, 80, "10.0.0.3", 8080),
		map("2001:db8::2", 443, 445, "2001:db8::3", 8443),
		map("10.0.0.2", 81, 81, "10.0.0.4", 8081),
	};
	struct tc_filter_config cfg = { .maps = maps, .n_maps = 3 };
	char *text = text_of(&cfg);
	assert_string_equal(text,
			    "tcp and (((dst port 80 or dst port 81) and dst host 10.0.0.2) or "
			    "((dst portrange 443-445) and dst host 2001:db8::2))");
	free(text);
}

static void one_online_address_with_two_targets_is_asked_for_once(void **state)
{
	(void)state;
	struct tc_map maps[] = { map("10.0.0.2", 80, 80, "10.0.0.3", 80),
				 map("10.0.0.2", 80, 80, "10.0.0.4", 80) };
	struct tc_filter_config cfg = { .maps = maps, .n_maps = 2 };
	char *text = text_of(&cfg);
	assert_string_equal(text, "tcp and (((dst port 80) and dst host 10.0.0.2))");
	free(text);
}

static void what_goes_to_an_online_server_passes_and_nothing_else(void **state)
{
	(void)state;
	struct tc_map maps[] = { map("10.0.0.2", 80, 80, "10.0.0.3", 8080),
				 map("2001:db8::2", 443, 445, "2001:db8::3", 8443) };
	struct tc_filter_config cfg = { .maps = maps, .n_maps = 2 };
	char *text = text_of(&cfg);
	assert_true(lets(text, "1.2.3.4", 1234, "10.0.0.2", 80));
	assert_false(lets(text, "1.2.3.4", 1234, "10.0.0.2", 81));
	assert_false(lets(text, "1.2.3.4", 1234, "10.0.0.9", 80));
	assert_false(lets(text, "10.0.0.2", 80, "1.2.3.4", 1234));
	assert_true(lets(text, "2001:db8::9", 1234, "2001:db8::2", 443));
	assert_true(lets(text, "2001:db8::9", 1234, "2001:db8::2", 445));
	assert_false(lets(text, "2001:db8::9", 1234, "2001:db8::2", 446));
	assert_false(lets(text, "1.2.3.4", 1234, "10.0.0.2", 443));
	free(text);
}

static void a_map_without_address_means_the_local_addresses_of_its_targets_family(void **state)
{
	(void)state;
	struct tc_map maps[] = { map(NULL, 80, 80, "10.0.0.3", 8080) };
	struct tc_ip locals[] = { ip("10.0.0.2"), ip("2001:db8::2"), ip("127.0.0.1") };
	struct tc_filter_config cfg = {
		.maps = maps, .n_maps = 1, .locals = locals, .n_locals = 3
	};
	char *text = text_of(&cfg);
	assert_true(lets(text, "1.2.3.4", 1234, "10.0.0.2", 80));
	assert_true(lets(text, "127.0.0.1", 1234, "127.0.0.1", 80));
	assert_false(lets(text, "1.2.3.4", 1234, "10.0.0.9", 80));
	assert_false(lets(text, "2001:db8::9", 1234, "2001:db8::2", 80));
	free(text);
}

static void a_map_without_address_and_without_locals_means_any_of_the_family(void **state)
{
	(void)state;
	struct tc_map maps[] = { map(NULL, 80, 80, "10.0.0.3", 8080),
				 map(NULL, 81, 81, "2001:db8::3", 8081) };
	struct tc_filter_config cfg = { .maps = maps, .n_maps = 2 };
	char *text = text_of(&cfg);
	assert_true(lets(text, "1.2.3.4", 1234, "9.9.9.9", 80));
	assert_false(lets(text, "1.2.3.4", 1234, "9.9.9.9", 81));
	assert_true(lets(text, "2001:db8::9", 1234, "2001:db8::7", 81));
	assert_false(lets(text, "2001:db8::9", 1234, "2001:db8::7", 80));
	free(text);
}

static void our_own_copies_are_never_captured(void **state)
{
	(void)state;
	struct tc_map maps[] = { map(NULL, 80, 90, "10.0.0.3", 80) };
	struct tc_filter_config cfg = { .maps = maps, .n_maps = 1, .online_too = true };
	char *text = text_of(&cfg);
	assert_false(lets(text, "1.2.3.4", 1234, "10.0.0.3", 80));
	assert_false(lets(text, "1.2.3.4", 1234, "10.0.0.3", 90));
	assert_true(lets(text, "1.2.3.4", 1234, "10.0.0.4", 80));
	assert_false(lets(text, "10.0.0.3", 85, "1.2.3.4", 1234));
	assert_true(lets(text, "10.0.0.4", 85, "1.2.3.4", 1234));
	/* the target as a client is the core's to refuse, where it is counted */
	assert_true(lets(text, "10.0.0.3", 1234, "10.0.0.4", 80));
	free(text);
}

static void the_online_servers_own_packets_pass_where_asked_for(void **state)
{
	(void)state;
	struct tc_map maps[] = { map("10.0.0.2", 80, 80, "10.0.0.3", 8080) };
	struct tc_filter_config cfg = { .maps = maps, .n_maps = 1, .online_too = true };
	char *text = text_of(&cfg);
	assert_true(lets(text, "1.2.3.4", 1234, "10.0.0.2", 80));
	assert_true(lets(text, "10.0.0.2", 80, "1.2.3.4", 1234));
	assert_false(lets(text, "10.0.0.2", 81, "1.2.3.4", 1234));
	free(text);
}

static void answers_are_what_the_targets_say(void **state)
{
	(void)state;
	struct tc_filter_target targets[] = { { ip("10.0.0.3"), 8080, 8080 },
					      { ip("2001:db8::3"), 8443, 8445 },
					      { { { 0 } }, 9000, 9000 } };
	char *text = NULL;
	assert_int_equal(tc_filter_answers_text(targets, 3, &text), 0);
	assert_string_equal(text, "tcp and ((src port 8080 and src host 10.0.0.3) or "
				  "(src portrange 8443-8445 and src host 2001:db8::3) or "
				  "(src port 9000))");
	assert_true(lets(text, "10.0.0.3", 8080, "1.2.3.4", 1234));
	assert_false(lets(text, "10.0.0.4", 8080, "1.2.3.4", 1234));
	assert_false(lets(text, "1.2.3.4", 1234, "10.0.0.3", 8080));
	assert_true(lets(text, "2001:db8::3", 8444, "2001:db8::9", 1234));
	assert_true(lets(text, "7.7.7.7", 9000, "1.2.3.4", 1234));
	free(text);
}

static void one_tag_inside_the_frame_is_looked_behind_and_two_are_not(void **state)
{
	(void)state;
	const char *text = "tcp and dst port 80";
	uint8_t frame[256];
	size_t n = build(TC_LINK_ETHERNET, 1, "1.2.3.4", 1234, "10.0.0.2", 80, frame);
	assert_int_equal(run(text, TC_LINK_ETHERNET, 1000, true, frame, n), 1000);
	assert_int_equal(run(text, TC_LINK_ETHERNET, 1000, false, frame, n), 0);
	n = build(TC_LINK_ETHERNET, 1, "1.2.3.4", 1234, "10.0.0.2", 81, frame);
	assert_int_equal(run(text, TC_LINK_ETHERNET, 1000, true, frame, n), 0);
	n = build(TC_LINK_ETHERNET, 2, "1.2.3.4", 1234, "10.0.0.2", 80, frame);
	assert_int_equal(run(text, TC_LINK_ETHERNET, 1000, true, frame, n), 0);
}

static void the_snap_length_is_what_is_kept(void **state)
{
	(void)state;
	uint8_t frame[256];
	size_t n = build(TC_LINK_RAW, 0, "1.2.3.4", 1234, "10.0.0.2", 80, frame);
	assert_int_equal(run("tcp", TC_LINK_RAW, TC_FILTER_SNAP_HEADERS, true, frame, n),
			 TC_FILTER_SNAP_HEADERS);
	assert_int_equal(run("tcp", TC_LINK_RAW, TC_FILTER_SNAP_ALL, true, frame, n),
			 TC_FILTER_SNAP_ALL);
}

/* The IPv4 or IPv6 packet that build() made as the fragment at byte @at of its datagram */
static size_t build_fragment(const char *dst, unsigned at, uint8_t *buf)
{
	bool v4 = strchr(dst, ':') == NULL;
	size_t n = build(TC_LINK_RAW, 0, v4 ? "1.2.3.4" : "2001:db8::9", 1234, dst, 80, buf);
	if (v4) {
		tc_put_be16(buf + 6, (uint16_t)(at / 8));
		return n;
	}
	memmove(buf + 48, buf + 40, n - 40);
	memset(buf + 40, 0, 8);
	buf[6] = 44;
	buf[40] = 6;
	tc_put_be16(buf + 42, (uint16_t)at);
	return n + 8;
}

static void fragments_to_an_online_address_pass_where_asked_for(void **state)
{
	(void)state;
	struct tc_map maps[] = { map("10.0.0.2", 80, 80, "10.0.0.3", 8080),
				 map("2001:db8::2", 80, 80, "2001:db8::3", 8080) };
	struct tc_filter_config cfg = { .maps = maps, .n_maps = 2 };
	char *without = text_of(&cfg);
	cfg.fragments = true;
	char *with = text_of(&cfg);
	static const struct {
		const char *dst;
		unsigned at;
		bool passes;
	} cases[] = {
		{ "10.0.0.2", 1480, true },    { "10.0.0.9", 1480, false },
		{ "2001:db8::2", 1448, true }, { "2001:db8::2", 0, true },
		{ "2001:db8::9", 0, false },
	};
	uint8_t frame[256];
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		size_t n = build_fragment(cases[i].dst, cases[i].at, frame);
		assert_int_equal(run(with, TC_LINK_RAW, 1, true, frame, n), cases[i].passes);
		assert_int_equal(run(without, TC_LINK_RAW, 1, true, frame, n), 0);
	}
	assert_true(lets(with, "1.2.3.4", 1234, "10.0.0.2", 80));
	assert_false(lets(with, "1.2.3.4", 1234, "10.0.0.2", 81));
	free(with);
	free(without);
}

static void a_text_that_is_no_filter_is_refused_with_its_words(void **state)
{
	(void)state;
	struct tc_filter f = { 0 };
	char error[TC_DRIVER_ERROR_MAX] = "";
	assert_int_equal(tc_filter_compile("tcp and dst prt 80", NULL, TC_LINK_ETHERNET, 1000,
					   false, &f, error),
			 -EINVAL);
	assert_non_null(strstr(error, "cannot compile filter 'tcp and dst prt 80': "));
	assert_null(f.insns);
	/* an Ethernet address where there is no Ethernet */
	assert_int_equal(tc_filter_compile("ether host 2:0:0:0:0:1", NULL, TC_LINK_RAW, 1000, false,
					   &f, error),
			 -EINVAL);
}

static int compile_error(const char *text, bool tagged, char *ret_error)
{
	struct tc_filter f = { 0 };
	int r = tc_filter_compile(text, NULL, TC_LINK_ETHERNET, 1000, tagged, &f, ret_error);
	tc_filter_fini(&f);
	return r;
}

/* The filter of a host with @n addresses of its own */
static char *text_of_locals(unsigned n)
{
	static struct tc_ip locals[3000];
	for (unsigned i = 0; i < n; i++) {
		uint8_t v4[4] = { 10, 1, (uint8_t)(i >> 8), (uint8_t)i };
		locals[i] = tc_ip_from_v4(v4);
	}
	struct tc_map maps[] = { map(NULL, 80, 80, "10.0.0.3", 8080) };
	struct tc_filter_config cfg = {
		.maps = maps, .n_maps = 1, .locals = locals, .n_locals = n
	};
	return text_of(&cfg);
}

static void a_host_with_hundreds_of_addresses_has_a_filter(void **state)
{
	(void)state;
	char *text = text_of_locals(500);
	assert_true(lets(text, "1.2.3.4", 1234, "10.1.1.243", 80));
	assert_false(lets(text, "1.2.3.4", 1234, "10.1.1.244", 80));
	free(text);
}

static void what_would_take_minutes_to_compile_is_refused(void **state)
{
	(void)state;
	char error[TC_DRIVER_ERROR_MAX] = "";
	char *text = text_of_locals(3000);
	assert_int_equal(compile_error(text, true, error), -E2BIG);
	assert_non_null(strstr(error, "bytes, 16384 are the most: name fewer addresses"));
	free(text);

	char ranges[4000];
	size_t n = 0;
	for (unsigned i = 0; i < 100; i++) {
		n += (size_t)snprintf(ranges + n, sizeof ranges - n, "%sportrange %u-%u",
				      i > 0 ? " or " : "", i * 7, i * 7 + 3);
	}
	assert_int_equal(compile_error(ranges, true, error), -E2BIG);
	assert_non_null(strstr(error, "8192 are the most"));
}

static void a_program_that_the_kernel_would_not_take_is_refused(void **state)
{
	(void)state;
	char text[TC_FILTER_TEXT_MAX];
	size_t n = 0;
	for (unsigned i = 0; i < 130; i++) {
		n += (size_t)snprintf(text + n, sizeof text - n, "%sip6 net 2001:db8:%x::%x/128",
				      i > 0 ? " or " : "", i, i);
	}
	char error[TC_DRIVER_ERROR_MAX] = "";
	assert_int_equal(compile_error(text, false, error), 0);
	assert_int_equal(compile_error(text, true, error), -E2BIG);
	assert_non_null(strstr(error, "instructions, 4096 are the most"));
}

static void no_map_is_no_filter(void **state)
{
	(void)state;
	struct tc_filter_config cfg = { 0 };
	char *text = NULL;
	assert_int_equal(tc_filter_text(&cfg, &text), -EINVAL);
	assert_int_equal(tc_filter_answers_text(NULL, 0, &text), -EINVAL);
	assert_null(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_text_names_ports_and_addresses_of_each_map),
		cmocka_unit_test(one_online_address_with_two_targets_is_asked_for_once),
		cmocka_unit_test(what_goes_to_an_online_server_passes_and_nothing_else),
		cmocka_unit_test(
			a_map_without_address_means_the_local_addresses_of_its_targets_family),
		cmocka_unit_test(a_map_without_address_and_without_locals_means_any_of_the_family),
		cmocka_unit_test(our_own_copies_are_never_captured),
		cmocka_unit_test(the_online_servers_own_packets_pass_where_asked_for),
		cmocka_unit_test(answers_are_what_the_targets_say),
		cmocka_unit_test(one_tag_inside_the_frame_is_looked_behind_and_two_are_not),
		cmocka_unit_test(the_snap_length_is_what_is_kept),
		cmocka_unit_test(fragments_to_an_online_address_pass_where_asked_for),
		cmocka_unit_test(a_text_that_is_no_filter_is_refused_with_its_words),
		cmocka_unit_test(a_host_with_hundreds_of_addresses_has_a_filter),
		cmocka_unit_test(what_would_take_minutes_to_compile_is_refused),
		cmocka_unit_test(a_program_that_the_kernel_would_not_take_is_refused),
		cmocka_unit_test(no_map_is_no_filter),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
