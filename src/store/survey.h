/* SPDX-License-Identifier: MIT */
/*
 * survey.h - how much lives in each segment of the log, by the index.
 *
 * Out of date at once, but on the safe side: in a segment that was counted as a
 * whole nothing begins to be needed. What a chunk found again makes live once
 * more, or what died since, is a wrong number and no more.
 */
#ifndef STORE_SURVEY_H
#define STORE_SURVEY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct store;

struct segment_use {
	uint64_t number;
	uint64_t len;  /* of its file */
	uint64_t live; /* payload bytes that live */
	bool needed;   /* it holds a frame, or a codebook */
	bool deltas;   /* it holds frames of deltas that are all dead */
};

/* Zero: there is none. */
struct survey {
	struct segment_use *list; /* owned; by number */
	size_t n;
	uint64_t active;  /* the segment that was written to */
	uint64_t applied; /* the one up to which the index was durable */
};

/* Looks at all frames; the index is committed. Takes INDEX again and again, for
 * some rows each. -ENOMEM, -EIO, those of the index. */
int survey_make(struct store *s, struct survey *ret);
void survey_release(struct survey *v);

/* What has become of a segment since; one that is not in the list is none. */
void survey_emptied(struct survey *v, uint64_t segment);
void survey_removed(struct survey *v, uint64_t segment);

/* There are no dead deltas in these any more. */
void survey_released(struct survey *v, const uint64_t *segments, size_t n);

/* Nothing in it was of use, but it may be part of what a rebuild or replay reads. */
bool survey_is_empty(const struct survey *v, const struct segment_use *u);

#endif
