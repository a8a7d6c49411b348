/* SPDX-License-Identifier: MIT */
/*
 * probe.h - guesses in microseconds whether bytes will not compress.
 *
 * Pure. A guess only: it may save a slow trial, never replace a fast one.
 */
#ifndef CODEC_PROBE_H
#define CODEC_PROBE_H

#include "base/bytes.h"

enum {
	PROBE_LEN_MIN = 16 << 10, /* below, the sample says nothing */
};

/*
 * Whether `raw` looks incompressible: its sampled bytes are spread evenly and
 * LZ4 finds nothing in its middle. `lz4_state` as for prim_lz4_encode(). False
 * below PROBE_LEN_MIN.
 */
bool probe_incompressible(struct span raw, void *lz4_state);

/* Order-0 entropy of 16 bytes out of each 256, in 1/256 bit per byte. */
unsigned probe_entropy(struct span raw);

/*
 * Bits that `n` values take of which `counts` occur, with a code of their own:
 * their entropy and some for the code itself.
 */
uint64_t probe_cost(const uint32_t *counts, uint32_t n);

#endif
