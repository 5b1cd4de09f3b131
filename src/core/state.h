/* SPDX-License-Identifier: BSD-2-Clause
 * core/state.h - the objects of a core, for its own files
 *
 * Layer:   core.
 *
 *     by_online --> session --+--> stream (chunks), turns (marks)
 *                             +--> replica, replica, ...   <-- by_target
 *                                     |  pace, endpoint
 *                                     +--> ready queue --> next_out
 *
 * Inputs change objects and touch() the replicas that may have something to say; what is said, and every end, happens in one
 * place, when a replica is pulled from the ready queue (core/replica.c). So an object is never freed under a caller's feet.
 * Objects are named by indices into slabs, never by pointers across calls.
 */
#ifndef TC_CORE_STATE_H
#define TC_CORE_STATE_H

#include "base/stopwatch.h"
#include "base/wheel.h"
#include "core/board.h"
#include "core/closed.h"
#include "core/constants.h"
#include "core/core.h"
#include "core/endpoint.h"
#include "core/stream.h"
#include "core/syns.h"
#include "core/turns.h"

/**
 * struct tc_session - one client's connection to the online server
 * States, by what is set:
 *   copied     replicas != TC_NIL. Exits: the last replica ends
 *   ghost      replicas == TC_NIL, !stream_over: the copy ended before its client did; what the client still says is counted as lost to
 *              .end. One of another tcpcopy has no .copies, and nothing of it is counted. Deadline: TC_GHOST_IDLE. Exits: FIN, RST, a new
 *              connection on the tuple, silence
 *   joining    .joining: it was open before us (or a hole ended its copy, with --on-hole resume); its next turn will be copied. Deadline:
 *              TC_GHOST_IDLE. Exits: a turn begins, FIN, RST, silence
 *   over       replicas == TC_NIL, stream_over: freed
 */
struct tc_session {
	struct tc_tuple online;
	struct tc_stream stream;
	struct tc_turns turns;
	tc_time last_at; /* last packet of the client. This, and the next two, by the clients' clock */
	tc_time gap_at; /* since when bytes are missing at stream.end; TC_TIME_NEVER: none are. Joining: not before */
	tc_time online_at; /* last packet of the online server with payload, 0 for none */
	tc_seq isn;
	tc_seq base_ack; /* what the handshake acknowledged */
	tc_seq fin_pos;	 /* with has_fin */
	uint32_t rtt_us; /* of the client's handshake, as seen here */
	uint32_t hash;
	uint32_t replicas; /* first of a list by .sibling */
	uint16_t device;
	uint16_t map;
	uint16_t copies;   /* replicas that it has or had */
	uint16_t live;	   /* of these, now */
	uint16_t whole;	   /* of these, all that the client said is acknowledged */
	uint16_t complete; /* of those that ended: counted as complete */
	uint8_t end;	   /* enum tc_end of the last replica that ended */
	bool has_fin : 1;
	bool has_rst : 1;
	bool detached : 1; /* a newer connection has the tuple; not in by_online any more */
	bool has_syn : 1;  /* a lone SYN of the same tuple waits */
	bool joining : 1;
	bool holed : 1;	  /* a hole was found: its copies are being ended for it */
	bool leaving : 1; /* joining: its client closed, or reset */
	bool heard : 1;	  /* joining: the client acknowledged something after its last byte */
};

/**
 * struct tc_replica - one connection to the target that speaks a session
 * States: waiting (for the tuple or the channel; nothing was sent), running (the endpoint's states), ending (.end is set: a reset may
 * be due, then it is freed).
 */
struct tc_replica {
	struct tc_endpoint ep;
	uint32_t alias;	  /* its client address: number in cfg.pool, TC_NIL for the client's own */
	uint32_t session; /* TC_NIL: not in use, for slabs do not tell */
	uint32_t sibling;
	uint32_t ready_next;
	tc_seq base; /* position that its ISN stands for: one before the first byte that it speaks */
	uint32_t next_turn; /* the mark that it has not begun yet, TC_NIL for none */
	tc_seq turn_ack;    /* of the turn that it speaks */
	tc_seq ans_base; /* rcv_nxt when the turn's last byte was spoken; ahead of it for an answer that is on its way */
	tc_stamp ans_last;    /* last new byte of the target */
	tc_stamp hold_until;  /* -R: a client further away would not have heard the answer yet */
	tc_stamp drain_since; /* we are ending it since then */
	uint32_t answer_us;   /* smoothed answer time, 0: no sample */
	uint32_t
		late_us; /* the turn before was spoken so long before this one and is unanswered; 0: no */
	uint16_t turns; /* begun; UINT16_MAX: as many or more */
	uint16_t client_port;
	uint8_t limits;	   /* turns in a row that began by limit */
	uint8_t drain_end; /* enum tc_end, with drain_since */
	uint8_t end;	   /* enum tc_end: it is to be freed */
	bool waiting : 1;
	bool ready : 1;
	bool timed : 1;
	bool other_size : 1; /* the last answer that was waited for was not as long as the online server's */
	bool unsure : 1; /* an answer may be outstanding that was not waited for */
	bool reset_sent : 1;
	bool held_back : 1; /* its target is silent, and others ask it already */
	bool reopening : 1; /* the target closed before its client did: close, and go on on a new connection */
};

/*
 * What an idle session costs in all, and each further replica of it. Of a table's slots at most 7/8 are in use, and their number is
 * a power of two: counted here with 13 bytes an entry, as for 20,000; the test of memory measures the whole.
 */
_Static_assert(sizeof(struct tc_replica) + sizeof(struct tc_wheel_node) + 13 <= 190,
	       "a further replica");
_Static_assert(sizeof(struct tc_replica) + sizeof(struct tc_session) +
			       2 * (sizeof(struct tc_wheel_node) + 13) <=
		       400,
	       "an idle session");

/** struct tc_target - what is learned of one target and lasts longer than a connection */
struct tc_target {
	tc_time max_pause; /* largest one inside its answers */
	tc_time heard_at;  /* last answer; INT64_MIN / 2: never */
	uint32_t rtt_us;   /* smoothed over handshakes, 0: none yet */
	uint32_t asking;   /* replicas in SYN-SENT */
	uint32_t held;	   /* replicas held back */
	uint16_t
		mss; /* the most that the path carries, without options; falls by black holes, EMSGSIZE and path MTU */
};

/** struct tc_reply - a segment of a tuple that has no replica any more */
struct tc_reply {
	struct tc_tuple target;
	struct tc_tcp tcp;
};

/** struct tc_scan - all replicas are told something, in steps */
struct tc_scan {
	uint32_t next;
	bool on;
	bool again; /* once more, from the beginning */
};

/** struct tc_note - an output that is no segment */
struct tc_note {
	enum tc_out_kind kind;
	union {
		struct tc_tuple tuple;
		struct tc_out_session session;
	};
};

struct tc_core {
	struct tc_core_config cfg;
	struct tc_ledger ledger;
	struct tc_endpoint_env env;
	struct tc_slab sessions, replicas, chunks, turns, boards;
	struct tc_table by_online; /* sessions, not detached */
	struct tc_table by_target; /* replicas */
	struct tc_syns syns;
	struct tc_closeds closeds;
	struct tc_wheel wheel; /* nodes: replicas first, then sessions */
	struct tc_target targets[TC_MAPS_MAX];
	uint16_t target_of[TC_MAPS_MAX]; /* map -> target: maps to one address share it */

	uint32_t ready_head;
	uint32_t ready_tail;

	uint32_t
		keep_share; /* of TC_SHARE_ALL: the clients that are copied while there is too much */
	tc_time session_at; /* --limit-sessions: when the last one came, or would have at that rate */
	struct tc_stopwatch clients; /* their clock: it stands while the capture is held */
	tc_time recording_at; /* when the first packet of the present recording came: a further pass of a file is another one */
	bool ended;		  /* ... and that was all of it */
	tc_time loss_at;	  /* last loss that the capture reported; INT64_MIN / 2 when none */
	tc_time scan_at;	  /* next step of the scans; TC_TIME_NEVER: none is under way */
	bool channel_up;	  /* answers are reported */
	uint32_t joining;	  /* sessions in that state */
	struct tc_scan loss_scan; /* the capture lost packets */
	struct tc_scan channel_scan; /* a channel came up */
	struct tc_scan shed_scan;    /* fewer clients are kept */
	struct tc_scan wake_scan;    /* replicas that wait for a target may look again */
	bool stopping;

	uint32_t first_reply, n_replies;
	uint32_t first_note, n_notes;
	struct tc_reply replies[TC_REPLIES_MAX];
	struct tc_note notes[TC_NOTES_MAX];
};

static inline struct tc_session *tc_session_at(const struct tc_core *c, uint32_t i)
{
	return tc_slab_at(&c->sessions, i);
}

static inline struct tc_replica *tc_replica_at(const struct tc_core *c, uint32_t i)
{
	return tc_slab_at(&c->replicas, i);
}

static inline uint32_t tc_session_index(const struct tc_core *c, const struct tc_session *s)
{
	return (uint32_t)(((const uint8_t *)s - c->sessions.mem) / c->sessions.size);
}

static inline uint32_t tc_replica_index(const struct tc_core *c, const struct tc_replica *r)
{
	return (uint32_t)(((const uint8_t *)r - c->replicas.mem) / c->replicas.size);
}

/** tc_session_first() - position of the client's first byte */
static inline tc_seq tc_session_first(const struct tc_session *s)
{
	return tc_seq_add(s->isn, 1);
}

static inline bool tc_replica_is_live(const struct tc_replica *r)
{
	return r->session != TC_NIL;
}

static inline uint16_t tc_replica_target(const struct tc_core *c, const struct tc_replica *r)
{
	return c->target_of[tc_session_at(c, r->session)->map];
}

/** tc_clients_time() - what the clients' clock shows, or showed at @t, the time of a packet */
static inline tc_time tc_clients_time(const struct tc_core *c, tc_time t)
{
	return tc_stopwatch_read(&c->clients, t);
}

/** tc_clients_patience() - how long something may take that takes a client @t in life */
static inline tc_time tc_clients_patience(const struct tc_core *c, tc_time t)
{
	return t / 1000 * c->cfg.slow_permille;
}

/** tc_replica_seq(), tc_replica_pos_of() - a client's position as the endpoint's sequence number, and back */
static inline tc_seq tc_replica_seq(const struct tc_replica *r, tc_seq pos)
{
	return tc_seq_add(r->ep.iss, pos.v - r->base.v);
}

static inline tc_seq tc_replica_pos_of(const struct tc_replica *r, tc_seq seq)
{
	return tc_seq_add(r->base, seq.v - r->ep.iss.v);
}

static inline bool tc_session_is_over(const struct tc_session *s)
{
	return s->has_fin || s->has_rst || s->detached;
}

/** struct tc_core's scans: one that is asked for again while it is under way is answered by another round, so that every round comes to its end */
void tc_core_begin_scan(struct tc_core *c, struct tc_scan *scan, tc_time now);

/** tc_bug() - count a broken promise of our own; the caller ends the session with TC_END_BUG */
#define tc_bug(c) tc_bug_at((c), __FILE__ ":" TC_BUG_LINE(__LINE__))
#define TC_BUG_LINE(x) TC_BUG_TEXT(x)
#define TC_BUG_TEXT(x) #x

static inline void tc_bug_at(struct tc_core *c, const char *where)
{
	c->ledger.bugs++;
	if (c->ledger.bug_at == NULL) {
		c->ledger.bug_at = where;
	}
}

/* core/admit.c */
/** tc_admit() - may a connection of this tuple be copied at all? TC_DROP_NONE and its map, or why not */
enum tc_drop tc_admit(const struct tc_core *c, const struct tc_tuple *t, uint16_t *ret_map);
/** tc_admit_is_shed() - is its client outside of the share that is kept */
bool tc_admit_is_shed(const struct tc_core *c, const struct tc_tuple *t);
/** tc_admit_session() - is there room for one more this second (--limit-sessions); it is taken then */
bool tc_admit_session(struct tc_core *c, tc_time now);
/** tc_admit_on_syn() - a client's SYN; @s: an older session on its tuple, or NULL; *@ret_held: it waits for its handshake */
enum tc_drop tc_admit_on_syn(struct tc_core *c, struct tc_session *s, const struct tc_tuple *t,
			     uint32_t hash, const struct tc_packet *pkt, bool *ret_held);
/** tc_admit_accept() - the handshake is complete: a session, in the place of an older one on the tuple */
enum tc_drop tc_admit_accept(struct tc_core *c, struct tc_syn *syn, struct tc_session *old,
			     const struct tc_packet *pkt, tc_time now);
/** tc_admit_on_left_out() - a packet of a client that is not copied, for the end that its SYN has: how much it said */
enum tc_drop tc_admit_on_left_out(struct tc_core *c, struct tc_syn *syn,
				  const struct tc_packet *pkt);
/** tc_admit_count_lost() - @n bytes of a client that no copy says */
void tc_admit_count_lost(struct tc_core *c, uint64_t n, enum tc_end end);
/** tc_admit_give_up() - a lone SYN was not accepted */
void tc_admit_give_up(struct tc_core *c, struct tc_syn *syn);
/** tc_admit_shed_syns() - fewer clients are kept: the handshakes of the others will not be seen any more */
void tc_admit_shed_syns(struct tc_core *c);

/* core/session.c */
/** tc_session_open() - a handshake was completed: session and replica; a drop when there is no room */
enum tc_drop tc_session_open(struct tc_core *c, struct tc_syn *syn, const struct tc_packet *pkt,
			     uint16_t map, tc_time now, struct tc_session **ret_session);
/** tc_session_join() - a packet of a connection that was open before: wait for its next turn. TC_DROP_NO_SESSION, for it is not used */
enum tc_drop tc_session_join(struct tc_core *c, const struct tc_tuple *online, uint32_t hash,
			     uint16_t map, const struct tc_packet *pkt);
enum tc_drop tc_session_on_packet(struct tc_core *c, struct tc_session *s,
				  const struct tc_packet *pkt, tc_time now);
void tc_session_on_deadline(struct tc_core *c, struct tc_session *s, tc_time now);
/** tc_session_on_loss() - the capture lost packets: a gap of this session may be its work */
void tc_session_on_loss(struct tc_core *c, struct tc_session *s);
/** tc_session_cut() - why nothing more of it can be spoken, though its client may go on; TC_END_NONE: it can */
enum tc_end tc_session_cut(const struct tc_core *c, const struct tc_session *s);
/** tc_session_on_capture_end() - nothing will be captured any more: what is missing is lost */
void tc_session_on_capture_end(struct tc_core *c, struct tc_session *s);
/** tc_session_forget_ghosts() - at the end of the capture: whoever waits for a client's next packet waits in vain */
void tc_session_forget_ghosts(struct tc_core *c);
/** tc_session_end() - end all its replicas for @end, after they had time to drain */
void tc_session_end(struct tc_core *c, struct tc_session *s, enum tc_end end, tc_time now);
/** tc_session_detach() - its client has opened a new connection on the tuple */
void tc_session_detach(struct tc_core *c, struct tc_session *s, tc_time now);
/** tc_session_release() - replicas moved on: give back what none of them needs; frees the session when it is over */
void tc_session_release(struct tc_core *c, struct tc_session *s);

/* core/replica.c */
/** tc_replica_open() - copy number @copy of @s, waiting for its tuple. TC_END_NONE, or why there can be none: NO_ROOM, NO_TUPLE */
enum tc_end tc_replica_open(struct tc_core *c, struct tc_session *s, uint32_t copy, tc_time now);
/** tc_replica_touch() - it may have something to say or to end */
void tc_replica_touch(struct tc_core *c, struct tc_replica *r);
/** tc_replica_drain() - end it for @end once it has had time to say what it can */
void tc_replica_drain(struct tc_core *c, struct tc_replica *r, enum tc_end end, tc_time now);
enum tc_pull {
	TC_PULL_NOTHING, /* it has nothing to say now, and its deadline is armed */
	TC_PULL_SEGMENT, /* it spoke, and may have more */
	TC_PULL_AGAIN,	 /* it has changed: look again */
	TC_PULL_GONE,	 /* it has ended and was freed */
};
/**
 * tc_replica_next() - pulled from the ready queue
 * .ready stays set for the call, so that whatever touches it meanwhile does not queue it: it may be freed.
 */
enum tc_pull tc_replica_next(struct tc_core *c, struct tc_replica *r, struct tc_segment *ret_seg,
			     tc_time now);
enum tc_drop tc_replica_on_answer(struct tc_core *c, struct tc_replica *r,
				  const struct tc_answer *ans, tc_time now);
void tc_replica_on_deadline(struct tc_core *c, struct tc_replica *r, tc_time now);
struct tc_replica *tc_replica_find(const struct tc_core *c, const struct tc_tuple *target,
				   uint32_t hash);
/** tc_replica_has() - has any replica, one that waits included, this tuple */
bool tc_replica_has(const struct tc_core *c, const struct tc_tuple *target, uint32_t hash);
/** tc_replica_tuple() - as the target sees it */
void tc_replica_tuple(const struct tc_core *c, const struct tc_replica *r,
		      struct tc_tuple *ret_tuple);
/** tc_replica_pos() - position of the first byte that the target has not acknowledged */
tc_seq tc_replica_pos(const struct tc_replica *r);
/** tc_replica_is_whole() - has the target acknowledged all that is known of its client */
bool tc_replica_is_whole(const struct tc_session *s, const struct tc_replica *r);

/* core/ending.c */
/** tc_ending_overdue() - the target owes an acknowledgement for too long, or we owe it too much: why, or TC_END_NONE; *@ret_next: look again */
enum tc_end tc_ending_overdue(const struct tc_core *c, const struct tc_session *s,
			      const struct tc_replica *r, tc_time now, tc_time *ret_next);
/** tc_ending_all_said() - has all been said that can be said, and acknowledged? A turn behind a gap cannot */
bool tc_ending_all_said(const struct tc_core *c, const struct tc_session *s,
			const struct tc_replica *r);
/** tc_ending_drained_at() - when a replica that drains may be reset */
tc_time tc_ending_drained_at(const struct tc_core *c, const struct tc_session *s,
			     const struct tc_replica *r, tc_time now);

/* core/alias.c */
/** tc_alias_pick() - set .alias and .client_port of a replica of @s; false when no tuple is free */
bool tc_alias_pick(const struct tc_core *c, const struct tc_session *s, struct tc_replica *r,
		   uint32_t copy, tc_time now);

/* core/asking.c */
/** tc_asking_begin() - may it go to SYN-SENT, now; if not it is held back, and touched when it may ask again */
bool tc_asking_begin(struct tc_core *c, struct tc_replica *r, tc_time now);
/** tc_asking_end() - it is not in SYN-SENT any more, or will not be */
void tc_asking_end(struct tc_core *c, struct tc_replica *r, tc_time now);
/** tc_asking_heard() - its target has answered something */
void tc_asking_heard(struct tc_core *c, const struct tc_replica *r, tc_time now);

/* core/path.c */
/** tc_path_on_handshake() - a connection was accepted: its round trip is the target's */
void tc_path_on_handshake(struct tc_core *c, const struct tc_replica *r);
/** tc_path_on_timeout() - another timeout in a row: try smaller segments when full ones are swallowed */
void tc_path_on_timeout(const struct tc_core *c, struct tc_replica *r);
/** tc_path_on_acked() - @acked bytes were, after @backoff_before timeouts in a row: keep a size that passes, for the target */
void tc_path_on_acked(struct tc_core *c, const struct tc_replica *r, uint8_t backoff_before,
		      uint32_t acked);
/** tc_path_on_too_large() - a segment of it was too large for our own host (EMSGSIZE) */
void tc_path_on_too_large(struct tc_core *c, const struct tc_replica *r);

/* core/pace.c */
enum tc_pace_why {
	TC_PACE_ANSWERED, /* the target has answered the turn before, or need not */
	TC_PACE_LIMIT,	  /* its answer takes too long */
	TC_PACE_AHEAD,	  /* it is expected to have answered, and the turn is late */
};
/** tc_pace_gate() - when the replica may begin the turn @m, and why then; @m is its next one and all before is spoken */
tc_time tc_pace_gate(const struct tc_core *c, const struct tc_replica *r, const struct tc_turn *m,
		     tc_time now, enum tc_pace_why *ret_why);
/** tc_pace_end_gate() - as tc_pace_gate() for a FIN or RST without bytes: what it said is answered first, if it is answered at all */
tc_time tc_pace_end_gate(const struct tc_core *c, const struct tc_replica *r,
			 const struct tc_turn *m, tc_time now);
/** tc_pace_quiet_at() - when the target's answer to the present turn will be over if nothing more comes; TC_TIME_NEVER: it has not begun */
tc_time tc_pace_quiet_at(const struct tc_core *c, const struct tc_replica *r, tc_time now);
/** tc_pace_on_begin() - it begins @m now */
void tc_pace_on_begin(struct tc_core *c, struct tc_replica *r, const struct tc_turn *m,
		      enum tc_pace_why why, tc_time now);
/** tc_pace_on_spoken() - new bytes of the present turn are on their way */
void tc_pace_on_spoken(struct tc_replica *r);
/** tc_pace_on_heard() - @received new bytes of the target were announced with @ack; they are in rcv_nxt already */
void tc_pace_on_heard(struct tc_core *c, struct tc_replica *r, uint32_t received, tc_seq ack,
		      tc_time now);

/* core/reply.c */
/** tc_reply_to() - an answer for a closed tuple; TC_DROP_NONE when it was expected */
enum tc_drop tc_reply_to(struct tc_core *c, const struct tc_tuple *target, uint16_t target_number,
			 uint32_t hash, const struct tc_answer *ans, tc_time now);

/** tc_reply_next() - pull one; false when there is none */
bool tc_reply_next(struct tc_core *c, struct tc_segment *ret_seg);

/* core/core.c */
/** tc_core_note() - queue an output that is no segment; when the queue is full it is not made */
void tc_core_note(struct tc_core *c, const struct tc_note *note);
/** tc_core_note_session() - that a replica began (@end TC_END_NONE) or has ended, where somebody wants to hear of it */
void tc_core_note_session(struct tc_core *c, const struct tc_session *s, const struct tc_replica *r,
			  enum tc_end end, uint64_t lost);
uint32_t tc_core_hash(const struct tc_core *c, const struct tc_tuple *tuple);

#endif
