/* SPDX-License-Identifier: MIT */
/*
 * evacuate.h - one segment is emptied: what lives moves out, then what is dead is
 * dropped.
 *
 * Between the two the moves have to be in the index, and all who were inside a
 * moment ago have to be out; see clean.c. The segment is condemned meanwhile. No
 * lock may be held.
 */
#ifndef STORE_EVACUATE_H
#define STORE_EVACUATE_H

#include "base/bytes.h"
#include "store/pending.h"

struct store;

struct evacuation {
	uint64_t segment;
	unsigned rest; /* rests so many times as long as it works; 0: never */
	uint64_t n_moved; /* out: frames, */
	uint64_t moved;   /* and payload bytes of the new ones */
};

/* Moves what lives. -ECANCELED: the store is being closed. -ENOSPC: there is no
 * room. -EUCLEAN, -EBADMSG, -EIO: something cannot be read. What has moved so far
 * has moved. */
int evacuate_live(struct store *s, struct evacuation *e);

/* Drops the rest. 1: something in it lives, and the segment stays. */
int evacuate_dead(struct store *s, struct evacuation *e);

/*
 * Deltas that are dead hold bases, which may be most of what seems to live. The
 * first notes frames of deltas in which nothing lives, by rows that are up to date;
 * the second drops those noted, as evacuate_dead() does. Between them all who were
 * inside have to be out.
 */
enum { EVACUATE_NOTED_MAX = 4096 };
struct noted_frames {
	struct frame_place places[EVACUATE_NOTED_MAX];
	size_t n;
};
int evacuate_note(struct store *s, uint64_t segment, struct noted_frames *ret);
int evacuate_noted(struct store *s, const struct noted_frames *noted);

#endif
