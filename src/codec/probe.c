/* SPDX-License-Identifier: MIT */
/*
 * probe.c - sampled entropy, then LZ4 on a piece from the middle.
 *
 * The entropy of single bytes does not see repeats of whole passages, and
 * numbers often have evenly spread low bytes: hence the second opinion.
 */
#include "codec/probe.h"

#include "codec/primitive.h"

enum {
	SAMPLE_LEN = 16,
	SAMPLE_STEP = 256,
	PIECE_LEN = 8 << 10,
	PIECE_SHIFT = 6, /* the piece must save 1/64 to count */
	LOG_BITS = 8,
	CODE_BITS = 4, /* that say how often a value occurs */
	/* 7.6 bit. 16 KiB of random bytes give 7.8: 1024 samples of 256 values
	 * cannot be spread quite evenly. */
	ENTROPY_HIGH = 1946,
};

/* log2(v) in 1/256, rounded down; v is 1..65535. */
static unsigned log2_fixed(unsigned v)
{
	unsigned whole = 31 - (unsigned)__builtin_clz(v);
	unsigned log = whole;
	uint32_t x = v << (15 - whole); /* in 1..2, as 1/32768 */
	unsigned i;

	/* Squaring doubles the logarithm and so brings out its next bit. */
	for (i = 0; i < LOG_BITS; i++) {
		x = x * x >> 15;
		log = log << 1 | x >> 16;
		x >>= x >> 16;
	}
	return log;
}

unsigned probe_entropy(struct span raw)
{
	uint32_t counts[256] = { 0 };
	uint64_t sum = 0;
	size_t n = 0;
	size_t pos, i;

	for (pos = 0; pos + SAMPLE_LEN <= raw.len; pos += SAMPLE_STEP)
		for (i = 0; i < SAMPLE_LEN; i++, n++)
			counts[raw.ptr[pos + i]]++;
	if (n == 0)
		return 0;
	/* log2(n) - sum(c * log2(c)) / n; frames of 1 MiB and more would leave
	 * the range of log2_fixed(): halve until they fit. */
	for (; n > UINT16_MAX; n /= 2)
		for (i = 0; i < ARRAY_LEN(counts); i++)
			counts[i] /= 2;
	for (i = 0; i < ARRAY_LEN(counts); i++)
		if (counts[i] > 1)
			sum += (uint64_t)counts[i] * log2_fixed(counts[i]);
	return log2_fixed((unsigned)n) - (unsigned)(sum / n);
}

uint64_t probe_cost(const uint32_t *counts, uint32_t n)
{
	uint64_t sum = 0;
	uint32_t used = 0;
	size_t i;

	for (i = 0; i < 256; i++) {
		used += counts[i] > 0;
		if (counts[i] > 1)
			sum += (uint64_t)counts[i] * log2_fixed(counts[i]);
	}
	if (used < 2)
		return 0;
	return (((uint64_t)n * log2_fixed(n) - sum) >> LOG_BITS) +
	       (uint64_t)used * CODE_BITS;
}

bool probe_incompressible(struct span raw, void *lz4_state)
{
	uint8_t out[PIECE_LEN - (PIECE_LEN >> PIECE_SHIFT)];
	struct span piece;

	if (raw.len < PROBE_LEN_MIN || probe_entropy(raw) < ENTROPY_HIGH)
		return false;
	piece = span_of(raw.ptr + (raw.len - PIECE_LEN) / 2, PIECE_LEN);
	return prim_lz4_encode(lz4_state, piece, out, sizeof(out)) == 0;
}
