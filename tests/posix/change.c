/* SPDX-License-Identifier: MIT */
/*
 * change.c - which call changes which time of what.
 */
#include "families.h"

#include "bed.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/xattr.h>
#include <unistd.h>

/* Every one of these begins with dir/file of ten bytes, dir/second (a name of
 * the same), dir/sub, dir/link and other/. */

static int with_file(int flags, int (*use)(int fd))
{
	int fd = open_file("dir/file", flags);
	int rc = fd < 0 ? -1 : use(fd);

	return fd < 0 || close(fd) < 0 ? -1 : rc;
}

static int use_not(int fd)
{
	return fd;
}

static int use_write(int fd)
{
	return (int)write(fd, "x", 1);
}

static int use_write_none(int fd)
{
	return (int)write(fd, "x", 0);
}

static int use_grow(int fd)
{
	return ftruncate(fd, 5000);
}

static int use_shrink(int fd)
{
	return ftruncate(fd, 5);
}

static int use_same_size(int fd)
{
	return ftruncate(fd, 10);
}

static int use_fallocate(int fd)
{
	return fallocate(fd, 0, 0, 100000);
}

static int use_punch(int fd)
{
	return fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 5);
}

static int use_fsync(int fd)
{
	return fsync(fd);
}

static int use_fchmod(int fd)
{
	return fchmod(fd, 0600);
}

static int use_fsetxattr(int fd)
{
	return fsetxattr(fd, "user.a", "v", 1, 0);
}

static int use_clone(int fd)
{
	int from = open_file("other/data", O_RDONLY);
	int rc = (int)copy_file_range(from, NULL, fd, NULL, 4, 0);

	(void)close(from);
	return rc;
}

static int use_sendfile(int fd)
{
	int from = open_file("other/data", O_RDONLY);
	int rc = (int)sendfile(fd, from, NULL, 4);

	(void)close(from);
	return rc;
}

static int use_mapping(int fd)
{
	char *map = mmap(NULL, 10, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	if (map == MAP_FAILED)
		return -1;
	map[3] = 'm';
	return msync(map, 10, MS_SYNC) < 0 ? -1 : munmap(map, 10);
}

static int op_open(void)
{
	return with_file(O_RDWR, use_not);
}

static int op_create(void)
{
	return with_file(O_RDWR | O_CREAT, use_not);
}

static int op_o_trunc(void)
{
	return with_file(O_RDWR | O_TRUNC, use_not);
}

static int op_write(void)
{
	return with_file(O_WRONLY, use_write);
}

static int op_append(void)
{
	return with_file(O_WRONLY | O_APPEND, use_write);
}

static int op_write_sync(void)
{
	return with_file(O_WRONLY | O_SYNC, use_write);
}

static int op_write_none(void)
{
	return with_file(O_WRONLY, use_write_none);
}

static int op_grow(void)
{
	return with_file(O_WRONLY, use_grow);
}

static int op_shrink(void)
{
	return with_file(O_WRONLY, use_shrink);
}

static int op_same_size(void)
{
	return with_file(O_WRONLY, use_same_size);
}

static int op_truncate(void)
{
	return truncate("dir/file", 3);
}

static int op_fallocate(void)
{
	return with_file(O_WRONLY, use_fallocate);
}

static int op_punch(void)
{
	return with_file(O_RDWR, use_punch);
}

static int op_fsync(void)
{
	return with_file(O_RDWR, use_fsync);
}

static int op_clone(void)
{
	return with_file(O_RDWR, use_clone);
}

static int op_sendfile(void)
{
	return with_file(O_RDWR, use_sendfile);
}

static int op_mapping(void)
{
	return with_file(O_RDWR, use_mapping);
}

static int op_chmod(void)
{
	return chmod("dir/file", 0600);
}

static int op_fchmod(void)
{
	return with_file(O_RDONLY, use_fchmod);
}

static int op_chown(void)
{
	return chown("dir/file", USER, USER);
}

static int op_setxattr(void)
{
	return setxattr("dir/file", "user.a", "v", 1, 0);
}

static int op_fsetxattr(void)
{
	return with_file(O_RDONLY, use_fsetxattr);
}

static int op_removexattr(void)
{
	return removexattr("dir/file", "user.old");
}

static int op_getxattr(void)
{
	char value[8];

	return (int)getxattr("dir/file", "user.old", value, sizeof(value));
}

static int op_link(void)
{
	return link("dir/file", "dir/third");
}

static int op_link_away(void)
{
	return link("dir/file", "other/third");
}

static int op_unlink_second(void)
{
	return unlink("dir/second");
}

static int op_rename(void)
{
	return rename("dir/second", "dir/third");
}

static int op_rename_away(void)
{
	return rename("dir/second", "other/third");
}

static int op_replace(void)
{
	return rename("other/data", "dir/second");
}

static int op_make(void)
{
	return mknod("dir/new", S_IFREG | 0644, 0);
}

static int op_mkdir(void)
{
	return mkdir("dir/new", 0755);
}

static int op_symlink(void)
{
	return symlink("x", "dir/new");
}

static int op_rmdir(void)
{
	return rmdir("dir/sub");
}

static int op_unlink_link(void)
{
	return unlink("dir/link");
}

static int op_look(void)
{
	struct stat st;

	return stat("dir/file", &st) == 0 && access("dir/file", R_OK) == 0 &&
			       access("dir/none", F_OK) < 0
		       ? 0
		       : -1;
}

static int op_chmod_dir(void)
{
	return chmod("dir", 0700);
}

static int op_setxattr_dir(void)
{
	return setxattr("dir", "user.a", "v", 1, 0);
}

static int op_failing(void)
{
	return mkdir("dir/sub", 0755) == -1 && rmdir("dir") == -1 &&
			       unlink("dir/none") == -1
		       ? 0
		       : -1;
}

static int op_in_sub(void)
{
	return mkdir("dir/sub/below", 0755);
}

/* Which of "mc" (modification, change) move, of dir/file and of dir. */
static const struct op {
	const char *name;
	int (*run)(void);
	const char *file;
	const char *dir;
} ops[] = {
	{ "open", op_open, "", "" },
	{ "open O_CREAT of what is there", op_create, "", "" },
	{ "open O_TRUNC", op_o_trunc, "mc", "" },
	{ "write", op_write, "mc", "" },
	{ "append", op_append, "mc", "" },
	{ "write O_SYNC", op_write_sync, "mc", "" },
	{ "write of nothing", op_write_none, "", "" },
	{ "ftruncate up", op_grow, "mc", "" },
	{ "ftruncate down", op_shrink, "mc", "" },
	{ "ftruncate to the same size", op_same_size, "mc", "" },
	{ "truncate", op_truncate, "mc", "" },
	{ "fallocate", op_fallocate, "mc", "" },
	{ "fallocate PUNCH_HOLE", op_punch, "mc", "" },
	{ "fsync", op_fsync, "", "" },
	{ "copy_file_range", op_clone, "mc", "" },
	{ "sendfile", op_sendfile, "mc", "" },
	{ "mapping written", op_mapping, "mc", "" },
	{ "chmod", op_chmod, "c", "" },
	{ "fchmod", op_fchmod, "c", "" },
	{ "chown", op_chown, "c", "" },
	{ "setxattr", op_setxattr, "c", "" },
	{ "fsetxattr", op_fsetxattr, "c", "" },
	{ "removexattr", op_removexattr, "c", "" },
	{ "getxattr", op_getxattr, "", "" },
	{ "link", op_link, "c", "mc" },
	{ "link away", op_link_away, "c", "" },
	{ "unlink of another name", op_unlink_second, "c", "mc" },
	{ "rename of another name", op_rename, "c", "mc" },
	{ "rename away", op_rename_away, "c", "mc" },
	{ "rename over another name", op_replace, "c", "mc" },
	{ "mknod", op_make, "", "mc" },
	{ "mkdir", op_mkdir, "", "mc" },
	{ "symlink", op_symlink, "", "mc" },
	{ "rmdir", op_rmdir, "", "mc" },
	{ "unlink", op_unlink_link, "", "mc" },
	{ "stat, access, a miss", op_look, "", "" },
	{ "chmod of the directory", op_chmod_dir, "", "c" },
	{ "setxattr of the directory", op_setxattr_dir, "", "c" },
	{ "calls that fail", op_failing, "", "" },
	{ "mkdir one level below", op_in_sub, "", "" },
};

static void make_all(void)
{
	make_dir("dir", 0755);
	make_dir("other", 0755);
	make_file_with("other/data", "data");
	make_file_with("dir/file", "0123456789");
	NEED(setxattr("dir/file", "user.old", "v", 1, 0));
	NEED(link("dir/file", "dir/second"));
	NEED(symlink("file", "dir/link"));
	NEED(mkdir("dir/sub", 0755));
}

static bool has(const char *set, char c)
{
	return strchr(set, c) != NULL;
}

static void changes(void)
{
	size_t i;

	for (i = 0; i < ARRAY_LEN(ops); i++) {
		const struct op *op = &ops[i];
		long long file_m;
		long long file_c;
		long long dir_m;
		long long dir_c;

		make_all();
		file_m = mtime_of("dir/file");
		file_c = ctime_of("dir/file");
		dir_m = mtime_of("dir");
		dir_c = ctime_of("dir");
		next_tick();
		about("%s", op->name);
		WORKS(op->run());
		EQUAL(mtime_of("dir/file") > file_m, has(op->file, 'm'));
		EQUAL(ctime_of("dir/file") > file_c, has(op->file, 'c'));
		EQUAL(mtime_of("dir") > dir_m, has(op->dir, 'm'));
		EQUAL(ctime_of("dir") > dir_c, has(op->dir, 'c'));
		remove_tree("dir");
		remove_tree("other");
	}
}

const struct tap_case change_cases[] = {
	{ "all", changes },
	{ NULL, NULL },
};
