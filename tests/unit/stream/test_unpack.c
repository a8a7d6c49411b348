/* SPDX-License-Identifier: MIT */
/*
 * test_unpack.c - tests of src/stream/unpack.c: right bytes or an error,
 * whatever happens to a stream.
 */
#include "unit/stream/suites.h"

#include "base/cleanup.h"
#include "lib/rng.h"
#include "lib/suite.h"
#include "stream/record.h"
#include "unit/stream/streams.h"

enum { N_FRAMES = 4, RAW_LEN = N_FRAMES * SMALL_FRAME - 1000 };

static int unpack_len(struct stream_sample *s, size_t len, bool lenient)
{
	buffer_clear(&s->out.out);
	s->out.n_missing = 0;
	return unpack_bytes(&s->out, span_of(s->stream.out.data, len), lenient,
			    &s->totals);
}

static int unpack_all(struct stream_sample *s, bool lenient)
{
	return unpack_len(s, s->stream.out.len, lenient);
}

static bool all_zero(const uint8_t *bytes, size_t len)
{
	while (len > 0 && bytes[len - 1] == 0)
		len--;
	return len == 0;
}

/* Whether what came out is right but for what is missing, which is 0. */
static bool is_right(const struct stream_sample *s)
{
	const struct store_sink *out = &s->out;
	uint64_t pos = 0;
	size_t i;

	for (i = 0; i < out->n_missing; i++) {
		uint64_t begin = out->missing[i][0];
		uint64_t end = begin + out->missing[i][1];

		if (begin < pos || end > out->out.len ||
		    memcmp(out->out.data + pos, s->raw + pos, begin - pos) !=
			    0 ||
		    !all_zero(out->out.data + begin, end - begin))
			return false;
		pos = end;
	}
	return out->out.len <= RAW_LEN &&
	       (out->out.len == pos || memcmp(out->out.data + pos, s->raw + pos,
					      out->out.len - pos) == 0);
}

static void check_salvaged(const struct stream_sample *s)
{
	uint64_t missing_len = 0;
	size_t i;

	ck_assert(is_right(s));
	for (i = 0; i < s->out.n_missing; i++)
		missing_len += s->out.missing[i][1];
	ck_assert_uint_eq(missing_len, s->totals.missing_len);
	ck_assert_uint_eq(s->totals.raw_len, s->out.out.len);
	ck_assert_uint_eq(s->totals.n_missing, s->out.n_missing);
}

/* How many frames are whole in the first `len` bytes. */
static size_t n_whole(const struct stream_sample *s, size_t len)
{
	size_t payload_len;
	size_t off;
	size_t n;

	for (n = 0; n < N_FRAMES; n++) {
		off = record_at(buffer_span(&s->stream.out), n, &payload_len);
		if (off + RECORD_HEADER_LEN + payload_len > len)
			break;
	}
	return n;
}

START_TEST(cut_off_anywhere)
{
	struct stream_sample s;
	size_t len, n;

	stream_sample_init(&s, RAW_LEN);
	for (len = 0; len < s.stream.out.len; len++) {
		ck_rc(unpack_len(&s, len, false),
		      len < STREAM_HEAD_LEN ? -EINVAL : -EUCLEAN);
		n = n_whole(&s, len);
		ck_rc(unpack_len(&s, len, true), n == 0 ? -EINVAL : 0);
		if (n == 0)
			continue;
		ck_assert_uint_eq(s.totals.n_frames, n);
		ck_assert_uint_eq(s.out.out.len,
				  min_u64(n * SMALL_FRAME, RAW_LEN));
		ck_assert(!s.totals.end_known);
		check_salvaged(&s);
	}
	stream_sample_release(&s);
}
END_TEST

/* Any one byte changed: an error; and a salvage loses one frame at most. */
START_TEST(every_byte_flipped)
{
	struct rng rng = rng_of(5);
	struct stream_sample s;
	uint8_t was;
	size_t at;

	stream_sample_init(&s, RAW_LEN);
	for (at = 0; at < s.stream.out.len; at++) {
		was = s.stream.out.data[at];
		s.stream.out.data[at] ^= (uint8_t)(1 + rng_below(&rng, 255));
		ck_assert_int_lt(unpack_all(&s, false), 0);
		ck_ok(unpack_all(&s, true));
		check_salvaged(&s);
		ck_assert_uint_ge(s.totals.n_frames, N_FRAMES - 1);
		ck_assert_uint_le(s.totals.missing_len, SMALL_FRAME);
		s.stream.out.data[at] = was;
	}
	ck_ok(unpack_all(&s, false));
	check_salvaged(&s);
	ck_assert_uint_eq(s.out.out.len, RAW_LEN);
	stream_sample_release(&s);
}
END_TEST

/* In `s`: `whole` with `len` bytes from `at` on overwritten, taken out, or put
 * in twice. */
static void mangle(struct buffer *s, struct span whole, size_t at, size_t len,
		   struct rng *rng)
{
	unsigned how = (unsigned)rng_below(rng, 3);
	size_t next = how == 2 ? at : at + len; /* what comes behind */
	size_t kept = how == 2 ? at + len : at;

	buffer_clear(s);
	ck_ok(buffer_append(s, span_of(whole.ptr, kept)));
	if (how == 0) {
		ck_ok(buffer_reserve(s, len));
		rng_fill(rng, s->data + s->len, len);
		s->len += len;
	}
	ck_ok(buffer_append(s, span_of(whole.ptr + next, whole.len - next)));
}

START_TEST(whole_stretches_are_gone)
{
	struct rng rng = rng_of(9);
	struct store_sink whole;
	struct stream_sample s;
	size_t at, len, i;

	stream_sample_init(&s, RAW_LEN);
	store_init(&whole);
	ck_ok(buffer_append(&whole.out, buffer_span(&s.stream.out)));
	for (i = 0; i < 600; i++) {
		at = (size_t)rng_below(&rng, whole.out.len);
		len = 1 + (size_t)rng_below(&rng,
					    min_u64(whole.out.len - at, 6000));
		mangle(&s.stream.out, buffer_span(&whole.out), at, len, &rng);
		ck_assert_int_lt(unpack_all(&s, false), 0);
		if (unpack_all(&s, true) == 0)
			check_salvaged(&s);
	}
	store_release(&whole);
	stream_sample_release(&s);
}
END_TEST

START_TEST(salvage_of_a_whole_stream_misses_nothing)
{
	struct stream_sample s;

	stream_sample_init(&s, RAW_LEN);
	ck_ok(unpack_all(&s, true));
	check_salvaged(&s);
	ck_assert_uint_eq(s.out.out.len, RAW_LEN);
	ck_assert_uint_eq(s.totals.n_missing, 0);
	ck_assert(s.totals.end_known);
	stream_sample_release(&s);
}
END_TEST

START_TEST(salvage_lists_what_is_missing)
{
	struct stream_sample s;
	size_t n, off;

	stream_sample_init(&s, RAW_LEN);
	for (n = 0; n < N_FRAMES; n++) {
		off = record_at(buffer_span(&s.stream.out), n, NULL);
		s.stream.out.data[off + RECORD_HEADER_LEN] ^= 0x40;
		ck_ok(unpack_all(&s, true));
		check_salvaged(&s);
		ck_assert_uint_eq(s.out.n_missing, 1);
		ck_assert_uint_eq(s.out.missing[0][0], n * SMALL_FRAME);
		ck_assert_uint_eq(
			s.out.missing[0][1],
			min_u64(SMALL_FRAME, RAW_LEN - n * SMALL_FRAME));
		ck_assert_uint_eq(s.out.out.len, RAW_LEN);
		s.stream.out.data[off + RECORD_HEADER_LEN] ^= 0x40;
	}
	stream_sample_release(&s);
}
END_TEST

/* Checksums are right, but what is said is not. */
START_TEST(lies_are_found)
{
	static const struct {
		size_t record; /* 4: the seek table, 5: the end */
		size_t off;    /* in the payload */
	} lies[] = {
		{ 0, 1 }, /* the frame's place */
		{ 1, 1 },
		{ 2, 2 },
		{ 1, 4 }, /* its length */
		{ 0, 6 }, /* its hash */
		{ 4, 0 },
		{ 4, 1 },
		{ 4, 3 },
		{ 4, 5 },
		{ 5, END_RAW_LEN_OFF },
		{ 5, END_N_FRAMES_OFF },
		{ 5, END_ROOT_OFF },
		{ 5, END_ROOT_LEN_OFF },
		{ 5, END_ROOT_LEVEL_OFF },
		{ 5, END_ZERO_OFF },
	};
	struct stream_sample s;
	size_t off, i;

	stream_sample_init(&s, RAW_LEN);
	for (i = 0; i < ARRAY_LEN(lies); i++) {
		off = record_at(buffer_span(&s.stream.out), lies[i].record,
				NULL);
		s.stream.out.data[off + RECORD_HEADER_LEN + lies[i].off] ^= 8;
		mend_record(s.stream.out.data, off);
		ck_assert_int_lt(unpack_all(&s, false), 0);
		s.stream.out.data[off + RECORD_HEADER_LEN + lies[i].off] ^= 8;
		mend_record(s.stream.out.data, off);
	}
	ck_ok(unpack_all(&s, false));
	stream_sample_release(&s);
}
END_TEST

/* Records change places, with the sequence numbers that belong there. */
START_TEST(order_is_checked)
{
	static const size_t swaps[][2] = { { 0, 1 }, { 3, 4 }, { 4, 5 } };
	struct store_sink swapped;
	struct stream_sample s;
	size_t order[6];
	size_t i, n, off, end, payload_len;

	stream_sample_init(&s, RAW_LEN);
	for (i = 0; i < ARRAY_LEN(swaps); i++) {
		store_init(&swapped);
		for (n = 0; n < ARRAY_LEN(order); n++)
			order[n] = n;
		order[swaps[i][0]] = swaps[i][1];
		order[swaps[i][1]] = swaps[i][0];
		ck_ok(store_write(&swapped,
				  span_of(s.stream.out.data, STREAM_HEAD_LEN)));
		for (n = 0; n < ARRAY_LEN(order); n++) {
			off = record_at(buffer_span(&s.stream.out), order[n],
					&payload_len);
			end = swapped.out.len;
			ck_ok(store_write(&swapped,
					  span_of(s.stream.out.data + off,
						  record_len(payload_len))));
			put_le64(swapped.out.data + end + REC_SEQ_OFF, n + 1);
			mend_record(swapped.out.data, end);
		}
		buffer_clear(&s.out.out);
		ck_rc(unpack_bytes(&s.out, buffer_span(&swapped.out), false,
				   NULL),
		      -EUCLEAN);
		store_release(&swapped);
	}
	stream_sample_release(&s);
}
END_TEST

/* A frame that claims to be far away is not believed. */
START_TEST(salvage_fills_no_gap_without_reason)
{
	struct stream_sample s;
	struct frame_chunk chunk = { .id = UINT64_C(1) << 60,
				     .len = SMALL_FRAME };
	uint8_t table[64];
	size_t off, len, old_len;

	stream_sample_init(&s, RAW_LEN);
	off = record_at(buffer_span(&s.stream.out), 0, &old_len);
	ck_assert_uint_gt(old_len, sizeof(table));
	len = frame_table_put(&chunk, 1, table);
	memcpy(s.stream.out.data + off + RECORD_HEADER_LEN, table, len);
	mend_record(s.stream.out.data, off);
	ck_ok(unpack_all(&s, true));
	check_salvaged(&s);
	ck_assert_uint_eq(s.totals.missing_len, SMALL_FRAME);
	/* The same for the end. */
	off = record_at(buffer_span(&s.stream.out), 5, NULL);
	put_le64(s.stream.out.data + off + RECORD_HEADER_LEN, UINT64_C(1)
								      << 61);
	mend_record(s.stream.out.data, off);
	ck_ok(unpack_all(&s, true));
	check_salvaged(&s);
	ck_assert(!s.totals.end_known);
	stream_sample_release(&s);
}
END_TEST

START_TEST(tables_of_many_frames)
{
	const size_t len = 600 * SMALL_FRAME + 1;
	AUTO_FREE uint8_t *raw = mixed_bytes(len);
	struct store_sink stream, out;
	struct unpack_totals totals;

	store_init(&stream);
	store_init(&out);
	make_stream(&stream, span_of(raw, len), SMALL_FRAME);
	ck_ok(unpack_bytes(&out, buffer_span(&stream.out), false, &totals));
	ck_assert_uint_eq(totals.n_frames, 601);
	ck_assert_uint_eq(totals.stored_len, stream.out.len);
	ck_assert_uint_eq(out.out.len, len);
	ck_assert_mem_eq(out.out.data, raw, len);
	store_release(&out);
	store_release(&stream);
}
END_TEST

START_TEST(nothing_is_no_stream)
{
	struct store_sink out;

	store_init(&out);
	ck_rc(unpack_bytes(&out, span_of("", 0), false, NULL), -EINVAL);
	ck_rc(unpack_bytes(&out, span_of("", 0), true, NULL), -EINVAL);
	ck_rc(unpack_bytes(&out, span_of("hello", 5), true, NULL), -EINVAL);
	store_release(&out);
}
END_TEST

Suite *suite_unpack(void)
{
	const TTest *const tests[] = {
		cut_off_anywhere,
		every_byte_flipped,
		whole_stretches_are_gone,
		salvage_of_a_whole_stream_misses_nothing,
		salvage_lists_what_is_missing,
		lies_are_found,
		order_is_checked,
		salvage_fills_no_gap_without_reason,
		tables_of_many_frames,
		nothing_is_no_stream,
	};

	return suite_of("stream/unpack", tests, ARRAY_LEN(tests), 300);
}
