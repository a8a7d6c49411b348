/* SPDX-License-Identifier: MIT */
/*
 * intake.c - what a worker does with a parcel.
 *
 * Hash each chunk; equal ones in the parcel are one; ask the bank for the rest
 * and compare bytes; look for a similar chunk for each that is new. Encode what
 * is new as one frame, and the deltas as another, so that a base never lies in a
 * frame that needs one; append them; tell the bank; hand the raw bytes to the
 * cache; `done`.
 */
#include "store/intake.h"

#include "base/hash.h"
#include "base/idmap.h"
#include "store/append.h"
#include "store/chunk.h"
#include "store/ingest.h"
#include "store/learned.h"
#include "store/similar.h"
#include "store/state.h"
#include "store/trainer.h"
#include "stream/frame.h"

#include <stdlib.h>

enum fate {
	FATE_OLD,   /* its content is there already */
	FATE_PLAIN, /* goes into the frame that refers to nothing */
	FATE_DELTA, /* into the frame of deltas */
};

/* A frame of the parcel's new chunks. */
struct made {
	const struct frame_chunk *table;
	size_t n;
	size_t raw_len;
	struct span raw;          /* the chunks' bytes */
	bool whole;               /* they are the parcel's, all of them */
	struct span glyphs;       /* in the payload, until the next frame */
	enum content_class class; /* of a plain one */
	struct frame_place place;
	struct cached *cached; /* a pin, or NULL */
};

/* A chunk that may become a base. */
struct sketched {
	uint16_t chunk; /* of the parcel */
	struct sketch sketch;
};

/*
 * Of zstd, for one long file under pressure. A GB of sources, documentation and
 * binaries takes 305 MB instead of the 281 of level 1 (341 in btrfs at level 3);
 * -3 takes 346 and no less time that could be measured.
 */
enum { LEVEL_BULK = -1 };

enum { SKETCHED_MAX = PARCEL_RAW_MAX / SKETCH_LEN_MIN };

/* Scratch of one run. The tables are as long as a parcel's. */
struct run {
	struct parcel *p;
	struct store *s;
	struct context *x;
	bool hurry; /* under pressure */
	bool bulk;  /* of one long file */
	uint64_t hashes[PARCEL_CHUNKS_MAX];
	uint64_t candidates[PARCEL_CHUNKS_MAX];
	uint16_t
		twins[PARCEL_CHUNKS_MAX]; /* the first equal chunk, or itself */
	uint8_t fates[PARCEL_CHUNKS_MAX];
	struct frame_chunk table[PARCEL_CHUNKS_MAX]; /* plain, then deltas */
	struct made plain;
	struct made deltas;
	struct similar similar;
	size_t n_sketched;
	struct sketched sketched[SKETCHED_MAX];
};

static struct span chunk_span(const struct parcel *p, size_t i)
{
	return span_of(p->raw + p->chunks[i].raw_off, p->chunks[i].len);
}

static bool same(struct span a, struct span b)
{
	return a.len == b.len && memcmp(a.ptr, b.ptr, a.len) == 0;
}

/* Equal chunks within the parcel: all point to the first. */
static int find_twins(struct run *r)
{
	struct parcel *p = r->p;
	struct idmap seen;
	size_t i;
	int rc = 0;

	idmap_init(&seen);
	for (i = 0; rc == 0 && i < p->n_chunks; i++) {
		uint64_t key = r->hashes[i] ? r->hashes[i] : 1;
		const uint64_t *first;

		r->twins[i] = (uint16_t)i;
		if (p->n_chunks == 1)
			break;
		first = idmap_find(&seen, key);
		if (!first)
			rc = idmap_set(&seen, key, i);
		else if (same(chunk_span(p, i), chunk_span(p, *first)))
			r->twins[i] = (uint16_t)*first;
	}
	idmap_release(&seen);
	return rc;
}

/* Candidates of all chunks: from memory, then what is left from the index,
 * unless somebody waits for this parcel. */
static void find_candidates(struct run *r)
{
	struct parcel *p = r->p;
	size_t n_left = 0;
	size_t i;

	for (i = 0; i < p->n_chunks; i++) {
		r->candidates[i] = bank_candidate(r->s->bank, r->hashes[i]);
		n_left += r->candidates[i] == 0;
	}
	if (n_left == 0 || p->intent)
		return;
	index_lock(r->s);
	for (i = 0; i < p->n_chunks; i++) {
		if (r->candidates[i] == 0 &&
		    bank_candidate_load(r->s->bank, r->hashes[i],
					&r->candidates[i]) < 0)
			r->candidates[i] = 0; /* what cannot be asked is none */
	}
	index_unlock(r->s);
}

/* Where a candidate is, if it still is. Who is in a hurry asks memory only. */
static bool locate(struct run *r, uint64_t chunk, struct frame_place *ret)
{
	int rc;

	if (bank_locate(r->s->bank, chunk, ret))
		return true;
	if (r->p->intent || r->hurry)
		return false;
	index_lock(r->s);
	rc = bank_load(r->s->bank, chunk, ret);
	index_unlock(r->s);
	return rc == 0;
}

/* Whether the candidate has these bytes. What cannot be read is no
 * duplicate, and is told when somebody wants it. */
static bool confirm(struct run *r, uint64_t candidate, struct span bytes)
{
	struct frame_place place;
	struct chunk_view v;
	bool equal;

	if (candidate == 0 || !locate(r, candidate, &place) ||
	    bank_is_condemned(r->s->bank, place.segment))
		return false;
	if ((r->p->intent || r->hurry) && !cache_has(r->s->cache, place.frame))
		return false;
	if (chunk_get(r->s, candidate, &v) < 0)
		return false;
	equal = same(v.bytes, bytes);
	chunk_put(&v);
	return equal;
}

static void count_duplicate(struct run *r, size_t i)
{
	store_total_add(r->s, TOTAL_DUPLICATES, 1);
	store_total_add(r->s, TOTAL_DUPLICATE_LEN, r->p->chunks[i].len);
}

/* Gives every chunk its id. */
static void choose_ids(struct run *r)
{
	struct parcel *p = r->p;
	size_t i;

	for (i = 0; i < p->n_chunks; i++) {
		struct parcel_chunk *c = &p->chunks[i];

		r->fates[i] = FATE_OLD;
		if (r->twins[i] != i) {
			c->id = p->chunks[r->twins[i]].id;
			count_duplicate(r, i);
		} else if (confirm(r, r->candidates[i], chunk_span(p, i))) {
			c->id = r->candidates[i];
			count_duplicate(r, i);
		} else {
			c->id = store_next_id(r->s, STORE_ID_CHUNK);
			r->fates[i] = FATE_PLAIN;
		}
	}
}

static enum encode_effort effort_of(const struct run *r)
{
	const struct policy *policy = &r->p->policy;
	enum encode_effort wanted =
		policy->has_effort ? policy->effort : r->s->options.effort;
	enum encode_effort most = EFFORT_SMALL;

	if (r->p->intent)
		most = EFFORT_FASTEST;
	else if (r->hurry)
		most = EFFORT_FAST;
	return wanted < most ? wanted : most;
}

/* Of zstd; 0: the effort's own. */
static int level_of(const struct run *r)
{
	if (r->p->intent)
		return 0;
	if (r->hurry)
		return r->bulk ? LEVEL_BULK : 0;
	return (int)r->p->policy.level;
}

static struct encode_request request_of(const struct run *r)
{
	return (struct encode_request){
		.effort = effort_of(r),
		.level = level_of(r),
	};
}

/* ---- deltas -------------------------------------------------------------- */

/* Whether new chunks are compared with what is there. */
static bool wants_deltas(const struct run *r)
{
	return !r->p->intent && r->p->policy.delta != POLICY_OFF &&
	       effort_of(r) > EFFORT_FASTEST;
}

static int warm_up(struct run *r)
{
	int rc = 0;

	if (!sketches_cold(r->s->sketches))
		return 0;
	index_lock(r->s);
	rc = sketches_load(r->s->sketches);
	index_unlock(r->s);
	return rc;
}

/* A new chunk becomes a delta, or may become a base. */
static int judge_chunk(struct run *r, size_t i)
{
	struct sketched *next = &r->sketched[r->n_sketched];
	int rc;

	if (!sketch_make(chunk_span(r->p, i), &next->sketch))
		return 0;
	rc = similar_try(&r->similar, chunk_span(r->p, i), &next->sketch);
	if (rc == 1) {
		r->fates[i] = FATE_DELTA;
	} else if (rc == 0) {
		next->chunk = (uint16_t)i;
		r->n_sketched++;
	}
	return rc < 0 ? rc : 0;
}

static int find_deltas(struct run *r)
{
	const struct encode_request request = request_of(r);
	size_t i;
	int rc;

	if (!wants_deltas(r))
		return 0;
	rc = warm_up(r);
	if (rc == 0)
		rc = context_encoder(r->x);
	similar_begin(&r->similar, r->s, r->x, &request, r->hurry);
	for (i = 0; rc == 0 && i < r->p->n_chunks; i++) {
		if (r->fates[i] == FATE_PLAIN)
			rc = judge_chunk(r, i);
	}
	return rc;
}

/* What was not encoded as a delta is in the log now. */
static void remember_sketches(struct run *r)
{
	size_t i;

	for (i = 0; i < r->n_sketched; i++) {
		const struct sketched *k = &r->sketched[i];
		const struct parcel_chunk *c = &r->p->chunks[k->chunk];

		sketches_add(r->s->sketches, c->id, c->len, &k->sketch);
	}
}

/* ---- frames -------------------------------------------------------------- */

/* Whether the frame's bytes are the parcel's from first to last. */
static bool is_whole(const struct run *r, const struct made *m)
{
	const struct parcel *p = r->p;
	size_t off = 0;
	size_t i;

	if (m->n != p->n_chunks || m->raw_len != p->raw_len)
		return false;
	for (i = 0; i < p->n_chunks; i++) {
		if (p->chunks[i].raw_off != off)
			return false;
		off += p->chunks[i].len;
	}
	return true;
}

/* Enters the chunks of a fate into the table, behind `first`. */
static void list(struct run *r, enum fate fate, struct frame_chunk *first,
		 struct made *ret)
{
	const struct parcel *p = r->p;
	size_t i;

	*ret = (struct made){ .table = first };
	for (i = 0; i < p->n_chunks; i++) {
		const struct parcel_chunk *c = &p->chunks[i];

		if (r->fates[i] != fate)
			continue;
		first[ret->n++] =
			(struct frame_chunk){ c->id, r->hashes[i], c->len };
		ret->raw_len += c->len;
	}
	ret->whole = is_whole(r, ret);
}

/* The bytes of a fate's chunks, one after the other. */
static int gather(struct run *r, enum fate fate, struct made *m)
{
	const struct parcel *p = r->p;
	size_t i;
	int rc;

	if (m->whole) {
		m->raw = span_of(p->raw, p->raw_len);
		return 0;
	}
	buffer_clear(&r->x->raw);
	rc = buffer_reserve(&r->x->raw, m->raw_len);
	for (i = 0; rc == 0 && i < p->n_chunks; i++) {
		if (r->fates[i] == fate)
			rc = buffer_append(&r->x->raw, chunk_span(p, i));
	}
	m->raw = buffer_span(&r->x->raw);
	return rc;
}

/* The payload, as far as the table, with room for `glyphs_max` more. */
static int put_table(struct run *r, const struct made *m, size_t glyphs_max)
{
	struct buffer *b = &r->x->payload;
	int rc;

	buffer_clear(b);
	rc = buffer_reserve(b, frame_table_bound(m->n) + glyphs_max);
	if (rc == 0)
		b->len = frame_table_put(m->table, m->n, b->data);
	return rc;
}

static void put_glyphs(struct run *r, struct made *m, size_t n)
{
	struct buffer *b = &r->x->payload;

	m->glyphs = span_of(b->data + b->len, n);
	b->len += n;
}

static int encode_plain(struct run *r, struct made *m)
{
	struct encode_request request = request_of(r);
	struct buffer *b = &r->x->payload;
	ssize_t n;
	int rc = context_encoder(r->x);

	if (rc == 0)
		rc = put_table(r, m, encode_bound(m->raw_len));
	if (rc < 0)
		return rc;
	request.classified = true;
	request.class = sniff_class(m->raw);
	m->class = request.class;
	n = learned_encode(r->s, r->x, &request, m->raw, b->data + b->len);
	if (n < 0)
		return (int)n;
	put_glyphs(r, m, (size_t)n);
	return 0;
}

/* The deltas are made: one, or several under a concat. */
static int encode_deltas(struct run *r, struct made *m)
{
	const struct buffer *deltas = &r->x->deltas;
	struct buffer *b = &r->x->payload;
	size_t n = 0;
	int rc = put_table(r, m, encode_concat_bound(m->n) + deltas->len);

	if (rc < 0)
		return rc;
	if (m->n > 1)
		n = encode_concat(r->similar.lens, m->n, b->data + b->len);
	memcpy(b->data + b->len + n, deltas->data, deltas->len);
	put_glyphs(r, m, n + deltas->len);
	return 0;
}

static int append(struct run *r, struct made *m)
{
	const struct append frame = {
		.flags = r->p->intent ? RECORD_INTENT : 0,
		.payload = buffer_span(&r->x->payload),
		.glyphs = m->glyphs,
		.chunks = m->table,
		.n_chunks = m->n,
		.raw_len = m->raw_len,
	};

	return append_frame(r->s, &frame, &m->place);
}

/* The raw bytes become a cached frame, if there is memory for that. */
static void keep(struct run *r, struct made *m)
{
	struct cache *cache = r->s->cache;
	struct cached made = {
		.frame = m->place.frame,
		.raw_len = m->raw_len,
		.n_chunks = m->n,
		.has_deltas = m == &r->deltas,
	};
	uint32_t off = 0;
	size_t i;

	made.chunks = calloc(m->n, sizeof(*made.chunks));
	if (!made.chunks)
		return;
	for (i = 0; i < m->n; i++) {
		made.chunks[i] = (struct cached_chunk){ m->table[i].id, off,
							m->table[i].len };
		off += m->table[i].len;
	}
	made.raw = cache_block(cache, m->raw_len);
	if (made.raw) {
		memcpy(made.raw, m->raw.ptr, m->raw_len);
		m->cached = cache_take_insert(cache, &made);
	}
	if (m->cached)
		return;
	free(made.chunks);
	cache_block_put(cache, made.raw, m->raw_len);
}

static int store_frame(struct run *r, enum fate fate, struct made *m)
{
	int rc;

	if (m->n == 0)
		return 0;
	rc = gather(r, fate, m);
	if (rc == 0)
		rc = fate == FATE_DELTA ? encode_deltas(r, m)
					: encode_plain(r, m);
	if (rc == 0)
		rc = append(r, m);
	if (rc < 0)
		return rc;
	if (fate == FATE_PLAIN)
		trainer_see(r->s->trainer, m->class, &m->place, m->raw_len);
	keep(r, m);
	return 0;
}

static int store_new(struct run *r)
{
	int rc = find_deltas(r);

	if (rc < 0)
		return rc;
	list(r, FATE_PLAIN, r->table, &r->plain);
	list(r, FATE_DELTA, r->table + r->plain.n, &r->deltas);
	rc = store_frame(r, FATE_PLAIN, &r->plain);
	if (rc == 0)
		remember_sketches(r);
	if (rc == 0)
		rc = store_frame(r, FATE_DELTA, &r->deltas);
	return rc;
}

static int work_on(struct run *r)
{
	struct parcel *p = r->p;
	size_t i;
	int rc = store_writable(r->s);

	if (rc < 0)
		return rc;
	for (i = 0; i < p->n_chunks; i++)
		r->hashes[i] = hash64(chunk_span(p, i), 0);
	rc = find_twins(r);
	if (rc < 0)
		return rc;
	find_candidates(r);
	choose_ids(r);
	return store_new(r);
}

/* The pins keep the bytes readable until `done` has mapped them. */
static void release(struct run *r)
{
	cache_put(r->plain.cached);
	cache_put(r->deltas.cached);
	similar_end(&r->similar);
	if (r->x)
		context_put(r->s->contexts, r->x);
	free(r);
}

void intake_run(struct parcel *p, enum pressure pressure)
{
	struct run *r = calloc(1, sizeof(*r));
	struct store *s = p->store;
	/* Until what was found in the bank has a reference. */
	unsigned turn = store_enter(s);
	int rc = -ENOMEM;

	if (r) {
		r->p = p;
		r->s = p->store;
		r->hurry = pressure != PRESSURE_NONE;
		r->bulk = pressure == PRESSURE_BULK;
		r->x = context_get(p->store->contexts);
	}
	if (r && r->x)
		rc = work_on(r);
	p->done(p, rc);
	if (r)
		release(r);
	store_leave(s, turn);
}
