/* SPDX-License-Identifier: MIT */
/*
 * test_carve.c - headers and records among other bytes, and what only looks like
 * them.
 */
#include "unit/store/suites.h"

#include "base/io.h"
#include "lib/rng.h"
#include "lib/suite.h"
#include "lib/tmpdir.h"
#include "store/carve.h"

#include <fcntl.h>
#include <stdlib.h>

enum { MIB_4 = 4 << 20, SEARCH = 64 << 10 };

static const struct carve_key key = { .epoch = 7,
				      .first_seq = 10,
				      .secret = 1234567 };

/* A file of some length; what is not put in it is noise. */
struct image {
	struct tmpdir tmp;
	uint8_t *bytes;
	size_t len;
	int fd;
};

static void image_begin(struct image *m, size_t len)
{
	struct rng rng = rng_of(5);

	tmpdir_init(&m->tmp);
	m->len = len;
	m->bytes = malloc(len);
	ck_assert_ptr_nonnull(m->bytes);
	rng_fill(&rng, m->bytes, len);
	m->fd = io_open(m->tmp.fd, "image", O_RDWR | O_CREAT, 0600);
	ck_assert_int_ge(m->fd, 0);
}

static void image_end(struct image *m)
{
	ck_ok(io_close(m->fd));
	free(m->bytes);
	tmpdir_release(&m->tmp);
}

/* A record of `len` bytes of payload; its place behind. */
static size_t put_record(struct image *m, size_t off, uint64_t seq, size_t len,
			 uint64_t secret)
{
	struct record rec = {
		.type = RECORD_FRAME,
		.payload_len = (uint32_t)len,
		.epoch = key.epoch,
		.seq = seq,
	};

	ck_assert_uint_le(off + RECORD_HEADER_LEN, m->len);
	if (off + RECORD_HEADER_LEN + len <= m->len)
		rec.payload_hash = record_payload_hash(
			span_of(m->bytes + off + RECORD_HEADER_LEN, len),
			secret);
	record_build_header(&rec, secret, m->bytes + off);
	return off + record_len(len);
}

static void begin(struct image *m, struct carve *c)
{
	ck_ok(io_pwrite(m->fd, m->bytes, m->len, 0));
	carve_init(c, m->fd, m->len);
	c->keys = &key;
	c->n_keys = 1;
}

static void expect(struct carve *c, uint64_t seq, uint64_t off, bool whole)
{
	struct carved r;

	ck_rc(carve_next(c, &r), 1);
	ck_assert_uint_eq(r.head.seq, seq);
	ck_assert_uint_eq(r.off, off);
	ck_assert_int_eq(r.whole, whole);
	ck_assert_uint_eq(r.key, 0);
}

static void expect_end(struct carve *c)
{
	struct carved r;

	ck_rc(carve_next(c, &r), 0);
	ck_rc(carve_next(c, &r), 0);
	carve_release(c);
}

/* At every place around the ends of what is searched and read at a time. */
START_TEST(records_across_the_ends_of_windows)
{
	static const size_t ends[] = { SEARCH, 3 * SEARCH, MIB_4 };
	struct image m;
	struct carve c;
	size_t shift;
	size_t i;

	image_begin(&m, MIB_4 + SEARCH);
	for (i = 0; i < ARRAY_LEN(ends); i++) {
		for (shift = 0; shift < RECORD_HEADER_LEN + 8; shift += 3) {
			size_t off = ends[i] - shift;
			size_t behind =
				put_record(&m, off, 11, 5000, key.secret);

			(void)put_record(&m, behind, 12, 0, key.secret);
			begin(&m, &c);
			expect(&c, 11, off, true);
			expect(&c, 12, behind, true);
			expect_end(&c);
			memset(m.bytes + off, 0x55, RECORD_HEADER_LEN);
			memset(m.bytes + behind, 0x55, RECORD_HEADER_LEN);
		}
	}
	image_end(&m);
}
END_TEST

/* The longest payload, at a place that is no multiple of anything. */
START_TEST(the_longest_record)
{
	struct image m;
	struct carve c;
	size_t behind;

	image_begin(&m, RECORD_PAYLOAD_MAX + MIB_4);
	behind = put_record(&m, 12345, 10, RECORD_PAYLOAD_MAX, key.secret);
	(void)put_record(&m, behind, 11, 10, key.secret);
	begin(&m, &c);
	expect(&c, 10, 12345, true);
	expect(&c, 11, behind, true);
	expect_end(&c);
	image_end(&m);
}
END_TEST

START_TEST(what_is_not_proved_is_none)
{
	struct image m;
	struct carve c;
	size_t at = 1000;

	image_begin(&m, SEARCH);
	/* Another secret, a sequence before the segment's, half a header. */
	at = put_record(&m, at, 11, 100, key.secret + 1);
	(void)put_record(&m, at, 9, 100, key.secret);
	(void)put_record(&m, m.len - RECORD_HEADER_LEN, 12, 0, key.secret);
	begin(&m, &c);
	c.size -= 1;
	expect_end(&c);
	image_end(&m);
}
END_TEST

START_TEST(a_bad_payload_hides_nothing)
{
	struct image m;
	struct carve c;
	size_t behind;

	image_begin(&m, MIB_4);
	behind = put_record(&m, 100, 11, 100000, key.secret);
	/* In its midst, where the rest of it was overwritten. */
	(void)put_record(&m, 20007, 15, 300, key.secret);
	(void)put_record(&m, behind, 12, 50, key.secret);
	begin(&m, &c);
	expect(&c, 11, 100, false);
	expect(&c, 15, 20007, true);
	expect(&c, 12, behind, true);
	expect_end(&c);
	image_end(&m);
}
END_TEST

/* Good headers that all claim the longest payload there is: the search must not
 * take as long as reading all of those. */
START_TEST(hostile_lengths)
{
	struct image m;
	struct carve c;
	struct carved r;
	unsigned n = 0;
	size_t at;
	int rc;

	image_begin(&m, 16 * MIB_4);
	for (at = 0; at + 64 < m.len; at += 64) {
		struct record rec = { .type = RECORD_FRAME,
				      .payload_len = RECORD_PAYLOAD_MAX,
				      .epoch = key.epoch,
				      .seq = 11 };

		record_build_header(&rec, key.secret, m.bytes + at);
	}
	begin(&m, &c);
	while ((rc = carve_next(&c, &r)) == 1) {
		ck_assert(!r.whole);
		n++;
	}
	ck_ok(rc);
	/* Twice the file and 64 MiB, by 8 MiB, and some at the end. */
	ck_assert_uint_ge(n, 8);
	ck_assert_uint_le(n, 40);
	carve_release(&c);
	image_end(&m);
}
END_TEST

/* Many copies of one segment's header: some of them are tried, not all. */
START_TEST(keys_of_one_epoch)
{
	struct carve_key keys[200];
	struct image m;
	struct carve c;
	struct carved r;
	size_t i;

	image_begin(&m, SEARCH);
	(void)put_record(&m, 500, 30, 100, 77);
	(void)put_record(&m, 5000, 99, 100, 78);
	for (i = 0; i < ARRAY_LEN(keys); i++)
		keys[i] = (struct carve_key){ key.epoch, 10 + i, 1000 + i };
	keys[20].secret = 77; /* first sequence 30 */
	keys[50].secret = 78; /* 60: too far from 99 */
	begin(&m, &c);
	c.keys = keys;
	c.n_keys = ARRAY_LEN(keys);
	ck_rc(carve_next(&c, &r), 1);
	ck_assert_uint_eq(r.key, 20);
	expect_end(&c);
	image_end(&m);
}
END_TEST

/* ---- headers of segments -------------------------------------------------------- */

static const struct segment_header some = {
	.number = 12,
	.epoch = 7,
	.uuid = "0123456789abcde",
	.secret = 99,
	.first_seq = 1000,
	.previous_commit = 999,
	.checkpoint = 3,
};

START_TEST(headers_anywhere)
{
	static const size_t places[] = { 0,           777,
					 SEARCH - 4,  SEARCH + 200,
					 MIB_4 - 100, MIB_4 + SEARCH - 128 };
	struct segment_header h;
	struct image m;
	struct carve c;
	uint64_t off;
	size_t i;

	image_begin(&m, MIB_4 + SEARCH);
	for (i = 0; i < ARRAY_LEN(places); i++)
		segment_header_put(&some, m.bytes + places[i]);
	begin(&m, &c);
	for (i = 0; i < ARRAY_LEN(places); i++) {
		ck_rc(carve_next_head(&c, &h, &off), 1);
		ck_assert_uint_eq(off, places[i]);
		ck_assert_uint_eq(h.secret, some.secret);
	}
	ck_rc(carve_next_head(&c, &h, &off), 0);
	carve_release(&c);
	image_end(&m);
}
END_TEST

/* Any byte of it may be wrong; two of those that matter may not. */
START_TEST(headers_are_mended)
{
	struct segment_header h;
	struct image m;
	struct carve c;
	bool mended;
	size_t i;

	image_begin(&m, 4096);
	for (i = 0; i < SEGMENT_HEADER_LEN; i++) {
		segment_header_put(&some, m.bytes);
		m.bytes[i] ^= 0x81;
		begin(&m, &c);
		ck_rc(carve_front_head(&c, &h, &mended), 1);
		ck_assert(mended);
		ck_assert_uint_eq(h.number, some.number);
		ck_assert_uint_eq(h.epoch, some.epoch);
		ck_assert_uint_eq(h.secret, some.secret);
		ck_assert_uint_eq(h.first_seq, some.first_seq);
		ck_assert_uint_eq(h.previous_commit, some.previous_commit);
		ck_assert_mem_eq(h.uuid, some.uuid, SEGMENT_UUID_LEN);
		carve_release(&c);
	}
	segment_header_put(&some, m.bytes);
	m.bytes[SEG_SECRET_OFF] ^= 1;
	m.bytes[SEG_EPOCH_OFF] ^= 1;
	begin(&m, &c);
	ck_rc(carve_front_head(&c, &h, &mended), 0);
	carve_release(&c);
	image_end(&m);
}
END_TEST

START_TEST(zeros_at_the_end)
{
	struct image m;
	struct carve c;

	image_begin(&m, MIB_4 + 2 * SEARCH);
	memset(m.bytes + 1000, 0, m.len - 1000);
	m.bytes[999] = 1;
	begin(&m, &c);
	ck_rc(carve_is_zero(&c, 1000), 1);
	ck_rc(carve_is_zero(&c, 999), 0);
	ck_rc(carve_is_zero(&c, m.len), 1);
	carve_release(&c);
	m.bytes[m.len - 1] = 1;
	begin(&m, &c);
	ck_rc(carve_is_zero(&c, 1000), 0);
	carve_release(&c);
	image_end(&m);
}
END_TEST

START_TEST(an_empty_file)
{
	struct segment_header h;
	struct image m;
	struct carve c;
	uint64_t off;
	bool mended;

	image_begin(&m, 1);
	m.len = 0;
	begin(&m, &c);
	ck_rc(carve_front_head(&c, &h, &mended), 0);
	ck_rc(carve_next_head(&c, &h, &off), 0);
	expect_end(&c);
	image_end(&m);
}
END_TEST

Suite *suite_carve(void)
{
	const TTest *const tests[] = {
		records_across_the_ends_of_windows,
		the_longest_record,
		what_is_not_proved_is_none,
		a_bad_payload_hides_nothing,
		hostile_lengths,
		keys_of_one_epoch,
		headers_anywhere,
		headers_are_mended,
		zeros_at_the_end,
		an_empty_file,
	};

	return suite_of("store/carve", tests, ARRAY_LEN(tests), 60);
}
