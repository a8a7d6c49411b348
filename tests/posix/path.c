/* SPDX-License-Identifier: MIT */
/*
 * path.c - the errors of path resolution, of every call that takes a path.
 */
#include "families.h"

#include "bed.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/statfs.h>
#include <sys/un.h>
#include <sys/xattr.h>
#include <unistd.h>

/* ---- the calls ------------------------------------------------------------ */

static int close_if(int fd)
{
	return fd < 0 ? -1 : close(fd);
}

static int call_open(const char *path)
{
	return close_if(open_file(path, O_RDONLY));
}

static int call_create(const char *path)
{
	return close_if(open_file(path, O_WRONLY | O_CREAT | O_EXCL));
}

static int call_o_path(const char *path)
{
	return close_if(open_file(path, O_PATH));
}

static int call_stat(const char *path)
{
	struct stat st;

	return stat(path, &st);
}

static int call_lstat(const char *path)
{
	struct stat st;

	return lstat(path, &st);
}

static int call_statx(const char *path)
{
	struct statx stx;

	return statx(AT_FDCWD, path, 0, STATX_BASIC_STATS, &stx);
}

static int call_statfs(const char *path)
{
	struct statfs st;

	return statfs(path, &st);
}

static int call_access(const char *path)
{
	return faccessat(AT_FDCWD, path, F_OK, AT_EACCESS);
}

static int call_chmod(const char *path)
{
	return chmod(path, 0700);
}

static int call_chown(const char *path)
{
	return chown(path, (uid_t)-1, (gid_t)-1);
}

static int call_lchown(const char *path)
{
	return lchown(path, (uid_t)-1, (gid_t)-1);
}

static int call_truncate(const char *path)
{
	return truncate(path, 0);
}

static int call_utimensat(const char *path)
{
	return utimensat(AT_FDCWD, path, NULL, 0);
}

static int call_mkdir(const char *path)
{
	return mkdir(path, 0755);
}

static int call_mknod(const char *path)
{
	return mknod(path, S_IFREG | 0644, 0);
}

static int call_mkfifo(const char *path)
{
	return mkfifo(path, 0644);
}

static int call_symlink(const char *path)
{
	return symlink("target", path);
}

static int call_readlink(const char *path)
{
	char target[64];

	return (int)readlink(path, target, sizeof(target));
}

static int call_link_from(const char *path)
{
	return link(path, "made");
}

static int call_link_to(const char *path)
{
	return link("plain", path);
}

static int call_rename_from(const char *path)
{
	return rename(path, "made");
}

static int call_rename_to(const char *path)
{
	return rename("plain", path);
}

static int call_chdir(const char *path)
{
	return chdir(path);
}

static int call_opendir(const char *path)
{
	DIR *list = opendir(path);

	return list ? closedir(list) : -1;
}

static int call_getxattr(const char *path)
{
	char value[8];

	return (int)getxattr(path, "user.a", value, sizeof(value));
}

static int call_lgetxattr(const char *path)
{
	char value[8];

	return (int)lgetxattr(path, "user.a", value, sizeof(value));
}

static int call_setxattr(const char *path)
{
	return setxattr(path, "user.a", "v", 1, 0);
}

static int call_listxattr(const char *path)
{
	return (int)listxattr(path, NULL, 0);
}

static int call_removexattr(const char *path)
{
	return removexattr(path, "user.a");
}

static int call_execve(const char *path)
{
	char *const none[] = { NULL };

	return execve(path, none, none);
}

static int call_handle(const char *path)
{
	struct {
		struct file_handle head;
		unsigned char bytes[MAX_HANDLE_SZ];
	} handle = { .head.handle_bytes = MAX_HANDLE_SZ };
	int mount_id;

	return name_to_handle_at(AT_FDCWD, path, &handle.head, &mount_id, 0);
}

enum {
	FOLLOWS = 1 << 0, /* a symbolic link at the end */
	MAKES = 1 << 1,   /* a name */
	REMOVES = 1 << 2, /* a name */
};

static const struct call {
	const char *name;
	int (*run)(const char *path);
	unsigned how;
} calls[] = {
	{ "open", call_open, FOLLOWS },
	{ "open O_CREAT", call_create, MAKES },
	{ "open O_PATH", call_o_path, FOLLOWS },
	{ "stat", call_stat, FOLLOWS },
	{ "lstat", call_lstat, 0 },
	{ "statx", call_statx, FOLLOWS },
	{ "statfs", call_statfs, FOLLOWS },
	{ "access", call_access, FOLLOWS },
	{ "chmod", call_chmod, FOLLOWS },
	{ "chown", call_chown, FOLLOWS },
	{ "lchown", call_lchown, 0 },
	{ "truncate", call_truncate, FOLLOWS },
	{ "utimensat", call_utimensat, FOLLOWS },
	{ "mkdir", call_mkdir, MAKES },
	{ "mknod", call_mknod, MAKES },
	{ "mkfifo", call_mkfifo, MAKES },
	{ "symlink", call_symlink, MAKES },
	{ "readlink", call_readlink, 0 },
	{ "link from", call_link_from, 0 },
	{ "link to", call_link_to, MAKES },
	{ "rename from", call_rename_from, REMOVES },
	{ "rename to", call_rename_to, 0 },
	{ "unlink", unlink, REMOVES },
	{ "rmdir", rmdir, REMOVES },
	{ "chdir", call_chdir, FOLLOWS },
	{ "opendir", call_opendir, FOLLOWS },
	{ "getxattr", call_getxattr, FOLLOWS },
	{ "lgetxattr", call_lgetxattr, 0 },
	{ "setxattr", call_setxattr, FOLLOWS },
	{ "listxattr", call_listxattr, FOLLOWS },
	{ "removexattr", call_removexattr, FOLLOWS },
	{ "execve", call_execve, FOLLOWS },
	{ "name_to_handle_at", call_handle, 0 },
};

/* Every call with one path fails with one error. */
static void all_fail(const char *path, int error, const char *text)
{
	size_t i;

	for (i = 0; i < ARRAY_LEN(calls); i++) {
		about("%s", calls[i].name);
		errno = 0;
		(void)tap_fails(text, calls[i].run(path), error);
	}
	about(NULL);
}

/* The same for calls that do something of `how`. */
static void some_fail(unsigned how, const char *path, int error,
		      const char *text)
{
	size_t i;

	for (i = 0; i < ARRAY_LEN(calls); i++) {
		if (!(calls[i].how & how))
			continue;
		about("%s", calls[i].name);
		errno = 0;
		(void)tap_fails(text, calls[i].run(path), error);
	}
	about(NULL);
}

/* ---- cases ---------------------------------------------------------------- */

static void name_too_long(void)
{
	char *name = repeat('n', NAME_LEN_MAX + 1);

	make_file("plain", 0644);
	all_fail(name, ENAMETOOLONG, "a name of 256 bytes");
	free(name);
}

static void parent_too_long(void)
{
	char *path = repeat('n', NAME_LEN_MAX + 3);

	make_file("plain", 0644);
	path[NAME_LEN_MAX + 1] = '/';
	all_fail(path, ENAMETOOLONG, "a directory's name of 256 bytes");
	free(path);
}

/* "./././name", of `len` bytes. */
static char *long_path(size_t len, const char *name)
{
	char *path = repeat('/', len);
	size_t name_len = strlen(name);
	size_t i;

	for (i = 0; i + name_len < len; i += 2)
		path[i] = '.';
	memcpy(path + len - name_len, name, name_len + 1);
	return path;
}

static void path_too_long(void)
{
	char *path = long_path(PATH_LEN_MAX, "plain");

	make_file("plain", 0644);
	all_fail(path, ENAMETOOLONG, "a path of 4096 bytes");
	free(path);
}

static void path_longest(void)
{
	char *path = long_path(PATH_LEN_MAX - 1, "plain");
	char *missing = long_path(PATH_LEN_MAX - 1, "other");

	make_file("plain", 0644);
	EQUAL(strlen(path), 4095);
	WORKS(call_open(path));
	WORKS(call_stat(path));
	WORKS(call_chmod(path));
	WORKS(call_truncate(path));
	WORKS(call_setxattr(path));
	WORKS(call_getxattr(path));
	FAILS(call_stat(missing), ENOENT);
	WORKS(call_link_to(missing));
	WORKS(unlink(missing));
	WORKS(call_mkdir(missing));
	WORKS(call_chdir(missing));
	WORKS(chdir(".."));
	WORKS(rmdir(missing));
	WORKS(call_rename_to(missing));
	HOLDS(is_there("other"));
	free(path);
	free(missing);
}

static void empty(void)
{
	make_file("plain", 0644);
	all_fail("", ENOENT, "an empty path");
}

static void no_parent(void)
{
	make_file("plain", 0644);
	all_fail("none/name", ENOENT, "a directory that is not there");
}

static void file_as_parent(void)
{
	make_file("plain", 0644);
	make_file("file", 0755);
	all_fail("file/name", ENOTDIR, "a file as a directory");
	all_fail("file/.", ENOTDIR, "a file and a dot");
}

static void fifo_as_parent(void)
{
	make_file("plain", 0644);
	NEED(mkfifo("fifo", 0755));
	all_fail("fifo/name", ENOTDIR, "a fifo as a directory");
}

static void loop(void)
{
	make_file("plain", 0644);
	NEED(symlink("two", "one"));
	NEED(symlink("one", "two"));
	all_fail("one/name", ELOOP, "links in a circle");
	some_fail(FOLLOWS, "one", ELOOP, "a link in a circle at the end");
}

static void dangling(void)
{
	make_file("plain", 0644);
	NEED(symlink("none", "dangling"));
	all_fail("dangling/name", ENOENT, "a dangling link as a directory");
	some_fail(FOLLOWS, "dangling", ENOENT, "a dangling link at the end");
	some_fail(MAKES, "dangling", EEXIST, "a dangling link in the way");
}

static void missing(void)
{
	size_t i;

	make_file("plain", 0644);
	for (i = 0; i < ARRAY_LEN(calls); i++) {
		if (calls[i].how & MAKES || calls[i].run == call_rename_to)
			continue;
		about("%s", calls[i].name);
		FAILS(calls[i].run("none"), ENOENT);
	}
}

static void in_the_way(void)
{
	make_file("plain", 0644);
	make_file("file", 0644);
	make_dir("dir", 0755);
	NEED(symlink("plain", "link"));
	NEED(mkfifo("fifo", 0644));
	some_fail(MAKES, "file", EEXIST, "a file in the way");
	some_fail(MAKES, "dir", EEXIST, "a directory in the way");
	some_fail(MAKES, "link", EEXIST, "a link in the way");
	some_fail(MAKES, "fifo", EEXIST, "a fifo in the way");
	some_fail(MAKES, ".", EEXIST, "a dot in the way");
	some_fail(MAKES, "dir/..", EEXIST, "two dots in the way");
}

/* What a caller may not search, it cannot ask about. */
static void not_searchable(void)
{
	NEED(chmod(".", 0777));
	make_dir("dir", 0755);
	make_file("dir/name", 0777);
	NEED(chmod("dir", 0666));
	as_user(USER, USER);
	make_file("plain", 0666);
	all_fail("dir/name", EACCES, "a directory without x");
}

static void not_writable(void)
{
	NEED(chmod(".", 0777));
	make_dir("dir", 0755);
	make_file("dir/name", 0777);
	make_dir("dir/sub", 0777);
	as_user(USER, USER);
	make_file("plain", 0666);
	some_fail(MAKES, "dir/new", EACCES, "a directory without w");
	about("directory without w");
	FAILS(unlink("dir/name"), EACCES);
	FAILS(rmdir("dir/sub"), EACCES);
	FAILS(call_rename_from("dir/name"), EACCES);
	FAILS(call_rename_from("dir/sub"), EACCES);
	FAILS(call_rename_to("dir/name"), EACCES);
	FAILS(call_rename_to("dir/new"), EACCES);
	FAILS(unlink("dir/none"), ENOENT);
	FAILS(rmdir("dir/none"), ENOENT);
}

/* "name/" asks for a directory. */
static void slash_behind(void)
{
	make_file("plain", 0644);
	make_file("file", 0644);
	make_dir("dir", 0755);
	NEED(symlink("dir", "link"));
	FAILS(call_open("file/"), ENOTDIR);
	FAILS(call_stat("file/"), ENOTDIR);
	FAILS(call_lstat("file/"), ENOTDIR);
	FAILS(call_chmod("file/"), ENOTDIR);
	FAILS(call_truncate("file/"), ENOTDIR);
	FAILS(call_getxattr("file/"), ENOTDIR);
	FAILS(unlink("file/"), ENOTDIR);
	FAILS(rmdir("file/"), ENOTDIR);
	FAILS(rename("file/", "made"), ENOTDIR);
	FAILS(rename("file", "dir/none/"), ENOTDIR);
	FAILS(link("file", "made/"), ENOENT);
	FAILS(call_create("made/"), EISDIR);
	FAILS(call_mknod("made/"), ENOENT);
	FAILS(symlink("file", "made/"), ENOENT);
	FAILS(unlink("dir/"), EISDIR);
	FAILS(unlink("link/"), ENOTDIR);
	FAILS(rmdir("link/"), ENOTDIR);
	WORKS(call_stat("dir/"));
	WORKS(call_lstat("link/"));
	WORKS(mkdir("made//", 0755));
	WORKS(rename("made/", "moved/"));
	WORKS(rmdir("moved///"));
}

static void dots(void)
{
	make_dir("dir", 0755);
	make_dir("dir/sub", 0755);
	make_file("dir/file", 0644);
	EQUAL(ino_of("dir/."), ino_of("dir"));
	EQUAL(ino_of("dir/sub/.."), ino_of("dir"));
	EQUAL(ino_of("dir/sub/../sub/."), ino_of("dir/sub"));
	EQUAL(ino_of("dir/./file"), ino_of("dir/file"));
	EQUAL(ino_of("dir//sub///..//file"), ino_of("dir/file"));
	FAILS(rmdir("dir/sub/."), EINVAL);
	FAILS(rmdir("dir/sub/.."), ENOTEMPTY);
	FAILS(unlink("dir/."), EISDIR);
	FAILS(unlink("dir/.."), EISDIR);
	FAILS(mkdir("dir/.", 0755), EEXIST);
	FAILS(mkdir("dir/..", 0755), EEXIST);
	FAILS(rename("dir/sub/.", "made"), EBUSY);
	FAILS(rename("dir/sub/..", "made"), EBUSY);
	FAILS(rename("dir/sub", "dir/."), EBUSY);
	FAILS(rename("dir/sub", "dir/sub/.."), EBUSY);
	FAILS(unlinkat(AT_FDCWD, "dir/.", AT_REMOVEDIR), EINVAL);
	FAILS(open_file("dir/.", O_RDWR), EISDIR);
	FAILS(open_file("dir/..", O_WRONLY | O_CREAT), EISDIR);
}

/* A path from a descriptor. */
static void at_calls(void)
{
	struct stat st;
	int dir;
	int file;

	make_dir("dir", 0755);
	make_file("file", 0644);
	NEED(dir = open_file("dir", O_RDONLY | O_DIRECTORY));
	NEED(file = open_file("file", O_RDONLY));
	WORKS(mkdirat(dir, "sub", 0755));
	HOLDS(is_there("dir/sub"));
	WORKS(symlinkat("sub", dir, "link"));
	WORKS(mknodat(dir, "fifo", S_IFIFO | 0600, 0));
	WORKS(linkat(AT_FDCWD, "file", dir, "second", 0));
	WORKS(renameat(dir, "second", AT_FDCWD, "third"));
	WORKS(fstatat(dir, "sub", &st, 0));
	EQUAL(st.st_ino, ino_of("dir/sub"));
	WORKS(fstatat(file, "", &st, AT_EMPTY_PATH));
	EQUAL(st.st_ino, ino_of("file"));
	FAILS(fstatat(dir, "", &st, 0), ENOENT);
	FAILS(fstatat(file, "x", &st, 0), ENOTDIR);
	FAILS(mkdirat(file, "x", 0755), ENOTDIR);
	FAILS(unlinkat(file, "x", 0), ENOTDIR);
	FAILS(mkdirat(-1, "x", 0755), EBADF);
	FAILS(fstatat(-1, "x", &st, 0), EBADF);
	FAILS(unlinkat(dir, "sub", 0), EISDIR);
	FAILS(unlinkat(dir, "fifo", AT_REMOVEDIR), ENOTDIR);
	FAILS(unlinkat(dir, "sub", 0x40000000), EINVAL);
	WORKS(unlinkat(dir, "fifo", 0));
	WORKS(unlinkat(dir, "link", 0));
	WORKS(unlinkat(dir, "sub", AT_REMOVEDIR));
	EQUAL(entries_of("dir"), 0);
}

const struct tap_case path_cases[] = {
	{ "name_too_long", name_too_long },
	{ "parent_too_long", parent_too_long },
	{ "path_too_long", path_too_long },
	{ "path_longest", path_longest },
	{ "empty", empty },
	{ "no_parent", no_parent },
	{ "file_as_parent", file_as_parent },
	{ "fifo_as_parent", fifo_as_parent },
	{ "loop", loop },
	{ "dangling", dangling },
	{ "missing", missing },
	{ "in_the_way", in_the_way },
	{ "not_searchable", not_searchable },
	{ "not_writable", not_writable },
	{ "slash_behind", slash_behind },
	{ "dots", dots },
	{ "at_calls", at_calls },
	{ NULL, NULL },
};
