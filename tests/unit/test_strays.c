/* SPDX-License-Identifier: BSD-2-Clause
 * test_strays.c - what most clients ask for is found among many other things
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "engine/strays.h"

static struct tc_ip address(uint8_t last)
{
	return tc_ip_from_v4((const uint8_t[]){ 10, 9, 0, last });
}

static void without_a_stray_there_is_none(void **state)
{
	(void)state;
	const struct tc_strays s = { 0 };
	assert_int_equal(tc_strays_most(&s)->syns, 0);
}

static void the_one_that_comes_most_often_is_known_with_its_count(void **state)
{
	(void)state;
	struct tc_strays s = { 0 };
	for (unsigned i = 0; i < 10; i++) {
		struct tc_ip ip = address((uint8_t)(i % 5 == 0 ? 2 : 1));
		tc_strays_note(&s, &ip, 80);
	}
	struct tc_ip one = address(1);
	assert_true(tc_ip_eq(&tc_strays_most(&s)->ip, &one));
	assert_int_equal(tc_strays_most(&s)->port, 80);
	assert_int_equal(tc_strays_most(&s)->syns, 8);
}

static void an_address_has_many_ports(void **state)
{
	(void)state;
	struct tc_strays s = { 0 };
	struct tc_ip ip = address(1);
	tc_strays_note(&s, &ip, 443);
	tc_strays_note(&s, &ip, 80);
	tc_strays_note(&s, &ip, 443);
	assert_int_equal(tc_strays_most(&s)->port, 443);
	assert_int_equal(tc_strays_most(&s)->syns, 2);
}

static void it_is_found_among_thousands_that_come_once(void **state)
{
	(void)state;
	struct tc_strays s = { 0 };
	struct tc_ip server = address(1);
	for (unsigned i = 0; i < 60000; i++) {
		struct tc_ip other = address((uint8_t)(2 + i % 250));
		tc_strays_note(&s, &other, (uint16_t)(1 + i));
		if (i % 10 == 0) {
			tc_strays_note(&s, &server, 80);
		}
	}
	assert_true(tc_ip_eq(&tc_strays_most(&s)->ip, &server));
	assert_int_equal(tc_strays_most(&s)->port, 80);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(without_a_stray_there_is_none),
		cmocka_unit_test(the_one_that_comes_most_often_is_known_with_its_count),
		cmocka_unit_test(an_address_has_many_ports),
		cmocka_unit_test(it_is_found_among_thousands_that_come_once),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
