/* SPDX-License-Identifier: MIT */
/*
 * prim_zstd.c - zstd frames by libzstd: magicless, with nothing optional; alone,
 * with the bytes of a base before them, or with a codebook.
 *
 * The frame is walked block by block before libzstd sees it: that there is
 * exactly one, and that its header says no more than a window. libzstd then
 * decodes in one call into the whole output, so a hostile window size costs no
 * memory.
 */
#define ZSTD_STATIC_LINKING_ONLY /* the magicless format */

#include "base/error.h"
#include "base/varint.h"
#include "codec/codebook.h"
#include "codec/decode.h"
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

enum {
	WINDOW_LOG_MIN = 10,
	FORM_RAW_MAX = 256 << 10, /* the forms of a codebook are for these */
};

struct ZSTD_CCtx_s *prim_zstd_cctx_new(void)
{
	ZSTD_CCtx *c = ZSTD_createCCtx();

	if (!c)
		return NULL;
	/* Checksums are off by themselves. */
	if (ZSTD_isError(ZSTD_CCtx_setParameter(c, ZSTD_c_format,
						ZSTD_f_zstd1_magicless)) ||
	    ZSTD_isError(
		    ZSTD_CCtx_setParameter(c, ZSTD_c_contentSizeFlag, 0)) ||
	    ZSTD_isError(ZSTD_CCtx_setParameter(c, ZSTD_c_dictIDFlag, 0))) {
		(void)ZSTD_freeCCtx(c);
		return NULL;
	}
	return c;
}

void prim_zstd_cctx_free(struct ZSTD_CCtx_s *c)
{
	(void)ZSTD_freeCCtx(c);
}

/* Shorter input may take more: libzstd has other parameters for it. */
size_t prim_zstd_cctx_len(int level, size_t raw_len)
{
	static const size_t tiers[] = { 16 * KIB, 128 * KIB, 256 * KIB };
	size_t max = ZSTD_estimateCCtxSize_usingCParams(
		ZSTD_getCParams(level, raw_len, 0));
	size_t i;

	for (i = 0; i < ARRAY_LEN(tiers) && tiers[i] < raw_len; i++)
		max = (size_t)max_u64(
			max, ZSTD_estimateCCtxSize_usingCParams(
				     ZSTD_getCParams(level, tiers[i], 0)));
	return max;
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

/* What a kernel returns for a result of libzstd. */
static ssize_t encoded(ZSTD_CCtx *c, size_t n)
{
	if (!ZSTD_isError(n))
		return (ssize_t)n;
	/* A frame that did not fit leaves something behind: without this, the
	 * next one with split blocks came out up to 3 % longer. */
	(void)ZSTD_CCtx_reset(c, ZSTD_reset_session_only);
	return ZSTD_getErrorCode(n) == ZSTD_error_memory_allocation ? -ENOMEM
								    : 0;
}

ssize_t prim_zstd_encode(struct ZSTD_CCtx_s *c, int level, struct span raw,
			 uint8_t *dst, size_t cap)
{
	/* Fails for levels that do not exist only. ZSTD_compress2() tells the
	 * input's length to the parameters, which shrinks the window to it. */
	(void)ZSTD_CCtx_setParameter(c, ZSTD_c_compressionLevel, level);
	return encoded(c, ZSTD_compress2(c, dst, cap, raw.ptr, raw.len));
}

void prim_zstd_split(struct ZSTD_CCtx_s *c, bool on)
{
	(void)ZSTD_CCtx_setParameter(c, ZSTD_c_useBlockSplitter,
				     on ? ZSTD_ps_enable : ZSTD_ps_auto);
}

/* A frame that did not fit is still open, and parameters cannot be changed. */
static void end_frame(struct ZSTD_CCtx_s *c)
{
	(void)ZSTD_CCtx_reset(c, ZSTD_reset_session_only);
}

/* A window that reaches from the end of `len` bytes to their beginning. */
static int window_log(size_t len)
{
	int log = WINDOW_LOG_MIN;

	while ((size_t)1 << log < len)
		log++;
	return log;
}

ssize_t prim_zstd_delta_encode(struct ZSTD_CCtx_s *c,
			       const struct zstd_delta *delta, struct span raw,
			       uint8_t *dst, size_t cap)
{
	size_t head_len = varint_len(delta->base_id);
	size_t n;

	if (cap <= head_len)
		return 0;
	(void)varint_put(dst, delta->base_id);
	end_frame(c);
	(void)ZSTD_CCtx_setParameter(c, ZSTD_c_compressionLevel, delta->level);
	/* The level's own window may be shorter than a long base. */
	(void)ZSTD_CCtx_setParameter(c, ZSTD_c_windowLog,
				     window_log(delta->base.len + raw.len));
	/* For the next frame only; the bytes are neither copied nor kept. */
	n = ZSTD_CCtx_refPrefix(c, delta->base.ptr, delta->base.len);
	if (!ZSTD_isError(n))
		n = ZSTD_compress2(c, dst + head_len, cap - head_len, raw.ptr,
				   raw.len);
	end_frame(c);
	(void)ZSTD_CCtx_setParameter(c, ZSTD_c_windowLog, 0);
	if (ZSTD_isError(n))
		return encoded(c, n);
	return (ssize_t)(head_len + n);
}

/* The form for the level; its tables are as long as it takes for frames of new
 * data. */
static size_t encode_with_form(ZSTD_CCtx *c, const struct zstd_codebook *with,
			       struct span raw, uint8_t *dst, size_t cap)
{
	const ZSTD_CDict *form = codebook_encoding(with->book, with->level);
	size_t n;

	if (!form)
		return (size_t)-ZSTD_error_memory_allocation;
	n = ZSTD_CCtx_refCDict(c, form);
	if (!ZSTD_isError(n))
		n = ZSTD_compress2(c, dst, cap, raw.ptr, raw.len);
	/* Or it would be there for all frames to come. */
	end_frame(c);
	(void)ZSTD_CCtx_refCDict(c, NULL);
	return n;
}

/* The dictionary digested for this frame alone: a form's short tables would make
 * source code in frames of 1 MiB 3.3 % longer. */
static size_t encode_with_bytes(ZSTD_CCtx *c, const struct zstd_codebook *with,
				struct span raw, uint8_t *dst, size_t cap)
{
	struct span book = codebook_bytes(with->book);
	size_t n;

	end_frame(c);
	(void)ZSTD_CCtx_setParameter(c, ZSTD_c_compressionLevel, with->level);
	(void)ZSTD_CCtx_setParameter(c, ZSTD_c_windowLog,
				     window_log(book.len + raw.len));
	n = ZSTD_CCtx_refPrefix_advanced(c, book.ptr, book.len,
					 ZSTD_dct_fullDict);
	if (!ZSTD_isError(n))
		n = ZSTD_compress2(c, dst, cap, raw.ptr, raw.len);
	end_frame(c);
	(void)ZSTD_CCtx_setParameter(c, ZSTD_c_windowLog, 0);
	return n;
}

ssize_t prim_zstd_codebook_encode(struct ZSTD_CCtx_s *c,
				  const struct zstd_codebook *with,
				  struct span raw, uint8_t *dst, size_t cap)
{
	uint64_t id = codebook_head(with->book)->id;
	size_t head_len = varint_len(id);
	size_t n;

	if (cap <= head_len)
		return 0;
	(void)varint_put(dst, id);
	if (raw.len > FORM_RAW_MAX)
		n = encode_with_bytes(c, with, raw, dst + head_len,
				      cap - head_len);
	else
		n = encode_with_form(c, with, raw, dst + head_len,
				     cap - head_len);
	if (ZSTD_isError(n))
		return encoded(c, n);
	return (ssize_t)(head_len + n);
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

static int decoded(size_t n, size_t len)
{
	if (ZSTD_isError(n))
		return corrupt("zstd: %s", ZSTD_getErrorName(n));
	if (n != len)
		return corrupt("zstd: frame gives %zu bytes for %zu", n, len);
	return 0;
}

/* Where decoded bytes go. */
struct output {
	uint8_t *dst;
	size_t len;
};

/* Decodes the frame block by block, until at least `want` bytes are there. `book`
 * may be NULL. */
static int decode_first(ZSTD_DCtx *d, const ZSTD_DDict *book,
			struct span payload, const struct output *out,
			size_t want)
{
	struct reader in = reader_of(payload);
	struct span part = { NULL, 0 };
	size_t done = 0;
	size_t n = ZSTD_decompressBegin_usingDDict(d, book);

	while (!ZSTD_isError(n) && done < want && reader_left(&in) > 0) {
		if (reader_bytes(&in, ZSTD_nextSrcSizeToDecompress(d), &part))
			break;
		n = ZSTD_decompressContinue(d, out->dst + done, out->len - done,
					    part.ptr, part.len);
		done += ZSTD_isError(n) ? 0 : n;
	}
	if (ZSTD_isError(n))
		return corrupt("zstd: block: %s", ZSTD_getErrorName(n));
	if (done < want)
		return corrupt("zstd: blocks give %zu bytes of %zu", done,
			       want);
	return 0;
}

int prim_zstd_decode(const struct decode_tools *tools, struct span payload,
		     uint8_t *dst, size_t len)
{
	const struct output out = { dst, len };

	if (!is_one_frame(payload))
		return corrupt("zstd: %zu bytes are not one plain frame",
			       payload.len);
	if (tools->want > 0 && tools->want < len)
		return decode_first(tools->zstd, NULL, payload, &out,
				    tools->want);
	return decoded(ZSTD_decompressDCtx(tools->zstd, dst, len, payload.ptr,
					   payload.len),
		       len);
}

int prim_zstd_delta_decode(const struct decode_tools *tools,
			   struct span payload, uint8_t *dst, size_t len)
{
	struct reader in = reader_of(payload);
	struct span frame = { NULL, 0 };
	struct span base = { NULL, 0 };
	uint64_t id = 0;
	int rc;

	if (varint_get(&in, &id) < 0 || id == 0)
		return corrupt("zstd-delta: bad base");
	frame = span_of(in.pos, reader_left(&in));
	if (!is_one_frame(frame))
		return corrupt("zstd-delta: %zu bytes are not one plain frame",
			       frame.len);
	if (!tools->source || !tools->source->base)
		return corrupt("zstd-delta: a base where there can be none");
	rc = tools->source->base(tools->source->ctx, id, &base);
	if (rc < 0)
		return rc;
	/* For the next frame only. It fails for want of memory alone. */
	if (ZSTD_isError(ZSTD_DCtx_refPrefix(tools->zstd, base.ptr, base.len)))
		return -ENOMEM;
	return decoded(ZSTD_decompressDCtx(tools->zstd, dst, len, frame.ptr,
					   frame.len),
		       len);
}

int prim_zstd_codebook_decode(const struct decode_tools *tools,
			      struct span payload, uint8_t *dst, size_t len)
{
	struct reader in = reader_of(payload);
	const struct output out = { dst, len };
	struct span frame = { NULL, 0 };
	const struct codebook *book = NULL;
	uint64_t id = 0;
	int rc;

	if (varint_get(&in, &id) < 0 || id == 0)
		return corrupt("zstd-codebook: bad codebook");
	frame = span_of(in.pos, reader_left(&in));
	if (!is_one_frame(frame))
		return corrupt("zstd-codebook: %zu bytes are not one plain "
			       "frame",
			       frame.len);
	if (!tools->source || !tools->source->codebook)
		return corrupt("zstd-codebook: where there can be none");
	rc = tools->source->codebook(tools->source->ctx, id, &book);
	if (rc < 0)
		return rc;
	if (tools->want > 0 && tools->want < len)
		return decode_first(tools->zstd, codebook_decoding(book), frame,
				    &out, tools->want);
	return decoded(ZSTD_decompress_usingDDict(tools->zstd, dst, len,
						  frame.ptr, frame.len,
						  codebook_decoding(book)),
		       len);
}
