/* SPDX-License-Identifier: MIT */
/*
 * thaw.h - frames in, their raw bytes out, in order, decoded by workers.
 *
 * One thread uses a thaw; the sink is called by another, and in thaw_finish()
 * by that one, never by two at once.
 */
#ifndef STREAM_THAW_H
#define STREAM_THAW_H

#include "base/bytes.h"
#include "stream/head.h"

struct thaw;

/* Where raw bytes go. Each of them returns 0 or a failure, which sticks. */
struct thaw_sink {
	void *ctx;
	int (*write)(void *ctx, struct span bytes);
	int (*zeros)(void *ctx, uint64_t len); /* instead of missing ones */

	/* Tells of bytes that are missing. Called before zeros(). */
	void (*missing)(void *ctx, uint64_t raw_off, uint64_t len);
};

struct thaw_options {
	unsigned n_workers;
	struct stream_head head;
	struct thaw_sink sink;
	bool lenient;  /* a bad frame is missing, and no failure */
	uint64_t from; /* raw bytes before it are not written ... */
	uint64_t to;   /* ... nor those from here on; UINT64_MAX: all are */
};

/* Where a frame's raw bytes belong. */
struct thaw_place {
	uint64_t raw_off;
	uint32_t raw_len;
};

struct thaw_totals {
	uint64_t n_frames; /* good ones */
	uint64_t pos;      /* raw offset behind the last byte written */
	uint64_t missing_len;
	uint64_t n_missing; /* ranges */
};

/* -ENOMEM, -EAGAIN (no thread). */
int thaw_new(const struct thaw_options *options, struct thaw **ret);

/* NULL is fine. */
void thaw_free(struct thaw *t);

/* Where the frame with this payload belongs. -EUCLEAN: damage, or no frame of
 * a stream with that header. */
int thaw_place_of(const struct stream_head *head, struct span payload,
		  struct thaw_place *ret);

/*
 * Submits a frame, whose bytes are copied. `place` is what thaw_place_of() says
 * of it; frames come in the order of their raw bytes, without overlap. Fails
 * with the failure of an earlier one: -EUCLEAN, -EBADMSG (damage), -EOPNOTSUPP,
 * -ENOMEM, what the sink returns.
 */
int thaw_frame(struct thaw *t, const struct thaw_place *place,
	       struct span payload);

/* That was all. A lenient one makes up for what is missing before `end`
 * (0: nothing is known to be). */
int thaw_finish(struct thaw *t, uint64_t end, struct thaw_totals *ret);

#endif
