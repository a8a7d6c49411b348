/* SPDX-License-Identifier: MIT */
/*
 * test_segment.c - the header of a segment, its name, and the table of files.
 */
#include "unit/store/suites.h"

#include "base/hash.h"
#include "base/io.h"
#include "base/report.h"
#include "lib/suite.h"
#include "lib/tmpdir.h"
#include "store/segments.h"

#include <stdlib.h>
#include <sys/resource.h>

static const struct segment_header SAMPLE = {
	.number = 7,
	.epoch = 3,
	.uuid = { 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16 },
	.secret = 0x1122334455667788,
	.first_seq = 1000,
	.previous_commit = 999,
	.checkpoint = 0,
};

/* Sets the checksum right. */
static void seal(uint8_t *bytes)
{
	put_le64(bytes + SEG_HASH_OFF, hash64(span_of(bytes, SEG_HASH_OFF), 0));
}

START_TEST(header_comes_back)
{
	uint8_t bytes[SEGMENT_HEADER_LEN];
	struct segment_header h;

	segment_header_put(&SAMPLE, bytes);
	ck_ok(segment_header_get(span_of(bytes, sizeof(bytes)), &h));
	ck_assert_uint_eq(h.number, SAMPLE.number);
	ck_assert_uint_eq(h.epoch, SAMPLE.epoch);
	ck_assert_mem_eq(h.uuid, SAMPLE.uuid, sizeof(h.uuid));
	ck_assert_uint_eq(h.secret, SAMPLE.secret);
	ck_assert_uint_eq(h.first_seq, SAMPLE.first_seq);
	ck_assert_uint_eq(h.previous_commit, SAMPLE.previous_commit);
	ck_assert_uint_eq(h.checkpoint, SAMPLE.checkpoint);
}
END_TEST

START_TEST(each_field_is_checked)
{
	uint8_t bytes[SEGMENT_HEADER_LEN];
	struct segment_header h;
	size_t i;

	for (i = 0; i < SEGMENT_HEADER_LEN; i++) {
		int want = i < SEG_VERSION_OFF ? -EUCLEAN : -EBADMSG;

		segment_header_put(&SAMPLE, bytes);
		bytes[i] ^= 0x10;
		ck_rc(segment_header_get(span_of(bytes, sizeof(bytes)), &h),
		      want);
		ck_rc(segment_header_get(span_of(bytes, i), &h), -EUCLEAN);
	}
	for (i = SEG_VERSION_OFF; i < SEG_NUMBER_OFF; i++) {
		segment_header_put(&SAMPLE, bytes);
		bytes[i] ^= 1;
		seal(bytes);
		ck_rc(segment_header_get(span_of(bytes, sizeof(bytes)), &h),
		      -EOPNOTSUPP);
	}
}
END_TEST

START_TEST(names)
{
	char name[SEGMENT_NAME_LEN + 1];

	segment_name(1, name);
	ck_assert_str_eq(name, "0000000001.seg");
	segment_name(9876543210, name);
	ck_assert_str_eq(name, "9876543210.seg");
	ck_assert_uint_eq(segment_number(name), 9876543210);
	ck_assert_uint_eq(segment_number("0000000001.sex"), 0);
	ck_assert_uint_eq(segment_number("000000001.seg"), 0);
	ck_assert_uint_eq(segment_number("00000000011.seg"), 0);
	ck_assert_uint_eq(segment_number("0000000001.segs"), 0);
	ck_assert_uint_eq(segment_number(""), 0);
}
END_TEST

static struct segments *table(const struct tmpdir *tmp)
{
	struct segments *t;

	ck_ok(segments_new(tmp->fd, SAMPLE.uuid, &t));
	return t;
}

START_TEST(files_are_made_found_and_removed)
{
	struct tmpdir tmp;
	struct segments *t;
	struct segment *s;
	struct segment *again;
	uint64_t first;
	uint64_t last;

	tmpdir_init(&tmp);
	t = table(&tmp);
	ck_ok(segments_range(t, &first, &last));
	ck_assert_uint_eq(last, 0);
	ck_rc(segments_get(t, 7, &s), -ENOENT);
	ck_ok(segments_create(t, &SAMPLE, &s));
	ck_rc(segments_create(t, &SAMPLE, &again), -EEXIST);
	ck_ok(segments_get(t, 7, &again));
	ck_assert_ptr_eq(s, again);
	segments_put(t, s);
	segments_put(t, again);
	segments_free(t);
	t = table(&tmp);
	ck_ok(segments_get(t, 7, &s));
	ck_assert_uint_eq(s->header.secret, SAMPLE.secret);
	segments_put(t, s);
	ck_ok(segments_range(t, &first, &last));
	ck_assert_uint_eq(first, 7);
	ck_assert_uint_eq(last, 7);
	ck_ok(segments_next(t, 6, &first));
	ck_assert_uint_eq(first, 7);
	ck_ok(segments_next(t, 7, &first));
	ck_assert_uint_eq(first, 0);
	ck_ok(segments_before(t, 8, &first));
	ck_assert_uint_eq(first, 7);
	ck_ok(segments_before(t, 7, &first));
	ck_assert_uint_eq(first, 0);
	ck_ok(segments_remove(t, 7));
	segments_free(t);
	tmpdir_release(&tmp);
}
END_TEST

/* A filesystem may refuse; then it says so each time. */
START_TEST(read_past_the_cache)
{
	struct tmpdir tmp;
	struct segments *t;
	struct segment *s;
	uint8_t common[SEGMENT_HEADER_LEN];
	uint8_t *page = aligned_alloc(IO_PAGE_LEN, IO_PAGE_LEN);

	tmpdir_init(&tmp);
	t = table(&tmp);
	ck_ok(segments_create(t, &SAMPLE, &s));
	ck_ok(io_pread_full(s->fd, common, sizeof(common), 0));
	for (unsigned i = 0; i < 2; i++) {
		ssize_t n = segments_read_past(t, s, page, IO_PAGE_LEN, 0);

		if (n < 0)
			ck_rc(n, -EINVAL);
		else
			ck_assert_int_eq(n, SEGMENT_HEADER_LEN);
		if (n > 0)
			ck_assert_mem_eq(page, common, sizeof(common));
	}
	segments_put(t, s);
	segments_free(t);
	free(page);
	tmpdir_release(&tmp);
}
END_TEST

START_TEST(open_files_are_few)
{
	struct segment_header h = SAMPLE;
	struct tmpdir tmp;
	struct segments *t;
	struct segment *s;
	struct segment *pinned;
	int fd;

	tmpdir_init(&tmp);
	t = table(&tmp);
	for (h.number = 1; h.number <= 400; h.number++) {
		ck_ok(segments_create(t, &h, &s));
		segments_put(t, s);
	}
	ck_ok(segments_get(t, 5, &pinned));
	for (h.number = 1; h.number <= 400; h.number++) {
		ck_ok(segments_get(t, h.number, &s));
		ck_assert_uint_eq(s->header.number, h.number);
		segments_put(t, s);
	}
	ck_assert_uint_eq(pinned->header.number, 5);
	fd = io_open(tmp.fd, ".", 0, 0);
	ck_assert_int_lt(fd, 200);
	(void)io_close(fd);
	segments_put(t, pinned);
	segments_free(t);
	tmpdir_release(&tmp);
}
END_TEST

/* Lets the process have `n` descriptors from now on, until the old limit, which is
 * returned, is set again. */
static rlim_t limit_files(rlim_t n)
{
	struct rlimit limit;
	rlim_t old;

	ck_ok(getrlimit(RLIMIT_NOFILE, &limit));
	old = limit.rlim_cur;
	limit.rlim_cur = n;
	ck_ok(setrlimit(RLIMIT_NOFILE, &limit));
	return old;
}

/* Those that nobody uses give theirs; more than there are cannot be in use. */
START_TEST(descriptors_run_out)
{
	enum { ROOM = 8, SPARE = 8 /* it leaves to others */ };
	struct segment_header h = SAMPLE;
	struct segment *held[ROOM + SPARE + 1];
	struct tmpdir tmp;
	struct segments *t;
	struct segment *s;
	unsigned n = 0;
	rlim_t old;
	int rc = 0;
	int spare;
	int fd;

	tmpdir_init(&tmp);
	fd = io_open(tmp.fd, ".", 0, 0);
	ck_assert_int_ge(fd, 0);
	old = limit_files((rlim_t)fd + SPARE + ROOM);
	t = table(&tmp);
	for (h.number = 1; rc == 0 && h.number <= 5 * (uint64_t)ROOM;
	     h.number++) {
		rc = segments_create(t, &h, &s);
		if (rc == 0)
			segments_put(t, s);
	}
	for (h.number = 1; rc == 0 && h.number <= 5 * (uint64_t)ROOM;
	     h.number++) {
		rc = segments_get(t, h.number, &s);
		if (rc == 0)
			segments_put(t, s);
	}
	spare = io_open(tmp.fd, ".", 0, 0);
	for (h.number = 1; rc == 0 && n <= ROOM + SPARE; h.number++) {
		rc = segments_get(t, h.number, &held[n]);
		n += rc == 0;
	}
	(void)limit_files(old);
	ck_rc(rc, -EMFILE);
	ck_assert_uint_gt(n, ROOM / 2);
	/* Before all were in use, there were some. */
	ck_assert_int_le(spare, fd + ROOM + 1);
	(void)io_close(spare);
	while (n > 0)
		segments_put(t, held[--n]);
	(void)io_close(fd);
	segments_free(t);
	tmpdir_release(&tmp);
}
END_TEST

START_TEST(strangers_are_refused)
{
	struct segment_header h = SAMPLE;
	struct tmpdir tmp;
	struct segments *t;
	struct segment *s;

	tmpdir_init(&tmp);
	t = table(&tmp);
	report_silence(true);
	h.uuid[3] ^= 1;
	ck_ok(segments_create(t, &h, &s));
	segments_put(t, s);
	segments_free(t);
	t = table(&tmp);
	ck_rc(segments_get(t, 7, &s), -EUCLEAN);
	/* A name that is not the number in the header. */
	h = SAMPLE;
	h.number = 9;
	ck_ok(segments_create(t, &h, &s));
	segments_put(t, s);
	segments_free(t);
	ck_ok(io_rename(tmp.fd, "0000000009.seg", "0000000010.seg"));
	t = table(&tmp);
	ck_rc(segments_get(t, 10, &s), -EUCLEAN);
	segments_free(t);
	report_silence(false);
	tmpdir_release(&tmp);
}
END_TEST

Suite *suite_segment(void)
{
	const TTest *const tests[] = {
		header_comes_back,
		each_field_is_checked,
		names,
		files_are_made_found_and_removed,
		read_past_the_cache,
		open_files_are_few,
		descriptors_run_out,
		descriptors_run_out,
		strangers_are_refused,
	};

	return suite_of("store/segment", tests, ARRAY_LEN(tests), 20);
}
