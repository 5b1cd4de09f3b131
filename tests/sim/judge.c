/* SPDX-License-Identifier: BSD-2-Clause
 * sim/judge.c - was it right that a session ended like that, and is all well at the end
 *
 * Each way to end has its excuse, which the scenario must contain. An end without excuse is a failure, and so is a session that is
 * still alive when its bound has passed.
 */
#include "sim/sim.h"

/* A session may go on for so long after its client was done, in a world without trouble: handshake, limits, the target's FIN. */
#define BOUND_BASE (5 * TC_SEC)
/* ... and where it cannot be told that all is answered, a FIN waits for silence */
#define BOUND_END (5 * TC_SEC)
/* What a lost packet may cost more than once: retransmission timeouts with backoff */
#define BOUND_LOSS (20 * TC_SEC)

static bool is_lossy(const struct sim_params *p)
{
	return p->fwd_loss > 0 || p->ret_loss > 0 || p->fwd_rate_kbit > 0 || p->fwd_mtu > 0 ||
	       p->send_error > 0 || p->target_drop_ack > 0 || p->relay_queue < 256;
}

static bool is_disturbed(const struct sim_params *p)
{
	return p->fwd_down_ms > 0 || p->channel_down_ms > 0 || p->target_dead_ms >= 0;
}

/* So few tuples for copies that one may find none: then its session has no copy at all. */
static bool lacks_tuples(const struct sim_params *p)
{
	bool aliased = p->copies > 1 || p->pool > 0 || p->alias_first > 0;
	int64_t tuples = p->alias_ports * (p->pool > 0 ? p->pool : 1);
	return aliased && tuples < 4 * p->convs * p->copies;
}

bool sim_is_partial(const struct sim_params *p)
{
	/* a SYN is missed, or dropped for want of room, and its client is joined later */
	bool missed = p->hole > 0 || p->join_ms > 0 || p->tables > 0 || lacks_tuples(p) ||
		      (p->sample < 10000 && p->whole_only == 0);
	/* after a reset by the target it is joined again, and after 5 s where nobody accepted or acknowledged */
	bool again = p->quit == SIM_QUIT_EARLY || p->quit == SIM_QUIT_RST || p->target_refuse > 0;
	bool bad =
		is_disturbed(p) || p->silent_ms > 0 || p->ret_loss >= 100 || p->send_error >= 100;
	/* what strangers say on its tuple counts for a client that was shed */
	bool strange = p->noise > 0 && p->keep_times > 0;
	return missed || again || strange ||
	       (bad && (p->target_keepalive_ms > 0 || p->think_us > 2000000));
}

bool sim_is_exact(const struct sim *s)
{
	return !sim_is_partial(&s->p) && s->p.chunks >= 512 && s->p.stop_ms == 0;
}

/* Data of lone SYNs has a share of the chunks, one in 64: beyond it the SYN is kept without. */
static bool starves_syns(const struct sim_params *p)
{
	return p->syn_data > 0 &&
	       (p->noise > 0 || (p->lone + p->refused + p->convs) * 64 > p->chunks);
}

/* What the scenario's own slowness adds up to. */
static tc_time slowness(const struct sim_params *p)
{
	tc_time t = p->turns * (p->answer_us + p->fwd_delay_us + p->ret_delay_us) * TC_US;
	int64_t bytes = p->turns * p->req_max;
	t += (p->target_stop_ms + p->fwd_down_ms + p->channel_down_ms + p->stall_ms) * TC_MS;
	t += (p->silent_ms + p->target_stall_ms + 2 * p->starve_ms * p->starve_times) * TC_MS;
	if (p->target_slow > 0) {
		t += bytes * 10 * TC_MS / p->target_slow;
	}
	if (p->target_buf < 16384) {
		/* one window a round trip, or a delayed acknowledgement */
		t += bytes / p->target_buf * (p->fwd_delay_us + p->ret_delay_us + 50000) * TC_US;
	}
	if (p->answer_chunk > 0) {
		t += p->turns * 10 * 30 * TC_MS;
	}
	if (p->answer != SIM_ANSWER_EQUAL) {
		t += p->turns *
		     TC_SEC; /* a turn without an answer waits for the limit, unless three do in a row */
	}
	if (p->fwd_rate_kbit > 0) {
		t += p->convs * bytes * 8 * TC_MS / p->fwd_rate_kbit;
	}
	return t + p->turns * p->rtt_us * TC_US;
}

tc_time sim_judge_bound(const struct sim *s)
{
	const struct sim_params *p = &s->p;
	tc_time bound = BOUND_BASE + BOUND_END + slowness(p);
	if (is_lossy(p)) {
		bound += p->ret_loss >= 100 ? 8 * BOUND_LOSS : BOUND_LOSS;
	}
	if (is_disturbed(p) || p->silent_ms > 0) {
		bound += 2 * slowness(p) + BOUND_LOSS;
	}
	bool mute = p->quit == SIM_QUIT_RST || p->quit == SIM_QUIT_EARLY; /* its RST may be lost */
	if (p->quit == SIM_QUIT_NEVER || p->target_dead_ms >= 0 || (mute && is_lossy(p))) {
		bound += 200 *
			 TC_SEC; /* how long a silent target is waited for is the core's choice */
	}
	if (p->client_loss > 0) {
		bound +=
			12 * TC_SEC * p->slow_permille /
			1000; /* a client that resets leaves its last loss unmended: 10 s of silence */
	}
	if (sim_is_partial(p) || p->idle_ms > 0 || starves_syns(p)) {
		bound += 30 * TC_SEC * p->slow_permille / 1000 + p->idle_ms * TC_MS;
	}
	return bound;
}

static bool may_lag(const struct sim_params *p)
{
	bool tiny = p->target_mss > 0 && p->target_mss < 500 && p->req_max > 2000;
	/* what lies behind a gap when the capture is held is as old as that takes */
	bool aged = p->held_ms > p->max_lag_ms / 2;
	return is_disturbed(p) || aged || (tiny && is_lossy(p)) || p->fwd_mtu > 0 ||
	       slowness(p) > p->max_lag_ms * TC_MS / 2 || p->fwd_loss >= 20 || p->ret_loss >= 50 ||
	       p->send_error >= 50 || p->max_lag_ms < 5000 || p->quit == SIM_QUIT_EARLY;
}

/* For the capture this client has not gone: it never said so, or that was lost on the way. */
static bool is_open(const struct sim_conv *c)
{
	return !c->fin_captured && !c->rst_captured;
}

/* Something that the client said never came by the capture, and there is more behind it. */
static bool has_gap(const struct sim_conv *c)
{
	uint32_t end = sim_conv_captured(c);
	if (c->cut) {
		return c->missed || c->said > end;
	}
	return c->missed || c->said > end || end < c->limit;
}

/* Opened by a copy of the SYN, or joined by a retransmission, behind the client's FIN: nothing more will come. */
static bool came_late(const struct sim *s, const struct sim_session *x)
{
	const struct sim_conv *c = &s->convs[x->conv];
	for (const struct sim_session *y = s->sessions; y < x; y++) {
		if (s->p.client_dup > 0 && y->conv == x->conv && y->copy == x->copy) {
			return true;
		}
	}
	return sim_is_partial(&s->p) && c->step == SIM_CLIENT_DONE && x->opened_at >= c->done_at;
}

/* The order of clients on a place does not tell whose session it was: is there one with this excuse? */
static bool any_of_place(const struct sim *s, const struct sim_conv *c, enum tc_end end)
{
	for (unsigned i = 0; i < s->n_convs; i++) {
		const struct sim_conv *o = &s->convs[i];
		if (o->place == c->place &&
		    ((end == TC_END_CLIENT_RST && o->rst_captured) ||
		     (end == TC_END_CLOSED && o->fin_captured) ||
		     (end == TC_END_HOLE && has_gap(o)) ||
		     (end == TC_END_REUSED && (o->superseded || o->missed)) ||
		     (end == TC_END_STOPPED && is_open(o)))) {
			return true;
		}
	}
	return false;
}

bool sim_judge_may_end(const struct sim *s, const struct sim_session *x, enum tc_end end)
{
	const struct sim_params *p = &s->p;
	const struct sim_conv *c = &s->convs[x->conv];
	const struct sim_conn *conn = &s->slots[x->slot].conn;
	if (!sim_is_exact(s) && any_of_place(s, c, end)) {
		return true;
	}
	switch (end) {
	case TC_END_CLOSED:
		return c->fin_captured || sim_is_partial(p);
	case TC_END_CLIENT_RST:
		return c->rst_captured;
	case TC_END_TARGET_RST:
		return conn->reset == SIM_RESET_APP ||
		       ((conn->reset == SIM_RESET_KEEPALIVE || conn->reset == SIM_RESET_NO_CONN) &&
			(is_disturbed(p) || p->silent_ms > 0 || p->ret_loss >= 100 ||
			 p->send_error >= 100));
	case TC_END_REFUSED:
		return conn->reset == SIM_RESET_REFUSED;
	case TC_END_NO_SYN_ACK:
	case TC_END_NO_ACK:
		/* one that never asked waits until it is heard, for --max-lag; one that has asked may have to ask again */
		if (p->silent_ms > (x->life == SIM_NONE && p->max_lag_ms >= 10000 ? 6000 : 2500) ||
		    (p->silent_ms > 0 && p->max_lag_ms < 5000)) {
			return true;
		}
		/* within 10 s something is asked four times: every tenth lost, all are once in 10,000 */
		return is_disturbed(p) || p->fwd_loss + p->ret_loss >= 80 || p->send_error >= 20 ||
		       p->fwd_mtu > 0 ||
		       ((is_lossy(p) || p->reuse > 0 || p->starve_ms > 0) &&
			(p->max_lag_ms < 5000 || c->superseded));
	case TC_END_CAPTURE_END:
		return c->cut && x->lost == 0;
	case TC_END_TARGET_QUIET:
		/* at the end of a file it has 3 s */
		if (s->file_ended && (is_lossy(p) || slowness(p) > TC_SEC)) {
			return true;
		}
		return p->quit == SIM_QUIT_NEVER || is_disturbed(p) ||
		       (is_lossy(p) && (p->quit == SIM_QUIT_RST || p->quit == SIM_QUIT_EARLY ||
					p->ret_loss >= 100));
	case TC_END_HOLE:
		return has_gap(c) || starves_syns(p) || p->tables > 0;
	case TC_END_LAG:
		return may_lag(p);
	case TC_END_MEMORY:
		return p->chunks < 512;
	case TC_END_SHED:
		return c->shed_at != 0 || (!sim_is_exact(s) && p->keep_times > 0);
	case TC_END_IDLE:
		return p->idle_ms > 0;
	case TC_END_NO_ROOM:
		return p->tables > 0 && p->copies > 1 && x->life == SIM_NONE;
	case TC_END_NO_TUPLE:
		return lacks_tuples(p) && x->life == SIM_NONE;
	case TC_END_REUSED:
		/* a SYN that comes again after the capture missed the first one looks like a new connection */
		return c->superseded || c->missed;
	case TC_END_NO_ANSWERS:
		return p->channel_down_ms > 0;
	case TC_END_STOPPED:
		return s->stopped && (p->stop_ms != 0 || is_open(c) || came_late(s, x));
	default:
		return false;
	}
}

/* Ends that we make ourselves: an RST, and bytes may be lost to it. */
static bool is_ours(enum tc_end end)
{
	switch (end) {
	case TC_END_HOLE:
	case TC_END_LAG:
	case TC_END_MEMORY:
	case TC_END_SHED:
	case TC_END_IDLE:
	case TC_END_REUSED:
	case TC_END_CAPTURE_END:
	case TC_END_NO_ANSWERS:
	case TC_END_STOPPED:
	case TC_END_NO_SYN_ACK:
	case TC_END_NO_ACK:
	case TC_END_TARGET_QUIET:
		return true;
	default:
		return false;
	}
}

static void judge_closed(struct sim *s, const struct sim_session *x)
{
	const struct sim_conv *c = &s->convs[x->conv];
	const struct sim_conn *conn = &s->slots[x->slot].conn;
	if (x->lost != 0) {
		sim_fail(s, "closed in order, and yet %llu bytes are lost",
			 (unsigned long long)x->lost);
	}
	if (!sim_is_exact(s)) {
		return;
	}
	if (x->delivered != c->limit) {
		sim_fail(s, "closed in order after %llu of %u bytes",
			 (unsigned long long)x->delivered, c->limit);
	}
	if (x->life == SIM_NONE || !s->lives[x->life].fin) {
		sim_fail(s, "closed in order without a FIN");
	} else if (conn->life == x->life && !conn->again &&
		   (conn->got + conn->base != c->limit || !conn->fin_in_order)) {
		sim_fail(s, "closed in order, but the target has %u of %u bytes%s", conn->got,
			 c->limit, conn->fin_in_order ? "" : " and no FIN");
	}
}

static void judge_client_rst(struct sim *s, const struct sim_session *x)
{
	const struct sim_conv *c = &s->convs[x->conv];
	if (x->life == SIM_NONE || !sim_is_exact(s)) {
		return;
	}
	const struct sim_life *life = &s->lives[x->life];
	if (!life->rst && !life->fin && !s->slots[x->slot].conn.was_rst) {
		sim_fail(s, "the client's RST was never said to the target");
	}
	if (!has_gap(c) && life->answered) {
		uint32_t said = life->start + (uint32_t)tc_seq_diff(life->top, life->isn) - 1;
		if (said < c->limit) {
			sim_fail(s,
				 "reset like the client, but only %u of %u bytes were said before",
				 said, c->limit);
		}
	}
}

void sim_judge_end(struct sim *s, const struct sim_session *x)
{
	if (!sim_judge_may_end(s, x, x->end)) {
		sim_fail(s, "session of client %u ended as '%s' without an excuse", x->conv,
			 tc_end_name(x->end));
		return;
	}
	tc_time shed_at = s->convs[x->conv].shed_at;
	if (sim_is_exact(s) && shed_at != 0 && x->end != TC_END_SHED &&
	    s->q.now > shed_at + sim_share_grace(s)) {
		sim_fail(s, "a session that was shed ended as '%s'", tc_end_name(x->end));
	}
	if (x->end == TC_END_CLOSED) {
		judge_closed(s, x);
	} else if (x->end == TC_END_CLIENT_RST) {
		judge_client_rst(s, x);
	}
}

void sim_judge_alive(struct sim *s)
{
	for (unsigned i = 0; i < s->n_sessions; i++) {
		const struct sim_session *x = &s->sessions[i];
		bool stays = is_open(&s->convs[x->conv]) || came_late(s, x);
		if (x->end == TC_END_NONE && (!stays || s->file_ended)) {
			sim_fail(s, "session %u lives %lld ms after its client %u was done", i,
				 (long long)((s->q.now - s->convs[x->conv].done_at) / TC_MS),
				 x->conv);
		}
	}
}

/* A world in which nothing is lost, late or odd: there a turn's lag has a bound. */
static bool is_smooth(const struct sim_params *p)
{
	bool path = !is_lossy(p) && !is_disturbed(p) && p->fwd_reorder == 0 &&
		    p->ret_reorder == 0 && p->ret_stale == 0 && p->ret_dup == 0 && p->stall_ms == 0;
	bool client = p->client_loss == 0 && p->client_reorder == 0 && p->client_dup == 0 &&
		      p->pipeline == 0 && p->push == 0 && p->reuse == 0 && p->req_max <= 8000 &&
		      p->ans_max <= 14000;
	bool target = p->answer == SIM_ANSWER_EQUAL && p->answer_chunk == 0 &&
		      p->target_buf >= 14600 && p->target_slow == 0 && p->target_stop_ms == 0 &&
		      p->target_shrink == 0 && p->quit <= SIM_QUIT_LAST && p->target_mss >= 1220;
	bool awake = p->starve_ms == 0 && p->target_stall_ms == 0 && p->silent_ms == 0;
	return path && client && target && awake && p->pace != TC_PACE_THINK && p->rtt_us == 0 &&
	       p->stop_ms == 0 && p->core_mss == 0;
}

/* A turn may begin when it was seen, or when the target has answered those before it: each costs a round trip or three, and its time. */
static tc_time lag_bound(const struct sim_params *p, unsigned turn)
{
	tc_time trip = (p->fwd_delay_us + p->ret_delay_us + p->fwd_jitter_us + p->ret_jitter_us +
			p->ret_batch_us + p->block_us + 3 * p->late_us) *
			       TC_US +
		       TC_MS;
	return (3 + 3 * turn) * trip + turn * p->answer_us * TC_US + 2 * TC_MS;
}

void sim_judge_spoken(struct sim *s, struct sim_session *x, uint32_t end)
{
	const struct sim_conv *c = &s->convs[x->conv];
	for (unsigned i = 0; i < c->seen_turns; i++) {
		uint32_t start = i == 0 ? 0 : c->turns[i - 1].request_end;
		if ((x->spoken >> i & 1) != 0 || start >= end) {
			continue;
		}
		x->spoken |= (uint16_t)(1U << i);
		tc_time lag = s->q.now - tc_time_max(c->turns[i].seen_at, c->accepted_at);
		if (is_smooth(&s->p) && lag > lag_bound(&s->p, i)) {
			sim_fail(s, "turn %u lags by %lld us, more than %lld", i,
				 (long long)(lag / TC_US),
				 (long long)(lag_bound(&s->p, i) / TC_US));
		}
	}
}

/* An RST that neither the client caused nor an end of our own. */
static void judge_rsts(struct sim *s)
{
	for (unsigned i = 0; i < s->n_lives; i++) {
		const struct sim_life *life = &s->lives[i];
		if (life->session == SIM_NONE) {
			sim_fail(s, "a replica spoke for a session that was never opened");
			return;
		}
		const struct sim_session *x = &s->sessions[life->session];
		if (life->rst && !is_ours(x->end) && !sim_judge_may_end(s, x, TC_END_CLIENT_RST)) {
			sim_fail(s, "an RST to the target, though the session ended as '%s'",
				 tc_end_name(x->end));
		}
	}
}

static void judge_opened(struct sim *s, const struct tc_ledger *l)
{
	const struct sim_params *p = &s->p;
	if (!sim_is_exact(s) || p->channel_down_ms > 0 || l->drops[TC_DROP_SYNS_FULL] > 0) {
		return;
	}
	for (unsigned i = 0; i < s->n_places; i++) {
		unsigned accepted = 0;
		for (unsigned k = 0; k < s->n_convs; k++) {
			accepted += s->convs[k].place == i && s->convs[k].accepted &&
				    s->convs[k].left == SIM_LEFT_NOT;
		}
		/* a copy of a SYN behind the end of its connection looks like a new one */
		unsigned opened = s->places[i].opened;
		unsigned copies = (unsigned)p->copies;
		bool phantom = p->client_dup > 0 && opened > accepted * copies;
		if ((accepted * copies != opened && !phantom) || opened % copies != 0) {
			sim_fail(s, "%u clients of a place were accepted, %u copies opened",
				 accepted, opened);
		}
	}
}

/* Can it be told when the target has answered: its answers are the online server's, and none comes by itself or later than any patience? */
static bool tells_answers(const struct sim_params *p)
{
	bool alike = p->answer == SIM_ANSWER_EQUAL && p->answer_chunk == 0 && p->push == 0 &&
		     p->pipeline == 0 && p->greeting == 0;
	int64_t silent_ms = p->target_stall_ms + p->target_stop_ms + p->answer_us / 1000;
	/* an end waits for 10 s */
	int64_t all_ms = p->target_stall_ms + p->target_stop_ms + p->turns * p->answer_us / 1000;
	return p->pace == TC_PACE_RESPONSE && alike && silent_ms < 4500 && all_ms < 9000 &&
	       !is_disturbed(p) && p->ret_loss < 50 && p->target_slow == 0;
}

/* What the client had heard, the target must have answered to the copy too, before it sees the end. */
static void judge_thrown_away(struct sim *s)
{
	if (!tells_answers(&s->p) || !sim_is_exact(s)) {
		return;
	}
	for (unsigned i = 0; i < s->n_lives; i++) {
		const struct sim_life *life = &s->lives[i];
		const struct sim_session *x = &s->sessions[life->session];
		const struct sim_conv *c = &s->convs[x->conv];
		bool in_order = x->end == TC_END_CLOSED || x->end == TC_END_CLIENT_RST;
		if (life->thrown_away > 0 && in_order && c->heard_all && !c->superseded) {
			sim_fail(s, "%u requests were not answered when the target saw the end",
				 life->thrown_away);
		}
	}
}

/* Bytes of a client that are in the books. A RST behind the FIN stands one behind the bytes. */
static uint64_t to_be_copied(const struct sim_conv *c)
{
	switch (c->left) {
	case SIM_LEFT_SAMPLE:
		return 0;
	case SIM_LEFT_SHED:
		return tc_u32_min(c->shed_said, c->limit);
	default:
		return c->accepted ? tc_u32_min(c->said, c->limit) : 0;
	}
}

static bool never_opened(const struct sim_conv *c)
{
	return c->left == SIM_LEFT_SHED || c->left == SIM_LEFT_LIMIT;
}

/* The books against what was seen of sessions. */
static void judge_books(struct sim *s, const struct tc_ledger *l)
{
	uint64_t delivered = 0;
	uint64_t to_copy = 0;
	uint64_t copies = (uint64_t)s->p.copies;
	uint64_t ended[TC_END__N] = { 0 };
	for (unsigned i = 0; i < s->n_sessions; i++) {
		const struct sim_session *x = &s->sessions[i];
		delivered += x->delivered;
		ended[x->end]++;
	}
	for (unsigned i = 0; i < s->n_convs; i++) {
		to_copy += to_be_copied(&s->convs[i]);
		ended[TC_END_SHED] += never_opened(&s->convs[i]) ? copies : 0;
	}
	if (delivered != l->delivered) {
		sim_fail(s, "sessions say that %llu bytes were delivered, the books %llu",
			 (unsigned long long)delivered, (unsigned long long)l->delivered);
	}
	for (unsigned i = 0; i < TC_END__N; i++) {
		bool strangers = s->p.noise > 0 || s->p.client_dup > 0;
		if (i == TC_END_SHED && (!sim_is_exact(s) || strangers)) {
			continue; /* they are shed, too */
		}
		bool partly = i == TC_END_NO_ROOM || i == TC_END_NO_TUPLE; /* some never began */
		if (partly ? ended[i] > l->ended[i] : ended[i] != l->ended[i]) {
			sim_fail(s, "%llu sessions ended as '%s', the books say %llu",
				 (unsigned long long)ended[i], tc_end_name((enum tc_end)i),
				 (unsigned long long)l->ended[i]);
		}
	}
	to_copy *= copies;
	/* of those that are left out only SYNs are seen: a copy of one is another connection, and one that comes too early ends the one before */
	bool left_out = s->p.keep_times > 0 || s->p.limit_sessions > 0;
	bool mixed_up = s->p.client_dup > 0 ||
			(s->p.reuse > 0 && s->p.client_reorder + s->p.client_jitter_us > 0);
	bool told_apart = !left_out || !mixed_up;
	if (sim_is_exact(s) && s->p.noise == 0 && told_apart && !starves_syns(&s->p) &&
	    to_copy != l->to_copy) {
		sim_fail(s, "%llu bytes were to be copied, the books say %llu",
			 (unsigned long long)to_copy, (unsigned long long)l->to_copy);
	}
}

/* Bytes said to the target against those to be said: retransmission has its price, but not any. */
static void judge_effort(struct sim *s)
{
	const struct sim_params *p = &s->p;
	for (unsigned i = 0; i < s->n_lives; i++) {
		const struct sim_life *life = &s->lives[i];
		uint64_t bytes = 0;
		for (unsigned k = 0; k < s->n_convs; k++) {
			if ((life->convs >> k & 1) != 0) {
				bytes = bytes < s->convs[k].total ? s->convs[k].total : bytes;
			}
		}
		bool quiet = !is_lossy(p) && !is_disturbed(p) && p->silent_ms == 0 &&
			     p->fwd_reorder == 0 && p->ret_reorder == 0;
		uint64_t most = quiet ? bytes + bytes / 8 + 20000 : 4 * bytes + 400000;
		if (life->data_bytes > most) {
			sim_fail(s, "%llu bytes were said to deliver %llu",
				 (unsigned long long)life->data_bytes, (unsigned long long)bytes);
		}
	}
}

void sim_judge_all(struct sim *s)
{
	struct tc_ledger l;
	tc_core_ledger(s->core, &l);
	for (unsigned i = 0; i < s->n_sessions; i++) {
		if (s->sessions[i].end == TC_END_NONE) {
			sim_fail(s, "session %u never ended", i);
		}
	}
	if (tc_core_live(s->core) != 0 || l.live != 0) {
		sim_fail(s, "%u replicas live after the end", tc_core_live(s->core));
	}
	if (l.held != 0 || l.syns_held != 0) {
		sim_fail(s, "%llu bytes and %llu SYNs are held after the end",
			 (unsigned long long)l.held, (unsigned long long)l.syns_held);
	}
	if (tc_core_deadline(s->core) != TC_TIME_NEVER) {
		sim_fail(s, "a deadline is armed after the end");
	}
	const char *bad = tc_core_check(s->core, s->q.now);
	if (bad != NULL) {
		sim_fail(s, "core: tc_core_check at the end: %s", bad);
	}
	if (s->relay != NULL && (bad = tc_relay_check(s->relay)) != NULL) {
		sim_fail(s, "relay: %s", bad);
	}
	judge_rsts(s);
	judge_opened(s, &l);
	judge_books(s, &l);
	judge_thrown_away(s);
	judge_effort(s);
}
