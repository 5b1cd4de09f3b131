/* SPDX-License-Identifier: BSD-2-Clause
 * deliver/cut.c - a segment into packets
 */
#include "deliver/cut.h"

#define IPV4_BYTES 20u
#define IPV6_BYTES 40u
#define TCP_BYTES 20u

bool tc_cut_init(struct tc_cut *c, const struct tc_segment *seg, uint32_t mtu, bool whole)
{
	uint8_t options[TC_TCPOPT_MAX];
	uint32_t headers = (tc_ip_is_v4(&seg->src) ? IPV4_BYTES : IPV6_BYTES) + TCP_BYTES +
			   (uint32_t)tc_tcpopt_encode(&seg->tcp.opt, options);
	if (mtu <= headers) {
		return false;
	}
	uint32_t size = tc_u32_min(mtu, TC_CUT_IP_MAX) - headers;
	if (seg->cut != 0) {
		size = tc_u32_min(size, seg->cut);
	}
	*c = (struct tc_cut){
		.seg = seg,
		.headers = headers,
		.size = size,
		.step = whole ? (TC_CUT_IP_MAX - headers) / size * size : size,
	};
	return true;
}

bool tc_cut_next(struct tc_cut *c, struct tc_cut_part *ret_part, struct iovec *iov, unsigned *ret_n)
{
	if (c->done) {
		return false;
	}
	uint32_t len = tc_u32_min(c->step, c->seg->payload_len - c->offset);
	uint32_t left = len;
	unsigned n = 0;
	while (left > 0 && c->view < c->seg->n_views) {
		const struct tc_view *v = &c->seg->payload[c->view];
		size_t take = v->n - c->view_used < left ? v->n - c->view_used : left;
		if (take > 0) {
			/* sendmmsg() reads it; struct iovec serves both directions and knows no const */
			iov[n].iov_base = (void *)(uintptr_t)(v->p + c->view_used);
			iov[n++].iov_len = take;
		}
		left -= (uint32_t)take;
		c->view_used += take;
		if (c->view_used == v->n) {
			c->view++;
			c->view_used = 0;
		}
	}
	*ret_part = (struct tc_cut_part){
		.offset = c->offset,
		.len = len,
		.pkts = len == 0 ? 1 : (len + c->size - 1) / c->size,
	};
	*ret_n = n;
	c->offset += len;
	c->done = c->offset >= c->seg->payload_len;
	return true;
}
