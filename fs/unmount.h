/* SPDX-License-Identifier: MIT */
/*
 * unmount.h - takes a mount away, as root or through fusermount3.
 */
#ifndef FS_UNMOUNT_H
#define FS_UNMOUNT_H

#include <stdbool.h>

/*
 * Unmounts `dir`, an absolute path. `lazy`: off the tree at once, for good when
 * the last user is gone. Returns before the daemon is done. -EBUSY: it is in
 * use. -EPERM: somebody else's. -EINVAL: nothing is mounted there.
 */
int unmount_path(const char *dir, bool lazy);

/* Has the kernel write what it holds for the filesystem at `dir`. */
int unmount_flush(const char *dir);

/* Whether the daemon of the mount at `dir` has died. Asks it, since the kernel
 * answers much from what it remembers. */
bool unmount_is_dead(const char *dir);

#endif
