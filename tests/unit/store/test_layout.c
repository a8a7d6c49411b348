/* SPDX-License-Identifier: MIT */
/*
 * test_layout.c - every chunk once, kinds apart, similar ones together.
 */
#include "unit/store/suites.h"

#include "lib/rng.h"
#include "lib/suite.h"
#include "store/layout.h"
#include "stream/frame.h"

#include <stdlib.h>

enum { N = 3000, LEN = 64 << 10, FRAME = 1 << 20, CLUSTER = 512 << 10 };

static const struct layout_limits limits = { FRAME, CLUSTER };
static struct layout_chunk chunks[N];

/* Chunk `i` is of a family: those have all super-features in common. */
static void make_chunk(size_t i, uint32_t len, uint16_t kind, uint32_t family)
{
	unsigned k;

	chunks[i] = (struct layout_chunk){
		.id = 10 + i,
		.len = len,
		.kind = kind,
		.has_sketch = family != 0,
	};
	for (k = 0; k < SKETCH_N && family != 0; k++)
		chunks[i].sketch.supers[k] = family * SKETCH_N + k + 1;
}

/* What holds for any layout. */
static void expect_sound(const struct layout *l, size_t n)
{
	static bool seen[N];
	size_t at = 0;
	size_t i, k;

	memset(seen, 0, sizeof(seen));
	ck_assert_uint_eq(l->n_chunks, n);
	for (i = 0; i < l->n_frames; i++) {
		const struct layout_frame *f = &l->frames[i];
		size_t len = 0;

		ck_assert_uint_eq(f->first, at);
		ck_assert_uint_gt(f->n, 0);
		ck_assert_uint_le(f->n, FRAME_CHUNKS_MAX);
		ck_assert_uint_ge(f->n_alike, 1);
		for (k = at; k < at + f->n; k++) {
			const struct layout_chunk *c = &chunks[l->order[k]];

			ck_assert(!seen[l->order[k]]);
			seen[l->order[k]] = true;
			ck_assert_uint_eq(c->kind, chunks[l->order[at]].kind);
			len += c->len;
		}
		ck_assert_uint_eq(f->raw_len, len);
		ck_assert(len <= FRAME || f->n == 1);
		at += f->n;
	}
	ck_assert_uint_eq(at, n);
}

START_TEST(nothing)
{
	struct layout l;

	ck_ok(layout_make(chunks, 0, &limits, &l));
	ck_assert_uint_eq(l.n_frames, 0);
	layout_release(&l);
}
END_TEST

START_TEST(neighbours_stay_in_order)
{
	struct layout l;
	size_t i;

	for (i = 0; i < N; i++)
		make_chunk(i, 1000, CONTENT_TEXT, 0);
	ck_ok(layout_make(chunks, N, &limits, &l));
	expect_sound(&l, N);
	for (i = 0; i < N; i++)
		ck_assert_uint_eq(l.order[i], i);
	ck_assert_uint_eq(l.n_frames, 3);
	ck_assert_uint_eq(l.frames[0].n, FRAME / 1000);
	ck_assert_uint_eq(l.n_clusters, 0);
	layout_release(&l);
}
END_TEST

START_TEST(kinds_are_apart)
{
	struct layout l;
	size_t i;

	for (i = 0; i < 100; i++)
		make_chunk(i, 1000, i % 2 == 0 ? CONTENT_TEXT : CONTENT_BINARY,
			   7 + (uint32_t)i % 2);
	ck_ok(layout_make(chunks, 100, &limits, &l));
	expect_sound(&l, 100);
	ck_assert_uint_eq(l.n_frames, 2);
	ck_assert_uint_eq(l.n_clusters, 2);
	layout_release(&l);
}
END_TEST

/* Three versions of 40 chunks each: those of the same place come together. */
START_TEST(versions_come_together)
{
	struct layout l;
	size_t i;

	for (i = 0; i < 120; i++)
		make_chunk(i, LEN, CONTENT_TEXT, 1 + (uint32_t)(i % 40));
	ck_ok(layout_make(chunks, 120, &limits, &l));
	expect_sound(&l, 120);
	ck_assert_uint_eq(l.n_clusters, 40);
	for (i = 0; i < 120; i++)
		ck_assert_uint_eq(l.order[i], i / 3 + 40 * (i % 3));
	/* None of them is cut. */
	for (i = 0; i < l.n_frames; i++) {
		ck_assert_uint_eq(l.frames[i].n % 3, 0);
		ck_assert_uint_eq(l.frames[i].n_alike, 3);
	}
	layout_release(&l);
}
END_TEST

START_TEST(long_clusters_are_cut_evenly)
{
	struct layout l;
	size_t i;

	for (i = 0; i < 20; i++)
		make_chunk(i, LEN, CONTENT_TEXT, 1);
	ck_ok(layout_make(chunks, 20, &limits, &l));
	expect_sound(&l, 20);
	ck_assert_uint_eq(l.n_frames, 3);
	for (i = 0; i < 3; i++) {
		ck_assert_uint_ge(l.frames[i].n, 6);
		ck_assert_uint_le(l.frames[i].n_alike, CLUSTER / LEN);
	}
	layout_release(&l);
}
END_TEST

START_TEST(a_chunk_beyond_the_limit_is_alone)
{
	struct layout l;

	make_chunk(0, 1000, CONTENT_TEXT, 0);
	make_chunk(1, 2 * FRAME, CONTENT_TEXT, 0);
	make_chunk(2, 1000, CONTENT_TEXT, 0);
	ck_ok(layout_make(chunks, 3, &limits, &l));
	expect_sound(&l, 3);
	ck_assert_uint_eq(l.n_frames, 3);
	layout_release(&l);
}
END_TEST

/* One equal super-feature is an accident. */
START_TEST(little_in_common_is_nothing)
{
	struct layout l;
	size_t i;

	for (i = 0; i < 10; i++) {
		make_chunk(i, LEN, CONTENT_TEXT, 1 + (uint32_t)i);
		chunks[i].sketch.supers[0] = 1000;
	}
	ck_ok(layout_make(chunks, 10, &limits, &l));
	ck_assert_uint_eq(l.n_clusters, 0);
	layout_release(&l);
}
END_TEST

START_TEST(anything_is_sound)
{
	struct rng rng = rng_of(5);
	struct layout l;
	unsigned round;
	size_t i;

	for (round = 0; round < 50; round++) {
		size_t n = rng_below(&rng, N);

		for (i = 0; i < n; i++)
			make_chunk(i,
				   1 + (uint32_t)rng_below(
					       &rng, rng_below(&rng, 8) == 0
							     ? 256 << 10
							     : 3000),
				   (uint16_t)rng_below(&rng, 3),
				   (uint32_t)rng_below(&rng, 1 + n / 2));
		ck_ok(layout_make(chunks, n, &limits, &l));
		expect_sound(&l, n);
		layout_release(&l);
	}
}
END_TEST

START_TEST(kinds_of_content)
{
	static uint8_t noise[LEN];
	static char text[LEN];
	struct rng rng = rng_of(1);
	size_t i;

	rng_fill(&rng, noise, sizeof(noise));
	for (i = 0; i < sizeof(text); i++)
		text[i] = "the quick brown fox jumps over it\n"[i % 34];
	ck_assert_uint_eq(layout_kind(span_of(text, sizeof(text))),
			  CONTENT_TEXT);
	ck_assert_uint_eq(layout_kind(span_of("{\"a\": 1}", 8)), CONTENT_TEXT);
	ck_assert_uint_eq(layout_kind(span_of(noise, 1000)), CONTENT_BINARY);
	ck_assert_uint_ne(layout_kind(span_of(noise, sizeof(noise))),
			  CONTENT_TEXT);
}
END_TEST

Suite *suite_layout(void)
{
	Suite *s = suite_create("layout");
	TCase *c = tcase_create("layout");

	tcase_add_test(c, nothing);
	tcase_add_test(c, neighbours_stay_in_order);
	tcase_add_test(c, kinds_are_apart);
	tcase_add_test(c, versions_come_together);
	tcase_add_test(c, long_clusters_are_cut_evenly);
	tcase_add_test(c, a_chunk_beyond_the_limit_is_alone);
	tcase_add_test(c, little_in_common_is_nothing);
	tcase_add_test(c, anything_is_sound);
	tcase_add_test(c, kinds_of_content);
	suite_add_tcase(s, c);
	return s;
}
