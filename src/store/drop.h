/* SPDX-License-Identifier: MIT */
/*
 * drop.h - operations by which the store forgets: FRAME_DEL and SEGMENT_DEL.
 *
 * FORMAT.md section 6. A frame is dropped together with the chunks that it still
 * holds, to which nobody refers; a segment when nothing in it is of use.
 * INDEX is held. Errors: -EUCLEAN (it makes no sense, or something is referred
 * to), -ENOMEM, and those of db.h.
 */
#ifndef STORE_DROP_H
#define STORE_DROP_H

#include "base/buffer.h"
#include "stream/frame.h"

struct store;

/* What FRAME_DEL says. */
struct frame_drop {
	uint64_t frame;
	const struct frame_chunk *chunks; /* that go with it */
	size_t n;
};

/* Logs it and applies it; in a transaction. */
int drop_frame(struct store *s, const struct frame_drop *d);
int drop_segment(struct store *s, uint64_t number);

/* Applies the operation's body. */
int drop_apply_frame(struct store *s, struct span body);
int drop_apply_segment(struct store *s, struct span body);

#endif
