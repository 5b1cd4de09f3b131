/* SPDX-License-Identifier: BSD-2-Clause
 * sim/watch.c - an eye on all that the core says and hears: invariants of single segments
 *
 * Bytes are compared here, where they leave the core, with what the client sent at that place of its stream; from here on a packet
 * carries only numbers and the life that it belongs to, and the target refuses bytes of another life. A life may belong to any client
 * of its tuple until its bytes say to which.
 */
#include "sim/sim.h"

#include "wire/mark.h"

#include <string.h>

/* An in-window report is acknowledged within so long */
#define ACK_WITHIN (50 * TC_MS)
/* An ISN and a timestamp must rise over so long, TIME-WAIT at the target */
#define REMEMBERED (60 * TC_SEC)
/* Fewer bytes are too few to tell where in a stream they stand */
#define TELLING 12
/* A target is silent when nothing was reported of it for so long; then no more than so many ask it at a time */
#define SILENT (3 * TC_SEC)
#define ASKING_MAX 8
/* ... and when it is heard, the others begin */
#define BEGINS_WITHIN (100 * TC_MS)

static struct tc_tuple tuple_of(const struct tc_segment *seg)
{
	return (struct tc_tuple){
		.client = seg->src,
		.server = seg->dst,
		.client_port = seg->tcp.src_port,
		.server_port = seg->tcp.dst_port,
	};
}

static struct sim_session *session_of(struct sim *s, const struct sim_life *life)
{
	return life->session != SIM_NONE ? &s->sessions[life->session] : NULL;
}

static bool is_ended(struct sim *s, const struct sim_life *life)
{
	const struct sim_session *x = session_of(s, life);
	return life->rst || (x != NULL && x->end != TC_END_NONE);
}

/* Replicas have numbers, which are used again when they have ended. */
static uint16_t session_of_replica(struct sim *s, uint32_t replica)
{
	for (unsigned i = 0; i < s->n_sessions; i++) {
		const struct sim_session *x = &s->sessions[i];
		if (x->replica == replica && x->end == TC_END_NONE) {
			return (uint16_t)i;
		}
	}
	return SIM_NONE;
}

static void check_syn_options(struct sim *s, const struct tc_segment *seg,
			      const struct tc_tuple *tuple)
{
	const struct tc_tcp *t = &seg->tcp;
	if (t->flags != TC_TCP_SYN || seg->payload_len != 0) {
		sim_fail(s, "a SYN with other flags, or data");
	}
	if (!t->opt.has_ts || !t->opt.has_mss || !t->opt.has_ws || !t->opt.sack_ok) {
		sim_fail(s, "a SYN without MSS, window scale, SACK or timestamps");
	}
	if (!tc_mark_check_syn(&s->mark_key, tuple, t->seq, t->win)) {
		sim_fail(s, "a SYN without a valid mark");
	}
}

/* Whose bytes may come on a new life: those of its session's client, or of any of the tuple when that cannot be told for sure. */
static uint64_t candidates(const struct sim *s, const struct sim_slot *sl,
			   const struct sim_session *x)
{
	if (sim_is_exact(s)) {
		return (uint64_t)1 << x->conv;
	}
	uint64_t convs = 0;
	for (unsigned i = 0; i < s->n_convs; i++) {
		if ((sl->convs >> i & 1) != 0 && s->convs[i].accepted) {
			convs |= (uint64_t)1 << i;
		}
	}
	return convs;
}

static void check_reuse(struct sim *s, const struct tc_segment *seg, const struct sim_life *old)
{
	if (s->q.now - old->at < REMEMBERED) {
		if (tc_seq_le(seg->tcp.seq, old->top)) {
			sim_fail(s, "an ISN that does not lie above the last sequence number of "
				    "its tuple");
		}
		if ((int32_t)(seg->tcp.opt.tsval - old->tsval) <= 0) {
			sim_fail(s, "a timestamp that does not rise over the incarnations of its "
				    "tuple");
		}
	}
	if (!old->fin && !old->rst && !is_ended(s, old)) {
		sim_fail(s, "a new SYN while the old replica lives");
	}
}

/* The target closed although the client went on: the session goes on behind what was said. */
static void go_on(struct sim *s, struct sim_life *life, const struct sim_life *before)
{
	if (!before->heard_fin) {
		sim_fail(s, "a session begins anew although the target did not close");
	}
	life->convs = before->convs;
	life->start_known = before->start_known;
	life->start =
		before->start + (uint32_t)tc_seq_diff(before->top, before->isn) - 1 - before->fin;
}

static unsigned target_of(const struct sim *s, const struct tc_tuple *t)
{
	unsigned i = 0;
	while (i < 3 && !(tc_ip_eq(&s->maps[i].target, &t->server) &&
			  s->maps[i].target_port == t->server_port)) {
		i++;
	}
	return i;
}

/* A target that is not heard may be one whose answers go to real clients: few ask it at a time. */
static void check_asking(struct sim *s, unsigned target)
{
	unsigned asking = 0;
	for (unsigned i = 0; i < s->n_lives; i++) {
		const struct sim_life *life = &s->lives[i];
		const struct sim_slot *sl = &s->slots[life->slot];
		asking += sl->life == i && target_of(s, &sl->tuple) == target && !life->answered &&
			  !is_ended(s, life);
	}
	if (asking > ASKING_MAX && s->q.now - s->heard_at[target] > SILENT) {
		sim_fail(s, "%u connections ask a target that is silent", asking);
	}
}

void sim_watch_forgotten(struct sim *s)
{
	for (unsigned i = 0; i < s->n_sessions && s->p.channel_down_ms == 0; i++) {
		const struct sim_session *x = &s->sessions[i];
		unsigned target = target_of(s, &s->slots[x->slot].tuple);
		bool first = x->end == TC_END_NONE && x->life == SIM_NONE &&
			     s->slots[x->slot].life == SIM_NONE;
		tc_time since = tc_time_max(x->opened_at, s->heard_since[target]);
		if (first && s->q.now - s->heard_at[target] < SILENT &&
		    s->q.now - since > sim_share_grace(s) + BEGINS_WITHIN) {
			sim_fail(s, "session %u does not begin although its target was heard", i);
		}
	}
}

static void open_life(struct sim *s, const struct tc_segment *seg, uint16_t slot)
{
	struct sim_slot *sl = &s->slots[slot];
	uint16_t session = session_of_replica(s, seg->replica);
	if (s->n_lives == SIM_LIVES || session == SIM_NONE) {
		sim_fail(s, session == SIM_NONE ? "a SYN for a session that was never opened" :
						  "model: too many incarnations");
		return;
	}
	struct sim_session *x = &s->sessions[session];
	uint16_t n = (uint16_t)s->n_lives++;
	struct sim_life *life = &s->lives[n];
	*life = (struct sim_life){
		.slot = slot,
		.session = session,
		.convs = candidates(s, sl, x),
		.start_known = !sim_is_partial(&s->p),
		.isn = seg->tcp.seq,
		.at = s->q.now,
		.top = tc_seq_add(seg->tcp.seq, 1),
		.tsval = seg->tcp.opt.tsval,
		.own_shift = seg->tcp.opt.ws_shift,
	};
	if (sl->life != SIM_NONE) {
		check_reuse(s, seg, &s->lives[sl->life]);
	}
	if (x->life != SIM_NONE) {
		go_on(s, life, &s->lives[x->life]);
	}
	if (life->convs == 0) {
		sim_fail(s, "a SYN before the online server accepted any client of its tuple");
	}
	x->life = n;
	sl->life = n;
	check_asking(s, target_of(s, &sl->tuple));
}

/* Do the segment's bytes stand at @offset of the stream of @conv? */
static bool bytes_are(const struct sim *s, const struct tc_segment *seg, unsigned conv,
		      uint32_t offset)
{
	for (unsigned i = 0; i < seg->n_views; i++) {
		if (memcmp(seg->payload[i].p, sim_bytes(s, conv, offset), seg->payload[i].n) != 0) {
			return false;
		}
		offset += (uint32_t)seg->payload[i].n;
	}
	return true;
}

/* Where a life that began in the middle of a stream has its first byte: wherever its bytes are found. */
static void find_start(struct sim *s, struct sim_life *life, const struct tc_segment *seg,
		       uint32_t offset)
{
	if (seg->payload_len < TELLING) {
		return;
	}
	for (unsigned i = 0; i < s->n_convs; i++) {
		if ((life->convs >> i & 1) == 0) {
			continue;
		}
		for (uint32_t o = offset; o + seg->payload_len <= s->convs[i].total; o++) {
			if (bytes_are(s, seg, i, o)) {
				life->start_known = true;
				life->start = o - offset;
				life->convs = (uint64_t)1 << i;
				return;
			}
		}
	}
	sim_fail(s, "bytes that no client of this tuple sent");
}

static void check_bytes(struct sim *s, struct sim_life *life, const struct tc_segment *seg)
{
	uint32_t offset = (uint32_t)tc_seq_diff(seg->tcp.seq, life->isn) - 1;
	bool fin = (seg->tcp.flags & TC_TCP_FIN) != 0;
	if (!life->start_known) {
		find_start(s, life, seg, offset);
		if (!life->start_known) {
			return;
		}
	}
	offset += life->start;
	uint64_t fit = 0;
	for (unsigned i = 0; i < s->n_convs; i++) {
		const struct sim_conv *c = &s->convs[i];
		if ((life->convs >> i & 1) == 0) {
			continue;
		}
		uint32_t end = offset + seg->payload_len;
		/* a FIN stands where the client's does, or at the end of a turn when the target has closed */
		bool fin_fits = (c->fin_captured && end == c->limit) || life->heard_fin;
		if (end <= sim_spans_end(&c->captured, life->start) && end <= c->total &&
		    (!fin || fin_fits) && bytes_are(s, seg, i, offset)) {
			fit |= (uint64_t)1 << i;
		}
	}
	if (fit == 0) {
		sim_fail(s, "%s at offset %u (%u bytes) that no client of this tuple sent",
			 fin ? "bytes or a FIN" : "bytes", offset, seg->payload_len);
	}
	life->convs = fit;
	if (sim_is_exact(s) && fit != 0) {
		sim_judge_spoken(s, session_of(s, life), offset + seg->payload_len);
	}
}

/* Size of each packet against what the target takes, and the whole against its window. */
static void check_room(struct sim *s, struct sim_life *life, const struct tc_segment *seg)
{
	const struct tc_tcp *t = &seg->tcp;
	uint32_t sum = 0;
	for (unsigned i = 0; i < seg->n_views; i++) {
		sum += (uint32_t)seg->payload[i].n;
	}
	if (sum != seg->payload_len || seg->n_views > TC_SEGMENT_VIEWS) {
		sim_fail(s, "the views of a segment do not sum up to its length");
	}
	if (seg->payload_len > 65160) {
		sim_fail(s, "a segment of %u bytes", seg->payload_len);
	}
	if (seg->payload_len == 0) {
		return;
	}
	uint32_t most = life->mss - (life->ts ? 12u : 0u); /* RFC 6691 */
	uint32_t packet = seg->cut != 0 ? tc_u32_min(seg->cut, seg->payload_len) : seg->payload_len;
	if (s->mtu_said && packet > s->p.fwd_mtu) {
		sim_fail(s, "a packet of %u bytes, though the path's MTU is known", packet);
	}
	if (packet > most) {
		sim_fail(s, "a packet of %u bytes; the target takes %u", packet, most);
	}
	int32_t over = tc_seq_diff(tc_seq_add(t->seq, seg->payload_len), life->edge);
	if (over > (life->zero_window ? 1 : 0)) {
		sim_fail(s, "%d bytes outside the window that the target gave", over);
	}
}

static void check_ack(struct sim *s, struct sim_life *life, const struct tc_segment *seg)
{
	const struct tc_tcp *t = &seg->tcp;
	const struct sim_conn *c = &s->slots[life->slot].conn;
	if ((t->flags & TC_TCP_ACK) == 0) {
		sim_fail(s, "a segment without ACK");
		return;
	}
	if (!life->answered) {
		sim_fail(s, "an ACK before the target's SYN-ACK");
	}
	if (life->has_acked && tc_seq_lt(t->ack, life->acked)) {
		sim_fail(s, "an acknowledgement that goes back");
	}
	if (&s->lives[c->life] == life && c->state != SIM_CLOSED && !c->again &&
	    (int32_t)(t->ack.v - c->iss - c->nxt) > 0) {
		sim_fail(s, "an acknowledgement of what the target never said");
	}
	if (life->ts != t->opt.has_ts) {
		sim_fail(s, "timestamps on one side only");
	}
	life->acked = t->ack;
	life->has_acked = true;
	life->window = (uint32_t)t->win << (life->ws ? life->own_shift : 0);
	if (life->owes_ack && tc_seq_le(life->owed, t->ack)) {
		life->owes_ack = false;
	}
}

static void check_rst(struct sim *s, struct sim_life *life, const struct tc_segment *seg)
{
	if (seg->payload_len != 0) {
		sim_fail(s, "an RST with data");
	}
	if (life->rst_asked && tc_seq_eq(seg->tcp.seq, life->owed)) {
		life->rst_asked = false; /* to a half-open leftover: no end of this life */
		return;
	}
	if (!life->rst && !tc_seq_eq(seg->tcp.seq, life->top)) {
		sim_fail(s, "an RST %d away from snd_nxt", tc_seq_diff(seg->tcp.seq, life->top));
	}
	life->rst = true;
	life->rst_at = s->q.now;
}

static void count(struct sim_life *life, const struct tc_segment *seg)
{
	uint32_t cut = seg->cut != 0 ? seg->cut : 1;
	uint32_t pkts = seg->payload_len > 0 ? (seg->payload_len + cut - 1) / cut : 1;
	life->pkts += pkts;
	life->data_pkts += seg->payload_len > 0 ? pkts : 0;
	life->data_bytes += seg->payload_len;
	tc_seq end =
		tc_seq_add(seg->tcp.seq, seg->payload_len + ((seg->tcp.flags & TC_TCP_FIN) != 0));
	life->top = tc_seq_max(life->top, end);
}

/* What is shed says nothing more: it would cost those that are kept. */
static void check_shed(struct sim *s, const struct sim_life *life, const struct tc_segment *seg)
{
	const struct sim_session *x = session_of(s, life);
	bool speaks = seg->payload_len > 0 || (seg->tcp.flags & TC_TCP_SYN) != 0;
	if (!speaks || x == NULL || !sim_is_exact(s) || s->convs[x->conv].shed_at == 0) {
		return;
	}
	tc_time since = s->q.now - s->convs[x->conv].shed_at;
	if (since > sim_share_grace(s)) {
		sim_fail(s, "client %u is spoken for %lld us after it was shed", x->conv,
			 (long long)(since / TC_US));
	}
}

void sim_watch_segment(struct sim *s, const struct tc_segment *seg, uint16_t *ret_slot)
{
	const struct tc_tcp *t = &seg->tcp;
	struct tc_tuple tuple = tuple_of(seg);
	uint16_t slot = sim_slot_find(s, &tuple);
	sim_trace_pkt(s, "core >", slot, t, seg->payload_len);
	if (slot == SIM_NONE) {
		sim_fail(s, "a segment on a tuple that no client has");
		return;
	}
	*ret_slot = slot;
	struct sim_slot *sl = &s->slots[slot];
	bool syn = (t->flags & TC_TCP_SYN) != 0;
	if (syn) {
		check_syn_options(s, seg, &tuple);
	}
	if (syn && (sl->life == SIM_NONE || !tc_seq_eq(s->lives[sl->life].isn, t->seq))) {
		open_life(s, seg, slot);
	}
	if (sl->life == SIM_NONE) {
		sim_fail(s, "a segment without a SYN before it");
		return;
	}
	struct sim_life *life = &s->lives[sl->life];
	check_shed(s, life, seg);
	if (syn) {
		life->tsval = t->opt.tsval;
		life->pkts++;
		return;
	}
	if (t->opt.has_ts) {
		if ((int32_t)(t->opt.tsval - life->tsval) < 0) {
			sim_fail(s, "a timestamp that goes back");
		}
		life->tsval = t->opt.tsval;
	}
	if ((t->flags & TC_TCP_RST) != 0) {
		check_rst(s, life, seg);
		return;
	}
	if (life->rst) {
		sim_fail(s, "a segment after the RST of its connection");
	}
	if ((t->flags & TC_TCP_FIN) != 0 && !life->fin) {
		life->fin = true;
		life->fin_at = s->q.now;
	}
	check_ack(s, life, seg);
	check_room(s, life, seg);
	if (seg->payload_len > 0 || (t->flags & TC_TCP_FIN) != 0) {
		check_bytes(s, life, seg);
	}
	count(life, seg);
}

static void heard_syn_ack(struct sim *s, struct sim_life *life, const struct tc_answer *ans)
{
	const struct tc_tcp *t = &ans->tcp;
	if (life->answered || !tc_seq_eq(t->ack, tc_seq_add(life->isn, 1))) {
		return;
	}
	life->answered = true;
	life->ts = t->opt.has_ts;
	life->ws = t->opt.has_ws;
	life->shift = t->opt.has_ws ? t->opt.ws_shift : 0;
	life->mss = t->opt.has_mss ? t->opt.mss : tc_ip_is_v4(&ans->client) ? 536 : 1220;
	life->edge = tc_seq_add(t->ack, t->win);
	life->zero_window = t->win == 0;
	(void)s;
}

/* How long the target may wait: a client whose round-trip time is imitated answers later. */
static tc_time ack_within(const struct sim *s)
{
	return ACK_WITHIN + (s->p.rtt_us + s->p.late_us) * TC_US + s->p.stall_ms * TC_MS + TC_MS;
}

static void owe(struct sim *s, struct sim_life *life, tc_seq end)
{
	if (life->owes_ack) {
		life->owed = tc_seq_max(life->owed, end);
		return;
	}
	life->owes_ack = true;
	life->owed = end;
	life->owed_at = s->q.now;
	sim_queue_push(&s->q, s->q.now + ack_within(s), SIM_EV_ACK_DUE,
		       (uint32_t)(life - s->lives));
}

void sim_watch_report(struct sim *s, const struct tc_answer *ans)
{
	const struct tc_tcp *t = &ans->tcp;
	struct tc_tuple tuple = {
		.client = ans->client,
		.server = ans->target,
		.client_port = t->dst_port,
		.server_port = t->src_port,
	};
	uint16_t slot = sim_slot_find(s, &tuple);
	if (slot == SIM_NONE || s->slots[slot].life == SIM_NONE) {
		return;
	}
	struct sim_life *life = &s->lives[s->slots[slot].life];
	unsigned target = target_of(s, &tuple);
	if (!is_ended(s, life)) {
		bool was_silent = s->q.now - s->heard_at[target] > SILENT;
		s->heard_since[target] = was_silent ? s->q.now : s->heard_since[target];
		s->heard_at[target] = s->q.now;
	}
	bool in_range = (t->flags & TC_TCP_ACK) != 0 && tc_seq_lt(life->isn, t->ack) &&
			tc_seq_le(t->ack, life->top);
	if ((t->flags & TC_TCP_RST) != 0) {
		return;
	}
	if (!life->answered && (t->flags & TC_TCP_ACK) != 0 && !in_range) {
		life->rst_asked = true;
		life->owed = t->ack;
	}
	if (!in_range || is_ended(s, life)) {
		return;
	}
	if ((t->flags & TC_TCP_SYN) != 0) {
		heard_syn_ack(s, life, ans);
		return;
	}
	if (!life->answered) {
		return;
	}
	life->edge = tc_seq_max(life->edge, tc_seq_add(t->ack, (uint32_t)t->win << life->shift));
	life->zero_window = t->win == 0;
	bool fin = (t->flags & TC_TCP_FIN) != 0;
	life->heard_fin |= fin;
	tc_seq end = tc_seq_add(t->seq, ans->payload_len + fin);
	int32_t ahead = tc_seq_diff(end, life->acked);
	if (life->has_acked && (ans->payload_len > 0 || fin) && ahead > 0 &&
	    (uint32_t)ahead <= life->window) {
		owe(s, life, end);
	}
}

void sim_watch_ack_due(struct sim *s, unsigned n)
{
	struct sim_life *life = &s->lives[n];
	bool due = life->owes_ack && s->q.now >= life->owed_at + ack_within(s);
	if (due && s->slots[life->slot].life == n && !is_ended(s, life) && s->channel_up) {
		sim_fail(s, "the target waits since %lld us for the acknowledgement of %u",
			 (long long)((s->q.now - life->owed_at) / TC_US), life->owed.v);
	}
}

/* ---- sessions ---- */

/* Whose session was opened: on each place the accepted conversations open one after the other. */
static uint16_t opened_conv(struct sim *s, unsigned place, unsigned nth)
{
	uint16_t last = SIM_NONE;
	for (unsigned i = 0; i < s->n_convs; i++) {
		const struct sim_conv *c = &s->convs[i];
		bool left = sim_is_exact(s) && c->left != SIM_LEFT_NOT;
		if (c->place == place && c->accepted && !left) {
			last = (uint16_t)i;
			if (nth-- == 0 && sim_is_exact(s)) {
				break;
			}
		}
	}
	return last;
}

/* May copy number @copy of this client speak from this tuple? The first one has its own, unless -c or -f say otherwise. */
static void check_alias(struct sim *s, const struct tc_out_session *out, unsigned copy)
{
	const struct sim_params *p = &s->p;
	const struct tc_ip *ip = &out->target.client;
	bool pooled = false;
	for (int64_t i = 0; i < 2 * p->pool; i++) {
		pooled |= tc_ip_eq(ip, &s->pool[i]);
	}
	if (p->pool > 0 ? !pooled : !tc_ip_eq(ip, &out->online.client)) {
		sim_fail(s, "a copy speaks from an address that is neither its client's nor of -c");
	}
	if (tc_ip_is_v4(ip) != tc_ip_is_v4(&out->online.client)) {
		sim_fail(s, "a copy of another family than its client");
	}
	unsigned port = out->target.client_port;
	bool own = p->pool == 0 && p->alias_first == 0 && copy == 0;
	if (sim_is_partial(p)) { /* its number is not known */
		own = port == out->online.client_port;
	}
	if (own ? port != out->online.client_port : port < 1024 || port >= 1024 + p->alias_ports) {
		sim_fail(s, "copy %u speaks from port %u", copy, port);
	}
	for (unsigned i = 0; i < s->n_sessions && !own; i++) {
		const struct sim_session *x = &s->sessions[i];
		if (x->end == TC_END_NONE && tc_tuple_eq(&s->slots[x->slot].tuple, &out->target)) {
			sim_fail(s, "two copies share a tuple");
		}
	}
}

static void opened(struct sim *s, const struct tc_out_session *out)
{
	unsigned place = 0;
	while (place < s->n_places && !tc_tuple_eq(&s->places[place].online, &out->online)) {
		place++;
	}
	if (place == s->n_places || s->n_sessions == SIM_SESSIONS) {
		sim_fail(s, "a session of nobody was opened");
		return;
	}
	unsigned nth = s->places[place].opened++;
	unsigned copies = (unsigned)s->p.copies;
	check_alias(s, out, nth % copies);
	uint16_t slot = sim_slot_find(s, &out->target);
	slot = slot == SIM_NONE ? sim_slot_add(s, &out->target) : slot;
	if (s->failed) {
		return;
	}
	s->slots[slot].convs |= s->slots[s->places[place].slot].convs;
	struct sim_session *x = &s->sessions[s->n_sessions];
	*x = (struct sim_session){
		.conv = opened_conv(s, place, nth / copies),
		.slot = slot,
		.life = SIM_NONE,
		.copy = (uint16_t)(nth % copies),
		.replica = out->replica,
		.opened_at = s->q.now,
	};
	if (x->conv == SIM_NONE) {
		sim_fail(s, "a session was opened before its client was accepted");
		return;
	}
	sim_trace(s, "session %u of client %u is open", s->n_sessions, x->conv);
	s->n_sessions++;
}

void sim_watch_session(struct sim *s, const struct tc_out_session *out)
{
	if (out->end == TC_END_NONE) {
		opened(s, out);
		return;
	}
	uint16_t n = session_of_replica(s, out->replica);
	if (n == SIM_NONE || s->sessions[n].slot != sim_slot_find(s, &out->target)) {
		sim_fail(s, "a session ended that was never opened");
		return;
	}
	struct sim_session *x = &s->sessions[n];
	x->end = out->end;
	x->ended_at = s->q.now;
	x->delivered = out->delivered;
	x->lost = out->lost;
	sim_trace(s, "session %u of client %u has ended: %s, delivered %llu, lost %llu", n, x->conv,
		  tc_end_name(x->end), (unsigned long long)x->delivered,
		  (unsigned long long)x->lost);
	sim_judge_end(s, x);
}
