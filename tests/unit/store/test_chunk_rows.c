/* SPDX-License-Identifier: MIT */
/*
 * test_chunk_rows.c - many chunks in one row: what was set is found, whatever is
 * in memory, and rows that make no sense are told.
 */
#include "unit/store/suites.h"

#include "lib/rng.h"
#include "lib/suite.h"
#include "store/bank.h"
#include "store/chunk_rows.h"
#include "unit/store/bed.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { IDS = 1000 };

static void begin(struct bed *b, struct chunk_rows *c)
{
	bed_begin(b);
	ck_ok(chunk_rows_attach(c, b->index.db));
}

static void expect_same(const struct bank_chunk *a, const struct bank_chunk *b)
{
	ck_assert_uint_eq(a->id, b->id);
	ck_assert_uint_eq(a->frame, b->frame);
	ck_assert_uint_eq(a->refs, b->refs);
	ck_assert_uint_eq(a->len, b->len);
}

static struct bank_chunk random_chunk(struct rng *r, uint64_t id)
{
	struct bank_chunk c = { .id = id, .refs = 1 };

	c.frame = rng_below(r, 4) ? 1 + id / 50 : rng_u64(r);
	if (rng_below(r, 4) == 0)
		c.refs = rng_u64(r) >> rng_below(r, 64);
	c.len = (uint32_t)rng_below(r, (4 << 20) + 1);
	return c;
}

/* All of `all` and nothing else; an id of 0: none. */
static void expect_all(struct chunk_rows *c, const struct bank_chunk *all)
{
	struct bank_chunk got = { .id = 0 };
	uint64_t id;

	for (id = 1; id < IDS; id++) {
		if (all[id].id == 0)
			continue;
		ck_assert_int_eq(chunk_rows_next(c, got.id, &got), 1);
		expect_same(&got, &all[id]);
	}
	ck_assert_int_eq(chunk_rows_next(c, got.id, &got), 0);
	for (id = IDS - 1; id > 0; id--) {
		if (all[id].id == 0) {
			ck_rc(chunk_rows_get(c, id, &got), -ENOENT);
			continue;
		}
		ck_ok(chunk_rows_get(c, id, &got));
		expect_same(&got, &all[id]);
	}
}

START_TEST(as_a_plain_table)
{
	struct bank_chunk *all = calloc(IDS, sizeof(*all));
	struct rng r = rng_of(1);
	struct chunk_rows c;
	struct bed b;
	unsigned i;

	ck_assert_ptr_nonnull(all);
	begin(&b, &c);
	for (i = 0; i < 20000; i++) {
		uint64_t id = 1 + rng_below(&r, IDS - 1);

		if (rng_below(&r, i < 10000 ? 4 : 2) == 0) {
			all[id].id = 0;
			ck_ok(chunk_rows_drop(&c, id));
		} else {
			all[id] = random_chunk(&r, id);
			ck_ok(chunk_rows_set(&c, &all[id]));
		}
		if (i % 4000 == 0)
			expect_all(&c, all);
	}
	expect_all(&c, all);
	ck_ok(chunk_rows_flush(&c));
	chunk_rows_forget(&c);
	expect_all(&c, all);
	/* None is left. */
	for (i = 1; i < IDS; i++)
		ck_ok(chunk_rows_drop(&c, i));
	memset(all, 0, IDS * sizeof(*all));
	expect_all(&c, all);
	free(all);
	bed_end(&b);
}
END_TEST

START_TEST(what_was_not_flushed_is_forgotten)
{
	struct bank_chunk chunk = { .id = 7, .frame = 3, .refs = 1, .len = 9 };
	struct bank_chunk got;
	struct chunk_rows c;
	struct bed b;

	begin(&b, &c);
	ck_ok(chunk_rows_set(&c, &chunk));
	ck_ok(chunk_rows_flush(&c));
	chunk.refs = 2;
	ck_ok(chunk_rows_set(&c, &chunk));
	chunk_rows_forget(&c);
	ck_ok(chunk_rows_get(&c, 7, &got));
	ck_assert_uint_eq(got.refs, 1);
	ck_ok(chunk_rows_set(&c, &chunk));
	ck_ok(chunk_rows_clear(&c));
	ck_rc(chunk_rows_get(&c, 7, &got), -ENOENT);
	ck_ok(chunk_rows_flush(&c));
	ck_assert_int_eq(chunk_rows_next(&c, 0, &got), 0);
	bed_end(&b);
}
END_TEST

START_TEST(usual_chunks_take_little)
{
	struct db_stmt *s;
	struct chunk_rows c;
	struct bed b;
	uint64_t id;

	begin(&b, &c);
	for (id = 64; id < 128; id++) {
		struct bank_chunk chunk = {
			.id = id, .frame = 1000, .refs = 1, .len = 5000
		};

		ck_ok(chunk_rows_set(&c, &chunk));
	}
	ck_ok(chunk_rows_flush(&c));
	ck_ok(db_prepare(b.index.db,
			 "SELECT count(*), sum(length(rows)) FROM chunk", &s));
	ck_assert_int_eq(db_step(s), 1);
	ck_assert_uint_eq(db_column_u64(s, 0), 1);
	ck_assert_uint_eq(db_column_u64(s, 1), 64 * 3 + 2);
	db_stmt_free(s);
	bed_end(&b);
}
END_TEST

static int get_from(struct bed *b, const char *row)
{
	char sql[200];
	struct chunk_rows c;
	struct bank_chunk got;

	(void)snprintf(sql, sizeof(sql),
		       "INSERT OR REPLACE INTO chunk VALUES(0, x'%s')", row);
	ck_ok(db_exec(b->index.db, sql));
	ck_ok(chunk_rows_attach(&c, b->index.db));
	return chunk_rows_get(&c, 1, &got);
}

START_TEST(rows_that_make_no_sense)
{
	struct chunk_rows c;
	struct bed b;

	begin(&b, &c);
	/* A gap of one, then frame 1, length 5. */
	ck_ok(get_from(&b, "050205"));
	ck_rc(get_from(&b, "0502"), -EUCLEAN);
	ck_rc(get_from(&b, "05"), -EUCLEAN);
	ck_rc(get_from(&b, "0702"), -EUCLEAN);
	ck_rc(get_from(&b, "05028180"), -EUCLEAN);
	/* Longer than a chunk. */
	ck_ok(get_from(&b, "050280808002"));
	ck_rc(get_from(&b, "050281808002"), -EUCLEAN);
	/* The last slot, and one behind it. */
	ck_rc(get_from(&b, "fd010205"), -ENOENT);
	ck_rc(get_from(&b, "fd0102050005"), -EUCLEAN);
	ck_rc(get_from(&b, "81020205"), -EUCLEAN);
	ck_rc(get_from(&b, "fdffffffffffffffff010205"), -EUCLEAN);
	bed_end(&b);
}
END_TEST

Suite *suite_chunk_rows(void)
{
	const TTest *const tests[] = {
		as_a_plain_table,
		what_was_not_flushed_is_forgotten,
		usual_chunks_take_little,
		rows_that_make_no_sense,
	};

	return suite_of("store/chunk_rows", tests, ARRAY_LEN(tests), 60);
}
