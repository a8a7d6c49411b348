/* SPDX-License-Identifier: MIT */
/*
 * move.h - chunks that exist get a new frame.
 *
 * A chunk's frame is changed by a new FRAME record that has the same chunk; of
 * several, the one with the highest sequence holds it. Nothing else changes:
 * neither extents nor references nor content. The old frame stays where it is,
 * readable for whoever looked it up before, and dead once it holds nothing any
 * more. The bank's flush counts all that, after the record is durable, so after
 * a crash one of the two frames holds the chunk.
 *
 * Who moves does long work: maintain_enter(), so there is one at a time.
 */
#ifndef STORE_MOVE_H
#define STORE_MOVE_H

#include "store/bank.h"

struct store;

/* A frame for chunks that exist. All of it is only borrowed. */
struct move {
	const struct frame_chunk *chunks; /* in the frame's order */
	size_t n;                         /* 1..FRAME_CHUNKS_MAX */
	struct span glyphs; /* make their raw bytes, one after the other */
	bool cleaning;      /* more is freed by it than it takes: the room that
			     * is kept for metadata may be used, too */
};

/*
 * Appends the frame, and tells the bank. Durable with the next commit. The
 * caller has verified that the glyphs make the chunks. A chunk that has died is
 * harmless, as is one that is in a newer frame by now. Blocks; no lock may be
 * held. What DELTA nodes refer to must be chunks of frames without any.
 * -EBUSY: the frame has deltas, and a chunk of it is a base, so that it may not;
 * -ENOSPC: there is no room, nothing was done; -EINVAL: a frame that is too
 * long; -EUCLEAN: glyphs that make no sense; -EROFS, -EIO, -ENOMEM.
 */
int move_frame(struct store *s, const struct move *m, struct frame_place *ret);

#endif
