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
	ck_assert_int_eq(class_of("Some words\nof prose.\n"), CONTENT_TEXT);
	ck_assert_int_eq(class_of("\xd0\xa1\xd0\xb8\xd0\xb3\xd0\xbc\xd0\xb0 "
				  "\xce\xa3 \xe7\xb4\x84\n"),
			 CONTENT_TEXT);
	ck_assert_int_eq(class_of("\x1b[1mbold\x1b[0m\n"), CONTENT_TEXT);
	ck_assert_int_eq(class_of(""), CONTENT_TEXT);
}
END_TEST

START_TEST(kinds_of_text_are_told_apart)
{
	static const struct {
		const char *text;
		enum content_class class;
	} cases[] = {
		{ "{\"a\": [1, 2.5, null]}", CONTENT_JSON },
		{ "<a>\n <b/>\n <c>d</c>\n</a>\n", CONTENT_MARKUP },
		{ "a,b,c\n1,2,3\n4,5,6\n7,8,9\n1,2,3\n", CONTENT_CELLS },
		{ "a: b\nc: d\ne-f: g\n more\nh: i\n\n", CONTENT_KEYS },
		{ "1.1.1.1 - - a\n2.2.2.2 - - b\n3.3.3.3 - - c\n"
		  "4.4.4.4 - - d\n5.5.5.5 - - e\n",
		  CONTENT_LOG },
		{ "int f(void)\n{\n\treturn 0;\n}\n\nint g(int a)\n{\n",
		  CONTENT_SOURCE },
		{ "One\nTwo, and\nthree. Some more\nwords here\nthe end\n",
		  CONTENT_TEXT },
	};
	struct sniffed s;

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		ck_assert_int_eq(class_of(cases[i].text), cases[i].class);
		ck_assert(content_is_text(class_of(cases[i].text)));
	}
	sniff(span_of("a;b;c\n1;2;3\n4;5;6\n7;8;9\n1;2;3\n", 30), &s);
	ck_assert_int_eq(s.class, CONTENT_CELLS);
	ck_assert_int_eq(s.delimiter, ';');
}
END_TEST

START_TEST(signatures_are_known)
{
	static const struct {
		const char *bytes;
		size_t len;
		enum content_class class;
	} cases[] = {
		{ "\x1f\x8b\x08\0", 4, CONTENT_PACKED },
		{ "\x89PNG\r\n\x1a\n", 8, CONTENT_PACKED },
		{ "RIFF\0\0\0\0WAVEfmt ", 16, CONTENT_MEDIA },
		{ "SQLite format 3\0", 16, CONTENT_PAGES },
		{ "\0\0\0\0ftyp", 8, CONTENT_PACKED },
	};
	size_t i, len;

	for (i = 0; i < ARRAY_LEN(cases); i++) {
		ck_assert_int_eq(
			sniff_class(span_of(cases[i].bytes, cases[i].len)),
			cases[i].class);
		for (len = 0; len < cases[i].len - 1; len++)
			ck_assert_int_ne(
				sniff_class(span_of(cases[i].bytes, len)),
				cases[i].class == CONTENT_PACKED
					? CONTENT_PAGES
					: cases[i].class);
	}
}
END_TEST

START_TEST(code_and_records_are_seen)
{
	AUTO_FREE uint8_t *bytes = malloc(LEN);
	struct rng rng = rng_of(4);
	struct sniffed s;
	size_t i;

	ck_assert_ptr_nonnull(bytes);
	rng_fill(&rng, bytes, LEN);
	for (i = 0; i + 5 < LEN; i += 40) {
		bytes[i] = 0xe8; /* call, 1 MiB or less away */
		bytes[i + 3] = (uint8_t)(bytes[i + 3] & 0x0f);
		bytes[i + 4] = 0;
	}
	sniff(span_of(bytes, LEN), &s);
	ck_assert_int_eq(s.class, CONTENT_X86);
	rng_fill(&rng, bytes, LEN);
	for (i = 2; i + 4 < LEN; i += 20)
		put_le32(bytes + i, 0x94000000 + (uint32_t)i);
	sniff(span_of(bytes, LEN), &s);
	ck_assert_int_eq(s.class, CONTENT_ARM64);
	ck_assert_uint_eq(s.phase, 2);
	rng_fill(&rng, bytes, LEN);
	for (i = 0; i + 24 < LEN; i += 24)
		memset(bytes + i, 7, 5);
	sniff(span_of(bytes, LEN), &s);
	ck_assert_int_eq(s.class, CONTENT_NUMBERS);
	ck_assert_uint_eq(s.width, 24);
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
	ck_assert(!sniff_is_text(span_of(bytes, LEN)));
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
		ck_assert(sniff_is_text(span_of(bytes, LEN)));
		memset(bytes + at, 0, 128);
		ck_assert(!sniff_is_text(span_of(bytes, LEN)));
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
		kinds_of_text_are_told_apart,
		signatures_are_known,
		code_and_records_are_seen,
		binaries_are_not,
		every_window_counts,
		all_lengths_are_read_within_bounds,
	};

	return suite_of("sniff", tests, ARRAY_LEN(tests), 20);
}
