/* SPDX-License-Identifier: MIT */
/*
 * file_chunks.c - a stack of directories, the leaves of one file.
 *
 * A directory is listed in short slices, from the cookie of the entry that was
 * taken last: so its memory is a place on the stack.
 */
#include "volume/file_chunks.h"

#include "volume/filemap.h"
#include "volume/inode.h"
#include "volume/volume_impl.h"

#include <stdlib.h>
#include <sys/stat.h>

enum { DEPTH_FIRST = 16, DEPTH_MAX = 1 << 16 };

struct level {
	uint64_t dir;
	uint64_t cookie; /* of the entry that was taken last */
};

struct file_chunks {
	struct volume *v;
	uint64_t *inodes; /* owned; where to begin */
	size_t n;
	size_t next;
	struct level *levels; /* owned; the path to where we are */
	size_t n_levels;
	size_t cap_levels;
	uint64_t file; /* 0: none */
	uint64_t off;  /* in it: what lies before is done */
	struct leaf *leaf;
	size_t i_extent;
};

int file_chunks_new(struct volume *v, const uint64_t *inodes, size_t n,
		    struct file_chunks **ret)
{
	struct file_chunks *f = calloc(1, sizeof(*f));

	if (!f)
		return -ENOMEM;
	f->v = v;
	f->inodes = calloc(n + 1, sizeof(*f->inodes));
	if (!f->inodes) {
		free(f);
		return -ENOMEM;
	}
	memcpy(f->inodes, inodes, n * sizeof(*inodes));
	f->n = n;
	*ret = f;
	return 0;
}

void file_chunks_free(struct file_chunks *f)
{
	if (!f)
		return;
	leaf_put(f->leaf);
	free(f->levels);
	free(f->inodes);
	free(f);
}

/* ---- the tree ------------------------------------------------------------- */

static int push(struct file_chunks *f, uint64_t dir)
{
	if (f->n_levels == f->cap_levels) {
		size_t cap = f->cap_levels ? f->cap_levels * 2 : DEPTH_FIRST;
		struct level *more;

		if (cap > DEPTH_MAX)
			return -ENAMETOOLONG;
		more = reallocarray(f->levels, cap, sizeof(*more));
		if (!more)
			return -ENOMEM;
		f->levels = more;
		f->cap_levels = cap;
	}
	f->levels[f->n_levels++] = (struct level){ .dir = dir };
	return 0;
}

/* The first file or directory of a listing. */
struct entry {
	uint64_t ino; /* 0: none yet */
	uint32_t mode;
	uint64_t next;
};

static bool take_entry(void *ctx, struct span name,
		       const struct volume_attr *attr, uint64_t next)
{
	struct entry *e = ctx;
	bool dots = (name.len == 1 && name.ptr[0] == '.') ||
		    (name.len == 2 && name.ptr[0] == '.' && name.ptr[1] == '.');

	if (e->ino != 0)
		return false;
	e->next = next;
	if (!dots && (S_ISREG(attr->mode) || S_ISDIR(attr->mode))) {
		e->ino = attr->ino;
		e->mode = attr->mode;
	}
	return true;
}

static int open_inode(struct file_chunks *f, uint64_t ino, uint32_t mode)
{
	if (S_ISDIR(mode))
		return push(f, ino);
	f->file = ino;
	f->off = 0;
	return 0;
}

/* The next entry of the deepest directory. */
static int advance(struct file_chunks *f)
{
	struct level *level = &f->levels[f->n_levels - 1];
	struct entry e = { .next = level->cookie };
	const struct volume_lister to = { .fn = take_entry, .ctx = &e };
	int rc = volume_readdir(f->v, level->dir, level->cookie, &to);

	if (rc == -ENOENT || rc == -ENOTDIR || rc == -ESTALE)
		rc = 0; /* it has gone */
	if (rc < 0)
		return rc;
	level->cookie = e.next;
	if (e.ino == 0) {
		f->n_levels--;
		return 0;
	}
	return open_inode(f, e.ino, e.mode);
}

/* The next of those to begin with. */
static int begin(struct file_chunks *f)
{
	struct volume_attr attr;
	uint64_t ino = f->inodes[f->next++];
	int rc = volume_getattr(f->v, ino, &attr);

	if (rc == -ENOENT || rc == -ESTALE)
		return 0;
	return rc < 0 ? rc : open_inode(f, ino, attr.mode);
}

/* ---- a file --------------------------------------------------------------- */

static void close_leaf(struct file_chunks *f)
{
	leaf_put(f->leaf);
	f->leaf = NULL;
}

/* The leaf at f->off. 1; 0: the file has ended. */
static int open_leaf(struct file_chunks *f)
{
	int rc;

	if (f->off >= MAP_END_MAX)
		return 0;
	index_lock(f->v->store);
	rc = filemap_leaf(f->v, f->file, f->off, &f->leaf);
	index_unlock(f->v->store);
	if (rc < 0)
		return rc;
	f->i_extent = leaf_search(f->leaf, f->off);
	return 1;
}

/* 1: a chunk. 0: the file is done. */
static int next_of_file(struct file_chunks *f, uint64_t *ret)
{
	for (;;) {
		int rc = f->leaf ? 1 : open_leaf(f);

		if (rc <= 0)
			return rc;
		while (f->i_extent < f->leaf->n) {
			const struct extent *e =
				&f->leaf->extents[f->i_extent++];

			if (e->kind != EXTENT_CHUNK)
				continue;
			*ret = e->chunk;
			return 1;
		}
		f->off = f->leaf->to;
		close_leaf(f);
	}
}

int file_chunks_next(struct file_chunks *f, uint64_t *ret)
{
	int rc = 0;

	while (rc == 0) {
		if (f->file != 0) {
			rc = next_of_file(f, ret);
			if (rc == 0)
				f->file = 0;
		} else if (f->n_levels > 0) {
			rc = advance(f);
		} else if (f->next < f->n) {
			rc = begin(f);
		} else {
			return 0;
		}
	}
	return rc;
}

void file_chunks_range(const struct file_chunks *f,
		       struct file_chunks_range *ret)
{
	const struct extent *e = &f->leaf->extents[f->i_extent - 1];

	*ret = (struct file_chunks_range){ f->file, e->off, e->len };
}
