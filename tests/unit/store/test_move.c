/* SPDX-License-Identifier: MIT */
/*
 * test_move.c - chunks get a new frame: read from there, counted there, after
 * whatever end. (move.c, append.c, bank_flush.c, bank_settle.c, check.c)
 */
#include "unit/store/suites.h"

#include "base/hash.h"
#include "base/report.h"
#include "lib/rng.h"
#include "lib/suite.h"
#include "store/append.h"
#include "store/checkpoint.h"
#include "store/chunk.h"
#include "store/maintain.h"
#include "store/move.h"
#include "store/state.h"
#include "unit/store/fixture.h"

#include <pthread.h>
#include <stdlib.h>

enum { N_KEYS = 12, LEN = 20000, GLYPHS_MAX = 1 << 20 };

static struct fixture f;

/* Bytes that shrink, different for each key. */
static struct span bytes_of(uint64_t key)
{
	static uint8_t bytes[LEN];
	struct rng rng = rng_of(key + 1);
	size_t i;

	rng_fill(&rng, bytes, LEN);
	for (i = 0; i < LEN; i++)
		bytes[i] &= 0x0f;
	return span_of(bytes, LEN);
}

/* The same as key 0 but for some bytes. */
static struct span edited(uint64_t seed)
{
	static uint8_t bytes[LEN];
	struct rng rng = rng_of(seed + 100);
	unsigned i;

	memcpy(bytes, bytes_of(0).ptr, LEN);
	for (i = 0; i < 10; i++)
		bytes[rng_below(&rng, LEN)] ^= 0x55;
	return span_of(bytes, LEN);
}

static uint64_t chunk_of(uint64_t key)
{
	struct toy_row row;

	ck_assert_int_eq(toy_get(&f.toy, key, &row), 1);
	return row.chunk;
}

static struct bank_chunk row_of(uint64_t chunk)
{
	struct bank_chunk row = { .id = 0 };

	index_lock(f.toy.store);
	ck_ok(bank_chunk(f.toy.store->bank, chunk, &row));
	index_unlock(f.toy.store);
	return row;
}

static int frame_row(uint64_t frame, struct bank_frame_row *ret)
{
	int rc;

	index_lock(f.toy.store);
	rc = bank_frame_row(f.toy.store->bank, frame, ret);
	index_unlock(f.toy.store);
	return rc;
}

static uint64_t frame_of(uint64_t chunk)
{
	struct frame_place place;

	index_lock(f.toy.store);
	ck_ok(bank_load(f.toy.store->bank, chunk, &place));
	index_unlock(f.toy.store);
	return place.frame;
}

static void begin(void)
{
	uint64_t i;

	fixture_begin(&f);
	f.toy.options.segment_len = 128 << 10;
	fixture_reopen(&f);
	for (i = 0; i < N_KEYS; i++)
		ck_ok(toy_put(&f.toy, i, bytes_of(i)));
}

/* A frame of these keys' chunks, encoded together. */
struct made {
	struct frame_chunk chunks[N_KEYS];
	uint8_t raw[N_KEYS * LEN];
	uint8_t glyphs[GLYPHS_MAX];
	struct move move;
};

static void make(struct made *m, const uint64_t *keys, size_t n)
{
	struct encode_request request = { .effort = EFFORT_SMALL };
	struct encoder *e = NULL;
	struct chunk_view v;
	size_t len = 0;
	size_t i;
	ssize_t rc;

	for (i = 0; i < n; i++) {
		uint64_t id = chunk_of(keys[i]);

		ck_ok(chunk_get(f.toy.store, id, &v));
		memcpy(m->raw + len, v.bytes.ptr, v.bytes.len);
		m->chunks[i] = (struct frame_chunk){
			id,
			hash64(v.bytes, 0),
			(uint32_t)v.bytes.len,
		};
		len += v.bytes.len;
		chunk_put(&v);
	}
	ck_ok(encoder_new(&e));
	rc = encode_frame(e, &request, span_of(m->raw, len), m->glyphs);
	ck_assert_int_gt(rc, 0);
	encoder_free(e);
	m->move = (struct move){
		.chunks = m->chunks,
		.n = n,
		.glyphs = span_of(m->glyphs, (size_t)rc),
	};
}

static int move_made(const struct made *m, struct frame_place *ret)
{
	int rc;

	maintain_enter(f.toy.store);
	rc = move_frame(f.toy.store, &m->move, ret);
	maintain_leave(f.toy.store);
	return rc;
}

static uint64_t move_keys(const uint64_t *keys, size_t n)
{
	static struct made m;
	struct frame_place place;

	make(&m, keys, n);
	ck_ok(move_made(&m, &place));
	return place.frame;
}

static void expect_all(void)
{
	uint64_t i;

	for (i = 0; i < N_KEYS; i++) {
		toy_expect(&f.toy, i, bytes_of(i));
		ck_assert_uint_eq(row_of(chunk_of(i)).refs, 1);
	}
	ck_assert_uint_eq(toy_check(&f.toy), 0);
}

static void forget_index(void)
{
	file_remove(f.dir, "index.db");
	if (file_exists(f.dir, "index.db-wal"))
		file_remove(f.dir, "index.db-wal");
}

static void expect_same_totals(const struct store_stats *before)
{
	struct store_stats after;
	size_t i;

	ck_ok(store_stat(f.toy.store, &after));
	for (i = 0; i < STORE_N_TOTALS; i++) {
		/* Nothing in the log tells of duplicates. */
		if (i != TOTAL_DUPLICATES && i != TOTAL_DUPLICATE_LEN)
			ck_assert_msg(after.totals[i] == before->totals[i],
				      "total %zu: %llu, %llu", i,
				      (unsigned long long)before->totals[i],
				      (unsigned long long)after.totals[i]);
	}
}

START_TEST(moved_chunks_are_in_the_new_frame)
{
	const uint64_t keys[] = { 2, 0, 5 };
	struct bank_frame_row row;
	struct store_stats before;
	uint64_t old[3];
	uint64_t frame;
	uint64_t chunk;
	size_t i;

	begin();
	for (i = 0; i < 3; i++)
		old[i] = frame_of(chunk_of(keys[i]));
	ck_ok(index_commit(f.toy.store));
	chunk = chunk_of(5);
	frame = move_keys(keys, 3);
	for (i = 0; i < 3; i++) {
		ck_assert_uint_eq(frame_of(chunk_of(keys[i])), frame);
		ck_ok(frame_row(old[i], &row));
	}
	expect_all(); /* commits the index */
	for (i = 0; i < 3; i++)
		ck_rc(frame_row(old[i], &row), -ENOENT);
	ck_ok(frame_row(frame, &row));
	ck_assert_uint_eq(row.n_chunks, 3);
	ck_assert_uint_eq(row.live_len, 3 * LEN);
	ck_assert_uint_eq(bank_live_stored(&row), row.place.payload_len);
	ck_ok(store_stat(f.toy.store, &before));
	ck_assert_uint_eq(before.totals[TOTAL_FRAMES], N_KEYS - 3 + 1);
	ck_assert_uint_eq(before.totals[TOTAL_CHUNKS], N_KEYS);
	ck_assert_uint_eq(before.totals[TOTAL_LIVE_LEN],
			  (uint64_t)N_KEYS * LEN);
	ck_assert_uint_eq(before.totals[TOTAL_LIVE_STORED],
			  before.totals[TOTAL_FRAME_STORED]);
	/* It is still found as a duplicate. */
	ck_ok(toy_put(&f.toy, 100, bytes_of(5)));
	ck_assert_uint_eq(chunk_of(100), chunk);
	ck_ok(toy_del(&f.toy, 100));
	fixture_reopen(&f);
	expect_all();
	ck_ok(toy_close(&f.toy));
	forget_index();
	ck_ok(toy_open(&f.toy, f.dir));
	expect_all();
	expect_same_totals(&before);
	fixture_end(&f);
}
END_TEST

START_TEST(life_and_death_are_counted)
{
	const uint64_t keys[] = { 0, 1, 2, 3 };
	struct bank_frame_row row;
	struct store_stats st;
	uint64_t frame;

	begin();
	frame = move_keys(keys, 4);
	ck_ok(toy_del(&f.toy, 1));
	ck_ok(index_commit(f.toy.store));
	ck_ok(frame_row(frame, &row));
	ck_assert_uint_eq(row.n_chunks, 4);
	ck_assert_uint_eq(row.live_len, 3 * LEN);
	ck_ok(store_stat(f.toy.store, &st));
	ck_assert_uint_eq(st.totals[TOTAL_LIVE_LEN],
			  (uint64_t)(N_KEYS - 1) * LEN);
	ck_ok(toy_del(&f.toy, 2));
	ck_assert_uint_eq(toy_check(&f.toy), 0);
	ck_ok(toy_put(&f.toy, 1, bytes_of(1)));
	ck_ok(index_commit(f.toy.store));
	ck_ok(frame_row(frame, &row));
	ck_assert_uint_eq(row.live_len, 3 * LEN);
	ck_assert_uint_eq(frame_of(chunk_of(1)), frame);
	ck_assert_uint_eq(toy_check(&f.toy), 0);
	/* A chunk that nobody refers to moves as well. */
	ck_ok(toy_put(&f.toy, 2, bytes_of(2)));
	ck_assert_uint_eq(frame_of(chunk_of(2)), frame);
	fixture_reopen(&f);
	expect_all();
	fixture_end(&f);
}
END_TEST

/* The index has none of it, or the first move only. */
START_TEST(a_crash_leaves_one_of_the_frames)
{
	const uint64_t first[] = { 0, 1, 2 };
	const uint64_t second[] = { 2, 3, 0 };
	int i;

	for (i = 0; i < 4; i++) {
		begin();
		fixture_sync(&f);
		(void)move_keys(first, 3);
		if (i % 2)
			ck_ok(index_commit(f.toy.store));
		(void)move_keys(second, 3);
		if (i / 2)
			fixture_sync(&f);
		fixture_crash(&f);
		expect_all();
		fixture_end(&f);
	}
}
END_TEST

START_TEST(a_checkpoint_has_the_new_frames)
{
	const uint64_t keys[] = { 0, 1, 2, 3, 4, 5 };
	const uint64_t later[] = { 5, 4, 9 };
	struct store_stats before;

	begin();
	(void)move_keys(keys, 6);
	ck_ok(toy_del(&f.toy, 3));
	ck_ok(checkpoint_write(f.toy.store));
	(void)move_keys(later, 3);
	ck_ok(index_commit(f.toy.store));
	ck_ok(store_stat(f.toy.store, &before));
	ck_ok(toy_close(&f.toy));
	forget_index();
	ck_ok(toy_open(&f.toy, f.dir));
	ck_assert(store_opened(f.toy.store)->from_checkpoint);
	expect_same_totals(&before);
	ck_ok(toy_put(&f.toy, 3, bytes_of(3)));
	expect_all();
	fixture_end(&f);
}
END_TEST

/* As many moves between the pages of a checkpoint as there are pages. */
static struct made between;

static void move_between(struct toy *t)
{
	uint8_t payload[2 * LEN];
	struct frame_place place;
	struct append a = {
		.chunks = between.chunks,
		.n_chunks = 1,
		.raw_len = LEN,
		.known_below = UINT64_MAX,
	};
	size_t n = frame_table_put(between.chunks, 1, payload);

	memcpy(payload + n, between.move.glyphs.ptr, between.move.glyphs.len);
	a.glyphs = span_of(payload + n, between.move.glyphs.len);
	a.payload = span_of(payload, n + between.move.glyphs.len);
	ck_ok(append_frame(t->store, &a, &place));
}

START_TEST(moves_between_the_pages)
{
	const uint64_t key = 7;
	struct store_stats before;

	begin();
	ck_ok(index_commit(f.toy.store));
	make(&between, &key, 1);
	f.toy.on_dump = move_between;
	ck_ok(checkpoint_write(f.toy.store));
	f.toy.on_dump = NULL;
	ck_ok(index_commit(f.toy.store));
	ck_ok(store_stat(f.toy.store, &before));
	expect_all();
	ck_ok(toy_close(&f.toy));
	forget_index();
	ck_ok(toy_open(&f.toy, f.dir));
	ck_assert(store_opened(f.toy.store)->from_checkpoint);
	expect_same_totals(&before);
	expect_all();
	fixture_end(&f);
}
END_TEST

/* ---- deltas --------------------------------------------------------------- */

static uint64_t n_deltas(void)
{
	struct store_stats st;

	ck_ok(store_stat(f.toy.store, &st));
	return st.totals[TOTAL_KIND_FIRST + ENCODE_DELTA];
}

/* Key 50 becomes a delta of key 0. */
static void put_delta(void)
{
	ck_ok(toy_put(&f.toy, 50, edited(1)));
	ck_ok(index_commit(f.toy.store));
	ck_assert_uint_eq(n_deltas(), 1);
	ck_assert_uint_eq(row_of(chunk_of(0)).refs, 2);
}

START_TEST(a_delta_that_moves_lets_go_of_its_base)
{
	const uint64_t key = 50;
	uint64_t chunk;

	begin();
	put_delta();
	chunk = chunk_of(0);
	index_lock(f.toy.store);
	ck_assert_int_eq(bank_is_base(f.toy.store->bank, chunk), 1);
	index_unlock(f.toy.store);
	(void)move_keys(&key, 1);
	ck_ok(index_commit(f.toy.store));
	ck_assert_uint_eq(n_deltas(), 0);
	ck_assert_uint_eq(row_of(chunk).refs, 1);
	index_lock(f.toy.store);
	ck_assert_int_eq(bank_is_base(f.toy.store->bank, chunk), 0);
	index_unlock(f.toy.store);
	toy_expect(&f.toy, 50, edited(1));
	/* The base goes, and what was its delta stays. */
	ck_ok(toy_del(&f.toy, 0));
	fixture_reopen(&f);
	toy_expect(&f.toy, 50, edited(1));
	ck_assert_uint_eq(toy_check(&f.toy), 0);
	fixture_end(&f);
}
END_TEST

/* A frame of one delta: of `key`'s chunk against that of `base`. */
static void make_delta(struct made *m, uint64_t key, uint64_t base)
{
	struct encode_base against = { EFFORT_SMALL,
				       chunk_of(base),
				       { NULL, 0 } };
	struct encoder *e = NULL;
	uint8_t raw[LEN];
	ssize_t n;

	make(m, &key, 1);
	memcpy(raw, bytes_of(base).ptr, LEN);
	against.bytes = span_of(raw, LEN);
	ck_ok(encoder_new(&e));
	n = encode_delta(e, &against, span_of(m->raw, LEN), m->glyphs,
			 GLYPHS_MAX);
	ck_assert_int_gt(n, 0);
	encoder_free(e);
	m->move.glyphs = span_of(m->glyphs, (size_t)n);
}

START_TEST(a_base_becomes_no_delta)
{
	static struct made m;
	const uint64_t base = 0;
	struct frame_place place;
	uint64_t frame;

	begin();
	put_delta();
	make_delta(&m, 0, 1);
	ck_rc(move_made(&m, &place), -EBUSY);
	/* Into a frame without deltas it may move. */
	frame = move_keys(&base, 1);
	ck_ok(index_commit(f.toy.store));
	ck_assert_uint_eq(frame_of(chunk_of(0)), frame);
	ck_assert_uint_eq(row_of(chunk_of(0)).refs, 2);
	fixture_reopen(&f);
	toy_expect(&f.toy, 50, edited(1));
	toy_expect(&f.toy, 0, bytes_of(0));
	/* Pending deltas count as well. */
	ck_ok(toy_put(&f.toy, 51, edited(2)));
	make_delta(&m, 0, 1);
	ck_rc(move_made(&m, &place), -EBUSY);
	ck_assert_uint_eq(toy_check(&f.toy), 0);
	fixture_end(&f);
}
END_TEST

START_TEST(a_chunk_that_became_a_delta_is_no_base)
{
	static struct made m;
	struct frame_place place;
	struct chunk_view v;

	begin();
	make_delta(&m, 0, 1);
	ck_ok(move_made(&m, &place));
	report_silence(true);
	ck_rc(chunk_get_base(f.toy.store, chunk_of(0), &v), -EUCLEAN);
	report_silence(false);
	ck_ok(index_commit(f.toy.store));
	ck_assert_uint_eq(n_deltas(), 1);
	ck_assert_uint_eq(row_of(chunk_of(1)).refs, 2);
	ck_ok(toy_put(&f.toy, 50, edited(1)));
	ck_ok(index_commit(f.toy.store));
	ck_assert_uint_eq(row_of(chunk_of(0)).refs, 1);
	ck_ok(toy_del(&f.toy, 50));
	ck_ok(toy_del(&f.toy, 1));
	fixture_reopen(&f);
	toy_expect(&f.toy, 0, bytes_of(0));
	ck_ok(toy_put(&f.toy, 1, bytes_of(1)));
	ck_assert_uint_eq(toy_check(&f.toy), 0);
	fixture_end(&f);
}
END_TEST

static atomic_bool claimed;

static void *claim(void *arg)
{
	bank_claim(f.toy.store->bank, arg, 1);
	atomic_store(&claimed, true);
	return NULL;
}

START_TEST(claims_wait_for_pins)
{
	struct frame_chunk chunk = { .id = 5 };
	pthread_t thread;

	begin();
	atomic_store(&claimed, false);
	ck_assert(bank_pin(f.toy.store->bank, 5));
	ck_assert(bank_pin(f.toy.store->bank, 5));
	ck_ok(pthread_create(&thread, NULL, claim, &chunk));
	bank_unpin(f.toy.store->bank, 5);
	ck_assert(!atomic_load(&claimed));
	bank_unpin(f.toy.store->bank, 5);
	ck_ok(pthread_join(thread, NULL));
	ck_assert(!bank_pin(f.toy.store->bank, 5));
	ck_assert(bank_pin(f.toy.store->bank, 6));
	bank_unpin(f.toy.store->bank, 6);
	bank_unclaim(f.toy.store->bank);
	ck_assert(bank_pin(f.toy.store->bank, 5));
	bank_unpin(f.toy.store->bank, 5);
	fixture_end(&f);
}
END_TEST

START_TEST(moves_that_make_no_sense)
{
	static struct made m;
	const uint64_t key = 1;
	struct frame_place place;

	begin();
	make(&m, &key, 1);
	m.move.n = 0;
	ck_rc(move_made(&m, &place), -EINVAL);
	m.move.n = FRAME_CHUNKS_MAX + 1;
	ck_rc(move_made(&m, &place), -EINVAL);
	m.move.n = 1;
	m.chunks[0].len = FRAME_RAW_MAX + 1;
	ck_rc(move_made(&m, &place), -EINVAL);
	m.chunks[0].len = 0;
	ck_rc(move_made(&m, &place), -EINVAL);
	m.chunks[0].len = LEN;
	m.move.glyphs.len = 1;
	report_silence(true);
	ck_rc(move_made(&m, &place), -EUCLEAN);
	report_silence(false);
	ck_ok(index_commit(f.toy.store));
	expect_all();
	ck_ok(toy_close(&f.toy));
	f.toy.options.read_only = true;
	ck_ok(toy_open(&f.toy, f.dir));
	make(&m, &key, 1);
	ck_rc(move_made(&m, &place), -EROFS);
	fixture_end(&f);
}
END_TEST

Suite *suite_move(void)
{
	const TTest *const tests[] = {
		moved_chunks_are_in_the_new_frame,
		life_and_death_are_counted,
		a_crash_leaves_one_of_the_frames,
		a_checkpoint_has_the_new_frames,
		moves_between_the_pages,
		a_delta_that_moves_lets_go_of_its_base,
		a_base_becomes_no_delta,
		a_chunk_that_became_a_delta_is_no_base,
		claims_wait_for_pins,
		moves_that_make_no_sense,
	};

	return suite_of("store/move", tests, ARRAY_LEN(tests), 60);
}
