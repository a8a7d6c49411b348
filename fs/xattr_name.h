/* SPDX-License-Identifier: MIT */
/*
 * xattr_name.h - which extended attributes a file may have.
 *
 * "user.", "trusted.", "security." and POSIX access control lists are kept, but
 * SELinux labels are not.
 */
#ifndef FS_XATTR_NAME_H
#define FS_XATTR_NAME_H

#include <stdbool.h>

bool xattr_name_is_acl(const char *name);

/* 0, -EINVAL (nothing behind the prefix), -EOPNOTSUPP. */
int xattr_name_check(const char *name);

#endif
