/* SPDX-License-Identifier: MIT */
/*
 * dir.c - names: looking up, making, linking, removing.
 *
 * Each operation checks everything under INDEX before it logs anything, so what
 * fails has changed nothing. A failure of txn_op() fails the store.
 */
#include "volume/dir.h"

#include "base/error.h"
#include "volume/acl.h"
#include "volume/acl_xattr.h"
#include "volume/data.h"
#include "volume/policy_xattr.h"
#include "volume/volume_impl.h"
#include "volume/xattr.h"

#include <sys/stat.h>

enum {
	DIR_SIZE = 4096, /* as ext4 shows a small one */
};

/* ---- shared ------------------------------------------------------------------- */

int dir_check_name(struct span name)
{
	if (name.len == 0)
		return -ENOENT;
	if (name.len > VOLUME_NAME_MAX)
		return -ENAMETOOLONG;
	if (memchr(name.ptr, '/', name.len) || memchr(name.ptr, '\0', name.len))
		return -EINVAL;
	return 0;
}

bool dir_name_is(struct span name, const char *text)
{
	size_t len = strlen(text);

	return name.len == len && memcmp(name.ptr, text, len) == 0;
}

bool dir_name_is_dots(struct span name)
{
	return dir_name_is(name, ".") || dir_name_is(name, "..");
}

static int check_new_name(struct span name)
{
	int rc = dir_check_name(name);

	return !rc && dir_name_is_dots(name) ? -EEXIST : rc;
}

int dir_get(struct volume *v, uint64_t ino, struct inode **ret)
{
	struct inode *dir;
	struct volume_attr attr;
	int rc = inode_get_indexed(v, ino, &dir);

	if (rc)
		return rc;
	inode_attr(dir, &attr);
	if (!S_ISDIR(attr.mode)) {
		inode_put_indexed(v, dir);
		return -ENOTDIR;
	}
	*ret = dir;
	return 0;
}

int dir_get_live(struct volume *v, uint64_t ino, struct inode **ret)
{
	struct inode *dir;
	struct volume_attr attr;
	int rc = dir_get(v, ino, &dir);

	if (rc)
		return rc;
	inode_attr(dir, &attr);
	if (attr.nlink == 0) {
		inode_put_indexed(v, dir);
		return -ENOENT;
	}
	*ret = dir;
	return 0;
}

int dir_get_child(struct volume *v, uint64_t dir, uint64_t ino,
		  struct inode **ret)
{
	int rc = inode_get_indexed(v, ino, ret);

	if (rc == -ENOENT)
		rc = corrupt(
			"directory %llu names inode %llu, which is not there",
			(unsigned long long)dir, (unsigned long long)ino);
	return rc;
}

void dir_touch(struct volume *v, struct inode *dir, int links)
{
	struct volume_attr *attr = &dir->image.attr;
	struct volume_time now = volume_now();

	sync_lock(&dir->lock);
	attr->mtime = now;
	attr->ctime = now;
	attr->nlink += (uint32_t)links;
	inode_changed(v, dir);
	sync_unlock(&dir->lock);
}

void dir_relink(struct volume *v, struct inode *inode, int delta)
{
	sync_lock(&inode->lock);
	inode->image.attr.nlink += (uint32_t)delta;
	inode->image.attr.ctime = volume_now();
	inode_changed(v, inode);
	sync_unlock(&inode->lock);
}

int dir_unlinked(struct volume *v, struct inode *inode)
{
	struct volume_attr attr;

	inode_attr(inode, &attr);
	dir_relink(v, inode,
		   S_ISDIR(attr.mode) ? -(int)attr.nlink : -(attr.nlink > 0));
	if (!S_ISDIR(attr.mode) && attr.nlink > 1)
		return 0;
	return inode_try_delete(v, inode);
}

/* ---- looking up ----------------------------------------------------------------- */

uint64_t dir_parent(struct inode *dir)
{
	uint64_t parent;

	sync_lock(&dir->lock);
	parent = dir->image.parent;
	sync_unlock(&dir->lock);
	return dir->ino == VOLUME_ROOT ? VOLUME_ROOT : parent;
}

static int find_ino(struct volume *v, uint64_t parent, struct span name,
		    uint64_t *ret)
{
	struct dirent_place place = { 0 };
	struct inode *dir;
	int rc;

	/* What is not a directory may be asked for by its number and ".". */
	if (dir_name_is(name, ".")) {
		*ret = parent;
		return 0;
	}
	rc = dir_get(v, parent, &dir);
	if (rc)
		return rc;
	if (dir_name_is(name, ".."))
		place.ino = dir_parent(dir);
	else
		rc = dirent_find(v, parent, name, &place);
	inode_put_indexed(v, dir);
	if (!rc && place.ino == 0)
		rc = -ENOENT;
	if (!rc)
		*ret = place.ino;
	return rc;
}

static int lookup_indexed(struct volume *v, uint64_t parent, struct span name,
			  struct volume_attr *ret)
{
	struct volume_attr attr;
	struct inode *inode;
	uint64_t ino;
	int rc = find_ino(v, parent, name, &ino);

	if (rc)
		return rc;
	rc = dir_name_is_dots(name) ? inode_get_indexed(v, ino, &inode)
				    : dir_get_child(v, parent, ino, &inode);
	if (rc)
		return rc;
	inode_attr(inode, &attr);
	/* A number without a name, asked for by an old file handle. */
	rc = attr.nlink == 0 ? -ENOENT : inode_count(v, ino);
	if (!rc)
		*ret = attr;
	inode_put_indexed(v, inode);
	return rc;
}

int volume_lookup(struct volume *v, uint64_t parent, struct span name,
		  struct volume_attr *ret)
{
	int rc = dir_check_name(name);

	if (rc)
		return rc;
	index_lock(v->store);
	rc = lookup_indexed(v, parent, name, ret);
	index_unlock(v->store);
	return rc;
}

void volume_forget(struct volume *v, uint64_t ino, uint64_t n)
{
	inode_forget(v, ino, n);
}

/* ---- making ---------------------------------------------------------------------- */

static int check_new(const struct volume_new *what)
{
	switch (what->mode & S_IFMT) {
	case 0:
	case S_IFREG:
	case S_IFDIR:
	case S_IFIFO:
	case S_IFSOCK:
	case S_IFCHR:
	case S_IFBLK:
		return 0;
	case S_IFLNK:
		break;
	default:
		return -EINVAL;
	}
	if (what->target.len == 0)
		return -ENOENT;
	if (what->target.len > VOLUME_SYMLINK_MAX)
		return -ENAMETOOLONG;
	return memchr(what->target.ptr, '\0', what->target.len) ? -EINVAL : 0;
}

/* The first image of what is made in `dir`. */
static void first_image(const struct volume_new *what,
			const struct volume_attr *dir, struct inode_image *ret)
{
	struct volume_attr *attr = &ret->attr;
	uint32_t type = what->mode & S_IFMT;

	*ret = (struct inode_image){ 0 };
	attr->mode = what->mode & (S_IFMT | 07777);
	attr->uid = what->uid;
	attr->gid = what->gid;
	attr->nlink = 1;
	if (type == 0)
		attr->mode |= S_IFREG;
	if (type == S_IFCHR || type == S_IFBLK)
		attr->rdev = what->rdev;
	if (type == S_IFLNK)
		attr->size = what->target.len;
	if (type == S_IFDIR) {
		attr->nlink = 2;
		attr->size = DIR_SIZE;
		ret->parent = dir->ino;
	}
	if (dir->mode & S_ISGID) {
		attr->gid = dir->gid;
		if (type == S_IFDIR)
			attr->mode |= S_ISGID;
	}
	attr->btime = volume_now();
	attr->atime = attr->btime;
	attr->mtime = attr->btime;
	attr->ctime = attr->btime;
}

int dir_new_inode(struct volume *v, struct inode *dir, uint64_t ino,
		  const struct volume_new *what, struct inode **ret)
{
	struct acl_inherited lists;
	struct volume_attr dir_attr;
	struct inode_image image;
	struct inode *inode;
	int rc;

	inode_attr(dir, &dir_attr);
	first_image(what, &dir_attr, &image);
	image.policy = policy_xattr_inherited(dir, image.attr.mode);
	rc = acl_xattr_inherit(v, dir, what->umask, &image, &lists);
	if (rc)
		return rc;
	rc = inode_new(v, ino, &image, &inode);
	if (!rc) {
		rc = acl_xattr_give(v, inode, &lists);
		if (rc) {
			/* Without a name it goes with the last reference. */
			dir_relink(v, inode, -(int)image.attr.nlink);
			inode_put_indexed(v, inode);
		} else {
			*ret = inode;
		}
	}
	acl_inherited_release(&lists);
	return rc;
}

/* What an operation that adds a name works with. */
struct adding {
	struct volume *v;
	struct inode *dir; /* pinned */
	struct volume_attr dir_attr;
	struct op_dirent entry; /* ino and type are still to come */
};

/* Whether `name` may be added to `parent`. INDEX is held. */
static int adding_begin(struct adding *a, struct volume *v, uint64_t parent,
			struct span name)
{
	struct dirent_place place;
	int rc = dir_get_live(v, parent, &a->dir);

	if (rc)
		return rc;
	a->v = v;
	inode_attr(a->dir, &a->dir_attr);
	rc = dirent_find(v, parent, name, &place);
	if (!rc && place.ino != 0)
		rc = -EEXIST;
	if (!rc && place.cookie == 0)
		rc = -ENOSPC;
	if (rc)
		inode_put_indexed(v, a->dir);
	a->entry = (struct op_dirent){ .parent = parent,
				       .cookie = place.cookie,
				       .name = name };
	return rc;
}

static int log_new(struct adding *a, const struct volume_new *what,
		   uint32_t mode)
{
	int rc = dirent_put(a->v, &a->entry);

	if (!rc && S_ISLNK(mode))
		rc = xattr_put_target(a->v, a->entry.ino, what->target);
	dir_touch(a->v, a->dir, S_ISDIR(mode));
	return rc;
}

static int make_in(struct adding *a, const struct volume_new *what,
		   struct volume_attr *ret)
{
	uint64_t ino = store_next_id(a->v->store, STORE_ID_INODE);
	struct volume_attr attr;
	struct inode *inode;
	int rc;

	if (S_ISDIR(what->mode) && a->dir_attr.nlink >= VOLUME_DIR_LINK_MAX)
		return -EMLINK;
	a->entry.ino = ino;
	rc = inode_count(a->v, ino);
	if (rc)
		return rc;
	rc = dir_new_inode(a->v, a->dir, ino, what, &inode);
	if (!rc) {
		inode_attr(inode, &attr);
		a->entry.type = (uint8_t)(attr.mode >> 12);
		rc = log_new(a, what, attr.mode);
		if (!rc)
			*ret = attr;
		inode_put_indexed(a->v, inode);
	}
	if (rc)
		inode_uncount(a->v, ino);
	return rc;
}

size_t dir_new_len(struct volume *v, uint64_t parent)
{
	ssize_t list = volume_getxattr(
		v, parent, span_of(ACL_DEFAULT, sizeof(ACL_DEFAULT) - 1), NULL,
		0);

	/* A directory has it twice, in the log and in the index. */
	return DIR_ADD_LEN + (list > 0 ? 4 * (size_t)list : 0);
}

int volume_make(struct volume *v, uint64_t parent, struct span name,
		const struct volume_new *what, struct volume_attr *ret)
{
	struct adding a;
	int rc = check_new_name(name);

	if (!rc)
		rc = check_new(what);
	if (!rc)
		rc = store_reserve(v->store,
				   dir_new_len(v, parent) + what->target.len);
	if (!rc)
		rc = txn_begin(v->store);
	if (rc)
		return rc;
	rc = adding_begin(&a, v, parent, name);
	if (!rc) {
		rc = make_in(&a, what, ret);
		inode_put_indexed(v, a.dir);
	}
	inodes_txn_end(v);
	return rc;
}

static bool is_unnamed(struct inode *inode)
{
	bool unnamed;

	sync_lock(&inode->lock);
	unnamed = inode->image.flags & INODE_UNNAMED;
	sync_unlock(&inode->lock);
	return unnamed;
}

/* Of an inode that has been changed in this transaction. */
static void mark_unnamed(struct inode *inode, bool unnamed)
{
	sync_lock(&inode->lock);
	if (unnamed)
		inode->image.flags |= INODE_UNNAMED;
	else
		inode->image.flags &= ~(uint64_t)INODE_UNNAMED;
	sync_unlock(&inode->lock);
}

/* In a transaction. */
static int make_unnamed_in(struct volume *v, struct inode *dir,
			   const struct volume_new *what,
			   struct volume_attr *ret)
{
	uint64_t ino = store_next_id(v->store, STORE_ID_INODE);
	struct inode *inode;
	int rc = inode_count(v, ino);

	if (rc)
		return rc;
	rc = dir_new_inode(v, dir, ino, what, &inode);
	if (rc) {
		inode_uncount(v, ino);
		return rc;
	}
	dir_relink(v, inode, -1);
	mark_unnamed(inode, true);
	inode_attr(inode, ret);
	inode_put_indexed(v, inode);
	return 0;
}

int volume_make_unnamed(struct volume *v, uint64_t parent,
			const struct volume_new *what, struct volume_attr *ret)
{
	struct inode *dir;
	int rc = S_ISREG(what->mode) ? 0 : -EINVAL;

	if (!rc)
		rc = store_reserve(v->store, dir_new_len(v, parent));
	if (!rc)
		rc = txn_begin(v->store);
	if (rc)
		return rc;
	rc = dir_get_live(v, parent, &dir);
	if (!rc) {
		rc = make_unnamed_in(v, dir, what, ret);
		inode_put_indexed(v, dir);
	}
	inodes_txn_end(v);
	return rc;
}

static int link_in(struct adding *a, struct inode *inode,
		   struct volume_attr *ret)
{
	struct volume_attr attr;
	int rc;

	inode_attr(inode, &attr);
	if (S_ISDIR(attr.mode))
		return -EPERM;
	if (attr.nlink == 0 && !is_unnamed(inode))
		return -ENOENT;
	if (attr.nlink >= VOLUME_LINK_MAX)
		return -EMLINK;
	a->entry.ino = inode->ino;
	a->entry.type = (uint8_t)(attr.mode >> 12);
	rc = inode_count(a->v, inode->ino);
	if (rc)
		return rc;
	rc = dirent_put(a->v, &a->entry);
	if (rc) {
		inode_uncount(a->v, inode->ino);
		return rc;
	}
	dir_relink(a->v, inode, 1);
	mark_unnamed(inode, false);
	dir_touch(a->v, a->dir, 0);
	inode_attr(inode, ret);
	return 0;
}

int volume_link(struct volume *v, uint64_t ino, uint64_t parent,
		struct span name, struct volume_attr *ret)
{
	struct inode *inode = NULL;
	struct adding a;
	int rc = check_new_name(name);

	if (!rc)
		rc = store_reserve(v->store, DIR_ADD_LEN);
	if (!rc)
		rc = txn_begin(v->store);
	if (rc)
		return rc;
	rc = inode_get_indexed(v, ino, &inode);
	if (!rc)
		rc = adding_begin(&a, v, parent, name);
	if (!rc) {
		rc = link_in(&a, inode, ret);
		inode_put_indexed(v, a.dir);
	}
	inode_put_indexed(v, inode);
	inodes_txn_end(v);
	return rc;
}

/* ---- removing ---------------------------------------------------------------------- */

static int check_remove(struct volume *v, struct inode *inode, bool want_dir)
{
	struct volume_attr attr;
	int rc;

	inode_attr(inode, &attr);
	if (!want_dir)
		return S_ISDIR(attr.mode) ? -EISDIR : 0;
	if (!S_ISDIR(attr.mode))
		return -ENOTDIR;
	rc = dirent_is_empty(v, inode->ino);
	if (rc < 0)
		return rc;
	return rc ? 0 : -ENOTEMPTY;
}

/* In a transaction. `ret_inode`, pinned, is to be dropped after it. */
static int remove_in(struct volume *v, struct inode *dir, struct span name,
		     bool want_dir, struct inode **ret_inode)
{
	struct dirent_place place;
	int rc = dirent_find(v, dir->ino, name, &place);

	if (!rc && place.ino == 0)
		rc = -ENOENT;
	if (!rc)
		rc = dir_get_child(v, dir->ino, place.ino, ret_inode);
	if (!rc)
		rc = check_remove(v, *ret_inode, want_dir);
	if (!rc)
		rc = dirent_del(v, dir->ino, place.cookie);
	if (rc)
		return rc;
	dir_touch(v, dir, -(int)want_dir);
	return dir_unlinked(v, *ret_inode);
}

static int remove_name(struct volume *v, uint64_t parent, struct span name,
		       bool want_dir)
{
	struct inode *inode = NULL;
	struct inode *dir;
	int rc = txn_begin(v->store);

	if (rc)
		return rc;
	rc = dir_get_live(v, parent, &dir);
	if (!rc) {
		rc = remove_in(v, dir, name, want_dir, &inode);
		inode_put_indexed(v, dir);
	}
	inodes_txn_end(v);
	inode_drop(v, inode);
	return rc;
}

int volume_unlink(struct volume *v, uint64_t parent, struct span name)
{
	int rc = dir_check_name(name);

	if (rc)
		return rc;
	if (dir_name_is_dots(name))
		return -EISDIR;
	return remove_name(v, parent, name, false);
}

int volume_rmdir(struct volume *v, uint64_t parent, struct span name)
{
	int rc = dir_check_name(name);

	if (rc)
		return rc;
	if (dir_name_is(name, "."))
		return -EINVAL;
	if (dir_name_is(name, ".."))
		return -ENOTEMPTY;
	return remove_name(v, parent, name, true);
}
