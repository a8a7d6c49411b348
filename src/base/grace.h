/* SPDX-License-Identifier: MIT */
/*
 * grace.h - waiting until everybody who was inside a moment ago has left.
 *
 * Who uses what somebody else may take away enters first and leaves afterwards.
 * Who wants to take it away sees to it that nobody finds it any more, and then
 * waits: those who had found it are gone. Entering never waits.
 * Threads: any. Who waits must not be inside himself.
 */
#ifndef BASE_GRACE_H
#define BASE_GRACE_H

#include "base/sync.h"

enum { GRACE_SHARDS = 16 };

/* Those threads that share a lock. */
struct grace_shard {
	struct sync_mutex lock; /* LEAF */
	struct sync_cond left;
	uint64_t n_inside[2] GUARDED_BY(lock); /* who entered in which turn */
	unsigned turn GUARDED_BY(lock);        /* 0 or 1 */
	bool waiting GUARDED_BY(lock);
	char apart[64]; /* from what the next one's threads write to */
};

struct grace {
	struct grace_shard shards[GRACE_SHARDS];
};

void grace_init(struct grace *g);
void grace_release(struct grace *g);

/* Returns what grace_leave() wants, which may be called by another thread. */
unsigned grace_enter(struct grace *g);
void grace_leave(struct grace *g, unsigned entered);

/* Returns when all who had entered before have left. */
void grace_wait(struct grace *g);

#endif
