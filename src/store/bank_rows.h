/* SPDX-License-Identifier: MIT */
/*
 * bank_rows.h - the bank's tables: all SQL on chunk, content and frame.
 *
 * INDEX is held for all of it.
 */
#ifndef STORE_BANK_ROWS_H
#define STORE_BANK_ROWS_H

#include "base/buffer.h"
#include "store/db.h"
#include "store/pending.h"
#include "store/store.h"

struct bank_rows {
	struct db *db;
	bool merging; /* rows may be there already, or come later */
	struct db_stmt *merge_chunk;
	struct db_stmt *merge_refs;
	struct db_stmt *merge_content;
	struct db_stmt *merge_frame;
	struct db_stmt *merge_base;
	struct db_stmt *pages[4]; /* frame, chunk, content, base */
	struct db_stmt *locate;
	struct db_stmt *candidate;
	struct db_stmt *refs;
	struct db_stmt *set_refs;
	struct db_stmt *add_chunk;
	struct db_stmt *add_content;
	struct db_stmt *add_frame;
	struct db_stmt *add_base;
	struct db_stmt *next_frame;
	struct db_stmt *next_chunk;
};

/* The statements belong to the connection. */
int bank_rows_attach(struct bank_rows *r, struct db *db);

/* -ENOENT: no such chunk. -EUCLEAN: a chunk without its frame. */
int bank_rows_locate(struct bank_rows *r, uint64_t chunk,
		     struct frame_place *ret);
int bank_rows_refs(struct bank_rows *r, uint64_t chunk, uint64_t *ret);
int bank_rows_set_refs(struct bank_rows *r, uint64_t chunk, uint64_t refs);

/* 0 in *ret: none. */
int bank_rows_candidate(struct bank_rows *r, uint64_t key, uint64_t *ret);

/* Inserts all of `p`. */
int bank_rows_add(struct bank_rows *r, const struct pending *p);

/* ---- bank_dump.c ---------------------------------------------------------- */

/* Prepares its statements. */
int bank_rows_attach_dump(struct bank_rows *r, struct db *db);

/* store_handlers.dump for its tables. */
int bank_rows_dump(struct bank_rows *r, struct dump_cursor *c,
		   struct buffer *ops);

/* Merges the rows of an operation that bank_rows_dump() made. */
int bank_rows_load(struct bank_rows *r, uint8_t type, struct span body);

/* After merging: counts what bases are referred to, drops what is in no frame. Counts all rows into `totals`. */
int bank_rows_settle(struct bank_rows *r, int64_t *totals);

/* The first codebook behind `after` that frames name, and how many. Slow. */
int bank_rows_next_codebook(struct bank_rows *r, uint64_t after, uint64_t *ret,
			    uint64_t *ret_n);

int bank_rows_next_frame(struct bank_rows *r, uint64_t after,
			 struct frame_place *ret);
int bank_rows_next_chunk(struct bank_rows *r, uint64_t after, uint64_t *ret,
			 uint64_t *ret_refs);

#endif
