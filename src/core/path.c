/* SPDX-License-Identifier: BSD-2-Clause
 * core/path.c - how large a segment the path to a target carries
 *
 * A path that swallows full segments: its errors go to the real client, not to us (RFC 2923 2.1). After two timeouts of a full segment
 * smaller ones are tried; when one of those is acknowledged the size is kept for the target.
 */
#include "core/constants.h"
#include "core/state.h"

void tc_path_on_timeout(const struct tc_core *c, struct tc_replica *r)
{
	uint32_t out = (uint32_t)tc_seq_diff(r->ep.snd_nxt, r->ep.snd_una);
	uint32_t first = tc_u32_min(out, r->ep.cut);
	bool silent = r->ep.state == TC_TCP_SYN_SENT || !c->channel_up;
	if (silent || r->ep.backoff < 2 || r->ep.backoff % 2 != 0) {
		return;
	}
	if (first > TC_MSS_BLACKHOLE_1) {
		tc_endpoint_set_mss(&r->ep, TC_MSS_BLACKHOLE_1);
	} else if (first > TC_MSS_BLACKHOLE_2) {
		tc_endpoint_set_mss(&r->ep, TC_MSS_BLACKHOLE_2);
	}
}

void tc_path_on_handshake(struct tc_core *c, const struct tc_replica *r)
{
	struct tc_target *t = &c->targets[tc_replica_target(c, r)];
	uint64_t rtt = r->ep.srtt_us; /* 0: its SYN was repeated */
	t->rtt_us = rtt == 0 || t->rtt_us == 0 ? tc_u32_max(t->rtt_us, (uint32_t)rtt) :
						 (uint32_t)(((uint64_t)t->rtt_us * 7 + rtt) / 8);
}

static uint16_t mss_of(const struct tc_replica *r)
{
	return (uint16_t)(r->ep.cut + (r->ep.has_ts ? 12 : 0));
}

/* Exactly the small segment was acknowledged, and more is outstanding: not the full one, that came late. */
void tc_path_on_acked(struct tc_core *c, const struct tc_replica *r, uint8_t backoff_before,
		      uint32_t acked)
{
	struct tc_target *t = &c->targets[tc_replica_target(c, r)];
	bool small = acked == r->ep.cut && tc_seq_lt(r->ep.snd_una, r->ep.snd_nxt);
	if (small && backoff_before >= 2 && mss_of(r) <= TC_MSS_BLACKHOLE_1 && mss_of(r) < t->mss) {
		t->mss = mss_of(r);
	}
}

void tc_path_on_too_large(struct tc_core *c, const struct tc_replica *r)
{
	struct tc_target *t = &c->targets[tc_replica_target(c, r)];
	if (mss_of(r) <= t->mss) { /* not of a size that was given up already */
		t->mss = t->mss > TC_MSS_BLACKHOLE_1 ? TC_MSS_BLACKHOLE_1 : TC_MSS_BLACKHOLE_2;
	}
}
