/* SPDX-License-Identifier: MIT */
/*
 * segment.h - the header and the name of a segment file.
 *
 * Pure. FORMAT.md section 2.
 */
#ifndef STORE_SEGMENT_H
#define STORE_SEGMENT_H

#include "base/bytes.h"
#include "store/segment_format.h"

struct segment_header {
	uint64_t number; /* from 1 */
	uint64_t epoch;
	uint8_t uuid[SEGMENT_UUID_LEN]; /* the store's */
	uint64_t secret;                /* seeds the records' checksums */
	uint64_t first_seq;
	uint64_t previous_commit; /* sequence; 0: none */
	uint64_t checkpoint;      /* segment; 0: none */
};

void segment_header_put(const struct segment_header *h,
			uint8_t dst[SEGMENT_HEADER_LEN]);

/* -EUCLEAN: no header. -EBADMSG: its checksum is wrong. -EOPNOTSUPP: newer. */
int segment_header_get(struct span bytes, struct segment_header *ret);

enum { SEGMENT_NAME_LEN = SEGMENT_NAME_DIGITS + 4 };

/* The file's name in log/. `number` has at most ten digits. */
void segment_name(uint64_t number, char ret[SEGMENT_NAME_LEN + 1]);

/* The number; 0: not the name of a segment. */
uint64_t segment_number(const char *name);

#endif
