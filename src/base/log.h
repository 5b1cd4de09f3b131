/* SPDX-License-Identifier: BSD-2-Clause
 * base/log.h - lines for people and for journals: "level: message key=value"
 *
 * Layer:   base. Does I/O: for programs and their loops, not for what must stay pure. No global: the log is its owner's.
 *
 *     warning: lost the channel to 10.0.0.4:36524 why="connection reset by peer" suppressed=12
 *
 * A line is one write(2) of at most TC_LOG_LINE_MAX bytes. Whatever is not printable ASCII becomes '?', so that nobody who is quoted in
 * a line can begin another one. A descriptor that does not take the line at once loses it: nothing waits for a log. How many were
 * lost is said by the next line that gets through.
 *
 * What somebody else can cause goes through TC_LOG_LIMITED: of one place in the code TC_LOG_BURST lines are written in
 * TC_LOG_INTERVAL; the first line after it says how many there were besides.
 */
#ifndef TC_BASE_LOG_H
#define TC_BASE_LOG_H

#include "base/types.h"

#define TC_LOG_LINE_MAX 1024
#define TC_LOG_BURST 5
#define TC_LOG_INTERVAL (10 * TC_SEC)

enum tc_log_level { TC_LOG_ERROR, TC_LOG_WARNING, TC_LOG_INFO, TC_LOG_DEBUG, TC_LOG__N };

/**
 * struct tc_log
 * @fd:     borrowed; may be any descriptor, it is never waited for
 * @level:  the last one that is written
 * @stamps: begin each line with the time (UTC, RFC 3339): for a file; a journal has its own
 * @lost:   lines that @fd did not take and that no line has told of yet
 */
struct tc_log {
	int fd;
	enum tc_log_level level;
	bool stamps;
	uint64_t lost;
};

/** struct tc_log_site - one place in the code that logs; zero at first */
struct tc_log_site {
	tc_time since;
	uint32_t said;
	uint64_t suppressed;
};

/** tc_log() - write a line */
void __attribute__((format(printf, 3, 4)))
tc_log(struct tc_log *log, enum tc_log_level level, const char *fmt, ...);

/** tc_log_limited() - the same within the rate of @site */
void __attribute__((format(printf, 5, 6)))
tc_log_limited(struct tc_log *log, struct tc_log_site *site, tc_time now, enum tc_log_level level,
	       const char *fmt, ...);

/** tc_log_text() - lines as they are, such as a report; from the first on that is not taken at once they are lost, and counted */
void tc_log_text(struct tc_log *log, const char *text, size_t n);

/** TC_LOG_LIMITED() - the place is where this stands */
#define TC_LOG_LIMITED(log, now, level, ...)                                                       \
	do {                                                                                       \
		static struct tc_log_site site_;                                                   \
		tc_log_limited((log), &site_, (now), (level), __VA_ARGS__);                        \
	} while (0)

#endif
