/* SPDX-License-Identifier: MIT */
/* test_spans.c - tests of src/volume/spans.c. */
#include "unit/volume/suites.h"

#include "base/cleanup.h"
#include "lib/rng.h"
#include "lib/suite.h"
#include "volume/spans.h"

#include <stdlib.h>

enum { AREA = 2 << 20 };

/* Spans, and what they should hold: bytes where `there` says so. */
struct twin {
	struct spans spans;
	struct pool *pool;
	uint64_t base; /* offset of the area */
	uint8_t *bytes;
	uint8_t *there;
};

static void twin_init(struct twin *t, uint64_t base)
{
	*t = (struct twin){ .base = base };
	ck_ok(pool_new(SPAN_MAX, 4, &t->pool));
	t->bytes = calloc(1, AREA);
	t->there = calloc(1, AREA);
	ck_assert(t->bytes && t->there);
}

static void twin_release(struct twin *t)
{
	spans_release(&t->spans, t->pool);
	ck_assert_uint_eq(t->spans.len, 0);
	pool_free(t->pool);
	free(t->bytes);
	free(t->there);
}

static void twin_write(struct twin *t, size_t at, const uint8_t *src,
		       size_t len)
{
	ck_ok(spans_write(&t->spans, t->pool, t->base + at, span_of(src, len)));
	memcpy(t->bytes + at, src, len);
	memset(t->there + at, 1, len);
}

static void twin_drop(struct twin *t, size_t from, size_t to)
{
	ck_ok(spans_drop(&t->spans, t->pool, t->base + from, t->base + to));
	if (from < to)
		memset(t->there + from, 0, to - from);
}

/* All pieces, against the area. */
static void twin_check(const struct twin *t)
{
	const struct spans *s = &t->spans;
	size_t len = 0;
	size_t at = 0;

	for (size_t i = 0; i < s->n; i++) {
		const struct dirty_span *p = &s->list[i];
		size_t off = (size_t)(p->off - t->base);

		if (p->len < 1 || p->len > SPAN_MAX ||
		    p->skip + p->len > p->cap || off < at)
			ck_abort_msg("piece %zu is not sound", i);
		if (memchr(t->there + at, 1, off - at) ||
		    memchr(t->there + off, 0, p->len) ||
		    memcmp(t->bytes + off, span_bytes(p), p->len) != 0)
			ck_abort_msg("piece %zu is not what was written", i);
		at = off + p->len;
		len += p->len;
	}
	ck_assert(!memchr(t->there + at, 1, AREA - at));
	ck_assert_uint_eq(s->len, len);
}

/* The search, run and copy functions at one place. */
static void twin_probe(const struct twin *t, size_t at, size_t cap)
{
	const uint8_t *gap = memchr(t->there + at, 0, AREA - at);
	size_t run = (gap ? (size_t)(gap - t->there) : AREA) - at;
	size_t want = run < cap ? run : cap;
	uint8_t *copy = malloc(cap + 1);
	size_t i = spans_search(&t->spans, t->base + at);

	ck_assert(copy);
	if (i > 0)
		ck_assert(span_end(&t->spans.list[i - 1]) <= t->base + at);
	if (i < t->spans.n)
		ck_assert(span_end(&t->spans.list[i]) > t->base + at);
	ck_assert_uint_eq(spans_copy(&t->spans, t->base + at, copy, cap), want);
	ck_assert(memcmp(copy, t->bytes + at, want) == 0);
	if (run > 0)
		ck_assert_uint_eq(
			spans_run_end(&t->spans, t->base + at, SPANS_STAMP_MAX),
			t->base + at + run);
	free(copy);
}

/* Mostly short, sometimes as long as the area. */
static size_t some_len(struct rng *r)
{
	static const size_t limits[] = { 1, 40, 600, 5000, 70000, AREA };

	return 1 + rng_below(r, limits[rng_below(r, ARRAY_LEN(limits))]);
}

static void random_ops(uint64_t base, uint64_t seed)
{
	AUTO_FREE uint8_t *src = malloc(AREA);
	struct rng r = rng_of(seed);
	struct twin t;

	ck_assert(src);
	rng_fill(&r, src, AREA);
	twin_init(&t, base);
	for (int step = 0; step < 1500; step++) {
		size_t at = rng_below(&r, AREA);
		size_t len = min_u64(some_len(&r), AREA - at);

		switch (rng_below(&r, 8)) {
		case 0:
		case 1:
			twin_drop(&t, at, at + len);
			break;
		case 2:
			twin_probe(&t, at, len);
			break;
		default:
			twin_write(&t, at, src + rng_below(&r, AREA - len + 1),
				   len);
		}
		if (step % 16 == 0)
			twin_check(&t);
	}
	twin_check(&t);
	twin_drop(&t, 0, AREA);
	ck_assert_uint_eq(t.spans.n, 0);
	ck_assert_ptr_null(t.spans.list);
	twin_release(&t);
}

START_TEST(empty)
{
	struct twin t;

	twin_init(&t, 0);
	twin_probe(&t, 0, 10);
	twin_drop(&t, 0, AREA);
	twin_check(&t);
	twin_release(&t);
}
END_TEST

START_TEST(random_against_model)
{
	for (uint64_t seed = 1; seed <= 4; seed++)
		random_ops(0, seed);
}
END_TEST

START_TEST(random_at_the_end_of_offsets)
{
	random_ops((uint64_t)INT64_MAX - AREA, 9);
}
END_TEST

START_TEST(appending_makes_few_pieces)
{
	uint8_t block[4096] = { 7 };
	struct twin t;

	twin_init(&t, 0);
	for (size_t at = 0; at < AREA; at += sizeof(block))
		twin_write(&t, at, block, sizeof(block));
	ck_assert_uint_eq(t.spans.n, AREA / SPAN_MAX);
	twin_check(&t);
	twin_release(&t);
}
END_TEST

START_TEST(empty_drop_splits_nothing)
{
	uint8_t block[4096] = { 7 };
	struct twin t;

	twin_init(&t, 0);
	twin_write(&t, 100, block, sizeof(block));
	twin_drop(&t, 200, 200);
	ck_assert_uint_eq(t.spans.n, 1);
	twin_drop(&t, 200, 201);
	ck_assert_uint_eq(t.spans.n, 2);
	twin_check(&t);
	twin_release(&t);
}
END_TEST

/* Who looked at bytes without the lock learns that they are others now. */
START_TEST(changes_are_counted)
{
	uint8_t block[4096] = { 7 };
	uint64_t before;
	struct twin t;

	twin_init(&t, 0);
	twin_write(&t, 0, block, sizeof(block));
	twin_write(&t, 2 * sizeof(block), block, sizeof(block));
	twin_write(&t, sizeof(block), block, sizeof(block));
	ck_assert_uint_eq(t.spans.changes, 0);
	twin_write(&t, 3 * sizeof(block) - 1, block, 1);
	ck_assert_uint_gt(t.spans.changes, 0);
	before = t.spans.changes;
	twin_drop(&t, 0, 1);
	ck_assert_uint_gt(t.spans.changes, before);
	before = t.spans.changes;
	twin_drop(&t, 0, AREA);
	ck_assert_uint_eq(t.spans.n, 0);
	ck_assert_uint_gt(t.spans.changes, before);
	twin_release(&t);
}
END_TEST

/* What comes behind a mark is told from what was there, also where they touch, and
 * when pieces are split. */
START_TEST(marks_tell_old_from_new)
{
	const uint64_t len = 4096;
	uint8_t block[4096] = { 7 };
	uint64_t mark;
	struct twin t;

	twin_init(&t, 0);
	twin_write(&t, 4 * len, block, len);
	mark = spans_mark(&t.spans);
	twin_write(&t, 5 * len, block, len);
	twin_write(&t, 0, block, len);
	twin_write(&t, 4 * len + 10, block, len - 20);
	twin_drop(&t, 4 * len + 100, 4 * len + 200);
	twin_check(&t);
	ck_assert_uint_eq(t.spans.n, 4);
	ck_assert_uint_eq(spans_search_marked(&t.spans, 0, mark), 1);
	ck_assert_uint_eq(spans_run_end(&t.spans, 4 * len + 200, mark),
			  5 * len);
	ck_assert_uint_eq(spans_run_end(&t.spans, 5 * len, mark), 5 * len);
	ck_assert_uint_eq(
		spans_run_end(&t.spans, 4 * len + 200, SPANS_STAMP_MAX),
		6 * len);
	twin_drop(&t, 4 * len, 5 * len);
	ck_assert_uint_eq(spans_search_marked(&t.spans, 0, mark), t.spans.n);
	twin_drop(&t, 0, AREA);
	twin_write(&t, 0, block, len);
	ck_assert_uint_gt(spans_mark(&t.spans), mark);
	ck_assert_uint_eq(spans_search_marked(&t.spans, 0, mark), 1);
	twin_release(&t);
}
END_TEST

Suite *suite_spans(void)
{
	const TTest *const tests[] = {
		empty,
		random_against_model,
		random_at_the_end_of_offsets,
		appending_makes_few_pieces,
		empty_drop_splits_nothing,
		changes_are_counted,
		marks_tell_old_from_new,
	};

	return suite_of("volume/spans", tests, ARRAY_LEN(tests), 120);
}
