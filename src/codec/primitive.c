/* SPDX-License-Identifier: MIT */
/*
 * primitive.c - the table of primitives: one line each, by id.
 */
#include "codec/primitive.h"

/* A node of concat: n, then n lengths of up to four bytes (GLYPH_OUTPUT_MAX
 * takes 23 bits). */
enum { CONCAT_MIN = 3, CONCAT_MAX = 2 + 4 * GLYPH_NODES_MAX };

/* clang-format off */
static const struct primitive primitives[] = {
	[PRIM_STORE]  = { "store",  GLYPH_PRIMITIVE, 1, GLYPH_OUTPUT_MAX, prim_store_decode },
	[PRIM_FILL]   = { "fill",   GLYPH_PRIMITIVE, 1, FILL_PATTERN_MAX, prim_fill_decode },
	[PRIM_LZ4]    = { "lz4",    GLYPH_PRIMITIVE, 1, GLYPH_OUTPUT_MAX, prim_lz4_decode },
	[PRIM_ZSTD]   = { "zstd",   GLYPH_PRIMITIVE, 1, GLYPH_OUTPUT_MAX, prim_zstd_decode },
	[PRIM_CONCAT] = { "concat", GLYPH_COMPOSITE, CONCAT_MIN, CONCAT_MAX, NULL },
};
/* clang-format on */

const struct primitive *primitive_find(unsigned id)
{
	if (id >= ARRAY_LEN(primitives) || !primitives[id].name)
		return NULL;
	return &primitives[id];
}
