/* SPDX-License-Identifier: MIT */
/*
 * test_log.c - records in, segments out: rotation, commits, what is durable.
 */
#include "unit/store/suites.h"

#include "lib/fault.h"
#include "lib/rng.h"
#include "lib/suite.h"
#include "lib/tmpdir.h"
#include "store/log.h"
#include "store/scan.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

static const uint8_t UUID[SEGMENT_UUID_LEN] = { 9, 8, 7 };

struct bed {
	struct tmpdir tmp;
	struct segments *segments;
	struct log *log;
};

static bool no_room(void *ctx)
{
	(void)ctx;
	return false;
}

static void bed_begin(struct bed *b)
{
	struct log_start start = {
		.epoch = 5,
		.next_seq = 100,
		.next_segment = 3,
		.last_commit = 98,
		.make_room = no_room,
	};

	memcpy(start.uuid, UUID, sizeof(UUID));
	tmpdir_init(&b->tmp);
	ck_ok(segments_new(b->tmp.fd, UUID, &b->segments));
	ck_ok(log_new(b->segments, &start, &b->log));
}

static void bed_end(struct bed *b)
{
	log_free(b->log);
	segments_free(b->segments);
	tmpdir_release(&b->tmp);
}

static struct log_place append(struct bed *b, struct span payload)
{
	struct log_entry entry = { .type = RECORD_OPS, .payload = payload };
	struct log_place place;

	ck_ok(log_append(b->log, &entry, &place));
	return place;
}

static void expect_at(struct bed *b, const struct log_place *at,
		      struct span payload)
{
	struct scan_record rec;
	struct segment *seg;
	struct scan scan;

	ck_ok(log_written(b->log, at->segment,
			  at->off + RECORD_HEADER_LEN + payload.len));
	ck_ok(segments_get(b->segments, at->segment, &seg));
	ck_ok(scan_init(&scan, seg, at->off));
	ck_assert_int_eq(scan_next(&scan, &rec), 1);
	ck_assert_uint_eq(rec.head.seq, at->seq);
	ck_assert_uint_eq(rec.payload.len, payload.len);
	ck_assert_mem_eq(rec.payload.ptr, payload.ptr, payload.len);
	scan_release(&scan);
	segments_put(b->segments, seg);
}

START_TEST(nothing_is_made_before_the_first_record)
{
	struct log_commit commit;
	uint64_t first;
	uint64_t last;
	struct bed b;

	bed_begin(&b);
	ck_ok(log_commit(b.log, &commit));
	ck_assert_uint_eq(commit.seq, 0);
	ck_ok(log_flush(b.log));
	ck_ok(log_sync(b.log, 0));
	ck_ok(log_seal(b.log));
	ck_ok(segments_range(b.segments, &first, &last));
	ck_assert_uint_eq(last, 0);
	bed_end(&b);
}
END_TEST

START_TEST(records_come_back)
{
	uint8_t bytes[1000];
	struct log_place places[50];
	struct rng rng = rng_of(1);
	struct bed b;
	size_t i;

	bed_begin(&b);
	rng_fill(&rng, bytes, sizeof(bytes));
	for (i = 0; i < 50; i++)
		places[i] = append(&b, span_of(bytes, i * 20));
	for (i = 0; i < 50; i++) {
		ck_assert_uint_eq(places[i].seq, 100 + i);
		ck_assert_uint_eq(places[i].segment, 3);
		ck_assert_uint_eq(places[i].off % 8, 0);
		expect_at(&b, &places[i], span_of(bytes, i * 20));
	}
	bed_end(&b);
}
END_TEST

START_TEST(large_records_pass)
{
	size_t len = RECORD_PAYLOAD_MAX;
	uint8_t *bytes = calloc(1, len + 1);
	struct log_entry entry = { .type = RECORD_OPS };
	struct log_place place;
	struct bed b;

	bed_begin(&b);
	bytes[len - 1] = 1;
	(void)append(&b, span_of(bytes, 100));
	place = append(&b, span_of(bytes, len));
	(void)append(&b, span_of(bytes, 100));
	expect_at(&b, &place, span_of(bytes, len));
	entry.payload = span_of(bytes, len + 1);
	ck_rc(log_append(b.log, &entry, &place), -EFBIG);
	bed_end(&b);
	free(bytes);
}
END_TEST

/* Reads the OPS of segment 3; the COMMIT behind them and where it ends. */
static uint64_t read_group(struct bed *b, struct commit_body *ret,
			   uint64_t *ret_end)
{
	struct scan_record rec = { .off = 0 };
	struct segment *seg;
	struct scan scan;
	uint64_t hash = 0;

	ck_ok(segments_get(b->segments, 3, &seg));
	ck_ok(scan_init(&scan, seg, SEGMENT_HEADER_LEN));
	while (scan_next(&scan, &rec) == 1 && rec.head.type == RECORD_OPS)
		hash = log_group_hash(hash, rec.head.header_hash);
	ck_assert_int_eq(rec.head.type, RECORD_COMMIT);
	ck_ok(commit_body_get(rec.payload, ret));
	*ret_end = scan.off;
	scan_release(&scan);
	segments_put(b->segments, seg);
	return hash;
}

START_TEST(commit_counts_its_group)
{
	struct log_commit commit;
	struct log_commit again;
	struct commit_body body;
	uint64_t end;
	struct bed b;

	bed_begin(&b);
	(void)append(&b, span_of("a", 1));
	(void)append(&b, span_of("bc", 2));
	ck_ok(log_commit(b.log, &commit));
	ck_assert_uint_eq(commit.seq, 102);
	ck_ok(log_commit(b.log, &again));
	ck_assert_uint_eq(again.seq, 102);
	ck_ok(log_sync(b.log, commit.seq));
	ck_assert_uint_eq(read_group(&b, &body, &end), body.hash);
	ck_assert_uint_eq(body.first_seq, 100);
	ck_assert_uint_eq(body.n_records, 2);
	ck_assert_uint_eq(body.durable, 99);
	ck_assert_uint_eq(end, commit.off);
	bed_end(&b);
}
END_TEST

/* Reads a sealed segment to its end; the number of records. */
static size_t read_sealed(struct bed *b, uint64_t number)
{
	struct scan_record rec = { .off = 0 };
	enum record_type before = RECORD_FOOTER;
	struct segment *seg;
	struct scan scan;
	size_t n = 0;
	int rc;

	ck_ok(segments_get(b->segments, number, &seg));
	ck_ok(scan_init(&scan, seg, SEGMENT_HEADER_LEN));
	ck_assert_uint_le(scan.size, SEGMENT_LEN + (1 << 16));
	while ((rc = scan_next(&scan, &rec)) == 1) {
		n++;
		if (rec.head.type != RECORD_FOOTER)
			before = rec.head.type;
	}
	ck_ok(rc);
	ck_assert_int_eq(rec.head.type, RECORD_FOOTER);
	ck_assert_int_eq(before, RECORD_COMMIT);
	scan_release(&scan);
	segments_put(b->segments, seg);
	return n;
}

START_TEST(full_segments_are_sealed)
{
	size_t len = 200 << 10;
	uint8_t *bytes = calloc(1, len);
	struct log_place places[800];
	struct log_commit commit;
	uint64_t total;
	uint64_t n;
	struct bed b;
	size_t i;

	bed_begin(&b);
	for (i = 0; i < 800; i++) {
		put_le64(bytes, i);
		places[i] = append(&b, span_of(bytes, len));
	}
	ck_assert_uint_eq(places[799].segment, 5);
	for (i = 0; i < 800; i += 7) {
		put_le64(bytes, i);
		expect_at(&b, &places[i], span_of(bytes, len));
	}
	ck_ok(log_commit(b.log, &commit));
	ck_ok(log_sync(b.log, commit.seq));
	ck_ok(log_seal(b.log));
	log_extent(b.log, &total, &n);
	ck_assert_uint_eq(n, 3);
	ck_assert_uint_gt(total, 800 * len);
	/* COMMIT and FOOTER in each. */
	ck_assert_uint_eq(read_sealed(&b, 3) + read_sealed(&b, 4) +
				  read_sealed(&b, 5),
			  800 + 6);
	bed_end(&b);
	free(bytes);
}
END_TEST

START_TEST(held_group_stays_in_its_segment)
{
	size_t len = 4 << 20;
	uint8_t *bytes = calloc(1, len);
	struct log_place place = { .seq = 0 };
	struct bed b;
	size_t i;

	bed_begin(&b);
	(void)append(&b, span_of("x", 1));
	log_hold(b.log, true);
	for (i = 0; i < 20; i++)
		place = append(&b, span_of(bytes, len));
	ck_assert_uint_eq(place.segment, 3);
	log_hold(b.log, false);
	place = append(&b, span_of("y", 1));
	ck_assert_uint_eq(place.segment, 4);
	bed_end(&b);
	free(bytes);
}
END_TEST

/* One small commit; the file's length afterwards. */
static uint64_t small_commit(struct bed *b, struct log_commit *ret)
{
	uint64_t size;

	(void)append(b, span_of("small", 5));
	ck_ok(log_commit(b->log, ret));
	ck_ok(log_sync(b->log, ret->seq));
	ck_ok(segments_size(b->segments, 3, &size));
	return size;
}

START_TEST(small_commits_overwrite_zeros)
{
	struct log_commit commit;
	uint64_t size = 0;
	struct bed b;
	size_t i;

	bed_begin(&b);
	for (i = 0; i < 5; i++)
		size = small_commit(&b, &commit);
	ck_assert_uint_gt(size, 200 << 10);
	for (i = 0; i < 40; i++)
		ck_assert_uint_eq(small_commit(&b, &commit), size);
	ck_ok(log_seal(b.log));
	ck_ok(segments_size(b.segments, 3, &size));
	ck_assert_uint_lt(size, commit.off + 1000);
	bed_end(&b);
}
END_TEST

START_TEST(failed_log_stays_failed)
{
	struct log_entry entry = { .type = RECORD_OPS };
	struct log_place place;
	struct log_commit commit;
	struct bed b;

	bed_begin(&b);
	(void)append(&b, span_of("x", 1));
	fault_arm(FAULT_WRITES, 1, -EIO, false);
	ck_rc(log_flush(b.log), -EIO);
	ck_assert(fault_disarm());
	ck_rc(log_flush(b.log), -EIO);
	ck_rc(log_append(b.log, &entry, &place), -EIO);
	ck_rc(log_commit(b.log, &commit), -EIO);
	ck_rc(log_sync(b.log, 101), -EIO);
	ck_rc(log_seal(b.log), -EIO);
	bed_end(&b);
}
END_TEST

/* ---- threads ------------------------------------------------------------- */

enum { N_WRITERS = 4, WRITES = 400 };

struct writer {
	struct bed *b;
	unsigned index;
	struct log_place places[WRITES];
};

static void commit_now(struct bed *b)
{
	struct log_commit commit;

	ck_ok(log_commit(b->log, &commit));
	ck_ok(log_sync(b->log, commit.seq));
}

static void *write_some(void *arg)
{
	struct writer *w = arg;
	uint8_t bytes[9000] = { 0 };
	unsigned i;

	for (i = 0; i < WRITES; i++) {
		put_le64(bytes, w->index * WRITES + i);
		w->places[i] = append(w->b, span_of(bytes, 20 * i + 8));
		if (i % 50 == 0)
			commit_now(w->b);
		if (i % 30 == 0)
			expect_at(w->b, &w->places[i],
				  span_of(bytes, 20 * i + 8));
	}
	return NULL;
}

START_TEST(many_writers)
{
	static struct writer writers[N_WRITERS];
	pthread_t threads[N_WRITERS];
	struct bed b;
	unsigned i;

	bed_begin(&b);
	for (i = 0; i < N_WRITERS; i++) {
		writers[i] = (struct writer){ .b = &b, .index = i };
		ck_ok(pthread_create(&threads[i], NULL, write_some,
				     &writers[i]));
	}
	for (i = 0; i < N_WRITERS; i++)
		ck_ok(pthread_join(threads[i], NULL));
	ck_ok(log_seal(b.log));
	ck_assert_uint_gt(read_sealed(&b, 3), (size_t)N_WRITERS * WRITES);
	bed_end(&b);
}
END_TEST

Suite *suite_log(void)
{
	const TTest *const tests[] = {
		nothing_is_made_before_the_first_record,
		records_come_back,
		large_records_pass,
		commit_counts_its_group,
		full_segments_are_sealed,
		held_group_stays_in_its_segment,
		small_commits_overwrite_zeros,
		failed_log_stays_failed,
		many_writers,
	};

	return suite_of("store/log", tests, ARRAY_LEN(tests), 60);
}
