/* SPDX-License-Identifier: MIT */
/* test_xattr.c - extended attributes: setting, listing, limits. */
#include "unit/volume/fixture.h"
#include "unit/volume/suites.h"

#include <stdio.h>
#include <sys/xattr.h>

#define ROOT VOLUME_ROOT

static int set(struct fixture *f, uint64_t ino, const char *name,
	       const char *value, int flags)
{
	return volume_setxattr(f->v, ino, name_of(name), name_of(value), flags);
}

static void expect(struct fixture *f, uint64_t ino, const char *name,
		   const char *value)
{
	char buf[100];
	ssize_t len = (ssize_t)strlen(value);

	ck_assert_int_eq(volume_getxattr(f->v, ino, name_of(name), NULL, 0),
			 len);
	ck_assert_int_eq(
		volume_getxattr(f->v, ino, name_of(name), buf, sizeof(buf)),
		len);
	ck_assert_mem_eq(buf, value, (size_t)len);
}

static void expect_three(struct fixture *f, uint64_t ino)
{
	char list[100];

	expect(f, ino, "user.a", "one");
	expect(f, ino, "user.b", "two");
	expect(f, ino, "user.empty", "");
	ck_assert_int_eq(volume_listxattr(f->v, ino, NULL, 0), 25);
	ck_assert_int_eq(volume_listxattr(f->v, ino, list, 25), 25);
	ck_assert_mem_eq(list, "user.a\0user.b\0user.empty", 25);
	ck_rc(volume_listxattr(f->v, ino, list, 24), -ERANGE);
	ck_rc(volume_getxattr(f->v, ino, name_of("user.a"), list, 2), -ERANGE);
	ck_rc(volume_getxattr(f->v, ino, name_of("user.c"), list, 2), -ENODATA);
}

START_TEST(set_get_list_remove)
{
	struct fixture f;
	char list[100];
	uint64_t ino;

	fixture_init(&f);
	ino = make_file(&f, ROOT, "file");
	ck_assert_int_eq(volume_listxattr(f.v, ino, list, sizeof(list)), 0);
	ck_ok(set(&f, ino, "user.b", "two", 0));
	ck_ok(set(&f, ino, "user.a", "one", 0));
	ck_ok(set(&f, ino, "user.empty", "", 0));
	expect_three(&f, ino);
	fixture_reopen(&f);
	expect_three(&f, ino);
	ck_ok(set(&f, ino, "user.a", "another", 0));
	expect(&f, ino, "user.a", "another");
	ck_ok(volume_removexattr(f.v, ino, name_of("user.a")));
	ck_rc(volume_removexattr(f.v, ino, name_of("user.a")), -ENODATA);
	ck_ok(volume_removexattr(f.v, ino, name_of("user.b")));
	ck_ok(volume_removexattr(f.v, ino, name_of("user.empty")));
	ck_assert_int_eq(volume_listxattr(f.v, ino, NULL, 0), 0);
	ck_rc(volume_removexattr(f.v, ino, name_of("user.b")), -ENODATA);
	fixture_release(&f);
}
END_TEST

START_TEST(flags)
{
	struct fixture f;
	uint64_t ino;

	fixture_init(&f);
	ino = make_dir(&f, ROOT, "dir");
	ck_rc(set(&f, ino, "user.a", "1", XATTR_REPLACE), -ENODATA);
	ck_ok(set(&f, ino, "user.a", "1", XATTR_CREATE));
	ck_rc(set(&f, ino, "user.a", "2", XATTR_CREATE), -EEXIST);
	ck_ok(set(&f, ino, "user.a", "3", XATTR_REPLACE));
	ck_rc(set(&f, ino, "user.b", "3", XATTR_REPLACE), -ENODATA);
	ck_rc(set(&f, ino, "user.a", "3", 4), -EINVAL);
	expect(&f, ino, "user.a", "3");
	fixture_release(&f);
}
END_TEST

START_TEST(limits)
{
	static uint8_t value[VOLUME_XATTR_MAX + 1];
	static uint8_t back[VOLUME_XATTR_MAX];
	struct fixture f;
	char name[257];
	uint64_t ino;

	fixture_init(&f);
	ino = make_file(&f, ROOT, "file");
	memset(name, 'n', sizeof(name));
	name[256] = '\0';
	ck_rc(set(&f, ino, name, "", 0), -ERANGE);
	ck_rc(set(&f, ino, "", "", 0), -ERANGE);
	ck_rc(volume_getxattr(f.v, ino, name_of(""), NULL, 0), -ERANGE);
	ck_rc(volume_removexattr(f.v, ino, name_of("")), -ERANGE);
	ck_rc(volume_setxattr(f.v, ino, span_of("a\0b", 3), name_of(""), 0),
	      -EINVAL);
	ck_rc(set(&f, 999, "user.a", "", 0), -ENOENT);
	ck_rc(volume_getxattr(f.v, 999, name_of("user.a"), NULL, 0), -ENOENT);
	memset(value, 'v', sizeof(value));
	ck_rc(volume_setxattr(f.v, ino, name_of("user.v"),
			      span_of(value, sizeof(value)), 0),
	      -ENOSPC);
	ck_ok(volume_setxattr(f.v, ino, name_of("user.v"),
			      span_of(value, VOLUME_XATTR_MAX), 0));
	ck_assert_int_eq(volume_getxattr(f.v, ino, name_of("user.v"), back,
					 sizeof(back)),
			 VOLUME_XATTR_MAX);
	ck_assert_mem_eq(back, value, VOLUME_XATTR_MAX);
	fixture_release(&f);
}
END_TEST

START_TEST(names_fill_the_list)
{
	struct fixture f;
	char name[256];
	unsigned n = 0;
	uint64_t ino;
	int rc;

	fixture_init(&f);
	ino = make_file(&f, ROOT, "file");
	memset(name, 'n', sizeof(name));
	name[255] = '\0';
	do {
		name[0] = (char)('a' + n % 16);
		name[1] = (char)('a' + n / 16 % 16);
		name[2] = (char)('a' + n / 256);
		rc = set(&f, ino, name, "", 0);
		n += rc == 0;
	} while (rc == 0);
	ck_rc(rc, -ENOSPC);
	ck_assert_uint_eq(n, 256);
	ck_assert_int_eq(volume_listxattr(f.v, ino, NULL, 0), 65536);
	/* What is there may still change. */
	ck_rc(set(&f, ino, "short", "", 0), -ENOSPC);
	name[0] = 'a';
	name[1] = 'a';
	name[2] = 'a';
	ck_ok(set(&f, ino, name, "new", 0));
	fixture_release(&f);
}
END_TEST

START_TEST(ctime_and_deletion)
{
	struct fixture f;
	struct volume_attr before;
	struct volume_attr now;
	uint64_t ino;

	fixture_init(&f);
	ino = make_file(&f, ROOT, "file");
	before = attr_of(&f, ino);
	tick_clock();
	ck_ok(set(&f, ino, "user.a", "1", 0));
	now = attr_of(&f, ino);
	ck_assert(is_after(now.ctime, before.ctime));
	ck_assert(is_same(now.mtime, before.mtime));
	before = now;
	tick_clock();
	ck_ok(volume_removexattr(f.v, ino, name_of("user.a")));
	ck_assert(is_after(attr_of(&f, ino).ctime, before.ctime));
	ck_ok(set(&f, ino, "user.b", "1", 0));
	ck_ok(try_unlink(&f, ROOT, "file"));
	fixture_release(&f);
}
END_TEST

START_TEST(capabilities_are_killed)
{
	struct fixture f;
	struct volume_attr attr = { .uid = 5 };
	uint64_t ino;

	fixture_init(&f);
	ino = make(&f, ROOT, "file", S_IFREG | 06755);
	ck_ok(set(&f, ino, "security.capability", "caps", 0));
	ck_ok(set(&f, ino, "user.a", "1", 0));
	ck_ok(volume_setattr(f.v, ino, SET_UID | SET_KILL_PRIV, &attr, &attr));
	ck_assert_uint_eq(attr.mode, S_IFREG | 0755);
	ck_assert_uint_eq(attr.uid, 5);
	ck_rc(volume_getxattr(f.v, ino, name_of("security.capability"), NULL,
			      0),
	      -ENODATA);
	expect(&f, ino, "user.a", "1");
	fixture_release(&f);
}
END_TEST

#define POLICY "user.sigmafs.policy"

START_TEST(policy_is_set_and_inherited)
{
	struct fixture f;
	char list[100];
	uint64_t dir, file, sub, fifo;

	fixture_init(&f);
	dir = make(&f, ROOT, "dir", S_IFDIR | 0755);
	ck_rc(set(&f, dir, POLICY, "effort=all", 0), -EINVAL);
	ck_rc(set(&f, dir, POLICY, "", 0), -EINVAL);
	ck_rc(set(&f, dir, POLICY, "effort=off", XATTR_REPLACE), -ENODATA);
	ck_ok(set(&f, dir, POLICY, "delta=off,effort=small", XATTR_CREATE));
	ck_rc(set(&f, dir, POLICY, "effort=off", XATTR_CREATE), -EEXIST);
	file = make_file(&f, dir, "file");
	sub = make(&f, dir, "sub", S_IFDIR | 0755);
	fifo = make(&f, dir, "fifo", S_IFIFO | 0644);
	fixture_reopen(&f);
	expect(&f, dir, POLICY, "effort=small,delta=off");
	expect(&f, file, POLICY, "effort=small,delta=off");
	expect(&f, sub, POLICY, "effort=small,delta=off");
	ck_rc(volume_getxattr(f.v, fifo, name_of(POLICY), NULL, 0), -ENODATA);
	ck_rc(set(&f, fifo, POLICY, "effort=off", 0), -EPERM);
	ck_ok(set(&f, file, "user.a", "1", 0));
	ck_assert_int_eq(volume_listxattr(f.v, file, NULL, 0), 27);
	ck_rc(volume_listxattr(f.v, file, list, 26), -ERANGE);
	ck_assert_int_eq(volume_listxattr(f.v, file, list, 27), 27);
	ck_assert_mem_eq(list, "user.a\0" POLICY, 27);
	ck_ok(volume_removexattr(f.v, file, name_of(POLICY)));
	ck_rc(volume_removexattr(f.v, file, name_of(POLICY)), -ENODATA);
	ck_assert_int_eq(volume_listxattr(f.v, file, NULL, 0), 7);
	expect(&f, dir, POLICY, "effort=small,delta=off");
	fixture_release(&f);
}
END_TEST

Suite *suite_xattr(void)
{
	const TTest *const tests[] = {
		set_get_list_remove,
		flags,
		limits,
		names_fill_the_list,
		ctime_and_deletion,
		capabilities_are_killed,
		policy_is_set_and_inherited,
	};

	return suite_of("volume/xattr", tests, ARRAY_LEN(tests), 60);
}
