/* SPDX-License-Identifier: MIT */
/*
 * db.c - the edge to SQLite: its codes become errno here and nowhere else.
 */
#include "store/db_connection.h"

#include "base/cleanup.h"
#include "base/error.h"
#include "base/io.h"
#include "base/report.h"

#include <assert.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PAGE_LEN = 4096 };

struct db_stmt {
	struct db *db;
	sqlite3_stmt *stmt;
	struct db_stmt *next;
	int bind_rc; /* the first failure of a bind since the last reset */
};

struct db {
	sqlite3 *conn;
	struct db_stmt *stmts; /* all of them */
	uint64_t wal_pages;
	bool frozen;  /* opened for reading */
	bool open;    /* a transaction should be */
	bool dead;    /* it was lost */
	bool damaged; /* SQLite said so */
};

static int errno_of(int code)
{
	switch (code & 0xff) {
	case SQLITE_OK:
	case SQLITE_ROW:
	case SQLITE_DONE:
		return 0;
	case SQLITE_NOMEM:
		return -ENOMEM;
	case SQLITE_FULL:
		return -ENOSPC;
	case SQLITE_ERROR: /* a table is missing: another schema */
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB:
	case SQLITE_CONSTRAINT:
	case SQLITE_MISMATCH:
		return -EUCLEAN;
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
		return -EWOULDBLOCK;
	case SQLITE_IOERR:
		return code == SQLITE_IOERR_NOMEM ? -ENOMEM : -EIO;
	default:
		return -EIO;
	}
}

/* What no later statement can make good. */
static bool is_damage(int code)
{
	return (code & 0xff) == SQLITE_CORRUPT ||
	       (code & 0xff) == SQLITE_NOTADB || code == SQLITE_ERROR;
}

/* Translates a failure, says it, and kills the connection when the failure
 * has ended the transaction. */
static int failed(struct db *db, int code)
{
	int rc = errno_of(code);

	if (rc == 0)
		return 0;
	/* Whoever opened it so tries; that is no failure. */
	if (db->frozen && (code & 0xff) == SQLITE_READONLY)
		return -EROFS;
	if (is_damage(code))
		db->damaged = true;
	if (db->open && sqlite3_get_autocommit(db->conn))
		db->dead = true;
	if (rc == -EUCLEAN)
		return corrupt("the index: %s", sqlite3_errmsg(db->conn));
	report_error("the index: %s (%d)", sqlite3_errmsg(db->conn), code);
	return rc;
}

static int on_wal(void *ctx, sqlite3 *conn, const char *name, int n_pages)
{
	struct db *db = ctx;

	(void)conn;
	(void)name;
	db->wal_pages = (uint64_t)n_pages;
	return SQLITE_OK;
}

/* The order matters: the page size before the WAL, exclusive mode before the
 * first access. */
#define PRAGMA_FILES        \
 "PRAGMA page_size = 4096;" \
 "PRAGMA locking_mode = EXCLUSIVE;"
#define PRAGMA_WRITING        \
 "PRAGMA journal_mode = WAL;" \
 "PRAGMA synchronous = NORMAL;"
#define PRAGMA_MEMORY          \
 "PRAGMA cache_size = -16384;" \
 "PRAGMA cache_spill = OFF;"   \
 "PRAGMA secure_delete = OFF;" \
 "PRAGMA temp_store = MEMORY;" \
 "PRAGMA mmap_size = 0;"

static int configure(struct db *db)
{
	sqlite3 *conn = db->conn;

	(void)sqlite3_extended_result_codes(conn, 1);
	(void)sqlite3_db_config(conn, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
	(void)sqlite3_db_config(conn, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
	(void)sqlite3_wal_hook(conn, on_wal, db);
	if (db->frozen)
		return db_exec(db, PRAGMA_FILES PRAGMA_MEMORY);
	return db_exec(db, PRAGMA_FILES PRAGMA_WRITING PRAGMA_MEMORY);
}

static int open_with(const char *name, int flags, struct db **ret)
{
	struct db *db = calloc(1, sizeof(*db));
	int rc;

	if (!db)
		return -ENOMEM;
	db->frozen = (flags & SQLITE_OPEN_READONLY) != 0;
	/* Counting memory costs a lock; too late after the first use. */
	(void)sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
	flags |= SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_NOFOLLOW;
	rc = failed(db, sqlite3_open_v2(name, &db->conn, flags, NULL));
	if (rc == 0)
		rc = configure(db);
	if (rc < 0) {
		db_close(db);
		return rc;
	}
	*ret = db;
	return 0;
}

int db_open(const char *path, struct db **ret)
{
	/* SQLite would make it readable for all. */
	int fd = io_open(AT_FDCWD, path, O_RDONLY | O_CREAT, 0600);

	if (fd >= 0)
		(void)io_close(fd);
	return open_with(path, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, ret);
}

/* "file:" and the path, where each byte that could mean something is escaped,
 * and what tells SQLite to look for no WAL. */
static char *frozen_name(const char *path)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyz"
				    "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				    "0123456789/._-";
	static const char tail[] = "?immutable=1";
	char *name = malloc(5 + 3 * strlen(path) + sizeof(tail));
	char *at = name;

	if (!name)
		return NULL;
	at = stpcpy(at, "file:");
	for (; *path != '\0'; path++) {
		if (strchr(plain, *path))
			*at++ = *path;
		else
			at += snprintf(at, 4, "%%%02X", (unsigned char)*path);
	}
	(void)stpcpy(at, tail);
	return name;
}

int db_open_frozen(const char *path, struct db **ret)
{
	AUTO_FREE char *name = frozen_name(path);

	if (!name)
		return -ENOMEM;
	return open_with(name, SQLITE_OPEN_READONLY | SQLITE_OPEN_URI, ret);
}

static int copy_files(const char *from, const char *from_wal, const char *to,
		      const char *to_wal)
{
	int rc = io_copy(from, to);

	if (rc == 0)
		rc = io_copy(from_wal, to_wal);
	return rc == -ENOENT ? 0 : rc;
}

/* In exclusive mode SQLite has both files open from now on, and goes on with
 * them when their names are gone. */
static int open_copy(const char *path, const char *dir, struct db **ret)
{
	AUTO_FREE char *from_wal = NULL;
	AUTO_FREE char *to = NULL;
	AUTO_FREE char *to_wal = NULL;
	struct db *db = NULL;
	int rc = 0;

	if (asprintf(&to, "%s/index.db", dir) < 0) {
		to = NULL;
		return -ENOMEM;
	}
	if (asprintf(&to_wal, "%s-wal", to) < 0) {
		to_wal = NULL;
		return -ENOMEM;
	}
	if (path && asprintf(&from_wal, "%s-wal", path) < 0) {
		from_wal = NULL;
		return -ENOMEM;
	}
	if (path)
		rc = copy_files(path, from_wal, to, to_wal);
	if (rc == 0)
		rc = db_open(to, &db);
	/* A new one gets its WAL with the first change. */
	if (rc == 0 && !path)
		rc = db_exec(db, "PRAGMA user_version = 0");
	if (rc == 0)
		*ret = db;
	else
		db_close(db);
	(void)io_unlink(AT_FDCWD, to);
	(void)io_unlink(AT_FDCWD, to_wal);
	return rc;
}

int db_open_private(const char *path, struct db **ret)
{
	AUTO_FREE char *dir = NULL;
	int rc = io_temp_dir(&dir);

	if (rc < 0) {
		report_error("no directory for a copy of the index: %s",
			     error_text(rc));
		return rc;
	}
	rc = open_copy(path, dir, ret);
	(void)io_rmdir(AT_FDCWD, dir);
	return rc;
}

void db_close(struct db *db)
{
	int code;

	if (!db)
		return;
	while (db->stmts)
		db_stmt_free(db->stmts);
	code = sqlite3_close(db->conn);
	assert(code == SQLITE_OK);
	(void)code;
	free(db);
}

/* ---- statements ---------------------------------------------------------- */

int db_prepare(struct db *db, const char *sql, struct db_stmt **ret)
{
	struct db_stmt *s = calloc(1, sizeof(*s));
	int rc;

	if (!s)
		return -ENOMEM;
	rc = failed(db, sqlite3_prepare_v3(db->conn, sql, -1,
					   SQLITE_PREPARE_PERSISTENT, &s->stmt,
					   NULL));
	if (rc < 0) {
		free(s);
		return rc;
	}
	s->db = db;
	s->next = db->stmts;
	db->stmts = s;
	*ret = s;
	return 0;
}

void db_stmt_free(struct db_stmt *s)
{
	struct db_stmt **link;

	if (!s)
		return;
	for (link = &s->db->stmts; *link != s; link = &(*link)->next)
		;
	*link = s->next;
	(void)sqlite3_finalize(s->stmt);
	free(s);
}

static void bound(struct db_stmt *s, int code)
{
	if (code != SQLITE_OK && s->bind_rc == 0)
		s->bind_rc = failed(s->db, code);
}

void db_bind_u64(struct db_stmt *s, int param, uint64_t v)
{
	bound(s, sqlite3_bind_int64(s->stmt, param + 1, (sqlite3_int64)v));
}

void db_bind_i64(struct db_stmt *s, int param, int64_t v)
{
	bound(s, sqlite3_bind_int64(s->stmt, param + 1, v));
}

void db_bind_blob(struct db_stmt *s, int param, struct span v)
{
	const void *ptr = v.len > 0 ? (const void *)v.ptr : "";

	bound(s, sqlite3_bind_blob64(s->stmt, param + 1, ptr, v.len,
				     SQLITE_STATIC));
}

int db_step(struct db_stmt *s)
{
	struct db *db = s->db;
	int rc = s->bind_rc;
	int code;

	if (rc == 0 && db->dead)
		rc = -EIO;
	if (rc < 0) {
		db_reset(s);
		return rc;
	}
	code = sqlite3_step(s->stmt);
	if (code == SQLITE_ROW)
		return 1;
	rc = code == SQLITE_DONE ? 0 : failed(db, code);
	db_reset(s);
	return rc;
}

void db_reset(struct db_stmt *s)
{
	(void)sqlite3_reset(s->stmt);
	s->bind_rc = 0;
}

int db_run(struct db_stmt *s)
{
	int rc = db_step(s);

	if (rc == 1)
		db_reset(s);
	return rc < 0 ? rc : 0;
}

uint64_t db_column_u64(struct db_stmt *s, int column)
{
	return (uint64_t)sqlite3_column_int64(s->stmt, column);
}

int64_t db_column_i64(struct db_stmt *s, int column)
{
	return sqlite3_column_int64(s->stmt, column);
}

struct span db_column_blob(struct db_stmt *s, int column)
{
	const void *ptr = sqlite3_column_blob(s->stmt, column);

	return span_of(ptr, (size_t)sqlite3_column_bytes(s->stmt, column));
}

uint64_t db_n_changed(struct db *db)
{
	return (uint64_t)sqlite3_changes64(db->conn);
}

int db_exec(struct db *db, const char *sql)
{
	if (db->dead)
		return -EIO;
	return failed(db, sqlite3_exec(db->conn, sql, NULL, NULL, NULL));
}

/* ---- the connection ------------------------------------------------------ */

int db_begin(struct db *db)
{
	int rc = db_exec(db, "BEGIN IMMEDIATE");

	if (rc == 0)
		db->open = true;
	return rc;
}

int db_commit(struct db *db)
{
	int rc = db_exec(db, "COMMIT");

	if (rc == 0)
		db->open = false;
	return rc;
}

int db_set_spill(struct db *db, bool on)
{
	/* In a transaction SQLite would only take note of it. */
	assert(!db->open);
	return db_exec(db, on ? "PRAGMA cache_spill = ON"
			      : "PRAGMA cache_spill = OFF");
}

int db_rollback(struct db *db)
{
	int rc = 0;

	db->open = false;
	db->dead = false;
	if (!sqlite3_get_autocommit(db->conn))
		rc = db_exec(db, "ROLLBACK");
	return rc;
}

int db_checkpoint(struct db *db, bool truncate)
{
	int mode = truncate ? SQLITE_CHECKPOINT_TRUNCATE
			    : SQLITE_CHECKPOINT_PASSIVE;
	int n_wal = 0;
	int n_done = 0;
	int rc = failed(db, sqlite3_wal_checkpoint_v2(db->conn, NULL, mode,
						      &n_wal, &n_done));

	if (rc == 0 && n_wal == n_done)
		db->wal_pages = 0;
	return rc;
}

int db_vacuum(struct db *db)
{
	return db_exec(db, "VACUUM");
}

uint64_t db_wal_len(const struct db *db)
{
	return db->wal_pages * PAGE_LEN;
}

uint64_t db_cache_used(struct db *db)
{
	int now = 0;
	int highest = 0;

	(void)sqlite3_db_status(db->conn, SQLITE_DBSTATUS_CACHE_USED, &now,
				&highest, 0);
	return now > 0 ? (uint64_t)now : 0;
}

static uint64_t count_pages(struct db *db, const char *sql)
{
	struct db_stmt *s;
	uint64_t n = 0;

	if (db_prepare(db, sql, &s) < 0)
		return 0;
	if (db_step(s) == 1)
		n = db_column_u64(s, 0);
	db_stmt_free(s);
	return n * PAGE_LEN;
}

uint64_t db_file_len(struct db *db)
{
	return count_pages(db, "PRAGMA page_count");
}

uint64_t db_free_len(struct db *db)
{
	return count_pages(db, "PRAGMA freelist_count");
}

bool db_damaged(const struct db *db)
{
	return db->damaged;
}
