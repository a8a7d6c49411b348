/* SPDX-License-Identifier: MIT */
/*
 * salvage.c - from files to an index: headers, records, frames and codebooks.
 *
 * Frames and codebooks are told to the tables as they are met, wherever that is:
 * of several frames of a chunk the newest that is good holds it. Other
 * records are noted, and applied in the order of the log when all are known
 * (salvage_log.c). References are not counted.
 */
#include "store/salvage_impl.h"

#include "base/cleanup.h"
#include "base/error.h"
#include "base/io.h"
#include "store/ingest.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>

enum {
	SAVE_ROWS = 50000,      /* between commits of the index */
	SAVE_PENDING = 1 << 16, /* chunks */
	TELL_EVERY = 1 << 20,   /* bytes */
};

bool salvage_is_loss(enum salvage_what what)
{
	return what != SALVAGE_HEADER_MENDED && what != SALVAGE_FOREIGN &&
	       what != SALVAGE_INDEX_USED && what != SALVAGE_TAIL_DROPPED;
}

static void tell_path(struct salvage *v, const struct salvage_finding *f)
{
	if (v->options.finding)
		v->options.finding(v->options.ctx, f);
}

void salvage_tell(struct salvage *v, enum salvage_what what, uint64_t from,
		  uint64_t to)
{
	tell_path(v, &(struct salvage_finding){ what, NULL, from, to });
}

static void tell_progress(void *ctx, uint64_t done, uint64_t total)
{
	struct salvage *v = ctx;

	(void)total;
	if (v->options.progress)
		v->options.progress(v->options.ctx, v->done + done, v->total);
}

/* ---- the index --------------------------------------------------------------- */

int salvage_end_txn(struct salvage *v, bool now)
{
	struct store *s = v->s;
	struct db *db = s->index.db;
	int rc;

	if (!now && v->n_rows < SAVE_ROWS &&
	    bank_n_pending(s->bank) < SAVE_PENDING)
		return 0;
	v->n_rows = 0;
	rc = bank_flush(s->bank, UINT64_MAX, s->totals);
	if (rc == 0)
		rc = db_commit(db);
	return rc == 0 ? db_begin(db) : rc;
}

/* The store's index, if it is one and all of its pages make sense: a copy. */
static bool copy_index(struct store *s, const char *dir)
{
	struct index *x = &s->index;
	bool new = true;

	if (index_view(x, dir, s->handlers.schema, &new) < 0 || new ||
	    !index_is_sound(x) || (x->frozen && index_thaw(x) < 0)) {
		index_close(x);
		return false;
	}
	return true;
}

/* The tables are there: what is needed of them, and beside them. */
static int prepare(struct salvage *v)
{
	struct store *s = v->s;
	int rc = db_exec(s->index.db, salvage_schema);

	if (rc == 0)
		rc = store_attach(s);
	if (rc == 0)
		rc = salvage_attach(v);
	/* Where frames lie is found out anew. */
	if (rc == 0)
		rc = bank_salvage_begin(s->bank);
	return rc;
}

static int open_index(struct salvage *v)
{
	struct store *s = v->s;
	int rc;

	if (v->use_index && copy_index(s, v->options.store)) {
		v->has_index = true;
		rc = prepare(v);
		if (rc != -EUCLEAN)
			return rc;
		/* It has tables, but not ours. */
		v->has_index = false;
		index_close(&s->index);
	}
	rc = index_private(&s->index, s->handlers.schema);
	return rc == 0 ? prepare(v) : rc;
}

/* ---- files ------------------------------------------------------------------- */

static int add_sources(struct salvage *v)
{
	const struct salvage_options *o = &v->options;
	size_t i;
	int rc = 0;

	if (o->store)
		return sources_add_dir(&v->sources, o->store);
	for (i = 0; rc == 0 && i < o->n_paths; i++)
		rc = sources_add(&v->sources, o->paths[i], !o->carve);
	return rc;
}

static int take_lock(struct store *s, const char *dir)
{
	AUTO_FREE char *name = NULL;
	int rc;

	if (asprintf(&name, "%s/" STORE_LOCK_NAME, dir) < 0) {
		name = NULL;
		return -ENOMEM;
	}
	/* It is not made: nothing is changed. */
	rc = io_open(AT_FDCWD, name, O_RDONLY, 0);
	if (rc < 0)
		return 0;
	s->lock_fd = rc;
	rc = io_lock(s->lock_fd);
	return rc == -EAGAIN ? -EWOULDBLOCK : rc;
}

/* What one file says, as it is read. */
struct reading {
	struct salvage *v;
	size_t file;
	struct carve carve;
	uint64_t good; /* behind the last good record */
	uint64_t told; /* progress, in bytes */
};

static void tell_bad(struct reading *r, uint64_t from, uint64_t to)
{
	const struct source_file *file = &r->v->sources.files[r->file];

	/* What lies between records of an image is no damage. */
	if (file->is_segment && from < to)
		tell_path(r->v,
			  &(struct salvage_finding){ SALVAGE_BAD_BYTES,
						     file->path, from, to });
}

/* Good, or good but for its payload: a frame or a codebook is of use only as a
 * whole, and the log is none the poorer for the rest of it. */
static int take(struct reading *r, const struct carved *rec)
{
	struct salvage *v = r->v;
	struct scan_record record = { rec->head, 0, rec->payload };
	uint64_t piece = 0;
	int rc = sources_piece(&v->sources, r->file, rec, &piece);

	if (rc < 0)
		return rc;
	record.off = rec->off - rec->off % RECORD_ALIGN;
	if (rec->whole && (rec->head.type == RECORD_FRAME ||
			   rec->head.type == RECORD_CODEBOOK)) {
		rc = apply_record(&v->apply, &record, piece);
		if (rc < 0 && (!scan_is_bad(rc) || db_damaged(v->s->index.db)))
			return rc;
		if (rc < 0)
			salvage_tell(v, SALVAGE_OP_REFUSED, rec->head.seq,
				     rec->head.seq);
	}
	rc = salvage_note(v, rec, piece);
	return rc < 0 ? rc : salvage_end_txn(v, false);
}

static int read_records(struct reading *r)
{
	struct carved rec;
	int rc;

	while ((rc = carve_next(&r->carve, &rec)) == 1) {
		uint64_t end = rec.off + record_len(rec.head.payload_len);

		if (rec.whole) {
			tell_bad(r, r->good, rec.off);
			r->good = max_u64(r->good, end);
		}
		rc = take(r, &rec);
		if (rc < 0)
			return rc;
		if (r->carve.off - r->told >= TELL_EVERY) {
			r->told = r->carve.off;
			tell_progress(r->v, r->told, 0);
		}
	}
	return rc;
}

/* Zeros were written ahead of the end; they are nothing to speak of. */
static int tell_tail(struct reading *r)
{
	int rc = carve_is_zero(&r->carve, r->good);

	if (rc == 0)
		tell_bad(r, r->good, r->carve.size);
	return rc < 0 ? rc : 0;
}

static int read_file(struct salvage *v, size_t file)
{
	struct source_file *src = &v->sources.files[file];
	AUTO_CLOSE int fd = sources_open_file(&v->sources, file);
	struct reading r = { .v = v, .file = file };
	int rc;

	if (fd < 0)
		return fd;
	if (src->is_segment && !src->has_head)
		tell_path(v, &(struct salvage_finding){ SALVAGE_HEADER_LOST,
							src->path, 0, 0 });
	if (src->mended)
		tell_path(v, &(struct salvage_finding){ SALVAGE_HEADER_MENDED,
							src->path, 0, 0 });
	carve_init(&r.carve, fd, src->size);
	r.carve.keys = v->sources.keys;
	r.carve.n_keys = v->sources.n_heads;
	r.good = min_u64(SEGMENT_HEADER_LEN, src->size);
	r.carve.off = src->is_segment ? r.good : 0;
	rc = read_records(&r);
	if (rc == 0 && src->is_segment)
		rc = tell_tail(&r);
	src->unreadable = r.carve.n_unreadable;
	carve_release(&r.carve);
	if (rc == 0 && src->unreadable > 0)
		tell_path(v, &(struct salvage_finding){ SALVAGE_UNREADABLE,
							src->path,
							src->unreadable, 0 });
	v->done += src->size;
	return rc;
}

static int read_files(struct salvage *v)
{
	size_t i;
	int rc = 0;

	for (i = 0; rc == 0 && i < v->sources.n_files; i++)
		rc = read_file(v, i);
	return rc;
}

/* ---- all --------------------------------------------------------------------- */

static int find_heads(struct salvage *v)
{
	size_t i;
	int rc = add_sources(v);

	if (rc < 0)
		return rc;
	for (i = 0; i < v->sources.n_files; i++)
		v->total += v->sources.files[i].size;
	/* Images are read once more, for the headers. */
	if (v->options.carve)
		v->total *= 2;
	rc = sources_find(&v->sources, v->options.carve ? tell_progress : NULL,
			  v);
	if (v->options.carve)
		v->done = v->total / 2;
	if (rc == 0 && v->sources.n_foreign > 0)
		salvage_tell(v, SALVAGE_FOREIGN, v->sources.n_foreign, 0);
	return rc;
}

static int read_all(struct salvage *v)
{
	struct store *s = v->s;
	int rc;

	index_lock(s);
	rc = open_index(v);
	if (rc == 0)
		rc = apply_begin(&v->apply, s, NULL);
	if (rc == 0)
		rc = read_files(v);
	if (rc == 0)
		rc = salvage_replay(v);
	if (rc == 0)
		rc = salvage_end_txn(v, true);
	apply_release(&v->apply);
	index_unlock(s);
	return rc;
}

static int open_all(struct salvage *v)
{
	struct store *s = v->s;
	int rc = v->options.store ? take_lock(s, v->options.store) : 0;

	if (rc == 0)
		rc = find_heads(v);
	if (rc < 0)
		return rc;
	memcpy(s->superblock.uuid, v->sources.uuid, sizeof(s->superblock.uuid));
	rc = store_make_parts(s);
	if (rc < 0)
		return rc;
	segments_open_by(s->segments, sources_open, &v->sources);
	rc = read_all(v);
	return rc == 0 ? ingest_start(s) : rc;
}

void salvage_free(struct salvage *v)
{
	if (!v)
		return;
	sources_release(&v->sources);
	free(v);
}

static int try_open(const struct salvage_options *options,
		    const struct store_handlers *handlers, bool *use_index,
		    struct store **ret)
{
	const struct store_options plain = { .read_only = true,
					     .n_workers = 1 };
	struct salvage *v = calloc(1, sizeof(*v));
	struct store *s = v ? store_alloc(&plain, handlers) : NULL;
	int rc;

	*ret = s;
	if (!s) {
		free(v);
		return -ENOMEM;
	}
	v->s = s;
	v->options = *options;
	v->use_index = *use_index;
	sources_init(&v->sources);
	s->salvage = v;
	atomic_store(&s->read_only, true);
	s->opened.read_only = "it is being recovered";
	rc = open_all(v);
	*use_index = v->has_index;
	if (rc < 0) {
		store_free(s);
		*ret = NULL;
	}
	return rc;
}

int salvage_open(const struct salvage_options *options,
		 const struct store_handlers *handlers, struct store **ret)
{
	bool use_index = options->store != NULL;
	int rc = try_open(options, handlers, &use_index, ret);

	/* Damage of the log does not fail: a page of the index does. */
	if (rc != -EUCLEAN || !use_index)
		return rc;
	use_index = false;
	return try_open(options, handlers, &use_index, ret);
}

bool salvage_is_whole(const struct store *s)
{
	return s->salvage && s->salvage->whole;
}

const char *salvage_source(const struct store *s, uint64_t segment,
			   uint64_t *ret_base)
{
	const struct sources *src = &s->salvage->sources;

	if (segment == 0 || segment > src->n_pieces)
		return NULL;
	*ret_base = src->pieces[segment - 1].base;
	return src->files[src->pieces[segment - 1].file].path;
}

int salvage_save(struct store *s, uint64_t n_rows)
{
	s->salvage->n_rows += n_rows;
	return salvage_end_txn(s->salvage, false);
}
