/* SPDX-License-Identifier: BSD-2-Clause
 * test_log.c - lines of the log
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "base/log.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static int fds[2];
static char got[70000];

static struct tc_log make(void)
{
	assert_int_equal(pipe2(fds, O_CLOEXEC | O_NONBLOCK), 0);
	return (struct tc_log){ .fd = fds[1], .level = TC_LOG_INFO };
}

static void end(void)
{
	close(fds[0]);
	close(fds[1]);
}

/* All that was written. */
static const char *text(void)
{
	size_t n = 0;
	ssize_t r;
	while ((r = read(fds[0], got + n, sizeof got - 1 - n)) > 0) {
		n += (size_t)r;
	}
	got[n] = '\0';
	return got;
}

static void a_line_is_level_message_and_a_newline(void **state)
{
	(void)state;
	struct tc_log log = make();
	tc_log(&log, TC_LOG_WARNING, "lost %s port=%d", "it", 80);
	assert_string_equal(text(), "warning: lost it port=80\n");
	end();
}

static void levels_beyond_the_logs_own_are_not_written(void **state)
{
	(void)state;
	struct tc_log log = make();
	tc_log(&log, TC_LOG_DEBUG, "a");
	tc_log(&log, TC_LOG_INFO, "b");
	log.level = TC_LOG_ERROR;
	tc_log(&log, TC_LOG_INFO, "c");
	TC_LOG_LIMITED(&log, 0, TC_LOG_WARNING, "d");
	tc_log(&log, TC_LOG_ERROR, "e");
	assert_string_equal(text(), "info: b\nerror: e\n");
	end();
}

static void what_is_quoted_cannot_begin_a_line_nor_colour_the_terminal(void **state)
{
	(void)state;
	struct tc_log log = make();
	tc_log(&log, TC_LOG_INFO, "said '%s'", "x\nerror: \x1b[31m\xff");
	assert_string_equal(text(), "info: said 'x?error: ?[31m?'\n");
	end();
}

static void a_long_line_is_cut_and_still_ends(void **state)
{
	(void)state;
	struct tc_log log = make();
	static char longer[3000];
	memset(longer, 'a', sizeof longer - 1);
	tc_log(&log, TC_LOG_INFO, "%s", longer);
	tc_log(&log, TC_LOG_INFO, "next");
	const char *t = text();
	const char *eol = strchr(t, '\n');
	assert_non_null(eol);
	assert_true(eol - t < TC_LOG_LINE_MAX && eol - t > TC_LOG_LINE_MAX - 100);
	assert_string_equal(eol + 1, "info: next\n");
	end();
}

static void a_place_is_limited_and_says_what_it_left_out(void **state)
{
	(void)state;
	struct tc_log log = make();
	struct tc_log_site site = { 0 };
	for (unsigned i = 0; i < 12; i++) {
		tc_log_limited(&log, &site, TC_SEC, TC_LOG_INFO, "%u", i);
	}
	assert_string_equal(text(), "info: 0\ninfo: 1\ninfo: 2\ninfo: 3\ninfo: 4\n");
	tc_log_limited(&log, &site, TC_SEC + TC_LOG_INTERVAL - 1, TC_LOG_INFO, "too early");
	assert_string_equal(text(), "");
	tc_log_limited(&log, &site, TC_SEC + TC_LOG_INTERVAL, TC_LOG_INFO, "again");
	tc_log_limited(&log, &site, TC_SEC + TC_LOG_INTERVAL, TC_LOG_INFO, "and again");
	assert_string_equal(text(), "info: again suppressed=8\ninfo: and again\n");
	end();
}

static void two_places_do_not_limit_each_other(void **state)
{
	(void)state;
	struct tc_log log = make();
	for (unsigned i = 0; i < 100; i++) {
		TC_LOG_LIMITED(&log, 1, TC_LOG_INFO, "one");
	}
	text();
	TC_LOG_LIMITED(&log, 1, TC_LOG_INFO, "other");
	assert_string_equal(text(), "info: other\n");
	end();
}

static void a_reader_that_hangs_stops_nobody_and_is_told_what_it_missed(void **state)
{
	(void)state;
	struct tc_log log = make();
	assert_int_equal(fcntl(fds[1], F_SETFL, 0), 0); /* a blocking pipe, as stderr may be */
	for (unsigned i = 0; i < 10000; i++) {
		tc_log(&log, TC_LOG_INFO, "line %u", i);
	}
	assert_true(log.lost > 0);
	uint64_t lost = log.lost;
	assert_non_null(strstr(text(), "info: line 0\n"));
	tc_log(&log, TC_LOG_INFO, "here");
	char expected[64];
	snprintf(expected, sizeof expected, "info: here lines_lost=%llu\n",
		 (unsigned long long)lost);
	assert_string_equal(text(), expected);
	assert_int_equal(log.lost, 0);
	end();
}

static void a_report_is_written_as_it_is(void **state)
{
	(void)state;
	struct tc_log log = make();
	static char longer[3000];
	memset(longer, 'a', sizeof longer);
	tc_log_text(&log, "one\n  two: \t1\n", 15);
	assert_string_equal(text(), "one\n  two: \t1\n");
	tc_log_text(&log, longer, sizeof longer);
	assert_int_equal(strlen(text()), sizeof longer);
	assert_int_equal(log.lost, 0);
	end();
}

static void a_report_that_nobody_reads_stops_nobody_and_its_lines_are_counted(void **state)
{
	(void)state;
	struct tc_log log = make();
	assert_int_equal(fcntl(fds[1], F_SETFL, 0), 0);
	static char report[100000];
	memset(report, 'b', sizeof report);
	for (size_t i = 99; i < sizeof report; i += 100) {
		report[i] = '\n';
	}
	tc_log_text(&log, report, sizeof report);
	const char *got_text = text();
	size_t n = strlen(got_text);
	assert_true(n > 0 && n % 100 == 0);
	assert_int_equal(log.lost, (sizeof report - n) / 100);
	tc_log_text(&log, report, 200);
	assert_int_equal(log.lost, (sizeof report - n) / 100); /* a line of the log tells of them */
	end();
}

static void with_stamps_a_line_begins_with_the_time(void **state)
{
	(void)state;
	struct tc_log log = make();
	log.stamps = true;
	tc_log(&log, TC_LOG_INFO, "x");
	unsigned year, month, day, hour, minute, second, ms;
	char tail[20] = "";
	int n = sscanf(text(), "%4u-%2u-%2uT%2u:%2u:%2u.%3uZ info: %19s", &year, &month, &day,
		       &hour, &minute, &second, &ms, tail);
	assert_int_equal(n, 8);
	assert_string_equal(tail, "x");
	assert_true(year >= 2024 && month <= 12);
	end();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_line_is_level_message_and_a_newline),
		cmocka_unit_test(levels_beyond_the_logs_own_are_not_written),
		cmocka_unit_test(what_is_quoted_cannot_begin_a_line_nor_colour_the_terminal),
		cmocka_unit_test(a_long_line_is_cut_and_still_ends),
		cmocka_unit_test(a_place_is_limited_and_says_what_it_left_out),
		cmocka_unit_test(two_places_do_not_limit_each_other),
		cmocka_unit_test(a_reader_that_hangs_stops_nobody_and_is_told_what_it_missed),
		cmocka_unit_test(a_report_is_written_as_it_is),
		cmocka_unit_test(a_report_that_nobody_reads_stops_nobody_and_its_lines_are_counted),
		cmocka_unit_test(with_stamps_a_line_begins_with_the_time),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
