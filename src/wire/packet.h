/* SPDX-License-Identifier: BSD-2-Clause
 * wire/packet.h - the values that cross the seams: packet, answer, segment, event
 *
 * Layer:   wire. Plain values in host order; views are borrowed as each one says.
 *
 *     capture --tc_packet--> core --tc_segment--> deliver
 *     answer  --tc_answer--> core <--tc_event--   anything that happened and is no packet
 */
#ifndef TC_WIRE_PACKET_H
#define TC_WIRE_PACKET_H

#include "base/ip.h"
#include "base/types.h"
#include "wire/tcpopt.h"

/* Control bits of the TCP header, RFC 9293 3.1 */
enum {
	TC_TCP_FIN = 0x01,
	TC_TCP_SYN = 0x02,
	TC_TCP_RST = 0x04,
	TC_TCP_PSH = 0x08,
	TC_TCP_ACK = 0x10,
	TC_TCP_URG = 0x20,
	TC_TCP_ECE = 0x40,
	TC_TCP_CWR = 0x80,
};

/** struct tc_tcp - what a TCP header says */
struct tc_tcp {
	uint16_t src_port;
	uint16_t dst_port;
	tc_seq seq;
	tc_seq ack;    /* meaningless without TC_TCP_ACK */
	uint8_t flags; /* TC_TCP_* */
	uint16_t win;  /* as on the wire, not scaled */
	uint16_t urg;
	struct tc_tcpopt opt;
};

/**
 * struct tc_packet - one captured TCP packet, of any size (super-packets are normal)
 * @at:           capture time on the engine's clock
 * @link_id:      VLAN or tunnel, 0 for none
 * @device:       index of the capture device, 0 where there is none
 * @payload:      the captured part of the payload; borrowed from the capture driver until its next call
 * @payload_len:  payload bytes on the wire; more than payload.n when the capture cut the packet
 */
struct tc_packet {
	tc_time at;
	struct tc_ip src;
	struct tc_ip dst;
	uint32_t link_id;
	uint32_t device;
	struct tc_tcp tcp;
	struct tc_view payload;
	uint32_t payload_len;
};

/**
 * struct tc_answer - what the target said to one replica: a header, never a payload
 * @client, @target: as in the packet that the target sent to the client
 * @tcp:             src_port is the target's, dst_port the client's
 * @payload_len:     bytes of payload from tcp.seq on
 * @merged:          further packets that this report stands for: it carries their latest ack, window and flags,
 *                   and seq + payload_len is their highest end
 */
struct tc_answer {
	struct tc_ip client;
	struct tc_ip target;
	struct tc_tcp tcp;
	uint32_t payload_len;
	uint32_t merged;
};

/* A segment of 64 KB from chunks of 4 KB, and some room for short ones */
#define TC_SEGMENT_VIEWS 24

/**
 * struct tc_segment - one TCP segment for the target, up to 64 KB
 * @replica:      who speaks; comes back in a send error
 * @cut:          payload bytes per packet on the wire: the driver cuts there, or lets the device do it (GSO)
 * @payload:      the bytes in order; borrowed until the core's next verb other than next_out
 * @payload_len:  sum of the views
 */
struct tc_segment {
	uint32_t replica;
	struct tc_ip src;
	struct tc_ip dst;
	struct tc_tcp tcp;
	uint16_t cut;
	uint16_t n_views;
	uint32_t payload_len;
	struct tc_view payload[TC_SEGMENT_VIEWS];
};

enum tc_event_kind {
	TC_EVENT_CAPTURE_LOSS, /* the capture lost .count packets at .at */
	TC_EVENT_CAPTURE_HELD, /* .count 1: nothing is captured for now, and nothing is missed by that: the clients' time stands still; 0: it goes on */
	TC_EVENT_CAPTURE_END, /* a file was read to its end: what is missing is lost. A packet after it is of another recording */
	TC_EVENT_CHANNEL_UP, /* answers of .target (any address: of all targets) are reported from now on */
	TC_EVENT_CHANNEL_DOWN, /* ... are no longer reported */
	TC_EVENT_SEND_ERROR,   /* a segment of .replica was not sent, for .error (an errno) */
	TC_EVENT_PATH_MTU,     /* the path to .target carries IP packets of at most .count bytes */
	TC_EVENT_ANNOUNCED,    /* intercept knows .tuple */
	/*
	 * There is too much to copy: go on with .count of TC_SHARE_ALL clients (wire/share.h). The others' sessions end as TC_END_SHED; new
	 * ones of theirs count as shed at their SYN, which the capture still delivers while it may leave out all else of them.
	 */
	TC_EVENT_KEEP_SHARE,
	TC_EVENT_SAMPLE, /* another share for -r, .count of 10000: a larger one keeps all clients of a smaller one. Live sessions go on */
	TC_EVENT_STOP,	 /* SIGTERM: no new sessions, drain what is there, then end */
	TC_EVENT__N
};

struct tc_event {
	enum tc_event_kind kind;
	tc_time at;
	uint32_t replica;
	int error;
	uint64_t count;
	struct tc_ip target;
	struct tc_tuple tuple;
};

#endif
