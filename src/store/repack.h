/* SPDX-License-Identifier: MIT */
/*
 * repack.h - has the chunks of a window encoded anew, frame by frame, and moves
 * them where that saves something.
 *
 * One thread, which takes locks as chunk_get() and move_frame() do, fills jobs
 * for others that encode and take none. Memory is bounded by the number of
 * jobs: for each thread some 8 times the longest frame, and what the encoder
 * takes.
 */
#ifndef STORE_REPACK_H
#define STORE_REPACK_H

#include "store/layout.h"
#include "store/window.h"

#include <stdatomic.h>

struct repacker;
struct store;

/* What became of the chunks of layouts. */
struct repacked {
	uint64_t raw_len;   /* of all that was looked at */
	uint64_t cost_len;  /* its part of the frames that it lay in */
	uint64_t moved_len; /* raw, of what was moved */
	uint64_t old_len;   /* its part of the frames that it lay in */
	uint64_t new_len;   /* bytes of the log that it takes now */
	uint64_t freed_len; /* and those of frames that hold nothing now */
	uint64_t n_frames;  /* that were made */
	uint64_t n_slow;    /* that were too slow to decode */
};

struct repack_options {
	unsigned n_threads;
	bool idle;               /* they get the lowest priority */
	bool dry;                /* nothing is moved */
	uint64_t min_speed;      /* of decoding; recode.h */
	const atomic_bool *stop; /* set: end soon. NULL: never */
	/* Told after each frame. No lock is held. NULL: nobody. */
	void (*tell)(void *ctx, const struct repacked *so_far);
	void *ctx;
};

/* -ENOMEM, -EAGAIN. */
int repacker_new(struct store *s, const struct repack_options *options,
		 struct repacker **ret);
void repacker_free(struct repacker *rp);

/*
 * Works on all frames of the layout of the window, and adds to `sum`. -ENOSPC: the disk has no room
 * for more. -ECANCELED: it was to stop. -EROFS, -EIO, -ENOMEM, -EUCLEAN.
 * Whatever it returns, what was moved is accounted for.
 */
int repack(struct repacker *rp, struct window *w, const struct layout *l,
	   struct repacked *sum);

#endif
