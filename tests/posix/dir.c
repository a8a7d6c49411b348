/* SPDX-License-Identifier: MIT */
/* dir.c - making and removing directories. */
#include "families.h"

#include "bed.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static void modes(void)
{
	static const mode_t masks[] = { 0, 022, 027, 077, 0777 };
	static const mode_t wanted[] = { 0, 0777, 0700, 0755, 01777, 0421 };
	char name[32];
	size_t i;
	size_t j;

	for (i = 0; i < ARRAY_LEN(masks); i++) {
		for (j = 0; j < ARRAY_LEN(wanted); j++) {
			about("mode %o, umask %o", wanted[j], masks[i]);
			(void)snprintf(name, sizeof(name), "%zu-%zu", i, j);
			(void)umask(masks[i]);
			NEED(mkdir(name, wanted[j]));
			EQUAL(mode_of(name), wanted[j] & ~masks[i]);
		}
	}
}

static void what_is_made(void)
{
	EQUAL(links_of("."), 2);
	NEED(mkdir("dir", 0755));
	EQUAL(type_of("dir"), S_IFDIR);
	EQUAL(links_of("dir"), 2);
	EQUAL(links_of("."), 3);
	EQUAL(entries_of("dir"), 0);
	EQUAL(owner_of("dir"), 0);
	EQUAL(group_of("dir"), 0);
	HOLDS(size_of("dir") > 0);
	NEED(mkdir("dir/sub", 0755));
	EQUAL(links_of("dir"), 3);
	NEED(mkdir("dir/sub2", 0755));
	EQUAL(links_of("dir"), 4);
	make_file("dir/file", 0644);
	EQUAL(links_of("dir"), 4);
	WORKS(rmdir("dir/sub"));
	EQUAL(links_of("dir"), 3);
	WORKS(unlink("dir/file"));
	EQUAL(links_of("dir"), 3);
	WORKS(rmdir("dir/sub2"));
	EQUAL(links_of("dir"), 2);
	WORKS(rmdir("dir"));
	EQUAL(links_of("."), 2);
}

/* Who makes it owns it, with the effective user and group. */
static void owners(void)
{
	make_dir("dir", 0777);
	NEED(chdir("dir"));
	as_user(USER, GROUP);
	NEED(mkdir("plain", 0755));
	EQUAL(owner_of("plain"), USER);
	EQUAL(group_of("plain"), GROUP);
	as_root();
	make_dir_of("setgid", OTHER, GROUP, 02777);
	as_user(USER, USER);
	NEED(mkdir("setgid/sub", 0755));
	EQUAL(owner_of("setgid/sub"), USER);
	EQUAL(group_of("setgid/sub"), GROUP);
	EQUAL(mode_of("setgid/sub"), 02755);
	NEED(mkdir("setgid/sub/below", 0700));
	EQUAL(group_of("setgid/sub/below"), GROUP);
	EQUAL(mode_of("setgid/sub/below"), 02700);
	make_file("setgid/file", 0644);
	EQUAL(group_of("setgid/file"), GROUP);
	EQUAL(mode_of("setgid/file"), 0644);
	NEED(symlink("x", "setgid/link"));
	EQUAL(group_of("setgid/link"), GROUP);
	NEED(mkfifo("setgid/fifo", 0644));
	EQUAL(group_of("setgid/fifo"), GROUP);
}

static void not_empty(void)
{
	static const char *const inside[] = { "file", "sub", "link", "fifo" };
	char path[32];
	size_t i;

	for (i = 0; i < ARRAY_LEN(inside); i++) {
		about("holds a %s", inside[i]);
		make_dir("dir", 0755);
		(void)snprintf(path, sizeof(path), "dir/%s", inside[i]);
		NEED(i == 0   ? mknod(path, S_IFREG | 0644, 0)
		     : i == 1 ? mkdir(path, 0755)
		     : i == 2 ? symlink("none", path)
			      : mkfifo(path, 0644));
		FAILS(rmdir("dir"), ENOTEMPTY);
		EQUAL(entries_of("dir"), 1);
		NEED(i == 1 ? rmdir(path) : unlink(path));
		WORKS(rmdir("dir"));
		HOLDS(!is_there("dir"));
	}
}

static void not_a_dir(void)
{
	make_file("file", 0644);
	NEED(symlink("dir", "link"));
	NEED(symlink("none", "dangling"));
	NEED(mkfifo("fifo", 0644));
	make_dir("dir", 0755);
	FAILS(rmdir("file"), ENOTDIR);
	FAILS(rmdir("link"), ENOTDIR);
	FAILS(rmdir("dangling"), ENOTDIR);
	FAILS(rmdir("fifo"), ENOTDIR);
	FAILS(unlink("dir"), EISDIR);
	HOLDS(is_there("dir"));
	WORKS(unlink("link"));
	HOLDS(is_there("dir"));
	WORKS(unlink("dangling"));
	WORKS(unlink("fifo"));
	WORKS(unlink("file"));
	WORKS(rmdir("dir"));
	EQUAL(entries_of("."), 0);
}

/* A directory that somebody is in, or has open, after it was removed. */
static void removed_in_use(void)
{
	char path[PATH_LEN_MAX];
	int fd;

	make_dir("dir", 0755);
	NEED(fd = open_file("dir", O_RDONLY | O_DIRECTORY));
	NEED(chdir("dir"));
	WORKS(rmdir("../dir"));
	HOLDS(!getcwd(path, sizeof(path)) && errno == ENOENT);
	FAILS(open_file("file", O_WRONLY | O_CREAT), ENOENT);
	FAILS(mkdir("sub", 0755), ENOENT);
	FAILS(symlink("x", "link"), ENOENT);
	FAILS(mkfifo("fifo", 0644), ENOENT);
	FAILS(open_file("none", O_RDONLY), ENOENT);
	FAILS(mkdirat(fd, "sub", 0755), ENOENT);
	EQUAL(links_of("."), 0);
	EQUAL(type_of("."), S_IFDIR);
	WORKS(fchmod(fd, 0700));
	EQUAL(mode_of("."), 0700);
	WORKS(fsync(fd));
	WORKS(chdir(".."));
	HOLDS(!is_there("dir"));
	make_dir("dir", 0755);
	FAILS(mkdirat(fd, "sub", 0755), ENOENT);
	EQUAL(entries_of("dir"), 0);
	WORKS(rmdir("dir"));
	WORKS(close(fd));
}

/* In a sticky directory only owners remove. */
static void sticky(void)
{
	make_dir_of("shared", OTHER, OTHER, 01777);
	make_file_of("shared/root", 0, 0, 0666);
	make_file_of("shared/mine", USER, USER, 0600);
	make_dir_of("shared/rootdir", 0, 0, 0777);
	make_dir_of("shared/mydir", USER, USER, 0777);
	make_file_of("shared/others", OTHER, OTHER, 0666);
	as_user(USER, USER);
	FAILS(unlink("shared/root"), EPERM);
	FAILS(unlink("shared/others"), EPERM);
	FAILS(rmdir("shared/rootdir"), EPERM);
	FAILS(rename("shared/root", "shared/x"), EPERM);
	FAILS(rename("shared/rootdir", "shared/x"), EPERM);
	FAILS(rename("shared/mine", "shared/root"), EPERM);
	WORKS(rename("shared/mine", "shared/own"));
	WORKS(unlink("shared/own"));
	WORKS(rmdir("shared/mydir"));
	as_user(OTHER, OTHER);
	WORKS(unlink("shared/root"));
	WORKS(rmdir("shared/rootdir"));
	WORKS(unlink("shared/others"));
	EQUAL(entries_of("shared"), 0);
}

/* The nlink of a directory stays right while many come and go. */
static void many(void)
{
	enum { COUNT = 300 };
	char path[32];
	unsigned i;

	make_dir("dir", 0755);
	for (i = 0; i < COUNT; i++) {
		(void)snprintf(path, sizeof(path), "dir/%u", i);
		NEED(mkdir(path, 0755));
	}
	EQUAL(links_of("dir"), COUNT + 2);
	EQUAL(entries_of("dir"), COUNT);
	for (i = 0; i < COUNT; i += 2) {
		(void)snprintf(path, sizeof(path), "dir/%u", i);
		NEED(rmdir(path));
	}
	EQUAL(links_of("dir"), COUNT / 2 + 2);
	EQUAL(entries_of("dir"), COUNT / 2);
	FAILS(rmdir("dir"), ENOTEMPTY);
}

static void nested(void)
{
	enum { LEVELS = 200 };
	unsigned i;

	for (i = 0; i < LEVELS; i++) {
		NEED(mkdir("d", 0755));
		NEED(chdir("d"));
	}
	EQUAL(links_of("."), 2);
	EQUAL(links_of(".."), 3);
	for (i = 0; i < LEVELS; i++) {
		NEED(chdir(".."));
		NEED(rmdir("d"));
	}
	EQUAL(links_of("."), 2);
	EQUAL(entries_of("."), 0);
}

const struct tap_case dir_cases[] = {
	{ "modes", modes },         { "what_is_made", what_is_made },
	{ "owners", owners },       { "not_empty", not_empty },
	{ "not_a_dir", not_a_dir }, { "removed_in_use", removed_in_use },
	{ "sticky", sticky },       { "many", many },
	{ "nested", nested },       { NULL, NULL },
};
