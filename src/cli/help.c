/* SPDX-License-Identifier: BSD-2-Clause
 * cli/help.c - the option table as text for people
 */
#include "cli/option.h"

#include <stdbool.h>
#include <string.h>

#define WIDTH 80
#define LEFT_MAX 28 /* a longer left side gets a line of its own */
#define LEFT_TEXT 160

/* "  -x, --map MAP,..." or "      --pace response|think"; returns its length */
static int left_side(const struct tc_option *row, char buf[LEFT_TEXT])
{
	int n = row->letter != 0 ? snprintf(buf, LEFT_TEXT, "  -%c, --%s", row->letter, row->name) :
				   snprintf(buf, LEFT_TEXT, "      --%s", row->name);
	if (row->arg != NULL) {
		n += snprintf(buf + n, (size_t)(LEFT_TEXT - n), " %s", row->arg);
	} else if (row->kind == TC_OPTION_WORD) {
		for (int i = 0; row->words[i] != NULL && n < LEFT_TEXT; i++) {
			n += snprintf(buf + n, (size_t)(LEFT_TEXT - n), "%c%s", i == 0 ? ' ' : '|',
				      row->words[i]);
		}
	}
	return n < LEFT_TEXT ? n : LEFT_TEXT - 1;
}

/* @text in words from column @at on, where the cursor is; further lines begin there too */
static void wrap(const char *text, int at, FILE *to)
{
	int column = at;
	while (*text != '\0') {
		int n = (int)strcspn(text, " ");
		if (column > at && column + 1 + n > WIDTH) {
			fprintf(to, "\n%*s", at, "");
			column = at;
		} else if (column > at) {
			fputc(' ', to);
			column++;
		}
		fprintf(to, "%.*s", n, text);
		column += n;
		text += n;
		text += strspn(text, " ");
	}
	fputc('\n', to);
}

void tc_option_help(const struct tc_option *table, FILE *to)
{
	char left[LEFT_TEXT];
	int column = 0;
	for (const struct tc_option *row = table; row->name != NULL; row++) {
		int n = row->help != NULL ? left_side(row, left) : 0;
		if (n <= LEFT_MAX && n > column) {
			column = n;
		}
	}
	column += 2;
	bool first = true;
	for (const struct tc_option *row = table; row->name != NULL; row++) {
		if (row->help == NULL) {
			continue;
		}
		if (row->group != NULL) {
			fprintf(to, "%s%s:\n", first ? "" : "\n", row->group);
		}
		first = false;
		int n = left_side(row, left);
		fputs(left, to);
		if (n + 2 > column) {
			fprintf(to, "\n%*s", column, "");
		} else {
			fprintf(to, "%*s", column - n, "");
		}
		wrap(row->help, column, to);
	}
}
