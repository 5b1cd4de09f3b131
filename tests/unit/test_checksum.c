/* SPDX-License-Identifier: BSD-2-Clause
 * test_checksum.c - the Internet checksum against a sum of one word after the other
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "unit/random.h"
#include "wire/checksum.h"

#include <string.h>

/* RFC 1071 4.1, word by word, the carry added at once */
static uint16_t naive(const uint8_t *p, size_t n)
{
	uint32_t sum = 0;
	for (size_t i = 0; i < n; i += 2) {
		sum += (uint32_t)p[i] << 8 | (i + 1 < n ? p[i + 1] : 0U);
		sum = (sum & 0xffff) + (sum >> 16);
	}
	return (uint16_t)sum;
}

static void the_example_of_rfc_1071_has_its_sum(void **state)
{
	(void)state;
	static const uint8_t example[] = { 0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7 };
	uint64_t sum = tc_csum_add(0, (struct tc_view){ example, sizeof example });
	assert_int_equal(tc_csum_fold(sum), 0xddf2);
	assert_int_equal(tc_csum_finish(sum), 0x220d);
}

static void bytes_of_any_length_and_alignment_have_the_naive_sum(void **state)
{
	(void)state;
	static uint8_t b[2200];
	struct random rnd = { 1 };
	for (size_t n = 0; n < 2100; n += n < 100 ? 1 : 37) {
		for (size_t at = 0; at < 8; at++) {
			random_bytes(&rnd, b + at, n);
			assert_int_equal(
				tc_csum_fold(tc_csum_add(0, (struct tc_view){ b + at, n })),
				naive(b + at, n));
		}
	}
}

static void the_largest_packet_of_ones_loses_no_carry(void **state)
{
	(void)state;
	static uint8_t b[65536];
	memset(b, 0xff, sizeof b);
	uint64_t sum = tc_csum_add(0, (struct tc_view){ b, sizeof b });
	assert_int_equal(tc_csum_fold(sum), 0xffff);
	for (int i = 0; i < 1000; i++) {
		sum = tc_csum_add(sum, (struct tc_view){ b, sizeof b });
	}
	assert_int_equal(tc_csum_fold(sum), 0xffff);
	assert_int_equal(tc_csum_fold(UINT64_MAX), 0xffff);
	assert_int_equal(tc_csum_finish(0), 0xffff);
}

static void views_of_any_lengths_sum_as_one_run(void **state)
{
	(void)state;
	static uint8_t b[4000];
	struct random rnd = { 2 };
	random_bytes(&rnd, b, sizeof b);
	for (int round = 0; round < 2000; round++) {
		struct tc_view v[24];
		size_t n = random_below(&rnd, 24);
		size_t all = 0;
		for (size_t i = 0; i < n; i++) {
			v[i] = (struct tc_view){ b + all, random_below(&rnd, 150) };
			all += v[i].n;
		}
		assert_int_equal(tc_csum_fold(tc_csum_add_views(0, v, n)), naive(b, all));
		uint64_t base = random_below(&rnd, 0x10000);
		assert_int_equal(tc_csum_fold(tc_csum_add_views(base, v, n)),
				 tc_csum_fold(base + naive(b, all)));
	}
}

static void a_pseudo_header_is_summed_as_its_rfc_lays_it_out(void **state)
{
	(void)state;
	struct tc_ip a4 = tc_ip_from_v4((const uint8_t[]){ 192, 0, 2, 1 });
	struct tc_ip b4 = tc_ip_from_v4((const uint8_t[]){ 198, 51, 100, 7 });
	static const uint8_t v4[] = { 192, 0, 2, 1, 198, 51, 100, 7, 0, 6, 0x12, 0x34 };
	assert_int_equal(tc_csum_fold(tc_csum_pseudo(&a4, &b4, 6, 0x1234)), naive(v4, sizeof v4));

	uint8_t v6[40] = { 0 };
	for (uint8_t i = 0; i < 32; i++) {
		v6[i] = (uint8_t)(0xf0 - 7 * i);
	}
	struct tc_ip a6 = tc_ip_from_v6(v6);
	struct tc_ip b6 = tc_ip_from_v6(v6 + 16);
	v6[33] = 0x01; /* length 0x00012345, three zero bytes, next header */
	v6[34] = 0x23;
	v6[35] = 0x45;
	v6[39] = 6;
	assert_int_equal(tc_csum_fold(tc_csum_pseudo(&a6, &b6, 6, 0x12345)), naive(v6, sizeof v6));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_example_of_rfc_1071_has_its_sum),
		cmocka_unit_test(bytes_of_any_length_and_alignment_have_the_naive_sum),
		cmocka_unit_test(the_largest_packet_of_ones_loses_no_carry),
		cmocka_unit_test(views_of_any_lengths_sum_as_one_run),
		cmocka_unit_test(a_pseudo_header_is_summed_as_its_rfc_lays_it_out),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
