/* SPDX-License-Identifier: MIT */
/*
 * frame.c - the table of chunks at the head of a FRAME record's payload.
 */
#include "stream/frame.h"

#include "base/error.h"
#include "base/hash.h"
#include "base/varint.h"
#include "codec/glyph_format.h"

#include <assert.h>

enum {
	N_LEN_MAX = 2,   /* varint bytes of FRAME_CHUNKS_MAX */
	LEN_LEN_MAX = 4, /* and of FRAME_CHUNK_LEN_MAX */
	HASH_LEN = 8,
	ENTRY_MAX = VARINT_MAX + LEN_LEN_MAX + HASH_LEN,
};

static_assert((int)FRAME_RAW_MAX == (int)GLYPH_OUTPUT_MAX,
	      "a frame is one tree of glyphs");
static_assert(FRAME_CHUNKS_MAX < 1 << 7 * N_LEN_MAX, "n");
static_assert(FRAME_CHUNK_LEN_MAX < 1 << 7 * LEN_LEN_MAX, "raw length");

size_t frame_table_bound(size_t n)
{
	return N_LEN_MAX + n * ENTRY_MAX;
}

size_t frame_table_put(const struct frame_chunk *chunks, size_t n, uint8_t *dst)
{
	uint8_t *pos = dst;
	uint64_t last_id = 0;
	size_t i;

	assert(n > 0 && n <= FRAME_CHUNKS_MAX);
	pos += varint_put(pos, n);
	for (i = 0; i < n; i++) {
		assert(chunks[i].id != 0 && chunks[i].len > 0 &&
		       chunks[i].len <= FRAME_CHUNK_LEN_MAX);
		pos += varint_put(pos,
				  zigzag((int64_t)(chunks[i].id - last_id)));
		pos += varint_put(pos, chunks[i].len);
		put_le64(pos, chunks[i].hash);
		pos += HASH_LEN;
		last_id = chunks[i].id;
	}
	return (size_t)(pos - dst);
}

/* Reads one entry and remembers its id in `last_id`. */
static int read_entry(struct reader *in, uint64_t *last_id,
		      struct frame_chunk *ret)
{
	uint64_t delta, len, hash;

	if (varint_get(in, &delta) < 0 ||
	    varint_get_max(in, FRAME_CHUNK_LEN_MAX, &len) < 0 || len == 0 ||
	    reader_le64(in, &hash) < 0)
		return -EUCLEAN;
	*last_id += (uint64_t)unzigzag(delta);
	if (*last_id == 0)
		return -EUCLEAN;
	*ret = (struct frame_chunk){
		.id = *last_id,
		.hash = hash,
		.len = (uint32_t)len,
	};
	return 0;
}

int frame_parse(struct span payload, struct frame_view *ret)
{
	struct reader in = reader_of(payload);
	struct frame_view f = { .raw_len = 0 };
	struct frame_chunk chunk;
	const uint8_t *table;
	uint64_t last_id = 0;
	uint64_t n, i;

	if (varint_get_max(&in, FRAME_CHUNKS_MAX, &n) < 0 || n == 0)
		return corrupt("frame: bad number of chunks");
	table = in.pos;
	for (i = 0; i < n; i++) {
		if (read_entry(&in, &last_id, &chunk) < 0)
			return corrupt("frame: bad entry %llu of %llu",
				       (unsigned long long)i,
				       (unsigned long long)n);
		f.raw_len += chunk.len;
		if (f.raw_len > FRAME_RAW_MAX)
			return corrupt("frame: more than %d raw bytes",
				       FRAME_RAW_MAX);
	}
	f.n_chunks = (size_t)n;
	f.table = span_of(table, (size_t)(in.pos - table));
	f.glyphs = span_of(in.pos, reader_left(&in));
	*ret = f;
	return 0;
}

void frame_walk(const struct frame_view *f, struct frame_cursor *ret)
{
	*ret = (struct frame_cursor){
		.reader = reader_of(f->table),
		.n_left = f->n_chunks,
	};
}

bool frame_next(struct frame_cursor *c, struct frame_chunk *ret)
{
	if (c->n_left == 0 || read_entry(&c->reader, &c->last_id, ret) < 0)
		return false;
	c->n_left--;
	return true;
}

int frame_verify(const struct frame_view *f, struct span raw)
{
	struct frame_cursor cursor;
	struct frame_chunk chunk;

	if (raw.len != f->raw_len)
		return -EBADMSG;
	frame_walk(f, &cursor);
	while (frame_next(&cursor, &chunk)) {
		if (hash64(span_of(raw.ptr, chunk.len), 0) != chunk.hash)
			return -EBADMSG;
		raw.ptr += chunk.len;
	}
	return 0;
}
