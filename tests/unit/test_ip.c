/* SPDX-License-Identifier: BSD-2-Clause
 * test_ip.c - addresses and tuples
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "base/ip.h"

#include <errno.h>

static struct tc_ip ip(const char *text)
{
	struct tc_ip a;
	assert_int_equal(tc_ip_parse(text, &a), 0);
	return a;
}

static void addresses_are_read_and_written_alike(void **state)
{
	(void)state;
	static const char *const texts[] = {
		"0.0.0.0",	 "10.0.0.3", "255.255.255.255", "::", "::1", "2001:db8::3",
		"fe80::1:2:3:4", "ff02::1",  "1:2:3:4:5:6:7:8",
	};
	for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
		struct tc_ip a = ip(texts[i]);
		char buf[TC_IP_TEXT_MAX];
		assert_string_equal(tc_ip_format(&a, buf, sizeof buf), texts[i]);
	}
}

static void what_is_no_address_is_refused_and_nothing_is_written(void **state)
{
	(void)state;
	static const char *const texts[] = {
		"",	 "10.0.0",   "10.0.0.256",     "10.0.0.3 ", " 10.0.0.3", "10.0.0.03:80",
		"[::1]", "::1%eth0", "2001:db8::3::1", "12345::",   "localhost", "0x0a000003",
	};
	for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
		struct tc_ip a = ip("10.9.8.7");
		assert_int_equal(tc_ip_parse(texts[i], &a), -EINVAL);
		struct tc_ip untouched = ip("10.9.8.7");
		assert_true(tc_ip_eq(&a, &untouched));
	}
}

static void an_ipv4_address_is_the_same_in_its_mapped_spelling(void **state)
{
	(void)state;
	struct tc_ip a = ip("10.0.0.3");
	struct tc_ip b = ip("::ffff:10.0.0.3");
	struct tc_ip c = tc_ip_from_v4((const uint8_t[4]){ 10, 0, 0, 3 });
	assert_true(tc_ip_eq(&a, &b));
	assert_true(tc_ip_eq(&a, &c));
	assert_true(tc_ip_is_v4(&a));
	struct tc_ip v6 = ip("::fffe:10.0.0.3");
	assert_false(tc_ip_is_v4(&v6));
	assert_false(tc_ip_eq(&a, &v6));
	struct tc_ip copy = tc_ip_from_v6(v6.b);
	assert_true(tc_ip_eq(&copy, &v6));
}

static void any_address_is_the_zero_of_both_families(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		bool any;
	} rows[] = { { "::", true },	     { "0.0.0.0", true },  { "::1", false },
		     { "0.0.0.1", false },   { "1.0.0.0", false }, { "::ffff:0:0", true },
		     { "::fffe:0:0", false } };
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct tc_ip a = ip(rows[i].text);
		assert_int_equal(tc_ip_is_any(&a), rows[i].any);
	}
}

static void a_text_that_does_not_fit_is_empty_and_terminated(void **state)
{
	(void)state;
	struct tc_ip a = ip("255.255.255.255");
	char buf[8] = "xxxxxxx";
	assert_string_equal(tc_ip_format(&a, buf, sizeof buf), "");
	struct tc_ip b = ip("2001:db8:1111:2222:3333:4444:5555:6666");
	assert_string_equal(tc_ip_format(&b, buf, sizeof buf), "");
	char none = 'x';
	assert_ptr_equal(tc_ip_format(&a, &none, 0), &none);
	assert_int_equal(none, 'x');
}

static void tuples_differ_in_any_of_their_fields(void **state)
{
	(void)state;
	struct tc_tuple t = { ip("10.0.0.1"), ip("10.0.0.2"), 40000, 80, 0 };
	struct tc_tuple same = t;
	assert_true(tc_tuple_eq(&t, &same));
	struct tc_tuple others[] = { t, t, t, t, t };
	others[0].client = ip("10.0.0.3");
	others[1].server = ip("10.0.0.3");
	others[2].client_port = 40001;
	others[3].server_port = 81;
	others[4].link_id = 7;
	for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
		assert_false(tc_tuple_eq(&t, &others[i]));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(addresses_are_read_and_written_alike),
		cmocka_unit_test(what_is_no_address_is_refused_and_nothing_is_written),
		cmocka_unit_test(an_ipv4_address_is_the_same_in_its_mapped_spelling),
		cmocka_unit_test(any_address_is_the_zero_of_both_families),
		cmocka_unit_test(a_text_that_does_not_fit_is_empty_and_terminated),
		cmocka_unit_test(tuples_differ_in_any_of_their_fields),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
