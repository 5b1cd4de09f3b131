/* SPDX-License-Identifier: BSD-2-Clause
 * core/closed.h - what must be remembered of a tuple after its connection to the target is over
 *
 * Layer:   core.
 * Source:  RFC 9293 3.6.1 and RFC 6191 (TIME-WAIT and its reuse), RFC 7323 5 (PAWS).
 *
 * A client port used again within seconds is normal, and the target may still be in TIME-WAIT: it takes a new SYN whose timestamp is
 * higher, or, without timestamps, whose sequence number is. So both are kept, for as long as TIME-WAIT lasts. The record also
 * answers for the connection that is gone: a FIN that is repeated is acknowledged again; after a reset, whatever the target says
 * draws the reset once more (our first one may have been lost).
 */
#ifndef TC_CORE_CLOSED_H
#define TC_CORE_CLOSED_H

#include "base/ip.h"
#include "base/slab.h"
#include "base/table.h"
#include "base/types.h"

/* @target is the number of the target in the core's list: the tuple without its second half */
struct tc_closed {
	struct tc_ip client;
	uint16_t client_port;
	uint16_t target;
	tc_seq snd_nxt; /* one after the last sequence number sent */
	tc_seq rcv_nxt;
	uint32_t tsval; /* the last one sent */
	uint32_t ts_recent;
	uint32_t hash;
	uint32_t until;	 /* in TC_CLOSED_TICKs of the engine's clock */
	uint8_t replies; /* still to be given */
	bool live : 1;
	bool reset : 1; /* ended by a reset of ours */
	bool has_ts : 1;
};

#define TC_CLOSED_TICK (16 * TC_MS)

_Static_assert(sizeof(struct tc_closed) == 48, "a closed tuple costs 48 bytes");

struct tc_closeds {
	struct tc_closed *ring; /* in the core's memory */
	struct tc_table table;
	uint32_t capacity;
	uint32_t first;
	uint32_t n;
	uint64_t forgotten; /* had to go before their time */
};

struct tc_closed *tc_closeds_find(const struct tc_closeds *c, const struct tc_ip *client,
				  uint16_t client_port, uint16_t target, uint32_t hash);

/** tc_closeds_add() - remember @closed until now + TC_CLOSED_LIFE; the oldest goes when the ring is full. Replaces an older record of the tuple */
void tc_closeds_add(struct tc_closeds *c, const struct tc_closed *closed, tc_time now);

/** tc_closed_is_old() - is TIME-WAIT over */
static inline bool tc_closed_is_old(const struct tc_closed *closed, tc_time now)
{
	return (int32_t)((uint32_t)(now / TC_CLOSED_TICK) - closed->until) >= 0;
}

#endif
