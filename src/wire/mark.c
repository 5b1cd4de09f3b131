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
