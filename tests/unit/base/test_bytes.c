/* SPDX-License-Identifier: MIT */
/*
 * test_bytes.c - tests of src/base/bytes.h.
 */
#include "unit/base/suites.h"

#include "base/bytes.h"
#include "lib/suite.h"

static const uint8_t nine[] = { 1, 2, 3, 4, 5, 6, 7, 8, 9 };

START_TEST(little_endian_fields)
{
	uint8_t buf[8];

	ck_assert_uint_eq(get_le16(nine), 0x0201);
	ck_assert_uint_eq(get_le32(nine), 0x04030201);
	ck_assert_uint_eq(get_le64(nine), UINT64_C(0x0807060504030201));
	put_le16(buf, 0xfffe);
	ck_assert_uint_eq(get_le16(buf), 0xfffe);
	put_le32(buf, 0x80000001);
	ck_assert_uint_eq(get_le32(buf), 0x80000001);
	put_le64(buf, UINT64_C(0x8000000000000001));
	ck_assert_uint_eq(buf[0], 1);
	ck_assert_uint_eq(buf[7], 0x80);
	ck_assert_uint_eq(get_le64(buf), UINT64_C(0x8000000000000001));
}
END_TEST

START_TEST(minimum_and_maximum)
{
	ck_assert_uint_eq(min_u64(1, UINT64_MAX), 1);
	ck_assert_uint_eq(max_u64(1, UINT64_MAX), UINT64_MAX);
	ck_assert_uint_eq(min_u64(3, 3), 3);
}
END_TEST

START_TEST(reader_takes_fields_in_order)
{
	struct reader r = reader_of(span_of(nine, 9));
	struct span rest;
	uint32_t word;
	uint8_t byte;

	ck_ok(reader_u8(&r, &byte));
	ck_assert_uint_eq(byte, 1);
	ck_ok(reader_le32(&r, &word));
	ck_assert_uint_eq(word, 0x05040302);
	ck_assert_uint_eq(reader_left(&r), 4);
	ck_ok(reader_bytes(&r, 4, &rest));
	ck_assert_ptr_eq(rest.ptr, nine + 5);
	ck_assert_uint_eq(rest.len, 4);
	ck_assert_uint_eq(reader_left(&r), 0);
}
END_TEST

START_TEST(reader_ends_exactly)
{
	struct reader r = reader_of(span_of(nine, 7));
	uint64_t u64 = 0;
	uint32_t u32 = 0;
	uint8_t u8 = 0;

	ck_rc(reader_le64(&r, &u64), -EUCLEAN);
	ck_assert_uint_eq(reader_left(&r), 7);
	ck_ok(reader_le32(&r, &u32));
	ck_rc(reader_le32(&r, &u32), -EUCLEAN);
	ck_assert_uint_eq(u32, 0x04030201);
	ck_assert_uint_eq(reader_left(&r), 3);
	r = reader_of(span_of(nine, 8));
	ck_ok(reader_le64(&r, &u64));
	ck_rc(reader_u8(&r, &u8), -EUCLEAN);
}
END_TEST

START_TEST(reader_refuses_huge_lengths)
{
	struct reader r = reader_of(span_of(nine, 9));
	struct span s = { 0 };

	ck_rc(reader_bytes(&r, 10, &s), -EUCLEAN);
	ck_rc(reader_bytes(&r, UINT64_MAX, &s), -EUCLEAN);
	ck_rc(reader_bytes(&r, (UINT64_C(1) << 32) + 1, &s), -EUCLEAN);
	ck_assert_uint_eq(reader_left(&r), 9);
	ck_ok(reader_bytes(&r, 9, &s));
}
END_TEST

START_TEST(reader_of_nothing)
{
	struct reader r = reader_of((struct span){ 0 });
	struct span s;
	uint8_t byte;

	ck_assert_uint_eq(reader_left(&r), 0);
	ck_rc(reader_u8(&r, &byte), -EUCLEAN);
	ck_ok(reader_bytes(&r, 0, &s));
	ck_assert_uint_eq(s.len, 0);
}
END_TEST

Suite *suite_bytes(void)
{
	const TTest *const tests[] = {
		little_endian_fields,         minimum_and_maximum,
		reader_takes_fields_in_order, reader_ends_exactly,
		reader_refuses_huge_lengths,  reader_of_nothing,
	};

	return suite_of("base/bytes", tests, ARRAY_LEN(tests), 5);
}
