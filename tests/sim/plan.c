/* SPDX-License-Identifier: BSD-2-Clause
 * sim/plan.c - who will say what: places and conversations
 */
#include "sim/sim.h"

#include "wire/share.h"

static struct tc_ip address(bool v6, uint8_t net, uint8_t host)
{
	if (v6) {
		uint8_t b[16] = { 0x20, 0x01, 0x0d, 0xb8, 0, net };
		b[15] = host;
		return tc_ip_from_v6(b);
	}
	uint8_t b[4] = { 10, net, 0, host };
	return tc_ip_from_v4(b);
}

/* The targets of services 0 and 1 in both families */
static void plan_maps(struct sim *s)
{
	for (unsigned i = 0; i < 4; i++) {
		bool v6 = i >= 2;
		uint16_t service = i & 1;
		s->maps[i] = (struct tc_map){
			.online = address(v6, 9, 1),
			.online_port = (uint16_t)(80 + service),
			.online_port_last = (uint16_t)(80 + service),
			.target = address(v6, 8, 1),
			.target_port = (uint16_t)(8080 + service),
		};
	}
	for (unsigned i = 0; i < 2 * SIM_POOL; i++) {
		bool v6 = i >= s->p.pool;
		s->pool[i] = address(v6, 7, (uint8_t)(1 + i));
	}
}

static uint16_t slot_of(struct sim *s, const struct tc_tuple *online)
{
	for (unsigned i = 0; i < 4; i++) {
		const struct tc_map *m = &s->maps[i];
		if (tc_map_covers(m, &online->server, online->server_port)) {
			struct tc_tuple t = *online;
			t.server = m->target;
			t.server_port = tc_map_target_port(m, online->server_port);
			uint16_t slot = sim_slot_find(s, &t);
			if (slot != SIM_NONE) {
				return slot;
			}
			return sim_slot_add(s, &t);
		}
	}
	return SIM_NONE;
}

static uint16_t plan_place(struct sim *s, struct sim_rng *r)
{
	unsigned n = s->n_places++;
	bool v6 = s->p.v6 != 0 && (sim_rng_next(r) & 1) != 0;
	unsigned twin = s->p.same == 2 ? n / 2 : n;
	if (s->p.same == 2 && (n & 1) != 0) {
		v6 = !tc_ip_is_v4(&s->places[n - 1].online.client);
	}
	struct tc_tuple t = {
		.client = address(v6, 1, s->p.same == 0 ? (uint8_t)(n + 1) : 1),
		.server = address(v6, 9, 1),
		.client_port = (uint16_t)(40000 + twin),
		.server_port = (uint16_t)(s->p.same == 2 ? 80 + (n & 1) : 80),
	};
	s->places[n] = (struct sim_place){ .online = t };
	s->places[n].slot = slot_of(s, &t);
	return (uint16_t)n;
}

static void plan_turns(const struct sim_params *p, struct sim_conv *c)
{
	struct sim_rng *r = &c->rng;
	c->n_turns = (uint16_t)sim_rng_range(r, 1, p->turns < SIM_TURNS ? p->turns : SIM_TURNS);
	for (unsigned i = 0; i < c->n_turns; i++) {
		struct sim_turn *t = &c->turns[i];
		*t = (struct sim_turn){
			.request = (uint32_t)sim_rng_log(r, 1, p->req_max),
			.answer = (uint32_t)sim_rng_log(r, 1, p->ans_max),
			.think = sim_rng_range(r, 0, p->think_us) * TC_US,
			.service = sim_rng_range(r, 0, p->service_us) * TC_US,
		};
		t->pipelined = sim_rng_permille(r, p->pipeline);
		t->push = sim_rng_permille(r, p->push) ? (uint32_t)sim_rng_range(r, 1, 2000) : 0;
		c->total += t->request;
		t->request_end = c->total;
	}
	if (p->syn_data > 0) {
		c->syn_data = tc_u32_min((uint32_t)p->syn_data, c->turns[0].request);
	}
}

static struct sim_conv *plan_conv(struct sim *s, uint16_t place)
{
	unsigned n = s->n_convs++;
	struct sim_conv *c = &s->convs[n];
	const struct sim_params *p = &s->p;
	*c = (struct sim_conv){
		.rng = sim_rng_of(s->seed, 100 + n),
		.place = place,
		.timer = SIM_TIMER_IDLE,
		.online_timer = SIM_TIMER_IDLE,
		.rto_at = TC_TIME_NEVER,
		.ack_at = TC_TIME_NEVER,
		.app_at = TC_TIME_NEVER,
		.probe_at = TC_TIME_NEVER,
		.online_at = TC_TIME_NEVER,
		.greeting = (uint32_t)p->greeting,
	};
	c->iss = (uint32_t)sim_rng_next(&c->rng);
	c->irs = (uint32_t)sim_rng_next(&c->rng);
	if (p->wrap != 0) {
		c->iss = (uint32_t)-sim_rng_range(&c->rng, 0, 5000);
		c->irs = (uint32_t)-sim_rng_range(&c->rng, 0, 5000);
	}
	const struct sim_conv *last = NULL;
	for (unsigned i = 0; i < n; i++) {
		last = s->convs[i].place == place ? &s->convs[i] : last;
	}
	if (last != NULL) {
		/* as stacks do: a port that is used again begins above its last sequence numbers, RFC 6528 */
		c->iss = last->iss + last->total +
			 (uint32_t)sim_rng_range(&c->rng, 1 << 16, 1 << 29);
	}
	c->close = (enum sim_close)(p->close >= 0 ? p->close :
						    sim_rng_range(&c->rng, 0, SIM_CLOSE__N - 1));
	if (p->close < 0 && c->close == SIM_CLOSE_VANISH && sim_rng_permille(&c->rng, 700)) {
		c->close = SIM_CLOSE_CLIENT;
	}
	plan_turns(p, c);
	c->share =
		tc_share_of(&s->places[place].online.client, s->places[place].online.client_port);
	s->slots[s->places[place].slot].convs |= (uint64_t)1 << n;
	return c;
}

void sim_plan(struct sim *s)
{
	struct sim_rng r = sim_rng_of(s->seed, 1);
	plan_maps(s);
	int64_t per_place = s->p.reuse + 1;
	int64_t most = SIM_CONVS / s->p.passes;
	int64_t want = s->p.convs < most ? s->p.convs : most;
	for (int64_t i = 0; i < want; i++) {
		uint16_t place =
			i % per_place == 0 ? plan_place(s, &r) : (uint16_t)(s->n_places - 1);
		plan_conv(s, place);
		if (i % per_place == 0) {
			sim_queue_push(&s->q,
				       s->q.now + sim_rng_range(&r, 0, s->p.spread_us) * TC_US,
				       SIM_EV_CLIENT_START, s->n_convs - 1);
		}
	}
	for (int64_t i = want; i < want * s->p.passes; i++) {
		plan_conv(s, s->convs[i - want].place)->pass = (uint16_t)(i / want);
	}
	for (int64_t i = 0; i < s->p.lone + s->p.refused && s->n_convs < SIM_CONVS; i++) {
		struct sim_conv *c = plan_conv(s, plan_place(s, &r));
		c->lone = i < s->p.lone;
		c->refused = !c->lone;
		sim_queue_push(&s->q, s->q.now + sim_rng_range(&r, 0, s->p.spread_us) * TC_US,
			       SIM_EV_CLIENT_START, s->n_convs - 1);
	}
}
