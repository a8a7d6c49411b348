/* SPDX-License-Identifier: MIT */
/*
 * fuse_node.c - operations on names and attributes: unpack, one call of the
 * volume, answer.
 */
#include "bridge.h"

#include "refusals.h"

#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- lookup and forget ---------------------------------------------------- */

/* A name that does not exist is worth remembering, too. */
static void answer_negative(fuse_req_t req)
{
	const struct fuse_entry_param entry = {
		.entry_timeout = BRIDGE_FOREVER,
	};

	(void)fuse_reply_entry(req, &entry);
}

static void node_lookup(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	struct volume_attr attr;
	int rc = volume_lookup(volume_of(req), parent, name_of(name), &attr);

	if (rc == 0)
		answer_entry(req, &attr);
	else if (rc == -ENOENT && name[0] == '.' &&
		 (name[1] == '\0' || (name[1] == '.' && name[2] == '\0')))
		answer_inode_status(req, rc); /* of a file handle */
	else if (rc == -ENOENT)
		answer_negative(req);
	else
		answer_status(req, rc);
}

static void node_forget(fuse_req_t req, fuse_ino_t ino, uint64_t n)
{
	volume_forget(volume_of(req), ino, n);
	fuse_reply_none(req);
}

static void node_forget_multi(fuse_req_t req, size_t count,
			      struct fuse_forget_data *forgets)
{
	size_t i;

	for (i = 0; i < count; i++)
		volume_forget(volume_of(req), forgets[i].ino,
			      forgets[i].nlookup);
	fuse_reply_none(req);
}

/* ---- attributes ----------------------------------------------------------- */

static void node_getattr(fuse_req_t req, fuse_ino_t ino,
			 struct fuse_file_info *fi)
{
	struct volume_attr attr;
	/* With an open file: the kernel is about to write to it, or to read. */
	int rc = fi ? refusals_take(bridge_of(req)->refusals, ino) : 0;

	if (rc == 0)
		rc = volume_getattr(volume_of(req), ino, &attr);
	if (rc < 0)
		answer_inode_status(req, rc);
	else
		answer_attr(req, &attr);
}

/*
 * Asked only where the kernel does not check permissions, and only root enters.
 * Root may do all but execute what nobody may, which the kernel knows when it
 * executes, and not when it is asked by access(2).
 */
static void node_access(fuse_req_t req, fuse_ino_t ino, int mask)
{
	struct volume_attr attr;
	int rc = volume_getattr(volume_of(req), ino, &attr);

	if (rc == 0 && (mask & X_OK) && !S_ISDIR(attr.mode) &&
	    !(attr.mode & (S_IXUSR | S_IXGRP | S_IXOTH)))
		rc = -EACCES;
	answer_inode_status(req, rc);
}

static struct volume_time time_of(const struct timespec *t)
{
	return (struct volume_time){
		.sec = t->tv_sec,
		.nsec = (uint32_t)t->tv_nsec,
	};
}

static unsigned set_mask(int to_set)
{
	static const struct {
		int fuse;
		unsigned volume;
	} bits[] = {
		{ FUSE_SET_ATTR_MODE, SET_MODE },
		{ FUSE_SET_ATTR_UID, SET_UID },
		{ FUSE_SET_ATTR_GID, SET_GID },
		{ FUSE_SET_ATTR_SIZE, SET_SIZE },
		{ FUSE_SET_ATTR_ATIME, SET_ATIME },
		{ FUSE_SET_ATTR_MTIME, SET_MTIME },
		{ FUSE_SET_ATTR_CTIME, SET_CTIME },
		{ FUSE_SET_ATTR_ATIME_NOW, SET_ATIME_NOW },
		{ FUSE_SET_ATTR_MTIME_NOW, SET_MTIME_NOW },
	};
	unsigned mask = 0;
	size_t i;

	for (i = 0; i < ARRAY_LEN(bits); i++) {
		if (to_set & bits[i].fuse)
			mask |= bits[i].volume;
	}
	/* A new owner never inherits the old one's powers; the kernel leaves
	 * that to us, and asks for nothing else when nothing else changes. */
	if (mask & (SET_UID | SET_GID) || mask == 0 || wire_kill_priv())
		mask |= SET_KILL_PRIV;
	/* "Now" is the kernel's flag beside the plain one. */
	if (mask & SET_ATIME_NOW)
		mask &= ~(unsigned)SET_ATIME;
	if (mask & SET_MTIME_NOW)
		mask &= ~(unsigned)SET_MTIME;
	return mask;
}

static void node_setattr(fuse_req_t req, fuse_ino_t ino, struct stat *st,
			 int to_set, struct fuse_file_info *fi)
{
	const struct volume_attr wanted = {
		.mode = st->st_mode,
		.uid = st->st_uid,
		.gid = st->st_gid,
		.size = (uint64_t)st->st_size,
		.atime = time_of(&st->st_atim),
		.mtime = time_of(&st->st_mtim),
		.ctime = time_of(&st->st_ctim),
	};
	struct volume_attr attr;
	int rc = volume_setattr(volume_of(req), ino, set_mask(to_set), &wanted,
				&attr);

	(void)fi;
	if (rc < 0)
		answer_inode_status(req, rc);
	else
		answer_attr(req, &attr);
}

/* ---- making --------------------------------------------------------------- */

/* Who asks, and what for; the target is added by the caller. */
static struct volume_new new_of(fuse_req_t req, mode_t mode)
{
	const struct fuse_ctx *ctx = fuse_req_ctx(req);

	return (struct volume_new){
		.mode = mode,
		.umask = ctx->umask,
		.uid = ctx->uid,
		.gid = ctx->gid,
	};
}

static void make(fuse_req_t req, fuse_ino_t parent, const char *name,
		 const struct volume_new *what)
{
	struct volume_attr attr;
	int rc =
		volume_make(volume_of(req), parent, name_of(name), what, &attr);

	if (rc < 0)
		answer_status(req, rc);
	else
		answer_entry(req, &attr);
}

static void node_mknod(fuse_req_t req, fuse_ino_t parent, const char *name,
		       mode_t mode, dev_t rdev)
{
	struct volume_new what = new_of(req, mode);

	what.rdev = rdev;
	make(req, parent, name, &what);
}

static void node_mkdir(fuse_req_t req, fuse_ino_t parent, const char *name,
		       mode_t mode)
{
	struct volume_new what =
		new_of(req, (mode & ~(mode_t)S_IFMT) | S_IFDIR);

	make(req, parent, name, &what);
}

static void node_symlink(fuse_req_t req, const char *target, fuse_ino_t parent,
			 const char *name)
{
	struct volume_new what = new_of(req, S_IFLNK | 0777);

	what.target = name_of(target);
	make(req, parent, name, &what);
}

static void node_create(fuse_req_t req, fuse_ino_t parent, const char *name,
			mode_t mode, struct fuse_file_info *fi)
{
	struct volume_new what =
		new_of(req, (mode & ~(mode_t)S_IFMT) | S_IFREG);
	struct volume_attr attr;
	int rc = volume_make(volume_of(req), parent, name_of(name), &what,
			     &attr);

	if (rc < 0) {
		answer_status(req, rc);
		return;
	}
	fi->keep_cache = 1;
	answer_create(req, &attr, fi);
}

static void node_readlink(fuse_req_t req, fuse_ino_t ino)
{
	char target[VOLUME_SYMLINK_MAX + 1];
	ssize_t n = volume_readlink(volume_of(req), ino, target,
				    sizeof(target) - 1);

	if (n < 0) {
		answer_inode_status(req, (int)n);
		return;
	}
	(void)volume_accessed(volume_of(req), ino);
	target[n] = '\0';
	(void)fuse_reply_readlink(req, target);
}

static void node_link(fuse_req_t req, fuse_ino_t ino, fuse_ino_t parent,
		      const char *name)
{
	struct volume_attr attr;
	int rc = volume_link(volume_of(req), ino, parent, name_of(name), &attr);

	if (rc < 0)
		answer_status(req, rc);
	else
		answer_entry(req, &attr);
}

/* ---- removing and renaming ------------------------------------------------ */

static void node_unlink(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	answer_status(req,
		      volume_unlink(volume_of(req), parent, name_of(name)));
}

static void node_rmdir(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	answer_status(req, volume_rmdir(volume_of(req), parent, name_of(name)));
}

/* fuse's own order: from here to there. */
/* NOLINTNEXTLINE(readability-function-size): as libfuse calls it */
static void node_rename(fuse_req_t req, fuse_ino_t parent, const char *name,
			fuse_ino_t new_parent, const char *new_name,
			unsigned flags)
{
	const struct volume_place from = { parent, name_of(name) };
	const struct volume_place to = { new_parent, name_of(new_name) };

	/* As overlayfs knows it: device 0:0, for nobody to open. */
	const struct volume_new whiteout = new_of(req, S_IFCHR);

	answer_status(req, volume_rename(volume_of(req), &from, &to, flags,
					 &whiteout));
}

/* ---- the whole ------------------------------------------------------------ */

static void node_statfs(fuse_req_t req, fuse_ino_t ino)
{
	enum { BLOCK_LEN = 4096 };
	struct volume_stat stat;
	struct statvfs vfs = { 0 };
	int rc = volume_statfs(volume_of(req), &stat);

	(void)ino;
	if (rc < 0) {
		answer_status(req, rc);
		return;
	}
	vfs.f_bsize = BLOCK_LEN;
	vfs.f_frsize = BLOCK_LEN;
	vfs.f_blocks = stat.total_len / BLOCK_LEN;
	vfs.f_bfree = stat.free_len / BLOCK_LEN;
	vfs.f_bavail = vfs.f_bfree;
	/* Inodes take what space there is: as many as there are blocks. */
	vfs.f_ffree = vfs.f_bfree;
	vfs.f_favail = vfs.f_bfree;
	vfs.f_files = stat.n_inodes + vfs.f_ffree;
	vfs.f_namemax = VOLUME_NAME_MAX;
	(void)fuse_reply_statfs(req, &vfs);
}

void node_ops(struct fuse_lowlevel_ops *ops)
{
	ops->lookup = node_lookup;
	ops->forget = node_forget;
	ops->forget_multi = node_forget_multi;
	ops->getattr = node_getattr;
	ops->access = node_access;
	ops->setattr = node_setattr;
	ops->mknod = node_mknod;
	ops->mkdir = node_mkdir;
	ops->symlink = node_symlink;
	ops->create = node_create;
	ops->readlink = node_readlink;
	ops->link = node_link;
	ops->unlink = node_unlink;
	ops->rmdir = node_rmdir;
	ops->rename = node_rename;
	ops->statfs = node_statfs;
}
