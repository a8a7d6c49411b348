/* SPDX-License-Identifier: MIT */
/*
 * inode.h - inodes in memory: loading, pinning, changing, forgetting.
 *
 * Private to the volume room; rows are inode_row's, the table is in inodes.h. A
 * pinned inode stays in memory; others are kept while there is room (n_inodes).
 * An inode is changed under INDEX and its own lock, then inode_changed() has it
 * logged with the next batch. Only its data (file_data) may change under its
 * lock alone.
 */
#ifndef VOLUME_INODE_H
#define VOLUME_INODE_H

#include <stdatomic.h>

#include "base/sync.h"
#include "volume/attr.h"

struct db;
struct file_data;
struct volume;

struct inode {
	uint64_t ino; /* immutable */
	struct sync_mutex lock;
	struct inode_image image GUARDED_BY(
		lock); /* attr.size: the visible size */

	/* The size that may be logged: all data below it is mapped. Equal to
	 * attr.size for what is not a regular file. */
	uint64_t logged_size GUARDED_BY(lock);
	uint64_t mark GUARDED_BY(lock); /* of its newest change */
	bool gone GUARDED_BY(lock);     /* INODE_DEL was logged */
	struct file_data *data GUARDED_BY(
		lock); /* data.h; NULL: none in memory */

	bool has_row GUARDED_BY(INDEX); /* an INODE was logged */
	/* In the list of changed inodes, which keeps it in memory. Set under
	 * INDEX with a pin, cleared under INDEX and INODES. */
	bool listed;
	struct inode *next_changed; /* GUARDED_BY(INDEX) */
	atomic_uint
		n_pins; /* atomic: grows from 1 without a lock; reaches 0 under
			     * INODES only */
	struct inode *lru_prev, *lru_next; /* GUARDED_BY(INODES) */
};

/* Pins. Loads the row when it is not in memory (takes INDEX for that).
 * -ENOENT (-ESTALE at the FUSE edge), -EUCLEAN, -EIO, -ENOMEM. */
int inode_get(struct volume *v, uint64_t ino, struct inode **ret);

/* The same with INDEX held. */
int inode_get_indexed(struct volume *v, uint64_t ino, struct inode **ret);

/* Pins it when it is in memory, else NULL. Takes INODES only. */
struct inode *inode_peek(struct volume *v, uint64_t ino);

/* One more pin on an inode that the caller has pinned; any lock held. */
static inline struct inode *inode_pin(struct inode *inode)
{
	/* Relaxed: the caller's pin keeps it alive. */
	atomic_fetch_add_explicit(&inode->n_pins, 1, memory_order_relaxed);
	return inode;
}

/* Unpins; NULL is fine. No inode lock may be held. When it was the last
 * interest in an inode without links, that is deleted (takes INDEX), so call
 * it without INDEX; within INDEX use inode_put_indexed(). */
void inode_put(struct volume *v, struct inode *inode);
void inode_put_indexed(struct volume *v, struct inode *inode);

/* To be logged with the next batch. INDEX and the inode's lock are held. Sets
 * the mark. -ENOMEM never: the list is threaded through the inodes. */
void inode_changed(struct volume *v, struct inode *inode);

/* Whether volume_forget() is still to come for it. Takes INODES; no inode lock
 * may be held. */
bool inode_wanted(struct volume *v, struct inode *inode);

/* A copy of the visible attributes. Takes the inode's lock. */
void inode_attr(struct inode *inode, struct volume_attr *ret);

/* 0, -EISDIR or -EINVAL: whether it is a regular file. */
int inode_is_file(struct inode *inode);

#endif
