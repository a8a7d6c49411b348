/* SPDX-License-Identifier: MIT */
/*
 * bank_impl.h - struct bank, for bank.c and bank_flush.c.
 *
 * Two sets of pending chunks: `open` takes new ones, `sealed` is being written
 * by bank_flush(), under INDEX but not under BANK, and is still found
 * meanwhile. Counts change under INDEX only, so none changes during a flush.
 *
 * A base's references by deltas are counted when the frames of those deltas
 * are flushed. They follow from FRAME records alone, so a replay counts them
 * anew, and each frame is in the index once or not at all.
 *
 * `places` holds no place of which the bank knows a newer one: who asks for the
 * frame of a chunk gets the newest that bank_add() was told of.
 */
#ifndef STORE_BANK_IMPL_H
#define STORE_BANK_IMPL_H

#include "base/sync.h"
#include "store/bank.h"
#include "store/bank_rows.h"
#include "store/codebooks.h"
#include "store/place.h"

#include <assert.h>

struct bank {
	struct bank_rows rows;       /* INDEX */
	struct idmap refs;           /* INDEX: chunk -> new count, + 1 */
	struct codebooks *codebooks; /* immutable; counted by us */
	bool uncounted;              /* INDEX: references are not counted */

	struct sync_mutex lock;
	struct pending open GUARDED_BY(lock);
	struct pending sealed GUARDED_BY(lock);
	struct places places GUARDED_BY(lock);
	/* Grows with each frame of moves, under the lock. Atomic: who is to look a
	 * place up reads it before; an older one only means to remember nothing. */
	_Atomic uint64_t moment;
	size_t n_refs GUARDED_BY(lock); /* entries in refs */
	unsigned n_expected GUARDED_BY(lock);
	unsigned n_settling GUARDED_BY(lock);
	struct sync_cond settled; /* n_expected is 0, or nobody settles */
	struct idmap pins GUARDED_BY(lock); /* chunk -> how often */
	const struct frame_chunk *claimed GUARDED_BY(lock); /* borrowed */
	size_t n_claimed GUARDED_BY(lock);
	struct sync_cond unpinned; /* a pin went */
	uint64_t condemned[BANK_CONDEMNED_MAX] GUARDED_BY(lock);
	size_t n_condemned GUARDED_BY(lock);
};

/* The key of a content: the low bits are enough to find a candidate; 0 is none. */
static inline uint64_t bank_key(uint64_t hash)
{
	uint64_t key = hash & ((UINT64_C(1) << 47) - 1);

	return key ? key : 1;
}

/* The newest frame of a chunk that waits for its flush. */
bool bank_newest_locked(struct bank *b, uint64_t chunk, struct frame_place *ret)
	REQUIRES(b->lock);

/* Keeps the new count of a chunk that is in the index. INDEX held. */
int bank_set_refs(struct bank *b, uint64_t chunk, uint64_t refs);

#endif
