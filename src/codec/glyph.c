/* SPDX-License-Identifier: MIT */
/*
 * glyph.c - node headers: parsed with every bound checked, and built.
 */
#include "codec/glyph.h"

#include "base/error.h"

int glyph_get(struct reader *in, struct glyph *ret)
{
	struct glyph g = { .has_payload = false };
	uint64_t len = 0;
	uint8_t node = 0;
	uint8_t id;

	if (reader_u8(in, &node) < 0)
		return corrupt("glyph: the tree ends early");
	g.type = (enum glyph_type)(node >> GLYPH_TYPE_SHIFT);
	g.has_payload = (node & GLYPH_PAYLOAD_BIT) != 0;
	g.primitive = node & GLYPH_PRIM_MASK;
	if (g.primitive == GLYPH_PRIM_ESCAPE) {
		if (reader_u8(in, &id) < 0 || id < GLYPH_PRIM_ESCAPE)
			return corrupt("glyph: bad escaped primitive");
		g.primitive = id;
	}
	if (g.has_payload) {
		if (varint_get(in, &len) < 0)
			return corrupt("glyph: bad payload length");
		if (reader_bytes(in, len, &g.payload) < 0)
			return corrupt("glyph: payload of %llu bytes, %zu left",
				       (unsigned long long)len,
				       reader_left(in));
	}
	*ret = g;
	return 0;
}

static size_t put_node(uint8_t *dst, enum glyph_type type, unsigned primitive,
		       unsigned payload_bit)
{
	unsigned node = (unsigned)type << GLYPH_TYPE_SHIFT | payload_bit;

	if (primitive < GLYPH_PRIM_ESCAPE) {
		dst[0] = (uint8_t)(node | primitive);
		return 1;
	}
	dst[0] = (uint8_t)(node | GLYPH_PRIM_ESCAPE);
	dst[1] = (uint8_t)primitive;
	return 2;
}

size_t glyph_put(uint8_t *dst, enum glyph_type type, unsigned primitive,
		 size_t payload_len)
{
	size_t n = put_node(dst, type, primitive, GLYPH_PAYLOAD_BIT);

	return n + varint_put(dst + n, payload_len);
}

size_t glyph_put_bare(uint8_t *dst, enum glyph_type type, unsigned primitive)
{
	return put_node(dst, type, primitive, 0);
}
