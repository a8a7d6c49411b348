/* SPDX-License-Identifier: MIT */
/*
 * verify.h - whether what a crash left is what the operations allow.
 *
 * Known are the tree before, the seed of the operations, how many of them were
 * answered before the crash, and the tree after it. Then
 * - all names, links and attributes are those after operation k, for some k
 *   that is not before the last durable one;
 * - each byte of each file is one that it held at some time between the file's
 *   last durable state and k, and its size lies between those of that time;
 * - a file renamed over another one has its content of that time, or newer.
 */
#ifndef TESTS_MODEL_VERIFY_H
#define TESTS_MODEL_VERIFY_H

#include "model/ops.h"

enum { VERIFY_WHY = 800 };

struct crash {
	const struct model *base; /* durable, with all data */
	const struct op_mix *mix; /* without orphans */
	uint64_t seed;
	uint64_t n_answered; /* operations that returned success or an errno */
	uint64_t n_begun;    /* the same, or one more */

	/* Everything up to this operation was made durable after it; 0: no. */
	uint64_t n_synced;

	/* A kernel's page cache lay between: data comes in any order, so a file
	 * may have grown by zeros. */
	bool page_cache;
};

/* False: `why` (VERIFY_WHY bytes) gets a sentence. */
bool crash_verify(const struct crash *c, const struct model *seen, char *why);

/* As if the operations 1..n had been done on `base`. */
struct model *crash_replay(const struct crash *c, uint64_t n);

#endif
