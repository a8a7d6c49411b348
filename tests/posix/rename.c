/* SPDX-License-Identifier: MIT */
/* rename.c - every kind of thing over every other, with every flag. */
#include "families.h"

#include "bed.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- the table ------------------------------------------------------------ */

enum kind {
	NONE,
	FILE_,
	LINKED,
	EMPTY,
	FULL,
	SYMLINK,
	DANGLING,
	FIFO,
	N_KINDS
};

static const char *const kind_names[N_KINDS] = {
	[NONE] = "nothing",
	[FILE_] = "a file",
	[LINKED] = "a file with two names",
	[EMPTY] = "an empty directory",
	[FULL] = "a full directory",
	[SYMLINK] = "a link to a directory",
	[DANGLING] = "a dangling link",
	[FIFO] = "a fifo",
};

static bool is_dir(enum kind kind)
{
	return kind == EMPTY || kind == FULL;
}

static void make(enum kind kind, const char *path)
{
	char inside[64];

	switch (kind) {
	case FILE_:
		make_file(path, 0644);
		break;
	case LINKED:
		make_file(path, 0644);
		(void)snprintf(inside, sizeof(inside), "%s-second", path);
		NEED(link(path, inside));
		break;
	case EMPTY:
		make_dir(path, 0755);
		break;
	case FULL:
		make_dir(path, 0755);
		(void)snprintf(inside, sizeof(inside), "%s/inside", path);
		make_file(inside, 0644);
		break;
	case SYMLINK:
		NEED(symlink(".", path));
		break;
	case DANGLING:
		NEED(symlink("none", path));
		break;
	case FIFO:
		NEED(mkfifo(path, 0644));
		break;
	case NONE:
	case N_KINDS:
		break;
	}
}

/* What the manual page says; 0 when it works. */
static int wanted_error(enum kind from, enum kind to, unsigned flags)
{
	if (from == NONE)
		return ENOENT;
	if (flags == RENAME_EXCHANGE)
		return to == NONE ? ENOENT : 0;
	if (to == NONE)
		return 0;
	if (flags == RENAME_NOREPLACE)
		return EEXIST;
	if (is_dir(from) && !is_dir(to))
		return ENOTDIR;
	if (!is_dir(from) && is_dir(to))
		return EISDIR;
	return to == FULL ? ENOTEMPTY : 0;
}

/* One field of the table, between `old` and `new`. */
static void rename_one(enum kind from, enum kind to, unsigned flags)
{
	int error = wanted_error(from, to, flags);
	long long old_ino;
	long long new_ino;

	make_dir("a", 0755);
	make_dir("b", 0755);
	make(from, "a/old");
	make(to, "b/new");
	old_ino = ino_of("a/old");
	new_ino = ino_of("b/new");
	if (error != 0) {
		errno = 0;
		(void)tap_fails(
			strerrorname_np(error),
			renameat2(AT_FDCWD, "a/old", AT_FDCWD, "b/new", flags),
			error);
		HOLDS(ino_of("a/old") == old_ino && ino_of("b/new") == new_ino);
	} else {
		WORKS(renameat2(AT_FDCWD, "a/old", AT_FDCWD, "b/new", flags));
		EQUAL(ino_of("b/new"), old_ino);
		EQUAL(ino_of("a/old"), flags == RENAME_EXCHANGE ? new_ino : -1);
	}
	HOLDS(links_of("a") == 2 + (type_of("a/old") == S_IFDIR) &&
	      links_of("b") == 2 + (type_of("b/new") == S_IFDIR));
	remove_tree("a");
	remove_tree("b");
}

static void table(unsigned flags)
{
	unsigned from;
	unsigned to;

	for (from = 0; from < N_KINDS; from++) {
		for (to = 0; to < N_KINDS; to++) {
			about("%s to %s", kind_names[from], kind_names[to]);
			rename_one((enum kind)from, (enum kind)to, flags);
		}
	}
}

static void table_plain(void)
{
	table(0);
}

static void table_noreplace(void)
{
	table(RENAME_NOREPLACE);
}

static void table_exchange(void)
{
	table(RENAME_EXCHANGE);
}

/* ---- rules ---------------------------------------------------------------- */

/* Two names of one file: nothing happens, and both stay. */
static void same_file(void)
{
	make_file_with("one", "text");
	NEED(link("one", "two"));
	WORKS(rename("one", "two"));
	HOLDS(is_there("one"));
	HOLDS(is_there("two"));
	EQUAL(links_of("one"), 2);
	WORKS(rename("one", "one"));
	HOLDS(reads_as("one", "text"));
	FAILS(renameat2(AT_FDCWD, "one", AT_FDCWD, "two", RENAME_NOREPLACE),
	      EEXIST);
	FAILS(renameat2(AT_FDCWD, "one", AT_FDCWD, "one", RENAME_NOREPLACE),
	      EEXIST);
	WORKS(renameat2(AT_FDCWD, "one", AT_FDCWD, "two", RENAME_EXCHANGE));
	EQUAL(links_of("two"), 2);
	make_dir("dir", 0755);
	WORKS(rename("dir", "dir"));
	HOLDS(is_there("dir"));
}

static void below_itself(void)
{
	make_dir("a", 0755);
	make_dir("a/b", 0755);
	make_dir("a/b/c", 0755);
	make_file("a/b/file", 0644);
	FAILS(rename("a", "a/x"), EINVAL);
	FAILS(rename("a", "a/b"), EINVAL);
	FAILS(rename("a", "a/b/x"), EINVAL);
	FAILS(rename("a", "a/b/c"), EINVAL);
	FAILS(rename("a", "a/b/c/x"), EINVAL);
	FAILS(rename("a/b", "a/b/c/x"), EINVAL);
	FAILS(rename("a/b/c", "a/b"), ENOTEMPTY);
	FAILS(rename("a/b/c", "a"), ENOTEMPTY);
	FAILS(rename("a/b/file", "a/b"), ENOTEMPTY);
	FAILS(rename("a/b/file", "a"), ENOTEMPTY);
	FAILS(renameat2(AT_FDCWD, "a", AT_FDCWD, "a/b/c", RENAME_EXCHANGE),
	      EINVAL);
	FAILS(renameat2(AT_FDCWD, "a/b/c", AT_FDCWD, "a", RENAME_EXCHANGE),
	      EINVAL);
	FAILS(renameat2(AT_FDCWD, "a/b", AT_FDCWD, "a", RENAME_EXCHANGE),
	      EINVAL);
	EQUAL(entries_of("a"), 1);
	EQUAL(entries_of("a/b"), 2);
}

static void flags(void)
{
	make_file("a", 0644);
	make_file("b", 0644);
	FAILS(renameat2(AT_FDCWD, "a", AT_FDCWD, "c",
			RENAME_NOREPLACE | RENAME_EXCHANGE),
	      EINVAL);
	FAILS(renameat2(AT_FDCWD, "a", AT_FDCWD, "c",
			RENAME_WHITEOUT | RENAME_EXCHANGE),
	      EINVAL);
	FAILS(renameat2(AT_FDCWD, "a", AT_FDCWD, "c", 1u << 10), EINVAL);
	WORKS(renameat2(AT_FDCWD, "a", AT_FDCWD, "c", RENAME_NOREPLACE));
	HOLDS(!is_there("a"));
	HOLDS(is_there("c"));
}

/* In place of the name comes a character device 0:0, as overlayfs wants it. */
static void whiteout(void)
{
	struct stat st = { 0 };
	long long ino;

	make_file_with("a", "text");
	make_file("b", 0644);
	ino = ino_of("a");
	WORKS(renameat2(AT_FDCWD, "a", AT_FDCWD, "c", RENAME_WHITEOUT));
	EQUAL(ino_of("c"), ino);
	EQUAL(type_of("a"), S_IFCHR);
	WORKS(lstat("a", &st));
	EQUAL(st.st_rdev, 0);
	EQUAL(st.st_nlink, 1);
	WORKS(renameat2(AT_FDCWD, "c", AT_FDCWD, "b", RENAME_WHITEOUT));
	EQUAL(ino_of("b"), ino);
	EQUAL(type_of("c"), S_IFCHR);
	FAILS(renameat2(AT_FDCWD, "b", AT_FDCWD, "c",
			RENAME_WHITEOUT | RENAME_NOREPLACE),
	      EEXIST);
	WORKS(renameat2(AT_FDCWD, "b", AT_FDCWD, "d",
			RENAME_WHITEOUT | RENAME_NOREPLACE));
	EQUAL(entries_of("."), 4);
	HOLDS(reads_as("d", "text"));
}

/* A directory's ".." and the counts of both parents follow. */
static void dir_moves(void)
{
	make_dir("from", 0755);
	make_dir("to", 0755);
	make_dir("from/dir", 0755);
	make_dir("from/dir/sub", 0755);
	make_file_with("from/dir/file", "text");
	EQUAL(links_of("from"), 3);
	WORKS(rename("from/dir", "to/moved"));
	EQUAL(links_of("from"), 2);
	EQUAL(links_of("to"), 3);
	EQUAL(links_of("to/moved"), 3);
	EQUAL(ino_of("to/moved/.."), ino_of("to"));
	HOLDS(reads_as("to/moved/file", "text"));
	make_dir("from/empty", 0755);
	WORKS(rename("to/moved", "from/empty"));
	EQUAL(links_of("from"), 3);
	EQUAL(links_of("to"), 2);
	EQUAL(ino_of("from/empty/.."), ino_of("from"));
	HOLDS(reads_as("from/empty/file", "text"));
	make_file("to/file", 0644);
	WORKS(renameat2(AT_FDCWD, "from/empty", AT_FDCWD, "to/file",
			RENAME_EXCHANGE));
	EQUAL(links_of("from"), 2);
	EQUAL(links_of("to"), 3);
	EQUAL(ino_of("to/file/.."), ino_of("to"));
	EQUAL(type_of("from/empty"), S_IFREG);
}

/* What is replaced lives on where it is open. */
static void replaced_in_use(void)
{
	char buf[8] = "";
	struct stat st;
	int fd;

	make_file_with("old", "old");
	make_file_with("new", "new");
	NEED(fd = open_file("old", O_RDWR));
	WORKS(rename("new", "old"));
	WORKS(fstat(fd, &st));
	EQUAL(st.st_nlink, 0);
	EQUAL(pread(fd, buf, sizeof(buf), 0), 3);
	HOLDS(memcmp(buf, "old", 3) == 0);
	HOLDS(reads_as("old", "new"));
	WORKS(write(fd, "xyz", 3));
	HOLDS(reads_as("old", "new"));
	WORKS(close(fd));
	make_dir("a", 0755);
	make_dir("b", 0755);
	make_file("a/file", 0644);
	NEED(fd = open_file("b", O_RDONLY | O_DIRECTORY));
	WORKS(rename("a", "b"));
	FAILS(mkdirat(fd, "x", 0755), ENOENT);
	WORKS(fstat(fd, &st));
	EQUAL(st.st_nlink, 0);
	EQUAL(entries_of("b"), 1);
}

/* Moving a directory of somebody else's needs its ".." to be changed. */
static void permissions(void)
{
	make_dir("open", 0777);
	make_dir("open2", 0777);
	make_dir("closed", 0755);
	make_dir_of("open/mine", USER, USER, 0755);
	make_dir_of("open/others", OTHER, OTHER, 0755);
	make_file_of("open/file", OTHER, OTHER, 0600);
	make_file_of("closed/file", USER, USER, 0600);
	as_user(USER, USER);
	WORKS(rename("open/mine", "open2/mine"));
	FAILS(rename("open/others", "open2/others"), EACCES);
	WORKS(rename("open/others", "open/renamed"));
	WORKS(rename("open/file", "open2/file"));
	FAILS(rename("closed/file", "open/x"), EACCES);
	FAILS(rename("open2/file", "closed/x"), EACCES);
	FAILS(rename("open2/file", "closed/file"), EACCES);
	FAILS(renameat2(AT_FDCWD, "open2/mine", AT_FDCWD, "open/renamed",
			RENAME_EXCHANGE),
	      EACCES);
	EQUAL(entries_of("open2"), 2);
}

/* The source is there under the one name or the other, at every moment. */
static void look_for_it(void *ctx)
{
	unsigned *n_lost = ctx;
	unsigned i;

	for (i = 0; i < 2000; i++)
		*n_lost += !is_there("target");
	HOLDS(*n_lost == 0);
}

static void always_there(void)
{
	unsigned n_lost = 0;
	unsigned i;
	pid_t pid;

	make_file_with("target", "0");
	pid = start_child(look_for_it, &n_lost);
	for (i = 0; i < 300; i++) {
		make_file("temporary", 0644);
		NEED(rename("temporary", "target"));
	}
	EQUAL(end_child(pid), 0);
	EQUAL(links_of("target"), 1);
	EQUAL(entries_of("."), 1);
}

const struct tap_case rename_cases[] = {
	{ "plain", table_plain },
	{ "noreplace", table_noreplace },
	{ "exchange", table_exchange },
	{ "same_file", same_file },
	{ "below_itself", below_itself },
	{ "flags", flags },
	{ "whiteout", whiteout },
	{ "dir_moves", dir_moves },
	{ "replaced_in_use", replaced_in_use },
	{ "permissions", permissions },
	{ "always_there", always_there },
	{ NULL, NULL },
};
