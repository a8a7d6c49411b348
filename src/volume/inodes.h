/* SPDX-License-Identifier: MIT */
/*
 * inodes.h - the table of inodes in memory, as the namespace half sees it.
 *
 * Private to the volume room; see inode.h for one inode. An inode is in the
 * table from its loading or making until it is evicted or deleted. Lookup counts
 * live beside the table: 16 bytes for what the kernel merely remembers.
 * Threads: any.
 */
#ifndef VOLUME_INODES_H
#define VOLUME_INODES_H

#include "base/idmap.h"
#include "volume/inode.h"

/* A lookup count carries this bit when the inode has no links and is not in
 * memory, so that the last forget deletes it. */
#define LOOKUP_ORPHAN ((uint64_t)1 << 63)

/* The first group of fields is guarded by `lock`, the second by INDEX. */
struct inodes {
	struct sync_mutex lock;                /* INODES */
	size_t n_max;                          /* immutable */
	struct idmap by_ino;                   /* struct inode * */
	struct idmap lookups;                  /* counts */
	struct inode *lru_oldest, *lru_newest; /* neither pinned nor listed */
	struct inode *doomed; /* to be deleted, by lru_next; a pin each */
	bool closing;         /* no count matters any more */

	struct inode *changed;      /* oldest first, by next_changed */
	struct inode **changed_end; /* where the next one goes */
	size_t n_changed;
	uint64_t n_new; /* inodes that have no row yet */
	bool logging;
};

int inodes_new(size_t n_max, struct inodes **ret);

/* All that is in memory, pinned or not. The store is closed. */
void inodes_free(struct inodes *t);

/* Logs all changed inodes, or the image of one as it is now, changed or not. In
 * a transaction, or before a batch ends. */
int inodes_log_changed(struct volume *v);
int inode_log(struct volume *v, struct inode *inode);

/* Deletes what inode_put_indexed() found to be without use. No lock held. */
void inodes_reap(struct volume *v);

/* From now on lookup counts keep nothing alive. */
void inodes_closing(struct volume *v);

/* Forgets all unflushed data, waits for what is in flight. No lock held. */
void inodes_discard(struct volume *v);

/* Inodes made but not yet counted in TOTAL_INODES. INDEX held. */
uint64_t inodes_n_new(const struct volume *v);

/* Ends a transaction: logs the changed inodes if they are many, releases INDEX,
 * deletes what is without use. */
void inodes_txn_end(struct volume *v);

/* Makes an inode that has no row yet, pinned and listed as changed. INDEX held.
 * -ENOMEM: nothing was done. */
int inode_new(struct volume *v, uint64_t ino, const struct inode_image *image,
	      struct inode **ret);

/* Adds to the lookup count, or takes back what was added. -ENOMEM. */
int inode_count(struct volume *v, uint64_t ino);
void inode_uncount(struct volume *v, uint64_t ino);

/* Takes `n` from the lookup count; the last one deletes an inode without links.
 * No lock held. */
void inode_forget(struct volume *v, uint64_t ino, uint64_t n);

/* In a transaction, when the last link of an inode was just taken: deletes it if
 * nobody but the caller, who has one pin, uses it. */
int inode_try_delete(struct volume *v, struct inode *inode);

/* As inode_put(), for an inode that may have lost its last link: its unflushed
 * data is forgotten when nobody wants it. No lock held. NULL is fine. */
void inode_drop(struct volume *v, struct inode *inode);

/* The rest is between inode.c and inode_change.c. */

/* Deletes an inode that only the caller's pin keeps; drops the pin. */
void inode_delete(struct volume *v, struct inode *inode);

/* Drops a pin without deleting anything. */
void inode_unpin(struct volume *v, struct inode *inode);

/* Takes it out of the table; it is freed with its last pin. */
void inode_unhash(struct volume *v, struct inode *inode);

/* No longer listed: freed if it is gone, else it may be evicted. INDEX held. */
void inode_unlist(struct volume *v, struct inode *inode);

/* Whether no lookup and no other pin holds it. */
bool inode_alone(struct volume *v, struct inode *inode);

#endif
