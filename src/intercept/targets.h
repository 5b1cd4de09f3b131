/* SPDX-License-Identifier: BSD-2-Clause
 * intercept/targets.h - what the tcpcopies copy to, and the capture filter that follows from it
 *
 * Layer:   program. Pure but for the filter's text, which is allocated.
 *
 * Each peer names its targets in its hello; the filter lets the answers of all of them through. A peer that went is remembered as long as
 * the relay remembers it, because it may come back to flows that live.
 *
 * Without a key anybody may be a peer, and nobody may make us read everything: then the filter has at most TC_TARGETS_HOSTS_MAX
 * addresses, each peer's first ones first.
 */
#ifndef TC_INTERCEPT_TARGETS_H
#define TC_INTERCEPT_TARGETS_H

#include "intercept/relay.h"
#include "intercept/settings.h"

#define TC_TARGETS_HOSTS_MAX 64

enum { TC_TARGETS_E_LEFT_OUT = 1 };

struct tc_targets {
	uint16_t n[TC_RELAY_PEERS];
	struct tc_channel_target of[TC_RELAY_PEERS][TC_CHANNEL_TARGETS_MAX];
};

/** tc_targets_set() - @peer has said hello */
void tc_targets_set(struct tc_targets *t, unsigned peer, const struct tc_channel_hello *hello);

/** tc_targets_forget() - @peer will not come back */
void tc_targets_forget(struct tc_targets *t, unsigned peer);

/**
 * tc_targets_filter() - the filter for all of them
 * @s:        its containers: where the answers of a target really come from; and whether there is a key
 * @ret_text: owned by the caller, free(); a filter that nothing matches when there are no targets
 * Return: 0; TC_TARGETS_E_LEFT_OUT: a filter, but not for all; -ENOMEM.
 */
int tc_targets_filter(const struct tc_targets *t, const struct tc_intercept_settings *s,
		      char **ret_text);

#endif
