/* SPDX-License-Identifier: BSD-2-Clause
 * intercept/settings.c - what the options mean
 */
#include "intercept/settings.h"

#include "cli/resolve.h"
#include "port/error.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>

static int __attribute__((format(printf, 2, 3))) refuse(char *error, const char *fmt, ...)
{
	va_list args;
	va_start(args, fmt);
	(void)vsnprintf(error, TC_SETTINGS_ERROR_MAX, fmt, args);
	va_end(args);
	return -EINVAL;
}

static int out_of_memory(char *error)
{
	refuse(error, "out of memory");
	return -ENOMEM;
}

static int make_devices(struct tc_intercept_settings *s, char *error)
{
	s->device_text = strdup(s->opt->devices != NULL ? s->opt->devices : "any");
	if (s->device_text == NULL) {
		return out_of_memory(error);
	}
	char *rest = s->device_text;
	for (char *name; (name = strsep(&rest, ",")) != NULL;) {
		if (name[0] == '\0') {
			return refuse(error, "-i: '%.80s': a name is missing", s->opt->devices);
		}
		if (s->n_devices == TC_RING_DEVICES_MAX) {
			return refuse(error, "-i: more than %d devices: any takes all of them",
				      TC_RING_DEVICES_MAX);
		}
		s->devices[s->n_devices++] = name;
	}
	return 0;
}

static int read_ip(const char *option, const char *text, size_t n, struct tc_ip *ret_ip,
		   char *error)
{
	const char *why = "";
	if (tc_resolve(text, n, NULL, ret_ip, &why) < 0) {
		return refuse(error, "%s: '%.*s': %s", option, (int)(n < 80 ? n : 80), text, why);
	}
	return 0;
}

static int make_pass(struct tc_intercept_settings *s, char *error)
{
	const char *p = s->opt->pass;
	while (p != NULL && *p != '\0') {
		size_t n = strcspn(p, ",");
		if (s->n_pass == TC_SETTINGS_ADDRESSES_MAX) {
			return refuse(error, "-x: more than %d addresses",
				      TC_SETTINGS_ADDRESSES_MAX);
		}
		int r = read_ip("-x", p, n, &s->pass[s->n_pass++], error);
		if (r < 0) {
			return r;
		}
		p += n + (p[n] == ',');
	}
	return 0;
}

static int make_containers(struct tc_intercept_settings *s, char *error)
{
	const char *p = s->opt->containers;
	while (p != NULL && *p != '\0') {
		size_t n = strcspn(p, ",");
		const char *dash = memchr(p, '-', n);
		if (dash == NULL) {
			return refuse(error,
				      "-D: '%.*s': two addresses are wanted, the container's and "
				      "the target's: 172.17.0.2-10.0.0.3",
				      (int)(n < 80 ? n : 80), p);
		}
		if (s->n_containers == TC_SETTINGS_ADDRESSES_MAX) {
			return refuse(error, "-D: more than %d pairs", TC_SETTINGS_ADDRESSES_MAX);
		}
		struct tc_container *c = &s->containers[s->n_containers++];
		int r = read_ip("-D", p, (size_t)(dash - p), &c->inside, error);
		if (r == 0) {
			r = read_ip("-D", dash + 1, n - (size_t)(dash - p) - 1, &c->target, error);
		}
		if (r < 0) {
			return r;
		}
		p += n + (p[n] == ',');
	}
	return 0;
}

int tc_intercept_settings_make(const struct tc_intercept_options *opt,
			       struct tc_intercept_settings *ret, char *ret_error)
{
	*ret = (struct tc_intercept_settings){ .opt = opt };
	int r = make_devices(ret, ret_error);
	if (r == 0 && opt->bind != NULL) {
		r = read_ip("-b", opt->bind, strlen(opt->bind), &ret->bind, ret_error);
		ret->has_bind = r == 0;
	}
	if (r == 0) {
		r = make_pass(ret, ret_error);
	}
	if (r == 0) {
		r = make_containers(ret, ret_error);
	}
	if (r == 0 && opt->key != NULL) {
		char error[TC_DRIVER_ERROR_MAX];
		r = tc_key_read(opt->key, &ret->key, error);
		ret->has_key = r == 0;
		if (r < 0) {
			refuse(ret_error, "%s", error);
			r = r == -EINVAL ? -EBADMSG : r; /* the file is wrong, not the option */
		}
	}
	return r;
}

void tc_intercept_settings_fini(struct tc_intercept_settings *s)
{
	free(s->device_text);
	s->device_text = NULL;
	tc_key_fini(&s->key);
}
