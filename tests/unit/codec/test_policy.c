/* SPDX-License-Identifier: MIT */
/*
 * test_policy.c - tests of src/codec/policy.c.
 */
#include "unit/codec/suites.h"

#include "codec/policy.h"
#include "lib/suite.h"

static struct span text_of(const char *text)
{
	return span_of((const uint8_t *)text, strlen(text));
}

static void expect(const char *text, const char *printed)
{
	struct policy p, back;
	char buf[POLICY_TEXT_MAX];
	size_t len;

	ck_assert_int_eq(policy_parse(text_of(text), &p), 0);
	len = policy_print(&p, buf);
	ck_assert_uint_eq(len, strlen(printed));
	ck_assert_mem_eq(buf, printed, len);
	policy_unpack(policy_pack(&p), &back);
	len = policy_print(&back, buf);
	ck_assert_uint_eq(len, strlen(printed));
	ck_assert_mem_eq(buf, printed, len);
}

START_TEST(words_and_bits_go_both_ways)
{
	expect("effort=off", "effort=off");
	expect("effort=fastest", "effort=fastest");
	expect("effort=fast", "effort=fast");
	expect("effort=balanced", "effort=balanced");
	expect("effort=small", "effort=small");
	expect("delta=on", "delta=on");
	expect("delta=off", "delta=off");
	expect("level=1", "level=1");
	expect("level=19", "level=19");
	expect("delta=off,level=7,effort=small",
	       "effort=small,level=7,delta=off");
}
END_TEST

START_TEST(refuses_what_is_no_policy)
{
	static const char *const bad[] = {
		"",
		",",
		"effort",
		"effort=",
		"effort=x",
		"effort=fas",
		"effort=fast,",
		",effort=fast",
		"level=0",
		"level=20",
		"level=07",
		"level=x",
		"level=1x",
		"level=",
		"level=100",
		"delta=maybe",
		"delta=",
		"Effort=fast",
		"effort =fast",
		"effort=fast delta=on",
		"size=1",
		"=fast",
		"effort=fast,,delta=on",
		"effort=fast,effort=fast",
		"level=1,level=1",
		"delta=on,delta=off",
	};
	struct policy p = { .level = 5 };

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		ck_assert_msg(policy_parse(text_of(bad[i]), &p) == -EINVAL,
			      "accepts '%s'", bad[i]);
		ck_assert_uint_eq(p.level, 5);
	}
}
END_TEST

START_TEST(bits_of_a_newer_version_are_left_out)
{
	struct policy p;

	policy_unpack(UINT64_MAX, &p);
	ck_assert(!p.has_effort);
	ck_assert_uint_eq(p.level, 0);
	ck_assert_int_eq(p.delta, POLICY_DEFAULT);
	ck_assert_uint_eq(policy_pack(&p), 0);
	ck_assert_uint_eq(policy_print(&p, NULL), 0);
}
END_TEST

Suite *suite_policy(void)
{
	const TTest *const tests[] = {
		words_and_bits_go_both_ways,
		refuses_what_is_no_policy,
		bits_of_a_newer_version_are_left_out,
	};

	return suite_of("policy", tests, ARRAY_LEN(tests), 20);
}
