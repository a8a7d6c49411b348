/* SPDX-License-Identifier: MIT */
/*
 * trees.h - glyph trees built by hand, sample bytes, and decoding between
 * guards.
 */
#ifndef TESTS_UNIT_CODEC_TREES_H
#define TESTS_UNIT_CODEC_TREES_H

#include "base/bytes.h"
#include "codec/decode.h"
#include "codec/glyph_format.h"
#include "lib/rng.h"

enum {
	TREE_MAX = 256 << 10,
};

struct tree {
	uint8_t bytes[TREE_MAX];
	size_t len;
};

void tree_add(struct tree *t, const void *bytes, size_t len);
void tree_byte(struct tree *t, unsigned byte);

/* A node of `type` with payload. */
void tree_node(struct tree *t, enum glyph_type type, unsigned primitive,
	       struct span payload);
void tree_store(struct tree *t, const void *bytes, size_t len);
void tree_fill(struct tree *t, const void *pattern, size_t len);

/* A concat of `n` children; they are to be added after it. */
void tree_concat(struct tree *t, const uint64_t *lens, size_t n);

/* A concat of `n` children of one byte each. */
void tree_concat_ones(struct tree *t, size_t n);

enum sample {
	SAMPLE_ZERO,
	SAMPLE_PATTERN, /* eight bytes, repeated */
	SAMPLE_TEXT,
	SAMPLE_NUMBERS, /* compresses a little */
	SAMPLE_RANDOM,
	SAMPLE_HALVES, /* text, then random */
	SAMPLE_N
};

void sample_fill(enum sample sample, uint64_t seed, uint8_t *dst, size_t len);

/*
 * decode_frame() with a decoder of its own into a place that has exactly
 * `raw_len` bytes between guards, which are checked. On success the bytes are
 * compared with `want` unless it is NULL.
 */
int decode_guarded(struct span glyphs, const uint8_t *want, size_t raw_len);

/* The same with something to refer to. */
int decode_guarded_from(const struct decode_source *source, struct span glyphs,
			const uint8_t *want, size_t raw_len);
int tree_decode(const struct tree *t, const void *want, size_t raw_len);

/* Every bit of the tree turned, but for what is behind `n_max` of them: some
 * error or some bytes come. */
void tree_flip(struct tree *t, const struct decode_source *source,
	       size_t raw_len, size_t n_max);

/* Every cut of it is damage. */
void tree_truncate(struct tree *t, const struct decode_source *source,
		   size_t raw_len);

/*
 * A leaf of that kind, whose payload begins with the id 300 of what `source`
 * has, is refused if its id is not canonical, 0, or of nothing that is there,
 * or if what follows is no frame.
 */
void check_id_and_frame(const struct decode_source *source,
			enum glyph_type type, unsigned primitive);

#endif
