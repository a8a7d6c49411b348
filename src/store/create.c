/* SPDX-License-Identifier: MIT */
/*
 * create.c - makes a store: its superblock comes last, by a rename.
 */
#include "store/state.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/io.h"

#include <fcntl.h>
#include <stdio.h>

enum { NS_PER_S = 1000000000 };

/* What is there beside what may be: -EEXIST outweighs -ENOTEMPTY. */
static int judge_entry(void *ctx, const char *name)
{
	int *worst = ctx;

	if (strcmp(name, SUPERBLOCK_NAME) == 0)
		*worst = -EEXIST;
	else if (strcmp(name, "lost+found") != 0 && *worst == 0)
		*worst = -ENOTEMPTY;
	return 0;
}

/* -EEXIST: a store; -ENOTEMPTY: something else. */
static int check_empty(int dir_fd)
{
	int worst = 0;
	int rc = io_list(dir_fd, judge_entry, &worst);

	return rc < 0 ? rc : worst;
}

static int make_superblock(const struct store_create_options *options,
			   struct superblock *ret)
{
	const char *label = options->label ? options->label : "";
	int rc = superblock_check_label(label);

	*ret = (struct superblock){
		.created = clock_real_ns() / NS_PER_S,
	};
	if (rc < 0)
		return rc;
	memcpy(ret->label, label, strlen(label) + 1);
	rc = io_random(ret->uuid, sizeof(ret->uuid));
	/* RFC 4122, version 4. */
	ret->uuid[6] = (uint8_t)((ret->uuid[6] & 0x0f) | 0x40);
	ret->uuid[8] = (uint8_t)((ret->uuid[8] & 0x3f) | 0x80);
	return rc;
}

/* A name that is not there is fine. */
static void undo(const char *path, int dir_fd, bool made)
{
	if (dir_fd >= 0) {
		(void)io_unlink(dir_fd, SUPERBLOCK_NAME);
		(void)io_unlink(dir_fd, STORE_LOCK_NAME);
		(void)io_rmdir(dir_fd, STORE_LOG_DIR);
	}
	if (made)
		(void)io_rmdir(AT_FDCWD, path);
}

/* The directory's own entry. */
static int sync_parent(const char *path)
{
	AUTO_FREE char *parent = NULL;
	AUTO_CLOSE int fd = -1;

	if (asprintf(&parent, "%s/..", path) < 0) {
		parent = NULL;
		return -ENOMEM;
	}
	fd = io_open(AT_FDCWD, parent, O_RDONLY | O_DIRECTORY, 0);
	return fd < 0 ? fd : io_fsync(fd);
}

/* It is there from the beginning, so that who only reads makes no file. */
static int make_lock(int dir_fd)
{
	AUTO_CLOSE int fd = io_open(dir_fd, STORE_LOCK_NAME,
				    O_RDWR | O_CREAT | O_EXCL, 0600);

	return fd < 0 ? fd : 0;
}

static int fill_dir(const char *path, int dir_fd, const struct superblock *sb)
{
	int rc = make_lock(dir_fd);

	if (rc == 0)
		rc = superblock_write(dir_fd, sb);
	if (rc == 0)
		rc = io_fsync(dir_fd);
	return rc == 0 ? sync_parent(path) : rc;
}

int store_create(const char *path, const struct store_create_options *options)
{
	AUTO_CLOSE int dir_fd = -1;
	struct superblock sb;
	bool ours = false; /* what is in the directory */
	bool made;
	int rc = make_superblock(options, &sb);

	if (rc < 0)
		return rc;
	rc = io_mkdir(AT_FDCWD, path, 0700);
	made = rc == 0;
	if (rc < 0 && rc != -EEXIST)
		return rc;
	dir_fd = io_open(AT_FDCWD, path, O_RDONLY | O_DIRECTORY, 0);
	rc = dir_fd < 0 ? dir_fd : check_empty(dir_fd);
	/* Of two who find it empty, one gets past this. */
	if (rc == 0)
		rc = io_mkdir(dir_fd, STORE_LOG_DIR, 0700);
	ours = rc == 0;
	if (rc == 0)
		rc = fill_dir(path, dir_fd, &sb);
	if (rc < 0 && (made || ours))
		undo(path, ours ? dir_fd : -1, made);
	return rc;
}
