/* SPDX-License-Identifier: MIT */
/* test_volume.c - making, opening, closing a volume; what outlives a crash. */
#include "unit/volume/digest.h"
#include "unit/volume/fixture.h"
#include "unit/volume/suites.h"

#include "base/io.h"
#include "volume/file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#define ROOT VOLUME_ROOT

START_TEST(new_volume_has_an_empty_root)
{
	struct fixture f;
	struct volume_attr attr;
	struct volume_stat stat;

	fixture_init(&f);
	attr = attr_of(&f, ROOT);
	ck_assert_uint_eq(attr.ino, ROOT);
	ck_assert_uint_eq(attr.mode, S_IFDIR | 0755);
	ck_assert_uint_eq(attr.nlink, 2);
	ck_assert_uint_eq(attr.uid, geteuid());
	ck_rc(try_lookup(&f, ROOT, "a"), -ENOENT);
	ck_assert_uint_eq(ino_of(&f, ROOT, "."), ROOT);
	ck_assert_uint_eq(ino_of(&f, ROOT, ".."), ROOT);
	ck_ok(volume_statfs(f.v, &stat));
	ck_assert_uint_eq(stat.n_inodes, 1);
	ck_assert_uint_gt(stat.total_len, 0);
	ck_ok(volume_sync(f.v));
	fixture_release(&f);
}
END_TEST

START_TEST(errors_of_opening)
{
	struct volume_options options = { 0 };
	struct store_create_options create = { 0 };
	struct fixture f;
	struct volume *v = NULL;

	fixture_init(&f);
	ck_rc(volume_open("/none/at/all", &options, &v), -ENOENT);
	ck_rc(volume_open(f.path, &options, &v), -EWOULDBLOCK);
	ck_rc(volume_create(f.path, &create), -EEXIST);
	ck_ok(volume_close(NULL));
	fixture_release(&f);
}
END_TEST

START_TEST(a_store_without_root_is_refused)
{
	struct volume_options options = { 0 };
	struct fixture f;
	struct volume *v = NULL;

	fixture_init(&f);
	fixture_sql(&f, "DELETE FROM inode");
	fixture_close(&f);
	ck_rc(volume_open(f.path, &options, &v), -EUCLEAN);
	ck_assert_ptr_null(v);
	tmpdir_release(&f.dir);
}
END_TEST

START_TEST(read_only)
{
	struct volume_options options = { .store.read_only = true };
	struct volume_attr attr = { .mode = 0600 };
	struct fixture f;
	uint64_t file;
	uint64_t before;

	fixture_init(&f);
	file = make_file(&f, ROOT, "file");
	(void)make_dir(&f, ROOT, "dir");
	ck_ok(volume_setxattr(f.v, file, name_of("user.a"), name_of("1"), 0));
	before = digest(&f);
	fixture_close(&f);
	ck_ok(volume_open(f.path, &options, &f.v));
	ck_assert_uint_eq(digest(&f), before);
	ck_rc(try_make(&f, ROOT, "new", S_IFREG), -EROFS);
	ck_rc(try_link(&f, file, ROOT, "new"), -EROFS);
	ck_rc(try_unlink(&f, ROOT, "file"), -EROFS);
	ck_rc(try_rmdir(&f, ROOT, "dir"), -EROFS);
	ck_rc(try_rename(&f, at(ROOT, "file"), at(ROOT, "new"), 0), -EROFS);
	ck_rc(volume_setattr(f.v, file, SET_MODE, &attr, &attr), -EROFS);
	ck_rc(volume_setxattr(f.v, file, name_of("user.b"), name_of(""), 0),
	      -EROFS);
	ck_rc(volume_removexattr(f.v, file, name_of("user.a")), -EROFS);
	ck_assert_uint_eq(fixture_findings(&f, NULL, 0), 0);
	ck_assert_uint_eq(digest(&f), before);
	fixture_reopen(&f);
	fixture_release(&f);
}
END_TEST

START_TEST(churned_and_reopened)
{
	struct fixture f;
	struct rng r = rng_of(11);

	fixture_init(&f);
	for (int i = 0; i < 20; i++) {
		uint64_t before;

		churn(&f, &r, 300);
		before = digest(&f);
		fixture_reopen(&f);
		ck_assert_uint_eq(digest(&f), before);
		ck_assert_uint_eq(fixture_findings(&f, NULL, 0), 0);
	}
	fixture_release(&f);
}
END_TEST

/* What the process that dies tells. */
struct told {
	uint64_t seed;
	uint64_t digest;
};

static struct told *told;

static void told_init(void)
{
	told = mmap(NULL, sizeof(*told), PROT_READ | PROT_WRITE,
		    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ck_assert_ptr_ne(told, MAP_FAILED);
}

static void told_release(void)
{
	ck_ok(munmap(told, sizeof(*told)));
}

static void churn_and_sync(struct fixture *f)
{
	struct rng r = rng_of(told->seed);

	churn(f, &r, 100);
	ck_ok(volume_sync(f->v));
	churn(f, &r, 300);
	told->digest = digest(f);
}

static void churn_and_flush(struct fixture *f)
{
	churn_and_sync(f);
	ck_ok(commit_flush(volume_store(f->v)));
}

START_TEST(what_was_synced_outlives_a_crash)
{
	struct fixture f;

	told_init();
	fixture_init_closed(&f);
	for (told->seed = 0; told->seed < 15; told->seed++) {
		fixture_crash(&f, churn_and_sync, true);
		ck_assert_uint_eq(digest(&f), told->digest);
		ck_assert_uint_eq(fixture_findings(&f, NULL, 0), 0);
		fixture_close(&f);
	}
	fixture_release(&f);
	told_release();
}
END_TEST

START_TEST(what_was_not_is_consistent)
{
	struct fixture f;

	told_init();
	fixture_init_closed(&f);
	for (told->seed = 100; told->seed < 115; told->seed++) {
		fixture_crash(&f,
			      told->seed % 2 ? churn_and_sync : churn_and_flush,
			      false);
		(void)digest(&f);
		ck_assert_uint_eq(fixture_findings(&f, NULL, 0), 0);
		fixture_close(&f);
	}
	fixture_release(&f);
	told_release();
}
END_TEST

START_TEST(the_index_is_a_view_of_the_log)
{
	struct fixture f;
	struct rng r = rng_of(12);
	uint64_t before;

	fixture_init(&f);
	churn(&f, &r, 3000);
	before = digest(&f);
	fixture_close(&f);
	ck_ok(io_unlink(f.dir.fd, "store/index.db"));
	(void)io_unlink(f.dir.fd, "store/index.db-wal");
	fixture_open(&f);
	ck_assert(store_opened(volume_store(f.v))->rebuilt);
	ck_assert_uint_eq(digest(&f), before);
	fixture_release(&f);
}
END_TEST

Suite *suite_volume(void)
{
	const TTest *const tests[] = {
		new_volume_has_an_empty_root,
		errors_of_opening,
		a_store_without_root_is_refused,
		read_only,
		churned_and_reopened,
		what_was_synced_outlives_a_crash,
		what_was_not_is_consistent,
		the_index_is_a_view_of_the_log,
	};

	return suite_of("volume/volume", tests, ARRAY_LEN(tests), 180);
}
