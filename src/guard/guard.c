/* SPDX-License-Identifier: BSD-2-Clause
 * guard/guard.c - a program gives up what it will not need again
 */
#include "guard/guard.h"

#include "guard/calls.h"
#include "guard/caps.h"

#include <errno.h>
#include <linux/capability.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>

static const struct {
	unsigned need;
	unsigned cap;
	const char *name;
} rights[] = {
	{ TC_GUARD_NEIGHBORS, CAP_NET_ADMIN, "net_admin" },
};
#define RIGHTS (sizeof rights / sizeof rights[0])
#define NAMES_MAX 64

/* Return: 0, TC_CAPS_E_ABSENT or -errno */
static int keep_caps(unsigned needs, char names[NAMES_MAX])
{
	unsigned caps[RIGHTS];
	unsigned n = 0;
	size_t end = 0;
	for (size_t i = 0; i < RIGHTS; i++) {
		if ((needs & rights[i].need) != 0 && tc_caps_has(rights[i].cap)) {
			caps[n++] = rights[i].cap;
			end += (size_t)snprintf(names + end, NAMES_MAX - end, "%s%s",
						end > 0 ? "," : "", rights[i].name);
		}
	}
	int r = tc_caps_keep(caps, n);
	if (r != 0) {
		(void)snprintf(names, NAMES_MAX, "all");
	} else if (n == 0) {
		(void)snprintf(names, NAMES_MAX, "none");
	}
	return r;
}

static int fail(char *ret_text, const char *what, int err)
{
	(void)snprintf(ret_text, TC_GUARD_TEXT_MAX, "cannot give up %s: %s", what, strerror(-err));
	return err;
}

int tc_guard(unsigned needs, char ret_text[TC_GUARD_TEXT_MAX])
{
	char names[NAMES_MAX];
	int caps = keep_caps(needs, names);
	int privs = prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 ? 0 : -errno;
	int calls = tc_calls_limit(needs);
	if (caps < 0) {
		return fail(ret_text, "capabilities", caps);
	}
	if (privs < 0) {
		return fail(ret_text, "new privileges", privs);
	}
	if (calls < 0) {
		return fail(ret_text, "system calls", calls);
	}
	(void)snprintf(ret_text, TC_GUARD_TEXT_MAX, "capabilities=%s%s system_calls=%s", names,
		       caps == TC_CAPS_E_ABSENT ? " (built without libcap-ng)" : "",
		       calls == TC_CALLS_E_ABSENT ? "all (built without libseccomp)" : "listed");
	return 0;
}
