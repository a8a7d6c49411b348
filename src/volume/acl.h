/* SPDX-License-Identifier: MIT */
/*
 * acl.h - POSIX access control lists, in the form of the kernel's attributes:
 * version 2, then entries of tag, permissions and id, all little-endian.
 *
 * Pure. A list that acl_check() takes has between three entries and as many as
 * VOLUME_XATTR_MAX bytes hold.
 */
#ifndef VOLUME_ACL_H
#define VOLUME_ACL_H

#include "base/bytes.h"

#define ACL_ACCESS  "system.posix_acl_access"
#define ACL_DEFAULT "system.posix_acl_default"

/* 0; -EINVAL, or -EOPNOTSUPP for another version, as acl(5) and the kernel have
 * it: each kind at its place, a mask wherever somebody is named. */
int acl_check(struct span acl);

/* Of a checked list: the permissions (0777) that a mode shows for it. */
uint32_t acl_mode(struct span acl);

/* Whether a checked list says nothing that a mode does not say. */
bool acl_is_mode(struct span acl);

/* Makes the permissions of `mode` those of the checked list, as chmod(2) does. */
void acl_chmod(uint8_t *acl, size_t len, uint32_t mode);

/* Makes the checked default list the access list of what is created with `mode`;
 * returns `mode` without what the list does not give. */
uint32_t acl_create(uint8_t *acl, size_t len, uint32_t mode);

#endif
