/* SPDX-License-Identifier: BSD-2-Clause
 * intercept/targets.c - the targets of all tcpcopies
 */
#include "intercept/targets.h"

#include "capture/filter.h"

#include <errno.h>
#include <stdlib.h>

/* No packet is that short: for a capture that is open, and proves that it can be, but has nothing to look for. */
#define NOTHING "less 1"

void tc_targets_set(struct tc_targets *t, unsigned peer, const struct tc_channel_hello *hello)
{
	t->n[peer] = hello->n_targets;
	memcpy(t->of[peer], hello->targets, sizeof hello->targets);
}

struct list {
	struct tc_filter_target *at;
	unsigned n;
};

static void add(struct list *l, const struct tc_ip *ip, uint16_t port)
{
	uint16_t last = port != 0 ? port : UINT16_MAX; /* 0: all ports of that address */
	for (unsigned i = 0; i < l->n; i++) {
		if (tc_ip_eq(&l->at[i].ip, ip) && l->at[i].port == port) {
			return;
		}
	}
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

int tc_targets_filter(const struct tc_targets *t, const struct tc_intercept_settings *s,
		      char **ret_text)
{
	size_t max = (size_t)TC_RELAY_PEERS * TC_CHANNEL_TARGETS_MAX * (1 + s->n_containers);
	struct list l = { .at = calloc(max, sizeof *l.at) };
	if (l.at == NULL) {
		return -ENOMEM;
	}
	for (unsigned p = 0; p < TC_RELAY_PEERS; p++) {
		for (unsigned i = 0; i < t->n[p]; i++) {
			add_all(&l, &t->of[p][i], s);
		}
	}
	int r = 0;
	if (l.n > 0) {
		r = tc_filter_answers_text(l.at, l.n, ret_text);
	} else {
		char *text = strdup(NOTHING);
		r = text != NULL ? 0 : -ENOMEM;
		*ret_text = text != NULL ? text : *ret_text;
	}
	free(l.at);
	return r;
}
