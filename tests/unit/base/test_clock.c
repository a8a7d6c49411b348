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

/* Never ahead of the other one, and behind by ticks, not by seconds. */
START_TEST(stamps_are_those_of_the_last_tick)
{
	unsigned i;

	for (i = 0; i < 10000; i++) {
		int64_t stamp = clock_stamp_ns();
		int64_t now = clock_real_ns();

		ck_assert_int_le(stamp, now);
		ck_assert_int_lt(now - stamp, 1000000000);
	}
}
END_TEST

Suite *suite_clock(void)
{
	const TTest *const tests[] = {
		monotonic_never_goes_back,
		real_time_agrees_with_time,
		stamps_are_those_of_the_last_tick,
	};

	return suite_of("base/clock", tests, ARRAY_LEN(tests), 5);
}
