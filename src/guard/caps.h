/* SPDX-License-Identifier: BSD-2-Clause
 * guard/caps.h - the capabilities of this thread, and of those that it starts
 *
 * Layer:   guard. Internal to it. Source: capabilities(7).
 */
#ifndef TC_GUARD_CAPS_H
#define TC_GUARD_CAPS_H

#include <stdbool.h>

enum { TC_CAPS_E_ABSENT = 1 };

/** tc_caps_has() - can this thread use @cap now; false where it cannot be said */
bool tc_caps_has(unsigned cap);

/**
 * tc_caps_keep() - only these @n of CAP_* stay, as permitted and effective; nothing is inherited
 * A process that may do so also takes all others out of its bounding set.
 * Return: 0; TC_CAPS_E_ABSENT: built without libcap-ng, all stay; -errno.
 */
int tc_caps_keep(const unsigned *caps, unsigned n);

#endif
