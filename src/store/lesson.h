/* SPDX-License-Identifier: MIT */
/*
 * lesson.h - what is learned from some frames of one class.
 *
 * Takes some 6 MiB while there is one, and 8 MiB more while it learns.
 * Owner thread only.
 */
#ifndef STORE_LESSON_H
#define STORE_LESSON_H

#include "base/buffer.h"
#include "codec/train.h"
#include "store/pending.h"

struct store;

enum { LESSON_FRAMES_MAX = 128 };

struct lesson {
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

void lesson_init(struct lesson *l);
void lesson_release(struct lesson *l);

/*
 * Reads the frames: three of four to learn from, the fourth to judge by. Of
 * more than LESSON_FRAMES_MAX some are left out, and so are those that cannot
 * be read. Blocks. -ENOMEM.
 */
int lesson_gather(struct store *s, const struct frame_place *places, size_t n,
		  struct lesson *l);

/* Computes, and nothing else: sets dictionary, len and result. `stop` as in
 * train.h. */
void lesson_learn(struct lesson *l, int level, atomic_bool *stop);

#endif
