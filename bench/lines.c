/* SPDX-License-Identifier: BSD-2-Clause
 * lines.c - what memory alone costs a request among so many sessions: how near any core could come to one among few
 *
 * A request touches the lines of a session and of its replica, and some in tables. Here as many are touched of as much memory, in random
 * order, and nothing else is done with them:
 *
 *   one by one   those of a session when its turn comes; the hardware overlaps what it can
 *   ahead        those of sixteen sessions are asked for, then touched: the most that fetching ahead could gain
 */
#include "cli/option.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define LINE 64U
#define BATCH 16U
#define ROUNDS 5

struct options {
	int64_t sessions;
	int64_t requests;
	int64_t bytes;
	int64_t own;
	int64_t tables;
	bool help;
};

#define AT(m) .offset = offsetof(struct options, m)

static const struct tc_option option_table[] = {
	{ "sessions", 0, TC_OPTION_NUMBER, AT(sessions), .arg = "N", .min = 16, .max = 10000000,
	  .initial = 1000000, .help = "default 1000000" },
	{ "requests", 0, TC_OPTION_NUMBER, AT(requests), .arg = "N", .min = 16, .max = 100000000,
	  .initial = 1000000, .help = "in a round; default 1000000" },
	{ "bytes", 0, TC_OPTION_NUMBER, AT(bytes), .arg = "N", .min = 64, .max = 65536,
	  .initial = 366, .help = "of a session; default 366" },
	{ "own", 0, TC_OPTION_NUMBER, AT(own), .arg = "N", .min = 1, .max = 64, .initial = 6,
	  .help = "lines of a session that lie together; default 6" },
	{ "tables", 0, TC_OPTION_NUMBER, AT(tables), .arg = "N", .min = 0, .max = 64, .initial = 4,
	  .help = "lines of it elsewhere; default 4" },
	{ "help", 'h', TC_OPTION_FLAG, AT(help), .help = "print this, and end" },
	{ 0 },
};

struct area {
	uint8_t *mem;
	size_t lines;
	const struct options *opt;
};

static uint64_t mix(uint64_t x)
{
	x ^= x >> 33;
	x *= UINT64_C(0xff51afd7ed558ccd);
	x ^= x >> 33;
	x *= UINT64_C(0xc4ceb9fe1a85ec53);
	return x ^ x >> 33;
}

static uint8_t *line_of(const struct area *a, uint64_t session, int64_t k)
{
	size_t first = (size_t)(session * (uint64_t)a->opt->bytes / LINE);
	size_t at = k < a->opt->own ? first + (size_t)k : (size_t)mix(session * 64 + (uint64_t)k);
	return a->mem + at % a->lines * LINE;
}

static void touch(const struct area *a, uint64_t session)
{
	for (int64_t k = 0; k < a->opt->own + a->opt->tables; k++) {
		*(volatile uint8_t *)line_of(a, session, k) += 1;
	}
}

static double cpu_s(void)
{
	struct timespec t;
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* Microseconds of CPU a request */
static double play(const struct area *a, bool ahead, uint64_t seed)
{
	uint64_t which[BATCH];
	double from = cpu_s();
	for (int64_t done = 0; done < a->opt->requests; done += BATCH) {
		for (unsigned i = 0; i < BATCH; i++) {
			which[i] = mix(seed + (uint64_t)done + i) % (uint64_t)a->opt->sessions;
			for (int64_t k = 0; ahead && k < a->opt->own + a->opt->tables; k++) {
				__builtin_prefetch(line_of(a, which[i], k), 1);
			}
		}
		for (unsigned i = 0; i < BATCH; i++) {
			touch(a, which[i]);
		}
	}
	return (cpu_s() - from) * 1e6 / (double)a->opt->requests;
}

static int by_size(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;
	return (x > y) - (x < y);
}

static double median(const struct area *a, bool ahead)
{
	double us[ROUNDS];
	for (unsigned i = 0; i < ROUNDS; i++) {
		us[i] = play(a, ahead, i * UINT64_C(1000000007));
	}
	qsort(us, ROUNDS, sizeof us[0], by_size);
	return us[ROUNDS / 2];
}

int main(int argc, char **argv)
{
	struct options opt;
	char error[TC_OPTION_ERROR_MAX];
	tc_option_defaults(option_table, &opt);
	if (tc_option_parse(option_table, &opt, argc, argv, NULL, error) < 0) {
		fprintf(stderr, "lines: %s\n", error);
		return 2;
	}
	if (opt.help) {
		printf("usage: lines [OPTIONS]\n\n"
		       "What memory alone costs a request among many sessions.\n\n");
		tc_option_help(option_table, stdout);
		return 0;
	}
	struct area a = { .opt = &opt };
	a.lines = (size_t)(opt.sessions * opt.bytes) / LINE + 1;
	a.mem = calloc(a.lines, LINE);
	if (a.mem == NULL) {
		fprintf(stderr, "lines: no memory for %zu MB\n", a.lines * LINE / 1000000);
		return 1;
	}
	play(&a, false, 0); /* all pages are there then */
	double one = median(&a, false), ahead = median(&a, true);
	printf("%" PRId64 " sessions: a request: %.3f us of CPU one by one, %.3f us ahead\n",
	       opt.sessions, one, ahead);
	free(a.mem);
	return 0;
}
