/* SPDX-License-Identifier: MIT */
/* flusher.c - the list of dirty inodes, oldest first, and what ages in it. */
#include "volume/flusher.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "store/ingest.h"
#include "volume/volume_impl.h"

enum {
	DIRTY_DEFAULT = 32 << 20,
	POOL_KEEP = 16,
};

/* Dirty data is handed to ingest when it is so old. */
#define AGE_NS ((uint64_t)1000000000)

int flusher_new(size_t dirty_len, struct flusher **ret)
{
	struct flusher *f = calloc(1, sizeof(*f));

	if (!f || pool_new(SPAN_MAX, POOL_KEEP, &f->pool)) {
		free(f);
		return -ENOMEM;
	}
	f->limit = dirty_len ? dirty_len : DIRTY_DEFAULT;
	sync_mutex_init(&f->list_lock, RANK_DIRTY);
	sync_mutex_init(&f->pack_lock, RANK_PACKER);
	sync_cond_init(&f->left);
	*ret = f;
	return 0;
}

void flusher_free(struct flusher *f)
{
	if (!f)
		return;
	sync_cond_release(&f->left);
	sync_mutex_release(&f->list_lock);
	sync_mutex_release(&f->pack_lock);
	pool_free(f->pool);
	free(f);
}

struct pool *flush_pool(struct volume *v)
{
	return v->flusher->pool;
}

void flush_count(struct volume *v, int64_t delta)
{
	atomic_fetch_add(&v->flusher->n_dirty, delta);
}

unsigned flusher_enter(struct flusher *f)
{
	unsigned phase;

	sync_lock(&f->list_lock);
	phase = f->phase;
	f->n_inside[phase]++;
	sync_unlock(&f->list_lock);
	return phase;
}

void flusher_leave(struct flusher *f, unsigned phase)
{
	sync_lock(&f->list_lock);
	if (--f->n_inside[phase] == 0)
		sync_broadcast(&f->left);
	sync_unlock(&f->list_lock);
}

/* Returns when all who are inside now have left, whoever enters meanwhile. */
static void wait_left(struct flusher *f)
{
	unsigned old;

	sync_lock(&f->list_lock);
	while (f->n_inside[!f->phase] > 0)
		sync_wait(&f->left, &f->list_lock);
	old = f->phase;
	f->phase = !old;
	while (f->n_inside[old] > 0)
		sync_wait(&f->left, &f->list_lock);
	sync_unlock(&f->list_lock);
}

void flush_list_add(struct volume *v, struct inode *inode)
{
	struct flusher *f = v->flusher;
	struct file_data *d = inode->data;

	sync_lock(&f->list_lock);
	if (!d->listed) {
		d->listed = true;
		d->dirty_since_ns = clock_mono_ns();
		d->newer = NULL;
		d->older = f->newest;
		if (f->newest)
			f->newest->data->newer = inode;
		else
			f->oldest = inode;
		f->newest = inode;
		(void)inode_pin(inode);
	}
	sync_unlock(&f->list_lock);
}

/* Takes the oldest inode out of the list if it is dirty since `until_ns` or
 * longer. The list's pin becomes the caller's, who is inside. */
static struct inode *pop(struct flusher *f, uint64_t until_ns)
{
	struct inode *inode;

	sync_lock(&f->list_lock);
	inode = f->oldest;
	if (inode && inode->data->dirty_since_ns > until_ns)
		inode = NULL;
	if (inode) {
		f->oldest = inode->data->newer;
		if (f->oldest)
			f->oldest->data->older = NULL;
		else
			f->newest = NULL;
		inode->data->listed = false;
	}
	sync_unlock(&f->list_lock);
	return inode;
}

/* Whether an inode just popped has no links left, so that its data will most
 * likely never be needed in the log. One that is still open goes back into the
 * list; the pin is the caller's all the same. */
static bool postpone(struct volume *v, struct inode *inode)
{
	bool wanted = inode_wanted(v, inode);
	bool unlinked;

	sync_lock(&inode->lock);
	unlinked = inode->image.attr.nlink == 0;
	if (unlinked && wanted && inode->data->dirty.n > 0)
		flush_list_add(v, inode);
	sync_unlock(&inode->lock);
	return unlinked;
}

/* What became of the oldest inode. */
enum flushed {
	FLUSHED_NONE, /* there is none so old */
	FLUSHED_ALL,
	FLUSHED_REST, /* it is in the list again: something waits for a flight */
};

/* Flushes an inode that was popped, and drops the pin. */
static int flush_popped(struct volume *v, struct inode *inode)
{
	int rc = flush_inode(v, inode, FLUSH_ALL);
	bool rest;

	sync_lock(&inode->lock);
	rest = inode->data->dirty.n > 0;
	if (rest)
		flush_list_add(v, inode);
	sync_unlock(&inode->lock);
	inode_put(v, inode);
	if (rc)
		return rc;
	return rest ? FLUSHED_REST : FLUSHED_ALL;
}

/* Flushes one inode that is dirty since `until_ns` or longer; unlinked ones may
 * be left for later. Returns enum flushed. */
static int flush_oldest(struct volume *v, uint64_t until_ns,
			bool spare_unlinked)
{
	struct flusher *f = v->flusher;
	unsigned phase = flusher_enter(f);
	struct inode *inode = pop(f, until_ns);
	int rc = FLUSHED_NONE;

	if (inode && spare_unlinked && postpone(v, inode)) {
		inode_put(v, inode);
		rc = FLUSHED_REST;
	} else if (inode) {
		rc = flush_popped(v, inode);
	}
	flusher_leave(f, phase);
	return rc;
}

void flush_throttle(struct volume *v)
{
	struct flusher *f = v->flusher;
	int rc = FLUSHED_ALL;

	/* What waits for older bytes in flight is no more than those are, so
	 * the writer may go on. */
	while (rc == FLUSHED_ALL &&
	       atomic_load(&f->n_dirty) > (long long)f->limit)
		rc = flush_oldest(v, clock_mono_ns(), false);
}

void flusher_seal(struct flusher *f, uint64_t age_ns)
{
	unsigned phase = flusher_enter(f);
	struct parcel *p = NULL;

	sync_lock(&f->pack_lock);
	if (f->packed && clock_mono_ns() - f->packed_since_ns >= age_ns)
		p = steal_ptr(&f->packed);
	sync_unlock(&f->pack_lock);
	if (p)
		ingest_submit(p);
	flusher_leave(f, phase);
}

static int flush_aged(struct volume *v)
{
	uint64_t now = clock_mono_ns();
	int rc;

	do
		rc = flush_oldest(v, now - min_u64(now, AGE_NS), true);
	while (rc > 0);
	flusher_seal(v->flusher, AGE_NS);
	return rc;
}

/* All that is dirty now, not what comes meanwhile. What waited for an older flight
 * of the same range, or was in the hands of another thread, goes in the second
 * round. Who is inside may still put something into the shared parcel, or have it
 * in hand. */
static int flush_everything(struct volume *v)
{
	struct flusher *f = v->flusher;
	int lost;
	int rc = 0;

	for (unsigned round = 0; round < 2; round++) {
		uint64_t now = clock_mono_ns();
		int one;

		do {
			one = flush_oldest(v, now, false);
			if (one < 0 && !rc)
				rc = one;
		} while (one != FLUSHED_NONE);
		wait_left(f);
		flusher_seal(f, 0);
		wait_left(f);
		ingest_drain(v->store);
	}
	lost = atomic_exchange(&f->lost, 0);
	return rc ? rc : lost;
}

int flusher_run(struct volume *v, bool all)
{
	return all ? flush_everything(v) : flush_aged(v);
}
