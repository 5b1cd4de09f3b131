/* SPDX-License-Identifier: BSD-2-Clause
 * guard/calls.h - the system calls that this process may make
 *
 * Layer:   guard. Internal to it. Source: seccomp(2).
 */
#ifndef TC_GUARD_CALLS_H
#define TC_GUARD_CALLS_H

enum { TC_CALLS_E_ABSENT = 1 };

/**
 * tc_calls_limit() - from now on only the calls that @needs asks for (enum tc_guard_need), and those of any program of ours
 * Return: 0; TC_CALLS_E_ABSENT: built without libseccomp, all work; -errno (-ENOSYS, -EINVAL: the kernel has no such filter).
 */
int tc_calls_limit(unsigned needs);

#endif
