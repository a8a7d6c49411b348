/* SPDX-License-Identifier: MIT */
/*
 * ahead.h - has frames decoded that somebody is about to read.
 *
 * Frames that lie together in the log are read with one call, by a worker, which
 * decodes them into the cache. A hint: what fails is left to who reads.
 * Owner thread only. Who uses it is inside (store_enter).
 */
#ifndef STORE_AHEAD_H
#define STORE_AHEAD_H

#include <stdbool.h>
#include <stdint.h>

struct store;
struct ahead_run;

struct ahead {
	struct store *store;
	bool long_stream;
	struct ahead_run *run; /* being gathered; owned; NULL: none */
};

/* With `long_stream` the system is not made to remember the bytes of the log as
 * well: it will have those of the file. */
void ahead_begin(struct ahead *a, struct store *s, bool long_stream);

/* The next chunk of what is to be read. Blocks on nothing but a place lookup,
 * which takes INDEX. */
void ahead_add(struct ahead *a, uint64_t chunk);

void ahead_end(struct ahead *a);

#endif
