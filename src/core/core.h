/* SPDX-License-Identifier: BSD-2-Clause
 * core/core.h - the core's verbs: client packets and the target's answers in, segments out
 *
 * Layer:   core. No I/O, no clock, no allocation, no text. One core is one worker's; nothing is shared.
 *
 *     packet -> flow table -> stream -> turns -> replica: pace -> endpoint -> segments out
 *                                  target's answers -> endpoint -> ledger
 *
 * Time is an argument and never goes back from verb to verb; pkt->at may lie before it. Call tc_core_next_out() until it returns
 * false after each verb, or after a batch of them; the views of a segment live until the next verb that is not next_out.
 * Everything that can run out is sized at start: full is a drop or an end with a name.
 */
#ifndef TC_CORE_CORE_H
#define TC_CORE_CORE_H

#include "base/map.h"
#include "base/siphash.h"
#include "wire/ledger.h"
#include "wire/packet.h"

enum tc_pace {
	TC_PACE_RESPONSE, /* at its capture time, but not before the target answered the turn before it */
	TC_PACE_THINK, /* the client's think time after the target's answer; needs on_online() */
	TC_PACE_TIMED, /* at its capture time alone */
	TC_PACE_RATE,  /* cfg.rate turns a second for each session */
	TC_PACE_ASAP,  /* as soon as it is known */
	TC_PACE__N
};

/**
 * struct tc_core_config - fixed for the life of a core
 * @sessions, @replicas, @syns, @closed, @chunks, @turns, @boards: capacity of each table, in objects; tc_core_config_size() derives
 *              all of them from a number of sessions and a budget
 * @maps:       borrowed for the life of the core
 * @table_key:  secret of the flow tables: random for each process
 * @mark_key:   secret of the marks (wire/mark.h), the one that the hello carries
 * @wall_offset: wall clock minus the engine's clock; TSval and the clock of the ISN need it
 * @pool:       -c: client addresses are replaced by these, first the IPv4 ones; borrowed for the life of the core
 * @alias_port_first, _last: ports of copies that do not have their client's own tuple
 * @channel:    start with the channel up: no TC_EVENT_CHANNEL_UP is needed (tests, dry runs)
 */
struct tc_core_config {
	uint32_t sessions;
	uint32_t replicas;
	uint32_t syns;
	uint32_t closed;
	uint32_t chunks;
	uint32_t turns;
	uint32_t boards;

	const struct tc_map *maps;
	uint32_t n_maps;

	struct tc_siphash_key table_key;
	struct tc_siphash_key mark_key;
	tc_time wall_offset;

	enum tc_pace pace;
	uint32_t rate;	 /* turns per second, for TC_PACE_RATE */
	uint32_t copies; /* replicas of each session (-n), >= 1 */
	const struct tc_ip *pool;
	uint32_t n_pool_v4;
	uint32_t n_pool_v6;
	uint16_t alias_port_first;
	uint16_t alias_port_last;
	bool alias_first; /* -f: the first copy of a client too speaks from one of these ports */
	uint32_t share_permyriad; /* share of sessions that is copied (-r), 10000 for all */
	uint32_t
		limit_sessions; /* new sessions a second, at most a second's worth at once; 0: no limit */
	bool whole_only;	/* -O: sessions whose SYN was seen */
	bool hole_resume;	/* --on-hole resume: go on at the next turn on a fresh tuple */
	bool channel;
	bool session_events; /* emit TC_OUT_SESSION */
	uint16_t mss;	     /* -D, 0: learned */
	uint16_t mtu;	     /* -M, 0: learned */
	tc_time rtt;	     /* -R, the round-trip time to imitate, 0: none */
	tc_time overlap;     /* --overlap: what an old replica gets to drain */
	tc_time max_lag;     /* --max-lag; TC_TIME_NEVER: however late */
	uint32_t
		slow_permille; /* clients speak so much slower than they did: a file below its recorded speed; 1000: as they did */
	tc_time idle; /* -t: a session silent for longer is ended; TC_TIME_NEVER: by its own signs alone */
	tc_time keepalive; /* -k: how long a target may owe an acknowledgement */
};

/** tc_core_config_default() - what a program starts from; maps, keys and wall_offset are the caller's to set */
void tc_core_config_default(struct tc_core_config *cfg);

/** tc_core_config_size() - set the capacities for @sessions within @bytes; the chunks get what the tables leave.
 *  Return: 0, or -ENOSPC when @bytes are too few for as many sessions */
int tc_core_config_size(struct tc_core_config *cfg, uint32_t sessions, size_t bytes);

/** tc_core_bytes() - memory that tc_core_init() needs */
size_t tc_core_bytes(const struct tc_core_config *cfg);

struct tc_core;

/**
 * tc_core_init() - a core in the caller's memory
 * @mem: tc_core_bytes() bytes, zero, aligned to 64; freed by the caller when the core is no longer used. Nothing is touched before it
 *       is needed: fresh anonymous pages are right
 */
struct tc_core *tc_core_init(void *mem, const struct tc_core_config *cfg, tc_time now);

/** tc_core_on_client() - a packet captured from a client. Return: TC_DROP_NONE when it was used, or why not (already counted) */
enum tc_drop tc_core_on_client(struct tc_core *c, const struct tc_packet *pkt, tc_time now);

/** tc_core_on_online() - a packet of the online server itself, where captured: when it answered, for TC_PACE_THINK. Not in the books */
void tc_core_on_online(struct tc_core *c, const struct tc_packet *pkt, tc_time now);

/** tc_core_on_answer() - what the target said to a replica. Return: TC_DROP_NONE, TC_DROP_ANSWER_STRAY or TC_DROP_ANSWER_STALE */
enum tc_drop tc_core_on_answer(struct tc_core *c, const struct tc_answer *ans, tc_time now);

void tc_core_on_event(struct tc_core *c, const struct tc_event *ev, tc_time now);
/** tc_core_on_deadline() - to be called at tc_core_deadline() or soon after; harmless at any time */
void tc_core_on_deadline(struct tc_core *c, tc_time now);
/** tc_core_deadline() - the earliest time at which something is to be done; TC_TIME_NEVER for none */
tc_time tc_core_deadline(const struct tc_core *c);

enum tc_out_kind {
	TC_OUT_SEGMENT,	 /* .segment is for the target */
	TC_OUT_ANNOUNCE, /* intercept should know .tuple (as the target sees it) */
	TC_OUT_DISOWN,	 /* .tuple is not ours, intercept should let it pass */
	TC_OUT_SESSION,	 /* .session was opened or has ended; with cfg.session_events only */
};

/** struct tc_out_session - a replica's life in a line */
struct tc_out_session {
	uint32_t replica;	/* as in its segments; used again after its end */
	struct tc_tuple online; /* the client's connection */
	struct tc_tuple target; /* the replica's */
	enum tc_end end;	/* TC_END_NONE: opened */
	uint32_t turns;		/* 65535: as many or more */
	uint64_t delivered;
	uint64_t lost;
};

struct tc_out {
	enum tc_out_kind kind;
	union {
		struct tc_segment segment;
		struct tc_tuple tuple;
		struct tc_out_session session;
	};
};

/** tc_core_next_out() - pull what is to be done; false when there is nothing more and @ret_out is untouched */
bool tc_core_next_out(struct tc_core *c, struct tc_out *ret_out, tc_time now);

/** tc_core_ledger() - a copy of the books as they stand */
void tc_core_ledger(const struct tc_core *c, struct tc_ledger *ret_ledger);

/** tc_core_live() - replicas that have not ended; 0 after TC_EVENT_STOP: done */
uint32_t tc_core_live(const struct tc_core *c);

/** tc_core_full_permille() - of what sessions take while they wait for the target, how much is in use: what is used most counts */
uint32_t tc_core_full_permille(const struct tc_core *c);

/** tc_core_check() - invariants over all objects, for tests: slow. NULL, or what is broken */
const char *tc_core_check(const struct tc_core *c, tc_time now);

#endif
