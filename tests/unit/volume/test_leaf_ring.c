/* SPDX-License-Identifier: MIT */
/* test_leaf_ring.c - the oldest gives way, nobody stands in it twice. */
#include "unit/volume/suites.h"

#include "lib/suite.h"

#include "base/bytes.h"
#include "volume/leaf_ring.h"

START_TEST(first_in_first_out)
{
	struct leaf_ring r;
	uint64_t i;

	leaf_ring_init(&r);
	for (i = 1; i <= LEAF_RING_LEN; i++)
		ck_assert_uint_eq(leaf_ring_add(&r, i), 0);
	/* Who is there already pushes nobody out. */
	for (i = 1; i <= LEAF_RING_LEN; i++)
		ck_assert_uint_eq(leaf_ring_add(&r, i), 0);
	for (; i <= 3 * LEAF_RING_LEN; i++)
		ck_assert_uint_eq(leaf_ring_add(&r, i), i - LEAF_RING_LEN);
	ck_assert_uint_eq(leaf_ring_add(&r, 1), 2 * LEAF_RING_LEN + 1);
	leaf_ring_release(&r);
}
END_TEST

Suite *suite_leaf_ring(void)
{
	const TTest *const tests[] = { first_in_first_out };

	return suite_of("volume/leaf_ring", tests, ARRAY_LEN(tests), 60);
}
