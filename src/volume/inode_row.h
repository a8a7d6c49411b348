/* SPDX-License-Identifier: MIT */
/*
 * inode_row.h - inodes in the index: rows, orphans, totals.
 *
 * Owns tables `inode` and `orphan` (inodes without links). Knows nothing of
 * inodes in memory, whose images may be newer. INDEX is held throughout.
 */
#ifndef VOLUME_INODE_ROW_H
#define VOLUME_INODE_ROW_H

#include "volume/attr.h"

struct buffer;
struct db;
struct dump_cursor;
struct inode_rows;
struct volume;

extern const char inode_row_schema[];
extern const char inode_row_clear[]; /* empties the table */

int inode_rows_new(struct inode_rows **ret);
int inode_rows_attach(struct inode_rows *rows, struct db *db);
void inode_rows_free(struct inode_rows *rows);

/* -ENOENT: no such row. -EUCLEAN. */
int inode_row_load(struct volume *v, uint64_t ino, struct inode_image *ret);

/* Apply the bodies of INODE and INODE_DEL. */
int inode_row_apply(struct volume *v, struct span body);
int inode_row_apply_del(struct volume *v, struct span body);

/* Deletes a row that makes no sense, for salvage. */
int inode_row_forget(struct volume *v, uint64_t ino);

/* The first orphan after `after`, or 0 when there is none. */
int inode_row_orphan(struct volume *v, uint64_t after, uint64_t *ret_ino);

/* Calls `fn` for every inode in the order of numbers; `image` is NULL for a row
 * that makes no sense. Ends early when `fn` returns non-zero, which is then
 * returned. */
typedef int inode_row_fn(void *ctx, uint64_t ino,
			 const struct inode_image *image);
int inode_rows_each(struct volume *v, inode_row_fn *fn, void *ctx);

/* store_handlers.dump for this table, as INODE operations. */
int inode_rows_dump(struct volume *v, struct dump_cursor *c,
		    struct buffer *ops);

#endif
