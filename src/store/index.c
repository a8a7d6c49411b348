/* SPDX-License-Identifier: MIT */
/*
 * index.c - opens index.db or makes a new one; loads and saves its meta rows.
 */
#include "store/index.h"

#include "base/cleanup.h"
#include "base/error.h"
#include "base/io.h"
#include "base/report.h"
#include "store/bank.h"
#include "store/chunk_rows.h"
#include "store/codebooks.h"
#include "store/sketches.h"

#include <fcntl.h>
#include <stdio.h>

enum {
	BAD_MAX = 1000,
	READ_AHEAD = 16 << 20, /* bytes */
	TIDY_LEN_MAX = 16 << 20,
	TIDY_GROWN_SHIFT = 2, /* by a quarter */
	TIDY_FREE_SHIFT = 4,
};

/* Keys of table meta. Totals follow META_TOTALS. */
enum meta_key {
	META_APPLIED_SEQ = 1,
	META_SEGMENT = 2,
	META_OFF = 3,
	META_EPOCH = 4,
	META_LAST_SEQ = 5,
	META_LOG_LEN = 6,
	META_N_BEFORE = 7,
	META_ROUND_END = 8,
	META_ROUND_START = 9,
	META_ROUND_EARLIER = 10,
	META_ROUND_LEN = 11,
	META_OPS_LEN = 12,
	META_REBUILDING = 13,
	META_COMMIT_HASH = 14,
	META_OPTIMIZED = 15,
	META_IDS = 16,
	META_TOTALS = 32,
};

static int pragma_get(struct db *db, const char *sql, uint64_t *ret)
{
	struct db_stmt *s;
	int rc = db_prepare(db, sql, &s);

	if (rc < 0)
		return rc;
	rc = db_step(s);
	if (rc == 1)
		*ret = db_column_u64(s, 0);
	db_stmt_free(s);
	if (rc == 0)
		return -EUCLEAN;
	return rc < 0 ? rc : 0;
}

/* 1: an index of ours; 0: an empty file; -EUCLEAN: anything else. */
static int examine(struct db *db)
{
	uint64_t id = 0;
	uint64_t version = 0;
	uint64_t n_tables = 0;
	int rc = pragma_get(db, "PRAGMA application_id", &id);

	if (rc == 0)
		rc = pragma_get(db, "PRAGMA user_version", &version);
	if (rc == 0)
		rc = pragma_get(db, "SELECT count(*) FROM sqlite_schema",
				&n_tables);
	if (rc < 0)
		return rc;
	if (id == 0 && version == 0 && n_tables == 0)
		return 0;
	return id == INDEX_APPLICATION_ID && version == INDEX_VERSION
		       ? 1
		       : -EUCLEAN;
}

/* The version comes last, in the same transaction as the tables. */
static int make_tables(struct db *db, const char *schema)
{
	int rc = db_begin(db);

	if (rc == 0)
		rc = db_exec(db, "CREATE TABLE meta(key INTEGER PRIMARY KEY, "
				 "value INTEGER NOT NULL)");
	if (rc == 0)
		rc = db_exec(db, CHUNK_ROWS_SCHEMA BANK_SCHEMA);
	if (rc == 0)
		rc = db_exec(db, SKETCHES_SCHEMA);
	if (rc == 0)
		rc = db_exec(db, CODEBOOKS_SCHEMA);
	if (rc == 0 && schema)
		rc = db_exec(db, schema);
	if (rc == 0)
		rc = db_exec(db, "PRAGMA application_id = 0x53474D46;"
				 "PRAGMA user_version = 8");
	return rc == 0 ? db_commit(db) : rc;
}

static int prepare(struct index *x)
{
	return db_prepare(x->db, "INSERT OR REPLACE INTO meta VALUES(?, ?)",
			  &x->meta_set);
}

/* A file with an unused name takes the place of the old one. */
static int put_aside(const char *path)
{
	AUTO_FREE char *to = NULL;
	AUTO_FREE char *wal = NULL;
	AUTO_FREE char *to_wal = NULL;
	unsigned n;
	int rc = -EEXIST;

	if (asprintf(&wal, "%s-wal", path) < 0) {
		wal = NULL;
		return -ENOMEM;
	}
	for (n = 1; rc == -EEXIST && n <= BAD_MAX; n++) {
		free(to);
		if (asprintf(&to, "%s.bad-%u", path, n) < 0) {
			to = NULL;
			return -ENOMEM;
		}
		rc = io_open(AT_FDCWD, to, O_WRONLY | O_CREAT | O_EXCL, 0600);
	}
	if (rc < 0)
		return rc;
	(void)io_close(rc);
	if (asprintf(&to_wal, "%s-wal", to) < 0) {
		to_wal = NULL;
		return -ENOMEM;
	}
	report_warn("the index that was there is kept as '%s'", to);
	rc = io_rename(AT_FDCWD, path, to);
	if (rc == 0)
		rc = io_rename(AT_FDCWD, wal, to_wal);
	return rc == -ENOENT ? 0 : rc;
}

static int make_new(struct index *x, const char *schema)
{
	int rc = x->view ? db_open_private(NULL, &x->db)
			 : db_open(x->path, &x->db);

	if (rc == 0)
		rc = make_tables(x->db, schema);
	return rc == 0 ? prepare(x) : rc;
}

static void drop_connection(struct index *x)
{
	db_close(x->db);
	x->db = NULL;
	x->meta_set = NULL;
	x->frozen = false;
}

int index_replace(struct index *x, const char *schema)
{
	int rc = 0;

	drop_connection(x);
	x->len = 0;
	if (!x->view)
		rc = put_aside(x->path);
	return rc == 0 ? make_new(x, schema) : rc;
}

int index_thaw(struct index *x)
{
	int rc;

	if (!x->frozen)
		return -EROFS;
	drop_connection(x);
	rc = db_open_private(x->path, &x->db);
	return rc == 0 ? prepare(x) : rc;
}

/*
 * Reads ahead what will most likely be asked for: on a cold disk single pages
 * cost more than all of a small index. Before SQLite opens the file, because
 * closing ours would end its locks.
 */
static void read_ahead(const char *path)
{
	AUTO_CLOSE int fd = io_open(AT_FDCWD, path, O_RDONLY, 0);

	if (fd >= 0)
		io_will_need(fd, 0, READ_AHEAD);
}

/* 0 when there is no such file. */
static int length_of(const char *path, const char *suffix, uint64_t *ret)
{
	AUTO_FREE char *name = NULL;
	AUTO_CLOSE int fd = -1;

	*ret = 0;
	if (asprintf(&name, "%s%s", path, suffix) < 0) {
		name = NULL;
		return -ENOMEM;
	}
	fd = io_open(AT_FDCWD, name, O_RDONLY, 0);
	if (fd == -ENOENT)
		return 0;
	return fd < 0 ? fd : io_size(fd, ret);
}

/* After a clean end the file is all there is, and is read where it lies. */
static int open_view(struct index *x)
{
	uint64_t len = 0;
	uint64_t wal_len = 0;
	int rc = length_of(x->path, "", &len);

	if (rc == 0)
		rc = length_of(x->path, "-wal", &wal_len);
	if (rc < 0)
		return rc;
	if (len == 0)
		return db_open_private(NULL, &x->db);
	if (wal_len > 0)
		return db_open_private(x->path, &x->db);
	rc = db_open_frozen(x->path, &x->db);
	x->frozen = rc == 0;
	return rc;
}

static int load(struct index *x, const char *schema, bool *ret_new)
{
	struct index_meta meta;
	int rc = x->view ? open_view(x) : db_open(x->path, &x->db);

	if (rc == 0)
		rc = examine(x->db);
	*ret_new = rc == 0;
	if (rc == 0) {
		rc = make_tables(x->db, schema);
		return rc == 0 ? prepare(x) : rc;
	}
	if (rc == 1)
		rc = prepare(x);
	if (rc == 0)
		rc = index_load(x, &meta);
	if (rc == -EUCLEAN) {
		*ret_new = true;
		rc = index_replace(x, schema);
	}
	return rc;
}

static int open_as(struct index *x, const char *dir, const char *schema,
		   bool *ret_new)
{
	int rc;

	if (asprintf(&x->path, "%s/index.db", dir) < 0) {
		x->path = NULL;
		return -ENOMEM;
	}
	read_ahead(x->path);
	rc = load(x, schema, ret_new);
	if (rc == 0 && !*ret_new)
		x->len = db_file_len(x->db);
	return rc;
}

int index_open(struct index *x, const char *dir, const char *schema,
	       bool *ret_new)
{
	*x = (struct index){ .view = false };
	return open_as(x, dir, schema, ret_new);
}

int index_view(struct index *x, const char *dir, const char *schema,
	       bool *ret_new)
{
	*x = (struct index){ .view = true };
	return open_as(x, dir, schema, ret_new);
}

void index_tidy(struct index *x)
{
	uint64_t len = db_file_len(x->db);

	if (len > TIDY_LEN_MAX)
		return;
	if (len < x->len + (x->len >> TIDY_GROWN_SHIFT) &&
	    db_free_len(x->db) < len >> TIDY_FREE_SHIFT)
		return;
	if (db_vacuum(x->db) == 0)
		x->len = db_file_len(x->db);
}

int index_private(struct index *x, const char *schema)
{
	*x = (struct index){ .view = true };
	return make_new(x, schema);
}

bool index_is_sound(struct index *x)
{
	struct db_stmt *s;
	struct span text;
	bool sound = false;

	if (db_prepare(x->db, "PRAGMA quick_check(1)", &s) < 0)
		return false;
	if (db_step(s) == 1) {
		text = db_column_blob(s, 0);
		sound = text.len == 2 && memcmp(text.ptr, "ok", 2) == 0;
	}
	db_stmt_free(s);
	return sound;
}

void index_close(struct index *x)
{
	db_close(x->db);
	free(x->path);
	*x = (struct index){ 0 };
}

/* Where the keys from META_APPLIED_SEQ on have their values. */
static uint64_t *meta_field(struct index_meta *m, uint64_t i)
{
	uint64_t *const fields[] = {
		&m->applied_seq,    &m->segment,     &m->off,
		&m->epoch,          &m->last_seq,    &m->log_len,
		&m->n_before,       &m->rounds.end,  &m->rounds.start,
		&m->rounds.earlier, &m->rounds.len,  &m->ops_len,
		&m->rebuilding,     &m->commit_hash, &m->optimized,
	};

	return i < ARRAY_LEN(fields) ? fields[i] : NULL;
}

static void meta_take(struct index_meta *m, uint64_t key, uint64_t v)
{
	uint64_t *field = meta_field(m, key - META_APPLIED_SEQ);

	if (key >= META_TOTALS && key < META_TOTALS + STORE_N_TOTALS)
		m->totals[key - META_TOTALS] = (int64_t)v;
	else if (key >= META_IDS && key < META_IDS + STORE_N_IDS)
		m->next_ids[key - META_IDS] = v;
	else if (field)
		*field = v;
}

int index_load(struct index *x, struct index_meta *ret)
{
	struct index_meta m = { .applied_seq = 0 };
	struct db_stmt *s;
	int rc = db_prepare(x->db, "SELECT key, value FROM meta", &s);

	if (rc < 0)
		return rc;
	while ((rc = db_step(s)) == 1)
		meta_take(&m, db_column_u64(s, 0), db_column_u64(s, 1));
	db_stmt_free(s);
	if (rc == 0)
		*ret = m;
	return rc;
}

static int meta_put(struct index *x, uint64_t key, uint64_t v)
{
	db_bind_u64(x->meta_set, 0, key);
	db_bind_u64(x->meta_set, 1, v);
	return db_run(x->meta_set);
}

int index_save(struct index *x, const struct index_meta *m)
{
	struct index_meta copy = *m;
	const uint64_t *field;
	uint64_t i;
	int rc = 0;

	for (i = 0; rc == 0 && (field = meta_field(&copy, i)) != NULL; i++)
		rc = meta_put(x, META_APPLIED_SEQ + i, *field);
	for (i = 0; rc == 0 && i < STORE_N_IDS; i++)
		rc = meta_put(x, META_IDS + i, m->next_ids[i]);
	for (i = 0; rc == 0 && i < STORE_N_TOTALS; i++)
		rc = meta_put(x, META_TOTALS + i, (uint64_t)m->totals[i]);
	return rc;
}
