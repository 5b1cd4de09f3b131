/* SPDX-License-Identifier: BSD-2-Clause
 * lab/wire.c - a wire between two network devices, as long, as narrow and as bad as one wants
 *
 *     host a ===== [device a   wire   device b] ===== host b
 *                        ab ------>
 *                        <------ ba
 *
 * Joins two devices of its network namespace: veth ends, or ports of a bridge, or TAP devices. What comes in at one goes out at the other,
 * later, seldomer, twice or in another order, each direction by its own settings (lab/wire_line.h) and all of it repeated by
 * the same seed. Super-frames are cut first (lab/wire_cut.h), so no offload has to be off. The devices need no address, and should have none:
 * the kernel behind them hears every frame too (IPv6 off, or it says things of its own).
 *
 * A frame's time begins with the kernel's stamp. The loop sleeps until the next frame is due or one comes in; a frame is never early, and
 * up to GRANULE late when others were close before it. How late they were is in the figures that SIGTERM brings out, as one JSON object
 * on stdout: "late" counts those that were more than LATE behind their time.
 */
#include "cli/option.h"
#include "lab/wire_line.h"
#include "lab/wire_port.h"
#include "lab/wire_queue.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

/* As those of the programs (cli/exit.h) */
enum { EXIT_DONE = 0, EXIT_FAILED = 1, EXIT_USAGE = 2, EXIT_PRIVILEGE = 4 };

/* Frames of one direction that are taken in before the other has its turn */
#define FRAMES_A_TURN 64
/* above that of programs under test that are given one */
#define PRIORITY 10
#define GRANULE (100 * TC_US)
#define LATE (1 * TC_MS)
/* Ethernet header and two tags */
#define FRAME_OVER_MTU 22
#define MB (INT64_C(1) << 20)
#define GB (INT64_C(1) << 30)
#define MEGA INT64_C(1000000)

/* --- options --- */

struct options {
	const char *a;
	const char *b;
	struct wire_settings ab, ba;
	int64_t seed;
	int64_t frames;
	bool help;
};

#define AT(m) .offset = offsetof(struct options, m)
/* Rows that both directions have: group or NULL, name, member, initial value, help */
#define SPAN(title, word, m, first, text)                                                          \
	{                                                                                          \
		word, 0, TC_OPTION_DURATION, AT(m), "MS", text, title, 0, 60 * TC_SEC, TC_MS,      \
			first                                                                      \
	}
#define SHARE(word, m, text)                                                                       \
	{                                                                                          \
		word, 0, TC_OPTION_DECIMAL, AT(m), "PCT", text, NULL, 0, WIRE_SHARE_MAX,           \
			WIRE_SHARE_MAX / 100                                                       \
	}
#define RATE(word, m, text)                                                                        \
	{                                                                                          \
		word, 0, TC_OPTION_DECIMAL, AT(m), "MBIT", text, NULL, 0, 100000 * MEGA, MEGA      \
	}
#define BYTES(word, m, first, text)                                                                \
	{                                                                                          \
		word, 0, TC_OPTION_SIZE, AT(m), "BYTES", text, NULL, 0, GB, 1, first               \
	}

static const struct tc_option option_table[] = {
	{ "a", 'a', TC_OPTION_STRING, AT(a), .arg = "DEV", .group = "The wire",
	  .help = "device at one end" },
	{ "b", 'b', TC_OPTION_STRING, AT(b), .arg = "DEV", .help = "device at the other end" },
	{ "seed", 0, TC_OPTION_NUMBER, AT(seed), .arg = "N", .min = 0, .max = INT64_MAX,
	  .initial = 1, .help = "the same seed throws the same dice; default 1" },
	{ "frames", 0, TC_OPTION_NUMBER, AT(frames), .arg = "N", .min = 64, .max = 10000000,
	  .initial = 65536, .help = "frames under way in a direction, at most; default 65536" },
	{ "help", 'h', TC_OPTION_FLAG, AT(help), .help = "print this, and end" },
	SPAN("From a to b", "ab-delay", ab.delay_ns, 0, "time that each frame takes"),
	SPAN(NULL, "ab-jitter", ab.jitter_ns, 0, "up to so much more, at random; the order stays"),
	SHARE("ab-loss", ab.loss, "share of frames that is lost"),
	SHARE("ab-duplicate", ab.duplicate, "share of frames that comes twice"),
	SHARE("ab-reorder", ab.hold_share, "share of frames that is held, so that others overtake"),
	SPAN(NULL, "ab-hold", ab.hold_ns, TC_MS, "how long they are held; default 1"),
	RATE("ab-rate", ab.rate_bps, "megabits a second; default: no limit"),
	BYTES("ab-queue", ab.queue_bytes, MB, "bytes that wait for the rate; default 1m"),
	SPAN("From b to a", "ba-delay", ba.delay_ns, 0, "time that each frame takes"),
	SPAN(NULL, "ba-jitter", ba.jitter_ns, 0, "up to so much more, at random; the order stays"),
	SHARE("ba-loss", ba.loss, "share of frames that is lost"),
	SHARE("ba-duplicate", ba.duplicate, "share of frames that comes twice"),
	SHARE("ba-reorder", ba.hold_share, "share of frames that is held, so that others overtake"),
	SPAN(NULL, "ba-hold", ba.hold_ns, TC_MS, "how long they are held; default 1"),
	RATE("ba-rate", ba.rate_bps, "megabits a second; default: no limit"),
	BYTES("ba-queue", ba.queue_bytes, MB, "bytes that wait for the rate; default 1m"),
	{ 0 },
};

/* --- the wire --- */

/** struct way - one direction */
struct way {
	const char *name;
	struct wire_port *in, *out; /* borrowed */
	struct wire_line line;
	struct wire_queue queue;
	uint64_t super_frames;
	uint64_t not_cut; /* super-frames that are none of TCP */
	uint64_t no_room;
	uint64_t late;
	uint64_t left;
	tc_time lag_sum; /* between due and leaving, of all that left */
	tc_time lag_max;
};

struct wire {
	struct wire_port a, b;
	struct way ab, ba;
	int signals;
};

static tc_time clock_now(void)
{
	struct timespec ts;
	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (tc_time)ts.tv_sec * TC_SEC + ts.tv_nsec;
}

/* A slot for a frame of @len bytes, or NULL: no room, or longer than anything that the other end could send. */
static struct wire_slot *put(struct way *w, tc_time at, uint32_t len)
{
	uint32_t most = w->queue.slots.size - (uint32_t)sizeof(struct wire_slot);
	struct wire_slot *slot = len <= most ? wire_queue_put(&w->queue, at) : NULL;
	w->no_room += slot == NULL;
	if (slot != NULL) {
		slot->len = len;
	}
	return slot;
}

static void take_super_frame(struct way *w, const struct wire_frame *frame)
{
	struct wire_cut cut;
	w->super_frames++;
	if (!wire_cut_init(&cut, frame)) {
		w->not_cut++;
		return;
	}
	for (uint32_t len; (len = wire_cut_len(&cut)) > 0; wire_cut_advance(&cut)) {
		tc_time out;
		unsigned n = wire_line_take(&w->line, len, frame->at, &out);
		for (; n > 0; n--) {
			struct wire_slot *slot = put(w, out, len);
			if (slot != NULL) {
				wire_cut_write(&cut, slot->data, &slot->head);
			}
		}
	}
}

static void take_frame(struct way *w, const struct wire_frame *frame)
{
	tc_time out;
	unsigned n = wire_line_take(&w->line, (uint32_t)frame->data.n, frame->at, &out);
	for (; n > 0; n--) {
		struct wire_slot *slot = put(w, out, (uint32_t)frame->data.n);
		if (slot != NULL) {
			slot->head = frame->head;
			memcpy(slot->data, frame->data.p, frame->data.n);
		}
	}
}

/* Return: true when there may be more. */
static bool take_in(struct way *w)
{
	struct wire_frame frame;
	for (unsigned i = 0; i < FRAMES_A_TURN; i++) {
		if (!wire_port_next(w->in, &frame)) {
			return false;
		}
		if (wire_frame_is_super(&frame)) {
			take_super_frame(w, &frame);
		} else {
			take_frame(w, &frame);
		}
	}
	return true;
}

static void note_lag(struct way *w, tc_time lag)
{
	w->left++;
	w->late += lag > LATE;
	w->lag_sum += lag;
	w->lag_max = tc_time_max(w->lag_max, lag);
}

static void let_out(struct way *w)
{
	uint32_t slots[FRAMES_A_TURN];
	unsigned n = 0;
	tc_time now = clock_now();
	while (n < FRAMES_A_TURN && !wire_port_is_full(w->out) &&
	       wire_queue_deadline(&w->queue) <= now) {
		note_lag(w, now - wire_queue_deadline(&w->queue));
		slots[n] = wire_queue_take(&w->queue);
		const struct wire_slot *slot = wire_queue_slot(&w->queue, slots[n]);
		n++;
		wire_port_send(w->out, &slot->head, (struct tc_view){ slot->data, slot->len });
	}
	wire_port_flush(w->out);
	for (unsigned i = 0; i < n; i++) {
		wire_queue_give(&w->queue, slots[i]);
	}
}

/* Sleep until @at, a frame or a signal comes. Return: false when it was a signal */
static bool wait_until(const struct wire *w, tc_time at)
{
	struct pollfd fds[] = { { w->a.fd, POLLIN, 0 },
				{ w->b.fd, POLLIN, 0 },
				{ w->signals, POLLIN, 0 } };
	tc_time left = at == TC_TIME_NEVER ? 0 : tc_time_max(at - clock_now(), 0);
	struct timespec ts = { left / TC_SEC, left % TC_SEC };
	int n = ppoll(fds, 3, at == TC_TIME_NEVER ? NULL : &ts, NULL);
	return n <= 0 || fds[2].revents == 0;
}

/* Frames that follow each other closely share a wake-up, which costs more than they do: of these there is one in a GRANULE. */
static void rest(tc_time since)
{
	tc_time until = since + GRANULE;
	struct timespec ts = { until / TC_SEC, until % TC_SEC };
	clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &ts, NULL);
}

static void run(struct wire *w)
{
	bool more = false;
	tc_time at = TC_TIME_NEVER;
	while (wait_until(w, more ? 0 : at)) {
		tc_time began = clock_now();
		more = take_in(&w->ab);
		more = take_in(&w->ba) || more;
		let_out(&w->ab);
		let_out(&w->ba);
		at = tc_time_min(wire_queue_deadline(&w->ab.queue),
				 wire_queue_deadline(&w->ba.queue));
		if (!more && at > clock_now()) {
			rest(began);
		}
	}
}

/* --- beginning and end --- */

static int complain(int status, const char *what, const char *subject, int error)
{
	fprintf(stderr, "wire: cannot %s '%s': %s\n", what, subject, strerror(error));
	return status;
}

static int open_port(struct wire_port *p, const char *device)
{
	const char *what;
	int r = wire_port_open(p, device, &what);
	if (r == -EPERM) {
		fprintf(stderr,
			"wire: cannot %s for '%s': it takes CAP_NET_RAW and CAP_NET_ADMIN: "
			"run it as root\n",
			what, device);
		return EXIT_PRIVILEGE;
	}
	return r < 0 ? complain(EXIT_FAILED, what, device, -r) : EXIT_DONE;
}

static int open_way(struct way *w, const char *name, struct wire_port *in, struct wire_port *out,
		    const struct wire_settings *set, const struct options *opt, unsigned direction)
{
	*w = (struct way){ .name = name, .in = in, .out = out };
	wire_line_init(&w->line, set, (uint64_t)opt->seed, direction);
	int r = wire_queue_init(&w->queue, (uint32_t)opt->frames, out->mtu + FRAME_OVER_MTU);
	return r < 0 ? complain(EXIT_FAILED, "take memory for", name, -r) : EXIT_DONE;
}

static int open_signals(struct wire *w)
{
	sigset_t set;
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigprocmask(SIG_BLOCK, &set, NULL);
	w->signals = signalfd(-1, &set, SFD_CLOEXEC);
	return w->signals < 0 ? complain(EXIT_FAILED, "watch for", "SIGTERM", errno) : EXIT_DONE;
}

/* A wire waits for no other process: where the system allows it, it is woken before all that is not real time. */
static int hurry(void)
{
	struct sched_param priority = { .sched_priority = PRIORITY };
	if (sched_setscheduler(0, SCHED_FIFO, &priority) < 0) {
		fprintf(stderr, "wire: no real-time priority: %s; frames may be late\n",
			strerror(errno));
	}
	/* timers of other processes are 50 us late by default, to save wake-ups */
	if (prctl(PR_SET_TIMERSLACK, 1UL, 0UL, 0UL, 0UL) < 0) {
		return complain(EXIT_FAILED, "set", "timer slack", errno);
	}
	return EXIT_DONE;
}

static int open_wire(struct wire *w, const struct options *opt)
{
	int status = open_signals(w);
	status = status == EXIT_DONE ? open_port(&w->a, opt->a) : status;
	status = status == EXIT_DONE ? open_port(&w->b, opt->b) : status;
	if (status == EXIT_DONE) {
		status = open_way(&w->ab, "ab", &w->a, &w->b, &opt->ab, opt, 0);
	}
	if (status == EXIT_DONE) {
		status = open_way(&w->ba, "ba", &w->b, &w->a, &opt->ba, opt, 1);
	}
	return status == EXIT_DONE ? hurry() : status;
}

static void close_wire(struct wire *w)
{
	wire_port_close(&w->a);
	wire_port_close(&w->b);
	wire_queue_fini(&w->ab.queue);
	wire_queue_fini(&w->ba.queue);
	if (w->signals >= 0) {
		close(w->signals);
	}
}

static void print_way(const struct way *w)
{
	const struct wire_line_counts *line = &w->line.counts;
	struct {
		const char *name;
		uint64_t value;
	} rows[] = {
		{ "frames", line->frames },
		{ "bytes", line->bytes },
		{ "super_frames", w->super_frames },
		{ "kernel_drops", w->in->counts.kernel_drops },
		{ "cut_short", w->in->counts.cut_short },
		{ "not_cut", w->not_cut },
		{ "lost", line->lost },
		{ "queue_full", line->queue_full },
		{ "no_room", w->no_room },
		{ "held", line->held },
		{ "duplicated", line->duplicated },
		{ "sent", w->out->counts.sent },
		{ "sent_bytes", w->out->counts.sent_bytes },
		{ "not_sent", w->out->counts.not_sent },
		{ "under_way", w->queue.n },
		{ "late", w->late },
		{ "lag_mean_us", w->left > 0 ? (uint64_t)(w->lag_sum / TC_US) / w->left : 0 },
		{ "lag_max_us", (uint64_t)(w->lag_max / TC_US) },
	};
	printf("\"%s\":{", w->name);
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		printf("%s\"%s\":%" PRIu64, i > 0 ? "," : "", rows[i].name, rows[i].value);
	}
	printf("}");
}

static int carry(const struct options *opt)
{
	struct wire w = { .a = { .fd = -1 }, .b = { .fd = -1 }, .signals = -1 };
	int status = open_wire(&w, opt);
	if (status == EXIT_DONE) {
		fprintf(stderr, "wire: '%s' and '%s' are joined\n", opt->a, opt->b);
		run(&w);
		wire_port_look(&w.a);
		wire_port_look(&w.b);
		printf("{\"seed\":%" PRId64 ",", opt->seed);
		print_way(&w.ab);
		printf(",");
		print_way(&w.ba);
		printf("}\n");
		status = fflush(stdout) == 0 ? EXIT_DONE :
					       complain(EXIT_FAILED, "write", "stdout", errno);
	}
	close_wire(&w);
	return status;
}

int main(int argc, char **argv)
{
	struct options opt;
	char error[TC_OPTION_ERROR_MAX];
	tc_option_defaults(option_table, &opt);
	if (tc_option_parse(option_table, &opt, argc, argv, NULL, error) < 0) {
		fprintf(stderr, "wire: %s\n", error);
		return EXIT_USAGE;
	}
	if (opt.help) {
		printf("usage: wire -a DEV -b DEV [OPTIONS]\n\n"
		       "Joins two network devices until SIGTERM, then says what became of the "
		       "frames.\n\n");
		tc_option_help(option_table, stdout);
		return EXIT_DONE;
	}
	if (opt.a == NULL || opt.b == NULL) {
		fprintf(stderr, "wire: two devices are needed: -a DEV -b DEV\n");
		return EXIT_USAGE;
	}
	return carry(&opt);
}
