/* SPDX-License-Identifier: BSD-2-Clause
 * script/bytes.c - packets of clients as bytes, so that a dialogue begins where the capture does
 */
#include "script/script.h"

#include "base/bytes.h"

#include <string.h>

uint8_t script_byte(uint32_t offset, bool other)
{
	uint8_t b = (uint8_t)(offset * 7 + (offset >> 8) * 13 + 1);
	return other ? (uint8_t)~b : b;
}

struct tc_ip script_ip(bool v6, uint8_t net, uint8_t host)
{
	uint8_t b[16] = { 0x20, 0x01, 0x0d, 0xb8, 0, net };
	uint8_t b4[4] = { 10, net, 0, host };
	b[15] = host;
	return v6 ? tc_ip_from_v6(b) : tc_ip_from_v4(b4);
}

static size_t put_ip(uint8_t *p, const struct tc_ip *src, const struct tc_ip *dst, size_t tcp_len)
{
	if (tc_ip_is_v4(src)) {
		memset(p, 0, 20);
		p[0] = 0x45;
		tc_put_be16(p + 2, (uint16_t)(20 + tcp_len));
		p[8] = 64;
		p[9] = 6;
		memcpy(p + 12, src->b + 12, 4);
		memcpy(p + 16, dst->b + 12, 4);
		return 20;
	}
	memset(p, 0, 40);
	p[0] = 0x60;
	tc_put_be16(p + 4, (uint16_t)tcp_len);
	p[6] = 6;
	p[7] = 64;
	memcpy(p + 8, src->b, 16);
	memcpy(p + 24, dst->b, 16);
	return 40;
}

size_t script_encode(const struct tc_ip *src, const struct tc_ip *dst, const struct tc_tcp *tcp,
		     const uint8_t *raw, size_t n_raw, const uint8_t *payload, size_t n,
		     uint8_t *buf)
{
	uint8_t opts[TC_TCPOPT_MAX + 4] = { 0 };
	size_t n_opts;
	if (n_raw > 0) {
		memcpy(opts, raw, n_raw);
		n_opts = (n_raw + 3) / 4 * 4;
	} else {
		n_opts = tc_tcpopt_encode(&tcp->opt, opts);
	}
	size_t at = put_ip(buf, src, dst, 20 + n_opts + n);
	uint8_t *p = buf + at;
	memset(p, 0, 20);
	tc_put_be16(p, tcp->src_port);
	tc_put_be16(p + 2, tcp->dst_port);
	tc_put_be32(p + 4, tcp->seq.v);
	tc_put_be32(p + 8, tcp->ack.v);
	p[12] = (uint8_t)((20 + n_opts) / 4 << 4);
	p[13] = tcp->flags;
	tc_put_be16(p + 14, tcp->win);
	tc_put_be16(p + 18, tcp->urg);
	memcpy(p + 20, opts, n_opts);
	memcpy(p + 20 + n_opts, payload, n);
	return at + 20 + n_opts + n;
}
