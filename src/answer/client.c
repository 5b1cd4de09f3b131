/* SPDX-License-Identifier: BSD-2-Clause
 * answer/client.c - tcpcopy's end of the channel
 *
 * What an intercept sends is taken batch by batch by take_batch(). A batch of ANSWERS stays where it lies while next() takes its records
 * one by one; all others are dealt with at once, whoever asked for the next batch.
 *
 * When the other side closes, what it sent before may still be in the buffer: such a channel has .ended set and is given up when the
 * last batch was taken.
 */
#include "answer/client.h"

#include "answer/link.h"
#include "answer/socket.h"
#include "port/error.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#define CONNECT_LIMIT (3 * TC_SEC)
#define GREETING_LIMIT (5 * TC_SEC) /* from connected to welcomed: TLS and the hello */
#define PING_EVERY (1 * TC_SEC)
/* So many in a row without a word: gone. Counted, not timed: a process that was stopped for a while has not asked. */
#define PINGS_UNANSWERED_MAX 4
#define BACKOFF_MIN (100 * TC_MS)
#define BACKOFF_MAX (1 * TC_SEC)
#define TEXT_MAX 320
/* Announced tuples that wait for next_event(); more are dropped: nothing waits for them. */
#define ANNOUNCED_MAX 256

enum state {
	IDLE,	    /* no socket; deadline: .retry_at; exit: CONNECTING */
	CONNECTING, /* no TLS yet; deadline: .limit; exits: HANDSHAKE, IDLE */
	HANDSHAKE,  /* TLS begins; deadline: .limit; exits: GREETING, IDLE */
	GREETING,   /* the hello is on its way; deadline: .limit; exits: UP, IDLE */
	UP,	    /* welcomed; deadline: .ping_at; exit: IDLE */
};

struct channel {
	struct tc_channel_target where;
	enum state state;
	int fd; /* owned while CONNECTING; the link's afterwards */
	tc_time limit;
	tc_time retry_at;
	tc_time backoff;
	tc_time up_at;
	tc_time ping_at;
	unsigned unanswered; /* pings since the other side was heard */
	bool ended;	     /* the other side closed, or the connection broke */
	unsigned answers_left;
	struct tc_view answers; /* of the link's present batch */
	struct tc_channel_stats peer;
	char text[TEXT_MAX];
	struct tc_link link;
};

struct client {
	struct tc_answers base;
	struct tc_tls *tls; /* owned */
	bool has_key;
	tc_time now; /* of the last on_ready() */
	struct tc_channel_hello hello;
	struct tc_answers_stats stats;
	bool down_pending;
	bool up_pending;
	unsigned announced_head;
	unsigned announced_used;
	struct tc_tuple announced[ANNOUNCED_MAX];
	unsigned turn; /* of the channels, who is asked first */
	unsigned n;
	struct channel channels[];
};

/* Every ops function gets the first member of a struct client. */
static struct client *client_of(struct tc_answers *a)
{
	return (struct client *)a;
}

static void __attribute__((format(printf, 2, 3))) say(struct channel *ch, const char *fmt, ...)
{
	va_list args;
	va_start(args, fmt);
	(void)vsnprintf(ch->text, sizeof ch->text, fmt, args);
	va_end(args);
}

static const char *where(const struct channel *ch, char buf[TC_SOCKET_TEXT_MAX])
{
	return tc_socket_text(&ch->where.ip, ch->where.port, buf);
}

/* Give the connection up; its .text says why. */
static void lose(struct client *c, struct channel *ch)
{
	if (ch->state == CONNECTING) {
		close(ch->fd);
	}
	tc_link_close(&ch->link);
	ch->answers_left = 0;
	if (ch->state == UP) {
		c->stats.disconnects++;
		c->stats.up--;
		if (c->now - ch->up_at > BACKOFF_MAX) {
			ch->backoff = BACKOFF_MIN;
		}
		if (c->stats.up == 0) {
			c->down_pending = true;
			c->up_pending = false;
		}
	}
	ch->state = IDLE;
	ch->retry_at = c->now + ch->backoff;
	ch->backoff = tc_time_min(2 * ch->backoff, BACKOFF_MAX);
}

static void lose_malformed(struct client *c, struct channel *ch)
{
	char at[TC_SOCKET_TEXT_MAX];
	say(ch, "gave up the channel to %s: a batch contradicts itself", where(ch, at));
	c->stats.malformed++;
	lose(c, ch);
}

/* ---- from the first packet to the welcome ---- */

/* What to do about a connection that could not be made, or NULL */
static const char *remedy(int err)
{
	switch (err) {
	case -ECONNREFUSED:
		return "nothing listens there: start intercept on that host, or name its port: -s "
		       "HOST:PORT";
	case -ETIMEDOUT:
		return "is that host up (ping HOST), and does a firewall let this TCP port through";
	case -EHOSTUNREACH:
	case -ENETUNREACH:
		return "is that host up, and is the way to it right: ip route get HOST";
	default:
		return NULL;
	}
}

static void lose_connecting(struct client *c, struct channel *ch, int err)
{
	char at[TC_SOCKET_TEXT_MAX];
	char cause[TC_SOCKET_ERROR_MAX];
	const char *what = remedy(err);
	say(ch, "cannot connect to %s: %s%s%s", where(ch, at), tc_socket_error(-err, cause),
	    what != NULL ? ": " : "", what != NULL ? what : "");
	lose(c, ch);
}

static void start(struct client *c, struct channel *ch)
{
	int fd = tc_socket_connect(&ch->where.ip, ch->where.port);
	if (fd < 0) {
		lose_connecting(c, ch, fd);
		return;
	}
	ch->fd = fd;
	ch->state = CONNECTING;
	ch->limit = c->now + CONNECT_LIMIT;
}

static void on_connecting(struct client *c, struct channel *ch)
{
	int r = tc_socket_is_connected(ch->fd, &ch->where.ip, ch->where.port);
	if (r == -EINPROGRESS) {
		if (c->now >= ch->limit) {
			lose_connecting(c, ch, -ETIMEDOUT);
		}
		return;
	}
	if (r < 0) {
		lose_connecting(c, ch, r);
		return;
	}
	ch->state = HANDSHAKE; /* the descriptor is the link's now */
	ch->limit = c->now + GREETING_LIMIT;
	r = tc_link_open(&ch->link, c->tls, ch->fd);
	if (r < 0) {
		lose_connecting(c, ch, r);
	}
}

static void on_handshake(struct client *c, struct channel *ch)
{
	char at[TC_SOCKET_TEXT_MAX];
	int r = tc_tls_handshake(&ch->link.tls);
	if (r == TC_TLS_E_AGAIN) {
		if (c->now >= ch->limit) {
			say(ch, "no greeting from %s: what listens there is no intercept, or hangs",
			    where(ch, at));
			lose(c, ch);
		}
		return;
	}
	if (r < 0) {
		say(ch,
		    "cannot greet %s: %s: what listens there may be no intercept, or an old one",
		    where(ch, at), ch->link.tls.why);
		lose(c, ch);
		return;
	}
	if (c->has_key && ch->link.tls.key_state != TC_TLS_KEY_SAME) {
		say(ch,
		    "refused by us: %s has another key, or none: give --key with the same file "
		    "on both hosts",
		    where(ch, at));
		c->stats.refused++;
		lose(c, ch);
		return;
	}
	size_t room;
	uint8_t *p = tc_link_room(&ch->link, &room);
	tc_link_commit(&ch->link, tc_channel_hello_encode(&c->hello, p, room));
	ch->state = GREETING;
	ch->ended = false;
}

static void welcome(struct client *c, struct channel *ch, const char *software)
{
	char at[TC_SOCKET_TEXT_MAX];
	say(ch, "connected to %s: %s, %s", where(ch, at), software[0] ? software : "intercept",
	    c->has_key ? "with key" :
			 "encrypted, but without a key not authenticated: see tcpcopy genkey");
	ch->state = UP;
	ch->up_at = c->now;
	ch->ping_at = c->now + PING_EVERY;
	ch->unanswered = 0;
	ch->answers_left = 0;
	c->stats.connects++;
	c->stats.up++;
	c->up_pending = true;
}

static void on_greeting(struct client *c, struct channel *ch)
{
	char at[TC_SOCKET_TEXT_MAX];
	struct tc_channel_head head;
	struct tc_view body;
	int r = tc_link_next(&ch->link, &head, &body);
	if (r == TC_CHANNEL_E_MORE) {
		if (ch->ended || c->now >= ch->limit) {
			say(ch, "no welcome from %s: %s", where(ch, at),
			    ch->ended ? ch->link.tls.why : "timed out");
			lose(c, ch);
		}
		return;
	}
	/* a refusal is understood whatever version it has: it may be about that */
	struct tc_channel_refuse refuse;
	if (r == 0 && head.type == TC_CHANNEL_REFUSE &&
	    tc_channel_refuse_decode(body, &refuse) == 0) {
		say(ch, "refused by %s: %s", where(ch, at),
		    refuse.text[0] ? refuse.text : tc_channel_refusal_text(refuse.code));
		c->stats.refused++;
		lose(c, ch);
		return;
	}
	char software[32];
	if (r != 0 || head.type != TC_CHANNEL_WELCOME || head.version != TC_CHANNEL_VERSION ||
	    tc_channel_welcome_decode(body, software) != 0) {
		lose_malformed(c, ch);
		return;
	}
	welcome(c, ch, software);
}

/* ---- batches ---- */

static int on_announced(struct client *c, unsigned count, struct tc_view body)
{
	for (; count > 0; count--) {
		struct tc_tuple t;
		if (tc_channel_tuple_decode(&body, &t) != 0) {
			return TC_CHANNEL_E_MALFORMED;
		}
		if (c->announced_used < ANNOUNCED_MAX) {
			unsigned at = (c->announced_head + c->announced_used) % ANNOUNCED_MAX;
			c->announced[at] = t;
			c->announced_used++;
		}
	}
	return body.n == 0 ? 0 : TC_CHANNEL_E_MALFORMED;
}

/* Count what an intercept says of itself: the sum over all of them, each counted from its own start. */
static void on_stats(struct client *c, struct channel *ch, const struct tc_channel_stats *now)
{
	const struct tc_channel_stats *old = &ch->peer;
	if (now->pkts >= old->pkts && now->kernel_drops >= old->kernel_drops &&
	    now->stray >= old->stray) {
		c->stats.peer_pkts += now->pkts - old->pkts;
		c->stats.peer_drops += now->kernel_drops - old->kernel_drops;
		c->stats.peer_stray += now->stray - old->stray;
	} else { /* it was started again */
		c->stats.peer_pkts += now->pkts;
		c->stats.peer_drops += now->kernel_drops;
		c->stats.peer_stray += now->stray;
	}
	ch->peer = *now;
}

static int on_batch(struct client *c, struct channel *ch, const struct tc_channel_head *head,
		    struct tc_view body)
{
	struct tc_channel_stats stats;
	uint64_t token;
	if (head->version != TC_CHANNEL_VERSION) {
		return TC_CHANNEL_E_MALFORMED;
	}
	c->stats.batches++;
	switch (head->type) {
	case TC_CHANNEL_ANSWERS:
		ch->answers = body;
		ch->answers_left = head->count;
		return head->count > 0 || body.n == 0 ? 0 : TC_CHANNEL_E_MALFORMED;
	case TC_CHANNEL_ANNOUNCED:
		return on_announced(c, head->count, body);
	case TC_CHANNEL_STATS:
		if (tc_channel_stats_decode(body, &stats) != 0) {
			return TC_CHANNEL_E_MALFORMED;
		}
		on_stats(c, ch, &stats);
		return 0;
	case TC_CHANNEL_PONG:
		return tc_channel_ping_decode(body, &token);
	default:
		return 0; /* a later intercept may say more than we understand */
	}
}

/* Take the next batch of a channel that is up; false when there is none now, or the channel is no more. */
static bool take_batch(struct client *c, struct channel *ch)
{
	struct tc_channel_head head;
	struct tc_view body;
	int r = tc_link_next(&ch->link, &head, &body);
	if (r == TC_CHANNEL_E_MORE) {
		if (ch->ended) {
			char at[TC_SOCKET_TEXT_MAX];
			say(ch, "lost the channel to %s: %s", where(ch, at), ch->link.tls.why);
			lose(c, ch);
		}
		return false;
	}
	if (r != 0 || on_batch(c, ch, &head, body) != 0) {
		lose_malformed(c, ch);
		return false;
	}
	return true;
}

/* ---- a channel's turn ---- */

static void ping(struct client *c, struct channel *ch)
{
	char at[TC_SOCKET_TEXT_MAX];
	if (ch->unanswered >= PINGS_UNANSWERED_MAX) {
		say(ch, "lost the channel to %s: it does not answer any more", where(ch, at));
		lose(c, ch);
		return;
	}
	uint8_t batch[TC_CHANNEL_HEAD + 8];
	size_t n = tc_channel_ping_encode(TC_CHANNEL_PING, (uint64_t)c->now, batch, sizeof batch);
	(void)tc_link_put(&ch->link, batch, n); /* no room: what waits there asks as well */
	ch->unanswered++;
	ch->ping_at = c->now + PING_EVERY;
	ch->ended = tc_link_flush(&ch->link) < 0;
}

static void on_open(struct client *c, struct channel *ch)
{
	bool any = false;
	if (!ch->ended) {
		/* read also when writing failed: a refusal may lie there */
		bool broken = tc_link_flush(&ch->link) < 0;
		ch->ended = tc_link_fill(&ch->link, &any) < 0 || broken;
	}
	if (any) {
		ch->unanswered = 0;
	}
	if (ch->state == GREETING) {
		on_greeting(c, ch);
	}
	/* taken here too, so that a loss and the statistics are noticed even when nobody asks for answers */
	while (ch->state == UP && ch->answers_left == 0 && take_batch(c, ch)) {
	}
	if (ch->state == UP && !ch->ended && c->now >= ch->ping_at) {
		ping(c, ch);
	}
}

static void client_on_ready(struct tc_answers *a, unsigned i, tc_time now)
{
	struct client *c = client_of(a);
	struct channel *ch = &c->channels[i];
	c->now = now;
	if (ch->state == IDLE && now >= ch->retry_at) {
		start(c, ch);
	}
	if (ch->state == CONNECTING) {
		on_connecting(c, ch);
	}
	if (ch->state == HANDSHAKE) {
		on_handshake(c, ch);
	}
	if (ch->state == GREETING || ch->state == UP) {
		on_open(c, ch);
	}
}

static void client_wait(struct tc_answers *a, unsigned i, struct tc_wait *ret_wait)
{
	struct client *c = client_of(a);
	const struct channel *ch = &c->channels[i];
	struct tc_wait w = { .fd = -1, .deadline = ch->limit };
	bool now = false;
	switch (ch->state) {
	case IDLE:
		w.deadline = ch->retry_at;
		break;
	case CONNECTING:
		w.fd = ch->fd;
		w.write = true;
		break;
	case HANDSHAKE:
		w.fd = ch->link.tls.fd;
		w.read = ch->link.tls.want_read;
		w.write = ch->link.tls.want_write;
		break;
	case UP:
		w.deadline = ch->ping_at;
		/* fallthrough */
	case GREETING:
		w.fd = ch->link.tls.fd;
		tc_link_wants(&ch->link, &w.read, &w.write, &now);
		if (now || ch->ended) {
			w.deadline = c->now;
		}
		break;
	}
	*ret_wait = w;
}

static bool take_answer(struct client *c, struct channel *ch, struct tc_answer *ret_ans)
{
	while (ch->state == UP) {
		if (ch->answers_left == 0) {
			if (!take_batch(c, ch)) {
				return false;
			}
			continue;
		}
		struct tc_answer ans;
		ch->answers_left--;
		if (tc_channel_answer_decode(&ch->answers, &ans) != 0 ||
		    (ch->answers_left == 0 && ch->answers.n != 0)) {
			lose_malformed(c, ch);
			return false;
		}
		c->stats.answers++;
		c->stats.merged += ans.merged;
		*ret_ans = ans;
		return true;
	}
	return false;
}

static bool client_next(struct tc_answers *a, struct tc_answer *ret_ans)
{
	struct client *c = client_of(a);
	for (unsigned k = 0; k < c->n; k++) {
		if (take_answer(c, &c->channels[c->turn], ret_ans)) {
			return true;
		}
		c->turn = c->turn + 1 < c->n ? c->turn + 1 : 0;
	}
	return false;
}

static bool client_next_event(struct tc_answers *a, struct tc_event *ret_ev)
{
	struct client *c = client_of(a);
	struct tc_event ev = { .at = c->now };
	if (c->down_pending) {
		c->down_pending = false;
		ev.kind = TC_EVENT_CHANNEL_DOWN;
	} else if (c->up_pending) {
		c->up_pending = false;
		ev.kind = TC_EVENT_CHANNEL_UP;
	} else if (c->announced_used > 0) {
		ev.kind = TC_EVENT_ANNOUNCED;
		ev.tuple = c->announced[c->announced_head];
		c->announced_head = (c->announced_head + 1) % ANNOUNCED_MAX;
		c->announced_used--;
	} else {
		return false;
	}
	*ret_ev = ev;
	return true;
}

/* Tell every intercept that is there of @tuple; what is told goes out with the next on_ready(). */
static int tell(struct client *c, enum tc_channel_type type, const struct tc_tuple *tuple)
{
	uint8_t batch[TC_CHANNEL_HEAD + TC_CHANNEL_TUPLE_LEN];
	struct tc_channel_head head = { .type = (uint8_t)type,
					.version = TC_CHANNEL_VERSION,
					.count = 1,
					.length = TC_CHANNEL_TUPLE_LEN };
	tc_channel_head_encode(&head, batch);
	(void)tc_channel_tuple_encode(tuple, batch + TC_CHANNEL_HEAD, TC_CHANNEL_TUPLE_LEN);
	int r = 0;
	for (unsigned i = 0; i < c->n; i++) {
		struct channel *ch = &c->channels[i];
		if (ch->state == UP && !tc_link_put(&ch->link, batch, sizeof batch)) {
			r = -ENOBUFS;
		}
	}
	return r;
}

static int client_announce(struct tc_answers *a, const struct tc_tuple *tuple)
{
	return tell(client_of(a), TC_CHANNEL_ANNOUNCE, tuple);
}

static int client_disown(struct tc_answers *a, const struct tc_tuple *tuple)
{
	return tell(client_of(a), TC_CHANNEL_DISOWN, tuple);
}

static const char *client_text(struct tc_answers *a, unsigned i)
{
	return client_of(a)->channels[i].text;
}

static void client_stats(struct tc_answers *a, struct tc_answers_stats *ret_stats)
{
	*ret_stats = client_of(a)->stats;
}

static void client_free(struct tc_answers *a)
{
	struct client *c = client_of(a);
	for (unsigned i = 0; i < c->n; i++) {
		if (c->channels[i].state == CONNECTING) {
			close(c->channels[i].fd);
		}
		tc_link_close(&c->channels[i].link);
	}
	tc_tls_free(c->tls);
	free(c);
}

static const struct tc_answers_ops ops = {
	.wait = client_wait,
	.on_ready = client_on_ready,
	.next = client_next,
	.next_event = client_next_event,
	.announce = client_announce,
	.disown = client_disown,
	.text = client_text,
	.stats = client_stats,
	.free = client_free,
};

int tc_answers_client_new(const struct tc_answers_client_config *cfg, struct tc_answers **ret,
			  char *ret_error)
{
	struct client *c = calloc(1, sizeof *c + cfg->n_intercepts * sizeof(struct channel));
	if (c == NULL) {
		return tc_driver_error(ret_error, -ENOMEM, "cannot make the channels");
	}
	c->base.ops = &ops;
	c->hello = *cfg->hello;
	c->has_key = cfg->key != NULL;
	c->n = cfg->n_intercepts;
	c->stats.configured = cfg->n_intercepts;
	for (unsigned i = 0; i < c->n; i++) {
		char at[TC_SOCKET_TEXT_MAX];
		struct channel *ch = &c->channels[i];
		ch->where = cfg->intercepts[i];
		ch->backoff = BACKOFF_MIN;
		say(ch, "connecting to %s", where(ch, at));
	}
	int r = tc_tls_new(TC_TLS_CLIENT, cfg->key, &c->tls, ret_error);
	if (r < 0) {
		free(c);
		return r;
	}
	*ret = &c->base;
	return 0;
}
