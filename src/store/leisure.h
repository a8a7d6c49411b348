/* SPDX-License-Identifier: MIT */
/*
 * leisure.h - what the store does by itself while nobody uses it: it is optimised,
 * window by window, and what that frees is given back.
 *
 * On the thread of maintain.c, but for what is told of it.
 */
#ifndef STORE_LEISURE_H
#define STORE_LEISURE_H

#include "store/idle.h"
#include "store/optimize_impl.h"

struct store_stats;

struct leisure {
	/* maintain's thread */
	struct idle idle;
	struct optimize_turn turn;
	struct repacked before; /* by all windows but the one under way */
	bool cleaned;       /* what was freed is all there is to give back */
	uint64_t freed_len; /* since */
	/* atomic: numbers for store_stat(), each for itself */
	atomic_uint_fast64_t len;
	atomic_uint_fast64_t old_len;
	atomic_uint_fast64_t new_len;
	atomic_uint_fast64_t when;
};

void leisure_begin(struct store *s);
void leisure_end(struct store *s);

/*
 * Does what there is to do, or a part of it, once a second; mostly nothing. Ends
 * when somebody uses the store, or wants to do long work, and when it is closed.
 * Blocks for minutes; no lock may be held. Errors as optimize().
 */
int leisure_work(struct store *s);

/* Any thread. */
void leisure_stat(const struct store *s, struct store_stats *ret);

#endif
