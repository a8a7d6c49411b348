/* SPDX-License-Identifier: MIT */
/*
 * train.h - learns a codebook from samples, if there is something to learn.
 *
 * Pure. Takes some 8 MiB of memory and a tenth of a second for a dictionary of
 * TRAIN_DICTIONARY_MAX (fastCover, by Nick Terrell's ZDICT of libzstd), and twice
 * that memory and 2 s for one of 1 MiB (cover.h), and the time to encode the unseen
 * frames.
 */
#ifndef CODEC_TRAIN_H
#define CODEC_TRAIN_H

#include "base/bytes.h"

#include <stdatomic.h>
#include <sys/types.h>

struct codebook;

enum {
	TRAIN_BYTES_MIN = 128 << 10, /* of samples; fewer teach too little */
	TRAIN_PIECE_MAX = 8 << 10,   /* longer samples are of no use */
	TRAIN_DICTIONARY_MAX = 112 << 10,
	/* A longer dictionary than one of so many bytes of samples would not be
	 * learned; 16 or 128 of them make no difference. */
	TRAIN_SAMPLES_PER_BYTE = 16,
};

struct train_request {
	const uint8_t *samples; /* one after the other */
	const size_t *lens;
	unsigned n_samples;

	/* What to judge by: frames as they are encoded, of which nothing is
	 * among the samples. */
	const struct span *unseen;
	size_t n_unseen;

	struct codebook *current; /* to be better than; NULL: none */
	int level;                /* of encoding */
	const atomic_bool *stop;  /* true: give up. NULL: never */

	/* Bytes of the dictionary at most; 0: TRAIN_DICTIONARY_MAX. */
	size_t len_max;
};

/* Bytes of all `unseen` when encoded. */
struct train_result {
	uint64_t raw;
	uint64_t before; /* alone or with `current`, whichever is shorter */
	uint64_t after;  /* alone or with what was learned */
};

/*
 * Writes a dictionary into `dst` (room for `len_max`) and returns
 * its length. 0: it would not save 2 % of what is encoded now, or there are
 * too few samples. `*ret` is set even then. -ENOMEM, -ECANCELED.
 */
ssize_t train_codebook(const struct train_request *request, uint8_t *dst,
		       struct train_result *ret);

#endif
