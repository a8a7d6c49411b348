/* SPDX-License-Identifier: MIT */
/*
 * lesson.h - what is learned from some frames of one class.
 *
 * Takes some 6 MiB while there is one, and 8 MiB more while it learns; for a
 * dictionary of 1 MiB it is 24 MiB, and 16 MiB more.
 * Owner thread only.
 */
#ifndef STORE_LESSON_H
#define STORE_LESSON_H

#include "base/buffer.h"
#include "codec/train.h"
#include "store/pending.h"

struct store;
struct workers;

enum {
	LESSON_FRAMES_MAX = 128,
	/* Of a frame to judge by, no more is looked at. */
	LESSON_UNSEEN_LEN = 1 << 20,
};

struct lesson {
	size_t len_max;           /* of the dictionary */
	struct codebook *current; /* owned; NULL: none yet */
	struct buffer samples;
	struct buffer frames; /* unseen ones, one after the other */
	size_t *lens;         /* owned; of samples */
	unsigned n_samples;
	size_t frame_lens[LESSON_FRAMES_MAX];
	size_t n_frames;
	size_t budget; /* bytes of samples from one frame */

	uint8_t *dictionary; /* owned */
	ssize_t len;         /* of it; 0: nothing worthwhile; or an error */
	struct train_result result;
};

/* `len_max`: of the dictionary, TRAIN_DICTIONARY_MAX..CODEBOOK_LEN_MAX. */
void lesson_init(struct lesson *l, size_t len_max);
void lesson_release(struct lesson *l);

/* The codebook to be better than is the newest of the class. Takes INDEX.
 * -ENOMEM, those of library_get(). */
int lesson_take_current(struct lesson *l, struct store *s,
			enum content_class class);

/* Some bytes to learn from, TRAIN_PIECE_MAX at most, are copied. False: there is
 * no room for more. */
bool lesson_take_sample(struct lesson *l, struct span piece);

/* A frame to judge by, if there is room. Copied. */
void lesson_take_unseen(struct lesson *l, struct span frame);

/*
 * Reads the frames: three of four to learn from, the fourth to judge by. Of
 * more than LESSON_FRAMES_MAX some are left out, and so are those that cannot
 * be read. Blocks.
 */
void lesson_gather(struct store *s, const struct frame_place *places, size_t n,
		   struct lesson *l);

/*
 * Computes, and nothing else: sets dictionary, len and result. `stop` as in
 * train.h. `idle`: a thread that is to do it, with the lowest priority, while
 * the caller waits; NULL: the caller does it.
 */
void lesson_learn(struct lesson *l, int level, const atomic_bool *stop,
		  struct workers *idle);

#endif
