/* SPDX-License-Identifier: MIT */
/* test_rename.c - moving, replacing, exchanging, and what is refused. */
#ifndef _GNU_SOURCE
# define _GNU_SOURCE
#endif

#include "unit/volume/fixture.h"
#include "unit/volume/suites.h"

#include "volume/file.h"

#include <stdio.h>
#include <sys/stat.h>

#define ROOT VOLUME_ROOT

START_TEST(files)
{
	struct fixture f;
	uint64_t a;
	uint64_t dir;

	fixture_init(&f);
	a = make_file(&f, ROOT, "a");
	dir = make_dir(&f, ROOT, "dir");
	ck_ok(try_rename(&f, at(ROOT, "a"), at(ROOT, "b"), 0));
	ck_assert_uint_eq(ino_of(&f, ROOT, "a"), 0);
	ck_assert_uint_eq(ino_of(&f, ROOT, "b"), a);
	ck_ok(try_rename(&f, at(ROOT, "b"), at(dir, "c"), 0));
	ck_assert_uint_eq(ino_of(&f, ROOT, "b"), 0);
	ck_assert_uint_eq(ino_of(&f, dir, "c"), a);
	ck_ok(try_rename(&f, at(dir, "c"), at(dir, "c"), 0));
	fixture_reopen(&f);
	ck_assert_uint_eq(ino_of(&f, dir, "c"), a);
	ck_assert_uint_eq(links_of(&f, a), 1);
	fixture_release(&f);
}
END_TEST

START_TEST(over_a_file)
{
	struct fixture f;
	uint64_t a;
	struct volume_attr b;

	fixture_init(&f);
	a = make_file(&f, ROOT, "a");
	(void)make_file(&f, ROOT, "b");
	ck_ok(volume_lookup(f.v, ROOT, name_of("b"), &b));
	ck_ok(try_rename(&f, at(ROOT, "a"), at(ROOT, "b"), 0));
	ck_assert_uint_eq(ino_of(&f, ROOT, "b"), a);
	ck_assert_uint_eq(links_of(&f, b.ino), 0);
	volume_forget(f.v, b.ino, 1);
	ck_rc(volume_getattr(f.v, b.ino, &b), -ENOENT);
	fixture_release(&f);
}
END_TEST

/* A device comes where the name was, over nothing and over another file. */
START_TEST(leaves_a_whiteout)
{
	const struct volume_new device = { .mode = S_IFCHR, .uid = 5 };
	const struct volume_place a = at(ROOT, "a");
	const struct volume_place b = at(ROOT, "b");
	const struct volume_place c = at(ROOT, "c");
	struct volume_attr attr;
	struct fixture f;
	uint64_t file;

	fixture_init(&f);
	file = make_file(&f, ROOT, "a");
	(void)make_file(&f, ROOT, "b");
	ck_rc(volume_rename(f.v, &a, &c, RENAME_WHITEOUT | RENAME_EXCHANGE,
			    &device),
	      -EINVAL);
	ck_ok(volume_rename(f.v, &a, &c, RENAME_WHITEOUT, &device));
	ck_ok(volume_rename(f.v, &c, &b, RENAME_WHITEOUT, &device));
	fixture_reopen(&f);
	ck_assert_uint_eq(ino_of(&f, ROOT, "b"), file);
	ck_assert_uint_eq(links_of(&f, file), 1);
	ck_assert_uint_ne(ino_of(&f, ROOT, "a"), ino_of(&f, ROOT, "c"));
	attr = attr_of(&f, ino_of(&f, ROOT, "c"));
	ck_assert_uint_eq(attr.mode, S_IFCHR);
	ck_assert_uint_eq(attr.rdev, 0);
	ck_assert_uint_eq(attr.uid, 5);
	ck_assert_uint_eq(attr.nlink, 1);
	/* Without the flag the node is not looked at. */
	ck_ok(volume_rename(f.v, &b, &c, 0, &device));
	ck_assert_uint_eq(ino_of(&f, ROOT, "b"), 0);
	fixture_release(&f);
}
END_TEST

START_TEST(over_one_of_two_names)
{
	struct fixture f;
	uint64_t a;
	uint64_t b;

	fixture_init(&f);
	a = make_file(&f, ROOT, "a");
	b = make_file(&f, ROOT, "b");
	ck_ok(try_link(&f, b, ROOT, "b2"));
	ck_ok(try_rename(&f, at(ROOT, "a"), at(ROOT, "b"), 0));
	ck_assert_uint_eq(ino_of(&f, ROOT, "b"), a);
	ck_assert_uint_eq(links_of(&f, b), 1);
	/* Two names of one file: nothing happens, both stay. */
	ck_ok(try_link(&f, b, ROOT, "b3"));
	ck_ok(try_rename(&f, at(ROOT, "b2"), at(ROOT, "b3"), 0));
	ck_assert_uint_eq(ino_of(&f, ROOT, "b2"), b);
	ck_assert_uint_eq(links_of(&f, b), 2);
	fixture_release(&f);
}
END_TEST

START_TEST(directories)
{
	struct fixture f;
	uint64_t a;
	uint64_t b;
	uint64_t sub;

	fixture_init(&f);
	a = make_dir(&f, ROOT, "a");
	b = make_dir(&f, ROOT, "b");
	sub = make_dir(&f, a, "sub");
	ck_ok(try_rename(&f, at(a, "sub"), at(b, "sub"), 0));
	ck_assert_uint_eq(links_of(&f, a), 2);
	ck_assert_uint_eq(links_of(&f, b), 3);
	ck_assert_uint_eq(ino_of(&f, sub, ".."), b);
	/* Over an empty one, elsewhere and in the same directory. */
	(void)make_dir(&f, a, "empty");
	ck_ok(try_rename(&f, at(b, "sub"), at(a, "empty"), 0));
	ck_assert_uint_eq(links_of(&f, a), 3);
	ck_assert_uint_eq(links_of(&f, b), 2);
	ck_assert_uint_eq(ino_of(&f, sub, ".."), a);
	(void)make_dir(&f, a, "empty2");
	ck_ok(try_rename(&f, at(a, "empty"), at(a, "empty2"), 0));
	ck_assert_uint_eq(links_of(&f, a), 3);
	ck_assert_uint_eq(ino_of(&f, a, "empty2"), sub);
	fixture_reopen(&f);
	ck_assert_uint_eq(ino_of(&f, sub, ".."), a);
	ck_assert_uint_eq(links_of(&f, a), 3);
	fixture_release(&f);
}
END_TEST

START_TEST(what_is_refused)
{
	struct fixture f;
	uint64_t dir;
	uint64_t sub;
	uint64_t deep;

	fixture_init(&f);
	dir = make_dir(&f, ROOT, "dir");
	sub = make_dir(&f, dir, "sub");
	deep = make_dir(&f, sub, "deep");
	(void)make_file(&f, ROOT, "file");
	(void)make_file(&f, dir, "inner");
	(void)make_dir(&f, ROOT, "empty");
	ck_rc(try_rename(&f, at(ROOT, "none"), at(ROOT, "x"), 0), -ENOENT);
	ck_rc(try_rename(&f, at(999, "a"), at(ROOT, "x"), 0), -ENOENT);
	ck_rc(try_rename(&f, at(ROOT, "file"), at(999, "x"), 0), -ENOENT);
	ck_rc(try_rename(&f, at(ROOT, "file"),
			 at(ino_of(&f, dir, "inner"), "x"), 0),
	      -ENOTDIR);
	ck_rc(try_rename(&f, at(ROOT, "file"), at(ROOT, "empty"), 0), -EISDIR);
	ck_rc(try_rename(&f, at(ROOT, "empty"), at(ROOT, "file"), 0), -ENOTDIR);
	ck_rc(try_rename(&f, at(ROOT, "empty"), at(ROOT, "dir"), 0),
	      -ENOTEMPTY);
	/* Into itself, near and far. */
	ck_rc(try_rename(&f, at(ROOT, "dir"), at(dir, "x"), 0), -EINVAL);
	ck_rc(try_rename(&f, at(ROOT, "dir"), at(deep, "x"), 0), -EINVAL);
	ck_rc(try_rename(&f, at(ROOT, "dir"), at(dir, "sub"), 0), -EINVAL);
	/* Over what it lies in. */
	ck_rc(try_rename(&f, at(sub, "deep"), at(ROOT, "dir"), 0), -ENOTEMPTY);
	ck_rc(try_rename(&f, at(dir, "inner"), at(ROOT, "dir"), 0), -ENOTEMPTY);
	ck_rc(try_rename(&f, at(ROOT, "."), at(ROOT, "x"), 0), -EBUSY);
	ck_rc(try_rename(&f, at(ROOT, "file"), at(ROOT, ".."), 0), -EBUSY);
	ck_rc(try_rename(&f, at(ROOT, "file"), at(ROOT, ".."),
			 RENAME_NOREPLACE),
	      -EEXIST);
	ck_rc(try_rename(&f, at(ROOT, "file"), at(ROOT, ""), 0), -ENOENT);
	ck_rc(try_rename(&f, at(ROOT, "file"), at(ROOT, "x"), RENAME_WHITEOUT),
	      -EINVAL);
	ck_rc(try_rename(&f, at(ROOT, "file"), at(ROOT, "x"),
			 RENAME_NOREPLACE | RENAME_EXCHANGE),
	      -EINVAL);
	fixture_release(&f);
}
END_TEST

START_TEST(noreplace)
{
	struct fixture f;
	uint64_t a;

	fixture_init(&f);
	a = make_file(&f, ROOT, "a");
	(void)make_file(&f, ROOT, "b");
	ck_rc(try_rename(&f, at(ROOT, "a"), at(ROOT, "b"), RENAME_NOREPLACE),
	      -EEXIST);
	ck_rc(try_rename(&f, at(ROOT, "a"), at(ROOT, "a"), RENAME_NOREPLACE),
	      -EEXIST);
	ck_rc(try_rename(&f, at(ROOT, "n"), at(ROOT, "b"), RENAME_NOREPLACE),
	      -ENOENT);
	ck_ok(try_rename(&f, at(ROOT, "a"), at(ROOT, "c"), RENAME_NOREPLACE));
	ck_assert_uint_eq(ino_of(&f, ROOT, "c"), a);
	fixture_release(&f);
}
END_TEST

START_TEST(exchange)
{
	struct fixture f;
	uint64_t a;
	uint64_t b;
	uint64_t dir;
	uint64_t file;

	fixture_init(&f);
	a = make_dir(&f, ROOT, "a");
	b = make_dir(&f, ROOT, "b");
	dir = make_dir(&f, a, "x");
	file = make_file(&f, b, "y");
	(void)make_file(&f, dir, "inside");
	ck_rc(try_rename(&f, at(a, "x"), at(b, "none"), RENAME_EXCHANGE),
	      -ENOENT);
	ck_rc(try_rename(&f, at(a, "none"), at(b, "y"), RENAME_EXCHANGE),
	      -ENOENT);
	ck_ok(try_rename(&f, at(a, "x"), at(b, "y"), RENAME_EXCHANGE));
	ck_assert_uint_eq(ino_of(&f, a, "x"), file);
	ck_assert_uint_eq(ino_of(&f, b, "y"), dir);
	ck_assert_uint_eq(links_of(&f, a), 2);
	ck_assert_uint_eq(links_of(&f, b), 3);
	ck_assert_uint_eq(ino_of(&f, dir, ".."), b);
	/* Two directories, and within one directory. */
	ck_ok(try_rename(&f, at(b, "y"), at(ROOT, "a"), RENAME_EXCHANGE));
	ck_assert_uint_eq(ino_of(&f, ROOT, "a"), dir);
	ck_assert_uint_eq(ino_of(&f, dir, ".."), ROOT);
	ck_assert_uint_eq(ino_of(&f, a, ".."), b);
	ck_ok(try_rename(&f, at(ROOT, "a"), at(ROOT, "b"), RENAME_EXCHANGE));
	ck_assert_uint_eq(ino_of(&f, ROOT, "a"), b);
	ck_assert_uint_eq(ino_of(&f, ROOT, "b"), dir);
	ck_assert_uint_eq(links_of(&f, ROOT), 4);
	/* With what it lies in, from both sides. */
	ck_rc(try_rename(&f, at(b, "y"), at(ROOT, "a"), RENAME_EXCHANGE),
	      -EINVAL);
	ck_rc(try_rename(&f, at(ROOT, "a"), at(b, "y"), RENAME_EXCHANGE),
	      -EINVAL);
	fixture_reopen(&f);
	ck_assert_uint_eq(ino_of(&f, ROOT, "a"), b);
	ck_assert_uint_eq(ino_of(&f, b, "y"), a);
	ck_assert_uint_eq(ino_of(&f, a, "x"), file);
	fixture_release(&f);
}
END_TEST

START_TEST(times)
{
	struct fixture f;
	uint64_t a;
	uint64_t b;
	uint64_t file;
	struct volume_attr before[3];

	fixture_init(&f);
	a = make_dir(&f, ROOT, "a");
	b = make_dir(&f, ROOT, "b");
	file = make_file(&f, a, "file");
	before[0] = attr_of(&f, a);
	before[1] = attr_of(&f, b);
	before[2] = attr_of(&f, file);
	tick_clock();
	ck_ok(try_rename(&f, at(a, "file"), at(b, "file"), 0));
	ck_assert(is_after(attr_of(&f, a).mtime, before[0].mtime));
	ck_assert(is_after(attr_of(&f, b).mtime, before[1].mtime));
	ck_assert(is_after(attr_of(&f, file).ctime, before[2].ctime));
	ck_assert(is_same(attr_of(&f, file).mtime, before[2].mtime));
	fixture_release(&f);
}
END_TEST

/* Saves a file as editors do; dies with only the log's buffer written. */
static void save_by_rename(struct fixture *f)
{
	uint64_t file = make_file(f, ROOT, "new");

	ck_ok(file_write(f->v, file, 0, name_of("new content"), 0));
	ck_ok(try_rename(f, at(ROOT, "new"), at(ROOT, "saved"), 0));
	ck_ok(commit_sync(volume_store(f->v), txn_mark(volume_store(f->v))));
}

START_TEST(replacing_keeps_the_new_data)
{
	struct fixture f;
	uint64_t file;

	fixture_init(&f);
	file = make_file(&f, ROOT, "saved");
	ck_ok(file_write(f.v, file, 0, name_of("old"), 0));
	fixture_close(&f);
	fixture_crash(&f, save_by_rename, false);
	ck_assert_uint_eq(attr_of(&f, ino_of(&f, ROOT, "saved")).size, 11);
	ck_assert_uint_eq(ino_of(&f, ROOT, "new"), 0);
	fixture_release(&f);
}
END_TEST

Suite *suite_rename(void)
{
	const TTest *const tests[] = {
		files,
		over_a_file,
		leaves_a_whiteout,
		over_one_of_two_names,
		directories,
		what_is_refused,
		noreplace,
		exchange,
		times,
		replacing_keeps_the_new_data,
	};

	return suite_of("volume/rename", tests, ARRAY_LEN(tests), 60);
}
