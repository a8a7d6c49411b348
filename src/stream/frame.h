/* SPDX-License-Identifier: MIT */
/*
 * frame.h - payload of a FRAME record: a table of chunks, then their glyphs.
 *
 * FORMAT.md section 4. Pure.
 */
#ifndef STREAM_FRAME_H
#define STREAM_FRAME_H

#include "base/bytes.h"

enum {
	FRAME_CHUNKS_MAX = 4096,
	FRAME_CHUNK_LEN_MAX = 4 << 20,
	FRAME_RAW_MAX = 4 << 20,
};

struct frame_chunk {
	uint64_t id;   /* never 0 */
	uint64_t hash; /* of the raw bytes, seed 0 */
	uint32_t len;  /* raw, 1..FRAME_CHUNK_LEN_MAX */
};

/* Bytes that a table of `n` chunks never exceeds. */
size_t frame_table_bound(size_t n);

/* Writes the table at `dst` and returns its length. */
size_t frame_table_put(const struct frame_chunk *chunks, size_t n,
		       uint8_t *dst);

struct frame_view {
	size_t n_chunks;
	size_t raw_len;     /* sum over the chunks */
	struct span table;  /* the chunk entries, without the count */
	struct span glyphs; /* the rest of the payload */
};

/* Validates the table. -EUCLEAN: damage. `payload` stays the caller's. */
int frame_parse(struct span payload, struct frame_view *ret);

/* Walks the chunks of a parsed frame: frame_walk(), then until false. */
struct frame_cursor {
	struct reader reader;
	size_t n_left;
	uint64_t last_id;
};

void frame_walk(const struct frame_view *f, struct frame_cursor *ret);
bool frame_next(struct frame_cursor *c, struct frame_chunk *ret);

/* -EBADMSG when some chunk of decoded `raw` has not the hash of the table. */
int frame_verify(const struct frame_view *f, struct span raw);

#endif
