/* SPDX-License-Identifier: BSD-2-Clause
 * bench/memory.c - what an idle session, a further copy of it and a closed tuple cost in memory, measured on the whole
 *
 * Private dirty memory of this process, from the kernel's own count (/proc/self/smaps_rollup), of a core with 20,000 of them minus that
 * of the same core with none. Tables are sized for 20,000; pages that nothing has touched do not count. Sessions are established at
 * both ends, have asked once and were answered. Exit status 1 when a promise is broken.
 */
#include "bench/core_feed.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SESSIONS 20000u
#define SESSION_BYTES_MAX 400
#define COPY_BYTES_MAX 190
#define CLOSED_BYTES 48
/* Of the table of closed tuples: 8 bytes a slot, a power of two of them, at most 7/8 full */
#define CLOSED_SLOTS_BYTES (32768 * 8.0 / SESSIONS)
/* What is touched whatever the number: the present request's chunk and turn, a page at each end of a table */
#define ROUNDING_BYTES (16 * 4096.0 / SESSIONS)

static size_t private_dirty(void)
{
	char line[256];
	size_t kb = 0;
	FILE *f = fopen("/proc/self/smaps_rollup", "r");
	feed_expect(f != NULL, "/proc/self/smaps_rollup can be read");
	while (fgets(line, sizeof line, f) != NULL) {
		if (strncmp(line, "Private_Dirty:", 14) == 0) {
			kb = strtoul(line + 14, NULL, 10);
		}
	}
	fclose(f);
	feed_expect(kb > 0, "the kernel counts private dirty memory");
	return kb * 1024;
}

/* One session, so that what is touched once is touched before it is measured. */
static struct feed *warm_feed(uint32_t copies)
{
	struct feed *f = feed_new(SESSIONS + 1, copies, false);
	feed_open(f, SESSIONS);
	feed_requests(f, &(struct feed_request){ SESSIONS, 0 }, 1);
	return f;
}

/* Bytes of an idle session with @copies of it. */
static double idle_session(uint32_t copies)
{
	struct feed *f = warm_feed(copies);
	size_t before = private_dirty();
	for (uint32_t i = 0; i < SESSIONS; i++) {
		feed_open(f, i);
		feed_requests(f, &(struct feed_request){ i, 0 }, 1);
	}
	size_t after = private_dirty();
	struct tc_ledger l = feed_ledger(f);
	feed_expect(l.live == (uint64_t)(SESSIONS + 1) * copies, "all sessions live");
	feed_expect(l.delivered == (uint64_t)(SESSIONS + 1) * copies * FEED_REQUEST_BYTES,
		    "all requests were acknowledged");
	feed_expect(l.held == 0, "nothing is held");
	feed_free(f);
	return (double)(after - before) / SESSIONS;
}

/* Bytes of a tuple that was closed. All sessions live first, so that what they need is there before it is measured. */
static double closed_tuple(void)
{
	struct feed *f = warm_feed(1);
	for (uint32_t i = 0; i < SESSIONS; i++) {
		feed_open(f, i);
		feed_requests(f, &(struct feed_request){ i, 0 }, 1);
	}
	size_t before = private_dirty();
	for (uint32_t i = 0; i < SESSIONS; i++) {
		feed_close(f, i, 1);
	}
	size_t after = private_dirty();
	struct tc_ledger l = feed_ledger(f);
	feed_expect(l.ended[TC_END_CLOSED] == SESSIONS, "all sessions were closed");
	feed_expect(l.tuples_forgotten == 0, "no tuple was forgotten");
	feed_free(f);
	return (double)(after - before) / SESSIONS;
}

static bool promise(const char *what, double bytes, double most)
{
	bool kept = bytes <= most;
	printf("%-40s %6.1f bytes, at most %.1f%s\n", what, bytes, most, kept ? "" : ": BROKEN");
	return kept;
}

int main(void)
{
	double one = idle_session(1);
	double two = idle_session(2);
	double closed = closed_tuple();
	bool kept = promise("an idle session", one, SESSION_BYTES_MAX);
	kept = promise("a further copy of it", two - one, COPY_BYTES_MAX) && kept;
	kept = promise("a closed tuple, with its slot in a table", closed,
		       CLOSED_BYTES + CLOSED_SLOTS_BYTES + ROUNDING_BYTES) &&
	       kept;
	return !kept;
}
