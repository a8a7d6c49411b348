/* SPDX-License-Identifier: MIT */
/*
 * apply.h - what a record of the log does to the index, for replay.
 *
 * INDEX is held. Errors: -EUCLEAN, -EOPNOTSUPP (the record), and those of
 * db.h.
 */
#ifndef STORE_APPLY_H
#define STORE_APPLY_H

#include "store/rounds.h"
#include "store/scan.h"

struct applying {
	struct store *s;
	struct context *x;
	const struct round *from; /* read this one; NULL: none */
	uint64_t n_parts;         /* of it, so far */
	uint64_t hash;
	bool loaded;    /* all of it, with the group at hand */
	uint64_t n_ops; /* counted up; the caller clears it */
};

/* With `from` the index is empty, and store.rebuilding is set until all parts
 * of that round are in it. */
int apply_begin(struct applying *a, struct store *s, const struct round *from);
void apply_release(struct applying *a);

/* A record of a whole group. */
int apply_record(struct applying *a, const struct scan_record *rec,
		 uint64_t segment);

/* The group is applied. */
int apply_end(struct applying *a);

#endif
