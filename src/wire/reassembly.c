/* SPDX-License-Identifier: BSD-2-Clause
 * wire/reassembly.c - datagrams in parts
 *
 * Offsets of fragments are multiples of eight bytes, so a datagram is a row of 8-byte units, of which the last may be short. Units
 * lie in pages at their place; each page has a bit for each of its units. That makes overlap, duplicate and completeness exact, in any
 * order of arrival, for a fixed price. On completion the pages are copied into one run of bytes.
 *
 * Datagrams stand in a list in the order of their first fragments: its head is the oldest, for timeout and eviction alike. There are
 * pages for a whole datagram at least, so the one that a fragment belongs to always finds room once all others have given way.
 */
#include "wire/reassembly.h"

#include "base/table.h"

#define UNIT 8
#define PAGE_UNITS 256
#define PAGE_BYTES (UNIT * PAGE_UNITS)
#define DATAGRAM_MAX 65535
#define PAGES ((DATAGRAM_MAX + PAGE_BYTES - 1) / PAGE_BYTES)
#define END_UNKNOWN UINT32_MAX
#define ALIGN 64

struct page {
	uint8_t have[PAGE_UNITS / 8];
	uint8_t bytes[PAGE_BYTES];
};

/* Hashed and compared as bytes: no padding. */
struct key {
	struct tc_ip src;
	struct tc_ip dst;
	uint32_t id;
	uint32_t link_id;
	uint32_t proto; /* 0 over IPv6, where it is no part of the name */
};
_Static_assert(sizeof(struct key) == 44, "a key is hashed as bytes");

/**
 * struct entry - one incomplete datagram
 * @end:       its length, END_UNKNOWN until the last fragment came
 * @high:      end of the farthest fragment
 * @cut:       bytes from here on were not captured, END_UNKNOWN while all were
 * @units:     units that came
 * @fragments: that it holds, duplicates too
 * @proto:     of the first fragment
 */
struct entry {
	struct key key;
	uint32_t hash;
	uint32_t older;
	uint32_t newer;
	uint32_t end;
	uint32_t high;
	uint32_t cut;
	uint32_t units;
	uint32_t fragments;
	uint8_t proto;
	tc_time born;
	uint32_t pages[PAGES];
};

struct tc_reassembly {
	struct tc_siphash_key key;
	tc_time timeout;
	uint32_t oldest;
	uint32_t newest;
	struct tc_table table;
	struct tc_slab entries;
	struct tc_slab pages;
	struct tc_reassembly_stats stats;
	uint8_t whole[DATAGRAM_MAX + 1];
};

static size_t align(size_t n)
{
	return (n + ALIGN - 1) / ALIGN * ALIGN;
}

static uint32_t page_count(const struct tc_reassembly_config *cfg)
{
	size_t n = cfg->bytes / PAGE_BYTES + (cfg->bytes % PAGE_BYTES != 0);
	return n < PAGES ? PAGES : n < TC_NIL ? (uint32_t)n : TC_NIL - 1;
}

size_t tc_reassembly_bytes(const struct tc_reassembly_config *cfg)
{
	return align(sizeof(struct tc_reassembly)) + align(tc_table_bytes(cfg->datagrams)) +
	       align(tc_slab_bytes(sizeof(struct entry), cfg->datagrams)) +
	       align(tc_slab_bytes(sizeof(struct page), page_count(cfg)));
}

struct tc_reassembly *tc_reassembly_init(void *mem, const struct tc_reassembly_config *cfg)
{
	struct tc_reassembly *r = mem;
	uint8_t *p = (uint8_t *)mem + align(sizeof *r);
	r->key = cfg->key;
	r->timeout = cfg->timeout;
	r->oldest = TC_NIL;
	r->newest = TC_NIL;
	tc_table_init(&r->table, p, cfg->datagrams);
	p += align(tc_table_bytes(cfg->datagrams));
	tc_slab_init(&r->entries, p, sizeof(struct entry), cfg->datagrams);
	p += align(tc_slab_bytes(sizeof(struct entry), cfg->datagrams));
	tc_slab_init(&r->pages, p, sizeof(struct page), page_count(cfg));
	return r;
}

static struct entry *entry_at(const struct tc_reassembly *r, uint32_t i)
{
	return tc_slab_at(&r->entries, i);
}

static struct page *page_at(const struct tc_reassembly *r, uint32_t i)
{
	return tc_slab_at(&r->pages, i);
}

static uint32_t find(const struct tc_reassembly *r, const struct key *key, uint32_t hash)
{
	for (uint32_t pos = tc_table_find(&r->table, hash); pos != TC_NIL;
	     pos = tc_table_again(&r->table, hash, pos)) {
		uint32_t i = tc_table_index(&r->table, pos);
		if (memcmp(&entry_at(r, i)->key, key, sizeof *key) == 0) {
			return i;
		}
	}
	return TC_NIL;
}

static void forget(struct tc_reassembly *r, uint32_t i)
{
	struct entry *e = entry_at(r, i);
	r->stats.held -= e->fragments;
	tc_table_remove(&r->table, e->hash, i);
	if (e->older != TC_NIL) {
		entry_at(r, e->older)->newer = e->newer;
	} else {
		r->oldest = e->newer;
	}
	if (e->newer != TC_NIL) {
		entry_at(r, e->newer)->older = e->older;
	} else {
		r->newest = e->older;
	}
	for (unsigned n = 0; n < PAGES; n++) {
		if (e->pages[n] != TC_NIL) {
			tc_slab_give(&r->pages, e->pages[n]);
		}
	}
	tc_slab_give(&r->entries, i);
}

static void give_up(struct tc_reassembly *r, uint32_t i, uint64_t *why)
{
	r->stats.lost += entry_at(r, i)->fragments;
	(*why)++;
	forget(r, i);
}

static uint32_t open_entry(struct tc_reassembly *r, const struct key *key, uint32_t hash,
			   tc_time now)
{
	if (tc_slab_left(&r->entries) == 0) {
		give_up(r, r->oldest, &r->stats.evicted);
	}
	uint32_t i = tc_slab_take(&r->entries);
	struct entry *e = entry_at(r, i);
	*e = (struct entry){
		.key = *key,
		.hash = hash,
		.older = r->newest,
		.newer = TC_NIL,
		.end = END_UNKNOWN,
		.cut = END_UNKNOWN,
		.born = now,
	};
	for (unsigned n = 0; n < PAGES; n++) {
		e->pages[n] = TC_NIL;
	}
	if (r->newest != TC_NIL) {
		entry_at(r, r->newest)->newer = i;
	} else {
		r->oldest = i;
	}
	r->newest = i;
	tc_table_insert(&r->table, hash, i);
	return i;
}

/* The page of unit @unit of entry @i; others give way for it. */
static struct page *page_for(struct tc_reassembly *r, uint32_t i, uint32_t unit)
{
	uint32_t *at = &entry_at(r, i)->pages[unit / PAGE_UNITS];
	if (*at == TC_NIL) {
		while (tc_slab_left(&r->pages) == 0) {
			give_up(r, r->oldest != i ? r->oldest : entry_at(r, i)->newer,
				&r->stats.evicted);
		}
		*at = tc_slab_take(&r->pages);
		memset(page_at(r, *at), 0, sizeof(struct page));
	}
	return page_at(r, *at);
}

/* Captured bytes of the unit @done bytes into the fragment: eight, or fewer at the end of it or of the capture. */
static size_t captured(const struct tc_datagram *d, uint32_t done)
{
	size_t n = d->body.n > done ? d->body.n - done : 0;
	return n < UNIT ? n : UNIT;
}

static void copy_captured(uint8_t *to, const struct tc_datagram *d, uint32_t done)
{
	size_t n = captured(d, done);
	if (n > 0) {
		memcpy(to, d->body.p + done, n);
	}
}

static bool is_same(const uint8_t *there, const struct tc_datagram *d, uint32_t done)
{
	size_t n = captured(d, done);
	return n == 0 || memcmp(there, d->body.p + done, n) == 0;
}

/* Keep the units of @d that are new. false: over IPv6, others than those that are there. */
static bool store(struct tc_reassembly *r, uint32_t i, const struct tc_datagram *d)
{
	struct entry *e = entry_at(r, i);
	bool v4 = tc_ip_is_v4(&d->src);
	for (uint32_t done = 0; done < d->body_len; done += UNIT) {
		uint32_t unit = (d->offset + done) / UNIT;
		struct page *page = page_for(r, i, unit);
		uint8_t *have = &page->have[unit % PAGE_UNITS / 8];
		uint8_t bit = (uint8_t)(1U << unit % 8);
		uint8_t *to = page->bytes + unit % PAGE_UNITS * UNIT;
		if ((*have & bit) == 0) {
			*have |= bit;
			e->units++;
			copy_captured(to, d, done);
		} else if (!v4 && !is_same(to, d, done)) {
			return false;
		}
	}
	return true;
}

/* Do the ends that the fragments claim agree, with @d as one of them */
static bool ends_agree(struct entry *e, const struct tc_datagram *d)
{
	uint32_t end = d->offset + d->body_len;
	e->high = tc_u32_max(e->high, end);
	if (!d->more) {
		if (e->end != END_UNKNOWN && e->end != end) {
			return false;
		}
		e->end = end;
	}
	return e->end == END_UNKNOWN || e->high <= e->end;
}

/* RFC 791 3.2, RFC 8200 4.5: parts but the last are multiples of eight bytes, and the whole fits a datagram. */
static bool is_possible(const struct tc_datagram *d)
{
	return d->body_len > 0 && d->body_len <= DATAGRAM_MAX - d->offset &&
	       (!d->more || d->body_len % UNIT == 0);
}

static void join(struct tc_reassembly *r, uint32_t i, struct tc_datagram *ret_dgram)
{
	struct entry *e = entry_at(r, i);
	for (unsigned n = 0; n * PAGE_BYTES < e->end; n++) {
		memcpy(r->whole + n * PAGE_BYTES, page_at(r, e->pages[n])->bytes, PAGE_BYTES);
	}
	*ret_dgram = (struct tc_datagram){
		.src = e->key.src,
		.dst = e->key.dst,
		.proto = e->proto,
		.body = { r->whole, tc_u32_min(e->end, e->cut) },
		.body_len = e->end,
	};
	r->stats.joined += e->fragments;
	r->stats.datagrams++;
	forget(r, i);
}

enum tc_reassembly_verdict tc_reassembly_add(struct tc_reassembly *r,
					     const struct tc_datagram *dgram, uint32_t link_id,
					     tc_time now, struct tc_datagram *ret_dgram)
{
	if (!dgram->fragment) {
		*ret_dgram = *dgram;
		return TC_REASSEMBLY_WHOLE;
	}
	tc_reassembly_expire(r, now);
	r->stats.seen++;
	if (!is_possible(dgram)) {
		r->stats.dropped++;
		return TC_REASSEMBLY_DROPPED;
	}
	struct key key = {
		.src = dgram->src,
		.dst = dgram->dst,
		.id = dgram->id,
		.link_id = link_id,
		.proto = tc_ip_is_v4(&dgram->src) ? dgram->proto : 0,
	};
	uint32_t hash = (uint32_t)tc_siphash(&r->key, &key, sizeof key);
	uint32_t i = find(r, &key, hash);
	if (i == TC_NIL) {
		i = open_entry(r, &key, hash, now);
	}
	struct entry *e = entry_at(r, i);
	if (!ends_agree(e, dgram) || !store(r, i, dgram)) {
		r->stats.dropped++;
		give_up(r, i, &r->stats.refused);
		return TC_REASSEMBLY_DROPPED;
	}
	e->fragments++;
	r->stats.held++;
	if (dgram->offset == 0) {
		e->proto = dgram->proto;
	}
	if (dgram->body.n < dgram->body_len) {
		e->cut = tc_u32_min(e->cut, dgram->offset + (uint32_t)dgram->body.n);
	}
	if (e->end == END_UNKNOWN || e->units < (e->end + UNIT - 1) / UNIT) {
		return TC_REASSEMBLY_HELD;
	}
	join(r, i, ret_dgram);
	return TC_REASSEMBLY_JOINED;
}

void tc_reassembly_expire(struct tc_reassembly *r, tc_time now)
{
	while (r->oldest != TC_NIL && now - entry_at(r, r->oldest)->born > r->timeout) {
		give_up(r, r->oldest, &r->stats.timeouts);
	}
}

void tc_reassembly_stats(const struct tc_reassembly *r, struct tc_reassembly_stats *ret_stats)
{
	*ret_stats = r->stats;
}
