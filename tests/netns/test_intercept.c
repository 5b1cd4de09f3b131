/* SPDX-License-Identifier: BSD-2-Clause
 * test_intercept.c - a tcpcopy that only listens: one channel to an intercept, each thing it is told as a line on stdout
 *
 *     intercept_peer listen INTERCEPT PORT INSTANCE TARGET PORT [--key FILE] [--announce CLIENT PORT] [--disown CLIENT PORT]
 *         up, down, announced CLIENT PORT, text WORDS, and for each report:
 *         answer CLIENT PORT TARGET PORT FLAGS SEQ ACK WIN LENGTH MERGED
 *     intercept_peer isn INSTANCE CLIENT PORT TARGET PORT
 *         the marked initial sequence number that this instance would use
 *
 * The mark key follows from the instance. Announced and disowned are tuples to the target, once the channel is up.
 */
#include "answer/client.h"
#include "engine/clock.h"
#include "port/error.h"
#include "wire/mark.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#define ANNOUNCES_MAX 8

struct tell {
	bool disown;
	struct tc_tuple tuple;
};

static struct tc_siphash_key key_of(uint64_t instance)
{
	return (struct tc_siphash_key){ instance, ~instance };
}

static void die(const char *what)
{
	fprintf(stderr, "intercept_peer: %s\n", what);
	exit(2);
}

static struct tc_ip ip_of(const char *text)
{
	struct tc_ip ip;
	if (tc_ip_parse(text, &ip) < 0) {
		die(text);
	}
	return ip;
}

static uint16_t port_of(const char *text)
{
	return (uint16_t)strtoul(text, NULL, 10);
}

static const char *text_of(const struct tc_ip *ip)
{
	static char bufs[2][TC_IP_TEXT_MAX];
	static unsigned turn;
	turn = !turn;
	return tc_ip_format(ip, bufs[turn], TC_IP_TEXT_MAX);
}

static void print_answer(const struct tc_answer *a)
{
	printf("answer %s %u %s %u %u %u %u %u %u %u\n", text_of(&a->client), a->tcp.dst_port,
	       text_of(&a->target), a->tcp.src_port, a->tcp.flags, a->tcp.seq.v, a->tcp.ack.v,
	       a->tcp.win, a->payload_len, a->merged);
}

static void print_text(struct tc_answers *a)
{
	static char last[512];
	const char *text = a->ops->text(a, 0);
	if (strcmp(text, last) != 0) {
		snprintf(last, sizeof last, "%s", text);
		printf("text %s\n", text);
	}
}

static void print_events(struct tc_answers *a, const struct tell *tells, unsigned n)
{
	struct tc_event ev;
	while (a->ops->next_event(a, &ev)) {
		switch (ev.kind) {
		case TC_EVENT_CHANNEL_UP:
			printf("up\n");
			for (unsigned i = 0; i < n; i++) {
				(void)(tells[i].disown ? a->ops->disown(a, &tells[i].tuple) :
							 a->ops->announce(a, &tells[i].tuple));
			}
			break;
		case TC_EVENT_CHANNEL_DOWN:
			printf("down\n");
			break;
		case TC_EVENT_ANNOUNCED:
			printf("announced %s %u\n", text_of(&ev.tuple.client),
			       ev.tuple.client_port);
			break;
		default:
			break;
		}
	}
}

static void listen_for_ever(struct tc_answers *a, const struct tell *tells, unsigned n)
{
	const struct tc_clock *clock = tc_clock_system();
	for (;;) {
		struct tc_wait wait;
		struct tc_answer ans;
		a->ops->on_ready(a, 0, clock->now(clock->ctx));
		while (a->ops->next(a, &ans)) {
			print_answer(&ans);
		}
		print_events(a, tells, n);
		print_text(a);
		fflush(stdout);
		a->ops->wait(a, 0, &wait);
		struct pollfd p = { .fd = wait.fd,
				    .events = (short)((wait.read ? POLLIN : 0) |
						      (wait.write ? POLLOUT : 0)) };
		tc_time left = wait.deadline - clock->now(clock->ctx);
		if (poll(&p, 1, left <= 0 ? 0 : (int)(left / TC_MS) + 1) < 0 && errno != EINTR) {
			die("poll failed");
		}
	}
}

static int listen_main(int argc, char **argv)
{
	if (argc < 7) {
		die("listen INTERCEPT PORT INSTANCE TARGET PORT ...");
	}
	uint64_t instance = strtoull(argv[4], NULL, 10);
	struct tc_channel_target at = { ip_of(argv[2]), port_of(argv[3]) };
	struct tc_channel_hello hello = { .instance = instance,
					  .mark_key = key_of(instance),
					  .n_targets = 1,
					  .targets = { { ip_of(argv[5]), port_of(argv[6]) } },
					  .software = "intercept_peer" };
	struct tc_key key;
	struct tc_answers_client_config cfg = { .intercepts = &at,
						.n_intercepts = 1,
						.hello = &hello };
	char error[TC_DRIVER_ERROR_MAX];
	struct tell tells[ANNOUNCES_MAX];
	unsigned n = 0;
	for (int i = 7; i < argc; i++) {
		bool announce = strcmp(argv[i], "--announce") == 0;
		if (strcmp(argv[i], "--key") == 0 && i + 1 < argc) {
			if (tc_key_read(argv[++i], &key, error) < 0) {
				die(error);
			}
			cfg.key = &key;
		} else if ((announce || strcmp(argv[i], "--disown") == 0) && i + 2 < argc &&
			   n < ANNOUNCES_MAX) {
			tells[n++] = (struct tell){
				.disown = !announce,
				.tuple = { .client = ip_of(argv[i + 1]),
					   .client_port = port_of(argv[i + 2]),
					   .server = hello.targets[0].ip,
					   .server_port = hello.targets[0].port },
			};
			i += 2;
		} else {
			die(argv[i]);
		}
	}
	struct tc_answers *a;
	if (tc_answers_client_new(&cfg, &a, error) < 0) {
		die(error);
	}
	listen_for_ever(a, tells, n);
	return 0;
}

static int isn_main(int argc, char **argv)
{
	if (argc != 7) {
		die("isn INSTANCE CLIENT PORT TARGET PORT");
	}
	struct tc_siphash_key key = key_of(strtoull(argv[2], NULL, 10));
	struct tc_tuple t = { .client = ip_of(argv[3]),
			      .client_port = port_of(argv[4]),
			      .server = ip_of(argv[5]),
			      .server_port = port_of(argv[6]) };
	printf("%u\n", tc_mark_make(&key, &t, 7).isn.v);
	return 0;
}

int main(int argc, char **argv)
{
	if (argc > 1 && strcmp(argv[1], "listen") == 0) {
		return listen_main(argc, argv);
	}
	if (argc > 1 && strcmp(argv[1], "isn") == 0) {
		return isn_main(argc, argv);
	}
	die("listen or isn");
}
