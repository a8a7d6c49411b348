/* SPDX-License-Identifier: MIT */
/* file_stored.c - how many bytes of the store a file takes. */
#include "volume/file_stored.h"

#include "store/chunk.h"
#include "volume/file_data.h"
#include "volume/filemap.h"
#include "volume/flush.h"
#include "volume/inode.h"
#include "volume/volume_impl.h"

bool stored_xattr_is(struct span name)
{
	return name.len == sizeof(STORED_XATTR) - 1 &&
	       memcmp(name.ptr, STORED_XATTR, name.len) == 0;
}

static uint64_t size_of(struct inode *inode)
{
	uint64_t size;

	sync_lock(&inode->lock);
	size = inode->image.attr.size;
	sync_unlock(&inode->lock);
	return size;
}

/* INDEX is held, so what the map refers to is counted. */
static int add_leaf(struct volume *v, const struct leaf *leaf,
		    struct file_stored *s)
{
	int rc = 0;

	for (size_t i = leaf_search(leaf, s->off); i < leaf->n && !rc; i++) {
		uint64_t share = 0;

		if (leaf->extents[i].kind != EXTENT_CHUNK)
			continue;
		rc = chunk_share(v->store, leaf->extents[i].chunk, &share);
		s->shares += share;
	}
	return rc;
}

static int add_next(struct volume *v, struct inode *inode,
		    struct file_stored *s)
{
	struct leaf *leaf;
	int rc;

	index_lock(v->store);
	rc = filemap_leaf(v, inode->ino, s->off, &leaf);
	if (!rc)
		rc = add_leaf(v, leaf, s);
	index_unlock(v->store);
	if (rc)
		return rc;
	s->off = leaf->to;
	leaf_put(leaf);
	return 0;
}

int file_stored(struct volume *v, uint64_t ino, struct file_stored *s)
{
	struct inode *inode;
	uint64_t size;
	int rc = inode_get(v, ino, &inode);

	if (rc)
		return rc;
	rc = inode_is_file(inode);
	if (!rc && s->off == 0) {
		rc = flush_inode(v, inode, FLUSH_ALL);
		flush_wait(v, inode, 0, UINT64_MAX);
	}
	size = size_of(inode);
	if (!rc && s->off < size)
		rc = add_next(v, inode, s);
	inode_put(v, inode);
	return rc ? rc : s->off < size;
}
