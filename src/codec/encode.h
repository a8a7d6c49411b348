/* SPDX-License-Identifier: MIT */
/*
 * encode.h - one frame's raw bytes to glyphs, the smallest result of a plan.
 *
 * Pure: no files, threads, clocks. An encoder keeps scratch memory and codec
 * contexts; one per thread.
 */
#ifndef CODEC_ENCODE_H
#define CODEC_ENCODE_H

#include "base/bytes.h"

#include <sys/types.h>

struct encoder;

/* How hard to try. Higher is smaller and slower. */
enum encode_effort {
	EFFORT_STORE,    /* as it is (constant runs are still seen) */
	EFFORT_FASTEST,  /* lz4 */
	EFFORT_FAST,     /* zstd 1 */
	EFFORT_BALANCED, /* zstd 3, text 4 */
	EFFORT_SMALL,    /* zstd 9 */
};

/* What became of the raw bytes; for statistics. */
enum encode_kind {
	ENCODE_FILL,
	ENCODE_STORE,
	ENCODE_LZ4,
	ENCODE_ZSTD,
	ENCODE_MIXED, /* a composite */
	ENCODE_N_KINDS
};

/* -ENOMEM. */
int encoder_new(struct encoder **ret);
void encoder_free(struct encoder *e);

/* Bytes that the glyphs of `raw_len` raw bytes never exceed. */
size_t encode_bound(size_t raw_len);

/*
 * Encodes `raw` (1..GLYPH_OUTPUT_MAX bytes) into `dst`, which has room for
 * encode_bound(raw.len). What does not shrink by 1/64 is stored as it is.
 * Returns the length of the glyphs. Fails only with -ENOMEM.
 */
ssize_t encode_frame(struct encoder *e, enum encode_effort effort,
		     struct span raw, uint8_t *dst, enum encode_kind *ret_kind);

#endif
