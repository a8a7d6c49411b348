/* SPDX-License-Identifier: MIT */
/*
 * test_mountinfo.c - tests of fs/mountinfo.c.
 */
#include "mountinfo.h"
#include "unit/fs/suites.h"

#include "lib/suite.h"
#include "lib/tmpdir.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

START_TEST(parses_a_line)
{
	struct mount_entry e;

	ck_ok(mountinfo_parse("42 27 0:39 / /mnt/m\\040n\\011x rw,relatime "
			      "shared:7 master:1 - fuse.sigmafs "
			      "/srv/st\\134ore ro,user_id=0\n",
			      &e));
	ck_assert_uint_eq(e.dev, makedev(0, 39));
	ck_assert_str_eq(e.dir, "/mnt/m n\tx");
	ck_assert_str_eq(e.type, "fuse.sigmafs");
	ck_assert_str_eq(e.source, "/srv/st\\ore");
	ck_assert(e.read_only);
	ck_ok(mountinfo_parse("1 2 259:12 / / rw - ext4 /dev/x rw,root", &e));
	ck_assert_uint_eq(e.dev, makedev(259, 12));
	ck_assert(!e.read_only);
	ck_ok(mountinfo_parse("1 2 8:1 / / ro,noatime - ext4 /dev/x rw", &e));
	ck_assert(e.read_only);
}
END_TEST

START_TEST(refuses_other_lines)
{
	static const char good[] = "1 2 8:1 / /mnt rw x:1 - ext4 /dev/x rw";
	char line[sizeof(good)];
	struct mount_entry e;
	size_t len;

	ck_rc(mountinfo_parse("", &e), -EINVAL);
	ck_rc(mountinfo_parse("none of those", &e), -EINVAL);
	ck_rc(mountinfo_parse("1 2 8:1 / /mnt rw x y z", &e), -EINVAL);
	/* Any shorter line lacks something, up to the options of the end. */
	for (len = 0; len < sizeof(good) - 3; len++) {
		memcpy(line, good, len);
		line[len] = '\0';
		ck_rc(mountinfo_parse(line, &e), -EINVAL);
	}
}
END_TEST

START_TEST(bounds_long_fields)
{
	char line[2 * PATH_MAX + 100];
	char dir[PATH_MAX + 10];
	struct mount_entry e;

	memset(dir, 'd', sizeof(dir) - 1);
	dir[sizeof(dir) - 1] = '\0';
	(void)snprintf(line, sizeof(line), "1 2 8:1 / %s rw - ext4 x rw", dir);
	ck_rc(mountinfo_parse(line, &e), -ENAMETOOLONG);
	dir[PATH_MAX - 1] = '\0';
	(void)snprintf(line, sizeof(line), "1 2 8:1 / %s rw - ext4 x rw", dir);
	ck_ok(mountinfo_parse(line, &e));
	ck_assert_str_eq(e.dir, dir);
	(void)snprintf(line, sizeof(line), "1 2 8:1 / / rw - %.200s x rw", dir);
	ck_rc(mountinfo_parse(line, &e), -ENAMETOOLONG);
	/* An escape that is cut off is taken as it is. */
	ck_ok(mountinfo_parse("1 2 8:1 / /a\\04 rw - ext4 x rw", &e));
	ck_assert_str_eq(e.dir, "/a\\04");
}
END_TEST

START_TEST(finds_mounts)
{
	struct mount_entry e;
	struct stat st;

	ck_ok(mountinfo_find("/proc", &e));
	ck_assert_str_eq(e.dir, "/proc");
	ck_ok(stat("/proc", &st));
	ck_ok(mountinfo_find_dev(st.st_dev, &e));
	ck_assert_str_eq(e.type, "proc");
	ck_rc(mountinfo_find("/no/such/mount", &e), -ENOENT);
	ck_rc(mountinfo_find_store("/proc", &e), -ENOENT);
	ck_rc(mountinfo_find_store("/no/such/place", &e), -ENOENT);
}
END_TEST

START_TEST(resolves_paths)
{
	struct tmpdir tmp;
	char real[PATH_MAX];
	char path[PATH_MAX];
	char wanted[PATH_MAX + 16];

	tmpdir_init(&tmp);
	ck_assert_ptr_nonnull(realpath(tmp.path, real));
	ck_ok(mkdirat(tmp.fd, "dir", 0755));
	ck_ok(symlinkat("dir", tmp.fd, "link"));
	(void)snprintf(wanted, sizeof(wanted), "%s/dir", real);
	ck_ok(chdir(tmp.path));
	ck_ok(mountinfo_resolve("dir", path));
	ck_assert_str_eq(path, wanted);
	ck_ok(mountinfo_resolve("./dir///", path));
	ck_assert_str_eq(path, wanted);
	ck_ok(mountinfo_resolve("link", path));
	ck_assert_str_eq(path, wanted);
	ck_ok(mountinfo_resolve("link/../dir/.", path));
	ck_assert_str_eq(path, wanted);
	ck_ok(mountinfo_resolve(wanted, path));
	ck_assert_str_eq(path, wanted);
	/* The last component need not be there. */
	ck_ok(mountinfo_resolve("dir/none", path));
	ck_rc(mountinfo_resolve("none/dir", path), -ENOENT);
	ck_rc(mountinfo_resolve("", path), -ENOENT);
	ck_ok(mountinfo_resolve("/", path));
	ck_assert_str_eq(path, "/");
	ck_ok(mountinfo_resolve("/proc", path));
	ck_assert_str_eq(path, "/proc");
	ck_ok(chdir("/"));
	tmpdir_release(&tmp);
}
END_TEST

Suite *suite_mountinfo(void)
{
	const TTest *const tests[] = {
		parses_a_line, refuses_other_lines, bounds_long_fields,
		finds_mounts,  resolves_paths,
	};

	return suite_of("fs/mountinfo", tests, sizeof(tests) / sizeof(tests[0]),
			10);
}
