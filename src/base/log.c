/* SPDX-License-Identifier: BSD-2-Clause
 * base/log.c - lines for people and for journals
 */
#include "base/log.h"

#include <assert.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static const char *const names[] = {
	[TC_LOG_ERROR] = "error",
	[TC_LOG_WARNING] = "warning",
	[TC_LOG_INFO] = "info",
	[TC_LOG_DEBUG] = "debug",
};

static_assert(sizeof names / sizeof names[0] == TC_LOG__N, "a level without a name");

/* What is at the end of every line, with room kept for it */
#define TAIL_MAX 64

struct line {
	char text[TC_LOG_LINE_MAX];
	size_t n;
};

/* Append as far as there is room up to @limit. */
static void __attribute__((format(printf, 3, 0)))
append(struct line *l, size_t limit, const char *fmt, va_list args)
{
	size_t room = limit - l->n;
	int n = vsnprintf(l->text + l->n, room, fmt, args);
	if (n > 0) {
		l->n += (size_t)n < room ? (size_t)n : room - 1;
	}
}

static void __attribute__((format(printf, 3, 4)))
add(struct line *l, size_t limit, const char *fmt, ...)
{
	va_list args;
	va_start(args, fmt);
	append(l, limit, fmt, args);
	va_end(args);
}

static void add_stamp(struct line *l)
{
	struct timespec t;
	struct tm tm;
	if (clock_gettime(CLOCK_REALTIME, &t) == 0 && gmtime_r(&t.tv_sec, &tm) != NULL) {
		add(l, TC_LOG_LINE_MAX, "%04d-%02d-%02dT%02d:%02d:%02d.%03ldZ ", tm.tm_year + 1900,
		    tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec,
		    t.tv_nsec / 1000000);
	}
}

static void clean(struct line *l)
{
	for (size_t i = 0; i < l->n; i++) {
		if (l->text[i] < ' ' || l->text[i] > '~') {
			l->text[i] = '?';
		}
	}
}

/* A pipe that is ready takes PIPE_BUF bytes without blocking, which is more than a line (POSIX; 4096 on Linux). */
static bool put(const struct tc_log *log, const char *text, size_t n)
{
	struct pollfd p = { .fd = log->fd, .events = POLLOUT };
	if (poll(&p, 1, 0) != 1 || (p.revents & POLLOUT) == 0) {
		return false;
	}
	return write(log->fd, text, n) == (ssize_t)n;
}

static void __attribute__((format(printf, 4, 0)))
say(struct tc_log *log, enum tc_log_level level, uint64_t suppressed, const char *fmt, va_list args)
{
	struct line l = { .n = 0 };
	if (log->stamps) {
		add_stamp(&l);
	}
	add(&l, TC_LOG_LINE_MAX, "%s: ", names[level]);
	append(&l, TC_LOG_LINE_MAX - TAIL_MAX, fmt, args);
	if (suppressed > 0) {
		add(&l, TC_LOG_LINE_MAX, " suppressed=%llu", (unsigned long long)suppressed);
	}
	if (log->lost > 0) {
		add(&l, TC_LOG_LINE_MAX, " lines_lost=%llu", (unsigned long long)log->lost);
	}
	clean(&l);
	l.text[l.n++] = '\n'; /* append() has left the place of the final 0 */
	if (put(log, l.text, l.n)) {
		log->lost = 0;
	} else {
		log->lost++;
	}
}

void tc_log_text(struct tc_log *log, const char *text, size_t n)
{
	bool taken = true;
	while (n > 0) {
		const char *eol = memchr(text, '\n', n);
		size_t line = eol != NULL ? (size_t)(eol - text) + 1 : n;
		size_t part = line < TC_LOG_LINE_MAX ? line : TC_LOG_LINE_MAX;
		/* once one is lost the rest is, too: a report with a hole would say something else */
		taken = taken && put(log, text, part);
		log->lost += !taken;
		text += part;
		n -= part;
	}
}

void tc_log(struct tc_log *log, enum tc_log_level level, const char *fmt, ...)
{
	if (level > log->level) {
		return;
	}
	va_list args;
	va_start(args, fmt);
	say(log, level, 0, fmt, args);
	va_end(args);
}

void tc_log_limited(struct tc_log *log, struct tc_log_site *site, tc_time now,
		    enum tc_log_level level, const char *fmt, ...)
{
	if (level > log->level) {
		return;
	}
	if (site->said == 0 || now - site->since >= TC_LOG_INTERVAL) {
		site->since = now;
		site->said = 0;
	}
	if (site->said >= TC_LOG_BURST) {
		site->suppressed++;
		return;
	}
	site->said++;
	uint64_t suppressed = site->suppressed;
	site->suppressed = 0;
	va_list args;
	va_start(args, fmt);
	say(log, level, suppressed, fmt, args);
	va_end(args);
}
