/* SPDX-License-Identifier: MIT */
/*
 * chunk.h - raw bytes of a chunk, by its id.
 *
 * Looks the place up in the bank and has the frame decoded into the cache (or
 * finds it there). No lock may be held above INDEX: a miss takes INDEX.
 */
#ifndef STORE_CHUNK_H
#define STORE_CHUNK_H

#include "base/bytes.h"

struct store;
struct cached;

/* A chunk's bytes, pinned in the cache. */
struct chunk_view {
	struct span bytes;     /* the whole chunk */
	struct cached *cached; /* the pin; the cache's */
};

/* Blocks for disk and decoder. -EUCLEAN: no such chunk, or damage; -EBADMSG:
 * a checksum is wrong; -EIO. */
int chunk_get(struct store *s, uint64_t chunk, struct chunk_view *ret);
void chunk_put(struct chunk_view *v);

/* Has a worker decode the chunk's frame, if it is not there and there is room
 * in the queue. Never blocks on anything but a place lookup. */
void chunk_prefetch(struct store *s, uint64_t chunk);

/* Adds `delta` to the number of extents that refer to `chunk`. INDEX held;
 * from apply only. -EUCLEAN: it would fall below 0, or no such chunk. */
int chunk_ref(struct store *s, uint64_t chunk, int64_t delta);

#endif
