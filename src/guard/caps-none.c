/* SPDX-License-Identifier: BSD-2-Clause
 * guard/caps-none.c - capabilities stay as they are: built without libcap-ng
 */
#include "guard/caps.h"

bool tc_caps_has(unsigned cap)
{
	(void)cap;
	return false;
}

int tc_caps_keep(const unsigned *caps, unsigned n)
{
	(void)caps;
	(void)n;
	return TC_CAPS_E_ABSENT;
}
