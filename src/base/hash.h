/* SPDX-License-Identifier: MIT */
/*
 * hash.h - XXH3, seeded: chunk identity, record checksums, name order.
 *
 * Not cryptographic: a chunk hash only finds candidates, whose bytes are then
 * compared; record checksums are seeded with a secret of the segment, so that
 * user data cannot pass for a record.
 */
#ifndef BASE_HASH_H
#define BASE_HASH_H

#include "base/bytes.h"

uint64_t hash64(struct span bytes, uint64_t seed);

/* Mixes `v` into a running hash; order matters. */
uint64_t hash64_mix(uint64_t hash, uint64_t v);

#endif
