/* SPDX-License-Identifier: MIT */
/* leaf_ring.c - which leaves inodes keep. */
#include "volume/leaf_ring.h"

#include "base/bytes.h"

void leaf_ring_init(struct leaf_ring *r)
{
	*r = (struct leaf_ring){ .n = 0 };
	sync_mutex_init(&r->lock, RANK_LEAF);
}

void leaf_ring_release(struct leaf_ring *r)
{
	sync_mutex_release(&r->lock);
}

bool leaf_ring_add(struct leaf_ring *r, const struct kept_leaf *leaf)
{
	const unsigned cap = ARRAY_LEN(r->kept);
	bool room;

	sync_lock(&r->lock);
	room = r->n < cap;
	if (room)
		r->kept[(r->first + r->n++) % cap] = *leaf;
	sync_unlock(&r->lock);
	return room;
}

bool leaf_ring_pop(struct leaf_ring *r, struct kept_leaf *ret)
{
	const unsigned cap = ARRAY_LEN(r->kept);
	bool over;

	sync_lock(&r->lock);
	over = r->n > LEAF_RING_LEN;
	if (over) {
		*ret = r->kept[r->first];
		r->first = (r->first + 1) % cap;
		r->n--;
	}
	sync_unlock(&r->lock);
	return over;
}
