/* SPDX-License-Identifier: BSD-2-Clause
 * port/error.h - why a driver could not be made, in one line
 *
 * Layer:   port. Used while a driver is made, never on a packet path.
 *
 * A driver's _new() returns -errno and says the rest here: action, quoted subject, cause, what to do ("cannot capture on 'eth9': no
 * such device"). Lower case, no stop, without the program's name; the program prints it.
 */
#ifndef TC_PORT_ERROR_H
#define TC_PORT_ERROR_H

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define TC_DRIVER_ERROR_MAX 512

/** tc_driver_say() - write @fmt to @ret_error (TC_DRIVER_ERROR_MAX bytes) and return @err, a negative errno */
static inline int __attribute__((format(printf, 3, 4)))
tc_driver_say(char *ret_error, int err, const char *fmt, ...)
{
	va_list args;
	va_start(args, fmt);
	(void)vsnprintf(ret_error, TC_DRIVER_ERROR_MAX, fmt, args);
	va_end(args);
	return err;
}

/** tc_driver_error() - the same, followed by ": " and the text of @err */
static inline int __attribute__((format(printf, 3, 4)))
tc_driver_error(char *ret_error, int err, const char *fmt, ...)
{
	va_list args;
	va_start(args, fmt);
	int n = vsnprintf(ret_error, TC_DRIVER_ERROR_MAX, fmt, args);
	va_end(args);
	if (n < 0 || n + 2 >= TC_DRIVER_ERROR_MAX) {
		return err;
	}
	char *cause = ret_error + n + 2;
	(void)snprintf(ret_error + n, (size_t)(TC_DRIVER_ERROR_MAX - n), ": %s", strerror(-err));
	*cause = (char)tolower((unsigned char)*cause);
	return err;
}

#endif
