/* SPDX-License-Identifier: MIT */
/*
 * test_transform.c - tests of src/codec/transform.c, of the kernels of numbers
 * and code, and of transforms in trees.
 */
#include "unit/codec/suites.h"

#include "base/cleanup.h"
#include "base/varint.h"
#include "codec/encode.h"
#include "codec/glyph.h"
#include "codec/primitive.h"
#include "codec/sniff.h"
#include "lib/suite.h"
#include "unit/codec/trees.h"

#include <stdio.h>
#include <stdlib.h>

enum { CODE_LEN = 70000 };

/* ---- kernels ------------------------------------------------------------- */

static uint64_t number_at(const uint8_t *p, unsigned size)
{
	uint64_t v = 0;

	for (unsigned i = 0; i < size; i++)
		v |= (uint64_t)p[i] << 8 * i;
	return v;
}

static int delta_undo(unsigned bits, uint64_t lag, unsigned skip,
		      uint8_t *bytes, size_t len)
{
	uint8_t params[2 * VARINT_MAX];
	size_t n = varint_put(params, lag);
	const struct primitive *p = primitive_find(bits == 8    ? PRIM_DELTA8
						   : bits == 16 ? PRIM_DELTA16
						   : bits == 32 ? PRIM_DELTA32
								: PRIM_DELTA64);

	n += varint_put(params + n, skip);
	return p->undo(NULL, span_of(params, n), span_of(bytes, len), bytes,
		       len);
}

START_TEST(deltas_are_differences)
{
	struct rng rng = rng_of(1);
	uint8_t raw[260];
	uint8_t bytes[260];
	unsigned bits, lag, size;
	size_t len, i;

	rng_fill(&rng, raw, sizeof(raw));
	for (bits = 8; bits <= 64; bits *= 2)
		for (lag = 1; lag <= 9; lag += 1 + lag / 3)
			for (len = 0; len <= sizeof(raw); len += 1 + len / 7) {
				size = bits / 8;
				memcpy(bytes, raw, len);
				prim_delta_do(bits, lag, bytes, len);
				for (i = lag; (i + 1) * size <= len; i++)
					ck_assert_uint_eq(
						number_at(bytes + i * size,
							  size),
						(number_at(raw + i * size,
							   size) -
						 number_at(raw + (i - lag) *
									   size,
							   size)) &
							(~UINT64_C(0) >>
							 (64 - bits)));
				ck_ok(delta_undo(bits, lag, 0, bytes, len));
				ck_assert_mem_eq(bytes, raw, len);
			}
}
END_TEST

START_TEST(deltas_begin_anywhere)
{
	struct rng rng = rng_of(2);
	uint8_t raw[100];
	uint8_t bytes[100];
	unsigned bits, skip;

	rng_fill(&rng, raw, sizeof(raw));
	for (bits = 8; bits <= 64; bits *= 2) {
		for (skip = 0; skip < bits / 8; skip++) {
			memcpy(bytes, raw, sizeof(raw));
			prim_delta_do(bits, 2, bytes + skip,
				      sizeof(raw) - skip);
			ck_assert_mem_eq(bytes, raw, skip);
			ck_ok(delta_undo(bits, 2, skip, bytes, sizeof(raw)));
			ck_assert_mem_eq(bytes, raw, sizeof(raw));
		}
		ck_rc(delta_undo(bits, 2, bits / 8, bytes, sizeof(raw)),
		      -EUCLEAN);
	}
	ck_ok(delta_undo(64, 1, 7, bytes, 3));
	ck_rc(delta_undo(8, 0, 0, bytes, 10), -EUCLEAN);
	ck_ok(delta_undo(8, DELTA_LAG_MAX, 0, bytes, 10));
	ck_rc(delta_undo(8, DELTA_LAG_MAX + 1, 0, bytes, 10), -EUCLEAN);
}
END_TEST

static int transpose_undo(uint64_t width, struct span input, uint8_t *dst)
{
	uint8_t params[VARINT_MAX];

	return prim_transpose_undo(NULL,
				   span_of(params, varint_put(params, width)),
				   input, dst, input.len);
}

START_TEST(transpose_is_by_columns)
{
	static const unsigned widths[] = { 2, 3, 4, 5, 8, 24, 63, 64, 1024 };
	static uint8_t raw[9000], bytes[9000], out[9000];
	struct rng rng = rng_of(3);
	size_t w, len, i;

	rng_fill(&rng, raw, sizeof(raw));
	for (w = 0; w < ARRAY_LEN(widths); w++)
		for (len = 1; len <= sizeof(raw); len += 1 + len / 3) {
			size_t n = len / widths[w];

			prim_transpose_do(widths[w], span_of(raw, len), bytes);
			for (i = 0; i < n * widths[w]; i++)
				ck_assert_uint_eq(bytes[i % widths[w] * n +
							i / widths[w]],
						  raw[i]);
			ck_assert_mem_eq(bytes + i, raw + i, len - i);
			ck_ok(transpose_undo(widths[w], span_of(bytes, len),
					     out));
			ck_assert_mem_eq(out, raw, len);
		}
	ck_rc(transpose_undo(0, span_of(raw, 9), out), -EUCLEAN);
	ck_rc(transpose_undo(1, span_of(raw, 9), out), -EUCLEAN);
	ck_rc(transpose_undo(1025, span_of(raw, 9), out), -EUCLEAN);
}
END_TEST

/* Plain, from FORMAT.md: adds `sign` times the place behind each operand. */
static void plain_x86(uint8_t *p, size_t len, uint32_t sign)
{
	size_t i = 0;

	while (i + 6 <= len) {
		size_t n = 0;
		uint32_t v;

		if (p[i] == 0xe8 || p[i] == 0xe9)
			n = 1;
		else if ((p[i] == 0x89 || p[i] == 0x8b || p[i] == 0x8d ||
			  p[i] == 0x8f || p[i] == 0xff) &&
			 (p[i + 1] & 0xc7) == 5)
			n = 2;
		if (n == 0) {
			i++;
			continue;
		}
		i += n + 4;
		v = get_le32(p + i - 4);
		if (v < 0x1000000 || v >= 0xff000000) {
			v = (v + sign * (uint32_t)i) & 0x1ffffff;
			if (v & 0x1000000)
				v |= 0xff000000;
			put_le32(p + i - 4, v);
		}
	}
}

/* Bytes in which opcodes and operands are dense, and overlap. */
static void fill_code(struct rng *rng, uint8_t *dst, size_t len)
{
	static const uint8_t likely[] = { 0xe8, 0xe9, 0x8b, 0x05, 0xff, 0x15,
					  0x00, 0x00, 0xff, 0x8d, 0x89, 0x01 };

	for (size_t i = 0; i < len; i++)
		dst[i] = rng_below(rng, 3)
				 ? likely[rng_below(rng, sizeof(likely))]
				 : (uint8_t)rng_u64(rng);
}

START_TEST(x86_is_what_the_format_says)
{
	static uint8_t raw[5000], bytes[5000], plain[5000];
	struct rng rng = rng_of(5);
	unsigned round;

	for (round = 0; round < 3000; round++) {
		size_t len =
			(size_t)rng_below(&rng, round % 4 ? 100 : sizeof(raw));

		fill_code(&rng, raw, len);
		memcpy(bytes, raw, len);
		memcpy(plain, raw, len);
		prim_x86_do(bytes, len);
		plain_x86(plain, len, 1);
		ck_assert_mem_eq(bytes, plain, len);
		ck_ok(prim_x86_undo(NULL, span_of(NULL, 0), span_of(bytes, len),
				    bytes, len));
		ck_assert_mem_eq(bytes, raw, len);
		plain_x86(plain, len, (uint32_t)-1);
		ck_assert_mem_eq(plain, raw, len);
	}
}
END_TEST

START_TEST(arm64_moves_calls_and_pages)
{
	static const uint8_t phases[] = { 0, 1, 2, 3, 4 };
	uint8_t raw[400], bytes[400];
	struct rng rng = rng_of(6);
	unsigned round, phase;

	/* bl +4 at 8 is a call of 12; adrp of its own page at 4096 is of 1. */
	static uint8_t code[4104];

	put_le32(code + 8, 0x94000001);
	put_le32(code + 4096, 0x90000003);
	prim_arm64_do(0, code, sizeof(code));
	ck_assert_uint_eq(get_le32(code + 8), 0x94000003);
	ck_assert_uint_eq(get_le32(code + 4096), 0xb0000003);
	for (round = 0; round < 2000; round++)
		for (phase = 0; phase < 4; phase++) {
			size_t len = (size_t)rng_below(&rng, sizeof(raw));
			size_t i;

			rng_fill(&rng, raw, len);
			for (i = 0; i < len; i++)
				if (rng_below(&rng, 4) == 0)
					raw[i] = rng_below(&rng, 2) ? 0x94
								    : 0x90;
			memcpy(bytes, raw, len);
			prim_arm64_do(phase, bytes, len);
			ck_ok(prim_arm64_undo(NULL, span_of(&phases[phase], 1),
					      span_of(bytes, len), bytes, len));
			ck_assert_mem_eq(bytes, raw, len);
		}
	ck_rc(prim_arm64_undo(NULL, span_of(&phases[4], 1), span_of(bytes, 8),
			      bytes, 8),
	      -EUCLEAN);
}
END_TEST

/* Whether a call reaches 8 MiB at most, or a page 16. */
static bool plain_near(uint32_t insn)
{
	int32_t distance;

	if (insn >> 26 == 0x25) {
		distance = (int32_t)(insn << 6) >> 6;
		return distance >= -0x200000 && distance < 0x200000;
	}
	if ((insn >> 31) == 0 || (insn >> 24 & 0x1f) != 0x10)
		return false;
	/* In four pages: the two lowest bits are elsewhere. */
	distance = (int32_t)(insn << 8) >> 13;
	return distance >= -1024 && distance < 1024;
}

START_TEST(arm64_is_counted_in_every_phase)
{
	struct rng rng = rng_of(11);
	uint8_t code[259];
	size_t len, pos;

	for (len = 0; len <= sizeof(code); len++) {
		AUTO_FREE uint8_t *tight = malloc(len + 1);
		size_t got[PRIM_ARM64_PHASES] = { 0 };
		size_t want[PRIM_ARM64_PHASES] = { 0 };

		ck_assert_ptr_nonnull(tight);
		rng_fill(&rng, code, sizeof(code));
		/* Near ones are rare. */
		for (pos = 3; pos < sizeof(code); pos += 3)
			code[pos] = rng_below(&rng, 2) ? 0x97 : 0x90;
		memcpy(tight, code, len);
		for (pos = 0; pos + 4 <= len; pos++)
			want[pos % 4] += plain_near(get_le32(code + pos));
		prim_arm64_count(span_of(tight, len), got);
		ck_assert_mem_eq(got, want, sizeof(want));
	}
}
END_TEST

/* ---- trees --------------------------------------------------------------- */

static struct tree tree;

static void add_transpose(unsigned width)
{
	uint8_t payload[VARINT_MAX];

	tree_node(&tree, GLYPH_COMPOSITE, PRIM_TRANSPOSE,
		  span_of(payload, varint_put(payload, width)));
}

static void add_delta8(void)
{
	tree_node(&tree, GLYPH_COMPOSITE, PRIM_DELTA8, span_of("\1\0", 2));
}

START_TEST(transforms_nest)
{
	tree.len = 0;
	add_delta8();
	add_transpose(2);
	tree_store(&tree, "\1\3\2\4", 4);
	ck_ok(tree_decode(&tree, "\1\3\6\12", 4));
	/* Within a concat, which goes on behind it. */
	tree.len = 0;
	tree_concat(&tree, (const uint64_t[]){ 4, 2 }, 2);
	add_delta8();
	tree_concat(&tree, (const uint64_t[]){ 1, 3 }, 2);
	tree_store(&tree, "\1", 1);
	tree_fill(&tree, "\1", 1);
	tree_store(&tree, "ab", 2);
	ck_ok(tree_decode(&tree, "\1\2\3\4ab", 6));
	for (size_t cut = 0; cut < tree.len; cut++) {
		struct tree shorter = tree;

		shorter.len = cut;
		ck_rc(tree_decode(&shorter, NULL, 6), -EUCLEAN);
	}
}
END_TEST

START_TEST(payloads_are_asked_for)
{
	uint8_t bare[2];

	tree.len = 0;
	tree_add(&tree, bare, glyph_put_bare(bare, GLYPH_COMPOSITE, PRIM_X86));
	tree_store(&tree, "abcd", 4);
	ck_ok(tree_decode(&tree, "abcd", 4));
	/* A payload where none belongs, none where one does. */
	tree.len = 0;
	tree_node(&tree, GLYPH_COMPOSITE, PRIM_X86, span_of("", 0));
	tree_store(&tree, "abcd", 4);
	ck_rc(tree_decode(&tree, NULL, 4), -EUCLEAN);
	tree.len = 0;
	tree_add(&tree, bare,
		 glyph_put_bare(bare, GLYPH_COMPOSITE, PRIM_TRANSPOSE));
	tree_store(&tree, "abcd", 4);
	ck_rc(tree_decode(&tree, NULL, 4), -EUCLEAN);
}
END_TEST

START_TEST(depth_counts_transforms)
{
	unsigned depth;

	for (depth = 1; depth <= GLYPH_DEPTH_MAX; depth++) {
		tree.len = 0;
		for (unsigned i = 1; i < depth; i++)
			add_transpose(2);
		tree_store(&tree, "aaaa", 4);
		ck_ok(tree_decode(&tree, "aaaa", 4));
	}
	tree.len = 0;
	for (unsigned i = 0; i < GLYPH_DEPTH_MAX; i++)
		add_transpose(2);
	tree_store(&tree, "aaaa", 4);
	ck_rc(tree_decode(&tree, NULL, 4), -EUCLEAN);
}
END_TEST

/* Four passes over a long frame, and no fifth. */
START_TEST(passes_are_bounded)
{
	static uint8_t raw[GLYPH_OUTPUT_MAX];
	unsigned n;

	for (n = 1; n <= 6; n++) {
		tree.len = 0;
		for (unsigned i = 0; i < n; i++)
			add_transpose(2);
		tree_fill(&tree, "\0", 1);
		ck_rc(tree_decode(&tree, NULL, sizeof(raw)),
		      n <= TRANSFORM_TIMES_MAX ? 0 : -EUCLEAN);
	}
	/* A gather's input counts as well, however long it says it is. */
	tree.len = 0;
	tree_node(&tree, GLYPH_COMPOSITE, PRIM_COLUMNS,
		  span_of("\1\xff\xff\xff\x7f", 5));
	tree_fill(&tree, "\0", 1);
	ck_rc(tree_decode(&tree, NULL, 10), -EUCLEAN);
	tree.len = 0;
	tree_node(&tree, GLYPH_COMPOSITE, PRIM_COLUMNS, span_of("\1\0", 2));
	tree_fill(&tree, "\0", 1);
	ck_rc(tree_decode(&tree, NULL, 10), -EUCLEAN);
}
END_TEST

/* Three transforms side by side: a part is made of those that it lies in. */
START_TEST(parts_of_transforms)
{
	static const char want[] = "\1\2\3\4abcd\1\2\3\4";
	struct decoder *d = NULL;
	size_t from, to;

	tree.len = 0;
	tree_concat(&tree, (const uint64_t[]){ 4, 4, 4 }, 3);
	add_delta8();
	tree_fill(&tree, "\1", 1);
	add_transpose(2);
	tree_store(&tree, "acbd", 4);
	add_delta8();
	add_transpose(2);
	tree_fill(&tree, "\1", 1);
	ck_ok(tree_decode(&tree, want, 12));
	ck_ok(decoder_new(&d));
	for (from = 0; from < 12; from++)
		for (to = from + 1; to <= 12; to++) {
			uint8_t out[12] = { 0 };
			const struct decode_part part = { .dst = out,
							  .raw_len = 12,
							  .from = from,
							  .to = to };

			ck_ok(decode_part(d, span_of(tree.bytes, tree.len),
					  NULL, &part));
			ck_assert_mem_eq(out + from, want + from, to - from);
			/* What is not needed is not made. */
			if (from >= 4)
				ck_assert_uint_eq(out[3], 0);
			if (to <= 8)
				ck_assert_uint_eq(out[11], 0);
		}
	decoder_free(d);
}
END_TEST

/* ---- what the encoder makes ---------------------------------------------- */

static void fill_lines(uint8_t *dst, size_t len)
{
	struct rng rng = rng_of(len);
	char line[200];
	size_t pos, n;

	for (pos = 0; pos < len; pos += n) {
		n = (size_t)snprintf(
			line, sizeof(line),
			"2024-03-01 %02u:%02u:%02u host%u app[%u]: job %llx "
			"took %u ms\n",
			(unsigned)(pos / 360000 % 24),
			(unsigned)(pos / 6000 % 60), (unsigned)(pos / 100 % 60),
			(unsigned)rng_below(&rng, 4),
			(unsigned)rng_below(&rng, 9999),
			(unsigned long long)rng_u64(&rng),
			(unsigned)rng_below(&rng, 500));
		n = n < len - pos ? n : len - pos;
		memcpy(dst + pos, line, n);
	}
}

/* Calls of few places from many. */
static void fill_calls(uint8_t *dst, size_t len)
{
	struct rng rng = rng_of(len);
	size_t pos;

	rng_fill(&rng, dst, len);
	for (pos = 0; pos + 16 <= len; pos += 16) {
		memset(dst + pos, 0x90, 11);
		dst[pos + 11] = 0xe8;
		put_le32(dst + pos + 12,
			 (uint32_t)(rng_below(&rng, 8) * 1000 - pos - 16));
	}
}

static void fill_arm64(uint8_t *dst, size_t len)
{
	struct rng rng = rng_of(len);
	size_t pos;

	memset(dst, 0, len);
	for (pos = 2; pos + 8 <= len; pos += 8) {
		put_le32(dst + pos, 0xd503201f);
		put_le32(dst + pos + 4,
			 0x94000000 | ((uint32_t)(rng_below(&rng, 8) * 1000 -
						  (pos + 4) / 4) &
				       0x3ffffff));
	}
}

static void fill_samples(uint8_t *dst, size_t len)
{
	struct rng rng = rng_of(len);
	uint16_t a = 1000, b = 2000;
	size_t pos;

	memset(dst, 0, len);
	for (pos = 1; pos + 4 <= len; pos += 4) {
		a = (uint16_t)(a + rng_below(&rng, 64) - 31);
		b = (uint16_t)(b + rng_below(&rng, 64) - 31);
		put_le16(dst + pos, a);
		put_le16(dst + pos + 2, b);
	}
}

static const struct {
	void (*fill)(uint8_t *dst, size_t len);
	enum encode_kind kind;
	unsigned step;
} cases[] = {
	{ fill_lines, ENCODE_COLUMNS, STEP_COLUMNS },
	{ fill_calls, ENCODE_CODE, STEP_CODE },
	{ fill_arm64, ENCODE_CODE, STEP_CODE },
	{ fill_samples, ENCODE_NUMBERS, STEP_NUMBERS },
};

static size_t encode_case(struct encoder *e, struct span raw, unsigned without,
			  enum encode_kind *ret_kind)
{
	AUTO_FREE uint8_t *glyphs = malloc(encode_bound(raw.len));
	const struct encode_request request = {
		.effort = EFFORT_BALANCED,
		.without = without,
	};
	ssize_t n;

	ck_assert_ptr_nonnull(glyphs);
	n = encode_frame(e, &request, raw, glyphs);
	ck_assert_int_gt(n, 0);
	*ret_kind = encode_kind_of(span_of(glyphs, (size_t)n));
	ck_ok(decode_guarded(span_of(glyphs, (size_t)n), raw.ptr, raw.len));
	return (size_t)n;
}

START_TEST(each_transform_gains_on_its_own_kind)
{
	static uint8_t raw[CODE_LEN];
	struct encoder *e = NULL;
	enum encode_kind kind, plain_kind;
	size_t i;

	ck_ok(encoder_new(&e));
	for (i = 0; i < ARRAY_LEN(cases); i++) {
		size_t with, without;

		cases[i].fill(raw, sizeof(raw));
		with = encode_case(e, span_of(raw, sizeof(raw)), 0, &kind);
		without = encode_case(e, span_of(raw, sizeof(raw)),
				      cases[i].step, &plain_kind);
		ck_assert_int_eq(kind, cases[i].kind);
		ck_assert_int_ne(plain_kind, cases[i].kind);
		ck_assert_uint_lt(with, without - without / 50);
	}
	encoder_free(e);
}
END_TEST

/* A part of the bytes is of the kind, wherever it is: no sample makes the frame
 * much longer than it is by itself. */
START_TEST(a_part_of_a_kind_does_no_harm)
{
	static uint8_t raw[CODE_LEN];
	struct encoder *e = NULL;
	enum encode_kind kind;
	size_t i, part;

	ck_ok(encoder_new(&e));
	for (i = 0; i < ARRAY_LEN(cases); i++)
		for (part = 0; part < 5; part++) {
			size_t with, without;

			sample_fill(SAMPLE_TEXT, part, raw, CODE_LEN);
			cases[i].fill(raw + part * CODE_LEN / 5, CODE_LEN / 5);
			with = encode_case(e, span_of(raw, CODE_LEN), 0, &kind);
			without = encode_case(e, span_of(raw, CODE_LEN),
					      cases[i].step, &kind);
			ck_assert_uint_le(with, without + without / 50);
		}
	encoder_free(e);
}
END_TEST

START_TEST(transforms_at_all_lengths)
{
	static const size_t lens[] = { 1,     2,     100,   2047,
				       2048,  4095,  4096,  10001,
				       32767, 32768, 40003, CODE_LEN - 1 };
	static uint8_t raw[CODE_LEN];
	struct encoder *e = NULL;
	enum encode_kind kind;
	size_t i, j;

	ck_ok(encoder_new(&e));
	for (i = 0; i < ARRAY_LEN(cases); i++)
		for (j = 0; j < ARRAY_LEN(lens); j++) {
			cases[i].fill(raw, lens[j]);
			(void)encode_case(e, span_of(raw, lens[j]), 0, &kind);
		}
	encoder_free(e);
}
END_TEST

/* Every bit of an encoded frame: the right bytes, other bytes, or an error,
 * never more than the frame. */
START_TEST(flipped_frames_keep_within_bounds)
{
	enum { LEN = 6000 };
	static uint8_t raw[LEN], glyphs[LEN + 64];
	const struct encode_request request = { .effort = EFFORT_BALANCED };
	struct encoder *e = NULL;
	size_t i, bit;

	ck_ok(encoder_new(&e));
	for (i = 0; i < ARRAY_LEN(cases); i++) {
		struct decoder *d = NULL;
		ssize_t n;

		cases[i].fill(raw, LEN);
		n = encode_frame(e, &request, span_of(raw, LEN), glyphs);
		ck_assert_int_gt(n, 0);
		ck_ok(decoder_new(&d));
		for (bit = 0; bit < (size_t)n * 8; bit++) {
			AUTO_FREE uint8_t *out = malloc(LEN);
			int rc;

			ck_assert_ptr_nonnull(out);
			glyphs[bit / 8] ^= (uint8_t)(1U << bit % 8);
			rc = decode_frame(d, span_of(glyphs, (size_t)n), NULL,
					  out, LEN);
			ck_assert(rc == 0 || rc == -EUCLEAN ||
				  rc == -EOPNOTSUPP);
			glyphs[bit / 8] ^= (uint8_t)(1U << bit % 8);
		}
		decoder_free(d);
	}
	encoder_free(e);
}
END_TEST

Suite *suite_transform(void)
{
	const TTest *const tests[] = {
		deltas_are_differences,
		deltas_begin_anywhere,
		transpose_is_by_columns,
		x86_is_what_the_format_says,
		arm64_moves_calls_and_pages,
		arm64_is_counted_in_every_phase,
		transforms_nest,
		payloads_are_asked_for,
		depth_counts_transforms,
		passes_are_bounded,
		parts_of_transforms,
		each_transform_gains_on_its_own_kind,
		a_part_of_a_kind_does_no_harm,
		transforms_at_all_lengths,
		flipped_frames_keep_within_bounds,
	};

	return suite_of("transform", tests, ARRAY_LEN(tests), 60);
}
