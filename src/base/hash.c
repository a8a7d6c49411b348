/* SPDX-License-Identifier: MIT */
/*
 * hash.c - XXH3 from libxxhash.
 */
#include "base/hash.h"

#include <xxhash.h>

uint64_t hash64(struct span bytes, uint64_t seed)
{
	return XXH3_64bits_withSeed(bytes.ptr, bytes.len, seed);
}

uint64_t hash64_mix(uint64_t hash, uint64_t v)
{
	uint8_t field[8];

	put_le64(field, v);
	return XXH3_64bits_withSeed(field, sizeof(field), hash);
}
