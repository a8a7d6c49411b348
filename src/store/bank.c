/* SPDX-License-Identifier: MIT */
/*
 * bank.c - the bank's memory: frames told of, places, counts, pins.
 *
 * Its tables are in bank_rows.c; what goes from here to there in bank_flush.c.
 */
#include "store/bank_impl.h"

#include "base/error.h"
#include "codec/decode.h"
#include "codec/glyph_format.h"

#include <stdlib.h>

int bank_new(struct codebooks *codebooks, struct bank **ret)
{
	struct bank *b = calloc(1, sizeof(*b));

	if (!b)
		return -ENOMEM;
	if (places_init(&b->places) < 0) {
		free(b);
		return -ENOMEM;
	}
	sync_mutex_init(&b->lock, RANK_BANK);
	sync_cond_init(&b->settled);
	sync_cond_init(&b->unpinned);
	idmap_init(&b->pins);
	pending_init(&b->open);
	pending_init(&b->sealed);
	idmap_init(&b->refs);
	b->codebooks = codebooks;
	*ret = b;
	return 0;
}

void bank_free(struct bank *b)
{
	if (!b)
		return;
	pending_release(&b->open);
	pending_release(&b->sealed);
	places_release(&b->places);
	idmap_release(&b->refs);
	idmap_release(&b->pins);
	sync_cond_release(&b->unpinned);
	sync_cond_release(&b->settled);
	sync_mutex_release(&b->lock);
	free(b);
}

int bank_attach(struct bank *b, struct db *db)
{
	return bank_rows_attach(&b->rows, db);
}

void bank_reset(struct bank *b)
{
	idmap_clear(&b->refs);
	bank_rows_forget(&b->rows);
	b->rows.merging = false;
	sync_lock(&b->lock);
	pending_release(&b->open);
	pending_release(&b->sealed);
	places_clear(&b->places);
	b->n_refs = 0;
	sync_unlock(&b->lock);
}

/* The bases of a frame's deltas. */
static int find_bases(struct span glyphs, uint64_t *bases, uint32_t *ret_n)
{
	struct reader in = reader_of(glyphs);
	uint64_t base = 0;
	uint32_t n = 0;
	int rc;

	while ((rc = decode_next_base(&in, &base)) == 1) {
		if (n == GLYPH_DELTAS_MAX)
			return corrupt("a frame with too many deltas");
		bases[n++] = base;
	}
	if (rc == 0)
		*ret_n = n;
	return rc;
}

/* Sorts a frame's chunks: new ones first, then those that may be known. */
static void sort_chunks(const struct bank_frame *frame,
			struct pending_chunk *chunks, struct pending_frame *pf)
{
	struct pending_chunk *last = chunks + frame->n_chunks;
	size_t i;

	for (i = 0; i < frame->n_chunks; i++) {
		const struct frame_chunk *c = &frame->chunks[i];
		bool known = c->id < frame->known_below;
		struct pending_chunk *to =
			known ? --last : &chunks[pf->n_chunks];

		*to = (struct pending_chunk){
			.id = c->id,
			.key = bank_key(c->hash),
			.len = c->len,
		};
		pf->n_moves += known;
		pf->n_chunks += !known;
	}
}

/* The places that memory tells stay true. */
static void move_places(struct bank *b, const struct pending_frame *frame,
			const struct pending_chunk *moves) REQUIRES(b->lock)
{
	struct frame_place place;
	uint32_t i;

	for (i = 0; i < frame->n_moves; i++) {
		if (places_get(&b->places, moves[i].id, &place) &&
		    place.frame < frame->place.frame)
			places_set(&b->places, moves[i].id, &frame->place);
	}
	b->moment += frame->n_moves > 0;
}

int bank_add(struct bank *b, const struct bank_frame *frame)
{
	struct pending_frame pf = {
		.place = frame->place,
		.raw_len = frame->raw_len,
		.kind = encode_kind_of(frame->glyphs),
	};
	uint64_t bases[GLYPH_DELTAS_MAX];
	struct pending_parts parts = { .bases = bases };
	struct pending_chunk *chunks;
	int rc = find_bases(frame->glyphs, bases, &pf.n_bases);

	if (rc == 0)
		rc = decode_find_codebook(frame->glyphs, &pf.codebook);
	if (rc < 0)
		return rc;
	chunks = calloc(frame->n_chunks, sizeof(*chunks));
	if (!chunks)
		return -ENOMEM;
	sort_chunks(frame, chunks, &pf);
	parts.chunks = chunks;
	parts.moves = chunks + pf.n_chunks;
	sync_lock(&b->lock);
	rc = pending_add(&b->open, &pf, &parts);
	if (rc == 0)
		move_places(b, &pf, parts.moves);
	sync_unlock(&b->lock);
	free(chunks);
	return rc;
}

void bank_expect(struct bank *b)
{
	sync_lock(&b->lock);
	while (b->n_settling > 0)
		sync_wait(&b->settled, &b->lock);
	b->n_expected++;
	sync_unlock(&b->lock);
}

void bank_expected(struct bank *b)
{
	sync_lock(&b->lock);
	b->n_expected--;
	if (b->n_expected == 0)
		sync_broadcast(&b->settled);
	sync_unlock(&b->lock);
}

void bank_settle(struct bank *b)
{
	sync_lock(&b->lock);
	b->n_settling++;
	while (b->n_expected > 0)
		sync_wait(&b->settled, &b->lock);
	b->n_settling--;
	sync_broadcast(&b->settled);
	sync_unlock(&b->lock);
}

static const struct pending_frame *newest_frame(struct bank *b, uint64_t chunk)
	REQUIRES(b->lock)
{
	const struct pending_frame *f = pending_newest(&b->open, chunk);
	const struct pending_frame *sealed = pending_newest(&b->sealed, chunk);

	return !f || (sealed && sealed->place.frame > f->place.frame) ? sealed
								      : f;
}

bool bank_newest_locked(struct bank *b, uint64_t chunk, struct frame_place *ret)
{
	const struct pending_frame *f = newest_frame(b, chunk);

	if (f)
		*ret = f->place;
	return f != NULL;
}

bool bank_locate(struct bank *b, uint64_t chunk, struct frame_place *ret)
{
	bool found;

	sync_lock(&b->lock);
	found = places_get(&b->places, chunk, ret) ||
		bank_newest_locked(b, chunk, ret);
	sync_unlock(&b->lock);
	return found;
}

int bank_load(struct bank *b, uint64_t chunk, struct frame_place *ret)
{
	struct bank_memory m = { .moment = bank_moment(b) };
	int rc;

	/* A flush may have moved it since the caller looked. */
	if (bank_locate(b, chunk, ret))
		return 0;
	rc = bank_rows_locate(&b->rows, chunk, &m.place);
	if (rc < 0)
		return rc;
	*ret = m.place;
	bank_remember(b, &m, &chunk, 1);
	return 0;
}

uint64_t bank_moment(struct bank *b)
{
	return atomic_load(&b->moment);
}

void bank_remember(struct bank *b, const struct bank_memory *m,
		   const uint64_t *chunks, size_t n)
{
	size_t i;

	sync_lock(&b->lock);
	for (i = 0; b->moment == m->moment && i < n; i++)
		places_set(&b->places, chunks[i], &m->place);
	sync_unlock(&b->lock);
}

uint64_t bank_candidate(struct bank *b, uint64_t hash)
{
	uint64_t key = bank_key(hash);
	const uint64_t *id;
	uint64_t chunk;

	sync_lock(&b->lock);
	id = idmap_find(&b->open.by_key, key);
	if (!id)
		id = idmap_find(&b->sealed.by_key, key);
	chunk = id ? *id : 0;
	sync_unlock(&b->lock);
	return chunk;
}

int bank_candidate_load(struct bank *b, uint64_t hash, uint64_t *ret)
{
	uint64_t chunk = bank_candidate(b, hash);

	if (chunk != 0) {
		*ret = chunk;
		return 0;
	}
	return bank_rows_candidate(&b->rows, bank_key(hash), ret);
}

/* ---- counts -------------------------------------------------------------- */

static struct pending_chunk *find_locked(struct bank *b, uint64_t chunk)
	REQUIRES(b->lock)
{
	struct pending_chunk *c = pending_find(&b->open, chunk);

	return c ? c : pending_find(&b->sealed, chunk);
}

/* A pending chunk's count is in its set. False: not pending. */
static bool pending_ref(struct bank *b, uint64_t chunk, int64_t delta,
			uint64_t *ret)
{
	struct pending_chunk *c;

	sync_lock(&b->lock);
	c = find_locked(b, chunk);
	if (c) {
		*ret = c->refs;
		if (delta >= 0 || c->refs >= 0 - (uint64_t)delta)
			c->refs += (uint64_t)delta;
	}
	sync_unlock(&b->lock);
	return c != NULL;
}

/* What the next flush will add, because of deltas. */
static uint64_t refs_to_come(struct bank *b, uint64_t chunk)
{
	uint64_t n;

	sync_lock(&b->lock);
	n = pending_base_refs(&b->open, chunk) +
	    pending_base_refs(&b->sealed, chunk);
	sync_unlock(&b->lock);
	return n;
}

/* The count in the index. A chunk that may have been known, and was not, has
 * none until its row comes with a flush. */
static int load_refs(struct bank *b, uint64_t chunk, uint64_t *ret)
{
	struct frame_place place;
	bool pending;
	int rc = bank_rows_refs(&b->rows, chunk, ret);

	if (rc != -ENOENT)
		return rc;
	sync_lock(&b->lock);
	pending = bank_newest_locked(b, chunk, &place);
	sync_unlock(&b->lock);
	if (!pending)
		return -ENOENT;
	*ret = 0;
	return 0;
}

int bank_refs(struct bank *b, uint64_t chunk, uint64_t *ret)
{
	const uint64_t *known = idmap_find(&b->refs, chunk);
	uint64_t refs = known ? *known - 1 : 0;
	int rc = 0;

	if (!known && !pending_ref(b, chunk, 0, &refs))
		rc = load_refs(b, chunk, &refs);
	if (rc == 0)
		*ret = refs + refs_to_come(b, chunk);
	return rc;
}

int bank_set_refs(struct bank *b, uint64_t chunk, uint64_t refs)
{
	int rc = idmap_set(&b->refs, chunk, refs + 1);

	sync_lock(&b->lock);
	b->n_refs = b->refs.n_used;
	sync_unlock(&b->lock);
	return rc;
}

int bank_ref(struct bank *b, uint64_t chunk, int64_t delta)
{
	const uint64_t *known = idmap_find(&b->refs, chunk);
	uint64_t refs = known ? *known - 1 : 0;
	bool pending;
	int rc = 0;

	if (b->uncounted)
		return 0;
	pending = !known && pending_ref(b, chunk, delta, &refs);
	if (!known && !pending)
		rc = load_refs(b, chunk, &refs);
	if (rc == -ENOENT && b->rows.merging)
		rc = 0;
	if (rc == -ENOENT)
		return corrupt("chunk %llu is referred to, and not there",
			       (unsigned long long)chunk);
	if (rc < 0)
		return rc;
	if (delta < 0 && refs < 0 - (uint64_t)delta)
		return corrupt("chunk %llu: fewer than no references",
			       (unsigned long long)chunk);
	return pending ? 0 : bank_set_refs(b, chunk, refs + (uint64_t)delta);
}

/* ---- pins ----------------------------------------------------------------- */

static bool is_claimed(const struct bank *b, uint64_t chunk) REQUIRES(b->lock)
{
	size_t i;

	for (i = 0; i < b->n_claimed; i++) {
		if (b->claimed[i].id == chunk)
			return true;
	}
	return false;
}

bool bank_pin(struct bank *b, uint64_t chunk)
{
	uint64_t *n;
	bool pinned;

	sync_lock(&b->lock);
	pinned = !is_claimed(b, chunk);
	n = pinned ? idmap_find(&b->pins, chunk) : NULL;
	if (n)
		++*n;
	else if (pinned)
		pinned = idmap_set(&b->pins, chunk, 1) == 0;
	sync_unlock(&b->lock);
	return pinned;
}

void bank_unpin(struct bank *b, uint64_t chunk)
{
	uint64_t *n;

	sync_lock(&b->lock);
	n = idmap_find(&b->pins, chunk);
	assert(n);
	if (--*n == 0)
		(void)idmap_del(&b->pins, chunk);
	sync_broadcast(&b->unpinned);
	sync_unlock(&b->lock);
}

static bool any_pinned(const struct bank *b) REQUIRES(b->lock)
{
	size_t i;

	for (i = 0; b->pins.n_used > 0 && i < b->n_claimed; i++) {
		if (idmap_find(&b->pins, b->claimed[i].id))
			return true;
	}
	return false;
}

/* Whether a delta that waits for its flush refers to the chunk. */
static bool is_pending_base(const struct bank *b, uint64_t chunk)
	REQUIRES(b->lock)
{
	return pending_base_refs(&b->open, chunk) +
		       pending_base_refs(&b->sealed, chunk) >
	       0;
}

int bank_is_base(struct bank *b, uint64_t chunk)
{
	bool pending;

	sync_lock(&b->lock);
	pending = is_pending_base(b, chunk);
	sync_unlock(&b->lock);
	return pending ? 1 : bank_rows_is_base(&b->rows, chunk);
}

void bank_claim(struct bank *b, const struct frame_chunk *chunks, size_t n)
{
	sync_lock(&b->lock);
	assert(b->n_claimed == 0);
	b->claimed = chunks;
	b->n_claimed = n;
	while (any_pinned(b))
		sync_wait(&b->unpinned, &b->lock);
	sync_unlock(&b->lock);
}

void bank_unclaim(struct bank *b)
{
	sync_lock(&b->lock);
	b->claimed = NULL;
	b->n_claimed = 0;
	sync_unlock(&b->lock);
}

/* ---- condemned segments ----------------------------------------------------- */

void bank_condemn(struct bank *b, const uint64_t *segments, size_t n)
{
	size_t i;

	assert(n <= BANK_CONDEMNED_MAX);
	sync_lock(&b->lock);
	for (i = 0; i < n; i++)
		b->condemned[i] = segments[i];
	b->n_condemned = n;
	sync_unlock(&b->lock);
}

bool bank_is_condemned(struct bank *b, uint64_t segment)
{
	bool found = false;
	size_t i;

	sync_lock(&b->lock);
	for (i = 0; !found && i < b->n_condemned; i++)
		found = b->condemned[i] == segment;
	sync_unlock(&b->lock);
	return found;
}

/* ---- walks ---------------------------------------------------------------- */

/* What memory knows better than the row. */
static int complete(struct bank *b, struct bank_chunk *c)
{
	struct frame_place place;

	sync_lock(&b->lock);
	if (bank_newest_locked(b, c->id, &place))
		c->frame = max_u64(c->frame, place.frame);
	sync_unlock(&b->lock);
	return bank_refs(b, c->id, &c->refs);
}

int bank_chunk(struct bank *b, uint64_t chunk, struct bank_chunk *ret)
{
	struct bank_chunk c = { .id = 0 };
	int rc = bank_rows_chunk(&b->rows, chunk, &c);

	if (rc == 0)
		rc = complete(b, &c);
	if (rc == 0)
		*ret = c;
	return rc;
}

/* As far as memory knows it: fields are 0 for what the index has to tell. */
static void weigh_locked(struct bank *b, uint64_t chunk, struct bank_weight *w)
	REQUIRES(b->lock)
{
	const struct pending_frame *f = newest_frame(b, chunk);
	const struct pending_chunk *c = find_locked(b, chunk);

	if (f) {
		w->frame_raw = f->raw_len;
		w->frame_stored = f->place.payload_len;
	}
	if (c)
		w->len = c->len;
}

int bank_weight(struct bank *b, uint64_t chunk, struct bank_weight *ret)
{
	struct bank_weight w = { .len = 0 };
	struct bank_chunk row = { .id = 0 };
	struct bank_frame_row frame;
	int rc = 0;

	sync_lock(&b->lock);
	weigh_locked(b, chunk, &w);
	sync_unlock(&b->lock);
	if (w.len == 0) {
		rc = bank_rows_chunk(&b->rows, chunk, &row);
		w.len = row.len;
	}
	if (rc == 0 && w.frame_raw == 0) {
		rc = bank_rows_frame(&b->rows, row.frame, &frame);
		if (rc == 0) {
			w.frame_raw = frame.raw_len;
			w.frame_stored = frame.place.payload_len;
		}
	}
	if (rc == 0)
		rc = bank_refs(b, chunk, &w.refs);
	if (rc == 0)
		*ret = w;
	return rc;
}

int bank_next_chunk(struct bank *b, uint64_t after, struct bank_chunk *ret)
{
	struct bank_chunk c = { .id = 0 };
	int rc = bank_rows_next_chunk(&b->rows, after, &c);

	if (rc == 1 && (rc = complete(b, &c)) == 0)
		rc = 1;
	if (rc == 1)
		*ret = c;
	return rc;
}

int bank_frame_row(struct bank *b, uint64_t frame, struct bank_frame_row *ret)
{
	return bank_rows_frame(&b->rows, frame, ret);
}

int bank_next_frame(struct bank *b, uint64_t after, struct bank_frame_row *ret)
{
	return bank_rows_next_frame(&b->rows, after, ret);
}

int bank_dump(struct bank *b, struct dump_cursor *c, struct buffer *ops)
{
	return bank_rows_dump(&b->rows, c, ops);
}

int bank_load_rows(struct bank *b, uint8_t type, struct span body)
{
	return bank_rows_load(&b->rows, type, body);
}
