/* SPDX-License-Identifier: BSD-2-Clause
 * answer/server.c - intercept's end of the channel
 *
 * A connection's batches are taken by tc_channel_server_next(), one record an event, so that nothing has to be queued: what was not
 * pulled stays in the connection's buffer, and when that is full the peer has to wait.
 *
 * A refused client has its reason on the way when we close. Closing a socket with unread bytes resets the connection, and the reason
 * would be lost with it: so we read on, and throw away, until the client closes or its time is over.
 */
#include "answer/server.h"

#include "answer/link.h"
#include "answer/socket.h"
#include "port/error.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define STRANGER_LIMIT (3 * TC_SEC)
/* What a stranger has had when another may take its place: some round trips for TLS and the hello. */
#define STRANGER_CHANCE (250 * TC_MS)
#define REFUSED_LIMIT (1 * TC_SEC)
/* tcpcopy pings each second. */
#define SILENT_LIMIT (15 * TC_SEC)
/* Connections taken in a row, and one each so often: a handshake costs us a signature. */
#define ACCEPTS_MAX 8
#define ACCEPT_EVERY (5 * TC_MS)
#define ACCEPT_BURST 32
/* When accept() fails because descriptors ran out, trying again at once would only burn CPU. */
#define ACCEPT_PAUSE (1 * TC_SEC)
#define TEXT_MAX 160

enum state {
	FREE,
	HANDSHAKE, /* stranger; deadline: .limit; exits: GREETING, REFUSED, CLOSED */
	GREETING, /* stranger, the hello is to come; deadline: .limit; exits: ASKED, REFUSED, CLOSED */
	ASKED,	  /* stranger, the program decides; exits: UP, REFUSED */
	UP,	  /* peer; deadline: .limit, moved with all it says; exit: CLOSED */
	REFUSED, /* stranger, its reason is on the way; deadline: .limit; exit: CLOSED */
	CLOSED,	 /* TC_SERVER_CLOSED is to be pulled; exit: FREE */
};

struct conn {
	enum state state;
	bool was_up;
	bool ended; /* the other side closed; batches may be left */
	struct tc_ip ip;
	uint16_t port;
	tc_time since;
	tc_time limit;
	uint8_t type; /* of the present batch's records, with .left and .body */
	unsigned left;
	struct tc_view body;
	char text[TEXT_MAX];
	struct tc_link link;
};

struct tc_channel_server {
	int listener; /* owned */
	struct tc_tls *tls;
	bool has_key;
	char software[32];
	tc_time now;
	tc_time accept_at; /* when the connections so far will be within the rate */
	tc_time accept_pause;
	struct tc_channel_server_stats stats;
	unsigned turn;
	unsigned n; /* connections; they are numbered from 1 */
	struct conn conns[];
};

static struct conn *conn_at(struct tc_channel_server *s, unsigned slot)
{
	return &s->conns[slot - 1];
}

static bool is_stranger(const struct conn *c)
{
	return c->state != FREE && c->state != UP && c->state != CLOSED;
}

/* It is over; .text says why. */
static void end(struct tc_channel_server *s, struct conn *c)
{
	if (c->state == UP) {
		s->stats.up--;
	} else if (c->state != REFUSED) {
		s->stats.strangers_ended++;
	}
	c->was_up = c->state == UP;
	c->state = CLOSED;
	c->left = 0;
	tc_link_close(&c->link);
}

static void end_for(struct tc_channel_server *s, struct conn *c, const char *why)
{
	size_t n = strnlen(why, sizeof c->text - 1);
	memmove(c->text, why, n);
	c->text[n] = '\0';
	end(s, c);
}

static void end_malformed(struct tc_channel_server *s, struct conn *c)
{
	s->stats.malformed++;
	end_for(s, c, "a batch contradicts itself");
}

/* ---- those who come ---- */

static bool had_its_chance(const struct tc_channel_server *s, const struct conn *c)
{
	return s->now - c->since >= STRANGER_CHANCE;
}

/* A free place for a connection from @ip, NULL when there is none; an old stranger may have to go. */
static struct conn *place_for(struct tc_channel_server *s, const struct tc_ip *ip)
{
	struct conn *place = NULL, *oldest = NULL, *oldest_same = NULL;
	unsigned strangers = 0, same = 0;
	for (unsigned i = 0; i < s->n; i++) {
		struct conn *c = &s->conns[i];
		if (c->state == FREE) {
			place = c;
		}
		if (!is_stranger(c)) {
			continue;
		}
		strangers++;
		bool is_same = tc_ip_eq(&c->ip, ip);
		same += is_same;
		if (c->state == ASKED) {
			continue; /* the program knows it already */
		}
		if (oldest == NULL || c->since < oldest->since) {
			oldest = c;
		}
		if (is_same && (oldest_same == NULL || c->since < oldest_same->since)) {
			oldest_same = c;
		}
	}
	bool full = strangers >= TC_SERVER_STRANGERS || place == NULL;
	if (!full && same < TC_SERVER_STRANGERS_EACH) {
		return place;
	}
	struct conn *victim = same >= TC_SERVER_STRANGERS_EACH ? oldest_same : oldest;
	if (victim == NULL || !had_its_chance(s, victim)) {
		return NULL;
	}
	end(s, victim);
	victim->state = FREE; /* its end needs no event: there may be thousands of them */
	return victim;
}

static void take(struct tc_channel_server *s, int fd, const struct tc_ip *ip, uint16_t port)
{
	s->stats.accepted++;
	struct conn *c = place_for(s, ip);
	if (c == NULL) {
		s->stats.turned_away++;
		close(fd);
		return;
	}
	c->was_up = c->ended = false;
	c->ip = *ip;
	c->port = port;
	c->since = s->now;
	c->limit = s->now + STRANGER_LIMIT;
	c->left = 0;
	if (tc_link_open(&c->link, s->tls, fd) < 0) {
		s->stats.turned_away++;
		c->state = FREE;
		return;
	}
	c->state = HANDSHAKE;
}

static bool may_accept(const struct tc_channel_server *s)
{
	return s->now >= s->accept_pause && s->accept_at - s->now < ACCEPT_BURST * ACCEPT_EVERY;
}

static void on_listener(struct tc_channel_server *s)
{
	for (unsigned i = 0; i < ACCEPTS_MAX && may_accept(s); i++) {
		struct tc_ip ip;
		uint16_t port;
		int fd = tc_socket_accept(s->listener, &ip, &port);
		if (fd == -EAGAIN || fd == -EINTR) {
			return;
		}
		s->accept_at = tc_time_max(s->accept_at, s->now) + ACCEPT_EVERY;
		if (fd >= 0) {
			take(s, fd, &ip, port);
		} else if (fd == -EMFILE || fd == -ENFILE || fd == -ENOBUFS || fd == -ENOMEM) {
			s->accept_pause = s->now + ACCEPT_PAUSE;
		} /* else that one connection failed: a client that was gone already */
	}
}

/* ---- the greeting ---- */

static void refuse(struct tc_channel_server *s, struct conn *c, enum tc_channel_refusal code)
{
	struct tc_channel_refuse r = { .code = code };
	const char *text = tc_channel_refusal_text(code);
	(void)snprintf(r.text, sizeof r.text, "%s", text);
	size_t room;
	uint8_t *p = tc_link_room(&c->link, &room);
	tc_link_commit(&c->link, tc_channel_refuse_encode(&r, p, room));
	(void)snprintf(c->text, sizeof c->text, "refused: %s", text);
	s->stats.refused++;
	c->state = REFUSED;
	c->limit = s->now + REFUSED_LIMIT;
	if (tc_link_flush(&c->link) == 0 && tc_link_is_flushed(&c->link)) {
		shutdown(c->link.tls.fd, SHUT_WR);
	}
}

static void on_handshake(struct tc_channel_server *s, struct conn *c)
{
	int r = tc_tls_handshake(&c->link.tls);
	if (r < 0) {
		end_for(s, c, c->link.tls.why);
	} else if (r == 0 && c->link.tls.key_state == TC_TLS_KEY_OTHER) {
		refuse(s, c, TC_CHANNEL_REFUSE_OTHER_KEY);
	} else if (r == 0) {
		c->state = GREETING;
	}
}

static bool take_hello(struct tc_channel_server *s, struct conn *c, struct tc_server_event *ev)
{
	struct tc_channel_head head;
	struct tc_view body;
	int r = tc_link_next(&c->link, &head, &body);
	if (r == TC_CHANNEL_E_MORE) {
		if (c->ended) {
			end_for(s, c, c->link.tls.why);
		}
		return false;
	}
	if (r == 0 && head.version != TC_CHANNEL_VERSION) {
		refuse(s, c, TC_CHANNEL_REFUSE_VERSION);
	} else if (r != 0 || head.type != TC_CHANNEL_HELLO || head.count != 1 ||
		   tc_channel_hello_decode(body, &ev->hello) != 0) {
		refuse(s, c, TC_CHANNEL_REFUSE_MALFORMED);
	} else if (s->has_key && c->link.tls.key_state != TC_TLS_KEY_SAME) {
		refuse(s, c, TC_CHANNEL_REFUSE_KEY_NEEDED);
	} else {
		c->state = ASKED;
		ev->kind = TC_SERVER_HELLO;
		return true;
	}
	return false;
}

void tc_channel_server_welcome(struct tc_channel_server *s, unsigned conn)
{
	struct conn *c = conn_at(s, conn);
	if (c->state != ASKED) {
		return;
	}
	uint8_t batch[TC_CHANNEL_HEAD + 1 + sizeof s->software];
	size_t n = tc_channel_welcome_encode(s->software, batch, sizeof batch);
	c->state = UP;
	c->limit = s->now + SILENT_LIMIT;
	s->stats.welcomed++;
	s->stats.up++;
	tc_channel_server_put(s, conn, batch, n);
}

void tc_channel_server_refuse(struct tc_channel_server *s, unsigned conn,
			      enum tc_channel_refusal code)
{
	if (conn_at(s, conn)->state == ASKED) {
		refuse(s, conn_at(s, conn), code);
	}
}

void tc_channel_server_drop(struct tc_channel_server *s, unsigned conn, const char *why)
{
	enum state state = conn_at(s, conn)->state;
	if (state == UP || state == ASKED) {
		end_for(s, conn_at(s, conn), why);
	}
}

/* ---- what peers say ---- */

static int on_ping(struct tc_channel_server *s, struct conn *c, struct tc_view body)
{
	uint64_t token;
	uint8_t pong[TC_CHANNEL_HEAD + 8];
	int r = tc_channel_ping_decode(body, &token);
	if (r == 0) {
		size_t n = tc_channel_ping_encode(TC_CHANNEL_PONG, token, pong, sizeof pong);
		tc_channel_server_put(s, (unsigned)(c - s->conns) + 1, pong, n);
	}
	return r;
}

/* Take batches until one has records that are events; false when there is none, or the peer is no more. */
static bool take_batch(struct tc_channel_server *s, struct conn *c)
{
	while (c->state == UP && c->left == 0) {
		struct tc_channel_head head;
		struct tc_view body;
		int r = tc_link_next(&c->link, &head, &body);
		if (r == TC_CHANNEL_E_MORE) {
			if (c->ended) {
				end_for(s, c, c->link.tls.why);
			}
			return false;
		}
		if (r == 0 && head.version != TC_CHANNEL_VERSION) {
			r = TC_CHANNEL_E_MALFORMED;
		}
		if (r == 0 &&
		    (head.type == TC_CHANNEL_ANNOUNCE || head.type == TC_CHANNEL_DISOWN)) {
			c->type = head.type;
			c->body = body;
			c->left = head.count;
			r = head.count > 0 || body.n == 0 ? 0 : TC_CHANNEL_E_MALFORMED;
		} else if (r == 0 && head.type == TC_CHANNEL_PING) {
			r = on_ping(s, c, body);
		}
		if (r != 0) {
			end_malformed(s, c);
		}
	}
	return c->state == UP;
}

static bool take_record(struct tc_channel_server *s, struct conn *c, struct tc_server_event *ev)
{
	if (!take_batch(s, c)) {
		return false;
	}
	c->left--;
	if (tc_channel_tuple_decode(&c->body, &ev->tuple) != 0 ||
	    (c->left == 0 && c->body.n != 0)) {
		end_malformed(s, c);
		return false;
	}
	ev->kind = c->type == TC_CHANNEL_ANNOUNCE ? TC_SERVER_ANNOUNCE : TC_SERVER_DISOWN;
	return true;
}

static bool take_event(struct tc_channel_server *s, struct conn *c, struct tc_server_event *ev)
{
	if (c->state == GREETING && take_hello(s, c, ev)) {
		return true;
	}
	if (c->state == UP && take_record(s, c, ev)) {
		return true;
	}
	if (c->state == ASKED && c->ended) {
		end_for(s, c, c->link.tls.why);
	}
	if (c->state == CLOSED) {
		ev->kind = TC_SERVER_CLOSED;
		ev->was_up = c->was_up;
		ev->text = c->text;
		c->state = FREE;
		return true;
	}
	return false;
}

bool tc_channel_server_next(struct tc_channel_server *s, struct tc_server_event *ret_ev)
{
	for (unsigned k = 0; k < s->n; k++) {
		struct conn *c = &s->conns[s->turn];
		ret_ev->conn = s->turn + 1;
		s->turn = s->turn + 1 < s->n ? s->turn + 1 : 0;
		ret_ev->ip = c->ip;
		ret_ev->port = c->port;
		if (take_event(s, c, ret_ev)) {
			return true;
		}
	}
	return false;
}

/* ---- I/O ---- */

static void on_peer(struct tc_channel_server *s, struct conn *c)
{
	bool any = false;
	if (!c->ended) {
		bool broken = tc_link_flush(&c->link) < 0;
		c->ended = tc_link_fill(&c->link, &any) < 0 || broken;
	}
	if (any && c->state == UP) {
		c->limit = s->now + SILENT_LIMIT;
	}
}

static void on_refused(struct tc_channel_server *s, struct conn *c)
{
	bool any = false;
	bool flushed = tc_link_is_flushed(&c->link);
	if (tc_link_flush(&c->link) < 0 || tc_link_fill(&c->link, &any) < 0) {
		end(s, c);
		return;
	}
	tc_link_discard(&c->link);
	if (!flushed && tc_link_is_flushed(&c->link)) {
		shutdown(c->link.tls.fd, SHUT_WR);
	}
}

static void on_limit(struct tc_channel_server *s, struct conn *c)
{
	if (c->state == UP) {
		end_for(s, c, "it says nothing any more");
	} else if (c->state == REFUSED) {
		end(s, c);
	} else {
		end_for(s, c, "said no hello in time");
	}
}

void tc_channel_server_on_ready(struct tc_channel_server *s, unsigned slot, tc_time now)
{
	s->now = now;
	if (slot == 0) {
		on_listener(s);
		return;
	}
	struct conn *c = conn_at(s, slot);
	if (c->state == HANDSHAKE) {
		on_handshake(s, c);
	}
	if (c->state == GREETING || c->state == ASKED || c->state == UP) {
		on_peer(s, c);
	} else if (c->state == REFUSED) {
		on_refused(s, c);
	}
	if (c->state != FREE && c->state != CLOSED && now >= c->limit) {
		on_limit(s, c);
	}
}

unsigned tc_channel_server_slots(const struct tc_channel_server *s)
{
	return s->n + 1;
}

static void listener_wait(const struct tc_channel_server *s, struct tc_wait *w)
{
	w->fd = s->listener;
	w->read = may_accept(s);
	if (!w->read) {
		w->deadline = tc_time_max(s->accept_pause,
					  s->accept_at - (ACCEPT_BURST - 1) * ACCEPT_EVERY);
	}
}

void tc_channel_server_wait(const struct tc_channel_server *s, unsigned slot,
			    struct tc_wait *ret_wait)
{
	struct tc_wait w = { .fd = -1, .deadline = TC_TIME_NEVER };
	if (slot == 0) {
		listener_wait(s, &w);
		*ret_wait = w;
		return;
	}
	const struct conn *c = &s->conns[slot - 1];
	if (c->state != FREE && c->state != CLOSED) {
		w.fd = c->link.tls.fd;
		w.deadline = c->limit;
	}
	if (c->state == HANDSHAKE) {
		w.read = c->link.tls.want_read || !c->link.tls.want_write;
		w.write = c->link.tls.want_write;
	} else if (w.fd >= 0 && !c->ended) {
		bool now = false;
		tc_link_wants(&c->link, &w.read, &w.write, &now);
		w.deadline = now ? s->now : w.deadline;
	} else if (w.fd >= 0) {
		w.deadline = s->now; /* its end waits to be pulled */
	}
	*ret_wait = w;
}

uint8_t *tc_channel_server_room(struct tc_channel_server *s, unsigned conn, size_t *ret_n)
{
	struct conn *c = conn_at(s, conn);
	if (c->state != UP || c->ended || !tc_link_is_flushed(&c->link)) {
		return NULL;
	}
	return tc_link_room(&c->link, ret_n);
}

void tc_channel_server_send(struct tc_channel_server *s, unsigned conn, size_t n)
{
	struct conn *c = conn_at(s, conn);
	if (c->state == UP && !c->ended) {
		tc_link_commit(&c->link, n);
		c->ended = tc_link_flush(&c->link) < 0;
	}
}

bool tc_channel_server_put(struct tc_channel_server *s, unsigned conn, const uint8_t *batch,
			   size_t n)
{
	struct conn *c = conn_at(s, conn);
	if (c->state != UP || c->ended || !tc_link_put(&c->link, batch, n)) {
		return false;
	}
	c->ended = tc_link_flush(&c->link) < 0;
	return true;
}

void tc_channel_server_stats(const struct tc_channel_server *s,
			     struct tc_channel_server_stats *ret_stats)
{
	*ret_stats = s->stats;
}

uint16_t tc_channel_server_port(const struct tc_channel_server *s)
{
	return tc_socket_port(s->listener);
}

void tc_channel_server_free(struct tc_channel_server *s)
{
	if (s == NULL) {
		return;
	}
	for (unsigned i = 0; i < s->n; i++) {
		tc_link_close(&s->conns[i].link);
	}
	close(s->listener);
	tc_tls_free(s->tls);
	free(s);
}

static int listen_failed(const struct tc_channel_server_config *cfg, int err, char *ret_error)
{
	char at[TC_SOCKET_TEXT_MAX] = "all addresses";
	if (cfg->ip != NULL) {
		tc_socket_text(cfg->ip, cfg->port, at);
	}
	switch (err) {
	case -EADDRINUSE:
		return tc_driver_say(
			ret_error, err,
			"cannot listen on port %u of %s: another program does: end it, "
			"or choose another port with -p",
			cfg->port, at);
	case -EADDRNOTAVAIL:
		return tc_driver_say(ret_error, err,
				     "cannot listen on '%s': this host has no such address: see "
				     "ip address",
				     at);
	default:
		return tc_driver_error(ret_error, err, "cannot listen on port %u of %s", cfg->port,
				       at);
	}
}

int tc_channel_server_new(const struct tc_channel_server_config *cfg,
			  struct tc_channel_server **ret_server, char *ret_error)
{
	unsigned n = cfg->peers + TC_SERVER_STRANGERS;
	struct tc_channel_server *s = calloc(1, sizeof *s + n * sizeof(struct conn));
	if (s == NULL) {
		return tc_driver_error(ret_error, -ENOMEM, "cannot make the channel");
	}
	s->n = n;
	s->has_key = cfg->key != NULL;
	(void)snprintf(s->software, sizeof s->software, "%s", cfg->software);
	int r = tc_tls_new(TC_TLS_SERVER, cfg->key, &s->tls, ret_error);
	if (r < 0) {
		free(s);
		return r;
	}
	s->listener = tc_socket_listen(cfg->ip, cfg->port);
	if (s->listener < 0) {
		r = listen_failed(cfg, s->listener, ret_error);
		tc_tls_free(s->tls);
		free(s);
		return r;
	}
	*ret_server = s;
	return 0;
}
