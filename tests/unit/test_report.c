/* SPDX-License-Identifier: BSD-2-Clause
 * test_report.c - the books, for people and for programs
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "report/report.h"
#include "wire/share.h"

#include <errno.h>
#include <jansson.h>
#include <stdlib.h>

/* A run in which one of three sessions lost 100 of 10000 bytes. */
static struct tc_report sample(void)
{
	static const char *const channels[] = { "10.0.0.4:36524: connected" };
	struct tc_report r = {
		.version = "2.0.0",
		.elapsed = 2 * TC_SEC,
		.final = true,
		.ledger = { .seen = 110,
			    .used = 100,
			    .drops[TC_DROP_DUPLICATE] = 10,
			    .to_copy = 10000,
			    .delivered = 9900,
			    .lost[TC_END_HOLE] = 100,
			    .opened = 3,
			    .ended[TC_END_CLOSED] = 2,
			    .ended[TC_END_HOLE] = 1,
			    .complete = 2,
			    .turns = 100,
			    .lag[9] = 98,
			    .lag[12] = 2,
			    .holes = 1,
			    .segments = 50,
			    .answers = 40,
			    .answer_drops[TC_DROP_ANSWER_STALE] = 1 },
		.capture = { .pkts = 111, .drops[TC_DROP_NOT_TCP] = 1 },
		.deliver = { .pkts = 55, .bytes = 9999, .segments = 50 },
		.answers = { .up = 1, .configured = 1, .connects = 1, .peer_pkts = 40 },
		.limits = { .out_bits = 200500000,
			    .kept = TC_SHARE_ALL,
			    .kept_least = TC_SHARE_ALL },
		.loop_turns = 77,
		.channels = channels,
		.n_channels = 1,
	};
	return r;
}

/* What @fn writes; the caller frees it. */
static char *written(const struct tc_report *r, void (*fn)(const struct tc_report *, FILE *))
{
	char *text = NULL;
	size_t n = 0;
	FILE *to = open_memstream(&text, &n);
	assert_non_null(to);
	fn(r, to);
	fclose(to);
	return text;
}

static void hints(const struct tc_report *r, FILE *to)
{
	tc_report_hints(r, "hint: ", to);
}

static void json(const struct tc_report *r, FILE *to)
{
	assert_int_equal(tc_report_json(r, to), 0);
}

static void assert_says(const struct tc_report *r, const char *what)
{
	char *text = written(r, tc_report_text);
	if (strstr(text, what) == NULL) {
		fail_msg("'%s' is not in:\n%s", what, text);
	}
	free(text);
}

static void a_hundred_percent_means_that_nothing_was_lost(void **state)
{
	(void)state;
	static const struct {
		uint64_t delivered;
		uint64_t to_copy;
		const char *text;
	} rows[] = {
		{ 0, 1, "0.00 %" },
		{ 1, 1, "100.00 %" },
		{ 9999, 10000, "99.99 %" },
		{ 99999, 100000, "99.99 %" },
		{ 999999999999, 1000000000000, "99.99 %" },
		{ 1, 3, "33.33 %" },
		{ 2, 3, "66.66 %" },
		{ UINT64_MAX, UINT64_MAX, "100.00 %" },
		{ UINT64_MAX / 10000, UINT64_MAX / 10000, "100.00 %" },
		{ UINT64_MAX - 1, UINT64_MAX, "99.99 %" },
		{ UINT64_MAX / 2, UINT64_MAX, "49.99 %" },
	};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		char buf[TC_FIDELITY_TEXT_MAX];
		assert_string_equal(tc_fidelity_format(rows[i].delivered, rows[i].to_copy, buf),
				    rows[i].text);
	}
}

static void the_first_line_is_the_fidelity(void **state)
{
	(void)state;
	struct tc_report r = sample();
	char *text = written(&r, tc_report_text);
	const char *first = "fidelity 99.00 % of client bytes (sessions 2/3 complete)\n";
	assert_memory_equal(text, first, strlen(first));
	free(text);
}

static void held_bytes_count_as_not_delivered_at_the_end_alone(void **state)
{
	(void)state;
	struct tc_report r = sample();
	r.ledger.held = 10000;
	r.ledger.to_copy += 10000;
	r.ledger.live = 1;
	r.ledger.live_complete = 1;
	r.ledger.opened = 4;
	assert_says(&r, "fidelity 49.50 % of client bytes (sessions 3/4 complete)\n");
	r.final = false;
	assert_says(&r, "fidelity 99.00 % of client bytes so far (sessions 3/4 complete)\n");
}

static void nothing_to_copy_is_said_and_is_no_hundred_percent(void **state)
{
	(void)state;
	struct tc_report r = { .final = true, .version = "" };
	assert_says(&r, "nothing was to be copied (sessions 0/0 complete)\n");
	char *text = written(&r, tc_report_text);
	assert_null(strstr(text, "100"));
	free(text);
	text = written(&r, json);
	assert_non_null(strstr(text, "\"fidelity_percent\":null"));
	free(text);
}

static void what_was_lost_stands_beside_its_reason(void **state)
{
	(void)state;
	struct tc_report r = sample();
	assert_says(&r, "10000 to be copied: 9900 delivered, 100 lost, 0 held\n");
	assert_says(&r, "lost       100 bytes, 1 session: the capture lost bytes of the client\n");
	assert_says(&r, "3 opened, 0 live, 2 closed by both sides, 1 the capture lost bytes of "
			"the client\n");
	assert_says(&r, "110 seen, 100 used, 10 not: 10 seen before\n");
	assert_says(&r, "111 frames read, 0 dropped by the kernel, 1 not usable: 1 not TCP\n");
	assert_says(&r, "39 used, 1 not: 1 answer outside what TCP accepts\n");
	assert_says(&r, "100, lag below 0.51 ms median, 4.09 ms p99\n");
	assert_says(&r,
		    "1 of 1 up; lost 0 times; intercept read 40 frames, its kernel dropped 0\n");
	assert_says(&r, "10.0.0.4:36524: connected\n");
}

static void books_that_do_not_balance_are_never_overlooked(void **state)
{
	(void)state;
	struct tc_report r = sample();
	assert_says(&r, "books      balance\n");
	char *balanced = written(&r, json);
	assert_non_null(strstr(balanced, "\"balance\":true"));
	free(balanced);
	r.ledger.delivered++;
	assert_says(&r, "books      DO NOT BALANCE: the sum of bytes;");
	char *text = written(&r, json);
	assert_non_null(strstr(text, "\"balance\":\"bytes\""));
	free(text);
	r = sample();
	r.ledger.bugs = 2;
	r.ledger.bug_at = "core/x.c:5";
	assert_says(&r, "2, the first at core/x.c:5;");
}

static void what_production_was_protected_from_is_told_when_there_was_something(void **state)
{
	(void)state;
	struct tc_report r = sample();
	char *text = written(&r, tc_report_text);
	assert_null(strstr(text, "limits"));
	assert_null(strstr(text, "shed"));
	free(text);
	r.limits.out_waits = 3;
	r.limits.out_waited = 1500 * TC_MS;
	r.limits.out_delayed = 7;
	assert_says(
		&r,
		"\n  limits     7 segments waited 1500 ms in all for --max-out (200.5 Mbit/s)\n");
	r.limits.reductions = 2;
	r.limits.kept = TC_SHARE_ALL / 2;
	r.limits.kept_least = TC_SHARE_ALL / 4;
	assert_says(&r, "\n  shed       50.0 % of the clients are copied now, 25.0 % at the least: "
			"the capture was too far behind 2 times\n");
	char *hint = written(&r, hints);
	assert_non_null(strstr(hint, "hint: sessions were shed because"));
	free(hint);
	struct tc_report before = sample();
	char line[TC_REPORT_LINE_MAX];
	assert_non_null(strstr(tc_report_line(&r, &before, line), ", SHEDDING 50.0 %"));
}

static void json_is_one_line_that_holds_the_same_figures(void **state)
{
	(void)state;
	struct tc_report r = sample();
	char *text = written(&r, json);
	assert_ptr_equal(strchr(text, '\n'), text + strlen(text) - 1);
	json_error_t error;
	json_t *o = json_loads(text, 0, &error);
	assert_non_null(o);
	double percent;
	json_int_t lost;
	json_int_t opened;
	json_int_t closed;
	json_int_t duplicates;
	json_int_t not_tcp;
	int final;
	assert_int_equal(json_unpack(o,
				     "{s:F, s:b, s:{s:{s:I}}, s:{s:I, s:{s:I}}, s:{s:{s:I}}, "
				     "s:{s:{s:I}}}",
				     "fidelity_percent", &percent, "final", &final, "bytes", "lost",
				     "hole", &lost, "sessions", "opened", &opened, "ended",
				     "closed", &closed, "packets", "drops", "duplicate",
				     &duplicates, "capture", "drops", "not-tcp", &not_tcp),
			 0);
	assert_true(percent > 98.999 && percent < 99.001);
	assert_true(final);
	assert_int_equal(lost, 100);
	assert_int_equal(opened, 3);
	assert_int_equal(closed, 2);
	assert_int_equal(duplicates, 10);
	assert_int_equal(not_tcp, 1);
	assert_non_null(strstr(text, "\"loop\":{\"turns\":77,\"full\":0,"));
	json_decref(o);
	free(text);
}

static void json_that_cannot_be_written_is_an_error(void **state)
{
	(void)state;
	struct tc_report r = sample();
	FILE *full = fopen("/dev/full", "w");
	if (full == NULL) {
		skip();
	}
	assert_int_equal(tc_report_json(&r, full), -EIO);
	fclose(full);
}

static size_t allocations_left;

static void *scarce_malloc(size_t n)
{
	if (allocations_left == 0) {
		return NULL;
	}
	allocations_left--;
	return malloc(n);
}

static void without_memory_json_is_an_error_and_never_half_an_object(void **state)
{
	(void)state;
	struct tc_report r = sample();
	char buf[4096];
	json_set_alloc_funcs(scarce_malloc, free);
	int rc = -ENOMEM;
	size_t n = 0;
	for (; rc == -ENOMEM; n++) {
		FILE *to = fmemopen(buf, sizeof buf, "w");
		assert_non_null(to);
		allocations_left = n;
		rc = tc_report_json(&r, to);
		assert_true(rc == 0 || ftell(to) == 0 || rc == -EIO);
		fclose(to);
		rc = rc == -EIO ? -ENOMEM : rc; /* writing allocates, too */
	}
	json_set_alloc_funcs(malloc, free);
	assert_int_equal(rc, 0);
	assert_true(n > 100);
}

static void a_run_without_losses_gets_no_hints(void **state)
{
	(void)state;
	struct tc_report r = sample();
	char *text = written(&r, hints);
	assert_string_equal(text, "");
	free(text);
}

static void each_cause_has_a_hint_of_its_own(void **state)
{
	(void)state;
	static const struct {
		struct tc_report r;
		const char *hint;
	} rows[] = {
		{ { .capture = { .pkts = 0 } }, "no packet was captured" },
		{ { .capture = { .pkts = 5 }, .ledger = { .seen = 5, .drops[TC_DROP_NO_MAP] = 5 } },
		  "addresses that no -x names\n" },
		{ { .capture = { .pkts = 5 },
		    .ledger = { .seen = 5, .drops[TC_DROP_NO_MAP] = 5 },
		    .stray = { .port = 8443, .syns = 2 } },
		  "no -x names; most connections are opened to port 8443 of ::\n" },
		{ { .offline = true }, "the file has none" },
		{ { .capture = { .pkts = 5 }, .ledger = { .drops[TC_DROP_SYN_NO_ACCEPT] = 5 } },
		  "no connection was accepted" },
		{ { .capture = { .pkts = 5 }, .n_channels = 1 },
		  "no intercept was ever connected" },
		{ { .capture = { .pkts = 5 }, .deliver = { .no_neighbor = 3 } },
		  "the next hop towards the target does not answer" },
		{ { .capture = { .pkts = 5 },
		    .deliver = { .pkts = 12 },
		    .answers = { .connects = 1 },
		    .ledger = { .opened = 9, .ended[TC_END_REUSED] = 9, .rtos = 3 } },
		  "the target's answers were not seen" },
		{ { .capture = { .pkts = 5 },
		    .answers = { .connects = 1 },
		    .ledger = { .opened = 9, .answers = 50, .ended[TC_END_NO_SYN_ACK] = 9 } },
		  "does not answer all connections" },
		{ { .capture = { .pkts = 5 },
		    .ledger = { .opened = 9, .ended[TC_END_REFUSED] = 9 } },
		  "refuses connections" },
		{ { .capture = { .pkts = 5, .kernel_drops = 1 } }, "a larger -B" },
		{ { .capture = { .pkts = 5 }, .answers = { .peer_drops = 1 } },
		  "intercept's host dropped" },
		{ { .capture = { .pkts = 5 }, .ledger = { .drops[TC_DROP_MEMORY] = 1 } },
		  "a larger -m" },
		{ { .capture = { .pkts = 5 }, .ledger = { .opened = 9, .ended[TC_END_LAG] = 9 } },
		  "--max-lag" },
		{ { .capture = { .pkts = 5 },
		    .answers = { .connects = 2, .disconnects = 1 },
		    .ledger = { .opened = 9, .ended[TC_END_LAG] = 5, .ended[TC_END_NO_ACK] = 4 } },
		  "with --key at both ends" },
	};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		char *text = written(&rows[i].r, hints);
		if (strstr(text, rows[i].hint) == NULL) {
			fail_msg("'%s' is not in '%s'", rows[i].hint, text);
		}
		/* one cause, one line */
		assert_ptr_equal(strchr(text, '\n'), text + strlen(text) - 1);
		free(text);
	}
}

static void the_live_line_shows_rates_since_the_line_before(void **state)
{
	(void)state;
	struct tc_report before = sample();
	struct tc_report r = sample();
	char buf[TC_REPORT_LINE_MAX];
	before.elapsed = TC_SEC;
	before.ledger.turns = 40;
	before.ledger.lag[12] = 0;
	before.ledger.lag[9] = 98;
	r.ledger.live = 7;
	r.final = false;
	assert_string_equal(tc_report_line(&r, &before, buf),
			    "7 sessions, 60 turns/s, fidelity 99.00 %, lag p99 4.09 ms");
	r.answers.up = 0;
	assert_non_null(strstr(tc_report_line(&r, &before, buf), ", NO INTERCEPT"));
	r.capture.read_permille = 345;
	assert_non_null(strstr(tc_report_line(&r, &before, buf), ", 34.5 % read"));
	struct tc_report empty = { 0 };
	assert_string_equal(tc_report_line(&empty, &empty, buf),
			    "0 sessions, 0 turns/s, fidelity -, lag p99 0.00 ms");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_hundred_percent_means_that_nothing_was_lost),
		cmocka_unit_test(the_first_line_is_the_fidelity),
		cmocka_unit_test(held_bytes_count_as_not_delivered_at_the_end_alone),
		cmocka_unit_test(nothing_to_copy_is_said_and_is_no_hundred_percent),
		cmocka_unit_test(what_was_lost_stands_beside_its_reason),
		cmocka_unit_test(books_that_do_not_balance_are_never_overlooked),
		cmocka_unit_test(
			what_production_was_protected_from_is_told_when_there_was_something),
		cmocka_unit_test(json_is_one_line_that_holds_the_same_figures),
		cmocka_unit_test(json_that_cannot_be_written_is_an_error),
		cmocka_unit_test(without_memory_json_is_an_error_and_never_half_an_object),
		cmocka_unit_test(a_run_without_losses_gets_no_hints),
		cmocka_unit_test(each_cause_has_a_hint_of_its_own),
		cmocka_unit_test(the_live_line_shows_rates_since_the_line_before),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
