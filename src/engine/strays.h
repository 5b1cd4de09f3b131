/* SPDX-License-Identifier: BSD-2-Clause
 * engine/strays.h - which address and port is asked for most by clients that no map copies
 *
 * Layer:   engine. No allocation.
 *
 * A wrong -x is the first thing that goes wrong, and the capture knows the right one. Counted in few places: when all are taken a new
 * one takes over the count of the least (Metwally's space saving), so that whatever is a 16th of all, or more, is found.
 */
#ifndef TC_ENGINE_STRAYS_H
#define TC_ENGINE_STRAYS_H

#include "base/ip.h"

#define TC_STRAYS 16

/** struct tc_stray - @syns: at most so many; 0: the place is free */
struct tc_stray {
	struct tc_ip ip;
	uint16_t port;
	uint64_t syns;
};

/** struct tc_strays - zero: none */
struct tc_strays {
	struct tc_stray at[TC_STRAYS];
};

/** tc_strays_note() - one more SYN to @ip and @port */
void tc_strays_note(struct tc_strays *s, const struct tc_ip *ip, uint16_t port);

/** tc_strays_most() - the one that came most often; its .syns is 0 when none did */
const struct tc_stray *tc_strays_most(const struct tc_strays *s);

#endif
