/* SPDX-License-Identifier: MIT */
/*
 * similar.h - the deltas of one parcel: which chunks become one, against what.
 */
#ifndef STORE_SIMILAR_H
#define STORE_SIMILAR_H

#include "codec/encode.h"
#include "codec/sketch.h"

struct context;
struct store;

enum {
	SIMILAR_MAX = 64,       /* deltas of a parcel */
	SIMILAR_FRAMES_MAX = 8, /* frames that their bases lie in: who reads
				 * one delta decodes all of them */
};

struct similar {
	struct store *s;
	struct context *x; /* the glyphs are gathered in x->deltas */
	struct encode_request request;
	bool hurry;
	size_t n;
	uint32_t lens[SIMILAR_MAX];  /* raw, of each delta */
	uint64_t bases[SIMILAR_MAX]; /* of each; pinned in the bank */
	size_t n_frames;
	uint64_t frames[SIMILAR_FRAMES_MAX];
};

/* `request`: how the chunks would be encoded otherwise. */
void similar_begin(struct similar *t, struct store *s, struct context *x,
		   const struct encode_request *request, bool hurry);

/*
 * Tries the bytes of one chunk. 1: they are a delta, whose glyph is now the
 * last in x->deltas; 0: not worth it. -ENOMEM. Blocks for disk and decoder; no
 * lock may be held.
 */
int similar_try(struct similar *t, struct span bytes,
		const struct sketch *sketch);

/* Lets go of the bases: the deltas are in the bank, or never will be. Nothing
 * was begun is fine. */
void similar_end(struct similar *t);

#endif
