/* SPDX-License-Identifier: MIT */
/*
 * replay.h - brings the index up to the log, and finds the log's end.
 *
 * Read section 5 of FORMAT.md first: a group counts only with its COMMIT; what
 * follows the last whole one is a torn tail, and is cut, unless something
 * proves that it was on disk once: then it is damage, and nothing is written.
 */
#ifndef STORE_REPLAY_H
#define STORE_REPLAY_H

#include "base/bytes.h"

struct store;

/* What the log's end looks like. */
struct replayed {
	bool applied;       /* something was applied */
	bool any;           /* the log has segments */
	bool unfinished;    /* the round that it began with is not whole */
	bool foreign;       /* the index is of another log: nothing was done */
	const char *damage; /* static text; NULL: all is well */
	uint64_t refused;   /* first sequence of a group that cannot be applied:
			     * the index is back at what its file held. 0: none */
	uint64_t last_segment;
	uint64_t last_seq;    /* the highest seen, torn ones included */
	uint64_t last_commit; /* sequence */
	uint64_t epoch;       /* the highest seen */
};

/*
 * INDEX held, the index open in a transaction, nobody else there. Sets the
 * store's position, totals and ids. With `cut` a torn tail is cut off. With
 * `from` the index is empty, and is read from that checkpoint on. With `before` it
 * ends where that replay has refused a group, for the same reason. Errors are those
 * of disk and memory, and -EUCLEAN when the index is damaged.
 */
struct round;
struct replay_request {
	bool cut;
	const struct round *from;      /* NULL: from where the index is */
	const struct replayed *before; /* NULL: this is the first time */
};
int replay_run(struct store *s, const struct replay_request *request,
	       struct replayed *ret);

#endif
