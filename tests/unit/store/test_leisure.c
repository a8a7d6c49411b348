/* SPDX-License-Identifier: MIT */
/*
 * test_leisure.c - a store that nobody uses is optimised, once.
 *
 * On the thread of maintain.c, which looks every second: data is cold after one.
 */
#include "unit/store/suites.h"

#include "base/clock.h"
#include "lib/rng.h"
#include "lib/suite.h"
#include "store/maintain.h"
#include "store/optimize.h"
#include "store/state.h"
#include "unit/store/fixture.h"

#include <stdio.h>
#include <time.h>

/* More than is enough to begin with. */
enum { N_KEYS = 12, LEN = 100000, LINE = 200, N_LINES = 500, A_SECOND = 1000 };

static struct fixture f;

static void sleep_ms(long ms)
{
	const struct timespec t = { ms / 1000, ms % 1000 * 1000000 };

	(void)nanosleep(&t, NULL);
}

/* Lines of which each comes about twelve times in all. */
static struct span bytes_of(uint64_t key)
{
	static uint8_t bytes[LEN];
	struct rng which = rng_of(key + 1);
	size_t at;

	for (at = 0; at < LEN; at += LINE) {
		struct rng line = rng_of(1000 + rng_below(&which, N_LINES));

		rng_fill(&line, bytes + at, LINE);
	}
	return span_of(bytes, LEN);
}

static void put(uint64_t first)
{
	uint64_t i;

	for (i = first; i < first + N_KEYS; i++)
		ck_ok(toy_put(&f.toy, i, bytes_of(i)));
}

static void expect(uint64_t n)
{
	uint64_t i;

	for (i = 0; i < n; i++)
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

/* A store with data that will be cold, open. */
static void begin_quietly(unsigned cold_seconds)
{
	fixture_begin(&f);
	put(0);
	f.toy.options.cold_seconds = cold_seconds;
	fixture_reopen(&f);
}

/* And its threads started. */
static void begin(unsigned cold_seconds)
{
	begin_quietly(cold_seconds);
	ck_ok(store_start(f.toy.store));
}

static void end(void)
{
	f.toy.options.cold_seconds = 0;
	fixture_end(&f);
}

static struct store_stats stats(void)
{
	struct store_stats st;

	ck_ok(store_stat(f.toy.store, &st));
	return st;
}

static uint64_t optimized(void)
{
	uint64_t chunk;

	index_lock(f.toy.store);
	chunk = f.toy.store->optimized;
	index_unlock(f.toy.store);
	return chunk;
}

static void wait_until_optimized(uint64_t chunk)
{
	uint64_t deadline = clock_mono_ns() + UINT64_C(150000000000);

	while (optimized() < chunk && clock_mono_ns() < deadline)
		sleep_ms(20);
	ck_assert_uint_eq(optimized(), chunk);
}

START_TEST(once_and_not_again)
{
	struct store_stats st;
	uint64_t frame;

	begin(1);
	frame = frame_of(0);
	wait_until_optimized(N_KEYS);
	st = stats();
	ck_assert_uint_gt(st.idle_len, N_KEYS * LEN / 2);
	ck_assert_uint_lt(st.idle_new_len, st.idle_old_len);
	ck_assert_uint_gt(st.idle_when, 0);
	ck_assert_uint_ne(frame_of(0), frame);
	expect(N_KEYS);
	frame = frame_of(0);
	/* A later one knows, and looks only at what is new. */
	fixture_reopen(&f);
	ck_ok(store_start(f.toy.store));
	ck_assert_uint_eq(optimized(), N_KEYS);
	put(N_KEYS);
	wait_until_optimized(2 * N_KEYS);
	ck_assert_uint_lt(stats().idle_len, (N_KEYS + 1) * LEN);
	ck_assert_uint_eq(frame_of(0), frame);
	expect(2 * N_KEYS);
	end();
}
END_TEST

START_TEST(a_crash_loses_nothing)
{
	begin(1);
	wait_until_optimized(N_KEYS);
	fixture_crash(&f);
	expect(N_KEYS);
	end();
}
END_TEST

/* Uses it for five seconds. Whether never a second went by without. */
static bool use_often(void)
{
	uint64_t last = clock_mono_ns();
	uint64_t longest = 0;
	unsigned n;

	for (n = 0; n < 50; n++) {
		store_use(f.toy.store);
		sleep_ms(A_SECOND / 10);
		longest = max_u64(longest, clock_mono_ns() - last);
		last = clock_mono_ns();
	}
	return longest < UINT64_C(900000000);
}

START_TEST(not_while_it_is_used)
{
	bool often;

	begin(1);
	often = use_often();
	/* A machine may be so busy that we were away for longer. */
	ck_assert(!often || stats().idle_len == 0);
	expect(N_KEYS);
	end();
}
END_TEST

/* Long work of others first. */
START_TEST(not_while_others_work)
{
	begin_quietly(1);
	maintain_enter(f.toy.store);
	ck_ok(store_start(f.toy.store));
	sleep_ms(5L * A_SECOND);
	ck_assert_uint_eq(stats().idle_len, 0);
	maintain_leave(f.toy.store);
	wait_until_optimized(N_KEYS);
	end();
}
END_TEST

START_TEST(never_if_it_is_off)
{
	begin(0);
	sleep_ms(4L * A_SECOND);
	ck_assert_uint_eq(stats().idle_len, 0);
	ck_assert_uint_eq(stats().idle_when, 0);
	end();
}
END_TEST

START_TEST(never_in_a_store_to_read)
{
	begin(0);
	f.toy.options.cold_seconds = 1;
	f.toy.options.read_only = true;
	fixture_reopen(&f);
	ck_ok(store_start(f.toy.store));
	sleep_ms(4L * A_SECOND);
	ck_assert_uint_eq(stats().idle_when, 0);
	expect(N_KEYS);
	f.toy.options.read_only = false;
	end();
}
END_TEST

/* What was optimised by hand has had its turn. */
START_TEST(not_after_a_run_by_hand)
{
	const struct optimize_options quick = { .min_speed = 1,
						.n_threads = 1 };
	struct optimized got;

	begin(0);
	ck_ok(optimize(f.toy.store, &quick, &got));
	ck_assert_uint_eq(got.looked_len, N_KEYS * LEN);
	ck_assert_uint_eq(optimized(), N_KEYS);
	f.toy.options.cold_seconds = 1;
	fixture_reopen(&f);
	ck_ok(store_start(f.toy.store));
	sleep_ms(4L * A_SECOND);
	ck_assert_uint_eq(stats().idle_when, 0);
	end();
}
END_TEST

/* The end does not wait for a window. */
START_TEST(ends_while_it_works)
{
	begin(1);
	while (stats().idle_when == 0)
		sleep_ms(1);
	fixture_reopen(&f);
	expect(N_KEYS);
	end();
}
END_TEST

Suite *suite_leisure(void)
{
	Suite *s = suite_create("leisure");
	TCase *c = tcase_create("leisure");

	tcase_set_timeout(c, 200);
	tcase_add_test(c, once_and_not_again);
	tcase_add_test(c, a_crash_loses_nothing);
	tcase_add_test(c, not_while_it_is_used);
	tcase_add_test(c, not_while_others_work);
	tcase_add_test(c, never_if_it_is_off);
	tcase_add_test(c, never_in_a_store_to_read);
	tcase_add_test(c, not_after_a_run_by_hand);
	tcase_add_test(c, ends_while_it_works);
	suite_add_tcase(s, c);
	return s;
}
