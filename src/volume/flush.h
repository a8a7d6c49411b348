/* SPDX-License-Identifier: MIT */
/*
 * flush.h - dirty bytes into parcels, parcels into the map.
 *
 * Keeps the list of inodes with dirty data, oldest first, and the packer: one
 * open parcel that small files share, so that neighbours in time lie in one
 * frame. No lock may be held when calling, unless a function says so.
 */
#ifndef VOLUME_FLUSH_H
#define VOLUME_FLUSH_H

#include "volume/file_data.h"

enum flush_mode {
	FLUSH_STREAM, /* what certainly is a chunk: the end of the newest write
		       * may go on */
	FLUSH_ALL,    /* everything; small files share a parcel */
	FLUSH_SYNC,   /* everything, at once: somebody waits for it */
};

/* Hands the inode's dirty data to ingest. The inode is pinned by the caller. */
int flush_inode(struct volume *v, struct inode *inode, enum flush_mode mode);

/* Waits until what of the inode in [from, to) is in flight now has landed. */
void flush_wait(struct volume *v, struct inode *inode, uint64_t from,
		uint64_t to);

/* After a write: the inode is in the list of dirty ones. Its lock is held. */
void flush_list_add(struct volume *v, struct inode *inode);

/* A writer flushes, and so may block, while more than the limit is dirty. */
void flush_throttle(struct volume *v);

/* Counts bytes that became dirty (or, negative, no longer are). */
void flush_count(struct volume *v, int64_t delta);

/* The pool that spans take their blocks from. */
struct pool *flush_pool(struct volume *v);

#endif
