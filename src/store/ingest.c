/* SPDX-License-Identifier: MIT */
/*
 * ingest.c - parcels: a bounded number, encoded by workers.
 *
 * A parcel's way: hash each chunk; equal ones in the parcel are one; ask the
 * bank for the rest and compare bytes; encode what is new as one frame; append
 * it; tell the bank; hand the raw bytes to the cache; `done`.
 *
 * When the queue is full for long, less is tried: the encoder takes a faster
 * level, and candidates whose frame would have to be decoded are left alone.
 * Writers wait out a short burst, which is encoded as well as ever.
 */
#include "store/ingest.h"

#include "base/clock.h"
#include "base/hash.h"
#include "base/idmap.h"
#include "codec/sniff.h"
#include "store/chunk.h"
#include "store/state.h"
#include "stream/frame.h"

#include <stdlib.h>
#include <unistd.h>

enum {
	N_PARCELS = 64,
	N_RESERVED = 8, /* for those who may not wait */
	LOAD_HIGH = 50, /* per cent of the queue: a burst begins */
	LOAD_LOW = 10,  /* it is over */

	GOAL_BINARY = 40 << 10,
	GOAL_TEXT = PARCEL_RAW_MAX - (16 << 10),
};

/* A burst that lasts so long is more than writers should wait out. */
#define BURST_NS ((uint64_t)300000000)

struct ingest {
	struct workers *workers; /* NULL: on the caller's thread */
	unsigned n_workers;
	atomic_uint_fast64_t burst_ns; /* atomic: when the burst began, 0: none.
					* A hint, so relaxed */

	struct sync_mutex lock; /* QUEUE */
	struct sync_cond given_back;
	struct parcel *idle GUARDED_BY(lock); /* by work.next */
	size_t n_out GUARDED_BY(lock);
	size_t n_flying GUARDED_BY(lock); /* submitted or running */
};

/* ---- parcels ------------------------------------------------------------- */

static unsigned n_cpus(void)
{
	long n = sysconf(_SC_NPROCESSORS_ONLN);

	return n < 1 ? 1 : n > 64 ? 64 : (unsigned)n;
}

int ingest_start(struct store *s)
{
	struct ingest *g = calloc(1, sizeof(*g));

	if (!g)
		return -ENOMEM;
	sync_mutex_init(&g->lock, RANK_QUEUE);
	sync_cond_init(&g->given_back);
	s->ingest = g;
	g->n_workers = s->options.n_workers ? s->options.n_workers : n_cpus();
	return workers_new("encode", g->n_workers, N_PARCELS, &g->workers);
}

void ingest_end(struct store *s)
{
	struct ingest *g = s->ingest;

	if (!g)
		return;
	workers_free(g->workers);
	while (g->idle) {
		struct parcel *p = g->idle;

		g->idle = (struct parcel *)p->work.next;
		pool_put(s->blocks, p->raw);
		free(p);
	}
	sync_cond_release(&g->given_back);
	sync_mutex_release(&g->lock);
	free(g);
	s->ingest = NULL;
}

static struct parcel *parcel_new(struct store *s)
{
	struct parcel *p = malloc(sizeof(*p));

	if (!p)
		return NULL;
	p->raw = pool_get(s->blocks);
	if (p->raw)
		return p;
	free(p);
	return NULL;
}

static void gave_back(struct ingest *g, struct parcel *p, bool flown)
{
	sync_lock(&g->lock);
	if (p) {
		p->work.next = (struct work *)g->idle;
		g->idle = p;
	}
	g->n_out--;
	g->n_flying -= flown;
	sync_broadcast(&g->given_back);
	sync_unlock(&g->lock);
}

/* Waits for leave to have one more parcel. -EAGAIN: the reserve is used up. */
static struct parcel *take_idle(struct ingest *g, bool may_wait)
{
	size_t limit = N_PARCELS + (may_wait ? 0 : N_RESERVED);
	struct parcel *p;

	sync_lock(&g->lock);
	while (g->n_out >= limit)
		sync_wait(&g->given_back, &g->lock);
	g->n_out++;
	p = g->idle;
	if (p)
		g->idle = (struct parcel *)p->work.next;
	sync_unlock(&g->lock);
	return p;
}

int parcel_get(struct store *s, bool may_wait, struct parcel **ret)
{
	struct parcel *p = take_idle(s->ingest, may_wait);

	if (!p)
		p = parcel_new(s);
	if (!p) {
		gave_back(s->ingest, NULL, false);
		return -ENOMEM;
	}
	p->store = s;
	p->raw_len = 0;
	p->n_chunks = 0;
	p->intent = false;
	p->done = NULL;
	*ret = p;
	return 0;
}

void parcel_put(struct parcel *p)
{
	if (p)
		gave_back(p->store->ingest, p, false);
}

size_t parcel_goal(const struct parcel *p)
{
	return sniff_class(span_of(p->raw, p->raw_len)) == CONTENT_TEXT
		       ? GOAL_TEXT
		       : GOAL_BINARY;
}

/* ---- the work on a parcel ------------------------------------------------ */

/* Scratch of one run. The tables are as long as a parcel's. */
struct run {
	struct parcel *p;
	struct store *s;
	struct context *x;
	bool hurry; /* the queue has been full for long */
	uint64_t hashes[PARCEL_CHUNKS_MAX];
	uint64_t candidates[PARCEL_CHUNKS_MAX];
	uint16_t
		twins[PARCEL_CHUNKS_MAX]; /* the first equal chunk, or itself */
	struct frame_chunk table[PARCEL_CHUNKS_MAX]; /* of the new frame */
	size_t n_new;
	size_t raw_len;  /* of the new frame */
	struct span raw; /* its bytes */
	bool whole;      /* they are the parcel's, all of them */
	struct frame_place place;
	enum encode_kind kind;
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
static int find_candidates(struct run *r)
{
	struct parcel *p = r->p;
	size_t n_left = 0;
	size_t i;
	int rc = 0;

	for (i = 0; i < p->n_chunks; i++) {
		r->candidates[i] = bank_candidate(r->s->bank, r->hashes[i]);
		n_left += r->candidates[i] == 0;
	}
	if (n_left == 0 || p->intent)
		return 0;
	index_lock(r->s);
	for (i = 0; rc == 0 && i < p->n_chunks; i++) {
		if (r->candidates[i] == 0)
			rc = bank_candidate_load(r->s->bank, r->hashes[i],
						 &r->candidates[i]);
	}
	index_unlock(r->s);
	return rc;
}

/* Whether the candidate has these bytes. What cannot be read is no
 * duplicate, and is told when somebody wants it. */
static bool confirm(struct run *r, uint64_t candidate, struct span bytes)
{
	struct frame_place place;
	struct chunk_view v;
	bool equal;

	if (candidate == 0)
		return false;
	if (r->p->intent || r->hurry) {
		if (!bank_locate(r->s->bank, candidate, &place) ||
		    !cache_has(r->s->cache, place.frame))
			return false;
	}
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

/* Gives every chunk its id; the new ones come into the table. */
static void choose_ids(struct run *r)
{
	struct parcel *p = r->p;
	size_t i;

	for (i = 0; i < p->n_chunks; i++) {
		struct parcel_chunk *c = &p->chunks[i];

		if (r->twins[i] != i) {
			c->id = p->chunks[r->twins[i]].id;
			count_duplicate(r, i);
		} else if (confirm(r, r->candidates[i], chunk_span(p, i))) {
			c->id = r->candidates[i];
			count_duplicate(r, i);
		} else {
			c->id = store_next_id(r->s, STORE_ID_CHUNK);
			r->table[r->n_new++] =
				(struct frame_chunk){ c->id, r->hashes[i],
						      c->len };
			r->raw_len += c->len;
			r->candidates[i] = 0;
			continue;
		}
		r->candidates[i] = c->id;
	}
}

/* Whether the new chunks are the parcel's bytes from first to last. */
static bool is_whole(const struct run *r)
{
	const struct parcel *p = r->p;
	size_t off = 0;
	size_t i;

	if (r->n_new != p->n_chunks || r->raw_len != p->raw_len)
		return false;
	for (i = 0; i < p->n_chunks; i++) {
		if (p->chunks[i].raw_off != off)
			return false;
		off += p->chunks[i].len;
	}
	return true;
}

/* The new chunks' bytes, one after the other. */
static int gather(struct run *r)
{
	const struct parcel *p = r->p;
	size_t i;
	int rc;

	r->whole = is_whole(r);
	if (r->whole) {
		r->raw = span_of(p->raw, p->raw_len);
		return 0;
	}
	buffer_clear(&r->x->raw);
	rc = buffer_reserve(&r->x->raw, r->raw_len);
	for (i = 0; rc == 0 && i < p->n_chunks; i++) {
		if (r->candidates[i] == 0 && r->twins[i] == i)
			rc = buffer_append(&r->x->raw, chunk_span(p, i));
	}
	r->raw = buffer_span(&r->x->raw);
	return rc;
}

static enum encode_effort effort_of(const struct run *r)
{
	enum encode_effort wanted = r->s->options.effort;
	enum encode_effort most = EFFORT_SMALL;

	if (r->p->intent)
		most = EFFORT_FASTEST;
	else if (r->hurry)
		most = EFFORT_FAST;
	return wanted < most ? wanted : most;
}

static int encode(struct run *r)
{
	struct buffer *b = &r->x->payload;
	ssize_t n;
	int rc;

	buffer_clear(b);
	rc = context_encoder(r->x);
	if (rc == 0)
		rc = buffer_reserve(b, frame_table_bound(r->n_new) +
					       encode_bound(r->raw_len));
	if (rc < 0)
		return rc;
	b->len = frame_table_put(r->table, r->n_new, b->data);
	n = encode_frame(r->x->encoder, effort_of(r), r->raw, b->data + b->len,
			 &r->kind);
	if (n < 0)
		return (int)n;
	r->kind = bank_frame_kind(span_of(b->data + b->len, (size_t)n));
	b->len += (size_t)n;
	return 0;
}

/* The frame goes into the log; from then on its chunks are found. */
static int append(struct run *r)
{
	struct log_entry entry = {
		.type = RECORD_FRAME,
		.flags = r->p->intent ? RECORD_INTENT : 0,
		.payload = buffer_span(&r->x->payload),
	};
	struct bank_frame frame = {
		.raw_len = (uint32_t)r->raw_len,
		.kind = r->kind,
		.chunks = r->table,
		.n_chunks = r->n_new,
	};
	struct log_place place;
	int rc = log_append(r->s->log, &entry, &place);

	if (rc == 0) {
		frame.place = (struct frame_place){
			.frame = place.seq,
			.segment = place.segment,
			.off = place.off,
			.payload_len = (uint32_t)entry.payload.len,
		};
		r->place = frame.place;
		rc = bank_add(r->s->bank, &frame);
	}
	if (rc < 0)
		store_fail(r->s, rc, "writing data to the log");
	return rc;
}

/* The raw bytes become a cached frame: the parcel's own block if it is all
 * of it and well filled, a copy otherwise. NULL: they do not. */
static struct cached *keep(struct run *r, bool *ret_taken)
{
	struct cache *cache = r->s->cache;
	struct cached made = {
		.frame = r->place.frame,
		.raw_len = r->raw_len,
		.n_chunks = r->n_new,
	};
	uint32_t off = 0;
	size_t i;

	made.chunks = calloc(r->n_new, sizeof(*made.chunks));
	if (!made.chunks)
		return NULL;
	for (i = 0; i < r->n_new; i++) {
		made.chunks[i] = (struct cached_chunk){ r->table[i].id, off,
							r->table[i].len };
		off += r->table[i].len;
	}
	*ret_taken = r->whole && cache_pooled(cache, r->raw_len);
	if (*ret_taken) {
		made.raw = r->p->raw;
	} else {
		made.raw = cache_block(cache, r->raw_len);
		if (!made.raw) {
			free(made.chunks);
			return NULL;
		}
		memcpy(made.raw, r->raw.ptr, r->raw_len);
	}
	return cache_take_insert(cache, &made);
}

static int store_new(struct run *r)
{
	int rc;

	if (r->n_new == 0)
		return 0;
	rc = gather(r);
	if (rc == 0)
		rc = encode(r);
	if (rc == 0)
		rc = append(r);
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
	if (rc == 0)
		rc = find_candidates(r);
	if (rc < 0)
		return rc;
	choose_ids(r);
	return store_new(r);
}

/* After `done`: the parcel goes back, with a block of its own. */
static void finish(struct parcel *p, bool taken)
{
	struct ingest *g = p->store->ingest;

	space_settle(p->store, p->raw_len);
	if (taken)
		p->raw = pool_get(p->store->blocks);
	if (p->raw) {
		gave_back(g, p, true);
		return;
	}
	free(p);
	gave_back(g, NULL, true);
}

static void run_parcel(struct parcel *p, bool hurry)
{
	struct store *s = p->store;
	struct cached *cached = NULL;
	struct run *r = calloc(1, sizeof(*r));
	bool taken = false;
	int rc = -ENOMEM;

	if (r) {
		r->p = p;
		r->s = s;
		r->hurry = hurry;
		r->x = context_get(s->contexts);
	}
	if (r && r->x)
		rc = work_on(r);
	if (rc == 0 && r->n_new > 0)
		cached = keep(r, &taken);
	p->done(p, rc);
	if (r && r->x)
		context_put(s->contexts, r->x);
	free(r);
	/* The pin kept the bytes until now. */
	cache_put(cached);
	finish(p, taken);
}

/* Whether the queue has been rather full for longer than a burst may last. */
static bool in_hurry(struct ingest *g)
{
	unsigned load = workers_load_percent(g->workers);
	uint64_t since =
		atomic_load_explicit(&g->burst_ns, memory_order_relaxed);
	uint64_t now;

	if (load < LOAD_LOW || (since == 0 && load < LOAD_HIGH)) {
		atomic_store_explicit(&g->burst_ns, 0, memory_order_relaxed);
		return false;
	}
	now = clock_mono_ns();
	if (since == 0)
		atomic_store_explicit(&g->burst_ns, now, memory_order_relaxed);
	return since != 0 && now - since > BURST_NS;
}

static void work_run(struct work *w, unsigned worker)
{
	struct parcel *p = (struct parcel *)w;

	(void)worker;
	run_parcel(p, in_hurry(p->store->ingest));
}

static void fly(struct parcel *p)
{
	struct ingest *g = p->store->ingest;

	sync_lock(&g->lock);
	g->n_flying++;
	sync_unlock(&g->lock);
}

void ingest_submit(struct parcel *p)
{
	fly(p);
	p->work.run = work_run;
	workers_submit(p->store->ingest->workers, &p->work);
}

void ingest_run(struct parcel *p)
{
	fly(p);
	run_parcel(p, false);
}

void ingest_drain(struct store *s)
{
	struct ingest *g = s->ingest;

	sync_lock(&g->lock);
	while (g->n_flying > 0)
		sync_wait(&g->given_back, &g->lock);
	sync_unlock(&g->lock);
}
