/* SPDX-License-Identifier: MIT */
/* leaf_ring.c - which inodes keep large leaves. */
#include "volume/leaf_ring.h"

void leaf_ring_init(struct leaf_ring *r)
{
	*r = (struct leaf_ring){ .next = 0 };
	sync_mutex_init(&r->lock, RANK_LEAF);
}

void leaf_ring_release(struct leaf_ring *r)
{
	sync_mutex_release(&r->lock);
}

uint64_t leaf_ring_add(struct leaf_ring *r, uint64_t ino)
{
	uint64_t old = 0;
	bool there = false;

	sync_lock(&r->lock);
	for (unsigned i = 0; i < LEAF_RING_LEN && !there; i++)
		there = r->inos[i] == ino;
	if (!there) {
		old = r->inos[r->next];
		r->inos[r->next] = ino;
		r->next = (r->next + 1) % LEAF_RING_LEN;
	}
	sync_unlock(&r->lock);
	return old;
}
