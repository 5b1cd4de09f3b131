/* SPDX-License-Identifier: BSD-2-Clause
 * script/main.c - script FILE...: play each dialogue; exit 1 when one goes otherwise than it is written
 */
#include "script/script.h"

#include <stdio.h>
#include <stdlib.h>

int main(int argc, char **argv)
{
	int bad = 0;
	if (argc < 2) {
		fprintf(stderr, "usage: script FILE...\n");
		return 2;
	}
	struct script *s = malloc(sizeof *s);
	if (s == NULL) {
		return 1;
	}
	for (int i = 1; i < argc; i++) {
		bool ok = script_read(s, argv[i]) && script_run(s);
		bad += !ok;
		free(s->lines);
		s->lines = NULL;
		if (ok && argc > 2) {
			printf("%s: well\n", argv[i]);
		}
	}
	free(s);
	return bad != 0;
}
