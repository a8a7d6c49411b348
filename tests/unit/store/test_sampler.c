/* SPDX-License-Identifier: MIT */
/*
 * test_sampler.c - evenly spread, bounded, and due now and then.
 */
#include "unit/store/suites.h"

#include "lib/suite.h"
#include "store/sampler.h"

static struct frame_place places[SAMPLER_FRAMES_MAX];

static bool see(struct sampler *s, uint64_t frame, size_t len)
{
	const struct frame_place place = { .frame = frame };

	return sampler_see(s, CONTENT_TEXT, &place, len);
}

START_TEST(spread_over_all_that_came)
{
	struct sampler *s = NULL;
	uint64_t i;
	size_t n;
	uint64_t gap;

	ck_ok(sampler_new(1 << 20, &s));
	ck_assert_uint_eq(sampler_take(s, CONTENT_TEXT, places), 0);
	for (i = 0; i < 100; i++)
		(void)see(s, i, 10);
	ck_assert_uint_eq(sampler_take(s, CONTENT_TEXT, places), 100);
	for (; i < 100000; i++)
		(void)see(s, i, 10);
	n = sampler_take(s, CONTENT_TEXT, places);
	ck_assert_uint_ge(n, SAMPLER_FRAMES_MAX / 2);
	ck_assert_uint_le(n, SAMPLER_FRAMES_MAX);
	gap = places[1].frame - places[0].frame;
	ck_assert_uint_eq(places[0].frame, 0);
	for (i = 1; i < n; i++)
		ck_assert_uint_eq(places[i].frame - places[i - 1].frame, gap);
	ck_assert_uint_gt(places[n - 1].frame + 2 * gap, 100000);
	ck_assert_uint_eq(sampler_seen(s, CONTENT_TEXT), 1000000);
	sampler_free(s);
}
END_TEST

START_TEST(due_less_and_less_often)
{
	struct sampler *s = NULL;
	unsigned n_due = 0;
	unsigned first = 0;
	unsigned i;

	ck_ok(sampler_new(1 << 20, &s));
	for (i = 1; i <= 64 << 10; i++) {
		if (!see(s, i, 65536))
			continue;
		if (n_due++ == 0)
			first = i;
	}
	/* After 1, 4, 16, 64, 256, 1024 MiB; then every GiB. */
	ck_assert_uint_eq(first, 16);
	ck_assert_uint_eq(n_due, 6 + 3);
	sampler_free(s);
	sampler_free(NULL);
}
END_TEST

START_TEST(binaries_are_not_remembered)
{
	const struct frame_place place = { .frame = 1 };
	struct sampler *s = NULL;

	ck_ok(sampler_new(1, &s));
	ck_assert(!sampler_see(s, CONTENT_BINARY, &place, 1 << 20));
	ck_assert_uint_eq(sampler_take(s, CONTENT_BINARY, places), 0);
	ck_assert_uint_eq(sampler_seen(s, CONTENT_BINARY), 0);
	sampler_free(s);
}
END_TEST

Suite *suite_sampler(void)
{
	const TTest *const tests[] = {
		spread_over_all_that_came,
		due_less_and_less_often,
		binaries_are_not_remembered,
	};

	return suite_of("store/sampler", tests, ARRAY_LEN(tests), 20);
}
