/* SPDX-License-Identifier: MIT */
/*
 * restore.h - makes files and directories of a kind, with their attributes, in a
 * directory that is open.
 *
 * Nothing is followed and nothing replaced: a name is one component, and must not
 * be there. So what a hostile store says stays below the first directory.
 * Errors: negative errno of the system call.
 */
#ifndef FS_RESTORE_H
#define FS_RESTORE_H

#include "volume/volume.h"

#include <limits.h>

/* A name that is to be made. */
struct restore_name {
	int dir_fd;
	char text[NAME_MAX + 1];
};

/* Makes the directory `path`, or takes it if it is empty: a descriptor. */
int restore_open(const char *path);

/* Whether that can be done, as it is now, and `path` does not lie in the directory
 * `store` (may be NULL): 0, or -ENOTEMPTY, -ENOTDIR … */
int restore_check(const char *path, const char *store);

/* A new directory, or file to write to: a descriptor. Nobody else may use them
 * before restore_attrs(). */
int restore_mkdir(const struct restore_name *name);
int restore_create(const struct restore_name *name);

/* All that was made is on the disk, or the disk says why not. */
int restore_sync(int dir_fd);

/* What is neither; `target` of a symbolic link. -EOPNOTSUPP: no such type. */
int restore_node(const struct restore_name *name,
		 const struct volume_attr *attr, const char *target);

/* Another name of a file, `path` below `root_fd`. */
int restore_link(int root_fd, const char *path,
		 const struct restore_name *name);

/* Gives the file `old` in the same directory this name. */
int restore_rename(const struct restore_name *name, const char *old);

/* `fd` in what follows: of a file or directory; -1: by its name. */

/* False: it could not be set. */
bool restore_owner(const struct restore_name *name, int fd,
		   const struct volume_attr *attr);

/* Permissions and times. Without the `owner` that it should have, bits that lend
 * his rights are left out. */
int restore_attrs(const struct restore_name *name, int fd,
		  const struct volume_attr *attr, bool owner);

int restore_xattr(const struct restore_name *name, int fd, const char *key,
		  struct span value);

#endif
