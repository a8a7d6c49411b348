/* SPDX-License-Identifier: MIT */
/*
 * inode.c - the table of inodes: loading, pins, lookup counts, eviction.
 *
 * Happy path: a request pins the inode, which takes it out of the LRU list; its
 * last pin puts it back, and the oldest ones are freed when there are too many. A
 * changed inode stays until its image is logged. An inode without links, pins
 * and lookups is deleted: by whoever dropped the last of them, or, when that one
 * holds INDEX, by the next inodes_reap().
 */
#include "volume/inode.h"

#include "volume/atime.h"
#include "volume/data.h"
#include "volume/inode_row.h"
#include "volume/inodes.h"
#include "volume/volume_impl.h"

#include <stdlib.h>
#include <sys/stat.h>

enum { N_INODES_DEFAULT = 16 << 10 };

int inodes_new(size_t n_max, struct inodes **ret)
{
	struct inodes *t = calloc(1, sizeof(*t));

	if (!t)
		return -ENOMEM;
	sync_mutex_init(&t->lock, RANK_INODES);
	idmap_init(&t->by_ino);
	idmap_init(&t->lookups);
	t->changed_end = &t->changed;
	t->n_max = n_max ? n_max : N_INODES_DEFAULT;
	*ret = t;
	return 0;
}

static void free_inode(struct inode *inode)
{
	file_data_free(inode->data);
	sync_mutex_release(&inode->lock);
	free(inode);
}

void inodes_free(struct inodes *t)
{
	struct idmap_slot slot;
	size_t cursor = 0;

	if (!t)
		return;
	while (t->changed) {
		struct inode *inode = t->changed;

		t->changed = inode->next_changed;
		if (inode->gone)
			free_inode(inode);
	}
	while (idmap_next(&t->by_ino, &cursor, &slot))
		free_inode((struct inode *)(uintptr_t)slot.value);
	idmap_release(&t->by_ino);
	idmap_release(&t->lookups);
	sync_mutex_release(&t->lock);
	free(t);
}

/* ---- the LRU list ----------------------------------------------------------- */

static void lru_add(struct inodes *t, struct inode *inode)
{
	inode->lru_next = NULL;
	inode->lru_prev = t->lru_newest;
	if (t->lru_newest)
		t->lru_newest->lru_next = inode;
	else
		t->lru_oldest = inode;
	t->lru_newest = inode;
}

static void lru_del(struct inodes *t, struct inode *inode)
{
	if (inode->lru_prev)
		inode->lru_prev->lru_next = inode->lru_next;
	else
		t->lru_oldest = inode->lru_next;
	if (inode->lru_next)
		inode->lru_next->lru_prev = inode->lru_prev;
	else
		t->lru_newest = inode->lru_prev;
	inode->lru_prev = NULL;
	inode->lru_next = NULL;
}

static uint32_t links_of(struct inode *inode)
{
	uint32_t nlink;

	sync_lock(&inode->lock);
	nlink = inode->image.attr.nlink;
	sync_unlock(&inode->lock);
	return nlink;
}

static bool is_gone(struct inode *inode)
{
	bool gone;

	sync_lock(&inode->lock);
	gone = inode->gone;
	sync_unlock(&inode->lock);
	return gone;
}

/* Takes what is too much out of the table; returns it as a list by lru_next,
 * for free_list() without the lock. */
static struct inode *evict_locked(struct inodes *t) REQUIRES(t->lock)
{
	struct inode *list = NULL;

	while (t->by_ino.n_used > t->n_max && t->lru_oldest) {
		struct inode *inode = t->lru_oldest;
		uint64_t *count = idmap_find(&t->lookups, inode->ino);

		if (count && links_of(inode) == 0)
			*count |= LOOKUP_ORPHAN;
		lru_del(t, inode);
		(void)idmap_del(&t->by_ino, inode->ino);
		inode->lru_next = list;
		list = inode;
	}
	return list;
}

static void free_list(struct inode *list)
{
	while (list) {
		struct inode *next = list->lru_next;

		free_inode(list);
		list = next;
	}
}

/* ---- pinning ------------------------------------------------------------------ */

static struct inode *peek_locked(struct inodes *t, uint64_t ino)
	REQUIRES(t->lock)
{
	struct inode *inode = idmap_ptr(&t->by_ino, ino);

	if (!inode)
		return NULL;
	if (atomic_fetch_add(&inode->n_pins, 1) == 0 && !inode->listed)
		lru_del(t, inode);
	return inode;
}

struct inode *inode_peek(struct volume *v, uint64_t ino)
{
	struct inodes *t = v->inodes;
	struct inode *inode;

	if (ino == 0)
		return NULL;
	sync_lock(&t->lock);
	inode = peek_locked(t, ino);
	sync_unlock(&t->lock);
	return inode;
}

/* A pinned inode in the table. INDEX is held, so nobody adds it meanwhile. */
static int add(struct volume *v, uint64_t ino, const struct inode_image *image,
	       struct inode **ret)
{
	struct inodes *t = v->inodes;
	struct inode *inode = calloc(1, sizeof(*inode));
	int rc;

	if (!inode)
		return -ENOMEM;
	inode->ino = ino;
	sync_mutex_init(&inode->lock, RANK_INODE);
	inode->image = *image;
	inode->image.attr.ino = ino;
	inode->logged_size = image->attr.size;
	atomic_init(&inode->n_pins, 1);
	sync_lock(&t->lock);
	rc = idmap_set(&t->by_ino, ino, (uintptr_t)inode);
	sync_unlock(&t->lock);
	if (rc) {
		free_inode(inode);
		return rc;
	}
	*ret = inode;
	return 0;
}

int inode_get_indexed(struct volume *v, uint64_t ino, struct inode **ret)
{
	struct inode_image image;
	struct inode *inode = inode_peek(v, ino);
	int rc;

	if (!inode) {
		rc = inode_row_load(v, ino, &image);
		if (rc)
			return rc;
		atimes_fill(v, ino, &image.attr);
		rc = add(v, ino, &image, &inode);
		if (rc)
			return rc;
		inode->has_row = true;
	}
	*ret = inode;
	return 0;
}

int inode_get(struct volume *v, uint64_t ino, struct inode **ret)
{
	struct inode *inode = inode_peek(v, ino);
	int rc = 0;

	if (!inode) {
		index_lock(v->store);
		rc = inode_get_indexed(v, ino, &inode);
		index_unlock(v->store);
	}
	if (!rc)
		*ret = inode;
	return rc;
}

int inode_new(struct volume *v, uint64_t ino, const struct inode_image *image,
	      struct inode **ret)
{
	struct inode *inode;
	int rc = add(v, ino, image, &inode);

	if (rc)
		return rc;
	v->inodes->n_new++;
	sync_lock(&inode->lock);
	inode_changed(v, inode);
	sync_unlock(&inode->lock);
	*ret = inode;
	return 0;
}

/* ---- unpinning ------------------------------------------------------------------ */

/* Drops a pin that is not the last one. */
static bool unpin_shared(struct inode *inode)
{
	unsigned n = atomic_load(&inode->n_pins);

	while (n > 1)
		if (atomic_compare_exchange_weak(&inode->n_pins, &n, n - 1))
			return true;
	return false;
}

static bool is_wanted_locked(const struct inodes *t, uint64_t ino)
{
	return !t->closing && idmap_find(&t->lookups, ino);
}

/*
 * Drops a pin. True: the inode has no use any more and the caller, whose pin
 * stays, has to delete it. Unless `may_delete`, it is then kept.
 */
static bool unpin(struct inodes *t, struct inode *inode, bool may_delete)
{
	struct inode *excess = NULL;
	bool last = false;

	if (unpin_shared(inode))
		return false;
	sync_lock(&t->lock);
	if (atomic_fetch_sub(&inode->n_pins, 1) > 1) {
		sync_unlock(&t->lock);
		return false;
	}
	if (is_gone(inode)) {
		inode->lru_next = NULL;
		excess = inode->listed ? NULL : inode;
	} else if (may_delete && links_of(inode) == 0 &&
		   !is_wanted_locked(t, inode->ino)) {
		atomic_store(&inode->n_pins, 1);
		last = true;
	} else if (!inode->listed) {
		lru_add(t, inode);
		excess = evict_locked(t);
	}
	sync_unlock(&t->lock);
	free_list(excess);
	return last;
}

void inode_unpin(struct volume *v, struct inode *inode)
{
	(void)unpin(v->inodes, inode, false);
}

void inode_put(struct volume *v, struct inode *inode)
{
	if (inode && unpin(v->inodes, inode, true))
		inode_delete(v, inode);
}

void inode_put_indexed(struct volume *v, struct inode *inode)
{
	struct inodes *t = v->inodes;

	if (!inode || !unpin(t, inode, true))
		return;
	sync_lock(&t->lock);
	inode->lru_next = t->doomed;
	t->doomed = inode;
	sync_unlock(&t->lock);
}

void inodes_reap(struct volume *v)
{
	struct inodes *t = v->inodes;
	struct inode *list;

	sync_lock(&t->lock);
	list = t->doomed;
	t->doomed = NULL;
	sync_unlock(&t->lock);
	while (list) {
		struct inode *inode = list;

		list = inode->lru_next;
		inode->lru_next = NULL;
		inode_delete(v, inode);
	}
}

void inode_unhash(struct volume *v, struct inode *inode)
{
	struct inodes *t = v->inodes;

	sync_lock(&t->lock);
	(void)idmap_del(&t->by_ino, inode->ino);
	(void)idmap_del(&t->lookups, inode->ino);
	sync_unlock(&t->lock);
}

void inode_unlist(struct volume *v, struct inode *inode)
{
	struct inodes *t = v->inodes;
	struct inode *excess = NULL;

	sync_lock(&t->lock);
	inode->listed = false;
	if (atomic_load(&inode->n_pins) == 0) {
		if (is_gone(inode)) {
			inode->lru_next = NULL;
			excess = inode;
		} else {
			lru_add(t, inode);
			excess = evict_locked(t);
		}
	}
	sync_unlock(&t->lock);
	free_list(excess);
}

/* ---- lookup counts ------------------------------------------------------------- */

int inode_count(struct volume *v, uint64_t ino)
{
	struct inodes *t = v->inodes;
	uint64_t *count;
	int rc = 0;

	sync_lock(&t->lock);
	count = idmap_find(&t->lookups, ino);
	if (count)
		(*count)++;
	else
		rc = idmap_set(&t->lookups, ino, 1);
	sync_unlock(&t->lock);
	return rc;
}

/* Takes `n` from the count. True: it is 0 now; `ret_orphan` says whether the
 * inode is an evicted one without links. */
static bool uncount_locked(struct inodes *t, uint64_t ino, uint64_t n,
			   bool *ret_orphan) REQUIRES(t->lock)
{
	uint64_t *count = idmap_find(&t->lookups, ino);
	uint64_t left;

	if (!count)
		return false;
	left = *count & ~LOOKUP_ORPHAN;
	if (left > n) {
		*count -= n;
		return false;
	}
	*ret_orphan = *count & LOOKUP_ORPHAN;
	(void)idmap_del(&t->lookups, ino);
	return true;
}

void inode_uncount(struct volume *v, uint64_t ino)
{
	struct inodes *t = v->inodes;
	bool orphan;

	sync_lock(&t->lock);
	(void)uncount_locked(t, ino, 1, &orphan);
	sync_unlock(&t->lock);
}

void inode_forget(struct volume *v, uint64_t ino, uint64_t n)
{
	struct inodes *t = v->inodes;
	struct inode *inode = NULL;
	bool orphan = false;

	if (ino == 0)
		return;
	sync_lock(&t->lock);
	if (uncount_locked(t, ino, n, &orphan)) {
		inode = idmap_ptr(&t->by_ino, ino);
		if (inode && links_of(inode) == 0)
			inode = peek_locked(t, ino);
		else
			inode = NULL;
	}
	sync_unlock(&t->lock);
	if (!inode && orphan && inode_get(v, ino, &inode))
		return;
	inode_drop(v, inode);
}

bool inode_wanted(struct volume *v, struct inode *inode)
{
	struct inodes *t = v->inodes;
	bool wanted;

	sync_lock(&t->lock);
	wanted = is_wanted_locked(t, inode->ino);
	sync_unlock(&t->lock);
	return wanted;
}

bool inode_alone(struct volume *v, struct inode *inode)
{
	struct inodes *t = v->inodes;
	bool alone;

	sync_lock(&t->lock);
	alone = !is_wanted_locked(t, inode->ino) &&
		atomic_load(&inode->n_pins) == 1;
	sync_unlock(&t->lock);
	return alone;
}

void inode_drop(struct volume *v, struct inode *inode)
{
	bool busy;

	if (!inode)
		return;
	if (links_of(inode) == 0 && !inode_wanted(v, inode)) {
		sync_lock(&inode->lock);
		busy = file_data_busy(inode->data);
		sync_unlock(&inode->lock);
		if (busy)
			file_discard(v, inode);
	}
	inode_put(v, inode);
}

/* ---- attributes -------------------------------------------------------------------- */

/* Bytes that are not mapped yet count as allocated, but what they overwrite does
 * not count twice, as far as that is known without a look at the map. */
void inode_attr(struct inode *inode, struct volume_attr *ret)
{
	uint64_t mapped;

	sync_lock(&inode->lock);
	*ret = inode->image.attr;
	mapped = ret->allocated;
	ret->allocated =
		max_u64(mapped, min_u64(mapped + file_data_len(inode->data),
					ret->size));
	sync_unlock(&inode->lock);
}

int inode_is_file(struct inode *inode)
{
	uint32_t mode;

	sync_lock(&inode->lock);
	mode = inode->image.attr.mode;
	sync_unlock(&inode->lock);
	if (S_ISREG(mode))
		return 0;
	return S_ISDIR(mode) ? -EISDIR : -EINVAL;
}

/* ---- closing ------------------------------------------------------------------------ */

void inodes_closing(struct volume *v)
{
	struct inodes *t = v->inodes;

	sync_lock(&t->lock);
	t->closing = true;
	sync_unlock(&t->lock);
}

/* All inodes whose data is not stored, pinned, in a list by lru_next. Nobody
 * else pins or evicts any more. */
static struct inode *pin_busy(struct inodes *t)
{
	struct inode *list = NULL;
	struct idmap_slot slot;
	size_t cursor = 0;

	sync_lock(&t->lock);
	while (idmap_next(&t->by_ino, &cursor, &slot)) {
		struct inode *inode = (struct inode *)(uintptr_t)slot.value;

		sync_lock(&inode->lock);
		/* What is busy has a pin, so it is not in the LRU list. */
		if (file_data_busy(inode->data)) {
			(void)inode_pin(inode);
			inode->lru_next = list;
			list = inode;
		}
		sync_unlock(&inode->lock);
	}
	sync_unlock(&t->lock);
	return list;
}

void inodes_discard(struct volume *v)
{
	struct inode *list = pin_busy(v->inodes);

	while (list) {
		struct inode *inode = list;

		list = inode->lru_next;
		inode->lru_next = NULL;
		file_discard(v, inode);
		inode_put(v, inode);
	}
}
