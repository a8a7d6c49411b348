/* SPDX-License-Identifier: MIT */
/*
 * bases.h - where a decoder finds bases of deltas, and a codebook: in the store.
 *
 * For one thread and one frame. Holds the pin of one base at a time, so that
 * memory stays bounded whatever a frame refers to. No lock may be held while
 * it is asked, as for chunk_get().
 */
#ifndef STORE_BASES_H
#define STORE_BASES_H

#include "codec/decode.h"
#include "store/chunk.h"

struct bases {
	struct decode_source source; /* for decode_frame() */
	bool asked;                  /* at least once */
	struct store *store;
	struct chunk_view view;    /* the last base */
	struct codebook *codebook; /* owned; NULL: not asked for */
};

/* With `leaf` there are no bases: for a frame that is to hold a base itself. */
void bases_init(struct bases *b, struct store *s, bool leaf);
void bases_release(struct bases *b);

#endif
