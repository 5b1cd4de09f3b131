/* SPDX-License-Identifier: BSD-2-Clause
 * lab/turn_server.c - a server of turns (lab/turns.h) for high rates, which writes down each turn and each connection
 *
 * Its log is that of lab/scenario_server.py: a line of JSON for a turn whose body is complete, one for a connection that ended, and at
 * SIGTERM for those that are open. Times are seconds of CLOCK_MONOTONIC. "crc" and "digest" are FNV-1a of a body and of all bytes.
 *
 * Nothing is written while there is work: the lines wait in memory until nobody has said anything for PAUSE_MS.
 */
#include "cli/exit.h"
#include "cli/option.h"
#include "lab/turns.h"

#include <errno.h>
#include <inttypes.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>

#define BACKLOG 4096
#define READ_BYTES (256 << 10)
#define EVENTS 64
#define PAUSE_MS 100
#define ROWS_FIRST 65536

struct options {
	const char *log;
	int64_t port;
	bool help;
};

#define AT(m) .offset = offsetof(struct options, m)
static const struct tc_option option_table[] = {
	{ "port", 'p', TC_OPTION_NUMBER, AT(port), .arg = "PORT", .min = 1, .max = 65535,
	  .group = "The server", .help = "port that it listens to, on all addresses" },
	{ "log", 'l', TC_OPTION_STRING, AT(log), .arg = "FILE", .help = "what it writes down" },
	{ "help", 'h', TC_OPTION_FLAG, AT(help), .help = "print this, and end" },
	{ 0 },
};

enum part { HEAD_BODY, HEAD_ANSWER, BODY };

/** struct connection - one client; owned by the table, NULL in it when there is none of that descriptor */
struct connection {
	int fd;
	struct tc_ip ip;
	uint16_t port;
	enum part part;
	uint64_t bytes, digest;
	uint64_t body, left, answer; /* of the turn that is coming in */
	uint64_t crc;
	uint64_t owed; /* bytes of answers that are not sent yet */
	uint32_t turns;
	bool wants_write;
};

/** struct row - a line of the log that waits; @end: NULL for a turn */
struct row {
	struct tc_ip ip;
	uint16_t port;
	uint32_t turns;
	uint64_t bytes, digest;
	tc_time at;
	const char *end;
};

struct server {
	int64_t port;
	int listener, signals, epoll;
	struct connection **table; /* by descriptor */
	size_t table_size;
	struct row *rows;
	size_t n_rows, rows_size;
	FILE *log;
	uint8_t *buffer;
};

static uint8_t answers[READ_BYTES];

/* --- the log --- */

static void die(const char *what)
{
	fprintf(stderr, "turn_server: cannot %s: %s\n", what, strerror(errno));
	exit(TC_EXIT_FAILED);
}

static void note(struct server *s, const struct connection *c, const char *end)
{
	if (s->n_rows == s->rows_size) {
		s->rows_size *= 2;
		s->rows = realloc(s->rows, s->rows_size * sizeof *s->rows);
		if (s->rows == NULL) {
			die("remember a turn");
		}
	}
	s->rows[s->n_rows++] = (struct row){
		.ip = c->ip,
		.port = c->port,
		.turns = c->turns,
		.bytes = end != NULL ? c->bytes : c->body,
		.digest = end != NULL ? c->digest : c->crc,
		.at = turn_now(),
		.end = end,
	};
}

static void write_rows(struct server *s)
{
	char client[TC_IP_TEXT_MAX];
	for (size_t i = 0; i < s->n_rows; i++) {
		const struct row *r = &s->rows[i];
		tc_ip_format(&r->ip, client, sizeof client);
		fprintf(s->log, "{\"port\": %" PRId64 ", \"client\": \"%s:%u\", ", s->port, client,
			r->port);
		if (r->end == NULL) {
			fprintf(s->log,
				"\"turn\": %" PRIu32 ", \"bytes\": %" PRIu64 ", \"crc\": %" PRIu64
				", \"at\": %" PRId64 ".%09" PRId64 "}\n",
				r->turns, r->bytes, r->digest, r->at / TC_SEC, r->at % TC_SEC);
		} else {
			fprintf(s->log,
				"\"turns\": %" PRIu32 ", \"bytes\": %" PRIu64
				", \"digest\": \"%016" PRIx64 "\", \"end\": \"%s\"}\n",
				r->turns, r->bytes, r->digest, r->end);
		}
	}
	s->n_rows = 0;
	if (fflush(s->log) != 0) {
		die("write the log");
	}
}

/* --- connections --- */

static void close_connection(struct server *s, struct connection *c, const char *end)
{
	note(s, c, end);
	s->table[c->fd] = NULL;
	close(c->fd);
	free(c);
}

/* Send what is owed as far as the socket takes it. Return: false when the client is gone */
static bool answer(struct server *s, struct connection *c)
{
	while (c->owed > 0) {
		size_t most = c->owed < sizeof answers ? (size_t)c->owed : sizeof answers;
		ssize_t n = send(c->fd, answers, most, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (n < 0 && errno != EAGAIN) {
			return false;
		}
		if (n < 0) {
			break;
		}
		c->owed -= (uint64_t)n;
	}
	if (c->wants_write != (c->owed > 0)) {
		c->wants_write = c->owed > 0;
		struct epoll_event ev = { .events = EPOLLIN | (c->wants_write ? EPOLLOUT : 0U),
					  .data.fd = c->fd };
		epoll_ctl(s->epoll, EPOLL_CTL_MOD, c->fd, &ev);
	}
	return true;
}

static void end_turn(struct server *s, struct connection *c)
{
	c->turns++;
	note(s, c, NULL);
	c->owed += c->answer;
	c->part = HEAD_BODY;
	c->body = c->answer = 0;
	c->crc = TURN_DIGEST_INIT;
}

/* Return: false when it is no number, space or newline where there should be one */
static bool take_head(struct connection *c, uint8_t byte)
{
	uint64_t *number = c->part == HEAD_BODY ? &c->body : &c->answer;
	if (byte >= '0' && byte <= '9' && *number < TURN_BYTES_MAX) {
		*number = *number * 10 + (uint64_t)(byte - '0');
		return true;
	}
	if (byte != (c->part == HEAD_BODY ? ' ' : '\n')) {
		return false;
	}
	c->left = c->body;
	c->part = c->part == HEAD_BODY ? HEAD_ANSWER : BODY;
	return true;
}

/* Return: false for what is no turn */
static bool take(struct server *s, struct connection *c, const uint8_t *p, size_t n)
{
	c->bytes += n;
	c->digest = turn_digest(c->digest, p, n);
	while (n > 0) {
		size_t used = 1;
		if (c->part == BODY) {
			used = c->left < n ? (size_t)c->left : n;
			c->crc = turn_digest(c->crc, p, used);
			c->left -= used;
		} else if (!take_head(c, *p)) {
			return false;
		}
		p += used;
		n -= used;
		if (c->part == BODY && c->left == 0) {
			end_turn(s, c);
		}
	}
	return true;
}

static void serve(struct server *s, struct connection *c)
{
	ssize_t n = recv(c->fd, s->buffer, READ_BYTES, MSG_DONTWAIT);
	if (n < 0 && errno == EAGAIN) {
		if (!answer(s, c)) {
			close_connection(s, c, "rst");
		}
	} else if (n <= 0) {
		close_connection(s, c, n == 0 ? "fin" : "rst");
	} else if (!take(s, c, s->buffer, (size_t)n)) {
		close_connection(s, c, "garbled");
	} else if (!answer(s, c)) {
		close_connection(s, c, "rst");
	}
}

static void accept_one(struct server *s)
{
	struct sockaddr_in6 peer;
	socklen_t len = sizeof peer;
	int fd = accept4(s->listener, (struct sockaddr *)&peer, &len, SOCK_CLOEXEC);
	if (fd < 0) {
		return;
	}
	struct connection *c = (size_t)fd < s->table_size ? calloc(1, sizeof *c) : NULL;
	if (c == NULL) {
		die("take one more connection");
	}
	int one = 1;
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
	c->fd = fd;
	memcpy(c->ip.b, &peer.sin6_addr, sizeof c->ip.b);
	c->port = ntohs(peer.sin6_port);
	c->digest = c->crc = TURN_DIGEST_INIT;
	s->table[fd] = c;
	struct epoll_event ev = { .events = EPOLLIN, .data.fd = fd };
	epoll_ctl(s->epoll, EPOLL_CTL_ADD, fd, &ev);
}

/* --- beginning and end --- */

static void watch(struct server *s, int fd)
{
	struct epoll_event ev = { .events = EPOLLIN, .data.fd = fd };
	if (fd < 0 || epoll_ctl(s->epoll, EPOLL_CTL_ADD, fd, &ev) < 0) {
		die("watch for clients and SIGTERM");
	}
}

static void open_server(struct server *s, const struct options *opt)
{
	struct rlimit limit;
	getrlimit(RLIMIT_NOFILE, &limit);
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
	memset(answers, 'a', sizeof answers);
	*s = (struct server){ .port = opt->port,
			      .table_size = limit.rlim_cur,
			      .rows_size = ROWS_FIRST };
	s->table = calloc(s->table_size, sizeof *s->table);
	s->rows = calloc(s->rows_size, sizeof *s->rows);
	s->buffer = malloc(READ_BYTES);
	s->log = fopen(opt->log, "we");
	if (s->table == NULL || s->rows == NULL || s->buffer == NULL || s->log == NULL) {
		die("open the log");
	}

	s->listener = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int one = 1, zero = 0;
	setsockopt(s->listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
	setsockopt(s->listener, IPPROTO_IPV6, IPV6_V6ONLY, &zero, sizeof zero);
	struct tc_ip any = { { 0 } };
	struct sockaddr_in6 sa = turn_address(&any, opt->port);
	if (bind(s->listener, (struct sockaddr *)&sa, sizeof sa) < 0 ||
	    listen(s->listener, BACKLOG) < 0) {
		die("listen");
	}
	sigset_t set;
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigprocmask(SIG_BLOCK, &set, NULL);
	s->signals = signalfd(-1, &set, SFD_CLOEXEC);
	s->epoll = epoll_create1(EPOLL_CLOEXEC);
	watch(s, s->listener);
	watch(s, s->signals);
}

static void run(struct server *s)
{
	struct epoll_event events[EVENTS];
	for (;;) {
		int n = epoll_wait(s->epoll, events, EVENTS, s->n_rows > 0 ? PAUSE_MS : -1);
		if (n == 0) {
			write_rows(s);
		}
		for (int i = 0; i < n; i++) {
			int fd = events[i].data.fd;
			if (fd == s->signals) {
				return;
			}
			if (fd == s->listener) {
				accept_one(s);
			} else if (s->table[fd] != NULL) {
				serve(s, s->table[fd]);
			}
		}
	}
}

static void close_server(struct server *s)
{
	for (size_t fd = 0; fd < s->table_size; fd++) {
		if (s->table[fd] != NULL) {
			close_connection(s, s->table[fd], "open");
		}
	}
	write_rows(s);
	fclose(s->log);
	free(s->table);
	free(s->rows);
	free(s->buffer);
	close(s->listener);
	close(s->signals);
	close(s->epoll);
}

int main(int argc, char **argv)
{
	struct options opt;
	char error[TC_OPTION_ERROR_MAX];
	tc_option_defaults(option_table, &opt);
	if (tc_option_parse(option_table, &opt, argc, argv, NULL, error) < 0) {
		fprintf(stderr, "turn_server: %s\n", error);
		return TC_EXIT_USAGE;
	}
	if (opt.help) {
		printf("usage: turn_server -p PORT -l FILE\n\n"
		       "Answers turns until SIGTERM, and writes them down.\n\n");
		tc_option_help(option_table, stdout);
		return TC_EXIT_DONE;
	}
	if (opt.port == 0 || opt.log == NULL) {
		fprintf(stderr, "turn_server: a port and a log are needed: -p PORT -l FILE\n");
		return TC_EXIT_USAGE;
	}
	struct server s;
	open_server(&s, &opt);
	printf("ready\n");
	fflush(stdout);
	run(&s);
	close_server(&s);
	return TC_EXIT_DONE;
}
