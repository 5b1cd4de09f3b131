/* SPDX-License-Identifier: BSD-2-Clause
 * sim/relayed.c - sums of both sides of the relay
 */
#include "sim/relayed.h"

static void add(struct sim_relayed_sum *sum, const struct tc_tcp *t, uint32_t len)
{
	bool fin = (t->flags & TC_TCP_FIN) != 0;
	tc_seq end = tc_seq_add(t->seq, len + fin);
	sum->reports++;
	sum->rsts += (t->flags & TC_TCP_RST) != 0;
	sum->sacks += t->opt.n_sack > 0;
	if ((t->flags & (TC_TCP_SYN | TC_TCP_RST)) != 0) {
		return;
	}
	sum->ack = sum->has_ack ? tc_seq_max(sum->ack, t->ack) : t->ack;
	sum->has_ack = true;
	if (len > 0 || fin) {
		sum->end = sum->has_end ? tc_seq_max(sum->end, end) : end;
		sum->has_end = true;
	}
	sum->fin |= fin;
}

void sim_relayed_in(struct sim_relayed *x, const struct tc_tcp *tcp, uint32_t len, uint16_t life)
{
	x->mixed |= x->in.pkts > 0 && x->life != life;
	x->life = life;
	x->in.pkts++;
	add(&x->in, tcp, len);
}

void sim_relayed_out(struct sim_relayed *x, const struct tc_answer *ans)
{
	x->out.pkts += 1 + ans->merged;
	add(&x->out, &ans->tcp, ans->payload_len);
}

static const char *compare(const struct sim_relayed *x)
{
	const struct sim_relayed_sum *in = &x->in;
	const struct sim_relayed_sum *out = &x->out;
	if (in->pkts != out->pkts) {
		return "its reports stand for another number of packets than it took";
	}
	if (in->rsts != out->rsts) {
		return "an RST was merged away, or became two";
	}
	if (in->fin != out->fin) {
		return "a FIN was lost, or made up";
	}
	if (in->reports == out->reports && in->sacks != out->sacks) {
		return "SACK blocks were lost";
	}
	if (x->mixed) {
		return NULL;
	}
	if (in->has_ack != out->has_ack || (in->has_ack && !tc_seq_eq(in->ack, out->ack))) {
		return "another acknowledgement than the target's highest";
	}
	if (in->has_end != out->has_end || (in->has_end && !tc_seq_eq(in->end, out->end))) {
		return "payload ends elsewhere than the target's";
	}
	return NULL;
}

const char *sim_relayed_empty(struct sim_relayed *x)
{
	const char *bad = compare(x);
	*x = (struct sim_relayed){ 0 };
	return bad;
}
