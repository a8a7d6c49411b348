/* SPDX-License-Identifier: MIT */
/*
 * fixture.h - a toy store in a directory of its own.
 */
#ifndef TESTS_UNIT_STORE_FIXTURE_H
#define TESTS_UNIT_STORE_FIXTURE_H

#include "lib/tmpdir.h"
#include "unit/store/toy.h"

#define SEGMENT_1 "log/0000000001.seg"
#define SEGMENT_2 "log/0000000002.seg"
#define SEGMENT_3 "log/0000000003.seg"

struct fixture {
	struct tmpdir tmp;
	char dir[512];   /* of the store */
	char other[512]; /* not there yet */
	struct toy toy;
};

/* A directory for a store that is still to be made: `dir`. */
void fixture_name(struct fixture *f);

/* An open, empty store. */
void fixture_begin(struct fixture *f);

/* Closes what is open and removes all. */
void fixture_end(struct fixture *f);

void fixture_reopen(struct fixture *f);

/* commit_sync() of all that was changed. */
void fixture_sync(struct fixture *f);

/* The toy goes on in a copy of the store as it would be after kill -9. */
void fixture_crash(struct fixture *f);

/* Removes `dir`/`name`. */
void file_remove(const char *dir, const char *name);

/* Whether it is there. */
bool file_exists(const char *dir, const char *name);

void expect_value(struct toy *t, uint64_t key, uint64_t value);

#endif
