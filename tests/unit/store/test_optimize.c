/* SPDX-License-Identifier: MIT */
/*
 * test_optimize.c - the same bytes in fewer and longer frames, whatever happens
 * meanwhile. (optimize.c, window.c, repack.c, estimate.c)
 */
#include "unit/store/suites.h"

#include "lib/rng.h"
#include "lib/suite.h"
#include "store/maintain.h"
#include "store/optimize.h"
#include "store/state.h"
#include "unit/store/fixture.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

enum { N_KEYS = 60, LEN = 12000 };

static struct fixture f;

/* Lines that each key shares some of with its neighbours. */
static struct span bytes_of(uint64_t key)
{
	static uint8_t bytes[LEN + 64];
	struct rng rng = rng_of(key / 2);
	size_t at = 0;

	while (at < LEN) {
		int n = snprintf((char *)bytes + at, 64,
				 "int value_%u = compute(%u, key_%u);\n",
				 (unsigned)rng_below(&rng, 4000),
				 (unsigned)rng_below(&rng, 4000),
				 (unsigned)(at < LEN / 2 ? key / 2 : key));

		at += (size_t)n;
	}
	return span_of(bytes, LEN);
}

static void begin(void)
{
	uint64_t i;

	fixture_begin(&f);
	for (i = 0; i < N_KEYS; i++)
		ck_ok(toy_put(&f.toy, i, bytes_of(i)));
}

static void expect_all(void)
{
	uint64_t i;

	for (i = 0; i < N_KEYS; i++)
		toy_expect(&f.toy, i, bytes_of(i));
	ck_assert_uint_eq(toy_check(&f.toy), 0);
}

static uint64_t frame_of(uint64_t key)
{
	struct frame_place place;
	struct toy_row row;

	ck_assert_int_eq(toy_get(&f.toy, key, &row), 1);
	index_lock(f.toy.store);
	ck_ok(bank_load(f.toy.store->bank, row.chunk, &place));
	index_unlock(f.toy.store);
	return place.frame;
}

static const struct optimize_options quick = {
	.min_speed = 1,
	.n_threads = 2,
};

START_TEST(fewer_frames_and_the_same_bytes)
{
	struct optimized got;

	begin();
	ck_ok(optimize(f.toy.store, &quick, &got));
	ck_assert_uint_eq(got.looked_len, N_KEYS * LEN);
	ck_assert_uint_eq(got.work.moved_len, N_KEYS * LEN);
	ck_assert_uint_lt(got.work.new_len, got.work.freed_len);
	ck_assert_uint_eq(got.work.n_frames, 1);
	ck_assert_uint_eq(frame_of(0), frame_of(N_KEYS - 1));
	expect_all();
	fixture_reopen(&f);
	expect_all();
	/* There is nothing left to do. */
	ck_ok(optimize(f.toy.store, &quick, &got));
	ck_assert_uint_eq(got.looked_len, N_KEYS * LEN);
	ck_assert_uint_eq(got.work.n_frames, 0);
	fixture_end(&f);
}
END_TEST

static void crash_after(bool synced)
{
	struct optimized got;
	uint64_t before;

	begin();
	fixture_sync(&f);
	before = frame_of(0);
	ck_ok(optimize(f.toy.store, &quick, &got));
	if (synced)
		fixture_sync(&f);
	fixture_crash(&f);
	if (synced)
		ck_assert_uint_ne(frame_of(0), before);
	expect_all();
	ck_ok(optimize(f.toy.store, &quick, &got));
	ck_assert_uint_eq(frame_of(0), frame_of(N_KEYS - 1));
	expect_all();
	fixture_end(&f);
}

START_TEST(survives_a_crash)
{
	crash_after(false);
	crash_after(true);
}
END_TEST

START_TEST(dead_chunks_are_left_behind)
{
	struct optimized got;
	uint64_t i;

	begin();
	for (i = 0; i < N_KEYS; i += 2)
		ck_ok(toy_del(&f.toy, i));
	ck_ok(optimize(f.toy.store, &quick, &got));
	ck_assert_uint_eq(got.work.moved_len, N_KEYS / 2 * LEN);
	for (i = 1; i < N_KEYS; i += 2)
		toy_expect(&f.toy, i, bytes_of(i));
	ck_assert_uint_eq(toy_check(&f.toy), 0);
	fixture_end(&f);
}
END_TEST

START_TEST(deltas_too)
{
	struct store_stats st;
	struct optimized got;
	static uint8_t base[5 * LEN];
	static uint8_t bytes[sizeof(base)];
	struct rng rng = rng_of(4);
	uint64_t i;

	fixture_begin(&f);
	rng_fill(&rng, base, sizeof(base));
	for (i = 0; i < 6; i++) {
		memcpy(bytes, base, sizeof(base));
		bytes[1000 * i] ^= 1;
		ck_ok(toy_put(&f.toy, i, span_of(bytes, sizeof(bytes))));
	}
	ck_ok(store_stat(f.toy.store, &st));
	ck_assert_uint_ge(st.totals[TOTAL_KIND_FIRST + ENCODE_DELTA], 5);
	/* The base does not shrink, so its frame stays; then so must all. */
	ck_ok(optimize(f.toy.store, &quick, &got));
	for (i = 0; i < 6; i++) {
		memcpy(bytes, base, sizeof(base));
		bytes[1000 * i] ^= 1;
		toy_expect(&f.toy, i, span_of(bytes, sizeof(bytes)));
	}
	ck_assert_uint_eq(toy_check(&f.toy), 0);
	ck_assert_uint_le(got.work.new_len, got.work.freed_len);
	fixture_end(&f);
}
END_TEST

START_TEST(ends_when_told)
{
	atomic_bool stop = true;
	struct optimize_options options = quick;
	struct optimized got;

	begin();
	options.stop = &stop;
	ck_assert_int_eq(optimize(f.toy.store, &options, &got), -ECANCELED);
	ck_assert_uint_eq(got.work.n_frames, 0);
	expect_all();
	fixture_end(&f);
}
END_TEST

START_TEST(too_slow_stays)
{
	struct optimize_options options = quick;
	struct optimized got;
	uint64_t frame;

	begin();
	frame = frame_of(0);
	options.min_speed = UINT64_MAX;
	ck_ok(optimize(f.toy.store, &options, &got));
	ck_assert_uint_gt(got.work.n_slow, 0);
	ck_assert_uint_eq(got.work.n_frames, 0);
	ck_assert_uint_eq(got.looked_len, N_KEYS * LEN);
	ck_assert_uint_eq(frame_of(0), frame);
	expect_all();
	fixture_end(&f);
}
END_TEST

/* The chunks of keys 10..19. */
static int next_of_ten(void *ctx, uint64_t *ret)
{
	uint64_t *key = ctx;
	struct toy_row row;

	if (*key == 20)
		return 0;
	ck_assert_int_eq(toy_get(&f.toy, (*key)++, &row), 1);
	*ret = row.chunk;
	return 1;
}

START_TEST(only_what_the_source_gives)
{
	struct optimize_options options = quick;
	struct optimized got;
	uint64_t key = 10;

	begin();
	options.next = next_of_ten;
	options.source = &key;
	ck_ok(optimize(f.toy.store, &options, &got));
	ck_assert_uint_eq(got.work.moved_len, 10 * LEN);
	ck_assert_uint_eq(frame_of(10), frame_of(19));
	ck_assert_uint_ne(frame_of(30), frame_of(10));
	expect_all();
	fixture_end(&f);
}
END_TEST

START_TEST(an_estimate_changes_nothing)
{
	struct optimize_estimate e;
	struct optimized got;
	uint64_t seq;
	double left;

	begin();
	fixture_sync(&f);
	ck_ok(optimize_estimate(f.toy.store, &quick, UINT64_MAX, &e));
	seq = log_last_seq(f.toy.store->log);
	ck_ok(optimize_estimate(f.toy.store, &quick, UINT64_MAX, &e));
	ck_assert_uint_eq(log_last_seq(f.toy.store->log), seq);
	ck_assert_uint_eq(e.sampled_len, N_KEYS * LEN);
	left = (double)e.after_len / (double)e.before_len;
	ck_assert(e.low <= left + 0.001 && left <= e.high + 0.001);
	ck_assert(e.high < 0.95);
	/* All of it was tried, so that is how it comes. */
	ck_ok(optimize(f.toy.store, &quick, &got));
	ck_assert_uint_le(got.work.new_len, e.after_len);
	ck_assert_uint_ge(got.work.new_len, e.after_len - e.after_len / 20);
	expect_all();
	fixture_end(&f);
}
END_TEST

START_TEST(an_empty_store)
{
	struct optimize_estimate e;
	struct optimized got;

	fixture_begin(&f);
	ck_ok(optimize(f.toy.store, &quick, &got));
	ck_assert_uint_eq(got.looked_len, 0);
	ck_ok(optimize_estimate(f.toy.store, &quick, 1 << 20, &e));
	ck_assert_uint_eq(e.before_len, 0);
	fixture_end(&f);
}
END_TEST

START_TEST(not_in_a_store_to_read)
{
	struct optimized got;

	begin();
	f.toy.options.read_only = true;
	fixture_reopen(&f);
	ck_assert_int_eq(optimize(f.toy.store, &quick, &got), -EROFS);
	f.toy.options.read_only = false;
	fixture_reopen(&f);
	expect_all();
	fixture_end(&f);
}
END_TEST

static void stop_soon(void *ctx, const struct optimized *so_far)
{
	if (so_far->work.raw_len > 0)
		atomic_store((atomic_bool *)ctx, true);
}

/* Of a window that was stopped, as far as it got. */
START_TEST(what_stays_is_not_tried_again)
{
	atomic_bool stop = false;
	struct optimize_options options = quick;
	struct optimize_turn turn = { .len = UINT64_MAX };
	struct optimized first;
	struct optimized second;

	begin();
	options.frame_len = (size_t)4 * LEN;
	options.min_speed = UINT64_MAX;
	options.stop = &stop;
	options.tell = stop_soon;
	options.ctx = &stop;
	turn.walk = (struct optimize_walk){
		.s = f.toy.store,
		.stop = &stop,
		.last = UINT64_MAX,
	};
	maintain_enter(f.toy.store);
	ck_assert_int_eq(optimize_window(&options, &turn, &first), -ECANCELED);
	ck_assert_uint_gt(first.work.raw_len, 0);
	ck_assert_uint_lt(first.work.raw_len, N_KEYS * LEN);
	atomic_store(&stop, false);
	options.tell = NULL;
	turn.walk.after = 0;
	ck_ok(optimize_window(&options, &turn, &second));
	maintain_leave(f.toy.store);
	ck_assert_uint_eq(first.work.raw_len + second.work.raw_len,
			  N_KEYS * LEN);
	idmap_release(&turn.vain);
	expect_all();
	fixture_end(&f);
}
END_TEST

static void expect_windows(uint64_t len, size_t n_chunks, unsigned n)
{
	struct optimize_turn turn = { .len = len, .n_chunks = n_chunks };
	struct optimized got;
	uint64_t looked_len = 0;
	unsigned i;

	begin();
	turn.walk = (struct optimize_walk){
		.s = f.toy.store,
		.last = UINT64_MAX,
	};
	maintain_enter(f.toy.store);
	for (i = 1; i <= n; i++) {
		ck_assert_int_eq(optimize_window(&quick, &turn, &got), i < n);
		looked_len += got.looked_len;
		idmap_clear(&turn.vain);
		turn.studied = false;
	}
	maintain_leave(f.toy.store);
	ck_assert_uint_eq(looked_len, N_KEYS * LEN);
	idmap_release(&turn.vain);
	expect_all();
	fixture_end(&f);
}

/* The last one finds that there is no more. */
START_TEST(window_by_window)
{
	expect_windows(20 * LEN, 0, 4);
	expect_windows(UINT64_MAX, 15, 5);
}
END_TEST

static atomic_bool writing;

/* Keys come, go and change their bytes while others move. */
static void *write_on(void *arg)
{
	uint64_t key = 100;

	(void)arg;
	while (atomic_load(&writing)) {
		ck_ok(toy_put_worker(&f.toy, key % 20 + 100, bytes_of(key)));
		toy_expect(&f.toy, key % 20 + 100, bytes_of(key));
		key++;
	}
	return NULL;
}

START_TEST(others_write_meanwhile)
{
	struct optimized got;
	pthread_t writer;
	unsigned i;
	uint64_t key;

	begin();
	atomic_store(&writing, true);
	ck_assert_int_eq(pthread_create(&writer, NULL, write_on, NULL), 0);
	for (i = 0; i < 3; i++)
		ck_ok(optimize(f.toy.store, &quick, &got));
	atomic_store(&writing, false);
	ck_assert_int_eq(pthread_join(writer, NULL), 0);
	for (key = 0; key < N_KEYS; key++)
		toy_expect(&f.toy, key, bytes_of(key));
	ck_assert_uint_eq(toy_check(&f.toy), 0);
	fixture_crash(&f);
	ck_assert_uint_eq(toy_check(&f.toy), 0);
	fixture_end(&f);
}
END_TEST

Suite *suite_optimize(void)
{
	Suite *s = suite_create("optimize");
	TCase *c = tcase_create("optimize");

	tcase_set_timeout(c, 120);
	tcase_add_test(c, fewer_frames_and_the_same_bytes);
	tcase_add_test(c, survives_a_crash);
	tcase_add_test(c, dead_chunks_are_left_behind);
	tcase_add_test(c, deltas_too);
	tcase_add_test(c, ends_when_told);
	tcase_add_test(c, too_slow_stays);
	tcase_add_test(c, only_what_the_source_gives);
	tcase_add_test(c, an_estimate_changes_nothing);
	tcase_add_test(c, an_empty_store);
	tcase_add_test(c, not_in_a_store_to_read);
	tcase_add_test(c, what_stays_is_not_tried_again);
	tcase_add_test(c, window_by_window);
	tcase_add_test(c, others_write_meanwhile);
	suite_add_tcase(s, c);
	return s;
}
