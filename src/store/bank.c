/* SPDX-License-Identifier: MIT */
/*
 * bank.c - the bank's memory; its tables are in bank_rows.c.
 *
 * Two sets of pending chunks: `open` takes new ones, `sealed` is being written
 * by bank_flush(), under INDEX but not under BANK, and is still found
 * meanwhile. Counts change under INDEX only, so none changes during a flush.
 */
#include "store/bank.h"

#include "base/error.h"
#include "base/hash.h"
#include "base/sync.h"
#include "codec/glyph_format.h"
#include "store/bank_rows.h"
#include "store/place.h"

#include <assert.h>
#include <stdlib.h>

struct bank {
	struct bank_rows rows; /* INDEX */
	struct idmap refs;     /* INDEX: chunk -> new count, + 1 */

	struct sync_mutex lock;
	struct pending open GUARDED_BY(lock);
	struct pending sealed GUARDED_BY(lock);
	struct places places GUARDED_BY(lock);
	size_t n_refs GUARDED_BY(lock); /* entries in refs */
};

/* The low bits are enough to find a candidate; 0 is no key. */
static uint64_t key_of(uint64_t hash)
{
	uint64_t key = hash & ((UINT64_C(1) << 47) - 1);

	return key ? key : 1;
}

int bank_new(struct bank **ret)
{
	struct bank *b = calloc(1, sizeof(*b));

	if (!b)
		return -ENOMEM;
	if (places_init(&b->places) < 0) {
		free(b);
		return -ENOMEM;
	}
	sync_mutex_init(&b->lock, RANK_BANK);
	pending_init(&b->open);
	pending_init(&b->sealed);
	idmap_init(&b->refs);
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
	sync_lock(&b->lock);
	pending_release(&b->open);
	pending_release(&b->sealed);
	places_clear(&b->places);
	b->n_refs = 0;
	sync_unlock(&b->lock);
}

int bank_add(struct bank *b, const struct bank_frame *frame)
{
	struct pending_frame pf = {
		.place = frame->place,
		.raw_len = frame->raw_len,
		.n_chunks = (uint32_t)frame->n_chunks,
		.kind = frame->kind,
	};
	struct pending_chunk *chunks;
	size_t i;
	int rc;

	chunks = calloc(frame->n_chunks, sizeof(*chunks));
	if (!chunks)
		return -ENOMEM;
	for (i = 0; i < frame->n_chunks; i++) {
		chunks[i].id = frame->chunks[i].id;
		chunks[i].key = key_of(frame->chunks[i].hash);
	}
	sync_lock(&b->lock);
	rc = pending_add(&b->open, &pf, chunks);
	sync_unlock(&b->lock);
	free(chunks);
	return rc;
}

static struct pending_chunk *find_locked(struct bank *b, uint64_t chunk,
					 struct pending **ret_set)
	REQUIRES(b->lock)
{
	struct pending_chunk *c = pending_find(&b->open, chunk);

	*ret_set = &b->open;
	if (!c) {
		c = pending_find(&b->sealed, chunk);
		*ret_set = &b->sealed;
	}
	return c;
}

bool bank_locate(struct bank *b, uint64_t chunk, struct frame_place *ret)
{
	struct pending *set;
	struct pending_chunk *c;
	bool found;

	sync_lock(&b->lock);
	found = places_get(&b->places, chunk, ret);
	if (!found) {
		c = find_locked(b, chunk, &set);
		found = c != NULL;
		if (c)
			*ret = set->frames[c->frame].place;
	}
	sync_unlock(&b->lock);
	return found;
}

int bank_load(struct bank *b, uint64_t chunk, struct frame_place *ret)
{
	int rc;

	/* A flush may have moved it since the caller looked. */
	if (bank_locate(b, chunk, ret))
		return 0;
	rc = bank_rows_locate(&b->rows, chunk, ret);
	if (rc < 0)
		return rc;
	bank_remember(b, ret, &chunk, 1);
	return 0;
}

void bank_remember(struct bank *b, const struct frame_place *place,
		   const uint64_t *chunks, size_t n)
{
	size_t i;

	sync_lock(&b->lock);
	for (i = 0; i < n; i++)
		places_set(&b->places, chunks[i], place);
	sync_unlock(&b->lock);
}

uint64_t bank_candidate(struct bank *b, uint64_t hash)
{
	uint64_t key = key_of(hash);
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
	return bank_rows_candidate(&b->rows, key_of(hash), ret);
}

/* ---- counts -------------------------------------------------------------- */

/* A pending chunk's count is in its set. False: not pending. */
static bool pending_ref(struct bank *b, uint64_t chunk, int64_t delta,
			uint64_t *ret)
{
	struct pending *set;
	struct pending_chunk *c;

	sync_lock(&b->lock);
	c = find_locked(b, chunk, &set);
	if (c) {
		*ret = c->refs;
		if (delta >= 0 || c->refs >= 0 - (uint64_t)delta)
			c->refs += (uint64_t)delta;
	}
	sync_unlock(&b->lock);
	return c != NULL;
}

int bank_refs(struct bank *b, uint64_t chunk, uint64_t *ret)
{
	const uint64_t *known = idmap_find(&b->refs, chunk);

	if (known) {
		*ret = *known - 1;
		return 0;
	}
	if (pending_ref(b, chunk, 0, ret))
		return 0;
	return bank_rows_refs(&b->rows, chunk, ret);
}

static int set_refs(struct bank *b, uint64_t chunk, uint64_t refs)
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
	bool pending = !known && pending_ref(b, chunk, delta, &refs);
	int rc = 0;

	if (!known && !pending)
		rc = bank_rows_refs(&b->rows, chunk, &refs);
	if (rc == -ENOENT)
		return corrupt("chunk %llu is referred to, and not there",
			       (unsigned long long)chunk);
	if (rc < 0)
		return rc;
	if (delta < 0 && refs < 0 - (uint64_t)delta)
		return corrupt("chunk %llu: fewer than no references",
			       (unsigned long long)chunk);
	return pending ? 0 : set_refs(b, chunk, refs + (uint64_t)delta);
}

/* ---- flush --------------------------------------------------------------- */

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

/* The sealed set is in the index now; who reads them goes on finding them. */
static void unseal(struct bank *b)
{
	size_t i;

	sync_lock(&b->lock);
	for (i = 0; i < b->sealed.n_chunks; i++) {
		const struct pending_chunk *c = &b->sealed.chunks[i];

		places_set(&b->places, c->id,
			   &b->sealed.frames[c->frame].place);
	}
	pending_release(&b->sealed);
	b->n_refs = 0;
	sync_unlock(&b->lock);
	idmap_clear(&b->refs);
}

static int write_refs(struct bank *b)
{
	struct idmap_slot slot;
	size_t cursor = 0;
	int rc = 0;

	while (rc == 0 && idmap_next(&b->refs, &cursor, &slot))
		rc = bank_rows_set_refs(&b->rows, slot.key, slot.value - 1);
	return rc;
}

int bank_flush(struct bank *b, uint64_t seq, atomic_int_fast64_t *totals)
{
	int64_t sums[STORE_N_TOTALS] = { 0 };
	size_t i;
	int rc = seal(b, seq);

	if (rc < 0)
		return rc;
	/* Nobody changes `sealed` but us: BANK is for its readers. */
	rc = bank_rows_add(&b->rows, &b->sealed);
	if (rc == 0)
		rc = write_refs(b);
	if (rc < 0)
		return rc;
	add_totals(&b->sealed, sums);
	for (i = 0; i < STORE_N_TOTALS; i++)
		atomic_fetch_add(&totals[i], sums[i]);
	unseal(b);
	return 0;
}

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
	n = b->open.n_chunks + b->sealed.n_chunks + b->n_refs;
	sync_unlock(&b->lock);
	return n;
}

enum encode_kind bank_frame_kind(struct span glyphs)
{
	uint8_t first = glyphs.len > 0 ? glyphs.ptr[0] : 0;

	if (first >> GLYPH_TYPE_SHIFT != GLYPH_PRIMITIVE)
		return ENCODE_MIXED;
	switch (first & GLYPH_PRIM_MASK) {
	case PRIM_STORE:
		return ENCODE_STORE;
	case PRIM_FILL:
		return ENCODE_FILL;
	case PRIM_LZ4:
		return ENCODE_LZ4;
	case PRIM_ZSTD:
		return ENCODE_ZSTD;
	default:
		return ENCODE_MIXED;
	}
}

int bank_next_frame(struct bank *b, uint64_t after, struct frame_place *ret)
{
	return bank_rows_next_frame(&b->rows, after, ret);
}

int bank_next_chunk(struct bank *b, uint64_t after, uint64_t *ret,
		    uint64_t *ret_refs)
{
	return bank_rows_next_chunk(&b->rows, after, ret, ret_refs);
}
