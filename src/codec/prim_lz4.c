/* SPDX-License-Identifier: MIT */
/*
 * prim_lz4.c - LZ4 blocks by liblz4.
 */
#include "base/error.h"
#include "codec/primitive.h"

#include <assert.h>
#include <limits.h>
#include <lz4.h>

static_assert((size_t)GLYPH_OUTPUT_MAX < LZ4_MAX_INPUT_SIZE, "lz4 takes int");

size_t prim_lz4_state_len(void)
{
	return (size_t)LZ4_sizeofState();
}

size_t prim_lz4_encode(void *state, struct span raw, uint8_t *dst, size_t cap)
{
	int room = cap < INT_MAX ? (int)cap : INT_MAX;
	int n = LZ4_compress_fast_extState(state, (const char *)raw.ptr,
					   (char *)dst, (int)raw.len, room, 1);

	return n > 0 ? (size_t)n : 0;
}

int prim_lz4_decode(const struct decode_tools *tools, struct span payload,
		    uint8_t *dst, size_t len)
{
	int n = LZ4_decompress_safe((const char *)payload.ptr, (char *)dst,
				    (int)payload.len, (int)len);

	(void)tools;
	if (n < 0 || (size_t)n != len)
		return corrupt("lz4: block gives %d bytes for %zu", n, len);
	return 0;
}
