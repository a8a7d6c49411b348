/* SPDX-License-Identifier: MIT */
/*
 * rename.c - moving, replacing and exchanging names.
 *
 * Happy path: both directories, both names and both inodes are found and checked
 * under INDEX; then the names are logged, and the inodes changed. Before that,
 * without INDEX, the source's data is logged when a name is about to be replaced:
 * so that after a crash the name holds the old data or the new, never nothing.
 * A whiteout, which overlayfs wants where the old name was, is made with it.
 */
#ifndef _GNU_SOURCE
# define _GNU_SOURCE
#endif

#include "volume/dir.h"

#include "base/error.h"
#include "volume/data.h"
#include "volume/volume_impl.h"

#include <stdio.h>
#include <sys/stat.h>

enum {
	DEPTH_MAX = 1 << 20 /* directories above each other; more is a circle */
};

/* One end of a rename. What is pinned is NULL when it is not there. */
struct end {
	struct inode *dir;         /* pinned */
	struct inode *inode;       /* pinned; what the name means now */
	struct volume_attr attr;   /* of `inode` */
	struct dirent_place place; /* of the name */
	struct span name;
	bool is_dir; /* `inode` is one */
};

struct renaming {
	struct volume *v;
	struct end from;
	struct end to;
	bool exchange;
	bool no_replace;
	const struct volume_new *whiteout; /* NULL: the old name goes */
};

static void release_end(struct volume *v, struct end *end)
{
	inode_put_indexed(v, end->dir);
	end->dir = NULL;
}

static int find_end(struct volume *v, const struct volume_place *place,
		    struct end *end)
{
	int rc = dir_get_live(v, place->parent, &end->dir);

	if (rc)
		return rc;
	end->name = place->name;
	rc = dirent_find(v, place->parent, place->name, &end->place);
	if (rc || end->place.ino == 0)
		return rc;
	rc = dir_get_child(v, place->parent, end->place.ino, &end->inode);
	if (rc)
		return rc;
	inode_attr(end->inode, &end->attr);
	end->is_dir = S_ISDIR(end->attr.mode);
	return 0;
}

/* ---- checking --------------------------------------------------------------------- */

/* 1 when `dir` lies below `above` or is it; 0; or an error. */
static int is_below(struct volume *v, const struct inode *dir,
		    const struct inode *above)
{
	uint64_t ino = dir->ino;

	for (unsigned depth = 0; depth < DEPTH_MAX; depth++) {
		struct inode *step;
		int rc;

		if (ino == above->ino)
			return 1;
		if (ino == VOLUME_ROOT)
			return 0;
		rc = dir_get(v, ino, &step);
		if (rc)
			return rc;
		ino = dir_parent(step);
		inode_put_indexed(v, step);
	}
	return corrupt("the parents of directory %llu lead in a circle",
		       (unsigned long long)dir->ino);
}

/* No directory may come to lie below itself. */
static int check_loops(struct renaming *r)
{
	int rc = 0;

	if (r->from.dir == r->to.dir)
		return 0;
	if (r->from.is_dir)
		rc = is_below(r->v, r->to.dir, r->from.inode);
	if (rc)
		return rc < 0 ? rc : -EINVAL;
	if (r->to.inode && r->to.is_dir)
		rc = is_below(r->v, r->from.dir, r->to.inode);
	if (rc)
		return rc < 0 ? rc : r->exchange ? -EINVAL : -ENOTEMPTY;
	return 0;
}

/* Whether the target, which is there, may be replaced by the source. */
static int check_replace(struct renaming *r)
{
	int rc;

	if (r->from.is_dir != r->to.is_dir)
		return r->from.is_dir ? -ENOTDIR : -EISDIR;
	if (!r->to.is_dir)
		return 0;
	rc = dirent_is_empty(r->v, r->to.inode->ino);
	if (rc < 0)
		return rc;
	return rc ? 0 : -ENOTEMPTY;
}

static bool links_full(const struct end *end)
{
	struct volume_attr attr;

	inode_attr(end->dir, &attr);
	return attr.nlink >= VOLUME_DIR_LINK_MAX;
}

/* Whether a directory that gains a subdirectory has too many. */
static int check_links(struct renaming *r)
{
	bool to_gains = r->from.is_dir && !r->to.is_dir;
	bool from_gains = r->exchange && r->to.is_dir && !r->from.is_dir;

	if (r->from.dir == r->to.dir)
		return 0;
	if ((to_gains && links_full(&r->to)) ||
	    (from_gains && links_full(&r->from)))
		return -EMLINK;
	return 0;
}

/* 0: go on; 1: there is nothing to do. */
static int check(struct renaming *r)
{
	int rc;

	if (!r->from.inode)
		return -ENOENT;
	if (r->to.inode && r->no_replace)
		return -EEXIST;
	if (!r->to.inode && r->exchange)
		return -ENOENT;
	rc = check_loops(r);
	if (rc)
		return rc;
	if (r->from.inode == r->to.inode)
		return 1;
	if (r->to.inode && !r->exchange)
		rc = check_replace(r);
	if (!rc)
		rc = check_links(r);
	if (!rc && r->to.place.cookie == 0)
		rc = -ENOSPC;
	return rc;
}

/* ---- changing ------------------------------------------------------------------------ */

/* The name of `end` means `inode` from now on. */
static int point(struct renaming *r, const struct end *end,
		 const struct end *what)
{
	struct op_dirent entry = {
		.parent = end->dir->ino,
		.cookie = end->place.cookie,
		.ino = what->inode->ino,
		.type = (uint8_t)(what->attr.mode >> 12),
		.name = end->name,
	};

	return dirent_put(r->v, &entry);
}

/* The inode lies in `dir` now. */
static void settle(struct renaming *r, struct end *what,
		   const struct inode *dir)
{
	struct inode *inode = what->inode;

	sync_lock(&inode->lock);
	if (what->is_dir)
		inode->image.parent = dir->ino;
	inode->image.attr.ctime = volume_now();
	inode_changed(r->v, inode);
	sync_unlock(&inode->lock);
}

static int exchange(struct renaming *r)
{
	int links = (int)r->from.is_dir - (int)r->to.is_dir;
	int rc = point(r, &r->to, &r->from);

	if (!rc)
		rc = point(r, &r->from, &r->to);
	if (rc)
		return rc;
	settle(r, &r->from, r->to.dir);
	settle(r, &r->to, r->from.dir);
	if (r->from.dir == r->to.dir) {
		dir_touch(r->v, r->to.dir, 0);
		return 0;
	}
	dir_touch(r->v, r->to.dir, links);
	dir_touch(r->v, r->from.dir, -links);
	return 0;
}

/* The old name goes, or means a whiteout. */
static int leave(struct renaming *r)
{
	const uint64_t ino = store_next_id(r->v->store, STORE_ID_INODE);
	struct end what = { 0 };
	int rc;

	if (!r->whiteout)
		return dirent_del(r->v, r->from.dir->ino, r->from.place.cookie);
	rc = dir_new_inode(r->v, r->from.dir, ino, r->whiteout, &what.inode);
	if (rc)
		return rc;
	inode_attr(what.inode, &what.attr);
	rc = point(r, &r->from, &what);
	inode_put_indexed(r->v, what.inode);
	return rc;
}

static int move(struct renaming *r)
{
	int gained = (int)r->from.is_dir - (int)(r->to.inode && r->to.is_dir);
	/* What can fail without harm comes first. */
	int rc = leave(r);

	if (!rc)
		rc = point(r, &r->to, &r->from);
	if (rc)
		return rc;
	settle(r, &r->from, r->to.dir);
	if (r->from.dir == r->to.dir) {
		dir_touch(r->v, r->to.dir, gained - (int)r->from.is_dir);
	} else {
		dir_touch(r->v, r->to.dir, gained);
		dir_touch(r->v, r->from.dir, -(int)r->from.is_dir);
	}
	return r->to.inode ? dir_unlinked(r->v, r->to.inode) : 0;
}

static int rename_indexed(struct renaming *r, const struct volume_place *from,
			  const struct volume_place *to)
{
	int rc = find_end(r->v, from, &r->from);

	if (!rc)
		rc = find_end(r->v, to, &r->to);
	if (!rc)
		rc = check(r);
	if (!rc)
		rc = r->exchange ? exchange(r) : move(r);
	release_end(r->v, &r->from);
	release_end(r->v, &r->to);
	return rc < 0 ? rc : 0;
}

/* ---- the source's data ------------------------------------------------------------------ */

static int find_name(struct volume *v, const struct volume_place *place,
		     uint64_t *ret_ino)
{
	struct dirent_place found;
	int rc = dirent_find(v, place->parent, place->name, &found);

	if (!rc)
		*ret_ino = found.ino;
	return rc;
}

/* Logs all data of the source when a name will be replaced. What changes
 * between this and the rename is the race of whoever makes both. */
static int flush_source(struct volume *v, const struct volume_place *from,
			const struct volume_place *to)
{
	struct inode *inode = NULL;
	uint64_t source = 0;
	uint64_t target = 0;
	int rc;

	index_lock(v->store);
	rc = find_name(v, to, &target);
	if (!rc && target != 0)
		rc = find_name(v, from, &source);
	index_unlock(v->store);
	if (!rc && target != source)
		inode = inode_peek(v, source);
	if (inode && inode_is_file(inode) == 0)
		rc = file_flush_all(v, inode);
	inode_put(v, inode);
	return rc;
}

static int check_names(const struct volume_place *from,
		       const struct volume_place *to, unsigned flags)
{
	int rc = dir_check_name(from->name);

	if (!rc)
		rc = dir_check_name(to->name);
	if (rc)
		return rc;
	if (dir_name_is_dots(from->name))
		return -EBUSY;
	if (dir_name_is_dots(to->name))
		return flags & RENAME_NOREPLACE ? -EEXIST : -EBUSY;
	return 0;
}

int volume_rename(struct volume *v, const struct volume_place *from,
		  const struct volume_place *to, unsigned flags,
		  const struct volume_new *whiteout)
{
	const unsigned known =
		RENAME_NOREPLACE | RENAME_EXCHANGE | RENAME_WHITEOUT;
	struct renaming r = { .v = v,
			      .exchange = flags & RENAME_EXCHANGE,
			      .no_replace = flags & RENAME_NOREPLACE };
	int rc;

	if (flags & RENAME_WHITEOUT)
		r.whiteout = whiteout;
	if ((flags & ~known) || (r.exchange && (r.no_replace || r.whiteout)) ||
	    ((flags & RENAME_WHITEOUT) && !whiteout))
		return -EINVAL;
	rc = check_names(from, to, flags);
	if (!rc && r.whiteout)
		rc = store_reserve(v->store, dir_new_len(v, from->parent));
	if (!rc && !r.no_replace)
		rc = flush_source(v, from, to);
	if (!rc)
		rc = txn_begin(v->store);
	if (rc)
		return rc;
	rc = rename_indexed(&r, from, to);
	inodes_txn_end(v);
	inode_put(v, r.from.inode);
	inode_drop(v, r.to.inode);
	return rc;
}
