/* SPDX-License-Identifier: BSD-2-Clause
 * wire/mark.c - marks, made and checked
 */
#include "wire/mark.h"

#include "base/bytes.h"

struct tc_mark tc_mark_make(const struct tc_siphash_key *key, const struct tc_tuple *tuple,
			    uint16_t clock)
{
	/* client 16 | server 16 | client port 2 | server port 2 | clock 2, big-endian: the same on every machine */
	uint8_t b[38];
	memcpy(b, tuple->client.b, 16);
	memcpy(b + 16, tuple->server.b, 16);
	tc_put_be16(b + 32, tuple->client_port);
	tc_put_be16(b + 34, tuple->server_port);
	tc_put_be16(b + 36, clock);
	uint64_t h = tc_siphash(key, b, sizeof b);
	return (struct tc_mark){
		.isn = tc_seq_of((uint32_t)clock << 16 | (uint32_t)(h & 0xffff)),
		.syn_win = (uint16_t)(0x8000 | (h >> 16 & 0x7fff)),
	};
}

bool tc_mark_check_isn(const struct tc_siphash_key *key, const struct tc_tuple *tuple, tc_seq isn)
{
	return tc_mark_make(key, tuple, (uint16_t)(isn.v >> 16)).isn.v == isn.v;
}

bool tc_mark_check_syn(const struct tc_siphash_key *key, const struct tc_tuple *tuple, tc_seq isn,
		       uint16_t win)
{
	struct tc_mark m = tc_mark_make(key, tuple, (uint16_t)(isn.v >> 16));
	return m.isn.v == isn.v && m.syn_win == win;
}

bool tc_mark_is_copy(const struct tc_tcp *tcp, tc_time wall)
{
	const struct tc_tcpopt *opt = &tcp->opt;
	int32_t off = (int32_t)(opt->tsval - (uint32_t)(wall / TC_MS));
	if (!opt->has_ts || off > TC_MARK_SKEW / TC_MS || off < -TC_MARK_SKEW / TC_MS) {
		return false;
	}
	if (!(tcp->flags & TC_TCP_SYN)) {
		return true;
	}
	uint16_t clock = (uint16_t)((wall + off * TC_MS) / TC_MARK_CLOCK_NS);
	int16_t ahead = (int16_t)((tcp->seq.v >> 16) - clock);
	return ahead <= TC_MARK_SPREAD / TC_MARK_CLOCK_NS &&
	       ahead >= -TC_MARK_SPREAD / TC_MARK_CLOCK_NS && tcp->win >= 0x8000 && opt->has_mss &&
	       opt->sack_ok && opt->has_ws && opt->ws_shift == TC_MARK_WS_SHIFT;
}
