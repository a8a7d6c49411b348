/* SPDX-License-Identifier: MIT */
/*
 * refusals.c - a bounded map of inodes with a refusal to tell.
 */
#include "refusals.h"

#include "base/idmap.h"
#include "base/sync.h"
#include "base/workers.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>

enum {
	INODES_MAX = 1024, /* others are told by fsync and close only */
	QUEUE_LEN = 2 * INODES_MAX,
};

struct refusals {
	struct sync_mutex lock;               /* LEAF */
	struct idmap by_ino GUARDED_BY(lock); /* -> errno */
	atomic_size_t n;        /* entries: mostly none, so no lock */
	struct workers *thread; /* immutable */
	void (*forget)(void *ctx, uint64_t ino); /* immutable */
	void *ctx;                               /* immutable */
};

struct forgetting {
	struct work work; /* first, it is cast */
	struct refusals *refusals;
	uint64_t ino;
};

int refusals_new(void (*forget)(void *ctx, uint64_t ino), void *ctx,
		 struct refusals **ret)
{
	struct refusals *r = calloc(1, sizeof(*r));
	int rc;

	if (!r)
		return -ENOMEM;
	sync_mutex_init(&r->lock, RANK_LEAF);
	idmap_init(&r->by_ino);
	r->forget = forget;
	r->ctx = ctx;
	rc = workers_new("sigmafs-refuse", 1, QUEUE_LEN, &r->thread);
	if (rc < 0)
		refusals_free(r);
	else
		*ret = r;
	return rc;
}

void refusals_free(struct refusals *r)
{
	if (!r)
		return;
	workers_free(r->thread);
	idmap_release(&r->by_ino);
	sync_mutex_release(&r->lock);
	free(r);
}

static void forget_run(struct work *work, unsigned worker)
{
	struct forgetting *f = (struct forgetting *)work;

	(void)worker;
	f->refusals->forget(f->refusals->ctx, f->ino);
	free(f);
}

static void forget_later(struct refusals *r, uint64_t ino)
{
	struct forgetting *f = malloc(sizeof(*f));

	if (!f)
		return;
	*f = (struct forgetting){ { .run = forget_run }, r, ino };
	if (!workers_try_submit(r->thread, &f->work))
		free(f);
}

void refusals_note(struct refusals *r, uint64_t ino, int rc)
{
	bool new = false;

	sync_lock(&r->lock);
	if (!idmap_find(&r->by_ino, ino) && r->by_ino.n_used < INODES_MAX)
		new = idmap_set(&r->by_ino, ino, (uint64_t)-rc) == 0;
	atomic_store(&r->n, r->by_ino.n_used);
	sync_unlock(&r->lock);
	if (new)
		forget_later(r, ino);
}

int refusals_take(struct refusals *r, uint64_t ino)
{
	const uint64_t *found;
	int rc = 0;

	if (atomic_load(&r->n) == 0)
		return 0;
	sync_lock(&r->lock);
	found = idmap_find(&r->by_ino, ino);
	if (found) {
		rc = -(int)*found;
		(void)idmap_del(&r->by_ino, ino);
	}
	atomic_store(&r->n, r->by_ino.n_used);
	sync_unlock(&r->lock);
	return rc;
}
