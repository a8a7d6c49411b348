/* SPDX-License-Identifier: MIT */
/*
 * test_primitive.c - tests of src/codec/primitive.c and the kernels prim_*.c.
 */
#include "unit/codec/suites.h"

#include "base/cleanup.h"
#include "codec/primitive.h"
#include "lib/suite.h"
#include "unit/codec/trees.h"

static const size_t lens[] = {
	1,         2,
	3,         7,
	8,         9,
	15,        16,
	63,        64,
	65,        1000,
	4096,      (16 << 10) - 1,
	128 << 10, (128 << 10) + 1,
	1 << 20,   GLYPH_OUTPUT_MAX,
};

START_TEST(table_holds_what_the_format_names)
{
	static const char *const names[] = { "store",        "fill",
					     "lz4",          "zstd",
					     "concat",       "zstd-delta",
					     "zstd-codebook" };
	static const char *const transforms[] = {
		[PRIM_COLUMNS] = "columns",     [PRIM_DELTA8] = "delta8",
		[PRIM_DELTA16] = "delta16",     [PRIM_DELTA32] = "delta32",
		[PRIM_DELTA64] = "delta64",     [PRIM_X86] = "x86",
		[PRIM_TRANSPOSE] = "transpose", [PRIM_ARM64] = "arm64",
	};
	unsigned id;

	for (id = 0; id < ARRAY_LEN(names); id++)
		ck_assert_str_eq(primitive_find(id)->name, names[id]);
	for (; id <= 300; id++) {
		if (id < ARRAY_LEN(transforms) && transforms[id])
			ck_assert_str_eq(primitive_find(id)->name,
					 transforms[id]);
		else
			ck_assert_ptr_null(primitive_find(id));
	}
	ck_assert_ptr_null(primitive_find(~0u));
}
END_TEST

START_TEST(fill_finds_the_shortest_pattern)
{
	static const struct {
		const char *bytes;
		size_t len;
		size_t found;
	} cases[] = {
		{ "a", 1, 0 },
		{ "aa", 2, 1 },
		{ "ab", 2, 0 },
		{ "aba", 3, 2 },
		{ "abab", 4, 2 },
		{ "abcdabc", 7, 4 },
		{ "abcdabcd", 8, 4 },
		{ "abcdefgh", 8, 0 },
		{ "abcdefgha", 9, 8 },
		{ "abcdefghb", 9, 0 },
		{ "abcabcabc", 9, 0 },
		{ "aaaaaaaaaaaaaaaaab", 18, 0 },
		{ "aaaaaaaaaaaaaaaaaa", 18, 1 },
		{ "abcdefghabcdefghabc", 19, 8 },
	};
	size_t i;

	for (i = 0; i < ARRAY_LEN(cases); i++)
		ck_assert_uint_eq(
			prim_fill_find(span_of(cases[i].bytes, cases[i].len)),
			cases[i].found);
}
END_TEST

START_TEST(fill_repeats_and_cuts_off)
{
	uint8_t out[40];
	size_t pattern_len, len, i;

	for (pattern_len = 1; pattern_len <= FILL_PATTERN_MAX; pattern_len++)
		for (len = 1; len < sizeof(out); len++) {
			memset(out, 0, sizeof(out));
			ck_ok(prim_fill_decode(NULL,
					       span_of("12345678", pattern_len),
					       out, len));
			for (i = 0; i < len; i++)
				ck_assert_uint_eq(out[i],
						  '1' + i % pattern_len);
			ck_assert_uint_eq(out[len], 0);
		}
}
END_TEST

/* A kernel's payload decodes to `raw` and to no other length. */
static void check_kernel(const struct decode_tools *tools, unsigned id,
			 struct span payload, struct span raw)
{
	const struct primitive *prim = primitive_find(id);
	AUTO_FREE uint8_t *out = malloc(raw.len + 1);

	ck_assert_ptr_nonnull(out);
	out[raw.len] = 0xa5;
	ck_ok(prim->decode(tools, payload, out, raw.len));
	ck_assert_mem_eq(out, raw.ptr, raw.len);
	if (raw.len > 1)
		ck_rc(prim->decode(tools, payload, out, raw.len - 1), -EUCLEAN);
	ck_assert_uint_eq(out[raw.len], 0xa5);
	ck_rc(prim->decode(tools, payload, out, raw.len + 1), -EUCLEAN);
}

/* Both codecs on one sample, with just enough room and with a byte less. */
static void check_codecs(enum sample sample, size_t len)
{
	AUTO_FREE uint8_t *raw = malloc(len);
	AUTO_FREE uint8_t *out = malloc(len + len / 100 + 1000);
	AUTO_FREE void *state = malloc(prim_lz4_state_len());
	struct decode_tools tools = { .zstd = prim_zstd_dctx_new() };
	struct ZSTD_CCtx_s *cctx = prim_zstd_cctx_new();
	size_t cap = len + len / 100 + 1000;
	ssize_t n;

	ck_assert(raw && out && state && tools.zstd && cctx);
	sample_fill(sample, len, raw, len);
	n = (ssize_t)prim_lz4_encode(state, span_of(raw, len), out, cap);
	ck_assert_int_gt(n, 0);
	check_kernel(&tools, PRIM_LZ4, span_of(out, (size_t)n),
		     span_of(raw, len));
	ck_assert_uint_eq(
		prim_lz4_encode(state, span_of(raw, len), out, (size_t)n - 1),
		0);
	n = prim_zstd_encode(cctx, 3, span_of(raw, len), out, cap);
	ck_assert_int_gt(n, 0);
	ck_assert_uint_eq(out[0], 0);
	check_kernel(&tools, PRIM_ZSTD, span_of(out, (size_t)n),
		     span_of(raw, len));
	ck_assert_int_eq(prim_zstd_encode(cctx, 3, span_of(raw, len), out,
					  (size_t)n / 2),
			 0);
	prim_zstd_cctx_free(cctx);
	prim_zstd_dctx_free(tools.zstd);
}

START_TEST(codecs_round_trip_at_all_lengths)
{
	size_t i;
	int sample;

	for (i = 0; i < ARRAY_LEN(lens); i++)
		for (sample = 0; sample < SAMPLE_N; sample++)
			check_codecs((enum sample)sample, lens[i]);
}
END_TEST

START_TEST(store_takes_its_own_length_only)
{
	uint8_t out[4];

	ck_ok(prim_store_decode(NULL, span_of("abc", 3), out, 3));
	ck_assert_mem_eq(out, "abc", 3);
	ck_rc(prim_store_decode(NULL, span_of("abc", 3), out, 2), -EUCLEAN);
	ck_rc(prim_store_decode(NULL, span_of("abc", 3), out, 4), -EUCLEAN);
}
END_TEST

static int zstd_decode(const void *payload, size_t payload_len, size_t len)
{
	struct decode_tools tools = { .zstd = prim_zstd_dctx_new() };
	uint8_t out[4096];
	int rc;

	ck_assert_ptr_nonnull(tools.zstd);
	ck_assert_uint_le(len, sizeof(out));
	rc = prim_zstd_decode(&tools, span_of(payload, payload_len), out, len);
	prim_zstd_dctx_free(tools.zstd);
	return rc;
}

/*
 * Frames by hand: descriptor, window (0x38: 128 KiB), then blocks with a
 * header of three bytes: size << 3 | type << 1 | last.
 */
static const uint8_t raw_block[] = { 0, 0x38, 0x19, 0, 0, 'a', 'b', 'c' };
static const uint8_t rle_block[] = { 0, 0x38, 0x1b, 0, 0, 'a' };
static const uint8_t two_blocks[] = { 0,   0x38, 0x18, 0, 0, 'a',
				      'b', 'c',  0x1b, 0, 0, 'd' };
static const uint8_t empty_block[] = { 0, 0x38, 0, 0, 0, 0x1b, 0, 0, 'd' };

START_TEST(zstd_frames_have_nothing_optional)
{
	static const uint8_t empty[] = { 0, 0x38, 0x01, 0, 0 };
	static const uint8_t no_last[] = { 0, 0x38, 0x18, 0, 0, 'a', 'b', 'c' };
	static const uint8_t reserved[] = {
		0, 0x38, 0x1f, 0, 0, 'a', 'b', 'c'
	};
	static const uint8_t magic[] = { 0x28, 0xb5, 0x2f, 0xfd, 0,   0x38,
					 0x19, 0,    0,    'a',  'b', 'c' };
	static const uint8_t sized[] = { 0x20, 3, 0x19, 0, 0, 'a', 'b', 'c' };
	static const uint8_t dict[] = { 1, 0x38, 7, 0x19, 0, 0, 'a', 'b', 'c' };
	static const uint8_t huge[] = { 0, 0xff, 0x19, 0, 0, 'a', 'b', 'c' };

	ck_rc(zstd_decode(empty, sizeof(empty), 1), -EUCLEAN);
	ck_rc(zstd_decode(no_last, sizeof(no_last), 3), -EUCLEAN);
	ck_rc(zstd_decode(reserved, sizeof(reserved), 3), -EUCLEAN);
	ck_rc(zstd_decode(magic, sizeof(magic), 3), -EUCLEAN);
	ck_rc(zstd_decode(sized, sizeof(sized), 3), -EUCLEAN);
	ck_rc(zstd_decode(dict, sizeof(dict), 3), -EUCLEAN);
	ck_rc(zstd_decode(huge, sizeof(huge), 3), -EUCLEAN);
}
END_TEST

START_TEST(zstd_takes_one_whole_frame)
{
	uint8_t twice[2 * sizeof(raw_block)];
	size_t cut;

	ck_ok(zstd_decode(raw_block, sizeof(raw_block), 3));
	ck_ok(zstd_decode(rle_block, sizeof(rle_block), 3));
	ck_ok(zstd_decode(two_blocks, sizeof(two_blocks), 6));
	ck_ok(zstd_decode(empty_block, sizeof(empty_block), 3));
	for (cut = 0; cut < sizeof(two_blocks); cut++)
		ck_rc(zstd_decode(two_blocks, cut, 6), -EUCLEAN);
	memcpy(twice, raw_block, sizeof(raw_block));
	memcpy(twice + sizeof(raw_block), raw_block, sizeof(raw_block));
	ck_rc(zstd_decode(twice, sizeof(twice), 6), -EUCLEAN);
	ck_rc(zstd_decode(twice, sizeof(raw_block) + 1, 3), -EUCLEAN);
}
END_TEST

START_TEST(zstd_descriptor_bits_are_refused)
{
	uint8_t frame[] = { 0, 0x38, 0x19, 0, 0, 'a', 'b', 'c', 0, 0, 0, 0 };
	unsigned descriptor;

	for (descriptor = 1; descriptor <= 255; descriptor++) {
		frame[0] = (uint8_t)descriptor;
		ck_rc(zstd_decode(frame, sizeof(frame), 3), -EUCLEAN);
		ck_rc(zstd_decode(frame, sizeof(frame) - 4, 3), -EUCLEAN);
	}
}
END_TEST

Suite *suite_primitive(void)
{
	const TTest *const tests[] = {
		table_holds_what_the_format_names,
		fill_finds_the_shortest_pattern,
		fill_repeats_and_cuts_off,
		codecs_round_trip_at_all_lengths,
		store_takes_its_own_length_only,
		zstd_frames_have_nothing_optional,
		zstd_takes_one_whole_frame,
		zstd_descriptor_bits_are_refused,
	};

	return suite_of("primitive", tests, ARRAY_LEN(tests), 60);
}
