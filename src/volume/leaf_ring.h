/* SPDX-License-Identifier: MIT */
/*
 * leaf_ring.h - which leaves inodes keep: so many, and no more.
 *
 * Bounds the memory for leaves whatever number of inodes is cached, and however
 * long their files are. First in, first out. Threads: any; knows numbers only.
 */
#ifndef VOLUME_LEAF_RING_H
#define VOLUME_LEAF_RING_H

#include "base/sync.h"

enum {
	LEAF_RING_LEN = 512,
	LEAF_RING_SPARE = 64, /* to be given up, by those who added them */
	LEAF_SMALL =
		4, /* extents; an only leaf of no more counts for nothing */
};

struct kept_leaf {
	uint64_t ino;
	uint64_t from; /* where it begins in the file */
};

struct leaf_ring {
	struct sync_mutex lock; /* LEAF */
	struct kept_leaf kept[LEAF_RING_LEN + LEAF_RING_SPARE] GUARDED_BY(lock);
	unsigned first GUARDED_BY(lock); /* the oldest */
	unsigned n GUARDED_BY(lock);
};

void leaf_ring_init(struct leaf_ring *r);
void leaf_ring_release(struct leaf_ring *r);

/* Notes a leaf that is to be kept. False: there is no room for it. */
bool leaf_ring_add(struct leaf_ring *r, const struct kept_leaf *leaf);

/* Takes out the oldest if there are too many: it is to be given up. False: there
 * are not. */
bool leaf_ring_pop(struct leaf_ring *r, struct kept_leaf *ret);

#endif
