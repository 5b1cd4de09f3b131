/* SPDX-License-Identifier: BSD-2-Clause
 * fuzz/replay.c - main() of a fuzzer where there is no libFuzzer: run the corpus through it once
 *
 * Usage: fuzz_NAME [-libfuzzer-option...] DIR. Options are skipped, so that one command line does for both.
 * An empty or missing corpus is a failure: it would test nothing.
 */
#include "fuzz/fuzz.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The input is copied to a block of exactly its size, so that ASan and valgrind see a read past its end. */
static int replay(const char *path)
{
	FILE *f = fopen(path, "rb");
	if (f == NULL) {
		perror(path);
		return -1;
	}
	static uint8_t buf[1 << 20];
	size_t n = fread(buf, 1, sizeof buf, f);
	int bad = ferror(f);
	fclose(f);
	uint8_t *data = malloc(n > 0 ? n : 1);
	if (bad || data == NULL) {
		fprintf(stderr, "%s: cannot be read\n", path);
		free(data);
		return -1;
	}
	memcpy(data, buf, n);
	LLVMFuzzerTestOneInput(data, n);
	free(data);
	return 0;
}

int main(int argc, char **argv)
{
	const char *corpus = NULL;
	for (int i = 1; i < argc; i++) {
		if (argv[i][0] != '-') {
			corpus = argv[i];
		}
	}
	DIR *dir = corpus != NULL ? opendir(corpus) : NULL;
	if (dir == NULL) {
		fprintf(stderr, "%s: cannot open the corpus '%s'\n", argv[0],
			corpus != NULL ? corpus : "");
		return 1;
	}
	unsigned count = 0;
	int failed = 0;
	struct dirent *entry;
	while ((entry = readdir(dir)) != NULL) {
		char path[4096];
		if (entry->d_name[0] == '.') {
			continue;
		}
		snprintf(path, sizeof path, "%s/%s", corpus, entry->d_name);
		failed |= replay(path) < 0;
		count++;
	}
	closedir(dir);
	printf("%u inputs replayed\n", count);
	return failed || count == 0;
}
