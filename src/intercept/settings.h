/* SPDX-License-Identifier: BSD-2-Clause
 * intercept/settings.h - what the options mean
 *
 * Layer:   program. Reads the key file; opens nothing else, needs no privilege.
 */
#ifndef TC_INTERCEPT_SETTINGS_H
#define TC_INTERCEPT_SETTINGS_H

#include "answer/key.h"
#include "base/ip.h"
#include "capture/ring.h"
#include "intercept/options.h"

#define TC_SETTINGS_ADDRESSES_MAX 256
#define TC_SETTINGS_ERROR_MAX 640

struct tc_container {
	struct tc_ip inside; /* where its answers come from */
	struct tc_ip target; /* what tcpcopy calls it */
};

/**
 * struct tc_intercept_settings
 * @opt:     borrowed for their life
 * @devices: owned with .device_text, where they lie
 */
struct tc_intercept_settings {
	const struct tc_intercept_options *opt;
	char *device_text;
	const char *devices[TC_RING_DEVICES_MAX];
	unsigned n_devices;
	bool has_bind;
	struct tc_ip bind;
	bool has_key;
	struct tc_key key;
	struct tc_ip pass[TC_SETTINGS_ADDRESSES_MAX];
	unsigned n_pass;
	struct tc_container containers[TC_SETTINGS_ADDRESSES_MAX];
	unsigned n_containers;
};

/**
 * tc_intercept_settings_make() - from the options
 * @ret:       needs tc_intercept_settings_fini() also after a failure
 * @ret_error: a sentence for people, TC_SETTINGS_ERROR_MAX bytes
 * Return: 0; -EINVAL: the options are wrong; another -errno: the key cannot be used, or memory is short.
 */
int tc_intercept_settings_make(const struct tc_intercept_options *opt,
			       struct tc_intercept_settings *ret, char *ret_error);
void tc_intercept_settings_fini(struct tc_intercept_settings *s);

#endif
