/* SPDX-License-Identifier: MIT */
/*
 * test_bank.c - chunks in memory and in the index, their counts, and frames that
 * take them over. (bank.c, bank_flush.c, bank_rows.c, pending.c)
 */
#include "unit/store/suites.h"

#include "base/report.h"
#include "codec/glyph_format.h"
#include "lib/suite.h"
#include "unit/store/bed.h"

#include <errno.h>

/* A frame of two chunks: ids 2n and 2n + 1. */
static void add(struct bed *b, uint64_t n)
{
	static const uint8_t glyphs[] = { GLYPH_PAYLOAD_BIT | PRIM_ZSTD, 1, 0 };
	struct frame_chunk chunks[2] = {
		{ .id = 2 * n, .hash = n * 1000 + 1, .len = 10 },
		{ .id = 2 * n + 1, .hash = n * 1000 + 2, .len = 20 },
	};
	struct bank_frame frame = {
		.place = { .frame = n + 500,
			   .segment = 3,
			   .off = n * 128,
			   .payload_len = 25 },
		.raw_len = 30,
		.glyphs = span_of(glyphs, sizeof(glyphs)),
		.chunks = chunks,
		.n_chunks = 2,
	};

	ck_ok(bank_add(b->bank, &frame));
}

static void expect_place(struct bed *b, uint64_t chunk)
{
	struct frame_place place;
	uint64_t n = chunk / 2;

	ck_ok(bank_load(b->bank, chunk, &place));
	ck_assert_uint_eq(place.frame, n + 500);
	ck_assert_uint_eq(place.segment, 3);
	ck_assert_uint_eq(place.off, n * 128);
	ck_assert_uint_eq(place.payload_len, 25);
}

START_TEST(frames_are_found_before_and_after_a_flush)
{
	struct frame_place place;
	struct bed b;
	uint64_t n;

	bed_begin(&b);
	for (n = 1; n <= 300; n++)
		add(&b, n);
	ck_assert_uint_eq(bank_n_pending(b.bank), 600);
	for (n = 2; n < 602; n++)
		expect_place(&b, n);
	/* Frames behind sequence 600 stay in memory. */
	ck_ok(bank_flush(b.bank, 600, b.totals));
	ck_assert_uint_eq(bank_n_pending(b.bank), 400);
	ck_assert_int_eq(b.totals[TOTAL_CHUNKS], 200);
	ck_assert_int_eq(b.totals[TOTAL_FRAMES], 100);
	ck_assert_int_eq(b.totals[TOTAL_CHUNK_LEN], 3000);
	ck_assert_int_eq(b.totals[TOTAL_KIND_FIRST + ENCODE_ZSTD], 100);
	bank_reset(b.bank);
	for (n = 2; n < 202; n++)
		expect_place(&b, n);
	ck_rc(bank_load(b.bank, 202, &place), -ENOENT);
	bed_end(&b);
}
END_TEST

static void expect_candidate(struct bed *b, uint64_t hash, uint64_t want)
{
	uint64_t chunk;

	ck_ok(bank_candidate_load(b->bank, hash, &chunk));
	ck_assert_uint_eq(chunk, want);
}

START_TEST(content_is_found)
{
	struct bed b;

	bed_begin(&b);
	add(&b, 7);
	ck_assert_uint_eq(bank_candidate(b.bank, 7001), 14);
	expect_candidate(&b, 7001, 14);
	ck_ok(bank_flush(b.bank, UINT64_MAX, b.totals));
	ck_assert_uint_eq(bank_candidate(b.bank, 7001), 0);
	expect_candidate(&b, 7001, 14);
	expect_candidate(&b, 7002, 15);
	expect_candidate(&b, 7003, 0);
	bed_end(&b);
}
END_TEST

static void expect_refs(struct bed *b, uint64_t chunk, uint64_t want)
{
	uint64_t refs = 0;

	ck_ok(bank_refs(b->bank, chunk, &refs));
	ck_assert_uint_eq(refs, want);
}

START_TEST(counts_are_kept)
{
	struct bed b;
	unsigned round;

	bed_begin(&b);
	report_silence(true);
	add(&b, 1);
	expect_refs(&b, 2, 0);
	for (round = 0; round < 3; round++) {
		/* Pending, then in the index, then changed there. */
		expect_refs(&b, 2, round);
		ck_rc(bank_ref(b.bank, 2, -1 - (int64_t)round), -EUCLEAN);
		expect_refs(&b, 2, round);
		ck_ok(bank_ref(b.bank, 2, 3));
		ck_ok(bank_ref(b.bank, 2, -2));
		expect_refs(&b, 2, round + 1);
		ck_ok(bank_flush(b.bank, 1000, b.totals));
		ck_assert_uint_eq(bank_n_pending(b.bank), 0);
		bank_reset(b.bank);
	}
	expect_refs(&b, 3, 0);
	report_silence(false);
	bed_end(&b);
}
END_TEST

START_TEST(unknown_chunk_has_no_count)
{
	uint64_t refs;
	struct bed b;

	bed_begin(&b);
	report_silence(true);
	ck_rc(bank_ref(b.bank, 99, 1), -EUCLEAN);
	ck_rc(bank_refs(b.bank, 99, &refs), -ENOENT);
	report_silence(false);
	bed_end(&b);
}
END_TEST

/* A frame of chunk 9 that is a delta of chunk `base`, `n` times over. */
static int add_deltas(struct bed *b, uint64_t seq, uint8_t base, size_t n)
{
	const struct frame_chunk chunk = { .id = seq, .hash = seq, .len = 7 };
	const uint8_t one[] = { GLYPH_DELTA << GLYPH_TYPE_SHIFT |
					GLYPH_PAYLOAD_BIT | PRIM_ZSTD_DELTA,
				2, base, 0 };
	uint8_t glyphs[(GLYPH_DELTAS_MAX + 1) * sizeof(one)];
	struct bank_frame frame = {
		.place = { .frame = seq, .payload_len = 9 },
		.raw_len = 7,
		.glyphs = span_of(glyphs, n * sizeof(one)),
		.chunks = &chunk,
		.n_chunks = 1,
	};
	size_t i;

	for (i = 0; i < n; i++)
		memcpy(glyphs + i * sizeof(one), one, sizeof(one));
	return bank_add(b->bank, &frame);
}

START_TEST(deltas_hold_their_bases)
{
	struct bed b;

	bed_begin(&b);
	report_silence(true);
	add(&b, 1); /* sequence 501 */
	add(&b, 2);
	ck_ok(bank_ref(b.bank, 2, 1));
	ck_ok(add_deltas(&b, 600, 2, 3));
	ck_ok(add_deltas(&b, 700, 2, 1));
	ck_ok(add_deltas(&b, 701, 4, 1));
	expect_refs(&b, 2, 5);
	expect_refs(&b, 4, 1);
	expect_refs(&b, 3, 0);
	/* The first two frames and the first of the deltas; then the rest. */
	ck_ok(bank_flush(b.bank, 650, b.totals));
	expect_refs(&b, 2, 5);
	expect_refs(&b, 4, 1);
	ck_assert_int_eq(b.totals[TOTAL_KIND_FIRST + ENCODE_DELTA], 1);
	ck_ok(bank_flush(b.bank, 1000, b.totals));
	ck_assert_int_eq(b.totals[TOTAL_KIND_FIRST + ENCODE_DELTA], 3);
	bank_reset(b.bank);
	expect_refs(&b, 2, 5);
	expect_refs(&b, 4, 1);
	/* The extent goes, the deltas stay. */
	ck_ok(bank_ref(b.bank, 2, -1));
	ck_ok(bank_flush(b.bank, 1000, b.totals));
	expect_refs(&b, 2, 4);
	report_silence(false);
	bed_end(&b);
}
END_TEST

/* What is not flushed is forgotten, and counted once when it comes again. */
START_TEST(deltas_count_once)
{
	struct bed b;

	bed_begin(&b);
	add(&b, 1);
	ck_ok(bank_flush(b.bank, 510, b.totals));
	ck_ok(add_deltas(&b, 600, 2, 1));
	expect_refs(&b, 2, 1);
	bank_reset(b.bank);
	expect_refs(&b, 2, 0);
	ck_ok(add_deltas(&b, 600, 2, 1));
	ck_ok(bank_flush(b.bank, 600, b.totals));
	expect_refs(&b, 2, 1);
	bed_end(&b);
}
END_TEST

START_TEST(bases_that_make_no_sense)
{
	struct bed b;

	bed_begin(&b);
	report_silence(true);
	add(&b, 1);
	ck_rc(add_deltas(&b, 600, 0, 1), -EUCLEAN);
	ck_rc(add_deltas(&b, 600, 2, GLYPH_DELTAS_MAX + 1), -EUCLEAN);
	ck_ok(add_deltas(&b, 600, 2, GLYPH_DELTAS_MAX));
	expect_refs(&b, 2, GLYPH_DELTAS_MAX);
	/* A base that is nowhere. */
	ck_ok(add_deltas(&b, 601, 99, 1));
	ck_rc(bank_flush(b.bank, 1000, b.totals), -EUCLEAN);
	report_silence(false);
	bed_end(&b);
}
END_TEST

START_TEST(rows_are_walked)
{
	struct bank_frame_row row = { .place.frame = 0 };
	struct bank_chunk chunk = { .id = 0 };
	uint64_t n = 0;
	struct bed b;

	bed_begin(&b);
	for (n = 1; n <= 10; n++)
		add(&b, n);
	ck_ok(bank_ref(b.bank, 5, 2));
	ck_ok(bank_flush(b.bank, UINT64_MAX, b.totals));
	ck_ok(bank_ref(b.bank, 6, 1));
	for (n = 0; bank_next_frame(b.bank, row.place.frame, &row) == 1; n++) {
		ck_assert_uint_eq(row.place.frame, n + 501);
		ck_assert_uint_eq(row.raw_len, 30);
		ck_assert_uint_eq(row.n_chunks, 2);
		ck_assert_uint_eq(row.live_len, n == 1 ? 20 : 0);
		ck_assert_int_eq(row.kind, ENCODE_ZSTD);
	}
	ck_assert_uint_eq(n, 10);
	for (n = 0; bank_next_chunk(b.bank, chunk.id, &chunk) == 1; n++) {
		ck_assert_uint_eq(chunk.id, n + 2);
		ck_assert_uint_eq(chunk.frame, chunk.id / 2 + 500);
		ck_assert_uint_eq(chunk.len, chunk.id % 2 ? 20 : 10);
		ck_assert_uint_eq(chunk.refs, chunk.id == 5   ? 2
					      : chunk.id == 6 ? 1
							      : 0);
	}
	ck_assert_uint_eq(n, 20);
	bed_end(&b);
}
END_TEST

/* ---- moves ---------------------------------------------------------------- */

/* A frame that has chunks 2 and 3 again. */
static void move(struct bed *b, uint64_t seq)
{
	static const uint8_t glyphs[] = { GLYPH_PAYLOAD_BIT | PRIM_ZSTD, 1, 0 };
	const struct frame_chunk chunks[2] = {
		{ .id = 2, .hash = 1001, .len = 10 },
		{ .id = 3, .hash = 1002, .len = 20 },
	};
	struct bank_frame frame = {
		.place = { .frame = seq, .segment = 4, .payload_len = 15 },
		.raw_len = 30,
		.glyphs = span_of(glyphs, sizeof(glyphs)),
		.chunks = chunks,
		.n_chunks = 2,
		.known_below = UINT64_MAX,
	};

	ck_ok(bank_add(b->bank, &frame));
}

/* A plain frame that has one chunk again. */
static int move_one(struct bed *b, uint64_t seq, uint64_t id, uint32_t len)
{
	static const uint8_t glyphs[] = { GLYPH_PAYLOAD_BIT | PRIM_ZSTD, 1, 0 };
	const struct frame_chunk chunk = { .id = id, .hash = id, .len = len };
	const struct bank_frame frame = {
		.place = { .frame = seq, .payload_len = 9 },
		.raw_len = len,
		.glyphs = span_of(glyphs, sizeof(glyphs)),
		.chunks = &chunk,
		.n_chunks = 1,
		.known_below = id + 1,
	};

	return bank_add(b->bank, &frame);
}

/* Memory and index agree that the chunks are in this frame. */
static void expect_moved(struct bed *b, uint64_t frame)
{
	struct frame_place place;

	ck_ok(bank_load(b->bank, 2, &place));
	ck_assert_uint_eq(place.frame, frame);
	ck_ok(bank_load(b->bank, 3, &place));
	ck_assert_uint_eq(place.frame, frame);
}

static void expect_frames(struct bed *b, uint64_t only)
{
	struct bank_frame_row row = { .place.frame = 0 };

	ck_assert_int_eq(bank_next_frame(b->bank, 0, &row), 1);
	ck_assert_uint_eq(row.place.frame, only);
	ck_assert_uint_eq(row.n_chunks, 2);
	ck_assert_uint_eq(row.live_len, 10);
	ck_assert_int_eq(bank_next_frame(b->bank, only, &row), 0);
	ck_assert_int_eq(b->totals[TOTAL_FRAMES], 1);
	ck_assert_int_eq(b->totals[TOTAL_FRAME_STORED], 15);
	ck_assert_int_eq(b->totals[TOTAL_CHUNKS], 2);
	ck_assert_int_eq(b->totals[TOTAL_CHUNK_LEN], 30);
	ck_assert_int_eq(b->totals[TOTAL_LIVE_LEN], 10);
	ck_assert_int_eq(b->totals[TOTAL_LIVE_STORED], 5);
	ck_assert_int_eq(b->totals[TOTAL_KIND_FIRST + ENCODE_ZSTD], 1);
}

/* Told of in any order, flushed in any number of steps. */
START_TEST(newest_frame_holds_the_chunk)
{
	static const uint64_t orders[][3] = {
		{ 600, 700, 800 },
		{ 800, 600, 700 },
		{ 700, 800, 600 },
	};
	struct bed b;
	unsigned i;

	for (i = 0; i < 3 * 8; i++) {
		const uint64_t *order = orders[i / 8];

		bed_begin(&b);
		add(&b, 1); /* sequence 501 */
		ck_ok(bank_ref(b.bank, 2, 1));
		if (i & 1)
			ck_ok(bank_flush(b.bank, 501, b.totals));
		move(&b, order[0]);
		move(&b, order[1]);
		move(&b, order[2]);
		expect_moved(&b, 800);
		if (i & 2)
			ck_ok(bank_flush(b.bank, 650, b.totals));
		expect_moved(&b, 800);
		if (i & 4)
			ck_ok(bank_flush(b.bank, 750, b.totals));
		expect_moved(&b, 800);
		expect_refs(&b, 2, 1);
		ck_ok(bank_flush(b.bank, 1000, b.totals));
		ck_assert_uint_eq(bank_n_pending(b.bank), 0);
		expect_moved(&b, 800);
		bank_reset(b.bank);
		expect_moved(&b, 800);
		expect_refs(&b, 2, 1);
		expect_refs(&b, 3, 0);
		expect_candidate(&b, 1002, 3);
		expect_frames(&b, 800);
		bed_end(&b);
	}
}
END_TEST

/* What was read before the move is not remembered after it. */
START_TEST(old_places_are_not_remembered)
{
	const uint64_t chunks[] = { 2, 3 };
	struct bank_memory m;
	struct bed b;

	bed_begin(&b);
	add(&b, 1);
	ck_ok(bank_flush(b.bank, 501, b.totals));
	m.moment = bank_moment(b.bank);
	ck_ok(bank_load(b.bank, 2, &m.place));
	bank_remember(b.bank, &m, chunks, 2);
	move(&b, 600);
	expect_moved(&b, 600);
	ck_ok(bank_flush(b.bank, 600, b.totals));
	bank_remember(b.bank, &m, chunks, 2);
	expect_moved(&b, 600);
	bed_end(&b);
}
END_TEST

/* A frame may tell of chunks that it says are known, and are not. */
START_TEST(known_chunks_may_be_new)
{
	struct bed b;

	bed_begin(&b);
	move(&b, 600);
	expect_refs(&b, 2, 0);
	ck_ok(bank_ref(b.bank, 2, 1));
	expect_refs(&b, 2, 1);
	ck_ok(bank_flush(b.bank, 600, b.totals));
	expect_moved(&b, 600);
	expect_candidate(&b, 1001, 2);
	expect_frames(&b, 600);
	bank_reset(b.bank);
	expect_refs(&b, 2, 1);
	bed_end(&b);
}
END_TEST

START_TEST(moved_deltas_let_go)
{
	struct bed b;
	unsigned i;

	for (i = 0; i < 4; i++) {
		bed_begin(&b);
		add(&b, 2); /* chunk 4 */
		if (i & 1)
			ck_ok(bank_flush(b.bank, 510, b.totals));
		ck_ok(add_deltas(&b, 600, 4, 3));
		expect_refs(&b, 4, 3);
		if (i & 2)
			ck_ok(bank_flush(b.bank, 600, b.totals));
		ck_assert_int_eq(bank_is_base(b.bank, 4), 1);
		ck_ok(move_one(&b, 700, 600, 7));
		ck_ok(bank_flush(b.bank, 1000, b.totals));
		expect_refs(&b, 4, 0);
		ck_assert_int_eq(bank_is_base(b.bank, 4), 0);
		ck_assert_int_eq(b.totals[TOTAL_FRAMES], 2);
		ck_assert_int_eq(b.totals[TOTAL_LIVE_LEN], 0);
		bank_reset(b.bank);
		expect_refs(&b, 4, 0);
		bed_end(&b);
	}
}
END_TEST

START_TEST(chunks_keep_their_length)
{
	struct bed b;

	bed_begin(&b);
	report_silence(true);
	add(&b, 1);
	ck_ok(move_one(&b, 600, 2, 11));
	ck_rc(bank_flush(b.bank, 1000, b.totals), -EUCLEAN);
	report_silence(false);
	bed_end(&b);
}
END_TEST

START_TEST(same_frame_twice_is_refused)
{
	struct bed b;

	bed_begin(&b);
	report_silence(true);
	add(&b, 1);
	ck_ok(bank_flush(b.bank, 1000, b.totals));
	add(&b, 1);
	ck_rc(bank_flush(b.bank, 1000, b.totals), -EUCLEAN);
	report_silence(false);
	bed_end(&b);
}
END_TEST

Suite *suite_bank(void)
{
	const TTest *const tests[] = {
		frames_are_found_before_and_after_a_flush,
		content_is_found,
		counts_are_kept,
		unknown_chunk_has_no_count,
		deltas_hold_their_bases,
		deltas_count_once,
		bases_that_make_no_sense,
		rows_are_walked,
		newest_frame_holds_the_chunk,
		old_places_are_not_remembered,
		known_chunks_may_be_new,
		moved_deltas_let_go,
		chunks_keep_their_length,
		same_frame_twice_is_refused,
	};

	return suite_of("store/bank", tests, ARRAY_LEN(tests), 30);
}
