/* SPDX-License-Identifier: MIT */
/*
 * clean.h - gives back what nobody needs: the cleaner.
 *
 * What lives moves out of the segments in which least lives; what is dead there is
 * dropped. A segment that holds nothing of use any more is removed when the log
 * can be read without it: when it lies before both checkpoints that are kept, and
 * before the place that the index has durably reached.
 *
 * Dropping a chunk must not meet somebody who is about to refer to it, or to read
 * it. References to a chunk come from those who have one (MAP and copies under
 * INDEX), and from ingest, which may find again what nobody refers to: a duplicate
 * or a base. Therefore, for some segments at a time:
 *
 * 1. They are condemned: ingest takes no chunk there any more. Who has taken one
 *    before is inside (store_enter) until it is mapped; all of them are waited
 *    for. From now on a chunk there that nobody refers to is dead for ever.
 * 2. Frames with live chunks get new ones (rewrite.c), durably and in the index.
 *    What a segment still holds then was dead when it was looked at.
 * 3. Who reads by an older view of a file may still want a dead chunk: he was
 *    inside before, and is waited for, too.
 * 4. FRAME_DEL drops frame by frame, with its chunks, in the log and the index. That
 *    nobody refers to them is verified once more.
 *
 * A replay meets the same operations in the same order: every MAP that found a
 * duplicate lies before the FRAME_DEL, or refers to a chunk that was moved.
 */
#ifndef STORE_CLEAN_H
#define STORE_CLEAN_H

#include "store/survey.h"

struct store;

enum { CLEAN_BAD_MAX = 64 };

/* What the cleaner remembers from step to step. Who has maintain_enter(). */
struct clean_memory {
	uint64_t bad[CLEAN_BAD_MAX]; /* segments that cannot be emptied */
	unsigned n_bad;
	unsigned n_rounds;    /* checkpoints that may still be written */
	struct survey survey; /* of the run */
	uint64_t looked_ns;   /* when the last run by itself ended; 0: never */
	uint64_t looked_len;  /* dead bytes then */
};

struct clean_result {
	uint64_t n_removed; /* segments, */
	uint64_t removed;   /* and their bytes */
	uint64_t n_moved;   /* frames, */
	uint64_t moved;     /* and their bytes */
};

/* The first step of a run by hand: the active segment is ended, so that it can be
 * cleaned. The caller has maintain_enter(). Errors as those of clean_step(). */
int clean_begin(struct store *s);

/*
 * One step, some seconds long: some segments are emptied, or a checkpoint is
 * written, or segments are removed. Adds to `ret`. 1: there is more to do; 0: that
 * was all. What was done is durable. -ECANCELED: the store is being closed.
 * -ENOSPC: there is no room even for what would free some. -EROFS, -EIO, -ENOMEM,
 * -EUCLEAN. Blocks; no lock may be held. The caller has maintain_enter(), and gives
 * others their turn between two steps.
 */
int clean_step(struct store *s, struct clean_result *ret);

/* The end of a run, at any step. Who has maintain_enter(), or the store alone. */
void clean_end(struct store *s);

/* Whether it is worthwhile that the store begins by itself. */
bool clean_due(struct store *s);

/* Whether so much of the log is of no frame that a run after frames were moved is
 * worth a survey: what has moved as a whole is not counted as dead. */
bool clean_is_worthwhile(struct store *s);

/* Runs by itself, with long rests, and enters and leaves. `after_moves`: what has
 * just been freed is in young segments, the active one too. Errors as above. */
int clean_run(struct store *s, bool after_moves);

#endif
