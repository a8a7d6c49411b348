/* SPDX-License-Identifier: MIT */
/*
 * test_sketches.c - what is similar is found: in memory, in the index, after a
 * reopening.
 */
#include "unit/store/suites.h"

#include "lib/rng.h"
#include "lib/suite.h"
#include "lib/tmpdir.h"
#include "store/index.h"
#include "store/sketches.h"

enum { LONG = SKETCHES_KEEP_MIN, SHORT = SKETCHES_KEEP_MIN - 1 };

struct bed {
	struct tmpdir tmp;
	struct index index;
	struct sketches *sketches;
};

static void warm_up(struct bed *b)
{
	ck_ok(sketches_new(&b->sketches));
	ck_ok(sketches_attach(b->sketches, b->index.db));
	ck_assert(sketches_cold(b->sketches));
	ck_ok(sketches_load(b->sketches));
	ck_assert(!sketches_cold(b->sketches));
}

static void bed_begin(struct bed *b)
{
	bool fresh;

	tmpdir_init(&b->tmp);
	ck_ok(index_open(&b->index, b->tmp.path, NULL, &fresh));
	ck_ok(db_begin(b->index.db));
	warm_up(b);
}

static void bed_end(struct bed *b)
{
	sketches_free(b->sketches);
	index_close(&b->index);
	tmpdir_release(&b->tmp);
}

/* What a new process knows. */
static void bed_restart(struct bed *b)
{
	ck_ok(sketches_flush(b->sketches));
	sketches_free(b->sketches);
	warm_up(b);
}

/* Super-features that no other number has. */
static struct sketch sketch_of(uint64_t n)
{
	struct rng rng = rng_of(n);
	struct sketch s;
	unsigned i;

	for (i = 0; i < SKETCH_N; i++)
		s.supers[i] = (uint32_t)rng_u64(&rng) | 1;
	return s;
}

/* `n` of the super-features of `from`, the others its own. */
static struct sketch like(uint64_t from, unsigned n, uint64_t self)
{
	struct sketch a = sketch_of(from);
	struct sketch s = sketch_of(self);
	unsigned i;

	for (i = 0; i < n; i++)
		s.supers[i] = a.supers[i];
	return s;
}

static void add(struct bed *b, uint64_t chunk, size_t len)
{
	struct sketch s = sketch_of(chunk);

	sketches_add(b->sketches, chunk, len, &s);
}

static void expect(struct bed *b, const struct sketch *s, uint64_t chunk,
		   unsigned matches)
{
	struct similar_chunk found = sketches_find(b->sketches, s);

	ck_assert_uint_eq(found.chunk, chunk);
	ck_assert_uint_eq(found.matches, matches);
}

START_TEST(most_matches_win)
{
	const struct sketch none = { { 0 } };
	struct sketch s;
	struct bed b;
	unsigned n;

	bed_begin(&b);
	for (n = 1; n <= 100; n++)
		add(&b, n, n % 2 ? LONG : SHORT);
	for (n = 0; n <= SKETCH_N; n++) {
		s = like(7, n, 1000);
		expect(&b, &s, n > 0 ? 7 : 0, n);
	}
	expect(&b, &none, 0, 0);
	/* Two of chunk 7, the four others of 9. */
	s = like(7, 2, 9);
	expect(&b, &s, 9, 4);
	/* Among equals the newest. */
	s = like(7, 3, 2000);
	sketches_add(b.sketches, 200, LONG, &s);
	s = like(7, 3, 3000);
	expect(&b, &s, 200, 3);
	bed_end(&b);
}
END_TEST

START_TEST(long_ones_come_back)
{
	struct sketch s;
	struct bed b;
	unsigned n;

	bed_begin(&b);
	for (n = 1; n <= 3000; n++)
		add(&b, n, n % 2 ? LONG : SHORT);
	bed_restart(&b);
	ck_assert(!sketches_forgot(b.sketches));
	for (n = 1; n <= 3000; n++) {
		s = sketch_of(n);
		expect(&b, &s, n % 2 ? n : 0, n % 2 ? SKETCH_N : 0);
	}
	/* What came back is not written again, what is new is. */
	add(&b, 5000, LONG);
	bed_restart(&b);
	s = sketch_of(5000);
	expect(&b, &s, 5000, SKETCH_N);
	bed_end(&b);
}
END_TEST

/* What memory forgets the index goes on to find. */
START_TEST(memory_is_bounded)
{
	enum { EXTRA = 3000 };
	struct similar_chunk found;
	struct sketch s;
	struct bed b;
	unsigned n;

	bed_begin(&b);
	for (n = 1; n <= SKETCHES_MAX + EXTRA; n++) {
		add(&b, n, n % 4 == 0 ? LONG : SHORT);
		if (n % 20000 == 0)
			ck_ok(sketches_flush(b.sketches));
	}
	ck_ok(sketches_flush(b.sketches));
	ck_assert(sketches_forgot(b.sketches));
	for (n = 1; n <= EXTRA; n++) {
		s = like(n, 3, 500000 + n);
		expect(&b, &s, 0, 0);
		ck_ok(sketches_find_old(b.sketches, &s, &found));
		ck_assert_uint_eq(found.chunk, n % 4 == 0 ? n : 0);
		ck_assert_uint_eq(found.matches, n % 4 == 0 ? 3 : 0);
	}
	s = sketch_of(SKETCHES_MAX + EXTRA);
	expect(&b, &s, SKETCHES_MAX + EXTRA, SKETCH_N);
	bed_restart(&b);
	ck_assert(sketches_forgot(b.sketches));
	s = sketch_of(SKETCHES_MAX);
	expect(&b, &s, SKETCHES_MAX, SKETCH_N);
	bed_end(&b);
}
END_TEST

START_TEST(strange_rows_are_passed_over)
{
	struct sketch s = sketch_of(5);
	struct bed b;

	bed_begin(&b);
	add(&b, 5, LONG);
	ck_ok(sketches_flush(b.sketches));
	ck_ok(db_exec(b.index.db, "INSERT INTO sketch VALUES(1, x'00');"
				  "INSERT INTO sketch VALUES(2, '');"
				  "INSERT INTO sketch VALUES(0, "
				  "zeroblob(24));"
				  "INSERT INTO sketch VALUES(-3, 7)"));
	bed_restart(&b);
	expect(&b, &s, 5, SKETCH_N);
	bed_end(&b);
}
END_TEST

START_TEST(false_alarms_grow_rare)
{
	const struct similar_chunk none = { 0, 0 };
	const struct similar_chunk weak = { 5, 1 };
	const struct similar_chunk strong = { 5, 2 };
	unsigned n_tried = 0;
	struct bed b;
	unsigned i;

	bed_begin(&b);
	ck_assert(!sketches_promising(b.sketches, &none));
	for (i = 0; i < 1000; i++) {
		ck_assert(sketches_promising(b.sketches, &strong));
		if (!sketches_promising(b.sketches, &weak))
			continue;
		n_tried++;
		sketches_judge(b.sketches, &weak, false);
	}
	ck_assert_uint_ge(n_tried, 1000 / 32);
	ck_assert_uint_le(n_tried, 1000 / 32 + 10);
	sketches_judge(b.sketches, &weak, true);
	ck_assert(sketches_promising(b.sketches, &weak));
	ck_assert(sketches_promising(b.sketches, &weak));
	bed_end(&b);
}
END_TEST

Suite *suite_sketches(void)
{
	const TTest *const tests[] = {
		most_matches_win,       long_ones_come_back,
		memory_is_bounded,      strange_rows_are_passed_over,
		false_alarms_grow_rare,
	};

	return suite_of("store/sketches", tests, ARRAY_LEN(tests), 60);
}
