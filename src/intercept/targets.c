/* SPDX-License-Identifier: BSD-2-Clause
 * intercept/targets.c - the targets of all tcpcopies
 */
#include "intercept/targets.h"

#include "capture/filter.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

/* No packet is that short: for a capture that is open, and proves that it can be, but has nothing to look for. */
#define NOTHING "less 1"

/*
 * pcap's compiler takes seconds for hundreds of address and port pairs, and peers name them. So beyond a few the filter asks for the
 * addresses and for the ports, not for the pairs; beyond more, for a range of ports and for any address. It lets through more than it
 * must then, which the relay counts as stray; compiling takes 50 ms at most.
 */
#define PAIRS_MAX 16
#define RANGES_MAX 16

void tc_targets_set(struct tc_targets *t, unsigned peer, const struct tc_channel_hello *hello)
{
	t->n[peer] = hello->n_targets;
	memcpy(t->of[peer], hello->targets, sizeof hello->targets);
}

void tc_targets_forget(struct tc_targets *t, unsigned peer)
{
	t->n[peer] = 0;
}

struct list {
	struct tc_filter_target *at;
	unsigned n;
	unsigned n_hosts;
	unsigned hosts_max;
	bool left_out;
};

static void add(struct list *l, const struct tc_ip *ip, uint16_t port)
{
	uint16_t last = port != 0 ? port : UINT16_MAX; /* 0: all ports of that address */
	bool known = false;
	for (unsigned i = 0; i < l->n; i++) {
		bool same = tc_ip_eq(&l->at[i].ip, ip);
		if (same && l->at[i].port == port) {
			return;
		}
		known = known || same;
	}
	if (!known && l->n_hosts == l->hosts_max) {
		l->left_out = true;
		return;
	}
	l->n_hosts += !known;
	l->at[l->n++] = (struct tc_filter_target){ .ip = *ip, .port = port, .port_last = last };
}

/* A target, and the containers that answer for it. */
static void add_all(struct list *l, const struct tc_channel_target *t,
		    const struct tc_intercept_settings *s)
{
	if (tc_ip_is_any(&t->ip)) {
		return; /* a peer may not make us read everything */
	}
	add(l, &t->ip, t->port);
	for (unsigned i = 0; i < s->n_containers; i++) {
		if (tc_ip_eq(&s->containers[i].target, &t->ip)) {
			add(l, &s->containers[i].inside, t->port);
		}
	}
}

static int by_port(const void *a, const void *b)
{
	const struct tc_filter_target *x = a, *y = b;
	return x->port - y->port;
}

static void print_ports(struct list *l, FILE *f)
{
	struct {
		unsigned first, last;
	} ranges[RANGES_MAX];
	unsigned n = 0;
	qsort(l->at, l->n, sizeof *l->at, by_port);
	for (unsigned i = 0; i < l->n; i++) {
		const struct tc_filter_target *t = &l->at[i];
		bool joins = n > 0 && (t->port <= ranges[n - 1].last + 1 || n == RANGES_MAX);
		if (!joins) {
			ranges[n].first = ranges[n].last = t->port;
			n++;
		}
		if (t->port_last > ranges[n - 1].last) {
			ranges[n - 1].last = t->port_last;
		}
	}
	for (unsigned i = 0; i < n; i++) {
		fprintf(f, "%ssrc portrange %u-%u", i == 0 ? "(" : " or ", ranges[i].first,
			ranges[i].last);
	}
	fputc(')', f);
}

static void print_hosts(const struct list *l, FILE *f)
{
	const struct tc_ip *hosts[TC_TARGETS_HOSTS_MAX];
	unsigned n = 0;
	if (l->n_hosts > TC_TARGETS_HOSTS_MAX) {
		return; /* any */
	}
	for (unsigned i = 0; i < l->n; i++) {
		unsigned k = 0;
		while (k < n && !tc_ip_eq(hosts[k], &l->at[i].ip)) {
			k++;
		}
		if (k == n) {
			hosts[n++] = &l->at[i].ip;
		}
	}
	for (unsigned i = 0; i < n; i++) {
		char text[TC_IP_TEXT_MAX];
		fprintf(f, "%ssrc host %s", i == 0 ? " and (" : " or ",
			tc_ip_format(hosts[i], text, sizeof text));
	}
	fputc(')', f);
}

static int coarse_text(struct list *l, char **ret_text)
{
	char *text = NULL;
	size_t size;
	FILE *f = open_memstream(&text, &size);
	if (f == NULL) {
		return -ENOMEM;
	}
	fputs("tcp and ", f);
	print_ports(l, f);
	print_hosts(l, f);
	if (fclose(f) != 0) {
		free(text);
		return -ENOMEM;
	}
	*ret_text = text;
	return 0;
}

static int text_of(struct list *l, char **ret_text)
{
	if (l->n == 0) {
		char *text = strdup(NOTHING);
		if (text == NULL) {
			return -ENOMEM;
		}
		*ret_text = text;
		return 0;
	}
	return l->n <= PAIRS_MAX ? tc_filter_answers_text(l->at, l->n, ret_text) :
				   coarse_text(l, ret_text);
}

int tc_targets_filter(const struct tc_targets *t, const struct tc_intercept_settings *s,
		      char **ret_text)
{
	size_t max = (size_t)TC_RELAY_PEERS * TC_CHANNEL_TARGETS_MAX * (1 + s->n_containers);
	struct list l = { .at = calloc(max, sizeof *l.at),
			  .hosts_max = s->has_key ? UINT_MAX : TC_TARGETS_HOSTS_MAX };
	if (l.at == NULL) {
		return -ENOMEM;
	}
	for (unsigned i = 0; i < TC_CHANNEL_TARGETS_MAX; i++) {
		for (unsigned p = 0; p < TC_RELAY_PEERS; p++) {
			if (i < t->n[p]) {
				add_all(&l, &t->of[p][i], s);
			}
		}
	}
	int r = text_of(&l, ret_text);
	free(l.at);
	return r == 0 && l.left_out ? TC_TARGETS_E_LEFT_OUT : r;
}
