/* SPDX-License-Identifier: MIT */
/*
 * test_rounds.c - parts and ends, field by field.
 */
#include "unit/store/suites.h"

#include "lib/suite.h"
#include "store/rounds.h"

static const struct round_end END = {
	.n_parts = 3,
	.hash = 0x1122334455667788,
	.segment = 4,
	.off = 1 << 20,
	.len = 99999,
	.earlier = 2,
	.next_ids = { 77, 88, 99 },
	.n_duplicates = 5,
	.duplicate_len = 1 << 30,
};

START_TEST(parts_come_back)
{
	struct round_part part = { .round = 0 };
	struct buffer b;

	buffer_init(&b, 1 << 10);
	ck_assert_int_eq(round_part_put(&b, 1000, 300), 0);
	ck_assert_int_eq(buffer_append_u8(&b, 42), 0);
	ck_assert_int_eq(round_part_get(buffer_span(&b), &part), 0);
	ck_assert_uint_eq(part.round, 1000);
	ck_assert_uint_eq(part.number, 300);
	ck_assert_uint_eq(part.rest.len, 1);
	ck_assert_uint_eq(part.rest.ptr[0], 42);
	ck_assert_int_eq(round_part_get(span_of(b.data, 3), &part), -EUCLEAN);
	buffer_release(&b);
}
END_TEST

START_TEST(ends_come_back)
{
	struct round_end end;
	struct buffer b;

	memset(&end, 0, sizeof(end));
	buffer_init(&b, 1 << 10);
	ck_assert_int_eq(round_end_put(&b, &END), 0);
	ck_assert_int_eq(round_end_get(buffer_span(&b), &end), 0);
	ck_assert_mem_eq(&end, &END, sizeof(end));
	for (size_t len = 0; len < b.len; len++)
		ck_assert_int_eq(round_end_get(span_of(b.data, len), &end),
				 -EUCLEAN);
	buffer_release(&b);
}
END_TEST

/* A place that cannot be. */
START_TEST(ends_without_a_start_are_refused)
{
	struct round_end bad = END;
	struct round_end end;
	struct buffer b;

	buffer_init(&b, 1 << 10);
	bad.segment = 0;
	ck_assert_int_eq(round_end_put(&b, &bad), 0);
	ck_assert_int_eq(round_end_get(buffer_span(&b), &end), -EUCLEAN);
	buffer_clear(&b);
	bad = END;
	bad.off = SEGMENT_HEADER_LEN - 1;
	ck_assert_int_eq(round_end_put(&b, &bad), 0);
	ck_assert_int_eq(round_end_get(buffer_span(&b), &end), -EUCLEAN);
	buffer_release(&b);
}
END_TEST

Suite *suite_rounds(void)
{
	const TTest *const tests[] = {
		parts_come_back,
		ends_come_back,
		ends_without_a_start_are_refused,
	};

	return suite_of("store/rounds", tests, ARRAY_LEN(tests), 10);
}
