/* SPDX-License-Identifier: MIT */
/*
 * test_commit.c - many threads change, sync, read; the index is committed
 * meanwhile.
 */
#include "unit/store/suites.h"

#include "base/varint.h"
#include "lib/rng.h"
#include "lib/suite.h"
#include "store/chunk.h"
#include "store/ingest.h"
#include "store/state.h"
#include "unit/store/fixture.h"

#include <pthread.h>
#include <stdlib.h>

enum { N_THREADS = 4, N_CHANGES = 150, PUT_LEN = 20000 };

struct mutator {
	struct fixture *f;
	unsigned index;
	atomic_uint acked; /* the last change that is durable */
	atomic_bool failed;
	pthread_t thread;
};

static void put_bytes(unsigned seed, uint8_t *dst)
{
	struct rng rng = rng_of(seed);

	rng_fill(&rng, dst, PUT_LEN);
}

static int change(struct mutator *m, unsigned i, uint8_t *bytes)
{
	struct toy *t = &m->f->toy;
	int rc = toy_set(t, 2000 + m->index, i);

	if (rc == 0 && i % 3 == 0) {
		/* Every chunk is written by all threads: duplicates. */
		put_bytes(i, bytes);
		rc = toy_put_worker(t, 100 * m->index + i % 50,
				    span_of(bytes, PUT_LEN));
		if (rc == 0 && !toy_holds(t, 100 * m->index + i % 50,
					  span_of(bytes, PUT_LEN)))
			rc = -EUCLEAN;
	}
	if (rc == 0 && i % 4 == 0) {
		rc = commit_sync(t->store, txn_mark(t->store));
		atomic_store(&m->acked, i);
	}
	return rc;
}

static void *mutate(void *arg)
{
	struct mutator *m = arg;
	uint8_t *bytes = malloc(PUT_LEN);
	unsigned i;

	for (i = 1; i <= N_CHANGES; i++) {
		if (change(m, i, bytes) < 0)
			atomic_store(&m->failed, true);
	}
	free(bytes);
	return NULL;
}

static void run_all(struct fixture *f, struct mutator *m)
{
	unsigned i;

	for (i = 0; i < N_THREADS; i++) {
		m[i].f = f;
		m[i].index = i + 1;
		ck_ok(pthread_create(&m[i].thread, NULL, mutate, &m[i]));
	}
	for (i = 0; i < 20; i++) {
		ck_ok(index_commit(f->toy.store));
		ck_ok(commit_flush(f->toy.store));
	}
	for (i = 0; i < N_THREADS; i++) {
		ck_ok(pthread_join(m[i].thread, NULL));
		ck_assert(!atomic_load(&m[i].failed));
	}
}

START_TEST(threads_change_and_sync)
{
	struct mutator m[N_THREADS] = { { .index = 0 } };
	struct store_stats st;
	struct fixture f;
	unsigned i;

	fixture_begin(&f);
	ck_ok(store_start(f.toy.store));
	run_all(&f, m);
	ck_ok(store_stat(f.toy.store, &st));
	/* Two threads may have stored the same bytes at the same time. */
	ck_assert_uint_ge(st.totals[TOTAL_CHUNKS], N_CHANGES / 3);
	ck_assert_uint_eq(st.totals[TOTAL_CHUNKS] + st.totals[TOTAL_DUPLICATES],
			  (uint64_t)N_THREADS * (N_CHANGES / 3));
	fixture_crash(&f);
	for (i = 0; i < N_THREADS; i++) {
		struct toy_row row;

		ck_assert_int_eq(toy_get(&f.toy, 2001 + i, &row), 1);
		ck_assert_uint_ge(row.value, atomic_load(&m[i].acked));
	}
	ck_assert_uint_eq(toy_check(&f.toy), 0);
	fixture_end(&f);
}
END_TEST

START_TEST(sync_of_nothing_is_free)
{
	struct fixture f;
	size_t len;

	fixture_begin(&f);
	fixture_sync(&f);
	ck_assert(!file_exists(f.dir, SEGMENT_1));
	ck_ok(toy_set(&f.toy, 1, 1));
	fixture_sync(&f);
	len = file_len(f.dir, SEGMENT_1);
	fixture_sync(&f);
	ck_ok(commit_flush(f.toy.store));
	ck_ok(index_commit(f.toy.store));
	ck_assert_uint_eq(file_len(f.dir, SEGMENT_1), len);
	fixture_end(&f);
}
END_TEST

START_TEST(index_commit_moves_the_position)
{
	struct fixture f;

	fixture_begin(&f);
	ck_ok(toy_set(&f.toy, 1, 1));
	ck_ok(index_commit(f.toy.store));
	fixture_crash(&f);
	ck_assert(!store_opened(f.toy.store)->replayed);
	expect_value(&f.toy, 1, 1);
	fixture_end(&f);
}
END_TEST

/* SETs of keys 1000.., value 0, without chunk; long bodies. */
static void set_many(struct fixture *f, unsigned from, unsigned to)
{
	uint8_t body[30] = { 0 };
	unsigned i;

	for (i = from; i < to; i++) {
		size_t n = varint_put(body, i + 1000);

		body[n++] = 0;
		body[n++] = 0;
		ck_ok(txn_op(f->toy.store, 64, span_of(body, sizeof(body))));
	}
}

static void ignore_done(struct parcel *p, int rc)
{
	(void)p;
	ck_ok(rc);
}

/* A frame whose COMMIT is still to come must not be in the index: replay
 * would find it there already. */
START_TEST(frame_waits_for_its_commit)
{
	struct parcel *p;
	struct fixture f;

	fixture_begin(&f);
	ck_ok(toy_set(&f.toy, 1, 1));
	ck_ok(index_commit(f.toy.store));
	ck_ok(parcel_get(f.toy.store, true, &p));
	memset(p->raw, 7, 100);
	p->raw_len = 100;
	p->n_chunks = 1;
	p->chunks[0] = (struct parcel_chunk){ .len = 100 };
	p->done = ignore_done;
	ingest_run(p);
	index_lock(f.toy.store);
	ck_ok(index_write(f.toy.store, false));
	index_unlock(f.toy.store);
	ck_assert_uint_eq(bank_n_pending(f.toy.store->bank), 1);
	ck_ok(toy_set(&f.toy, 2, 2));
	fixture_sync(&f);
	fixture_crash(&f);
	ck_assert_ptr_null(store_opened(f.toy.store)->read_only);
	expect_value(&f.toy, 2, 2);
	ck_assert_uint_eq(toy_check(&f.toy), 0);
	fixture_end(&f);
}
END_TEST

START_TEST(large_transaction_is_all_or_nothing)
{
	struct fixture f;

	fixture_begin(&f);
	ck_ok(toy_set(&f.toy, 1, 1));
	fixture_sync(&f);
	ck_ok(txn_begin(f.toy.store));
	set_many(&f, 0, 390000);
	ck_ok(log_flush(f.toy.store->log));
	copy_tree(f.dir, f.other);
	set_many(&f, 390000, 400000);
	txn_end(f.toy.store);
	fixture_reopen(&f);
	ck_assert_uint_eq(toy_count(&f.toy), 400001);
	ck_ok(toy_close(&f.toy));
	/* In the middle of it: nothing. */
	ck_assert_uint_gt(file_len(f.other, SEGMENT_1), 10000);
	ck_ok(toy_open(&f.toy, f.other));
	ck_assert_ptr_null(store_opened(f.toy.store)->read_only);
	ck_assert_uint_eq(toy_count(&f.toy), 1);
	fixture_end(&f);
}
END_TEST

START_TEST(reserve_says_no_in_time)
{
	struct store_stats st;
	struct fixture f;

	fixture_begin(&f);
	ck_ok(store_stat(f.toy.store, &st));
	ck_assert_uint_gt(st.free_len, 1 << 20);
	ck_ok(store_reserve(f.toy.store, 1 << 20));
	ck_rc(store_reserve(f.toy.store, st.total_len), -ENOSPC);
	ck_rc(store_reserve(f.toy.store, st.free_len + (1 << 30)), -ENOSPC);
	ck_ok(store_reserve(f.toy.store, 1));
	fixture_end(&f);
}
END_TEST

Suite *suite_commit(void)
{
	const TTest *const tests[] = {
		threads_change_and_sync,
		sync_of_nothing_is_free,
		index_commit_moves_the_position,
		frame_waits_for_its_commit,
		large_transaction_is_all_or_nothing,
		reserve_says_no_in_time,
	};

	return suite_of("store/commit", tests, ARRAY_LEN(tests), 120);
}
