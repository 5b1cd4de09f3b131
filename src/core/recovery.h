/* SPDX-License-Identifier: BSD-2-Clause
 * core/recovery.h - round-trip time, congestion window, and what is to be sent again
 *
 * Layer:   core. Works on the endpoint's numbers; decides, sends nothing.
 * Source:  RFC 6298 (RTO), 5681 (congestion), 6582 (NewReno), 6675 (SACK), 3465 (byte counting, L = 2).
 */
#ifndef TC_CORE_RECOVERY_H
#define TC_CORE_RECOVERY_H

#include "core/board.h"
#include "core/endpoint.h"

/** tc_recovery_init() - windows of a fresh connection; ep->cut is known */
void tc_recovery_init(struct tc_endpoint *ep);

/** tc_rtt_sample() - RFC 6298 2.2, 2.3 */
void tc_rtt_sample(struct tc_endpoint *ep, tc_time rtt);

/** tc_rto() - the present timeout, backed off (RFC 6298 5.5) */
tc_time tc_rto(const struct tc_endpoint *ep);

/** tc_endpoint_back_off() - one more timeout in a row (RFC 6298 5.5) */
static inline void tc_endpoint_back_off(struct tc_endpoint *ep)
{
	if (ep->backoff < UINT8_MAX) {
		ep->backoff++;
	}
}

static inline struct tc_board *tc_endpoint_board(const struct tc_endpoint *ep,
						 const struct tc_endpoint_env *env)
{
	return ep->board == TC_NIL ? NULL : tc_slab_at(env->boards, ep->board);
}

/** tc_recovery_pipe() - bytes that are thought to be in the network (RFC 6675 4, SetPipe) */
uint32_t tc_recovery_pipe(const struct tc_endpoint *ep, const struct tc_endpoint_env *env);

/** tc_recovery_on_ack() - snd_una moved by @acked bytes */
void tc_recovery_on_ack(struct tc_endpoint *ep, struct tc_endpoint_env *env, uint32_t acked);

/** tc_recovery_on_dup() - @n duplicate acknowledgements, or news by SACK (n = 0) */
void tc_recovery_on_dup(struct tc_endpoint *ep, struct tc_endpoint_env *env, unsigned n);

/** tc_recovery_on_timeout() - RFC 6298 5.4 to 5.6: all outstanding bytes that are not reported are lost */
void tc_recovery_on_timeout(struct tc_endpoint *ep, struct tc_endpoint_env *env, tc_time now);

/**
 * tc_recovery_undo() - an acknowledgement with @tsecr has come: was the last timeout for nothing?
 * RFC 3522 3.2: it echoes something older than the retransmission, so what was sent first has arrived. Reports come late when a host
 * between is busy or the channel lost a packet, which says nothing of the target's path (RFC 4015 3.2: back to the old window).
 */
void tc_recovery_undo(struct tc_endpoint *ep, const struct tc_endpoint_env *env, uint32_t tsecr);

/** tc_endpoint_take_board() - its board, a new one where it has none; NULL when all are in use */
struct tc_board *tc_endpoint_take_board(struct tc_endpoint *ep, const struct tc_endpoint_env *env);

#endif
