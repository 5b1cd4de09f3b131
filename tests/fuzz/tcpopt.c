/* SPDX-License-Identifier: BSD-2-Clause
 * fuzz/tcpopt.c - any bytes as a list of TCP options
 *
 * Promised: what was read and is written again reads the same, but for SACK blocks that 40 bytes do not hold.
 */
#include "fuzz/fuzz.h"

#include "wire/tcpopt.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct tc_tcpopt a;
	if (tc_tcpopt_decode((struct tc_view){ data, size }, &a) != 0) {
		return 0;
	}
	promise(a.n_sack <= TC_TCPOPT_SACK_MAX && a.ws_shift <= TC_TCPOPT_WS_MAX);
	promise(a.mptcp || !a.mp_join);
	uint8_t buf[TC_TCPOPT_MAX];
	size_t n = tc_tcpopt_encode(&a, buf);
	promise(n <= sizeof buf && n % 4 == 0);
	struct tc_tcpopt b;
	promise(tc_tcpopt_decode((struct tc_view){ buf, n }, &b) == 0);
	promise(a.has_mss == b.has_mss && a.has_ws == b.has_ws && a.has_ts == b.has_ts &&
		a.sack_ok == b.sack_ok && a.mss == b.mss && a.ws_shift == b.ws_shift &&
		a.tsval == b.tsval && a.tsecr == b.tsecr);
	promise(b.n_sack == a.n_sack || (b.n_sack < a.n_sack && n + 8 > TC_TCPOPT_MAX));
	promise(memcmp(a.sack, b.sack, b.n_sack * sizeof a.sack[0]) == 0);
	return 0;
}
