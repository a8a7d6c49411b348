/* SPDX-License-Identifier: MIT */
/*
 * fuzz.h - what a fuzz target defines. See README.md.
 */
#ifndef TESTS_FUZZ_FUZZ_H
#define TESTS_FUZZ_FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

enum { FUZZ_SEED_MAX = 65536 };

/* A promise, to the target or by it. */
static inline void must(bool ok)
{
	if (!ok)
		abort();
}

/* Feeds one input to the code under test; aborts when a promise is broken.
 * Returns 0. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Writes seed `i` (0, 1, …) at `buf` and returns its length, or -1 behind the
 * last one. Seeds are valid inputs, made by the code that writes the format. */
int fuzz_seed(unsigned i, uint8_t *buf, size_t cap);

#endif
