/* SPDX-License-Identifier: MIT */
/*
 * prim_zstd.c - zstd frames by libzstd: magicless, with nothing optional.
 *
 * The frame is walked block by block before libzstd sees it: that there is
 * exactly one, and that its header says no more than a window. libzstd then
 * decodes in one call into the whole output, so a hostile window size costs no
 * memory.
 */
#define ZSTD_STATIC_LINKING_ONLY /* the magicless format */

#include "base/error.h"
#include "codec/primitive.h"

#include <zstd.h>
#include <zstd_errors.h>

/* RFC 8878, without the magic number. */
enum {
	FRAME_HEADER_LEN = 2, /* descriptor, window */
	BLOCK_HEADER_LEN = 3,
	BLOCK_LAST = 1,
	BLOCK_TYPE_SHIFT = 1,
	BLOCK_TYPE_MASK = 3,
	BLOCK_RLE = 1,
	BLOCK_RESERVED = 3,
	BLOCK_SIZE_SHIFT = 3,
};

struct ZSTD_CCtx_s *prim_zstd_cctx_new(void)
{
	ZSTD_CCtx *c = ZSTD_createCCtx();

	if (!c)
		return NULL;
	/* Checksums and dictionary ids are off, or absent, by themselves. */
	if (ZSTD_isError(ZSTD_CCtx_setParameter(c, ZSTD_c_format,
						ZSTD_f_zstd1_magicless)) ||
	    ZSTD_isError(
		    ZSTD_CCtx_setParameter(c, ZSTD_c_contentSizeFlag, 0))) {
		(void)ZSTD_freeCCtx(c);
		return NULL;
	}
	return c;
}

void prim_zstd_cctx_free(struct ZSTD_CCtx_s *c)
{
	(void)ZSTD_freeCCtx(c);
}

struct ZSTD_DCtx_s *prim_zstd_dctx_new(void)
{
	ZSTD_DCtx *d = ZSTD_createDCtx();

	if (!d)
		return NULL;
	if (ZSTD_isError(ZSTD_DCtx_setParameter(d, ZSTD_d_format,
						ZSTD_f_zstd1_magicless))) {
		(void)ZSTD_freeDCtx(d);
		return NULL;
	}
	return d;
}

void prim_zstd_dctx_free(struct ZSTD_DCtx_s *d)
{
	(void)ZSTD_freeDCtx(d);
}

ssize_t prim_zstd_encode(struct ZSTD_CCtx_s *c, int level, struct span raw,
			 uint8_t *dst, size_t cap)
{
	size_t n;

	/* Fails for levels that do not exist only. ZSTD_compress2() tells the
	 * input's length to the parameters, which shrinks the window to it. */
	(void)ZSTD_CCtx_setParameter(c, ZSTD_c_compressionLevel, level);
	n = ZSTD_compress2(c, dst, cap, raw.ptr, raw.len);
	if (!ZSTD_isError(n))
		return (ssize_t)n;
	return ZSTD_getErrorCode(n) == ZSTD_error_memory_allocation ? -ENOMEM
								    : 0;
}

/* Whether `payload` is one frame of ours from its first to its last byte. */
static bool is_one_frame(struct span payload)
{
	struct reader in = reader_of(payload);
	struct span skipped;
	uint32_t head, type, len;

	if (reader_left(&in) < FRAME_HEADER_LEN || payload.ptr[0] != 0)
		return false;
	in.pos += FRAME_HEADER_LEN;
	do {
		if (reader_left(&in) < BLOCK_HEADER_LEN)
			return false;
		head = in.pos[0] | (uint32_t)in.pos[1] << 8 |
		       (uint32_t)in.pos[2] << 16;
		in.pos += BLOCK_HEADER_LEN;
		type = head >> BLOCK_TYPE_SHIFT & BLOCK_TYPE_MASK;
		len = type == BLOCK_RLE ? 1 : head >> BLOCK_SIZE_SHIFT;
		if (type == BLOCK_RESERVED ||
		    reader_bytes(&in, len, &skipped) < 0)
			return false;
	} while (!(head & BLOCK_LAST));
	return reader_left(&in) == 0;
}

int prim_zstd_decode(const struct decode_tools *tools, struct span payload,
		     uint8_t *dst, size_t len)
{
	size_t n;

	if (!is_one_frame(payload))
		return corrupt("zstd: %zu bytes are not one plain frame",
			       payload.len);
	n = ZSTD_decompressDCtx(tools->zstd, dst, len, payload.ptr,
				payload.len);
	if (ZSTD_isError(n))
		return corrupt("zstd: %s", ZSTD_getErrorName(n));
	if (n != len)
		return corrupt("zstd: frame gives %zu bytes for %zu", n, len);
	return 0;
}
