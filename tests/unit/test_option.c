/* SPDX-License-Identifier: BSD-2-Clause
 * test_option.c - the command line, read by its table
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "cli/number.h"
#include "cli/option.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

struct values {
	bool daemon;
	int verbose;
	int64_t copies;
	int64_t share;
	int64_t latency;
	int64_t memory;
	int64_t out;
	int pace;
	const char *filter;
	char *maps;
	int64_t pool;
	bool hidden;
};

static const char *const paces[] = { "response", "think", "timed", NULL };

#define AT(m) .offset = offsetof(struct values, m)

static const struct tc_option table[] = {
	{ "map", 'x', TC_OPTION_LIST, AT(maps), .arg = "MAP,...", .group = "What", .help = "maps" },
	{ "filter", 'F', TC_OPTION_STRING, AT(filter), .arg = "FILTER", .help = "a filter" },
	{ "copies", 'n', TC_OPTION_NUMBER, AT(copies), .arg = "N", .min = 1, .max = 1023,
	  .initial = 1, .help = "copies of each session" },
	{ "share", 'r', TC_OPTION_DECIMAL, AT(share), .arg = "PCT", .min = 1, .max = 10000,
	  .scale = 100, .initial = 10000, .help = "share of the sessions" },
	{ "memory", 'm', TC_OPTION_SIZE, AT(memory), .arg = "MB", .min = 16 << 20,
	  .max = INT64_C(1) << 40, .scale = 1 << 20, .initial = 512 << 20, .help = "budget" },
	{ "out", 0, TC_OPTION_RATE, AT(out), .arg = "MBIT", .min = 8000, .max = 1000000000000,
	  .scale = 1000000, .help = "a rate" },
	{ "latency", 0, TC_OPTION_DURATION, AT(latency), .arg = "MS", .group = "How", .min = 0,
	  .max = INT64_MAX, .scale = 1000000, .initial = 1000000,
	  .help = "a text that is long enough to need more than one line in the help, and then "
		  "some" },
	{ "pace", 0, TC_OPTION_WORD, AT(pace), .words = paces, .initial = 1, .help = "pace" },
	{ "daemon", 'd', TC_OPTION_FLAG, AT(daemon), .help = "detach" },
	{ "verbose", 'V', TC_OPTION_COUNT, AT(verbose), .help = "say more" },
	{ "pool", 'U', TC_OPTION_NUMBER, AT(pool), .arg = "KB", .max = INT64_MAX,
	  .help = "accepted", .note = "-U has no meaning here" },
	{ "hidden", 0, TC_OPTION_FLAG, AT(hidden) },
	{ 0 },
};

struct fixture {
	struct values v;
	const char *operand;
	char error[TC_OPTION_ERROR_MAX];
};

/* Parses a NULL-terminated argv without the program's name. */
static int parse(struct fixture *f, bool operands, const char *const *args)
{
	char *argv[16] = { (char[]){ "prog" } };
	int argc = 1;
	for (; args[argc - 1] != NULL; argc++) {
		argv[argc] = (char *)(uintptr_t)args[argc - 1];
	}
	*f = (struct fixture){ 0 };
	memset(&f->v, 0xa5, sizeof f->v);
	tc_option_defaults(table, &f->v);
	return tc_option_parse(table, &f->v, argc, argv, operands ? &f->operand : NULL, f->error);
}

#define PARSE(f, ...) parse(f, false, (const char *const[]){ __VA_ARGS__, NULL })

static void done(struct fixture *f)
{
	tc_option_fini(table, &f->v);
	assert_null(f->v.maps);
}

static void without_arguments_every_member_has_its_default(void **state)
{
	(void)state;
	struct fixture f;
	assert_int_equal(parse(&f, false, (const char *const[]){ NULL }), 0);
	assert_false(f.v.daemon);
	assert_false(f.v.hidden);
	assert_int_equal(f.v.verbose, 0);
	assert_int_equal(f.v.copies, 1);
	assert_int_equal(f.v.share, 10000);
	assert_int_equal(f.v.memory, 512 << 20);
	assert_int_equal(f.v.latency, 1000000);
	assert_int_equal(f.v.pace, 1);
	assert_int_equal(f.v.pool, 0);
	assert_null(f.v.filter);
	assert_null(f.v.maps);
	done(&f);
}

static void the_four_ways_to_write_a_value_are_the_same(void **state)
{
	(void)state;
	struct fixture f;
	static const char *const ways[][3] = { { "-n", "7", NULL },
					       { "-n7", NULL },
					       { "--copies", "7", NULL },
					       { "--copies=7", NULL } };
	for (size_t i = 0; i < sizeof ways / sizeof ways[0]; i++) {
		assert_int_equal(parse(&f, false, ways[i]), 0);
		assert_int_equal(f.v.copies, 7);
		done(&f);
	}
}

static void bundled_flags_may_end_in_an_option_with_a_value(void **state)
{
	(void)state;
	struct fixture f;
	assert_int_equal(PARSE(&f, "-dVVn3"), 0);
	assert_true(f.v.daemon);
	assert_int_equal(f.v.verbose, 2);
	assert_int_equal(f.v.copies, 3);
	done(&f);
	assert_int_equal(PARSE(&f, "-dn", "4", "--verbose"), 0);
	assert_true(f.v.daemon);
	assert_int_equal(f.v.copies, 4);
	assert_int_equal(f.v.verbose, 1);
	done(&f);
}

static void a_value_may_look_like_an_option(void **state)
{
	(void)state;
	struct fixture f;
	assert_int_equal(PARSE(&f, "-F", "-d", "--filter", "--x=y"), 0);
	assert_string_equal(f.v.filter, "--x=y");
	assert_false(f.v.daemon);
	done(&f);
}

static void a_list_given_again_goes_on_after_a_comma(void **state)
{
	(void)state;
	struct fixture f;
	assert_int_equal(PARSE(&f, "-x", "a,b", "--map=c", "-xd"), 0);
	assert_string_equal(f.v.maps, "a,b,c,d");
	done(&f);
	assert_int_equal(PARSE(&f, "-x", ""), -EINVAL);
	assert_string_equal(f.error, "-x: the value is empty");
	done(&f);
}

static void an_unknown_name_is_answered_with_its_neighbour(void **state)
{
	(void)state;
	struct fixture f;
	assert_int_equal(PARSE(&f, "--fliter", "x"), -EINVAL);
	assert_string_equal(f.error, "unknown option '--fliter': did you mean --filter?");
	assert_int_equal(PARSE(&f, "--mem=3"), -EINVAL);
	assert_string_equal(f.error, "unknown option '--mem': did you mean --memory?");
	assert_int_equal(PARSE(&f, "--copys"), -EINVAL);
	assert_string_equal(f.error, "unknown option '--copys': did you mean --copies?");
	assert_int_equal(PARSE(&f, "--zzzzzz"), -EINVAL);
	assert_string_equal(f.error, "unknown option '--zzzzzz': --help lists all");
	assert_int_equal(PARSE(&f, "--hiddem"), -EINVAL);
	assert_string_equal(f.error, "unknown option '--hiddem': --help lists all");
	assert_int_equal(PARSE(&f, "--a-name-that-is-longer-than-all-those-that-we-know"), -EINVAL);
	assert_non_null(strstr(f.error, ": --help lists all"));
}

static void an_unknown_letter_is_answered_with_its_other_case(void **state)
{
	(void)state;
	struct fixture f;
	assert_int_equal(PARSE(&f, "-dX"), -EINVAL);
	assert_string_equal(f.error, "unknown option '-X': did you mean -x (--map)?");
	assert_int_equal(PARSE(&f, "-d\x01"), -EINVAL);
	assert_string_equal(f.error, "unknown option '-?': --help lists all");
	assert_int_equal(PARSE(&f, "-k"), -EINVAL);
	assert_string_equal(f.error, "unknown option '-k': --help lists all");
}

static void a_missing_value_and_one_too_many_are_named(void **state)
{
	(void)state;
	struct fixture f;
	assert_int_equal(PARSE(&f, "-d", "-x"), -EINVAL);
	assert_string_equal(f.error, "-x: a value is missing: -x MAP,...");
	assert_int_equal(PARSE(&f, "--pace"), -EINVAL);
	assert_string_equal(f.error, "--pace: a value is missing: --pace VALUE");
	assert_int_equal(PARSE(&f, "--daemon=yes"), -EINVAL);
	assert_string_equal(f.error, "--daemon takes no value");
}

static void operands_are_refused_unless_one_is_asked_for(void **state)
{
	(void)state;
	struct fixture f;
	assert_int_equal(PARSE(&f, "-d", "stray"), -EINVAL);
	assert_string_equal(f.error, "'stray': unexpected: options begin with '-'");
	assert_int_equal(parse(&f, true, (const char *const[]){ "a", "-d", NULL }), 0);
	assert_string_equal(f.operand, "a");
	assert_true(f.v.daemon);
	assert_int_equal(parse(&f, true, (const char *const[]){ "a", "b", NULL }), -EINVAL);
	assert_int_equal(parse(&f, true, (const char *const[]){ "--", "-d", NULL }), 0);
	assert_string_equal(f.operand, "-d");
	assert_false(f.v.daemon);
	assert_int_equal(parse(&f, true, (const char *const[]){ "-", NULL }), 0);
	assert_string_equal(f.operand, "-");
	assert_int_equal(parse(&f, true, (const char *const[]){ "-d", NULL }), 0);
	assert_null(f.operand);
}

static void numbers_out_of_range_name_what_is_allowed(void **state)
{
	(void)state;
	static const struct {
		const char *arg;
		const char *error;
	} rows[] = {
		{ "-n0", "-n: '0': out of range: a whole number from 1 to 1023 is needed" },
		{ "-n1024", "-n: '1024': out of range: a whole number from 1 to 1023 is needed" },
		{ "-n99999999999999999999", "-n: '99999999999999999999': out of range: a whole "
					    "number from 1 to 1023 is needed" },
		{ "-n2x", "-n: '2x': not understood: a whole number from 1 to 1023 is needed" },
		{ "-n", "-n: a value is missing: -n N" },
		{ "-r101", "-r: '101': out of range: a number from 0.01 to 100 is needed" },
		{ "-r0.005", "-r: '0.005': not understood: a number from 0.01 to 100 is needed" },
		{ "-m1", "-m: '1': out of range: a size, as in 64m, from 16m to 1t is needed" },
		{ "--latency=1y", "--latency: '1y': not understood: a duration, as in 20ms, of at "
				  "least 0 is needed" },
		{ "-U-1", "-U: '-1': out of range: a whole number of at least 0 is needed" },
	};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct fixture f;
		assert_int_equal(PARSE(&f, rows[i].arg), -EINVAL);
		assert_string_equal(f.error, rows[i].error);
		assert_int_equal(f.v.copies, 1);
		done(&f);
	}
}

static void a_word_is_one_of_its_list(void **state)
{
	(void)state;
	struct fixture f;
	assert_int_equal(PARSE(&f, "--pace", "timed"), 0);
	assert_int_equal(f.v.pace, 2);
	assert_int_equal(PARSE(&f, "--pace=tim"), -EINVAL);
	assert_string_equal(f.error, "--pace: 'tim': one of response, think, timed is needed");
}

static void an_error_never_outgrows_its_buffer(void **state)
{
	(void)state;
	static char arg[2000];
	struct fixture f;
	memset(arg, 'y', sizeof arg - 1);
	static const char *const starts[] = { "-n", "--pace=", "--", "-r", "" };
	for (size_t i = 0; i < sizeof starts / sizeof starts[0]; i++) {
		memcpy(arg, starts[i], strlen(starts[i]));
		assert_int_equal(PARSE(&f, arg), -EINVAL);
		assert_true(strlen(f.error) < TC_OPTION_ERROR_MAX);
	}
}

static void scaled_values_are_kept_exactly(void **state)
{
	(void)state;
	struct fixture f;
	assert_int_equal(PARSE(&f, "-r", "0.5", "-m", "64", "--latency", "1.5"), 0);
	assert_int_equal(f.v.share, 50);
	assert_int_equal(f.v.memory, 64 << 20);
	assert_int_equal(f.v.latency, 1500000);
	assert_int_equal(PARSE(&f, "-r12.34", "-m1g", "--latency=250us"), 0);
	assert_int_equal(f.v.share, 1234);
	assert_int_equal(f.v.memory, 1 << 30);
	assert_int_equal(f.v.latency, 250000);
}

static void numbers_take_no_tails_and_no_odd_signs(void **state)
{
	(void)state;
	int64_t v = 42;
	static const char *const bad[] = { "",	 "-",	 "+1",	" 1", "1 ",
					   "1x", "0x10", "--1", "1-", "1.0" };
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		assert_int_equal(tc_number_parse(bad[i], INT64_MIN, INT64_MAX, &v), -EINVAL);
	}
	assert_int_equal(v, 42);
	assert_int_equal(tc_number_parse("-5", 0, 9, &v), -ERANGE);
	assert_int_equal(tc_number_parse("-5", -5, 9, &v), 0);
	assert_int_equal(v, -5);
	assert_int_equal(tc_number_parse("007", 0, 9, &v), 0);
	assert_int_equal(v, 7);
}

static void durations_know_their_units(void **state)
{
	(void)state;
	int64_t v;
	static const struct {
		const char *text;
		int64_t ns;
	} rows[] = {
		{ "0", 0 },
		{ "7", 7000000000 },
		{ "250us", 250000 },
		{ "20ms", 20000000 },
		{ "1.5s", 1500000000 },
		{ "2m", 120000000000 },
		{ "1h", 3600000000000 },
		{ "3ns", 3 },
		{ "0.000001ms", 1 },
	};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		assert_int_equal(tc_duration_parse(rows[i].text, 1000000000, 0, INT64_MAX, &v), 0);
		assert_int_equal(v, rows[i].ns);
	}
	static const char *const bad[] = { "",
					   ".",
					   "1.",
					   ".5",
					   "1..2",
					   "ms",
					   "1 ms",
					   "0.5ns",
					   "-1s",
					   "1.2.3s",
					   "1.00000000000000000000s" };
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		assert_int_equal(tc_duration_parse(bad[i], 1000000000, 0, INT64_MAX, &v), -EINVAL);
	}
	assert_int_equal(tc_duration_parse("9999999999h", 1, 0, INT64_MAX - 1, &v), -ERANGE);
}

static void rates_count_in_thousands_with_bit_or_without(void **state)
{
	(void)state;
	int64_t v;
	static const struct {
		const char *text;
		int64_t bits;
	} rows[] = {
		{ "200", 200000000 },	{ "200M", 200000000 }, { "200mbit", 200000000 },
		{ "2.5G", 2500000000 }, { "64k", 64000 },      { "1Gbit", 1000000000 },
		{ "9600bit", 9600 },
	};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		assert_int_equal(tc_rate_parse(rows[i].text, 1000000, 0, INT64_MAX, &v), 0);
		assert_int_equal(v, rows[i].bits);
	}
	static const char *const bad[] = { "", "M", "1 M", "1Mb", "1Mbit/s", "-1M", "1x" };
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		assert_int_equal(tc_rate_parse(bad[i], 1000000, 0, INT64_MAX, &v), -EINVAL);
	}
}

static void a_rate_out_of_range_is_told_with_its_range(void **state)
{
	(void)state;
	struct fixture f;
	assert_int_equal(PARSE(&f, "--out", "1k"), -EINVAL);
	assert_string_equal(f.error,
			    "--out: '1k': out of range: bits a second, as in 200M, from 8kbit to "
			    "1tbit is needed");
}

static void what_a_formatter_writes_its_parser_reads(void **state)
{
	(void)state;
	static const int64_t values[] = { 0,
					  1,
					  999,
					  1000,
					  1024,
					  1500000,
					  1 << 20,
					  3 << 19,
					  INT64_C(1) << 40,
					  90000000000,
					  3600000000000 };
	char buf[TC_NUMBER_TEXT_MAX];
	for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
		int64_t v = -1;
		tc_duration_format(values[i], buf);
		assert_int_equal(tc_duration_parse(buf, 1, 0, INT64_MAX, &v), 0);
		assert_int_equal(v, values[i]);
		tc_size_format(values[i], buf);
		assert_int_equal(tc_size_parse(buf, 1, 0, INT64_MAX, &v), 0);
		assert_int_equal(v, values[i]);
		tc_rate_format(values[i], buf);
		assert_int_equal(tc_rate_parse(buf, 1, 0, INT64_MAX, &v), 0);
		assert_int_equal(v, values[i]);
		tc_decimal_format(values[i], 10000, buf);
		assert_int_equal(tc_decimal_parse(buf, 10000, 0, INT64_MAX, &v), 0);
		assert_int_equal(v, values[i]);
	}
	assert_string_equal(tc_size_format(512 << 20, buf), "512m");
	assert_string_equal(tc_duration_format(100000000, buf), "100ms");
	assert_string_equal(tc_rate_format(2500000000, buf), "2500mbit");
	assert_string_equal(tc_decimal_format(10050, 1000, buf), "10.05");
}

static char *help_text(void)
{
	char *text = NULL;
	size_t n = 0;
	FILE *to = open_memstream(&text, &n);
	assert_non_null(to);
	tc_option_help(table, to);
	fclose(to);
	return text;
}

static void help_has_groups_columns_and_every_visible_option(void **state)
{
	(void)state;
	char *text = help_text();
	assert_non_null(strstr(text, "What:\n  -x, --map MAP,...    maps\n"));
	assert_non_null(strstr(text, "\n\nHow:\n      --latency MS "));
	assert_non_null(
		strstr(text, "      --pace response|think|timed\n                       pace\n"));
	assert_non_null(strstr(text, "  -d, --daemon"));
	assert_null(strstr(text, "hidden"));
	for (const char *line = text; *line != '\0'; line += strcspn(line, "\n") + 1) {
		assert_true(strcspn(line, "\n") <= 80);
	}
	free(text);
}

static void a_note_is_said_once_when_its_option_was_given(void **state)
{
	(void)state;
	char *text = NULL;
	size_t n = 0;
	FILE *to = open_memstream(&text, &n);
	char *with[] = { (char[]){ "prog" }, (char[]){ "-dU5" }, (char[]){ "--pool=6" } };
	char *without[] = { (char[]){ "prog" }, (char[]){ "-F" }, (char[]){ "-U" } };
	tc_option_notes(table, 3, without, "prog: ", to);
	tc_option_notes(table, 3, with, "prog: ", to);
	fclose(to);
	assert_string_equal(text, "prog: -U has no meaning here\n");
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(without_arguments_every_member_has_its_default),
		cmocka_unit_test(the_four_ways_to_write_a_value_are_the_same),
		cmocka_unit_test(bundled_flags_may_end_in_an_option_with_a_value),
		cmocka_unit_test(a_value_may_look_like_an_option),
		cmocka_unit_test(a_list_given_again_goes_on_after_a_comma),
		cmocka_unit_test(an_unknown_name_is_answered_with_its_neighbour),
		cmocka_unit_test(an_unknown_letter_is_answered_with_its_other_case),
		cmocka_unit_test(a_missing_value_and_one_too_many_are_named),
		cmocka_unit_test(operands_are_refused_unless_one_is_asked_for),
		cmocka_unit_test(numbers_out_of_range_name_what_is_allowed),
		cmocka_unit_test(a_word_is_one_of_its_list),
		cmocka_unit_test(an_error_never_outgrows_its_buffer),
		cmocka_unit_test(scaled_values_are_kept_exactly),
		cmocka_unit_test(numbers_take_no_tails_and_no_odd_signs),
		cmocka_unit_test(durations_know_their_units),
		cmocka_unit_test(rates_count_in_thousands_with_bit_or_without),
		cmocka_unit_test(a_rate_out_of_range_is_told_with_its_range),
		cmocka_unit_test(what_a_formatter_writes_its_parser_reads),
		cmocka_unit_test(help_has_groups_columns_and_every_visible_option),
		cmocka_unit_test(a_note_is_said_once_when_its_option_was_given),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
