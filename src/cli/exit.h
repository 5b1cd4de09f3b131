/* SPDX-License-Identifier: BSD-2-Clause
 * cli/exit.h - what the exit status means
 *
 * Layer:   cli. Documented in tcpcopy(8); the same for all commands.
 */
#ifndef TC_CLI_EXIT_H
#define TC_CLI_EXIT_H

enum {
	TC_EXIT_DONE = 0,
	TC_EXIT_FAILED = 1,    /* at run time, or because of this host */
	TC_EXIT_USAGE = 2,     /* the command line is wrong */
	TC_EXIT_PRIVILEGE = 4, /* a privilege is missing, and which */
};

#endif
