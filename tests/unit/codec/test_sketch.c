/* SPDX-License-Identifier: MIT */
/*
 * test_sketch.c - tests of src/codec/sketch.c.
 */
#include "unit/codec/suites.h"

#include "base/cleanup.h"
#include "codec/sketch.h"
#include "lib/suite.h"
#include "unit/codec/trees.h"

enum { LEN = 64 << 10 };

/* ---- as the comment in sketch.c says it, byte by byte -------------------- */

static bool is_place(const uint8_t *p)
{
	uint8_t h = p[0];
	unsigned i;

	for (i = 1; i < 4; i++)
		h = (uint8_t)(3 * h + p[i]);
	return h == 0x5b;
}

static uint64_t hash_of(const uint8_t *p)
{
	uint64_t h = 0;
	unsigned i;

	for (i = 0; i < 64; i += 16) {
		h ^= get_le64(p + i) * 0x9e3779b97f4a7c15 + get_le64(p + i + 8);
		h *= 0xbf58476d1ce4e5b9;
		h ^= h >> 29;
	}
	h *= 0x94d049bb133111eb;
	return h ^ h >> 31;
}

static bool reference(struct span bytes, struct sketch *ret)
{
	uint32_t max[12] = { 0 };
	bool any = false;
	size_t block, i;

	if (bytes.len < SKETCH_LEN_MIN)
		return false;
	for (block = 0; block < bytes.len - 96; block += 32) {
		uint64_t h;
		unsigned bin;

		for (i = block; i < block + 32 && !is_place(bytes.ptr + i);)
			i++;
		if (i == block + 32)
			continue;
		h = hash_of(bytes.ptr + i);
		bin = (unsigned)((h >> 32) * 12 >> 32);
		if (((uint32_t)h | 1) > max[bin])
			max[bin] = (uint32_t)h | 1;
	}
	for (i = 0; i < SKETCH_N; i++) {
		uint64_t v = (uint64_t)max[2 * i] << 32 | max[2 * i + 1];

		v = (v ^ v >> 31) * 0xbf58476d1ce4e5b9;
		ret->supers[i] = max[2 * i] && max[2 * i + 1]
					 ? (uint32_t)(v >> 32) | 1
					 : 0;
		any |= ret->supers[i] != 0;
	}
	return any;
}

/* In memory of just its length, so that the tools see a read past the end. */
static void check_all_ways(const uint8_t *bytes, size_t len)
{
	AUTO_FREE uint8_t *tight = malloc(len);
	struct sketch a = { { 1 } };
	struct sketch b = { { 2 } };
	struct sketch want = { { 3 } };
	bool any;

	ck_assert_ptr_nonnull(tight);
	memcpy(tight, bytes, len);
	any = reference(span_of(tight, len), &want);
	ck_assert(sketch_make(span_of(tight, len), &a) == any);
	ck_assert(sketch_make_plain(span_of(tight, len), &b) == any);
	if (any) {
		ck_assert_mem_eq(&a, &want, sizeof(want));
		ck_assert_mem_eq(&b, &want, sizeof(want));
	}
}

START_TEST(all_ways_agree)
{
	AUTO_FREE uint8_t *bytes = malloc(LEN);
	struct rng rng = rng_of(1);
	size_t i, off;
	int sample;

	ck_assert_ptr_nonnull(bytes);
	for (sample = 0; sample < SAMPLE_N; sample++) {
		sample_fill((enum sample)sample, 3, bytes, LEN);
		check_all_ways(bytes, LEN);
		check_all_ways(bytes, SKETCH_LEN_MIN);
		check_all_ways(bytes, SKETCH_LEN_MIN - 1);
		check_all_ways(bytes, 1);
		for (i = 0; i < 100; i++) {
			off = (size_t)rng_below(&rng, LEN / 2);
			check_all_ways(bytes + off,
				       1 + (size_t)rng_below(&rng, LEN - off));
		}
	}
}
END_TEST

START_TEST(equal_bytes_say_nothing)
{
	AUTO_FREE uint8_t *bytes = malloc(LEN);
	struct sketch s;
	int value;

	ck_assert_ptr_nonnull(bytes);
	for (value = 0; value < 256; value++) {
		memset(bytes, value, LEN);
		ck_assert(!sketch_make(span_of(bytes, LEN), &s));
	}
}
END_TEST

/* Replaces, removes and adds bytes at `n` places. Returns the new length, at
 * most `len`. */
static size_t edit(struct rng *rng, uint8_t *bytes, size_t len, unsigned n)
{
	while (n-- > 0) {
		size_t at = (size_t)rng_below(rng, len - 100);
		size_t change = 1 + (size_t)rng_below(rng, 30);

		if (n % 3 == 0) {
			rng_fill(rng, bytes + at, change);
		} else if (n % 3 == 1) {
			memmove(bytes + at, bytes + at + change,
				len - at - change);
			len -= change;
		} else {
			memmove(bytes + at + change, bytes + at,
				len - at - change);
			rng_fill(rng, bytes + at, change);
		}
	}
	return len;
}

/* Of 100 pairs, so many have a super-feature in common. */
static unsigned count_found(enum sample sample, size_t len, unsigned n_edits)
{
	AUTO_FREE uint8_t *bytes = malloc(len);
	struct rng rng = rng_of(len + n_edits);
	struct sketch a, b;
	unsigned found = 0;
	unsigned i;

	ck_assert_ptr_nonnull(bytes);
	for (i = 0; i < 100; i++) {
		size_t edited;

		sample_fill(sample, i, bytes, len);
		ck_assert(sketch_make(span_of(bytes, len), &a));
		edited = edit(&rng, bytes, len, n_edits);
		ck_assert(sketch_make(span_of(bytes, edited), &b));
		found += sketch_matches(&a, &b) > 0;
	}
	return found;
}

START_TEST(edited_bytes_are_found)
{
	ck_assert_uint_eq(count_found(SAMPLE_RANDOM, LEN, 0), 100);
	ck_assert_uint_ge(count_found(SAMPLE_RANDOM, LEN, 10), 99);
	ck_assert_uint_ge(count_found(SAMPLE_RANDOM, LEN, 100), 70);
	ck_assert_uint_ge(count_found(SAMPLE_NUMBERS, LEN, 10), 99);
	ck_assert_uint_ge(count_found(SAMPLE_RANDOM, 16 << 10, 5), 95);
	ck_assert_uint_ge(count_found(SAMPLE_RANDOM, 8 << 10, 1), 95);
}
END_TEST

START_TEST(other_bytes_are_not)
{
	enum { N = 300 };
	AUTO_FREE struct sketch *all = malloc(N * sizeof(*all));
	AUTO_FREE uint8_t *bytes = malloc(LEN);
	unsigned found = 0;
	unsigned i, j;

	ck_assert(all && bytes);
	for (i = 0; i < N; i++) {
		sample_fill(i % 2 ? SAMPLE_RANDOM : SAMPLE_NUMBERS, i, bytes,
			    LEN);
		ck_assert(sketch_make(span_of(bytes, LEN), &all[i]));
		ck_assert_uint_eq(sketch_matches(&all[i], &all[i]), SKETCH_N);
		for (j = 0; j < i; j++)
			found += sketch_matches(&all[i], &all[j]) > 0;
	}
	ck_assert_uint_eq(found, 0);
}
END_TEST

START_TEST(missing_ones_match_nothing)
{
	const struct sketch none = { { 0 } };
	const struct sketch a = { { 1, 2, 0, 4, 5, 6 } };
	const struct sketch b = { { 1, 3, 0, 4, 6, 5 } };

	ck_assert_uint_eq(sketch_matches(&none, &none), 0);
	ck_assert_uint_eq(sketch_matches(&a, &b), 2);
}
END_TEST

Suite *suite_sketch(void)
{
	const TTest *const tests[] = {
		all_ways_agree,
		equal_bytes_say_nothing,
		edited_bytes_are_found,
		other_bytes_are_not,
		missing_ones_match_nothing,
	};

	return suite_of("sketch", tests, ARRAY_LEN(tests), 60);
}
