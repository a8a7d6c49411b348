/* SPDX-License-Identifier: MIT */
/*
 * idle.h - when a store may be optimised by itself: nobody uses it, and enough
 * of it is cold, that is, has not been written for a time.
 *
 * Ids of chunks grow with time, so what is cold, and what has been done, are
 * ids: all chunks up to one. No chunk is gone over twice. Pure: the clock is
 * the caller's. One thread.
 */
#ifndef STORE_IDLE_H
#define STORE_IDLE_H

#include <stdbool.h>
#include <stdint.h>

struct idle {
	uint64_t cold_ns; /* from then on data is cold; 0: nothing ever is */

	uint64_t quiet_ns;    /* when somebody used the store last */
	uint64_t patience_ns; /* for so long nobody has to */
	uint64_t rest_ns;     /* not before this moment */

	uint64_t cold;     /* chunks up to this one are cold */
	uint64_t young;    /* those up to this one will be next, */
	uint64_t young_ns; /* because they were there at this moment */

	uint64_t done;        /* chunks up to this one have had their turn */
	uint64_t counted;     /* those behind it up to this one */
	uint64_t counted_len; /* have so many live raw bytes */
};

/* `last_chunk`: the newest one. What an earlier mount wrote is as old as this
 * one. */
void idle_init(struct idle *i, uint64_t cold_ns, uint64_t now_ns,
	       uint64_t last_chunk);

/* What there is to see of the store. */
struct idle_view {
	bool used;           /* by somebody, since the last look */
	uint64_t last_chunk; /* the newest one */
	uint64_t done;       /* who optimised by hand got so far */
};

/* Once a second or so. */
void idle_look(struct idle *i, uint64_t now_ns, const struct idle_view *view);

/* Whether nobody minds if something is done now. */
bool idle_is_time(const struct idle *i, uint64_t now_ns);

/* Whether what was counted is worthwhile, of so many live raw bytes in all. */
bool idle_is_enough(const struct idle *i, uint64_t live_len);

/* How a turn ended. */
struct idle_turn {
	bool failed;      /* and not because somebody came */
	bool got_on;      /* some of it was done for good */
	bool whole;       /* it came to its end: all chunks up to */
	uint64_t done;    /* this one have had their turn */
	uint64_t new_len; /* bytes that it wrote */
};

void idle_ended(struct idle *i, uint64_t now_ns, const struct idle_turn *turn);

#endif
