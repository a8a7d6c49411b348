/* SPDX-License-Identifier: MIT */
/* file_data.c - a regular file's data in memory: dirty, in flight, leaves. */
#include "volume/file_data.h"

#include "volume/flush.h"
#include "volume/volume_impl.h"

#include <stdlib.h>

int file_data_of(struct inode *inode, struct file_data **ret)
{
	struct file_data *d = inode->data;

	if (!d) {
		d = calloc(1, sizeof(*d));
		if (!d)
			return -ENOMEM;
		sync_mutex_init(&d->take_lock, RANK_TAKER);
		sync_cond_init(&d->settled);
		inode->data = d;
	}
	*ret = d;
	return 0;
}

void file_data_free(struct file_data *d)
{
	if (!d)
		return;
	file_data_drop_leaves(d, 0, UINT64_MAX);
	sync_cond_release(&d->settled);
	sync_mutex_release(&d->take_lock);
	free(d->dirty.list);
	free(d->flights);
	free(d);
}

bool file_data_busy(const struct file_data *d)
{
	return d && (d->dirty.n > 0 || d->n_flights > 0);
}

uint64_t file_data_len(const struct file_data *d)
{
	uint64_t len = d ? d->dirty.len : 0;

	for (size_t i = 0; d && i < d->n_flights; i++)
		len += d->flights[i].len;
	return len;
}

/* ---- leaves ------------------------------------------------------------------ */

/* Index of the first leaf that begins after `off`. */
static size_t leaves_search(const struct file_data *d, uint64_t off)
{
	size_t low = 0;
	size_t high = d->n_leaves;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (d->leaves[mid]->from <= off)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

void file_data_drop_leaves(struct file_data *d, uint64_t from, uint64_t to)
{
	size_t n = 0;

	for (size_t i = 0; d && i < d->n_leaves; i++) {
		struct leaf *leaf = d->leaves[i];

		if (leaf->from < to && from < leaf->to)
			leaf_put(leaf);
		else
			d->leaves[n++] = leaf;
	}
	if (!d)
		return;
	d->n_leaves = n;
	if (n == 0) {
		free(d->leaves);
		d->leaves = NULL;
		d->cap_leaves = 0;
	}
}

struct leaf *file_data_leaf(const struct file_data *d, uint64_t file_off)
{
	size_t i = leaves_search(d, file_off);

	if (i == 0 || file_off >= d->leaves[i - 1]->to)
		return NULL;
	return leaf_get(d->leaves[i - 1]);
}

/* Makes room for one more leaf. */
static bool grow_leaves(struct file_data *d)
{
	size_t cap = d->cap_leaves ? 2 * d->cap_leaves : 2;
	struct leaf **list;

	if (d->n_leaves < d->cap_leaves)
		return true;
	list = realloc(d->leaves, cap * sizeof(struct leaf *));
	if (!list)
		return false;
	d->leaves = list;
	d->cap_leaves = cap;
	return true;
}

void file_data_keep_leaf(struct volume *v, struct inode *inode,
			 struct leaf *leaf)
{
	struct file_data *d = inode->data;
	const struct kept_leaf kept = { inode->ino, leaf->from };
	size_t i = leaves_search(d, leaf->from);

	/* Two threads may have fetched the same one. */
	if ((i > 0 && d->leaves[i - 1]->from == leaf->from) || !grow_leaves(d))
		return;
	if ((leaf->n > LEAF_SMALL || d->n_leaves > 0) &&
	    !leaf_ring_add(&v->leaf_ring, &kept))
		return;
	memmove(d->leaves + i + 1, d->leaves + i,
		(d->n_leaves - i) * sizeof(struct leaf *));
	d->leaves[i] = leaf_get(leaf);
	d->n_leaves++;
}

void file_data_leaves_kept(struct volume *v)
{
	struct kept_leaf old;

	while (leaf_ring_pop(&v->leaf_ring, &old)) {
		struct inode *inode = inode_peek(v, old.ino);

		if (!inode)
			continue;
		sync_lock(&inode->lock);
		file_data_drop_leaves(inode->data, old.from, old.from + 1);
		sync_unlock(&inode->lock);
		inode_put(v, inode);
	}
}

/* ---- flights ----------------------------------------------------------------- */

size_t flights_search(const struct file_data *d, uint64_t off)
{
	size_t low = 0;
	size_t high = d->n_flights;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (d->flights[mid].off + d->flights[mid].len <= off)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

int flights_add(struct file_data *d, const struct flight *f)
{
	size_t i = flights_search(d, f->off);

	if (d->n_flights == d->cap_flights) {
		size_t cap = d->cap_flights ? 2 * d->cap_flights : 4;
		struct flight *list = realloc(d->flights, cap * sizeof(*list));

		if (!list)
			return -ENOMEM;
		d->flights = list;
		d->cap_flights = cap;
	}
	memmove(d->flights + i + 1, d->flights + i,
		(d->n_flights - i) * sizeof(*f));
	d->flights[i] = *f;
	d->flights[i].serial = ++d->last_serial;
	d->n_flights++;
	return 0;
}

void flights_del(struct file_data *d, const struct parcel *parcel, uint64_t off)
{
	size_t i = flights_search(d, off);

	if (i == d->n_flights || d->flights[i].off != off ||
	    d->flights[i].parcel != parcel)
		return;
	d->n_flights--;
	memmove(d->flights + i, d->flights + i + 1,
		(d->n_flights - i) * sizeof(*d->flights));
	if (d->n_flights == 0) {
		free(d->flights);
		d->flights = NULL;
		d->cap_flights = 0;
	}
	sync_broadcast(&d->settled);
}

bool flights_overlap(const struct file_data *d, uint64_t from, uint64_t to,
		     uint64_t serial)
{
	for (size_t i = flights_search(d, from);
	     i < d->n_flights && d->flights[i].off < to; i++)
		if (d->flights[i].serial <= serial)
			return true;
	return false;
}

bool file_data_next_run(const struct file_data *d, uint64_t from,
			uint64_t stamp, struct dirty_run *ret)
{
	for (;;) {
		size_t i = spans_search_marked(&d->dirty, from, stamp);
		size_t f;

		if (i == d->dirty.n)
			return false;
		from = max_u64(from, d->dirty.list[i].off);
		f = flights_search(d, from);
		if (f < d->n_flights && d->flights[f].off <= from) {
			from = d->flights[f].off + d->flights[f].len;
			continue;
		}
		ret->off = from;
		ret->end = spans_run_end(&d->dirty, from, stamp);
		if (f < d->n_flights)
			ret->end = min_u64(ret->end, d->flights[f].off);
		return true;
	}
}

/* ---- size ------------------------------------------------------------------- */

void file_data_begin_pass(struct inode *inode, struct flush_pass *pass)
{
	struct file_data *d = inode->data;

	pass->stamp = spans_mark(&d->dirty);
	pass->size = inode->image.attr.size;
	pass->next = d->passes;
	d->passes = pass;
}

void file_data_end_pass(struct inode *inode, struct flush_pass *pass,
			bool taken)
{
	struct file_data *d = inode->data;
	struct size_goal *goal = d->goal.size > 0 ? &d->next_goal : &d->goal;
	struct flush_pass **p = &d->passes;

	while (*p != pass)
		p = &(*p)->next;
	*p = pass->next;
	if (!taken || pass->size <= inode->logged_size)
		return;
	goal->size = max_u64(goal->size, pass->size);
	goal->serial = d->last_serial;
}

bool file_data_goal_reached(const struct file_data *d)
{
	return d->goal.size > 0 &&
	       !flights_overlap(d, 0, UINT64_MAX, d->goal.serial);
}

/* The first offset from `base` on that is dirty or in flight. */
static uint64_t first_unmapped(const struct file_data *d, uint64_t base)
{
	uint64_t first = UINT64_MAX;
	size_t i = spans_search(&d->dirty, base);

	if (i < d->dirty.n)
		first = max_u64(d->dirty.list[i].off, base);
	i = flights_search(d, base);
	if (i < d->n_flights)
		first = min_u64(first, max_u64(d->flights[i].off, base));
	return first;
}

void file_data_advance(struct inode *inode)
{
	struct file_data *d = inode->data;
	uint64_t size = inode->image.attr.size;
	uint64_t logged = inode->logged_size;

	while (d && file_data_goal_reached(d)) {
		logged = max_u64(logged, d->goal.size);
		d->goal = d->next_goal;
		d->next_goal = (struct size_goal){ 0 };
	}
	if (d)
		logged = first_unmapped(d, logged);
	inode->logged_size = d ? min_u64(logged, size) : size;
	if (inode->logged_size < size)
		inode->image.flags |= INODE_SIZE_BEHIND;
	else
		inode->image.flags &= ~(uint64_t)INODE_SIZE_BEHIND;
}

void file_data_cut(struct volume *v, struct inode *inode, uint64_t size)
{
	struct file_data *d = inode->data;

	inode->image.attr.size = size;
	inode->logged_size = min_u64(inode->logged_size, size);
	if (d) {
		size_t before = d->dirty.len;

		/* Never splits a piece, so it cannot fail. */
		(void)spans_drop(&d->dirty, flush_pool(v), size, UINT64_MAX);
		flush_count(v, (int64_t)d->dirty.len - (int64_t)before);
		d->goal.size = min_u64(d->goal.size, size);
		d->next_goal.size = min_u64(d->next_goal.size, size);
		for (struct flush_pass *p = d->passes; p; p = p->next)
			p->size = min_u64(p->size, size);
		file_data_drop_leaves(d, 0, UINT64_MAX);
	}
}

/* Only an inode that was loaded so has the flag and no size to wait for. */
static bool is_torn(struct inode *inode)
{
	bool torn;

	sync_lock(&inode->lock);
	torn = (inode->image.flags & INODE_SIZE_BEHIND) &&
	       inode->logged_size == inode->image.attr.size;
	sync_unlock(&inode->lock);
	return torn;
}

static int mend_indexed(struct volume *v, struct inode *inode)
{
	struct map_range range = { .ino = inode->ino };
	int64_t allocated = 0;
	int rc;

	if (!is_torn(inode))
		return 0;
	sync_lock(&inode->lock);
	range.off = inode->logged_size;
	sync_unlock(&inode->lock);
	range.len = MAP_END_MAX - range.off;
	rc = filemap_assign(v, &range, NULL, 0, &allocated);
	if (rc)
		return rc;
	sync_lock(&inode->lock);
	inode->image.attr.allocated += (uint64_t)allocated;
	inode->image.flags &= ~(uint64_t)INODE_SIZE_BEHIND;
	inode_changed(v, inode);
	sync_unlock(&inode->lock);
	return 0;
}

int file_mend(struct volume *v, struct inode *inode)
{
	int rc;

	if (!is_torn(inode))
		return 0;
	rc = txn_begin(v->store);
	if (rc)
		return rc;
	rc = mend_indexed(v, inode);
	txn_end(v->store);
	return rc;
}
