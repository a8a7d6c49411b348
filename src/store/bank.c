/* SPDX-License-Identifier: MIT */
/*
 * bank.c - the bank's memory; its tables are in bank_rows.c.
 *
 * Two sets of pending chunks: `open` takes new ones, `sealed` is being written
 * by bank_flush(), under INDEX but not under BANK, and is still found
 * meanwhile. Counts change under INDEX only, so none changes during a flush.
 *
 * A base's references by deltas are counted when the frames of those deltas
 * are flushed. They follow from FRAME records alone, so a replay counts them
 * anew, and each frame is in the index once or not at all.
 */
#include "store/bank.h"

#include "base/error.h"
#include "base/hash.h"
#include "base/sync.h"
#include "codec/decode.h"
#include "codec/encode.h"
#include "codec/glyph_format.h"
#include "store/bank_rows.h"
#include "store/codebooks.h"
#include "store/place.h"

#include <assert.h>
#include <stdlib.h>

struct bank {
	struct bank_rows rows;       /* INDEX */
	struct idmap refs;           /* INDEX: chunk -> new count, + 1 */
	struct codebooks *codebooks; /* immutable; counted by us */

	struct sync_mutex lock;
	struct pending open GUARDED_BY(lock);
	struct pending sealed GUARDED_BY(lock);
	struct places places GUARDED_BY(lock);
	size_t n_refs GUARDED_BY(lock); /* entries in refs */
	unsigned n_expected GUARDED_BY(lock);
	unsigned n_settling GUARDED_BY(lock);
	struct sync_cond settled; /* n_expected is 0, or nobody settles */
};

/* The low bits are enough to find a candidate; 0 is no key. */
static uint64_t key_of(uint64_t hash)
{
	uint64_t key = hash & ((UINT64_C(1) << 47) - 1);

	return key ? key : 1;
}

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

int bank_add(struct bank *b, const struct bank_frame *frame)
{
	struct pending_frame pf = {
		.place = frame->place,
		.raw_len = frame->raw_len,
		.n_chunks = (uint32_t)frame->n_chunks,
		.kind = encode_kind_of(frame->glyphs),
	};
	uint64_t bases[GLYPH_DELTAS_MAX];
	struct pending_chunk *chunks;
	size_t i;
	int rc = find_bases(frame->glyphs, bases, &pf.n_bases);

	if (rc == 0)
		rc = decode_find_codebook(frame->glyphs, &pf.codebook);
	if (rc < 0)
		return rc;
	chunks = calloc(frame->n_chunks, sizeof(*chunks));
	if (!chunks)
		return -ENOMEM;
	for (i = 0; i < frame->n_chunks; i++) {
		chunks[i].id = frame->chunks[i].id;
		chunks[i].key = key_of(frame->chunks[i].hash);
		chunks[i].len = frame->chunks[i].len;
	}
	sync_lock(&b->lock);
	rc = pending_add(&b->open, &pf, chunks, bases);
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

int bank_refs(struct bank *b, uint64_t chunk, uint64_t *ret)
{
	const uint64_t *known = idmap_find(&b->refs, chunk);
	uint64_t refs = known ? *known - 1 : 0;
	int rc = 0;

	if (!known && !pending_ref(b, chunk, 0, &refs))
		rc = bank_rows_refs(&b->rows, chunk, &refs);
	if (rc == 0)
		*ret = refs + refs_to_come(b, chunk);
	return rc;
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
	rc = hold_bases(b);
	if (rc == 0)
		rc = hold_codebooks(b);
	if (rc == 0)
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

void bank_rebuild_begin(struct bank *b)
{
	b->rows.merging = true;
}

/* Frames that name a codebook were not counted so far. */
static int count_codebooks(struct bank *b)
{
	uint64_t id = 0;
	uint64_t n = 0;
	int rc;

	while ((rc = bank_rows_next_codebook(&b->rows, id, &id, &n)) == 1) {
		rc = codebooks_ref(b->codebooks, id, (int64_t)n);
		if (rc < 0)
			break;
	}
	return rc;
}

int bank_rebuild_end(struct bank *b, atomic_int_fast64_t *totals)
{
	int64_t sums[STORE_N_TOTALS] = { 0 };
	size_t i;
	int rc = bank_flush(b, UINT64_MAX, totals);

	if (rc == 0)
		rc = bank_rows_settle(&b->rows, sums);
	if (rc == 0 && b->codebooks)
		rc = count_codebooks(b);
	if (rc < 0)
		return rc;
	b->rows.merging = false;
	for (i = TOTAL_CHUNKS; i < STORE_N_TOTALS; i++) {
		if (i != TOTAL_DUPLICATES && i != TOTAL_DUPLICATE_LEN)
			atomic_store(&totals[i], sums[i]);
	}
	return 0;
}

int bank_dump(struct bank *b, struct dump_cursor *c, struct buffer *ops)
{
	return bank_rows_dump(&b->rows, c, ops);
}

int bank_load_rows(struct bank *b, uint8_t type, struct span body)
{
	return bank_rows_load(&b->rows, type, body);
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
