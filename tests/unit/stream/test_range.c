/* SPDX-License-Identifier: MIT */
/*
 * test_range.c - tests of src/stream/range.c.
 */
#include "unit/stream/suites.h"

#include "base/cleanup.h"
#include "base/io.h"
#include "lib/rng.h"
#include "lib/suite.h"
#include "lib/tmpdir.h"
#include "stream/range.h"
#include "stream/record.h"
#include "unit/stream/streams.h"

#include <fcntl.h>

enum { N_FRAMES = 600, RAW_LEN = N_FRAMES * SMALL_FRAME - 99 };

struct sample {
	uint8_t *raw;
	size_t raw_len;
	struct store_sink stream;
	struct store_sink out;
	struct tmpdir dir;
	int fd;
};

static void sample_init(struct sample *s, size_t raw_len)
{
	s->raw = mixed_bytes(raw_len);
	s->raw_len = raw_len;
	store_init(&s->stream);
	store_init(&s->out);
	make_stream(&s->stream, span_of(s->raw, raw_len), SMALL_FRAME);
	tmpdir_init(&s->dir);
	s->fd = io_open(s->dir.fd, "stream", O_RDWR | O_CREAT, 0600);
	ck_assert_int_ge(s->fd, 0);
	ck_ok(io_pwrite(s->fd, s->stream.out.data, s->stream.out.len, 0));
}

static void sample_release(struct sample *s)
{
	ck_ok(io_close(s->fd));
	tmpdir_release(&s->dir);
	store_release(&s->out);
	store_release(&s->stream);
	free(s->raw);
}

/* Into s->out; how much of the stream was read. */
static int read_range(struct sample *s, uint64_t from, uint64_t to,
		      uint64_t *ret_read_len)
{
	const struct thaw_options how = {
		.n_workers = 1,
		.sink = store_sink_of(&s->out),
		.from = from,
		.to = to,
	};
	struct range *r;
	int rc = range_open(s->fd, &r);

	buffer_clear(&s->out.out);
	if (rc < 0)
		return rc;
	ck_assert_uint_eq(range_raw_len(r), s->raw_len);
	rc = range_read(r, &how);
	*ret_read_len = range_read_len(r);
	range_close(r);
	return rc;
}

static void check_range(struct sample *s, uint64_t from, uint64_t to)
{
	uint64_t end = min_u64(to, s->raw_len);
	uint64_t first = from / SMALL_FRAME;
	uint64_t n = end > from ? (end - 1) / SMALL_FRAME - first + 1 : 0;
	uint64_t read_len;

	ck_ok(read_range(s, from, to, &read_len));
	ck_assert_uint_eq(s->out.out.len, end > from ? end - from : 0);
	if (end > from)
		ck_assert_mem_eq(s->out.out.data, s->raw + from, end - from);
	/* The frames, and two tables or some more where the range crosses from
	 * one to the next. */
	ck_assert_uint_le(read_len,
			  STREAM_HEAD_LEN + STREAM_TAIL_LEN +
				  n * (RECORD_HEADER_LEN + SMALL_FRAME +
				       STREAM_FRAME_EXTRA) +
				  (n > 0 ? 2 + n / 256 + 1 : 0) * 2100);
}

START_TEST(ranges_are_what_they_should_be)
{
	struct rng rng = rng_of(1);
	struct sample s;
	uint64_t from, len;
	size_t i;

	sample_init(&s, RAW_LEN);
	check_range(&s, 0, 1);
	check_range(&s, 0, 0);
	check_range(&s, RAW_LEN - 1, RAW_LEN);
	check_range(&s, RAW_LEN - 1, UINT64_MAX);
	check_range(&s, RAW_LEN, UINT64_MAX);
	check_range(&s, SMALL_FRAME - 1, SMALL_FRAME + 1);
	check_range(&s, 256 * SMALL_FRAME - 1, 256 * SMALL_FRAME + 1);
	check_range(&s, 0, UINT64_MAX);
	for (i = 0; i < 100; i++) {
		from = rng_below(&rng, RAW_LEN);
		len = rng_below(&rng, 20 * SMALL_FRAME);
		check_range(&s, from, from + len);
	}
	sample_release(&s);
}
END_TEST

START_TEST(one_frame_needs_little)
{
	struct sample s;
	uint64_t read_len;

	sample_init(&s, RAW_LEN);
	ck_ok(read_range(&s, 300 * SMALL_FRAME, 300 * SMALL_FRAME + 10,
			 &read_len));
	ck_assert_uint_lt(read_len, 8000);
	sample_release(&s);
}
END_TEST

START_TEST(streams_of_all_lengths)
{
	static const size_t lens[] = { 0,
				       1,
				       SMALL_FRAME,
				       SMALL_FRAME + 1,
				       256 * SMALL_FRAME,
				       256 * SMALL_FRAME + 1 };
	struct sample s;
	size_t i;

	for (i = 0; i < ARRAY_LEN(lens); i++) {
		sample_init(&s, lens[i]);
		check_range(&s, 0, UINT64_MAX);
		check_range(&s, lens[i] / 2, lens[i]);
		sample_release(&s);
	}
}
END_TEST

START_TEST(cut_off_is_damage)
{
	struct sample s;
	uint64_t read_len;
	size_t len;
	int rc;

	sample_init(&s, 3 * SMALL_FRAME);
	for (len = s.stream.out.len; len-- > 0;) {
		ck_ok(io_ftruncate(s.fd, len));
		rc = read_range(&s, 0, 10, &read_len);
		ck_rc(rc, len < STREAM_HEAD_LEN ? -EINVAL : -EUCLEAN);
	}
	sample_release(&s);
}
END_TEST

/* Reads a range while byte `at` is wrong. */
static int read_with_flip(struct sample *s, size_t at)
{
	uint8_t right = s->stream.out.data[at];
	uint8_t wrong = right ^ 0x21;
	uint64_t read_len;
	int rc;

	ck_ok(io_pwrite(s->fd, &wrong, 1, at));
	rc = read_range(s, SMALL_FRAME + 5, SMALL_FRAME + 500, &read_len);
	ck_ok(io_pwrite(s->fd, &right, 1, at));
	return rc;
}

/* Right bytes or an error; and it is an error if what is read is hit. */
START_TEST(every_byte_flipped)
{
	struct sample s;
	size_t at, n_errors = 0;

	sample_init(&s, 3 * SMALL_FRAME);
	for (at = 0; at < s.stream.out.len; at++) {
		if (read_with_flip(&s, at) < 0) {
			n_errors++;
			continue;
		}
		ck_assert_uint_eq(s.out.out.len, 495);
		ck_assert_mem_eq(s.out.out.data, s.raw + SMALL_FRAME + 5, 495);
	}
	ck_assert_uint_ge(n_errors, STREAM_HEAD_LEN + STREAM_TAIL_LEN + 100);
	sample_release(&s);
}
END_TEST

/* Checksums are right, but what is said is not: each byte of a table. */
START_TEST(lies_of_a_table_are_found)
{
	struct sample s;
	uint64_t read_len;
	size_t off, len, at;
	uint8_t was;

	sample_init(&s, 3 * SMALL_FRAME);
	off = record_at(buffer_span(&s.stream.out), 3, &len);
	ck_assert_uint_eq(s.stream.out.data[off + REC_TYPE_OFF], RECORD_SEEK);
	for (at = 0; at < len; at++) {
		uint8_t *byte =
			&s.stream.out.data[off + RECORD_HEADER_LEN + at];

		was = *byte;
		*byte ^= 1;
		mend_record(s.stream.out.data, off);
		ck_ok(io_pwrite(s.fd, s.stream.out.data, s.stream.out.len, 0));
		ck_assert_int_lt(read_range(&s, 0, UINT64_MAX, &read_len), 0);
		*byte = was;
	}
	sample_release(&s);
}
END_TEST

START_TEST(lies_of_the_end_are_found)
{
	static const size_t fields[] = { END_RAW_LEN_OFF, END_ROOT_OFF,
					 END_ROOT_OFF + 6, END_ROOT_LEN_OFF,
					 END_ROOT_LEVEL_OFF };
	struct sample s;
	struct range *r;
	const struct thaw_options how = {
		.n_workers = 1,
		.sink = store_sink_of(&s.out),
		.to = UINT64_MAX,
	};
	size_t off, i;
	int rc;

	sample_init(&s, 3 * SMALL_FRAME);
	off = record_at(buffer_span(&s.stream.out), 4, NULL);
	for (i = 0; i < ARRAY_LEN(fields); i++) {
		s.stream.out.data[off + RECORD_HEADER_LEN + fields[i]] ^= 8;
		mend_record(s.stream.out.data, off);
		ck_ok(io_pwrite(s.fd, s.stream.out.data, s.stream.out.len, 0));
		rc = range_open(s.fd, &r);
		if (rc == 0) {
			rc = range_read(r, &how);
			range_close(r);
		}
		ck_assert_int_lt(rc, 0);
		s.stream.out.data[off + RECORD_HEADER_LEN + fields[i]] ^= 8;
	}
	sample_release(&s);
}
END_TEST

Suite *suite_range(void)
{
	const TTest *const tests[] = {
		ranges_are_what_they_should_be,
		one_frame_needs_little,
		streams_of_all_lengths,
		cut_off_is_damage,
		every_byte_flipped,
		lies_of_a_table_are_found,
		lies_of_the_end_are_found,
	};

	return suite_of("stream/range", tests, ARRAY_LEN(tests), 120);
}
