/* SPDX-License-Identifier: MIT */
/*
 * xattr.h - extended attributes, and the targets of symbolic links.
 *
 * Owns table `xattr`. A target is the value of the empty name, which no listing
 * shows. INDEX is held throughout; what volume.h declares takes it itself.
 */
#ifndef VOLUME_XATTR_H
#define VOLUME_XATTR_H

#include "volume/inode.h"
#include "volume/ops.h"

struct db;
struct xattrs;

extern const char xattr_schema[];
extern const char xattr_clear[]; /* empties the table */

int xattrs_new(struct xattrs **ret);
int xattrs_attach(struct xattrs *x, struct db *db);
void xattrs_free(struct xattrs *x);

/* Apply the bodies of XATTR and XATTR_DEL. */
int xattr_apply(struct volume *v, struct span body);
int xattr_apply_del(struct volume *v, struct span body);

/* Removes all rows of an inode; from apply only. */
int xattr_delete_all(struct volume *v, uint64_t ino);

/* In a transaction: the target of a new symbolic link. */
int xattr_put_target(struct volume *v, uint64_t ino, struct span target);

/* As getxattr(2), with `cap` 0 for the length. */
ssize_t xattr_find(struct volume *v, struct inode *inode, struct span name,
		   void *buf, size_t cap);

/* In a transaction: as setxattr(2); `op` is of this inode. */
int xattr_set(struct volume *v, struct inode *inode, const struct op_xattr *op,
	      int flags);

/* In a transaction: removes the attribute if it is there. 1: it was. */
int xattr_remove(struct volume *v, struct inode *inode, struct span name);

/* Calls `fn` for all rows, ordered by inode; ends early when it returns
 * non-zero, which is then returned. */
typedef int xattr_fn(void *ctx, const struct op_xattr *row);
int xattrs_each(struct volume *v, xattr_fn *fn, void *ctx);

/* store_handlers.dump for this table, as XATTR operations. */
int xattrs_dump(struct volume *v, struct dump_cursor *c, struct buffer *ops);

#endif
