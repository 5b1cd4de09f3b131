/* SPDX-License-Identifier: BSD-2-Clause
 * sim/target_app.c - the application above the target's TCP
 *
 * It knows whose requests to expect by the life of its connection, counts bytes, and answers in its own way and time.
 */
#include "sim/sim.h"

#define CHUNK_EVERY (30 * TC_MS)
#define READ_EVERY (10 * TC_MS)

static void plan_answer(struct sim *s, struct sim_conn *c)
{
	if (c->app_at == TC_TIME_NEVER) {
		c->app_at = s->q.now + sim_rng_range(&c->rng, 0, s->p.answer_us) * TC_US;
	}
}

static uint32_t answer_bytes(struct sim *s, struct sim_conn *c, const struct sim_turn *t)
{
	switch ((enum sim_answer)s->p.answer) {
	case SIM_ANSWER_HALF:
		return (t->answer + 1) / 2;
	case SIM_ANSWER_DOUBLE:
		return t->answer * 2;
	case SIM_ANSWER_ONE:
		return 1;
	case SIM_ANSWER_NONE:
		return 0;
	case SIM_ANSWER_RANDOM:
		return (uint32_t)sim_rng_range(&c->rng, 0, 2 * t->answer);
	default:
		return t->answer + t->push;
	}
}

static const struct sim_conv *expected(struct sim *s, struct sim_conn *c)
{
	/* the life's candidates become fewer as it speaks; until then the first one is as good as any */
	uint64_t convs = s->lives[c->life].convs;
	c->conv = (uint16_t)(convs != 0 ? __builtin_ctzll(convs) : 0);
	return &s->convs[c->conv];
}

void sim_app_open(struct sim *s, struct sim_conn *c)
{
	const struct sim_conv *conv = expected(s, c);
	c->written = conv->greeting;
	c->base = s->lives[c->life].start;
	while (c->turn < conv->n_turns && conv->turns[c->turn].request_end <= c->base) {
		c->turn++;
	}
}

/* Until when the process is stopped, 0: it is not. */
static tc_time asleep_until(const struct sim *s)
{
	tc_time from = s->core_from + s->p.target_stall_at_ms * TC_MS;
	tc_time to = from + s->p.target_stall_ms * TC_MS;
	return s->q.now >= from && s->q.now < to ? to : 0;
}

static void read_some(struct sim *s, struct sim_conn *c)
{
	const struct sim_params *p = &s->p;
	uint32_t there = c->got - c->read;
	if (there == 0 || c->reads_no_more) {
		return;
	}
	if (p->target_stop_ms != 0 && !c->stopped_once && c->got >= (uint32_t)p->target_stop_at) {
		c->stopped_once = true;
		c->stopped_until = s->q.now + p->target_stop_ms * TC_MS;
	}
	if (s->q.now < c->stopped_until) {
		c->read_at = c->stopped_until;
		return;
	}
	if (p->target_slow != 0 && there > p->target_slow) {
		there = (uint32_t)p->target_slow;
		c->read_at = s->q.now + READ_EVERY;
	}
	uint32_t before = c->edge - c->rcv_nxt;
	c->read += there;
	/* a window update when it grows by much, RFC 9293 3.8.6.2.2 */
	if (before < c->mss || before < c->buf / 2) {
		c->ack_at = tc_time_min(c->ack_at, s->q.now);
	}
}

/* The first request was answered: does the application go its own way now? */
static bool quits(struct sim *s, struct sim_conn *c)
{
	switch ((enum sim_quit)s->p.quit) {
	case SIM_QUIT_EARLY:
		c->closed = true;
		c->reads_no_more = true;
		c->fin_queued = true;
		return true;
	case SIM_QUIT_SHUTDOWN:
		c->fin_queued = true;
		return true;
	case SIM_QUIT_RST:
		sim_target_abort(s, c, SIM_RESET_APP);
		return true;
	default:
		return false;
	}
}

static void shrink(struct sim *s, struct sim_conn *c)
{
	if (s->p.target_shrink != 0 && !c->shrunk) {
		c->shrunk = true;
		c->buf /= 2;
	}
}

/* Is it time for this server to close? */
static bool closes(const struct sim *s, const struct sim_conn *c, const struct sim_conv *conv)
{
	if (c->fin_queued || c->turn < conv->n_turns || c->chunk_left > 0) {
		return false;
	}
	if (s->p.quit == SIM_QUIT_NEVER) {
		return false;
	}
	bool first = s->p.quit == SIM_QUIT_AS_ONLINE &&
		     (conv->close == SIM_CLOSE_SERVER || conv->close == SIM_CLOSE_BOTH);
	return first || c->fin_got;
}

/* Whole requests that were not answered, read or not. */
static uint32_t unanswered(const struct sim_conn *c, const struct sim_conv *conv)
{
	uint32_t n = 0;
	for (unsigned i = c->turn; i < conv->n_turns; i++) {
		n += c->base + c->got >= conv->turns[i].request_end;
	}
	return n;
}

void sim_app_on_end(struct sim *s, struct sim_conn *c)
{
	if (c->fin_queued || c->closed || c->life == SIM_NONE) {
		return;
	}
	s->lives[c->life].thrown_away = unanswered(c, expected(s, c));
}

void sim_app_run(struct sim *s, struct sim_conn *c)
{
	tc_time until = asleep_until(s);
	if (until != 0) {
		c->read_at = until;
		return;
	}
	read_some(s, c);
	const struct sim_conv *conv = expected(s, c);
	if (c->fin_queued || c->closed) {
		return;
	}
	if (s->p.target_hasty != 0 && c->fin_got && s->p.quit != SIM_QUIT_NEVER &&
	    (unanswered(c, conv) > 0 || c->chunk_left > 0)) {
		sim_app_on_end(s, c);
		c->fin_queued = true;
		c->chunk_left = 0;
		return;
	}
	/* a client that closed or was cut off before its request was whole gets no answer any more */
	bool cut = c->fin_got && c->turn < conv->n_turns && c->read == c->got &&
		   c->base + c->read < conv->turns[c->turn].request_end;
	if (c->turn < conv->n_turns && c->base + c->read >= conv->turns[c->turn].request_end) {
		plan_answer(s, c);
	} else if (c->chunk_left > 0) {
		plan_answer(s, c);
	} else if (closes(s, c, conv) || (cut && s->p.quit != SIM_QUIT_NEVER)) {
		plan_answer(s, c);
	}
}

static void answer(struct sim *s, struct sim_conn *c)
{
	const struct sim_conv *conv = expected(s, c);
	uint32_t chunk = (uint32_t)s->p.answer_chunk;
	if (c->chunk_left > 0) {
		uint32_t n = tc_u32_min(c->chunk_left, c->chunk);
		c->written += n;
		c->chunk_left -= n;
	} else if (c->turn < conv->n_turns &&
		   c->base + c->read >= conv->turns[c->turn].request_end) {
		uint32_t n = answer_bytes(s, c, &conv->turns[c->turn]);
		/* an answer in very many pieces tells no more than one in some */
		c->chunk = chunk != 0 ? tc_u32_max(chunk, n / 8) : n;
		uint32_t now = tc_u32_min(n, c->chunk);
		c->written += now;
		c->chunk_left = n - now;
		c->turn++;
		c->answers++;
		shrink(s, c);
		if (c->answers == 1 && quits(s, c)) {
			return;
		}
	} else if (!c->fin_queued && s->p.quit != SIM_QUIT_NEVER) {
		c->fin_queued = true;
	}
	if (c->chunk_left > 0) {
		c->app_at = s->q.now + CHUNK_EVERY;
	}
}

void sim_app_on_timer(struct sim *s, struct sim_conn *c)
{
	tc_time until = asleep_until(s);
	if (until != 0) {
		c->app_at = c->app_at <= s->q.now ? until : c->app_at;
		c->read_at = c->read_at <= s->q.now ? until : c->read_at;
		return;
	}
	if (c->read_at <= s->q.now) {
		c->read_at = TC_TIME_NEVER;
	}
	if (c->app_at <= s->q.now) {
		c->app_at = TC_TIME_NEVER;
		answer(s, c);
	}
	if (c->state == SIM_CLOSED) {
		return;
	}
	sim_app_run(s, c);
	sim_target_output(s, c);
}
