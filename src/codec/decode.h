/* SPDX-License-Identifier: MIT */
/*
 * decode.h - glyphs back to raw bytes: one loop, an explicit stack, all bounded.
 *
 * Pure. A decoder keeps codec contexts; one per thread. Input may be hostile.
 */
#ifndef CODEC_DECODE_H
#define CODEC_DECODE_H

#include "base/bytes.h"

struct codebook;
struct decoder;

/* -ENOMEM. */
int decoder_new(struct decoder **ret);
void decoder_free(struct decoder *d);

/* What glyphs may refer to, besides their own payload. */
struct decode_source {
	void *ctx;

	/*
	 * The raw bytes of a chunk, 1..GLYPH_OUTPUT_MAX of them. They stay
	 * valid until the next call, or the end of decode_frame(). A failure
	 * is handed on. NULL: there are none.
	 */
	int (*base)(void *ctx, uint64_t chunk, struct span *ret);

	/*
	 * A codebook, which stays until the end of decode_frame(): all that
	 * ask there ask for the same one. A failure is handed on. NULL: there
	 * are none.
	 */
	int (*codebook)(void *ctx, uint64_t id, const struct codebook **ret);
};

/*
 * Decodes `glyphs` into exactly `raw_len` bytes at `dst`. -EUCLEAN: damage.
 * -EOPNOTSUPP: a glyph of a newer format. With `source` NULL a glyph that
 * refers to something is damage. After a failure `dst` holds anything.
 */
int decode_frame(struct decoder *d, struct span glyphs,
		 const struct decode_source *source, uint8_t *dst,
		 size_t raw_len);

/* A part of a frame that is wanted. */
struct decode_part {
	uint8_t *dst; /* room for the whole frame */
	size_t raw_len;
	size_t from; /* below `to` */
	size_t to;   /* at most raw_len */
};

/*
 * As decode_frame(), but what is not needed for bytes [from, to) is not decoded
 * where that can be avoided: the rest of `dst` holds anything, and damage
 * beyond is not found.
 */
int decode_part(struct decoder *d, struct span glyphs,
		const struct decode_source *source,
		const struct decode_part *part);

/*
 * The next chunk that a tree refers to, base by base, without decoding
 * anything. `glyphs` begins as a reader of the whole tree. 1: there is one; 0:
 * that was all; -EUCLEAN, -EOPNOTSUPP as above, though not all damage is seen.
 */
int decode_next_base(struct reader *glyphs, uint64_t *ret_chunk);

/* The codebook that a tree refers to; 0: none. -EUCLEAN as above. */
int decode_find_codebook(struct span glyphs, uint64_t *ret_id);

#endif
