/* SPDX-License-Identifier: MIT */
/* test_dirent.c - places of names: range, probing, what happens when full. */
#include "unit/volume/fixture.h"
#include "unit/volume/suites.h"

#include "base/io.h"
#include "store/checkpoint.h"
#include "volume/dirent.h"

#include <stdio.h>

#define ROOT VOLUME_ROOT

START_TEST(cookies_are_in_range_and_stay)
{
	struct fixture f;
	uint64_t cookies[1000];
	char name[16];

	fixture_init(&f);
	for (unsigned i = 0; i < 1000; i++) {
		(void)snprintf(name, sizeof(name), "name%u", i);
		cookies[i] = dirent_cookie(f.v, name_of(name));
		ck_assert_uint_ge(cookies[i], OP_COOKIE_MIN);
		ck_assert_uint_le(cookies[i] + DIRENT_PROBE_MAX - 1,
				  OP_COOKIE_MAX);
	}
	fixture_reopen(&f);
	for (unsigned i = 0; i < 1000; i++) {
		(void)snprintf(name, sizeof(name), "name%u", i);
		ck_assert_uint_eq(cookies[i],
				  dirent_cookie(f.v, name_of(name)));
	}
	fixture_release(&f);
}
END_TEST

START_TEST(stores_have_different_seeds)
{
	struct fixture a;
	struct fixture b;

	fixture_init(&a);
	fixture_init(&b);
	ck_assert_uint_ne(dirent_cookie(a.v, name_of("name")),
			  dirent_cookie(b.v, name_of("name")));
	fixture_release(&a);
	fixture_release(&b);
}
END_TEST

/* Puts another name where `cookie` is, which really collides only here. */
static void occupy(struct fixture *f, uint64_t cookie, uint64_t ino)
{
	char name[32];
	struct op_dirent entry = { .parent = ROOT,
				   .cookie = cookie,
				   .ino = ino,
				   .type = S_IFREG >> 12 };

	(void)snprintf(name, sizeof(name), "other%llu",
		       (unsigned long long)cookie);
	entry.name = name_of(name);
	ck_ok(txn_begin(volume_store(f->v)));
	ck_ok(dirent_put(f->v, &entry));
	txn_end(volume_store(f->v));
}

static void vacate(struct fixture *f, uint64_t cookie)
{
	ck_ok(txn_begin(volume_store(f->v)));
	ck_ok(dirent_del(f->v, ROOT, cookie));
	txn_end(volume_store(f->v));
}

static struct dirent_place place_of(struct fixture *f, const char *name)
{
	struct dirent_place place;

	index_lock(volume_store(f->v));
	ck_ok(dirent_find(f->v, ROOT, name_of(name), &place));
	index_unlock(volume_store(f->v));
	return place;
}

START_TEST(names_that_collide)
{
	struct fixture f;
	uint64_t first;
	uint64_t file;
	uint64_t ino;

	fixture_init(&f);
	file = make_file(&f, ROOT, "file");
	first = dirent_cookie(f.v, name_of("name"));
	ck_assert_uint_eq(place_of(&f, "name").cookie, first);
	occupy(&f, first, file);
	occupy(&f, first + 1, file);
	occupy(&f, first + 3, file);
	ck_rc(try_lookup(&f, ROOT, "name"), -ENOENT);
	ino = make_file(&f, ROOT, "name");
	ck_assert_uint_eq(place_of(&f, "name").cookie, first + 2);
	ck_assert_uint_eq(place_of(&f, "name").ino, ino);
	/* A gap before it does not hide it, nor does it move. */
	vacate(&f, first);
	ck_assert_uint_eq(ino_of(&f, ROOT, "name"), ino);
	ck_rc(try_make(&f, ROOT, "name", S_IFREG), -EEXIST);
	fixture_reopen(&f);
	ck_assert_uint_eq(place_of(&f, "name").cookie, first + 2);
	ck_ok(try_unlink(&f, ROOT, "name"));
	(void)make_file(&f, ROOT, "name");
	ck_assert_uint_eq(place_of(&f, "name").cookie, first);
	vacate(&f, first + 1);
	vacate(&f, first + 3);
	fixture_release(&f);
}
END_TEST

static void forget_index(struct fixture *f)
{
	fixture_close(f);
	ck_ok(io_unlink(f->dir.fd, "store/index.db"));
	(void)io_unlink(f->dir.fd, "store/index.db-wal");
	fixture_open(f);
}

/* Operations tell a cookie by its name, or as it is where it is another one. */
START_TEST(cookies_come_back_from_the_log)
{
	struct fixture f;
	uint64_t first;
	uint64_t file;
	uint64_t ino;
	unsigned i;

	fixture_init(&f);
	file = make_file(&f, ROOT, "file");
	first = dirent_cookie(f.v, name_of("name"));
	occupy(&f, first, file);
	occupy(&f, first + 1, file);
	ino = make_file(&f, ROOT, "name");
	for (i = 0; i < 2; i++) {
		forget_index(&f);
		ck_assert_uint_eq(place_of(&f, "file").cookie,
				  dirent_cookie(f.v, name_of("file")));
		ck_assert_uint_eq(place_of(&f, "name").cookie, first + 2);
		ck_assert_uint_eq(ino_of(&f, ROOT, "name"), ino);
		/* The second time, from a checkpoint. */
		ck_ok(checkpoint_write(volume_store(f.v)));
	}
	vacate(&f, first);
	vacate(&f, first + 1);
	fixture_release(&f);
}
END_TEST

START_TEST(too_many_collisions)
{
	struct fixture f;
	uint64_t first;
	uint64_t file;

	fixture_init(&f);
	file = make_file(&f, ROOT, "file");
	first = dirent_cookie(f.v, name_of("name"));
	for (uint64_t i = 0; i < DIRENT_PROBE_MAX; i++)
		occupy(&f, first + i, file);
	ck_rc(try_make(&f, ROOT, "name", S_IFREG), -ENOSPC);
	ck_rc(try_link(&f, file, ROOT, "name"), -ENOSPC);
	ck_rc(try_rename(&f, at(ROOT, "file"), at(ROOT, "name"), 0), -ENOSPC);
	ck_rc(try_lookup(&f, ROOT, "name"), -ENOENT);
	vacate(&f, first + DIRENT_PROBE_MAX - 1);
	ck_ok(try_rename(&f, at(ROOT, "file"), at(ROOT, "name"), 0));
	for (uint64_t i = 0; i < DIRENT_PROBE_MAX - 1; i++)
		vacate(&f, first + i);
	fixture_release(&f);
}
END_TEST

Suite *suite_dirent(void)
{
	const TTest *const tests[] = {
		cookies_are_in_range_and_stay,
		stores_have_different_seeds,
		names_that_collide,
		cookies_come_back_from_the_log,
		too_many_collisions,
	};

	return suite_of("volume/dirent", tests, ARRAY_LEN(tests), 60);
}
