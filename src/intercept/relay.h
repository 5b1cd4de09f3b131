/* SPDX-License-Identifier: BSD-2-Clause
 * intercept/relay.h - which answer belongs to which tcpcopy, and what waits to be told to it
 *
 * Layer:   the relay: sans-I/O, sees base and wire only; the library is linted for purity like the core.
 *
 *     packet from the target -> flow table -> owner -> its queue -> batches of answers for its channel
 *
 * A flow is opened by a SYN-ACK whose ack - 1 is a mark (wire/mark.h) of a peer's key for that tuple, or by an announcement. A packet
 * of an unknown flow is offered to each peer that copies to that target, rate-limited: after a restart of intercept the live flows of
 * a tcpcopy go on that way, and its core drops what is not its own. Nothing is allocated: peers, flows and queues are sized at start.
 *
 * A peer's queue is bounded by flows, not by time: a report that has waited longer than TC_RELAY_MERGE, or any while the queue is
 * more than half full, is merged with a newer one of the same flow (latest ack, window, flags and options; the highest end of
 * payload). SYN-ACKs and RSTs are never merged away. When even that does not fit the report is dropped and counted.
 */
#ifndef TC_INTERCEPT_RELAY_H
#define TC_INTERCEPT_RELAY_H

#include "wire/channel.h"
#include "wire/packet.h"

#define TC_RELAY_PEERS 16
#define TC_RELAY_MERGE (50 * TC_MS)

struct tc_relay_config {
	uint32_t flows;		    /* flow table, all peers together */
	uint32_t queue;		    /* reports that may wait for one peer */
	uint32_t offers_per_second; /* of unknown flows, for each peer */
	tc_time flow_idle;	    /* a silent flow is forgotten after so long */
	struct tc_siphash_key table_key;
};

struct tc_relay_stats {
	uint64_t pkts;	     /* packets given to tc_relay_on_packet() */
	uint64_t reported;   /* reports queued */
	uint64_t merged;     /* packets that were merged into a report that was there */
	uint64_t offered;    /* of those reported: of unknown flows */
	uint64_t stray;	     /* packets of no copied connection, told to nobody */
	uint64_t limited;    /* of unknown flows, above the rate */
	uint64_t queue_full; /* dropped because a queue was full */
	uint64_t flows_full; /* flows that could not be kept; their packets are offered instead */
	uint64_t foreign;    /* announcements and disownments of another's flow, without effect */
	uint64_t flows;	     /* now */
};

struct tc_relay;

size_t tc_relay_bytes(const struct tc_relay_config *cfg);
/** tc_relay_init() - @mem: tc_relay_bytes() zero bytes, aligned to 64, the caller's */
struct tc_relay *tc_relay_init(void *mem, const struct tc_relay_config *cfg, tc_time now);

/**
 * tc_relay_on_hello() - a tcpcopy has come
 * An older peer of the same instance and mark key is replaced: the new one gets its number, flows and queue. When the older one's
 * connection is still there the caller closes it, without tc_relay_on_gone().
 * Return: 0 and its number; -EBUSY when there is no place for it.
 */
int tc_relay_on_hello(struct tc_relay *r, const struct tc_channel_hello *hello, tc_time now,
		      unsigned *ret_peer);
/** tc_relay_on_gone() - its channel is lost; its flows stay for flow_idle, in case it comes back */
void tc_relay_on_gone(struct tc_relay *r, unsigned peer, tc_time now);
/** tc_relay_has_peer() - is it there, or may it come back to its flows */
bool tc_relay_has_peer(const struct tc_relay *r, unsigned peer);
/** tc_relay_on_packet() - a packet captured from the target's side; payload bytes are never looked at, only their number */
void tc_relay_on_packet(struct tc_relay *r, const struct tc_packet *pkt, tc_time now);
/** tc_relay_on_announce() - @peer will speak on @tuple; false when the table is full or another peer owns it */
bool tc_relay_on_announce(struct tc_relay *r, unsigned peer, const struct tc_tuple *tuple,
			  tc_time now);
void tc_relay_on_disown(struct tc_relay *r, unsigned peer, const struct tc_tuple *tuple);
/** tc_relay_on_deadline() - forget silent flows; bounded work; call about once a second */
void tc_relay_on_deadline(struct tc_relay *r, tc_time now);

/**
 * tc_relay_next_batch() - one ANSWERS batch for @peer, with its head
 * @buf: @n >= TC_CHANNEL_HEAD + TC_CHANNEL_ANSWER_MAX
 * Return: bytes written; 0 when nothing waits.
 */
size_t tc_relay_next_batch(struct tc_relay *r, unsigned peer, uint8_t *buf, size_t n);
bool tc_relay_has_batch(const struct tc_relay *r, unsigned peer);

void tc_relay_stats(const struct tc_relay *r, struct tc_relay_stats *ret_stats);
/** tc_relay_peer_stats() - what STATS tells this peer; .pkts and .kernel_drops are the caller's to fill */
void tc_relay_peer_stats(const struct tc_relay *r, unsigned peer,
			 struct tc_channel_stats *ret_stats);
/** tc_relay_check() - invariants, for tests: NULL, or what is broken */
const char *tc_relay_check(const struct tc_relay *r);

#endif
