/* SPDX-License-Identifier: MIT */
/* file.c - writing, resizing and making durable the content of files. */
#include "volume/file.h"

#include "store/chunk.h"
#include "volume/flush.h"
#include "volume/volume_impl.h"

#include <sys/stat.h>

enum {
	STREAM_FLUSH =
		1 << 20,     /* dirty bytes of one file that are worth chunks */
	PIECES_FLUSH = 2048, /* so many pieces, however short, are flushed */
	RESIZE_LEAVES = 64,  /* leaves that one transaction cuts off */
	LONG_ALLOCATED = 64 << 20, /* bytes; less is not worth a look */
};

/* Pins `ino` if it is a regular file. */
static int get_file(struct volume *v, uint64_t ino, struct inode **ret)
{
	struct inode *inode;
	int rc = inode_get(v, ino, &inode);

	if (rc)
		return rc;
	rc = inode_is_file(inode);
	if (rc) {
		inode_put(v, inode);
		return rc;
	}
	*ret = inode;
	return 0;
}

static void touch_times(struct inode *inode)
{
	struct volume_time t = volume_now();

	inode->image.attr.mtime = t;
	inode->image.attr.ctime = t;
}

/* ---- writing ------------------------------------------------------------------ */

static int write_locked(struct volume *v, struct inode *inode, uint64_t off,
			struct span bytes, unsigned flags) REQUIRES(inode->lock)
{
	struct volume_attr *attr = &inode->image.attr;
	struct file_data *d;
	size_t before;
	int rc;

	if (flags & FILE_WRITE_APPEND)
		off = attr->size;
	if (off > VOLUME_SIZE_MAX || bytes.len > VOLUME_SIZE_MAX - off)
		return -EFBIG;
	rc = file_data_of(inode, &d);
	if (rc)
		return rc;
	if (off < d->scan.off + d->scan.len && d->scan.off < off + bytes.len)
		d->scan = (struct chunk_scan){ .len = 0 };
	before = d->dirty.len;
	rc = spans_write(&d->dirty, flush_pool(v), off, bytes);
	flush_count(v, (int64_t)d->dirty.len - (int64_t)before);
	if (d->dirty.n > 0)
		flush_list_add(v, inode);
	if (rc)
		return rc;
	d->hot_end = off + bytes.len;
	attr->size = max_u64(attr->size, d->hot_end);
	if (!v->kernel_times && !(flags & FILE_WRITE_CACHED))
		touch_times(inode);
	return 0;
}

static int kill_priv(struct volume *v, struct inode *inode)
{
	struct volume_attr attr = { 0 };
	bool plain;

	sync_lock(&inode->lock);
	plain = !(inode->image.attr.mode & (S_ISUID | S_ISGID)) &&
		!(inode->image.flags & INODE_HAS_XATTRS);
	sync_unlock(&inode->lock);
	if (plain)
		return 0;
	return volume_setattr(v, inode->ino, SET_KILL_PRIV, &attr, &attr);
}

static bool is_much(const struct file_data *d)
{
	return d &&
	       (d->dirty.len >= STREAM_FLUSH || d->dirty.n >= PIECES_FLUSH);
}

int file_write(struct volume *v, uint64_t ino, uint64_t file_off,
	       struct span bytes, unsigned flags)
{
	struct inode *inode;
	bool flush = false;
	int rc = store_writable(v->store);

	if (!rc)
		rc = store_reserve(v->store, bytes.len);
	if (!rc)
		rc = get_file(v, ino, &inode);
	if (rc || bytes.len == 0) {
		if (!rc)
			inode_put(v, inode);
		return rc;
	}
	flush_throttle(v);
	rc = file_mend(v, inode);
	if (!rc && flags & FILE_WRITE_KILL_PRIV)
		rc = kill_priv(v, inode);
	if (!rc) {
		sync_lock(&inode->lock);
		rc = write_locked(v, inode, file_off, bytes, flags);
		flush = is_much(inode->data);
		sync_unlock(&inode->lock);
	}
	/* What cannot be flushed now stays dirty for another try. */
	if (!rc && flush)
		(void)flush_inode(v, inode, FLUSH_STREAM);
	inode_put(v, inode);
	return rc;
}

/* ---- durability ----------------------------------------------------------------- */

void file_release(struct volume *v, uint64_t ino)
{
	struct inode *inode = inode_peek(v, ino);
	bool flush;

	if (!inode)
		return;
	sync_lock(&inode->lock);
	flush = file_data_busy(inode->data) && inode->image.attr.nlink > 0;
	sync_unlock(&inode->lock);
	if (flush)
		(void)flush_inode(v, inode, FLUSH_ALL);
	inode_put(v, inode);
}

/* The error of a write that was lost since the last call. */
static int take_error(struct inode *inode)
{
	int rc = 0;

	sync_lock(&inode->lock);
	if (inode->data) {
		rc = inode->data->error;
		inode->data->error = 0;
	}
	sync_unlock(&inode->lock);
	return rc;
}

/* Two rounds: bytes that waited for an older flight of the same range go in the
 * second. */
int file_flush_all(struct volume *v, struct inode *inode)
{
	int rc = 0;

	for (unsigned round = 0; round < 2 && !rc; round++) {
		bool busy;

		sync_lock(&inode->lock);
		busy = file_data_busy(inode->data);
		sync_unlock(&inode->lock);
		if (!busy)
			break;
		rc = flush_inode(v, inode, FLUSH_SYNC);
		flush_wait(v, inode, 0, UINT64_MAX);
	}
	return rc;
}

int file_fsync(struct volume *v, uint64_t ino)
{
	struct inode *inode;
	uint64_t mark;
	int rc = inode_get(v, ino, &inode);

	if (rc)
		return rc;
	rc = file_flush_all(v, inode);
	if (!rc)
		rc = take_error(inode);
	sync_lock(&inode->lock);
	mark = inode->mark;
	sync_unlock(&inode->lock);
	inode_put(v, inode);
	return rc ? rc : commit_sync(v->store, mark);
}

void file_discard(struct volume *v, struct inode *inode)
{
	struct file_data *d;

	sync_lock(&inode->lock);
	d = inode->data;
	if (d) {
		flush_count(v, -(int64_t)d->dirty.len);
		spans_release(&d->dirty, flush_pool(v));
	}
	sync_unlock(&inode->lock);
	flush_wait(v, inode, 0, UINT64_MAX);
}

/* ---- size ------------------------------------------------------------------------ */

/* What comes next in a change of size. */
enum resize {
	RESIZE_DONE,
	RESIZE_MORE, /* only some leaves were cut off */
	RESIZE_WAIT, /* something to be cut off is in flight */
};

/*
 * Decides with the inode locked, and makes the change in memory: what is written
 * from then on comes after the change. `end`: where the map is to be cut.
 */
static enum resize resize_locked(struct volume *v, struct inode *inode,
				 uint64_t size, uint64_t end)
	REQUIRES(inode->lock)
{
	struct volume_attr *attr = &inode->image.attr;

	if (size >= attr->size) {
		attr->size = size;
		file_data_advance(inode);
		touch_times(inode);
		inode_changed(v, inode);
		return RESIZE_DONE;
	}
	if (inode->data &&
	    flights_overlap(inode->data, size, UINT64_MAX, UINT64_MAX))
		return RESIZE_WAIT;
	file_data_cut(v, inode, min_u64(attr->size, end));
	return RESIZE_MORE;
}

static int cut_map(struct volume *v, struct inode *inode, uint64_t end)
{
	struct map_range range = { .ino = inode->ino,
				   .off = end,
				   .len = MAP_END_MAX - end };
	int64_t allocated = 0;
	int rc = filemap_assign(v, &range, NULL, 0, &allocated);

	if (rc)
		return rc;
	sync_lock(&inode->lock);
	inode->image.attr.allocated += (uint64_t)allocated;
	file_data_advance(inode);
	touch_times(inode);
	inode_changed(v, inode);
	sync_unlock(&inode->lock);
	return 0;
}

/* One step, in a transaction. Returns enum resize. */
static int resize_once(struct volume *v, struct inode *inode, uint64_t size)
{
	enum resize next;
	uint64_t end;
	int rc = filemap_tail(v, inode->ino, RESIZE_LEAVES, &end);

	if (rc)
		return rc;
	end = max_u64(end, size);
	sync_lock(&inode->lock);
	next = resize_locked(v, inode, size, end);
	sync_unlock(&inode->lock);
	if (next != RESIZE_MORE)
		return (int)next;
	rc = cut_map(v, inode, end);
	if (rc)
		return rc;
	return end == size ? RESIZE_DONE : RESIZE_MORE;
}

/* Where the last leaves begin that one transaction takes; 0: that is all. */
static int long_end(struct volume *v, struct inode *inode, uint64_t *ret_end)
{
	uint64_t allocated;

	sync_lock(&inode->lock);
	allocated = inode->image.attr.allocated;
	sync_unlock(&inode->lock);
	*ret_end = 0;
	/* Most files are small: they are not asked about. */
	if (allocated <= LONG_ALLOCATED)
		return 0;
	return filemap_tail(v, inode->ino, RESIZE_LEAVES, ret_end);
}

int file_is_long(struct volume *v, struct inode *inode)
{
	uint64_t end;
	int rc = long_end(v, inode, &end);

	return rc < 0 ? rc : end > 0;
}

int file_shorten(struct volume *v, struct inode *inode)
{
	uint64_t end;
	int rc = long_end(v, inode, &end);

	if (rc < 0 || end == 0)
		return rc;
	rc = cut_map(v, inode, end);
	return rc < 0 ? rc : 1;
}

int file_resize(struct volume *v, struct inode *inode, uint64_t size)
{
	int next = RESIZE_MORE;
	int rc = inode_is_file(inode);

	if (!rc && size > VOLUME_SIZE_MAX)
		rc = -EFBIG;
	if (!rc)
		rc = file_mend(v, inode);
	while (!rc && next != RESIZE_DONE) {
		if (next == RESIZE_WAIT)
			flush_wait(v, inode, size, UINT64_MAX);
		rc = txn_begin(v->store);
		if (rc)
			return rc;
		next = resize_once(v, inode, size);
		txn_end(v->store);
		rc = next < 0 ? next : 0;
	}
	return rc;
}
