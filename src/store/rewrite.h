/* SPDX-License-Identifier: MIT */
/*
 * rewrite.h - what lives in a frame goes into a new one.
 *
 * A frame of which most lives is copied as it is. Else it is made anew without the
 * dead chunks: deltas are copied one by one, the rest is encoded again.
 */
#ifndef STORE_REWRITE_H
#define STORE_REWRITE_H

#include "store/bank.h"

struct store;

/*
 * Returns the payload bytes of the new frame, or 0: nothing in it lives. Afterwards
 * no live chunk is held by the old frame any more, once the bank has been flushed.
 * For who is cleaning (move.h); the segment is condemned. Blocks; no lock may be
 * held. Errors of move_frame() and chunk_get(); -ENOENT: the segment is gone.
 */
ssize_t rewrite_frame(struct store *s, const struct frame_place *place);

#endif
