/* SPDX-License-Identifier: MIT */
/*
 * target.c - fuzzes what src/codec does with bases: hostile deltas, round
 * trips, sketches.
 *
 * Input: a byte for the mode, two for the length of a base, the base, then for
 *     an even mode: two bytes, raw length; the rest is a tree to decode, in
 *                   which every chunk but 1 is that base, and 1 is missing
 *     an odd mode:  bytes to encode against the base with effort mode / 2
 */
#include "fuzz/codec.h"
#include "fuzz/fuzz.h"

#include "base/bytes.h"
#include "codec/glyph_format.h"
#include "codec/sketch.h"

enum {
	HEAD_LEN = 3,
	N_EFFORTS = EFFORT_SMALL + 1,
	MISSING = 1,
	PRESENT = 2,
	SAMPLE_LEN = 6000,
};

static int find_base(void *ctx, uint64_t chunk, struct span *ret)
{
	const struct span *base = ctx;

	must(chunk != 0);
	if (chunk == MISSING)
		return -EUCLEAN;
	*ret = *base;
	return 0;
}

/* The walk ends, and sees no more bases than a tree has bytes. */
static void check_walk(struct span glyphs)
{
	struct reader in = reader_of(glyphs);
	uint64_t base = 0;
	size_t n = 0;
	int rc;

	while ((rc = decode_next_base(&in, &base)) == 1) {
		must(base != 0);
		must(++n <= glyphs.len);
	}
	must(rc == 0 || rc == -EUCLEAN || rc == -EOPNOTSUPP);
}

static void check_decode(struct span base, struct span glyphs, size_t raw_len)
{
	const struct decode_source source = { .ctx = &base, .base = find_base };

	free(fuzz_decode(glyphs, &source, raw_len));
	check_walk(glyphs);
}

static void check_sketch(struct span bytes)
{
	struct sketch a = { { 0 } };
	struct sketch b = { { 0 } };
	bool any = sketch_make(bytes, &a);

	must(sketch_make_plain(bytes, &b) == any);
	must(memcmp(&a, &b, sizeof(a)) == 0);
}

static void check_round_trip(enum encode_effort effort, struct span base,
			     struct span raw)
{
	const struct encode_base b = { effort, PRESENT, base };
	size_t cap = encode_bound(raw.len) + 64;
	uint8_t *glyphs = malloc(cap);
	uint8_t *out = malloc(raw.len);
	const struct decode_source source = { .ctx = &base, .base = find_base };
	ssize_t n;

	must(glyphs && out);
	n = encode_delta(fuzz_codec()->encoder, &b, raw, glyphs, cap);
	must(n > 0 && (size_t)n <= cap);
	must(decode_frame(fuzz_codec()->decoder, span_of(glyphs, (size_t)n),
			  &source, out, raw.len) == 0);
	must(memcmp(out, raw.ptr, raw.len) == 0);
	must(encode_delta(fuzz_codec()->encoder, &b, raw, glyphs,
			  (size_t)n / 2) == 0);
	check_sketch(raw);
	free(glyphs);
	free(out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span base;
	uint8_t *tight;
	size_t len;

	if (size < HEAD_LEN + 4)
		return 0;
	len = 1 + get_le16(data + 1) % (size - HEAD_LEN - 3);
	tight = malloc(len);
	must(tight);
	memcpy(tight, data + HEAD_LEN, len);
	base = span_of(tight, len);
	size -= HEAD_LEN + len;
	if (data[0] % 2 == 0)
		check_decode(base, span_of(data + HEAD_LEN + len + 2, size - 2),
			     get_le16(data + HEAD_LEN + len));
	else
		check_round_trip((enum encode_effort)(data[0] / 2 % N_EFFORTS),
				 base, span_of(data + HEAD_LEN + len, size));
	free(tight);
	return 0;
}

/* Bytes that hardly compress, but for what a base has of them. */
static void sample(uint8_t *dst, size_t len, unsigned n_edits)
{
	uint64_t x = 88172645463325252;
	size_t i;

	for (i = 0; i < len; i++) {
		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		dst[i] = (uint8_t)x;
	}
	for (i = 0; i < n_edits; i++)
		dst[(i * 997 + 100) % len] ^= 0xff;
}

/* `n` deltas of `raw_len` bytes each, under a concat if several. */
static size_t put_tree(struct span base, unsigned n, uint32_t raw_len,
		       uint8_t *dst, size_t cap)
{
	const struct encode_base b = { EFFORT_BALANCED, PRESENT, base };
	uint8_t raw[SAMPLE_LEN];
	uint32_t lens[8];
	size_t len = 0;
	ssize_t one;
	unsigned i;

	for (i = 0; i < n; i++)
		lens[i] = raw_len;
	if (n > 1)
		len = encode_concat(lens, n, dst);
	for (i = 0; i < n; i++) {
		sample(raw, raw_len, i + 1);
		one = encode_delta(fuzz_codec()->encoder, &b,
				   span_of(raw, raw_len), dst + len, cap - len);
		must(one > 0);
		len += (size_t)one;
	}
	return len;
}

/* Seeds: trees of 1 to 4 deltas, round trips of each effort. */
int fuzz_seed(unsigned i, uint8_t *buf, size_t cap)
{
	uint8_t *base = buf + HEAD_LEN;
	uint8_t *rest = base + SAMPLE_LEN;
	uint32_t raw_len = 3000;

	must(cap >= FUZZ_SEED_MAX);
	buf[0] = 0;
	put_le16(buf + 1, SAMPLE_LEN - 1);
	sample(base, SAMPLE_LEN, 0);
	if (i < 4) {
		put_le16(rest, (uint16_t)(raw_len * (i + 1)));
		return (int)(HEAD_LEN + SAMPLE_LEN + 2 +
			     put_tree(span_of(base, SAMPLE_LEN), i + 1, raw_len,
				      rest + 2, cap - HEAD_LEN - SAMPLE_LEN));
	}
	if (i < 4 + N_EFFORTS) {
		buf[0] = (uint8_t)((i - 4) * 2 + 1);
		sample(rest, SAMPLE_LEN, 20);
		return HEAD_LEN + 2 * SAMPLE_LEN;
	}
	return -1;
}
