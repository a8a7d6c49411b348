/* SPDX-License-Identifier: MIT */
/*
 * test_varint.c - tests of src/base/varint.c.
 */
#include "unit/base/suites.h"

#include "base/varint.h"
#include "lib/rng.h"
#include "lib/suite.h"

static const uint64_t edges[] = {
	0,
	1,
	0x7f,
	0x80,
	0x3fff,
	0x4000,
	0x1fffff,
	0x200000,
	UINT32_MAX,
	UINT64_C(1) << 56,
	(UINT64_C(1) << 63) - 1,
	UINT64_C(1) << 63,
	UINT64_MAX,
};

static int get(const uint8_t *bytes, size_t len, uint64_t *ret)
{
	struct reader r = reader_of(span_of(bytes, len));

	return varint_get(&r, ret);
}

/* Writes `v`, reads it back, and cuts it short at every length. */
static void check_value(uint64_t v)
{
	uint8_t buf[VARINT_MAX];
	size_t len = varint_put(buf, v);
	struct reader r = reader_of(span_of(buf, len));
	uint64_t back = ~v;
	size_t cut;

	ck_assert_uint_ge(len, 1);
	ck_assert_uint_le(len, VARINT_MAX);
	ck_assert_uint_eq(len, varint_len(v));
	ck_ok(varint_get(&r, &back));
	ck_assert_uint_eq(back, v);
	ck_assert_uint_eq(reader_left(&r), 0);
	for (cut = 0; cut < len; cut++) {
		back = 42;
		ck_rc(get(buf, cut, &back), -EUCLEAN);
		ck_assert_uint_eq(back, 42);
	}
}

START_TEST(edge_values)
{
	size_t i;

	for (i = 0; i < ARRAY_LEN(edges); i++)
		check_value(edges[i]);
}
END_TEST

START_TEST(random_values)
{
	struct rng rng = rng_of(1);
	unsigned i;

	for (i = 0; i < 20000; i++)
		check_value(rng_u64(&rng) >> rng_below(&rng, 64));
}
END_TEST

START_TEST(lengths)
{
	ck_assert_uint_eq(varint_len(0x7f), 1);
	ck_assert_uint_eq(varint_len(0x80), 2);
	ck_assert_uint_eq(varint_len(UINT64_MAX >> 1), 9);
	ck_assert_uint_eq(varint_len(UINT64_MAX), 10);
}
END_TEST

START_TEST(longer_than_needed_is_refused)
{
	static const uint8_t zero[] = { 0x80, 0x00 };
	static const uint8_t one[] = { 0x81, 0x00 };
	static const uint8_t wide[] = { 0xff, 0x80, 0x80, 0x00 };
	uint64_t v;

	ck_rc(get(zero, sizeof(zero), &v), -EUCLEAN);
	ck_rc(get(one, sizeof(one), &v), -EUCLEAN);
	ck_rc(get(wide, sizeof(wide), &v), -EUCLEAN);
}
END_TEST

START_TEST(over_64_bits_is_refused)
{
	uint8_t buf[VARINT_MAX + 1];
	uint64_t v = 7;

	memset(buf, 0xff, sizeof(buf));
	buf[9] = 0x02; /* bit 64 */
	ck_rc(get(buf, 10, &v), -EUCLEAN);
	buf[9] = 0x81; /* an eleventh byte follows */
	buf[10] = 0x01;
	ck_rc(get(buf, 11, &v), -EUCLEAN);
	ck_assert_uint_eq(v, 7);
	buf[9] = 0x01;
	ck_ok(get(buf, 10, &v));
	ck_assert_uint_eq(v, UINT64_MAX);
}
END_TEST

START_TEST(maximum_is_inclusive)
{
	uint8_t buf[VARINT_MAX];
	size_t len = varint_put(buf, 1000);
	struct reader r = reader_of(span_of(buf, len));
	uint64_t v = 0;

	ck_ok(varint_get_max(&r, 1000, &v));
	ck_assert_uint_eq(v, 1000);
	r = reader_of(span_of(buf, len));
	v = 0;
	ck_rc(varint_get_max(&r, 999, &v), -EUCLEAN);
	ck_assert_uint_eq(v, 0);
}
END_TEST

START_TEST(zigzag_both_ways)
{
	static const int64_t values[] = {
		0, -1, 1, -2, INT64_MAX, INT64_MIN, INT64_MIN + 1,
	};
	size_t i;

	ck_assert_uint_eq(zigzag(0), 0);
	ck_assert_uint_eq(zigzag(-1), 1);
	ck_assert_uint_eq(zigzag(1), 2);
	ck_assert_uint_eq(zigzag(INT64_MIN), UINT64_MAX);
	for (i = 0; i < ARRAY_LEN(values); i++)
		ck_assert_int_eq(unzigzag(zigzag(values[i])), values[i]);
}
END_TEST

Suite *suite_varint(void)
{
	const TTest *const tests[] = {
		edge_values,
		random_values,
		lengths,
		longer_than_needed_is_refused,
		over_64_bits_is_refused,
		maximum_is_inclusive,
		zigzag_both_ways,
	};

	return suite_of("base/varint", tests, ARRAY_LEN(tests), 10);
}
