/* SPDX-License-Identifier: BSD-2-Clause
 * guard/caps.c - the capabilities of this thread, with libcap-ng
 */
#include "guard/caps.h"

#include <cap-ng.h>
#include <errno.h>

bool tc_caps_has(unsigned cap)
{
	return capng_get_caps_process() == 0 && capng_have_capability(CAPNG_EFFECTIVE, cap) == 1;
}

int tc_caps_keep(const unsigned *caps, unsigned n)
{
	/* who was started with file capabilities has no right to narrow what others could start with */
	capng_select_t sets = tc_caps_has(CAP_SETPCAP) ? CAPNG_SELECT_BOTH : CAPNG_SELECT_CAPS;
	capng_clear(sets);
	for (unsigned i = 0; i < n; i++) {
		if (capng_update(CAPNG_ADD, CAPNG_EFFECTIVE | CAPNG_PERMITTED | CAPNG_BOUNDING_SET,
				 caps[i]) != 0) {
			return -EINVAL;
		}
	}
	errno = 0;
	if (capng_apply(sets) != 0) {
		return errno != 0 ? -errno : -EPERM;
	}
	return 0;
}
