/* SPDX-License-Identifier: BSD-2-Clause
 * tcpcopy/show.h - a plan as text: --dry-run
 *
 * Layer:   program. Asks the kernel for routes; sends nothing.
 */
#ifndef TC_TCPCOPY_SHOW_H
#define TC_TCPCOPY_SHOW_H

#include "tcpcopy/plan.h"

#include <stdio.h>

/**
 * tc_show() - the plan, one subject a line; a device, a filter or a route that would not do is told in its line
 * Return: 0; or -EINVAL when something would not do.
 */
int tc_show(const struct tc_plan *plan, FILE *to);

#endif
