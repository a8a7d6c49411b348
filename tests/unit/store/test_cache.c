/* SPDX-License-Identifier: MIT */
/*
 * test_cache.c - one load per frame, a budget, pins.
 */
#include "unit/store/suites.h"

#include "base/sync.h"
#include "lib/rng.h"
#include "lib/suite.h"
#include "store/cache.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

static const size_t BLOCK = 256 << 10;

struct bed {
	struct cache *cache;
	atomic_uint n_loads;
	size_t len; /* of a frame */
	int rc;     /* of the loader */
	bool slow;
};

static void bed_begin(struct bed *b, size_t budget)
{
	*b = (struct bed){ .len = BLOCK };
	ck_ok(cache_new(budget, &b->cache));
}

static void bed_end(struct bed *b)
{
	cache_free(b->cache);
}

/* Two chunks: ids 2 * frame and 2 * frame + 1, each byte the frame's number. */
static int load(void *ctx, struct cached *fill)
{
	struct bed *b = ctx;

	atomic_fetch_add(&b->n_loads, 1);
	if (b->slow)
		(void)usleep(20000);
	fill->chunks = calloc(2, sizeof(*fill->chunks));
	fill->raw = cache_block(b->cache, b->len);
	fill->raw_len = b->len;
	fill->n_chunks = 2;
	fill->chunks[0] = (struct cached_chunk){ 2 * fill->frame, 0, 10 };
	fill->chunks[1] = (struct cached_chunk){ 2 * fill->frame + 1, 10,
						 (uint32_t)b->len - 10 };
	memset(fill->raw, (int)fill->frame, b->len);
	cached_index(fill);
	return b->rc;
}

static int get(struct bed *b, uint64_t frame, struct cached **ret)
{
	struct cache_loader loader = { load, b, false };

	return cache_get(b->cache, frame, &loader, ret);
}

START_TEST(second_get_is_a_hit)
{
	struct cache_stats st;
	struct cached *e;
	struct span bytes;
	struct bed b;

	bed_begin(&b, 64 << 20);
	ck_ok(get(&b, 5, &e));
	ck_ok(cached_find(e, 10, &bytes));
	ck_assert_uint_eq(bytes.len, 10);
	ck_ok(cached_find(e, 11, &bytes));
	ck_assert_uint_eq(bytes.len, BLOCK - 10);
	ck_assert_uint_eq(bytes.ptr[0], 5);
	ck_rc(cached_find(e, 12, &bytes), -ENOENT);
	cache_put(e);
	ck_ok(get(&b, 5, &e));
	cache_put(e);
	ck_assert_uint_eq(b.n_loads, 1);
	ck_assert(cache_has(b.cache, 5));
	ck_assert(!cache_has(b.cache, 6));
	cache_stat(b.cache, &st);
	ck_assert_uint_ge(st.len, BLOCK);
	ck_assert_uint_lt(st.len, BLOCK + 1000);
	ck_assert_uint_eq(st.hits, 1);
	ck_assert_uint_eq(st.misses, 1);
	bed_end(&b);
}
END_TEST

START_TEST(budget_holds_but_for_pins)
{
	struct cached *pinned[20];
	struct cache_stats st;
	struct cached *e;
	struct bed b;
	uint64_t i;

	bed_begin(&b, 16 * BLOCK);
	for (i = 0; i < 20; i++)
		ck_ok(get(&b, i * 8 + 8, &pinned[i]));
	cache_stat(b.cache, &st);
	ck_assert_uint_ge(st.len, 20 * BLOCK);
	for (i = 0; i < 20; i++)
		cache_put(pinned[i]);
	for (i = 0; i < 1000; i++) {
		ck_ok(get(&b, i + 1000, &e));
		cache_put(e);
	}
	cache_stat(b.cache, &st);
	ck_assert_uint_le(st.len, 16 * BLOCK);
	ck_assert_uint_ge(st.len, 8 * BLOCK);
	/* The newest is there, the oldest not. */
	ck_assert(cache_has(b.cache, 1999));
	ck_assert(!cache_has(b.cache, 1000));
	bed_end(&b);
}
END_TEST

START_TEST(failure_is_not_kept)
{
	struct cached *e;
	struct bed b;

	bed_begin(&b, 16 * BLOCK);
	b.rc = -EBADMSG;
	ck_rc(get(&b, 1, &e), -EBADMSG);
	ck_assert(!cache_has(b.cache, 1));
	b.rc = 0;
	ck_ok(get(&b, 1, &e));
	cache_put(e);
	ck_assert_uint_eq(b.n_loads, 2);
	bed_end(&b);
}
END_TEST

/* All of them end with something. */
static void run_threads(pthread_t *threads, size_t n, void *(*run)(void *arg),
			struct bed *b)
{
	void *ret;
	size_t i;

	for (i = 0; i < n; i++)
		ck_ok(pthread_create(&threads[i], NULL, run, b));
	for (i = 0; i < n; i++) {
		ck_ok(pthread_join(threads[i], &ret));
		ck_assert_ptr_nonnull(ret);
	}
}

static void *get_one(void *arg)
{
	struct bed *b = arg;
	struct cached *e;
	int rc = get(b, 42, &e);

	if (rc == 0)
		cache_put(e);
	return rc == b->rc ? b : NULL;
}

START_TEST(one_loads_the_others_wait)
{
	static const int results[] = { 0, -EIO };
	pthread_t threads[8];
	size_t round;

	for (round = 0; round < ARRAY_LEN(results); round++) {
		struct bed b;

		bed_begin(&b, 16 * BLOCK);
		b.slow = true;
		b.rc = results[round];
		run_threads(threads, ARRAY_LEN(threads), get_one, &b);
		if (b.rc == 0)
			ck_assert_uint_eq(b.n_loads, 1);
		bed_end(&b);
	}
}
END_TEST

/* ---- frames that need others ---------------------------------------------- */

/* Loads of frame 1 and 2: each needs the other one as a leaf. */
struct pair {
	struct bed bed;
	pthread_barrier_t both;
};

struct half {
	struct pair *pair;
	uint64_t frame;
};

static int load_with_other(void *ctx, struct cached *fill)
{
	struct half *h = ctx;
	struct cache_loader leaf = { load, &h->pair->bed, true };
	struct cached *other;
	int rc;

	(void)pthread_barrier_wait(&h->pair->both);
	rc = cache_get(h->pair->bed.cache, 3 - h->frame, &leaf, &other);
	if (rc < 0)
		return rc;
	ck_assert_uint_eq(other->frame, 3 - h->frame);
	ck_assert_uint_eq(other->raw[5], 3 - h->frame);
	cache_put(other);
	/* Neither is done before the other one has asked. */
	(void)pthread_barrier_wait(&h->pair->both);
	return load(&h->pair->bed, fill);
}

static void *get_half(void *arg)
{
	struct half *h = arg;
	struct cache_loader loader = { load_with_other, h, false };
	struct cached *e;

	if (cache_get(h->pair->bed.cache, h->frame, &loader, &e) < 0)
		return NULL;
	ck_assert_uint_eq(e->raw[5], h->frame);
	cache_put(e);
	return h;
}

START_TEST(circles_do_not_wait)
{
	struct pair pair;
	struct half halves[2] = { { &pair, 1 }, { &pair, 2 } };
	pthread_t threads[2];
	struct cached *e;
	void *ret;
	size_t i;

	bed_begin(&pair.bed, 16 * BLOCK);
	(void)pthread_barrier_init(&pair.both, NULL, 2);
	for (i = 0; i < 2; i++)
		ck_ok(pthread_create(&threads[i], NULL, get_half, &halves[i]));
	for (i = 0; i < 2; i++) {
		ck_ok(pthread_join(threads[i], &ret));
		ck_assert_ptr_nonnull(ret);
	}
	/* Two for itself, one for each other, which nobody else saw. */
	ck_assert_uint_eq(pair.bed.n_loads, 4);
	ck_ok(get(&pair.bed, 1, &e));
	cache_put(e);
	ck_assert_uint_eq(pair.bed.n_loads, 4);
	(void)pthread_barrier_destroy(&pair.both);
	bed_end(&pair.bed);
}
END_TEST

static void *get_leaf(void *arg)
{
	struct bed *b = arg;
	struct cache_loader leaf = { load, b, true };
	struct cached *e;
	int rc = cache_get(b->cache, 42, &leaf, &e);

	if (rc == 0)
		cache_put(e);
	return rc == b->rc ? b : NULL;
}

START_TEST(leaves_wait_for_leaves)
{
	pthread_t threads[8];
	struct bed b;

	bed_begin(&b, 16 * BLOCK);
	b.slow = true;
	run_threads(threads, ARRAY_LEN(threads), get_leaf, &b);
	ck_assert_uint_eq(b.n_loads, 1);
	bed_end(&b);
}
END_TEST

/* Its own failure is the leaf loader's alone. */
static int load_self(void *ctx, struct cached *fill)
{
	struct bed *b = ctx;
	struct cache_loader leaf = { load, b, true };
	struct cached *e;

	b->rc = -EIO;
	ck_rc(cache_get(b->cache, fill->frame, &leaf, &e), -EIO);
	b->rc = 0;
	ck_ok(cache_get(b->cache, fill->frame, &leaf, &e));
	cache_put(e);
	return load(b, fill);
}

START_TEST(frame_that_needs_itself)
{
	struct bed b;
	struct cache_loader loader = { load_self, &b, false };
	struct cached *e;

	bed_begin(&b, 16 * BLOCK);
	ck_ok(cache_get(b.cache, 7, &loader, &e));
	cache_put(e);
	ck_assert_uint_eq(b.n_loads, 3);
	bed_end(&b);
}
END_TEST

START_TEST(made_frames_go_in)
{
	struct cached made = { .frame = 9, .n_chunks = 1 };
	struct cached *e;
	struct span bytes;
	struct bed b;

	bed_begin(&b, 16 * BLOCK);
	made.raw = cache_block(b.cache, 100);
	made.raw_len = 100;
	memset(made.raw, 1, 100);
	made.chunks = calloc(1, sizeof(*made.chunks));
	made.chunks[0] = (struct cached_chunk){ 77, 0, 100 };
	e = cache_take_insert(b.cache, &made);
	ck_assert_ptr_nonnull(e);
	cache_put(e);
	ck_ok(get(&b, 9, &e));
	ck_ok(cached_find(e, 77, &bytes));
	ck_assert_uint_eq(bytes.len, 100);
	cache_put(e);
	ck_assert_uint_eq(b.n_loads, 0);
	bed_end(&b);
}
END_TEST

/* A frame of many chunks is charged for its table. */
START_TEST(tables_cost)
{
	enum { N_CHUNKS = 4096, N_FRAMES = 1000 };
	const size_t table = N_CHUNKS * sizeof(struct cached_chunk);
	struct cache_stats st;
	struct bed b;
	unsigned i;

	bed_begin(&b, 8 * 10 * (table + N_CHUNKS));
	for (i = 0; i < N_FRAMES; i++) {
		struct cached made = { .frame = i + 1, .n_chunks = N_CHUNKS };

		made.raw = cache_block(b.cache, N_CHUNKS);
		made.raw_len = N_CHUNKS;
		made.chunks = calloc(N_CHUNKS, sizeof(*made.chunks));
		cache_put(cache_take_insert(b.cache, &made));
	}
	for (i = 0; cache_has(b.cache, N_FRAMES - i); i++)
		;
	ck_assert_uint_ge(i, 8 * 8);
	ck_assert_uint_le(i, 8 * 10);
	cache_stat(b.cache, &st);
	ck_assert_uint_le(st.len, 8 * 10 * (table + N_CHUNKS));
	ck_assert_uint_ge(st.len, i * (table + N_CHUNKS));
	bed_end(&b);
}
END_TEST

/* A reader may load a frame while who made it is about to hand it in. */
START_TEST(made_while_loaded)
{
	struct cached made = { .frame = 9, .raw_len = BLOCK, .n_chunks = 1 };
	struct cached *loaded;
	struct cached *again;
	struct cached *e;
	struct cache_stats st;
	struct bed b;

	bed_begin(&b, 16 * BLOCK);
	ck_ok(get(&b, 9, &loaded));
	made.raw = cache_block(b.cache, BLOCK);
	memset(made.raw, 1, BLOCK);
	made.chunks = calloc(1, sizeof(*made.chunks));
	made.chunks[0] = (struct cached_chunk){ 77, 0, 100 };
	e = cache_take_insert(b.cache, &made);
	ck_assert_ptr_nonnull(e);
	ck_assert(e != loaded);
	ck_assert_uint_eq(e->raw[BLOCK - 1], 1);
	cache_put(e);
	cache_put(loaded);
	ck_ok(get(&b, 9, &again));
	ck_assert_ptr_eq(again, loaded);
	cache_put(again);
	cache_stat(b.cache, &st);
	ck_assert_uint_lt(st.len, 2 * BLOCK);
	ck_assert_uint_eq(b.n_loads, 1);
	bed_end(&b);
}
END_TEST

static void *get_many(void *arg)
{
	struct bed *b = arg;
	struct rng rng = rng_of((uint64_t)(uintptr_t)&rng);
	unsigned i;

	for (i = 0; i < 3000; i++) {
		uint64_t frame = rng_below(&rng, 60) + 1;
		struct cached *e;

		if (get(b, frame, &e) < 0 || e->frame != frame ||
		    e->raw[b->len - 1] != (uint8_t)frame)
			return NULL;
		cache_put(e);
	}
	return b;
}

START_TEST(many_readers)
{
	pthread_t threads[6];
	struct bed b;

	bed_begin(&b, 40000);
	b.len = 1000;
	run_threads(threads, ARRAY_LEN(threads), get_many, &b);
	bed_end(&b);
}
END_TEST

Suite *suite_cache(void)
{
	const TTest *const tests[] = {
		second_get_is_a_hit,
		budget_holds_but_for_pins,
		failure_is_not_kept,
		one_loads_the_others_wait,
		made_frames_go_in,
		circles_do_not_wait,
		leaves_wait_for_leaves,
		frame_that_needs_itself,
		tables_cost,
		made_while_loaded,
		many_readers,
	};

	return suite_of("store/cache", tests, ARRAY_LEN(tests), 60);
}
