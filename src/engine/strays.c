/* SPDX-License-Identifier: BSD-2-Clause
 * engine/strays.c - which address and port is asked for most by clients that no map copies
 */
#include "engine/strays.h"

void tc_strays_note(struct tc_strays *s, const struct tc_ip *ip, uint16_t port)
{
	struct tc_stray *least = &s->at[0];
	for (unsigned i = 0; i < TC_STRAYS; i++) {
		struct tc_stray *x = &s->at[i];
		if (x->port == port && tc_ip_eq(&x->ip, ip)) {
			x->syns++;
			return;
		}
		least = x->syns < least->syns ? x : least;
	}
	*least = (struct tc_stray){ .ip = *ip, .port = port, .syns = least->syns + 1 };
}

const struct tc_stray *tc_strays_most(const struct tc_strays *s)
{
	const struct tc_stray *most = &s->at[0];
	for (unsigned i = 1; i < TC_STRAYS; i++) {
		most = s->at[i].syns > most->syns ? &s->at[i] : most;
	}
	return most;
}
