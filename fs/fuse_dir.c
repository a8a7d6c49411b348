/* SPDX-License-Identifier: MIT */
/*
 * fuse_dir.c - reading directories, with and without attributes.
 *
 * OPENDIR is refused with ENOSYS, which the kernel takes as leave to open
 * directories without asking and to cache what they list.
 */
#include "bridge.h"

#include "base/cleanup.h"
#include "volume/file.h"

#include <errno.h>
#include <linux/fuse.h>
#include <sys/stat.h>

static void dir_open(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	(void)ino;
	(void)fi;
	answer_status(req, -ENOSYS);
}

/* What one request may return. */
struct listing {
	fuse_req_t req;
	char *buf; /* owned */
	size_t len;
	size_t cap;
	bool plus;
};

/* libfuse takes names that end in NUL; the volume's do not. */
static size_t add(struct listing *l, const char *name,
		  const struct volume_attr *attr, uint64_t next)
{
	struct fuse_entry_param entry;

	bridge_entry(attr, &entry);
	if (l->plus)
		return fuse_add_direntry_plus(l->req, l->buf + l->len,
					      l->cap - l->len, name, &entry,
					      (off_t)next);
	return fuse_add_direntry(l->req, l->buf + l->len, l->cap - l->len, name,
				 &entry.attr, (off_t)next);
}

static bool add_entry(void *ctx, struct span name,
		      const struct volume_attr *attr, uint64_t next)
{
	struct listing *l = ctx;
	char text[VOLUME_NAME_MAX + 1];
	size_t len;

	memcpy(text, name.ptr, name.len);
	text[name.len] = '\0';
	len = add(l, text, attr, next);
	if (len > l->cap - l->len)
		return false;
	l->len += len;
	return true;
}

static bool is_dots(const struct fuse_dirent *entry, const char *name)
{
	return name[0] == '.' &&
	       (entry->namelen == 1 || (entry->namelen == 2 && name[1] == '.'));
}

/* The kernel never got this list: nobody will forget what it names. */
static void take_back(struct volume *volume, const struct listing *l)
{
	struct fuse_direntplus entry;
	size_t off = 0;

	while (off + sizeof(entry) <= l->len) {
		memcpy(&entry, l->buf + off, sizeof(entry));
		if (!is_dots(&entry.dirent, l->buf + off + sizeof(entry)))
			volume_forget(volume, entry.entry_out.nodeid, 1);
		off += FUSE_DIRENTPLUS_SIZE(&entry);
	}
}

static void list(fuse_req_t req, fuse_ino_t ino, struct listing *l,
		 uint64_t cookie)
{
	struct volume *volume = volume_of(req);
	AUTO_FREE char *buf = malloc(l->cap);
	int rc = -ENOMEM;

	l->req = req;
	l->buf = buf;
	if (buf)
		rc = volume_readdir(
			volume, ino, cookie,
			&(struct volume_lister){ l->plus, add_entry, l });
	if (rc < 0 && l->len == 0) {
		answer_inode_status(req, rc);
		return;
	}
	if (!wire_no_access())
		(void)volume_accessed(volume, ino);
	if (fuse_reply_buf(req, l->buf, l->len) != 0 && l->plus)
		take_back(volume, l);
}

static void dir_read(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off,
		     struct fuse_file_info *fi)
{
	struct listing l = { .cap = size };

	(void)fi;
	list(req, ino, &l, (uint64_t)off);
}

static void dir_read_plus(fuse_req_t req, fuse_ino_t ino, size_t size,
			  off_t off, struct fuse_file_info *fi)
{
	struct listing l = { .cap = size, .plus = true };

	(void)fi;
	list(req, ino, &l, (uint64_t)off);
}

static void dir_fsync(fuse_req_t req, fuse_ino_t ino, int datasync,
		      struct fuse_file_info *fi)
{
	(void)datasync;
	(void)fi;
	answer_inode_status(req, file_fsync(volume_of(req), ino));
}

void dir_ops(struct fuse_lowlevel_ops *ops)
{
	ops->opendir = dir_open;
	ops->readdir = dir_read;
	ops->readdirplus = dir_read_plus;
	ops->fsyncdir = dir_fsync;
}
