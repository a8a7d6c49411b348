/* SPDX-License-Identifier: MIT */
/*
 * superblock_restore.h - a superblock for a store that has lost its own.
 */
#ifndef STORE_SUPERBLOCK_RESTORE_H
#define STORE_SUPERBLOCK_RESTORE_H

#include "store/superblock.h"

/*
 * Gives the store at `path` a new superblock, if the old one is missing or
 * damaged, with the uuid that the headers of its segments tell. Label and features
 * are not told there. A damaged one is kept under another name. Durable on return.
 *
 * 1: done, `ret` has it; with `only_look`, it can be done, and nothing was. 0: it
 * has a good one. -ENOENT: no store. -EUCLEAN: no segment tells the uuid, or they
 * tell several, which has been said. -EOPNOTSUPP: a newer format. -EWOULDBLOCK: the
 * store is in use. Errors of the disk. Blocks while it reads all headers.
 */
int superblock_restore(const char *path, bool only_look,
		       struct superblock *ret);

#endif
