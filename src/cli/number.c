/* SPDX-License-Identifier: BSD-2-Clause
 * cli/number.c - numbers with a unit, from text and to text
 */
#include "cli/number.h"

#include "cli/option.h"

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

struct unit {
	const char *name;
	int64_t n;
};

/* largest first, as the formatters need them */
static const struct unit durations[] = {
	{ "h", 3600000000000 }, { "m", 60000000000 }, { "s", 1000000000 },
	{ "ms", 1000000 },	{ "us", 1000 },	      { "ns", 1 },
};
static const struct unit sizes[] = {
	{ "t", INT64_C(1) << 40 }, { "g", 1 << 30 }, { "m", 1 << 20 }, { "k", 1 << 10 }, { "", 1 },
};

/* each followed by the same without "bit", which only the parser takes */
static const struct unit rates[] = {
	{ "tbit", 1000000000000 }, { "t", 1000000000000 }, { "gbit", 1000000000 },
	{ "g", 1000000000 },	   { "mbit", 1000000 },	   { "m", 1000000 },
	{ "kbit", 1000 },	   { "k", 1000 },	   { "bit", 1 },
};

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool times(int64_t a, int64_t b, int64_t *ret)
{
	return !__builtin_mul_overflow(a, b, ret);
}

/* digits into *ret; returns how many there were, *ret saturates */
static size_t digits(const char *text, int64_t *ret)
{
	int64_t v = 0;
	size_t n = 0;
	for (; is_digit(text[n]); n++) {
		if (!times(v, 10, &v) || __builtin_add_overflow(v, text[n] - '0', &v)) {
			v = INT64_MAX;
		}
	}
	*ret = v;
	return n;
}

int tc_number_parse(const char *text, int64_t min, int64_t max, int64_t *ret)
{
	bool negative = text[0] == '-';
	int64_t v;
	size_t n = digits(text + negative, &v);
	if (n == 0 || text[negative + n] != '\0') {
		return -EINVAL;
	}
	v = negative ? -v : v;
	if (v < min || v > max) {
		return -ERANGE;
	}
	*ret = v;
	return 0;
}

/* The @n characters at @text, digits[.digits], times @unit; what @unit cannot express exactly is -EINVAL. */
static int decimal(const char *text, size_t n, int64_t unit, int64_t *ret)
{
	int64_t whole;
	size_t i = digits(text, &whole);
	if (i == 0 || (i < n && (text[i] != '.' || i + 1 == n))) {
		return -EINVAL;
	}
	int64_t fraction = 0;
	int64_t below = 1; /* what the fraction is to be divided by */
	for (i++; i < n; i++) {
		if (!is_digit(text[i]) || !times(below, 10, &below)) {
			return -EINVAL;
		}
		fraction = fraction * 10 + (text[i] - '0');
	}
	if (!times(fraction, unit, &fraction) || fraction % below != 0) {
		return -EINVAL;
	}
	if (!times(whole, unit, &whole) ||
	    __builtin_add_overflow(whole, fraction / below, &whole)) {
		whole = INT64_MAX;
	}
	*ret = whole;
	return 0;
}

static int in_range(int64_t v, int64_t min, int64_t max, int64_t *ret)
{
	if (v < min || v > max) {
		return -ERANGE;
	}
	*ret = v;
	return 0;
}

int tc_decimal_parse(const char *text, int64_t scale, int64_t min, int64_t max, int64_t *ret)
{
	int64_t v;
	int rc = decimal(text, strlen(text), scale, &v);
	return rc < 0 ? rc : in_range(v, min, max, ret);
}

static int with_unit(const char *text, const struct unit *units, size_t n_units, int64_t bare,
		     int64_t min, int64_t max, int64_t *ret)
{
	size_t n = strspn(text, "0123456789.");
	int64_t unit = text[n] == '\0' ? bare : 0;
	for (size_t i = 0; i < n_units && unit == 0; i++) {
		if (strcasecmp(text + n, units[i].name) == 0) {
			unit = units[i].n;
		}
	}
	int64_t v;
	int rc = unit == 0 ? -EINVAL : decimal(text, n, unit, &v);
	return rc < 0 ? rc : in_range(v, min, max, ret);
}

int tc_duration_parse(const char *text, int64_t bare_ns, int64_t min, int64_t max, int64_t *ret)
{
	return with_unit(text, durations, sizeof durations / sizeof durations[0], bare_ns, min, max,
			 ret);
}

int tc_size_parse(const char *text, int64_t bare_bytes, int64_t min, int64_t max, int64_t *ret)
{
	return with_unit(text, sizes, sizeof sizes / sizeof sizes[0], bare_bytes, min, max, ret);
}

int tc_rate_parse(const char *text, int64_t bare_bits, int64_t min, int64_t max, int64_t *ret)
{
	return with_unit(text, rates, sizeof rates / sizeof rates[0], bare_bits, min, max, ret);
}

const char *tc_decimal_format(int64_t v, int64_t scale, char buf[TC_NUMBER_TEXT_MAX])
{
	int n = snprintf(buf, TC_NUMBER_TEXT_MAX, "%" PRId64, v / scale);
	int64_t rest = v % scale;
	if (rest != 0) {
		buf[n++] = '.';
	}
	for (int64_t place = scale / 10; rest != 0; place /= 10) {
		buf[n++] = (char)('0' + rest / place);
		rest %= place;
	}
	buf[n] = '\0';
	return buf;
}

static const char *format(int64_t v, const struct unit *units, char *buf)
{
	while (v % units->n != 0 || (v == 0 && units->n != 1)) {
		units++;
	}
	snprintf(buf, TC_NUMBER_TEXT_MAX, "%" PRId64 "%s", v / units->n, units->name);
	return buf;
}

const char *tc_duration_format(int64_t ns, char buf[TC_NUMBER_TEXT_MAX])
{
	return ns == 0 ? strcpy(buf, "0") : format(ns, durations, buf);
}

const char *tc_size_format(int64_t bytes, char buf[TC_NUMBER_TEXT_MAX])
{
	return format(bytes, sizes, buf);
}

const char *tc_rate_format(int64_t bits, char buf[TC_NUMBER_TEXT_MAX])
{
	return format(bits, rates, buf);
}
