/* SPDX-License-Identifier: MIT */
/*
 * unpack.h - a stream in, in pieces of any size; raw bytes out.
 *
 * A strict unpacker verifies all there is: checksums, order, seek tables,
 * totals. A lenient one, for salvage, gives back what is intact, each byte at
 * its place, zeros between, and tells what is missing. Memory is bounded by
 * what the stream's header says of its frames (at most 4 MiB each). One thread
 * uses an unpacker; about the sink see thaw.h.
 */
#ifndef STREAM_UNPACK_H
#define STREAM_UNPACK_H

#include "stream/thaw.h"

struct unpack;

struct unpack_options {
	unsigned n_workers;
	bool lenient;
	struct thaw_sink sink;
};

struct unpack_totals {
	uint64_t raw_len; /* written, zeros for what is missing included */
	uint64_t stored_len;
	uint64_t n_frames;
	uint64_t missing_len; /* as far as it is known */
	uint64_t n_missing;
	bool end_known; /* else more may be missing at the end */
};

/* -ENOMEM. */
int unpack_new(const struct unpack_options *options, struct unpack **ret);

/* NULL is fine. */
void unpack_free(struct unpack *u);

/* Where the next bytes of the stream may be put, and how many, at least 1. */
size_t unpack_room(struct unpack *u, uint8_t **ret);

/* `len` bytes have been put there. -EINVAL: this is no stream. -EUCLEAN,
 * -EBADMSG: damage. -EOPNOTSUPP: a newer format. -ENOMEM, -EAGAIN (no thread),
 * what the sink returns. */
int unpack_filled(struct unpack *u, size_t len);

/* The same for bytes that lie elsewhere. */
int unpack_feed(struct unpack *u, struct span bytes);

/* That was all. Returns when the sink has everything. Lenient: -EINVAL when
 * there was nothing of a stream. */
int unpack_finish(struct unpack *u, struct unpack_totals *ret);

#endif
