/* SPDX-License-Identifier: BSD-2-Clause
 * sim/main.c - seeds in, a verdict out
 *
 *     sim --seeds N [--first S]                 many scenarios; stops at the first that fails
 *     sim --seed S [--set name=value]...        one, with the core checked after each verb
 *         --verbose  its whole story    --shrink  the simplest that still fails    --list  the knobs
 */
#include "sim/sim.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

struct options {
	uint64_t first;
	uint64_t seeds;
	bool one;
	bool shrink;
	bool verbose;
	bool keep_going;
	bool timing;
	unsigned n_sets;
	const char *sets[64];
};

static bool number(const char *text, uint64_t *ret)
{
	char *end;
	*ret = strtoull(text, &end, 10);
	return end != text && *end == '\0';
}

static int usage(void)
{
	fprintf(stderr, "usage: sim --seeds N [--first S] [--keep-going] [--set NAME=VALUE]...\n"
			"       sim --seed S [--verbose] [--shrink] [--set NAME=VALUE]...\n"
			"       sim --list\n");
	return 2;
}

static bool parse(int argc, char **argv, struct options *o)
{
	for (int i = 1; i < argc; i++) {
		const char *a = argv[i];
		const char *v = i + 1 < argc ? argv[i + 1] : NULL;
		if (strcmp(a, "--verbose") == 0) {
			o->verbose = true;
		} else if (strcmp(a, "--shrink") == 0) {
			o->shrink = true;
		} else if (strcmp(a, "--keep-going") == 0) {
			o->keep_going = true;
		} else if (strcmp(a, "--timing") == 0) {
			o->timing = true;
		} else if (v == NULL) {
			return false;
		} else if (strcmp(a, "--seeds") == 0 && number(v, &o->seeds)) {
			i++;
		} else if (strcmp(a, "--first") == 0 && number(v, &o->first)) {
			i++;
		} else if (strcmp(a, "--seed") == 0 && number(v, &o->first)) {
			o->one = true;
			i++;
		} else if (strcmp(a, "--set") == 0 && o->n_sets < 64) {
			o->sets[o->n_sets++] = v;
			i++;
		} else {
			return false;
		}
	}
	return true;
}

static bool params(const struct options *o, uint64_t seed, struct sim_params *p)
{
	sim_params_of(p, seed);
	for (unsigned i = 0; i < o->n_sets; i++) {
		if (!sim_params_set(p, o->sets[i])) {
			fprintf(stderr, "sim: cannot set '%s': see --list\n", o->sets[i]);
			return false;
		}
	}
	return true;
}

static void report(const struct sim *s)
{
	printf("seed %llu (%s) failed after %llu events: %s\n", (unsigned long long)s->seed,
	       s->p.scene, (unsigned long long)s->events, s->verdict);
	printf("    parameters:");
	sim_params_print(&s->p, "", stdout);
	printf("\n");
}

static void replay(const struct sim *s, const struct options *o)
{
	printf("    replay:  sim --seed %llu --verbose", (unsigned long long)s->seed);
	for (unsigned i = 0; i < o->n_sets; i++) {
		printf(" --set %s", o->sets[i]);
	}
	printf("\n    shrink:  sim --seed %llu --shrink\n", (unsigned long long)s->seed);
}

static bool fails(struct sim *s, uint64_t seed, const struct sim_params *p)
{
	sim_run(s, seed, p);
	return s->failed;
}

/* Each knob to its mild value, then half the way there, as long as something still fails. */
static void shrink(struct sim *s, uint64_t seed, struct sim_params *p)
{
	bool progress = true;
	while (progress) {
		progress = false;
		for (unsigned i = 0; i < sim_params_count(); i++) {
			int64_t *v = sim_params_at(p, i);
			int64_t was = *v;
			int64_t mild = sim_params_mild_at(i);
			if (was == mild) {
				continue;
			}
			*v = mild;
			if (fails(s, seed, p)) {
				progress = true;
				continue;
			}
			*v = mild + (was - mild) / 2;
			if (*v != was && fails(s, seed, p)) {
				progress = true;
				continue;
			}
			*v = was;
		}
	}
	sim_run(s, seed, p);
	report(s);
	printf("    smallest:  sim --seed %llu --verbose", (unsigned long long)seed);
	/* all knobs are named: the seed's own values must not come back */
	for (unsigned i = 0; i < sim_params_count(); i++) {
		struct sim_params seeded;
		sim_params_of(&seeded, seed);
		if (*sim_params_at(p, i) != *sim_params_at(&seeded, i)) {
			printf(" --set %s=%lld", sim_params_name_at(i),
			       (long long)*sim_params_at(p, i));
		}
	}
	printf("\n");
}

static int run_one(struct sim *s, const struct options *o)
{
	struct sim_params p;
	if (!params(o, o->first, &p)) {
		return 2;
	}
	s->thorough = true;
	s->verbose = o->verbose;
	sim_run(s, o->first, &p);
	if (!s->failed) {
		printf("seed %llu (%s): well after %llu events, %llu verbs\n",
		       (unsigned long long)o->first, p.scene, (unsigned long long)s->events,
		       (unsigned long long)s->verbs);
		return 0;
	}
	report(s);
	s->verbose = false;
	if (o->shrink) {
		shrink(s, o->first, &p);
	}
	return 1;
}

static double seconds(void)
{
	struct timespec t;
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static int run_many(struct sim *s, const struct options *o)
{
	uint64_t failed = 0;
	uint64_t events = 0;
	double began = seconds();
	for (uint64_t seed = o->first; seed < o->first + o->seeds; seed++) {
		struct sim_params p;
		if (!params(o, seed, &p)) {
			return 2;
		}
		double from = o->timing ? seconds() : 0;
		sim_run(s, seed, &p);
		events += s->events;
		if (o->timing) {
			printf("%8.3f ms  seed %llu %s, %llu events\n", (seconds() - from) * 1e3,
			       (unsigned long long)seed, p.scene, (unsigned long long)s->events);
		}
		if (s->failed) {
			failed++;
			report(s);
			replay(s, o);
			if (!o->keep_going) {
				break;
			}
		}
	}
	double took = seconds() - began;
	printf("%llu of %llu seeds failed; %llu events in %.1f s\n", (unsigned long long)failed,
	       (unsigned long long)o->seeds, (unsigned long long)events, took);
	return failed == 0 ? 0 : 1;
}

int main(int argc, char **argv)
{
	struct options o = { .first = 1 };
	setvbuf(stdout, NULL, _IOLBF,
		BUFSIZ); /* the story up to a crash is the one that is wanted */
	if (argc == 2 && strcmp(argv[1], "--list") == 0) {
		sim_params_help(stdout);
		return 0;
	}
	if (!parse(argc, argv, &o) || (!o.one && o.seeds == 0)) {
		return usage();
	}
	struct sim *s = sim_new();
	int r = o.one ? run_one(s, &o) : run_many(s, &o);
	sim_free(s);
	return r;
}
