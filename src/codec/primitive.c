/* SPDX-License-Identifier: MIT */
/*
 * primitive.c - the table of primitives: one line each, by id.
 */
#include "codec/primitive.h"

#include "base/varint.h"

/* A number of children and their lengths, each of up to four bytes
 * (GLYPH_OUTPUT_MAX takes 23 bits). */
enum { CONCAT_MIN = 3, LENGTHS_MAX = 2 + 4 * GLYPH_NODES_MAX };

/* clang-format off */
static const struct primitive primitives[] = {
	[PRIM_STORE]      = { "store",      GLYPH_PRIMITIVE, SHAPE_LEAF,     1, GLYPH_OUTPUT_MAX, prim_store_decode, NULL },
	[PRIM_FILL]       = { "fill",       GLYPH_PRIMITIVE, SHAPE_LEAF,     1, FILL_PATTERN_MAX, prim_fill_decode, NULL },
	[PRIM_LZ4]        = { "lz4",        GLYPH_PRIMITIVE, SHAPE_LEAF,     1, GLYPH_OUTPUT_MAX, prim_lz4_decode, NULL },
	[PRIM_ZSTD]       = { "zstd",       GLYPH_PRIMITIVE, SHAPE_LEAF,     1, GLYPH_OUTPUT_MAX, prim_zstd_decode, NULL },
	[PRIM_CONCAT]     = { "concat",     GLYPH_COMPOSITE, SHAPE_CONCAT,   CONCAT_MIN, LENGTHS_MAX, NULL, NULL },
	[PRIM_ZSTD_DELTA] = { "zstd-delta", GLYPH_DELTA,     SHAPE_LEAF,     2, VARINT_MAX + GLYPH_OUTPUT_MAX, prim_zstd_delta_decode, NULL },
	[PRIM_ZSTD_CODEBOOK] = { "zstd-codebook", GLYPH_REFERENCE, SHAPE_LEAF, 2, VARINT_MAX + GLYPH_OUTPUT_MAX, prim_zstd_codebook_decode, NULL },
	[PRIM_COLUMNS]    = { "columns",    GLYPH_COMPOSITE, SHAPE_GATHER,   2, LENGTHS_MAX, NULL, prim_columns_undo },
	[PRIM_DELTA8]     = { "delta8",     GLYPH_COMPOSITE, SHAPE_IN_PLACE, 2, 3, NULL, prim_delta8_undo },
	[PRIM_DELTA16]    = { "delta16",    GLYPH_COMPOSITE, SHAPE_IN_PLACE, 2, 3, NULL, prim_delta16_undo },
	[PRIM_DELTA32]    = { "delta32",    GLYPH_COMPOSITE, SHAPE_IN_PLACE, 2, 3, NULL, prim_delta32_undo },
	[PRIM_DELTA64]    = { "delta64",    GLYPH_COMPOSITE, SHAPE_IN_PLACE, 2, 3, NULL, prim_delta64_undo },
	[PRIM_TRANSPOSE]  = { "transpose",  GLYPH_COMPOSITE, SHAPE_SAME,     1, 2, NULL, prim_transpose_undo },
	[PRIM_X86]        = { "x86",        GLYPH_COMPOSITE, SHAPE_IN_PLACE, 0, 0, NULL, prim_x86_undo },
	[PRIM_ARM64]      = { "arm64",      GLYPH_COMPOSITE, SHAPE_IN_PLACE, 1, 1, NULL, prim_arm64_undo },
};
/* clang-format on */

const struct primitive *primitive_find(unsigned id)
{
	if (id >= ARRAY_LEN(primitives) || !primitives[id].name)
		return NULL;
	return &primitives[id];
}
