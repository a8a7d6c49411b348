/* SPDX-License-Identifier: MIT */
/*
 * records.h - text as small files have it: much of it the same in all of them.
 */
#ifndef TESTS_LIB_RECORDS_H
#define TESTS_LIB_RECORDS_H

#include <stddef.h>
#include <stdint.h>

/*
 * Writes `len` bytes: JSON objects with the same long keys and other values.
 * One of `kind` has other keys than one of another. The same for equal
 * arguments.
 */
void records_fill(unsigned kind, uint64_t seed, uint8_t *dst, size_t len);

#endif
