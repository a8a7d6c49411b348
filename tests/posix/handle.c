/* SPDX-License-Identifier: MIT */
/* handle.c - file handles: the same file ever after, or none. */
#include "families.h"

#include "bed.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct handle {
	struct file_handle head;
	unsigned char bytes[MAX_HANDLE_SZ];
};

static struct handle handle_of(const char *path)
{
	struct handle h = { .head.handle_bytes = MAX_HANDLE_SZ };
	int mount_id;

	tap_need(path,
		 name_to_handle_at(AT_FDCWD, path, &h.head, &mount_id, 0));
	return h;
}

static int open_handle(struct handle *h, int flags)
{
	int dir = open_file(".", O_RDONLY | O_DIRECTORY);
	int fd = open_by_handle_at(dir, &h->head, flags | O_CLOEXEC);
	int error = errno;

	(void)close(dir);
	errno = error;
	return fd;
}

/* The number of the inode it opens; -1. */
static long long opens(struct handle *h)
{
	struct stat st;
	int fd = open_handle(h, O_PATH);
	long long ino =
		fd >= 0 && fstat(fd, &st) == 0 ? (long long)st.st_ino : -1;

	if (fd >= 0)
		(void)close(fd);
	return ino;
}

static bool same_handle(const struct handle *a, const struct handle *b)
{
	return a->head.handle_type == b->head.handle_type &&
	       a->head.handle_bytes == b->head.handle_bytes &&
	       memcmp(a->bytes, b->bytes, a->head.handle_bytes) == 0;
}

static void same_file(void)
{
	struct handle file;
	struct handle linked;
	struct handle dir;
	char buf[8];
	int fd;

	make_file_with("file", "text");
	make_dir("dir", 0755);
	NEED(link("file", "dir/linked"));
	file = handle_of("file");
	linked = handle_of("dir/linked");
	dir = handle_of("dir");
	HOLDS(same_handle(&file, &linked));
	HOLDS(!same_handle(&file, &dir));
	EQUAL(opens(&file), ino_of("file"));
	EQUAL(opens(&dir), ino_of("dir"));
	NEED(fd = open_handle(&file, O_RDWR));
	EQUAL(read(fd, buf, sizeof(buf)), 4);
	EQUAL(write(fd, "!", 1), 1);
	HOLDS(reads_as("dir/linked", "text!"));
	NEED(rename("file", "dir/moved"));
	NEED(unlink("dir/linked"));
	EQUAL(opens(&file), ino_of("dir/moved"));
	NEED(rename("dir", "other"));
	EQUAL(opens(&dir), ino_of("other"));
	EQUAL(opens(&file), ino_of("other/moved"));
	NEED(fd = open_handle(&dir, O_RDONLY | O_DIRECTORY));
	WORKS(mkdirat(fd, "sub", 0755));
	HOLDS(is_there("other/sub"));
}

/* Never another file, though numbers or names may be used again. */
static void removed(void)
{
	struct handle h[20];
	char name[16];
	unsigned n_wrong = 0;
	unsigned i;

	for (i = 0; i < ARRAY_LEN(h); i++) {
		(void)snprintf(name, sizeof(name), "file%u", i);
		make_file(name, 0644);
		h[i] = handle_of(name);
		NEED(unlink(name));
	}
	for (i = 0; i < 200; i++) {
		(void)snprintf(name, sizeof(name), "file%u", i);
		make_file(name, 0644);
	}
	for (i = 0; i < ARRAY_LEN(h); i++) {
		about("handle %u", i);
		FAILS(open_handle(&h[i], O_RDONLY), ESTALE);
	}
	about(NULL);
	for (i = 0; i < ARRAY_LEN(h); i++) {
		struct handle now;

		(void)snprintf(name, sizeof(name), "file%u", i);
		now = handle_of(name);
		n_wrong += same_handle(&now, &h[i]);
		n_wrong += opens(&now) != ino_of(name);
	}
	EQUAL(n_wrong, 0);
}

/* A file without a name that is still open has a handle that works. */
static void unlinked_open(void)
{
	struct handle h;
	struct stat st;
	int fd;

	make_file_with("file", "text");
	NEED(fd = open_file("file", O_RDONLY));
	h = handle_of("file");
	NEED(unlink("file"));
	NEED(fstat(fd, &st));
	EQUAL(opens(&h), (long long)st.st_ino);
	NEED(close(fd));
	FAILS(open_handle(&h, O_RDONLY), ESTALE);
}

static void refused(void)
{
	struct handle h;
	struct handle small = { .head.handle_bytes = 0 };
	int mount_id;

	make_file("file", 0644);
	FAILS(name_to_handle_at(AT_FDCWD, "file", &small.head, &mount_id, 0),
	      EOVERFLOW);
	HOLDS(small.head.handle_bytes > 0);
	h = handle_of("file");
	h.head.handle_bytes = 0;
	FAILS(open_handle(&h, O_RDONLY), EINVAL);
	h = handle_of("file");
	memset(h.bytes, 0xa5, h.head.handle_bytes);
	FAILS(open_handle(&h, O_RDONLY), ESTALE);
	h = handle_of("file");
	NEED(chmod(".", 0777));
	as_user(USER, USER);
	FAILS(open_handle(&h, O_RDONLY), EPERM);
}

const struct tap_case handle_cases[] = {
	{ "same_file", same_file },
	{ "removed", removed },
	{ "unlinked_open", unlinked_open },
	{ "refused", refused },
	{ NULL, NULL },
};
