/* SPDX-License-Identifier: MIT */
/*
 * bridge.c - answers to the kernel: attributes, entries, error numbers.
 */
#include "bridge.h"

#include "base/clock.h"

#include <errno.h>
#include <sys/stat.h>

enum { BLOCK_LEN = 4096, SECTOR_LEN = 512 };

static struct timespec time_of(struct volume_time t)
{
	return (struct timespec){ .tv_sec = t.sec, .tv_nsec = t.nsec };
}

static void bridge_stat(const struct volume_attr *attr, struct stat *ret)
{
	*ret = (struct stat){
		.st_ino = attr->ino,
		.st_mode = attr->mode,
		.st_nlink = attr->nlink,
		.st_uid = attr->uid,
		.st_gid = attr->gid,
		.st_rdev = attr->rdev,
		.st_size = (off_t)attr->size,
		.st_blksize = BLOCK_LEN,
		.st_blocks = (blkcnt_t)((attr->allocated + SECTOR_LEN - 1) /
					SECTOR_LEN),
		.st_atim = time_of(attr->atime),
		.st_mtim = time_of(attr->mtime),
		.st_ctim = time_of(attr->ctime),
	};
}

/*
 * The kernel may hold data of a file that we have not seen, and asks us how
 * many blocks it has: tar -S takes none for one big hole, without looking. So a
 * file that was made or emptied a moment ago claims a block, for a moment.
 */
static bool may_be_filling(const struct volume_attr *attr)
{
	const int64_t moment = 60;

	return S_ISREG(attr->mode) && attr->size == 0 && attr->allocated == 0 &&
	       clock_real_ns() / 1000000000 - attr->ctime.sec < moment;
}

/* Fills in attributes; returns how long the kernel may trust them. */
static double stat_of(const struct volume_attr *attr, struct stat *ret)
{
	bridge_stat(attr, ret);
	if (!may_be_filling(attr))
		return BRIDGE_FOREVER;
	ret->st_blocks = 1;
	return BRIDGE_MOMENT;
}

void bridge_entry(const struct volume_attr *attr, struct fuse_entry_param *ret)
{
	*ret = (struct fuse_entry_param){
		.ino = attr->ino,
		.generation = attr->generation,
		.entry_timeout = BRIDGE_FOREVER,
	};
	ret->attr_timeout = stat_of(attr, &ret->attr);
}

/* What was damaged has been reported where it was found. */
static int errno_of(int rc)
{
	return rc == -EUCLEAN || rc == -EBADMSG ? EIO : -rc;
}

void answer_status(fuse_req_t req, int rc)
{
	(void)fuse_reply_err(req, errno_of(rc));
}

int bridge_inode_error(int rc)
{
	return rc == -ENOENT ? ESTALE : errno_of(rc);
}

void answer_inode_status(fuse_req_t req, int rc)
{
	(void)fuse_reply_err(req, bridge_inode_error(rc));
}

void answer_attr(fuse_req_t req, const struct volume_attr *attr)
{
	struct stat st;
	double timeout = stat_of(attr, &st);

	(void)fuse_reply_attr(req, &st, timeout);
}

/* The kernel is gone, or has given up the request: it will not forget what it
 * never learned of. */
static void take_back(struct volume *volume, int rc,
		      const struct volume_attr *attr)
{
	if (rc != 0)
		volume_forget(volume, attr->ino, 1);
}

void answer_entry(fuse_req_t req, const struct volume_attr *attr)
{
	struct volume *volume = volume_of(req);
	struct fuse_entry_param entry;

	bridge_entry(attr, &entry);
	take_back(volume, fuse_reply_entry(req, &entry), attr);
}

void answer_create(fuse_req_t req, const struct volume_attr *attr,
		   const struct fuse_file_info *fi)
{
	struct volume *volume = volume_of(req);
	struct fuse_entry_param entry;

	bridge_entry(attr, &entry);
	take_back(volume, fuse_reply_create(req, &entry, fi), attr);
}
