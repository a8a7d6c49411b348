/* SPDX-License-Identifier: MIT */
/*
 * test_report.c - tests of src/base/report.c.
 */
#include "unit/base/suites.h"

#include "base/bytes.h"
#include "base/report.h"
#include "lib/suite.h"
#include "unit/base/capture.h"

START_TEST(levels_are_dropped_above_the_limit)
{
	struct capture c;

	capture_begin(&c);
	report_error("e%d", 1);
	report_warn("w");
	report_info("i");
	report_debug("d");
	report_level_set(REPORT_DEBUG);
	report_debug("d2");
	report_level_set(REPORT_ERROR);
	report_warn("w2");
	report_error("e2");
	report_level_set(REPORT_INFO);
	capture_end(&c);
	ck_assert_str_eq(c.text, "sigmafs: e1\nsigmafs: w\nsigmafs: i\n"
				 "sigmafs: d2\nsigmafs: e2\n");
}
END_TEST

START_TEST(only_controls_are_blanked)
{
	char text[] = "a\x1b[31m\nb\x7f \xc3\xa4\t";

	report_blank(text);
	ck_assert_str_eq(text, "a?[31m?b? \xc3\xa4?");
}
END_TEST

START_TEST(silence_is_silent)
{
	struct capture c;

	capture_begin(&c);
	report_silence(true);
	report_error("no");
	report_silence(false);
	report_error("yes");
	capture_end(&c);
	ck_assert_str_eq(c.text, "sigmafs: yes\n");
}
END_TEST

START_TEST(long_line_stays_one_line)
{
	char text[4096];
	struct capture c;

	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	capture_begin(&c);
	report_error("%s", text);
	capture_end(&c);
	ck_assert_uint_eq(capture_count(&c, "\n"), 1);
	ck_assert_uint_lt(strlen(c.text), 1100);
	ck_assert_int_eq(c.text[strlen(c.text) - 1], '\n');
}
END_TEST

START_TEST(names_cannot_forge_lines)
{
	struct capture c;

	capture_begin(&c);
	report_error("'%s' is bad",
		     "a\nsigmafs: all is well\033[2J\x7f\t\xc3\xa4");
	capture_end(&c);
	ck_assert_str_eq(
		c.text,
		"sigmafs: 'a?sigmafs: all is well?[2J??\xc3\xa4' is bad\n");
}
END_TEST

Suite *suite_report(void)
{
	const TTest *const tests[] = {
		levels_are_dropped_above_the_limit,
		only_controls_are_blanked,
		silence_is_silent,
		long_line_stays_one_line,
		names_cannot_forge_lines,
	};

	return suite_of("base/report", tests, ARRAY_LEN(tests), 5);
}
