/* SPDX-License-Identifier: MIT */
/*
 * pending.h - frames and chunks that the index does not hold yet.
 *
 * A chunk that may have had a frame before is a *move*: it has no count of its
 * own here, and there may be several of one chunk, of which the one in the newest
 * frame is found.
 * Part of the bank, which locks.
 */
#ifndef STORE_PENDING_H
#define STORE_PENDING_H

#include "base/idmap.h"
#include "codec/encode.h"
#include "stream/frame.h"
#include "stream/record_format.h"

/* Where a frame's record lies, and what it is. */
struct frame_place {
	uint64_t frame; /* the record's sequence; 0: none */
	uint64_t segment;
	uint64_t off; /* of the record's header */
	uint32_t payload_len;
};

/* Bytes of the record, without padding. */
static inline size_t frame_place_len(const struct frame_place *p)
{
	return RECORD_HEADER_LEN + (size_t)p->payload_len;
}

struct pending_frame {
	struct frame_place place;
	uint32_t raw_len;
	uint32_t n_chunks; /* new ones */
	uint32_t n_moves;
	uint32_t n_bases;
	uint64_t codebook; /* 0: none */
	enum encode_kind kind;
};

struct pending_chunk {
	uint64_t id;
	uint64_t key;  /* of its content; bank_key() */
	size_t frame;  /* index into frames */
	uint64_t refs; /* of a move: 0 */
	uint32_t len;  /* raw */
};

struct pending {
	struct pending_frame *frames; /* owned */
	struct pending_chunk *chunks; /* owned */
	struct pending_chunk *moves;  /* owned */
	uint64_t *bases;              /* owned; chunks that deltas refer to */
	size_t n_frames;
	size_t n_chunks;
	size_t n_moves;
	size_t n_bases;
	size_t cap_frames;
	size_t cap_chunks;
	size_t cap_moves;
	size_t cap_bases;
	uint64_t raw_len;     /* of all new chunks */
	struct idmap by_id;   /* chunk id -> index into chunks, + 1 */
	struct idmap by_move; /* chunk id -> index into moves, + 1; 0: none */
	struct idmap by_key;  /* content key -> chunk id */
	struct idmap by_base; /* chunk id -> how often it is in bases */
};

void pending_init(struct pending *p);
void pending_release(struct pending *p);

/* What comes with a frame, as long as it says. */
struct pending_parts {
	const struct pending_chunk *chunks; /* new ones */
	const struct pending_chunk *moves;
	const uint64_t *bases;
};

/* All or nothing. -ENOMEM. */
int pending_add(struct pending *p, const struct pending_frame *frame,
		const struct pending_parts *parts);

/* How many deltas of these frames have the chunk as their base. */
uint64_t pending_base_refs(const struct pending *p, uint64_t chunk);

/* A new chunk. NULL: not here. Valid until the next change. */
struct pending_chunk *pending_find(const struct pending *p, uint64_t chunk);

/* The newest frame here that has the chunk; NULL as above. */
const struct pending_frame *pending_newest(const struct pending *p,
					   uint64_t chunk);

/* Moves the frames behind `seq` from `p` to the empty `later`. */
int pending_split(struct pending *p, uint64_t seq, struct pending *later);

#endif
