/* SPDX-License-Identifier: MIT */
/*
 * target.c - fuzzes src/codec: hostile trees of glyphs, and round trips.
 *
 * Input: a byte for the mode, then for
 *     an even mode: three bytes, raw length; the rest is a tree to decode
 *     an odd mode:  bytes to encode with effort mode / 2, and to decode again
 */
#include "fuzz/fuzz.h"

#include "base/bytes.h"
#include "base/report.h"
#include "codec/decode.h"
#include "codec/encode.h"
#include "codec/glyph.h"
#include "codec/glyph_format.h"

#include <stdlib.h>

enum {
	TREE_HEAD_LEN = 4,
	RAW_MASK = 0x3ffff, /* longer frames would only be slower */
	N_EFFORTS = EFFORT_SMALL + 1,
	SAMPLE_LEN = 3000,
};

static struct encoder *encoder;
static struct decoder *decoder;

static void must(bool ok)
{
	if (!ok)
		abort();
}

static void set_up(void)
{
	if (encoder)
		return;
	report_silence(true);
	must(encoder_new(&encoder) == 0);
	must(decoder_new(&decoder) == 0);
}

/*
 * What decodes makes every byte: twice the same over different old contents.
 * The sanitizer watches the ends of `out`.
 */
static void check_decode(struct span glyphs, size_t raw_len)
{
	uint8_t *out = malloc(raw_len > 0 ? raw_len : 1);
	uint8_t *again = malloc(raw_len + 1);
	int rc;

	must(out && again);
	memset(out, 0, raw_len);
	rc = decode_frame(decoder, glyphs, out, raw_len);
	must(rc == 0 || rc == -EUCLEAN || rc == -EOPNOTSUPP);
	memset(again, 0xff, raw_len + 1);
	must(decode_frame(decoder, glyphs, again, raw_len) == rc);
	must(again[raw_len] == 0xff);
	if (rc == 0)
		must(memcmp(out, again, raw_len) == 0);
	free(out);
	free(again);
}

static void check_round_trip(enum encode_effort effort, struct span raw)
{
	uint8_t *glyphs = malloc(encode_bound(raw.len));
	uint8_t *out = malloc(raw.len);
	enum encode_kind kind = ENCODE_N_KINDS;
	ssize_t n;

	must(glyphs && out);
	n = encode_frame(encoder, effort, raw, glyphs, &kind);
	must(n > 0 && (size_t)n <= encode_bound(raw.len));
	must(kind < ENCODE_N_KINDS);
	must(decode_frame(decoder, span_of(glyphs, (size_t)n), out, raw.len) ==
	     0);
	must(memcmp(out, raw.ptr, raw.len) == 0);
	free(glyphs);
	free(out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	set_up();
	if (size <= TREE_HEAD_LEN)
		return 0;
	if (data[0] % 2 == 0)
		check_decode(
			span_of(data + TREE_HEAD_LEN, size - TREE_HEAD_LEN),
			get_le32(data) >> 8 & RAW_MASK);
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
	uint8_t raw[SAMPLE_LEN];
	enum encode_kind kind;
	ssize_t n;

	sample(raw, raw_len);
	n = encode_frame(encoder, effort, span_of(raw, raw_len), dst, &kind);
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

/* Seeds: a frame of each effort, a fill, concats of 1 to 4 levels, round
 * trips. */
int fuzz_seed(unsigned i, uint8_t *buf, size_t cap)
{
	uint8_t *tree = buf + TREE_HEAD_LEN;
	size_t raw_len = SAMPLE_LEN;
	size_t len;

	must(cap >= FUZZ_SEED_MAX);
	set_up();
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
	} else {
		return -1;
	}
	put_le32(buf, (uint32_t)raw_len << 8);
	return (int)(TREE_HEAD_LEN + len);
}
