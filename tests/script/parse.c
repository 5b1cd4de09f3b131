/* SPDX-License-Identifier: BSD-2-Clause
 * script/parse.c - a dialogue's text to its lines
 *
 * Each line is a list of words; a cursor walks over them. The first word that is not understood ends it with its line and column.
 */
#include "script/script.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct cursor {
	const struct script *s;
	unsigned line;
	const char *text;
	const char *p;
	bool bad;
};

static void complain(struct cursor *c, const char *what)
{
	if (!c->bad) {
		fprintf(stderr, "%s:%u:%u: %s\n    %s\n", c->s->file, c->line,
			(unsigned)(c->p - c->text) + 1, what, c->text);
	}
	c->bad = true;
}

static void skip(struct cursor *c)
{
	while (*c->p == ' ' || *c->p == '\t' || *c->p == ',') {
		c->p++;
	}
}

/* Is @word next, as a whole? Then it is taken. */
static bool take(struct cursor *c, const char *word)
{
	skip(c);
	size_t n = strlen(word);
	if (strncmp(c->p, word, n) != 0) {
		return false;
	}
	char after = c->p[n];
	bool name = (word[n - 1] >= 'a' && word[n - 1] <= 'z') || word[n - 1] == 'K';
	if (name && after != '\0' && after != ' ' && after != '\t' && after != ',' &&
	    after != '>') {
		return false;
	}
	c->p += n;
	return true;
}

static bool at_end(struct cursor *c)
{
	skip(c);
	return *c->p == '\0' || *c->p == '#' || c->bad;
}

static uint64_t decimal(struct cursor *c)
{
	skip(c);
	char *end;
	errno = 0;
	uint64_t v = strtoull(c->p, &end, 10);
	if (end == c->p || errno != 0 || *c->p == '-' || *c->p == '+') {
		complain(c, "a number is wanted");
		return 0;
	}
	c->p = end;
	return v;
}

static struct script_number symbolic(struct cursor *c)
{
	struct script_number n = { 0 };
	skip(c);
	if (*c->p != '\0' && strchr("IJTW*", *c->p) != NULL) {
		n.symbol = *c->p++;
		if (*c->p == '+' || *c->p == '-') {
			bool minus = *c->p++ == '-';
			uint32_t v = (uint32_t)decimal(c);
			n.offset = minus ? (uint32_t)-v : v;
		}
		return n;
	}
	n.offset = (uint32_t)decimal(c);
	return n;
}

static void word(struct cursor *c, char *buf)
{
	skip(c);
	size_t n = strcspn(c->p, " \t,#");
	if (n == 0 || n >= SCRIPT_WORD_MAX) {
		complain(c, "a name is wanted");
		n = 0;
	}
	memcpy(buf, c->p, n);
	buf[n] = '\0';
	c->p += n;
}

static tc_time unit(struct cursor *c)
{
	if (strncmp(c->p, "ms", 2) == 0) {
		c->p += 2;
		return TC_MS;
	}
	if (strncmp(c->p, "us", 2) == 0) {
		c->p += 2;
		return TC_US;
	}
	if (*c->p == 's') {
		c->p++;
		return TC_SEC;
	}
	complain(c, "a time needs its unit: us, ms or s");
	return TC_MS;
}

/* A decimal number in thousandths, so that 1.5ms needs no floating point. */
static int64_t thousandths(struct cursor *c)
{
	int64_t v = (int64_t)decimal(c) * 1000;
	if (*c->p == '.' && c->p[1] != '.') {
		c->p++;
		for (int64_t f = 100; *c->p >= '0' && *c->p <= '9'; f /= 10) {
			v += (*c->p++ - '0') * f;
		}
	}
	return v;
}

static tc_time a_time(struct cursor *c)
{
	int64_t v = thousandths(c);
	return v * unit(c) / 1000;
}

static void times(struct cursor *c, struct script_item *it)
{
	skip(c);
	if (*c->p == '+') {
		it->relative = true;
		c->p++;
	}
	int64_t from = thousandths(c);
	int64_t to = from;
	bool range = strncmp(c->p, "..", 2) == 0;
	if (range) {
		c->p += 2;
		to = thousandths(c);
	}
	tc_time u = unit(c);
	it->from = from * u / 1000;
	it->to = range ? to * u / 1000 : it->from + TC_MS;
}

static void raw_bytes(struct cursor *c, struct script_opts *o)
{
	skip(c);
	while (o->n_raw < SCRIPT_RAW_MAX) {
		unsigned v;
		int n = 0;
		if (sscanf(c->p, "%2x%n", &v, &n) != 1 || n != 2) {
			break;
		}
		o->raw[o->n_raw++] = (uint8_t)v;
		c->p += 2;
	}
	if (o->n_raw == 0) {
		complain(c, "bytes in hexadecimal are wanted");
	}
}

static void options(struct cursor *c, struct script_opts *o)
{
	o->given = true;
	while (!take(c, ">") && !c->bad) {
		if (take(c, "mss")) {
			o->has_mss = true;
			o->mss = symbolic(c);
		} else if (take(c, "ws")) {
			o->has_ws = true;
			o->ws = symbolic(c);
		} else if (take(c, "sackOK")) {
			o->sack_ok = true;
		} else if (take(c, "ts")) {
			o->has_ts = true;
			o->tsval = symbolic(c);
			o->tsecr = symbolic(c);
		} else if (take(c, "sack") && o->n_sack < TC_TCPOPT_SACK_MAX) {
			o->left[o->n_sack] = symbolic(c);
			if (*c->p++ != ':') {
				complain(c, "sack LEFT:RIGHT is wanted");
			}
			o->right[o->n_sack++] = symbolic(c);
		} else if (take(c, "join")) {
			o->join = true;
		} else if (take(c, "raw")) {
			raw_bytes(c, o);
		} else {
			complain(c, "no such option");
		}
	}
}

static void flags(struct cursor *c, struct script_item *it)
{
	static const struct {
		char letter;
		uint8_t bit;
	} all[] = { { 'S', TC_TCP_SYN }, { 'F', TC_TCP_FIN }, { 'R', TC_TCP_RST },
		    { 'P', TC_TCP_PSH }, { '.', TC_TCP_ACK }, { '-', 0 } };
	skip(c);
	while (*c->p != ' ' && *c->p != '\0') {
		unsigned i = 0;
		while (i < sizeof all / sizeof all[0] && all[i].letter != *c->p) {
			i++;
		}
		if (i == sizeof all / sizeof all[0]) {
			complain(c, "flags are letters of SFRP.");
			return;
		}
		it->flags |= all[i].bit;
		c->p++;
	}
}

static void sequence(struct cursor *c, struct script_item *it)
{
	it->seq = symbolic(c);
	if (*c->p != ':') {
		return;
	}
	c->p++;
	struct script_number end = symbolic(c);
	if (*c->p != '(') {
		complain(c, "FROM:TO(LEN) is wanted");
		return;
	}
	c->p++;
	it->len = (uint32_t)decimal(c);
	if (*c->p != ')' || end.offset - it->seq.offset != it->len) {
		complain(c, "the length does not fit the numbers");
		return;
	}
	c->p++;
}

static void packet(struct cursor *c, struct script_item *it)
{
	flags(c, it);
	sequence(c, it);
	it->captured = it->len;
	while (!at_end(c)) {
		if (take(c, "ack")) {
			it->has_ack = true;
			it->ack = symbolic(c);
		} else if (take(c, "win")) {
			it->has_win = true;
			it->win = symbolic(c);
		} else if (take(c, "cut")) {
			it->has_cut = true;
			it->cut = (uint32_t)decimal(c);
		} else if (take(c, "merged")) {
			it->merged = (uint32_t)decimal(c);
		} else if (take(c, "captured")) {
			it->captured = (uint32_t)decimal(c);
		} else if (take(c, "other")) {
			it->other = true;
		} else if (take(c, "<")) {
			options(c, &it->opt);
		} else if (take(c, "=")) {
			it->has_verdict = true;
			word(c, it->verdict);
		} else {
			complain(c, "not understood");
		}
	}
}

static void session(struct cursor *c, struct script_item *it)
{
	word(c, it->name);
	while (!at_end(c)) {
		if (take(c, "delivered")) {
			it->has_delivered = true;
			it->delivered = decimal(c);
		} else if (take(c, "lost")) {
			it->has_lost = true;
			it->lost = decimal(c);
		} else {
			complain(c, "not understood");
		}
	}
}

/* "client", "client2", "client2b": a tuple of its own for each. */
static bool actor(struct cursor *c, const char *name, struct script_item *it)
{
	skip(c);
	size_t n = strlen(name);
	if (strncmp(c->p, name, n) != 0) {
		return false;
	}
	const char *p = c->p + n;
	unsigned conn = 1;
	if (*p >= '1' && *p <= '9') {
		char *end;
		conn = (unsigned)strtoul(p, &end, 10);
		p = end;
	}
	if (conn > SCRIPT_CONNS / 2) {
		return false;
	}
	if (*p == 'b') {
		conn += SCRIPT_CONNS / 2;
		p++;
	}
	if (*p != ' ' && *p != '\t') {
		return false;
	}
	it->conn = conn - 1;
	c->p = p;
	return true;
}

static void timed(struct cursor *c, struct script_item *it)
{
	static const struct {
		const char *name;
		const char *arrow;
		enum script_actor actor;
	} talk[] = { { "client", ">", SCRIPT_CLIENT },	 { "online", "<", SCRIPT_ONLINE },
		     { "target", "<", SCRIPT_TARGET },	 { "out", ">", SCRIPT_OUT },
		     { "session", ">", SCRIPT_SESSION }, { "announce", ">", SCRIPT_ANNOUNCE },
		     { "disown", ">", SCRIPT_DISOWN } };
	times(c, it);
	for (unsigned i = 0; i < sizeof talk / sizeof talk[0]; i++) {
		if (!actor(c, talk[i].name, it)) {
			continue;
		}
		it->actor = talk[i].actor;
		if (!take(c, talk[i].arrow)) {
			complain(c, "the arrow is missing, or points the other way");
		} else if (it->actor == SCRIPT_SESSION) {
			session(c, it);
		} else if (it->actor < SCRIPT_SESSION) {
			packet(c, it);
		}
		return;
	}
	if (take(c, "event")) {
		it->actor = SCRIPT_EVENT;
		word(c, it->name);
		it->number = at_end(c) ? 0 : decimal(c);
	} else if (take(c, "check")) {
		it->actor = SCRIPT_CHECK;
		word(c, it->name);
		it->number = decimal(c);
	} else if (take(c, "quiet")) {
		it->actor = SCRIPT_QUIET;
	} else {
		complain(c, "who says it? client, target, out, event, check, quiet, ...");
	}
}

static void set(struct cursor *c, struct script *s)
{
	struct tc_core_config *cfg = &s->cfg;
	if (take(c, "overlap")) {
		cfg->overlap = a_time(c);
	} else if (take(c, "max-lag never")) {
		cfg->max_lag = TC_TIME_NEVER;
	} else if (take(c, "slow")) {
		cfg->slow_permille = (uint32_t)decimal(c);
	} else if (take(c, "max-lag")) {
		cfg->max_lag = a_time(c);
	} else if (take(c, "idle")) {
		cfg->idle = a_time(c);
	} else if (take(c, "keepalive")) {
		cfg->keepalive = a_time(c);
	} else if (take(c, "rtt")) {
		cfg->rtt = a_time(c);
	} else if (take(c, "mss")) {
		cfg->mss = (uint16_t)decimal(c);
	} else if (take(c, "mtu")) {
		cfg->mtu = (uint16_t)decimal(c);
	} else if (take(c, "chunks")) {
		cfg->chunks = (uint32_t)decimal(c);
	} else if (take(c, "syns")) {
		cfg->syns = (uint32_t)decimal(c);
	} else if (take(c, "sessions")) {
		cfg->sessions = (uint32_t)decimal(c);
	} else if (take(c, "rate")) {
		cfg->pace = TC_PACE_RATE;
		cfg->rate = (uint32_t)decimal(c);
	} else if (take(c, "share")) {
		cfg->share_permyriad = (uint32_t)decimal(c);
	} else if (take(c, "pace response")) {
		cfg->pace = TC_PACE_RESPONSE;
	} else if (take(c, "pace think")) {
		cfg->pace = TC_PACE_THINK;
	} else if (take(c, "pace timed")) {
		cfg->pace = TC_PACE_TIMED;
	} else if (take(c, "pace asap")) {
		cfg->pace = TC_PACE_ASAP;
	} else if (take(c, "hole resume")) {
		cfg->hole_resume = true;
	} else if (take(c, "limit-sessions")) {
		cfg->limit_sessions = (uint32_t)decimal(c);
	} else if (take(c, "whole-only")) {
		cfg->whole_only = true;
	} else if (take(c, "channel down")) {
		cfg->channel = false;
	} else if (take(c, "joined-at")) {
		s->joined_at = (uint32_t)decimal(c);
	} else if (take(c, "family 6")) {
		s->v6 = true;
	} else {
		complain(c, "no such setting");
	}
}

static void defaults(struct tc_core_config *cfg)
{
	tc_core_config_default(cfg);
	cfg->sessions = 16;
	cfg->replicas = 16;
	cfg->syns = 16;
	cfg->closed = 16;
	cfg->chunks = 1024;
	cfg->turns = 256;
	cfg->boards = 16;
	cfg->share_permyriad = 10000;
	cfg->channel = true;
	cfg->session_events = true;
	cfg->overlap = 100 * TC_MS;
	cfg->table_key = (struct tc_siphash_key){ 1, 2 };
	cfg->mark_key = (struct tc_siphash_key){ 3, 4 };
	cfg->wall_offset = 1700000000 * TC_SEC;
}

static bool read_lines(struct script *s)
{
	FILE *f = fopen(s->file, "r");
	if (f == NULL) {
		fprintf(stderr, "script: cannot open '%s': %s\n", s->file, strerror(errno));
		return false;
	}
	s->lines = calloc(SCRIPT_ITEMS, sizeof *s->lines);
	bool ok = s->lines != NULL;
	while (ok && s->n_lines < SCRIPT_ITEMS &&
	       fgets(s->lines[s->n_lines], sizeof s->lines[0], f) != NULL) {
		char *end = strchr(s->lines[s->n_lines], '\n');
		ok = end != NULL;
		if (ok) {
			*end = '\0';
		}
		s->n_lines++;
	}
	ok = ok && feof(f) != 0;
	fclose(f);
	if (!ok) {
		fprintf(stderr, "%s:%u: a line or the file is too long\n", s->file, s->n_lines);
	}
	return ok;
}

bool script_read(struct script *s, const char *file)
{
	*s = (struct script){ .file = file };
	defaults(&s->cfg);
	if (!read_lines(s)) {
		return false;
	}
	for (unsigned i = 0; i < s->n_lines; i++) {
		struct cursor c = { .s = s, .line = i + 1, .text = s->lines[i], .p = s->lines[i] };
		if (at_end(&c)) {
			continue;
		}
		if (take(&c, "set")) {
			set(&c, s);
		} else {
			struct script_item *it = &s->items[s->n_items++];
			it->line = i + 1;
			timed(&c, it);
		}
		if (!at_end(&c)) {
			complain(&c, "more on the line than is understood");
		}
		if (c.bad) {
			return false;
		}
	}
	return true;
}
