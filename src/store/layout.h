/* SPDX-License-Identifier: MIT */
/*
 * layout.h - which chunks are best encoded together, in which order.
 *
 * Chunks of one kind of content stay in the order of their ids, which is that
 * of files and of the time of writing: neighbours are alike. Chunks that are
 * similar, as versions of a file are, move together, behind the first of them.
 * Pure.
 */
#ifndef STORE_LAYOUT_H
#define STORE_LAYOUT_H

#include "codec/sketch.h"
#include "codec/sniff.h"

struct layout_chunk {
	uint64_t id;
	uint32_t len; /* raw, at least 1 */
	bool has_sketch;
	uint16_t kind; /* layout_kind() */
	struct sketch sketch;
};

/* Frames of the layout are no longer than this. */
struct layout_limits {
	size_t frame_len;   /* raw */
	size_t cluster_len; /* raw, of similar chunks */
};

struct layout_frame {
	size_t first; /* in layout.order */
	size_t n;
	size_t raw_len;
	size_t n_alike; /* chunks of the cluster that has most of them here */
};

struct layout {
	uint32_t *order; /* owned: indexes of chunks, frame by frame */
	size_t n_chunks;
	struct layout_frame *frames; /* owned */
	size_t n_frames;
	size_t n_clusters; /* of two chunks and more */
};

/* Chunks of different kinds are never put together. */
uint16_t layout_kind(struct span bytes);

/*
 * Lays out all of `chunks` (at most UINT32_MAX), whose ids are all different
 * and ascend. Each is in one frame. A chunk longer than a limit has a frame of
 * its own. -ENOMEM.
 */
int layout_make(const struct layout_chunk *chunks, size_t n,
		const struct layout_limits *limits, struct layout *ret);
void layout_release(struct layout *l);

#endif
