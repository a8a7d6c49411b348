/* SPDX-License-Identifier: MIT */
/*
 * chunk.h - raw bytes of a chunk, by its id.
 *
 * Looks the place up in the bank and has the frame decoded into the cache (or
 * finds it there). No lock may be held above INDEX: a miss takes INDEX.
 * Who has no reference on a chunk must be inside (store_enter), or it may go.
 */
#ifndef STORE_CHUNK_H
#define STORE_CHUNK_H

#include "base/bytes.h"
#include "codec/describe.h"

struct store;
struct segment;
struct bank_memory;
struct cached;
struct context;
struct frame_place;
struct frame_view;

/* A chunk's bytes, pinned in the cache. */
struct chunk_view {
	struct span bytes;     /* the whole chunk */
	struct cached *cached; /* the pin; the cache's */
};

/* Blocks for disk and decoder. -EUCLEAN: no such chunk, or damage; -EBADMSG:
 * a checksum is wrong; -EIO. */
int chunk_get(struct store *s, uint64_t chunk, struct chunk_view *ret);

/* The same for a chunk that is to be a base. -EUCLEAN also when it is, or was
 * encoded together with, a delta itself. */
int chunk_get_base(struct store *s, uint64_t chunk, struct chunk_view *ret);

/*
 * The same for who reads here and there: no more of the chunk's frame is decoded
 * and kept than it takes, unless somebody asked for a part of that frame a
 * short time ago.
 */
int chunk_get_alone(struct store *s, uint64_t chunk, struct chunk_view *ret);
void chunk_put(struct chunk_view *v);

/* Whether the frame that `v` pins holds this chunk, too; then its bytes, which stay
 * as long as the pin. */
bool chunk_beside(const struct chunk_view *v, uint64_t chunk, struct span *ret);

/* A whole frame, which cache_put() gives back. -ENOENT: its segment is gone. */
int chunk_get_frame(struct store *s, const struct frame_place *place,
		    struct cached **ret);

/* Where the chunk's frame lies. -EUCLEAN: no such chunk. */
int chunk_locate(struct store *s, uint64_t chunk, struct frame_place *ret);

/* A frame's record that has been read, but not verified. */
struct chunk_record {
	struct span bytes; /* header and payload */
	const struct segment *segment;
	struct context *context; /* to decode with; its payload stays */
};

/* Decodes a frame into the cache, unless it is there or the record is not that of
 * the place: whoever reads it tries again, and gets to know the error. */
void chunk_decode(struct store *s, const struct bank_memory *at,
		  const struct chunk_record *record);

/* Where a chunk lies and how it is encoded. */
struct chunk_description {
	uint64_t frame; /* sequence of its FRAME record, which lies at ... */
	uint64_t segment;
	uint64_t seg_off;
	size_t frame_chunks;
	size_t frame_raw_len;
	size_t frame_stored_len;
	size_t len;             /* of the chunk, raw */
	struct description how; /* the nodes that make it, and maybe others */
};

/* Reads the chunk's frame without decoding it. Errors as chunk_get(). */
int chunk_describe(struct store *s, uint64_t chunk,
		   struct chunk_description *ret);

/*
 * What one reference to the chunk counts for, in 1/1024 bytes: its part of its
 * frame's payload, by raw bytes, divided by the number of all that refer to it,
 * extents and deltas. INDEX is held. -EUCLEAN: no such chunk, or nobody refers
 * to it.
 */
int chunk_share(struct store *s, uint64_t chunk, uint64_t *ret);

/* Reads a FRAME record into x->payload, which the result lies in, without decoding
 * it. -ENOENT as above. */
int chunk_read_frame(struct store *s, struct context *x,
		     const struct frame_place *place, struct frame_view *ret);

/* Adds `delta` to the number of extents that refer to `chunk`. INDEX held;
 * from apply only. -EUCLEAN: it would fall below 0, or no such chunk. */
int chunk_ref(struct store *s, uint64_t chunk, int64_t delta);

#endif
