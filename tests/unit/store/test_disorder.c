/* SPDX-License-Identifier: MIT */
/*
 * test_disorder.c - tables of the index in which the way from row to row leads back:
 * who goes through them comes to an end.
 */
#include "unit/store/suites.h"

#include "base/report.h"
#include "lib/disorder.h"
#include "lib/suite.h"
#include "store/checkpoint.h"
#include "store/scrub.h"
#include "store/state.h"
#include "unit/store/fixture.h"

#include <stdio.h>

enum { N_KEYS = 300, STEPS_MAX = 10 * N_KEYS };

static struct fixture f;

/* A store with a frame for each key, and some rows of chunks. */
static void begin(void)
{
	uint64_t key;

	report_silence(true);
	fixture_begin(&f);
	for (key = 0; key < N_KEYS; key++)
		ck_ok(toy_put(&f.toy, key, span_of(&key, sizeof(key))));
}

static unsigned root_of_frames(void)
{
	struct db_stmt *s;
	unsigned root;

	index_lock(f.toy.store);
	ck_ok(db_prepare(f.toy.store->index.db,
			 "SELECT rootpage FROM sqlite_master WHERE name = "
			 "'frame'",
			 &s));
	ck_assert_int_eq(db_step(s), 1);
	root = (unsigned)db_column_u64(s, 0);
	db_stmt_free(s);
	index_unlock(f.toy.store);
	return root;
}

static void begin_without_order_of_frames(void)
{
	char path[600];
	unsigned root;

	begin();
	root = root_of_frames();
	ck_ok(toy_close(&f.toy));
	(void)snprintf(path, sizeof(path), "%s/index.db", f.dir);
	disorder(path, root);
	ck_ok(toy_open(&f.toy, f.dir));
}

/* The last row is one whose chunks have numbers that are too large. */
static void begin_with_chunks_beyond_all(void)
{
	begin();
	fixture_reopen(&f);
	index_lock(f.toy.store);
	ck_ok(db_exec(f.toy.store->index.db,
		      "UPDATE chunk SET block = (1 << 58) + 1 WHERE block = "
		      "(SELECT max(block) FROM chunk)"));
	index_unlock(f.toy.store);
	fixture_reopen(&f);
}

static void end(void)
{
	/* What it has to say of the end is another matter. */
	(void)toy_close(&f.toy);
	tmpdir_release(&f.tmp);
	report_silence(false);
}

START_TEST(frames_come_to_an_end)
{
	struct bank_frame_row row = { .place = { .frame = 0 } };
	unsigned n = 0;
	int rc;

	begin_without_order_of_frames();
	index_lock(f.toy.store);
	do {
		rc = bank_next_frame(f.toy.store->bank, row.place.frame, &row);
		ck_assert_uint_lt(n++, STEPS_MAX);
	} while (rc == 1);
	index_unlock(f.toy.store);
	ck_rc(rc, -EUCLEAN);
	end();
}
END_TEST

START_TEST(chunks_come_to_an_end)
{
	struct bank_chunk chunk = { .id = 0 };
	unsigned n = 0;
	int rc;

	begin_with_chunks_beyond_all();
	index_lock(f.toy.store);
	do {
		rc = bank_next_chunk(f.toy.store->bank, chunk.id, &chunk);
		ck_assert_uint_lt(n++, STEPS_MAX);
	} while (rc == 1);
	index_unlock(f.toy.store);
	ck_rc(rc, -EUCLEAN);
	end();
}
END_TEST

/* Else it would be written for ever. */
START_TEST(no_checkpoint_is_made_of_it)
{
	begin_without_order_of_frames();
	ck_rc(checkpoint_write(f.toy.store), -EUCLEAN);
	end();
	begin_with_chunks_beyond_all();
	ck_rc(checkpoint_write(f.toy.store), -EUCLEAN);
	end();
}
END_TEST

static int step(void *ctx, const struct scrub_pass *pass)
{
	unsigned *n = ctx;

	(void)pass;
	ck_assert_uint_lt((*n)++, STEPS_MAX);
	return 0;
}

static void found(void *ctx, const struct scrub_damage *damage)
{
	(void)ctx;
	(void)damage;
}

START_TEST(scrub_ends)
{
	unsigned n = 0;
	const struct scrub_watch watch = { &n, step, found };
	struct scrub_pass pass = { .last = 0 };

	begin_without_order_of_frames();
	ck_rc(scrub_run(f.toy.store, &pass, &watch), -EUCLEAN);
	end();
}
END_TEST

Suite *suite_disorder(void)
{
	const TTest *const tests[] = {
		frames_come_to_an_end,
		chunks_come_to_an_end,
		no_checkpoint_is_made_of_it,
		scrub_ends,
	};

	return suite_of("store/disorder", tests, ARRAY_LEN(tests), 60);
}
