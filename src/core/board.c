/* SPDX-License-Identifier: BSD-2-Clause
 * core/board.c - ranges of sequence numbers, merged as they come
 */
#include "core/board.h"

#include <string.h>

static void count(struct tc_board *b)
{
	b->bytes = 0;
	for (uint32_t i = 0; i < b->n; i++) {
		b->bytes += (uint32_t)tc_seq_diff(b->range[i].right, b->range[i].left);
	}
}

static void remove_at(struct tc_board *b, uint32_t i, uint32_t how_many)
{
	memmove(&b->range[i], &b->range[i + how_many], (b->n - i - how_many) * sizeof b->range[0]);
	b->n -= how_many;
}

bool tc_board_add(struct tc_board *b, struct tc_sack block)
{
	uint32_t i = 0;
	while (i < b->n && tc_seq_lt(b->range[i].right, block.left)) {
		i++;
	}
	/* ranges [i, j) touch the block and become one with it */
	uint32_t j = i;
	while (j < b->n && tc_seq_le(b->range[j].left, block.right)) {
		block.left = tc_seq_min(block.left, b->range[j].left);
		block.right = tc_seq_max(block.right, b->range[j].right);
		j++;
	}
	if (j > i) {
		bool same = j == i + 1 && tc_seq_eq(b->range[i].left, block.left) &&
			    tc_seq_eq(b->range[i].right, block.right);
		b->range[i] = block;
		remove_at(b, i + 1, j - i - 1);
		count(b);
		return !same;
	}
	if (b->n == TC_BOARD_RANGES) {
		if (i == b->n) {
			return false;
		}
		b->n--;
	}
	memmove(&b->range[i + 1], &b->range[i], (b->n - i) * sizeof b->range[0]);
	b->range[i] = block;
	b->n++;
	count(b);
	return true;
}

void tc_board_acked(struct tc_board *b, tc_seq una)
{
	uint32_t gone = 0;
	while (gone < b->n && tc_seq_le(b->range[gone].right, una)) {
		gone++;
	}
	remove_at(b, 0, gone);
	if (b->n > 0) {
		b->range[0].left = tc_seq_max(b->range[0].left, una);
	}
	count(b);
}

tc_seq tc_board_top(const struct tc_board *b, tc_seq none)
{
	return b->n > 0 ? b->range[b->n - 1].right : none;
}

bool tc_board_hole(const struct tc_board *b, tc_seq from, tc_seq to, struct tc_sack *ret_hole)
{
	tc_seq right = to;
	for (uint32_t i = 0; i < b->n; i++) {
		const struct tc_sack *r = &b->range[i];
		if (tc_seq_lt(from, r->left)) {
			right = tc_seq_min(to, r->left);
			break;
		}
		from = tc_seq_max(from, r->right);
	}
	if (!tc_seq_lt(from, right)) {
		return false;
	}
	*ret_hole = (struct tc_sack){ from, right };
	return true;
}

uint32_t tc_board_missing(const struct tc_board *b, tc_seq from, tc_seq to)
{
	if (!tc_seq_lt(from, to)) {
		return 0;
	}
	uint32_t n = (uint32_t)tc_seq_diff(to, from);
	for (uint32_t i = 0; i < b->n; i++) {
		tc_seq left = tc_seq_max(b->range[i].left, from);
		tc_seq right = tc_seq_min(b->range[i].right, to);
		if (tc_seq_lt(left, right)) {
			n -= (uint32_t)tc_seq_diff(right, left);
		}
	}
	return n;
}
