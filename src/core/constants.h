/* SPDX-License-Identifier: BSD-2-Clause
 * core/constants.h - every number that the core chose, with its reason
 *
 * Layer:   core. Values only.
 */
#ifndef TC_CORE_CONSTANTS_H
#define TC_CORE_CONSTANTS_H

#include "base/types.h"
#include "wire/mark.h"

/* --- retransmission, RFC 6298 --- */
/* 2.1 asks for 1 s until there is a sample, as every stack does. */
#define TC_RTO_INITIAL TC_SEC
/* 2.4 asks for 1 s at least. Every client that we imitate uses 200 ms (Linux TCP_RTO_MIN); on a test network 1 s would be lag. */
#define TC_RTO_MIN (200 * TC_MS)
/* 2.5 allows 60 s or more. Beyond --max-lag a session is ended anyway; with it waiting, a longer pause than this helps nobody. */
#define TC_RTO_MAX (8 * TC_SEC)
/* 3, duplicate acknowledgements before a loss is assumed (RFC 5681 3.2) */
#define TC_DUP_ACKS 3

/* --- windows --- */
/* RFC 9438 4.3, 4.6: after a loss 0.7 of the flight, not half, and then 3 * (1 - 0.7) / (1 + 0.7) segments a round trip, not one: as fair to
 * others as one and a half are, and a path with a short queue is not left half empty */
#define TC_REDUCED_PERCENT 70
#define TC_AVOIDANCE_PERCENT 53
/* RFC 6928: ten segments, as every client of the last ten years */
#define TC_INITIAL_WINDOW_SEGMENTS 10
/* Our receive window is a promise that costs nothing: payload never comes here. 65535 << 7 is 8 MB, enough for 10 Gbit/s over 6 ms. */
#define TC_RCV_WIN_SHIFT TC_MARK_WS_SHIFT
#define TC_RCV_WIN_MAX 65535
/* Pacing in percent of a window a round trip, as Linux does (tcp_pacing_ss_ratio, tcp_pacing_ca_ratio; there 120 in avoidance) */
#define TC_PACING_SLOW_START 200U
#define TC_PACING_AVOIDANCE 125U
/* ... and what its rate sends in such a time may go at once: reports come in batches */
#define TC_PACING_BATCH TC_MS
/* Upper bound of the congestion window: nothing larger than the largest window that a target can offer makes sense */
#define TC_CWND_MAX (1U << 30)
/* RFC 9293 3.7.1, RFC 8200 8.3: what a peer that names no MSS can take */
#define TC_MSS_DEFAULT_V4 536
#define TC_MSS_DEFAULT_V6 1220
/* What is offered and used until a route says otherwise: Ethernet */
#define TC_MTU_DEFAULT 1500
/* A smaller MSS than this would be an attack, not a network (Linux: 48) */
#define TC_MSS_MIN 64
/* Steps for a path that swallows full segments and whose errors go to the real client: IPv6's minimum, then IPv4's (RFC 8899 5.1.2) */
#define TC_MSS_BLACKHOLE_1 1220
#define TC_MSS_BLACKHOLE_2 536
/* A super-segment: IP length is 16 bits, and the headers need up to 100 of its 65535 */
#define TC_SEGMENT_BYTES_MAX 65160U
/* RFC 9293 3.8.6.2.1: a window too small for a segment is used after so long, so that a small buffer cannot stop us */
#define TC_SWS_OVERRIDE (200 * TC_MS)

/* --- pace --- */
/* An answer that began is over when the target was quiet for twice its largest pause, between these */
#define TC_QUIET_MIN (1 * TC_MS)
#define TC_QUIET_MAX (100 * TC_MS)
/* A turn waits for an answer at most four times the smoothed answer time, between these, and doubled for each limit in a row before it */
#define TC_LIMIT_MIN (20 * TC_MS)
#define TC_LIMIT_MAX TC_SEC
#define TC_LIMIT_FACTOR 4
/* After so many limits in a row the target evidently answers nothing: time alone paces the rest */
#define TC_LIMITS_IN_A_ROW 3
/* A client that closes has heard its answers. A server that has not said them all, as one that stalls, would throw the requests away that it
 * has not read: it gets the FIN when it was silent for so long, ... */
#define TC_END_SILENT (5 * TC_SEC)
/* ... but at most so long after its client's: one that never stops talking */
#define TC_END_PATIENCE (10 * TC_SEC)
/* A server that speaks first is waited for at most so long: a slow SMTP banner, not a dead one */
#define TC_GREETING_MAX (3 * TC_SEC)

/* A turn that is late may run ahead of the report of an answer by this share of its lag ... */
#define TC_AHEAD_LAG_SHARE 4
/* ... while the target said something within so many answer times: a target that stalls is waited for */
#define TC_AHEAD_PATIENCE 2

/* A replica that we end, and for which nobody waits, may take so long until the target has answered */
#define TC_DRAIN_MAX (2 * TC_SEC)

/* --- streams --- */
/* Gaps are the capture's when new bytes beyond keep coming for so long: five times a usual RTO of the client */
#define TC_HOLE_BUSY TC_SEC
#define TC_HOLE_BUSY_RTTS 3
/* ... or twice the RTT after the ring reported a loss; an honest retransmission by timeout needs 200 ms and its way */
#define TC_HOLE_RING_RTTS 2
#define TC_HOLE_RING_MIN (250 * TC_MS)
/* ... or so long after the client's reset, behind which nothing comes but what it overtook */
#define TC_HOLE_RESET (250 * TC_MS)
/* ... or when the client has been silent for so long */
#define TC_HOLE_SILENT (10 * TC_SEC)
/* A sequence number further ahead is taken for one of another connection: RFC 7323 2.3 allows windows of 1 GB, but servers offer some MB
 * at most, and a stray packet must not end a session */
#define TC_STREAM_AHEAD_MAX (1U << 26)
/* ... and for a session that keeps nothing: half of what sequence numbers can tell apart */
#define TC_GHOST_AHEAD_MAX (1U << 30)
/* Runs of bytes behind a gap that one session may have; a window of 64 MB that lost every tenth packet would need as many */
#define TC_STREAM_PIECES_MAX 4096
/* A flow belongs to the device that saw its SYN until that one has been silent for so long and another has news */
#define TC_DEVICE_SILENT TC_SEC
/* Turns that one session may have waiting: beyond it new bytes join the last one */
#define TC_TURNS_WAITING_MAX 4096

/* --- tables --- */
/* A lone SYN: Linux repeats one for 127 s, but a server that accepts does so within a few seconds */
#define TC_SYN_LIFE (30 * TC_SEC)
/* How far ahead a packet may be that decides something by its number alone: that a lone SYN was accepted (the handshake's ACK may have
 * been lost, but the last words of an old connection must not pass for it), or that the client reset. */
#define TC_NEAR_MAX (1U << 20)
/* Of the lone SYNs, when fewer clients are kept, so many are looked at: the latest, whose handshakes are still to come */
#define TC_SHED_SYNS_MAX 4096
/* Chunks that data on lone SYNs may take, as a share of all: a flood of them must not starve sessions */
#define TC_SYN_CHUNKS_SHARE 64
/* A target of which nothing was heard for so long may be one whose answers go to the real clients, for want of a route to intercept ... */
#define TC_TARGET_SILENT (3 * TC_SEC)
/* ... so no more connections than these ask it at the same time, until it is heard */
#define TC_ASKING_MAX 8
/* A share of all chunks that is left to sessions that keep no more than so many bytes: most requests */
#define TC_CHUNKS_RESERVE_SHARE 16
#define TC_CHUNKS_RESERVE_BYTES (16 * 1024)
/* A session whose target did not accept it is tried again at its client's next turn after so long: the target may restart */
#define TC_RETRY (5 * TC_SEC)
/* TIME-WAIT of the target (Linux: 60 s) */
#define TC_CLOSED_LIFE (60 * TC_SEC)
/* Answers that a closed tuple may still draw from us: challenge ACKs and repeated FINs, not a dialogue */
#define TC_CLOSED_REPLIES 8
/* A target that never closes after the client did (Linux tcp_fin_timeout) */
#define TC_FIN_WAIT_2_MAX (60 * TC_SEC)
/* ... at the end of a file, where somebody waits for the summary */
#define TC_FIN_WAIT_2_END (3 * TC_SEC)
/* A client that opened, and whose copy has ended, is still counted until it has been silent for so long */
#define TC_GHOST_IDLE (120 * TC_SEC)
/* ... and one that was still to be joined, when it closed, so long for what its FIN overtook: as a gap behind a reset */
#define TC_LEAVING TC_HOLE_RESET
/* Replies of closed tuples and notes for the program that may wait to be pulled; further ones are not made: the peer asks again */
#define TC_REPLIES_MAX 64
#define TC_NOTES_MAX 256
/* Tuples that are tried for a copy that cannot have its client's own, before one in TIME-WAIT, and then any, is considered */
#define TC_ALIAS_TRIES 32
/* Sessions that may wait for a turn to join at, as a share of all: a flood of stray packets must not take the table */
#define TC_JOINING_SHARE 4
/* Announcements after a channel came up: live flows told per tick, so that a million of them do not block the loop */
#define TC_ANNOUNCE_BATCH 256

#endif
