/* SPDX-License-Identifier: BSD-2-Clause
 * fuzz/fake.h - sockets and TLS below an end of the channel, played by a fuzzer
 *
 * Takes the place of answer/socket.c and answer/tls.c: the functions of their headers, on peers that do what the fuzzer says. The
 * descriptors are real ones, of /dev/null, so that one that is left open is noticed.
 *
 * Promised by the code under test, and checked here: no descriptor is lost; no connection is used after it was closed; what must come
 * again after TC_TLS_E_AGAIN comes again; what it sends are whole batches that a decoder understands.
 */
#ifndef TC_FUZZ_FAKE_H
#define TC_FUZZ_FAKE_H

#include "answer/link.h"
#include "fuzz/input.h"

#define FAKE_PEERS 24
#define FAKE_IN (2 * TC_LINK_BUF)
#define FAKE_AGAIN_MAX 64

/** struct fake_peer - the other side of one connection, and how it behaves */
struct fake_peer {
	/* the fuzzer's */
	int connected; /* what connect(2) comes to: 0, -EINPROGRESS, another -errno */
	int handshake; /* 0, TC_TLS_E_AGAIN, -EPROTO */
	enum tc_tls_key_state key_state;
	uint8_t address; /* last byte of its IPv4 address */
	size_t chunk;	 /* bytes that one read brings at most */
	size_t room;	 /* bytes that writes take before they have to wait */
	bool gone;	 /* reads and writes fail, once what it said was read */
	/* ours */
	int fd;			 /* -1: none */
	struct tc_tls_conn *tls; /* the code under test speaks TLS on .fd */
	bool waiting;		 /* knocked, not accepted yet */
	size_t in_head;
	size_t in_tail;
	size_t again_n; /* bytes at .again must begin the next write */
	size_t out_n;
	unsigned heard[256]; /* batches that the code under test sent, by type */
	uint8_t again[FAKE_AGAIN_MAX];
	uint8_t in[FAKE_IN];
	uint8_t out[TC_LINK_BATCH_MAX];
};

struct fake {
	struct fake_peer peers[FAKE_PEERS];
	unsigned n_tls; /* contexts and connections that are open */
	unsigned calls; /* reads, writes and accepts; the fuzzer sets it to 0 */
	int listener;
};

/** fake_begin() - all peers as they are at first: they take whatever comes, and say nothing */
struct fake *fake_begin(void);
/** fake_end() - the code under test has freed all; promises that it did */
void fake_end(struct fake *f);

/** fake_say() - @p says this, as far as there is room: half a batch is an input as well */
void fake_say(struct fake_peer *p, const uint8_t *bytes, size_t n);
/** fake_say_any() - bytes of the input */
void fake_say_any(struct fake_peer *p, struct input *in);
/** fake_say_batch() - bytes of the input after a head that is true, or nearly: one in eight has a length of its own */
void fake_say_batch(struct fake_peer *p, struct input *in);
/** fake_flow() - how much it takes and gives at a time, from now on */
void fake_flow(struct fake_peer *p, struct input *in);
/** fake_knock() - @p wants to be accepted; false when it is connected, or waits already */
bool fake_knock(struct fake_peer *p);
/** fake_is_open() - the code under test speaks TLS with @p */
static inline bool fake_is_open(const struct fake_peer *p)
{
	return p->tls != NULL;
}

#endif
