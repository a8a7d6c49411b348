/* SPDX-License-Identifier: MIT */
/* symlink.c - symbolic links. */
#include "families.h"

#include "bed.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void lengths(void)
{
	static const size_t lens[] = { 1,    2,    15,   16,   59,   60,
				       61,   127,  255,  256,  1000, 1023,
				       1024, 2048, 4000, 4094, 4095 };
	char buf[PATH_LEN_MAX];
	size_t i;

	for (i = 0; i < ARRAY_LEN(lens); i++) {
		char *target = repeat('t', lens[i]);

		about("target of %zu bytes", lens[i]);
		NEED(symlink(target, "link"));
		EQUAL(size_of("link"), (long long)lens[i]);
		EQUAL(readlink("link", buf, sizeof(buf)), (long long)lens[i]);
		HOLDS(memcmp(buf, target, lens[i]) == 0);
		NEED(unlink("link"));
		free(target);
	}
}

static void refused(void)
{
	char *target = repeat('t', PATH_LEN_MAX);
	char buf[16];

	make_file("file", 0644);
	make_dir("dir", 0755);
	FAILS(symlink(target, "link"), ENAMETOOLONG);
	FAILS(symlink("", "link"), ENOENT);
	FAILS(symlink("x", "file"), EEXIST);
	FAILS(symlink("x", "dir"), EEXIST);
	FAILS(readlink("file", buf, sizeof(buf)), EINVAL);
	FAILS(readlink("dir", buf, sizeof(buf)), EINVAL);
	HOLDS(!is_there("link"));
	NEED(symlink("file", "link"));
	FAILS(readlink("link", buf, 0), EINVAL);
	free(target);
}

/* What does not fit is cut off. */
static void cut_off(void)
{
	char buf[16] = "................";

	NEED(symlink("0123456789", "link"));
	EQUAL(readlink("link", buf, 4), 4);
	HOLDS(memcmp(buf, "0123....", 8) == 0);
	EQUAL(readlink("link", buf, 10), 10);
	EQUAL(readlink("link", buf, 11), 10);
	HOLDS(memcmp(buf, "0123456789......", 16) == 0);
}

static void what_it_is(void)
{
	(void)umask(077);
	NEED(symlink("target", "link"));
	EQUAL(type_of("link"), S_IFLNK);
	EQUAL(mode_of("link"), 0777);
	EQUAL(links_of("link"), 1);
	EQUAL(size_of("link"), 6);
	EQUAL(owner_of("link"), 0);
	FAILS(access("link", F_OK), ENOENT);
	make_file_with("target", "content");
	WORKS(access("link", F_OK));
	HOLDS(reads_as("link", "content"));
	WORKS(lchown("link", USER, GROUP));
	EQUAL(owner_of("link"), USER);
	EQUAL(group_of("link"), GROUP);
	EQUAL(owner_of("target"), 0);
	WORKS(chown("link", OTHER, OTHER));
	EQUAL(owner_of("link"), USER);
	EQUAL(owner_of("target"), OTHER);
	WORKS(chmod("link", 0640));
	EQUAL(mode_of("link"), 0777);
	EQUAL(mode_of("target"), 0640);
	FAILS(fchmodat(AT_FDCWD, "link", 0600, AT_SYMLINK_NOFOLLOW),
	      EOPNOTSUPP);
	WORKS(unlink("link"));
	HOLDS(is_there("target"));
}

static void followed(void)
{
	make_dir("dir", 0755);
	make_file_with("dir/file", "in dir");
	NEED(symlink("dir", "link"));
	NEED(symlink("../dir/file", "dir/up"));
	NEED(symlink("link/file", "through"));
	NEED(symlink(".", "dot"));
	HOLDS(reads_as("link/file", "in dir"));
	HOLDS(reads_as("dir/up", "in dir"));
	HOLDS(reads_as("link/up", "in dir"));
	HOLDS(reads_as("through", "in dir"));
	HOLDS(reads_as("dot/dot/dot/through", "in dir"));
	EQUAL(ino_of("link/."), ino_of("dir"));
	EQUAL(ino_of("link/.."), ino_of("."));
	WORKS(mkdir("link/sub", 0755));
	HOLDS(is_there("dir/sub"));
	WORKS(truncate("through", 2));
	HOLDS(reads_as("dir/file", "in"));
	/* A file is made where a dangling link points to. */
	NEED(symlink("dir/new", "made"));
	WORKS(open_file("made", O_WRONLY | O_CREAT));
	HOLDS(is_there("dir/new"));
	FAILS(open_file("made", O_WRONLY | O_CREAT | O_EXCL), EEXIST);
}

static void loops(void)
{
	char name[16];
	char target[16];
	unsigned i;

	make_file_with("0", "end");
	for (i = 1; i <= 41; i++) {
		(void)snprintf(name, sizeof(name), "%u", i);
		(void)snprintf(target, sizeof(target), "%u", i - 1);
		NEED(symlink(target, name));
	}
	HOLDS(reads_as("1", "end"));
	HOLDS(reads_as("39", "end"));
	HOLDS(reads_as("40", "end"));
	FAILS(access("41", F_OK), ELOOP);
	FAILS(open_file("41", O_RDONLY), ELOOP);
	NEED(symlink("self", "self"));
	FAILS(access("self", F_OK), ELOOP);
	FAILS(open_file("self", O_RDONLY | O_CREAT), ELOOP);
	FAILS(truncate("self", 0), ELOOP);
	FAILS(open_file("1", O_RDONLY | O_NOFOLLOW), ELOOP);
	FAILS(open_file("1", O_RDONLY | O_NOFOLLOW | O_DIRECTORY), ENOTDIR);
	WORKS(open_file("1", O_PATH | O_NOFOLLOW));
	WORKS(unlink("self"));
}

/* A link cannot be searched by who must not. */
static void permissions(void)
{
	make_dir("closed", 0700);
	make_file_with("closed/file", "secret");
	NEED(symlink("closed/file", "link"));
	as_user(USER, USER);
	FAILS(faccessat(AT_FDCWD, "link", F_OK, AT_EACCESS), EACCES);
	FAILS(open_file("link", O_RDONLY), EACCES);
	EQUAL(type_of("link"), S_IFLNK);
	EQUAL(size_of("link"), 11);
}

const struct tap_case symlink_cases[] = {
	{ "lengths", lengths },         { "refused", refused },
	{ "cut_off", cut_off },         { "what_it_is", what_it_is },
	{ "followed", followed },       { "loops", loops },
	{ "permissions", permissions }, { NULL, NULL },
};
