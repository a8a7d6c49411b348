/* SPDX-License-Identifier: MIT */
/*
 * test_names.c - tests of fs/names.c.
 */
#include "names.h"
#include "unit/fs/suites.h"

#include "base/bytes.h"
#include "lib/suite.h"

#include <stdlib.h>

static void check_shown(const char *name, const char *escaped)
{
	char *text = NULL;
	size_t len = 0;
	FILE *to = open_memstream(&text, &len);

	ck_assert_ptr_nonnull(to);
	names_print(to, name, false);
	ck_assert_int_eq(fputc('|', to), '|');
	names_print(to, name, true);
	ck_assert_int_eq(fclose(to), 0);
	ck_assert_uint_eq(len, strlen(name) + 1 + strlen(escaped));
	ck_assert_mem_eq(text, name, strlen(name));
	ck_assert_str_eq(text + strlen(name) + 1, escaped);
	free(text);
}

START_TEST(escapes_what_a_terminal_obeys)
{
	check_shown("plain name", "plain name");
	check_shown("", "");
	check_shown("a\nb\tc\\d", "a\\nb\\tc\\\\d");
	check_shown("\033[2J\x7f\001", "\\033[2J\\177\\001");
	check_shown("\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80",
		    "\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80");
	/* CSI as one character, in UTF-8 and as it is. */
	check_shown("\xc2\x9b", "\\302\\233");
	check_shown("\x9b", "\\233");
	check_shown("\xc2\xa0", "\xc2\xa0");
	check_shown("\xff\xc3", "\\377\\303");
}
END_TEST

START_TEST(tells_utf8)
{
	ck_assert(names_are_utf8(""));
	ck_assert(names_are_utf8("a\n\xc3\xa4"));
	ck_assert(!names_are_utf8("a\xc3"));
	ck_assert(!names_are_utf8("\xed\xa0\x80"));
	ck_assert(!names_are_utf8("\xf4\x90\x80\x80"));
	ck_assert_uint_eq(names_utf8_len("\xf4\x8f\xbf\xbf"), 4);
	ck_assert_uint_eq(names_utf8_len("\xc0\x80"), 0);
}
END_TEST

START_TEST(two_digits_a_byte)
{
	char text[9] = "?";

	names_put_hex(text, "", 0);
	ck_assert_str_eq(text, "");
	names_put_hex(text, "\0\x0f\xf0\xff", 4);
	ck_assert_str_eq(text, "000ff0ff");
}
END_TEST

Suite *suite_names(void)
{
	const TTest *const tests[] = {
		escapes_what_a_terminal_obeys,
		tells_utf8,
		two_digits_a_byte,
	};

	return suite_of("fs/names", tests, ARRAY_LEN(tests), 10);
}
