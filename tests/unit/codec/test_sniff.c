/* SPDX-License-Identifier: MIT */
/*
 * test_sniff.c - tests of src/codec/sniff.c.
 */
#include "unit/codec/suites.h"

#include "base/cleanup.h"
#include "codec/sniff.h"
#include "lib/rng.h"
#include "lib/suite.h"

enum { LEN = 64 << 10 };

static enum content_class class_of(const char *text)
{
	return sniff_class(span_of(text, strlen(text)));
}

START_TEST(text_is_text)
{
	ck_assert_int_eq(class_of("int main(void)\n{\n\treturn 0;\n}\r\n"),
			 CONTENT_TEXT);
	ck_assert_int_eq(class_of("{\"a\": [1, 2.5, null]}"), CONTENT_TEXT);
	ck_assert_int_eq(class_of("\xd0\xa1\xd0\xb8\xd0\xb3\xd0\xbc\xd0\xb0 "
				  "\xce\xa3 \xe7\xb4\x84\n"),
			 CONTENT_TEXT);
	ck_assert_int_eq(class_of("\x1b[1mbold\x1b[0m\n"), CONTENT_TEXT);
}
END_TEST

START_TEST(binaries_are_not)
{
	static const uint8_t elf[] = { 0x7f, 'E', 'L', 'F', 2, 1, 1, 0,
				       0,    0,   0,   0,   0, 0, 0, 0 };
	AUTO_FREE uint8_t *bytes = calloc(1, LEN);
	struct rng rng = rng_of(1);

	ck_assert_int_eq(sniff_class(span_of(elf, sizeof(elf))),
			 CONTENT_BINARY);
	ck_assert_ptr_nonnull(bytes);
	ck_assert_int_eq(sniff_class(span_of(bytes, LEN)), CONTENT_BINARY);
	for (size_t i = 0; i < LEN; i++)
		bytes[i] = (uint8_t)rng_below(&rng, 256);
	ck_assert_int_eq(sniff_class(span_of(bytes, LEN)), CONTENT_BINARY);
	for (size_t i = 0; i < LEN; i++) /* UTF-16 */
		bytes[i] = i % 2 ? 0 : 'a';
	ck_assert_int_eq(sniff_class(span_of(bytes, LEN)), CONTENT_BINARY);
}
END_TEST

/* One window of four is enough to tell, wherever it lies. */
START_TEST(every_window_counts)
{
	AUTO_FREE uint8_t *bytes = malloc(LEN);

	ck_assert_ptr_nonnull(bytes);
	for (size_t quarter = 0; quarter < 4; quarter++) {
		size_t at = quarter * ((LEN - 128) / 3);

		memset(bytes, 'x', LEN);
		ck_assert_int_eq(sniff_class(span_of(bytes, LEN)),
				 CONTENT_TEXT);
		memset(bytes + at, 0, 128);
		ck_assert_int_eq(sniff_class(span_of(bytes, LEN)),
				 CONTENT_BINARY);
	}
}
END_TEST

/* Never a byte beyond the end: the sanitizers watch. */
START_TEST(all_lengths_are_read_within_bounds)
{
	for (size_t len = 0; len < 1200; len++) {
		AUTO_FREE uint8_t *bytes = malloc(len + 1);

		ck_assert_ptr_nonnull(bytes);
		memset(bytes, 'y', len);
		ck_assert_int_eq(sniff_class(span_of(bytes, len)),
				 CONTENT_TEXT);
	}
}
END_TEST

Suite *suite_sniff(void)
{
	const TTest *const tests[] = {
		text_is_text,
		binaries_are_not,
		every_window_counts,
		all_lengths_are_read_within_bounds,
	};

	return suite_of("sniff", tests, ARRAY_LEN(tests), 20);
}
