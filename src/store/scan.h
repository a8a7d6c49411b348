/* SPDX-License-Identifier: MIT */
/*
 * scan.h - reads a segment's records one after the other, all verified.
 *
 * For replay and check. Owner thread only.
 */
#ifndef STORE_SCAN_H
#define STORE_SCAN_H

#include "base/buffer.h"
#include "store/segments.h"
#include "stream/record.h"

struct scan {
	struct segment *segment; /* borrowed */
	uint64_t off;            /* of the next record */
	uint64_t size;           /* of the file */
	struct buffer window;    /* bytes of the file from window_off on */
	uint64_t window_off;
};

struct scan_record {
	struct record head;
	uint64_t off;
	struct span payload; /* until the next call */
};

/* `off`: the place of the first record to read. */
int scan_init(struct scan *s, struct segment *segment, uint64_t off);
void scan_release(struct scan *s);

/*
 * 1: a whole record, `off` is behind it. 0: the end of the file. -EUCLEAN,
 * -EBADMSG, -EOPNOTSUPP: no good record stands at `off`, which stays. Other
 * errors: reading failed.
 */
int scan_next(struct scan *s, struct scan_record *ret);

/* Whether an error of scan_next() is about what stands there. */
bool scan_is_bad(int rc);

/* Looks for the next good record behind `off`. 1 (as scan_next), 0: none. */
int scan_resync(struct scan *s, struct scan_record *ret);

#endif
