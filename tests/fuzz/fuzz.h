/* SPDX-License-Identifier: BSD-2-Clause
 * fuzz/fuzz.h - the one function of a fuzzer, and how it complains
 */
#ifndef TC_FUZZ_FUZZ_H
#define TC_FUZZ_FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

/**
 * LLVMFuzzerTestOneInput() - feed @size bytes at @data to what is tested; abort() on a broken promise
 * Return: 0. The name and the signature are libFuzzer's, therefore the prefix is missing and the visibility is given.
 */
__attribute__((visibility("default"))) int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/** promise() - what must hold whatever the input is */
static inline void promise(bool holds)
{
	if (!holds) {
		abort();
	}
}

#endif
