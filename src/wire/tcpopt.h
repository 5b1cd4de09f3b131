/* SPDX-License-Identifier: BSD-2-Clause
 * wire/tcpopt.h - TCP options, decoded and encoded
 *
 * Layer:   wire. No I/O, no allocation.
 * Source:  RFC 9293 3.2 (list), RFC 7323 2.2, 3.2 (WS, TS), RFC 2018 2, 3 (SACK), RFC 8684 3 (MPTCP, recognised only).
 *     kind(1) | len(1) | body(len-2)        kind 0 ends the list; kind 1 is one byte of padding
 * Order:   values are host order.
 * Limits:  at most 40 bytes; unknown kinds are skipped; len < 2 or past the end is malformed.
 */
#ifndef TC_WIRE_TCPOPT_H
#define TC_WIRE_TCPOPT_H

#include "base/types.h"

#define TC_TCPOPT_MAX 40
#define TC_TCPOPT_SACK_MAX 4
#define TC_TCPOPT_WS_MAX 14

struct tc_sack {
	tc_seq left;  /* first sequence number of the block */
	tc_seq right; /* the one after its last */
};

struct tc_tcpopt {
	bool has_mss : 1;
	bool has_ws : 1;
	bool has_ts : 1;
	bool sack_ok : 1;
	bool mptcp : 1; /* any MPTCP option */
	bool mp_join : 1; /* of these MP_JOIN: on a SYN, this connection is a further subflow of another */
	uint8_t ws_shift; /* 0..14 */
	uint8_t n_sack;	  /* 0..4 */
	uint16_t mss;
	uint32_t tsval;
	uint32_t tsecr;
	struct tc_sack sack[TC_TCPOPT_SACK_MAX];
};

enum { TC_TCPOPT_E_MALFORMED = 1 };

/**
 * tc_tcpopt_decode() - read an option list
 * @v:        option bytes without the fixed header; borrowed for the call
 * @ret_opt:  on success; an absent option has .has_* false; ws_shift larger than 14 is clamped (RFC 7323 2.3)
 *
 * Total: accepts any bytes. A known kind with a wrong length is malformed; of SACK blocks at most 4 are kept.
 * Return: 0, or TC_TCPOPT_E_MALFORMED (the caller drops with TC_DROP_BAD_OPTION).
 */
int tc_tcpopt_decode(struct tc_view v, struct tc_tcpopt *ret_opt);

/**
 * tc_tcpopt_encode() - write the options that are set, padded with NOP to a multiple of four
 * @buf: at least TC_TCPOPT_MAX bytes
 *
 * Order on the wire: MSS, SACK-permitted, timestamps, window scale, SACK blocks: as Linux does, so that a middlebox meets what it
 * knows. As many SACK blocks as fit are written.
 * Return: the number of bytes written, 0..40.
 */
size_t tc_tcpopt_encode(const struct tc_tcpopt *opt, uint8_t *buf);

#endif
