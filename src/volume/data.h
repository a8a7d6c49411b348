/* SPDX-License-Identifier: MIT */
/*
 * data.h - what the rest of the volume room must know of file data in memory.
 *
 * Private to the volume room; implemented by file*.c, flush.c, filemap.c.
 */
#ifndef VOLUME_DATA_H
#define VOLUME_DATA_H

#include "volume/inode.h"

struct flusher;

/* SQL text of table `extent`, part of the volume's schema. */
extern const char filemap_schema[];
extern const char filemap_clear[]; /* empties the table */

/* Statements of table `extent`; one object per volume. INDEX held. */
struct filemap;
int filemap_new(struct volume *v, struct filemap **ret);
int filemap_attach(struct filemap *m, struct db *db);
void filemap_free(struct filemap *m);

/* Applies the body of a MAP operation: table, reference counts, and the leaves of
 * the inode if it is in memory. INDEX held, no inode lock. */
int filemap_apply(struct volume *v, struct span body);

/* Drops all extents of a deleted inode, with their references. INDEX held. */
int filemap_delete(struct volume *v, uint64_t ino);

/* Sets a new size (SET_SIZE of setattr), with `when` as mtime and ctime. Takes
 * INDEX and the inode's lock itself. */
int file_resize(struct volume *v, struct inode *inode, uint64_t size);

/*
 * In a transaction, on the way to the deletion of a file that nobody uses: takes
 * the last leaves of a long map away. 1: it did, ask again in the next
 * transaction; 0: what is left goes with the inode.
 */
int file_shorten(struct volume *v, struct inode *inode);

/* Whether file_shorten() has something to do. In a transaction. */
int file_is_long(struct volume *v, struct inode *inode);

/* All received data of the inode is in the log's buffer (not durable). */
int file_flush_all(struct volume *v, struct inode *inode);

/* Forgets unflushed data of an inode without links; waits for what is in
 * flight. No lock held. */
void file_discard(struct volume *v, struct inode *inode);

/* Frees inode->data. Nothing is dirty or in flight. */
void file_data_free(struct file_data *d);

/* True when data of the inode is dirty or in flight (then it has pins too, and
 * is not evicted). Its lock is held. */
bool file_data_busy(const struct file_data *d);

/* Bytes that are dirty or in flight. The inode's lock is held. */
uint64_t file_data_len(const struct file_data *d);

/* The flusher: list of dirty inodes, the packer. */
int flusher_new(size_t dirty_len, struct flusher **ret);
void flusher_free(struct flusher *f);

/* Hands data older than a second (all: all data) to ingest; with `all` returns
 * only when it is in the log's buffer. No lock held. */
int flusher_run(struct volume *v, bool all);

#endif
