/* SPDX-License-Identifier: MIT */
/*
 * test_fault.c - every call that touches a file fails once; then power cuts.
 *
 * A workload sets keys to growing numbers, so what a store holds afterwards
 * tells how many of the changes it has: they must be the first ones, at least
 * as many as were acknowledged by commit_sync().
 */
#include "unit/store/suites.h"

#include "base/report.h"
#include "lib/fault.h"
#include "lib/rng.h"
#include "lib/suite.h"
#include "lib/tape.h"
#include "store/state.h"
#include "unit/store/fixture.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
	N_KEYS = 7,       /* keys 1..N_KEYS hold numbers */
	PUT_KEYS = 3,     /* keys 20.. hold chunks */
	SMALL_STEPS = 40, /* changes of a workload */
	PUT_LEN = 3000,
};

struct load {
	struct fixture f;
	unsigned done;   /* changes that were made */
	unsigned acked;  /* changes that are durable for sure */
	unsigned failed; /* calls that said no */
};

static void put_bytes(unsigned i, uint8_t *dst)
{
	struct rng rng = rng_of(i);

	rng_fill(&rng, dst, PUT_LEN);
}

/* Change number i, from 1. */
static int change(struct load *l, unsigned i)
{
	uint8_t bytes[PUT_LEN];

	if (i % 5 != 0)
		return toy_set(&l->f.toy, i % N_KEYS + 1, i);
	put_bytes(i, bytes);
	return toy_put(&l->f.toy, 20 + i % PUT_KEYS, span_of(bytes, PUT_LEN));
}

static void step(struct load *l, unsigned i)
{
	struct store *s = l->f.toy.store;
	int rc = change(l, i);

	if (rc == 0)
		l->done = i;
	else
		l->failed++;
	if (i % 8 == 0 && rc == 0) {
		if (commit_sync(s, txn_mark(s)) == 0)
			l->acked = i;
		else
			l->failed++;
	}
	if (i % 11 == 0)
		(void)commit_flush(s);
}

/* How many changes the store has, seen by its largest number. */
static unsigned newest(struct toy *t)
{
	struct toy_row row;
	unsigned most = 0;
	uint64_t key;

	for (key = 1; key <= N_KEYS; key++) {
		if (toy_get(t, key, &row) == 1 && row.value > most)
			most = (unsigned)row.value;
	}
	return most;
}

/* The last change of `key` among the first `n`; 0: none. */
static unsigned last_set(uint64_t key, unsigned n)
{
	for (; n > 0; n--) {
		if (n % 5 != 0 && n % N_KEYS + 1 == key)
			return n;
	}
	return 0;
}

static unsigned last_put(uint64_t key, unsigned n)
{
	for (; n > 0; n--) {
		if (n % 5 == 0 && 20 + n % PUT_KEYS == key)
			return n;
	}
	return 0;
}

/* Whether the chunks are those after `n` changes. */
static bool puts_are(struct toy *t, unsigned n)
{
	uint8_t bytes[PUT_LEN];
	struct toy_row row;
	uint64_t key;

	for (key = 20; key < 20 + PUT_KEYS; key++) {
		unsigned i = last_put(key, n);

		if ((toy_get(t, key, &row) == 1) != (i != 0))
			return false;
		if (i == 0)
			continue;
		put_bytes(i, bytes);
		if (!toy_holds(t, key, span_of(bytes, PUT_LEN)))
			return false;
	}
	return true;
}

/* The store holds the first m changes, acked <= m <= tried. */
static void expect_prefix(struct load *l, unsigned tried)
{
	struct toy *t = &l->f.toy;
	unsigned m = newest(t);
	struct toy_row row;
	uint64_t key;

	for (key = 1; key <= N_KEYS; key++) {
		unsigned want = last_set(key, m);

		ck_assert_int_eq(toy_get(t, key, &row), want != 0);
		if (want != 0)
			ck_assert_uint_eq(row.value, want);
	}
	/* A chunk's change may have come after the largest number. */
	ck_assert(puts_are(t, m) || puts_are(t, m + 1));
	if (m < l->acked)
		m = m + 1 == l->acked && puts_are(t, m + 1) ? m + 1 : m;
	ck_assert_uint_ge(m, l->acked);
	ck_assert_uint_le(m, tried);
	ck_assert_uint_eq(toy_check(t), 0);
}

/* Runs the workload with the n-th call failing. False: none was left. */
static bool run_faulty(unsigned calls, unsigned n, int err, bool lasting)
{
	struct load l = { .done = 0 };
	unsigned i;
	bool hit;

	fixture_begin(&l.f);
	report_silence(true);
	fault_arm(calls, n, err, lasting);
	for (i = 1; i <= SMALL_STEPS; i++) {
		step(&l, i);
		/* Across a mount, too. */
		if (i == SMALL_STEPS / 2) {
			if (toy_close(&l.f.toy) == 0)
				l.acked = l.done;
			if (toy_open(&l.f.toy, l.f.dir) < 0)
				break;
		}
	}
	if (toy_close(&l.f.toy) == 0 && i > SMALL_STEPS && l.failed == 0)
		l.acked = l.done;
	hit = fault_disarm();
	ck_ok(toy_open(&l.f.toy, l.f.dir));
	ck_assert_ptr_null(store_opened(l.f.toy.store)->read_only);
	expect_prefix(&l, SMALL_STEPS);
	/* It goes on. */
	ck_ok(toy_set(&l.f.toy, 9, 9));
	fixture_sync(&l.f);
	report_silence(false);
	fixture_end(&l.f);
	return hit;
}

static void run_all(unsigned calls, int err, bool lasting)
{
	unsigned n = 1;

	while (run_faulty(calls, n, err, lasting))
		n++;
	ck_assert_uint_gt(n, 3);
}

START_TEST(each_write_fails)
{
	run_all(FAULT_WRITES, -EIO, true);
	run_all(FAULT_WRITES, -ENOSPC, true);
	run_all(FAULT_WRITES, -ENOSPC, false);
}
END_TEST

START_TEST(each_sync_fails)
{
	run_all(FAULT_SYNCS, -EIO, true);
	run_all(FAULT_SYNCS, -EIO, false);
}
END_TEST

START_TEST(each_open_fails)
{
	run_all(FAULT(CALL_OPEN), -EIO, false);
	run_all(FAULT(CALL_OPEN), -ENOSPC, true);
	run_all(FAULT(CALL_OPEN), -EMFILE, false);
}
END_TEST

START_TEST(each_of_the_rest_fails)
{
	run_all(FAULT(CALL_PREAD), -EIO, false);
	run_all(FAULT_IO, -EIO, true);
	(void)run_faulty(FAULT(CALL_FTRUNCATE), 1, -EIO, true);
}
END_TEST

START_TEST(full_disk_takes_the_reserve)
{
	struct fixture f;

	fixture_begin(&f);
	ck_assert(file_exists(f.dir, "reserve"));
	ck_ok(toy_set(&f.toy, 1, 1));
	fixture_sync(&f);
	fault_arm(FAULT_WRITES, 1, -ENOSPC, false);
	ck_ok(toy_set(&f.toy, 2, 2));
	fixture_sync(&f);
	ck_assert(fault_disarm());
	ck_assert(!file_exists(f.dir, "reserve"));
	fixture_reopen(&f);
	ck_assert(file_exists(f.dir, "reserve"));
	expect_value(&f.toy, 2, 2);
	ck_ok(toy_close(&f.toy));
	ck_assert(!file_exists(f.dir, "reserve"));
	tmpdir_release(&f.tmp);
}
END_TEST

START_TEST(making_a_store_fails_and_leaves_nothing)
{
	struct store_create_options options = { .label = NULL };
	struct tmpdir tmp;
	char dir[512];
	unsigned n;
	int rc = -1;

	tmpdir_init(&tmp);
	(void)snprintf(dir, sizeof(dir), "%s/store", tmp.path);
	for (n = 1; rc < 0; n++) {
		fault_arm(FAULT_WRITES | FAULT_SYNCS | FAULT(CALL_OPEN) |
				  FAULT_NAMES,
			  n, -EIO, false);
		rc = store_create(dir, &options);
		if (!fault_disarm())
			break;
		ck_rc(rc, -EIO);
		ck_assert_int_ne(access(dir, F_OK), 0);
	}
	ck_ok(rc);
	ck_rc(store_create(dir, &options), -EEXIST);
	ck_rc(store_create(tmp.path, &options), -ENOTEMPTY);
	tmpdir_release(&tmp);
}
END_TEST

START_TEST(after_a_failure_nothing_is_changed)
{
	struct fixture f;

	fixture_begin(&f);
	ck_ok(toy_set(&f.toy, 1, 1));
	report_silence(true);
	fault_arm(FAULT_SYNCS, 1, -EIO, false);
	ck_rc(commit_sync(f.toy.store, txn_mark(f.toy.store)), -EIO);
	(void)fault_disarm();
	/* A sync that failed is not made good by the next one. */
	ck_rc(commit_sync(f.toy.store, txn_mark(f.toy.store)), -EIO);
	ck_rc(toy_set(&f.toy, 2, 2), -EROFS);
	ck_rc(store_writable(f.toy.store), -EROFS);
	expect_value(&f.toy, 1, 1);
	ck_rc(toy_close(&f.toy), -EIO);
	report_silence(false);
	tmpdir_release(&f.tmp);
}
END_TEST

/* ---- power cuts ---------------------------------------------------------- */

static void copy_index(const char *from, const char *to)
{
	static const char *const names[] = { "index.db", "index.db-wal" };
	uint8_t *bytes = malloc(16 << 20);
	size_t i;

	for (i = 0; i < ARRAY_LEN(names); i++) {
		if (!file_exists(from, names[i]))
			continue;
		file_write(to, names[i],
			   span_of(bytes,
				   file_read(from, names[i], bytes, 16 << 20)));
	}
	free(bytes);
}

/* The index as far as it ever got, the log as little as it may be. */
static void cut_and_look(struct load *l, struct rng *rng, unsigned tried)
{
	struct tape_cut cut = { .at = tape_here(),
				.percent = (unsigned)rng_below(rng, 3) * 50,
				.seed = rng_u64(rng) };
	struct load after = *l;
	uint64_t begun, answered;

	tape_restore(&cut, l->f.other, &begun, &answered);
	if (rng_below(rng, 4) > 0)
		copy_index(l->f.dir, l->f.other);
	memset(&after.f.toy, 0, sizeof(after.f.toy));
	after.f.toy.options = l->f.toy.options;
	ck_ok(toy_open(&after.f.toy, l->f.other));
	ck_assert_ptr_null(store_opened(after.f.toy.store)->read_only);
	expect_prefix(&after, tried);
	ck_ok(toy_close(&after.f.toy));
	remove_tree(l->f.other);
}

static void power_run(unsigned seed)
{
	struct load l = { .done = 0 };
	struct rng rng = rng_of(seed);
	unsigned i;

	fixture_name(&l.f);
	tape_begin(l.f.dir, TAPE_HONEST);
	toy_make(&l.f.toy, l.f.dir);
	/* Then there is always a rest for the index commit to sync. */
	l.f.toy.noisy = seed % 2;
	for (i = 1; i <= 100; i++) {
		step(&l, i);
		if (rng_below(&rng, 20) == 0) {
			fixture_reopen(&l.f);
			l.acked = i;
		}
		if (rng_below(&rng, 6) == 0)
			ck_ok(index_commit(l.f.toy.store));
		if (rng_below(&rng, 10) == 0)
			cut_and_look(&l, &rng, i);
	}
	fixture_end(&l.f);
	tape_free();
}

START_TEST(power_cuts)
{
	unsigned seed;

	report_silence(true);
	for (seed = 1; seed <= 30; seed++)
		power_run(seed);
	report_silence(false);
}
END_TEST

Suite *suite_fault(void)
{
	const TTest *const tests[] = {
		each_write_fails,
		each_sync_fails,
		each_open_fails,
		each_of_the_rest_fails,
		full_disk_takes_the_reserve,
		making_a_store_fails_and_leaves_nothing,
		after_a_failure_nothing_is_changed,
		power_cuts,
	};

	return suite_of("store/fault", tests, ARRAY_LEN(tests), 300);
}
