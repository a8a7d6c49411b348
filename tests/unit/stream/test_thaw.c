/* SPDX-License-Identifier: MIT */
/*
 * test_thaw.c - tests of src/stream/thaw.c.
 */
#include "unit/stream/suites.h"

#include "base/cleanup.h"
#include "lib/suite.h"
#include "stream/record.h"
#include "unit/stream/streams.h"

enum { N_FRAMES = 6, RAW_LEN = N_FRAMES * SMALL_FRAME };

static const struct stream_head head = {
	.epoch = 1,
	.frame_max = SMALL_FRAME,
};

static struct span frame(const struct stream_sample *s, size_t n)
{
	size_t len;
	size_t off = record_at(buffer_span(&s->stream.out), n, &len);

	return span_of(s->stream.out.data + off + RECORD_HEADER_LEN, len);
}

/* Frames `first`..`last`, but for `left_out`. */
static int thaw(struct stream_sample *s, const struct thaw_options *how,
		const size_t frames[3], struct thaw_totals *ret)
{
	struct thaw_options options = *how;
	struct thaw_place place;
	struct thaw *t;
	size_t n;
	int rc = 0;

	options.n_workers = 2;
	options.head = head;
	options.sink = store_sink_of(&s->out);
	ck_ok(thaw_new(&options, &t));
	for (n = frames[0]; n <= frames[1] && rc == 0; n++) {
		if (n == frames[2])
			continue;
		ck_ok(thaw_place_of(&head, frame(s, n), &place));
		ck_assert_uint_eq(place.raw_off, n * SMALL_FRAME);
		ck_assert_uint_eq(place.raw_len, SMALL_FRAME);
		rc = thaw_frame(t, &place, frame(s, n));
	}
	if (rc == 0)
		rc = thaw_finish(t, options.lenient ? RAW_LEN : 0, ret);
	thaw_free(t);
	return rc;
}

START_TEST(a_range_is_cut_out)
{
	static const uint64_t ranges[][2] = {
		{ 0, UINT64_MAX },
		{ 0, 1 },
		{ 0, SMALL_FRAME },
		{ 1, SMALL_FRAME },
		{ SMALL_FRAME - 1, SMALL_FRAME + 1 },
		{ 5 * SMALL_FRAME, RAW_LEN },
		{ RAW_LEN - 1, RAW_LEN },
		{ 100, 100 },
	};
	struct thaw_totals totals;
	struct stream_sample s;
	uint64_t from, to;
	size_t i;

	stream_sample_init(&s, RAW_LEN);
	for (i = 0; i < ARRAY_LEN(ranges); i++) {
		const struct thaw_options how = { .from = ranges[i][0],
						  .to = ranges[i][1] };

		from = ranges[i][0];
		to = min_u64(ranges[i][1], RAW_LEN);
		buffer_clear(&s.out.out);
		ck_ok(thaw(&s, &how, (size_t[]){ 0, N_FRAMES - 1, 99 },
			   &totals));
		ck_assert_uint_eq(s.out.out.len, to - from);
		if (to > from)
			ck_assert_mem_eq(s.out.out.data, s.raw + from,
					 to - from);
	}
	stream_sample_release(&s);
}
END_TEST

START_TEST(gaps_are_filled_and_told)
{
	const struct thaw_options how = { .lenient = true, .to = UINT64_MAX };
	struct thaw_totals totals;
	struct stream_sample s;

	stream_sample_init(&s, RAW_LEN);
	memset(s.raw, 0, SMALL_FRAME);
	memset(s.raw + (size_t)3 * SMALL_FRAME, 0, SMALL_FRAME);
	memset(s.raw + (size_t)5 * SMALL_FRAME, 0, SMALL_FRAME);
	ck_ok(thaw(&s, &how, (size_t[]){ 1, 4, 3 }, &totals));
	ck_assert_uint_eq(s.out.out.len, RAW_LEN);
	ck_assert_mem_eq(s.out.out.data, s.raw, RAW_LEN);
	ck_assert_uint_eq(s.out.n_missing, 3);
	ck_assert_uint_eq(s.out.missing[1][0], 3 * SMALL_FRAME);
	ck_assert_uint_eq(s.out.missing[1][1], SMALL_FRAME);
	ck_assert_uint_eq(totals.n_missing, 3);
	ck_assert_uint_eq(totals.missing_len, 3 * SMALL_FRAME);
	ck_assert_uint_eq(totals.n_frames, 3);
	stream_sample_release(&s);
}
END_TEST

/* Raw bytes that are not what their hash says: the record is right. */
START_TEST(a_frame_that_is_bad_inside)
{
	struct thaw_options how = { .to = UINT64_MAX };
	struct thaw_totals totals = { .n_frames = 9 };
	struct stream_sample s;
	uint8_t *bytes;

	stream_sample_init(&s, RAW_LEN);
	bytes = s.stream.out.data +
		(frame(&s, 2).ptr - (const uint8_t *)s.stream.out.data);
	bytes[frame(&s, 2).len - 1] ^= 1;
	ck_assert_int_lt(thaw(&s, &how, (size_t[]){ 0, 5, 99 }, &totals), 0);
	ck_assert_uint_eq(totals.n_frames, 9);
	buffer_clear(&s.out.out);
	how.lenient = true;
	ck_ok(thaw(&s, &how, (size_t[]){ 0, 5, 99 }, &totals));
	ck_assert_uint_eq(s.out.n_missing, 1);
	ck_assert_uint_eq(s.out.missing[0][0], 2 * SMALL_FRAME);
	ck_assert_uint_eq(s.out.out.len, RAW_LEN);
	stream_sample_release(&s);
}
END_TEST

START_TEST(failures_of_the_sink_are_told)
{
	struct thaw_options how = { .to = UINT64_MAX };
	struct thaw_totals totals;
	struct stream_sample s;
	unsigned n;

	stream_sample_init(&s, RAW_LEN);
	for (n = 1; n <= N_FRAMES; n++) {
		s.out.n_calls = 0;
		s.out.fail_at = n;
		s.out.rc = -EPIPE;
		how.lenient = n % 2 == 0;
		ck_rc(thaw(&s, &how, (size_t[]){ 0, 5, 99 }, &totals), -EPIPE);
	}
	stream_sample_release(&s);
}
END_TEST

static int place_of(const struct frame_chunk *chunks, size_t n,
		    struct thaw_place *ret)
{
	uint8_t bytes[128];
	size_t len = frame_table_put(chunks, n, bytes);

	return thaw_place_of(&head, span_of(bytes, len), ret);
}

START_TEST(every_field_of_a_place_is_checked)
{
	struct frame_chunk chunks[2] = {
		{ .id = 1 + 1000, .len = 5, .hash = 1 },
		{ .id = 1 + 1005, .len = 5, .hash = 1 },
	};
	struct thaw_place place = { .raw_off = 7 };

	ck_rc(place_of(chunks, 2, &place), -EUCLEAN);
	ck_rc(thaw_place_of(&head, span_of("", 0), &place), -EUCLEAN);
	chunks[0].len = SMALL_FRAME + 1;
	ck_rc(place_of(chunks, 1, &place), -EUCLEAN);
	chunks[0].len = SMALL_FRAME;
	chunks[0].id = UINT64_C(1) << STREAM_RAW_BITS;
	ck_rc(place_of(chunks, 1, &place), -EUCLEAN);
	ck_assert_uint_eq(place.raw_off, 7);
	chunks[0].id = (UINT64_C(1) << STREAM_RAW_BITS) - 1;
	ck_ok(place_of(chunks, 1, &place));
	ck_assert_uint_eq(place.raw_off, (UINT64_C(1) << STREAM_RAW_BITS) - 2);
	ck_assert_uint_eq(place.raw_len, SMALL_FRAME);
}
END_TEST

Suite *suite_thaw(void)
{
	const TTest *const tests[] = {
		a_range_is_cut_out,
		gaps_are_filled_and_told,
		a_frame_that_is_bad_inside,
		failures_of_the_sink_are_told,
		every_field_of_a_place_is_checked,
	};

	return suite_of("stream/thaw", tests, ARRAY_LEN(tests), 60);
}
