/* SPDX-License-Identifier: MIT */
/*
 * optimize.h - encodes what is stored again, smaller, in long frames.
 *
 * The store is walked in windows. The live chunks of a window are laid out
 * anew (layout), a codebook is learned where there is much text (study), and they
 * are encoded with the highest effort (recode), and moved where that saves
 * something (repack). Frames that are longer than those of new data were
 * made here, and are left alone: so it can be ended at any time and begun again.
 * Chunks keep their ids and bytes, so nobody who reads or writes notices.
 */
#ifndef STORE_OPTIMIZE_H
#define STORE_OPTIMIZE_H

#include "store/repack.h"

enum {
	OPTIMIZE_FRAME_LEN = 1 << 20, /* raw; default */
	OPTIMIZE_FRAME_MIN = 256 << 10,
	OPTIMIZE_FRAME_MAX = 4 << 20,
};

/* Bytes that decoding has to make in a second of CPU time; default. */
#define OPTIMIZE_SPEED UINT64_C(500000000)

/* How far it is. */
struct optimized {
	uint64_t looked_len; /* raw, of all that was looked at */
	struct repacked work;
};

/* On the calling thread, after each frame. No lock is held. */
typedef void optimize_tell(void *ctx, const struct optimized *so_far);

struct optimize_options {
	size_t frame_len;    /* raw; 0: OPTIMIZE_FRAME_LEN */
	uint64_t min_speed;  /* 0: OPTIMIZE_SPEED */
	unsigned n_threads;  /* that encode; 0: one for each CPU */
	bool idle;           /* they get the lowest priority */
	window_source *next; /* what to optimise; NULL: all of the store */
	void *source;
	const atomic_bool *stop; /* set: end soon, with -ECANCELED */
	optimize_tell *tell;     /* NULL: nobody wants to know */
	void *ctx;
};

/*
 * Optimises what the source gives, and has the cleaner give back what that
 * frees. Blocks for long; no lock is held. One at a time. `ret` says what was
 * done also after a failure. -ENOSPC: the disk has no room for what has to stand
 * beside the old until that can go. -ECANCELED, -EROFS, -EIO, -ENOMEM.
 */
int optimize(struct store *s, const struct optimize_options *options,
	     struct optimized *ret);

/* What a sample says of the whole. */
struct optimize_estimate {
	uint64_t sampled_len; /* raw, of the frames that were encoded */
	uint64_t
		before_len; /* bytes of the log that what was looked at takes, */
	uint64_t after_len; /* and would take */
	/* Of what is stored, this share would be left: with a probability of
	 * 95 % between the two. */
	double low;
	double high;
};

/*
 * Looks at all of the store, or at 1 GiB of a longer one, encodes about
 * `sample_len` raw bytes of that, and changes nothing: no codebook is learned, so
 * of much text less may be left in the end. `next` of the options is not used.
 * Errors as above, without -ENOSPC.
 */
int optimize_estimate(struct store *s, const struct optimize_options *options,
		      uint64_t sample_len, struct optimize_estimate *ret);

#endif
