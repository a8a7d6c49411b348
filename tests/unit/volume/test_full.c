/* SPDX-License-Identifier: MIT */
/* test_full.c - a full disk refuses what adds and lets through what removes. */
#ifndef _GNU_SOURCE
# define _GNU_SOURCE
#endif

#include "unit/volume/fixture.h"
#include "unit/volume/suites.h"

#include "base/bytes.h"
#include "base/io.h"
#include "volume/acl.h"

#include <stdio.h>
#include <stdlib.h>

#define ROOT VOLUME_ROOT

static bool disk_full;
static uint64_t room; /* not 0: what new data may take */

int __real_io_space(int fd, uint64_t *ret_free, uint64_t *ret_total);
int __wrap_io_space(int fd, uint64_t *ret_free, uint64_t *ret_total);

int __wrap_io_space(int fd, uint64_t *ret_free, uint64_t *ret_total)
{
	int rc = __real_io_space(fd, ret_free, ret_total);

	if (!rc && disk_full)
		*ret_free = 0;
	/* Beyond what is kept for log and index. */
	else if (!rc && room > 0)
		*ret_free = min_u64(64 * MIB, *ret_total / 8) + room;
	return rc;
}

/* The store asks the disk now and then only. */
static void wait_for_make(struct fixture *f, int want)
{
	int rc;

	do {
		rc = try_make(f, ROOT, "new", S_IFREG);
		if (rc == 0)
			ck_ok(try_unlink(f, ROOT, "new"));
		ck_assert(rc == 0 || rc == -ENOSPC);
	} while (rc != want);
}

START_TEST(a_full_disk)
{
	struct fixture f;
	struct volume_attr attr = { .mode = 0600 };
	uint64_t file;

	fixture_init(&f);
	file = make_file(&f, ROOT, "file");
	(void)make_file(&f, ROOT, "other");
	(void)make_dir(&f, ROOT, "dir");
	ck_ok(volume_setxattr(f.v, file, name_of("user.a"), name_of("1"), 0));
	disk_full = true;
	wait_for_make(&f, -ENOSPC);
	ck_rc(try_make(&f, ROOT, "new", S_IFDIR), -ENOSPC);
	ck_rc(try_make(&f, ROOT, "new", S_IFLNK), -ENOSPC);
	ck_rc(try_link(&f, file, ROOT, "new"), -ENOSPC);
	ck_rc(volume_setxattr(f.v, file, name_of("user.b"), name_of("1"), 0),
	      -ENOSPC);
	ck_ok(try_rename(&f, at(ROOT, "other"), at(ROOT, "another"), 0));
	ck_ok(volume_setattr(f.v, file, SET_MODE, &attr, &attr));
	ck_ok(volume_removexattr(f.v, file, name_of("user.a")));
	ck_ok(try_rmdir(&f, ROOT, "dir"));
	ck_ok(try_unlink(&f, ROOT, "file"));
	ck_ok(volume_sync(f.v));
	disk_full = false;
	wait_for_make(&f, 0);
	fixture_release(&f);
}
END_TEST

/* A default list with as many users as are asked for. */
static void set_list(struct fixture *f, uint64_t dir, uint32_t n_users)
{
	static const uint16_t others[] = { 4, 16, 32 };
	const size_t len = 4 + 8 * (1 + (size_t)n_users + ARRAY_LEN(others));
	uint8_t *list = calloc(1, len);
	uint8_t *at = list;

	ck_assert_ptr_nonnull(list);
	put_le32(at, 2);
	at += 4;
	put_le16(at, 1);
	put_le32(at + 4, UINT32_MAX);
	for (uint32_t i = 0; i < n_users; i++) {
		at += 8;
		put_le16(at, 2);
		put_le32(at + 4, i);
	}
	for (size_t i = 0; i < ARRAY_LEN(others); i++) {
		at += 8;
		put_le16(at, others[i]);
		put_le32(at + 4, UINT32_MAX);
	}
	ck_ok(volume_setxattr(f->v, dir, name_of(ACL_DEFAULT),
			      span_of(list, len), 0));
	free(list);
}

/* What is made in a directory with a long default list has that as well. */
START_TEST(lists_need_room)
{
	const struct volume_new file = { .mode = S_IFREG | 0600 };
	const struct volume_new whiteout = { .mode = S_IFCHR };
	const struct volume_place to = at(ROOT, "moved");
	struct volume_place from;
	struct volume_attr attr;
	struct fixture f;
	uint64_t dir;

	fixture_init(&f);
	dir = make_dir(&f, ROOT, "dir");
	from = at(dir, "file");
	(void)make_file(&f, dir, "file");
	set_list(&f, dir, 2000);
	disk_full = true;
	wait_for_make(&f, -ENOSPC);
	disk_full = false;
	/* For thousands of names, and for no list of 16 KB. */
	room = 20000;
	wait_for_make(&f, 0);
	ck_rc(try_make(&f, dir, "new", S_IFDIR), -ENOSPC);
	ck_rc(try_make(&f, dir, "new", S_IFREG), -ENOSPC);
	ck_rc(volume_make_unnamed(f.v, dir, &file, &attr), -ENOSPC);
	ck_rc(volume_rename(f.v, &from, &to, RENAME_WHITEOUT, &whiteout),
	      -ENOSPC);
	wait_for_make(&f, 0);
	ck_ok(volume_rename(f.v, &from, &to, 0, NULL));
	room = 0;
	fixture_release(&f);
}
END_TEST

Suite *suite_full(void)
{
	const TTest *const tests[] = { a_full_disk, lists_need_room };

	return suite_of("volume/full", tests, ARRAY_LEN(tests), 60);
}
