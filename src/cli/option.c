/* SPDX-License-Identifier: BSD-2-Clause
 * cli/option.c - the command line, read by its table
 *
 * A cursor walks argv and yields one given option, or one operand, at a time; parsing and the notes walk the same way.
 */
#include "cli/option.h"

#include "cli/number.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define NAME_MAX_LEN 32 /* of a long option; longer ones are nobody's neighbour */

struct cursor {
	int argc;
	char **argv;
	int i;
	const char
		*bundle; /* the letters of argv[i - 1] that are not yet read, NULL or "" for none */
	bool only_operands; /* behind "--" */
};

/* What the cursor found: an option, or an operand when .row is NULL. */
struct given {
	const struct tc_option *row;
	const char *value;
	char name[NAME_MAX_LEN + 3]; /* as the user wrote it: "-x" or "--map" */
};

__attribute__((format(printf, 2, 3))) static int fail(char *ret_error, const char *fmt, ...)
{
	va_list args;
	va_start(args, fmt);
	vsnprintf(ret_error, TC_OPTION_ERROR_MAX, fmt, args);
	va_end(args);
	return -EINVAL;
}

static bool takes_value(const struct tc_option *row)
{
	return row->kind != TC_OPTION_FLAG && row->kind != TC_OPTION_COUNT;
}

static const struct tc_option *by_letter(const struct tc_option *table, char letter)
{
	for (; table->name != NULL; table++) {
		if (table->letter == letter) {
			return table;
		}
	}
	return NULL;
}

static const struct tc_option *by_name(const struct tc_option *table, const char *name, size_t n)
{
	for (; table->name != NULL; table++) {
		if (strlen(table->name) == n && memcmp(table->name, name, n) == 0) {
			return table;
		}
	}
	return NULL;
}

static size_t min_size(size_t a, size_t b)
{
	return a < b ? a : b;
}

/* Edits (insert, remove, replace) that turn @a of @n characters into @b. */
static size_t distance(const char *a, size_t n, const char *b)
{
	size_t m = strlen(b);
	if (n > NAME_MAX_LEN || m > NAME_MAX_LEN) {
		return SIZE_MAX;
	}
	size_t row[NAME_MAX_LEN + 1];
	for (size_t j = 0; j <= m; j++) {
		row[j] = j;
	}
	for (size_t i = 1; i <= n; i++) {
		size_t diagonal = row[0];
		row[0] = i;
		for (size_t j = 1; j <= m; j++) {
			size_t replace = diagonal + (a[i - 1] != b[j - 1]);
			diagonal = row[j];
			row[j] = min_size(replace, min_size(row[j], row[j - 1]) + 1);
		}
	}
	return row[m];
}

/* The known name that @name most likely meant: one that it abbreviates, or one a few edits away. */
static const char *nearest(const struct tc_option *table, const char *name, size_t n)
{
	const char *best = NULL;
	size_t best_edits = n / 3 + 2;
	for (; table->name != NULL; table++) {
		if (table->help == NULL) {
			continue;
		}
		bool abbreviated = n > 0 && strncmp(table->name, name, n) == 0;
		size_t edits = abbreviated ? 1 : distance(name, n, table->name);
		if (edits < best_edits) {
			best = table->name;
			best_edits = edits;
		}
	}
	return best;
}

static int unknown_name(const struct tc_option *table, const char *name, size_t n, char *ret_error)
{
	int shown = n > 64 ? 64 : (int)n;
	const char *near = nearest(table, name, n);
	if (near != NULL) {
		return fail(ret_error, "unknown option '--%.*s': did you mean --%s?", shown, name,
			    near);
	}
	return fail(ret_error, "unknown option '--%.*s': --help lists all", shown, name);
}

static int unknown_letter(const struct tc_option *table, char letter, char *ret_error)
{
	bool printable = letter > ' ' && letter <= '~';
	char other = (char)(letter ^ ' '); /* the same letter in the other case */
	const struct tc_option *row = printable ? by_letter(table, other) : NULL;
	if (row != NULL) {
		return fail(ret_error, "unknown option '-%c': did you mean -%c (--%s)?", letter,
			    other, row->name);
	}
	return fail(ret_error, "unknown option '-%c': --help lists all", printable ? letter : '?');
}

/* The value of an option that needs one is the next argument, whatever it looks like. */
static int take_value(struct cursor *c, struct given *ret, char *ret_error)
{
	if (c->i >= c->argc) {
		const char *arg = ret->row->arg;
		return fail(ret_error, "%s: a value is missing: %s %s", ret->name, ret->name,
			    arg != NULL ? arg : "VALUE");
	}
	ret->value = c->argv[c->i++];
	return 1;
}

static int next_letter(const struct tc_option *table, struct cursor *c, struct given *ret,
		       char *ret_error)
{
	char letter = *c->bundle++;
	ret->row = by_letter(table, letter);
	if (ret->row == NULL) {
		return unknown_letter(table, letter, ret_error);
	}
	snprintf(ret->name, sizeof ret->name, "-%c", letter);
	ret->value = NULL;
	if (!takes_value(ret->row)) {
		return 1;
	}
	if (*c->bundle != '\0') {
		ret->value = c->bundle;
		c->bundle = NULL;
		return 1;
	}
	return take_value(c, ret, ret_error);
}

static int next_name(const struct tc_option *table, struct cursor *c, const char *arg,
		     struct given *ret, char *ret_error)
{
	size_t n = strcspn(arg, "=");
	ret->row = by_name(table, arg, n);
	if (ret->row == NULL) {
		return unknown_name(table, arg, n, ret_error);
	}
	snprintf(ret->name, sizeof ret->name, "--%s", ret->row->name);
	ret->value = arg[n] == '=' ? arg + n + 1 : NULL;
	if (!takes_value(ret->row)) {
		return ret->value == NULL ? 1 : fail(ret_error, "%s takes no value", ret->name);
	}
	return ret->value != NULL ? 1 : take_value(c, ret, ret_error);
}

/* Return: 1 and *ret; 0 at the end; -EINVAL and a sentence. */
static int cursor_next(const struct tc_option *table, struct cursor *c, struct given *ret,
		       char *ret_error)
{
	if (c->bundle != NULL && *c->bundle != '\0') {
		return next_letter(table, c, ret, ret_error);
	}
	if (c->i >= c->argc) {
		return 0;
	}
	const char *arg = c->argv[c->i++];
	if (!c->only_operands && strcmp(arg, "--") == 0) {
		c->only_operands = true;
		return cursor_next(table, c, ret, ret_error);
	}
	if (c->only_operands || arg[0] != '-' || arg[1] == '\0') {
		*ret = (struct given){ .value = arg };
		return 1;
	}
	if (arg[1] == '-') {
		return next_name(table, c, arg + 2, ret, ret_error);
	}
	c->bundle = arg + 1;
	return next_letter(table, c, ret, ret_error);
}

static const char *number_text(const struct tc_option *row, int64_t v, char *buf)
{
	switch (row->kind) {
	case TC_OPTION_DECIMAL:
		return tc_decimal_format(v, row->scale, buf);
	case TC_OPTION_DURATION:
		return tc_duration_format(v, buf);
	case TC_OPTION_SIZE:
		return tc_size_format(v, buf);
	case TC_OPTION_RATE:
		return tc_rate_format(v, buf);
	default:
		snprintf(buf, TC_NUMBER_TEXT_MAX, "%" PRId64, v);
		return buf;
	}
}

/* "-m: '0': out of range: a size, as in 64m, from 16m to 1t is needed" */
static int bad_number(const struct given *g, int rc, char *ret_error)
{
	static const char *const what[TC_OPTION__N] = {
		[TC_OPTION_NUMBER] = "a whole number",
		[TC_OPTION_DECIMAL] = "a number",
		[TC_OPTION_DURATION] = "a duration, as in 20ms,",
		[TC_OPTION_SIZE] = "a size, as in 64m,",
		[TC_OPTION_RATE] = "bits a second, as in 200M,",
	};
	const struct tc_option *row = g->row;
	char min[TC_NUMBER_TEXT_MAX];
	char max[TC_NUMBER_TEXT_MAX];
	const char *why = rc == -ERANGE ? "out of range" : "not understood";
	number_text(row, row->min, min);
	if (row->max == INT64_MAX) {
		return fail(ret_error, "%s: '%.64s': %s: %s of at least %s is needed", g->name,
			    g->value, why, what[row->kind], min);
	}
	number_text(row, row->max, max);
	return fail(ret_error, "%s: '%.64s': %s: %s from %s to %s is needed", g->name, g->value,
		    why, what[row->kind], min, max);
}

static int set_number(const struct given *g, int64_t *ret, char *ret_error)
{
	const struct tc_option *row = g->row;
	int rc;
	switch (row->kind) {
	case TC_OPTION_DECIMAL:
		rc = tc_decimal_parse(g->value, row->scale, row->min, row->max, ret);
		break;
	case TC_OPTION_DURATION:
		rc = tc_duration_parse(g->value, row->scale, row->min, row->max, ret);
		break;
	case TC_OPTION_SIZE:
		rc = tc_size_parse(g->value, row->scale, row->min, row->max, ret);
		break;
	case TC_OPTION_RATE:
		rc = tc_rate_parse(g->value, row->scale, row->min, row->max, ret);
		break;
	default:
		rc = tc_number_parse(g->value, row->min, row->max, ret);
		break;
	}
	return rc == 0 ? 0 : bad_number(g, rc, ret_error);
}

static int set_word(const struct given *g, int *ret, char *ret_error)
{
	const char *const *words = g->row->words;
	for (int i = 0; words[i] != NULL; i++) {
		if (strcmp(words[i], g->value) == 0) {
			*ret = i;
			return 0;
		}
	}
	int n = snprintf(ret_error, TC_OPTION_ERROR_MAX, "%s: '%.64s': one of", g->name, g->value);
	for (int i = 0; words[i] != NULL && n < TC_OPTION_ERROR_MAX; i++) {
		n += snprintf(ret_error + n, (size_t)(TC_OPTION_ERROR_MAX - n), "%s %s",
			      i == 0 ? "" : ",", words[i]);
	}
	if (n < TC_OPTION_ERROR_MAX) {
		snprintf(ret_error + n, (size_t)(TC_OPTION_ERROR_MAX - n), " is needed");
	}
	return -EINVAL;
}

static int add_to_list(const struct given *g, char **list, char *ret_error)
{
	if (g->value[0] == '\0') {
		return fail(ret_error, "%s: the value is empty", g->name);
	}
	size_t have = *list != NULL ? strlen(*list) : 0;
	char *longer = realloc(*list, have + strlen(g->value) + 2);
	if (longer == NULL) {
		fail(ret_error, "%s: out of memory", g->name);
		return -ENOMEM;
	}
	if (have > 0) {
		longer[have++] = ',';
	}
	strcpy(longer + have, g->value);
	*list = longer;
	return 0;
}

static void *member(const struct tc_option *row, void *values)
{
	return (char *)values + row->offset;
}

static int set(const struct given *g, void *values, char *ret_error)
{
	void *to = member(g->row, values);
	switch (g->row->kind) {
	case TC_OPTION_FLAG:
		*(bool *)to = true;
		return 0;
	case TC_OPTION_COUNT:
		++*(int *)to;
		return 0;
	case TC_OPTION_WORD:
		return set_word(g, to, ret_error);
	case TC_OPTION_STRING:
		*(const char **)to = g->value;
		return 0;
	case TC_OPTION_LIST:
		return add_to_list(g, to, ret_error);
	default:
		return set_number(g, to, ret_error);
	}
}

void tc_option_defaults(const struct tc_option *table, void *values)
{
	for (; table->name != NULL; table++) {
		void *to = member(table, values);
		switch (table->kind) {
		case TC_OPTION_FLAG:
			*(bool *)to = table->initial != 0;
			break;
		case TC_OPTION_COUNT:
		case TC_OPTION_WORD:
			*(int *)to = (int)table->initial;
			break;
		case TC_OPTION_STRING:
			*(const char **)to = NULL;
			break;
		case TC_OPTION_LIST:
			*(char **)to = NULL;
			break;
		default:
			*(int64_t *)to = table->initial;
			break;
		}
	}
}

int tc_option_parse(const struct tc_option *table, void *values, int argc, char **argv,
		    const char **ret_operand, char *ret_error)
{
	struct cursor c = { .argc = argc, .argv = argv, .i = 1 };
	struct given g;
	const char *operand = NULL;
	int rc;
	while ((rc = cursor_next(table, &c, &g, ret_error)) > 0) {
		if (g.row != NULL) {
			rc = set(&g, values, ret_error);
			if (rc < 0) {
				return rc;
			}
		} else if (ret_operand == NULL || operand != NULL) {
			return fail(ret_error, "'%.64s': unexpected: options begin with '-'",
				    g.value);
		} else {
			operand = g.value;
		}
	}
	if (rc == 0 && operand != NULL) {
		*ret_operand = operand;
	}
	return rc;
}

void tc_option_fini(const struct tc_option *table, void *values)
{
	for (; table->name != NULL; table++) {
		if (table->kind == TC_OPTION_LIST) {
			char **list = member(table, values);
			free(*list);
			*list = NULL;
		}
	}
}

static bool was_given(const struct tc_option *table, const struct tc_option *row, int argc,
		      char **argv)
{
	struct cursor c = { .argc = argc, .argv = argv, .i = 1 };
	struct given g;
	char error[TC_OPTION_ERROR_MAX];
	while (cursor_next(table, &c, &g, error) > 0) {
		if (g.row == row) {
			return true;
		}
	}
	return false;
}

void tc_option_notes(const struct tc_option *table, int argc, char **argv, const char *prefix,
		     FILE *to)
{
	for (const struct tc_option *row = table; row->name != NULL; row++) {
		if (row->note != NULL && was_given(table, row, argc, argv)) {
			fprintf(to, "%s%s\n", prefix, row->note);
		}
	}
}
