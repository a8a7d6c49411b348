/* SPDX-License-Identifier: MIT */
/*
 * sieve.h - bytes of a stream go in, in pieces of any size; records come out.
 *
 * A strict sieve stops at the first thing that is wrong. A lenient one, for
 * salvage, passes over what is no good record and goes on at the next one,
 * wherever it stands: also when the header of the stream is lost, because a
 * record's epoch is its secret. Owner thread only; memory is bounded by what
 * the stream's header says of its frames.
 */
#ifndef STREAM_SIEVE_H
#define STREAM_SIEVE_H

#include "stream/head.h"
#include "stream/record.h"

struct sieve {
	bool lenient;      /* immutable */
	bool ended;        /* no more bytes will come */
	bool has_head;     /* `head` is known, or was given up */
	bool has_epoch;    /* a lenient one may have to find it */
	bool has_footer;   /* it has been seen: nothing may follow */
	uint8_t *window;   /* owned */
	size_t cap;        /* of the window */
	size_t start;      /* in the window, of what is not consumed */
	size_t len;        /* bytes there from `start` on */
	size_t consumed;   /* of those: the record that was handed out */
	uint64_t off;      /* in the stream, of `start` */
	uint64_t last_seq; /* of the record that was handed out, 0: none */
	uint64_t n_hashed; /* lenient: bytes of payloads that were bad */
	struct stream_head head; /* frame_max is FRAME_RAW_MAX if it is lost */
};

struct sieve_record {
	struct record head;
	uint64_t off;        /* in the stream */
	struct span payload; /* verified; until the next call */
};

/* -ENOMEM. */
int sieve_init(struct sieve *s, bool lenient);
void sieve_release(struct sieve *s);

/* Where the next bytes may be put: at least 1, unless sieve_next() has not been
 * called until it gave 0. */
size_t sieve_room(struct sieve *s, uint8_t **ret);

/* `len` bytes have been put there. */
void sieve_filled(struct sieve *s, size_t len);

/* No more bytes will come. */
void sieve_end(struct sieve *s);

/*
 * 1: a record, a FRAME, SEEK or FOOTER. 0: more bytes are needed, or, after
 * sieve_end(), that was all. -ENOMEM. A strict one also: -EINVAL (this is no
 * stream at all), -EUCLEAN (damage, also a stream that is cut off, or bytes
 * behind its end), -EOPNOTSUPP; it is of no use then.
 */
int sieve_next(struct sieve *s, struct sieve_record *ret);

#endif
