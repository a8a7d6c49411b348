/* SPDX-License-Identifier: MIT */
/*
 * extent.h - the encoding of extent lists, in MAP operations and leaves.
 *
 * FORMAT.md section 6. Pure.
 */
#ifndef VOLUME_EXTENT_H
#define VOLUME_EXTENT_H

#include "base/varint.h"
#include "volume/filemap.h"

enum { EXTENT_LEN_MAX = 4 * VARINT_MAX /* encoded bytes of one */ };

/* Where a list stands between two of its extents. */
struct extent_cursor {
	uint64_t end;   /* of the last extent; at first the list's offset */
	uint64_t chunk; /* of the last chunk extent; at first 0 */
};

/* Writes `e` (EXTENT_LEN_MAX bytes of room); returns the length. */
size_t extent_put(struct extent_cursor *c, const struct extent *e,
		  uint8_t *dst);

/* Reads the next one. -EUCLEAN: it makes no sense, or ends after `limit`. */
int extent_get(struct extent_cursor *c, struct reader *r, uint64_t limit,
	       struct extent *ret);

#endif
