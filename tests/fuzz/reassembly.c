/* SPDX-License-Identifier: BSD-2-Clause
 * fuzz/reassembly.c - fragments that overlap, contradict and repeat each other
 *
 * Input: records of 8 bytes:
 *     flags(1)  bit 0 IPv6, bit 1 more, bit 2 other bytes, bit 3 cut by the capture, bits 4-7 steps of 100 ms
 *     id(1) offset(2, in units of 8 bytes) len(2) captured(2)
 * Promised: the books balance after each record; a rebuilt datagram has a possible length, and each of its bytes is one that some
 * fragment had at that place.
 */
#include "fuzz/fuzz.h"

#include "base/bytes.h"
#include "wire/reassembly.h"

#include <string.h>

#define RECORD 8
#define DATAGRAMS 3

/* The bytes of a datagram, in two versions that differ everywhere; long enough for a fragment at the last offset */
static uint8_t versions[2][2 * 65536];

static void fill_versions(void)
{
	for (uint32_t at = 0; at < sizeof versions[0]; at++) {
		versions[0][at] = (uint8_t)(at * 167 >> 3);
		versions[1][at] = versions[0][at] ^ 0x55;
	}
}

static void check_books(const struct tc_reassembly *r)
{
	struct tc_reassembly_stats s;
	tc_reassembly_stats(r, &s);
	promise(s.seen == s.dropped + s.joined + s.lost + s.held);
	promise(s.datagrams * 2 <= s.joined);
}

static void check_whole(const struct tc_datagram *d)
{
	promise(!d->fragment && d->body_len > 8 && d->body_len <= 65535);
	promise(d->body.n <= d->body_len);
	for (uint32_t i = 0; i < d->body.n; i++) {
		promise(d->body.p[i] == versions[0][i] || d->body.p[i] == versions[1][i]);
	}
}

static void add_record(struct tc_reassembly *r, const uint8_t *p, tc_time now)
{
	static uint8_t bytes[65536];
	bool v6 = p[0] & 1;
	struct tc_datagram d = {
		.proto = TC_PROTO_TCP,
		.more = p[0] >> 1 & 1,
		.id = p[1],
		.offset = (tc_get_be16(p + 2) & 0x1fffU) * 8,
		.body_len = tc_get_be16(p + 4),
	};
	d.fragment = d.more || d.offset != 0;
	/* exactly as long as what was captured, so that a sanitizer sees a read past the end */
	size_t n = d.body_len;
	if ((p[0] & 8) != 0 && tc_get_be16(p + 6) < n) {
		n = tc_get_be16(p + 6);
	}
	uint8_t *end = bytes + sizeof bytes;
	d.body = (struct tc_view){ end - n, n };
	memcpy(end - n, versions[(p[0] & 4) != 0] + d.offset, n);
	d.src.b[0] = d.dst.b[0] = 0x20;
	if (!v6) {
		d.src = tc_ip_from_v4((const uint8_t[]){ 10, 0, 0, 1 });
		d.dst = tc_ip_from_v4((const uint8_t[]){ 10, 0, 0, 2 });
	}
	struct tc_datagram whole;
	if (tc_reassembly_add(r, &d, 0, now, &whole) == TC_REASSEMBLY_JOINED) {
		check_whole(&whole);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static bool filled;
	if (!filled) {
		fill_versions();
		filled = true;
	}
	struct tc_reassembly_config cfg = {
		.datagrams = DATAGRAMS,
		.bytes = 70000,
		.timeout = TC_SEC,
		.key = { 1, 2 },
	};
	static _Alignas(64) uint8_t mem[400000];
	promise(tc_reassembly_bytes(&cfg) <= sizeof mem);
	memset(mem, 0, tc_reassembly_bytes(&cfg));
	struct tc_reassembly *r = tc_reassembly_init(mem, &cfg);
	tc_time now = 0;
	for (; size >= RECORD; data += RECORD, size -= RECORD) {
		now += (data[0] >> 4) * 100 * TC_MS;
		add_record(r, data, now);
		check_books(r);
	}
	tc_reassembly_expire(r, now + 2 * TC_SEC);
	struct tc_reassembly_stats s;
	tc_reassembly_stats(r, &s);
	promise(s.held == 0);
	check_books(r);
	return 0;
}
