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
struct codebook;
struct decode_source;

/* What decoding kernels need; owned by a decoder. */
struct decode_tools {
	struct ZSTD_DCtx_s *zstd;
	void *columns;                      /* prim_columns_work_len() bytes */
	const struct decode_source *source; /* NULL: nothing to refer to */
	size_t want; /* so many bytes from the first on are needed, and a
		      * kernel may leave out the others; 0: all */
};

enum primitive_shape {
	SHAPE_LEAF,
	SHAPE_CONCAT,   /* its children, one after the other */
	SHAPE_IN_PLACE, /* a transform of one child as long as the node itself,
			 * on the same memory */
	SHAPE_SAME,     /* the same, from other memory */
	SHAPE_GATHER,   /* of children whose lengths the payload begins with */
};

enum {
	/* Zeros behind the input of a transform. */
	TRANSFORM_SLACK = 64,
};

struct primitive {
	const char *name;
	enum glyph_type type; /* the only one it occurs with */
	enum primitive_shape shape;
	/* Bytes of payload that are ever valid. A maximum above 0 also says
	 * that there must be a payload. */
	size_t payload_min;
	size_t payload_max;
	/*
	 * A leaf: makes exactly `len` (at least 1) bytes at `dst` from a
	 * payload within the bounds above. -EUCLEAN: damage; `dst` then holds
	 * anything.
	 */
	int (*decode)(const struct decode_tools *tools, struct span payload,
		      uint8_t *dst, size_t len);
	/*
	 * A transform: the same from what its children made, and from what its
	 * payload has besides their lengths. In place: `input` is at `dst`.
	 */
	int (*undo)(const struct decode_tools *tools, struct span params,
		    struct span input, uint8_t *dst, size_t len);
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

/* Bytes that the former takes at most for `raw_len` bytes or fewer. */
size_t prim_zstd_cctx_len(int level, size_t raw_len);

/* As the kernels above, and -ENOMEM: libzstd grows its context, the first time
 * that a level or a length needs more. */
ssize_t prim_zstd_encode(struct ZSTD_CCtx_s *c, int level, struct span raw,
			 uint8_t *dst, size_t cap);
/* Whether blocks end where the kind of bytes changes (slower). Off at first. */
void prim_zstd_split(struct ZSTD_CCtx_s *c, bool on);
int prim_zstd_decode(const struct decode_tools *tools, struct span payload,
		     uint8_t *dst, size_t len);

/* A zstd frame whose matches reach back into the bytes of a base. */
struct zstd_delta {
	int level;
	uint64_t base_id;
	struct span base; /* 1..GLYPH_OUTPUT_MAX bytes */
};

ssize_t prim_zstd_delta_encode(struct ZSTD_CCtx_s *c,
			       const struct zstd_delta *delta, struct span raw,
			       uint8_t *dst, size_t cap);
int prim_zstd_delta_decode(const struct decode_tools *tools,
			   struct span payload, uint8_t *dst, size_t len);

/* A zstd frame whose matches reach back into a codebook. */
struct zstd_codebook {
	int level;
	struct codebook *book;
};

ssize_t prim_zstd_codebook_encode(struct ZSTD_CCtx_s *c,
				  const struct zstd_codebook *with,
				  struct span raw, uint8_t *dst, size_t cap);
int prim_zstd_codebook_decode(const struct decode_tools *tools,
			      struct span payload, uint8_t *dst, size_t len);

/* Bytes that prim_columns_undo() works with. */
size_t prim_columns_work_len(void);
int prim_columns_undo(const struct decode_tools *tools, struct span params,
		      struct span input, uint8_t *dst, size_t len);

/*
 * Differences of little-endian numbers of 8, 16, 32 or 64 bits, each with the
 * one `lag` numbers before; the first ones, and bytes behind the last whole
 * number, stay. In place.
 */
void prim_delta_do(unsigned bits, unsigned lag, uint8_t *bytes, size_t len);
int prim_delta8_undo(const struct decode_tools *tools, struct span params,
		     struct span input, uint8_t *dst, size_t len);
int prim_delta16_undo(const struct decode_tools *tools, struct span params,
		      struct span input, uint8_t *dst, size_t len);
int prim_delta32_undo(const struct decode_tools *tools, struct span params,
		      struct span input, uint8_t *dst, size_t len);
int prim_delta64_undo(const struct decode_tools *tools, struct span params,
		      struct span input, uint8_t *dst, size_t len);

/*
 * Records of `width` bytes: all first bytes, all second ones … Bytes behind
 * the last whole record stay where they are. `dst` is as long as `raw`.
 */
void prim_transpose_do(unsigned width, struct span raw, uint8_t *dst);
int prim_transpose_undo(const struct decode_tools *tools, struct span params,
			struct span input, uint8_t *dst, size_t len);

/* Targets of calls, jumps and loads: from relative to absolute. In place. */
void prim_x86_do(uint8_t *bytes, size_t len);
/* How many there are. */
size_t prim_x86_count(struct span code);
int prim_x86_undo(const struct decode_tools *tools, struct span params,
		  struct span input, uint8_t *dst, size_t len);
/* `phase` (0..3): where the first instruction begins. */
enum { PRIM_ARM64_PHASES = 4 };
/* Adds how many there are in each phase. */
void prim_arm64_count(struct span code, size_t *ret_n);
void prim_arm64_do(unsigned phase, uint8_t *bytes, size_t len);
int prim_arm64_undo(const struct decode_tools *tools, struct span params,
		    struct span input, uint8_t *dst, size_t len);

#endif
