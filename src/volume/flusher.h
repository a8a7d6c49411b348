/* SPDX-License-Identifier: MIT */
/*
 * flusher.h - the flusher's own fields, for flush.c and flusher.c only.
 */
#ifndef VOLUME_FLUSHER_H
#define VOLUME_FLUSHER_H

#include "base/pool.h"
#include "volume/flush.h"

struct flusher {
	struct pool *pool;    /* immutable; blocks of SPAN_MAX */
	size_t limit;         /* immutable; bytes that may be dirty */
	atomic_llong n_dirty; /* atomic: a limit, no order needed */
	atomic_int lost;      /* atomic: the error of the newest write that was
			  * lost; flusher_run(all) tells and clears it */

	struct sync_mutex list_lock;   /* DIRTY */
	struct inode *oldest, *newest; /* GUARDED_BY(list_lock) */

	/* Who is between taking dirty bytes and handing them to ingest, by
	 * the phase in which it entered. */
	unsigned phase;       /* GUARDED_BY(list_lock); 0 or 1 */
	unsigned n_inside[2]; /* GUARDED_BY(list_lock) */
	struct sync_cond left;

	struct sync_mutex pack_lock; /* PACKER */
	struct parcel *packed;       /* GUARDED_BY(pack_lock); open, or NULL */
	uint64_t packed_since_ns;    /* GUARDED_BY(pack_lock) */
};

/* What is taken between the two is known to ingest when flusher_run(all) drains
 * it. May be nested. Any lock below DIRTY may be held. */
unsigned flusher_enter(struct flusher *f);
void flusher_leave(struct flusher *f, unsigned phase);

/* Hands the open shared parcel, if there is one at least `age_ns` old, to
 * ingest. */
void flusher_seal(struct flusher *f, uint64_t age_ns);

#endif
