/* SPDX-License-Identifier: MIT */
/*
 * test_idle.c - when it is time, and for what.
 */
#include "unit/store/suites.h"

#include "lib/suite.h"
#include "store/idle.h"

enum { MIB = 1 << 20, COLD = 600 };

#define S UINT64_C(1000000000)

static struct idle i;

/* Chunks 1..100 are there; it is second 1000. */
static void begin(void)
{
	idle_init(&i, COLD * S, 1000 * S, 100);
}

static void look(uint64_t second, bool used, uint64_t last_chunk)
{
	const struct idle_view view = { .used = used,
					.last_chunk = last_chunk };

	idle_look(&i, second * S, &view);
}

static void end(uint64_t second, const struct idle_turn *turn)
{
	idle_ended(&i, second * S, turn);
}

START_TEST(quiet_for_a_while)
{
	begin();
	ck_assert(!idle_is_time(&i, 1004 * S));
	ck_assert(idle_is_time(&i, 1005 * S));
	look(1006, true, 100);
	ck_assert(!idle_is_time(&i, 1006 * S));
	look(1010, false, 100);
	ck_assert(!idle_is_time(&i, 1010 * S));
	ck_assert(idle_is_time(&i, 1011 * S));
}
END_TEST

START_TEST(never_if_nothing_is_ever_cold)
{
	idle_init(&i, 0, 1000 * S, 100);
	look(100000, false, 200);
	ck_assert(!idle_is_time(&i, 100000 * S));
}
END_TEST

/* Who wants it at once, in a test, does not wait for 5 seconds either. */
START_TEST(a_short_time_is_all)
{
	idle_init(&i, S, 1000 * S, 100);
	ck_assert(!idle_is_time(&i, 1001 * S - 1));
	ck_assert(idle_is_time(&i, 1001 * S));
}
END_TEST

/* What was there at one look is cold when the time has passed since. */
START_TEST(what_is_old_enough_is_cold)
{
	begin();
	look(1599, false, 150);
	ck_assert_uint_eq(i.cold, 0);
	look(1600, false, 160);
	ck_assert_uint_eq(i.cold, 100);
	look(2199, false, 170);
	ck_assert_uint_eq(i.cold, 100);
	look(2200, false, 180);
	ck_assert_uint_eq(i.cold, 160);
}
END_TEST

static bool is_enough(uint64_t counted_len, uint64_t live_len)
{
	i.counted_len = counted_len;
	return idle_is_enough(&i, live_len);
}

START_TEST(a_part_of_all_is_enough)
{
	const uint64_t mib = MIB;

	begin();
	ck_assert(!is_enough(0, 0));
	ck_assert(!is_enough(mib - 1, mib));
	ck_assert(is_enough(mib, mib));
	ck_assert(!is_enough(10 * mib - 1, 160 * mib));
	ck_assert(is_enough(10 * mib, 160 * mib));
	ck_assert(!is_enough(64 * mib - 1, mib * mib));
	ck_assert(is_enough(64 * mib, UINT64_MAX));
}
END_TEST

START_TEST(a_chunk_has_one_turn)
{
	const struct idle_turn stopped = { .got_on = true };
	const struct idle_turn whole = { .whole = true, .done = 90 };
	struct idle_view view = { .last_chunk = 100, .done = 80 };

	begin();
	i.counted = 95;
	i.counted_len = MIB;
	end(1000, &stopped);
	ck_assert_uint_eq(i.done, 0);
	ck_assert_uint_eq(i.counted_len, MIB);
	end(1000, &whole);
	ck_assert_uint_eq(i.done, 90);
	ck_assert_uint_eq(i.counted, 90);
	ck_assert_uint_eq(i.counted_len, 0);
	/* Somebody optimises by hand: less than that, then more. */
	idle_look(&i, 1001 * S, &view);
	ck_assert_uint_eq(i.done, 90);
	view.done = 99;
	idle_look(&i, 1002 * S, &view);
	ck_assert_uint_eq(i.done, 99);
	ck_assert_uint_eq(i.counted, 99);
}
END_TEST

/* Half a MiB a second. */
START_TEST(rests_for_what_it_wrote)
{
	const struct idle_turn turn = { .whole = true, .new_len = 10 * MIB };

	begin();
	end(1100, &turn);
	ck_assert(!idle_is_time(&i, 1119 * S));
	ck_assert(idle_is_time(&i, 1120 * S));
}
END_TEST

START_TEST(rests_for_long_after_a_failure)
{
	const struct idle_turn turn = { .failed = true };

	begin();
	end(2000, &turn);
	ck_assert(!idle_is_time(&i, 2000 * S + 3599 * S));
	ck_assert(idle_is_time(&i, 2000 * S + 3600 * S));
}
END_TEST

/* Work that is always thrown away is tried less and less often. */
START_TEST(waits_longer_when_stopped_for_nothing)
{
	const struct idle_turn stopped = { .got_on = false };
	const struct idle_turn got_on = { .got_on = true };
	unsigned n;

	begin();
	end(1000, &stopped);
	ck_assert(!idle_is_time(&i, 1009 * S));
	ck_assert(idle_is_time(&i, 1010 * S));
	for (n = 0; n < 20; n++)
		end(1000, &stopped);
	ck_assert(!idle_is_time(&i, 1319 * S));
	ck_assert(idle_is_time(&i, 1320 * S));
	end(1000, &got_on);
	ck_assert(idle_is_time(&i, 1005 * S));
}
END_TEST

Suite *suite_idle(void)
{
	Suite *s = suite_create("idle");
	TCase *c = tcase_create("idle");

	tcase_add_test(c, quiet_for_a_while);
	tcase_add_test(c, never_if_nothing_is_ever_cold);
	tcase_add_test(c, a_short_time_is_all);
	tcase_add_test(c, what_is_old_enough_is_cold);
	tcase_add_test(c, a_part_of_all_is_enough);
	tcase_add_test(c, a_chunk_has_one_turn);
	tcase_add_test(c, rests_for_what_it_wrote);
	tcase_add_test(c, rests_for_long_after_a_failure);
	tcase_add_test(c, waits_longer_when_stopped_for_nothing);
	suite_add_tcase(s, c);
	return s;
}
