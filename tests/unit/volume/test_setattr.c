/* SPDX-License-Identifier: MIT */
/* test_setattr.c - setting attributes, each alone and together. */
#include "unit/volume/fixture.h"
#include "unit/volume/suites.h"

#define ROOT VOLUME_ROOT

static struct volume_attr set(struct fixture *f, uint64_t ino, unsigned mask,
			      const struct volume_attr *to)
{
	struct volume_attr attr;

	ck_ok(volume_setattr(f->v, ino, mask, to, &attr));
	return attr;
}

START_TEST(mode_and_owner)
{
	struct fixture f;
	struct volume_attr to = { .mode = S_IFDIR | 07654,
				  .uid = 11,
				  .gid = 12 };
	struct volume_attr before;
	struct volume_attr now;
	uint64_t ino;

	fixture_init(&f);
	ino = make_file(&f, ROOT, "file");
	before = attr_of(&f, ino);
	tick_clock();
	now = set(&f, ino, SET_MODE, &to);
	ck_assert_uint_eq(now.mode, S_IFREG | 07654);
	ck_assert_uint_eq(now.uid, before.uid);
	ck_assert(is_after(now.ctime, before.ctime));
	ck_assert(is_same(now.mtime, before.mtime));
	now = set(&f, ino, SET_UID, &to);
	ck_assert_uint_eq(now.uid, 11);
	ck_assert_uint_eq(now.gid, before.gid);
	now = set(&f, ino, SET_GID, &to);
	ck_assert_uint_eq(now.gid, 12);
	ck_assert_uint_eq(now.mode, S_IFREG | 07654);
	fixture_reopen(&f);
	now = attr_of(&f, ino);
	ck_assert_uint_eq(now.mode, S_IFREG | 07654);
	ck_assert_uint_eq(now.uid, 11);
	ck_assert_uint_eq(now.gid, 12);
	fixture_release(&f);
}
END_TEST

START_TEST(nothing_to_set)
{
	struct fixture f;
	struct volume_attr to = { 0 };
	struct volume_attr before;
	struct volume_attr now;

	fixture_init(&f);
	before = attr_of(&f, ROOT);
	tick_clock();
	now = set(&f, ROOT, 0, &to);
	ck_assert(is_same(now.ctime, before.ctime));
	ck_assert_uint_eq(now.mode, before.mode);
	ck_rc(volume_setattr(f.v, 999, 0, &to, &to), -ENOENT);
	fixture_release(&f);
}
END_TEST

START_TEST(times)
{
	struct fixture f;
	struct volume_attr to = {
		.atime = { -5, 1 },
		.mtime = { 4000000000, 999999999 },
		.ctime = { 6, 7 },
	};
	struct volume_attr now;
	uint64_t ino;

	fixture_init(&f);
	ino = make_file(&f, ROOT, "file");
	now = set(&f, ino, SET_ATIME | SET_MTIME, &to);
	ck_assert(is_same(now.atime, to.atime));
	ck_assert(is_same(now.mtime, to.mtime));
	ck_assert(is_after(now.ctime, to.ctime));
	now = set(&f, ino, SET_CTIME, &to);
	ck_assert(is_same(now.ctime, to.ctime));
	fixture_reopen(&f);
	now = attr_of(&f, ino);
	ck_assert(is_same(now.atime, to.atime));
	ck_assert(is_same(now.mtime, to.mtime));
	ck_assert(is_same(now.ctime, to.ctime));
	now = set(&f, ino, SET_ATIME_NOW | SET_MTIME_NOW, &to);
	ck_assert(is_after(now.atime, to.ctime));
	ck_assert(is_after(to.mtime, now.mtime));
	to.mtime.nsec = 1000000000;
	ck_rc(volume_setattr(f.v, ino, SET_MTIME, &to, &now), -EINVAL);
	now = set(&f, ino, SET_ATIME_NOW | SET_CTIME, &to);
	ck_assert(is_same(now.atime, to.ctime));
	ck_rc(volume_setattr(f.v, ino, SET_CTIME | SET_MODE, &to, &now), 0);
	fixture_release(&f);
}
END_TEST

START_TEST(privileges)
{
	struct fixture f;
	struct volume_attr to = { 0 };
	uint64_t program;
	uint64_t locked;
	uint64_t dir;

	fixture_init(&f);
	program = make(&f, ROOT, "program", S_IFREG | 06755);
	locked = make(&f, ROOT, "locked", S_IFREG | 06744);
	dir = make(&f, ROOT, "dir", S_IFDIR | 06755);
	ck_assert_uint_eq(set(&f, program, SET_KILL_PRIV, &to).mode,
			  S_IFREG | 0755);
	/* Without the group's x, sgid means something else. */
	ck_assert_uint_eq(set(&f, locked, SET_KILL_PRIV, &to).mode,
			  S_IFREG | 02744);
	ck_assert_uint_eq(set(&f, dir, SET_KILL_PRIV, &to).mode,
			  S_IFDIR | 06755);
	fixture_release(&f);
}
END_TEST

START_TEST(sizes)
{
	struct fixture f;
	struct volume_attr to = { .size = 123456 };
	struct volume_attr attr;
	uint64_t file;

	fixture_init(&f);
	file = make_file(&f, ROOT, "file");
	ck_assert_uint_eq(set(&f, file, SET_SIZE, &to).size, 123456);
	ck_rc(volume_setattr(f.v, ROOT, SET_SIZE, &to, &attr), -EISDIR);
	ck_rc(volume_setattr(f.v, make(&f, ROOT, "fifo", S_IFIFO), SET_SIZE,
			     &to, &attr),
	      -EINVAL);
	to.size = VOLUME_SIZE_MAX + 1;
	ck_rc(volume_setattr(f.v, file, SET_SIZE, &to, &attr), -EFBIG);
	fixture_reopen(&f);
	ck_assert_uint_eq(attr_of(&f, file).size, 123456);
	fixture_release(&f);
}
END_TEST

Suite *suite_setattr(void)
{
	const TTest *const tests[] = {
		mode_and_owner, nothing_to_set, times, privileges, sizes,
	};

	return suite_of("volume/setattr", tests, ARRAY_LEN(tests), 60);
}
