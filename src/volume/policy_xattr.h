/* SPDX-License-Identifier: MIT */
/*
 * policy_xattr.h - the attribute user.sigmafs.policy of files and directories.
 *
 * It is kept in the inode's image; codec/policy.h says what it may be. What is
 * made in a directory begins with the directory's. It counts for data written
 * from then on.
 */
#ifndef VOLUME_POLICY_XATTR_H
#define VOLUME_POLICY_XATTR_H

#include "volume/inode.h"

#define POLICY_XATTR "user.sigmafs.policy"

bool policy_xattr_is(struct span name);

/* As setxattr(2), with INDEX held. -EINVAL: not a policy. -EPERM: neither a file
 * nor a directory. */
int policy_xattr_set(struct volume *v, struct inode *inode, struct span value,
		     int flags);

/* As removexattr(2), with INDEX held. */
int policy_xattr_remove(struct volume *v, struct inode *inode);

/* As getxattr(2). Takes the inode's lock. */
ssize_t policy_xattr_get(struct inode *inode, void *buf, size_t cap);

/* What is made in the directory begins with it. Takes the inode's lock. */
uint64_t policy_xattr_inherited(struct inode *dir, uint32_t mode);

#endif
