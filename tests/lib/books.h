/* SPDX-License-Identifier: MIT */
/*
 * books.h - dictionaries as they are learned from small files.
 */
#ifndef TESTS_LIB_BOOKS_H
#define TESTS_LIB_BOOKS_H

#include <stddef.h>
#include <stdint.h>

/*
 * Learns from records of `kind`, as lib/records.h makes them. `dst` has room
 * for TRAIN_DICTIONARY_MAX bytes. Returns the dictionary's length; aborts when
 * nothing was learned.
 */
size_t books_train(unsigned kind, uint8_t *dst);

#endif
