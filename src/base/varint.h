/* SPDX-License-Identifier: MIT */
/*
 * varint.h - canonical LEB128 integers (1..10 bytes) and zigzag.
 *
 * Canonical: the shortest form only; anything else is -EUCLEAN.
 */
#ifndef BASE_VARINT_H
#define BASE_VARINT_H

#include "base/bytes.h"

enum { VARINT_MAX = 10 };

/* Writes `v` at `dst` (room for VARINT_MAX) and returns the bytes used. */
size_t varint_put(uint8_t *dst, uint64_t v);

/* Bytes that varint_put() would use. */
size_t varint_len(uint64_t v);

/* Reads one. -EUCLEAN: truncated, longer than needed, or over 64 bits. */
int varint_get(struct reader *r, uint64_t *ret);

/* As varint_get(), and -EUCLEAN when the value exceeds `max`. */
int varint_get_max(struct reader *r, uint64_t max, uint64_t *ret);

static inline uint64_t zigzag(int64_t v)
{
	return ((uint64_t)v << 1) ^ (uint64_t)(v >> 63);
}

static inline int64_t unzigzag(uint64_t v)
{
	return (int64_t)(v >> 1) ^ -(int64_t)(v & 1);
}

#endif
