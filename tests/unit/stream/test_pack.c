/* SPDX-License-Identifier: MIT */
/*
 * test_pack.c - tests of src/stream/pack.c.
 */
#include "unit/stream/suites.h"

#include "base/cleanup.h"
#include "lib/rng.h"
#include "lib/suite.h"
#include "stream/head.h"
#include "stream/record.h"
#include "unit/stream/streams.h"

enum { RAW_LEN = 5 * SMALL_FRAME };

static struct pack *start(struct store_sink *s, unsigned n_workers)
{
	const struct pack_options options = {
		.n_workers = n_workers,
		.effort = EFFORT_BALANCED,
		.frame_len = SMALL_FRAME,
		.ctx = s,
		.write = store_write,
	};
	struct pack *p;

	ck_ok(pack_new(&options, &p));
	return p;
}

/* In pieces of `piece` bytes, 0: of a random length. */
static void feed_pieces(struct pack *p, struct span left, size_t piece)
{
	struct rng rng = rng_of(left.len);
	size_t len;

	while (left.len > 0) {
		len = piece > 0 ? piece : 1 + rng_below(&rng, SMALL_FRAME);
		len = (size_t)min_u64(len, left.len);
		ck_ok(pack_feed(p, span_of(left.ptr, len)));
		left = span_of(left.ptr + len, left.len - len);
	}
}

/* The stream gives `raw` back. */
static void check_stream(struct span stream, struct span raw, uint64_t n_frames)
{
	struct unpack_totals totals;
	struct store_sink back;

	store_init(&back);
	ck_ok(unpack_bytes(&back, stream, false, &totals));
	ck_assert_uint_eq(back.out.len, raw.len);
	ck_assert_uint_eq(totals.n_frames, n_frames);
	if (raw.len > 0)
		ck_assert_mem_eq(back.out.data, raw.ptr, raw.len);
	store_release(&back);
}

static void check_pieces(struct span raw, size_t piece, unsigned n_workers)
{
	struct pack_totals totals;
	struct store_sink s;
	struct pack *p;

	store_init(&s);
	p = start(&s, n_workers);
	feed_pieces(p, raw, piece);
	ck_ok(pack_finish(p, &totals));
	pack_free(p);
	ck_assert_uint_eq(totals.raw_len, raw.len);
	ck_assert_uint_eq(totals.stored_len, s.out.len);
	ck_assert_uint_eq(totals.n_frames,
			  (raw.len + SMALL_FRAME - 1) / SMALL_FRAME);
	check_stream(buffer_span(&s.out), raw, totals.n_frames);
	store_release(&s);
}

START_TEST(pieces_of_any_size)
{
	static const size_t pieces[] = { 1,
					 2,
					 SMALL_FRAME - 1,
					 SMALL_FRAME,
					 SMALL_FRAME + 1,
					 2 * SMALL_FRAME,
					 1 << 20,
					 0 };
	AUTO_FREE uint8_t *raw = mixed_bytes(RAW_LEN + 100);
	size_t i;

	for (i = 0; i < ARRAY_LEN(pieces); i++) {
		check_pieces(span_of(raw, RAW_LEN + 100), pieces[i], 1);
		check_pieces(span_of(raw, RAW_LEN), pieces[i], 2);
	}
}
END_TEST

START_TEST(lengths_around_a_frame)
{
	static const size_t lens[] = { 0,
				       1,
				       2,
				       SMALL_FRAME - 1,
				       SMALL_FRAME,
				       SMALL_FRAME + 1,
				       2 * SMALL_FRAME - 1,
				       2 * SMALL_FRAME,
				       256 * SMALL_FRAME,
				       256 * SMALL_FRAME + 1,
				       300 * SMALL_FRAME };
	AUTO_FREE uint8_t *raw = mixed_bytes(300 * SMALL_FRAME);
	size_t i;

	for (i = 0; i < ARRAY_LEN(lens); i++)
		check_pieces(span_of(raw, lens[i]), 0, 1 + (unsigned)i % 3);
}
END_TEST

/* All but the epoch, and the checksums that it seeds. */
static void blank(struct store_sink *s)
{
	struct span stream = buffer_span(&s->out);
	size_t off = STREAM_HEAD_LEN;

	while (off < stream.len) {
		memset(s->out.data + off + REC_EPOCH_OFF, 0, 8);
		memset(s->out.data + off + REC_PAYLOAD_HASH_OFF, 0, 16);
		off += record_len(
			get_le32(s->out.data + off + REC_PAYLOAD_LEN_OFF));
	}
	memset(s->out.data + HEAD_EPOCH_OFF, 0, 8);
	memset(s->out.data + HEAD_HASH_OFF, 0, 8);
}

static void pack_with(struct store_sink *s, unsigned n_workers, struct span raw)
{
	struct pack_totals totals;
	struct pack *p;

	store_init(s);
	p = start(s, n_workers);
	ck_ok(pack_feed(p, raw));
	ck_ok(pack_finish(p, &totals));
	pack_free(p);
	blank(s);
}

START_TEST(the_stream_does_not_depend_on_the_workers)
{
	AUTO_FREE uint8_t *raw = mixed_bytes(300 * SMALL_FRAME);
	struct store_sink one, more;
	unsigned n;

	pack_with(&one, 1, span_of(raw, 300 * SMALL_FRAME));
	for (n = 2; n <= 4; n++) {
		pack_with(&more, n, span_of(raw, 300 * SMALL_FRAME));
		ck_assert_uint_eq(more.out.len, one.out.len);
		ck_assert_mem_eq(more.out.data, one.out.data, one.out.len);
		store_release(&more);
	}
	store_release(&one);
}
END_TEST

START_TEST(an_empty_stream_is_short)
{
	struct store_sink s;
	struct pack_totals totals;
	struct pack *p;

	store_init(&s);
	p = start(&s, 1);
	ck_ok(pack_finish(p, &totals));
	pack_free(p);
	ck_assert_uint_eq(s.out.len, STREAM_HEAD_LEN + STREAM_TAIL_LEN);
	ck_assert_uint_eq(totals.n_frames, 0);
	store_release(&s);
}
END_TEST

START_TEST(noise_grows_by_little)
{
	static uint8_t noise[RAW_LEN];
	struct rng rng = rng_of(11);
	struct store_sink s;

	rng_fill(&rng, noise, sizeof(noise));
	store_init(&s);
	make_stream(&s, span_of(noise, sizeof(noise)), SMALL_FRAME);
	ck_assert_uint_le(
		s.out.len,
		RAW_LEN + 5 * (RECORD_HEADER_LEN + STREAM_FRAME_EXTRA) + 300);
	store_release(&s);
}
END_TEST

/* The sink fails at its n-th call, for all n: it is told, nothing hangs. */
START_TEST(failures_of_the_sink_are_told)
{
	AUTO_FREE uint8_t *raw = mixed_bytes(RAW_LEN);
	unsigned n;
	int rc;

	for (n = 1; n <= 8; n++) {
		struct store_sink s;
		struct pack_totals totals = { .n_frames = 77 };
		const struct pack_options options = {
			.n_workers = 2,
			.effort = EFFORT_FASTEST,
			.frame_len = SMALL_FRAME,
			.ctx = &s,
			.write = store_write,
		};
		struct pack *p = NULL;

		store_init(&s);
		s.fail_at = n;
		s.rc = -ENOSPC;
		rc = pack_new(&options, &p);
		if (rc == 0)
			rc = pack_feed(p, span_of(raw, RAW_LEN));
		if (rc == 0)
			rc = pack_finish(p, &totals);
		pack_free(p);
		ck_rc(rc, -ENOSPC);
		ck_assert_uint_eq(totals.n_frames, 77);
		store_release(&s);
	}
}
END_TEST

START_TEST(abandoned_in_the_middle)
{
	AUTO_FREE uint8_t *raw = mixed_bytes(RAW_LEN);
	struct store_sink s;
	struct pack *p;

	store_init(&s);
	p = start(&s, 2);
	ck_ok(pack_feed(p, span_of(raw, RAW_LEN - 1)));
	pack_free(p);
	pack_free(NULL);
	store_release(&s);
}
END_TEST

START_TEST(memory_does_not_depend_on_the_input)
{
	struct pack_options options = {
		.n_workers = 1,
		.effort = EFFORT_BALANCED,
		.frame_len = PACK_FRAME_LEN,
	};
	size_t one = pack_memory(&options);

	ck_assert_uint_gt(one, 4 * (size_t)PACK_FRAME_LEN);
	options.n_workers = 2;
	ck_assert_uint_gt(pack_memory(&options), one);
	ck_assert_uint_le(pack_memory(&options), 2 * one);
	options.effort = EFFORT_FASTEST;
	options.n_workers = 1;
	ck_assert_uint_lt(pack_memory(&options), one);
}
END_TEST

Suite *suite_pack(void)
{
	const TTest *const tests[] = {
		pieces_of_any_size,
		lengths_around_a_frame,
		the_stream_does_not_depend_on_the_workers,
		an_empty_stream_is_short,
		noise_grows_by_little,
		failures_of_the_sink_are_told,
		abandoned_in_the_middle,
		memory_does_not_depend_on_the_input,
	};

	return suite_of("stream/pack", tests, ARRAY_LEN(tests), 60);
}
