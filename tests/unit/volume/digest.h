/* SPDX-License-Identifier: MIT */
/*
 * digest.h - a number for all that a volume holds; random changes of it.
 */
#ifndef TESTS_UNIT_VOLUME_DIGEST_H
#define TESTS_UNIT_VOLUME_DIGEST_H

#include "lib/rng.h"
#include "unit/volume/fixture.h"

/* Names, numbers, attributes, targets, extended attributes of the whole tree;
 * not the content of files. */
uint64_t digest(struct fixture *f);

/* `n` random operations on names and attributes below the root; what they give
 * does not matter. Several threads may do so at once. */
void churn(struct fixture *f, struct rng *r, unsigned n);

#endif
