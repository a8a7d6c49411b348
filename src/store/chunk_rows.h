/* SPDX-License-Identifier: MIT */
/*
 * chunk_rows.h - table `chunk`: 64 chunks a row, by their ids.
 *
 * A row of its own would take three times as much for each chunk: they are many
 * and say little. The row that was used last is kept in memory, decoded, and
 * written when another one is needed or at chunk_rows_flush(), which has to come
 * before each commit.
 *
 * INDEX is held for all of it.
 */
#ifndef STORE_CHUNK_ROWS_H
#define STORE_CHUNK_ROWS_H

#include "store/db.h"

#include <stdbool.h>
#include <stddef.h>

struct bank_chunk;

enum { CHUNK_ROWS_IN_ONE = 64 };

#define CHUNK_ROWS_SCHEMA \
 "CREATE TABLE chunk(block INTEGER PRIMARY KEY, rows BLOB NOT NULL);"

struct chunk_slot {
	uint64_t frame;
	uint64_t refs;
	uint32_t len; /* raw */
	bool there;
};

struct chunk_rows {
	struct db_stmt *load;
	struct db_stmt *next;
	struct db_stmt *save;
	struct db_stmt *drop;
	struct db_stmt *clear;
	uint64_t block; /* in memory; NOTHING: none */
	bool changed;
	struct chunk_slot slots[CHUNK_ROWS_IN_ONE];
};

/* The statements belong to the connection. Nothing is in memory. */
int chunk_rows_attach(struct chunk_rows *c, struct db *db);

/* What has not been flushed is lost. */
void chunk_rows_forget(struct chunk_rows *c);

int chunk_rows_flush(struct chunk_rows *c);

/* Deletes all rows. */
int chunk_rows_clear(struct chunk_rows *c);

/* -ENOENT. -EUCLEAN: the row makes no sense. */
int chunk_rows_get(struct chunk_rows *c, uint64_t id, struct bank_chunk *ret);

/* The first chunk behind `after`. 1, or 0: there is none. */
int chunk_rows_next(struct chunk_rows *c, uint64_t after,
		    struct bank_chunk *ret);

/* Adds a chunk, or takes the place of what was known of it. */
int chunk_rows_set(struct chunk_rows *c, const struct bank_chunk *chunk);

/* A chunk that is not there is none afterwards, too. */
int chunk_rows_drop(struct chunk_rows *c, uint64_t id);

#endif
