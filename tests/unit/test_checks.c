/* SPDX-License-Identifier: BSD-2-Clause
 * test_checks.c - which figures are a finding, and which are not yet
 */
#include "tcpcopy/checks.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static struct tc_plan *new_plan(void)
{
	static struct tc_plan plan; /* too large for a stack */
	plan = (struct tc_plan){ .n_targets = 1,
				 .n_hosts = 1,
				 .n_inputs = 1,
				 .inputs = { "eth0" },
				 .filter = "tcp and dst port 80" };
	plan.targets[0] =
		(struct tc_channel_target){ .ip = tc_ip_from_v4((const uint8_t[]){ 10, 0, 0, 3 }),
					    .port = 8080 };
	plan.hosts[0] = (struct tc_host){ .ip = tc_ip_from_v4((const uint8_t[]){ 10, 0, 0, 4 }),
					  .port = 36524 };
	return &plan;
}

/* A run in which all is as it should be, @seconds after its start */
static struct tc_report working(int seconds)
{
	struct tc_report r = { .elapsed = seconds * TC_SEC };
	r.capture.pkts = 100;
	r.ledger.seen = 100;
	r.ledger.used = 90;
	r.ledger.drops[TC_DROP_NO_MAP] = 10;
	r.deliver.pkts = 50;
	r.answers.up = r.answers.configured = 1;
	r.answers.connects = 1;
	r.answers.answers = 40;
	r.answers.peer_pkts = 60;
	return r;
}

/* One finding, with these words, and only once */
static void assert_finding(struct tc_checks *c, const struct tc_report *r, const char *words)
{
	char text[TC_CHECK_TEXT_MAX];
	assert_true(tc_checks_next(c, r, text));
	if (strstr(text, words) == NULL) {
		fail_msg("no '%s' in: %s", words, text);
	}
	assert_true(strlen(text) < TC_CHECK_TEXT_MAX - 1);
	assert_false(tc_checks_next(c, r, text));
}

static void assert_none(struct tc_checks *c, const struct tc_report *r)
{
	char text[TC_CHECK_TEXT_MAX];
	if (tc_checks_next(c, r, text)) {
		fail_msg("found: %s", text);
	}
}

static void a_run_that_works_has_no_findings(void **state)
{
	(void)state;
	struct tc_checks c = { .plan = new_plan() };
	for (int s = 1; s < 20; s++) {
		struct tc_report r = working(s);
		assert_none(&c, &r);
	}
}

static void a_capture_that_is_empty_is_one_after_five_seconds(void **state)
{
	(void)state;
	struct tc_plan *plan = new_plan();
	struct tc_checks c = { .plan = plan };
	struct tc_report r = { .elapsed = 4 * TC_SEC };
	assert_none(&c, &r);
	r.elapsed = 5 * TC_SEC;
	assert_finding(&c, &r, "tcpdump -ni eth0 'tcp and dst port 80'");

	struct tc_checks offline = { .plan = plan };
	plan->offline = true;
	assert_none(&offline, &r);
}

static void a_filter_of_any_length_fits(void **state)
{
	(void)state;
	char filter[2000];
	memset(filter, 'x', sizeof filter - 1);
	filter[sizeof filter - 1] = '\0';
	struct tc_plan *plan = new_plan();
	plan->filter = filter;
	struct tc_checks c = { .plan = plan };
	struct tc_report r = { .elapsed = 9 * TC_SEC };
	assert_finding(&c, &r, "-x names another port or address");
}

static void packets_that_no_map_names_are_one_when_there_are_no_others(void **state)
{
	(void)state;
	struct tc_checks c = { .plan = new_plan() };
	struct tc_report r = working(5);
	r.ledger.drops[TC_DROP_NO_MAP] = 100;
	r.ledger.used = 0;
	assert_finding(&c, &r, "name the online address: -x IP:PORT-IP:PORT");
}

static void what_most_connections_are_opened_to_is_proposed_for_x(void **state)
{
	(void)state;
	struct tc_checks c = { .plan = new_plan() };
	struct tc_report r = working(5);
	r.ledger.drops[TC_DROP_NO_MAP] = 100;
	r.ledger.used = 0;
	r.stray = (struct tc_report_stray){ .ip = tc_ip_from_v4((const uint8_t[]){ 10, 9, 0, 1 }),
					    .port = 8443,
					    .syns = 3 };
	assert_finding(&c, &r,
		       "(most connections are opened to this one): -x 10.9.0.1:8443-IP:PORT");
	c = (struct tc_checks){ .plan = new_plan() };
	r.stray.ip = (struct tc_ip){ { 0x20, 0x01, 0x0d, 0xb8, [15] = 1 } };
	assert_finding(&c, &r, "-x [2001:db8::1]:8443-IP:PORT");
}

static void a_device_that_is_down_is_told_instead_of_an_empty_capture(void **state)
{
	(void)state;
	struct tc_checks c = { .plan = new_plan() };
	struct tc_report r = { .elapsed = 6 * TC_SEC };
	r.capture.devices_down = 1;
	assert_finding(&c, &r, "ip link set eth0 up");
}

static void a_next_hop_without_a_mac_address_is_one_while_nothing_could_be_sent(void **state)
{
	(void)state;
	struct tc_checks c = { .plan = new_plan() };
	struct tc_report r = working(2);
	r.deliver.no_neighbor = 3;
	assert_none(&c, &r);
	r.deliver.pkts = 0;
	assert_finding(&c, &r, "ip route get 10.0.0.3");
}

static void a_think_time_that_nobody_can_know_is_one(void **state)
{
	(void)state;
	struct tc_plan *plan = new_plan();
	struct tc_checks c = { .plan = plan };
	struct tc_report r = working(5);
	assert_none(&c, &r);
	plan->core.pace = TC_PACE_THINK;
	r.online_pkts = 1;
	assert_none(&c, &r);
	r.online_pkts = 0;
	r.elapsed = 4 * TC_SEC;
	assert_none(&c, &r);
	r.elapsed = 5 * TC_SEC;
	assert_finding(&c, &r, "a mirror port must mirror both directions");
	struct tc_checks own = { .plan = plan };
	plan->own_filter = true;
	assert_finding(&own, &r, "-F must let both directions through");
	struct tc_checks file = { .plan = plan };
	plan->offline = true;
	assert_finding(&file, &r, "the files must hold both directions");
}

static struct tc_report unanswered(int seconds)
{
	struct tc_report r = working(seconds);
	r.ledger.rtos = 4;
	r.answers.answers = 0;
	r.answers.peer_pkts = 0;
	return r;
}

static void silence_is_one_three_seconds_after_the_first_packet(void **state)
{
	(void)state;
	struct tc_checks c = { .plan = new_plan() };
	struct tc_report r = unanswered(10);
	assert_none(&c, &r); /* the first packet is seen now */
	r.elapsed = 12 * TC_SEC;
	assert_none(&c, &r);
	r.elapsed = 13 * TC_SEC;
	assert_finding(&c, &r, "ip route add CLIENTS/LEN via 10.0.0.4");
}

static void silence_without_a_channel_or_a_second_try_is_none(void **state)
{
	(void)state;
	struct tc_checks c = { .plan = new_plan() };
	struct tc_report r = unanswered(1);
	assert_none(&c, &r);
	r = unanswered(9);
	r.answers.connects = 0;
	assert_none(&c, &r);
	r = unanswered(9);
	r.ledger.rtos = 0;
	assert_none(&c, &r);
}

static void clients_of_our_own_are_named_with_their_address(void **state)
{
	(void)state;
	struct tc_ip own = tc_ip_from_v4((const uint8_t[]){ 10, 9, 9, 1 });
	struct tc_plan *plan = new_plan();
	plan->clients.ips = &own;
	plan->clients.n_v4 = 1;
	struct tc_checks c = { .plan = plan };
	struct tc_report r = unanswered(1);
	assert_none(&c, &r);
	r = unanswered(4);
	assert_finding(&c, &r, "ip route add 10.9.9.1 via 10.0.0.4");
}

static void rp_filter_is_a_matter_of_ipv4(void **state)
{
	(void)state;
	struct tc_plan *plan = new_plan();
	plan->targets[0].ip = tc_ip_from_v6((const uint8_t[16]){ 0xfd, [15] = 3 });
	struct tc_checks c = { .plan = plan };
	struct tc_report r = unanswered(1);
	char text[TC_CHECK_TEXT_MAX];
	assert_none(&c, &r);
	r = unanswered(4);
	assert_true(tc_checks_next(&c, &r, text));
	assert_null(strstr(text, "rp_filter"));
	assert_non_null(strstr(text, "On fd00::3"));
}

static void packets_at_intercept_that_answer_no_copy_are_another_one(void **state)
{
	(void)state;
	struct tc_checks c = { .plan = new_plan() };
	struct tc_report r = unanswered(1);
	assert_none(&c, &r);
	r = unanswered(4);
	r.answers.peer_pkts = 17;
	assert_finding(&c, &r, "intercept has read 17 packets");
}

static void what_another_tcpcopy_says_is_one_at_once(void **state)
{
	(void)state;
	struct tc_checks c = { .plan = new_plan() };
	struct tc_report r = working(1);
	r.ledger.drops[TC_DROP_FROM_COPY] = 1;
	assert_finding(&c, &r, "copies of another tcpcopy arrive here");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_run_that_works_has_no_findings),
		cmocka_unit_test(a_capture_that_is_empty_is_one_after_five_seconds),
		cmocka_unit_test(a_filter_of_any_length_fits),
		cmocka_unit_test(packets_that_no_map_names_are_one_when_there_are_no_others),
		cmocka_unit_test(what_most_connections_are_opened_to_is_proposed_for_x),
		cmocka_unit_test(a_device_that_is_down_is_told_instead_of_an_empty_capture),
		cmocka_unit_test(
			a_next_hop_without_a_mac_address_is_one_while_nothing_could_be_sent),
		cmocka_unit_test(a_think_time_that_nobody_can_know_is_one),
		cmocka_unit_test(silence_is_one_three_seconds_after_the_first_packet),
		cmocka_unit_test(silence_without_a_channel_or_a_second_try_is_none),
		cmocka_unit_test(clients_of_our_own_are_named_with_their_address),
		cmocka_unit_test(rp_filter_is_a_matter_of_ipv4),
		cmocka_unit_test(packets_at_intercept_that_answer_no_copy_are_another_one),
		cmocka_unit_test(what_another_tcpcopy_says_is_one_at_once),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
