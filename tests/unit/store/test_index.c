/* SPDX-License-Identifier: MIT */
/*
 * test_index.c - an index that is only looked at: nothing in the store changes,
 * whatever state the index is in. What opens to write is in test_store.c.
 */
#include "unit/store/suites.h"

#include "base/cleanup.h"
#include "base/hash.h"
#include "lib/suite.h"
#include "store/db_connection.h"
#include "store/index.h"
#include "unit/store/fixture.h"

#include <dirent.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FILE_MAX = 1 << 20 };

static uint64_t tree;

/* The text of the lock says who looks. */
static int add_to_tree(const char *path, const struct stat *st, int type,
		       struct FTW *ftw)
{
	static uint8_t bytes[FILE_MAX];
	const char *name = path + ftw->base;
	FILE *file;
	size_t n;

	(void)st;
	tree += hash64(span_of(path, strlen(path)), 1);
	if (type != FTW_F || strcmp(name, "lock") == 0)
		return 0;
	file = fopen(path, "re");
	ck_assert_ptr_nonnull(file);
	n = fread(bytes, 1, sizeof(bytes), file);
	ck_assert_uint_lt(n, sizeof(bytes));
	tree += hash64(span_of(bytes, n), n + strlen(path));
	ck_assert_int_eq(fclose(file), 0);
	return 0;
}

static uint64_t hash_of_tree(const char *dir)
{
	tree = 0;
	ck_ok(nftw(dir, add_to_tree, 8, FTW_PHYS));
	return tree;
}

static unsigned n_entries(const char *path)
{
	DIR *d = opendir(path);
	unsigned n = 0;

	ck_assert_ptr_nonnull(d);
	while (readdir(d))
		n++;
	(void)closedir(d);
	return n;
}

/* Opens `dir` to look at it: the key has the value, and nothing changes. */
static void look(struct fixture *f, const char *dir, uint64_t value)
{
	const char *suite_dir = getenv("TMPDIR"); /* suite.c's */
	AUTO_FREE char *usual = suite_dir ? strdup(suite_dir) : NULL;
	uint64_t before = hash_of_tree(dir);
	unsigned n_temp;

	ck_assert_ptr_nonnull(usual);
	(void)setenv("TMPDIR", f->tmp.path, 1);
	n_temp = n_entries(f->tmp.path);
	f->toy.options.read_only = true;
	ck_ok(toy_open(&f->toy, dir));
	ck_assert_ptr_nonnull(store_opened(f->toy.store)->read_only);
	/* A copy has no name. */
	ck_assert_uint_eq(n_entries(f->tmp.path), n_temp);
	expect_value(&f->toy, 1, value);
	ck_rc(toy_set(&f->toy, 1, 99), -EROFS);
	expect_value(&f->toy, 1, value);
	ck_assert_uint_eq(toy_check(&f->toy), 0);
	ck_ok(toy_close(&f->toy));
	ck_assert_uint_eq(hash_of_tree(dir), before);
	ck_assert_uint_eq(n_entries(f->tmp.path), n_temp);
	f->toy.options.read_only = false;
	(void)setenv("TMPDIR", usual, 1);
}

START_TEST(clean_store)
{
	struct fixture f;

	fixture_begin(&f);
	ck_ok(toy_set(&f.toy, 1, 11));
	ck_ok(toy_put(&f.toy, 2, span_of("some bytes", 10)));
	ck_ok(toy_close(&f.toy));
	look(&f, f.dir, 11);
	ck_ok(toy_open(&f.toy, f.dir));
	ck_ok(toy_set(&f.toy, 1, 12));
	ck_ok(toy_close(&f.toy));
	look(&f, f.dir, 12);
	fixture_end(&f);
}
END_TEST

/* Its index has a WAL, and the log goes on behind it. */
START_TEST(crashed_store)
{
	struct fixture f;

	fixture_begin(&f);
	ck_ok(toy_set(&f.toy, 1, 11));
	ck_ok(toy_put(&f.toy, 2, span_of("some bytes", 10)));
	fixture_sync(&f);
	toy_crash(&f.toy, f.dir, f.other);
	look(&f, f.other, 11);
	look(&f, f.other, 11);
	ck_ok(toy_open(&f.toy, f.other));
	ck_assert(store_opened(f.toy.store)->replayed ||
		  store_opened(f.toy.store)->rebuilt);
	expect_value(&f.toy, 1, 11);
	fixture_end(&f);
}
END_TEST

START_TEST(index_behind_the_log)
{
	static uint8_t bytes[FILE_MAX];
	struct fixture f;
	size_t len;

	fixture_begin(&f);
	ck_ok(toy_set(&f.toy, 1, 11));
	ck_ok(toy_close(&f.toy));
	len = file_read(f.dir, "index.db", bytes, sizeof(bytes));
	ck_ok(toy_open(&f.toy, f.dir));
	ck_ok(toy_put(&f.toy, 2, span_of("some bytes", 10)));
	ck_ok(toy_set(&f.toy, 1, 12));
	ck_ok(toy_close(&f.toy));
	file_write(f.dir, "index.db", span_of(bytes, len));
	look(&f, f.dir, 12);
	fixture_end(&f);
}
END_TEST

/* A copy of a store went its own way, and its index came back: its place in the
 * log is there, with the same number, in another history. */
START_TEST(index_of_another_history)
{
	uint8_t *bytes = malloc(FILE_MAX);
	struct fixture f;
	size_t len;

	fixture_begin(&f);
	ck_ok(toy_set(&f.toy, 1, 11));
	ck_ok(toy_close(&f.toy));
	copy_tree(f.dir, f.other);
	ck_ok(toy_open(&f.toy, f.other));
	ck_ok(toy_set(&f.toy, 1, 12));
	ck_ok(toy_close(&f.toy));
	ck_ok(toy_open(&f.toy, f.dir));
	ck_ok(toy_set(&f.toy, 1, 13));
	ck_ok(toy_close(&f.toy));
	ck_assert_uint_eq(file_len(f.dir, SEGMENT_2),
			  file_len(f.other, SEGMENT_2));
	len = file_read(f.other, "index.db", bytes, FILE_MAX);
	file_write(f.dir, "index.db", span_of(bytes, len));
	look(&f, f.dir, 13);
	ck_ok(toy_open(&f.toy, f.dir));
	ck_assert(store_opened(f.toy.store)->rebuilt);
	ck_assert_ptr_null(store_opened(f.toy.store)->read_only);
	expect_value(&f.toy, 1, 13);
	ck_assert(file_exists(f.dir, "index.db.bad-1"));
	ck_ok(toy_set(&f.toy, 1, 14));
	fixture_reopen(&f);
	ck_assert(!store_opened(f.toy.store)->rebuilt);
	expect_value(&f.toy, 1, 14);
	fixture_end(&f);
	free(bytes);
}
END_TEST

START_TEST(no_index_or_no_good_one)
{
	struct fixture f;

	fixture_begin(&f);
	ck_ok(toy_set(&f.toy, 1, 11));
	ck_ok(toy_close(&f.toy));
	file_write(f.dir, "index.db", span_of("no database at all", 18));
	look(&f, f.dir, 11);
	ck_assert(!file_exists(f.dir, "index.db.bad-1"));
	file_write(f.dir, "index.db", span_of("", 0));
	look(&f, f.dir, 11);
	file_remove(f.dir, "index.db");
	look(&f, f.dir, 11);
	ck_assert(!file_exists(f.dir, "index.db"));
	fixture_end(&f);
}
END_TEST

START_TEST(names_that_mean_something_in_a_uri)
{
	struct tmpdir tmp;
	struct index x;
	char dir[400];
	bool new;

	tmpdir_init(&tmp);
	(void)snprintf(dir, sizeof(dir), "%s/a%%20b?c=d#e \xff", tmp.path);
	ck_ok(mkdir(dir, 0700));
	ck_ok(index_open(&x, dir, NULL, &new));
	ck_assert(new);
	index_close(&x);
	ck_ok(index_view(&x, dir, NULL, &new));
	ck_assert(!new);
	ck_assert(x.frozen);
	ck_rc(db_exec(x.db, "DELETE FROM meta"), -EROFS);
	ck_ok(index_thaw(&x));
	ck_ok(db_exec(x.db, "DELETE FROM meta"));
	ck_rc(index_thaw(&x), -EROFS);
	index_close(&x);
	tmpdir_release(&tmp);
}
END_TEST

static uint64_t length_of_index(const char *dir)
{
	struct stat st;
	char path[600];

	(void)snprintf(path, sizeof(path), "%s/index.db", dir);
	ck_ok(stat(path, &st));
	return (uint64_t)st.st_size;
}

/* Writes `n` rows of 100 bytes from `first` on, and drops all others. */
static void fill(struct index *x, unsigned first, unsigned n)
{
	char sql[400];

	(void)snprintf(
		sql, sizeof(sql),
		"CREATE TABLE IF NOT EXISTS t(k INTEGER PRIMARY KEY, v);"
		"DELETE FROM t;"
		"WITH RECURSIVE c(i) AS (SELECT %u UNION ALL SELECT i + 1"
		" FROM c WHERE i < %u) INSERT INTO t SELECT i, "
		"zeroblob(100) FROM c",
		first, first + n - 1);
	ck_ok(db_begin(x->db));
	ck_ok(db_exec(x->db, sql));
	ck_ok(db_commit(x->db));
}

START_TEST(gaps_are_closed_where_it_is_worth_it)
{
	struct tmpdir tmp;
	struct index x;
	bool new;
	uint64_t full;

	tmpdir_init(&tmp);
	ck_ok(index_open(&x, tmp.path, NULL, &new));
	fill(&x, 1, 5000);
	index_tidy(&x);
	ck_ok(db_checkpoint(x.db, true));
	full = length_of_index(tmp.path);
	ck_assert_uint_gt(full, 500000);
	/* A row less is not worth it, */
	fill(&x, 1, 4999);
	full = db_file_len(x.db);
	index_tidy(&x);
	ck_assert_uint_eq(db_file_len(x.db), full);
	/* half of them are, */
	fill(&x, 1, 2500);
	index_tidy(&x);
	ck_ok(db_checkpoint(x.db, true));
	ck_assert_uint_lt(length_of_index(tmp.path), full * 6 / 10);
	ck_assert_uint_eq(db_free_len(x.db), 0);
	/* and a long file would take too long. */
	fill(&x, 1, 200000);
	fill(&x, 1, 1);
	ck_assert_uint_gt(db_free_len(x.db), 16 << 20);
	index_tidy(&x);
	ck_assert_uint_gt(db_free_len(x.db), 16 << 20);
	index_close(&x);
	ck_ok(index_open(&x, tmp.path, NULL, &new));
	ck_assert(!new);
	index_close(&x);
	tmpdir_release(&tmp);
}
END_TEST

START_TEST(only_the_owner_reads_it)
{
	struct fixture f;
	struct stat st;
	char path[600];

	fixture_begin(&f);
	(void)snprintf(path, sizeof(path), "%s/index.db", f.dir);
	ck_ok(stat(path, &st));
	ck_assert_uint_eq(st.st_mode & 0777, 0600);
	fixture_end(&f);
}
END_TEST

Suite *suite_index(void)
{
	const TTest *const tests[] = {
		clean_store,
		crashed_store,
		index_behind_the_log,
		index_of_another_history,
		no_index_or_no_good_one,
		names_that_mean_something_in_a_uri,
		gaps_are_closed_where_it_is_worth_it,
		only_the_owner_reads_it,
	};

	return suite_of("store/index", tests, ARRAY_LEN(tests), 60);
}
