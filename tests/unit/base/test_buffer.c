/* SPDX-License-Identifier: MIT */
/*
 * test_buffer.c - tests of src/base/buffer.c.
 */
#include "unit/base/suites.h"

#include "base/buffer.h"
#include "base/varint.h"
#include "lib/suite.h"

START_TEST(fields_in_order)
{
	static const uint8_t want[] = {
		'a', 'b', 0xff, 4, 3, 2, 1, 8, 7, 6, 5, 4, 3, 2, 1, 0x80, 1,
	};
	struct buffer b;

	buffer_init(&b, 1000);
	ck_ok(buffer_append(&b, span_of("ab", 2)));
	ck_ok(buffer_append_u8(&b, 0xff));
	ck_ok(buffer_append_le32(&b, 0x01020304));
	ck_ok(buffer_append_le64(&b, UINT64_C(0x0102030405060708)));
	ck_ok(buffer_append_varint(&b, 128));
	ck_assert_uint_eq(buffer_span(&b).len, sizeof(want));
	ck_assert_mem_eq(b.data, want, sizeof(want));
	buffer_release(&b);
}
END_TEST

START_TEST(limit_is_exact)
{
	uint8_t bytes[101] = { 0 };
	struct buffer b;

	buffer_init(&b, 100);
	ck_rc(buffer_append(&b, span_of(bytes, 101)), -EFBIG);
	ck_assert_uint_eq(b.len, 0);
	ck_ok(buffer_append(&b, span_of(bytes, 100)));
	ck_assert_uint_le(b.cap, 100);
	ck_rc(buffer_append_u8(&b, 1), -EFBIG);
	ck_ok(buffer_append(&b, span_of(bytes, 0)));
	ck_rc(buffer_reserve(&b, SIZE_MAX), -EFBIG);
	ck_assert_uint_eq(b.len, 100);
	buffer_release(&b);
}
END_TEST

START_TEST(limit_below_first_step)
{
	struct buffer b;

	buffer_init(&b, 3);
	ck_ok(buffer_append(&b, span_of("abc", 3)));
	ck_rc(buffer_append_u8(&b, 'd'), -EFBIG);
	ck_assert_mem_eq(b.data, "abc", 3);
	buffer_release(&b);
	buffer_init(&b, 0);
	ck_rc(buffer_append_u8(&b, 'd'), -EFBIG);
	ck_ok(buffer_append(&b, (struct span){ 0 }));
	buffer_release(&b);
}
END_TEST

START_TEST(growth_keeps_content)
{
	struct buffer b;
	uint64_t i;

	buffer_init(&b, SIZE_MAX);
	for (i = 0; i < 100000; i++)
		ck_ok(buffer_append_le64(&b, i * i));
	for (i = 0; i < 100000; i++)
		ck_assert_uint_eq(get_le64(b.data + i * 8), i * i);
	buffer_release(&b);
}
END_TEST

START_TEST(reserve_makes_room_only)
{
	struct buffer b;
	const uint8_t *data;

	buffer_init(&b, 10000);
	ck_ok(buffer_reserve(&b, 5000));
	ck_assert_uint_eq(b.len, 0);
	ck_assert_uint_ge(b.cap, 5000);
	data = b.data;
	memset(b.data, 7, 5000);
	b.len = 5000;
	ck_ok(buffer_reserve(&b, 0));
	ck_assert_ptr_eq(b.data, data);
	buffer_release(&b);
}
END_TEST

START_TEST(clear_keeps_memory)
{
	struct buffer b;
	size_t cap;

	buffer_init(&b, 10000);
	ck_ok(buffer_reserve(&b, 5000));
	cap = b.cap;
	buffer_clear(&b);
	ck_assert_uint_eq(b.cap, cap);
	buffer_release(&b);
	ck_assert_ptr_null(b.data);
	ck_assert_uint_eq(b.cap, 0);
	buffer_release(&b);
	ck_ok(buffer_append_u8(&b, 1));
	buffer_release(&b);
}
END_TEST

/* More than any machine has. */
START_TEST(no_memory_changes_nothing)
{
	struct buffer b;

	buffer_init(&b, SIZE_MAX);
	ck_ok(buffer_append_u8(&b, 42));
	ck_rc(buffer_reserve(&b, SIZE_MAX / 4), -ENOMEM);
	ck_assert_uint_eq(b.len, 1);
	ck_assert_uint_eq(b.data[0], 42);
	buffer_release(&b);
}
END_TEST

Suite *suite_buffer(void)
{
	const TTest *const tests[] = {
		fields_in_order,           limit_is_exact,
		limit_below_first_step,    growth_keeps_content,
		reserve_makes_room_only,   clear_keeps_memory,
		no_memory_changes_nothing,
	};

	return suite_of("base/buffer", tests, ARRAY_LEN(tests), 10);
}
