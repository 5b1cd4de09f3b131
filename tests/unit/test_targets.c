/* SPDX-License-Identifier: BSD-2-Clause
 * test_targets.c - the options of intercept that name addresses, and the filter that follows from targets
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "capture/filter.h"
#include "intercept/targets.h"
#include "port/error.h"

#include <errno.h>
#include <stdlib.h>

static struct tc_intercept_options opt;
static struct tc_intercept_settings set;
static char error[TC_SETTINGS_ERROR_MAX];

static int settle(const char *devices, const char *pass, const char *containers)
{
	opt = (struct tc_intercept_options){ .devices = (char *)(uintptr_t)devices,
					     .pass = (char *)(uintptr_t)pass,
					     .containers = (char *)(uintptr_t)containers };
	error[0] = '\0';
	return tc_intercept_settings_make(&opt, &set, error);
}

static void assert_refused(int r, const char *part)
{
	assert_int_equal(r, -EINVAL);
	if (strstr(error, part) == NULL) {
		fail_msg("'%s' does not say '%s'", error, part);
	}
	tc_intercept_settings_fini(&set);
}

static void lists_of_devices_and_addresses_are_read(void **state)
{
	(void)state;
	assert_int_equal(
		settle("eth0,eth1", "10.0.0.1,fd00::1", "172.17.0.2-10.0.0.3,fd00::2-fd00::3"), 0);
	assert_int_equal(set.n_devices, 2);
	assert_string_equal(set.devices[1], "eth1");
	assert_int_equal(set.n_pass, 2);
	assert_int_equal(set.n_containers, 2);
	char text[TC_IP_TEXT_MAX];
	assert_string_equal(tc_ip_format(&set.pass[1], text, sizeof text), "fd00::1");
	assert_string_equal(tc_ip_format(&set.containers[0].inside, text, sizeof text),
			    "172.17.0.2");
	assert_string_equal(tc_ip_format(&set.containers[1].target, text, sizeof text), "fd00::3");
	tc_intercept_settings_fini(&set);

	assert_int_equal(settle(NULL, NULL, NULL), 0);
	assert_int_equal(set.n_devices, 1);
	assert_string_equal(set.devices[0], "any");
	assert_int_equal(set.n_pass + set.n_containers, 0);
	tc_intercept_settings_fini(&set);
}

static void what_is_no_list_is_refused_with_its_option(void **state)
{
	(void)state;
	assert_refused(settle("eth0,,eth1", NULL, NULL), "-i: 'eth0,,eth1': a name is missing");
	assert_refused(settle("", NULL, NULL), "-i: '': a name is missing");
	assert_refused(settle(NULL, "10.0.0.1,,", NULL), "-x: ''");
	assert_refused(settle(NULL, NULL, "10.0.0.1"), "-D: '10.0.0.1'");
	assert_refused(settle(NULL, NULL, "10.0.0.1-"), "-D: ''");
	char many[40 * TC_RING_DEVICES_MAX] = "e";
	for (unsigned i = 0; i < TC_RING_DEVICES_MAX; i++) {
		strcat(many, ",e");
	}
	assert_refused(settle(many, NULL, NULL), "-i: more than 32 devices");
}

static struct tc_channel_hello hello_of(uint16_t n, uint8_t net, uint16_t port, uint16_t step)
{
	struct tc_channel_hello h = { .n_targets = n };
	for (uint16_t i = 0; i < n; i++) {
		h.targets[i].ip = tc_ip_from_v4((uint8_t[]){ 10, net, 0, (uint8_t)i });
		h.targets[i].port = (uint16_t)(port + i * step);
	}
	return h;
}

/* The filter; it must compile, whatever the targets are. */
static char *filter_of(const struct tc_targets *t)
{
	char *text = NULL;
	char why[TC_DRIVER_ERROR_MAX];
	struct tc_filter f;
	assert_true(tc_targets_filter(t, &set, &text) >= 0);
	if (tc_filter_compile(text, NULL, TC_LINK_ETHERNET, 160, true, &f, why) < 0) {
		fail_msg("%s", why);
	}
	tc_filter_fini(&f);
	return text;
}

static void assert_filter(const struct tc_targets *t, const char *expected)
{
	char *text = filter_of(t);
	assert_string_equal(text, expected);
	free(text);
}

static void without_targets_nothing_is_captured(void **state)
{
	(void)state;
	struct tc_targets t = { 0 };
	assert_int_equal(settle(NULL, NULL, NULL), 0);
	assert_filter(&t, "less 1");
	struct tc_channel_hello any = { .n_targets = 1, .targets = { { { { 0 } }, 80 } } };
	tc_targets_set(&t, 3, &any);
	assert_filter(&t, "less 1"); /* nobody may ask for everything */
	tc_intercept_settings_fini(&set);
}

static void a_few_targets_are_asked_for_exactly_and_once(void **state)
{
	(void)state;
	struct tc_targets t = { 0 };
	assert_int_equal(settle(NULL, NULL, "172.17.0.2-10.1.0.1"), 0);
	struct tc_channel_hello h = hello_of(2, 1, 80, 0);
	tc_targets_set(&t, 0, &h);
	tc_targets_set(&t, 5, &h);
	assert_filter(&t, "tcp and ((src port 80 and src host 10.1.0.0) or "
			  "(src port 80 and src host 10.1.0.1) or "
			  "(src port 80 and src host 172.17.0.2))");
	/* a peer's next hello replaces what it said before */
	h = hello_of(1, 1, 0, 0);
	tc_targets_set(&t, 0, &h);
	tc_targets_set(&t, 5, &h);
	assert_filter(&t, "tcp and ((src portrange 0-65535 and src host 10.1.0.0))");
	tc_intercept_settings_fini(&set);
}

static void many_targets_are_asked_for_by_ranges_and_hosts(void **state)
{
	(void)state;
	struct tc_targets t = { 0 };
	assert_int_equal(settle(NULL, NULL, NULL), 0);
	struct tc_channel_hello h = hello_of(17, 1, 8000, 1);
	tc_targets_set(&t, 0, &h);
	char *text = filter_of(&t);
	assert_non_null(
		strstr(text, "tcp and (src portrange 8000-8016) and (src host 10.1.0.0 or "));
	assert_non_null(strstr(text, "src host 10.1.0.16)"));
	free(text);
	tc_intercept_settings_fini(&set);
}

static void however_many_targets_there_are_the_filter_compiles(void **state)
{
	(void)state;
	struct tc_targets t = { 0 };
	assert_int_equal(settle(NULL, NULL, NULL), 0);
	set.has_key = true;
	for (uint8_t p = 0; p < TC_RELAY_PEERS; p++) {
		struct tc_channel_hello h =
			hello_of(TC_CHANNEL_TARGETS_MAX, p, (uint16_t)(p * 4000 + 10), 50);
		tc_targets_set(&t, p, &h);
	}
	char *text = filter_of(&t);
	assert_null(strstr(text, "host"));
	assert_non_null(strstr(text, "src portrange 10-10"));
	assert_non_null(strstr(text, "-63160)")); /* the last range takes all that is left */
	assert_true(strlen(text) < 1000);
	free(text);
	tc_intercept_settings_fini(&set);
}

static void without_a_key_nobody_can_have_all_addresses_captured(void **state)
{
	(void)state;
	struct tc_targets t = { 0 };
	char *text = NULL;
	assert_int_equal(settle(NULL, NULL, NULL), 0);
	for (uint8_t p = 0; p < 3; p++) { /* two who want too much, and one who comes after them */
		struct tc_channel_hello h = hello_of(p < 2 ? TC_CHANNEL_TARGETS_MAX : 1, p, 0, 0);
		tc_targets_set(&t, p, &h);
	}
	assert_int_equal(tc_targets_filter(&t, &set, &text), TC_TARGETS_E_LEFT_OUT);
	unsigned hosts = 0;
	for (const char *at = text; (at = strstr(at, "src host 10.")) != NULL; at++) {
		hosts++;
	}
	assert_int_equal(hosts, TC_TARGETS_HOSTS_MAX);
	assert_non_null(strstr(text, "src host 10.2.0.0"));
	free(text);
	tc_targets_forget(&t, 0);
	tc_targets_forget(&t, 1);
	assert_filter(&t, "tcp and ((src portrange 0-65535 and src host 10.2.0.0))");
	tc_intercept_settings_fini(&set);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lists_of_devices_and_addresses_are_read),
		cmocka_unit_test(what_is_no_list_is_refused_with_its_option),
		cmocka_unit_test(without_targets_nothing_is_captured),
		cmocka_unit_test(a_few_targets_are_asked_for_exactly_and_once),
		cmocka_unit_test(many_targets_are_asked_for_by_ranges_and_hosts),
		cmocka_unit_test(however_many_targets_there_are_the_filter_compiles),
		cmocka_unit_test(without_a_key_nobody_can_have_all_addresses_captured),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
