/* SPDX-License-Identifier: BSD-2-Clause
 * cli/number.h - numbers with a unit, from text and to text
 *
 * Layer:   cli. Pure. Integers throughout: no rounding of what a user wrote; what cannot be kept exactly is refused.
 * Errors:  -EINVAL when the text is no such number, -ERANGE when it is outside [min, max]; *ret is untouched then.
 */
#ifndef TC_CLI_NUMBER_H
#define TC_CLI_NUMBER_H

#include <stdint.h>

#define TC_NUMBER_TEXT_MAX 32

/** tc_decimal_parse() - "12.5" times @scale, which is a power of ten */
int tc_decimal_parse(const char *text, int64_t scale, int64_t min, int64_t max, int64_t *ret);

/** tc_duration_parse() - "250us", "1.5s" in ns; units ns, us, ms, s, m, h; a bare number counts @bare_ns */
int tc_duration_parse(const char *text, int64_t bare_ns, int64_t min, int64_t max, int64_t *ret);

/** tc_size_parse() - "64k", "1.5G" in bytes; units k, m, g, t of 1024, either case; a bare number counts @bare_bytes */
int tc_size_parse(const char *text, int64_t bare_bytes, int64_t min, int64_t max, int64_t *ret);

/** tc_rate_parse() - "200M", "2.5gbit" in bits a second; units k, m, g, t of 1000, either case, and "bit"; a bare number counts @bare_bits */
int tc_rate_parse(const char *text, int64_t bare_bits, int64_t min, int64_t max, int64_t *ret);

/** tc_decimal_format(), tc_duration_format(), tc_size_format(), tc_rate_format() - the shortest text that reads back as @v >= 0; return @buf */
const char *tc_decimal_format(int64_t v, int64_t scale, char buf[TC_NUMBER_TEXT_MAX]);
const char *tc_duration_format(int64_t ns, char buf[TC_NUMBER_TEXT_MAX]);
const char *tc_size_format(int64_t bytes, char buf[TC_NUMBER_TEXT_MAX]);
const char *tc_rate_format(int64_t bits, char buf[TC_NUMBER_TEXT_MAX]);

#endif
