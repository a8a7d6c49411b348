/* SPDX-License-Identifier: MIT */
/*
 * study.h - learns from a window of the optimiser before it is encoded.
 *
 * The codebooks of new text are short, for they must be worth their bytes soon.
 * Where there is much text of one class a longer one pays, up to 1 MiB: with one
 * of 578 KiB, 119 MB of source code take 0.62 MB less in frames of 1 MiB, and it
 * takes 0.31 MB itself.
 */
#ifndef STORE_STUDY_H
#define STORE_STUDY_H

#include "store/window.h"

#include <stdatomic.h>

struct store;

enum { STUDY_TEXT_PER_BYTE = 128 };

struct study {
	struct store *s;
	const struct window *window;
	const struct layout *layout;
	size_t text_per_byte;    /* of a codebook; 0: STUDY_TEXT_PER_BYTE */
	bool idle;               /* with the lowest priority */
	const atomic_bool *stop; /* true: give up. NULL: never */
};

/*
 * Publishes a codebook for each class that gains by it in frames of the layout
 * that it was not made from, against the newest, and more than it takes in log
 * and index. Reads much of the window, and computes for some seconds: blocks. No
 * lock is held. Where the disk has no room, or the store enough codebooks,
 * nothing is learned. Takes up to 70 MiB meanwhile, most of it while it computes.
 * -ECANCELED, -EROFS, -EIO, -ENOMEM, -EAGAIN (no thread).
 */
int study_window(const struct study *study);

#endif
