/* SPDX-License-Identifier: BSD-2-Clause
 * test_drop.c - each drop and each end has a name of its own
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "wire/drop.h"

#include <string.h>

/* Names are keys of JSON and of metrics: lower case, digits and hyphens. */
static void expect_key(const char *name)
{
	assert_non_null(name);
	assert_int_not_equal(name[0], '\0');
	assert_int_equal(strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-"), strlen(name));
}

static void each_drop_has_a_name_of_its_own_and_a_text(void **state)
{
	(void)state;
	for (int d = 0; d < TC_DROP__N; d++) {
		expect_key(tc_drop_name((enum tc_drop)d));
		assert_int_not_equal(tc_drop_text((enum tc_drop)d)[0], '\0');
		for (int other = 0; other < d; other++) {
			assert_string_not_equal(tc_drop_name((enum tc_drop)d),
						tc_drop_name((enum tc_drop)other));
		}
	}
}

static void each_end_has_a_name_of_its_own_and_a_text(void **state)
{
	(void)state;
	for (int e = 0; e < TC_END__N; e++) {
		expect_key(tc_end_name((enum tc_end)e));
		assert_int_not_equal(tc_end_text((enum tc_end)e)[0], '\0');
		for (int other = 0; other < e; other++) {
			assert_string_not_equal(tc_end_name((enum tc_end)e),
						tc_end_name((enum tc_end)other));
		}
	}
}

static void a_value_outside_has_a_name_too(void **state)
{
	(void)state;
	assert_string_equal(tc_drop_name(TC_DROP__N), "?");
	assert_string_equal(tc_drop_text((enum tc_drop) - 1), "?");
	assert_string_equal(tc_end_name(TC_END__N), "?");
	assert_string_equal(tc_end_text((enum tc_end) - 1), "?");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_drop_has_a_name_of_its_own_and_a_text),
		cmocka_unit_test(each_end_has_a_name_of_its_own_and_a_text),
		cmocka_unit_test(a_value_outside_has_a_name_too),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
