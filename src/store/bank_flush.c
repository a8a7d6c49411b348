/* SPDX-License-Identifier: MIT */
/*
 * bank_flush.c - from the bank's memory into its tables, and what follows there.
 *
 * In this order: bases and codebooks of the new frames get their references;
 * frames and new chunks get their rows; moved chunks go over to their new frame,
 * each with what it counts for, unless a newer one holds them; a frame that holds
 * nothing any more goes, and gives its references back; counts are written, and
 * frames told which of their chunks live now.
 */
#include "store/bank_impl.h"

#include "base/error.h"
#include "codec/glyph_format.h"

#include <stdlib.h>

/* What frames have won and lost. */
struct changes {
	struct bank_change *list; /* owned */
	size_t n;
	size_t cap;
	struct idmap by_frame; /* frame -> index into list, + 1 */
};

static void changes_init(struct changes *c)
{
	*c = (struct changes){ .n = 0 };
	idmap_init(&c->by_frame);
}

static void changes_release(struct changes *c)
{
	free(c->list);
	idmap_release(&c->by_frame);
}

static void changes_clear(struct changes *c)
{
	c->n = 0;
	idmap_clear(&c->by_frame);
}

/* The entry of a frame. NULL: no memory. */
static struct bank_change *change_of(struct changes *c, uint64_t frame)
{
	const uint64_t *at = idmap_find(&c->by_frame, frame);

	if (at)
		return &c->list[*at - 1];
	if (c->n == c->cap) {
		size_t cap = c->cap ? 2 * c->cap : 64;
		struct bank_change *list =
			realloc(c->list, cap * sizeof(*c->list));

		if (!list)
			return NULL;
		c->list = list;
		c->cap = cap;
	}
	if (idmap_set(&c->by_frame, frame, c->n + 1) < 0)
		return NULL;
	c->list[c->n] = (struct bank_change){ .frame = frame };
	return &c->list[c->n++];
}

static int note(struct changes *c, uint64_t frame, int64_t n_chunks,
		int64_t live_len)
{
	struct bank_change *change = change_of(c, frame);

	if (!change)
		return -ENOMEM;
	change->n_chunks += n_chunks;
	change->live_len += live_len;
	return 0;
}

/* One flush under way. */
struct flush {
	struct bank *b;
	struct changes changes;
	int64_t sums[STORE_N_TOTALS];
};

/* ---- new frames ------------------------------------------------------------ */

/* Moves what is to be written from `open` to `sealed`. */
static int seal(struct bank *b, uint64_t seq)
{
	struct pending later;
	int rc;

	pending_init(&later);
	sync_lock(&b->lock);
	assert(b->sealed.n_frames == 0);
	rc = pending_split(&b->open, seq, &later);
	if (rc == 0) {
		b->sealed = b->open;
		b->open = later;
	}
	sync_unlock(&b->lock);
	return rc;
}

static void keep_places(struct bank *b, const struct pending_chunk *chunks,
			size_t n) REQUIRES(b->lock)
{
	bool moving = b->open.n_moves > 0 || b->sealed.n_moves > 0;
	struct frame_place place;
	size_t i;

	for (i = 0; i < n; i++) {
		place = b->sealed.frames[chunks[i].frame].place;
		if (moving)
			(void)bank_newest_locked(b, chunks[i].id, &place);
		places_set(&b->places, chunks[i].id, &place);
	}
}

/* The sealed set is in the index now; who reads them goes on finding them. */
static void unseal(struct bank *b)
{
	sync_lock(&b->lock);
	keep_places(b, b->sealed.chunks, b->sealed.n_chunks);
	keep_places(b, b->sealed.moves, b->sealed.n_moves);
	pending_release(&b->sealed);
	b->n_refs = 0;
	sync_unlock(&b->lock);
	idmap_clear(&b->refs);
}

/* The deltas of the sealed frames hold their bases from now on. A base came
 * before its deltas, so it is sealed as well, or in the index. */
static int hold_bases(struct bank *b)
{
	size_t i;
	int rc = 0;

	/* bank_rebuild_end() counts them all. */
	for (i = 0; !b->rows.merging && rc == 0 && i < b->sealed.n_bases; i++)
		rc = bank_ref(b, b->sealed.bases[i], 1);
	return rc;
}

/* The same for codebooks. */
static int hold_codebooks(struct bank *b)
{
	size_t i;
	int rc = 0;

	for (i = 0; rc == 0 && i < b->sealed.n_frames; i++) {
		if (!b->rows.merging && b->sealed.frames[i].codebook != 0)
			rc = codebooks_ref(b->codebooks,
					   b->sealed.frames[i].codebook, 1);
	}
	return rc;
}

static void add_totals(const struct pending *p, int64_t *totals)
{
	size_t i;

	for (i = 0; i < p->n_frames; i++) {
		const struct pending_frame *f = &p->frames[i];

		totals[TOTAL_FRAMES]++;
		totals[TOTAL_FRAME_RAW] += f->raw_len;
		totals[TOTAL_FRAME_STORED] += f->place.payload_len;
		totals[TOTAL_KIND_FIRST + f->kind]++;
	}
	totals[TOTAL_CHUNKS] += (int64_t)p->n_chunks;
	totals[TOTAL_CHUNK_LEN] += (int64_t)p->raw_len;
}

/* ---- totals ---------------------------------------------------------------- */

static void add_sums(const int64_t *sums, atomic_int_fast64_t *totals)
{
	size_t i;

	for (i = 0; i < STORE_N_TOTALS; i++)
		atomic_fetch_add(&totals[i], sums[i]);
}

/* The live part of a row that has `more` live bytes than before. */
static void count_live(int64_t *sums, const struct bank_frame_row *row,
		       int64_t more)
{
	struct bank_frame_row before = *row;

	before.live_len -= (uint64_t)more;
	sums[TOTAL_LIVE_LEN] += more;
	sums[TOTAL_LIVE_STORED] += (int64_t)bank_live_stored(row) -
				   (int64_t)bank_live_stored(&before);
}

static void count_dead(int64_t *sums, const struct bank_frame_row *row)
{
	sums[TOTAL_FRAMES]--;
	sums[TOTAL_FRAME_RAW] -= row->raw_len;
	sums[TOTAL_FRAME_STORED] -= row->place.payload_len;
	sums[TOTAL_KIND_FIRST + row->kind]--;
}

/* The live parts of the new frames, as their rows say. */
static void count_new(struct flush *f)
{
	const struct pending *p = &f->b->sealed;
	const struct pending_chunk *chunk = p->chunks;
	size_t i;
	uint32_t k;

	for (i = 0; i < p->n_frames; i++) {
		struct bank_frame_row row = {
			.place = p->frames[i].place,
			.raw_len = p->frames[i].raw_len,
		};

		for (k = 0; k < p->frames[i].n_chunks; k++, chunk++)
			row.live_len += chunk->refs > 0 ? chunk->len : 0;
		count_live(f->sums, &row, (int64_t)row.live_len);
	}
}

/* ---- moves ------------------------------------------------------------------ */

/* A chunk that is in the index goes over to the newer frame. */
static int move_known(struct flush *f, const struct pending_chunk *move,
		      uint64_t frame)
{
	struct bank_rows *rows = &f->b->rows;
	struct bank_chunk c = { .id = 0 };
	int64_t live;
	int rc = bank_rows_chunk(rows, move->id, &c);

	if (rc < 0)
		return rc;
	if (c.len != move->len)
		return corrupt("chunk %llu is %u bytes long, and %u in frame "
			       "%llu",
			       (unsigned long long)c.id, c.len, move->len,
			       (unsigned long long)frame);
	if (c.frame >= frame)
		return 0;
	live = c.refs > 0 ? c.len : 0;
	rc = bank_rows_move(rows, c.id, frame);
	if (rc == 0)
		rc = note(&f->changes, c.frame, -1, -live);
	if (rc == 0)
		rc = note(&f->changes, frame, 1, live);
	return rc;
}

static int move_one(struct flush *f, const struct pending_chunk *move,
		    uint64_t frame)
{
	int rc = bank_rows_put(&f->b->rows, move, frame);

	if (rc == 0)
		return move_known(f, move, frame);
	if (rc < 0 || f->b->rows.merging)
		return rc < 0 ? rc : 0;
	/* It is new, or was dropped: then this frame brings it back. */
	f->sums[TOTAL_CHUNKS]++;
	f->sums[TOTAL_CHUNK_LEN] += move->len;
	return note(&f->changes, frame, 1, 0);
}

/* All moves; a frame without a chunk that it holds has an entry, too. */
static int move_all(struct flush *f)
{
	const struct pending *p = &f->b->sealed;
	size_t i;
	int rc = 0;

	for (i = 0; rc == 0 && i < p->n_moves; i++)
		rc = move_one(f, &p->moves[i],
			      p->frames[p->moves[i].frame].place.frame);
	for (i = 0; rc == 0 && !f->b->rows.merging && i < p->n_frames; i++) {
		if (p->frames[i].n_chunks == 0)
			rc = note(&f->changes, p->frames[i].place.frame, 0, 0);
	}
	return rc;
}

/* A reference less on a chunk whose row is there. */
static int let_go(struct bank *b, uint64_t chunk)
{
	const uint64_t *known = idmap_find(&b->refs, chunk);
	struct bank_chunk c = { .refs = known ? *known - 1 : 0 };
	int rc = known ? 0 : bank_rows_chunk(&b->rows, chunk, &c);

	if (rc < 0 && rc != -ENOENT)
		return rc;
	if (rc == -ENOENT || c.refs == 0)
		return corrupt("base %llu has no reference to give back",
			       (unsigned long long)chunk);
	return bank_set_refs(b, chunk, c.refs - 1);
}

/* A frame that holds nothing any more. */
static int bury(struct bank *b, const struct bank_frame_row *row, int64_t *sums)
{
	uint64_t bases[GLYPH_DELTAS_MAX];
	size_t n = 0;
	size_t i;
	int rc = bank_rows_bases(&b->rows, row->place.frame, bases, &n);

	for (i = 0; rc == 0 && i < n; i++)
		rc = let_go(b, bases[i]);
	if (rc == 0 && row->codebook != 0)
		rc = codebooks_ref(b->codebooks, row->codebook, -1);
	if (rc == 0)
		rc = bank_rows_drop_frame(&b->rows, row->place.frame);
	if (rc == 0)
		count_dead(sums, row);
	return rc;
}

/* Writes what frames have won and lost into their rows. */
static int write_changes(struct flush *f)
{
	struct changes *all = &f->changes;
	struct bank_frame_row row;
	size_t i;
	int rc = 0;

	for (i = 0; rc == 0 && i < all->n; i++) {
		rc = bank_rows_change(&f->b->rows, &all->list[i], &row);
		if (rc < 0)
			break;
		count_live(f->sums, &row, all->list[i].live_len);
		if (row.n_chunks == 0)
			rc = bury(f->b, &row, f->sums);
	}
	changes_clear(all);
	return rc;
}

/* ---- counts ----------------------------------------------------------------- */

/* Writes one count. A chunk that comes to life, or dies, counts in its frame. */
static int write_count(struct flush *f, uint64_t chunk, uint64_t refs)
{
	struct bank_rows *rows = &f->b->rows;
	struct bank_chunk c = { .id = 0 };
	int rc = rows->merging ? 0 : bank_rows_chunk(rows, chunk, &c);

	if (rc == -ENOENT)
		return corrupt("chunk %llu is counted, and not there",
			       (unsigned long long)chunk);
	if (rc == 0 && (rows->merging || c.refs != refs))
		rc = bank_rows_set_refs(rows, chunk, refs);
	if (rc < 0 || rows->merging || (c.refs > 0) == (refs > 0))
		return rc;
	return note(&f->changes, c.frame, 0,
		    refs > 0 ? (int64_t)c.len : -(int64_t)c.len);
}

static int write_refs(struct flush *f)
{
	struct idmap_slot slot;
	size_t cursor = 0;
	int rc = 0;

	while (rc == 0 && idmap_next(&f->b->refs, &cursor, &slot))
		rc = write_count(f, slot.key, slot.value - 1);
	return rc;
}

/* ---- all -------------------------------------------------------------------- */

static int write_rows(struct flush *f)
{
	struct bank *b = f->b;
	int rc = hold_bases(b);

	/* Nobody changes `sealed` but us: BANK is for its readers. */
	if (rc == 0)
		rc = hold_codebooks(b);
	if (rc == 0)
		rc = bank_rows_add(&b->rows, &b->sealed);
	if (rc < 0)
		return rc;
	add_totals(&b->sealed, f->sums);
	count_new(f);
	rc = move_all(f);
	if (rc == 0)
		rc = write_changes(f);
	if (rc == 0)
		rc = write_refs(f);
	return rc == 0 ? write_changes(f) : rc;
}

int bank_flush(struct bank *b, uint64_t seq, atomic_int_fast64_t *totals)
{
	struct flush f = { .b = b };
	int rc = seal(b, seq);

	if (rc < 0)
		return rc;
	changes_init(&f.changes);
	rc = write_rows(&f);
	changes_release(&f.changes);
	if (rc == 0)
		rc = bank_rows_flush(&b->rows);
	if (rc < 0)
		return rc;
	add_sums(f.sums, totals);
	unseal(b);
	return 0;
}

/* ---- dropping --------------------------------------------------------------- */

/* Memory knows nothing of the chunk any more. */
static void forget_chunk(struct bank *b, uint64_t chunk)
{
	(void)idmap_del(&b->refs, chunk);
	sync_lock(&b->lock);
	places_drop(&b->places, chunk);
	b->moment++;
	b->n_refs = b->refs.n_used;
	sync_unlock(&b->lock);
}

/* Whether the chunk goes with the frame: 1, 0. */
static int goes_with(struct bank *b, uint64_t frame, uint64_t chunk,
		     struct bank_chunk *ret)
{
	uint64_t refs = 0;
	int rc = bank_rows_chunk(&b->rows, chunk, ret);

	if (rc == -ENOENT || (rc == 0 && ret->frame > frame))
		return 0;
	/* Of a chunk whose row has yet to come, not all is known. */
	if (rc < 0 || b->rows.merging)
		return rc < 0 ? rc : 1;
	rc = bank_refs(b, chunk, &refs);
	if (rc < 0)
		return rc;
	if (refs > 0 || ret->frame < frame)
		return corrupt("chunk %llu is dropped, and still in use",
			       (unsigned long long)chunk);
	return 1;
}

int bank_drop_chunk(struct bank *b, uint64_t frame,
		    const struct frame_chunk *chunk,
		    atomic_int_fast64_t *totals)
{
	int64_t sums[STORE_N_TOTALS] = { 0 };
	struct bank_change change = { .frame = frame, .n_chunks = -1 };
	struct bank_chunk c = { .id = 0 };
	struct bank_frame_row row = { .raw_len = 0 };
	int rc = goes_with(b, frame, chunk->id, &c);

	if (rc < 1)
		return rc;
	/* Its death may not have been written yet. */
	change.live_len = c.refs > 0 ? -(int64_t)c.len : 0;
	rc = bank_rows_drop_chunk(&b->rows, chunk->id, bank_key(chunk->hash));
	if (rc == 0 && !b->rows.merging)
		rc = bank_rows_change(&b->rows, &change, &row);
	if (rc < 0)
		return rc;
	forget_chunk(b, chunk->id);
	if (!b->rows.merging)
		count_live(sums, &row, change.live_len);
	sums[TOTAL_CHUNKS] = -1;
	sums[TOTAL_CHUNK_LEN] = -(int64_t)c.len;
	add_sums(sums, totals);
	return 0;
}

int bank_drop_frame(struct bank *b, uint64_t frame, atomic_int_fast64_t *totals)
{
	int64_t sums[STORE_N_TOTALS] = { 0 };
	struct bank_frame_row row;
	int rc;

	if (b->rows.merging)
		return bank_rows_drop_frame(&b->rows, frame);
	rc = bank_rows_frame(&b->rows, frame, &row);
	if (rc < 0)
		return rc == -ENOENT ? 0 : rc;
	if (row.n_chunks > 0)
		return corrupt("frame %llu is dropped, and holds chunks",
			       (unsigned long long)frame);
	rc = bury(b, &row, sums);
	if (rc == 0)
		add_sums(sums, totals);
	return rc;
}

/* ---- numbers ---------------------------------------------------------------- */

void bank_pending_totals(struct bank *b, uint64_t *totals)
{
	int64_t sums[STORE_N_TOTALS] = { 0 };
	size_t i;

	sync_lock(&b->lock);
	add_totals(&b->open, sums);
	add_totals(&b->sealed, sums);
	sync_unlock(&b->lock);
	for (i = 0; i < STORE_N_TOTALS; i++)
		totals[i] += (uint64_t)sums[i];
}

size_t bank_n_pending(struct bank *b)
{
	size_t n;

	sync_lock(&b->lock);
	n = b->open.n_chunks + b->open.n_moves + b->sealed.n_chunks +
	    b->sealed.n_moves + b->n_refs;
	sync_unlock(&b->lock);
	return n;
}

void bank_rebuild_begin(struct bank *b)
{
	b->rows.merging = true;
}

int bank_salvage_begin(struct bank *b)
{
	int rc = bank_rows_clear(&b->rows);

	b->uncounted = true;
	bank_rebuild_begin(b);
	return rc;
}

static int hold_codebook(void *ctx, uint64_t codebook, int64_t n)
{
	return codebooks_ref(ctx, codebook, n);
}

int bank_rebuild_end(struct bank *b, atomic_int_fast64_t *totals)
{
	int64_t sums[STORE_N_TOTALS] = { 0 };
	size_t i;
	int rc = bank_flush(b, UINT64_MAX, totals);

	if (rc == 0)
		rc = bank_rows_settle(&b->rows, sums);
	/* Frames that name one were not counted so far. */
	if (rc == 0 && b->codebooks)
		rc = bank_rows_each_codebook(&b->rows, hold_codebook,
					     b->codebooks);
	if (rc < 0)
		return rc;
	b->rows.merging = false;
	for (i = TOTAL_CHUNKS; i < STORE_N_TOTALS; i++) {
		if (i != TOTAL_DUPLICATES && i != TOTAL_DUPLICATE_LEN)
			atomic_store(&totals[i], sums[i]);
	}
	return 0;
}
