/* SPDX-License-Identifier: MIT */
/*
 * db_connection.h - the connection as its owner (index.c) sees it.
 *
 * A WAL database that we alone have open, with one transaction at a time. An
 * error that ended the transaction kills the connection: whatever came after
 * would read an older state. INDEX is held for all of it.
 */
#ifndef STORE_DB_CONNECTION_H
#define STORE_DB_CONNECTION_H

#include "store/db.h"

/* Opens or makes the file; no symbolic link in `path`. */
int db_open(const char *path, struct db **ret);

/*
 * Opens a file for reading that nobody changes meanwhile, and that has no WAL.
 * Makes and changes nothing beside it. A statement that would change it is
 * -EROFS.
 */
int db_open_frozen(const char *path, struct db **ret);

/*
 * Opens a copy of the file and its WAL, or with NULL an empty database. It has
 * no name, and ends with the connection.
 */
int db_open_private(const char *path, struct db **ret);

/* Finalises all statements, rolls back, closes. NULL is fine. */
void db_close(struct db *db);

int db_begin(struct db *db);
int db_commit(struct db *db);
int db_rollback(struct db *db);

/* Whether a transaction may write changed pages to the WAL before its end. When it
 * may not, which is so at first, the page cache grows with it. Outside of one. */
int db_set_spill(struct db *db, bool on);

/* Moves the WAL into the database file; with `truncate` all of it, and the
 * WAL becomes empty. Outside of a transaction. */
int db_checkpoint(struct db *db, bool truncate);

/* Writes all rows anew, without gaps between them, into the WAL. Takes as much
 * memory as the file is long. Outside of a transaction; what fails changes
 * nothing. */
int db_vacuum(struct db *db);

/* Bytes in the WAL, as of the last commit. */
uint64_t db_wal_len(const struct db *db);

/* Bytes of SQLite's page cache in use. */
uint64_t db_cache_used(struct db *db);

/* Bytes of the database file. */
uint64_t db_file_len(struct db *db);

/* Bytes of its pages that hold nothing. */
uint64_t db_free_len(struct db *db);

/* Whether SQLite found the file to be damaged. */
bool db_damaged(const struct db *db);

#endif
