/* SPDX-License-Identifier: BSD-2-Clause
 * engine/shed.c - what share of the clients is copied while the capture comes in faster than it is read
 */
#include "engine/shed.h"

void tc_shed_init(struct tc_shed *s, tc_time now)
{
	*s = (struct tc_shed){ .share = TC_SHARE_ALL,
			       .lowest = TC_SHARE_ALL,
			       .goal = TC_SHARE_ALL,
			       .high_since = TC_TIME_NEVER,
			       .calm_since = now };
}

static bool set_share(struct tc_shed *s, uint32_t share)
{
	bool changed = s->share != share;
	s->share = share;
	s->lowest = tc_u32_min(s->lowest, share);
	return changed;
}

/* Half full or more */
static bool on_high(struct tc_shed *s, uint32_t used, tc_time now)
{
	bool watched = s->high_since != TC_TIME_NEVER;
	bool settled = ++s->looks >= TC_SHED_LOOKS || s->share == TC_SHARE_ALL ||
		       used >= TC_SHED_URGENT_PERMILLE;
	if (watched && (now - s->high_since < TC_SHED_WATCH || !settled)) {
		return false;
	}
	bool falls = watched && used + TC_SHED_FALL_PERMILLE <= s->high_used;
	s->high_since = now;
	s->high_used = used;
	s->looks = 0;
	if (!watched || falls || s->share <= TC_SHED_SHARE_MIN) {
		return false;
	}
	s->goal = s->falling ? s->goal : s->share / 2;
	s->falling = true;
	s->reductions++;
	return set_share(s, s->share / 2);
}

/* Less than a quarter full */
static bool on_calm(struct tc_shed *s, tc_time now)
{
	bool beyond = s->share >= s->goal;
	if (now - s->calm_since < (beyond ? TC_SHED_CALM_BEYOND : TC_SHED_CALM)) {
		return false;
	}
	s->calm_since = now;
	s->falling = false;
	uint32_t step = tc_u32_max(s->share / 8, TC_SHED_GROW_MIN);
	return set_share(s, beyond ? tc_u32_min(s->share + step, TC_SHARE_ALL) :
				     tc_u32_min(s->share * 2, s->goal));
}

bool tc_shed_look(struct tc_shed *s, uint32_t used_permille, tc_time now)
{
	if (used_permille >= TC_SHED_LOW_PERMILLE) {
		s->calm_since = now;
	}
	if (used_permille >= TC_SHED_HIGH_PERMILLE) {
		return on_high(s, used_permille, now);
	}
	s->high_since = TC_TIME_NEVER;
	return on_calm(s, now);
}
