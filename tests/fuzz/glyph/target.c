/* SPDX-License-Identifier: MIT */
/*
 * target.c - fuzzes src/codec: hostile trees of glyphs, and round trips.
 *
 * Input: a byte for the mode, then for
 *     an even mode: three bytes, raw length; the rest is a tree to decode
 *     an odd mode:  bytes to encode with effort mode / 2, and to decode again
 */
#include "fuzz/codec.h"
#include "fuzz/fuzz.h"

#include "base/bytes.h"
#include "codec/glyph.h"
#include "codec/glyph_format.h"

#include <stdio.h>

enum {
	TREE_HEAD_LEN = 4,
	RAW_MASK = 0x3ffff, /* longer frames would only be slower */
	N_EFFORTS = EFFORT_SMALL + 1,
	SAMPLE_LEN = 3000,
	N_TRANSFORMS = 4,
	KIND_LEN = 12000, /* of the samples for transforms */
};

static void check_round_trip(enum encode_effort effort, struct span raw)
{
	uint8_t *glyphs = malloc(encode_bound(raw.len));
	uint8_t *out = malloc(raw.len);
	const struct encode_request request = { .effort = effort };
	ssize_t n;

	must(glyphs && out);
	n = encode_frame(fuzz_codec()->encoder, &request, raw, glyphs);
	must(n > 0 && (size_t)n <= encode_bound(raw.len));
	must(encode_kind_of(span_of(glyphs, (size_t)n)) < ENCODE_N_KINDS);
	must(decode_frame(fuzz_codec()->decoder, span_of(glyphs, (size_t)n),
			  NULL, out, raw.len) == 0);
	must(memcmp(out, raw.ptr, raw.len) == 0);
	free(glyphs);
	free(out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size <= TREE_HEAD_LEN)
		return 0;
	if (data[0] % 2 == 0)
		free(fuzz_decode(
			span_of(data + TREE_HEAD_LEN, size - TREE_HEAD_LEN),
			NULL, get_le32(data) >> 8 & RAW_MASK));
	else
		check_round_trip((enum encode_effort)(data[0] / 2 % N_EFFORTS),
				 span_of(data + 1, size - 1));
	return 0;
}

/* Words over and over, so that every codec finds something. */
static void sample(uint8_t *dst, size_t len)
{
	static const char text[] = "glyph tree frame chunk record ";
	size_t i;

	for (i = 0; i < len; i++)
		dst[i] = (uint8_t)text[i * i / 7 % (sizeof(text) - 1)];
}

/* One frame by the encoder, of `raw_len` bytes. Returns the tree's length. */
static size_t put_frame(enum encode_effort effort, size_t raw_len, uint8_t *dst)
{
	const struct encode_request request = { .effort = effort };
	uint8_t raw[SAMPLE_LEN];
	ssize_t n;

	sample(raw, raw_len);
	n = encode_frame(fuzz_codec()->encoder, &request, span_of(raw, raw_len),
			 dst);
	must(n > 0);
	return (size_t)n;
}

/* A concat of `n_levels` levels with a frame of each effort in each. */
static size_t put_concat(unsigned n_levels, uint8_t *dst, size_t *ret_raw_len)
{
	static uint8_t children[FUZZ_SEED_MAX];
	uint8_t lens[64];
	size_t lens_len = varint_put(lens, N_EFFORTS + (n_levels > 1));
	size_t child_len;
	size_t len = 0;
	size_t n;
	unsigned effort;

	*ret_raw_len = 0;
	if (n_levels > 1)
		len = put_concat(n_levels - 1, dst, ret_raw_len);
	memcpy(children, dst, len);
	if (n_levels > 1)
		lens_len += varint_put(lens + lens_len, *ret_raw_len);
	for (effort = 0; effort < N_EFFORTS; effort++) {
		child_len = 100 + 150 * effort + n_levels;
		lens_len += varint_put(lens + lens_len, child_len);
		len += put_frame((enum encode_effort)effort, child_len,
				 children + len);
		*ret_raw_len += child_len;
	}
	n = glyph_put(dst, GLYPH_COMPOSITE, PRIM_CONCAT, lens_len);
	memcpy(dst + n, lens, lens_len);
	memcpy(dst + n + lens_len, children, len);
	return n + lens_len + len;
}

static size_t put_fill(uint8_t *dst, size_t raw_len, size_t *ret_raw_len)
{
	static const uint8_t pattern[] = { 'f', 'i', 'l' };
	size_t n = glyph_put(dst, GLYPH_PRIMITIVE, PRIM_FILL, sizeof(pattern));

	memcpy(dst + n, pattern, sizeof(pattern));
	*ret_raw_len = raw_len;
	return n + sizeof(pattern);
}

/* Bytes that a transform gains on: a log, calls, samples, calls of AArch64. */
static void sample_of(unsigned kind, uint8_t *dst)
{
	uint32_t state = 1;
	char line[80];
	size_t pos, n;

	for (pos = 0; pos < KIND_LEN; pos += n) {
		state = state * 1664525 + 1013904223;
		n = 16;
		memset(line, kind == 1 ? 0x90 : 0, sizeof(line));
		if (kind == 0) {
			n = (size_t)snprintf(
				line, sizeof(line),
				"2024-03-01 10:%02u:%02u h%u p[%u]: %08x%08x\n",
				(unsigned)(pos / 3600 % 60),
				(unsigned)(pos / 60 % 60), state >> 30,
				state >> 20, state, ~state);
		} else if (kind == 1) {
			line[11] = (char)0xe8;
			put_le32((uint8_t *)line + 12,
				 (state >> 29) * 1000 - (uint32_t)pos - 16);
		} else if (kind == 2) {
			for (unsigned k = 0; k < 16; k += 4)
				put_le32((uint8_t *)line + k,
					 (uint32_t)(pos + k) * 1000 +
						 (state >> (24 + k / 4)));
		} else {
			put_le32((uint8_t *)line + 12,
				 0x94000000 | (((state >> 29) * 1000 -
						(uint32_t)(pos / 4 + 3)) &
					       0x3ffffff));
		}
		n = n < KIND_LEN - pos ? n : KIND_LEN - pos;
		memcpy(dst + pos, line, n);
	}
}

/* A frame with a transform in it. */
static size_t put_transform(unsigned kind, uint8_t *dst, size_t *ret_raw_len)
{
	static const enum encode_kind kinds[N_TRANSFORMS] = {
		ENCODE_COLUMNS, ENCODE_CODE, ENCODE_NUMBERS, ENCODE_CODE
	};
	const struct encode_request request = { .effort = EFFORT_BALANCED };
	static uint8_t raw[KIND_LEN];
	ssize_t n;

	sample_of(kind, raw);
	n = encode_frame(fuzz_codec()->encoder, &request,
			 span_of(raw, KIND_LEN), dst);
	must(n > 0);
	must(encode_kind_of(span_of(dst, (size_t)n)) == kinds[kind]);
	*ret_raw_len = KIND_LEN;
	return (size_t)n;
}

/* Seeds: a frame of each effort, a fill, concats of 1 to 4 levels, round
 * trips, transforms. */
int fuzz_seed(unsigned i, uint8_t *buf, size_t cap)
{
	uint8_t *tree = buf + TREE_HEAD_LEN;
	size_t raw_len = SAMPLE_LEN;
	size_t len;

	must(cap >= FUZZ_SEED_MAX);
	if (i < N_EFFORTS) {
		len = put_frame((enum encode_effort)i, raw_len, tree);
	} else if (i == N_EFFORTS) {
		len = put_fill(tree, 100000, &raw_len);
	} else if (i <= N_EFFORTS + 4) {
		len = put_concat(i - N_EFFORTS, tree, &raw_len);
	} else if (i <= N_EFFORTS + 4 + N_EFFORTS) {
		buf[0] = (uint8_t)((i - N_EFFORTS - 5) * 2 + 1);
		sample(buf + 1, SAMPLE_LEN);
		return SAMPLE_LEN + 1;
	} else if (i <= N_EFFORTS + 4 + N_EFFORTS + N_TRANSFORMS) {
		len = put_transform(i - (2 * N_EFFORTS + 5), tree, &raw_len);
	} else {
		return -1;
	}
	put_le32(buf, (uint32_t)raw_len << 8);
	return (int)(TREE_HEAD_LEN + len);
}
