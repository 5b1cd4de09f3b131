/* SPDX-License-Identifier: BSD-2-Clause
 * cli/option.h - one table a command: parsing, ranges, defaults, --help, and the man page's check
 *
 * Layer:   cli. Writes into the caller's struct; prints nothing by itself but what tc_option_help() is asked for.
 *
 * Every option has a long name; a letter where the classic had one. "--name value", "--name=value", "-l value", "-lvalue" and
 * bundled flags ("-dv") are the same. A value of a list option may be given several times; its parts are joined with commas.
 */
#ifndef TC_CLI_OPTION_H
#define TC_CLI_OPTION_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum tc_option_kind {
	TC_OPTION_FLAG,	  /* bool: present or not */
	TC_OPTION_COUNT,  /* int: how often it was given */
	TC_OPTION_NUMBER, /* int64_t: a whole number in [min, max] */
	TC_OPTION_DECIMAL, /* int64_t: a decimal number times .scale, in [min, max] after scaling ("0.5" x 1000 = 500) */
	TC_OPTION_DURATION, /* int64_t ns: "250us", "20ms", "1.5s", "2m"; a bare number counts .scale ns */
	TC_OPTION_SIZE, /* int64_t bytes: "64k", "512m", "2g" (1024-based); a bare number counts .scale bytes */
	TC_OPTION_RATE, /* int64_t bits a second: "200M", "2.5gbit" (1000-based); a bare number counts .scale of them */
	TC_OPTION_WORD,	  /* int: index into .words, NULL-terminated */
	TC_OPTION_STRING, /* const char *: borrowed from argv */
	TC_OPTION_LIST, /* char *: owned by the caller's struct; joined with ',' when repeated; freed by tc_option_fini() */
	TC_OPTION__N
};

/**
 * struct tc_option - one row; the table ends with a row whose name is NULL
 * @letter:  0 for none
 * @offset:  of the member in the caller's struct, offsetof()
 * @arg:     what the value is called in --help ("MAP,..."); NULL for flags
 * @help:    one line; with the default in it when it is not obvious; NULL: the option is not for people, and not in --help
 * @group:   heading in --help; NULL continues the group before
 * @initial: value that tc_option_defaults() sets, in units of the member (kinds with a number or a word)
 * @note:    said once on stderr when the option is used, for those that are accepted without a meaning; NULL for none
 */
struct tc_option {
	const char *name;
	char letter;
	enum tc_option_kind kind;
	size_t offset;
	const char *arg;
	const char *help;
	const char *group;
	int64_t min;
	int64_t max;
	int64_t scale;
	int64_t initial;
	const char *const *words;
	const char *note;
};

#define TC_OPTION_ERROR_MAX 256

/** tc_option_defaults() - set every member that the table names */
void tc_option_defaults(const struct tc_option *table, void *values);

/**
 * tc_option_parse() - read argv[1..]
 * @ret_error: on failure a sentence without the program's name: which option, what it got, what is allowed; for an unknown
 *             option the nearest known one. TC_OPTION_ERROR_MAX bytes
 * Return: 0, -EINVAL, or -ENOMEM for a list. Operands are an error: none of our commands takes any, unless @ret_operand is not NULL
 * (then at most one; untouched when there is none). After a failure @values still wants tc_option_fini().
 */
int tc_option_parse(const struct tc_option *table, void *values, int argc, char **argv,
		    const char **ret_operand, char *ret_error);

/** tc_option_fini() - free what lists own */
void tc_option_fini(const struct tc_option *table, void *values);

/** tc_option_help() - the options as aligned text, by groups */
void tc_option_help(const struct tc_option *table, FILE *to);

/** tc_option_notes() - the notes of the options that were given, one a line, each with @prefix */
void tc_option_notes(const struct tc_option *table, int argc, char **argv, const char *prefix,
		     FILE *to);

/** tc_number_parse() - the whole of @text as a decimal number in [min, max]; -EINVAL on tails and signs out of place, -ERANGE */
int tc_number_parse(const char *text, int64_t min, int64_t max, int64_t *ret);

#endif
