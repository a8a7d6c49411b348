/* SPDX-License-Identifier: MIT */
/*
 * glyph_format.h - the layout of glyphs; mirror of FORMAT.md section 4.
 */
#ifndef CODEC_GLYPH_FORMAT_H
#define CODEC_GLYPH_FORMAT_H

enum glyph_type {
	GLYPH_PRIMITIVE = 0,
	GLYPH_REFERENCE = 1,
	GLYPH_DELTA = 2,
	GLYPH_COMPOSITE = 3,
};

enum {
	GLYPH_TYPE_SHIFT = 6,
	GLYPH_PAYLOAD_BIT = 0x20,
	GLYPH_PRIM_MASK = 0x1f,
	GLYPH_PRIM_ESCAPE = 31, /* the next byte holds the primitive */
	GLYPH_NODES_MAX = 4096,
	GLYPH_DEPTH_MAX = 8,
	GLYPH_DELTAS_MAX = 256,     /* bounds the frames that one may need */
	GLYPH_OUTPUT_MAX = 4 << 20, /* bytes that one frame decodes to */

	/* The inputs of all transforms of a frame, together: */
	TRANSFORM_TIMES_MAX = 4,    /* times its raw length, */
	TRANSFORM_SPARE = 64 << 10, /* and some for short frames */

	DELTA_LAG_MAX = 1024,
	TRANSPOSE_WIDTH_MIN = 2,
	TRANSPOSE_WIDTH_MAX = 1024,
};

/* Primitives: identifiers are never reused. */
enum primitive_id {
	PRIM_STORE = 0,
	PRIM_FILL = 1,
	PRIM_LZ4 = 2,
	PRIM_ZSTD = 3,
	PRIM_CONCAT = 4,
	PRIM_ZSTD_DELTA = 5,
	PRIM_ZSTD_CODEBOOK = 6,
	PRIM_COLUMNS = 16,
	PRIM_DELTA8 = 18,
	PRIM_DELTA16 = 19,
	PRIM_DELTA32 = 20,
	PRIM_DELTA64 = 21,
	PRIM_TRANSPOSE = 22,
	PRIM_X86 = 23,
	PRIM_ARM64 = 24,
};

#endif
