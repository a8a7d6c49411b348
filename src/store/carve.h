/* SPDX-License-Identifier: MIT */
/*
 * carve.h - finds segment headers and records in a file, wherever they stand.
 *
 * For recovery: from a damaged segment, from a disk's image. Nothing of the
 * file is believed but what a checksum proves. Reads it once, in the order of
 * its bytes, with bounded memory; what cannot be read counts as zeros.
 * Owner thread only. Errors: -ENOMEM, those of reading but -EIO.
 */
#ifndef STORE_CARVE_H
#define STORE_CARVE_H

#include "base/buffer.h"
#include "store/segment.h"
#include "stream/record.h"

/* The records of a segment: what they are found by. */
struct carve_key {
	uint64_t epoch;
	uint64_t first_seq;
	uint64_t secret;
};

struct carve {
	int fd;        /* borrowed */
	uint64_t size; /* of the file */
	uint64_t off;  /* where the search goes on */
	struct buffer window;
	uint64_t window_off;
	uint64_t n_unreadable;        /* bytes, so far */
	uint64_t n_wasted;            /* bytes of payloads that were bad */
	uint64_t n_mends;             /* headers that were tried to be mended */
	const struct carve_key *keys; /* borrowed; by epoch, then first_seq */
	size_t n_keys;
};

/* A record. */
struct carved {
	struct record head;
	uint64_t off;        /* of its header in the file; any number */
	bool whole;          /* else only the header is good */
	struct span payload; /* of a whole one; until the next call */
	size_t key;          /* that proved it: index */
};

void carve_init(struct carve *c, int fd, uint64_t size);
void carve_release(struct carve *c);

/*
 * The next header of a segment. 1; 0: none. One with a single wrong byte is
 * found as well, as it was.
 */
int carve_next_head(struct carve *c, struct segment_header *ret,
		    uint64_t *ret_off);

/* The header at the front of a file that is known to be a segment: 1; 0: it is
 * lost. `ret_mended`: it had wrong bytes. */
int carve_front_head(struct carve *c, struct segment_header *ret,
		     bool *ret_mended);

/* The next record that one of the keys proves. 1; 0: none. */
int carve_next(struct carve *c, struct carved *ret);

/* Whether there are only zeros from `off` on: 1, 0. */
int carve_is_zero(struct carve *c, uint64_t off);

#endif
