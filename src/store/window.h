/* SPDX-License-Identifier: MIT */
/*
 * window.h - a part of the store that is optimised together: its live chunks,
 * and the frames that they lie in.
 *
 * Whole frames only: a frame that keeps one live chunk keeps all of its bytes.
 * One thread. What a window says of a frame may be out of date at once; bytes
 * never are, for chunks do not change.
 */
#ifndef STORE_WINDOW_H
#define STORE_WINDOW_H

#include "base/idmap.h"
#include "store/layout.h"

struct store;

/* A frame as it is. */
struct window_frame {
	uint64_t frame;
	uint32_t stored_len; /* of its record */
	uint32_t live_len;   /* raw, of the window's chunks in it */
	uint32_t live_left;  /* of these, what has not moved */
	uint32_t tried_len;  /* and what was tried and stays */
};

struct window {
	struct layout_chunk *chunks; /* owned; ids ascend */
	uint32_t *homes;             /* owned; of each chunk, into frames */
	bool *moved;                 /* owned; which chunks lie elsewhere now */
	size_t n_chunks;
	size_t cap_chunks;
	struct window_frame *frames; /* owned */
	size_t n_frames;
	size_t cap_frames;
	struct idmap seen;   /* frames, those that are not wanted as well */
	uint64_t live_len;   /* raw, of all chunks */
	uint64_t stored_len; /* of all frames */
	/* The same of frames that stay as they are. */
	uint64_t passed_len;
	uint64_t passed_stored_len;
};

/* What a window takes in. */
struct window_limits {
	uint64_t live_len; /* raw bytes, about */
	size_t n_chunks;   /* about; 0, or too many: as many as there may be */
	uint64_t last_frame;      /* newer frames stay as they are */
	uint32_t done_len;        /* so do longer ones: they were optimised */
	const struct idmap *vain; /* and these; NULL: none */
};

void window_init(struct window *w);
void window_release(struct window *w);

/* Bytes that a record of this payload takes in the log. */
uint32_t window_record_len(size_t payload_len);

/*
 * Gives the next chunk of a walk: 1; 0: that was the last one. May block, no
 * lock is held. A failure ends the walk and is handed on.
 */
typedef int window_source(void *ctx, uint64_t *ret_chunk);

/*
 * Fills an empty window from the source until it is full (1) or the source is
 * dry (0). Frames that cannot be read, were optimised, or do not compress are
 * left out. Decodes all frames: blocks for disk. -ENOMEM, those of the index
 * and of the source.
 */
int window_fill(struct window *w, struct store *s,
		const struct window_limits *limits, window_source *next,
		void *ctx);

/* A chunk's share of what its frame takes in the log. The shares of all chunks of
 * a frame are its whole length, or a few bytes less. */
uint64_t window_share(const struct window *w, size_t chunk);

/* The chunk lies elsewhere now. Returns what that has freed: bytes of the log, 0
 * as long as its frame has other live chunks. */
uint64_t window_moved(struct window *w, size_t chunk);

/* The chunk was tried, and stays. */
void window_stays(struct window *w, size_t chunk);

/* Adds the frames that were tried as a whole and of which nothing moves, while
 * there is room for `max`. -ENOMEM. */
int window_note_vain(const struct window *w, size_t max, struct idmap *vain);

/*
 * Leaves nothing but the chunks that have to move for a frame to go of which
 * others have moved. Their shares are then of all that the frame takes. False:
 * there are none.
 */
bool window_leave_rest(struct window *w);

#endif
