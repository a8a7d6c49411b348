/* SPDX-License-Identifier: MIT */
/*
 * pool.c - a stack of unused blocks under a leaf lock.
 */
#include "base/pool.h"

#include "base/sync.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

enum { POOL_ALIGN = 4096 };

struct pool {
	struct sync_mutex lock;
	size_t n_kept GUARDED_BY(lock);
	size_t n_out GUARDED_BY(lock);
	size_t block_len; /* immutable */
	size_t alloc_len; /* immutable; block_len, rounded up to pages */
	size_t n_keep;    /* immutable */
	void *kept[] GUARDED_BY(lock);
};

int pool_new(size_t block_len, size_t n_keep, struct pool **ret)
{
	struct pool *p;

	if (block_len > SIZE_MAX - POOL_ALIGN ||
	    n_keep > (SIZE_MAX - sizeof(*p)) / sizeof(p->kept[0]))
		return -ENOMEM;
	p = calloc(1, sizeof(*p) + n_keep * sizeof(p->kept[0]));
	if (!p)
		return -ENOMEM;
	sync_mutex_init(&p->lock, RANK_LEAF);
	p->block_len = block_len;
	p->alloc_len = (block_len + POOL_ALIGN - 1) & ~(size_t)(POOL_ALIGN - 1);
	p->n_keep = n_keep;
	*ret = p;
	return 0;
}

void pool_free(struct pool *p)
{
	if (!p)
		return;
	assert(p->n_out == 0);
	while (p->n_kept > 0)
		free(p->kept[--p->n_kept]);
	sync_mutex_release(&p->lock);
	free(p);
}

void *pool_get(struct pool *p)
{
	void *block = NULL;

	sync_lock(&p->lock);
	if (p->n_kept > 0)
		block = p->kept[--p->n_kept];
	p->n_out++;
	sync_unlock(&p->lock);
	if (block)
		return block;
	block = aligned_alloc(POOL_ALIGN, p->alloc_len);
	if (block)
		return block;
	sync_lock(&p->lock);
	p->n_out--;
	sync_unlock(&p->lock);
	return NULL;
}

void pool_put(struct pool *p, void *block)
{
	if (!block)
		return;
	sync_lock(&p->lock);
	assert(p->n_out > 0);
	p->n_out--;
	if (p->n_kept < p->n_keep) {
		p->kept[p->n_kept++] = block;
		block = NULL;
	}
	sync_unlock(&p->lock);
	free(block);
}

size_t pool_block_len(const struct pool *p)
{
	return p->block_len;
}
