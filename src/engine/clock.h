/* SPDX-License-Identifier: BSD-2-Clause
 * engine/clock.h - the system's clocks
 *
 * Layer:   engine.
 */
#ifndef TC_ENGINE_CLOCK_H
#define TC_ENGINE_CLOCK_H

#include "port/port.h"

/** tc_clock_system() - CLOCK_MONOTONIC and CLOCK_REALTIME; static, never fails */
const struct tc_clock *tc_clock_system(void);

#endif
