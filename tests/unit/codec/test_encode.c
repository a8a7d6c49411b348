/* SPDX-License-Identifier: MIT */
/*
 * test_encode.c - tests of src/codec/encode.c.
 */
#include "unit/codec/suites.h"

#include "base/cleanup.h"
#include "codec/encode.h"
#include "codec/glyph.h"
#include "lib/suite.h"
#include "unit/codec/trees.h"

#include <limits.h>

enum { EFFORT_N = EFFORT_SMALL + 1 };

static const size_t lens[] = {
	1,         2,       3,         8,
	9,         15,      16,        17,
	63,        64,      65,        127,
	128,       1000,    4096,      16383,
	16384,     16385,   128 << 10, (128 << 10) + 1,
	256 << 10, 1 << 20, 4194303,   GLYPH_OUTPUT_MAX,
};

static ssize_t encode(struct encoder *e, enum encode_effort effort,
		      struct span raw, uint8_t *dst)
{
	const struct encode_request request = { .effort = effort };

	return encode_frame(e, &request, raw, dst);
}

/* What kinds a sample may become under an effort. */
static void check_kind(enum encode_effort effort, enum sample sample,
		       size_t len, enum encode_kind kind)
{
	enum encode_kind codec = ENCODE_ZSTD;

	if (effort == EFFORT_STORE)
		codec = ENCODE_STORE;
	else if (effort == EFFORT_FASTEST)
		codec = ENCODE_LZ4;
	if (len < 2)
		ck_assert_int_eq(kind, ENCODE_STORE);
	else if (sample == SAMPLE_ZERO)
		ck_assert_int_eq(kind, ENCODE_FILL);
	else if (sample == SAMPLE_PATTERN && len > 8)
		ck_assert_int_eq(kind, ENCODE_FILL);
	else if (sample == SAMPLE_RANDOM && len > 8)
		ck_assert_int_eq(kind, ENCODE_STORE);
	else if (sample == SAMPLE_TEXT && len >= 1000)
		ck_assert_int_eq(kind, codec);
	else if (len > 16)
		ck_assert(kind == ENCODE_STORE || kind == codec ||
			  (kind == ENCODE_NUMBERS && effort > EFFORT_FAST));
}

/* One node, of the primitive that the kind says, or a transform's; it pays. */
static void check_tree(struct span glyphs, size_t raw_len,
		       enum encode_kind kind)
{
	static const unsigned ids[] = {
		[ENCODE_FILL] = PRIM_FILL,
		[ENCODE_STORE] = PRIM_STORE,
		[ENCODE_LZ4] = PRIM_LZ4,
		[ENCODE_ZSTD] = PRIM_ZSTD,
	};
	struct reader in = reader_of(glyphs);
	struct glyph g;

	ck_ok(glyph_get(&in, &g));
	if (kind == ENCODE_NUMBERS) {
		ck_assert_int_eq(g.type, GLYPH_COMPOSITE);
		ck_assert_uint_le(glyphs.len, raw_len - raw_len / 64);
		return;
	}
	ck_assert_uint_eq(reader_left(&in), 0);
	ck_assert_int_eq(g.type, GLYPH_PRIMITIVE);
	ck_assert_uint_eq(g.primitive, ids[kind]);
	if (kind == ENCODE_STORE)
		ck_assert_uint_eq(g.payload.len, raw_len);
	else
		ck_assert_uint_lt(g.payload.len, raw_len - raw_len / 64);
}

static void check_frame(struct encoder *e, enum encode_effort effort,
			enum sample sample, size_t len)
{
	AUTO_FREE uint8_t *raw = malloc(len);
	AUTO_FREE uint8_t *glyphs = malloc(encode_bound(len));
	enum encode_kind kind;
	ssize_t n;

	ck_assert(raw && glyphs);
	sample_fill(sample, len, raw, len);
	n = encode(e, effort, span_of(raw, len), glyphs);
	ck_assert_int_gt(n, 0);
	ck_assert_uint_le((size_t)n, encode_bound(len));
	kind = encode_kind_of(span_of(glyphs, (size_t)n));
	check_kind(effort, sample, len, kind);
	check_tree(span_of(glyphs, (size_t)n), len, kind);
	ck_ok(decode_guarded(span_of(glyphs, (size_t)n), raw, len));
}

START_TEST(round_trip)
{
	struct encoder *e = NULL;
	size_t i;
	int sample;

	ck_ok(encoder_new(&e));
	for (i = 0; i < ARRAY_LEN(lens); i++)
		for (sample = 0; sample < SAMPLE_N; sample++)
			check_frame(e, (enum encode_effort)_i,
				    (enum sample)sample, lens[i]);
	encoder_free(e);
	encoder_free(NULL);
}
END_TEST

START_TEST(every_small_length)
{
	struct encoder *e = NULL;
	size_t len;
	int effort;

	ck_ok(encoder_new(&e));
	for (len = 1; len <= 300; len++)
		for (effort = 0; effort < EFFORT_N; effort++) {
			check_frame(e, (enum encode_effort)effort, SAMPLE_TEXT,
				    len);
			check_frame(e, (enum encode_effort)effort,
				    SAMPLE_RANDOM, len);
		}
	encoder_free(e);
}
END_TEST

/* What was encoded before leaves no trace in the result. */
START_TEST(encoder_has_no_memory)
{
	enum { LEN = 40000 };
	struct encoder *used = NULL;
	struct encoder *fresh = NULL;
	AUTO_FREE uint8_t *raw = malloc(LEN);
	AUTO_FREE uint8_t *a = malloc(encode_bound(LEN));
	AUTO_FREE uint8_t *b = malloc(encode_bound(LEN));
	ssize_t n, m;
	int i;

	ck_assert(raw && a && b);
	ck_ok(encoder_new(&used));
	for (i = 0; i < 40; i++) {
		sample_fill((enum sample)(i % SAMPLE_N), (uint64_t)i, raw, LEN);
		n = encode(used, (enum encode_effort)(i % EFFORT_N),
			   span_of(raw, (size_t)(LEN - i)), a);
		ck_ok(encoder_new(&fresh));
		m = encode(fresh, (enum encode_effort)(i % EFFORT_N),
			   span_of(raw, (size_t)(LEN - i)), b);
		encoder_free(fresh);
		ck_assert_int_eq(n, m);
		ck_assert_mem_eq(a, b, (size_t)n);
	}
	encoder_free(used);
}
END_TEST

START_TEST(more_effort_is_not_larger)
{
	enum { LEN = 128 << 10 };
	struct encoder *e = NULL;
	AUTO_FREE uint8_t *raw = malloc(LEN);
	AUTO_FREE uint8_t *glyphs = malloc(encode_bound(LEN));
	ssize_t before = SSIZE_MAX;
	ssize_t n;
	int effort;

	ck_assert(raw && glyphs);
	ck_ok(encoder_new(&e));
	sample_fill(SAMPLE_TEXT, 3, raw, LEN);
	for (effort = 0; effort < EFFORT_N; effort++) {
		n = encode(e, (enum encode_effort)effort, span_of(raw, LEN),
			   glyphs);
		ck_assert_int_lt(n, before);
		before = n;
	}
	encoder_free(e);
}
END_TEST

START_TEST(memory_grows_with_effort_and_length)
{
	size_t effort, i;

	for (i = 1; i < ARRAY_LEN(lens); i++)
		for (effort = 0; effort < EFFORT_N; effort++)
			ck_assert_uint_ge(
				encoder_memory((enum encode_effort)effort,
					       lens[i]),
				encoder_memory((enum encode_effort)effort,
					       lens[i - 1]));
	ck_assert_uint_gt(encoder_memory(EFFORT_BALANCED, 256 << 10),
			  encoder_memory(EFFORT_FASTEST, 256 << 10));
	ck_assert_uint_gt(encoder_memory(EFFORT_SMALL, 1 << 20),
			  encoder_memory(EFFORT_BALANCED, 1 << 20));
}
END_TEST

Suite *suite_encode(void)
{
	const TTest *const tests[] = {
		every_small_length,
		encoder_has_no_memory,
		more_effort_is_not_larger,
		memory_grows_with_effort_and_length,
	};
	Suite *suite = suite_of("encode", tests, ARRAY_LEN(tests), 60);
	TCase *tcase = tcase_create("efforts");

	tcase_set_timeout(tcase, 60);
	tcase_add_loop_test(tcase, round_trip, 0, EFFORT_N);
	suite_add_tcase(suite, tcase);
	return suite;
}
