/* SPDX-License-Identifier: BSD-2-Clause
 * sim/params.h - the knobs of a scenario
 *
 * Layer:   test. Every knob is a number, derived from the seed; each can be set on the command line, and has a mild value: that of the
 * simplest scenario. --shrink goes there.
 */
#ifndef TC_SIM_PARAMS_H
#define TC_SIM_PARAMS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

/* How a client ends its conversation */
enum sim_close {
	SIM_CLOSE_CLIENT,  /* FIN of the client, then of the server */
	SIM_CLOSE_SERVER,  /* the server first */
	SIM_CLOSE_HALF,	   /* FIN right behind the last request; the server still answers */
	SIM_CLOSE_RST_ACK, /* RST with ACK instead of a FIN */
	SIM_CLOSE_RST,	   /* RST without ACK */
	SIM_CLOSE_BOTH,	   /* both FINs cross */
	SIM_CLOSE_FIN_RST, /* FIN, and RST when the server's FIN comes */
	SIM_CLOSE_ABORT,   /* RST while the last answer is under way */
	SIM_CLOSE_VANISH,  /* never */
	SIM_CLOSE__N,
};

/* What the target answers, against the online server */
enum sim_answer {
	SIM_ANSWER_EQUAL,
	SIM_ANSWER_HALF,
	SIM_ANSWER_DOUBLE,
	SIM_ANSWER_ONE, /* a single byte */
	SIM_ANSWER_NONE,
	SIM_ANSWER_RANDOM, /* each time something else */
	SIM_ANSWER__N,
};

/* When the target's application closes on its own account */
enum sim_quit {
	SIM_QUIT_AS_ONLINE, /* first where the online server did, otherwise after the client */
	SIM_QUIT_LAST,	    /* never first */
	SIM_QUIT_EARLY, /* after the first request, and reads no further: what comes then is answered by RST */
	SIM_QUIT_SHUTDOWN, /* after the first request, but it goes on reading */
	SIM_QUIT_RST,	   /* RST after the first request */
	SIM_QUIT_NEVER,	   /* does not even answer the client's FIN */
	SIM_QUIT__N,
};

/* name, mild value, meaning */
#define SIM_PARAMS(X)                                                                              \
	X(convs, 1, "conversations")                                                               \
	X(reuse, 0, "further conversations on each port")                                          \
	X(reuse_gap_us, 1000, "until a port is used again, at most")                               \
	X(spread_us, 0, "conversations start within so long")                                      \
	X(same, 0, "1: clients share an address; 2: also the port, to two services")               \
	X(v6, 0, "clients of IPv6")                                                                \
	X(turns, 1, "requests of a conversation, at most")                                         \
	X(req_max, 100, "bytes of a request, at most")                                             \
	X(ans_max, 1000, "bytes of an answer, at most")                                            \
	X(think_us, 1000, "between an answer and the next request, at most")                       \
	X(service_us, 1000, "the online server's time for an answer, at most")                     \
	X(pipeline, 0, "permille of requests that do not wait for the answer before")              \
	X(greeting, 0, "bytes that the server says first")                                         \
	X(push, 0, "permille of answers that are followed by a message without request")           \
	X(close, 0, "enum sim_close, -1 any")                                                      \
	X(syn_data, 0, "bytes of the first request that the SYN carries")                          \
	X(probes, 0, "keep-alive probes in each pause, 1; 2: with a byte of garbage")              \
	X(client_ts, 1, "clients offer timestamps")                                                \
	X(wrap, 0, "sequence numbers begin just below 2^32")                                       \
	X(lone, 0, "SYNs that the online server never accepts")                                    \
	X(refused, 0, "SYNs that the online server answers by RST")                                \
	X(noise, 0, "packets of no conversation, with anything in them")                           \
	X(client_mss, 1460, "payload of a client's segments")                                      \
	X(super, 0, "the capture sees super-packets of up to so many segments")                    \
	X(client_rtt_us, 200, "between client and online server")                                  \
	X(client_jitter_us, 0, "and what varies")                                                  \
	X(client_loss, 0, "permille lost before the capture")                                      \
	X(client_reorder, 0, "permille out of order before the capture")                           \
	X(client_dup, 0, "permille twice at the capture")                                          \
	X(client_overlap, 0, "permille of retransmissions with other boundaries")                  \
	X(server_loss, 0, "permille lost between capture and online server")                       \
	X(ack_loss, 0, "permille of the online server's acknowledgements lost")                    \
	X(hole, 0, "permille that the capture misses though the online server got them")           \
	X(hole_notice, 0, "the capture reports its losses")                                        \
	X(hole_resume, 0, "what to do at a hole: resume")                                          \
	X(block_us, 0, "the capture hands over blocks so often, 0: each packet at once")           \
	X(fwd_delay_us, 100, "to the target")                                                      \
	X(fwd_jitter_us, 0, "and what varies")                                                     \
	X(fwd_loss, 0, "permille lost")                                                            \
	X(fwd_reorder, 0, "permille out of order")                                                 \
	X(fwd_dup, 0, "permille twice")                                                            \
	X(fwd_rate_kbit, 0, "rate limit, 0: none")                                                 \
	X(fwd_queue, 32768, "bytes that wait for it")                                              \
	X(fwd_mtu, 0, "largest payload that passes, 0: any")                                       \
	X(fwd_down_ms, 0, "the link to the target is down for so long")                            \
	X(fwd_down_at_ms, 5, "from then on")                                                       \
	X(ret_delay_us, 100, "of reports")                                                         \
	X(ret_jitter_us, 0, "and what varies")                                                     \
	X(ret_loss, 0, "permille of reports lost")                                                 \
	X(ret_reorder, 0, "permille out of order")                                                 \
	X(ret_dup, 0, "permille twice")                                                            \
	X(ret_stale, 0, "permille again, seconds later")                                           \
	X(ret_batch_us, 0, "reports come in batches so often")                                     \
	X(ret_merge, 0, "and those of a flow are merged")                                          \
	X(relay, 0, "reports go through the relay and its encoding")                               \
	X(relay_queue, 256, "reports that the relay's queue holds")                                \
	X(channel_down_ms, 0, "the channel is down for so long")                                   \
	X(channel_down_at_ms, 5, "from then on")                                                   \
	X(target_ts, 1, "the target does timestamps")                                              \
	X(target_ws, 7, "window shift, -1: no window scaling")                                     \
	X(target_sack, 1, "SACK")                                                                  \
	X(target_mss, 1460, "its MSS, 0: does not say")                                            \
	X(target_buf, 65536, "its receive buffer")                                                 \
	X(target_shrink, 0,                                                                        \
	  "takes window back when its buffer is cut in half after the first request")              \
	X(target_keepalive_ms, 0, "probes a silent client after so long, 0: never")                \
	X(target_slow, 0, "reads so many bytes each 10 ms, 0: at once")                            \
	X(target_stop_ms, 0, "stops reading for so long")                                          \
	X(target_stop_at, 0, "after so many bytes")                                                \
	X(target_super, 0, "its segments are reported before they are cut: so many at once")       \
	X(target_drop_ack, 0, "its accept queue is full: the first ACK is ignored")                \
	X(target_dead_ms, -1, "dies without a word after so long, -1: never")                      \
	X(target_refuse, 0, "nobody listens")                                                      \
	X(answer, 0, "enum sim_answer")                                                            \
	X(answer_us, 1000, "the target's time for an answer, at most")                             \
	X(answer_chunk, 0, "bytes of an answer that come 30 ms apart, 0: all at once")             \
	X(quit, 0, "enum sim_quit")                                                                \
	X(pace, 0, "enum tc_pace")                                                                 \
	X(overlap_ms, 100, "--overlap")                                                            \
	X(max_lag_ms, 10000, "--max-lag")                                                          \
	X(idle_ms, 0, "-t, 0: never")                                                              \
	X(rtt_us, 0, "-R")                                                                         \
	X(core_mss, 0, "-D")                                                                       \
	X(chunks, 512, "chunks that the core has")                                                 \
	X(late_us, 0, "deadlines are served so late, at most")                                     \
	X(send_error, 0, "permille of segments that the driver cannot send")                       \
	X(join_ms, 0, "the capture begins so late")                                                \
	X(tables, 0, "capacity of the core's tables, 0: plenty")                                   \
	X(stall_ms, 0, "our process gets no CPU for so long")                                      \
	X(stall_at_ms, 5, "from then on")                                                          \
	X(clock_wrap, 0, "the clock of timestamps and ISNs wraps meanwhile")                       \
	X(mtu_event, 0, "the driver learns the path's MTU")                                        \
	X(copies, 1, "-n")                                                                         \
	X(pool, 0, "addresses of each family that replace the clients', -c")                       \
	X(alias_ports, 1000, "ports of copies that do not have their client's own")                \
	X(alias_first, 0, "the first copy too has one of these ports, -f")                         \
	X(keep_times, 0, "the share of clients that is kept changes so often")                     \
	X(keep_every_ms, 100, "time between two changes, at most")                                 \
	X(keep_least, 0, "permille of clients that are kept at least")                             \
	X(keep_filter, 1, "the capture leaves out what the others say, but SYN, FIN and RST")      \
	X(sample, 10000, "-r, of 10000, at first")                                                 \
	X(sample_ms, 0, "and it grows to all within so long")                                      \
	X(whole_only, 0, "-O")                                                                     \
	X(limit_sessions, 0, "--limit-sessions, 0: none")                                          \
	X(silent_ms, 0, "nothing is reported of any target for so long")                           \
	X(silent_at_ms, 0, "from then on")                                                         \
	X(file_end_ms, 0, "the capture is a file that ends then, or with its clients; 0: no file") \
	X(passes, 1, "and is replayed so often")                                                   \
	X(held_ms, 0, "the capture is held for so long, and its clients with it")                  \
	X(held_at_ms, 5, "from then on")                                                           \
	X(slow_permille, 1000, "clients take so much longer than in life")                         \
	X(target_stall_ms, 0, "the target's application does nothing for so long")                 \
	X(target_stall_at_ms, 5, "from then on")                                                   \
	X(target_hasty, 0, "it throws away what it has not answered when it sees a FIN")           \
	X(starve_ms, 0, "reports wait at intercept for so long")                                   \
	X(starve_at_ms, 5, "from then on")                                                         \
	X(starve_times, 1, "and again a second after that, so often")                              \
	X(stop_ms, 0, "we are told to stop then, 0: at the end")

struct sim_params {
	char scene[40]; /* what the seed made of it, for people */
#define SIM_FIELD(name, mild, text) int64_t name;
	SIM_PARAMS(SIM_FIELD)
#undef SIM_FIELD
};

/** sim_params_mild() - the simplest scenario */
void sim_params_mild(struct sim_params *p);

/** sim_params_of() - what @seed makes */
void sim_params_of(struct sim_params *p, uint64_t seed);

/** sim_params_set() - from "name=value"; false when there is no such name or no number */
bool sim_params_set(struct sim_params *p, const char *assignment);

/** sim_params_count(), sim_params_at() - by number, for --shrink */
unsigned sim_params_count(void);
int64_t *sim_params_at(struct sim_params *p, unsigned i);
int64_t sim_params_mild_at(unsigned i);
const char *sim_params_name_at(unsigned i);

/** sim_params_print() - those that are not mild, as "name=value" words, each after @prefix */
void sim_params_print(const struct sim_params *p, const char *prefix, FILE *to);

/** sim_params_help() - all, with their meaning */
void sim_params_help(FILE *to);

#endif
