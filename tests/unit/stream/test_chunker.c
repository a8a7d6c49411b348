/* SPDX-License-Identifier: MIT */
/*
 * test_chunker.c - tests of src/stream/chunker.c, against a plain reference.
 */
#include "unit/stream/suites.h"

#include "base/cleanup.h"
#include "base/hash.h"
#include "lib/rng.h"
#include "lib/suite.h"
#include "stream/chunker.h"

enum {
	LEN = 8 << 20,
	CUTS_MAX = LEN / CHUNK_MIN + 2,
	NORMAL = 52 << 10,
	WINDOW = 64,
};

struct cuts {
	size_t n;
	size_t ends[CUTS_MAX];
};

enum stream_kind { RANDOM, TEXT, ZEROS, BLOCKS, N_STREAMS };

/* Numbers in words and lines: few different bytes, many near repeats. */
static void fill_text(struct rng *rng, uint8_t *bytes)
{
	size_t i;

	for (i = 0; i < LEN; i++)
		bytes[i] =
			(uint8_t) "0123456789abcdef \n\t-"[rng_below(rng, 20)];
}

static uint8_t *make_stream(enum stream_kind kind)
{
	struct rng rng = rng_of(11 + (uint64_t)kind);
	uint8_t *bytes = calloc(1, LEN);
	size_t pos;

	ck_assert_ptr_nonnull(bytes);
	if (kind == RANDOM)
		rng_fill(&rng, bytes, LEN);
	else if (kind == TEXT)
		fill_text(&rng, bytes);
	else if (kind == BLOCKS)
		for (pos = 0; pos < LEN; pos += 2 * MIB)
			rng_fill(&rng, bytes + pos, 1 * MIB);
	return bytes;
}

/* The definition, without a care for speed. */
static size_t reference_cut(const uint8_t *bytes, size_t len)
{
	struct rng rng = rng_of(UINT64_C(0x5349474d41465331));
	uint64_t gear[256];
	uint64_t hash;
	size_t end, i;

	for (i = 0; i < ARRAY_LEN(gear); i++)
		gear[i] = rng_u64(&rng);
	for (end = CHUNK_MIN; end < CHUNK_MAX && end < len; end++) {
		hash = 0;
		for (i = 0; i < WINDOW; i++)
			hash += gear[bytes[end - 1 - i]] << i;
		if (hash >> (end <= NORMAL ? 64 - 18 : 64 - 14) == 0)
			break;
	}
	return end < len ? end : len;
}

static void cut_all(const uint8_t *bytes, size_t len, struct cuts *ret)
{
	size_t pos, n;

	ret->n = 0;
	for (pos = 0; pos < len; pos += n) {
		n = chunker_cut(span_of(bytes + pos, len - pos), true);
		ck_assert_uint_gt(n, 0);
		ck_assert_uint_le(n, CHUNK_MAX);
		ck_assert(n >= CHUNK_MIN || pos + n == len);
		ret->ends[ret->n++] = pos + n;
	}
}

START_TEST(agrees_with_the_reference)
{
	AUTO_FREE uint8_t *bytes = make_stream((enum stream_kind)_i);
	size_t len = 1 * MIB + 12345;
	size_t pos, n;

	for (pos = 0; pos < len; pos += n) {
		n = chunker_cut(span_of(bytes + pos, len - pos), true);
		ck_assert_uint_eq(n, reference_cut(bytes + pos, len - pos));
	}
}
END_TEST

/*
 * Pieces as they come are put behind what was left over; a chunk is taken
 * whenever the chunker knows its end.
 */
static void cut_in_pieces(const uint8_t *bytes, uint64_t piece_max,
			  struct cuts *ret)
{
	struct rng rng = rng_of(piece_max);
	size_t start = 0;
	size_t have = 0;
	size_t n;

	ret->n = 0;
	while (have < LEN) {
		have += (size_t)min_u64(1 + rng_below(&rng, piece_max),
					LEN - have);
		do {
			n = chunker_cut(span_of(bytes + start, have - start),
					have == LEN);
			start += n;
			if (n > 0)
				ret->ends[ret->n++] = start;
		} while (n > 0);
		ck_assert_uint_lt(have - start, CHUNK_MAX);
	}
	ck_assert_uint_eq(start, LEN);
}

START_TEST(pieces_make_no_difference)
{
	static const uint64_t piece_maxs[] = { 5000, 70000, 300 * KIB, 2 * MIB,
					       LEN };
	static struct cuts whole, pieces;
	AUTO_FREE uint8_t *bytes = make_stream((enum stream_kind)_i);
	size_t i;

	cut_all(bytes, LEN, &whole);
	for (i = 0; i < ARRAY_LEN(piece_maxs); i++) {
		cut_in_pieces(bytes, piece_maxs[i], &pieces);
		ck_assert_uint_eq(whole.n, pieces.n);
		ck_assert_mem_eq(whole.ends, pieces.ends,
				 whole.n * sizeof(whole.ends[0]));
	}
}
END_TEST

/* Around one cut, byte by byte: 0 before it, the same from it on. */
START_TEST(undecided_until_the_cut)
{
	AUTO_FREE uint8_t *bytes = make_stream(RANDOM);
	size_t cut = chunker_cut(span_of(bytes, LEN), false);
	size_t len;

	ck_assert_uint_ge(cut, CHUNK_MIN);
	ck_assert_uint_lt(cut, CHUNK_MAX);
	for (len = cut - 300; len < cut; len++) {
		ck_assert_uint_eq(chunker_cut(span_of(bytes, len), false), 0);
		ck_assert_uint_eq(chunker_cut(span_of(bytes, len), true), len);
	}
	for (; len < cut + 300; len++) {
		ck_assert_uint_eq(chunker_cut(span_of(bytes, len), false), cut);
		ck_assert_uint_eq(chunker_cut(span_of(bytes, len), true), cut);
	}
}
END_TEST

START_TEST(few_bytes)
{
	uint8_t bytes[CHUNK_MIN] = { 1, 2, 3 };
	size_t len;

	ck_assert_uint_eq(chunker_cut(span_of(NULL, 0), true), 0);
	ck_assert_uint_eq(chunker_cut(span_of(NULL, 0), false), 0);
	for (len = 1; len <= CHUNK_MIN; len = len * 2 + 1) {
		ck_assert_uint_eq(chunker_cut(span_of(bytes, len), true), len);
		ck_assert_uint_eq(chunker_cut(span_of(bytes, len), false), 0);
	}
	ck_assert_uint_eq(chunker_cut(span_of(bytes, CHUNK_MIN), true),
			  CHUNK_MIN);
}
END_TEST

/* One byte over and over never cuts before the maximum. */
START_TEST(constant_bytes_make_the_longest_chunks)
{
	AUTO_FREE uint8_t *bytes = malloc(CHUNK_MAX + 1);
	int value;

	ck_assert_ptr_nonnull(bytes);
	for (value = 0; value <= 255; value++) {
		memset(bytes, value, CHUNK_MAX + 1);
		ck_assert_uint_eq(
			chunker_cut(span_of(bytes, CHUNK_MAX + 1), false),
			CHUNK_MAX);
		ck_assert_uint_eq(chunker_cut(span_of(bytes, CHUNK_MAX), false),
				  CHUNK_MAX);
		ck_assert_uint_eq(
			chunker_cut(span_of(bytes, CHUNK_MAX - 1), false), 0);
	}
}
END_TEST

START_TEST(mean_is_near_the_average)
{
	static struct cuts cuts;
	AUTO_FREE uint8_t *bytes = make_stream(RANDOM);
	size_t mean;

	cut_all(bytes, LEN, &cuts);
	mean = LEN / cuts.n;
	ck_assert_uint_ge(mean, CHUNK_AVG * 9 / 10);
	ck_assert_uint_le(mean, CHUNK_AVG * 11 / 10);
}
END_TEST

/* A byte put in front moves all but the first boundaries along. */
START_TEST(boundaries_follow_the_content)
{
	static struct cuts before, after;
	AUTO_FREE uint8_t *bytes = make_stream(RANDOM);
	size_t n_same = 0;
	size_t i, j;

	cut_all(bytes, LEN, &before);
	memmove(bytes + 1, bytes, LEN - 1);
	cut_all(bytes, LEN, &after);
	for (i = 0, j = 0; i < before.n && j < after.n;) {
		if (before.ends[i] + 1 == after.ends[j])
			n_same++, i++, j++;
		else if (before.ends[i] + 1 < after.ends[j])
			i++;
		else
			j++;
	}
	ck_assert_uint_ge(n_same, before.n * 9 / 10);
}
END_TEST

/* Frozen: stores written before find their chunks again. */
START_TEST(boundaries_are_frozen)
{
	static struct cuts cuts;
	AUTO_FREE uint8_t *bytes = make_stream(RANDOM);
	uint64_t hash = 0;
	size_t i;

	cut_all(bytes, LEN, &cuts);
	for (i = 0; i < cuts.n; i++)
		hash = hash64_mix(hash, cuts.ends[i]);
	ck_assert_uint_eq(hash, UINT64_C(15942929003736869458));
}
END_TEST

Suite *suite_chunker(void)
{
	const TTest *const tests[] = {
		undecided_until_the_cut,
		few_bytes,
		constant_bytes_make_the_longest_chunks,
		mean_is_near_the_average,
		boundaries_follow_the_content,
		boundaries_are_frozen,
	};
	Suite *suite = suite_of("chunker", tests, ARRAY_LEN(tests), 60);
	TCase *tcase = tcase_create("streams");

	tcase_set_timeout(tcase, 60);
	tcase_add_loop_test(tcase, agrees_with_the_reference, 0, N_STREAMS);
	tcase_add_loop_test(tcase, pieces_make_no_difference, 0, N_STREAMS);
	suite_add_tcase(suite, tcase);
	return suite;
}
