/* SPDX-License-Identifier: BSD-2-Clause
 * engine/outlet.h - what may be sent now, and what had to wait
 *
 * Layer:   engine. Pure: time is an argument.
 *
 * While the outlet is closed nothing is pulled from the core, where segments wait as they do for a slow target. Whether any of them does
 * is known when it opens again: only then a wait is counted.
 */
#ifndef TC_ENGINE_OUTLET_H
#define TC_ENGINE_OUTLET_H

#include "engine/bucket.h"
#include "wire/packet.h"

/* Of a packet on the wire beside its payload: TCP with a timestamp; Ethernet with preamble, checksum and gap */
#define TC_OUTLET_TCP_BYTES 32
#define TC_OUTLET_FRAME_BYTES 38

/**
 * struct tc_outlet
 * @bits:    that may be sent in a second
 * @since:   it is closed since then, and segments may wait; TC_TIME_NEVER: none do
 * @waits, @delayed, @waited: waits, segments that left after one, and all waits together
 */
struct tc_outlet {
	struct tc_bucket bucket;
	uint64_t bits;
	tc_time since;
	uint64_t waits;
	uint64_t delayed;
	tc_time waited;
};

/** tc_outlet_init() - open; tc_outlet_set() has to follow */
static inline void tc_outlet_init(struct tc_outlet *o, tc_time now)
{
	*o = (struct tc_outlet){ .since = TC_TIME_NEVER };
	tc_bucket_init(&o->bucket, 1, now);
}

/** tc_outlet_set() - so many @bits a second, 8 at least */
static inline void tc_outlet_set(struct tc_outlet *o, uint64_t bits)
{
	o->bits = bits;
	o->bucket.rate = bits / 8;
}

static inline bool tc_outlet_is_open(struct tc_outlet *o, tc_time now)
{
	return tc_bucket_is_open(&o->bucket, now);
}

/** tc_outlet_take() - @seg is sent, in however many packets it is cut */
static inline void tc_outlet_take(struct tc_outlet *o, const struct tc_segment *seg)
{
	uint32_t ip = tc_ip_is_v4(&seg->dst) ? 20 : 40;
	uint32_t pkts = seg->cut > 0 ? (seg->payload_len + seg->cut - 1) / seg->cut : 1;
	uint32_t head = ip + TC_OUTLET_TCP_BYTES + TC_OUTLET_FRAME_BYTES;
	tc_bucket_take(&o->bucket, seg->payload_len + tc_u32_max(pkts, 1) * head);
}

/** tc_outlet_on_pulled() - @n outputs were pulled, to the last or until it was closed again; none, when it was closed before */
static inline void tc_outlet_on_pulled(struct tc_outlet *o, unsigned n, tc_time now)
{
	if (o->since != TC_TIME_NEVER && n > 0) {
		o->waits++;
		o->delayed += n;
		o->waited += now - o->since;
	}
	if (!o->bucket.empty) {
		o->since = TC_TIME_NEVER;
	} else if (n > 0 || o->since == TC_TIME_NEVER) {
		o->since = now;
	}
}

/** tc_outlet_opens_at() - when something that may wait can go; TC_TIME_NEVER: it is open */
static inline tc_time tc_outlet_opens_at(const struct tc_outlet *o)
{
	return o->since == TC_TIME_NEVER ? TC_TIME_NEVER : tc_bucket_opens_at(&o->bucket);
}

#endif
