/* SPDX-License-Identifier: BSD-2-Clause
 * deliver/errors.h - what could not be sent: a bounded queue of events
 *
 * Layer:   deliver. A path that fails fails for every packet: beyond the bound errors are only counted, by their owner.
 */
#ifndef TC_DELIVER_ERRORS_H
#define TC_DELIVER_ERRORS_H

#include "wire/packet.h"

#define TC_ERRORS_MAX 64

struct tc_errors {
	unsigned first;
	unsigned n;
	struct {
		uint32_t replica;
		int error;
		tc_time at;
	} of[TC_ERRORS_MAX];
};

/** tc_errors_add() - @error: a positive errno */
static inline void tc_errors_add(struct tc_errors *e, uint32_t replica, int error, tc_time now)
{
	if (e->n < TC_ERRORS_MAX) {
		unsigned i = (e->first + e->n++) % TC_ERRORS_MAX;
		e->of[i].replica = replica;
		e->of[i].error = error;
		e->of[i].at = now;
	}
}

static inline bool tc_errors_next(struct tc_errors *e, struct tc_event *ret_ev)
{
	if (e->n == 0) {
		return false;
	}
	*ret_ev = (struct tc_event){
		.kind = TC_EVENT_SEND_ERROR,
		.at = e->of[e->first].at,
		.replica = e->of[e->first].replica,
		.error = e->of[e->first].error,
		.count = 1,
	};
	e->first = (e->first + 1) % TC_ERRORS_MAX;
	e->n--;
	return true;
}

#endif
