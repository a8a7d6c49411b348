/* SPDX-License-Identifier: MIT */
/* test_full.c - a full disk refuses what adds and lets through what removes. */
#include "unit/volume/fixture.h"
#include "unit/volume/suites.h"

#include "base/io.h"

#define ROOT VOLUME_ROOT

static bool disk_full;

int __real_io_space(int fd, uint64_t *ret_free, uint64_t *ret_total);
int __wrap_io_space(int fd, uint64_t *ret_free, uint64_t *ret_total);

int __wrap_io_space(int fd, uint64_t *ret_free, uint64_t *ret_total)
{
	int rc = __real_io_space(fd, ret_free, ret_total);

	if (!rc && disk_full)
		*ret_free = 0;
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

Suite *suite_full(void)
{
	const TTest *const tests[] = { a_full_disk };

	return suite_of("volume/full", tests, ARRAY_LEN(tests), 60);
}
