/* SPDX-License-Identifier: BSD-2-Clause
 * answer/client.h - tcpcopy's end of the channel: answers from one or several intercepts
 *
 * Layer:   answer. A driver of port/port.h (struct tc_answers). Memory is taken here and when a connection is made, by TLS; never
 *          for what an intercept sends.
 *
 * Each channel is connected, secured, greeted (HELLO, WELCOME) and then read; when it is lost it is connected again, for ever, after
 * 0.1 s at first and 1 s at most. An intercept that says nothing for 5 s, though it is asked each second, is gone.
 *
 * Reports are decoded where they were received. TC_EVENT_CHANNEL_UP comes for each channel that comes up, TC_EVENT_CHANNEL_DOWN when
 * none is up any more; both are of any target.
 */
#ifndef TC_ANSWER_CLIENT_H
#define TC_ANSWER_CLIENT_H

#include "answer/key.h"
#include "port/port.h"
#include "wire/channel.h"

/**
 * struct tc_answers_client_config - borrowed for the call
 * @intercepts: where they listen
 * @hello:      what each of them is told first
 * @key:        NULL for none; with one, an intercept that does not prove to have it is told nothing
 */
struct tc_answers_client_config {
	const struct tc_channel_target *intercepts;
	unsigned n_intercepts;
	const struct tc_channel_hello *hello;
	const struct tc_key *key;
};

/**
 * tc_answers_client_new() - nothing is connected before the first on_ready()
 * @ret:       freed by its ops
 * @ret_error: TC_DRIVER_ERROR_MAX bytes
 * Return: 0 or -errno.
 */
int tc_answers_client_new(const struct tc_answers_client_config *cfg, struct tc_answers **ret,
			  char *ret_error);

#endif
