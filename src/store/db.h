/* SPDX-License-Identifier: MIT */
/*
 * db.h - the SQLite index: one connection, prepared statements, errno.
 *
 * The only file that sees sqlite3.h. Everything here needs the INDEX lock
 * (store.h: index_lock). Errors: -EIO, -ENOSPC, -ENOMEM, -EUCLEAN (the
 * database is damaged or holds what the schema does not allow).
 * SQL that names a table stands in that table's owner file only.
 */
#ifndef STORE_DB_H
#define STORE_DB_H

#include "base/bytes.h"

struct db;
struct db_stmt;

/* Prepares `sql`, which must be static text. Owned by `db`: it is finalised
 * when the connection closes, unless db_stmt_free() came first. */
int db_prepare(struct db *db, const char *sql, struct db_stmt **ret);

/* NULL is fine. */
void db_stmt_free(struct db_stmt *s);

/* Parameters and columns count from 0. Bound blobs are borrowed until
 * db_reset(). */
void db_bind_u64(struct db_stmt *s, int param, uint64_t v);
void db_bind_i64(struct db_stmt *s, int param, int64_t v);
void db_bind_blob(struct db_stmt *s, int param, struct span v);

/* 1: a row is there; 0: done (the statement is then reset by itself). */
int db_step(struct db_stmt *s);

/* Ends a statement before its last row; harmless otherwise. */
void db_reset(struct db_stmt *s);

/* Steps a statement that returns no rows. */
int db_run(struct db_stmt *s);

/* Of the current row; blobs are valid until the next step or reset. */
uint64_t db_column_u64(struct db_stmt *s, int column);
int64_t db_column_i64(struct db_stmt *s, int column);
struct span db_column_blob(struct db_stmt *s, int column);

/* Rows changed by the last db_run(). */
uint64_t db_n_changed(struct db *db);

/* Runs SQL text without rows, several statements allowed. */
int db_exec(struct db *db, const char *sql);

#endif
