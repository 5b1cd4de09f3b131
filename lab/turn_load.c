/* SPDX-License-Identifier: BSD-2-Clause
 * lab/turn_load.c - clients of a server of turns (lab/turns.h), open loop: turns begin when it is time, answered or not
 *
 * All connections are open before the first turn. The turns are due at equal distances, and go round the connections; one whose
 * connection still waits for an answer is said right after that. How late turns began, and how long answers took from the time the turn was
 * due, is in the line of JSON on stdout at the end. Every body is different, and the same for the same seed.
 */
#include "cli/exit.h"
#include "cli/option.h"
#include "lab/turns.h"

#include <errno.h>
#include <inttypes.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#define READ_BYTES (256 << 10)
#define EVENTS 64
#define BODY_MAX 65536
#define SOURCES_MAX 16
/* without any answer */
#define PATIENCE (30 * TC_SEC)

struct options {
	const char *to;
	char *from;
	int64_t port, connections, rate, duration, body, answer, seed;
	bool help;
};

#define AT(m) .offset = offsetof(struct options, m)
static const struct tc_option option_table[] = {
	{ "to", 't', TC_OPTION_STRING, AT(to), .arg = "ADDRESS", .group = "The load",
	  .help = "of the server" },
	{ "port", 'p', TC_OPTION_NUMBER, AT(port), .arg = "PORT", .min = 1, .max = 65535,
	  .help = "of the server" },
	{ "from", 'f', TC_OPTION_LIST, AT(from), .arg = "ADDRESS,...",
	  .help = "addresses of the clients, by turns; default: as the system chooses" },
	{ "connections", 'c', TC_OPTION_NUMBER, AT(connections), .arg = "N", .min = 1, .max = 19900,
	  .initial = 50, .help = "at the same time; default 50" },
	{ "rate", 'r', TC_OPTION_NUMBER, AT(rate), .arg = "N", .min = 1, .max = 1000000,
	  .initial = 1000, .help = "turns a second; default 1000" },
	{ "duration", 'd', TC_OPTION_DURATION, AT(duration), .arg = "S", .min = TC_MS,
	  .max = 600 * TC_SEC, .scale = TC_SEC, .initial = TC_SEC, .help = "default 1" },
	{ "body", 'b', TC_OPTION_NUMBER, AT(body), .arg = "BYTES", .min = 8, .max = BODY_MAX,
	  .initial = 200, .help = "of each turn; default 200" },
	{ "answer", 'a', TC_OPTION_NUMBER, AT(answer), .arg = "BYTES", .min = 1,
	  .max = TURN_BYTES_MAX, .initial = 500, .help = "to each turn; default 500" },
	{ "seed", 0, TC_OPTION_NUMBER, AT(seed), .arg = "N", .max = INT64_MAX, .initial = 1,
	  .help = "the same seed, the same bodies; default 1" },
	{ "help", 'h', TC_OPTION_FLAG, AT(help), .help = "print this, and end" },
	{ 0 },
};

/** struct client - one connection; its turns are number, number + connections, ... of all */
struct client {
	int fd;
	int64_t next;	 /* turn that it says next */
	int64_t due;	 /* turn that is due next: it has fallen behind while next < due */
	uint64_t wanted; /* bytes of the answer that are still to come; 0: it may speak */
};

struct load {
	const struct options *opt;
	struct client *clients;
	int64_t n, total, due, answered;
	int epoll;
	tc_time begin;
	uint32_t *late_us, *answer_us; /* by turn */
	uint8_t *out, *in;
};

static void die(const char *what)
{
	fprintf(stderr, "turn_load: cannot %s: %s\n", what, strerror(errno));
	exit(TC_EXIT_FAILED);
}

/* --- turns --- */

static tc_time due_at(const struct load *l, int64_t turn)
{
	return l->begin + turn * TC_SEC / l->opt->rate;
}

/* xorshift64: bytes that no other turn has */
static void fill(uint8_t *p, size_t n, uint64_t x)
{
	x = (x + 1) * UINT64_C(0x9e3779b97f4a7c15) | 1;
	for (size_t i = 0; i < n; i++) {
		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		p[i] = (uint8_t)x;
	}
}

static void say(struct load *l, struct client *c)
{
	size_t body = (size_t)l->opt->body;
	int head =
		snprintf((char *)l->out, TURN_HEAD_MAX, "%zu %" PRId64 "\n", body, l->opt->answer);
	fill(l->out + head, body, (uint64_t)l->opt->seed << 32 ^ (uint64_t)c->next);
	size_t n = (size_t)head + body;
	/* the socket blocks: a turn is sent whole */
	if (send(c->fd, l->out, n, MSG_NOSIGNAL) != (ssize_t)n) {
		die("send a turn");
	}
	l->late_us[c->next] = (uint32_t)((turn_now() - due_at(l, c->next)) / TC_US);
	c->wanted = (uint64_t)l->opt->answer;
}

static void say_due(struct load *l)
{
	tc_time now = turn_now();
	for (; l->due < l->total && due_at(l, l->due) <= now; l->due++) {
		struct client *c = &l->clients[l->due % l->n];
		c->due = l->due + l->n;
		if (c->wanted == 0) {
			say(l, c);
		}
	}
}

static void hear(struct load *l, struct client *c)
{
	ssize_t n = recv(c->fd, l->in, READ_BYTES, MSG_DONTWAIT);
	if (n < 0 && errno == EAGAIN) {
		return;
	}
	if (n <= 0 || (uint64_t)n > c->wanted) {
		errno = n < 0 ? errno : EPROTO;
		die("hear the answer");
	}
	c->wanted -= (uint64_t)n;
	if (c->wanted > 0) {
		return;
	}
	l->answer_us[c->next] = (uint32_t)((turn_now() - due_at(l, c->next)) / TC_US);
	l->answered++;
	c->next += l->n;
	if (c->next < c->due) {
		say(l, c);
	}
}

/* Until the next turn is due or something is heard. Return: false when nothing was for PATIENCE */
static bool wait_for_work(struct load *l)
{
	tc_time left = PATIENCE;
	if (l->due < l->total) {
		left = tc_time_max(due_at(l, l->due) - turn_now(), 0);
	}
	struct timespec ts = { left / TC_SEC, left % TC_SEC };
	struct pollfd pfd = { .fd = l->epoll, .events = POLLIN };
	if (left > 0 && ppoll(&pfd, 1, &ts, NULL) == 0) {
		return l->due < l->total;
	}
	struct epoll_event events[EVENTS];
	int n = epoll_wait(l->epoll, events, EVENTS, 0);
	for (int i = 0; i < n; i++) {
		hear(l, &l->clients[events[i].data.u32]);
	}
	return true;
}

/* --- beginning and end --- */

static int open_client(const struct options *opt, const struct tc_ip *to, const struct tc_ip *from)
{
	int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0) {
		die("open a socket");
	}
	int one = 1;
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
	if (from != NULL) {
		/* the port is chosen by connect(): the same one for another address is no conflict */
		setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof one);
		struct sockaddr_in6 sa = turn_address(from, 0);
		if (bind(fd, (struct sockaddr *)&sa, sizeof sa) < 0) {
			die("take an address of --from");
		}
	}
	struct sockaddr_in6 sa = turn_address(to, opt->port);
	if (connect(fd, (struct sockaddr *)&sa, sizeof sa) < 0) {
		die("connect");
	}
	return fd;
}

/* Return: how many addresses of --from there are, or -1 for a bad or one too many */
static int read_sources(const struct options *opt, struct tc_ip sources[SOURCES_MAX])
{
	int n = 0;
	char *rest = opt->from;
	for (char *word; (word = strsep(&rest, ",")) != NULL; n++) {
		if (n == SOURCES_MAX || tc_ip_parse(word, &sources[n]) < 0) {
			return -1;
		}
	}
	return n;
}

static void open_load(struct load *l, const struct options *opt, const struct tc_ip *to,
		      const struct tc_ip *sources, int n_sources)
{
	struct rlimit limit;
	getrlimit(RLIMIT_NOFILE, &limit);
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
	/* a timer is 50 us late by default, to save wake-ups */
	prctl(PR_SET_TIMERSLACK, 1UL, 0UL, 0UL, 0UL);

	*l = (struct load){ .opt = opt, .n = opt->connections };
	l->total = (int64_t)((double)opt->rate * (double)opt->duration / (double)TC_SEC);
	l->epoll = epoll_create1(EPOLL_CLOEXEC);
	l->clients = calloc((size_t)l->n, sizeof *l->clients);
	l->late_us = calloc((size_t)l->total + 1, sizeof *l->late_us);
	l->answer_us = calloc((size_t)l->total + 1, sizeof *l->answer_us);
	l->out = malloc(TURN_HEAD_MAX + BODY_MAX);
	l->in = malloc(READ_BYTES);
	if (l->epoll < 0 || l->clients == NULL || l->late_us == NULL || l->answer_us == NULL ||
	    l->out == NULL || l->in == NULL) {
		die("take memory");
	}
	for (int64_t i = 0; i < l->n; i++) {
		struct client *c = &l->clients[i];
		c->next = c->due = i;
		c->fd = open_client(opt, to, n_sources > 0 ? &sources[i % n_sources] : NULL);
		struct epoll_event ev = { .events = EPOLLIN, .data.u32 = (uint32_t)i };
		if (epoll_ctl(l->epoll, EPOLL_CTL_ADD, c->fd, &ev) < 0) {
			die("watch a connection");
		}
	}
	l->begin = turn_now();
}

static int by_size(const void *a, const void *b)
{
	uint32_t x, y;
	memcpy(&x, a, sizeof x);
	memcpy(&y, b, sizeof y);
	return (x > y) - (x < y);
}

static void print_spread(const char *name, uint32_t *us, int64_t n)
{
	qsort(us, (size_t)n, sizeof *us, by_size);
	printf(", \"%s_p50_us\": %" PRIu32 ", \"%s_p99_us\": %" PRIu32, name, us[n / 2], name,
	       us[n - 1 - n / 100]);
}

static int run(const struct options *opt, const struct tc_ip *to, const struct tc_ip *sources,
	       int n_sources)
{
	struct load l;
	open_load(&l, opt, to, sources, n_sources);
	while (l.answered < l.total) {
		say_due(&l);
		if (!wait_for_work(&l)) {
			fprintf(stderr, "turn_load: no answer for %d s\n",
				(int)(PATIENCE / TC_SEC));
			return TC_EXIT_FAILED;
		}
	}
	tc_time took = turn_now() - l.begin;
	printf("{\"turns\": %" PRId64 ", \"seconds\": %" PRId64 ".%03" PRId64, l.total,
	       took / TC_SEC, took % TC_SEC / TC_MS);
	if (l.total > 0) {
		print_spread("late", l.late_us, l.total);
		print_spread("answer", l.answer_us, l.total);
	}
	printf("}\n");
	for (int64_t i = 0; i < l.n; i++) {
		close(l.clients[i].fd);
	}
	close(l.epoll);
	free(l.clients);
	free(l.late_us);
	free(l.answer_us);
	free(l.out);
	free(l.in);
	return TC_EXIT_DONE;
}

int main(int argc, char **argv)
{
	struct options opt;
	char error[TC_OPTION_ERROR_MAX];
	tc_option_defaults(option_table, &opt);
	if (tc_option_parse(option_table, &opt, argc, argv, NULL, error) < 0) {
		fprintf(stderr, "turn_load: %s\n", error);
		tc_option_fini(option_table, &opt);
		return TC_EXIT_USAGE;
	}
	if (opt.help) {
		printf("usage: turn_load -t ADDRESS -p PORT [OPTIONS]\n\n"
		       "Takes turns at a rate, and says how that went.\n\n");
		tc_option_help(option_table, stdout);
		return TC_EXIT_DONE;
	}
	struct tc_ip to, sources[SOURCES_MAX];
	int n = read_sources(&opt, sources);
	int status = TC_EXIT_USAGE;
	if (opt.to == NULL || opt.port == 0 || tc_ip_parse(opt.to, &to) < 0 || n < 0) {
		fprintf(stderr,
			"turn_load: a server is needed: -t ADDRESS -p PORT; and addresses "
			"in --from, %d at most\n",
			SOURCES_MAX);
	} else {
		status = run(&opt, &to, sources, n);
	}
	tc_option_fini(option_table, &opt);
	return status;
}
