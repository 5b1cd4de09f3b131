/* SPDX-License-Identifier: BSD-2-Clause
 * test_bucket.c - a rate that is kept
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "engine/bucket.h"

#define RATE 1000000 /* bytes a second: a thousand in a millisecond */

/* Packets of @bytes, as many as pass and whenever they may, in a second. Return: bytes; *@ret_waits: how often it was waited */
static uint64_t send_for_a_second(struct tc_bucket *b, uint32_t bytes, unsigned *ret_waits)
{
	uint64_t sent = 0;
	*ret_waits = 0;
	for (tc_time now = b->at; now < TC_SEC;) {
		if (tc_bucket_is_open(b, now)) {
			tc_bucket_take(b, bytes);
			sent += bytes;
		} else {
			assert_true(tc_bucket_opens_at(b) > now);
			now = tc_bucket_opens_at(b);
			++*ret_waits;
		}
	}
	return sent;
}

static void what_passes_in_a_second_is_the_rate_and_one_burst_at_most(void **state)
{
	(void)state;
	static const uint32_t sizes[] = { 1, 60, 1500, 65000 };
	for (unsigned i = 0; i < 4; i++) {
		struct tc_bucket b;
		unsigned waits;
		tc_bucket_init(&b, RATE, 0);
		uint64_t sent = send_for_a_second(&b, sizes[i], &waits);
		assert_in_range(sent, RATE - 2000, RATE + 5000 + sizes[i]);
		assert_in_range(waits, 10, 1001);
	}
}

static void at_its_limit_it_opens_once_a_millisecond(void **state)
{
	(void)state;
	struct tc_bucket b;
	unsigned waits;
	tc_bucket_init(&b, RATE, 0);
	(void)send_for_a_second(&b, 10, &waits);
	assert_in_range(waits, 900, 1001);
}

static void a_large_segment_passes_at_once_and_is_waited_for_afterwards(void **state)
{
	(void)state;
	struct tc_bucket b;
	tc_bucket_init(&b, RATE, 0);
	assert_true(tc_bucket_is_open(&b, 0));
	tc_bucket_take(&b, 65000);
	assert_false(tc_bucket_is_open(&b, 0));
	/* 5000 were there; 60000 are owed, and 1000 open it */
	assert_int_equal(tc_bucket_opens_at(&b), 61 * TC_MS);
	assert_false(tc_bucket_is_open(&b, 61 * TC_MS - 1));
	assert_true(tc_bucket_is_open(&b, 61 * TC_MS));
}

static void a_long_silence_saves_no_more_than_a_burst(void **state)
{
	(void)state;
	struct tc_bucket b;
	tc_bucket_init(&b, RATE, 0);
	assert_true(tc_bucket_is_open(&b, 3600 * TC_SEC));
	tc_bucket_take(&b, 5001);
	assert_false(tc_bucket_is_open(&b, 3600 * TC_SEC));
}

static void a_clock_that_stands_still_or_goes_back_gives_nothing(void **state)
{
	(void)state;
	struct tc_bucket b;
	tc_bucket_init(&b, RATE, 10 * TC_SEC);
	tc_bucket_take(&b, 6000);
	assert_false(tc_bucket_is_open(&b, 10 * TC_SEC));
	assert_false(tc_bucket_is_open(&b, 9 * TC_SEC));
	assert_false(tc_bucket_is_open(&b, 10 * TC_SEC + TC_MS));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_passes_in_a_second_is_the_rate_and_one_burst_at_most),
		cmocka_unit_test(at_its_limit_it_opens_once_a_millisecond),
		cmocka_unit_test(a_large_segment_passes_at_once_and_is_waited_for_afterwards),
		cmocka_unit_test(a_long_silence_saves_no_more_than_a_burst),
		cmocka_unit_test(a_clock_that_stands_still_or_goes_back_gives_nothing),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
