/* SPDX-License-Identifier: MIT */
/*
 * append.h - a frame goes into the log, and the bank is told.
 */
#ifndef STORE_APPEND_H
#define STORE_APPEND_H

#include "store/bank.h"

struct store;

/* What is to become a FRAME record. */
struct append {
	uint8_t flags;       /* of the record */
	struct span payload; /* table and glyphs */
	struct span glyphs;  /* the same, in the payload */
	const struct frame_chunk *chunks;
	size_t n_chunks;
	size_t raw_len;
	uint64_t known_below; /* bank_add() */
};

/*
 * Appends it; from then on its chunks are found there. Durable with the next
 * commit. Neither INDEX nor a lock above BANK may be held. A failure fails the
 * store.
 */
int append_frame(struct store *s, const struct append *a,
		 struct frame_place *ret);

#endif
