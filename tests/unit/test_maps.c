/* SPDX-License-Identifier: BSD-2-Clause
 * test_maps.c - the values of -x and -s
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "cli/hosts.h"
#include "cli/maps.h"
#include "cli/option.h"

#include <errno.h>

struct fixture {
	struct tc_map maps[TC_MAPS_MAX];
	struct tc_host hosts[TC_HOSTS_MAX];
	uint32_t n;
	char error[TC_OPTION_ERROR_MAX];
};

static void expect_maps(const char *text, uint32_t n, const char *const *formatted)
{
	struct fixture f;
	if (tc_maps_parse(text, f.maps, &f.n, f.error) != 0) {
		fail_msg("%s: %s", text, f.error);
	}
	assert_int_equal(f.n, n);
	for (uint32_t i = 0; i < n; i++) {
		char buf[TC_MAP_TEXT_MAX];
		assert_string_equal(tc_map_format(&f.maps[i], buf), formatted[i]);
	}
}

#define EXPECT(text, n, ...) expect_maps(text, n, (const char *const[]){ __VA_ARGS__ })

static void the_maps_of_the_classic_read_as_they_stand(void **state)
{
	(void)state;
	EXPECT("80-10.0.0.3:8080", 1, "80-10.0.0.3:8080");
	EXPECT("11311-10.100.10.31:11311", 1, "11311-10.100.10.31:11311");
	EXPECT("10.0.0.2:80-10.0.0.3:8080,443-10.0.0.3:8443", 2, "10.0.0.2:80-10.0.0.3:8080",
	       "443-10.0.0.3:8443");
	EXPECT("80@00:13:21:B2:5E:42-10.0.0.3:8080@00:0F:1F:03:F2:E6", 1,
	       "80@00:13:21:b2:5e:42-10.0.0.3:8080@00:0f:1f:03:f2:e6");
}

static void addresses_of_both_families_names_and_ranges_are_known(void **state)
{
	(void)state;
	EXPECT("[2001:db8::2]:80-[2001:db8::3]:8080", 1, "[2001:db8::2]:80-[2001:db8::3]:8080");
	EXPECT("80-[2001:db8::3]:8080@00:0f:1f:03:f2:e6", 1,
	       "80-[2001:db8::3]:8080@00:0f:1f:03:f2:e6");
	EXPECT("0.0.0.0:80-10.0.0.3:8080", 1, "80-10.0.0.3:8080");
	EXPECT("8000-8009-10.0.0.3:9000", 1, "8000-8009-10.0.0.3:9000");
	EXPECT("10.0.0.2:8000-8009@00:13:21:b2:5e:42-10.0.0.3:9000", 1,
	       "10.0.0.2:8000-8009@00:13:21:b2:5e:42-10.0.0.3:9000");
	EXPECT("127.0.0.9:80-localhost:8080", 1, "127.0.0.9:80-127.0.0.1:8080");
	EXPECT("1-65535-10.0.0.3:1", 1, "1-65535-10.0.0.3:1");
}

static void a_range_of_ports_keeps_its_distance_at_the_target(void **state)
{
	(void)state;
	struct fixture f;
	assert_int_equal(tc_maps_parse("8000-8009-10.0.0.3:9000", f.maps, &f.n, f.error), 0);
	assert_int_equal(tc_map_target_port(&f.maps[0], 8004), 9004);
}

static void a_map_of_any_address_covers_its_targets_family_alone(void **state)
{
	(void)state;
	struct fixture f;
	struct tc_ip v4;
	struct tc_ip v6;
	assert_int_equal(tc_ip_parse("192.0.2.1", &v4), 0);
	assert_int_equal(tc_ip_parse("2001:db8::1", &v6), 0);
	assert_int_equal(tc_maps_parse("80-10.0.0.3:80,80-[2001:db8::3]:80", f.maps, &f.n, f.error),
			 0);
	assert_true(tc_map_covers(&f.maps[0], &v4, 80));
	assert_false(tc_map_covers(&f.maps[0], &v6, 80));
	assert_false(tc_map_covers(&f.maps[1], &v4, 80));
	assert_true(tc_map_covers(&f.maps[1], &v6, 80));
	assert_false(tc_map_covers(&f.maps[0], &v4, 81));
}

static void a_wrong_map_is_told_what_is_wrong_and_what_is_allowed(void **state)
{
	(void)state;
	static const char *const rows[][2] = {
		{ "", "-x: '': a map is missing, as in 80-10.0.0.3:8080" },
		{ "80-10.0.0.3:80,", "-x: '': a map is missing, as in 80-10.0.0.3:8080" },
		{ "80", "-x: '80': '-' and the target must follow the online side, as in "
			"80-10.0.0.3:8080" },
		{ "80-", "-x: '80-': the target is missing, as in 80-10.0.0.3:8080" },
		{ "-10.0.0.3:80", "-x: '-10.0.0.3:80': the online side begins with a port, or with "
				  "an address and a port, as in 80-10.0.0.3:8080" },
		{ "80-10.0.0.3",
		  "-x: '80-10.0.0.3': the target needs a port, as in 80-10.0.0.3:8080" },
		{ "81-10.0.0.9",
		  "-x: '81-10.0.0.9': the target needs a port, as in 81-10.0.0.9:8080" },
		{ "80-10.0.0.3:", "-x: '80-10.0.0.3:': the target's port '' is not a number from 1 "
				  "to 65535" },
		{ "80-10.0.0.3:http", "-x: '80-10.0.0.3:http': the target's port 'http' is not a "
				      "number from 1 to 65535" },
		{ "0-10.0.0.3:80",
		  "-x: '0-10.0.0.3:80': the online port '0' is not a number from 1 to 65535" },
		{ "99999-10.0.0.3:80", "-x: '99999-10.0.0.3:80': the online port '99999' is not a "
				       "number from 1 to 65535" },
		{ "10.0.0.2:-10.0.0.3:80", "-x: '10.0.0.2:-10.0.0.3:80': the online port '' is not "
					   "a number from 1 to 65535" },
		{ "90-80-10.0.0.3:80",
		  "-x: '90-80-10.0.0.3:80': the range of ports ends before it begins" },
		{ "80-99-10.0.0.3:65530",
		  "-x: '80-99-10.0.0.3:65530': the target's ports would go beyond 65535" },
		{ "80-2001:db8::3:8080",
		  "-x: '80-2001:db8::3:8080': an IPv6 address stands in brackets, as in "
		  "[2001:db8::1]:8080" },
		{ "80-[2001:db8::3:8080", "-x: '80-[2001:db8::3:8080': ']' is missing" },
		{ "[2001:db8::2]80-[2001:db8::3]:80",
		  "-x: '[2001:db8::2]80-[2001:db8::3]:80': the online address needs a port, as in "
		  "[2001:db8::1]:80" },
		{ "80@00:13-10.0.0.3:80",
		  "-x: '80@00:13-10.0.0.3:80': six bytes in hex must follow "
		  "the '@', as in 00:13:21:b2:5e:42" },
		{ "80-10.0.0.3:80@00:13:21:b2:5e:42x",
		  "-x: '80-10.0.0.3:80@00:13:21:b2:5e:42x': 'x' is too much" },
		{ "80-0.0.0.0:80",
		  "-x: '80-0.0.0.0:80': the target must be the address of one host" },
		{ "80-224.0.0.1:80",
		  "-x: '80-224.0.0.1:80': the target must be the address of one host" },
		{ "80-[ff02::1]:80",
		  "-x: '80-[ff02::1]:80': the target must be the address of one host" },
		{ "10.0.0.2:80-[2001:db8::3]:80",
		  "-x: '10.0.0.2:80-[2001:db8::3]:80': the online address and the target's are of "
		  "different families" },
		{ "80-10.0.0.3:80,70-90-10.0.0.4:70", "-x: '70-90-10.0.0.4:70': 80-10.0.0.3:80 "
						      "before it copies the same port already" },
		{ "80-10.0.0.3:80,10.0.0.2:80-10.0.0.4:80",
		  "-x: '10.0.0.2:80-10.0.0.4:80': 80-10.0.0.3:80 before it copies the same port "
		  "already" },
	};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct fixture f;
		assert_int_equal(tc_maps_parse(rows[i][0], f.maps, &f.n, f.error), -EINVAL);
		assert_string_equal(f.error, rows[i][1]);
	}
}

static void an_address_before_the_rest_of_a_port_is_no_conflict(void **state)
{
	(void)state;
	EXPECT("10.0.0.2:80-10.0.0.3:80,80-10.0.0.4:80,10.0.0.2:81-10.0.0.3:80", 3,
	       "10.0.0.2:80-10.0.0.3:80", "80-10.0.0.4:80", "10.0.0.2:81-10.0.0.3:80");
}

static void more_maps_than_there_is_room_for_are_refused(void **state)
{
	(void)state;
	char text[4096];
	int n = 0;
	for (int i = 0; i <= TC_MAPS_MAX; i++) {
		n += snprintf(text + n, sizeof text - (size_t)n, "%s%d-10.0.0.3:80",
			      i == 0 ? "" : ",", 100 + i);
	}
	struct fixture f;
	assert_int_equal(tc_maps_parse(text, f.maps, &f.n, f.error), -EINVAL);
	assert_string_equal(f.error, "-x: '164-10.0.0.3:80': more than 64 maps");
}

static void an_unknown_name_says_which_one(void **state)
{
	(void)state;
	struct fixture f;
	/* ".invalid" never resolves: RFC 2606 2 */
	assert_int_equal(tc_maps_parse("80-web.invalid:80", f.maps, &f.n, f.error), -EINVAL);
	assert_non_null(strstr(f.error, "no address of the target host 'web.invalid': "));
	assert_int_equal(tc_hosts_parse("-s", "web.invalid:80", 1, f.hosts, &f.n, f.error),
			 -EINVAL);
	assert_non_null(strstr(f.error, "-s: 'web.invalid:80': no address of this host: "));
}

static void hosts_have_a_default_port_and_may_be_of_any_family(void **state)
{
	(void)state;
	struct fixture f;
	static const struct {
		const char *ip;
		uint16_t port;
	} want[] = { { "10.0.0.4", 36524 }, { "10.0.0.5", 7 },	      { "2001:db8::4", 36524 },
		     { "2001:db8::4", 8 },  { "2001:db8::5", 36524 }, { "127.0.0.1", 9 } };
	assert_int_equal(tc_hosts_parse("-s",
					"10.0.0.4,10.0.0.5:7,2001:db8::4,[2001:db8::4]:8,"
					"[2001:db8::5],localhost:9",
					36524, f.hosts, &f.n, f.error),
			 0);
	assert_int_equal(f.n, sizeof want / sizeof want[0]);
	for (uint32_t i = 0; i < f.n - 1; i++) {
		char buf[TC_IP_TEXT_MAX];
		assert_string_equal(tc_ip_format(&f.hosts[i].ip, buf, sizeof buf), want[i].ip);
		assert_int_equal(f.hosts[i].port, want[i].port);
	}
	assert_int_equal(f.hosts[f.n - 1].port, 9);
}

static void a_wrong_host_is_told_what_is_wrong(void **state)
{
	(void)state;
	static const char *const rows[][2] = {
		{ "", "-s: '': a host is missing, as in 10.0.0.4 or 10.0.0.4:36524" },
		{ "10.0.0.4,", "-s: '': a host is missing, as in 10.0.0.4 or 10.0.0.4:36524" },
		{ "10.0.0.4:0", "-s: '10.0.0.4:0': a port from 1 to 65535 must follow the ':'" },
		{ "[2001:db8::4]80",
		  "-s: '[2001:db8::4]80': ':' and a port, or nothing, may follow the ']'" },
		{ "0.0.0.0", "-s: '0.0.0.0': an address of a host is needed, not of all" },
		{ "10.0.0.4,10.0.0.4:36524",
		  "-s: '10.0.0.4:36524': this host and port is there twice" },
	};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct fixture f;
		assert_int_equal(tc_hosts_parse("-s", rows[i][0], 36524, f.hosts, &f.n, f.error),
				 -EINVAL);
		assert_string_equal(f.error, rows[i][1]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_maps_of_the_classic_read_as_they_stand),
		cmocka_unit_test(addresses_of_both_families_names_and_ranges_are_known),
		cmocka_unit_test(a_range_of_ports_keeps_its_distance_at_the_target),
		cmocka_unit_test(a_map_of_any_address_covers_its_targets_family_alone),
		cmocka_unit_test(a_wrong_map_is_told_what_is_wrong_and_what_is_allowed),
		cmocka_unit_test(an_address_before_the_rest_of_a_port_is_no_conflict),
		cmocka_unit_test(more_maps_than_there_is_room_for_are_refused),
		cmocka_unit_test(an_unknown_name_says_which_one),
		cmocka_unit_test(hosts_have_a_default_port_and_may_be_of_any_family),
		cmocka_unit_test(a_wrong_host_is_told_what_is_wrong),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
