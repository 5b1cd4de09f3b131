/* SPDX-License-Identifier: BSD-2-Clause
 * intercept/intercept.c - the loop
 *
 * Without -F the filter follows the targets that tcpcopies name. A welcome promises that their answers are told from then on, so it is
 * said when the filter is in place. Making one takes milliseconds, and a hello may come from anybody: so at most one is made in a second,
 * and who comes in between is welcomed by the tick.
 */
#include "intercept/intercept.h"

#include "answer/socket.h"
#include "capture/ring.h"
#include "cli/daemon.h"
#include "engine/watch.h"
#include "intercept/checks.h"
#include "intercept/targets.h"
#include "port/error.h"

#include <errno.h>
#include <event2/event.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/random.h>

/* Packets, and events of the channel, in one turn */
#define PACKETS_MAX 4096
#define EVENTS_MAX 1024
#define TICK (1 * TC_SEC)
#define FOLLOW_EVERY (1 * TC_SEC)
/* From the first tcpcopy on: enough for an answer of a target that is busy */
#define SILENCE (5 * TC_SEC)
#define SLOTS_MAX (1 + TC_RELAY_PEERS + TC_SERVER_STRANGERS)

enum { ON_TERM, ON_INT, ON_USR1, ON_HUP, SIGNALS };
static const int signal_numbers[SIGNALS] = { SIGTERM, SIGINT, SIGUSR1, SIGHUP };

struct tc_intercept {
	const struct tc_intercept_settings *set;
	const struct tc_clock *clock;
	struct tc_log *log;
	const char *log_path;
	tc_time begin;
	tc_time tick_at;
	bool stop;
	bool more; /* the last turn left work behind */

	struct event_base *base;
	struct event *signals[SIGNALS];
	struct event *timer;
	struct tc_watch capture_watch;
	struct tc_watch watches[SLOTS_MAX];

	struct tc_channel_server *server;
	unsigned conn_of[TC_RELAY_PEERS]; /* 0: none */
	unsigned peer_of[SLOTS_MAX];	  /* TC_RELAY_PEERS: none */
	struct tc_targets targets;

	void *relay_mem; /* owned, mapped */
	size_t relay_bytes;
	struct tc_relay *relay;

	struct tc_capture *capture;
	char *filter;	   /* its text; owned */
	tc_time follow_at; /* no other filter before */
	unsigned waiting;  /* peers that are to be welcomed when there is one; a set */
	bool wide;	   /* it lets through what nobody asks for any more */
	uint64_t kernel_drops_told;
	uint32_t devices_down_told;
	bool heard;	    /* a tcpcopy has come */
	tc_time silence_at; /* look then whether anything was captured since */

	uint64_t turns;
	uint64_t passed;
	uint64_t ignored;
};

static tc_time clock_now(const struct tc_intercept *w)
{
	return w->clock->now(w->clock->ctx);
}

/* ---- capture ---- */

static int open_capture(struct tc_intercept *w, char *error)
{
	const struct tc_intercept_options *opt = w->set->opt;
	struct tc_capture_ring_config cfg = {
		.devices = w->set->devices,
		.n_devices = w->set->n_devices,
		.filter = w->filter,
		.own_filter = opt->filter != NULL,
		.headers_only = true,
		.bytes = (size_t)opt->buffer_bytes,
		.timeout_ms = (unsigned)((opt->latency_ns + TC_MS - 1) / TC_MS),
		.clock = w->clock,
	};
	return tc_capture_ring_new(&cfg, &w->capture, error);
}

static bool is_passed(const struct tc_intercept *w, const struct tc_ip *ip)
{
	for (unsigned i = 0; i < w->set->n_pass; i++) {
		if (tc_ip_eq(&w->set->pass[i], ip)) {
			return true;
		}
	}
	return false;
}

static void on_packet(struct tc_intercept *w, struct tc_packet *pkt, tc_time now)
{
	const struct tc_intercept_settings *s = w->set;
	if (s->n_pass > 0 && is_passed(w, &pkt->dst)) {
		w->passed++;
		return;
	}
	for (unsigned i = 0; i < s->n_containers; i++) {
		if (tc_ip_eq(&s->containers[i].inside, &pkt->src)) {
			pkt->src = s->containers[i].target;
			break;
		}
	}
	tc_relay_on_packet(w->relay, pkt, now);
}

/* Give captured packets to the relay; true when there may be more than it took. */
static bool drain(struct tc_intercept *w, tc_time now)
{
	struct tc_packet pkt;
	for (unsigned i = 0; i < PACKETS_MAX; i++) {
		if (!w->capture->ops->next(w->capture, now, &pkt)) {
			return false;
		}
		on_packet(w, &pkt, now);
	}
	return true;
}

/* Capture the answers of the targets that are known by now; false when it is too early for another filter. */
static bool follow_targets(struct tc_intercept *w, tc_time now)
{
	char *filter = NULL;
	char error[TC_DRIVER_ERROR_MAX];
	if (w->set->opt->filter != NULL) {
		return true;
	}
	int r = tc_targets_filter(&w->targets, w->set, &filter);
	if (r < 0) {
		TC_LOG_LIMITED(w->log, now, TC_LOG_ERROR, "cannot make a filter: out of memory");
		return true;
	}
	bool same = strcmp(filter, w->filter) == 0;
	if (same || now < w->follow_at) {
		free(filter);
		return same;
	}
	w->follow_at = now + FOLLOW_EVERY;
	if (tc_capture_ring_refilter(w->capture, filter, error) < 0) {
		TC_LOG_LIMITED(w->log, now, TC_LOG_ERROR,
			       "%s: not all targets are captured: see -F", error);
		free(filter);
		return true;
	}
	free(w->filter);
	w->filter = filter;
	TC_LOG_LIMITED(w->log, now, TC_LOG_INFO, "capturing filter=\"%s\"", filter);
	if (r == TC_TARGETS_E_LEFT_OUT) {
		TC_LOG_LIMITED(w->log, now, TC_LOG_WARNING,
			       "not all targets are captured: without a key there may be %u "
			       "addresses: give --key, or -F",
			       TC_TARGETS_HOSTS_MAX);
	}
	return true;
}

/* ---- tcpcopies ---- */

static bool is_any_here(const struct tc_intercept *w)
{
	for (unsigned p = 0; p < TC_RELAY_PEERS; p++) {
		if (w->conn_of[p] != 0) {
			return true;
		}
	}
	return false;
}

static void welcome_waiting(struct tc_intercept *w, tc_time now)
{
	if (w->waiting == 0 || !follow_targets(w, now)) {
		return;
	}
	for (unsigned p = 0; p < TC_RELAY_PEERS; p++) {
		if ((w->waiting >> p & 1) != 0) {
			tc_channel_server_welcome(w->server, w->conn_of[p]);
		}
	}
	w->waiting = 0;
}

static void on_hello(struct tc_intercept *w, const struct tc_server_event *ev, tc_time now)
{
	char from[TC_SOCKET_TEXT_MAX];
	unsigned peer;
	bool first = !w->set->opt->keep_first || !is_any_here(w);
	if (!first || tc_relay_on_hello(w->relay, &ev->hello, now, &peer) < 0) {
		tc_channel_server_refuse(w->server, ev->conn, TC_CHANNEL_REFUSE_BUSY);
		return;
	}
	unsigned old = w->conn_of[peer];
	if (old != 0) {
		w->peer_of[old] = TC_RELAY_PEERS;
		tc_channel_server_drop(w->server, old, "the same tcpcopy has connected anew");
	}
	w->conn_of[peer] = ev->conn;
	w->peer_of[ev->conn] = peer;
	if (!w->heard) {
		w->heard = true;
		w->silence_at = now + SILENCE;
	}
	tc_targets_set(&w->targets, peer, &ev->hello);
	w->waiting |= 1u << peer;
	welcome_waiting(w, now);
	TC_LOG_LIMITED(w->log, now, TC_LOG_INFO,
		       "a tcpcopy has come from=%s software=\"%s\" targets=%u authenticated=%s",
		       tc_socket_text(&ev->ip, ev->port, from), ev->hello.software,
		       ev->hello.n_targets, w->set->has_key ? "yes" : "no");
}

static void on_closed(struct tc_intercept *w, const struct tc_server_event *ev, tc_time now)
{
	char from[TC_SOCKET_TEXT_MAX];
	tc_socket_text(&ev->ip, ev->port, from);
	unsigned peer = w->peer_of[ev->conn];
	w->peer_of[ev->conn] = TC_RELAY_PEERS;
	if (peer < TC_RELAY_PEERS) {
		w->conn_of[peer] = 0;
		w->waiting &= ~(1u << peer);
		tc_relay_on_gone(w->relay, peer, now);
	}
	if (ev->was_up) {
		TC_LOG_LIMITED(w->log, now, TC_LOG_INFO, "a tcpcopy has gone from=%s why=\"%s\"",
			       from, ev->text);
	} else {
		TC_LOG_LIMITED(w->log, now, TC_LOG_WARNING, "no tcpcopy of ours from=%s why=\"%s\"",
			       from, ev->text);
	}
}

static void on_announce(struct tc_intercept *w, unsigned conn, const struct tc_tuple *tuple,
			tc_time now)
{
	unsigned peer = w->peer_of[conn];
	if (!w->set->has_key) {
		/* anybody could have the answers of anybody's connections told to him */
		w->ignored++;
		return;
	}
	if (!tc_relay_on_announce(w->relay, peer, tuple, now)) {
		return; /* counted there; tcpcopy does not wait for it */
	}
	uint8_t batch[TC_CHANNEL_HEAD + TC_CHANNEL_TUPLE_LEN];
	struct tc_channel_head head = { .type = TC_CHANNEL_ANNOUNCED,
					.version = TC_CHANNEL_VERSION,
					.count = 1,
					.length = TC_CHANNEL_TUPLE_LEN };
	tc_channel_head_encode(&head, batch);
	(void)tc_channel_tuple_encode(tuple, batch + TC_CHANNEL_HEAD, TC_CHANNEL_TUPLE_LEN);
	(void)tc_channel_server_put(w->server, conn, batch, sizeof batch);
}

/* What the channel's other ends have said; true when there may be more. */
static bool take_events(struct tc_intercept *w, tc_time now)
{
	struct tc_server_event ev;
	for (unsigned i = 0; i < EVENTS_MAX; i++) {
		if (!tc_channel_server_next(w->server, &ev)) {
			return false;
		}
		switch (ev.kind) {
		case TC_SERVER_HELLO:
			on_hello(w, &ev, now);
			break;
		case TC_SERVER_ANNOUNCE:
			on_announce(w, ev.conn, &ev.tuple, now);
			break;
		case TC_SERVER_DISOWN:
			tc_relay_on_disown(w->relay, w->peer_of[ev.conn], &ev.tuple);
			break;
		case TC_SERVER_CLOSED:
			on_closed(w, &ev, now);
			break;
		}
	}
	return true;
}

/* One batch for each tcpcopy that has taken the one before; true when one of them could take more. */
static bool tell(struct tc_intercept *w)
{
	bool more = false;
	for (unsigned p = 0; p < TC_RELAY_PEERS; p++) {
		unsigned conn = w->conn_of[p];
		size_t room;
		if (conn == 0 || !tc_relay_has_batch(w->relay, p)) {
			continue;
		}
		uint8_t *at = tc_channel_server_room(w->server, conn, &room);
		if (at == NULL) {
			continue;
		}
		tc_channel_server_send(w->server, conn, tc_relay_next_batch(w->relay, p, at, room));
		more |= tc_relay_has_batch(w->relay, p) &&
			tc_channel_server_room(w->server, conn, &room) != NULL;
	}
	return more;
}

/* ---- once a second ---- */

static void tell_losses(struct tc_intercept *w, const struct tc_capture_stats *s, tc_time now)
{
	if (s->kernel_drops > w->kernel_drops_told) {
		TC_LOG_LIMITED(w->log, now, TC_LOG_WARNING,
			       "the kernel lost packets of the target: see --buffer lost=%llu",
			       (unsigned long long)(s->kernel_drops - w->kernel_drops_told));
		w->kernel_drops_told = s->kernel_drops;
	}
	if (s->devices_down != w->devices_down_told) {
		TC_LOG_LIMITED(w->log, now, TC_LOG_WARNING,
			       "devices that are down are waited for: ip link set DEV up down=%u",
			       s->devices_down);
		w->devices_down_told = s->devices_down;
	}
}

/* Said once: a target may also be silent because nobody asks it. */
static void tell_silence(struct tc_intercept *w, const struct tc_capture_stats *s, tc_time now)
{
	if (now < w->silence_at) {
		return;
	}
	w->silence_at = TC_TIME_NEVER;
	if (s->pkts == 0 && s->devices_down == 0 && is_any_here(w)) {
		tc_check_silence(w->set, w->filter, w->log);
	}
}

/* Do not capture for ever what somebody asked for once. */
static void forget_targets(struct tc_intercept *w, tc_time now)
{
	for (unsigned p = 0; p < TC_RELAY_PEERS; p++) {
		if (w->targets.n[p] > 0 && !tc_relay_has_peer(w->relay, p)) {
			tc_targets_forget(&w->targets, p);
			w->wide = true;
		}
	}
	w->wide = w->wide && !follow_targets(w, now);
}

static void on_tick(struct tc_intercept *w, tc_time now)
{
	struct tc_capture_stats s;
	w->tick_at = now + TICK;
	tc_relay_on_deadline(w->relay, now);
	w->capture->ops->stats(w->capture, &s);
	tell_losses(w, &s, now);
	tell_silence(w, &s, now);
	forget_targets(w, now);
	welcome_waiting(w, now);
	for (unsigned p = 0; p < TC_RELAY_PEERS; p++) {
		if (w->conn_of[p] == 0) {
			continue;
		}
		struct tc_channel_stats told;
		uint8_t batch[TC_CHANNEL_HEAD + 32];
		tc_relay_peer_stats(w->relay, p, &told);
		told.pkts = s.pkts;
		told.kernel_drops = s.kernel_drops;
		size_t n = tc_channel_stats_encode(&told, batch, sizeof batch);
		(void)tc_channel_server_put(w->server, w->conn_of[p], batch, n);
	}
}

/* ---- the loop ---- */

static void turn(struct tc_intercept *w)
{
	tc_time now = clock_now(w);
	w->turns++;
	for (unsigned i = 0; i < tc_channel_server_slots(w->server); i++) {
		if (tc_watch_take(&w->watches[i], now)) {
			tc_channel_server_on_ready(w->server, i, now);
		}
	}
	bool more = take_events(w, now);
	(void)tc_watch_take(&w->capture_watch, now);
	more |= drain(w, now);
	more |= tell(w);
	if (now >= w->tick_at) {
		on_tick(w, now);
	}
	w->more = more;
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	(void)arg; /* the turn that follows looks at the clock itself */
}

/* Wait for what the capture and the channel ask for. */
static void arm(struct tc_intercept *w)
{
	struct tc_wait wait;
	w->capture->ops->wait(w->capture, &wait);
	tc_watch_set(&w->capture_watch, w->base, &wait, w->tick_at);
	tc_time deadline = tc_time_min(w->tick_at, w->capture_watch.deadline);
	for (unsigned i = 0; i < tc_channel_server_slots(w->server); i++) {
		tc_channel_server_wait(w->server, i, &wait);
		tc_watch_set(&w->watches[i], w->base, &wait, w->tick_at);
		deadline = tc_time_min(deadline, w->watches[i].deadline);
	}
	tc_time left = tc_time_max(deadline - clock_now(w), 0);
	struct timeval tv = { .tv_sec = left / TC_SEC,
			      .tv_usec = (left % TC_SEC + TC_US - 1) / TC_US };
	event_add(w->timer, &tv);
}

int tc_intercept_run(struct tc_intercept *w)
{
	while (!w->stop) {
		arm(w);
		if (event_base_loop(w->base, EVLOOP_ONCE | (w->more ? EVLOOP_NONBLOCK : 0)) < 0) {
			return -EIO;
		}
		turn(w);
	}
	return 0;
}

/* Through the log: a terminal or pipe that takes nothing must not stop the loop. */
static void tell_summary(struct tc_intercept *w)
{
	struct tc_summary s;
	char *text = NULL;
	size_t n = 0;
	FILE *to = open_memstream(&text, &n);
	if (to == NULL) {
		return;
	}
	tc_intercept_summary(w, &s);
	tc_summary_text(&s, to);
	if (fclose(to) == 0) {
		tc_log_text(w->log, text, n);
	}
	free(text);
}

static void on_signal(evutil_socket_t number, short what, void *arg)
{
	(void)what;
	struct tc_intercept *w = arg;
	char error[TC_DAEMON_ERROR_MAX];
	switch (number) {
	case SIGUSR1:
		tell_summary(w);
		break;
	case SIGHUP:
		if (w->log_path != NULL && tc_log_file_open(w->log_path, error) < 0) {
			tc_log(w->log, TC_LOG_ERROR, "%s", error);
		}
		break;
	default:
		w->stop = true;
	}
}

void tc_intercept_summary(struct tc_intercept *w, struct tc_summary *ret)
{
	*ret = (struct tc_summary){ .elapsed = clock_now(w) - w->begin,
				    .turns = w->turns,
				    .passed = w->passed,
				    .ignored = w->ignored };
	w->capture->ops->stats(w->capture, &ret->capture);
	tc_relay_stats(w->relay, &ret->relay);
	tc_channel_server_stats(w->server, &ret->channel);
}

/* ---- start and end ---- */

void tc_intercept_hello(struct tc_intercept *w)
{
	char at[TC_SOCKET_TEXT_MAX] = "all addresses";
	if (w->set->has_bind) {
		tc_socket_text(&w->set->bind, tc_channel_server_port(w->server), at);
	}
	tc_log(w->log, TC_LOG_INFO, "listening at=\"%s\" port=%u key=%s", at,
	       tc_channel_server_port(w->server), w->set->has_key ? "yes" : "no");
	for (unsigned i = 0; i < w->set->n_devices; i++) {
		tc_log(w->log, TC_LOG_INFO, "capturing device=%s filter=\"%s\"", w->set->devices[i],
		       w->set->opt->filter != NULL ? w->filter : "as tcpcopies name their targets");
	}
	if (!w->set->has_key) {
		tc_log(w->log, TC_LOG_WARNING,
		       "without a key whoever reaches this port may connect: make one with tcpcopy "
		       "genkey FILE, and give --key FILE to both programs");
	}
	tc_check_forwarding(w->set, w->log);
}

static int open_loop(struct tc_intercept *w, char *error)
{
	struct event_config *config = event_config_new();
	if (config != NULL) {
		event_config_set_flag(config, EVENT_BASE_FLAG_PRECISE_TIMER);
		w->base = event_base_new_with_config(config);
		event_config_free(config);
	}
	if (w->base == NULL) {
		return tc_driver_say(error, -ENOMEM, "cannot make an event loop");
	}
	w->timer = evtimer_new(w->base, on_timer, NULL);
	bool ok = w->timer != NULL;
	for (unsigned i = 0; i < SIGNALS; i++) {
		w->signals[i] = evsignal_new(w->base, signal_numbers[i], on_signal, w);
		ok = ok && w->signals[i] != NULL && evsignal_add(w->signals[i], NULL) == 0;
	}
	return ok ? 0 : tc_driver_say(error, -ENOMEM, "cannot wait for signals");
}

static int open_relay(struct tc_intercept *w, char *error)
{
	const struct tc_intercept_options *opt = w->set->opt;
	struct tc_relay_config cfg = { .flows = (uint32_t)opt->flows,
				       .queue = (uint32_t)opt->queue,
				       .offers_per_second = (uint32_t)opt->offers,
				       .flow_idle = opt->idle_ns };
	if (getrandom(&cfg.table_key, sizeof cfg.table_key, 0) != sizeof cfg.table_key) {
		return tc_driver_error(error, -EIO, "no random numbers from the kernel");
	}
	w->relay_bytes = tc_relay_bytes(&cfg);
	w->relay_mem = mmap(NULL, w->relay_bytes, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (w->relay_mem == MAP_FAILED) {
		w->relay_mem = NULL;
		return tc_driver_error(error, -errno, "cannot map %zu MB for --flows and --queue",
				       w->relay_bytes >> 20);
	}
	w->relay = tc_relay_init(w->relay_mem, &cfg, w->begin);
	return 0;
}

static int open_server(struct tc_intercept *w, char *error)
{
	struct tc_channel_server_config cfg = {
		.ip = w->set->has_bind ? &w->set->bind : NULL,
		.port = (uint16_t)w->set->opt->port,
		.key = w->set->has_key ? &w->set->key : NULL,
		.software = "intercept " TC_VERSION,
		.peers = TC_RELAY_PEERS,
	};
	return tc_channel_server_new(&cfg, &w->server, error);
}

static int open_first_capture(struct tc_intercept *w, char *error)
{
	int r = 0;
	if (w->set->opt->filter != NULL) {
		w->filter = strdup(w->set->opt->filter);
		r = w->filter != NULL ? 0 : -ENOMEM;
	} else {
		r = tc_targets_filter(&w->targets, w->set, &w->filter);
	}
	return r < 0 ? tc_driver_error(error, r, "cannot make a filter") : open_capture(w, error);
}

int tc_intercept_new(const struct tc_intercept_settings *set, struct tc_log *log,
		     const char *log_path, const struct tc_clock *clock, struct tc_intercept **ret,
		     char *ret_error)
{
	struct tc_intercept *w = calloc(1, sizeof *w);
	if (w == NULL) {
		return tc_driver_error(ret_error, -ENOMEM, "cannot start");
	}
	w->set = set;
	w->clock = clock;
	w->log = log;
	w->log_path = log_path;
	w->begin = w->tick_at = clock_now(w);
	w->silence_at = TC_TIME_NEVER;
	tc_watch_init(&w->capture_watch);
	for (unsigned i = 0; i < SLOTS_MAX; i++) {
		tc_watch_init(&w->watches[i]);
		w->peer_of[i] = TC_RELAY_PEERS;
	}
	int r = open_first_capture(w, ret_error);
	if (r == 0) {
		r = open_relay(w, ret_error);
	}
	if (r == 0) {
		r = open_server(w, ret_error);
	}
	if (r == 0) {
		r = open_loop(w, ret_error);
	}
	if (r < 0) {
		tc_intercept_free(w);
		return r;
	}
	*ret = w;
	return 0;
}

void tc_intercept_free(struct tc_intercept *w)
{
	if (w == NULL) {
		return;
	}
	tc_watch_fini(&w->capture_watch);
	for (unsigned i = 0; i < SLOTS_MAX; i++) {
		tc_watch_fini(&w->watches[i]);
	}
	for (unsigned i = 0; i < SIGNALS; i++) {
		if (w->signals[i] != NULL) {
			event_free(w->signals[i]);
		}
	}
	if (w->timer != NULL) {
		event_free(w->timer);
	}
	if (w->base != NULL) {
		event_base_free(w->base);
	}
	tc_channel_server_free(w->server);
	if (w->capture != NULL) {
		w->capture->ops->free(w->capture);
	}
	if (w->relay_mem != NULL) {
		munmap(w->relay_mem, w->relay_bytes);
	}
	free(w->filter);
	free(w);
}
