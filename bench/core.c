/* SPDX-License-Identifier: BSD-2-Clause
 * bench/core.c - what one request costs among many idle sessions, and what those need
 *
 * A request is a client's packet, the segment that it becomes, the target's answer, our acknowledgement and the client's: two packets and one
 * answer go through the verbs, two segments come out. Sessions are asked in an order without pattern, so that each is as cold as among
 * that many. CPU time is this process's own; memory is counted by the kernel. For instructions run the program in callgrind, which then
 * counts requests() alone:
 *
 *     valgrind --tool=callgrind --toggle-collect=requests bench/core --sessions 1000 --requests 20000
 */
#include "bench/core_feed.h"
#include "cli/option.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct options {
	int64_t sessions;
	int64_t requests;
	int64_t rounds;
	int64_t batch;
	bool huge;
	bool help;
};

#define AT(m) .offset = offsetof(struct options, m)

static const struct tc_option option_table[] = {
	{ "sessions", 0, TC_OPTION_NUMBER, AT(sessions), .arg = "N", .min = 1, .max = 50000000,
	  .initial = 1000, .help = "idle sessions; default 1000" },
	{ "requests", 0, TC_OPTION_NUMBER, AT(requests), .arg = "N", .min = 1, .max = 1000000000,
	  .initial = 1000000, .help = "in a round, spread over all sessions; default 1000000" },
	{ "rounds", 0, TC_OPTION_NUMBER, AT(rounds), .arg = "N", .min = 1, .max = 1000,
	  .initial = 5, .help = "default 5" },
	{ "batch", 0, TC_OPTION_NUMBER, AT(batch), .arg = "N", .min = 1, .max = FEED_BATCH_MAX,
	  .initial = 16, .help = "requests that are captured at a time; default 16" },
	{ "huge", 0, TC_OPTION_FLAG, AT(huge), .help = "ask the kernel for huge pages" },
	{ "help", 'h', TC_OPTION_FLAG, AT(help), .help = "print this, and end" },
	{ 0 },
};

static double cpu_s(void)
{
	struct timespec ts;
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static uint64_t resident_bytes(void)
{
	char line[256];
	uint64_t kb = 0;
	FILE *f = fopen("/proc/self/smaps_rollup", "r");
	feed_expect(f != NULL, "/proc/self/smaps_rollup can be read");
	while (fgets(line, sizeof line, f) != NULL) {
		if (strncmp(line, "Private_Dirty:", 14) == 0) {
			kb = strtoull(line + 14, NULL, 10);
		}
	}
	fclose(f);
	return kb * 1024;
}

/** struct order - which session is next: all numbers below n in an order without a pattern, once in each pass */
struct order {
	uint32_t n;
	uint32_t mask;
	uint32_t at;
	uint32_t left; /* of this pass */
	uint32_t pass;
};

static struct order order_of(uint32_t n)
{
	struct order o = { .n = n, .mask = 1, .left = n };
	while (o.mask < n) {
		o.mask = o.mask * 2 + 1;
	}
	return o;
}

/* A congruential generator of full period over a power of two, its high bits folded into the low ones; numbers beyond n are passed over. */
static uint32_t order_next(struct order *o)
{
	uint32_t i;
	do {
		o->at = (o->at * 0x915f77f5u + 0x3c6ef35fu) & o->mask;
		i = o->at ^ o->at >> 7;
	} while (i >= o->n);
	return i;
}

static struct feed_request next_request(struct order *o)
{
	struct feed_request r = { order_next(o), o->pass };
	if (--o->left == 0) {
		o->left = o->n;
		o->pass++;
	}
	return r;
}

/* Not static and not inlined: callgrind knows it by its name. */
void requests(struct feed *f, struct order *o, int64_t n, int64_t batch);

void __attribute__((noinline)) requests(struct feed *f, struct order *o, int64_t n, int64_t batch)
{
	struct feed_request r[FEED_BATCH_MAX];
	while (n > 0) {
		uint32_t k = 0;
		for (; k < batch && k < n; k++) {
			r[k] = next_request(o);
		}
		feed_requests(f, r, k);
		n -= k;
	}
}

static int by_size(const void *a, const void *b)
{
	double d = *(const double *)a - *(const double *)b;
	return (d > 0) - (d < 0);
}

static int bench(const struct options *opt)
{
	uint32_t n = (uint32_t)opt->sessions;
	struct order o = order_of(n);
	double *us = calloc((size_t)opt->rounds, sizeof *us);
	feed_expect(us != NULL, "there is memory for the bench");
	struct feed *f = feed_new(n, 1, opt->huge);
	uint64_t before = resident_bytes();
	double began = cpu_s();
	for (uint32_t i = 0; i < n; i++) {
		feed_open(f, i);
	}
	double opened = cpu_s();
	uint64_t after = resident_bytes();
	for (int64_t round = 0; round < opt->rounds; round++) {
		double from = cpu_s();
		requests(f, &o, opt->requests, opt->batch);
		us[round] = (cpu_s() - from) * 1e6 / (double)opt->requests;
	}
	struct tc_ledger l = feed_ledger(f);
	feed_expect(l.live == n, "all sessions live");
	feed_expect(l.delivered == (uint64_t)(opt->requests * opt->rounds) * FEED_REQUEST_BYTES,
		    "all requests were delivered");
	qsort(us, (size_t)opt->rounds, sizeof *us, by_size);
	printf("%" PRIu32 " sessions: %.1f MB, %.1f bytes each; opened in %.2f us each; a request: "
	       "median %.3f us of CPU, least %.3f, most %.3f\n",
	       n, (double)(after - before) / 1e6, (double)(after - before) / n,
	       (opened - began) * 1e6 / n, us[opt->rounds / 2], us[0], us[opt->rounds - 1]);
	feed_free(f);
	free(us);
	return 0;
}

int main(int argc, char **argv)
{
	struct options opt;
	char error[TC_OPTION_ERROR_MAX];
	tc_option_defaults(option_table, &opt);
	if (tc_option_parse(option_table, &opt, argc, argv, NULL, error) < 0) {
		fprintf(stderr, "core: %s\n", error);
		return 2;
	}
	if (opt.help) {
		printf("usage: core [OPTIONS]\n\n"
		       "The cost of a request among many idle sessions.\n\n");
		tc_option_help(option_table, stdout);
		return 0;
	}
	return bench(&opt);
}
