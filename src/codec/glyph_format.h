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
	GLYPH_OUTPUT_MAX = 4 << 20, /* bytes that one frame decodes to */
};

/* Primitives: identifiers are never reused. */
enum primitive_id {
	PRIM_STORE = 0,
	PRIM_FILL = 1,
	PRIM_LZ4 = 2,
	PRIM_ZSTD = 3,
	PRIM_CONCAT = 4,
};

#endif
