/* SPDX-License-Identifier: MIT */
/* test_leaf_ring.c - the oldest gives way, and nobody has to wait for it. */
#include "unit/volume/suites.h"

#include "lib/suite.h"

#include "base/bytes.h"
#include "volume/leaf_ring.h"

static bool add(struct leaf_ring *r, uint64_t i)
{
	return leaf_ring_add(r, &(struct kept_leaf){ i, i * 10 });
}

static void expect_pop(struct leaf_ring *r, uint64_t i)
{
	struct kept_leaf old;

	ck_assert(leaf_ring_pop(r, &old));
	ck_assert_uint_eq(old.ino, i);
	ck_assert_uint_eq(old.from, i * 10);
}

START_TEST(first_in_first_out)
{
	struct kept_leaf old;
	struct leaf_ring r;
	uint64_t i;

	leaf_ring_init(&r);
	for (i = 1; i <= LEAF_RING_LEN; i++)
		ck_assert(add(&r, i));
	ck_assert(!leaf_ring_pop(&r, &old));
	for (; i <= 3 * LEAF_RING_LEN; i++) {
		ck_assert(add(&r, i));
		expect_pop(&r, i - LEAF_RING_LEN);
		ck_assert(!leaf_ring_pop(&r, &old));
	}
	leaf_ring_release(&r);
}
END_TEST

START_TEST(spare_room_ends)
{
	struct kept_leaf old;
	struct leaf_ring r;
	uint64_t i;

	leaf_ring_init(&r);
	for (i = 1; i <= LEAF_RING_LEN + LEAF_RING_SPARE; i++)
		ck_assert(add(&r, i));
	ck_assert(!add(&r, i));
	for (i = 1; i <= LEAF_RING_SPARE; i++)
		expect_pop(&r, i);
	ck_assert(!leaf_ring_pop(&r, &old));
	leaf_ring_release(&r);
}
END_TEST

Suite *suite_leaf_ring(void)
{
	const TTest *const tests[] = {
		first_in_first_out,
		spare_room_ends,
	};

	return suite_of("volume/leaf_ring", tests, ARRAY_LEN(tests), 60);
}
