/* SPDX-License-Identifier: BSD-2-Clause
 * fuzz/input.h - an input as op-codes and their operands
 *
 * What is beyond the end reads as 0, so that each prefix of an input is an input too.
 */
#ifndef TC_FUZZ_INPUT_H
#define TC_FUZZ_INPUT_H

#include "fuzz/fuzz.h"

struct input {
	const uint8_t *p;
	size_t n; /* bytes left */
};

static inline uint8_t input_byte(struct input *in)
{
	if (in->n == 0) {
		return 0;
	}
	in->n--;
	return *in->p++;
}

static inline uint32_t input_word(struct input *in)
{
	uint32_t high = input_byte(in);
	return high << 8 | input_byte(in);
}

/** input_take() - at most @n bytes of it; how many is @ret_n */
static inline const uint8_t *input_take(struct input *in, size_t n, size_t *ret_n)
{
	const uint8_t *p = in->p;
	*ret_n = n < in->n ? n : in->n;
	in->p += *ret_n;
	in->n -= *ret_n;
	return p;
}

#endif
