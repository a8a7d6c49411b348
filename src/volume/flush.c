/* SPDX-License-Identifier: MIT */
/*
 * flush.c - dirty bytes of one inode into parcels, and parcels into its map.
 *
 * Happy path: take() copies runs of dirty bytes into a parcel and cuts chunks off
 * the copy, which needs no lock; they are in flight. Ingest stores the parcel and
 * calls mapped(), which logs the MAP operations and lands the flights. A range
 * that is in flight is not taken again before it has landed, so the newest bytes
 * are always mapped last. A flush takes what was dirty when it began, so a writer
 * who never stops does not keep it.
 * Failure: mapped() is told; the bytes are lost, which the next fsync says.
 * Without memory to take off the bytes stay dirty, for another try.
 */
#include "volume/flush.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "store/ingest.h"
#include "stream/chunker.h"
#include "volume/flusher.h"
#include "volume/volume_impl.h"

enum {
	PACK_MAX = 64 << 10,   /* dirty bytes of a file that shares a parcel */
	INTENT_MAX = 64 << 10, /* dirty bytes that fsync stores by itself */
	PACK_FULL = PARCEL_RAW_MAX - CHUNK_MIN, /* small files lie together */
	LOOK_LEN = 32 << 10, /* bytes that are copied under one lock */
	CHANGED_MAX = 4,     /* then they are looked at under it */
};

/* ---- landing ---------------------------------------------------------------- */

/* Chunks [i, result) of the parcel follow each other in one file. */
static size_t same_run(const struct parcel *p, size_t i)
{
	const struct parcel_chunk *c = &p->chunks[i];
	uint64_t end = c->file_off + c->len;

	for (i++; i < p->n_chunks; i++) {
		const struct parcel_chunk *next = &p->chunks[i];

		if (next->owner != c->owner || next->file_off != end)
			break;
		end += next->len;
	}
	return i;
}

static int map_run(struct volume *v, const struct parcel *p, size_t from,
		   size_t to, int64_t *ret_allocated)
{
	AUTO_FREE struct extent *list = calloc(to - from, sizeof(*list));
	const struct inode *inode = p->chunks[from].owner;
	const struct parcel_chunk *last = &p->chunks[to - 1];
	struct map_range range = { .ino = inode->ino,
				   .off = p->chunks[from].file_off };

	if (!list)
		return -ENOMEM;
	for (size_t i = from; i < to; i++)
		list[i - from] = (struct extent){
			.off = p->chunks[i].file_off,
			.len = p->chunks[i].len,
			.chunk = p->chunks[i].id,
		};
	range.len = last->file_off + last->len - range.off;
	return filemap_assign(v, &range, list, to - from, ret_allocated);
}

/*
 * The flights of chunks [from, to) have landed, or are lost (rc). Then the store
 * takes no more changes, even if it was only for want of memory: bytes that were
 * acknowledged are gone, readers see older ones, and whoever punches, copies or
 * renames next would make that durable.
 */
static void land(struct parcel *p, size_t from, size_t to, int rc,
		 int64_t allocated)
{
	struct inode *inode = p->chunks[from].owner;
	struct volume *v = p->owner;

	sync_lock(&inode->lock);
	for (size_t i = from; i < to; i++)
		flights_del(inode->data, p, p->chunks[i].file_off);
	if (rc) {
		inode->data->error = rc;
		atomic_store(&v->flusher->lost, rc);
		store_fail(v->store, rc, "storing data of a file");
	} else {
		inode->image.attr.allocated += (uint64_t)allocated;
		file_data_advance(inode);
		inode_changed(v, inode);
	}
	sync_unlock(&inode->lock);
}

static void mapped(struct parcel *p, int rc)
{
	struct volume *v = p->owner;
	bool begun = false;

	if (!rc) {
		rc = txn_begin(v->store);
		begun = !rc;
	}
	for (size_t i = 0; i < p->n_chunks;) {
		size_t to = same_run(p, i);
		int64_t allocated = 0;
		int err = rc;

		if (!err)
			err = map_run(v, p, i, to, &allocated);
		land(p, i, to, err, allocated);
		i = to;
	}
	if (begun)
		txn_end(v->store);
	for (size_t i = 0; i < p->n_chunks; i++)
		inode_put(v, p->chunks[i].owner);
}

/* ---- taking off --------------------------------------------------------------- */

/* One call of flush_inode(). */
struct flushing {
	struct volume *v;
	struct inode *inode;
	enum flush_mode mode;
	struct flush_pass pass;
	size_t len; /* dirty bytes at the beginning */
	bool alone; /* may not share a parcel: it has a policy of its own */
	bool taken; /* the pass went through */
};

/* Whether the parcel takes no further chunk. */
static bool is_full(const struct parcel *p, bool shared)
{
	size_t goal = shared ? (size_t)PACK_FULL : 0;

	if (!shared && p->n_chunks > 0)
		goal = parcel_goal(p);
	return p->n_chunks == PARCEL_CHUNKS_MAX ||
	       (p->n_chunks > 0 && p->raw_len >= goal);
}

/* What was found at the beginning of a run. */
enum look {
	LOOK_CHUNK,
	LOOK_NOT_YET, /* its end is not known before more bytes come */
	LOOK_NO_ROOM,
	LOOK_CHANGED, /* it is not what it was when we began */
};

/* Taking off dirty bytes of an inode, which is locked. */
struct taking {
	struct flushing *f;
	struct inode *inode;
	struct parcel *p;
	bool shared;
	unsigned n_changed;
};

/* Has the chunker look at the copy as far as `have`. Whoever stores older parcels
 * of the file needs the lock for each of them, and should not wait for that. False:
 * what was copied has changed. */
LOCK_UNCHECKED static bool look_at(struct taking *t, struct chunk_scan *scan,
				   size_t have)
{
	struct inode *inode = t->inode;
	const uint8_t *chunk = t->p->raw + t->p->raw_len;
	struct span next = span_of(chunk + scan->len, have - scan->len);
	uint64_t changes = inode->data->dirty.changes;
	size_t cut;

	if (t->shared || t->n_changed == CHANGED_MAX) {
		cut = chunker_feed(&scan->chunker, next);
	} else {
		sync_unlock(&inode->lock);
		cut = chunker_feed(&scan->chunker, next);
		sync_lock(&inode->lock);
	}
	scan->ended = cut > 0;
	scan->len = cut > 0 ? scan->len + cut : have;
	if (inode->data->dirty.changes == changes)
		return true;
	t->n_changed++;
	return false;
}

/*
 * Looks for the chunk at the beginning of the run, on a copy of its bytes that is
 * made where they are to lie. Looks at no byte twice, unless it changes; with
 * `final` the run is all that comes.
 */
static enum look look(struct taking *t, const struct dirty_run *run, bool final,
		      size_t *ret_len)
{
	struct file_data *d = t->inode->data;
	struct parcel *p = t->p;
	size_t room = PARCEL_RAW_MAX - p->raw_len;
	uint64_t run_len = run->end - run->off;
	struct chunk_scan scan = d->scan;
	size_t have = 0;

	if (scan.off != run->off || scan.len > run_len)
		scan = (struct chunk_scan){ .off = run->off };
	if (!scan.ended && !final && scan.len == run_len)
		return LOOK_NOT_YET;
	while (have < (scan.ended ? scan.len : run_len)) {
		uint64_t left = (scan.ended ? scan.len : run_len) - have;
		size_t n =
			(size_t)min_u64(min_u64(left, LOOK_LEN), room - have);

		if (n == 0) {
			d->scan = scan;
			return LOOK_NO_ROOM;
		}
		have += spans_copy(&d->dirty, run->off + have,
				   p->raw + p->raw_len + have, n);
		if (!scan.ended && have > scan.len && !look_at(t, &scan, have))
			return LOOK_CHANGED;
	}
	d->scan = scan;
	*ret_len = (size_t)scan.len;
	return scan.ended || final ? LOOK_CHUNK : LOOK_NOT_YET;
}

/* Forgets the dirty bytes [from, to): they are in flight. */
static void drop_dirty(struct volume *v, struct file_data *d, uint64_t from,
		       uint64_t to)
{
	size_t before = d->dirty.len;

	/* What cannot be dropped for want of memory is mapped twice. */
	(void)spans_drop(&d->dirty, flush_pool(v), from, to);
	flush_count(v, (int64_t)d->dirty.len - (int64_t)before);
}

/* The chunk, whose bytes are in place, is in flight. The inode gains a pin. */
static int add_chunk(struct taking *t, uint64_t off, size_t len)
{
	struct inode *inode = t->inode;
	struct parcel *p = t->p;
	struct parcel_chunk *c = &p->chunks[p->n_chunks];
	struct flight f = { .off = off,
			    .len = len,
			    .bytes = p->raw + p->raw_len,
			    .parcel = p };
	int rc = flights_add(inode->data, &f);

	if (rc)
		return rc;
	drop_dirty(t->f->v, inode->data, off, off + len);
	*c = (struct parcel_chunk){ .owner = inode,
				    .raw_off = (uint32_t)p->raw_len,
				    .len = (uint32_t)len,
				    .file_off = off };
	(void)inode_pin(inode);
	p->n_chunks++;
	p->raw_len += len;
	return 0;
}

/* Moves chunks from the beginning of the run, which it moves on, into the parcel,
 * as long as there are any. LOOK_NO_ROOM: or no memory. */
static enum look take_chunks(struct taking *t, struct dirty_run *run,
			     bool final)
{
	enum look found = LOOK_CHUNK;

	while (found == LOOK_CHUNK && run->off < run->end) {
		size_t len = 0;

		if (is_full(t->p, t->shared))
			return LOOK_NO_ROOM;
		found = look(t, run, final, &len);
		if (found != LOOK_CHUNK)
			break;
		if (add_chunk(t, run->off, len))
			return LOOK_NO_ROOM;
		run->off += len;
	}
	return found;
}

/* All runs, once. LOOK_NOT_YET: of one there is a rest. */
static enum look take_runs(struct taking *t)
{
	struct file_data *d = t->inode->data;
	bool stream = t->f->mode == FLUSH_STREAM;
	enum look all = LOOK_CHUNK;
	struct dirty_run run = { 0 };

	while (file_data_next_run(d, run.off, t->f->pass.stamp, &run)) {
		bool hot = stream && run.end == d->hot_end;
		enum look found = take_chunks(t, &run, !hot);

		if (found == LOOK_NO_ROOM)
			return found;
		if (found == LOOK_CHANGED)
			continue;
		if (found == LOOK_NOT_YET)
			all = found;
		run.off = run.end;
	}
	return all;
}

/*
 * Moves dirty bytes of the inode (locked) into the parcel. Returns true when
 * the parcel is full and more could be taken; when it is still empty then,
 * there was no memory.
 */
static bool take(struct taking *t)
{
	enum look found = take_runs(t);

	t->f->taken = found == LOOK_CHUNK;
	return found == LOOK_NO_ROOM;
}

/* ---- flushing ----------------------------------------------------------------- */

/* False: the inode has no data in memory. What comes to the end of a stream while
 * it is flushed is taken as well: its chunks should not end where it was. */
static bool begin(struct flushing *f)
{
	struct inode *inode = f->inode;
	bool any;

	sync_lock(&inode->lock);
	any = inode->data != NULL;
	if (any) {
		f->len = inode->data->dirty.len;
		f->alone = inode->image.policy != 0;
		f->taken = f->len == 0;
		file_data_begin_pass(inode, &f->pass);
	}
	if (any && f->mode == FLUSH_STREAM)
		f->pass.stamp = SPANS_STAMP_MAX;
	sync_unlock(&inode->lock);
	return any;
}

/* What was taken may all have landed, so that no landing moves the size. */
static int advance(struct volume *v, struct inode *inode)
{
	int rc = txn_begin(v->store);

	if (rc)
		return rc;
	sync_lock(&inode->lock);
	file_data_advance(inode);
	inode_changed(v, inode);
	sync_unlock(&inode->lock);
	txn_end(v->store);
	return 0;
}

static int end(struct flushing *f)
{
	struct inode *inode = f->inode;
	bool reached;

	sync_lock(&inode->lock);
	file_data_end_pass(inode, &f->pass, f->taken);
	reached = file_data_goal_reached(inode->data);
	sync_unlock(&inode->lock);
	return reached ? advance(f->v, inode) : 0;
}

static int new_parcel(struct volume *v, bool may_wait, struct parcel **ret)
{
	int rc = parcel_get(v->store, may_wait, ret);

	if (!rc) {
		(*ret)->done = mapped;
		(*ret)->owner = v;
	}
	return rc;
}

/*
 * Puts the dirty bytes of a small file into the shared parcel. Returns 1 when
 * there is more to do: the parcel was full and is handed over, or there is none
 * and `spare`, which is taken then, is NULL. -ENOMEM.
 */
static int pack_some(struct flushing *fl, struct parcel **spare)
{
	struct flusher *f = fl->v->flusher;
	struct inode *inode = fl->inode;
	struct parcel *full = NULL;
	bool more = true;
	int rc = 0;

	sync_lock(&inode->lock);
	sync_lock(&f->pack_lock);
	if (!f->packed && *spare) {
		f->packed = steal_ptr(spare);
		f->packed_since_ns = clock_mono_ns();
	}
	if (f->packed)
		more = take(&(struct taking){ .f = fl,
					      .inode = inode,
					      .p = f->packed,
					      .shared = true });
	if (f->packed && f->packed->n_chunks == 0) {
		*spare = steal_ptr(&f->packed);
		rc = more ? -ENOMEM : 0;
	} else if (f->packed && (more || f->packed->raw_len >= PACK_FULL)) {
		full = steal_ptr(&f->packed);
	}
	sync_unlock(&f->pack_lock);
	sync_unlock(&inode->lock);
	if (full)
		ingest_submit(full);
	return rc ? rc : more;
}

static int pack(struct flushing *f)
{
	struct parcel *spare = NULL;
	int rc = 1;

	while (rc > 0) {
		rc = pack_some(f, &spare);
		if (rc > 0 && !spare) {
			int err = new_parcel(f->v, true, &spare);

			rc = err ? err : rc;
		}
	}
	parcel_put(spare);
	return rc;
}

/* Fills a parcel of the inode's own. */
static bool fill(struct flushing *f, struct parcel *p)
{
	struct inode *inode = f->inode;
	struct taking t = { .f = f, .inode = inode, .p = p };
	struct file_data *d;
	bool more;

	sync_lock(&inode->lock);
	d = inode->data;
	sync_unlock(&inode->lock);
	sync_lock(&d->take_lock);
	sync_lock(&inode->lock);
	policy_unpack(inode->image.policy, &p->policy);
	more = take(&t);
	sync_unlock(&inode->lock);
	sync_unlock(&d->take_lock);
	return more;
}

/* Parcels of the inode's own. There was something dirty. */
static int flush_parcels(struct flushing *f, bool intent)
{
	size_t len = 0;
	bool more = true;
	int rc = 0;

	while (more && !rc) {
		struct parcel *p;

		rc = new_parcel(f->v, !intent, &p);
		if (rc)
			return rc;
		p->intent = intent;
		more = fill(f, p);
		len += p->raw_len;
		if (p->n_chunks == 0) {
			parcel_put(p);
			rc = more ? -ENOMEM : 0;
		} else if (intent) {
			ingest_run(p);
		} else {
			ingest_submit(p);
		}
		/* One writer is not kept for what the others bring. */
		if (f->mode == FLUSH_STREAM && len >= f->len)
			break;
	}
	return rc;
}

int flush_inode(struct volume *v, struct inode *inode, enum flush_mode mode)
{
	struct flushing f = { .v = v, .inode = inode, .mode = mode };
	unsigned phase = flusher_enter(v->flusher);
	int rc = 0;

	if (begin(&f)) {
		int end_rc;

		if (mode == FLUSH_ALL && f.len <= PACK_MAX && !f.alone &&
		    f.len > 0)
			rc = pack(&f);
		else if (f.len > 0)
			rc = flush_parcels(&f, mode == FLUSH_SYNC &&
						       f.len <= INTENT_MAX);
		end_rc = end(&f);
		rc = rc ? rc : end_rc;
	}
	flusher_leave(v->flusher, phase);
	return rc;
}

/* The shared parcel, when it holds bytes of the inode (locked) that overlap
 * [from, to): out of the packer's hands. */
static struct parcel *take_packed(struct flusher *f, const struct file_data *d,
				  uint64_t from, uint64_t to)
{
	struct parcel *found = NULL;

	sync_lock(&f->pack_lock);
	for (size_t i = flights_search(d, from);
	     !found && i < d->n_flights && d->flights[i].off < to; i++)
		if (d->flights[i].parcel == f->packed)
			found = steal_ptr(&f->packed);
	sync_unlock(&f->pack_lock);
	return found;
}

void flush_wait(struct volume *v, struct inode *inode, uint64_t from,
		uint64_t to)
{
	uint64_t serial = UINT64_MAX;
	bool waiting = true;

	while (waiting) {
		struct parcel *packed = NULL;
		unsigned phase = flusher_enter(v->flusher);
		struct file_data *d;

		sync_lock(&inode->lock);
		d = inode->data;
		if (d && serial == UINT64_MAX)
			serial = d->last_serial;
		waiting = d && flights_overlap(d, from, to, serial);
		if (waiting)
			packed = take_packed(v->flusher, d, from, to);
		if (!packed)
			flusher_leave(v->flusher, phase);
		if (waiting && !packed)
			sync_wait(&d->settled, &inode->lock);
		sync_unlock(&inode->lock);
		if (packed) {
			ingest_run(packed);
			flusher_leave(v->flusher, phase);
		}
	}
}
