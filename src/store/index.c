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

#include <fcntl.h>
#include <stdio.h>

enum {
	BAD_MAX = 1000,
	READ_AHEAD = 16 << 20, /* bytes */
};

/* Keys of table meta. Totals follow META_TOTALS. */
enum meta_key {
	META_APPLIED_SEQ = 1,
	META_SEGMENT = 2,
	META_OFF = 3,
	META_EPOCH = 4,
	META_LAST_SEQ = 5,
	META_LOG_LEN = 6,
	META_FIRST_SEGMENT = 7,
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
		rc = db_exec(db, BANK_SCHEMA);
	if (rc == 0 && schema)
		rc = db_exec(db, schema);
	if (rc == 0)
		rc = db_exec(db, "PRAGMA application_id = 0x53474D46;"
				 "PRAGMA user_version = 1");
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
	report_warn("the index is of no use; it is kept as '%s'", to);
	rc = io_rename(AT_FDCWD, path, to);
	if (rc == 0)
		rc = io_rename(AT_FDCWD, wal, to_wal);
	return rc == -ENOENT ? 0 : rc;
}

static int make_new(struct index *x, const char *schema)
{
	int rc = db_open(x->path, &x->db);

	if (rc == 0)
		rc = make_tables(x->db, schema);
	return rc == 0 ? prepare(x) : rc;
}

int index_replace(struct index *x, const char *schema)
{
	int rc;

	db_close(x->db);
	x->db = NULL;
	x->meta_set = NULL;
	rc = put_aside(x->path);
	return rc == 0 ? make_new(x, schema) : rc;
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

int index_open(struct index *x, const char *dir, const char *schema,
	       bool *ret_new)
{
	struct index_meta meta;
	int rc;

	*x = (struct index){ 0 };
	if (asprintf(&x->path, "%s/index.db", dir) < 0) {
		x->path = NULL;
		return -ENOMEM;
	}
	read_ahead(x->path);
	rc = db_open(x->path, &x->db);
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

void index_close(struct index *x)
{
	db_close(x->db);
	free(x->path);
	*x = (struct index){ 0 };
}

static void meta_take(struct index_meta *m, uint64_t key, uint64_t v)
{
	if (key >= META_TOTALS && key < META_TOTALS + STORE_N_TOTALS)
		m->totals[key - META_TOTALS] = (int64_t)v;
	else if (key >= META_IDS && key < META_IDS + STORE_N_IDS)
		m->next_ids[key - META_IDS] = v;
	else if (key == META_APPLIED_SEQ)
		m->applied_seq = v;
	else if (key == META_SEGMENT)
		m->segment = v;
	else if (key == META_OFF)
		m->off = v;
	else if (key == META_EPOCH)
		m->epoch = v;
	else if (key == META_LAST_SEQ)
		m->last_seq = v;
	else if (key == META_LOG_LEN)
		m->log_len = v;
	else if (key == META_FIRST_SEGMENT)
		m->first_segment = v;
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
	const uint64_t fields[] = { m->applied_seq,  m->segment,  m->off,
				    m->epoch,        m->last_seq, m->log_len,
				    m->first_segment };
	uint64_t i;
	int rc = 0;

	for (i = 0; rc == 0 && i < ARRAY_LEN(fields); i++)
		rc = meta_put(x, META_APPLIED_SEQ + i, fields[i]);
	for (i = 0; rc == 0 && i < STORE_N_IDS; i++)
		rc = meta_put(x, META_IDS + i, m->next_ids[i]);
	for (i = 0; rc == 0 && i < STORE_N_TOTALS; i++)
		rc = meta_put(x, META_TOTALS + i, (uint64_t)m->totals[i]);
	return rc;
}
