/* SPDX-License-Identifier: BSD-2-Clause
 * sim/sim.h - one scenario's world
 *
 * Layer:   test.
 *
 *     client <--link--> capture point <--link--> online server
 *                           | (misses some: a real hole)
 *                         core ---link---> target (a kernel's TCP and an application)
 *                           ^                 | every packet that it says
 *                           +----- report path, straight or through the relay
 *
 * A conversation is what one client does on one connection. A place is the tuple that it uses, and may be used again. A slot is the
 * tuple at the target. A life is one incarnation of a replica there: what begins with a SYN of a new ISN. Nodes talk by packets and
 * events alone; watch.c sees all that the core says and hears, and judges.
 *
 * Everything lies in one struct of fixed size; only what a scenario used is cleared before the next one.
 */
#ifndef TC_SIM_SIM_H
#define TC_SIM_SIM_H

#include "sim/link.h"
#include "sim/params.h"
#include "sim/queue.h"
#include "sim/relayed.h"
#include "sim/rng.h"
#include "sim/spans.h"
#include "sim/target.h"

#include "base/slab.h"
#include "core/core.h"
#include "intercept/relay.h"

#define SIM_CONVS 32
#define SIM_PLACES 32
#define SIM_SLOTS 160
#define SIM_POOL 4 /* addresses of a family for -c, at most */
#define SIM_LIVES 256
#define SIM_SESSIONS 256
#define SIM_PKTS 12288
#define SIM_TURNS 16
#define SIM_NONE UINT16_MAX

/* The clients' bytes: each conversation has its own stretch of them. A view of up to 64 KB never wraps. */
#define SIM_PATTERN (1U << 23)
#define SIM_STRETCH (SIM_PATTERN / SIM_CONVS)

enum sim_event_kind {
	SIM_EV_CLIENT_START,  /* conversation */
	SIM_EV_CLIENT_TIMER,  /* conversation */
	SIM_EV_ONLINE_TIMER,  /* conversation */
	SIM_EV_CAPTURE,	      /* packet at the capture point */
	SIM_EV_CAPTURE_BLOCK, /* the capture hands over what it has */
	SIM_EV_TO_ONLINE,     /* packet */
	SIM_EV_TO_CLIENT,     /* packet */
	SIM_EV_CORE,	      /* the core's deadline */
	SIM_EV_TO_TARGET,     /* packet */
	SIM_EV_TARGET_TIMER,  /* slot */
	SIM_EV_REPORT,	      /* packet of the target at intercept */
	SIM_EV_ANSWER,	      /* packet: its report at the core */
	SIM_EV_REPORT_BATCH,  /* intercept sends what it has */
	SIM_EV_ACK_DUE,	      /* life */
	SIM_EV_ANNOUNCED,     /* slot */
	SIM_EV_CHANNEL,	      /* 0 down, 1 up */
	SIM_EV_LOSS_NOTICE,   /* the capture reports so many lost packets */
	SIM_EV_NOISE,
	SIM_EV_STOP,
	SIM_EV_KEEP,   /* another share of clients is kept */
	SIM_EV_SAMPLE, /* another share for -r */
	SIM_EV_FILE,   /* is it read to its end, may it begin anew */
	SIM_EV_HELD,   /* the capture is held, 1, or goes on */
	SIM_EV_LOOK,   /* is it over */
	SIM_EV__N,
};

/** struct sim_pkt - a packet on its way */
struct sim_pkt {
	tc_time at; /* when it was captured */
	struct tc_tcp tcp;
	uint32_t len;	 /* payload bytes */
	uint32_t offset; /* of the payload in the client's stream */
	uint32_t next;	 /* in a list or in the free list */
	uint32_t merged;
	uint16_t who;  /* conversation, or slot */
	uint16_t life; /* replica's incarnation, or the target's that answers it */
	bool garbage;  /* the payload is not of the stream */
};

struct sim_turn {
	uint32_t request;
	uint32_t answer;
	uint32_t push; /* further bytes of the server, later */
	tc_time think;
	tc_time service;
	bool pipelined;	      /* does not wait for the answer before */
	uint32_t request_end; /* bytes of the client up to here */
	uint32_t answer_end;  /* bytes of the server up to here, once it was said */
	tc_time seen_at;      /* its first byte was captured, and all before it */
};

enum sim_client_step {
	SIM_CLIENT_WAITS,    /* not started */
	SIM_CLIENT_SYN,	     /* its SYN is out */
	SIM_CLIENT_GREETING, /* for the server's first words */
	SIM_CLIENT_THINKS,   /* until app_at */
	SIM_CLIENT_HEARS,    /* the answer to turn - 1 */
	SIM_CLIENT_CLOSES,   /* until app_at */
	SIM_CLIENT_CLOSED,   /* FIN is out */
	SIM_CLIENT_DONE,
};

/* Why no session is opened for a client */
enum sim_left {
	SIM_LEFT_NOT,
	SIM_LEFT_SHED,	 /* outside of the share before its handshake was complete */
	SIM_LEFT_LIMIT,	 /* --limit-sessions */
	SIM_LEFT_SAMPLE, /* -r */
};

/** struct sim_conv - a client, its online server's side, and the truth about both; offsets: 0 the SYN, 1.. the bytes, then the FIN */
struct sim_conv {
	struct sim_rng rng;
	/* the plan */
	uint16_t place;
	uint16_t pass; /* of the file that it is in */
	uint16_t n_turns;
	enum sim_close close;
	bool lone;
	bool refused;
	uint32_t syn_data;
	uint32_t total; /* bytes of all requests */
	uint32_t greeting;
	uint32_t iss;
	uint32_t irs;
	struct sim_turn turns[SIM_TURNS];
	/* the client */
	enum sim_client_step step;
	uint16_t turn;
	uint32_t una, nxt, limit, high;
	uint32_t rcv, rcv_acked;
	uint32_t window;
	uint32_t recover;
	unsigned dup_acks;
	unsigned tries;
	bool fin, rst, fin_heard;
	tc_time rto, rto_at, ack_at, app_at, probe_at;
	struct sim_timer timer;
	/* the online server */
	struct sim_spans online_got;
	uint32_t online_rcv, online_nxt;
	uint16_t online_turn;
	bool online_open, online_fin, online_pushes, online_gone;
	tc_time online_at, online_last;
	struct sim_timer online_timer;
	/* the truth */
	struct sim_spans captured;
	uint16_t seen_turns;
	uint32_t said; /* bytes that any captured packet speaks of, a FIN or RST behind them too */
	bool syn_captured, accepted, fin_captured, rst_captured, missed;
	bool cut;	 /* the file ended before it did */
	bool superseded; /* the next conversation of its place has begun */
	bool heard_all;	 /* each answer, before it closed */
	/* what of it the core was given (share.c) */
	uint32_t share; /* its client's, wire/share.h */
	enum sim_left left;
	bool syn_given, accept_given;
	bool over;	    /* its SYN waits no more */
	uint32_t shed_said; /* shed: bytes that its numbers told of */
	tc_time shed_at;    /* its sessions were shed then, 0: not */
	tc_time accepted_at, done_at;
	tc_time last_at; /* of its packets, the last one's time */
};

struct sim_place {
	struct tc_tuple online;
	uint16_t slot;	 /* of the client's own tuple */
	uint16_t opened; /* sessions so far, each copy */
};

/** struct sim_life - what watch.c knows of one incarnation of a replica */
struct sim_life {
	uint16_t slot;
	uint16_t session;
	uint64_t convs; /* candidates: one bit each */
	uint32_t
		start; /* offset in the stream of its first byte: 0, or where a resumed one begins */
	bool start_known;
	tc_seq isn;
	tc_time at;
	tc_seq top; /* the sequence number after all that was said */
	uint32_t tsval;
	/* what the core was told */
	bool answered; /* a SYN-ACK was believable */
	bool ts, ws, heard_fin;
	uint8_t shift, own_shift;
	uint16_t mss;
	tc_seq edge; /* the highest right edge */
	bool zero_window;
	/* what it said */
	tc_seq acked;
	bool has_acked;
	uint32_t window; /* that it offers */
	bool syn_acked, fin, rst, rst_asked;
	tc_time fin_at, rst_at;
	bool owes_ack;
	tc_seq owed;
	tc_time owed_at;
	uint32_t
		thrown_away; /* requests that the target had, and did not answer when it saw the end */
	uint32_t pkts, data_pkts;
	uint64_t data_bytes;
};

/** struct sim_session - a replica by what the core says of it */
struct sim_session {
	uint16_t conv;
	uint16_t slot;
	uint16_t life;	 /* the newest; SIM_NONE: no SYN yet */
	uint16_t copy;	 /* number of the copy */
	uint16_t spoken; /* turns that were said to the target: one bit each */
	uint32_t replica;
	enum tc_end end;
	tc_time opened_at;
	tc_time ended_at;
	uint64_t delivered;
	uint64_t lost;
};

struct sim_slot {
	struct tc_tuple tuple;
	struct sim_relayed relayed;
	uint64_t convs; /* that may appear on it */
	uint16_t life;	/* the newest, SIM_NONE */
	struct sim_conn conn;
};

struct sim {
	struct sim_params p;
	uint64_t seed;
	bool verbose;
	bool thorough; /* check the core after each verb, not now and then */

	/* the verdict */
	bool failed;
	char verdict[400];

	uint64_t events;
	uint32_t pkts_used, pkts_free, pkts_live;
	struct sim_rng dice; /* of the capture and of the driver */

	unsigned n_convs, n_places, n_slots, n_lives, n_sessions;
	struct sim_link to_capture, to_online, to_client, to_target, from_target;

	/* capture */
	uint32_t block_head, block_tail;
	bool block_pending;
	unsigned lost_unsaid;

	bool file_ended;
	uint16_t pass;
	tc_time pass_from, file_ended_at;

	/* report path */
	uint32_t batch_head, batch_tail;
	bool batch_pending, channel_up;
	struct tc_relay *relay;
	unsigned peer;
	tc_time relay_chore;

	/* core */
	struct tc_core *core;
	tc_time core_from; /* when the core began */
	struct sim_timer core_timer;
	tc_time core_deadline;
	uint64_t verbs, deadlines;
	bool stopped, mtu_due, mtu_said;
	tc_time heard_at[4], heard_since[4]; /* of each map's target, reports */
	tc_time bound, end;
	unsigned noise_left;
	struct tc_siphash_key mark_key;
	struct tc_siphash_key table_key;
	struct sim_rng share_dice;
	uint32_t keep_share; /* of TC_SHARE_ALL */
	int64_t sample;	     /* of 10000 */
	tc_time keep_at;     /* the last change */
	unsigned keep_left;  /* so many changes are to come */
	struct tc_map maps[4];
	struct tc_ip pool[2 * SIM_POOL];

	/* from .failed to here all is cleared for each scenario; what lies below is set where it is taken */
	struct sim_queue q;
	struct sim_conv convs[SIM_CONVS];
	struct sim_place places[SIM_PLACES];
	struct sim_slot slots[SIM_SLOTS];
	struct sim_life lives[SIM_LIVES];
	struct sim_session sessions[SIM_SESSIONS];
	struct sim_pkt pkts[SIM_PKTS];

	/* kept */
	uint8_t pattern[SIM_PATTERN + 65536];
	uint8_t *core_mem;
	size_t core_bytes;
	uint8_t *relay_mem;
	size_t relay_bytes;
};

/* world.c */
struct sim *sim_new(void);
void sim_free(struct sim *s);
/** sim_run() - one scenario; s->failed and s->verdict tell */
void sim_run(struct sim *s, uint64_t seed, const struct sim_params *p);
/** sim_fail() - the first one counts */
void sim_fail(struct sim *s, const char *format, ...) __attribute__((format(printf, 2, 3)));
/** sim_trace() - with --verbose: a line of the story */
void sim_trace(const struct sim *s, const char *format, ...) __attribute__((format(printf, 2, 3)));
/** sim_trace_pkt() - with --verbose: a packet */
void sim_trace_pkt(const struct sim *s, const char *who, unsigned n, const struct tc_tcp *t,
		   uint32_t len);
uint32_t sim_pkt_new(struct sim *s);
uint32_t sim_pkt_copy(struct sim *s, uint32_t i);
void sim_pkt_free(struct sim *s, uint32_t i);
/** sim_send() - packet @i into @l: events of @kind for each copy that arrives; the packet is consumed */
void sim_send(struct sim *s, struct sim_link *l, uint32_t i, uint32_t kind);
const uint8_t *sim_bytes(const struct sim *s, unsigned conv, uint32_t offset);

/* plan.c */
void sim_plan(struct sim *s);

/* client.c, online.c */
void sim_client_start(struct sim *s, unsigned conv);
void sim_client_on_timer(struct sim *s, unsigned conv);
void sim_client_on_packet(struct sim *s, const struct sim_pkt *pkt);
void sim_online_on_packet(struct sim *s, const struct sim_pkt *pkt);
void sim_online_on_timer(struct sim *s, unsigned conv);

/* capture.c */
void sim_capture_on_packet(struct sim *s, uint32_t i);
void sim_capture_on_block(struct sim *s);
void sim_capture_on_loss_notice(struct sim *s, uint32_t count);
void sim_capture_on_noise(struct sim *s);

/* share.c */
void sim_share_start(struct sim *s);
void sim_share_on_keep(struct sim *s);
void sim_share_on_sample(struct sim *s);
/** sim_share_passes() - does the capture's filter let it pass */
bool sim_share_passes(const struct sim *s, const struct sim_pkt *pkt);
/** sim_share_on_give(), _after_give() - the core is given a packet; @before: the books before that */
void sim_share_on_give(struct sim *s, const struct sim_pkt *pkt);
void sim_share_after_give(struct sim *s, unsigned conv, const struct tc_ledger *before);
/** sim_share_grace() - what is shed may live for so long */
tc_time sim_share_grace(const struct sim *s);

/* file.c */
void sim_file_start(struct sim *s);
void sim_file_on_look(struct sim *s);
void sim_file_on_held(struct sim *s, bool held);
/** sim_file_has() - is what this client says now in the file */
bool sim_file_has(const struct sim *s, unsigned conv);

/* driver.c */
void sim_core_start(struct sim *s);
void sim_core_on_client(struct sim *s, const struct tc_packet *pkt);
void sim_core_on_online(struct sim *s, const struct tc_packet *pkt);
void sim_core_on_answer(struct sim *s, const struct tc_answer *ans);
void sim_core_on_event(struct sim *s, const struct tc_event *ev);
void sim_core_on_timer(struct sim *s);

/* report.c */
void sim_report_start(struct sim *s);
void sim_report_on_packet(struct sim *s, uint32_t i);
void sim_report_on_answer(struct sim *s, uint32_t i);
void sim_report_on_batch(struct sim *s);
void sim_report_channel(struct sim *s, bool up);
void sim_report_announce(struct sim *s, const struct tc_tuple *tuple);

/* watch.c */
void sim_watch_segment(struct sim *s, const struct tc_segment *seg, uint16_t *ret_slot);
void sim_watch_report(struct sim *s, const struct tc_answer *ans);
void sim_watch_session(struct sim *s, const struct tc_out_session *out);
void sim_watch_ack_due(struct sim *s, unsigned life);
/** sim_watch_forgotten() - does one wait for its target although that was heard */
void sim_watch_forgotten(struct sim *s);

/* judge.c */
/** sim_judge_bound() - how long after a client was done its replicas may go on */
tc_time sim_judge_bound(const struct sim *s);
void sim_judge_end(struct sim *s, const struct sim_session *x);
/** sim_judge_spoken() - bytes of its client up to @end were said by @x now: were turns in them too late */
void sim_judge_spoken(struct sim *s, struct sim_session *x, uint32_t end);
/** sim_judge_may_end() - has this session an excuse to end like that */
bool sim_judge_may_end(const struct sim *s, const struct sim_session *x, enum tc_end end);
/** sim_judge_alive() - the bound has passed */
void sim_judge_alive(struct sim *s);
void sim_judge_all(struct sim *s);

/** sim_is_partial() - the capture may have missed beginnings: streams need not begin with their first byte */
bool sim_is_partial(const struct sim_params *p);
/** sim_is_exact() - each session that is opened can be told from the order of its clients */
bool sim_is_exact(const struct sim *s);
/** sim_conv_captured() - bytes of the client's stream that the core has seen without a gap */
uint32_t sim_conv_captured(const struct sim_conv *c);
/** sim_slot_find() - the slot of a tuple at the target, SIM_NONE: nobody's */
uint16_t sim_slot_find(const struct sim *s, const struct tc_tuple *tuple);
/** sim_slot_add() - a further one; SIM_NONE: no room */
uint16_t sim_slot_add(struct sim *s, const struct tc_tuple *tuple);

#endif
