/* SPDX-License-Identifier: BSD-2-Clause
 * intercept/relay-queue.c - a ring of reports, and how two become one
 */
#include "intercept/relay-queue.h"

#include "wire/channel.h"

/* Sequence numbers further apart than the largest window are not of one connection. */
#define MERGE_DISTANCE (1 << 30)

static uint64_t slots(uint32_t limit)
{
	uint64_t n = 2;
	while (n < limit) {
		n *= 2;
	}
	return n;
}

size_t tc_relay_queue_bytes(uint32_t limit)
{
	return sizeof(struct tc_relay_report) * slots(limit);
}

void tc_relay_queue_init(struct tc_relay_queue *q, void *mem, uint32_t limit)
{
	*q = (struct tc_relay_queue){ .ring = mem,
				      .mask = slots(limit) - 1,
				      .limit = limit,
				      .origin = 1,
				      .head = 1,
				      .tail = 1 };
}

static struct tc_relay_report *slot(const struct tc_relay_queue *q, uint64_t pos)
{
	return &q->ring[(pos - q->origin) & q->mask];
}

static struct tc_relay_report *at(const struct tc_relay_queue *q, uint64_t pos)
{
	return pos >= q->head && pos < q->tail ? slot(q, pos) : NULL;
}

const struct tc_relay_report *tc_relay_queue_at(const struct tc_relay_queue *q, uint64_t pos)
{
	return at(q, pos);
}

uint64_t tc_relay_queue_append(struct tc_relay_queue *q, const struct tc_packet *pkt, tc_time now)
{
	if (tc_relay_queue_used(q) >= q->limit) {
		return 0;
	}
	*slot(q, q->tail) = (struct tc_relay_report){
		.answer = { .client = pkt->dst,
			    .target = pkt->src,
			    .tcp = pkt->tcp,
			    .payload_len = pkt->payload_len },
		.at = now,
	};
	return q->tail++;
}

static bool is_mergeable(uint8_t flags)
{
	return (flags & (TC_TCP_SYN | TC_TCP_RST)) == 0;
}

static bool is_near(tc_seq a, tc_seq b)
{
	int32_t d = tc_seq_diff(a, b);
	return d > -MERGE_DISTANCE && d < MERGE_DISTANCE;
}

/*
 * Packets come out of order where the target sends from several CPUs. So what a report says of acknowledgement and window is that of
 * the packet that was sent last, as RFC 9293 3.10.7.4 tells it (SND.WL1, SND.WL2), not of the one that came last; a repeated segment
 * has an old sequence number but a new acknowledgement, therefore that is compared first. A FIN stands at the end of the payload. A
 * bare acknowledgement says nothing about payload: where it begins may lie behind a FIN, or data, whose report was lost.
 */
static void merge(struct tc_answer *a, const struct tc_packet *pkt)
{
	uint8_t fin = a->tcp.flags & TC_TCP_FIN;
	uint8_t pkt_fin = pkt->tcp.flags & TC_TCP_FIN;
	bool has = a->payload_len > 0 || fin;
	bool pkt_has = pkt->payload_len > 0 || pkt_fin;
	tc_seq seq = !has && pkt_has ? pkt->tcp.seq : a->tcp.seq;
	tc_seq end = tc_seq_add(seq, has ? a->payload_len : pkt->payload_len);
	if (has && pkt_has) {
		tc_seq pkt_end = tc_seq_add(pkt->tcp.seq, pkt->payload_len);
		seq = tc_seq_min(seq, pkt->tcp.seq);
		end = fin == pkt_fin ? tc_seq_max(end, pkt_end) : pkt_fin ? pkt_end : end;
	} else if (!has && !pkt_has) {
		seq = end = tc_seq_max(seq, pkt->tcp.seq);
	}
	int32_t ack_diff = tc_seq_diff(pkt->tcp.ack, a->tcp.ack);
	if (ack_diff > 0 || (ack_diff == 0 && tc_seq_le(a->tcp.seq, pkt->tcp.seq))) {
		a->tcp = pkt->tcp;
	}
	a->tcp.flags |= fin | pkt_fin;
	a->tcp.seq = seq;
	a->payload_len = tc_seq_lt(seq, end) ? (uint32_t)tc_seq_diff(end, seq) : 0;
	a->merged++;
}

bool tc_relay_queue_merge(struct tc_relay_queue *q, uint64_t pos, const struct tc_packet *pkt,
			  tc_time now, tc_time older_than)
{
	struct tc_relay_report *rep = at(q, pos);
	if (rep == NULL ||
	    (now - rep->at <= older_than && tc_relay_queue_used(q) * 2 <= q->limit)) {
		return false;
	}
	const struct tc_tcp *tcp = &rep->answer.tcp;
	if (!is_mergeable(tcp->flags) || !is_mergeable(pkt->tcp.flags) ||
	    !is_near(tcp->seq, pkt->tcp.seq) || !is_near(tcp->ack, pkt->tcp.ack) ||
	    rep->answer.merged >= UINT16_MAX) { /* a record has 16 bits for it */
		return false;
	}
	merge(&rep->answer, pkt);
	return true;
}

size_t tc_relay_queue_encode(struct tc_relay_queue *q, uint8_t *buf, size_t n, uint16_t *ret_count)
{
	size_t length = 0;
	uint16_t count = 0;
	while (q->head != q->tail && count < UINT16_MAX) {
		size_t one = tc_channel_answer_encode(&slot(q, q->head)->answer, buf + length,
						      n - length);
		if (one == 0) {
			break;
		}
		length += one;
		count++;
		q->head++;
	}
	if (q->head == q->tail) {
		q->origin = q->tail;
	}
	*ret_count = count;
	return length;
}
