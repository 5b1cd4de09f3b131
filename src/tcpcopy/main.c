/* SPDX-License-Identifier: BSD-2-Clause
 * tcpcopy/main.c - the program: which command
 *
 * When the first argument is an option the command is run; nothing else is guessed.
 */
#include "cli/exit.h"
#include "tcpcopy/genkey.h"
#include "tcpcopy/run.h"

#include <stdio.h>
#include <string.h>

int main(int argc, char **argv)
{
	if (argc < 2) {
		fprintf(stderr, "tcpcopy: what is to be copied to where? As in "
				"'tcpcopy -x 80-10.0.0.3:8080 -s 10.0.0.4'; --help lists all\n");
		return TC_EXIT_USAGE;
	}
	if (argv[1][0] == '-') {
		return tc_run_main(argc, argv);
	}
	if (strcmp(argv[1], "run") == 0) {
		return tc_run_main(argc - 1, argv + 1);
	}
	if (strcmp(argv[1], "genkey") == 0) {
		return tc_genkey_main(argc - 1, argv + 1);
	}
	fprintf(stderr, "tcpcopy: unknown command '%.64s': there are run and genkey\n", argv[1]);
	return TC_EXIT_USAGE;
}
