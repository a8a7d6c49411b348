/* SPDX-License-Identifier: MIT */
/*
 * test_db.c - the index file itself, and the edge to SQLite. (index.c, db.c)
 */
#include "unit/store/suites.h"

#include "base/report.h"
#include "lib/suite.h"
#include "unit/store/bed.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* ---- the index file ------------------------------------------------------ */

START_TEST(meta_comes_back)
{
	struct index_meta m = { .applied_seq = UINT64_MAX, .totals = { -5 } };
	struct index_meta got = { .applied_seq = 0 };
	struct index x;
	struct bed b;
	bool fresh;

	bed_begin(&b);
	m.segment = 1;
	m.off = 2;
	m.epoch = 3;
	m.last_seq = 4;
	m.log_len = 5;
	m.n_before = 6;
	m.rounds.earlier = 9;
	m.rebuilding = 1;
	m.next_ids[STORE_N_IDS - 1] = 7;
	m.totals[STORE_N_TOTALS - 1] = 8;
	ck_ok(index_save(&b.index, &m));
	ck_ok(db_commit(b.index.db));
	index_close(&b.index);
	ck_ok(index_open(&x, b.tmp.path, NULL, &fresh));
	ck_assert(!fresh);
	ck_ok(index_load(&x, &got));
	ck_assert_int_eq(memcmp(&got, &m, sizeof(m)), 0);
	index_close(&x);
	bed_end(&b);
}
END_TEST

static void spoil(const char *dir, const char *sql)
{
	char path[600];
	struct db *db;

	(void)snprintf(path, sizeof(path), "%s/index.db", dir);
	ck_ok(db_open(path, &db));
	ck_ok(db_exec(db, sql));
	db_close(db);
}

START_TEST(strange_files_are_put_aside)
{
	static const char *const spoils[] = {
		"PRAGMA user_version = 99",
		"PRAGMA application_id = 7",
		"DROP TABLE meta",
	};
	char path[600];
	struct tmpdir tmp;
	struct index x;
	bool fresh;
	FILE *f;
	size_t i;

	tmpdir_init(&tmp);
	report_silence(true);
	ck_ok(index_open(&x, tmp.path, "CREATE TABLE t(a)", &fresh));
	ck_assert(fresh);
	index_close(&x);
	for (i = 0; i < ARRAY_LEN(spoils); i++) {
		spoil(tmp.path, spoils[i]);
		ck_ok(index_open(&x, tmp.path, "CREATE TABLE t(a)", &fresh));
		ck_assert(fresh);
		index_close(&x);
	}
	(void)snprintf(path, sizeof(path), "%s/index.db", tmp.path);
	f = fopen(path, "wbe");
	ck_assert_ptr_nonnull(f);
	(void)fprintf(f, "this is no database, %4000d", 1);
	(void)fclose(f);
	ck_ok(index_open(&x, tmp.path, NULL, &fresh));
	ck_assert(fresh);
	index_close(&x);
	for (i = 1; i <= 4; i++) {
		(void)snprintf(path, sizeof(path), "%s/index.db.bad-%zu",
			       tmp.path, i);
		f = fopen(path, "rbe");
		ck_assert_ptr_nonnull(f);
		(void)fclose(f);
	}
	report_silence(false);
	tmpdir_release(&tmp);
}
END_TEST

START_TEST(link_is_not_followed)
{
	char target[600];
	char path[600];
	struct tmpdir tmp;
	struct index x;
	bool fresh;

	tmpdir_init(&tmp);
	report_silence(true);
	(void)snprintf(target, sizeof(target), "%s/elsewhere", tmp.path);
	(void)snprintf(path, sizeof(path), "%s/index.db", tmp.path);
	ck_ok(symlink(target, path));
	ck_assert_int_lt(index_open(&x, tmp.path, NULL, &fresh), 0);
	index_close(&x);
	ck_assert_int_ne(access(target, F_OK), 0);
	report_silence(false);
	tmpdir_release(&tmp);
}
END_TEST

/* ---- SQLite -------------------------------------------------------------- */

START_TEST(statements_bind_and_read)
{
	struct db_stmt *put;
	struct db_stmt *get;
	struct span blob;
	struct bed b;

	bed_begin(&b);
	ck_ok(db_exec(b.index.db, "CREATE TABLE t(a INTEGER PRIMARY KEY, b, c "
				  "BLOB NOT NULL)"));
	ck_ok(db_prepare(b.index.db, "INSERT INTO t VALUES(?,?,?)", &put));
	ck_ok(db_prepare(b.index.db, "SELECT b, c FROM t ORDER BY a", &get));
	db_bind_u64(put, 0, 1);
	db_bind_i64(put, 1, -7);
	db_bind_blob(put, 2, span_of("xy\0z", 4));
	ck_ok(db_run(put));
	ck_assert_uint_eq(db_n_changed(b.index.db), 1);
	db_bind_u64(put, 0, 2);
	db_bind_u64(put, 1, UINT64_MAX);
	db_bind_blob(put, 2, span_of(NULL, 0));
	ck_ok(db_run(put));
	report_silence(true);
	ck_rc(db_run(put), -EUCLEAN);
	report_silence(false);
	ck_assert_int_eq(db_step(get), 1);
	ck_assert_int_eq(db_column_i64(get, 0), -7);
	blob = db_column_blob(get, 1);
	ck_assert_uint_eq(blob.len, 4);
	ck_assert_mem_eq(blob.ptr, "xy\0z", 4);
	ck_assert_int_eq(db_step(get), 1);
	ck_assert_uint_eq(db_column_u64(get, 0), UINT64_MAX);
	ck_assert_uint_eq(db_column_blob(get, 1).len, 0);
	ck_ok(db_step(get));
	ck_assert_int_eq(db_step(get), 1);
	db_reset(get);
	ck_assert_int_eq(db_step(get), 1);
	db_stmt_free(get);
	db_stmt_free(NULL);
	bed_end(&b);
}
END_TEST

START_TEST(lost_transaction_kills_the_connection)
{
	struct db_stmt *get;
	struct bed b;

	bed_begin(&b);
	ck_ok(db_exec(b.index.db, "CREATE TABLE t(a INTEGER PRIMARY KEY)"));
	ck_ok(db_prepare(b.index.db, "SELECT count(*) FROM t", &get));
	ck_ok(db_exec(b.index.db, "INSERT INTO t VALUES(1)"));
	report_silence(true);
	ck_assert_int_lt(
		db_exec(b.index.db, "INSERT OR ROLLBACK INTO t VALUES(1)"), 0);
	/* It would read a state that is too old. */
	ck_rc(db_step(get), -EIO);
	ck_rc(db_exec(b.index.db, "SELECT 1"), -EIO);
	report_silence(false);
	bed_end(&b);
}
END_TEST

/* Fills the index with 40 MiB in one transaction; what SQLite keeps of it. */
static uint64_t cache_after_filling(struct db *db)
{
	static const char filling[] =
		"CREATE TABLE filling(x);"
		"WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n "
		"WHERE i < 10000) INSERT INTO filling SELECT zeroblob(4000) "
		"FROM n";

	ck_ok(db_exec(db, filling));
	return db_cache_used(db);
}

START_TEST(a_transaction_spills_when_it_may)
{
	const uint64_t len = 40000000;
	struct bed b;

	bed_begin(&b);
	ck_assert_uint_gt(cache_after_filling(b.index.db), len);
	ck_ok(db_rollback(b.index.db));
	ck_ok(db_set_spill(b.index.db, true));
	ck_ok(db_begin(b.index.db));
	ck_assert_uint_lt(cache_after_filling(b.index.db), len / 2);
	/* It is not committed by that. */
	ck_ok(db_rollback(b.index.db));
	ck_ok(db_set_spill(b.index.db, false));
	ck_ok(db_begin(b.index.db));
	ck_assert_uint_gt(cache_after_filling(b.index.db), len);
	bed_end(&b);
}
END_TEST

Suite *suite_db(void)
{
	const TTest *const tests[] = {
		meta_comes_back,
		strange_files_are_put_aside,
		link_is_not_followed,
		statements_bind_and_read,
		lost_transaction_kills_the_connection,
		a_transaction_spills_when_it_may,
	};

	return suite_of("store/db", tests, ARRAY_LEN(tests), 30);
}
