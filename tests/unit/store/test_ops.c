/* SPDX-License-Identifier: MIT */
/*
 * test_ops.c - batches of operations, packed and not.
 */
#include "unit/store/suites.h"

#include "lib/rng.h"
#include "lib/suite.h"
#include "store/log.h"
#include "store/ops.h"

#include <errno.h>

/* Packs and unpacks; the flags of the record. */
static uint8_t round_trip(struct span batch)
{
	struct buffer packed;
	struct buffer room;
	struct encoder *e;
	struct decoder *d;
	struct log_entry entry = { .type = RECORD_OPS };
	struct span got;

	buffer_init(&packed, 16 << 20);
	buffer_init(&room, 16 << 20);
	ck_ok(encoder_new(&e));
	ck_ok(decoder_new(&d));
	ck_ok(ops_pack(e, OPS_LEVEL, batch, &packed, &entry));
	ck_assert_uint_le(entry.payload.len, batch.len);
	ck_ok(ops_unpack(d, entry.flags, entry.payload, &room, &got));
	ck_assert_uint_eq(got.len, batch.len);
	ck_assert_mem_eq(got.ptr, batch.ptr, batch.len);
	/* Cut anywhere, it is not taken for whole. */
	if (entry.flags)
		ck_assert_int_lt(ops_unpack(d, entry.flags,
					    span_of(entry.payload.ptr,
						    entry.payload.len - 1),
					    &room, &got),
				 0);
	encoder_free(e);
	decoder_free(d);
	buffer_release(&packed);
	buffer_release(&room);
	return entry.flags;
}

/* 300 of all types and some lengths. */
static void fill_batch(struct buffer *b)
{
	size_t i;

	buffer_init(b, 1 << 20);
	for (i = 0; i < 300; i++)
		ck_ok(ops_put(b, (uint8_t)(64 + i % 64),
			      span_of("0123456789", i % 11)));
}

START_TEST(operations_come_back)
{
	struct buffer b;
	struct reader r;
	struct op op;
	size_t i;

	fill_batch(&b);
	r = reader_of(buffer_span(&b));
	for (i = 0; i < 300; i++) {
		ck_assert_int_eq(ops_next(&r, &op), 1);
		ck_assert_uint_eq(op.type, 64 + i % 64);
		ck_assert(op.body.len == i % 11 &&
			  memcmp(op.body.ptr, "0123456789", i % 11) == 0);
	}
	ck_ok(ops_next(&r, &op));
	ck_assert_uint_eq(round_trip(buffer_span(&b)), RECORD_PACKED);
	buffer_release(&b);
}
END_TEST

START_TEST(cut_batch_is_not_whole)
{
	struct buffer b;
	struct op op;
	size_t i;

	fill_batch(&b);
	for (i = 1; i < 40; i++) {
		struct reader r = reader_of(span_of(b.data, i));
		int rc;

		do {
			rc = ops_next(&r, &op);
		} while (rc == 1);
		ck_assert(rc == -EUCLEAN || (rc == 0 && r.pos == r.end));
	}
	buffer_release(&b);
}
END_TEST

START_TEST(limit_is_kept)
{
	struct buffer b;
	uint8_t body[100] = { 0 };

	buffer_init(&b, 150);
	ck_ok(ops_put(&b, 64, span_of(body, 100)));
	ck_rc(ops_put(&b, 64, span_of(body, 100)), -EFBIG);
	ck_assert_uint_eq(b.len, 102);
	buffer_release(&b);
}
END_TEST

START_TEST(noise_stays_as_it_is)
{
	static uint8_t noise[5000];
	struct rng rng = rng_of(3);

	rng_fill(&rng, noise, sizeof(noise));
	ck_assert_uint_eq(round_trip(span_of(noise, sizeof(noise))), 0);
	ck_assert_uint_eq(round_trip(span_of(noise, 10)), 0);
}
END_TEST

START_TEST(hostile_lengths)
{
	static const uint8_t large[] = { 0xff, 0xff, 0xff, 0xff, 0x7f, 0 };
	struct buffer room;
	struct decoder *d;
	struct span got;
	struct reader r = reader_of(span_of("\x40\xff\xff\x7f", 4));
	struct op op;

	buffer_init(&room, 16 << 20);
	ck_ok(decoder_new(&d));
	ck_rc(ops_unpack(d, RECORD_PACKED, span_of(large, sizeof(large)), &room,
			 &got),
	      -EUCLEAN);
	ck_rc(ops_unpack(d, RECORD_PACKED, span_of(large, 0), &room, &got),
	      -EUCLEAN);
	ck_rc(ops_next(&r, &op), -EUCLEAN);
	decoder_free(d);
	buffer_release(&room);
}
END_TEST

Suite *suite_ops(void)
{
	const TTest *const tests[] = {
		operations_come_back, cut_batch_is_not_whole, limit_is_kept,
		noise_stays_as_it_is, hostile_lengths,
	};

	return suite_of("store/ops", tests, ARRAY_LEN(tests), 20);
}
