/* SPDX-License-Identifier: MIT */
/*
 * readdir.c - listing directories, in slices, so that INDEX is never held long.
 *
 * Cookies belong to names for as long as they exist, so a listing goes on from
 * any of them whatever came or went meanwhile.
 */
#include "volume/dir.h"

#include "base/error.h"
#include "volume/atime.h"
#include "volume/inode_row.h"
#include "volume/volume_impl.h"

#include <sys/stat.h>

enum {
	SLICE = 128,
	COOKIE_DOT = 1,
	COOKIE_DOTDOT = 2,
	WALK_END = 1, /* the callback wants no more */
	WALK_PAUSE = 2,
};

struct listing {
	struct volume *v;
	uint64_t cookie; /* go on after it */
	bool with_attr;
	volume_entry_fn *fn;
	void *ctx;
	unsigned n_left; /* of the slice */
};

/* The newest attributes, without making the inode stay in memory. */
static int attr_of(struct volume *v, uint64_t ino, struct volume_attr *ret)
{
	struct inode *inode = inode_peek(v, ino);
	struct inode_image image;
	int rc;

	if (inode) {
		inode_attr(inode, ret);
		inode_put_indexed(v, inode);
		return 0;
	}
	rc = inode_row_load(v, ino, &image);
	if (rc == -ENOENT)
		return corrupt("inode %llu has a name but is not there",
			       (unsigned long long)ino);
	if (rc)
		return rc;
	*ret = image.attr;
	atimes_fill(v, ino, ret);
	return 0;
}

static int tell_entry(void *ctx, const struct op_dirent *entry)
{
	struct listing *l = ctx;
	struct volume_attr attr = { .ino = entry->ino,
				    .mode = (uint32_t)entry->type << 12 };
	int rc = 0;

	if (l->n_left == 0)
		return WALK_PAUSE;
	/* Or the listing would never end. */
	if (entry->cookie <= l->cookie)
		return corrupt("directory %llu: entry %llu is out of order",
			       (unsigned long long)entry->parent,
			       (unsigned long long)entry->cookie);
	/* Who listens has room for a name, and no more. */
	if (!op_name_valid(entry->name))
		return corrupt("directory %llu: entry %llu has no good name",
			       (unsigned long long)entry->parent,
			       (unsigned long long)entry->cookie);
	if (l->with_attr) {
		rc = attr_of(l->v, entry->ino, &attr);
		if (!rc)
			rc = inode_count(l->v, entry->ino);
	}
	if (rc)
		return rc;
	if (!l->fn(l->ctx, entry->name, &attr, entry->cookie)) {
		if (l->with_attr)
			inode_uncount(l->v, entry->ino);
		return WALK_END;
	}
	l->cookie = entry->cookie;
	l->n_left--;
	return 0;
}

/* "." and "..", as far as they come after the cookie. */
static int tell_dots(struct listing *l, struct inode *dir)
{
	struct volume_attr attr = { .ino = dir->ino, .mode = S_IFDIR };

	if (l->cookie < COOKIE_DOT) {
		if (!l->fn(l->ctx, span_of(".", 1), &attr, COOKIE_DOT))
			return WALK_END;
		l->cookie = COOKIE_DOT;
	}
	if (l->cookie < COOKIE_DOTDOT) {
		attr.ino = dir_parent(dir);
		if (!l->fn(l->ctx, span_of("..", 2), &attr, COOKIE_DOTDOT))
			return WALK_END;
		l->cookie = COOKIE_DOTDOT;
	}
	return 0;
}

static int list_slice(struct listing *l, uint64_t ino)
{
	struct inode *dir;
	int rc = dir_get(l->v, ino, &dir);

	if (rc)
		return rc;
	l->n_left = SLICE;
	rc = tell_dots(l, dir);
	if (!rc)
		rc = dirents_walk(l->v, ino, l->cookie, tell_entry, l);
	inode_put_indexed(l->v, dir);
	return rc;
}

int volume_readdir(struct volume *v, uint64_t ino, uint64_t cookie,
		   const struct volume_lister *to)
{
	struct listing l = { .v = v,
			     .cookie = cookie,
			     .with_attr = to->with_attr,
			     .fn = to->fn,
			     .ctx = to->ctx };
	int rc;

	if (cookie > INT64_MAX)
		return -EINVAL;
	do {
		index_lock(v->store);
		rc = list_slice(&l, ino);
		index_unlock(v->store);
	} while (rc == WALK_PAUSE);
	return rc < 0 ? rc : 0;
}
