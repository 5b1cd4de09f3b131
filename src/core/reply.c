/* SPDX-License-Identifier: BSD-2-Clause
 * core/reply.c - what a closed tuple still says
 *
 * RFC 9293 3.10.7.4, TIME-WAIT: a repeated FIN is acknowledged again. After a reset of ours anything but a reset draws it once more, at the
 * number that was acknowledged (RFC 5961 3.2: it was a challenge). Both are bounded for each tuple, so no dialogue comes of it.
 */
#include "core/constants.h"
#include "core/state.h"

enum tc_drop tc_reply_to(struct tc_core *c, const struct tc_tuple *target, uint16_t target_number,
			 uint32_t hash, const struct tc_answer *ans, tc_time now)
{
	struct tc_closed *closed = tc_closeds_find(&c->closeds, &target->client,
						   target->client_port, target_number, hash);
	if (closed == NULL || tc_closed_is_old(closed, now)) {
		return TC_DROP_ANSWER_STRAY;
	}
	const struct tc_tcp *tcp = &ans->tcp;
	bool asks = closed->reset || ans->payload_len > 0 || (tcp->flags & TC_TCP_FIN);
	bool ours = (tcp->flags & TC_TCP_ACK) && !(tcp->flags & TC_TCP_SYN);
	if ((tcp->flags & TC_TCP_RST) || !ours || !asks) {
		return TC_DROP_NONE; /* the last words of a connection that is over */
	}
	if (closed->replies == 0 || c->n_replies == TC_REPLIES_MAX) {
		return TC_DROP_ANSWER_STALE;
	}
	closed->replies--;
	struct tc_reply *r = &c->replies[(c->first_reply + c->n_replies++) % TC_REPLIES_MAX];
	*r = (struct tc_reply){
		.target = *target,
		.tcp = { .src_port = target->client_port, .dst_port = target->server_port },
	};
	if (closed->reset) {
		r->tcp.flags = TC_TCP_RST;
		r->tcp.seq = tcp->ack;
		c->ledger.resets_sent++;
		return TC_DROP_NONE;
	}
	r->tcp.flags = TC_TCP_ACK;
	r->tcp.seq = closed->snd_nxt;
	r->tcp.ack = closed->rcv_nxt;
	r->tcp.win = TC_RCV_WIN_MAX;
	if (closed->has_ts) {
		r->tcp.opt = (struct tc_tcpopt){ .has_ts = true,
						 .tsval = closed->tsval,
						 .tsecr = closed->ts_recent };
	}
	return TC_DROP_NONE;
}

bool tc_reply_next(struct tc_core *c, struct tc_segment *ret_seg)
{
	if (c->n_replies == 0) {
		return false;
	}
	const struct tc_reply *r = &c->replies[c->first_reply];
	ret_seg->replica = TC_NIL;
	ret_seg->src = r->target.client;
	ret_seg->dst = r->target.server;
	ret_seg->tcp = r->tcp;
	ret_seg->cut = TC_MSS_DEFAULT_V4;
	ret_seg->n_views = 0;
	ret_seg->payload_len = 0;
	c->first_reply = (c->first_reply + 1) % TC_REPLIES_MAX;
	c->n_replies--;
	c->ledger.segments++;
	return true;
}
