/* SPDX-License-Identifier: MIT */
/*
 * file_read.c - reading: extents and decoded frames below, dirty bytes above.
 *
 * Under the inode's lock the bytes that are not mapped yet are copied, and all
 * leaves of the range are taken: what is read is of that moment, however long it
 * takes. The rest goes without locks. Nothing is copied that can be sent from
 * the decoded frames; when there are unmapped bytes, holes or too many pieces,
 * everything is put together in one buffer (the bounce).
 */
#include "volume/file.h"

#include "base/error.h"
#include "store/ahead.h"
#include "store/chunk.h"
#include "volume/file_data.h"
#include "volume/volume_impl.h"

#include <assert.h>
#include <stdlib.h>

enum {
	AHEAD_MIN = 1 << 20, /* bytes to have decoded ahead of a reader */
	AHEAD_MAX = 8 << 20,
	RUN_MIN = 64 << 10, /* who has read less may not go on */
	READ_NEAR =
		1 << 20, /* readers that jump less are sequential: the kernel
			       * asks out of order */
	/* A short read that comes from nowhere decodes single chunks only, if
	 * they are no small part of their frames. */
	ALONE_MAX = 32 << 10,
	ALONE_MIN = 16 << 10,
};

struct file_read_pin {
	struct chunk_view view;
};

/* A read under way. */
struct reading {
	struct volume *v;
	struct inode *inode;
	struct file_read *r;
	uint64_t off; /* of the first byte */
	uint64_t end; /* cut at the end of the file */
	struct run
		*over; /* sorted ranges that the bounce holds already; owned */
	size_t n_over;
	bool bounced; /* all goes into the bounce */
	size_t n_pins;
	struct leaf *
		*leaves; /* in order, without gaps; owned, a reference each */
	size_t n_leaves;
	size_t cap_leaves;
	bool sequential; /* the reader goes on where it was */
	bool alone;      /* it reads here and there, few bytes each time */
	uint64_t ahead;  /* what to read ahead; none when it is 0 */
	uint64_t ahead_to;
	bool long_stream; /* it has read AHEAD_MAX so far */
	uint64_t known;   /* where the last of them ends, else `off` */
	bool loaded;      /* one of them came from the index */
};

struct run {
	uint64_t off;
	uint64_t end;
};

/* ---- bytes that are not mapped yet -------------------------------------------- */

static void note_over(struct reading *rd, uint64_t off, uint64_t end)
{
	struct run *last = rd->n_over ? &rd->over[rd->n_over - 1] : NULL;

	assert(rd->over);
	if (last && off <= last->end)
		last->end = max_u64(last->end, end);
	else
		rd->over[rd->n_over++] = (struct run){ off, end };
}

static void copy_over(struct reading *rd, uint64_t off, uint64_t len,
		      const uint8_t *bytes)
{
	uint64_t from = max_u64(off, rd->off);
	uint64_t to = min_u64(off + len, rd->end);

	memcpy(rd->r->bounce + (from - rd->off), bytes + (from - off),
	       to - from);
}

/* Copies flights, then the newer dirty bytes, and notes both, in order. */
static int snapshot(struct reading *rd, const struct file_data *d)
{
	size_t i = spans_search(&d->dirty, rd->off);
	size_t f = flights_search(d, rd->off);
	bool dirty = i < d->dirty.n && d->dirty.list[i].off < rd->end;
	bool flying = f < d->n_flights && d->flights[f].off < rd->end;
	const struct dirty_span *s;

	if (!dirty && !flying)
		return 0;
	rd->bounced = true;
	rd->r->bounce = calloc(1, (size_t)(rd->end - rd->off));
	rd->over = calloc(d->dirty.n - i + d->n_flights - f, sizeof(*rd->over));
	if (!rd->r->bounce || !rd->over)
		return -ENOMEM;
	for (size_t k = f; k < d->n_flights && d->flights[k].off < rd->end; k++)
		copy_over(rd, d->flights[k].off, d->flights[k].len,
			  d->flights[k].bytes);
	for (size_t k = i; k < d->dirty.n && d->dirty.list[k].off < rd->end;
	     k++) {
		s = &d->dirty.list[k];
		copy_over(rd, s->off, s->len, span_bytes(s));
	}
	for (;;) { /* merge the two sorted lists of ranges */
		const struct flight *fl =
			f < d->n_flights && d->flights[f].off < rd->end
				? &d->flights[f]
				: NULL;

		s = i < d->dirty.n && d->dirty.list[i].off < rd->end
			    ? &d->dirty.list[i]
			    : NULL;
		if (!s && !fl)
			return 0;
		if (s && (!fl || s->off <= fl->off)) {
			note_over(rd, s->off, span_end(s));
			i++;
		} else {
			note_over(rd, fl->off, fl->off + fl->len);
			f++;
		}
	}
}

/* ---- pieces ---------------------------------------------------------------------- */

/* From now on everything goes into the bounce; what is there so far too. */
static int switch_to_bounce(struct reading *rd)
{
	struct file_read *r = rd->r;
	size_t done = 0;

	r->bounce = calloc(1, (size_t)(rd->end - rd->off));
	if (!r->bounce)
		return -ENOMEM;
	for (int i = 0; i < r->n_iov; i++) {
		memcpy(r->bounce + done, r->iov[i].iov_base, r->iov[i].iov_len);
		done += r->iov[i].iov_len;
	}
	rd->bounced = true;
	return 0;
}

/* `len` bytes of a hole at `off`. */
static int add_hole(struct reading *rd)
{
	/* The bounce comes cleared. */
	return rd->bounced ? 0 : switch_to_bounce(rd);
}

/* The bytes of the extent's chunk, and a pin on its frame. Neighbours in a file are
 * neighbours in a frame, mostly: then they share the pin, and take no locks. */
static int pin_chunk(struct reading *rd, const struct extent *e,
		     struct span *ret)
{
	struct file_read_pin *pins = rd->r->pins;
	struct chunk_view view;
	size_t n = rd->n_pins;
	int rc;

	assert(pins);
	if (n > 0 && chunk_beside(&pins[n - 1].view, e->chunk, ret))
		return 0;
	rc = rd->alone && e->len >= ALONE_MIN
		     ? chunk_get_alone(rd->v->store, e->chunk, &view)
		     : chunk_get(rd->v->store, e->chunk, &view);
	if (rc)
		return rc;
	/* What is in the bounce needs no pin. */
	if (n > 0 && rd->bounced)
		chunk_put(&pins[--n].view);
	assert(n < READ_IOV_MAX);
	pins[n++].view = view;
	rd->n_pins = n;
	*ret = view.bytes;
	return 0;
}

/* Bytes that are pinned; they may go on where those before end. */
static void add_piece(struct file_read *r, const uint8_t *bytes, size_t len)
{
	struct iovec *last = r->n_iov > 0 ? &r->iov[r->n_iov - 1] : NULL;

	if (last && (uint8_t *)last->iov_base + last->iov_len == bytes)
		last->iov_len += len;
	else
		r->iov[r->n_iov++] = (struct iovec){
			.iov_base = (void *)(uintptr_t)bytes,
			.iov_len = len,
		};
}

static int add_chunk(struct reading *rd, uint64_t off, uint64_t end,
		     const struct extent *e)
{
	size_t chunk_off = (size_t)(e->chunk_off + (off - e->off));
	size_t len = (size_t)(end - off);
	struct span bytes = { NULL, 0 };
	int rc = 0;

	/* Pieces of several pins may have become one. */
	if (!rd->bounced &&
	    (rd->r->n_iov == READ_IOV_MAX || rd->n_pins == READ_IOV_MAX))
		rc = switch_to_bounce(rd);
	if (!rc)
		rc = pin_chunk(rd, e, &bytes);
	if (rc)
		return rc;
	if (chunk_off + len > bytes.len)
		return corrupt(
			"an extent of inode %llu at %llu leaves its chunk",
			(unsigned long long)rd->inode->ino,
			(unsigned long long)e->off);
	if (rd->bounced)
		memcpy(rd->r->bounce + (off - rd->off), bytes.ptr + chunk_off,
		       len);
	else
		add_piece(rd->r, bytes.ptr + chunk_off, len);
	return 0;
}

/* The mapped bytes of [off, end), which lies in the leaf. */
static int add_mapped(struct reading *rd, const struct leaf *leaf, uint64_t off,
		      uint64_t end)
{
	size_t i = leaf_search(leaf, off);
	int rc = 0;

	while (off < end && !rc) {
		const struct extent *e = i < leaf->n ? &leaf->extents[i] : NULL;
		uint64_t to = end;

		if (!e || e->off > off) {
			to = e ? min_u64(end, e->off) : end;
			rc = add_hole(rd);
		} else {
			to = min_u64(end, extent_end(e));
			rc = e->kind == EXTENT_CHUNK ? add_chunk(rd, off, to, e)
						     : add_hole(rd);
			i++;
		}
		off = to;
	}
	return rc;
}

/* As add_mapped(), leaving out what the bounce has already. */
static int add_uncovered(struct reading *rd, const struct leaf *leaf,
			 uint64_t off, uint64_t end)
{
	int rc = 0;

	for (size_t i = 0; i < rd->n_over && off < end && !rc; i++) {
		const struct run *over = &rd->over[i];

		if (over->end <= off)
			continue;
		if (over->off >= end)
			break;
		if (over->off > off)
			rc = add_mapped(rd, leaf, off, over->off);
		off = over->end;
	}
	return off < end && !rc ? add_mapped(rd, leaf, off, end) : rc;
}

/* ---- leaves ----------------------------------------------------------------------- */

static int add_leaf(struct reading *rd, struct leaf *leaf)
{
	if (rd->n_leaves == rd->cap_leaves) {
		size_t cap = rd->cap_leaves ? 2 * rd->cap_leaves : 2;
		struct leaf **list =
			realloc(rd->leaves, cap * sizeof(struct leaf *));

		if (!list) {
			leaf_put(leaf);
			return -ENOMEM;
		}
		rd->leaves = list;
		rd->cap_leaves = cap;
	}
	rd->leaves[rd->n_leaves++] = leaf;
	rd->known = leaf->to;
	return 0;
}

static void drop_leaves(struct reading *rd)
{
	for (size_t i = 0; i < rd->n_leaves; i++)
		leaf_put(rd->leaves[i]);
	rd->n_leaves = 0;
	rd->known = rd->off;
}

/* Adds leaves that are in memory, up to the first that is not. */
static int add_kept_leaves(struct reading *rd, const struct file_data *d)
{
	int rc = 0;

	while (rd->known < rd->end && !rc) {
		struct leaf *leaf = file_data_leaf(d, rd->known);

		if (!leaf)
			return 0;
		rc = add_leaf(rd, leaf);
	}
	return rc;
}

/* Compares the read with those before, and says what to read ahead: as much as
 * was read in sequence so far. The inode is locked. */
static void note_reader(struct reading *rd, struct file_data *d)
{
	uint64_t size = rd->inode->image.attr.size;
	uint64_t run;
	uint64_t to;

	rd->sequential = rd->off + READ_NEAR >= d->read_end &&
			 rd->off <= d->read_end + READ_NEAR;
	rd->alone = !rd->sequential && rd->end - rd->off <= ALONE_MAX;
	d->read_end = rd->end;
	if (!rd->sequential) {
		d->run_from = rd->off;
		d->ahead_end = 0;
	}
	run = rd->end - min_u64(rd->end, d->run_from);
	to = min_u64(rd->end + min_u64(max_u64(run, AHEAD_MIN), AHEAD_MAX),
		     size);
	if (!rd->sequential || run < RUN_MIN || d->ahead_end >= to)
		return;
	rd->ahead = max_u64(rd->end, d->ahead_end);
	rd->ahead_to = to;
	rd->long_stream = run >= AHEAD_MAX;
	d->ahead_end = to;
}

/* The end of what is there, and what is not mapped yet. The inode is locked,
 * and all leaves are there. */
static int end_moment(struct reading *rd, struct file_data *d)
{
	uint64_t size = rd->inode->image.attr.size;

	rd->end = min_u64(rd->end, max_u64(size, rd->off));
	note_reader(rd, d);
	return rd->end > rd->off ? snapshot(rd, d) : 0;
}

/* Adds one more leaf, from memory or the index. INDEX is held. */
static int add_next_leaf(struct reading *rd, struct file_data *d)
{
	struct inode *inode = rd->inode;
	struct leaf *leaf;
	int rc;

	sync_lock(&inode->lock);
	leaf = file_data_leaf(d, rd->known);
	sync_unlock(&inode->lock);
	if (leaf)
		return add_leaf(rd, leaf);
	rc = filemap_leaf(rd->v, inode->ino, rd->known, &leaf);
	if (rc)
		return rc;
	sync_lock(&inode->lock);
	file_data_keep_leaf(rd->v, inode, leaf);
	sync_unlock(&inode->lock);
	rd->loaded = true;
	return add_leaf(rd, leaf);
}

/* While INDEX is held the map stays as it is, and so do the sizes of both. */
static int load_moment(struct reading *rd, struct file_data *d)
{
	int rc = 0;

	drop_leaves(rd);
	index_lock(rd->v->store);
	while (rd->known < rd->end && !rc)
		rc = add_next_leaf(rd, d);
	if (!rc) {
		sync_lock(&rd->inode->lock);
		rc = end_moment(rd, d);
		sync_unlock(&rd->inode->lock);
	}
	index_unlock(rd->v->store);
	if (rd->loaded)
		file_data_leaves_kept(rd->v);
	return rc;
}

/* Takes the leaves of the range and the snapshot, all of one moment. */
static int take_moment(struct reading *rd)
{
	struct inode *inode = rd->inode;
	struct file_data *d;
	bool whole = false;
	int rc;

	rd->known = rd->off;
	sync_lock(&inode->lock);
	rc = file_data_of(inode, &d);
	if (!rc)
		rc = add_kept_leaves(rd, d);
	whole = !rc && rd->known >= rd->end;
	if (whole)
		rc = end_moment(rd, d);
	sync_unlock(&inode->lock);
	return rc || whole ? rc : load_moment(rd, d);
}

/* ---- read-ahead ---------------------------------------------------------------------- */

/* Has the frames of [off, to) in the leaf decoded. */
static void prefetch(struct ahead *ahead, const struct leaf *leaf, uint64_t off,
		     uint64_t to)
{
	for (size_t i = leaf_search(leaf, off);
	     i < leaf->n && leaf->extents[i].off < to; i++)
		if (leaf->extents[i].kind == EXTENT_CHUNK)
			ahead_add(ahead, leaf->extents[i].chunk);
}

/* The leaf at `off`, behind what is read; NULL: not to be had. */
static struct leaf *leaf_ahead(struct reading *rd, uint64_t off)
{
	struct inode *inode = rd->inode;
	struct leaf *leaf;

	sync_lock(&inode->lock);
	leaf = file_data_leaf(inode->data, off);
	sync_unlock(&inode->lock);
	if (leaf)
		return leaf;
	index_lock(rd->v->store);
	if (filemap_leaf(rd->v, inode->ino, off, &leaf) == 0) {
		sync_lock(&inode->lock);
		file_data_keep_leaf(rd->v, inode, leaf);
		sync_unlock(&inode->lock);
	}
	index_unlock(rd->v->store);
	file_data_leaves_kept(rd->v);
	return leaf;
}

static void read_ahead(struct reading *rd)
{
	const struct leaf *last = rd->leaves[rd->n_leaves - 1];
	struct leaf *next = NULL;
	struct ahead ahead;

	ahead_begin(&ahead, rd->v->store, rd->long_stream);
	prefetch(&ahead, last, rd->ahead, rd->ahead_to);
	/* One more is enough: it covers more than we read ahead, mostly. */
	if (last->to < rd->ahead_to)
		next = leaf_ahead(rd, max_u64(last->to, rd->ahead));
	if (next)
		prefetch(&ahead, next, max_u64(last->to, rd->ahead),
			 rd->ahead_to);
	leaf_put(next);
	ahead_end(&ahead);
}

/* ---- the whole ------------------------------------------------------------------------ */

static int read_all(struct reading *rd)
{
	uint64_t off = rd->off;
	int rc = take_moment(rd);

	if (rc || rd->end == rd->off)
		return rc;
	rd->r->pins = calloc(READ_IOV_MAX, sizeof(*rd->r->pins));
	if (!rd->r->pins)
		return -ENOMEM;
	if (rd->ahead)
		read_ahead(rd);
	for (size_t i = 0; off < rd->end && !rc; i++) {
		uint64_t to = min_u64(rd->end, rd->leaves[i]->to);

		rc = add_uncovered(rd, rd->leaves[i], off, to);
		off = to;
	}
	rd->r->len = (size_t)(rd->end - rd->off);
	if (rd->bounced && !rc) {
		rd->r->iov[0] = (struct iovec){ .iov_base = rd->r->bounce,
						.iov_len = rd->r->len };
		rd->r->n_iov = 1;
	}
	return rc;
}

int file_read(struct volume *v, uint64_t ino, uint64_t file_off, size_t len,
	      struct file_read *ret)
{
	struct reading rd = { .v = v, .r = ret, .off = file_off };
	unsigned turn;
	uint64_t size;
	int rc = inode_get(v, ino, &rd.inode);

	ret->n_iov = 0;
	ret->len = 0;
	ret->pins = NULL;
	ret->bounce = NULL;
	if (rc)
		return rc;
	rc = inode_is_file(rd.inode);
	sync_lock(&rd.inode->lock);
	size = rd.inode->image.attr.size;
	sync_unlock(&rd.inode->lock);
	if (!rc && file_off < size) {
		rd.end = file_off + min_u64(len, UINT64_MAX - file_off);
		/* What is read may lose its extents meanwhile. */
		turn = store_enter(v->store);
		rc = read_all(&rd);
		store_leave(v->store, turn);
	}
	drop_leaves(&rd);
	free(rd.leaves);
	free(rd.over);
	if (rc) {
		for (size_t i = 0; i < rd.n_pins; i++)
			chunk_put(&ret->pins[i].view);
		rd.n_pins = 0;
		free(ret->pins);
		free(ret->bounce);
		ret->pins = NULL;
		ret->bounce = NULL;
	} else if (rd.n_pins < READ_IOV_MAX && ret->pins) {
		ret->pins[rd.n_pins].view.cached = NULL; /* ends the list */
	}
	inode_put(v, rd.inode);
	return rc;
}

void file_read_done(struct file_read *r)
{
	for (size_t i = 0;
	     r->pins && i < READ_IOV_MAX && r->pins[i].view.cached; i++)
		chunk_put(&r->pins[i].view);
	free(r->pins);
	free(r->bounce);
	r->pins = NULL;
	r->bounce = NULL;
}
