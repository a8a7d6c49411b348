/* SPDX-License-Identifier: MIT */
/*
 * test_probe.c - tests of src/codec/probe.c.
 */
#include "unit/codec/suites.h"

#include "base/cleanup.h"
#include "codec/primitive.h"
#include "codec/probe.h"
#include "lib/suite.h"
#include "unit/codec/trees.h"

enum { BIT = 256, LEN = 128 << 10 };

static unsigned entropy_of(unsigned n_values, size_t len)
{
	struct rng rng = rng_of(n_values);
	AUTO_FREE uint8_t *bytes = malloc(len);
	size_t i;

	ck_assert_ptr_nonnull(bytes);
	for (i = 0; i < len; i++)
		bytes[i] = (uint8_t)rng_below(&rng, n_values);
	return probe_entropy(span_of(bytes, len));
}

/* Evenly spread values have the logarithm of their number. */
START_TEST(entropy_is_near_the_truth)
{
	unsigned bits;
	size_t high;

	for (bits = 0; bits <= 8; bits++) {
		high = (size_t)bits * BIT;
		ck_assert_uint_le(entropy_of(1u << bits, LEN), high + 2);
		ck_assert_uint_ge(entropy_of(1u << bits, LEN) + 16, high);
	}
	/* log2(3) is 1.585, log2(100) is 6.644. */
	ck_assert_uint_ge(entropy_of(3, LEN), 400);
	ck_assert_uint_le(entropy_of(3, LEN), 410);
	ck_assert_uint_ge(entropy_of(100, LEN), 1680);
	ck_assert_uint_le(entropy_of(100, LEN), 1705);
}
END_TEST

START_TEST(entropy_of_all_lengths)
{
	static const size_t lens[] = { 1,       15,      16,     17,
				       271,     272,     16384,  1 << 20,
				       1 << 21, 4194303, 4194304 };
	size_t i;

	for (i = 0; i < ARRAY_LEN(lens); i++) {
		ck_assert_uint_eq(entropy_of(1, lens[i]), 0);
		/* Logarithms are rounded down, also those taken off. */
		ck_assert_uint_le(entropy_of(256, lens[i]), 8 * BIT + 8);
	}
	ck_assert_uint_eq(probe_entropy(span_of(NULL, 0)), 0);
	ck_assert_uint_ge(entropy_of(256, 4194304), 2030);
	ck_assert_uint_ge(entropy_of(256, 16384), 1960);
}
END_TEST

static bool probe(enum sample sample, size_t len)
{
	AUTO_FREE uint8_t *bytes = malloc(len);
	AUTO_FREE void *state = malloc(prim_lz4_state_len());

	ck_assert(bytes && state);
	sample_fill(sample, len, bytes, len);
	return probe_incompressible(span_of(bytes, len), state);
}

START_TEST(tells_random_from_the_rest)
{
	static const size_t lens[] = { PROBE_LEN_MIN, LEN, 1 << 20, 4194304 };
	size_t i;

	for (i = 0; i < ARRAY_LEN(lens); i++) {
		ck_assert(probe(SAMPLE_RANDOM, lens[i]));
		ck_assert(!probe(SAMPLE_ZERO, lens[i]));
		ck_assert(!probe(SAMPLE_TEXT, lens[i]));
		ck_assert(!probe(SAMPLE_NUMBERS, lens[i]));
	}
	ck_assert(!probe(SAMPLE_RANDOM, PROBE_LEN_MIN - 1));
	ck_assert(!probe(SAMPLE_RANDOM, 1));
}
END_TEST

/* Evenly spread bytes that repeat: only the second opinion sees it. */
START_TEST(believes_lz4)
{
	enum { PERIOD = 4000 };
	AUTO_FREE uint8_t *bytes = malloc(LEN);
	AUTO_FREE void *state = malloc(prim_lz4_state_len());
	size_t pos;

	ck_assert(bytes && state);
	sample_fill(SAMPLE_RANDOM, 1, bytes, PERIOD);
	for (pos = PERIOD; pos < LEN; pos++)
		bytes[pos] = bytes[pos - PERIOD];
	ck_assert_uint_ge(probe_entropy(span_of(bytes, LEN)), 1960);
	ck_assert(!probe_incompressible(span_of(bytes, LEN), state));
}
END_TEST

Suite *suite_probe(void)
{
	const TTest *const tests[] = {
		entropy_is_near_the_truth,
		entropy_of_all_lengths,
		tells_random_from_the_rest,
		believes_lz4,
	};

	return suite_of("probe", tests, ARRAY_LEN(tests), 20);
}
