/* SPDX-License-Identifier: MIT */
/*
 * prim_x86.c - x86-64 code: what is called, jumped to and loaded from, by
 * place in the node instead of by distance, so that equal targets look alike.
 *
 * Both ways find the same operands: from the front to the back, each opcode
 * behind the end of the operand before, whether that one is moved or not, so
 * no byte that is looked at to find one is ever changed. Moved are distances
 * below 16 MiB: four bytes which are a signed number of 25 bits before and
 * after. A vector tells of sixteen places at once where an opcode begins.
 */
#include "base/error.h"
#include "codec/primitive.h"

enum {
	OPERAND_LEN = 4,
	OPCODE_MAX = 2,
	PLACE_MAX = OPCODE_MAX + OPERAND_LEN, /* bytes that tell of a place */
};

/* Length of the opcode at `p` (PLACE_MAX bytes), whose operand is a distance;
 * 0: it has none. */
static unsigned opcode_len(const uint8_t *p)
{
	if ((p[0] & 0xfe) == 0xe8) /* call, jmp */
		return 1;
	/* mov, lea, and call or jmp by pointer: rip-relative */
	if (((p[0] & 0xf9) == 0x89 || p[0] == 0xff) && (p[1] & 0xc7) == 0x05)
		return 2;
	return 0;
}

/* A number of 25 bits with its sign. */
static inline bool is_near(uint32_t distance)
{
	return distance + 0x1000000 <= 0x1ffffff;
}

/* Adds `by` to the number at `p`, in 25 bits, if it is one of them. */
static inline void move(uint8_t *p, uint32_t by)
{
	uint32_t v = get_le32(p);

	if (!is_near(v))
		return;
	v = (v + by) & 0x1ffffff;
	put_le32(p, (v ^ 0x1000000) - 0x1000000);
}

#ifdef __SSE2__
# include <emmintrin.h>

static inline __m128i load(const uint8_t *p)
{
	return _mm_loadu_si128((const __m128i *)(const void *)p);
}

static inline __m128i is(__m128i v, unsigned mask, unsigned want)
{
	return _mm_cmpeq_epi8(_mm_and_si128(v, _mm_set1_epi8((char)mask)),
			      _mm_set1_epi8((char)want));
}

enum { GULP = 16 };

/* A bit for each of GULP places at which opcode_len() finds something; reads
 * OPCODE_MAX - 1 bytes more. */
static inline unsigned places(const uint8_t *p)
{
	__m128i b = load(p);
	__m128i near = is(b, 0xfe, 0xe8);
	__m128i far = _mm_or_si128(is(b, 0xf9, 0x89), is(b, 0xff, 0xff));

	far = _mm_and_si128(far, is(load(p + 1), 0xc7, 0x05));
	return (unsigned)_mm_movemask_epi8(_mm_or_si128(near, far));
}
#else
enum { GULP = 1 };

static unsigned places(const uint8_t *p)
{
	return opcode_len(p) != 0;
}
#endif

/* Moves every operand by its place, times `sign`. */
static void convert(uint8_t *bytes, size_t len, uint32_t sign)
{
	size_t from = 0; /* before it everything is done */
	size_t pos = 0;
	unsigned found;
	unsigned n;
	size_t at;

	for (; pos + GULP + PLACE_MAX <= len; pos += GULP) {
		for (found = places(bytes + pos); found; found &= found - 1) {
			at = pos + (unsigned)__builtin_ctz(found);
			if (at < from)
				continue;
			n = opcode_len(bytes + at);
			from = at + n + OPERAND_LEN;
			move(bytes + at + n, sign * (uint32_t)from);
		}
	}
	for (at = pos > from ? pos : from; at + PLACE_MAX <= len;) {
		n = opcode_len(bytes + at);
		at += n ? n + OPERAND_LEN : 1;
		if (n)
			move(bytes + at - OPERAND_LEN, sign * (uint32_t)at);
	}
}

size_t prim_x86_count(struct span code)
{
	size_t n = 0;
	unsigned found;
	size_t pos;

	for (pos = 0; pos + GULP + PLACE_MAX <= code.len; pos += GULP)
		for (found = places(code.ptr + pos); found;
		     found &= found - 1) {
			const uint8_t *p =
				code.ptr + pos + (unsigned)__builtin_ctz(found);
			uint32_t v = get_le32(p + opcode_len(p));

			/* Zeros are for a linker to fill in. */
			n += v != 0 && is_near(v);
		}
	return n;
}

void prim_x86_do(uint8_t *bytes, size_t len)
{
	convert(bytes, len, 1);
}

int prim_x86_undo(const struct decode_tools *tools, struct span params,
		  struct span input, uint8_t *dst, size_t len)
{
	(void)tools;
	(void)input;
	(void)params;
	convert(dst, len, (uint32_t)-1);
	return 0;
}
