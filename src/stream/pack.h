/* SPDX-License-Identifier: MIT */
/*
 * pack.h - bytes in, in pieces of any size; a stream out, encoded by workers.
 *
 * Memory is bounded whatever comes. The stream is the same for the same bytes
 * and options, its epoch apart, however the bytes are cut into pieces and how
 * many workers there are. One thread uses a packer; the sink is called by that
 * one (in pack_new() and pack_finish()) or by another (else), never by two.
 */
#ifndef STREAM_PACK_H
#define STREAM_PACK_H

#include "base/bytes.h"
#include "codec/encode.h"
#include "stream/frame.h"

struct pack;

enum {
	PACK_FRAME_LEN = 256 << 10, /* unless told otherwise */
	PACK_FRAME_MIN = 4 << 10,
	PACK_FRAME_MAX = FRAME_RAW_MAX,
};

struct pack_options {
	unsigned n_workers;
	enum encode_effort effort;
	size_t frame_len; /* PACK_FRAME_MIN..PACK_FRAME_MAX */
	void *ctx;
	int (*write)(void *ctx, struct span bytes);
};

struct pack_totals {
	uint64_t raw_len;
	uint64_t stored_len;
	uint64_t n_frames;
	uint64_t n_kinds[ENCODE_N_KINDS]; /* of frames */
};

/* -ENOMEM, -EAGAIN (no thread), what the sink returns. */
int pack_new(const struct pack_options *options, struct pack **ret);

/* Abandons what is not written. NULL is fine. */
void pack_free(struct pack *p);

/* Where the next bytes may be put, and how many, at least 1. Waits for room.
 * -ENOMEM, -EFBIG (over 2^62 bytes), what the sink returns. */
int pack_room(struct pack *p, uint8_t **ret_ptr, size_t *ret_len);

/* `len` bytes, as many as there was room for at most, have been put there. */
void pack_filled(struct pack *p, size_t len);

/* The same for bytes that lie elsewhere. */
int pack_feed(struct pack *p, struct span bytes);

/* That was all. Returns when the sink has everything. */
int pack_finish(struct pack *p, struct pack_totals *ret);

/* Bytes of memory that a packer with these options takes, about: never less
 * than it does. */
size_t pack_memory(const struct pack_options *options);

#endif
