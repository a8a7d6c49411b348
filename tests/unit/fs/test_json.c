/* SPDX-License-Identifier: MIT */
/*
 * test_json.c - tests of fs/json.c.
 */
#include "json.h"
#include "unit/fs/suites.h"

#include "lib/suite.h"

enum { LIMIT = 4096 };

START_TEST(writes_all_kinds)
{
	struct json j;
	const char *text;

	json_init(&j, LIMIT);
	json_open(&j, NULL, '{');
	json_text(&j, "name", "a\"b\\c\n");
	json_u64(&j, "number", UINT64_MAX);
	json_i64(&j, "signed", INT64_MIN);
	json_bool(&j, "yes", true);
	json_ratio(&j, "ratio", 10, 4);
	json_ratio(&j, "none", 10, 0);
	json_open(&j, "list", '[');
	json_text(&j, NULL, "one");
	json_text(&j, NULL, "two");
	json_close(&j, ']');
	json_open(&j, "empty", '[');
	json_close(&j, ']');
	json_close(&j, '}');
	ck_ok(json_end(&j, &text));
	ck_assert_str_eq(text, "{\"name\":\"a\\\"b\\\\c\\u000a\","
			       "\"number\":18446744073709551615,"
			       "\"signed\":-9223372036854775808,\"yes\":true,"
			       "\"ratio\":2.500,\"none\":0.000,"
			       "\"list\":[\"one\",\"two\"],\"empty\":[]}");
	json_release(&j);
}
END_TEST

static void check_text(const char *raw, const char *wanted)
{
	struct json j;
	const char *text;

	json_init(&j, LIMIT);
	json_text(&j, NULL, raw);
	ck_ok(json_end(&j, &text));
	ck_assert_str_eq(text, wanted);
	json_release(&j);
}

START_TEST(keeps_only_utf8)
{
	check_text("\xc3\xa4 \xe2\x82\xac \xf0\x9f\x98\x80",
		   "\"\xc3\xa4 \xe2\x82\xac \xf0\x9f\x98\x80\"");
	check_text("\xff", "\"\\ufffd\"");
	check_text("\xc3", "\"\\ufffd\"");
	check_text("\xc0\x80", "\"\\ufffd\\ufffd\"");
	check_text("\xe0\x80\x80", "\"\\ufffd\\ufffd\\ufffd\"");
	check_text("\xed\xa0\x80", "\"\\ufffd\\ufffd\\ufffd\"");
	check_text("\xf4\x90\x80\x80", "\"\\ufffd\\ufffd\\ufffd\\ufffd\"");
	check_text("\xe2\x82x", "\"\\ufffd\\ufffdx\"");
	check_text("\x7f", "\"\\u007f\"");
}
END_TEST

START_TEST(remembers_the_limit)
{
	struct json j;
	const char *text;

	json_init(&j, 8);
	json_text(&j, NULL, "longer than that");
	json_u64(&j, "more", 1);
	ck_rc(json_end(&j, &text), -EFBIG);
	json_release(&j);
}
END_TEST

START_TEST(reads_what_it_wrote)
{
	struct json j;
	const char *text;
	uint64_t number;
	bool yes;
	char buf[32];

	json_init(&j, LIMIT);
	json_open(&j, NULL, '{');
	json_text(&j, "tricky", "\"number\":7,\\\x01\t");
	json_u64(&j, "number", 42);
	json_bool(&j, "yes", true);
	json_close(&j, '}');
	ck_ok(json_end(&j, &text));
	ck_ok(json_get_u64(text, "number", &number));
	ck_assert_uint_eq(number, 42);
	ck_ok(json_get_bool(text, "yes", &yes));
	ck_assert(yes);
	ck_ok(json_get_text(text, "tricky", buf, sizeof(buf)));
	ck_assert_str_eq(buf, "\"number\":7,\\\x01\t");
	ck_rc(json_get_u64(text, "nothing", &number), -ENOENT);
	ck_rc(json_get_u64(text, "tricky", &number), -EUCLEAN);
	ck_rc(json_get_bool(text, "number", &yes), -EUCLEAN);
	ck_rc(json_get_text(text, "number", buf, sizeof(buf)), -EUCLEAN);
	ck_rc(json_get_text(text, "tricky", buf, 5), -EUCLEAN);
	json_release(&j);
}
END_TEST

START_TEST(reads_nothing_broken)
{
	uint64_t number;
	char buf[32];

	ck_rc(json_get_u64("{\"a\":}", "a", &number), -EUCLEAN);
	ck_rc(json_get_u64("{\"a\":-1}", "a", &number), -EUCLEAN);
	ck_rc(json_get_u64("{\"a\":1", "a", &number), -EUCLEAN);
	ck_rc(json_get_u64("{\"a\":1x}", "a", &number), -EUCLEAN);
	ck_rc(json_get_u64("{\"a\":18446744073709551616}", "a", &number),
	      -EUCLEAN);
	ck_rc(json_get_text("{\"a\":\"x", "a", buf, sizeof(buf)), -EUCLEAN);
	ck_rc(json_get_text("{\"a\":\"x\\", "a", buf, sizeof(buf)), -EUCLEAN);
	ck_rc(json_get_text("{\"a\":\"\\u12", "a", buf, sizeof(buf)), -EUCLEAN);
	ck_rc(json_get_text("{\"a\":\"\\u0000\"}", "a", buf, sizeof(buf)),
	      -EUCLEAN);
	ck_rc(json_get_text("{\"a\":", "a", buf, sizeof(buf)), -EUCLEAN);
}
END_TEST

Suite *suite_json(void)
{
	const TTest *const tests[] = {
		writes_all_kinds,    keeps_only_utf8,      remembers_the_limit,
		reads_what_it_wrote, reads_nothing_broken,
	};

	return suite_of("fs/json", tests, sizeof(tests) / sizeof(tests[0]), 10);
}
