/* SPDX-License-Identifier: MIT */
/* atime.c - times of access in memory, and their way into the log. */
#include "volume/atime.h"

#include "volume/inodes.h"
#include "volume/volume_impl.h"

#include <stdlib.h>
#include <sys/stat.h>

enum {
	MANY = 4096,     /* are logged by the next tick */
	MOST = 64 << 10, /* 2 MiB; reads beyond it move nothing */
	SLICE = 256,     /* logged in one transaction */
	DAY = 24 * 3600, /* s: relatime moves a time that is so old */
};

struct atimes {
	atomic_uint rule;                      /* VOLUME_ATIME_... */
	struct sync_mutex lock;                /* LEAF */
	struct idmap waiting GUARDED_BY(lock); /* inode -> ns since 1970 */
	/* Of `waiting`: who sees 0 need not look. Changed under the lock. */
	atomic_size_t n_waiting;
};

int atimes_new(unsigned rule, struct atimes **ret)
{
	struct atimes *t = calloc(1, sizeof(*t));

	if (!t)
		return -ENOMEM;
	atomic_init(&t->rule, rule);
	atomic_init(&t->n_waiting, 0);
	sync_mutex_init(&t->lock, RANK_LEAF);
	idmap_init(&t->waiting);
	*ret = t;
	return 0;
}

void atimes_free(struct atimes *t)
{
	if (!t)
		return;
	idmap_release(&t->waiting);
	sync_mutex_release(&t->lock);
	free(t);
}

void volume_set_atime(struct volume *v, unsigned rule)
{
	atomic_store(&v->atimes->rule, rule);
}

/* ---- the rule ----------------------------------------------------------------- */

static bool is_before(struct volume_time a, struct volume_time b)
{
	return a.sec != b.sec ? a.sec < b.sec : a.nsec < b.nsec;
}

bool atime_moves(const struct volume_attr *attr, unsigned rule,
		 struct volume_time now)
{
	struct volume_time old = attr->atime;

	if (S_ISDIR(attr->mode) && (rule & VOLUME_ATIME_NOT_DIRS))
		return false;
	if (rule & VOLUME_ATIME_STRICT)
		return is_before(old, now) || is_before(now, old);
	if (!(rule & VOLUME_ATIME_RELATIVE))
		return false;
	/* Both may be anything that a program has set. */
	return !is_before(attr->mtime, old) || !is_before(attr->ctime, old) ||
	       (old.sec < now.sec &&
		(uint64_t)now.sec - (uint64_t)old.sec >= DAY);
}

/* ---- what waits --------------------------------------------------------------- */

static bool nothing_waits(struct atimes *t)
{
	return atomic_load(&t->n_waiting) == 0;
}

/* False: there is no room for it. */
static bool wait_for_log(struct atimes *t, uint64_t ino, struct volume_time at)
{
	bool fits;

	sync_lock(&t->lock);
	fits = t->waiting.n_used < MOST || idmap_find(&t->waiting, ino);
	fits = fits &&
	       idmap_set(&t->waiting, ino, (uint64_t)volume_time_ns(at)) == 0;
	atomic_store(&t->n_waiting, t->waiting.n_used);
	sync_unlock(&t->lock);
	return fits;
}

static void forget(struct atimes *t, uint64_t ino)
{
	sync_lock(&t->lock);
	(void)idmap_del(&t->waiting, ino);
	atomic_store(&t->n_waiting, t->waiting.n_used);
	sync_unlock(&t->lock);
}

void atimes_fill(struct volume *v, uint64_t ino, struct volume_attr *attr)
{
	struct atimes *t = v->atimes;
	const uint64_t *ns;

	if (nothing_waits(t))
		return;
	sync_lock(&t->lock);
	ns = idmap_find(&t->waiting, ino);
	if (ns)
		attr->atime = volume_time_at((int64_t)*ns);
	sync_unlock(&t->lock);
}

void atimes_logged(struct volume *v, uint64_t ino)
{
	if (!nothing_waits(v->atimes))
		forget(v->atimes, ino);
}

bool volume_accessed(struct volume *v, uint64_t ino)
{
	struct atimes *t = v->atimes;
	unsigned rule = atomic_load(&t->rule);
	struct volume_time now = volume_now();
	struct inode *inode;
	bool moves;

	if (rule == 0 || store_writable(v->store) < 0 ||
	    inode_get(v, ino, &inode) < 0)
		return false;
	sync_lock(&inode->lock);
	moves = !inode->gone && atime_moves(&inode->image.attr, rule, now) &&
		wait_for_log(t, ino, now);
	if (moves)
		inode->image.attr.atime = now;
	sync_unlock(&inode->lock);
	inode_put(v, inode);
	return moves;
}

/* ---- logging ------------------------------------------------------------------ */

/* Some inodes that wait. */
static size_t some_waiting(struct atimes *t, uint64_t *inos)
{
	struct idmap_slot slot;
	size_t cursor = 0;
	size_t n = 0;

	sync_lock(&t->lock);
	while (n < SLICE && idmap_next(&t->waiting, &cursor, &slot))
		inos[n++] = slot.key;
	sync_unlock(&t->lock);
	return n;
}

/* In a transaction. */
static int log_one(struct volume *v, uint64_t ino)
{
	struct inode *inode;
	int rc = inode_get_indexed(v, ino, &inode);

	/* Deleted since; or damaged, and that was told. */
	if (rc == -ENOENT || rc == -EUCLEAN) {
		forget(v->atimes, ino);
		return 0;
	}
	if (rc == 0) {
		rc = inode_log(v, inode);
		inode_put_indexed(v, inode);
	}
	return rc;
}

static int log_slice(struct volume *v, const uint64_t *inos, size_t n)
{
	int rc = txn_begin(v->store);

	if (rc)
		return rc;
	for (size_t i = 0; i < n && !rc; i++)
		rc = log_one(v, inos[i]);
	inodes_txn_end(v);
	return rc;
}

int atimes_log(struct volume *v, bool if_many)
{
	struct atimes *t = v->atimes;
	size_t left = atomic_load(&t->n_waiting);
	uint64_t inos[SLICE];
	int rc = 0;

	if (if_many && left < MANY)
		return 0;
	/* What is read meanwhile may wait for the next time. */
	while (!rc && left > 0) {
		size_t n = some_waiting(t, inos);

		rc = n > 0 ? log_slice(v, inos, n) : 0;
		left -= n > 0 && n < left ? n : left;
	}
	return rc;
}
