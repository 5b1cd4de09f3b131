/* SPDX-License-Identifier: BSD-2-Clause
 * test_clients.c - the value of -c
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "cli/clients.h"
#include "cli/option.h"

#include <errno.h>

struct fixture {
	struct tc_clients c;
	char error[TC_OPTION_ERROR_MAX];
};

static void parse(struct fixture *f, const char *text, uint32_t n_v4, uint32_t n_v6)
{
	if (tc_clients_parse(text, &f->c, f->error) != 0) {
		fail_msg("%s: %s", text, f->error);
	}
	assert_int_equal(f->c.n_v4, n_v4);
	assert_int_equal(f->c.n_v6, n_v6);
}

static void assert_ip(const struct fixture *f, uint32_t i, const char *want)
{
	char buf[TC_IP_TEXT_MAX];
	assert_string_equal(tc_ip_format(&f->c.ips[i], buf, sizeof buf), want);
}

static void an_x_stands_for_1_to_254(void **state)
{
	(void)state;
	struct fixture f;
	parse(&f, "10.1.0.x", 254, 0);
	assert_ip(&f, 0, "10.1.0.1");
	assert_ip(&f, 253, "10.1.0.254");
	tc_clients_fini(&f.c);
	assert_null(f.c.ips);
}

static void networks_leave_out_what_no_host_has(void **state)
{
	(void)state;
	struct fixture f;
	parse(&f, "10.1.0.0/24", 254, 0);
	assert_ip(&f, 0, "10.1.0.1");
	assert_ip(&f, 253, "10.1.0.254");
	tc_clients_fini(&f.c);
	parse(&f, "10.1.0.4/31", 2, 0);
	assert_ip(&f, 0, "10.1.0.4");
	assert_ip(&f, 1, "10.1.0.5");
	tc_clients_fini(&f.c);
	parse(&f, "10.1.0.7/32", 1, 0);
	assert_ip(&f, 0, "10.1.0.7");
	tc_clients_fini(&f.c);
	parse(&f, "2001:db8::/126", 0, 3);
	assert_ip(&f, 0, "2001:db8::1");
	assert_ip(&f, 2, "2001:db8::3");
	tc_clients_fini(&f.c);
	parse(&f, "10.1.0.0/16", 65534, 0);
	assert_ip(&f, 255, "10.1.1.0");
	assert_ip(&f, 65533, "10.1.255.254");
	tc_clients_fini(&f.c);
}

static void families_are_apart_and_nothing_is_there_twice(void **state)
{
	(void)state;
	struct fixture f;
	parse(&f, "2001:db8::9,10.1.0.9,10.1.0.8/30,2001:db8::9,10.1.0.2", 3, 1);
	assert_ip(&f, 0, "10.1.0.2");
	assert_ip(&f, 1, "10.1.0.9");
	assert_ip(&f, 2, "10.1.0.10");
	assert_ip(&f, 3, "2001:db8::9");
	tc_clients_fini(&f.c);
}

static void what_is_no_address_is_told(void **state)
{
	(void)state;
	static const char *const rows[][2] = {
		{ "", "-c: '': an address is missing, as in 10.1.0.5, 10.1.0.x or 10.1.0.0/16" },
		{ "10.1.0.5,",
		  "-c: '': an address is missing, as in 10.1.0.5, 10.1.0.x or 10.1.0.0/16" },
		{ "10.1.x.x", "-c: '10.1.x.x': no address: allowed are 10.1.0.5, 10.1.0.x, "
			      "10.1.0.0/16, and IPv6" },
		{ "x", "-c: 'x': no address: allowed are 10.1.0.5, 10.1.0.x, 10.1.0.0/16, and "
		       "IPv6" },
		{ "0.0.0.0", "-c: '0.0.0.0': not an address of one host" },
		{ "10.1.0.0/33", "-c: '10.1.0.0/33': from 1 to 32 bits must follow the '/'" },
		{ "10.1.0.0/", "-c: '10.1.0.0/': from 1 to 32 bits must follow the '/'" },
		{ "10.0.0.0/15", "-c: '10.0.0.0/15': a network of more than 65536 addresses: at "
				 "least /16 is needed" },
		{ "2001:db8::/64", "-c: '2001:db8::/64': a network of more than 65536 addresses: "
				   "at least /112 is needed" },
		{ "10.1.0.5/24",
		  "-c: '10.1.0.5/24': bits are set behind the first 24: no network" },
		{ "10.1.0.0/16,10.2.0.0/24",
		  "-c: '10.2.0.0/24': more than 65536 addresses in all" },
	};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct fixture f;
		assert_int_equal(tc_clients_parse(rows[i][0], &f.c, f.error), -EINVAL);
		assert_string_equal(f.error, rows[i][1]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_x_stands_for_1_to_254),
		cmocka_unit_test(networks_leave_out_what_no_host_has),
		cmocka_unit_test(families_are_apart_and_nothing_is_there_twice),
		cmocka_unit_test(what_is_no_address_is_told),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
