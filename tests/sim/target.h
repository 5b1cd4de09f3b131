/* SPDX-License-Identifier: BSD-2-Clause
 * sim/target.h - a server's TCP, written from the RFCs with Linux's habits
 *
 * Layer:   test. Nothing of the core's endpoint is used here: two readings of the RFCs meet.
 * Source:  RFC 9293 3.10.7, RFC 7323 (scaling, timestamps, PAWS), RFC 2018 (SACK), RFC 5681, RFC 6298, RFC 5961, RFC 6191.
 *
 * States are those of RFC 9293 3.3.2. Where Linux differs from the text it is Linux that the replicas meet:
 *   - a duplicate ACK for a segment out of the window, and a challenge ACK, at most once in 500 ms unless it carried data;
 *   - data after the application closed is answered by RST;
 *   - TIME-WAIT takes a SYN whose timestamp is higher; without timestamps one whose sequence number is higher;
 *   - the right edge of the window does not move back, unless the scenario says so.
 */
#ifndef TC_SIM_TARGET_H
#define TC_SIM_TARGET_H

#include "sim/queue.h"
#include "sim/rng.h"
#include "sim/spans.h"

#include "base/types.h"

struct sim;
struct sim_pkt;

enum sim_state {
	SIM_CLOSED,
	SIM_SYN_RECEIVED,
	SIM_ESTABLISHED,
	SIM_FIN_WAIT_1,
	SIM_FIN_WAIT_2,
	SIM_CLOSE_WAIT,
	SIM_CLOSING,
	SIM_LAST_ACK,
	SIM_TIME_WAIT,
};

/* Why the target sent an RST */
enum sim_reset {
	SIM_RESET_NONE,
	SIM_RESET_APP,	     /* its application wanted it, or had closed when bytes came */
	SIM_RESET_REFUSED,   /* nobody listens */
	SIM_RESET_NO_CONN,   /* a segment for no connection */
	SIM_RESET_BAD_ACK,   /* SYN-RECEIVED, and an ACK of something else */
	SIM_RESET_KEEPALIVE, /* probes without answer */
};

struct sim_conn {
	struct sim_rng rng;
	uint16_t slot;
	uint16_t life;
	uint16_t conv; /* whose requests the application expects */
	enum sim_state state;
	bool ts, sack, ws;
	uint8_t snd_shift, rcv_shift;
	uint16_t mss; /* of the peer, less the options of each segment */
	uint32_t iss, irs;
	/* sending: offsets from iss */
	uint32_t una, nxt, written; /* written: bytes of the application */
	uint32_t snd_wnd, max_wnd, wl1, wl2;
	uint32_t cwnd, recover;
	unsigned tries;
	bool fin_queued;
	/* receiving: offsets from irs */
	uint32_t rcv_nxt, edge, read;
	uint32_t buf;
	uint32_t ts_recent, last_ack_sent;
	bool fin_got;
	uint32_t fin_at; /* of one that came out of order, 0 for none */
	struct sim_spans ooo;
	unsigned acks_owed;
	/* timers */
	tc_time rto, rto_at, ack_at, keepalive_at, wait_at, app_at, read_at;
	tc_time oow_at; /* when the next limited ACK may go */
	tc_time heard_at, retransmitted_at;
	unsigned probes;
	unsigned acks_to_drop;
	struct sim_timer timer;
	/* application */
	uint16_t turn;
	uint32_t base; /* bytes of the client that went to an earlier connection */
	unsigned answers;
	uint32_t chunk, chunk_left;
	tc_time stopped_until;
	bool stopped_once, closed, reads_no_more, greeted, shrunk;
	/* for the judge */
	enum sim_reset reset;
	bool was_rst;
	bool again;
	uint32_t got; /* bytes in order */
	bool fin_in_order;
};

/* target_in.c */
void sim_target_on_packet(struct sim *s, const struct sim_pkt *pkt);
/* target_out.c */
void sim_target_on_timer(struct sim *s, unsigned slot);
void sim_target_output(struct sim *s, struct sim_conn *c);
void sim_target_ack(struct sim *s, struct sim_conn *c);
void sim_target_syn_ack(struct sim *s, struct sim_conn *c);
/** sim_target_reset() - an RST that stands by itself, in answer to @pkt */
void sim_target_reset(struct sim *s, const struct sim_pkt *pkt, enum sim_reset why);
/** sim_target_abort() - the connection ends by an RST of ours */
void sim_target_abort(struct sim *s, struct sim_conn *c, enum sim_reset why);
/** sim_target_arm() - the connection's timer, from its deadlines */
void sim_target_arm(struct sim *s, struct sim_conn *c);
void sim_target_close(struct sim_conn *c);
/* target_app.c */
void sim_app_open(struct sim *s, struct sim_conn *c);
void sim_app_run(struct sim *s, struct sim_conn *c);
void sim_app_on_timer(struct sim *s, struct sim_conn *c);
/** sim_app_on_end() - the client has gone: what was not answered is thrown away */
void sim_app_on_end(struct sim *s, struct sim_conn *c);

#endif
