/* SPDX-License-Identifier: MIT */
/*
 * test_delta.c - glyphs that refer to a base: both ways through encode.c,
 * decode.c and prim_zstd.c.
 */
#include "unit/codec/suites.h"

#include "base/cleanup.h"
#include "base/varint.h"
#include "codec/encode.h"
#include "codec/glyph.h"
#include "codec/primitive.h"
#include "lib/suite.h"
#include "unit/codec/trees.h"

enum { BASE_ID = 300, N_BASES = 3 };

/* Chunks by id: BASE_ID and those after it. */
struct shelf {
	struct span bases[N_BASES];
	unsigned n_asked;
	int rc; /* of the next call */
	struct decode_source source;
};

static struct tree tree;

static int shelf_base(void *ctx, uint64_t chunk, struct span *ret)
{
	struct shelf *s = ctx;

	s->n_asked++;
	ck_assert_uint_ne(chunk, 0);
	if (s->rc < 0)
		return s->rc;
	if (chunk < BASE_ID || chunk >= BASE_ID + N_BASES)
		return -EUCLEAN;
	*ret = s->bases[chunk - BASE_ID];
	return 0;
}

static void shelf_begin(struct shelf *s, const void *bytes, size_t len)
{
	*s = (struct shelf){ .source = { s, shelf_base, NULL } };
	s->bases[0] = span_of(bytes, len);
	tree.len = 0;
}

/* A copy with some bytes changed, some gone and some new. */
static void edit(uint64_t seed, uint8_t *dst, const uint8_t *src, size_t len)
{
	struct rng rng = rng_of(seed);
	size_t cut = (size_t)rng_below(&rng, len / 3 + 1);
	size_t i;

	memcpy(dst, src + cut, len - cut);
	memcpy(dst + len - cut, src, cut);
	for (i = 0; i < 1 + len / 5000; i++)
		dst[rng_below(&rng, len)] = (uint8_t)rng_u64(&rng);
}

static ssize_t delta(struct encoder *e, struct span base, struct span raw,
		     uint8_t *dst, size_t cap)
{
	const struct encode_base b = { EFFORT_BALANCED, BASE_ID, base };

	return encode_delta(e, &b, raw, dst, cap);
}

/* Round trip; returns the length of the glyph. */
static size_t check_pair(struct span base, struct span raw)
{
	AUTO_FREE uint8_t *glyph = malloc(encode_bound(raw.len) + 64);
	struct encoder *e = NULL;
	struct shelf s;
	ssize_t n;

	ck_assert_ptr_nonnull(glyph);
	shelf_begin(&s, base.ptr, base.len);
	ck_ok(encoder_new(&e));
	n = delta(e, base, raw, glyph, encode_bound(raw.len) + 64);
	ck_assert_int_gt(n, 0);
	ck_ok(decode_guarded_from(&s.source, span_of(glyph, (size_t)n), raw.ptr,
				  raw.len));
	ck_assert_uint_eq(s.n_asked, 1);
	/* With less room it says so and writes nothing beyond. */
	glyph[n / 2] = 0x5a;
	ck_assert_int_eq(delta(e, base, raw, glyph, (size_t)n / 2), 0);
	ck_assert_uint_eq(glyph[n / 2], 0x5a);
	encoder_free(e);
	return (size_t)n;
}

START_TEST(round_trip_at_all_lengths)
{
	static const size_t lens[] = { 1,       2,
				       100,     4096,
				       65536,   (256 << 10) + 1,
				       3 << 20, GLYPH_OUTPUT_MAX };
	AUTO_FREE uint8_t *base = malloc(GLYPH_OUTPUT_MAX);
	AUTO_FREE uint8_t *raw = malloc(GLYPH_OUTPUT_MAX);
	size_t i, j;

	ck_assert(base && raw);
	for (i = 0; i < ARRAY_LEN(lens); i++)
		for (j = 0; j < ARRAY_LEN(lens); j++) {
			sample_fill(SAMPLE_TEXT, i, base, lens[i]);
			sample_fill(SAMPLE_NUMBERS, j, raw, lens[j]);
			(void)check_pair(span_of(base, lens[i]),
					 span_of(raw, lens[j]));
		}
}
END_TEST

START_TEST(similar_bytes_become_small)
{
	static const size_t lens[] = { 4096, 60000, 256 << 10, 1 << 20,
				       GLYPH_OUTPUT_MAX };
	AUTO_FREE uint8_t *base = malloc(GLYPH_OUTPUT_MAX);
	AUTO_FREE uint8_t *raw = malloc(GLYPH_OUTPUT_MAX);
	size_t i;

	ck_assert(base && raw);
	for (i = 0; i < ARRAY_LEN(lens); i++) {
		sample_fill(SAMPLE_RANDOM, i, base, lens[i]);
		edit(i, raw, base, lens[i]);
		/* The whole base is in reach, though zstd's tables are too
		 * small to find all of a long one. */
		ck_assert_uint_lt(check_pair(span_of(base, lens[i]),
					     span_of(raw, lens[i])),
				  lens[i] / (lens[i] > 1 << 20 ? 3 : 40));
	}
}
END_TEST

/* zstd would take it for a dictionary of its own. */
START_TEST(base_may_look_like_a_dictionary)
{
	enum { LEN = 20000 };
	AUTO_FREE uint8_t *base = malloc(LEN);
	AUTO_FREE uint8_t *raw = malloc(LEN);

	ck_assert(base && raw);
	sample_fill(SAMPLE_RANDOM, 1, base, LEN);
	put_le32(base, 0xec30a437);
	edit(2, raw, base, LEN);
	ck_assert_uint_lt(check_pair(span_of(base, LEN), span_of(raw, LEN)),
			  LEN / 20);
}
END_TEST

/* A delta of 30,000 bytes in `tree`, and what it is made from. */
enum { LEN = 30000 };

static struct encoder *build(struct shelf *s, uint8_t *base, uint8_t *raw)
{
	struct encoder *e = NULL;
	ssize_t n;

	sample_fill(SAMPLE_RANDOM, 5, base, LEN);
	edit(6, raw, base, LEN);
	shelf_begin(s, base, LEN);
	ck_ok(encoder_new(&e));
	n = delta(e, s->bases[0], span_of(raw, LEN), tree.bytes, LEN);
	ck_assert_int_gt(n, 0);
	tree.len = (size_t)n;
	return e;
}

static int decode_tree(const struct shelf *s, const uint8_t *want)
{
	return decode_guarded_from(&s->source, span_of(tree.bytes, tree.len),
				   want, LEN);
}

START_TEST(base_must_be_there_and_whole)
{
	uint8_t base[LEN];
	uint8_t raw[LEN];
	struct shelf s;

	encoder_free(build(&s, base, raw));
	ck_ok(decode_tree(&s, raw));
	ck_rc(tree_decode(&tree, NULL, LEN), -EUCLEAN);
	/* Shorter than what matches reach back for. */
	s.bases[0].len = 100;
	ck_rc(decode_tree(&s, NULL), -EUCLEAN);
	s.rc = -EIO;
	ck_rc(decode_tree(&s, NULL), -EIO);
	s.rc = -ENOMEM;
	ck_rc(decode_tree(&s, NULL), -ENOMEM);
}
END_TEST

/* Another base makes other bytes, of the right number: the chunk's hash is
 * what finds it. */
START_TEST(wrong_base_makes_wrong_bytes)
{
	uint8_t base[LEN];
	uint8_t raw[LEN];
	uint8_t out[LEN];
	struct decoder *d = NULL;
	struct shelf s;

	encoder_free(build(&s, base, raw));
	base[LEN / 2] ^= 1;
	base[LEN / 4] ^= 1;
	base[LEN - 10] ^= 1;
	ck_ok(decoder_new(&d));
	ck_ok(decode_frame(d, span_of(tree.bytes, tree.len), &s.source, out,
			   LEN));
	ck_assert_mem_ne(out, raw, LEN);
	decoder_free(d);
}
END_TEST

START_TEST(payload_is_a_base_and_one_frame)
{
	struct shelf s;

	shelf_begin(&s, "base", 4);
	check_id_and_frame(&s.source, GLYPH_DELTA, PRIM_ZSTD_DELTA);
}
END_TEST

START_TEST(every_flip_keeps_within_bounds)
{
	uint8_t base[LEN];
	uint8_t raw[LEN];
	struct shelf s;

	encoder_free(build(&s, base, raw));
	tree_flip(&tree, &s.source, LEN, 8000);
	ck_ok(decode_tree(&s, raw));
}
END_TEST

START_TEST(truncated_anywhere_is_damage)
{
	uint8_t base[LEN];
	uint8_t raw[LEN];
	struct shelf s;

	encoder_free(build(&s, base, raw));
	tree_truncate(&tree, &s.source, LEN);
}
END_TEST

/* What was set up for one delta is not there for the next frame. */
START_TEST(nothing_is_left_behind)
{
	const struct encode_request plain = { .effort = EFFORT_BALANCED };
	struct encoder *fresh = NULL;
	uint8_t base[LEN];
	uint8_t raw[LEN];
	AUTO_FREE uint8_t *a = malloc(encode_bound(LEN));
	AUTO_FREE uint8_t *b = malloc(encode_bound(LEN));
	struct encoder *used;
	struct shelf s;
	ssize_t n;

	ck_assert(a && b);
	used = build(&s, base, raw);
	/* One that fits, one that does not. */
	ck_assert_int_eq(delta(used, s.bases[0], span_of(raw, LEN), a, 50), 0);
	sample_fill(SAMPLE_TEXT, 9, raw, LEN);
	n = encode_frame(used, &plain, span_of(raw, LEN), a);
	ck_ok(encoder_new(&fresh));
	ck_assert_int_eq(encode_frame(fresh, &plain, span_of(raw, LEN), b), n);
	ck_assert_mem_eq(a, b, (size_t)n);
	encoder_free(used);
	encoder_free(fresh);
}
END_TEST

/* A frame that did not fit does not hinder the delta after it. */
START_TEST(works_after_a_failure)
{
	const struct encode_request plain = { .effort = EFFORT_BALANCED };
	uint8_t base[LEN];
	uint8_t raw[LEN];
	AUTO_FREE uint8_t *out = malloc(encode_bound(LEN));
	struct encoder *e;
	struct shelf s;

	ck_assert_ptr_nonnull(out);
	e = build(&s, base, raw);
	ck_assert_int_gt(encode_frame(e, &plain, span_of(raw, LEN), out), LEN);
	ck_assert_int_eq(delta(e, s.bases[0], span_of(raw, LEN), out, LEN),
			 (ssize_t)tree.len);
	ck_assert_int_eq(delta(e, s.bases[0], span_of(raw, LEN), out, 50), 0);
	ck_assert_int_eq(delta(e, s.bases[0], span_of(raw, LEN), out, LEN),
			 (ssize_t)tree.len);
	encoder_free(e);
}
END_TEST

/* Three deltas, each with a base of its own, under a concat. */
START_TEST(deltas_stand_under_a_concat)
{
	static const uint32_t lens[] = { 4000, 8000, 2000 };
	struct encode_base b = { .effort = EFFORT_BALANCED };
	struct reader in;
	uint8_t base[N_BASES][8000];
	uint8_t raw[14000];
	struct encoder *e = NULL;
	uint8_t *at = raw;
	struct shelf s;
	uint64_t id;
	size_t i;

	ck_ok(encoder_new(&e));
	shelf_begin(&s, NULL, 0);
	ck_assert_uint_le(encode_concat_bound(N_BASES), TREE_MAX);
	tree.len = encode_concat(lens, N_BASES, tree.bytes);
	for (i = 0; i < N_BASES; i++, at += lens[i - 1]) {
		sample_fill(SAMPLE_RANDOM, i, base[i], lens[i]);
		edit(i, at, base[i], lens[i]);
		s.bases[i] = span_of(base[i], lens[i]);
		b.chunk = BASE_ID + i;
		b.bytes = s.bases[i];
		tree.len += (size_t)encode_delta(e, &b, span_of(at, lens[i]),
						 tree.bytes + tree.len, 1000);
	}
	ck_assert_uint_lt(tree.len, 2000);
	ck_ok(decode_guarded_from(&s.source, span_of(tree.bytes, tree.len), raw,
				  sizeof(raw)));
	in = reader_of(span_of(tree.bytes, tree.len));
	for (i = 0; i < N_BASES; i++) {
		ck_assert_int_eq(decode_next_base(&in, &id), 1);
		ck_assert_uint_eq(id, BASE_ID + i);
	}
	ck_ok(decode_next_base(&in, &id));
	encoder_free(e);
}
END_TEST

/* One delta of one byte, `n` times. */
static int decode_many(struct shelf *s, size_t n)
{
	static const uint8_t one[] = { 0xac, 2, 0, 0x38, 9, 0, 0, 'a' };
	size_t i;

	tree.len = 0;
	tree_concat_ones(&tree, n);
	for (i = 0; i < n; i++)
		tree_node(&tree, GLYPH_DELTA, PRIM_ZSTD_DELTA,
			  span_of(one, sizeof(one)));
	return decode_guarded_from(&s->source, span_of(tree.bytes, tree.len),
				   NULL, n);
}

START_TEST(deltas_are_bounded)
{
	struct shelf s;

	shelf_begin(&s, "base", 4);
	ck_ok(decode_many(&s, GLYPH_DELTAS_MAX));
	ck_assert_uint_eq(s.n_asked, GLYPH_DELTAS_MAX);
	ck_rc(decode_many(&s, GLYPH_DELTAS_MAX + 1), -EUCLEAN);
}
END_TEST

START_TEST(walk_sees_bases_and_damage)
{
	static const uint8_t zero[] = { 0, 0, 0x38, 9, 0, 0, 'a' };
	struct reader in;
	uint64_t id;

	tree.len = 0;
	tree_store(&tree, "abc", 3);
	in = reader_of(span_of(tree.bytes, tree.len));
	ck_ok(decode_next_base(&in, &id));
	tree_node(&tree, GLYPH_DELTA, PRIM_ZSTD_DELTA,
		  span_of(zero, sizeof(zero)));
	in = reader_of(span_of(tree.bytes, tree.len));
	ck_rc(decode_next_base(&in, &id), -EUCLEAN);
	in = reader_of(span_of(tree.bytes, tree.len - 3));
	ck_rc(decode_next_base(&in, &id), -EUCLEAN);
	tree.len = 0;
	tree_node(&tree, GLYPH_DELTA, 99, span_of("\1x", 2));
	in = reader_of(span_of(tree.bytes, tree.len));
	ck_rc(decode_next_base(&in, &id), -EOPNOTSUPP);
}
END_TEST

Suite *suite_delta(void)
{
	const TTest *const tests[] = {
		round_trip_at_all_lengths,
		similar_bytes_become_small,
		base_may_look_like_a_dictionary,
		base_must_be_there_and_whole,
		wrong_base_makes_wrong_bytes,
		payload_is_a_base_and_one_frame,
		every_flip_keeps_within_bounds,
		truncated_anywhere_is_damage,
		nothing_is_left_behind,
		works_after_a_failure,
		deltas_stand_under_a_concat,
		deltas_are_bounded,
		walk_sees_bases_and_damage,
	};

	return suite_of("delta", tests, ARRAY_LEN(tests), 60);
}
