/* SPDX-License-Identifier: MIT */
/*
 * test_scan.c - reading records one after the other, and past a bad place.
 */
#include "unit/store/suites.h"

#include "base/io.h"
#include "lib/suite.h"
#include "lib/tmpdir.h"
#include "store/scan.h"

#include <stdlib.h>

enum { N_RECORDS = 30 };

struct bed {
	struct tmpdir tmp;
	struct segments *segments;
	struct segment *segment;
	uint64_t offs[N_RECORDS + 1];
};

/* Record i has i * 100000 bytes, more than a window in the end. */
static void bed_begin(struct bed *b)
{
	struct segment_header h = { .number = 1, .secret = 77 };
	uint8_t *bytes = calloc(1, RECORD_PAYLOAD_MAX + 64);
	uint64_t off = SEGMENT_HEADER_LEN;
	size_t i;

	tmpdir_init(&b->tmp);
	ck_ok(segments_new(b->tmp.fd, h.uuid, &b->segments));
	ck_ok(segments_create(b->segments, &h, &b->segment));
	for (i = 0; i < N_RECORDS; i++) {
		size_t len = i * 100000;
		struct record rec = {
			.type = RECORD_OPS,
			.payload_len = (uint32_t)len,
			.seq = i + 1,
		};

		memset(bytes + RECORD_HEADER_LEN, (int)i, len);
		rec.payload_hash = record_payload_hash(
			span_of(bytes + RECORD_HEADER_LEN, len), h.secret);
		record_build_header(&rec, h.secret, bytes);
		ck_ok(io_pwrite(b->segment->fd, bytes, record_len(len), off));
		b->offs[i] = off;
		off += record_len(len);
	}
	b->offs[N_RECORDS] = off;
	free(bytes);
}

static void bed_end(struct bed *b)
{
	segments_put(b->segments, b->segment);
	segments_free(b->segments);
	tmpdir_release(&b->tmp);
}

/* Reads all from the start; a bit for each record that was seen. */
static uint32_t read_all(struct bed *b)
{
	struct scan_record rec;
	struct scan scan;
	uint32_t seen = 0;
	int rc;

	ck_ok(scan_init(&scan, b->segment, SEGMENT_HEADER_LEN));
	while ((rc = scan_next(&scan, &rec)) != 0) {
		if (rc < 0) {
			ck_assert(scan_is_bad(rc));
			rc = scan_resync(&scan, &rec);
		}
		if (rc == 0)
			break;
		ck_assert_int_eq(rc, 1);
		ck_assert_uint_eq(rec.off, b->offs[rec.head.seq - 1]);
		if (rec.payload.len > 0)
			ck_assert_uint_eq(rec.payload.ptr[rec.payload.len - 1],
					  rec.head.seq - 1);
		seen |= 1U << (rec.head.seq - 1);
	}
	scan_release(&scan);
	return seen;
}

START_TEST(all_are_read)
{
	struct bed b;

	bed_begin(&b);
	ck_assert_uint_eq(read_all(&b), (1U << N_RECORDS) - 1);
	bed_end(&b);
}
END_TEST

START_TEST(bad_ones_are_stepped_over)
{
	struct bed b;
	size_t i;

	bed_begin(&b);
	for (i = 0; i < N_RECORDS; i++) {
		uint64_t at = b.offs[i] + 48 + i * 99999;
		uint8_t byte;

		if (i == 0)
			at = b.offs[0] + 20;
		ck_ok(io_pread_full(b.segment->fd, &byte, 1, at));
		byte ^= 1;
		ck_ok(io_pwrite(b.segment->fd, &byte, 1, at));
		ck_assert_uint_eq(read_all(&b),
				  ((1U << N_RECORDS) - 1) & ~(1U << i));
		byte ^= 1;
		ck_ok(io_pwrite(b.segment->fd, &byte, 1, at));
	}
	bed_end(&b);
}
END_TEST

/* Cut at `len`, it has the first `n` records. */
static void expect_first(struct bed *b, uint64_t len, size_t n)
{
	ck_ok(io_ftruncate(b->segment->fd, len));
	ck_assert_uint_eq(read_all(b), (1U << n) - 1);
}

START_TEST(file_may_end_anywhere)
{
	struct bed b;
	size_t i;

	bed_begin(&b);
	for (i = N_RECORDS; i-- > 1;) {
		expect_first(&b, b.offs[i + 1] - 8, i);
		expect_first(&b, b.offs[i] + 47, i);
		expect_first(&b, b.offs[i], i);
	}
	bed_end(&b);
}
END_TEST

Suite *suite_scan(void)
{
	const TTest *const tests[] = {
		all_are_read,
		bad_ones_are_stepped_over,
		file_may_end_anywhere,
	};

	return suite_of("store/scan", tests, ARRAY_LEN(tests), 60);
}
