/* SPDX-License-Identifier: MIT */
/*
 * encode.h - one frame's raw bytes to glyphs, the smallest result of a plan.
 *
 * Pure: no files, threads, clocks. An encoder keeps scratch memory and codec
 * contexts; one per thread.
 */
#ifndef CODEC_ENCODE_H
#define CODEC_ENCODE_H

#include "base/bytes.h"
#include "codec/sniff.h"

#include <sys/types.h>

struct codebook;
struct encoder;

/* How hard to try. Higher is smaller and slower. */
enum encode_effort {
	EFFORT_STORE,    /* as it is (constant runs are still seen) */
	EFFORT_FASTEST,  /* lz4 */
	EFFORT_FAST,     /* zstd 1 */
	EFFORT_BALANCED, /* zstd 4, and transforms */
	EFFORT_SMALL,    /* zstd 9, and transforms */
	ENCODE_N_EFFORTS
};

/* Their names: off, fastest, fast, balanced, small. -EINVAL: none of them. */
const char *encode_effort_name(enum encode_effort effort);
int encode_effort_parse(struct span word, enum encode_effort *ret);

/* What became of the raw bytes; for statistics. */
enum encode_kind {
	ENCODE_FILL,
	ENCODE_STORE,
	ENCODE_LZ4,
	ENCODE_ZSTD,
	ENCODE_MIXED, /* several of these, one after the other */
	ENCODE_DELTA, /* against bases */
	ENCODE_CODEBOOK,
	ENCODE_COLUMNS,
	ENCODE_CODE,    /* with its calls and jumps moved */
	ENCODE_NUMBERS, /* differences, transposed records */
	ENCODE_N_KINDS
};

/* The kind of a tree, by its root; ENCODE_STORE if that is damaged. */
enum encode_kind encode_kind_of(struct span glyphs);

/* Steps that a plan may have besides its codec, as bits. */
enum encode_step {
	STEP_COLUMNS = 1,
	STEP_CODE = 2,
	STEP_NUMBERS = 4,
};

/* -ENOMEM. */
int encoder_new(struct encoder **ret);
void encoder_free(struct encoder *e);

/* Bytes that an encoder takes at most while it encodes frames of up to
 * `raw_len` bytes with this effort. */
size_t encoder_memory(enum encode_effort effort, size_t raw_len);

/* Bytes that the glyphs of `raw_len` raw bytes never exceed. */
size_t encode_bound(size_t raw_len);

/* How a frame is to be encoded. Zero: stored, its class sniffed. */
struct encode_request {
	enum encode_effort effort;
	int level;                /* of zstd, in place of the effort's; or 0 */
	bool classified;          /* `class` is known */
	enum content_class class; /* else of no meaning */
	unsigned without;         /* steps to leave out, for comparisons */
};

/*
 * Encodes `raw` (1..GLYPH_OUTPUT_MAX bytes) into `dst`, which has room for
 * encode_bound(raw.len). What does not shrink by 1/64 is stored as it is.
 * Returns the length of the glyphs. Fails only with -ENOMEM.
 */
ssize_t encode_frame(struct encoder *e, const struct encode_request *request,
		     struct span raw, uint8_t *dst);

/* The bytes that a delta refers to. */
struct encode_base {
	enum encode_effort effort;
	uint64_t chunk;    /* its id, never 0 */
	struct span bytes; /* 1..GLYPH_OUTPUT_MAX; borrowed */
};

/*
 * Encodes `raw` against a base, as one glyph of at most `cap` bytes at `dst`.
 * Returns its length, or 0: it does not fit. Fails only with -ENOMEM.
 */
ssize_t encode_delta(struct encoder *e, const struct encode_base *base,
		     struct span raw, uint8_t *dst, size_t cap);

/* What was learned about bytes like these. */
struct encode_book {
	int level; /* of zstd */
	struct codebook *codebook;
};

/* The level that fits a request. */
int encode_codebook_level(const struct encode_request *request);

/* As encode_delta(), with a codebook. */
ssize_t encode_codebook(struct encoder *e, const struct encode_book *with,
			struct span raw, uint8_t *dst, size_t cap);

/* Bytes that encode_concat() never exceeds. */
size_t encode_concat_bound(size_t n);

/*
 * Writes the node whose `n` children (2..GLYPH_NODES_MAX - 1), which make
 * `lens` bytes each, follow it. Returns its length.
 */
size_t encode_concat(const uint32_t *lens, size_t n, uint8_t *dst);

#endif
