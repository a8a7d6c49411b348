/* SPDX-License-Identifier: MIT */
/* file_explain.c - how the content of a file is stored, piece by piece. */
#include "volume/file_explain.h"

#include "volume/file_data.h"
#include "volume/filemap.h"
#include "volume/flush.h"
#include "volume/volume_impl.h"

static uint64_t size_of(struct inode *inode)
{
	uint64_t size;

	sync_lock(&inode->lock);
	size = inode->image.attr.size;
	sync_unlock(&inode->lock);
	return size;
}

/* The piece at `off`, cut at `end`. */
static int explain_at(struct volume *v, const struct leaf *leaf, uint64_t off,
		      uint64_t end, struct file_piece *ret)
{
	size_t i = leaf_search(leaf, off);
	const struct extent *e = i < leaf->n ? &leaf->extents[i] : NULL;

	*ret = (struct file_piece){ .off = off, .kind = PIECE_HOLE };
	if (!e || e->off > off) {
		ret->len = min_u64(end, e ? e->off : leaf->to) - off;
		return 0;
	}
	ret->len = min_u64(end, extent_end(e)) - off;
	ret->kind = PIECE_UNWRITTEN;
	if (e->kind != EXTENT_CHUNK)
		return 0;
	ret->kind = PIECE_CHUNK;
	ret->chunk = e->chunk;
	ret->chunk_off = e->chunk_off + (off - e->off);
	ret->rc = chunk_describe(v->store, e->chunk, &ret->how);
	return ret->rc == -ENOMEM ? -ENOMEM : 0;
}

static int explain_from(struct volume *v, struct inode *inode, uint64_t off,
			struct file_piece *pieces, size_t n)
{
	uint64_t end = size_of(inode);
	struct leaf *leaf = NULL;
	size_t done = 0;
	int rc = 0;

	while (done < n && off < end && !rc) {
		if (!leaf || off >= leaf->to) {
			leaf_put(leaf);
			leaf = NULL;
			index_lock(v->store);
			rc = filemap_leaf(v, inode->ino, off, &leaf);
			index_unlock(v->store);
		}
		if (!rc)
			rc = explain_at(v, leaf, off, end, &pieces[done]);
		if (!rc)
			off += pieces[done++].len;
	}
	leaf_put(leaf);
	return rc ? rc : (int)done;
}

int file_explain(struct volume *v, uint64_t ino, uint64_t off,
		 struct file_piece *pieces, size_t n)
{
	struct inode *inode;
	unsigned turn;
	int rc = inode_get(v, ino, &inode);

	if (rc)
		return rc;
	rc = inode_is_file(inode);
	if (!rc)
		rc = flush_inode(v, inode, FLUSH_ALL);
	flush_wait(v, inode, 0, UINT64_MAX);
	turn = store_enter(v->store);
	if (!rc)
		rc = explain_from(v, inode, off, pieces, n);
	store_leave(v->store, turn);
	inode_put(v, inode);
	return rc;
}
