/* SPDX-License-Identifier: MIT */
/*
 * file_space.c - holes, allocation and shared ranges.
 *
 * All of it works on the map alone: what is dirty is flushed first. Each
 * transaction handles one leaf, so that INDEX is never held for long.
 */
#ifndef _GNU_SOURCE
# define _GNU_SOURCE
#endif

#include "base/cleanup.h"
#include "volume/file.h"
#include "volume/file_data.h"
#include "volume/volume_impl.h"

#include <fcntl.h>
#include <unistd.h>

/* Bytes of one file_copy(), so that its result fits 32 bits. */
#define COPY_MAX ((uint64_t)1 << 30)

static int get_flushed(struct volume *v, uint64_t ino, bool to_change,
		       struct inode **ret)
{
	struct inode *inode;
	int rc = inode_get(v, ino, &inode);

	if (rc)
		return rc;
	rc = inode_is_file(inode);
	if (!rc && to_change)
		rc = file_mend(v, inode);
	if (!rc)
		rc = file_flush_all(v, inode);
	if (rc)
		inode_put(v, inode);
	else
		*ret = inode;
	return rc;
}

static uint64_t visible_size(struct inode *inode)
{
	uint64_t size;

	sync_lock(&inode->lock);
	size = inode->image.attr.size;
	sync_unlock(&inode->lock);
	return size;
}

/* ---- seeking ------------------------------------------------------------------- */

/* Looks in one leaf from `off` on: true and the place, or false and where to go
 * on. Unwritten extents read as zeros: they are holes. */
static bool seek_in_leaf(const struct leaf *leaf, uint64_t off, int whence,
			 uint64_t *ret)
{
	size_t i = leaf_search(leaf, off);

	if (whence == SEEK_DATA) {
		while (i < leaf->n && leaf->extents[i].kind != EXTENT_CHUNK)
			i++;
		*ret = i < leaf->n ? max_u64(off, leaf->extents[i].off)
				   : leaf->to;
		return i < leaf->n;
	}
	while (i < leaf->n && leaf->extents[i].kind == EXTENT_CHUNK &&
	       leaf->extents[i].off <= off)
		off = extent_end(&leaf->extents[i++]);
	*ret = off;
	return off < leaf->to;
}

int file_seek(struct volume *v, uint64_t ino, uint64_t file_off, int whence,
	      uint64_t *ret)
{
	struct inode *inode;
	uint64_t size;
	bool found = false;
	int rc;

	if (whence != SEEK_DATA && whence != SEEK_HOLE)
		return -EINVAL;
	rc = get_flushed(v, ino, false, &inode);
	if (rc)
		return rc;
	size = visible_size(inode);
	if (file_off >= size)
		rc = -ENXIO;
	while (!rc && !found && file_off < size) {
		struct leaf *leaf;

		index_lock(v->store);
		rc = filemap_leaf(v, ino, file_off, &leaf);
		index_unlock(v->store);
		if (rc)
			break;
		found = seek_in_leaf(leaf, file_off, whence, &file_off);
		leaf_put(leaf);
	}
	inode_put(v, inode);
	if (!rc && file_off >= size && whence == SEEK_DATA)
		rc = -ENXIO;
	if (!rc)
		*ret = min_u64(file_off, size);
	return rc;
}

/* ---- allocation ------------------------------------------------------------------ */

/* What a transaction did to a file. */
struct space_change {
	int64_t allocated;
	uint64_t end; /* the size is at least this; 0: it stays */
};

static void finish(struct volume *v, struct inode *inode,
		   const struct space_change *c)
{
	struct volume_time t = volume_now();
	struct volume_attr *attr;

	sync_lock(&inode->lock);
	attr = &inode->image.attr;
	attr->allocated += (uint64_t)c->allocated;
	attr->size = max_u64(attr->size, c->end);
	attr->mtime = t;
	attr->ctime = t;
	file_data_advance(inode);
	inode_changed(v, inode);
	sync_unlock(&inode->lock);
}

/* The first gap of [off, end) in the leaf; false: there is none. */
static bool find_gap(const struct leaf *leaf, uint64_t off, uint64_t end,
		     struct map_range *ret)
{
	uint64_t stop = min_u64(end, leaf->to);

	for (size_t i = leaf_search(leaf, off); i < leaf->n && off < stop;
	     i++) {
		const struct extent *e = &leaf->extents[i];

		if (e->off > off) {
			stop = min_u64(stop, e->off);
			break;
		}
		off = extent_end(e);
	}
	ret->off = off;
	ret->len = off < stop ? stop - off : 0;
	return off < stop;
}

/* Makes the holes of one leaf's part of [*off, end) unwritten; *off moves on. */
static int fill_leaf(struct volume *v, struct inode *inode, uint64_t *off,
		     uint64_t end, struct space_change *c)
{
	struct map_range gap = { .ino = inode->ino };
	struct leaf *leaf;
	int rc = filemap_leaf(v, inode->ino, *off, &leaf);

	if (rc)
		return rc;
	while (!rc && find_gap(leaf, *off, end, &gap)) {
		struct extent e = { .off = gap.off,
				    .len = gap.len,
				    .kind = EXTENT_UNWRITTEN };
		int64_t allocated = 0;

		rc = filemap_assign(v, &gap, &e, 1, &allocated);
		c->allocated += allocated;
		*off = gap.off + gap.len;
	}
	*off = min_u64(end, leaf->to);
	leaf_put(leaf);
	return rc;
}

static int allocate_holes(struct volume *v, struct inode *inode, uint64_t off,
			  uint64_t end, bool keep_size)
{
	int rc = 0;

	while (!rc && off < end) {
		struct space_change c = { 0 };

		rc = txn_begin(v->store);
		if (rc)
			return rc;
		rc = fill_leaf(v, inode, &off, end, &c);
		if (!rc && off >= end && !keep_size)
			c.end = end;
		finish(v, inode, &c);
		txn_end(v->store);
	}
	return rc;
}

/* The whole range becomes unwritten (zero) or a hole. */
static int replace_range(struct volume *v, struct inode *inode,
			 const struct map_range *range, bool zero,
			 bool keep_size)
{
	struct extent e = { .off = range->off,
			    .len = range->len,
			    .kind = EXTENT_UNWRITTEN };
	struct space_change c = { .end = keep_size ? 0
						   : range->off + range->len };
	int rc = txn_begin(v->store);

	if (rc)
		return rc;
	rc = filemap_assign(v, range, &e, zero ? 1 : 0, &c.allocated);
	if (!rc)
		finish(v, inode, &c);
	txn_end(v->store);
	return rc;
}

int file_allocate(struct volume *v, uint64_t ino, int mode, uint64_t file_off,
		  uint64_t len)
{
	bool keep_size = mode & FALLOC_FL_KEEP_SIZE;
	struct map_range range = { .ino = ino, .off = file_off, .len = len };
	struct inode *inode;
	int rc;

	if (len == 0)
		return -EINVAL;
	if (file_off > VOLUME_SIZE_MAX || len > VOLUME_SIZE_MAX - file_off)
		return -EFBIG;
	mode &= ~FALLOC_FL_KEEP_SIZE;
	if (mode != 0 && mode != FALLOC_FL_ZERO_RANGE &&
	    !(mode == FALLOC_FL_PUNCH_HOLE && keep_size))
		return -EOPNOTSUPP;
	rc = mode == FALLOC_FL_PUNCH_HOLE ? 0 : store_reserve(v->store, len);
	if (!rc)
		rc = get_flushed(v, ino, true, &inode);
	if (rc)
		return rc;
	if (mode == 0)
		rc = allocate_holes(v, inode, file_off, file_off + len,
				    keep_size);
	else
		rc = replace_range(v, inode, &range,
				   mode == FALLOC_FL_ZERO_RANGE, keep_size);
	inode_put(v, inode);
	return rc;
}

/* ---- copying --------------------------------------------------------------------- */

struct copying {
	struct volume *v;
	struct inode *from;
	struct inode *to;
	uint64_t from_off;
	uint64_t to_off;
};

/* The chunk extents of [off, end) of the leaf, as they will lie in the target. */
static size_t shift_extents(const struct copying *c, const struct leaf *leaf,
			    uint64_t end, struct extent *list)
{
	size_t n = 0;

	for (size_t i = leaf_search(leaf, c->from_off);
	     i < leaf->n && leaf->extents[i].off < end; i++) {
		struct extent e = leaf->extents[i];
		uint64_t skip = c->from_off > e.off ? c->from_off - e.off : 0;

		if (e.kind != EXTENT_CHUNK)
			continue;
		e.len = min_u64(extent_end(&e), end) - e.off - skip;
		e.off = e.off + skip - c->from_off + c->to_off;
		e.chunk_off += (uint32_t)skip;
		list[n++] = e;
	}
	return n;
}

/* Copies at most `len` bytes, as far as one leaf goes. In a transaction. */
static int copy_leaf(const struct copying *c, uint64_t len, uint64_t *ret_len)
{
	AUTO_FREE struct extent *list = calloc(LEAF_EXTENTS_MAX, sizeof(*list));
	struct map_range range = { .ino = c->to->ino, .off = c->to_off };
	struct space_change change = { 0 };
	struct leaf *leaf;
	uint64_t end;
	size_t n;
	int rc;

	if (!list)
		return -ENOMEM;
	rc = filemap_leaf(c->v, c->from->ino, c->from_off, &leaf);
	if (rc)
		return rc;
	end = min_u64(leaf->to, c->from_off + len);
	n = shift_extents(c, leaf, end, list);
	leaf_put(leaf);
	range.len = end - c->from_off;
	change.end = c->to_off + range.len;
	rc = filemap_assign(c->v, &range, list, n, &change.allocated);
	if (!rc)
		finish(c->v, c->to, &change);
	*ret_len = range.len;
	return rc;
}

static int copy_all(struct copying *c, uint64_t len)
{
	int rc = 0;

	while (!rc && len > 0) {
		uint64_t part = 0;

		rc = txn_begin(c->v->store);
		if (rc)
			return rc;
		rc = copy_leaf(c, len, &part);
		txn_end(c->v->store);
		c->from_off += part;
		c->to_off += part;
		len -= part;
	}
	return rc;
}

ssize_t file_copy(struct volume *v, const struct file_range *from,
		  const struct file_range *to, size_t len)
{
	struct copying c = { .v = v, .from_off = from->off, .to_off = to->off };
	uint64_t want = min_u64(len, COPY_MAX);
	uint64_t size;
	int rc = get_flushed(v, from->ino, false, &c.from);

	if (rc)
		return rc;
	rc = get_flushed(v, to->ino, true, &c.to);
	if (rc) {
		inode_put(v, c.from);
		return rc;
	}
	size = visible_size(c.from);
	want = from->off < size ? min_u64(want, size - from->off) : 0;
	if (to->off > VOLUME_SIZE_MAX || want > VOLUME_SIZE_MAX - to->off)
		rc = -EFBIG;
	else if (from->ino == to->ino && from->off < to->off + want &&
		 to->off < from->off + want)
		rc = -EINVAL;
	if (!rc)
		rc = copy_all(&c, want);
	inode_put(v, c.to);
	inode_put(v, c.from);
	return rc ? rc : (ssize_t)want;
}
