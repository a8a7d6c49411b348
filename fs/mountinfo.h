/* SPDX-License-Identifier: MIT */
/*
 * mountinfo.h - which store is mounted where, as /proc/self/mountinfo says.
 *
 * Works on mounts whose daemon is dead: none of these touches the mount.
 * Threads: any. Errors: -ENOENT (no such mount), -EINVAL, -ENAMETOOLONG.
 */
#ifndef FS_MOUNTINFO_H
#define FS_MOUNTINFO_H

#include <limits.h>
#include <stdbool.h>
#include <sys/types.h>

#define MOUNTINFO_TYPE "fuse.sigmafs"

struct mount_entry {
	dev_t dev;
	bool read_only;
	char dir[PATH_MAX];    /* where it is mounted */
	char type[64];         /* of the filesystem */
	char source[PATH_MAX]; /* what is mounted */
};

/* Parses one line of mountinfo. -EINVAL: it is none. */
int mountinfo_parse(const char *line, struct mount_entry *ret);

/* The topmost mount at `dir`, which is an absolute path without links. */
int mountinfo_find(const char *dir, struct mount_entry *ret);

/* A mount of the device `dev`. */
int mountinfo_find_dev(dev_t dev, struct mount_entry *ret);

/* A mount of the same filesystem in another place, as mount --bind makes it. */
int mountinfo_find_twin(const struct mount_entry *e, struct mount_entry *ret);

/* The mount of a store at `path` or, if there is none, the one that `path`
 * lies in. -ENOENT: `path` is not in a mounted store. */
int mountinfo_find_store(const char *path, struct mount_entry *ret);

/* The absolute path of `path` without links; its last component, which may be
 * a dead mount, is not touched. `ret` has room for PATH_MAX. */
int mountinfo_resolve(const char *path, char *ret);

#endif
