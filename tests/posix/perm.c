/* SPDX-License-Identifier: MIT */
/* perm.c - who may do what: permission bits, owners, setuid and setgid. */
#include "families.h"

#include "bed.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- permission bits ------------------------------------------------------ */

/* As whom a file of USER and GROUP is asked for, and which bits count. */
static const struct asker {
	const char *name;
	uid_t uid;
	gid_t gid;
	gid_t member; /* of this group, too */
	unsigned shift;
} askers[] = {
	{ "the owner", USER, OTHER, OTHER, 6 },
	{ "the owner in the group", USER, GROUP, GROUP, 6 },
	{ "the group", OTHER, GROUP, GROUP, 3 },
	{ "a member of the group", OTHER, OTHER, GROUP, 3 },
	{ "another", OTHER, OTHER, OTHER, 0 },
};

static int try_open(const char *path, int flags)
{
	int fd = open_file(path, flags);

	return fd < 0 ? -1 : close(fd);
}

/* Works, or fails with EACCES. */
static void allowed(const char *text, bool wanted, int rc)
{
	if (wanted)
		(void)tap_works(text, rc);
	else
		(void)tap_fails(text, rc, EACCES);
}

static void ask_file(const struct asker *a, unsigned bits)
{
	/* All the others may do what this one may not. */
	unsigned mode = (0777 & ~(7u << a->shift)) | bits << a->shift;

	as_root();
	NEED(chmod("file", mode));
	as_member(a->uid, a->gid, a->member);
	about("%s, mode %04o", a->name, mode);
	errno = 0;
	allowed("read", bits & 4, try_open("file", O_RDONLY));
	allowed("write", bits & 2, try_open("file", O_WRONLY));
	allowed("both", (bits & 6) == 6, try_open("file", O_RDWR));
	allowed("R_OK", bits & 4,
		faccessat(AT_FDCWD, "file", R_OK, AT_EACCESS));
	allowed("W_OK", bits & 2,
		faccessat(AT_FDCWD, "file", W_OK, AT_EACCESS));
	allowed("X_OK", bits & 1,
		faccessat(AT_FDCWD, "file", X_OK, AT_EACCESS));
}

static void files(void)
{
	size_t i;
	unsigned bits;

	make_file_of("file", USER, GROUP, 0);
	for (i = 0; i < ARRAY_LEN(askers); i++) {
		for (bits = 0; bits < 8; bits++)
			ask_file(&askers[i], bits);
	}
}

static int list_dir(const char *path)
{
	DIR *list = opendir(path);

	return list ? closedir(list) : -1;
}

static void ask_dir(const struct asker *a, unsigned bits)
{
	unsigned mode = (0777 & ~(7u << a->shift)) | bits << a->shift;
	bool change = (bits & 3) == 3;

	as_root();
	NEED(chmod("dir", mode));
	as_member(a->uid, a->gid, a->member);
	about("%s, mode %04o", a->name, mode);
	errno = 0;
	allowed("list", bits & 4, list_dir("dir"));
	allowed("search", bits & 1, try_open("dir/file", O_RDONLY));
	allowed("chdir", bits & 1, chdir("dir") < 0 ? -1 : chdir(".."));
	allowed("make", change, mkdir("dir/new", 0755));
	allowed("rename", change, rename("dir/file", "dir/file2"));
	if (change)
		(void)rename("dir/file2", "dir/file");
	allowed("remove", change, rmdir("dir/sub"));
	as_root();
	(void)rmdir("dir/new");
	(void)mkdir("dir/sub", 0755);
}

static void dirs(void)
{
	size_t i;
	unsigned bits;

	make_dir_of("dir", USER, GROUP, 0);
	make_file("dir/file", 0666);
	make_dir("dir/sub", 0755);
	for (i = 0; i < ARRAY_LEN(askers); i++) {
		for (bits = 0; bits < 8; bits++)
			ask_dir(&askers[i], bits);
	}
}

/* Root needs one x to execute, and no bit for anything else. */
static void root(void)
{
	make_file_of("file", USER, USER, 0);
	make_dir_of("dir", USER, USER, 0);
	WORKS(try_open("file", O_RDWR));
	WORKS(access("file", R_OK | W_OK));
	FAILS(access("file", X_OK), EACCES);
	NEED(chmod("file", 0001));
	WORKS(access("file", X_OK));
	NEED(chmod("file", 0010));
	WORKS(access("file", X_OK));
	WORKS(access("dir", R_OK | W_OK | X_OK));
	WORKS(mkdir("dir/sub", 0));
	WORKS(mkdir("dir/sub/sub", 0));
	WORKS(list_dir("dir/sub"));
}

/* ---- changing mode and owner ---------------------------------------------- */

static void all_modes(void)
{
	unsigned mode;
	unsigned n_wrong = 0;

	make_file("file", 0);
	make_dir("dir", 0);
	for (mode = 0; mode <= 07777; mode += 7) {
		NEED(chmod("file", mode));
		NEED(chmod("dir", mode));
		n_wrong += mode_of("file") != mode || mode_of("dir") != mode;
	}
	EQUAL(n_wrong, 0);
	NEED(chmod("file", 07777));
	EQUAL(mode_of("file"), 07777);
	EQUAL(type_of("file"), S_IFREG);
	NEED(chmod("dir", 07777));
	EQUAL(mode_of("dir"), 07777);
	EQUAL(type_of("dir"), S_IFDIR);
	NEED(chmod("file", S_IFDIR | 0644));
	EQUAL(type_of("file"), S_IFREG);
}

static void who_may_chmod(void)
{
	NEED(chmod(".", 0777));
	make_file_of("mine", USER, USER, 0644);
	make_file_of("others", OTHER, OTHER, 0666);
	make_file_of("strange", USER, OTHER, 0644);
	make_dir_of("strangedir", USER, OTHER, 0755);
	as_user(USER, USER);
	WORKS(chmod("mine", 0));
	WORKS(chmod("mine", 06755));
	EQUAL(mode_of("mine"), 06755);
	FAILS(chmod("others", 0666), EPERM);
	FAILS(chmod("others", 0600), EPERM);
	EQUAL(mode_of("others"), 0666);
	/* Not in the group: no setgid. */
	WORKS(chmod("strange", 06755));
	EQUAL(mode_of("strange"), 04755);
	WORKS(chmod("strangedir", 02755));
	EQUAL(mode_of("strangedir"), 0755);
	as_member(USER, USER, OTHER);
	WORKS(chmod("strange", 06755));
	EQUAL(mode_of("strange"), 06755);
	WORKS(chmod("strangedir", 02755));
	EQUAL(mode_of("strangedir"), 02755);
	as_root();
	WORKS(chmod("others", 07777));
	EQUAL(mode_of("others"), 07777);
}

static void who_may_chown(void)
{
	NEED(chmod(".", 0777));
	make_file_of("mine", USER, USER, 0666);
	make_file_of("others", OTHER, OTHER, 0666);
	as_member(USER, USER, GROUP);
	FAILS(chown("mine", OTHER, (gid_t)-1), EPERM);
	FAILS(chown("mine", 0, 0), EPERM);
	FAILS(chown("mine", (uid_t)-1, OTHER), EPERM);
	FAILS(chown("others", USER, (gid_t)-1), EPERM);
	FAILS(chown("others", (uid_t)-1, USER), EPERM);
	WORKS(chown("mine", USER, (gid_t)-1));
	WORKS(chown("mine", (uid_t)-1, GROUP));
	EQUAL(group_of("mine"), GROUP);
	WORKS(chown("mine", USER, USER));
	EQUAL(group_of("mine"), USER);
	as_root();
	WORKS(chown("mine", 4000000000u, 4000000001u));
	EQUAL(owner_of("mine"), 4000000000);
	EQUAL(group_of("mine"), 4000000001);
	WORKS(chown("mine", 0, (gid_t)-1));
	EQUAL(owner_of("mine"), 0);
	EQUAL(group_of("mine"), 4000000001);
}

/* ---- setuid and setgid ---------------------------------------------------- */

static int kill_write(int fd)
{
	return (int)write(fd, "x", 1);
}

static int kill_pwrite_twice(int fd)
{
	return pwrite(fd, "x", 1, 100) + pwrite(fd, "x", 1, 5000) == 2 ? 0 : -1;
}

static int kill_ftruncate(int fd)
{
	return ftruncate(fd, 3);
}

static int kill_fallocate(int fd)
{
	return fallocate(fd, 0, 0, 20000);
}

static int kill_o_trunc(int fd)
{
	(void)fd;
	return try_open("program", O_WRONLY | O_TRUNC);
}

static int kill_truncate(int fd)
{
	(void)fd;
	return truncate("program", 2);
}

static int kill_copy(int fd)
{
	int from = open_file("from", O_RDONLY);
	int rc = (int)copy_file_range(from, NULL, fd, NULL, 5, 0);

	(void)close(from);
	return rc;
}

static const struct {
	const char *name;
	int (*run)(int fd);
} killers[] = {
	{ "write", kill_write },          { "two writes", kill_pwrite_twice },
	{ "ftruncate", kill_ftruncate },  { "truncate", kill_truncate },
	{ "O_TRUNC", kill_o_trunc },      { "fallocate", kill_fallocate },
	{ "copy_file_range", kill_copy },
};

/* What a change of content leaves of a mode, when an ordinary user does it. */
static mode_t mode_after(mode_t mode)
{
	mode &= ~(mode_t)S_ISUID;
	if (mode & S_IXGRP)
		mode &= ~(mode_t)S_ISGID;
	return mode;
}

static void kill_one(size_t which, uid_t uid, mode_t mode)
{
	int fd;

	as_root();
	/* The group is that of whoever changes it. */
	make_file_of("program", OTHER, uid, mode);
	NEED(truncate("program", 10));
	NEED(chmod("program", mode));
	as_user(uid, uid);
	NEED(fd = open_file("program", O_RDWR));
	WORKS(killers[which].run(fd));
	EQUAL(mode_of("program"), uid == 0 ? mode : mode_after(mode));
	NEED(close(fd));
	EQUAL(mode_of("program"), uid == 0 ? mode : mode_after(mode));
	as_root();
	NEED(unlink("program"));
}

static void killed_by_content(void)
{
	static const mode_t modes[] = { 06777, 04777, 02777, 02767, 0777 };
	static const uid_t users[] = { USER, 0 };
	size_t i;
	size_t j;
	size_t k;

	NEED(chmod(".", 0777));
	make_file_with("from", "from here");
	for (i = 0; i < ARRAY_LEN(killers); i++) {
		for (j = 0; j < ARRAY_LEN(modes); j++) {
			for (k = 0; k < ARRAY_LEN(users); k++) {
				about("%s by %u, mode %04o", killers[i].name,
				      users[k], modes[j]);
				kill_one(i, users[k], modes[j]);
			}
		}
	}
}

static void killed_by_chown(void)
{
	static const mode_t modes[] = { 06755, 04755, 02755, 02745, 04644 };
	size_t i;

	NEED(chmod(".", 0777));
	for (i = 0; i < ARRAY_LEN(modes); i++) {
		mode_t after = mode_after(modes[i]);

		about("mode %04o", modes[i]);
		make_file_of("file", USER, USER, modes[i]);
		WORKS(chown("file", OTHER, (gid_t)-1));
		EQUAL(mode_of("file"), after);
		NEED(chmod("file", modes[i]));
		WORKS(chown("file", (uid_t)-1, GROUP));
		EQUAL(mode_of("file"), after);
		NEED(chmod("file", modes[i]));
		WORKS(chown("file", USER, USER));
		NEED(chmod("file", modes[i]));
		as_member(USER, USER, GROUP);
		WORKS(chown("file", (uid_t)-1, GROUP));
		EQUAL(mode_of("file"), after);
		as_root();
		NEED(unlink("file"));
	}
	about("a directory");
	make_dir_of("dir", USER, USER, 06755);
	WORKS(chown("dir", OTHER, OTHER));
	EQUAL(mode_of("dir"), 06755);
}

/* A new file with setgid, below a setgid directory of a strange group. */
static void created_setgid(void)
{
	int fd;

	make_dir_of("dir", OTHER, GROUP, 02777);
	as_user(USER, USER);
	NEED(fd = open("dir/a", O_RDWR | O_CREAT | O_CLOEXEC, 02755));
	EQUAL(group_of("dir/a"), GROUP);
	EQUAL(mode_of("dir/a"), 0755);
	NEED(fd = open("dir/b", O_RDWR | O_CREAT | O_CLOEXEC, 04755));
	EQUAL(mode_of("dir/b"), 04755);
	NEED(mkdir("dir/c", 0755));
	EQUAL(mode_of("dir/c"), 02755);
	as_member(USER, USER, GROUP);
	NEED(fd = open("dir/d", O_RDWR | O_CREAT | O_CLOEXEC, 02755));
	EQUAL(mode_of("dir/d"), 02755);
	as_root();
	NEED(fd = open("dir/e", O_RDWR | O_CREAT | O_CLOEXEC, 02755));
	EQUAL(mode_of("dir/e"), 02755);
	EQUAL(group_of("dir/e"), GROUP);
	(void)fd;
}

const struct tap_case perm_cases[] = {
	{ "files", files },
	{ "dirs", dirs },
	{ "root", root },
	{ "all_modes", all_modes },
	{ "who_may_chmod", who_may_chmod },
	{ "who_may_chown", who_may_chown },
	{ "killed_by_content", killed_by_content },
	{ "killed_by_chown", killed_by_chown },
	{ "created_setgid", created_setgid },
	{ NULL, NULL },
};
