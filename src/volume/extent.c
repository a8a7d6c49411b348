/* SPDX-License-Identifier: MIT */
/* extent.c - the encoding of extent lists. */
#include "volume/extent.h"

#include "stream/frame.h"

size_t extent_put(struct extent_cursor *c, const struct extent *e, uint8_t *dst)
{
	size_t n = varint_put(dst, e->off - c->end);

	n += varint_put(dst + n, e->len << 1 | (uint64_t)e->kind);
	c->end = extent_end(e);
	if (e->kind == EXTENT_UNWRITTEN)
		return n;
	n += varint_put(dst + n, zigzag((int64_t)(e->chunk - c->chunk)));
	n += varint_put(dst + n, e->chunk_off);
	c->chunk = e->chunk;
	return n;
}

static int get_chunk(struct extent_cursor *c, struct reader *r,
		     struct extent *e)
{
	uint64_t delta;
	uint64_t off;

	if (varint_get(r, &delta) ||
	    varint_get_max(r, FRAME_CHUNK_LEN_MAX, &off))
		return -EUCLEAN;
	e->chunk = c->chunk + (uint64_t)unzigzag(delta);
	e->chunk_off = (uint32_t)off;
	if (e->chunk == 0 || e->len > FRAME_CHUNK_LEN_MAX - off)
		return -EUCLEAN;
	c->chunk = e->chunk;
	return 0;
}

int extent_get(struct extent_cursor *c, struct reader *r, uint64_t limit,
	       struct extent *ret)
{
	struct extent e = { 0 };
	uint64_t gap;
	uint64_t len_kind;

	if (c->end > limit || varint_get_max(r, limit - c->end, &gap) ||
	    varint_get(r, &len_kind))
		return -EUCLEAN;
	e.off = c->end + gap;
	e.len = len_kind >> 1;
	e.kind = len_kind & 1 ? EXTENT_UNWRITTEN : EXTENT_CHUNK;
	if (e.len == 0 || e.len > limit - e.off)
		return -EUCLEAN;
	if (e.kind == EXTENT_CHUNK && get_chunk(c, r, &e))
		return -EUCLEAN;
	c->end = extent_end(&e);
	*ret = e;
	return 0;
}
