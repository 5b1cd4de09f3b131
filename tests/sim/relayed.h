/* SPDX-License-Identifier: BSD-2-Clause
 * sim/relayed.h - what goes into the relay must come out of it
 *
 * Layer:   test. For each tuple at the target, since the relay's queue was last empty.
 *
 * Reports may be merged, never lost: as many packets as it took are stood for, and the highest acknowledgement, the highest end of
 * payload, each RST, a FIN, and SACK blocks where nothing was merged, are told on. Numbers of several incarnations are not compared.
 */
#ifndef TC_SIM_RELAYED_H
#define TC_SIM_RELAYED_H

#include "wire/packet.h"

/** struct sim_relayed_sum - of packets, or of reports */
struct sim_relayed_sum {
	uint64_t pkts;
	uint32_t reports;
	uint32_t rsts;
	uint32_t sacks;
	bool has_ack, has_end, fin;
	tc_seq ack, end;
};

struct sim_relayed {
	struct sim_relayed_sum in, out;
	uint16_t life;
	bool mixed; /* of several incarnations */
};

/** sim_relayed_in() - the relay has taken a packet of incarnation @life */
void sim_relayed_in(struct sim_relayed *x, const struct tc_tcp *tcp, uint32_t len, uint16_t life);
/** sim_relayed_out() - it has told on @ans */
void sim_relayed_out(struct sim_relayed *x, const struct tc_answer *ans);
/** sim_relayed_empty() - its queue is empty: NULL, or what was lost; all sums begin anew */
const char *sim_relayed_empty(struct sim_relayed *x);

#endif
