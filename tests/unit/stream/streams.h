/* SPDX-License-Identifier: MIT */
/*
 * streams.h - streams in memory, for the tests of what makes and reads them.
 */
#ifndef TESTS_UNIT_STREAM_STREAMS_H
#define TESTS_UNIT_STREAM_STREAMS_H

#include "base/buffer.h"
#include "stream/pack.h"
#include "stream/unpack.h"

#include <limits.h>

#define SMALL_FRAME ((size_t)PACK_FRAME_MIN)

/* Collects bytes; fails with `rc` at the call `fail_at` (from 1). */
struct store_sink {
	struct buffer out;
	unsigned n_calls;
	unsigned fail_at;
	int rc;
	uint64_t missing[64][2]; /* offset, length */
	size_t n_missing;
};

void store_init(struct store_sink *s);
void store_release(struct store_sink *s);
int store_write(void *ctx, struct span bytes);
struct thaw_sink store_sink_of(struct store_sink *s);

/* Some bytes that shrink, then some that do not, then zeros, and so on. The
 * same ones each time. The caller frees them. */
uint8_t *mixed_bytes(size_t len);

/* Packs `raw` with frames of `frame_len` bytes into s->out, with one worker. */
void make_stream(struct store_sink *s, struct span raw, size_t frame_len);

/* Bytes, their stream, and what is made of it again. */
struct stream_sample {
	uint8_t *raw;
	struct store_sink stream;
	struct store_sink out;
	struct unpack_totals totals; /* of unpacking it */
};

/* `raw_len` mixed bytes in small frames. */
void stream_sample_init(struct stream_sample *s, size_t raw_len);
void stream_sample_release(struct stream_sample *s);

/* Unpacks with one worker. */
int unpack_bytes(struct store_sink *s, struct span stream, bool lenient,
		 struct unpack_totals *ret);

/* Offset of record `n` (from 0), and its payload's length. */
size_t record_at(struct span stream, size_t n, size_t *ret_len);

/* Makes the checksums of the record at `off` right again. */
void mend_record(uint8_t *stream, size_t off);

#endif
