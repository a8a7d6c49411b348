/* SPDX-License-Identifier: MIT */
/*
 * transform.h - trees that put bytes into another order or form before zstd.
 * Whether that is worth while is judged on a sample first.
 *
 * Pure. A transformer keeps scratch memory, which grows to what the longest
 * frame needed; one per encoder.
 */
#ifndef CODEC_TRANSFORM_H
#define CODEC_TRANSFORM_H

#include "base/bytes.h"
#include "codec/sniff.h"

#include <sys/types.h>

struct ZSTD_CCtx_s;
struct transformer;

/* Borrows `zstd`. -ENOMEM. */
int transformer_new(struct ZSTD_CCtx_s *zstd, struct transformer **ret);
void transformer_free(struct transformer *t);

/* Bytes that it takes at most for frames of up to `raw_len` bytes. */
size_t transformer_memory(size_t raw_len);

/* What to make trees of. */
struct transform_request {
	struct span raw;
	const struct sniffed *sniffed;
	int level;     /* of zstd */
	bool thorough; /* whatever time it takes */
};

struct transform_tree {
	const uint8_t *bytes; /* in the scratch memory, until the next call */
	bool sure;            /* that it is shorter than the plain bytes are by
			       * themselves: the sample was by far */
};

/*
 * Each makes a tree of at most `cap` bytes, no more than the raw ones, and
 * returns its length. 0: it does not fit, or does not pay. -ENOMEM.
 */
typedef ssize_t transform_make(struct transformer *t,
			       const struct transform_request *request,
			       size_t cap, struct transform_tree *ret);

transform_make transform_columns; /* text in lines, JSON */
transform_make transform_code;    /* x86-64, AArch64 */
transform_make transform_numbers; /* records, samples */

#endif
