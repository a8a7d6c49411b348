/* SPDX-License-Identifier: MIT */
/*
 * tmpdir.h - a directory for one test, under $TMPDIR or /tmp.
 */
#ifndef TESTS_LIB_TMPDIR_H
#define TESTS_LIB_TMPDIR_H

#include <stddef.h>

struct tmpdir {
	char path[256];
	int fd; /* open on the directory */
};

/* Makes it; ends the test when it cannot. */
void tmpdir_init(struct tmpdir *t);

/* How many names there are in it. */
size_t tmpdir_n_files(const struct tmpdir *t);

/* Removes it with all that is in it. */
void tmpdir_release(struct tmpdir *t);

#endif
