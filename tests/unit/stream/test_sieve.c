/* SPDX-License-Identifier: MIT */
/*
 * test_sieve.c - tests of src/stream/sieve.c.
 */
#include "unit/stream/suites.h"

#include "base/cleanup.h"
#include "lib/rng.h"
#include "lib/suite.h"
#include "stream/sieve.h"
#include "unit/stream/streams.h"

enum { RAW_LEN = 10 * SMALL_FRAME + 77, RECORDS_MAX = 64 };

struct found {
	size_t n;
	uint64_t offs[RECORDS_MAX];
	enum record_type types[RECORDS_MAX];
	int rc; /* that ended it */
};

static void take_all(struct sieve *s, struct found *f)
{
	struct sieve_record rec;

	while ((f->rc = sieve_next(s, &rec)) == 1) {
		ck_assert_uint_lt(f->n, RECORDS_MAX);
		ck_assert_uint_eq(rec.payload.len, rec.head.payload_len);
		f->offs[f->n] = rec.off;
		f->types[f->n++] = rec.head.type;
	}
}

/* Gives it `bytes`, `piece` at a time. */
static struct found sift(struct span bytes, bool lenient, size_t piece)
{
	struct found f = { .n = 0 };
	struct sieve s;
	uint8_t *room;
	size_t len;

	ck_ok(sieve_init(&s, lenient));
	while (bytes.len > 0 && f.rc == 0) {
		len = sieve_room(&s, &room);
		ck_assert_uint_gt(len, 0);
		len = (size_t)min_u64(min_u64(len, piece), bytes.len);
		memcpy(room, bytes.ptr, len);
		sieve_filled(&s, len);
		bytes = span_of(bytes.ptr + len, bytes.len - len);
		take_all(&s, &f);
	}
	if (f.rc == 0) {
		sieve_end(&s);
		take_all(&s, &f);
	}
	sieve_release(&s);
	return f;
}

static struct store_sink sample(void)
{
	AUTO_FREE uint8_t *raw = mixed_bytes(RAW_LEN);
	struct store_sink s;

	store_init(&s);
	make_stream(&s, span_of(raw, RAW_LEN), SMALL_FRAME);
	return s;
}

static void check_pieces(struct span stream, bool lenient, size_t piece)
{
	struct found f = sift(stream, lenient, piece);
	size_t n;

	ck_ok(f.rc);
	ck_assert_uint_eq(f.n, 13);
	for (n = 0; n < f.n; n++)
		ck_assert_uint_eq(f.offs[n], record_at(stream, n, NULL));
	ck_assert_int_eq(f.types[10], RECORD_FRAME);
	ck_assert_int_eq(f.types[11], RECORD_SEEK);
	ck_assert_int_eq(f.types[12], RECORD_FOOTER);
}

START_TEST(pieces_of_any_size)
{
	static const size_t pieces[] = { 1, 2, 7, 47, 48, 49, 4096, 1 << 20 };
	struct store_sink s = sample();
	size_t i;

	for (i = 0; i < ARRAY_LEN(pieces); i++) {
		check_pieces(buffer_span(&s.out), false, pieces[i]);
		check_pieces(buffer_span(&s.out), true, pieces[i]);
	}
	store_release(&s);
}
END_TEST

START_TEST(cut_off_anywhere_is_damage)
{
	struct store_sink s = sample();
	struct found f;
	size_t len;

	for (len = 0; len < s.out.len; len++) {
		f = sift(span_of(s.out.data, len), false, SIZE_MAX);
		ck_rc(f.rc, len < STREAM_HEAD_LEN ? -EINVAL : -EUCLEAN);
	}
	store_release(&s);
}
END_TEST

START_TEST(bytes_behind_the_end_are_damage)
{
	struct store_sink s = sample();

	ck_ok(buffer_append_u8(&s.out, 0));
	ck_rc(sift(buffer_span(&s.out), false, SIZE_MAX).rc, -EUCLEAN);
	ck_rc(sift(buffer_span(&s.out), false, 1).rc, -EUCLEAN);
	ck_ok(sift(buffer_span(&s.out), true, 1).rc);
	store_release(&s);
}
END_TEST

START_TEST(only_records_of_a_stream)
{
	struct store_sink s = sample();
	size_t off = record_at(buffer_span(&s.out), 3, NULL);
	static const struct {
		size_t off;
		uint8_t value;
		int rc;
	} cases[] = {
		{ REC_TYPE_OFF, RECORD_OPS, -EUCLEAN },
		{ REC_TYPE_OFF, RECORD_COMMIT, -EUCLEAN },
		{ REC_TYPE_OFF, RECORD_LAST + 1, -EOPNOTSUPP },
		{ REC_VERSION_OFF, 2, -EOPNOTSUPP },
		{ REC_FLAGS_OFF, RECORD_INTENT, -EUCLEAN },
		{ REC_SEQ_OFF, 3, -EUCLEAN },
		{ REC_SEQ_OFF, 5, -EUCLEAN },
		{ REC_SEQ_OFF, 4, 0 },
	};
	uint8_t saved[RECORD_HEADER_LEN];
	size_t i;

	memcpy(saved, s.out.data + off, sizeof(saved));
	for (i = 0; i < ARRAY_LEN(cases); i++) {
		s.out.data[off + cases[i].off] = cases[i].value;
		mend_record(s.out.data, off);
		ck_rc(sift(buffer_span(&s.out), false, SIZE_MAX).rc,
		      cases[i].rc);
		memcpy(s.out.data + off, saved, sizeof(saved));
	}
	/* Another epoch with that epoch's checksums. */
	s.out.data[off + REC_EPOCH_OFF] ^= 1;
	mend_record(s.out.data, off);
	ck_rc(sift(buffer_span(&s.out), false, SIZE_MAX).rc, -EUCLEAN);
	store_release(&s);
}
END_TEST

START_TEST(a_payload_has_the_bound_of_the_header)
{
	struct store_sink s = sample();
	size_t off = record_at(buffer_span(&s.out), 0, NULL);

	put_le32(s.out.data + off + REC_PAYLOAD_LEN_OFF, SMALL_FRAME + 65);
	/* The smallest bound is that of a seek table. */
	mend_record(s.out.data, off);
	ck_rc(sift(buffer_span(&s.out), false, SIZE_MAX).rc, -EUCLEAN);
	put_le32(s.out.data + off + REC_PAYLOAD_LEN_OFF, RECORD_PAYLOAD_MAX);
	put_le64(s.out.data + off + REC_HEADER_HASH_OFF, 0);
	ck_rc(sift(buffer_span(&s.out), false, SIZE_MAX).rc, -EUCLEAN);
	store_release(&s);
}
END_TEST

/* All records but number `bad` are found, wherever `bytes` were put or taken. */
static void check_others(const struct found *f, size_t n_all, size_t bad)
{
	size_t n_frames = 0;
	size_t i;

	ck_ok(f->rc);
	ck_assert_uint_eq(f->n, n_all - 1);
	for (i = 0; i < f->n; i++)
		n_frames += f->types[i] == RECORD_FRAME;
	ck_assert_uint_eq(n_frames, bad < 11 ? 10 : 11);
}

START_TEST(lenient_goes_on_behind_damage)
{
	struct store_sink s = sample();
	size_t bad, off, len;
	struct found f;

	for (bad = 0; bad < 13; bad++) {
		off = record_at(buffer_span(&s.out), bad, &len);
		s.out.data[off + RECORD_HEADER_LEN + len / 2] ^= 1;
		f = sift(buffer_span(&s.out), true, 1000);
		check_others(&f, 13, bad);
		s.out.data[off + RECORD_HEADER_LEN + len / 2] ^= 1;
		s.out.data[off + 20] ^= 1; /* in its header */
		f = sift(buffer_span(&s.out), true, 1000);
		check_others(&f, 13, bad);
		s.out.data[off + 20] ^= 1;
	}
	store_release(&s);
}
END_TEST

/* `n` bytes less, or more, in the middle of a payload: nothing behind them is
 * where it was, nor aligned. */
START_TEST(lenient_finds_what_has_moved)
{
	struct store_sink s = sample();
	struct store_sink moved;
	struct found f;
	size_t off, len, at, n;

	off = record_at(buffer_span(&s.out), 4, &len);
	at = off + RECORD_HEADER_LEN + len / 2;
	for (n = 1; n < 20; n++) {
		store_init(&moved);
		ck_ok(store_write(&moved, span_of(s.out.data, at)));
		ck_ok(store_write(&moved, span_of(s.out.data + at + n,
						  s.out.len - at - n)));
		f = sift(buffer_span(&moved.out), true, 333);
		check_others(&f, 13, 4);
		buffer_clear(&moved.out);
		ck_ok(store_write(&moved, span_of(s.out.data, at + n)));
		ck_ok(store_write(&moved,
				  span_of(s.out.data + at, s.out.len - at)));
		f = sift(buffer_span(&moved.out), true, 333);
		check_others(&f, 13, 4);
		store_release(&moved);
	}
	store_release(&s);
}
END_TEST

START_TEST(lenient_needs_no_header)
{
	struct store_sink s = sample();
	size_t cut;
	struct found f;

	for (cut = 1; cut < 200; cut++) {
		f = sift(span_of(s.out.data + cut, s.out.len - cut), true,
			 4096);
		ck_ok(f.rc);
		ck_assert_uint_eq(f.n, cut > STREAM_HEAD_LEN ? 12 : 13);
	}
	s.out.data[HEAD_EPOCH_OFF] ^= 1;
	f = sift(buffer_span(&s.out), true, 1);
	ck_ok(f.rc);
	ck_assert_uint_eq(f.n, 13);
	store_release(&s);
}
END_TEST

/* A stream in a stream, stored as it is: its records are no records here. */
START_TEST(a_stream_inside_is_only_bytes)
{
	struct store_sink inner = sample();
	struct store_sink outer;
	struct found f;
	size_t off, len;

	store_init(&outer);
	make_stream(&outer, buffer_span(&inner.out), 64 << 10);
	off = record_at(buffer_span(&outer.out), 0, &len);
	/* Damage in the one frame, so that it is looked into. */
	outer.out.data[off + RECORD_HEADER_LEN + 3] ^= 1;
	f = sift(buffer_span(&outer.out), true, 777);
	ck_ok(f.rc);
	ck_assert_uint_eq(f.n, 2);
	ck_assert_int_eq(f.types[0], RECORD_SEEK);
	store_release(&outer);
	store_release(&inner);
}
END_TEST

START_TEST(noise_is_nothing)
{
	static uint8_t noise[300000];
	struct rng rng = rng_of(3);
	struct found f;
	size_t i;

	rng_fill(&rng, noise, sizeof(noise));
	for (i = 0; i + 4 < sizeof(noise); i += 64)
		put_le32(noise + i, RECORD_MAGIC);
	f = sift(span_of(noise, sizeof(noise)), true, 999);
	ck_ok(f.rc);
	ck_assert_uint_eq(f.n, 0);
	ck_rc(sift(span_of(noise, sizeof(noise)), false, 999).rc, -EINVAL);
}
END_TEST

/*
 * Headers that are good, one behind the other, each with a payload that is long
 * and bad: without a bound, every byte is hashed tens of thousands of times.
 */
START_TEST(made_up_headers_cost_a_bounded_time)
{
	const size_t len = 12 << 20;
	AUTO_FREE uint8_t *bytes = calloc(1, len);
	const struct stream_head head = {
		.epoch = 5,
		.frame_max = FRAME_RAW_MAX,
	};
	struct found f;
	size_t off;

	ck_assert_ptr_nonnull(bytes);
	stream_head_put(&head, bytes);
	for (off = STREAM_HEAD_LEN; off + RECORD_HEADER_LEN <= len;
	     off += RECORD_HEADER_LEN) {
		struct record rec = {
			.type = RECORD_FRAME,
			.payload_len = FRAME_RAW_MAX,
			.epoch = 5,
			.seq = off,
		};

		record_build_header(&rec, 5, bytes + off);
	}
	f = sift(span_of(bytes, len), true, SIZE_MAX);
	ck_ok(f.rc);
	ck_assert_uint_eq(f.n, 0);
}
END_TEST

Suite *suite_sieve(void)
{
	const TTest *const tests[] = {
		pieces_of_any_size,
		cut_off_anywhere_is_damage,
		bytes_behind_the_end_are_damage,
		only_records_of_a_stream,
		a_payload_has_the_bound_of_the_header,
		lenient_goes_on_behind_damage,
		lenient_finds_what_has_moved,
		lenient_needs_no_header,
		a_stream_inside_is_only_bytes,
		noise_is_nothing,
		made_up_headers_cost_a_bounded_time,
	};

	return suite_of("stream/sieve", tests, ARRAY_LEN(tests), 60);
}
