/* SPDX-License-Identifier: MIT */
/* test_damage.c - what a damaged index answers: -EUCLEAN, and no more. */
#include "unit/volume/fixture.h"
#include "unit/volume/suites.h"

#include "volume/dirent.h"
#include "volume/inode_row.h"
#include "volume/xattr.h"

#include <stdio.h>

#define ROOT VOLUME_ROOT

static bool take(void *ctx, struct span name, const struct volume_attr *attr,
		 uint64_t next)
{
	unsigned *n = ctx;

	(void)name;
	(void)attr;
	(void)next;
	(*n)++;
	return true;
}

/* Closes the volume while `sql` runs on its index, so that nothing is in
 * memory. */
static void damage(struct fixture *f, const char *sql)
{
	fixture_reopen(f);
	fixture_sql(f, sql);
	fixture_reopen(f);
}

START_TEST(a_name_without_inode)
{
	struct fixture f;
	char sql[100];
	unsigned n = 0;

	fixture_init(&f);
	(void)make_file(&f, ROOT, "other");
	(void)snprintf(sql, sizeof(sql), "DELETE FROM inode WHERE ino=%llu",
		       (unsigned long long)make_file(&f, ROOT, "file"));
	damage(&f, sql);
	ck_rc(try_lookup(&f, ROOT, "file"), -EUCLEAN);
	ck_rc(try_unlink(&f, ROOT, "file"), -EUCLEAN);
	ck_rc(try_rmdir(&f, ROOT, "file"), -EUCLEAN);
	ck_rc(try_make(&f, ROOT, "file", S_IFREG), -EEXIST);
	ck_rc(try_rename(&f, at(ROOT, "file"), at(ROOT, "new"), 0), -EUCLEAN);
	ck_rc(try_rename(&f, at(ROOT, "other"), at(ROOT, "file"), 0), -EUCLEAN);
	ck_ok(volume_readdir(f.v, ROOT, 0,
			     &(struct volume_lister){ false, take, &n }));
	ck_assert_uint_eq(n, 4);
	ck_rc(volume_readdir(f.v, ROOT, 0,
			     &(struct volume_lister){ true, take, &n }),
	      -EUCLEAN);
	ck_ok(try_lookup(&f, ROOT, "other"));
	fixture_drop(&f);
}
END_TEST

/* Too long, empty, or more than a name: nobody gets to see it. */
START_TEST(a_name_that_is_none)
{
	static const char *const names[] = {
		"zeroblob(300)",
		"zeroblob(0)",
		"x'2e2e'",
		"x'612f62'",
	};
	struct fixture f;
	char sql[100];
	unsigned n = 0;
	size_t i;

	fixture_init(&f);
	(void)make_file(&f, ROOT, "file");
	for (i = 0; i < ARRAY_LEN(names); i++) {
		(void)snprintf(sql, sizeof(sql), "UPDATE dirent SET name=%s",
			       names[i]);
		damage(&f, sql);
		n = 0;
		ck_rc(volume_readdir(
			      f.v, ROOT, 0,
			      &(struct volume_lister){ false, take, &n }),
		      -EUCLEAN);
		ck_assert_uint_eq(n, 2);
	}
	ck_rc(try_lookup(&f, ROOT, "file"), -ENOENT);
	fixture_drop(&f);
}
END_TEST

START_TEST(a_row_that_makes_no_sense)
{
	struct fixture f;
	struct volume_attr attr;
	char sql[100];
	uint64_t ino;

	fixture_init(&f);
	ino = make_file(&f, ROOT, "file");
	(void)snprintf(sql, sizeof(sql),
		       "UPDATE inode SET image=x'ff' WHERE ino=%llu",
		       (unsigned long long)ino);
	damage(&f, sql);
	ck_rc(volume_getattr(f.v, ino, &attr), -EUCLEAN);
	ck_rc(try_lookup(&f, ROOT, "file"), -EUCLEAN);
	ck_rc(try_unlink(&f, ROOT, "file"), -EUCLEAN);
	ck_ok(try_make(&f, ROOT, "other", S_IFREG));
	fixture_drop(&f);
}
END_TEST

START_TEST(orphans_that_cannot_be_deleted)
{
	struct fixture f;
	char sql[100];

	fixture_init(&f);
	(void)snprintf(sql, sizeof(sql),
		       "INSERT INTO orphan VALUES(777), (%llu);"
		       "UPDATE inode SET image=x'ff' WHERE ino<>1",
		       (unsigned long long)make_file(&f, ROOT, "file"));
	/* Opening gets over both. */
	damage(&f, sql);
	ck_ok(try_make(&f, ROOT, "other", S_IFREG));
	fixture_drop(&f);
}
END_TEST

START_TEST(a_link_without_target)
{
	struct fixture f;
	char buf[10];
	uint64_t ino;

	fixture_init(&f);
	ino = make_symlink(&f, ROOT, "link", "target");
	damage(&f, "DELETE FROM xattr");
	ck_rc(volume_readlink(f.v, ino, buf, sizeof(buf)), -EUCLEAN);
	ck_ok(try_unlink(&f, ROOT, "link"));
	fixture_release(&f);
}
END_TEST

START_TEST(directories_in_a_circle)
{
	struct fixture f;
	struct inode_image image = { .attr = { .mode = S_IFDIR, .nlink = 2 } };
	uint8_t body[OP_INODE_MAX];
	uint64_t a;
	uint64_t b;

	fixture_init(&f);
	a = make_dir(&f, ROOT, "a");
	b = make_dir(&f, a, "b");
	(void)make_dir(&f, ROOT, "other");
	fixture_reopen(&f);
	image.parent = b;
	ck_ok(txn_begin(volume_store(f.v)));
	ck_ok(txn_op(volume_store(f.v), OP_INODE,
		     span_of(body, op_inode_put(a, &image, body))));
	txn_end(volume_store(f.v));
	ck_rc(try_rename(&f, at(ROOT, "other"), at(b, "x"), 0), -EUCLEAN);
	fixture_drop(&f);
}
END_TEST

/* The log was checked by then, so this is a newer or broken writer. */
START_TEST(operations_that_make_no_sense)
{
	struct fixture f;
	struct span bad = span_of("\0\0\0\0", 4);

	fixture_init(&f);
	index_lock(volume_store(f.v));
	ck_rc(inode_row_apply(f.v, bad), -EUCLEAN);
	ck_rc(inode_row_apply_del(f.v, bad), -EUCLEAN);
	ck_rc(dirent_apply(f.v, bad), -EUCLEAN);
	ck_rc(dirent_apply_del(f.v, bad), -EUCLEAN);
	ck_rc(xattr_apply(f.v, bad), -EUCLEAN);
	ck_rc(xattr_apply_del(f.v, bad), -EUCLEAN);
	index_unlock(volume_store(f.v));
	fixture_release(&f);
}
END_TEST

Suite *suite_damage(void)
{
	const TTest *const tests[] = {
		a_name_without_inode,           a_name_that_is_none,
		a_row_that_makes_no_sense,      a_link_without_target,
		orphans_that_cannot_be_deleted, directories_in_a_circle,
		operations_that_make_no_sense,
	};

	return suite_of("volume/damage", tests, ARRAY_LEN(tests), 60);
}
