/* SPDX-License-Identifier: MIT */
/*
 * test_checkpoint.c - the index comes back from a checkpoint, without what came
 * before it; a checkpoint that is not whole is never believed.
 */
#include "unit/store/suites.h"

#include "base/report.h"
#include "lib/fault.h"
#include "lib/rng.h"
#include "lib/suite.h"
#include "store/checkpoint.h"
#include "store/chunk.h"
#include "store/rounds.h"
#include "store/state.h"
#include "unit/store/fixture.h"

#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

enum { N_CHUNKS = 60, CHUNK = 20000 };

static void bytes_of(uint64_t seed, uint8_t *dst)
{
	struct rng rng = rng_of(seed + 1);

	rng_fill(&rng, dst, CHUNK);
}

static void put(struct toy *t, uint64_t key, uint64_t seed)
{
	uint8_t bytes[CHUNK];

	bytes_of(seed, bytes);
	ck_ok(toy_put(t, key, span_of(bytes, CHUNK)));
}

static void expect(struct toy *t, uint64_t key, uint64_t seed)
{
	uint8_t bytes[CHUNK];

	bytes_of(seed, bytes);
	toy_expect(t, key, span_of(bytes, CHUNK));
}

static void checkpoint(struct fixture *f)
{
	ck_ok(checkpoint_write(f->toy.store));
}

/* Small segments, so that there are several. */
static void begin(struct fixture *f)
{
	fixture_begin(f);
	f->toy.options.segment_len = 256 << 10;
	fixture_reopen(f);
}

static void forget_index(const char *dir)
{
	file_remove(dir, "index.db");
	if (file_exists(dir, "index.db-wal"))
		file_remove(dir, "index.db-wal");
}

/* Closes; the index goes, and so do all segments before the newest round. */
static void lose_files(struct fixture *f, bool segments)
{
	uint64_t start = f->toy.store->kept.start;
	uint64_t number;
	char name[64];

	ck_ok(toy_close(&f->toy));
	forget_index(f->dir);
	for (number = 1; segments && number < start; number++) {
		(void)snprintf(name, sizeof(name), "log/%010llu.seg",
			       (unsigned long long)number);
		file_remove(f->dir, name);
	}
}

static void lose(struct fixture *f, bool segments)
{
	lose_files(f, segments);
	ck_ok(toy_open(&f->toy, f->dir));
}

static void fill(struct fixture *f)
{
	uint64_t i;

	for (i = 0; i < N_CHUNKS; i++) {
		put(&f->toy, i, i);
		ck_ok(toy_set(&f->toy, 2000 + i, i * i));
	}
	/* Some that nobody refers to, some twice. */
	for (i = 0; i < N_CHUNKS; i += 10)
		put(&f->toy, i, i + 1);
	ck_ok(toy_del(&f->toy, 2001));
	fixture_sync(f);
}

static void expect_filled(struct fixture *f)
{
	struct toy_row row;
	uint64_t i;

	for (i = 0; i < N_CHUNKS; i++) {
		expect(&f->toy, i, i % 10 == 0 ? i + 1 : i);
		if (i != 1)
			expect_value(&f->toy, 2000 + i, i * i);
	}
	ck_assert_int_eq(toy_get(&f->toy, 2001, &row), 0);
	ck_assert_uint_eq(toy_check(&f->toy), 0);
}

START_TEST(rebuilt_without_what_came_before)
{
	struct store_stats before;
	struct store_stats after;
	struct fixture f;

	begin(&f);
	fill(&f);
	checkpoint(&f);
	ck_ok(store_stat(f.toy.store, &before));
	ck_assert_uint_gt(f.toy.store->kept.start, 2);
	lose(&f, true);
	ck_assert(store_opened(f.toy.store)->rebuilt);
	ck_assert(store_opened(f.toy.store)->from_checkpoint);
	ck_assert_ptr_null(store_opened(f.toy.store)->read_only);
	ck_ok(store_stat(f.toy.store, &after));
	ck_assert_mem_eq(before.totals, after.totals, sizeof(before.totals));
	/* Reading the frames that are gone is another matter. */
	ck_assert_uint_eq(toy_count(&f.toy), 2 * N_CHUNKS - 1);
	fixture_end(&f);
}
END_TEST

START_TEST(rebuilt_with_all_segments)
{
	struct fixture f;

	begin(&f);
	fill(&f);
	checkpoint(&f);
	lose(&f, false);
	ck_assert(store_opened(f.toy.store)->from_checkpoint);
	expect_filled(&f);
	/* No id is given twice. */
	put(&f.toy, 900, 900);
	expect(&f.toy, 900, 900);
	expect_filled(&f);
	fixture_reopen(&f);
	expect_filled(&f);
	fixture_end(&f);
}
END_TEST

/* What changes while a round is written: behind and before the page at hand,
 * and chunks that come between the bank's page and the user's. */
static void change_more(struct toy *t)
{
	struct fixture *f = (void *)((char *)t - offsetof(struct fixture, toy));

	t->on_dump = NULL;
	index_unlock(t->store);
	put(t, 500, 500);
	put(t, 5, 501);
	ck_ok(toy_del(t, 7));
	ck_ok(toy_set(t, 1000000, 1));
	fixture_sync(f);
	index_lock(t->store);
}

START_TEST(changes_during_a_round_are_there)
{
	struct fixture f;
	struct toy_row row;

	begin(&f);
	fill(&f);
	f.toy.on_dump = change_more;
	checkpoint(&f);
	put(&f.toy, 6, 502);
	fixture_sync(&f);
	lose(&f, false);
	ck_assert(store_opened(f.toy.store)->from_checkpoint);
	expect(&f.toy, 500, 500);
	expect(&f.toy, 5, 501);
	expect(&f.toy, 6, 502);
	ck_assert_int_eq(toy_get(&f.toy, 7, &row), 0);
	expect_value(&f.toy, 1000000, 1);
	ck_assert_uint_eq(toy_check(&f.toy), 0);
	fixture_end(&f);
}
END_TEST

static unsigned n_held;

static void count_held(struct toy *t)
{
	n_held += t->held_key != 0;
}

/* The record of a part may begin a segment, so that what lies before it is
 * committed: half a change must not. */
START_TEST(nothing_is_held_back_by_a_round)
{
	struct fixture f;

	begin(&f);
	fill(&f);
	ck_ok(toy_set(&f.toy, 3, 30));
	toy_hold(&f.toy, 4, 40);
	n_held = 0;
	f.toy.on_dump = count_held;
	checkpoint(&f);
	ck_assert_uint_eq(n_held, 0);
	f.toy.on_dump = NULL;
	expect_value(&f.toy, 4, 40);
	fixture_end(&f);
}
END_TEST

/* The END of the newest round, found in the log. */
static struct round find(struct fixture *f)
{
	struct context *x = context_get(f->toy.store->contexts);
	struct round round = { .seq = 0 };

	(void)rounds_find(f->toy.store->segments, x, UINT64_MAX, &round);
	context_put(f->toy.store->contexts, x);
	return round;
}

START_TEST(the_newest_round_is_found)
{
	struct round first;
	struct round second;
	struct fixture f;

	begin(&f);
	ck_assert_uint_eq(find(&f).seq, 0);
	fill(&f);
	checkpoint(&f);
	first = find(&f);
	ck_assert_uint_eq(first.end.segment, f.toy.store->kept.start);
	ck_assert_uint_gt(first.end.n_parts, 3);
	put(&f.toy, 800, 800);
	checkpoint(&f);
	second = find(&f);
	ck_assert_uint_gt(second.seq, first.end_seq);
	ck_assert_uint_eq(second.end.earlier, first.end.segment);
	/* Through headers, from segments that hold no END. */
	fill(&f);
	fill(&f);
	fixture_reopen(&f);
	put(&f.toy, 801, 801);
	ck_assert_uint_eq(find(&f).seq, second.seq);
	fixture_end(&f);
}
END_TEST

/* A bad byte in a part: an older round, or the log from its beginning. */
static void rebuild_damaged(unsigned n_rounds)
{
	static uint8_t bytes[4 << 20];
	struct round round;
	struct fixture f;
	char name[64];
	size_t len;

	begin(&f);
	while (n_rounds-- > 0) {
		fill(&f);
		checkpoint(&f);
	}
	/* A commit that proves that the round was durable. */
	ck_ok(toy_set(&f.toy, 1000000, 1));
	fixture_sync(&f);
	round = find(&f);
	ck_ok(toy_close(&f.toy));
	forget_index(f.dir);
	(void)snprintf(name, sizeof(name), "log/%010llu.seg",
		       (unsigned long long)round.end_segment);
	len = file_read(f.dir, name, bytes, sizeof(bytes));
	/* The record before END and COMMIT is a part's end. */
	ck_assert_uint_gt(len, 600);
	ck_assert_uint_eq(round.end.segment, round.end_segment);
	bytes[round.end.off + 60] ^= 1;
	file_write(f.dir, name, span_of(bytes, len));
	report_silence(true);
	ck_ok(toy_open(&f.toy, f.dir));
	/* Damage is damage, also for the older round: but all before is there. */
	ck_assert_ptr_nonnull(store_opened(f.toy.store)->read_only);
	ck_assert(!f.toy.store->rebuilding);
	ck_assert_uint_eq(toy_count(&f.toy), 2 * N_CHUNKS - 1);
	report_silence(false);
	fixture_end(&f);
}

START_TEST(a_damaged_round_is_not_believed)
{
	rebuild_damaged(1);
	rebuild_damaged(2);
}
END_TEST

/* Another process opens the store, and ends when it has come to the key. */
static void end_at(struct fixture *f, uint64_t key)
{
	int status = 0;
	pid_t pid = fork();

	ck_assert_int_ge(pid, 0);
	if (pid == 0) {
		report_silence(true);
		f->toy.end_key = key;
		_exit(toy_open(&f->toy, f->dir) < 0);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert(WIFEXITED(status));
	ck_assert_int_eq(WEXITSTATUS(status), TOY_ENDED);
}

/* So many rows that it is saved on the way, and so long ones that the round is of
 * several groups. Whether it ended before that or after: it is begun anew, and not
 * taken for an index of the log's beginning, which is gone. */
START_TEST(half_a_rebuild_is_no_index)
{
	enum { FIRST = 3000, N = 60000 };
	struct rng rng = rng_of(6);
	struct rng again = rng;
	struct fixture f;
	uint64_t i;

	begin(&f);
	for (i = 0; i < N; i++)
		ck_ok(toy_set(&f.toy, FIRST + i, rng_u64(&rng)));
	fixture_reopen(&f);
	checkpoint(&f);
	ck_assert_uint_gt(f.toy.store->kept.start, 1);
	lose_files(&f, true);
	end_at(&f, FIRST + N / 2);
	end_at(&f, FIRST + N - 1);
	report_silence(true);
	ck_ok(toy_open(&f.toy, f.dir));
	report_silence(false);
	ck_assert(store_opened(f.toy.store)->rebuilt);
	ck_assert(store_opened(f.toy.store)->from_checkpoint);
	ck_assert_ptr_null(store_opened(f.toy.store)->read_only);
	ck_assert_uint_eq(toy_count(&f.toy), N);
	expect_value(&f.toy, FIRST, rng_u64(&again));
	fixture_end(&f);
}
END_TEST

/* Cut off in the middle of a round: it counts for nothing. */
START_TEST(half_a_round_counts_for_nothing)
{
	struct fixture f;
	bool whole = false;
	unsigned n;

	for (n = 1; !whole; n++) {
		begin(&f);
		fill(&f);
		report_silence(true);
		fault_arm(FAULT_WRITES | FAULT_SYNCS, n, -EIO, true);
		whole = checkpoint_write(f.toy.store) == 0;
		(void)fault_disarm();
		toy_crash(&f.toy, f.dir, f.other);
		forget_index(f.other);
		ck_ok(toy_open(&f.toy, f.other));
		report_silence(false);
		ck_assert_ptr_null(store_opened(f.toy.store)->read_only);
		/* What failed to be synced may be there all the same. */
		if (whole || n < 2)
			ck_assert_uint_eq(
				store_opened(f.toy.store)->from_checkpoint,
				whole);
		expect_filled(&f);
		fixture_end(&f);
	}
	ck_assert_uint_gt(n, 2);
}
END_TEST

START_TEST(due_when_operations_outweigh_it)
{
	struct fixture f;
	uint64_t i;

	begin(&f);
	f.toy.options.checkpoint_len = 4096;
	fixture_reopen(&f);
	ck_assert(!checkpoint_due(f.toy.store));
	for (i = 0; i < 3000; i++) {
		ck_ok(toy_set(&f.toy, 5000 + i, i * 0x9e3779b97f4a7c15));
		if (i % 100 == 0)
			fixture_sync(&f);
	}
	fixture_sync(&f);
	ck_assert(checkpoint_due(f.toy.store));
	checkpoint(&f);
	ck_assert(!checkpoint_due(f.toy.store));
	/* Also after it was opened again. */
	fixture_reopen(&f);
	ck_assert(!checkpoint_due(f.toy.store));
	ck_assert_uint_gt(f.toy.store->kept.len, 0);
	fixture_end(&f);
}
END_TEST

Suite *suite_checkpoint(void)
{
	const TTest *const tests[] = {
		rebuilt_without_what_came_before,
		rebuilt_with_all_segments,
		changes_during_a_round_are_there,
		nothing_is_held_back_by_a_round,
		the_newest_round_is_found,
		a_damaged_round_is_not_believed,
		half_a_rebuild_is_no_index,
		half_a_round_counts_for_nothing,
		due_when_operations_outweigh_it,
	};

	return suite_of("store/checkpoint", tests, ARRAY_LEN(tests), 60);
}
