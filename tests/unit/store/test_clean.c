/* SPDX-License-Identifier: MIT */
/*
 * test_clean.c - segments are emptied and removed, and nothing else is lost.
 * (clean.c, evacuate.c, rewrite.c, drop.c, segments.c)
 */
#include "unit/store/suites.h"

#include "base/report.h"
#include "lib/rng.h"
#include "lib/suite.h"
#include "store/bank.h"
#include "store/checkpoint.h"
#include "store/chunk.h"
#include "store/clean.h"
#include "store/state.h"
#include "unit/store/fixture.h"

#include <pthread.h>
#include <stdio.h>

enum { N_KEYS = 60, LEN = 20000, SEGMENT_LEN_MIN = 128 << 10 };

static struct fixture f;

/* Bytes that do not shrink, different for each key. */
static struct span bytes_of(uint64_t key)
{
	static uint8_t bytes[LEN];
	struct rng rng = rng_of(key + 1);

	rng_fill(&rng, bytes, LEN);
	return span_of(bytes, LEN);
}

/* Those of key 0 but for some. */
static struct span edited(uint64_t seed)
{
	static uint8_t bytes[LEN];
	struct rng rng = rng_of(seed + 1000);
	unsigned i;

	memcpy(bytes, bytes_of(0).ptr, LEN);
	for (i = 0; i < 10; i++)
		bytes[rng_below(&rng, LEN)] ^= 0x55;
	return span_of(bytes, LEN);
}

static void begin_empty(void)
{
	fixture_begin(&f);
	f.toy.options.segment_len = SEGMENT_LEN_MIN;
	fixture_reopen(&f);
}

static void begin(void)
{
	uint64_t i;

	begin_empty();
	for (i = 0; i < N_KEYS; i++)
		ck_ok(toy_put(&f.toy, i, bytes_of(i)));
}

/* Every tenth key stays. */
static bool stays(uint64_t key)
{
	return key % 10 == 3;
}

static void delete_most(void)
{
	uint64_t i;

	for (i = 0; i < N_KEYS; i++) {
		if (!stays(i))
			ck_ok(toy_del(&f.toy, i));
	}
}

static void expect_rest(void)
{
	uint64_t i;

	for (i = 0; i < N_KEYS; i++) {
		if (stays(i))
			toy_expect(&f.toy, i, bytes_of(i));
	}
	ck_assert_uint_eq(toy_check(&f.toy), 0);
}

static struct clean_result clean(void)
{
	struct clean_result r = { 0 };
	int rc;

	ck_ok(clean_begin(f.toy.store));
	do {
		rc = clean_step(f.toy.store, &r);
	} while (rc == 1);
	ck_ok(rc);
	return r;
}

static struct store_stats stats(void)
{
	struct store_stats st;

	ck_ok(store_stat(f.toy.store, &st));
	return st;
}

static uint64_t chunk_of(uint64_t key)
{
	struct toy_row row;

	ck_assert_int_eq(toy_get(&f.toy, key, &row), 1);
	return row.chunk;
}

static bool segment_exists(unsigned number)
{
	char name[64];

	(void)snprintf(name, sizeof(name), "log/%010u.seg", number);
	return file_exists(f.dir, name);
}

static void forget_index(void)
{
	file_remove(f.dir, "index.db");
	if (file_exists(f.dir, "index.db-wal"))
		file_remove(f.dir, "index.db-wal");
}

/* What is told is what is there. */
static void expect_true_sizes(void)
{
	struct store *s = f.toy.store;
	uint64_t n = 0;
	uint64_t len = 0;

	ck_ok(index_commit(s));
	ck_ok(segments_below(s->segments, s->position.segment, &n, &len));
	ck_assert_uint_eq(s->n_before, n);
	ck_assert_uint_eq(s->position_before, len);
}

START_TEST(what_is_dead_is_given_back)
{
	struct store_stats before;
	struct store_stats after;
	struct clean_result r;

	begin();
	delete_most();
	ck_ok(index_commit(f.toy.store));
	before = stats();
	ck_assert_uint_gt(before.dead_len, (uint64_t)50 * LEN);
	r = clean();
	after = stats();
	ck_assert_uint_ge(r.n_removed, 8);
	ck_assert_uint_eq(r.n_moved, N_KEYS / 10);
	ck_assert_uint_lt(after.stored_len, before.stored_len - 40 * LEN);
	ck_assert_uint_eq(after.dead_len, 0);
	ck_assert_uint_eq(after.totals[TOTAL_CHUNKS], N_KEYS / 10);
	ck_assert(!segment_exists(1));
	expect_true_sizes();
	expect_rest();
	/* There is nothing more to gain. */
	r = clean();
	ck_assert_uint_eq(r.n_moved, 0);
	fixture_reopen(&f);
	expect_true_sizes();
	expect_rest();
	/* What was dropped is not found any more, what moved is. */
	ck_ok(toy_put(&f.toy, 0, bytes_of(0)));
	ck_ok(toy_put(&f.toy, 1, bytes_of(3)));
	ck_assert_uint_eq(chunk_of(1), chunk_of(3));
	toy_expect(&f.toy, 0, bytes_of(0));
	expect_rest();
	fixture_end(&f);
}
END_TEST

static void expect_totals(const struct store_stats *before)
{
	struct store_stats after = stats();
	size_t i;

	for (i = 0; i < STORE_N_TOTALS; i++) {
		/* Nothing in the log tells of duplicates. */
		if (i != TOTAL_DUPLICATES && i != TOTAL_DUPLICATE_LEN)
			ck_assert_uint_eq(before->totals[i], after.totals[i]);
	}
}

START_TEST(the_index_comes_back_without_them)
{
	struct store_stats before;

	begin();
	delete_most();
	(void)clean();
	ck_ok(toy_set(&f.toy, 500, 1));
	ck_ok(index_commit(f.toy.store));
	before = stats();
	ck_ok(toy_close(&f.toy));
	forget_index();
	ck_ok(toy_open(&f.toy, f.dir));
	ck_assert(store_opened(f.toy.store)->from_checkpoint);
	ck_assert_ptr_null(store_opened(f.toy.store)->read_only);
	expect_totals(&before);
	expect_value(&f.toy, 500, 1);
	expect_true_sizes();
	expect_rest();
	fixture_end(&f);
}
END_TEST

/* The log alone, and the index as it was last written, after every step. */
START_TEST(a_crash_after_each_step)
{
	struct clean_result r = { 0 };
	unsigned n;
	unsigned i;
	int rc = 1;

	for (n = 0; rc == 1; n++) {
		begin();
		delete_most();
		fixture_sync(&f);
		ck_ok(clean_begin(f.toy.store));
		for (i = 0, rc = 1; i < n && rc == 1; i++)
			rc = clean_step(f.toy.store, &r);
		ck_assert_int_ge(rc, 0);
		fixture_crash(&f);
		ck_assert_ptr_null(store_opened(f.toy.store)->read_only);
		expect_rest();
		(void)clean();
		ck_assert_uint_eq(stats().totals[TOTAL_CHUNKS], N_KEYS / 10);
		expect_rest();
		expect_true_sizes();
		fixture_end(&f);
	}
	ck_assert_uint_ge(n, 4);
}
END_TEST

/* What was logged is done again, from the first segment, or from a checkpoint that
 * was there before. */
START_TEST(a_replay_drops_as_well)
{
	struct store_stats before;
	struct clean_result r = { 0 };
	int i;

	for (i = 0; i < 2; i++) {
		begin();
		if (i == 1)
			ck_ok(checkpoint_write(f.toy.store));
		delete_most();
		ck_ok(clean_begin(f.toy.store));
		/* Emptied, but not removed. */
		f.toy.store->clean.n_rounds = 0;
		while (clean_step(f.toy.store, &r) == 1)
			;
		ck_assert_uint_gt(r.n_moved, 0);
		ck_assert_uint_eq(r.n_removed, 0);
		ck_ok(index_commit(f.toy.store));
		before = stats();
		ck_ok(toy_close(&f.toy));
		forget_index();
		ck_ok(toy_open(&f.toy, f.dir));
		ck_assert(store_opened(f.toy.store)->rebuilt);
		ck_assert(store_opened(f.toy.store)->from_checkpoint ==
			  (i == 1));
		expect_totals(&before);
		expect_rest();
		fixture_end(&f);
	}
}
END_TEST

START_TEST(bases_and_deltas_move)
{
	struct store_stats st;
	uint64_t base;
	uint64_t i;

	begin_empty();
	ck_ok(toy_put(&f.toy, 0, bytes_of(0)));
	for (i = 0; i < 6; i++)
		ck_ok(toy_put(&f.toy, 100 + i, edited(i)));
	for (i = 1; i < 20; i++)
		ck_ok(toy_put(&f.toy, i, bytes_of(i)));
	ck_ok(index_commit(f.toy.store));
	ck_assert_uint_eq(stats().totals[TOTAL_KIND_FIRST + ENCODE_DELTA], 6);
	base = chunk_of(0);
	/* The base lives by its deltas only. */
	for (i = 0; i < 20; i++)
		ck_ok(toy_del(&f.toy, i));
	ck_ok(toy_del(&f.toy, 102));
	(void)clean();
	ck_assert(!segment_exists(1));
	st = stats();
	ck_assert_uint_eq(st.totals[TOTAL_KIND_FIRST + ENCODE_DELTA], 5);
	ck_assert_uint_eq(st.totals[TOTAL_CHUNKS], 6);
	fixture_reopen(&f);
	for (i = 0; i < 6; i++) {
		if (i != 2)
			toy_expect(&f.toy, 100 + i, edited(i));
		ck_ok(toy_del(&f.toy, 100 + i));
	}
	ck_assert_uint_eq(toy_check(&f.toy), 0);
	ck_assert_uint_gt(base, 0);
	/* Deltas first, then what nobody needs any more for them. */
	(void)clean();
	(void)clean();
	ck_assert_uint_eq(stats().totals[TOTAL_CHUNKS], 0);
	ck_assert_uint_eq(stats().totals[TOTAL_FRAMES], 0);
	ck_assert_uint_eq(toy_check(&f.toy), 0);
	fixture_end(&f);
}
END_TEST

/* ---- who is inside ---------------------------------------------------------- */

START_TEST(condemned_chunks_are_not_found)
{
	uint64_t segments[] = { 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12 };
	uint64_t chunk;

	begin();
	ck_ok(index_commit(f.toy.store));
	chunk = chunk_of(5);
	bank_condemn(f.toy.store->bank, segments, ARRAY_LEN(segments));
	ck_ok(toy_put(&f.toy, 200, bytes_of(5)));
	ck_assert_uint_ne(chunk_of(200), chunk);
	/* Nor are they bases. */
	ck_ok(toy_put(&f.toy, 201, edited(1)));
	ck_ok(index_commit(f.toy.store));
	ck_assert_uint_eq(stats().totals[TOTAL_KIND_FIRST + ENCODE_DELTA], 0);
	bank_condemn(f.toy.store->bank, NULL, 0);
	ck_ok(toy_put(&f.toy, 202, bytes_of(6)));
	ck_assert_uint_eq(chunk_of(202), chunk_of(6));
	ck_assert_uint_eq(toy_check(&f.toy), 0);
	fixture_end(&f);
}
END_TEST

static atomic_bool cleaned;

static void *clean_apart(void *arg)
{
	(void)clean();
	atomic_store(&cleaned, true);
	return arg;
}

START_TEST(who_reads_is_waited_for)
{
	struct chunk_view v;
	pthread_t thread;
	uint64_t chunk;
	unsigned turn;
	unsigned i;

	begin();
	atomic_store(&cleaned, false);
	turn = store_enter(f.toy.store);
	chunk = chunk_of(0);
	delete_most();
	ck_ok(pthread_create(&thread, NULL, clean_apart, NULL));
	for (i = 0; i < 200; i++) {
		ck_ok(chunk_get(f.toy.store, chunk, &v));
		ck_assert_mem_eq(v.bytes.ptr, bytes_of(0).ptr, LEN);
		chunk_put(&v);
	}
	ck_assert(!atomic_load(&cleaned));
	store_leave(f.toy.store, turn);
	ck_ok(pthread_join(thread, NULL));
	report_silence(true);
	ck_rc(chunk_get(f.toy.store, chunk, &v), -EUCLEAN);
	report_silence(false);
	expect_rest();
	fixture_end(&f);
}
END_TEST

/* Puts go on, duplicates of what is dead and alive among them. */
START_TEST(writers_and_the_cleaner)
{
	pthread_t thread;
	unsigned round;
	uint64_t i;

	begin();
	for (round = 0; round < 3; round++) {
		delete_most();
		ck_ok(pthread_create(&thread, NULL, clean_apart, NULL));
		for (i = 0; i < N_KEYS; i++)
			ck_ok(toy_put_worker(&f.toy, 200 + i, bytes_of(i)));
		ck_ok(pthread_join(thread, NULL));
		for (i = 0; i < N_KEYS; i++) {
			toy_expect(&f.toy, 200 + i, bytes_of(i));
			ck_ok(toy_put(&f.toy, i, bytes_of(i)));
		}
		ck_assert_uint_eq(toy_check(&f.toy), 0);
		for (i = 0; i < N_KEYS; i++)
			ck_ok(toy_del(&f.toy, 200 + i));
	}
	fixture_crash(&f);
	ck_assert_uint_eq(toy_check(&f.toy), 0);
	fixture_end(&f);
}
END_TEST

/* ---- what cannot be cleaned -------------------------------------------------- */

START_TEST(damage_stays_where_it_is)
{
	static uint8_t bytes[SEGMENT_LEN_MIN * 2];
	size_t len;

	begin();
	delete_most();
	ck_ok(toy_close(&f.toy));
	/* Key 3 is in the first segment; its frame's last byte. */
	len = file_read(f.dir, SEGMENT_1, bytes, sizeof(bytes));
	bytes[128 + 3 * (LEN + 100) + LEN / 2] ^= 1;
	file_write(f.dir, SEGMENT_1, span_of(bytes, len));
	ck_ok(toy_open(&f.toy, f.dir));
	report_silence(true);
	(void)clean();
	ck_assert(segment_exists(1));
	ck_assert(!segment_exists(2));
	ck_assert_uint_ge(toy_check(&f.toy), 1);
	report_silence(false);
	toy_expect(&f.toy, 13, bytes_of(13));
	toy_expect(&f.toy, 53, bytes_of(53));
	fixture_end(&f);
}
END_TEST

START_TEST(a_store_that_is_read_only)
{
	struct clean_result r = { 0 };

	begin();
	ck_ok(toy_close(&f.toy));
	f.toy.options.read_only = true;
	ck_ok(toy_open(&f.toy, f.dir));
	ck_rc(clean_begin(f.toy.store), -EROFS);
	ck_rc(clean_step(f.toy.store, &r), -EROFS);
	fixture_end(&f);
}
END_TEST

/* To look at all frames at each step would take hours where there are many. */
START_TEST(a_survey_serves_for_many_steps)
{
	struct clean_memory *m;
	const struct segment_use *list;
	struct clean_result r = { 0 };
	unsigned n_kept = 0;
	int rc;

	begin();
	delete_most();
	m = &f.toy.store->clean;
	ck_ok(clean_begin(f.toy.store));
	ck_assert_ptr_null(m->survey.list);
	do {
		list = m->survey.list;
		rc = clean_step(f.toy.store, &r);
		n_kept += list && m->survey.list == list;
	} while (rc == 1);
	ck_ok(rc);
	ck_assert_uint_gt(n_kept, 0);
	ck_assert_ptr_null(m->survey.list);
	ck_assert_uint_gt(r.n_removed, 0);
	expect_rest();
	fixture_end(&f);
}
END_TEST

Suite *suite_clean(void)
{
	const TTest *const tests[] = {
		a_survey_serves_for_many_steps,
		what_is_dead_is_given_back,
		the_index_comes_back_without_them,
		a_crash_after_each_step,
		a_replay_drops_as_well,
		bases_and_deltas_move,
		condemned_chunks_are_not_found,
		who_reads_is_waited_for,
		writers_and_the_cleaner,
		damage_stays_where_it_is,
		a_store_that_is_read_only,
	};

	return suite_of("store/clean", tests, ARRAY_LEN(tests), 120);
}
