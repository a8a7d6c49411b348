/* SPDX-License-Identifier: MIT */
/*
 * tar_acl.h - access control lists: the kernel's attributes to libarchive's entries,
 * and back. Owner thread only.
 */
#ifndef FS_TAR_ACL_H
#define FS_TAR_ACL_H

#include "base/bytes.h"
#include "tar_library.h"

/* Attributes are no longer than so many entries make them. */
enum { TAR_ACL_ENTRIES_MAX = 4096, TAR_ACL_LEN = 4 + 8 * TAR_ACL_ENTRIES_MAX };

/* Adds the list `name` (ACL_ACCESS or ACL_DEFAULT) to `e`. -EUCLEAN, -EFBIG. */
int tar_acl_put(const struct tar_library *lib, struct archive_entry *e,
		const char *name, struct span value);

/*
 * The list `name` of `e` into `ret`, of TAR_ACL_LEN bytes; returns its length, 0:
 * there is none that says more than the mode. -EFBIG: too many entries. -ENXIO:
 * somebody in it is not known here.
 */
ssize_t tar_acl_get(const struct tar_library *lib, struct archive_entry *e,
		    const char *name, uint8_t *ret);

#endif
