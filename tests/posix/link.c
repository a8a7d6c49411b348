/* SPDX-License-Identifier: MIT */
/* link.c - hard links and their removal. */
#include "families.h"

#include "bed.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static void counts(void)
{
	make_file_with("one", "text");
	EQUAL(links_of("one"), 1);
	WORKS(link("one", "two"));
	EQUAL(links_of("one"), 2);
	EQUAL(links_of("two"), 2);
	EQUAL(ino_of("one"), ino_of("two"));
	HOLDS(reads_as("two", "text"));
	make_dir("dir", 0755);
	WORKS(link("two", "dir/three"));
	EQUAL(links_of("one"), 3);
	EQUAL(links_of("dir"), 2);
	make_file_with("dir/three", "other");
	HOLDS(reads_as("one", "other"));
	NEED(chmod("two", 0600));
	EQUAL(mode_of("dir/three"), 0600);
	WORKS(unlink("one"));
	EQUAL(links_of("two"), 2);
	HOLDS(!is_there("one"));
	WORKS(unlink("dir/three"));
	EQUAL(links_of("two"), 1);
	HOLDS(reads_as("two", "other"));
	WORKS(unlink("two"));
	FAILS(link("two", "one"), ENOENT);
}

/* Whatever is not a directory may have many names. */
static void kinds(void)
{
	make_dir("dir", 0755);
	NEED(symlink("dir", "symlink"));
	NEED(symlink("none", "dangling"));
	NEED(mkfifo("fifo", 0644));
	NEED(mknod("socket", S_IFSOCK | 0644, 0));
	FAILS(link("dir", "dir2"), EPERM);
	FAILS(link(".", "dir2"), EPERM);
	WORKS(link("symlink", "symlink2"));
	EQUAL(type_of("symlink2"), S_IFLNK);
	EQUAL(ino_of("symlink2"), ino_of("symlink"));
	EQUAL(links_of("symlink"), 2);
	WORKS(link("dangling", "dangling2"));
	EQUAL(type_of("dangling2"), S_IFLNK);
	WORKS(link("fifo", "fifo2"));
	EQUAL(ino_of("fifo2"), ino_of("fifo"));
	WORKS(link("socket", "socket2"));
	EQUAL(links_of("socket2"), 2);
	WORKS(unlink("symlink"));
	EQUAL(links_of("symlink2"), 1);
}

static void flags(void)
{
	int fd;

	make_file("file", 0644);
	NEED(symlink("file", "symlink"));
	WORKS(linkat(AT_FDCWD, "symlink", AT_FDCWD, "a", AT_SYMLINK_FOLLOW));
	EQUAL(ino_of("a"), ino_of("file"));
	WORKS(linkat(AT_FDCWD, "symlink", AT_FDCWD, "b", 0));
	EQUAL(ino_of("b"), ino_of("symlink"));
	FAILS(linkat(AT_FDCWD, "file", AT_FDCWD, "c", 0x10000), EINVAL);
	NEED(fd = open_file("file", O_RDONLY));
	WORKS(linkat(fd, "", AT_FDCWD, "d", AT_EMPTY_PATH));
	EQUAL(ino_of("d"), ino_of("file"));
	EQUAL(links_of("file"), 3);
	WORKS(unlink("a"));
	WORKS(unlink("d"));
	WORKS(unlink("file"));
	FAILS(linkat(fd, "", AT_FDCWD, "e", AT_EMPTY_PATH), ENOENT);
}

static void across(void)
{
	make_file("file", 0644);
	make_dir("dir", 0755);
	FAILS(link("/proc/version", "made"), EXDEV);
	FAILS(link("file", "/dev/made"), EXDEV);
	FAILS(rename("file", "/proc/made"), EXDEV);
	FAILS(rename("/proc/version", "made"), EXDEV);
	FAILS(rename("dir", "/proc/made"), EXDEV);
}

/* The file lives while it is open. */
static void removed_in_use(void)
{
	char buf[16] = "";
	struct stat st;
	int fd;

	make_file_with("file", "before");
	NEED(fd = open_file("file", O_RDWR));
	WORKS(unlink("file"));
	HOLDS(!is_there("file"));
	WORKS(fstat(fd, &st));
	EQUAL(st.st_nlink, 0);
	EQUAL(st.st_size, 6);
	EQUAL(pread(fd, buf, sizeof(buf), 0), 6);
	EQUAL(pwrite(fd, "after", 5, 6), 5);
	EQUAL(pread(fd, buf, sizeof(buf), 0), 11);
	WORKS(ftruncate(fd, 3));
	EQUAL(fd_size(fd), 3);
	WORKS(fchmod(fd, 0600));
	WORKS(fchown(fd, USER, USER));
	WORKS(fstat(fd, &st));
	EQUAL(st.st_mode & 07777, 0600);
	EQUAL(st.st_uid, USER);
	WORKS(fsync(fd));
	make_file_with("file", "new");
	EQUAL(fd_size(fd), 3);
	WORKS(pwrite(fd, "x", 1, 100));
	HOLDS(reads_as("file", "new"));
	WORKS(fstat(fd, &st));
	HOLDS((long long)st.st_ino != ino_of("file"));
	WORKS(close(fd));
	HOLDS(reads_as("file", "new"));
}

/* A name may be made anew in the moment it is free. */
static void reuse(void)
{
	long long seen = 0;
	unsigned i;

	for (i = 0; i < 20; i++) {
		make_file("file", 0644);
		HOLDS(ino_of("file") > 0);
		EQUAL(size_of("file"), 0);
		seen += links_of("file");
		NEED(unlink("file"));
	}
	EQUAL(seen, 20);
}

static void sixty_five_thousand(void)
{
	enum { MOST = 65000 };
	char path[32];
	unsigned i;

	make_file("file", 0644);
	make_dir("a", 0755);
	for (i = 1; i < MOST; i++) {
		(void)snprintf(path, sizeof(path), "a/%u", i);
		NEED(link("file", path));
	}
	EQUAL(links_of("file"), MOST);
	EQUAL(links_of("a/64999"), MOST);
	FAILS(link("file", "more"), EMLINK);
	HOLDS(!is_there("more"));
	EQUAL(links_of("file"), MOST);
	WORKS(unlink("a/1"));
	WORKS(link("file", "more"));
	FAILS(link("file", "most"), EMLINK);
	WORKS(rename("more", "other"));
	WORKS(rename("file", "a/2"));
	EQUAL(links_of("other"), MOST);
	EQUAL(entries_of("a"), MOST - 2);
}

const struct tap_case link_cases[] = {
	{ "counts", counts },
	{ "kinds", kinds },
	{ "flags", flags },
	{ "across", across },
	{ "removed_in_use", removed_in_use },
	{ "reuse", reuse },
	{ "sixty_five_thousand", sixty_five_thousand },
	{ NULL, NULL },
};
