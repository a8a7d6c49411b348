/* SPDX-License-Identifier: MIT */
/*
 * disorder.h - rows of an SQLite table that stand where they do not belong.
 *
 * A binary search then leads astray, and SQLite does not notice. The file must not
 * be open; its table's first page must hold four rows at least.
 */
#ifndef TESTS_LIB_DISORDER_H
#define TESTS_LIB_DISORDER_H

/* Has the row in the middle of that page change places with its last one: behind
 * that comes what was in the middle's neighbour, and behind that again the last.
 * `root`: the table's, as sqlite_master has it. */
void disorder(const char *path, unsigned root);

#endif
