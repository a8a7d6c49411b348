/* SPDX-License-Identifier: MIT */
/*
 * prim_transpose.c - records, one column of bytes after the other.
 */
#include "base/error.h"
#include "base/varint.h"
#include "codec/primitive.h"

void prim_transpose_do(unsigned width, struct span raw, uint8_t *dst)
{
	size_t n = raw.len / width;
	size_t i, j;

	for (j = 0; j < width; j++)
		for (i = 0; i < n; i++)
			dst[j * n + i] = raw.ptr[i * width + j];
	memcpy(dst + n * width, raw.ptr + n * width, raw.len - n * width);
}

#ifdef __SSE2__
# include <emmintrin.h>

static inline __m128i load(const uint8_t *p)
{
	return _mm_loadu_si128((const __m128i *)(const void *)p);
}

static inline void save(uint8_t *p, __m128i v)
{
	_mm_storeu_si128((__m128i *)(void *)p, v);
}

/* Sixteen records of two or four bytes at a time; returns how many. */
static size_t undo_2(const uint8_t *p, size_t n, uint8_t *dst)
{
	size_t i;

	for (i = 0; i + 16 <= n; i += 16) {
		__m128i a = load(p + i);
		__m128i b = load(p + n + i);

		save(dst + 2 * i, _mm_unpacklo_epi8(a, b));
		save(dst + 2 * i + 16, _mm_unpackhi_epi8(a, b));
	}
	return i;
}

static size_t undo_4(const uint8_t *p, size_t n, uint8_t *dst)
{
	size_t i;

	for (i = 0; i + 16 <= n; i += 16) {
		__m128i a = load(p + i);
		__m128i b = load(p + n + i);
		__m128i c = load(p + 2 * n + i);
		__m128i d = load(p + 3 * n + i);
		__m128i ab = _mm_unpacklo_epi8(a, b);
		__m128i cd = _mm_unpacklo_epi8(c, d);

		save(dst + 4 * i, _mm_unpacklo_epi16(ab, cd));
		save(dst + 4 * i + 16, _mm_unpackhi_epi16(ab, cd));
		ab = _mm_unpackhi_epi8(a, b);
		cd = _mm_unpackhi_epi8(c, d);
		save(dst + 4 * i + 32, _mm_unpacklo_epi16(ab, cd));
		save(dst + 4 * i + 48, _mm_unpackhi_epi16(ab, cd));
	}
	return i;
}
#else
static size_t undo_2(const uint8_t *p, size_t n, uint8_t *dst)
{
	(void)p;
	(void)n;
	(void)dst;
	return 0;
}

static size_t undo_4(const uint8_t *p, size_t n, uint8_t *dst)
{
	return undo_2(p, n, dst);
}
#endif

/* By blocks of records that stay in the nearest cache. */
static void undo_from(size_t from, const uint8_t *p, size_t n, size_t width,
		      uint8_t *dst)
{
	enum { BLOCK = 64 };
	size_t to, i, j;

	for (; from < n; from = to) {
		to = n - from < BLOCK ? n : from + BLOCK;
		for (j = 0; j < width; j++)
			for (i = from; i < to; i++)
				dst[i * width + j] = p[j * n + i];
	}
}

int prim_transpose_undo(const struct decode_tools *tools, struct span params,
			struct span input, uint8_t *dst, size_t len)
{
	struct reader in = reader_of(params);
	uint64_t width;
	size_t done = 0;
	size_t n;

	(void)tools;
	if (varint_get_max(&in, TRANSPOSE_WIDTH_MAX, &width) < 0 ||
	    width < TRANSPOSE_WIDTH_MIN || reader_left(&in) > 0)
		return corrupt("transpose: bad width");
	n = len / (size_t)width;
	if (width == 2)
		done = undo_2(input.ptr, n, dst);
	else if (width == 4)
		done = undo_4(input.ptr, n, dst);
	undo_from(done, input.ptr, n, (size_t)width, dst);
	memcpy(dst + n * width, input.ptr + n * width, len - n * (size_t)width);
	return 0;
}
