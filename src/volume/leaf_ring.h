/* SPDX-License-Identifier: MIT */
/*
 * leaf_ring.h - which inodes keep large leaves: so many, and no more.
 *
 * Bounds the memory for leaves whatever number of inodes is cached. First in,
 * first out. Threads: any; knows numbers only.
 */
#ifndef VOLUME_LEAF_RING_H
#define VOLUME_LEAF_RING_H

#include "base/sync.h"

enum {
	LEAF_RING_LEN = 128,
	LEAF_SMALL = 4, /* extents; a leaf of no more counts for nothing */
};

struct leaf_ring {
	struct sync_mutex lock;                        /* LEAF */
	uint64_t inos[LEAF_RING_LEN] GUARDED_BY(lock); /* 0: none */
	unsigned next GUARDED_BY(lock);                /* to be replaced next */
};

void leaf_ring_init(struct leaf_ring *r);
void leaf_ring_release(struct leaf_ring *r);

/* Notes that `ino` keeps large leaves. Returns the inode that has to give up
 * its own for it, or 0. */
uint64_t leaf_ring_add(struct leaf_ring *r, uint64_t ino);

#endif
