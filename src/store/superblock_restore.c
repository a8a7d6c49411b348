/* SPDX-License-Identifier: MIT */
/*
 * superblock_restore.c - asks all segments whose they are.
 */
#include "store/superblock_restore.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/io.h"
#include "base/report.h"
#include "store/segment.h"
#include "store/state.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>

enum { BAD_MAX = 1000, NS_PER_S = 1000000000 };

static_assert((int)SEGMENT_UUID_LEN == (int)SUPERBLOCK_UUID_LEN, "one uuid");

struct asking {
	int log_fd;
	uint64_t n_told; /* headers that make sense */
	uint8_t uuid[SUPERBLOCK_UUID_LEN];
};

/* One whose header is damaged has nothing to tell; replay will say so. */
static int ask(void *ctx, const char *name)
{
	struct asking *a = ctx;
	uint8_t bytes[SEGMENT_HEADER_LEN];
	struct segment_header h;
	AUTO_CLOSE int fd = -1;
	ssize_t n;

	if (segment_number(name) == 0)
		return 0;
	fd = io_open(a->log_fd, name, O_RDONLY, 0);
	if (fd < 0)
		return fd;
	n = io_pread(fd, bytes, sizeof(bytes), 0);
	if (n < 0)
		return (int)n;
	if (segment_header_get(span_of(bytes, (size_t)n), &h) < 0)
		return 0;
	if (a->n_told > 0 && memcmp(a->uuid, h.uuid, sizeof(a->uuid)) != 0)
		return corrupt("the segments in '%s' are of several stores",
			       STORE_LOG_DIR);
	memcpy(a->uuid, h.uuid, sizeof(a->uuid));
	a->n_told++;
	return 0;
}

static int ask_all(int dir_fd, struct superblock *ret)
{
	AUTO_CLOSE int log_fd =
		io_open(dir_fd, STORE_LOG_DIR, O_RDONLY | O_DIRECTORY, 0);
	struct asking a = { .log_fd = log_fd };
	int rc = log_fd < 0 ? log_fd : io_list(log_fd, ask, &a);

	if (rc < 0)
		return rc;
	if (a.n_told == 0)
		return corrupt("no segment tells whose it is");
	*ret = (struct superblock){
		.created = clock_real_ns() / NS_PER_S,
	};
	memcpy(ret->uuid, a.uuid, sizeof(ret->uuid));
	return 0;
}

/* A damaged one may still tell a person something. */
static int put_aside(int dir_fd)
{
	char to[sizeof(SUPERBLOCK_NAME) + 16];
	unsigned n;
	int rc = -EEXIST;

	for (n = 1; rc == -EEXIST && n <= BAD_MAX; n++) {
		(void)snprintf(to, sizeof(to), SUPERBLOCK_NAME ".bad-%u", n);
		rc = io_rename_new(dir_fd, SUPERBLOCK_NAME, to);
	}
	if (rc == 0)
		report_warn("the damaged superblock is kept as '%s'", to);
	return rc == -ENOENT ? 0 : rc;
}

/* A file that an earlier attempt has left would be in the way. */
static int replace(int dir_fd, const struct superblock *sb)
{
	int rc = io_unlink(dir_fd, SUPERBLOCK_NEW_NAME);

	if (rc == 0 || rc == -ENOENT)
		rc = put_aside(dir_fd);
	if (rc == 0)
		rc = superblock_write(dir_fd, sb);
	return rc == 0 ? io_fsync(dir_fd) : rc;
}

int superblock_restore(const char *path, bool only_look, struct superblock *ret)
{
	AUTO_FREE char *real = realpath(path, NULL);
	AUTO_CLOSE int dir_fd = -1;
	AUTO_CLOSE int lock_fd = -1;
	int rc;

	if (!real)
		return errno == ENOMEM ? -ENOMEM : -ENOENT;
	dir_fd = io_open(AT_FDCWD, real, O_RDONLY | O_DIRECTORY, 0);
	rc = dir_fd < 0 ? dir_fd : superblock_read(dir_fd, ret);
	if (dir_fd < 0 || (rc != -ENOENT && rc != -EUCLEAN))
		return rc;
	rc = ask_all(dir_fd, ret);
	if (rc < 0 || only_look)
		return rc < 0 ? rc : 1;
	lock_fd = io_open(dir_fd, STORE_LOCK_NAME, O_RDWR | O_CREAT, 0600);
	rc = lock_fd < 0 ? lock_fd : io_lock(lock_fd);
	if (rc == 0)
		rc = replace(dir_fd, ret);
	return rc < 0 ? rc : 1;
}
