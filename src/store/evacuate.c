/* SPDX-License-Identifier: MIT */
/*
 * evacuate.c - walks the frames of a segment, twice.
 *
 * Frames are numbered as they follow each other in the log, so those of a segment
 * are a range of rows.
 */
#include "store/evacuate.h"

#include "base/clock.h"
#include "store/chunk.h"
#include "store/drop.h"
#include "store/library.h"
#include "store/maintain.h"
#include "store/rewrite.h"
#include "store/state.h"

#include <stdlib.h>

/* The next row of the segment. 1; 0: there is none. */
static int next_row(struct store *s, uint64_t segment, uint64_t after,
		    struct bank_frame_row *ret)
{
	int rc;

	index_lock(s);
	rc = bank_next_frame(s->bank, after, ret);
	index_unlock(s);
	return rc == 1 ? ret->place.segment == segment : rc;
}

static int next_frame(struct store *s, uint64_t segment, uint64_t after,
		      struct frame_place *ret)
{
	struct bank_frame_row row;
	int rc = next_row(s, segment, after, &row);

	if (rc == 1)
		*ret = row.place;
	return rc;
}

/* The sequence right before the segment's first record. */
static int find_start(struct store *s, uint64_t segment, uint64_t *ret)
{
	struct segment *file = NULL;
	int rc = segments_get(s->segments, segment, &file);

	if (rc < 0)
		return rc;
	*ret = file->header.first_seq - 1;
	segments_put(s->segments, file);
	return 0;
}

/* Codebooks whose record lies in the segment are written anew. */
static int move_codebooks(struct store *s, struct evacuation *e)
{
	struct codebook_row row = { .id = 0 };
	int rc;

	while ((rc = library_next(s, row.id, &row)) == 1) {
		if (row.place.segment != e->segment)
			continue;
		if (!space_has(s, row.payload_len, true))
			return -ENOSPC;
		rc = library_rewrite(s, &row);
		if (rc < 0)
			return rc;
		e->moved += row.payload_len;
	}
	return rc;
}

static int move_frames(struct store *s, struct evacuation *e)
{
	struct frame_place place = { .frame = 0 };
	uint64_t begun;
	ssize_t n;
	int rc = find_start(s, e->segment, &place.frame);

	while (rc >= 0 &&
	       (rc = next_frame(s, e->segment, place.frame, &place)) == 1) {
		begun = clock_mono_ns();
		n = rewrite_frame(s, &place);
		if (n < 0)
			return (int)n;
		e->n_moved += n > 0;
		e->moved += (uint64_t)n;
		if (!maintain_pause(s, (clock_mono_ns() - begun) * e->rest))
			return -ECANCELED;
	}
	return rc;
}

int evacuate_live(struct store *s, struct evacuation *e)
{
	int rc = move_frames(s, e);

	return rc < 0 ? rc : move_codebooks(s, e);
}

/* ---- what is dead ----------------------------------------------------------- */

/* The chunks that the frame still holds, of those in its table. 1: one of them
 * lives. INDEX is held. */
static int list_dead(struct store *s, const struct frame_view *view,
		     struct frame_chunk *chunks, struct frame_drop *ret)
{
	struct frame_cursor cursor;
	struct frame_chunk chunk;
	struct bank_chunk row = { .id = 0 };
	int rc;

	frame_walk(view, &cursor);
	while (frame_next(&cursor, &chunk)) {
		rc = bank_chunk(s->bank, chunk.id, &row);
		if (rc == -ENOENT || (rc == 0 && row.frame != ret->frame))
			continue;
		if (rc < 0 || row.refs > 0)
			return rc < 0 ? rc : 1;
		chunks[ret->n++] = chunk;
	}
	return 0;
}

/* In one transaction: nobody refers to the chunks in between. */
static int drop_with(struct store *s, const struct frame_view *view,
		     struct frame_chunk *chunks, uint64_t frame)
{
	struct frame_drop drop = { .frame = frame, .chunks = chunks };
	int rc = txn_begin(s);

	if (rc < 0)
		return rc;
	rc = list_dead(s, view, chunks, &drop);
	if (rc == 0)
		rc = drop_frame(s, &drop);
	txn_end(s);
	return rc;
}

static int drop_one(struct store *s, struct context *x,
		    const struct frame_place *place)
{
	struct frame_view view = { .n_chunks = 0 };
	struct frame_chunk *chunks;
	int rc = chunk_read_frame(s, x, place, &view);

	if (rc < 0)
		return rc;
	chunks = calloc(view.n_chunks, sizeof(*chunks));
	if (!chunks)
		return -ENOMEM;
	rc = drop_with(s, &view, chunks, place->frame);
	free(chunks);
	return rc;
}

static int drop_frames(struct store *s, struct context *x, struct evacuation *e)
{
	struct frame_place place = { .frame = 0 };
	bool stays = false;
	uint64_t begun;
	int rc = find_start(s, e->segment, &place.frame);

	while (rc >= 0 &&
	       (rc = next_frame(s, e->segment, place.frame, &place)) == 1) {
		begun = clock_mono_ns();
		rc = drop_one(s, x, &place);
		stays |= rc == 1;
		if (rc >= 0 &&
		    !maintain_pause(s, (clock_mono_ns() - begun) * e->rest))
			rc = -ECANCELED;
	}
	return rc < 0 ? rc : stays;
}

int evacuate_dead(struct store *s, struct evacuation *e)
{
	struct context *x = context_get(s->contexts);
	int rc;

	if (!x)
		return -ENOMEM;
	rc = drop_frames(s, x, e);
	context_put(s->contexts, x);
	return rc;
}

/* ---- dead deltas -------------------------------------------------------------- */

int evacuate_note(struct store *s, uint64_t segment, struct noted_frames *ret)
{
	struct bank_frame_row row = { .raw_len = 0 };
	int rc = find_start(s, segment, &row.place.frame);

	while (rc >= 0 && ret->n < EVACUATE_NOTED_MAX &&
	       (rc = next_row(s, segment, row.place.frame, &row)) == 1) {
		if (row.kind == ENCODE_DELTA && row.live_len == 0)
			ret->places[ret->n++] = row.place;
	}
	return rc < 0 ? rc : 0;
}

int evacuate_noted(struct store *s, const struct noted_frames *noted)
{
	struct context *x = context_get(s->contexts);
	size_t i;
	int rc = 0;

	if (!x)
		return -ENOMEM;
	for (i = 0; rc >= 0 && i < noted->n; i++) {
		rc = drop_one(s, x, &noted->places[i]);
		if (rc >= 0 && !maintain_pause(s, 0))
			rc = -ECANCELED;
	}
	context_put(s->contexts, x);
	return rc < 0 ? rc : 0;
}
