/* SPDX-License-Identifier: MIT */
/*
 * seek.h - the seek tables of a stream: a tree that is written as it grows.
 *
 * Every 256 frames a table of them follows (level 1), every 256 tables a table
 * of those (the next level), so that its writer keeps a bounded part of it only
 * and the last table leads to everything. Where a table stands, and what it
 * says, follows from the frames alone: a reader makes the same ones and
 * compares. FORMAT.md section 9. Pure.
 */
#ifndef STREAM_SEEK_H
#define STREAM_SEEK_H

#include "base/bytes.h"
#include "stream/stream_format.h"

/* One record that a table leads to: a frame, or a table one level below. */
struct seek_entry {
	uint64_t raw_len; /* that it covers, never 0 */
	uint64_t off;     /* of the record in the stream */
	uint32_t len;     /* of its payload, never 0 */
};

/* ---- making --------------------------------------------------------------- */

struct seek_level {
	size_t n;
	struct seek_entry entries[SEEK_ENTRIES_MAX];
};

/* 48 KiB, all zero at the beginning; only what is used is touched. */
struct seek_builder {
	bool closing; /* no frame may follow */
	struct seek_level levels[SEEK_LEVEL_MAX];
	struct seek_entry root; /* the newest table, while it covers all */
	uint8_t root_level;     /* 0: there is none */
};

/* One more frame. No table may be due. -EFBIG: the tree is full. */
int seek_add(struct seek_builder *b, const struct seek_entry *frame);

/*
 * The level of the table that has to be written now, 0: none. With `final` no
 * frame will follow: asked until 0, it leaves one root.
 */
unsigned seek_due(const struct seek_builder *b, bool final);

/* Its payload, at most SEEK_PAYLOAD_MAX bytes; returns the length. */
size_t seek_put(const struct seek_builder *b, unsigned level, uint8_t *dst);

/* It now stands at `off` with a payload of `len` bytes. */
int seek_wrote(struct seek_builder *b, unsigned level, uint64_t off,
	       size_t len);

/* ---- reading -------------------------------------------------------------- */

struct seek_table {
	unsigned level;
	size_t n;         /* 1..SEEK_ENTRIES_MAX */
	uint64_t raw_len; /* the sum */
	struct seek_entry entries[SEEK_ENTRIES_MAX];
};

/* -EUCLEAN: damage. */
int seek_get(struct span payload, struct seek_table *ret);

/* The entry that covers byte `off` of the table's own bytes (below its
 * raw_len), and the bytes before it. */
size_t seek_find(const struct seek_table *t, uint64_t off,
		 uint64_t *ret_before);

#endif
