/* SPDX-License-Identifier: MIT */
/*
 * bank_rows.h - the bank's tables: all SQL on content, frame and base, and chunk
 * by chunk_rows.h.
 *
 * INDEX is held for all of it.
 */
#ifndef STORE_BANK_ROWS_H
#define STORE_BANK_ROWS_H

#include "base/buffer.h"
#include "store/bank.h"
#include "store/chunk_rows.h"
#include "store/db.h"

struct bank_rows {
	struct db *db;
	bool merging; /* rows may be there already, or come later */
	struct db_stmt *merge_content;
	struct db_stmt *merge_frame;
	struct db_stmt *merge_base;
	struct chunk_rows chunks;
	struct db_stmt *pages[4]; /* frame, none, content, base */
	struct db_stmt *candidate;
	struct db_stmt *add_content;
	struct db_stmt *add_frame;
	struct db_stmt *add_base;
	struct db_stmt *one_frame;
	struct db_stmt *next_frame;
	struct db_stmt *change_frame;
	struct db_stmt *drop_frame;
	struct db_stmt *bases;
	struct db_stmt *drop_bases;
	struct db_stmt *is_base;
	struct db_stmt *drop_content;
};

/* The statements belong to the connection. */
int bank_rows_attach(struct bank_rows *r, struct db *db);

/* Deletes all rows. */
int bank_rows_clear(struct bank_rows *r);

/* What is held back in memory is written, or forgotten. */
int bank_rows_flush(struct bank_rows *r);
void bank_rows_forget(struct bank_rows *r);

/* -ENOENT: no such chunk. -EUCLEAN: a chunk without its frame. */
int bank_rows_locate(struct bank_rows *r, uint64_t chunk,
		     struct frame_place *ret);
int bank_rows_refs(struct bank_rows *r, uint64_t chunk, uint64_t *ret);
int bank_rows_set_refs(struct bank_rows *r, uint64_t chunk, uint64_t refs);

/* 0 in *ret: none. */
int bank_rows_candidate(struct bank_rows *r, uint64_t key, uint64_t *ret);

/* Inserts all new chunks of `p`, and its frames as if they held these only. */
int bank_rows_add(struct bank_rows *r, const struct pending *p);

/* While rows are merged: what is known of a chunk becomes more. Its refs are
 * added up, and of several frames the newest holds it. */
int bank_rows_merge_chunk(struct bank_rows *r, const struct bank_chunk *chunk);

/* Rows of one chunk: as it is in the index. -ENOENT. */
int bank_rows_chunk(struct bank_rows *r, uint64_t chunk,
		    struct bank_chunk *ret);
int bank_rows_next_chunk(struct bank_rows *r, uint64_t after,
			 struct bank_chunk *ret);

/* Inserts a chunk with its content, unless it is there. 1: it was not. */
int bank_rows_put(struct bank_rows *r, const struct pending_chunk *c,
		  uint64_t frame);
int bank_rows_move(struct bank_rows *r, uint64_t chunk, uint64_t frame);

/* Frames. -ENOENT. */
int bank_rows_frame(struct bank_rows *r, uint64_t frame,
		    struct bank_frame_row *ret);
int bank_rows_next_frame(struct bank_rows *r, uint64_t after,
			 struct bank_frame_row *ret);

/* What a frame holds becomes more or less. */
struct bank_change {
	uint64_t frame;
	int64_t n_chunks;
	int64_t live_len;
};

/* -EUCLEAN: there is no such frame, or it would hold less than nothing.
 * `ret`: the row as it is now. */
int bank_rows_change(struct bank_rows *r, const struct bank_change *c,
		     struct bank_frame_row *ret);

/* The bases of a frame, one for each DELTA node; GLYPH_DELTAS_MAX at most. */
int bank_rows_bases(struct bank_rows *r, uint64_t frame, uint64_t *ret,
		    size_t *ret_n);

/* Deletes a frame's row and those of its bases. */
int bank_rows_drop_frame(struct bank_rows *r, uint64_t frame);

/* Deletes a chunk's row and that of its content. */
int bank_rows_drop_chunk(struct bank_rows *r, uint64_t chunk, uint64_t key);

/* 1, or 0. */
int bank_rows_is_base(struct bank_rows *r, uint64_t chunk);

/* ---- bank_dump.c ---------------------------------------------------------- */

/* Prepares its statements. */
int bank_rows_attach_dump(struct bank_rows *r, struct db *db);

/* store_handlers.dump for its tables. */
int bank_rows_dump(struct bank_rows *r, struct dump_cursor *c,
		   struct buffer *ops);

/* Merges the rows of an operation that bank_rows_dump() made. */
int bank_rows_load(struct bank_rows *r, uint8_t type, struct span body);

/* ---- bank_settle.c --------------------------------------------------------- */

/* After merging: drops dead frames and what is in no frame, counts what bases
 * are referred to and what frames hold. Counts all rows into `totals`. */
int bank_rows_settle(struct bank_rows *r, int64_t *totals);

/* Tells `fn` which codebooks frames name: `n` more frames name `codebook`. One may be
 * told more than once. Slow. */
typedef int bank_codebook_fn(void *ctx, uint64_t codebook, int64_t n);
int bank_rows_each_codebook(struct bank_rows *r, bank_codebook_fn *fn,
			    void *ctx);

#endif
