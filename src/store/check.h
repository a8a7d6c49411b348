/* SPDX-License-Identifier: MIT */
/*
 * check.h - verifies a store: every record, every chunk, every count.
 */
#ifndef STORE_CHECK_H
#define STORE_CHECK_H

#include "base/bytes.h"

struct store;

/* What a check found, one call per finding. `text` is one line. */
struct check_report {
	void *ctx;
	void (*finding)(void *ctx, const char *text);
	void (*progress)(void *ctx, uint64_t done, uint64_t total);
	uint64_t n_findings; /* counted by check_finding() */
};

void check_finding(struct check_report *r, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/*
 * Reads all segments: every record's checksums, every commit, decodes every
 * frame and compares every chunk's hash; every row of chunk and frame against
 * them. `refs` maps chunk id to the number of extents that the caller has
 * counted: compared with the bank's. Returns -errno only when it could not go
 * on; findings are told. Nothing may write meanwhile.
 */
struct idmap;
int store_check(struct store *s, const struct idmap *refs,
		struct check_report *report);

#endif
