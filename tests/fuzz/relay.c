/* SPDX-License-Identifier: BSD-2-Clause
 * fuzz/relay.c - any sequence of tcpcopies, packets, claims and time, to intercept's relay
 *
 * The first bytes choose how many flows, reports and offers it has room for, so few that they run out; then come op-codes with their
 * operands. Promised: the invariants of tc_relay_check() after each of them; batches that a decoder understands, of connections that
 * there were; and what a peer is told, merged or not, stands for exactly as many packets as the relay says that it told it.
 */
#include "fuzz/input.h"

#include "intercept/relay.h"
#include "wire/mark.h"

#include <stdlib.h>
#include <string.h>

#define INSTANCES 20
#define PORTS 32
#define PORT_FIRST 5000
#define BATCH_MAX (TC_CHANNEL_HEAD + TC_CHANNEL_BODY_MAX)

struct world {
	struct tc_relay *relay;
	tc_time now;
	uint64_t told
		[TC_RELAY_PEERS]; /* packets that a peer's reports stand for, in its present life */
};

static struct tc_siphash_key key_of(uint8_t instance)
{
	return (struct tc_siphash_key){ instance, 7 };
}

static struct tc_ip target_of(uint8_t which)
{
	return tc_ip_from_v4((const uint8_t[]){ 10, 0, 0, which & 1 });
}

static struct tc_tuple tuple_of(struct input *in)
{
	uint8_t which = input_byte(in);
	return (struct tc_tuple){ .client =
					  tc_ip_from_v4((const uint8_t[]){ 10, 1, 0, which >> 7 }),
				  .server = target_of(which >> 6),
				  .client_port = (uint16_t)(PORT_FIRST + which % PORTS),
				  .server_port = 80,
				  .link_id = which >> 5 & 1 };
}

/* ---- what it is told ---- */

static void on_hello(struct world *w, struct input *in)
{
	uint8_t instance = input_byte(in) % INSTANCES;
	struct tc_channel_hello hello = { .instance = instance,
					  .mark_key = key_of(instance),
					  .n_targets = 1,
					  .targets = { { target_of(instance), 80 } } };
	unsigned peer = TC_RELAY_PEERS;
	if (tc_relay_on_hello(w->relay, &hello, w->now, &peer) != 0) {
		promise(peer == TC_RELAY_PEERS);
		return;
	}
	promise(peer < TC_RELAY_PEERS);
	struct tc_channel_stats s;
	tc_relay_peer_stats(w->relay, peer, &s);
	if (s.reported == 0) {
		w->told[peer] = 0; /* another's life begins in this place */
	}
}

static void on_packet(struct world *w, struct input *in)
{
	struct tc_tuple t = tuple_of(in);
	uint8_t flags = input_byte(in);
	uint8_t how = input_byte(in);
	struct tc_packet pkt = { .src = t.server,
				 .dst = t.client,
				 .tcp = { .src_port = t.server_port,
					  .dst_port = t.client_port,
					  .flags = flags,
					  .win = how,
					  .seq = tc_seq_of(input_word(in) << (how & 17)),
					  .ack = tc_seq_of(input_word(in) << (how >> 1 & 17)) },
				 .payload_len = input_word(in) };
	if ((flags & 0xc0) == 0xc0) { /* the answer to a copy's SYN */
		t.link_id = 0;
		struct tc_siphash_key key = key_of(how % INSTANCES);
		pkt.tcp.flags = TC_TCP_SYN | TC_TCP_ACK;
		pkt.tcp.ack = tc_seq_add(tc_mark_make(&key, &t, how).isn, 1);
	}
	tc_relay_on_packet(w->relay, &pkt, w->now);
}

/* ---- what it says ---- */

static bool next_batch(struct world *w, unsigned peer, size_t room)
{
	static uint8_t buf[BATCH_MAX];
	size_t n = tc_relay_next_batch(w->relay, peer, buf, room);
	if (n == 0) {
		promise(room < TC_CHANNEL_HEAD + TC_CHANNEL_ANSWER_MAX ||
			!tc_relay_has_batch(w->relay, peer));
		return false;
	}
	struct tc_channel_head head;
	promise(peer < TC_RELAY_PEERS && n <= room);
	promise(tc_channel_head_decode((struct tc_view){ buf, n }, &head) == 0);
	promise(head.type == TC_CHANNEL_ANSWERS && head.version == TC_CHANNEL_VERSION);
	promise(head.count > 0 && head.length == n - TC_CHANNEL_HEAD);
	struct tc_view body = { buf + TC_CHANNEL_HEAD, head.length };
	for (unsigned i = 0; i < head.count; i++) {
		struct tc_answer a;
		promise(tc_channel_answer_decode(&body, &a) == 0);
		promise(a.tcp.dst_port >= PORT_FIRST && a.tcp.dst_port < PORT_FIRST + PORTS);
		w->told[peer] += 1 + (uint64_t)a.merged;
	}
	promise(body.n == 0);
	struct tc_channel_stats s;
	tc_relay_peer_stats(w->relay, peer, &s);
	promise(w->told[peer] <= s.reported);
	return true;
}

static void drain(struct world *w)
{
	for (unsigned peer = 0; peer < TC_RELAY_PEERS; peer++) {
		bool any = false;
		while (next_batch(w, peer, BATCH_MAX)) {
			any = true;
		}
		struct tc_channel_stats s;
		tc_relay_peer_stats(w->relay, peer, &s);
		promise(!any || w->told[peer] == s.reported);
	}
}

static void operate(struct world *w, struct input *in)
{
	uint8_t op = input_byte(in);
	unsigned peer = (op >> 3) % (TC_RELAY_PEERS + 1); /* one of them is nobody */
	struct tc_tuple t;
	switch (op & 7) {
	case 0:
		w->now += input_byte(in) * ((op & 0x80) != 0 ? TC_SEC : TC_MS);
		tc_relay_on_deadline(w->relay, w->now);
		break;
	case 1:
		on_hello(w, in);
		break;
	case 2:
		tc_relay_on_gone(w->relay, peer, w->now);
		break;
	case 3:
		t = tuple_of(in);
		tc_relay_on_announce(w->relay, peer, &t, w->now);
		break;
	case 4:
		t = tuple_of(in);
		tc_relay_on_disown(w->relay, peer, &t);
		break;
	case 5:
		next_batch(w, peer, input_word(in) % (BATCH_MAX + 1));
		break;
	default:
		on_packet(w, in);
		break;
	}
	promise(tc_relay_check(w->relay) == NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = { data, size };
	struct world w = { .now = 1000 * TC_SEC };
	struct tc_relay_config cfg = {
		.flows = 1 + input_byte(&in) % 40U,
		.queue = 1 + input_byte(&in) % 20U,
		.offers_per_second = input_byte(&in) % 4U,
		.flow_idle = 100 * TC_SEC,
		.table_key = { 1, 2 },
	};
	size_t n = (tc_relay_bytes(&cfg) + 63) & ~(size_t)63;
	void *mem = aligned_alloc(64, n);
	if (mem == NULL) {
		return 0;
	}
	memset(mem, 0, n);
	w.relay = tc_relay_init(mem, &cfg, w.now);
	while (in.n > 0) {
		operate(&w, &in);
	}
	drain(&w);
	free(mem);
	return 0;
}
