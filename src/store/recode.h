/* SPDX-License-Identifier: MIT */
/*
 * recode.h - one frame's bytes, encoded as small as decoding may be slow.
 *
 * Takes no locks and knows no store: for threads of the lowest priority. A
 * recoder keeps codecs and scratch memory; one per thread.
 */
#ifndef STORE_RECODE_H
#define STORE_RECODE_H

#include "codec/encode.h"

#include <stdatomic.h>

struct codebook;
struct recoder;

/* Of zstd. 22 is 0.03 % smaller in frames of 1 MiB. */
enum { RECODE_LEVEL = 19 };

/* -ENOMEM. */
int recoder_new(struct recoder **ret);
void recoder_free(struct recoder *r);

struct recode_request {
	struct span raw; /* 1..GLYPH_OUTPUT_MAX bytes */
	enum content_class class;
	struct codebook *codebook; /* to try as well; NULL: none */
	/* To try in its place if the beginning is shorter with it; NULL: none. */
	struct codebook *other;
	/* A reader wants this much of what he has to decode, and wants it at
	 * so many bytes a second of CPU time. 0: at any speed. */
	size_t useful_len;
	uint64_t min_speed;
	const atomic_bool *stop; /* set: give up. NULL: never */
};

struct recoded {
	struct span glyphs; /* the recoder's, until the next call */
	uint64_t speed;     /* measured; bytes a second, as above */
	bool has_codebook;
};

/*
 * Tries the ways there are from the shortest result to the longest, until one
 * is decoded fast enough, and to the same bytes. 1: done; 0: none of them is.
 * -ENOMEM. -ECANCELED: it was to stop. -EUCLEAN: the decoder disagrees with the
 * encoder.
 */
int recode(struct recoder *r, const struct recode_request *wanted,
	   struct recoded *ret);

#endif
