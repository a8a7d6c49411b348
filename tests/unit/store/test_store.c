/* SPDX-License-Identifier: MIT */
/*
 * test_store.c - making, opening, changing, closing, opening again.
 */
#include "unit/store/suites.h"

#include "lib/rng.h"
#include "lib/suite.h"
#include "unit/store/fixture.h"

#include <stdlib.h>
#include <unistd.h>

START_TEST(empty_store_opens_again)
{
	struct fixture f;

	fixture_begin(&f);
	fixture_reopen(&f);
	ck_assert(!store_opened(f.toy.store)->replayed);
	ck_assert(!store_opened(f.toy.store)->rebuilt);
	ck_assert_ptr_null(store_opened(f.toy.store)->read_only);
	ck_assert_uint_eq(toy_count(&f.toy), 0);
	ck_assert_uint_eq(toy_check(&f.toy), 0);
	fixture_end(&f);
}
END_TEST

START_TEST(values_survive_a_close)
{
	struct fixture f;
	uint64_t key;

	fixture_begin(&f);
	for (key = 1; key <= 1000; key++)
		ck_ok(toy_set(&f.toy, key, key * 3));
	ck_ok(toy_del(&f.toy, 500));
	fixture_reopen(&f);
	ck_assert(!store_opened(f.toy.store)->replayed);
	ck_assert_uint_eq(toy_count(&f.toy), 999);
	expect_value(&f.toy, 999, 2997);
	ck_assert_uint_ge(store_next_id(f.toy.store, STORE_ID_INODE), 1001);
	ck_assert_uint_eq(toy_check(&f.toy), 0);
	fixture_end(&f);
}
END_TEST

START_TEST(closed_store_is_three_things)
{
	struct fixture f;

	fixture_begin(&f);
	ck_ok(toy_set(&f.toy, 1, 1));
	ck_ok(toy_close(&f.toy));
	ck_assert(!file_exists(f.dir, "index.db-wal"));
	ck_assert(file_exists(f.dir, "index.db"));
	ck_assert(file_exists(f.dir, SEGMENT_1));
	fixture_end(&f);
}
END_TEST

START_TEST(chunks_come_back)
{
	struct fixture f;
	struct rng rng = rng_of(7);
	uint8_t *bytes = malloc(200000);
	uint64_t key;

	fixture_begin(&f);
	for (key = 1; key <= 50; key++) {
		struct rng each = rng_of(key);

		rng_fill(&each, bytes, 4000 * key);
		ck_ok(key % 2 ? toy_put(&f.toy, key, span_of(bytes, 4000 * key))
			      : toy_put_worker(&f.toy, key,
					       span_of(bytes, 4000 * key)));
		toy_expect(&f.toy, key, span_of(bytes, 4000 * key));
	}
	fixture_reopen(&f);
	for (key = 1; key <= 50; key++) {
		struct rng each = rng_of(key);

		rng_fill(&each, bytes, 4000 * key);
		toy_expect(&f.toy, key, span_of(bytes, 4000 * key));
	}
	(void)rng_u64(&rng);
	ck_assert_uint_eq(toy_check(&f.toy), 0);
	fixture_end(&f);
	free(bytes);
}
END_TEST

START_TEST(equal_bytes_are_stored_once)
{
	struct fixture f;
	struct store_stats st;
	uint8_t bytes[10000];
	struct rng rng = rng_of(1);
	struct toy_row a;
	struct toy_row b;

	fixture_begin(&f);
	rng_fill(&rng, bytes, sizeof(bytes));
	ck_ok(toy_put(&f.toy, 1, span_of(bytes, sizeof(bytes))));
	ck_ok(toy_put(&f.toy, 2, span_of(bytes, sizeof(bytes))));
	fixture_reopen(&f);
	ck_ok(toy_put(&f.toy, 3, span_of(bytes, sizeof(bytes))));
	ck_assert_int_eq(toy_get(&f.toy, 1, &a), 1);
	ck_assert_int_eq(toy_get(&f.toy, 3, &b), 1);
	ck_assert_uint_eq(a.chunk, b.chunk);
	ck_ok(store_stat(f.toy.store, &st));
	ck_assert_uint_eq(st.totals[TOTAL_CHUNKS], 1);
	ck_assert_uint_eq(st.totals[TOTAL_DUPLICATES], 2);
	ck_assert_uint_eq(toy_check(&f.toy), 0);
	/* All gone, it may still be found. */
	ck_ok(toy_del(&f.toy, 1));
	ck_ok(toy_del(&f.toy, 2));
	ck_ok(toy_del(&f.toy, 3));
	ck_assert_uint_eq(toy_check(&f.toy), 0);
	ck_ok(toy_put(&f.toy, 4, span_of(bytes, sizeof(bytes))));
	ck_assert_int_eq(toy_get(&f.toy, 4, &b), 1);
	ck_assert_uint_eq(a.chunk, b.chunk);
	ck_assert_uint_eq(toy_check(&f.toy), 0);
	fixture_end(&f);
}
END_TEST

START_TEST(what_was_synced_survives_a_crash)
{
	struct fixture f;
	uint8_t bytes[5000];
	struct rng rng = rng_of(2);

	fixture_begin(&f);
	rng_fill(&rng, bytes, sizeof(bytes));
	ck_ok(toy_put(&f.toy, 1, span_of(bytes, sizeof(bytes))));
	ck_ok(toy_set(&f.toy, 2, 22));
	toy_hold(&f.toy, 3, 33);
	fixture_sync(&f);
	ck_ok(toy_set(&f.toy, 2, 44));
	fixture_crash(&f);
	ck_assert(store_opened(f.toy.store)->replayed);
	ck_assert_ptr_null(store_opened(f.toy.store)->read_only);
	toy_expect(&f.toy, 1, span_of(bytes, sizeof(bytes)));
	expect_value(&f.toy, 2, 22);
	expect_value(&f.toy, 3, 33);
	ck_assert_uint_eq(toy_check(&f.toy), 0);
	fixture_end(&f);
}
END_TEST

/* Keys 1..200 have one of 50 chunks each. */
static void put_many(struct fixture *f)
{
	uint8_t bytes[5000];
	uint64_t key;

	for (key = 1; key <= 200; key++) {
		struct rng rng = rng_of(key % 50);

		rng_fill(&rng, bytes, sizeof(bytes));
		ck_ok(toy_put(&f->toy, key, span_of(bytes, sizeof(bytes))));
		if (key % 40 == 0)
			fixture_reopen(f);
	}
}

static void expect_many(struct fixture *f)
{
	uint8_t bytes[5000];
	uint64_t key;

	for (key = 1; key <= 200; key++) {
		struct rng rng = rng_of(key % 50);

		rng_fill(&rng, bytes, sizeof(bytes));
		toy_expect(&f->toy, key, span_of(bytes, sizeof(bytes)));
	}
	ck_assert_uint_eq(toy_check(&f->toy), 0);
}

START_TEST(lost_index_is_replayed)
{
	struct fixture f;
	struct store_stats before;
	struct store_stats after;

	fixture_begin(&f);
	put_many(&f);
	ck_ok(store_stat(f.toy.store, &before));
	ck_ok(toy_close(&f.toy));
	file_remove(f.dir, "index.db");
	ck_ok(toy_open(&f.toy, f.dir));
	ck_assert(store_opened(f.toy.store)->rebuilt);
	ck_ok(store_stat(f.toy.store, &after));
	ck_assert_uint_eq(before.totals[TOTAL_CHUNKS],
			  after.totals[TOTAL_CHUNKS]);
	ck_assert_uint_eq(before.totals[TOTAL_FRAME_STORED],
			  after.totals[TOTAL_FRAME_STORED]);
	ck_assert_uint_eq(before.n_segments, after.n_segments);
	expect_many(&f);
	fixture_end(&f);
}
END_TEST

START_TEST(a_wide_gap_is_one_finding)
{
	struct fixture f;

	fixture_begin(&f);
	ck_ok(toy_set(&f.toy, 1, 1));
	ck_ok(toy_close(&f.toy));
	file_remove(f.dir, "index.db");
	file_write(f.dir, "log/9999999999.seg", span_of("", 0));
	ck_ok(toy_open(&f.toy, f.dir));
	ck_assert_ptr_nonnull(store_opened(f.toy.store)->read_only);
	expect_value(&f.toy, 1, 1);
	/* The gap, and what stands behind it. */
	ck_assert_uint_eq(toy_check(&f.toy), 2);
	fixture_end(&f);
}
END_TEST

/* A crash came between the FOOTER and the end of the zeros ahead of it. */
START_TEST(zeros_behind_a_footer)
{
	static uint8_t bytes[1 << 20];
	struct fixture f;
	size_t len;

	fixture_begin(&f);
	ck_ok(toy_set(&f.toy, 1, 1));
	fixture_reopen(&f);
	len = file_read(f.dir, SEGMENT_1, bytes, sizeof(bytes) / 2);
	memset(bytes + len, 0, 70000);
	file_write(f.dir, SEGMENT_1, span_of(bytes, len + 70000));
	ck_ok(toy_set(&f.toy, 1, 2));
	fixture_reopen(&f);
	ck_assert_uint_eq(toy_check(&f.toy), 0);
	/* Anything else is no zero. */
	bytes[len + 69999] = 1;
	file_write(f.dir, SEGMENT_1, span_of(bytes, len + 70000));
	ck_assert_uint_eq(toy_check(&f.toy), 1);
	fixture_end(&f);
}
END_TEST

START_TEST(second_opener_is_refused)
{
	struct fixture f;
	struct toy second = { .options = { .n_workers = 1 } };
	char text[64];

	fixture_begin(&f);
	ck_rc(toy_open(&second, f.dir), -EWOULDBLOCK);
	ck_assert_ptr_null(second.store);
	ck_ok(store_describe(f.toy.store, "a test"));
	ck_ok(store_holder(f.dir, text, sizeof(text)));
	ck_assert_str_eq(text, "a test");
	/* It may be anybody's text. */
	file_write(f.dir, "lock", span_of("a\x1b[31m\nb\x7f\xc3\xa4", 11));
	ck_ok(store_holder(f.dir, text, sizeof(text)));
	ck_assert_str_eq(text, "a?[31m?b?\xc3\xa4");
	ck_ok(toy_close(&f.toy));
	ck_rc(store_holder(f.dir, text, sizeof(text)), -ENOENT);
	fixture_end(&f);
}
END_TEST

START_TEST(housekeeping_ticks_and_commits)
{
	struct fixture f;

	fixture_begin(&f);
	ck_ok(store_start(f.toy.store));
	ck_ok(toy_set(&f.toy, 1, 1));
	while (atomic_load(&f.toy.n_ticks) < 2)
		(void)usleep(10000);
	fixture_end(&f);
}
END_TEST

static atomic_bool closing;

/* Goes on in the middle of store_close(). */
static void wait_for_close(struct toy *t)
{
	(void)t;
	while (!atomic_load(&closing))
		(void)usleep(1000);
	(void)usleep(100000);
}

START_TEST(housekeeping_ends_before_what_it_uses)
{
	struct fixture f;

	fixture_begin(&f);
	atomic_store(&closing, false);
	f.toy.on_tick = wait_for_close;
	ck_ok(store_start(f.toy.store));
	ck_ok(toy_set(&f.toy, 1, 1));
	while (atomic_load(&f.toy.n_ticks) < 1)
		(void)usleep(1000);
	atomic_store(&closing, true);
	ck_ok(toy_close(&f.toy));
	f.toy.on_tick = NULL;
	ck_ok(toy_open(&f.toy, f.dir));
	expect_value(&f.toy, 1, 1);
	fixture_end(&f);
}
END_TEST

Suite *suite_store(void)
{
	const TTest *const tests[] = {
		empty_store_opens_again,
		values_survive_a_close,
		closed_store_is_three_things,
		chunks_come_back,
		equal_bytes_are_stored_once,
		what_was_synced_survives_a_crash,
		lost_index_is_replayed,
		a_wide_gap_is_one_finding,
		zeros_behind_a_footer,
		second_opener_is_refused,
		housekeeping_ticks_and_commits,
		housekeeping_ends_before_what_it_uses,
	};

	return suite_of("store/store", tests, ARRAY_LEN(tests), 60);
}
