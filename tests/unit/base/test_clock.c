/* SPDX-License-Identifier: MIT */
/*
 * test_clock.c - tests of src/base/clock.c.
 */
#include "unit/base/suites.h"

#include "base/bytes.h"
#include "base/clock.h"
#include "lib/suite.h"

#include <time.h>

START_TEST(monotonic_never_goes_back)
{
	uint64_t last = clock_mono_ns();
	unsigned i;

	ck_assert_uint_gt(last, 0);
	for (i = 0; i < 10000; i++) {
		uint64_t now = clock_mono_ns();

		ck_assert_uint_ge(now, last);
		last = now;
	}
}
END_TEST

START_TEST(real_time_agrees_with_time)
{
	int64_t before = (int64_t)time(NULL);
	int64_t now = clock_real_ns() / 1000000000;

	/* time(2) may lag behind by a tick of the kernel. */
	ck_assert_int_ge(now, before);
	ck_assert_int_le(now, (int64_t)time(NULL) + 1);
}
END_TEST

Suite *suite_clock(void)
{
	const TTest *const tests[] = {
		monotonic_never_goes_back,
		real_time_agrees_with_time,
	};

	return suite_of("base/clock", tests, ARRAY_LEN(tests), 5);
}
