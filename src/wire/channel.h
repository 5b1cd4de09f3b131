/* SPDX-License-Identifier: BSD-2-Clause
 * wire/channel.h - the format of the channel between tcpcopy and intercept, version 1
 *
 * Layer:   wire. Encoder and decoder over bytes; no I/O, no allocation. doc/channel.md describes it for other implementers.
 *
 *     batch  = type(1) | version(1) | count(2) | length(4) | body(length)       length <= TC_CHANNEL_BODY_MAX
 *     record = as the type says; count of them fill the body exactly
 *
 * A type that the receiver does not know is skipped by its length: that is how version 1 grows. A batch that contradicts itself
 * ends the channel: nothing after it can be trusted. All numbers are big-endian.
 *
 *     tcpcopy -> intercept   HELLO first, alone; then ANNOUNCE, DISOWN, PING
 *     intercept -> tcpcopy   WELCOME or REFUSE first; then ANSWERS, ANNOUNCED, STATS, PONG
 */
#ifndef TC_WIRE_CHANNEL_H
#define TC_WIRE_CHANNEL_H

#include "base/siphash.h"
#include "wire/packet.h"

#define TC_CHANNEL_VERSION 1
#define TC_CHANNEL_PORT 36524
#define TC_CHANNEL_HEAD 8
#define TC_CHANNEL_BODY_MAX 16376 /* with the head it fits one TLS record of 16384 bytes */
#define TC_CHANNEL_TARGETS_MAX 64
#define TC_CHANNEL_TEXT_MAX 200

enum tc_channel_type {
	TC_CHANNEL_HELLO = 1,
	TC_CHANNEL_WELCOME = 2,
	TC_CHANNEL_REFUSE = 3,
	TC_CHANNEL_ANSWERS = 4,
	TC_CHANNEL_ANNOUNCE = 5,
	TC_CHANNEL_ANNOUNCED = 6,
	TC_CHANNEL_DISOWN = 7,
	TC_CHANNEL_STATS = 8,
	TC_CHANNEL_PING = 9,
	TC_CHANNEL_PONG = 10,
};

enum tc_channel_refusal {
	TC_CHANNEL_REFUSE_VERSION = 1, /* speaks another version */
	TC_CHANNEL_REFUSE_KEY_NEEDED,  /* intercept has a key, this tcpcopy none */
	TC_CHANNEL_REFUSE_OTHER_KEY,   /* both have keys, different ones */
	TC_CHANNEL_REFUSE_BUSY,	       /* too many tcpcopies, or -c keeps the first */
	TC_CHANNEL_REFUSE_MALFORMED,   /* the hello was not understood */
	TC_CHANNEL_REFUSE__N
};

/** tc_channel_refusal_text() - what happened and what to do, for the log of both sides; never NULL */
const char *tc_channel_refusal_text(enum tc_channel_refusal r);

struct tc_channel_head {
	uint8_t type;
	uint8_t version;
	uint16_t count;
	uint32_t length;
};

struct tc_channel_target {
	struct tc_ip ip;
	uint16_t port;
};

/**
 * struct tc_channel_hello
 * @instance:  random, the same over reconnections of one process: a newer channel of it replaces the older one
 * @mark_key:  intercept recognises this instance's connections by it
 * @targets:   what this tcpcopy copies to: intercept makes its filter from it where it has none
 */
struct tc_channel_hello {
	uint64_t instance;
	struct tc_siphash_key mark_key;
	uint16_t n_targets;
	struct tc_channel_target targets[TC_CHANNEL_TARGETS_MAX];
	char software[32]; /* "tcpcopy 2.0.0", for the log; always terminated, printable ASCII */
};

struct tc_channel_refuse {
	enum tc_channel_refusal code; /* decoded: TC_CHANNEL_REFUSE__N for one of a later version */
	char text[TC_CHANNEL_TEXT_MAX]; /* terminated, printable ASCII */
};

struct tc_channel_stats {
	uint64_t pkts;	       /* frames that intercept read */
	uint64_t kernel_drops; /* frames its kernel lost */
	uint64_t reported;     /* frames told to this tcpcopy */
	uint64_t stray;	       /* frames of no copied connection */
};

enum { TC_CHANNEL_E_MALFORMED = 1, TC_CHANNEL_E_MORE = 2 };

/**
 * tc_channel_head_decode() - read a batch's head
 * Return: 0; TC_CHANNEL_E_MORE when v.n < TC_CHANNEL_HEAD; TC_CHANNEL_E_MALFORMED when length > TC_CHANNEL_BODY_MAX.
 */
int tc_channel_head_decode(struct tc_view v, struct tc_channel_head *ret_head);
void tc_channel_head_encode(const struct tc_channel_head *head, uint8_t buf[TC_CHANNEL_HEAD]);

/*
 * Bodies of one record. Encoders write a whole batch with its head into @buf of @n bytes and return its size, or 0 when it does not
 * fit; decoders take the body alone, accept any bytes, and return 0 or TC_CHANNEL_E_MALFORMED.
 *
 * HELLO:  instance(8) k0(8) k1(8) n_targets(2) { ip(16) port(2) }* software_len(1) software
 */
size_t tc_channel_hello_encode(const struct tc_channel_hello *h, uint8_t *buf, size_t n);
int tc_channel_hello_decode(struct tc_view body, struct tc_channel_hello *ret_hello);
/* WELCOME: software_len(1) software */
size_t tc_channel_welcome_encode(const char *software, uint8_t *buf, size_t n);
int tc_channel_welcome_decode(struct tc_view body, char ret_software[32]);
/* REFUSE: code(2) text_len(2) text */
size_t tc_channel_refuse_encode(const struct tc_channel_refuse *r, uint8_t *buf, size_t n);
int tc_channel_refuse_decode(struct tc_view body, struct tc_channel_refuse *ret_refuse);
/* STATS: pkts(8) kernel_drops(8) reported(8) stray(8) */
size_t tc_channel_stats_encode(const struct tc_channel_stats *s, uint8_t *buf, size_t n);
int tc_channel_stats_decode(struct tc_view body, struct tc_channel_stats *ret_stats);
/* PING, PONG: token(8), returned as it came */
size_t tc_channel_ping_encode(enum tc_channel_type type, uint64_t token, uint8_t *buf, size_t n);
int tc_channel_ping_decode(struct tc_view body, uint64_t *ret_token);

/*
 * Batches of many records: append into a body, then write the head with its count and length.
 *
 * ANSWERS, one record:
 *     what(1)  bit 0 IPv6, bit 1 MSS, bit 2 WS, bit 3 TS, bit 4 SACK-permitted, bits 5-7 number of SACK blocks (0..4)
 *     flags(1) win(2) seq(4) ack(4) payload_len(4) merged(2)
 *     client_port(2) target_port(2) client(4|16) target(4|16)
 *     [mss(2)] [ws(1)] [tsval(4) tsecr(4)] { left(4) right(4) }*
 * ANNOUNCE, ANNOUNCED, DISOWN, one record: client_port(2) target_port(2) client(16) target(16)
 */
#define TC_CHANNEL_ANSWER_MAX (20 + 2 + 32 + 2 + 1 + 8 + 32)
#define TC_CHANNEL_TUPLE_LEN 36

/** tc_channel_answer_encode() - append one record at @buf of @n bytes; returns its size, 0 when it does not fit */
size_t tc_channel_answer_encode(const struct tc_answer *a, uint8_t *buf, size_t n);
/** tc_channel_answer_decode() - take one record off the front of @body; 0 and @body advanced, or TC_CHANNEL_E_MALFORMED */
int tc_channel_answer_decode(struct tc_view *body, struct tc_answer *ret_answer);
size_t tc_channel_tuple_encode(const struct tc_tuple *t, uint8_t *buf, size_t n);
int tc_channel_tuple_decode(struct tc_view *body, struct tc_tuple *ret_tuple);

#endif
