/* SPDX-License-Identifier: MIT */
/* setattr.c - attributes of an inode: telling and setting them. */
#include "volume/acl_xattr.h"
#include "volume/data.h"
#include "volume/inodes.h"
#include "volume/volume_impl.h"
#include "volume/xattr.h"

#include <sys/stat.h>

enum { MODE_BITS = 07777 };

#define SET_TIMES \
 (SET_ATIME | SET_MTIME | SET_CTIME | SET_ATIME_NOW | SET_MTIME_NOW)

/* What is set in one transaction; the size has its own. */
#define SET_PLAIN (SET_MODE | SET_UID | SET_GID | SET_TIMES | SET_KILL_PRIV)

#define CAPABILITY_NAME "security.capability"

int volume_getattr(struct volume *v, uint64_t ino, struct volume_attr *ret)
{
	struct inode *inode;
	int rc = inode_get(v, ino, &inode);

	if (rc)
		return rc;
	inode_attr(inode, ret);
	inode_put(v, inode);
	return 0;
}

static bool time_valid(struct volume_time t)
{
	return t.nsec < 1000000000;
}

static int check_set(unsigned mask, const struct volume_attr *attr)
{
	if (((mask & SET_ATIME) && !time_valid(attr->atime)) ||
	    ((mask & SET_MTIME) && !time_valid(attr->mtime)) ||
	    ((mask & SET_CTIME) && !time_valid(attr->ctime)))
		return -EINVAL;
	return 0;
}

static void set_times(struct volume_attr *attr, unsigned mask,
		      const struct volume_attr *to)
{
	/* Whoever says when the change was has one moment for all of it. */
	struct volume_time now = mask & SET_CTIME ? to->ctime : volume_now();

	if (mask & SET_ATIME)
		attr->atime = to->atime;
	if (mask & SET_ATIME_NOW)
		attr->atime = now;
	if (mask & SET_MTIME)
		attr->mtime = to->mtime;
	if (mask & SET_MTIME_NOW)
		attr->mtime = now;
	attr->ctime = now;
}

/* What a write or a change of owner takes away from a program. */
static void kill_mode(struct volume_attr *attr)
{
	if (S_ISDIR(attr->mode))
		return;
	attr->mode &= ~(uint32_t)S_ISUID;
	if (attr->mode & S_IXGRP)
		attr->mode &= ~(uint32_t)S_ISGID;
}

static void set_locked(struct inode *inode, unsigned mask,
		       const struct volume_attr *to) REQUIRES(inode->lock)
{
	struct volume_attr *attr = &inode->image.attr;

	if (mask & SET_MODE)
		attr->mode = (attr->mode & S_IFMT) | (to->mode & MODE_BITS);
	if (mask & SET_UID)
		attr->uid = to->uid;
	if (mask & SET_GID)
		attr->gid = to->gid;
	if (mask & SET_KILL_PRIV)
		kill_mode(attr);
	set_times(attr, mask, to);
}

/* Sets all but the size, in one transaction. */
static int set_plain(struct volume *v, struct inode *inode, unsigned mask,
		     const struct volume_attr *to)
{
	int rc = txn_begin(v->store);

	if (rc)
		return rc;
	if (mask & SET_KILL_PRIV) {
		rc = xattr_remove(
			v, inode,
			span_of(CAPABILITY_NAME, sizeof(CAPABILITY_NAME) - 1));
		rc = rc < 0 ? rc : 0;
	}
	if (!rc && (mask & SET_MODE))
		rc = acl_xattr_chmod(v, inode, to->mode);
	if (!rc) {
		sync_lock(&inode->lock);
		set_locked(inode, mask, to);
		inode_changed(v, inode);
		sync_unlock(&inode->lock);
	}
	inodes_txn_end(v);
	return rc;
}

int volume_setattr(struct volume *v, uint64_t ino, unsigned mask,
		   const struct volume_attr *attr, struct volume_attr *ret)
{
	struct volume_attr to = *attr;
	struct inode *inode;
	int rc = check_set(mask, &to);

	if (!rc)
		rc = inode_get(v, ino, &inode);
	if (rc)
		return rc;
	if (mask & SET_SIZE)
		rc = file_resize(v, inode, to.size);
	if (!rc && (mask & SET_PLAIN))
		rc = set_plain(v, inode, mask, &to);
	if (!rc)
		inode_attr(inode, ret);
	inode_put(v, inode);
	return rc;
}
