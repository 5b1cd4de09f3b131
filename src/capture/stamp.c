/* SPDX-License-Identifier: BSD-2-Clause
 * capture/stamp.c - the kernel's wall-clock stamps on the engine's clock
 */
#include "capture/stamp.h"

#include "port/clock.h"

/* NTP slews by at most 500 ppm; what moved by more than twice that, and by more than the measurement can err, was set */
#define SLEW_DIVISOR 1000
#define MEASURE_ERROR TC_MS

static void measure_again(struct tc_stamp *s, tc_time now)
{
	tc_time offset = tc_clock_offset(s->clock);
	tc_time moved = offset - s->offset;
	tc_time slew = (now - s->measured_at) / SLEW_DIVISOR + MEASURE_ERROR;
	if (moved > slew || moved < -slew) {
		s->steps++;
	}
	s->offset = offset;
	s->measured_at = now;
}

void tc_stamp_init(struct tc_stamp *s, const struct tc_clock *clock)
{
	*s = (struct tc_stamp){
		.clock = clock,
		.offset = tc_clock_offset(clock),
		.measured_at = clock->now(clock->ctx),
	};
}

tc_time tc_stamp_convert(struct tc_stamp *s, tc_time wall, tc_time *last, tc_time now)
{
	if (now - s->measured_at >= TC_SEC) {
		measure_again(s, now);
	}
	tc_time oldest = *last == INT64_MIN ? INT64_MIN : *last - TC_STAMP_DISORDER;
	tc_time at = wall - s->offset;
	if ((at > now + MEASURE_ERROR || at < oldest) && now > s->measured_at) {
		measure_again(s, now);
		at = wall - s->offset;
	}
	if (at < oldest) {
		at = *last;
	}
	at = tc_time_min(at, now);
	*last = tc_time_max(*last, at);
	return at;
}
