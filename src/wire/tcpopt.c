/* SPDX-License-Identifier: BSD-2-Clause
 * wire/tcpopt.c - TCP options, decoded and encoded
 *
 * Nearly every segment of a modern connection carries the same twelve bytes, NOP NOP timestamps (RFC 7323, appendix A), so these are
 * recognised by their first four; everything else takes the loop.
 */
#include "wire/tcpopt.h"

#include "base/bytes.h"

#include <string.h>

enum {
	KIND_END = 0,
	KIND_NOP = 1,
	KIND_MSS = 2,
	KIND_WS = 3,
	KIND_SACK_OK = 4,
	KIND_SACK = 5,
	KIND_TS = 8,
	KIND_MPTCP = 30,
};

enum {
	LEN_MSS = 4,
	LEN_WS = 3,
	LEN_SACK_OK = 2,
	LEN_TS = 10,
	LEN_SACK_BLOCK = 8,
	LEN_MPTCP_MIN = 3,
};

#define NOP_NOP_TS 0x0101080aU
#define MPTCP_SUBTYPE_JOIN 1

static int decode_sack(const uint8_t *p, size_t len, struct tc_tcpopt *opt)
{
	if (len == 2 || (len - 2) % LEN_SACK_BLOCK != 0) {
		return TC_TCPOPT_E_MALFORMED;
	}
	size_t blocks = (len - 2) / LEN_SACK_BLOCK;
	if (blocks > TC_TCPOPT_SACK_MAX) {
		blocks = TC_TCPOPT_SACK_MAX;
	}
	for (size_t i = 0; i < blocks; i++) {
		const uint8_t *b = p + 2 + i * LEN_SACK_BLOCK;
		opt->sack[i] = (struct tc_sack){ tc_seq_of(tc_get_be32(b)),
						 tc_seq_of(tc_get_be32(b + 4)) };
	}
	opt->n_sack = (uint8_t)blocks;
	return 0;
}

/* One option of @len >= 2 bytes at @p, all of them there. When an option is repeated the last one counts, as in Linux. */
static int decode_one(const uint8_t *p, size_t len, struct tc_tcpopt *opt)
{
	switch (p[0]) {
	case KIND_MSS:
		if (len != LEN_MSS) {
			return TC_TCPOPT_E_MALFORMED;
		}
		opt->has_mss = true;
		opt->mss = tc_get_be16(p + 2);
		return 0;
	case KIND_WS:
		if (len != LEN_WS) {
			return TC_TCPOPT_E_MALFORMED;
		}
		opt->has_ws = true;
		opt->ws_shift = p[2] > TC_TCPOPT_WS_MAX ? TC_TCPOPT_WS_MAX : p[2];
		return 0;
	case KIND_SACK_OK:
		if (len != LEN_SACK_OK) {
			return TC_TCPOPT_E_MALFORMED;
		}
		opt->sack_ok = true;
		return 0;
	case KIND_SACK:
		return decode_sack(p, len, opt);
	case KIND_TS:
		if (len != LEN_TS) {
			return TC_TCPOPT_E_MALFORMED;
		}
		opt->has_ts = true;
		opt->tsval = tc_get_be32(p + 2);
		opt->tsecr = tc_get_be32(p + 6);
		return 0;
	case KIND_MPTCP:
		if (len < LEN_MPTCP_MIN) {
			return TC_TCPOPT_E_MALFORMED;
		}
		opt->mptcp = true;
		opt->mp_join |= p[2] >> 4 == MPTCP_SUBTYPE_JOIN;
		return 0;
	default:
		return 0;
	}
}

int tc_tcpopt_decode(struct tc_view v, struct tc_tcpopt *ret_opt)
{
	if (v.n == 12 && tc_get_be32(v.p) == NOP_NOP_TS) {
		*ret_opt = (struct tc_tcpopt){
			.has_ts = true,
			.tsval = tc_get_be32(v.p + 4),
			.tsecr = tc_get_be32(v.p + 8),
		};
		return 0;
	}
	struct tc_tcpopt opt = { 0 };
	for (size_t i = 0; i < v.n && v.p[i] != KIND_END;) {
		if (v.p[i] == KIND_NOP) {
			i++;
			continue;
		}
		if (v.n - i < 2 || v.p[i + 1] < 2 || v.p[i + 1] > v.n - i) {
			return TC_TCPOPT_E_MALFORMED;
		}
		size_t len = v.p[i + 1];
		int r = decode_one(v.p + i, len, &opt);
		if (r != 0) {
			return r;
		}
		i += len;
	}
	*ret_opt = opt;
	return 0;
}

size_t tc_tcpopt_encode(const struct tc_tcpopt *opt, uint8_t *buf)
{
	size_t n = 0;
	if (opt->has_mss) {
		buf[n++] = KIND_MSS;
		buf[n++] = LEN_MSS;
		tc_put_be16(buf + n, opt->mss);
		n += 2;
	}
	if (opt->sack_ok) {
		/* shares a word with the timestamps' padding, as every stack writes it */
		if (!opt->has_ts) {
			buf[n++] = KIND_NOP;
			buf[n++] = KIND_NOP;
		}
		buf[n++] = KIND_SACK_OK;
		buf[n++] = LEN_SACK_OK;
	}
	if (opt->has_ts) {
		if (!opt->sack_ok) {
			buf[n++] = KIND_NOP;
			buf[n++] = KIND_NOP;
		}
		buf[n++] = KIND_TS;
		buf[n++] = LEN_TS;
		tc_put_be32(buf + n, opt->tsval);
		tc_put_be32(buf + n + 4, opt->tsecr);
		n += 8;
	}
	if (opt->has_ws) {
		buf[n++] = KIND_NOP;
		buf[n++] = KIND_WS;
		buf[n++] = LEN_WS;
		buf[n++] = opt->ws_shift;
	}
	size_t fit = (TC_TCPOPT_MAX - n) / LEN_SACK_BLOCK;
	if (TC_TCPOPT_MAX - n < 4 + fit * LEN_SACK_BLOCK) {
		fit--; /* at most 24 bytes are taken so far, so at least one fitted */
	}
	size_t blocks = opt->n_sack < fit ? opt->n_sack : fit;
	if (blocks > 0) {
		buf[n++] = KIND_NOP;
		buf[n++] = KIND_NOP;
		buf[n++] = KIND_SACK;
		buf[n++] = (uint8_t)(2 + blocks * LEN_SACK_BLOCK);
		for (size_t i = 0; i < blocks; i++) {
			tc_put_be32(buf + n, opt->sack[i].left.v);
			tc_put_be32(buf + n + 4, opt->sack[i].right.v);
			n += LEN_SACK_BLOCK;
		}
	}
	return n;
}
