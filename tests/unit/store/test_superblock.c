/* SPDX-License-Identifier: MIT */
/*
 * test_superblock.c - every line of the superblock, right and wrong.
 */
#include "unit/store/suites.h"

#include "base/hash.h"
#include "base/report.h"
#include "lib/suite.h"
#include "store/superblock.h"

#include <stdio.h>

#define UUID "01234567-89ab-4def-8123-456789abcdef"
#define HEAD "sigmafs store\nversion: 1\nuuid: " UUID "\n"
#define BITS "compat: 0\nro-compat: 2\nincompat: ff\n"
#define TAIL "label: my store\ncreated: 1700000000\n"

/* Parses `body` with a checksum that is right. */
static int parse(const char *body, struct superblock *ret)
{
	char text[2 * SUPERBLOCK_LEN_MAX];
	unsigned long long sum = hash64(span_of(body, strlen(body)), 0);
	int n = snprintf(text, sizeof(text), "%schecksum: %016llx\n", body,
			 sum);

	report_silence(true);
	n = superblock_parse(span_of(text, (size_t)n), ret);
	report_silence(false);
	return n;
}

static struct superblock sample(void)
{
	struct superblock sb = {
		.compat = 5,
		.ro_compat = UINT64_MAX,
		.incompat = 0,
		.created = 1700000000,
		.label = "Größe 1",
	};
	size_t i;

	for (i = 0; i < sizeof(sb.uuid); i++)
		sb.uuid[i] = (uint8_t)(i * 16 + i);
	return sb;
}

START_TEST(comes_back)
{
	struct superblock sb = sample();
	char text[SUPERBLOCK_LEN_MAX];
	struct superblock got;

	ck_ok(superblock_parse(span_of(text, superblock_put(&sb, text)), &got));
	ck_assert_mem_eq(got.uuid, sb.uuid, sizeof(sb.uuid));
	ck_assert_uint_eq(got.compat, sb.compat);
	ck_assert_uint_eq(got.ro_compat, sb.ro_compat);
	ck_assert_uint_eq(got.incompat, sb.incompat);
	ck_assert_int_eq(got.created, sb.created);
	ck_assert_str_eq(got.label, sb.label);
	sb.label[0] = '\0';
	ck_ok(superblock_parse(span_of(text, superblock_put(&sb, text)), &got));
	ck_assert_str_eq(got.label, "");
}
END_TEST

START_TEST(golden_text_is_read)
{
	struct superblock got;

	ck_ok(parse(HEAD BITS TAIL, &got));
	ck_assert_uint_eq(got.uuid[0], 0x01);
	ck_assert_uint_eq(got.uuid[15], 0xef);
	ck_assert_uint_eq(got.ro_compat, 2);
	ck_assert_uint_eq(got.incompat, 0xff);
	ck_assert_str_eq(got.label, "my store");
	ck_ok(parse(HEAD BITS "flavour: sweet\n" TAIL, &got));
	ck_ok(parse(HEAD BITS "created: 0\n", &got));
}
END_TEST

START_TEST(each_field_is_checked)
{
	static const char *const bad[] = {
		"",
		"sigmafs stora\nversion: 1\nuuid: " UUID "\n" BITS TAIL,
		"sigmafs store\nuuid: " UUID "\n" BITS TAIL,
		"sigmafs store\nversion: 0\nuuid: " UUID "\n" BITS TAIL,
		"sigmafs store\nversion: x\nuuid: " UUID "\n" BITS TAIL,
		"sigmafs store\nversion:1\nuuid: " UUID "\n" BITS TAIL,
		HEAD "version: 1\n" BITS TAIL,
		"sigmafs store\nversion: 1\nuuid: "
		"01234567-89ab-4def-8123-456789abcdeg\n" BITS TAIL,
		"sigmafs store\nversion: 1\nuuid: "
		"01234567-89ab-4def-81234-56789abcdef\n" BITS TAIL,
		"sigmafs store\nversion: 1\nuuid: 0123\n" BITS TAIL,
		HEAD TAIL,
		HEAD "compat: 0\nincompat: 0\nro-compat: 0\n" TAIL,
		HEAD "compat: 0\nro-compat: 0\n" TAIL,
		HEAD
		"compat: 00000000000000000\nro-compat: 0\nincompat: 0\n" TAIL,
		HEAD "compat: F\nro-compat: 0\nincompat: 0\n" TAIL,
		HEAD "compat: \nro-compat: 0\nincompat: 0\n" TAIL,
		HEAD BITS,
		HEAD BITS "created: 1\nlabel: late\n",
		HEAD BITS "label: a\nlabel: b\ncreated: 1\n",
		HEAD BITS "label: \ncreated: 1\n",
		HEAD BITS "label: a\tb\ncreated: 1\n",
		HEAD BITS "created: -1\n",
		HEAD BITS "created: 9999999999999999999\n",
		HEAD BITS TAIL "nonsense\n",
		HEAD BITS TAIL "no newline",
		HEAD BITS
		"label: 0123456789012345678901234567890123456789012345678901234"
		"5678901234\ncreated: 1\n",
	};
	struct superblock got;
	size_t i;

	for (i = 0; i < ARRAY_LEN(bad); i++)
		ck_assert_msg(parse(bad[i], &got) == -EUCLEAN, "%zu: %s", i,
			      bad[i]);
	ck_rc(parse("sigmafs store\nversion: 2\nuuid: " UUID "\n" BITS TAIL,
		    &got),
	      -EOPNOTSUPP);
}
END_TEST

static void flip(char *text, size_t bit)
{
	uint8_t byte = (uint8_t)text[bit / 8];

	byte = (uint8_t)(byte ^ 1U << bit % 8);
	memcpy(text + bit / 8, &byte, 1);
}

START_TEST(any_flipped_bit_is_seen)
{
	struct superblock sb = sample();
	char text[SUPERBLOCK_LEN_MAX];
	size_t len = superblock_put(&sb, text);
	struct superblock got;
	size_t i;

	report_silence(true);
	for (i = 0; i < len * 8; i++) {
		flip(text, i);
		ck_rc(superblock_parse(span_of(text, len), &got), -EUCLEAN);
		flip(text, i);
	}
	for (i = 0; i < len; i++)
		ck_rc(superblock_parse(span_of(text, i), &got), -EUCLEAN);
	report_silence(false);
}
END_TEST

START_TEST(labels_have_limits)
{
	char label[SUPERBLOCK_LABEL_MAX + 2];

	memset(label, 'x', sizeof(label));
	label[SUPERBLOCK_LABEL_MAX + 1] = '\0';
	ck_rc(superblock_check_label(label), -EINVAL);
	label[SUPERBLOCK_LABEL_MAX] = '\0';
	ck_ok(superblock_check_label(label));
	ck_ok(superblock_check_label(""));
	ck_rc(superblock_check_label("a\nb"), -EINVAL);
	ck_rc(superblock_check_label("a\x7f"), -EINVAL);
}
END_TEST

Suite *suite_superblock(void)
{
	const TTest *const tests[] = {
		comes_back,
		golden_text_is_read,
		each_field_is_checked,
		any_flipped_bit_is_seen,
		labels_have_limits,
	};

	return suite_of("store/superblock", tests, ARRAY_LEN(tests), 20);
}
