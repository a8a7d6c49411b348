/* SPDX-License-Identifier: MIT */
/*
 * cover.h - the pieces of samples that a long dictionary is best made of.
 *
 * Pure. A string is worth as much as there are samples that have it: how often it
 * stands in one of them does not count, because there the first of them serves
 * the others. ZDICT's covers count all.
 */
#ifndef CODEC_COVER_H
#define CODEC_COVER_H

#include "base/bytes.h"

#include <stdatomic.h>
#include <sys/types.h>

enum { COVER_PIECE_LEN = 1 << 10 };

struct cover_request {
	const uint8_t *samples; /* one after the other */
	const size_t *lens;
	unsigned n_samples;
	const atomic_bool *stop; /* true: give up. NULL: never */
};

/*
 * Chooses pieces of COVER_PIECE_LEN bytes, and puts them at the end of `dst`, which
 * has room for `cap`. Returns their length, a multiple of that; 0: the samples
 * have nothing in common, or are shorter than `cap`. Takes 16 MiB of memory.
 * -ENOMEM, -ECANCELED.
 */
ssize_t cover_choose(const struct cover_request *request, size_t cap,
		     uint8_t *dst);

#endif
