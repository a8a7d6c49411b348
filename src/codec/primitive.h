/* SPDX-License-Identifier: MIT */
/*
 * primitive.h - the table of primitives, and their kernels.
 *
 * A kernel works on memory of the caller's, allocates nothing and knows
 * nothing of glyphs. A new primitive is an id in glyph_format.h, a file
 * prim_NAME.c, and one line in primitive.c.
 */
#ifndef CODEC_PRIMITIVE_H
#define CODEC_PRIMITIVE_H

#include "base/bytes.h"
#include "codec/glyph_format.h"

#include <sys/types.h>

struct ZSTD_CCtx_s;
struct ZSTD_DCtx_s;

/* What decoding kernels need; owned by a decoder. */
struct decode_tools {
	struct ZSTD_DCtx_s *zstd;
};

struct primitive {
	const char *name;
	enum glyph_type type; /* the only one it occurs with */
	/* Bytes of payload that are ever valid. A minimum above 0 also says
	 * that there must be a payload. */
	size_t payload_min;
	size_t payload_max;
	/*
	 * Makes exactly `len` (at least 1) bytes at `dst` from a payload within
	 * the bounds above. -EUCLEAN: damage; `dst` then holds anything.
	 * NULL: the decoder itself walks its children.
	 */
	int (*decode)(const struct decode_tools *tools, struct span payload,
		      uint8_t *dst, size_t len);
};

/* NULL: no primitive of this version. */
const struct primitive *primitive_find(unsigned id);

/*
 * Kernels. The encoding ones return the length of the payload that they wrote
 * into `dst` (room for `cap` bytes), or 0 when it would not fit.
 */

int prim_store_decode(const struct decode_tools *tools, struct span payload,
		      uint8_t *dst, size_t len);

enum { FILL_PATTERN_MAX = 8 };

/* Length (1, 2, 4 or 8) of the pattern that `raw` repeats, shorter than `raw`
 * itself; 0: none. */
size_t prim_fill_find(struct span raw);
int prim_fill_decode(const struct decode_tools *tools, struct span payload,
		     uint8_t *dst, size_t len);

/* Bytes of the `state` that prim_lz4_encode() wants, aligned to 8. */
size_t prim_lz4_state_len(void);
size_t prim_lz4_encode(void *state, struct span raw, uint8_t *dst, size_t cap);
int prim_lz4_decode(const struct decode_tools *tools, struct span payload,
		    uint8_t *dst, size_t len);

/* Contexts for zstd frames of the kind that FORMAT.md names. NULL: no memory.
 * Freeing NULL is fine. */
struct ZSTD_CCtx_s *prim_zstd_cctx_new(void);
void prim_zstd_cctx_free(struct ZSTD_CCtx_s *c);
struct ZSTD_DCtx_s *prim_zstd_dctx_new(void);
void prim_zstd_dctx_free(struct ZSTD_DCtx_s *d);

/* As the kernels above, and -ENOMEM: libzstd grows its context, the first time
 * that a level or a length needs more. */
ssize_t prim_zstd_encode(struct ZSTD_CCtx_s *c, int level, struct span raw,
			 uint8_t *dst, size_t cap);
int prim_zstd_decode(const struct decode_tools *tools, struct span payload,
		     uint8_t *dst, size_t len);

#endif
