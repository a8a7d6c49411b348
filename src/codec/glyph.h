/* SPDX-License-Identifier: MIT */
/*
 * glyph.h - one node of a glyph tree: its header and where its payload lies.
 *
 * Pure, and blind to meaning: whether a primitive exists and what its payload
 * may be is asked of primitive.h.
 */
#ifndef CODEC_GLYPH_H
#define CODEC_GLYPH_H

#include "base/bytes.h"
#include "base/varint.h"
#include "codec/glyph_format.h"

enum {
	/* Node byte, escaped primitive, payload length. */
	GLYPH_HEADER_MAX = 2 + VARINT_MAX,
};

struct glyph {
	enum glyph_type type;
	unsigned primitive; /* 0..255 */
	bool has_payload;
	struct span payload; /* inside the bytes that were read */
};

/*
 * Reads one node with its payload; children are left in the reader. -EUCLEAN:
 * cut off, an escaped primitive below 31, or a length that is not canonical.
 */
int glyph_get(struct reader *in, struct glyph *ret);

/*
 * Writes the header of a node whose `payload_len` bytes of payload follow, and
 * returns its length, at most GLYPH_HEADER_MAX.
 */
size_t glyph_put(uint8_t *dst, enum glyph_type type, unsigned primitive,
		 size_t payload_len);

/* As glyph_put(), for a node without payload. */
size_t glyph_put_bare(uint8_t *dst, enum glyph_type type, unsigned primitive);

#endif
