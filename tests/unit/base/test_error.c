/* SPDX-License-Identifier: MIT */
/*
 * test_error.c - tests of src/base/error.c.
 */
#include "unit/base/suites.h"

#include "base/bytes.h"
#include "base/error.h"
#include "base/report.h"
#include "lib/suite.h"
#include "unit/base/capture.h"

START_TEST(damage_is_told_and_counted)
{
	uint64_t before = corrupt_count();
	struct capture c;

	capture_begin(&c);
	ck_rc(corrupt("record %u of %s", 7U, "segment 3"), -EUCLEAN);
	capture_end(&c);
	ck_assert_str_eq(c.text, "sigmafs: damage: record 7 of segment 3\n");
	ck_assert_uint_eq(corrupt_count(), before + 1);
}
END_TEST

START_TEST(flood_of_damage_is_limited)
{
	uint64_t before = corrupt_count();
	struct capture c;
	unsigned i;

	capture_begin(&c);
	for (i = 0; i < 1000; i++)
		ck_rc(corrupt("flood %u", i), -EUCLEAN);
	capture_end(&c);
	ck_assert_uint_eq(corrupt_count(), before + 1000);
	/* Two windows at most can begin while this runs, or four when the
	 * machine is very slow. */
	ck_assert_uint_ge(capture_count(&c, "flood"), 1);
	ck_assert_uint_le(capture_count(&c, "flood"), 80);
}
END_TEST

START_TEST(endless_text_is_cut)
{
	char text[4096];
	struct capture c;

	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	capture_begin(&c);
	ck_rc(corrupt("long %s", text), -EUCLEAN);
	capture_end(&c);
	ck_assert_uint_lt(strlen(c.text), 1024);
	ck_assert_uint_eq(capture_count(&c, "\n"), strlen(c.text) > 0);
}
END_TEST

START_TEST(silence_still_counts)
{
	uint64_t before = corrupt_count();

	report_silence(true);
	ck_rc(corrupt("never seen"), -EUCLEAN);
	report_silence(false);
	ck_assert_uint_eq(corrupt_count(), before + 1);
}
END_TEST

START_TEST(words_for_errors)
{
	ck_assert_str_eq(error_text(-ENOENT), error_text(ENOENT));
	ck_assert_str_eq(error_text(-ENOENT), "No such file or directory");
	ck_assert_str_eq(error_text(-EUCLEAN), "the store is damaged");
	ck_assert_str_eq(error_text(-EBADMSG), "a checksum is wrong");
	ck_assert_str_eq(error_text(-EOPNOTSUPP),
			 "not supported by this version");
	ck_assert_str_eq(error_text(0), "no error");
	ck_assert_str_eq(error_text(-99999), "unknown error");
	ck_assert_str_eq(error_text(INT32_MIN), "unknown error");
}
END_TEST

Suite *suite_error(void)
{
	const TTest *const tests[] = {
		damage_is_told_and_counted, flood_of_damage_is_limited,
		endless_text_is_cut,        silence_still_counts,
		words_for_errors,
	};

	return suite_of("base/error", tests, ARRAY_LEN(tests), 10);
}
