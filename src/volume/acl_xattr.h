/* SPDX-License-Identifier: MIT */
/*
 * acl_xattr.h - access control lists as attributes of inodes: kept in table
 * xattr, and in step with the mode. INDEX is held throughout.
 */
#ifndef VOLUME_ACL_XATTR_H
#define VOLUME_ACL_XATTR_H

#include "volume/attr.h"
#include "volume/inode.h"

struct op_xattr;

bool acl_xattr_is(struct span name);

/* In a transaction: as setxattr(2) of a list; its mode becomes the inode's. A list
 * that says no more than a mode is not kept. `flags`: VOLUME_XATTR_KILL_SGID.
 * -EINVAL, -EOPNOTSUPP, -EACCES: a default list of what is no directory. */
int acl_xattr_set(struct volume *v, struct inode *inode,
		  const struct op_xattr *op, int flags);

/* In a transaction: after chmod(2), makes the access list say the same as `mode`,
 * if there is one. */
int acl_xattr_chmod(struct volume *v, struct inode *inode, uint32_t mode);

/* The lists that something new begins with; NULL: none. Owned. */
struct acl_inherited {
	uint8_t *access;
	uint8_t *handed_down; /* a directory's default list */
	size_t len;           /* bytes of each */
};

/* The default list of `dir`, for what `image` is to be, whose mode it bounds;
 * where there is none, `umask` does. */
int acl_xattr_inherit(struct volume *v, struct inode *dir, uint32_t umask,
		      struct inode_image *image, struct acl_inherited *ret);

/* In a transaction: gives them to it. */
int acl_xattr_give(struct volume *v, struct inode *inode,
		   const struct acl_inherited *lists);
void acl_inherited_release(struct acl_inherited *lists);

#endif
