/* SPDX-License-Identifier: MIT */
/*
 * volume_impl.h - the volume's own fields, for the files of this room only.
 */
#ifndef VOLUME_VOLUME_IMPL_H
#define VOLUME_VOLUME_IMPL_H

#include "volume/leaf_ring.h"
#include "volume/volume.h"

struct atimes;
struct dirents;
struct filemap;
struct flusher;
struct inode_rows;
struct inodes;
struct salvage_rows;
struct xattrs;

struct volume {
	struct store *store;   /* immutable; set before anything is applied */
	bool kernel_times;     /* immutable */
	char *schema;          /* immutable; owned */
	struct inodes *inodes; /* own lock: INODES */
	struct atimes *atimes; /* own lock: LEAF */
	struct inode_rows *inode_rows; /* GUARDED_BY(INDEX) */
	struct dirents *dirents;       /* GUARDED_BY(INDEX) */
	struct xattrs *xattrs;         /* GUARDED_BY(INDEX) */
	struct filemap *filemap;       /* GUARDED_BY(INDEX) */
	struct salvage_rows *salvage;  /* GUARDED_BY(INDEX); mostly NULL */
	struct flusher *flusher;       /* own locks: DIRTY, PACKER */
	struct leaf_ring leaf_ring;    /* own lock: LEAF */
};

/* Wall-clock time, for time stamps. */
struct volume_time volume_now(void);

/* Nanoseconds since 1970, and back, for times that the clock has told. */
struct volume_time volume_time_at(int64_t ns);
int64_t volume_time_ns(struct volume_time t);

#endif
