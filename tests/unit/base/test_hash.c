/* SPDX-License-Identifier: MIT */
/*
 * test_hash.c - tests of src/base/hash.c.
 */
#include "unit/base/suites.h"

#include "base/hash.h"
#include "lib/rng.h"
#include "lib/suite.h"

#include <xxhash.h>

/* The values are part of the format on disk: they may never change. */
START_TEST(known_values)
{
	ck_assert_uint_eq(hash64(span_of("", 0), 0),
			  UINT64_C(0x2d06800538d394c2));
	ck_assert_uint_eq(hash64((struct span){ 0 }, 0),
			  UINT64_C(0x2d06800538d394c2));
	ck_assert_uint_eq(hash64(span_of("sigmafs", 7), 1),
			  UINT64_C(0xb7a28b5234a18717));
	ck_assert_uint_eq(hash64_mix(1, 2), UINT64_C(0x1722dee50e00c79c));
}
END_TEST

/* Whatever the processor has. */
START_TEST(same_in_all_forms)
{
	static uint8_t bytes[70000];
	struct rng rng = rng_of(3);
	size_t len;

	rng_fill(&rng, bytes, sizeof(bytes));
	for (len = 0; len + 64 <= sizeof(bytes); len += 1 + len / 50) {
		const uint8_t *at = bytes + len % 64;

		ck_assert_uint_eq(hash64(span_of(at, len), len),
				  XXH3_64bits_withSeed(at, len, len));
	}
}
END_TEST

START_TEST(seed_length_and_content_count)
{
	static const uint8_t zeros[300];
	uint64_t hash = hash64(span_of(zeros, 300), 5);

	ck_assert_uint_eq(hash, hash64(span_of(zeros, 300), 5));
	ck_assert_uint_ne(hash, hash64(span_of(zeros, 300), 6));
	ck_assert_uint_ne(hash, hash64(span_of(zeros, 299), 5));
}
END_TEST

START_TEST(mixing_has_an_order)
{
	uint64_t ab = hash64_mix(hash64_mix(0, 1), 2);
	uint64_t ba = hash64_mix(hash64_mix(0, 2), 1);

	ck_assert_uint_ne(ab, ba);
	ck_assert_uint_ne(hash64_mix(0, 0), 0);
}
END_TEST

Suite *suite_hash(void)
{
	const TTest *const tests[] = {
		known_values,
		same_in_all_forms,
		seed_length_and_content_count,
		mixing_has_an_order,
	};

	return suite_of("base/hash", tests, ARRAY_LEN(tests), 5);
}
