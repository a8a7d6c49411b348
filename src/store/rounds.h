/* SPDX-License-Identifier: MIT */
/*
 * rounds.h - payloads of CHECKPOINT records, and where in the log they are.
 *
 * FORMAT.md section 10. A round is parts 1..n, then its END; a part holds rows
 * as operations. All but rounds_find() is pure.
 */
#ifndef STORE_ROUNDS_H
#define STORE_ROUNDS_H

#include "base/buffer.h"
#include "store/segments.h"
#include "store/store.h"

/* The first two fields of every part. */
struct round_part {
	uint64_t round;  /* sequence of the COMMIT behind which it starts */
	uint64_t number; /* from 1; 0: the END */
	struct span rest;
};

int round_part_put(struct buffer *b, uint64_t round, uint64_t number);
int round_part_get(struct span payload, struct round_part *ret);

/* One step of the running hash over a round's parts, as they are unpacked. */
uint64_t round_hash(uint64_t hash, struct span part);

/* What END tells. */
struct round_end {
	uint64_t n_parts;
	uint64_t hash;
	uint64_t segment; /* the place behind the COMMIT where it starts */
	uint64_t off;
	uint64_t len;     /* bytes of its parts */
	uint64_t earlier; /* segment in which the round before starts; or 0 */
	uint64_t next_ids[STORE_N_IDS];
	uint64_t n_duplicates;
	uint64_t duplicate_len;
};

int round_end_put(struct buffer *b, const struct round_end *end);
int round_end_get(struct span rest, struct round_end *ret);

/* A round that was found. */
struct round {
	uint64_t seq;     /* of the COMMIT behind which it starts */
	uint64_t end_seq; /* of END's record */
	uint64_t end_segment;
	struct round_end end;
};

/*
 * Looks for the newest round whose END is in a whole group, has a sequence
 * below `limit`, and starts in a segment that is there. 1: found; 0: none.
 * Reads two segments or so. Errors are those of the disk, -ENOMEM.
 */
struct context;
int rounds_find(struct segments *t, struct context *x, uint64_t limit,
		struct round *ret);

#endif
