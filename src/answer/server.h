/* SPDX-License-Identifier: BSD-2-Clause
 * answer/server.h - intercept's end of the channel: who may connect, what they say, what they are told
 *
 * Layer:   answer. Everything is made at start and fixed: a listening socket, places for peers, places for strangers. TLS takes memory
 *          for a connection, never for what is sent over it.
 *
 *     tc_channel_server_on_ready() does the I/O; what happened is pulled with tc_channel_server_next()
 *
 * A stranger is a connection that was not welcomed yet. It has 3 s. There are TC_SERVER_STRANGERS places for them, and
 * TC_SERVER_STRANGERS_EACH for one address; who comes when they are taken replaces the oldest of them if that had a fair chance,
 * otherwise it is closed at once, and counted. Peers are not touched by what strangers do.
 *
 * With a key, a peer is welcomed only when it has proved to have the same one. A server without a key refuses a client that offers one:
 * such a client would not trust it anyway.
 */
#ifndef TC_ANSWER_SERVER_H
#define TC_ANSWER_SERVER_H

#include "answer/key.h"
#include "port/port.h"
#include "wire/channel.h"

#define TC_SERVER_STRANGERS 16
#define TC_SERVER_STRANGERS_EACH 4

/**
 * struct tc_channel_server_config - borrowed for the call
 * @ip:       to listen on; NULL for all addresses
 * @port:     0 lets the kernel choose
 * @key:      NULL for none
 * @software: "intercept 2.0.0", for the other side's log
 * @peers:    how many may be welcome at once
 */
struct tc_channel_server_config {
	const struct tc_ip *ip;
	uint16_t port;
	const struct tc_key *key;
	const char *software;
	unsigned peers;
};

struct tc_channel_server_stats {
	uint64_t accepted;    /* connections taken */
	uint64_t turned_away; /* of these closed at once: too many strangers */
	uint64_t welcomed;    /* peers */
	uint64_t refused;     /* hellos that were refused, for whatever reason */
	uint64_t
		strangers_ended; /* connections that ended before a hello: garbage, scans, too slow */
	uint64_t malformed;	 /* peers that were dropped for what they sent */
	uint32_t up;		 /* peers now */
};

enum tc_server_event_kind {
	TC_SERVER_HELLO, /* .hello has come: tc_channel_server_welcome() or _refuse() is to follow */
	TC_SERVER_ANNOUNCE, /* a peer will speak on .tuple */
	TC_SERVER_DISOWN,   /* .tuple is not that peer's */
	TC_SERVER_CLOSED, /* the connection is no more: .was_up, .text; its number may come again */
};

struct tc_server_event {
	enum tc_server_event_kind kind;
	unsigned conn;
	struct tc_ip ip; /* where it comes from */
	uint16_t port;
	bool was_up;
	const char *text; /* why it was closed; valid until the next call with this server */
	struct tc_channel_hello hello;
	struct tc_tuple tuple;
};

struct tc_channel_server;

/**
 * tc_channel_server_new() - listen
 * @ret_error: TC_DRIVER_ERROR_MAX bytes
 * Return: 0 or -errno.
 */
int tc_channel_server_new(const struct tc_channel_server_config *cfg,
			  struct tc_channel_server **ret_server, char *ret_error);
void tc_channel_server_free(struct tc_channel_server *s);

uint16_t tc_channel_server_port(const struct tc_channel_server *s);

/** tc_channel_server_slots() - how many things it waits for: the listening socket is 0, connections are numbered from 1 */
unsigned tc_channel_server_slots(const struct tc_channel_server *s);
void tc_channel_server_wait(const struct tc_channel_server *s, unsigned slot,
			    struct tc_wait *ret_wait);
/** tc_channel_server_on_ready() - I/O and time limits of @slot; bounded work; harmless at any time */
void tc_channel_server_on_ready(struct tc_channel_server *s, unsigned slot, tc_time now);

/** tc_channel_server_next() - what happened; false when there is nothing more */
bool tc_channel_server_next(struct tc_channel_server *s, struct tc_server_event *ret_ev);

void tc_channel_server_welcome(struct tc_channel_server *s, unsigned conn);
void tc_channel_server_refuse(struct tc_channel_server *s, unsigned conn,
			      enum tc_channel_refusal code);
/** tc_channel_server_drop() - close a connection after its hello. A TC_SERVER_CLOSED follows, with @why */
void tc_channel_server_drop(struct tc_channel_server *s, unsigned conn, const char *why);

/**
 * tc_channel_server_room() - where the next ANSWERS batch may be built
 * Return: NULL while the peer has not taken the one before: what happens meanwhile waits in the relay, where it can be merged.
 */
uint8_t *tc_channel_server_room(struct tc_channel_server *s, unsigned conn, size_t *ret_n);
/** tc_channel_server_send() - @n bytes were built there: send them, now as far as the socket takes them */
void tc_channel_server_send(struct tc_channel_server *s, unsigned conn, size_t n);
/** tc_channel_server_put() - send one small batch; false when there is no room */
bool tc_channel_server_put(struct tc_channel_server *s, unsigned conn, const uint8_t *batch,
			   size_t n);

void tc_channel_server_stats(const struct tc_channel_server *s,
			     struct tc_channel_server_stats *ret_stats);

#endif
