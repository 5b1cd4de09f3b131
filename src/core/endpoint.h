/* SPDX-License-Identifier: BSD-2-Clause
 * core/endpoint.h - one TCP connection to the target: a whole client that knows of answers only their headers
 *
 * Layer:   core. Numbers only: which bytes belong to them is the session's business.
 * Source:  RFC 9293 (states, 3.10), 6298 (RTO), 5681, 6582, 6675 (congestion, NewReno, SACK), 7323 (window scale, timestamps), 5961 (RST and
 *          SYN checks), 6928 (initial window).
 *
 * Four verbs: an answer comes in, a deadline passes, plan() says what may be sent now, emit() makes it a segment. Between plan() and
 * emit() the caller may shorten the plan when the bytes do not fit.
 *
 *     snd_una      rxt          lost_end        snd_nxt         supply.limit
 *        |==========|-- to resend --|  in flight   |   may be sent  |
 *
 * What was sent once is up to snd_nxt, which never goes back. Losses are a region [rxt, lost_end) whose bytes, as far as the target
 * does not report them by SACK, are sent again. So pipe, the estimate of what is in the network, is everything outstanding less
 * what is reported and less what waits in that region, for timeouts and for fast recovery alike.
 */
#ifndef TC_CORE_ENDPOINT_H
#define TC_CORE_ENDPOINT_H

#include "base/slab.h"
#include "core/stamp.h"
#include "wire/ledger.h"
#include "wire/packet.h"

enum tc_tcp_state {
	TC_TCP_CLOSED,	    /* over, or not begun. No deadline. Exit: open() */
	TC_TCP_SYN_SENT,    /* SYN is out. Deadline: RTO. Exits: SYN-ACK, RST */
	TC_TCP_ESTABLISHED, /* both ways open. Deadline: RTO or window probe while something waits. Exits: FIN either way, RST */
	TC_TCP_FIN_WAIT_1, /* our FIN is out, unacknowledged. Deadline: RTO. Exits: its ack, the target's FIN */
	TC_TCP_FIN_WAIT_2, /* our FIN is acknowledged. Deadline: the session's. Exit: the target's FIN */
	TC_TCP_CLOSE_WAIT, /* the target's FIN came. Deadline: as ESTABLISHED. Exit: our FIN */
	TC_TCP_CLOSING,	 /* both FINs are out, ours unacknowledged. Deadline: RTO. Exit: its ack */
	TC_TCP_LAST_ACK, /* the target's FIN came first, ours is out. Deadline: RTO. Exit: its ack */
	TC_TCP_TIME_WAIT, /* all is said; one ACK may be due. Then a closed tuple takes over (core/closed.h) */
	TC_TCP__N
};

/** struct tc_endpoint_env - what all endpoints of a core share; borrowed by each call */
struct tc_endpoint_env {
	struct tc_slab *boards;
	struct tc_ledger *ledger;
	tc_time wall_offset;
};

struct tc_endpoint {
	tc_seq iss;
	tc_seq snd_una;
	tc_seq snd_nxt;
	tc_seq rcv_nxt; /* in SYN-SENT: the number of the reset that is due, if one is */
	tc_seq snd_wl1;
	tc_seq recover; /* snd_nxt when the last loss was found (RFC 6582 3.1) */
	tc_seq rxt;
	tc_seq lost_end;
	tc_seq rtt_seq; /* the ack that ends the RTT measurement */
	uint32_t snd_wnd;
	uint32_t max_wnd; /* largest window that the target offered */
	uint32_t cwnd;
	uint32_t ssthresh;
	uint32_t srtt_us; /* 0: no sample yet */
	uint32_t rttvar_us;
	uint32_t ts_recent;
	uint32_t ts_last;  /* our last TSval */
	uint32_t board;	   /* TC_NIL: nothing is reported out of order */
	tc_stamp rtx_at;   /* retransmission or window probe */
	tc_stamp rtt_at;   /* when the segment that is timed was sent */
	tc_stamp owing_at; /* since when the target owes progress */
	tc_stamp pace_at;  /* when what was sent would have left, had it been spread evenly */
	tc_stamp sent_at;  /* last byte, new or again, or the handshake */
	uint16_t cut;	   /* payload bytes of a full segment */
	uint16_t syn_win;  /* window of the SYN: half of the mark */
	uint8_t state;	   /* enum tc_tcp_state */
	uint8_t backoff;
	uint8_t dup_acks;
	uint8_t snd_wscale;
	uint8_t syns; /* sent */
	bool ack_due : 1;
	bool syn_due : 1;
	bool rst_due : 1;
	bool half_open : 1; /* of these: in SYN-SENT, against a leftover on the tuple */
	bool probe_due : 1;
	bool paced : 1;	    /* more may be sent, but not yet */
	bool force_rxt : 1; /* the first retransmission after a loss goes out whatever cwnd says */
	bool cwnd_limited : 1; /* the congestion window, and nothing else, held the last new segment back */
	bool in_recovery : 1; /* fast recovery */
	bool fin_sent : 1;    /* its number is snd_nxt - 1 */
	bool fin_rcvd : 1;    /* its number is rcv_nxt - 1 */
	bool has_ts : 1;
	bool has_ws : 1;
	bool has_sack : 1;
	bool heard : 1; /* the target said something valid since owing_at */
};

/** struct tc_endpoint_open - how to begin */
struct tc_endpoint_open {
	tc_seq iss;
	uint16_t syn_win;
	uint32_t ts_floor; /* TSval starts above it */
	bool has_ts_floor;
	uint16_t mss; /* the most that the path or the user allows, without options */
};

/** struct tc_supply - what the session has to say, in the endpoint's numbers */
struct tc_supply {
	tc_seq limit; /* bytes before it may be spoken now */
	bool fin;     /* and then a FIN */
};

enum tc_plan_kind {
	TC_PLAN_NONE,
	TC_PLAN_RST,
	TC_PLAN_SYN,
	TC_PLAN_RESEND,
	TC_PLAN_NEW,
	TC_PLAN_PROBE,
	TC_PLAN_ACK,
};

struct tc_plan {
	enum tc_plan_kind kind;
	tc_seq seq;
	uint32_t len; /* payload; the caller may lower it, and then clears fin */
	bool fin;
	bool last; /* nothing that may be spoken now lies behind it: PSH */
};

/** struct tc_news - what an answer brought */
struct tc_news {
	uint32_t acked;	   /* bytes of payload acknowledged */
	uint32_t received; /* bytes announced that were new, a FIN counts one */
	bool established;
	bool reset;
	bool refused; /* reset in answer to our SYN */
};

void tc_endpoint_init(struct tc_endpoint *ep, const struct tc_endpoint_open *open, tc_time now);
/** tc_endpoint_fini() - give its scoreboard back */
void tc_endpoint_fini(struct tc_endpoint *ep, struct tc_endpoint_env *env);

/** tc_endpoint_on_answer() - Return: TC_DROP_NONE or TC_DROP_ANSWER_STALE; in both cases something may be due afterwards */
enum tc_drop tc_endpoint_on_answer(struct tc_endpoint *ep, struct tc_endpoint_env *env,
				   const struct tc_answer *ans, tc_time now,
				   struct tc_news *ret_news);
void tc_endpoint_on_deadline(struct tc_endpoint *ep, struct tc_endpoint_env *env, tc_time now);
/** tc_endpoint_deadline() - retransmission, window probe, or the next segments of a window that is spread out */
tc_time tc_endpoint_deadline(const struct tc_endpoint *ep, tc_time now);

/** tc_endpoint_plan() - the next thing to send, or TC_PLAN_NONE; may arm the probe of a closed window */
void tc_endpoint_plan(struct tc_endpoint *ep, struct tc_endpoint_env *env,
		      const struct tc_supply *supply, tc_time now, struct tc_plan *ret_plan);
/** tc_endpoint_emit() - carry the plan out: fills .tcp, .payload_len and .cut of @ret_seg and nothing else */
void tc_endpoint_emit(struct tc_endpoint *ep, struct tc_endpoint_env *env,
		      const struct tc_plan *plan, tc_time now, struct tc_segment *ret_seg);

/** tc_endpoint_reset() - end it by a reset at exactly snd_nxt; it goes out by plan() and emit() */
void tc_endpoint_reset(struct tc_endpoint *ep);

/** tc_endpoint_set_mss() - the path carries no more than @mss bytes of payload and options from now on */
void tc_endpoint_set_mss(struct tc_endpoint *ep, uint16_t mss);

static inline bool tc_endpoint_is_open(const struct tc_endpoint *ep)
{
	return ep->state >= TC_TCP_ESTABLISHED && ep->state <= TC_TCP_LAST_ACK;
}

/** tc_endpoint_ts() - the TSval for @now: wall-clock milliseconds, never falling */
uint32_t tc_endpoint_ts(const struct tc_endpoint *ep, const struct tc_endpoint_env *env,
			tc_time now);

#endif
