/* SPDX-License-Identifier: BSD-2-Clause
 * core/asking.c - how many connections may ask a target that is not heard
 *
 * When the target has no route to intercept its answers go to the real clients, whose hosts answer them with resets. That must end by itself:
 * a target of which nothing was reported for TC_TARGET_SILENT is asked by TC_ASKING_MAX connections at a time. The first report
 * lets the others begin, in steps. So a target that was merely idle costs a burst of new connections one round trip.
 */
#include "core/constants.h"
#include "core/state.h"

static struct tc_target *target_of(struct tc_core *c, const struct tc_replica *r)
{
	return &c->targets[tc_replica_target(c, r)];
}

static bool is_silent(const struct tc_target *t, tc_time now)
{
	return now - t->heard_at > TC_TARGET_SILENT;
}

bool tc_asking_begin(struct tc_core *c, struct tc_replica *r, tc_time now)
{
	struct tc_target *t = target_of(c, r);
	bool may = t->asking < TC_ASKING_MAX || !is_silent(t, now);
	t->held -= r->held_back;
	r->held_back = !may;
	t->held += r->held_back;
	t->asking += may;
	return may;
}

static void wake_others(struct tc_core *c, const struct tc_target *t, tc_time now)
{
	if (t->held > 0) {
		tc_core_begin_scan(c, &c->wake_scan, now);
	}
}

void tc_asking_end(struct tc_core *c, struct tc_replica *r, tc_time now)
{
	struct tc_target *t = target_of(c, r);
	if (r->held_back) {
		t->held--;
		r->held_back = false;
	} else {
		t->asking--;
		wake_others(c, t, now);
	}
}

void tc_asking_heard(struct tc_core *c, const struct tc_replica *r, tc_time now)
{
	struct tc_target *t = target_of(c, r);
	bool was_silent = is_silent(t, now);
	t->heard_at = now;
	if (was_silent) {
		wake_others(c, t, now);
	}
}
