/* SPDX-License-Identifier: MIT */
/*
 * pending.c - growing arrays, and maps into them.
 */
#include "store/pending.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

enum { CAP_MIN = 256 };

void pending_init(struct pending *p)
{
	*p = (struct pending){ .n_frames = 0 };
	idmap_init(&p->by_id);
	idmap_init(&p->by_move);
	idmap_init(&p->by_key);
	idmap_init(&p->by_base);
}

void pending_release(struct pending *p)
{
	free(p->frames);
	free(p->chunks);
	free(p->moves);
	free(p->bases);
	idmap_release(&p->by_id);
	idmap_release(&p->by_move);
	idmap_release(&p->by_key);
	idmap_release(&p->by_base);
	pending_init(p);
}

/* Room for `n` items of `size` bytes in all. */
static int grow(void **items, size_t *cap, size_t n, size_t size)
{
	size_t want = *cap > CAP_MIN ? *cap : CAP_MIN;
	void *wider;

	if (n <= *cap)
		return 0;
	while (want < n)
		want *= 2;
	wider = realloc(*items, want * size);
	if (!wider)
		return -ENOMEM;
	*items = wider;
	*cap = want;
	return 0;
}

/* Room for a frame and its parts. */
static int reserve(struct pending *p, const struct pending_frame *frame)
{
	void *frames = p->frames;
	void *chunks = p->chunks;
	void *moves = p->moves;
	void *bases = p->bases;
	int rc = grow(&frames, &p->cap_frames, p->n_frames + 1,
		      sizeof(*p->frames));

	p->frames = frames;
	if (rc == 0)
		rc = grow(&chunks, &p->cap_chunks,
			  p->n_chunks + frame->n_chunks, sizeof(*p->chunks));
	p->chunks = chunks;
	if (rc == 0 && frame->n_moves > 0)
		rc = grow(&moves, &p->cap_moves, p->n_moves + frame->n_moves,
			  sizeof(*p->moves));
	p->moves = moves;
	if (rc == 0)
		rc = grow(&bases, &p->cap_bases, p->n_bases + frame->n_bases,
			  sizeof(*p->bases));
	p->bases = bases;
	return rc;
}

uint64_t pending_base_refs(const struct pending *p, uint64_t chunk)
{
	const uint64_t *n = idmap_find(&p->by_base, chunk);

	return n ? *n : 0;
}

/* Counts `n` bases, all or none. */
static int count_bases(struct pending *p, const uint64_t *bases, size_t n)
{
	size_t i;
	int rc = 0;

	assert(bases || n == 0);
	for (i = 0; rc == 0 && i < n; i++)
		rc = idmap_set(&p->by_base, bases[i],
			       pending_base_refs(p, bases[i]) + 1);
	if (rc == 0)
		return 0;
	/* The last one was not counted. A key that is there needs no room. */
	for (n = i - 1, i = 0; i < n; i++)
		--*idmap_find(&p->by_base, bases[i]);
	return rc;
}

/* Room for the moves in their map. */
static int reserve_moves(struct pending *p, const struct pending_chunk *moves,
			 size_t n)
{
	size_t i;
	int rc = 0;

	for (i = 0; rc == 0 && i < n; i++) {
		if (!idmap_find(&p->by_move, moves[i].id))
			rc = idmap_set(&p->by_move, moves[i].id, 0);
	}
	return rc;
}

/* A move of the frame that is being added; there is room for it. */
static void add_move(struct pending *p, const struct pending_chunk *move,
		     uint64_t frame)
{
	uint64_t *at = idmap_find(&p->by_move, move->id);

	assert(at);
	p->moves[p->n_moves] = *move;
	p->moves[p->n_moves++].frame = p->n_frames;
	/* Frames are told of in any order. */
	if (*at == 0 || p->frames[p->moves[*at - 1].frame].place.frame < frame)
		*at = p->n_moves;
}

int pending_add(struct pending *p, const struct pending_frame *frame,
		const struct pending_parts *parts)
{
	const struct pending_chunk *chunks = parts->chunks;
	size_t i;
	int rc = reserve(p, frame);

	assert(chunks || frame->n_chunks == 0);
	assert(parts->moves || frame->n_moves == 0);
	assert(parts->bases || frame->n_bases == 0);
	for (i = 0; rc == 0 && i < frame->n_chunks; i++) {
		rc = idmap_set(&p->by_id, chunks[i].id, p->n_chunks + i + 1);
		if (rc == 0)
			rc = idmap_set(&p->by_key, chunks[i].key, chunks[i].id);
	}
	if (rc == 0)
		rc = reserve_moves(p, parts->moves, frame->n_moves);
	if (rc == 0)
		rc = count_bases(p, parts->bases, frame->n_bases);
	if (rc < 0) {
		/* An index past the end is "not here"; see pending_find(). */
		return rc;
	}
	p->frames[p->n_frames] = *frame;
	for (i = 0; i < frame->n_moves; i++)
		add_move(p, &parts->moves[i], frame->place.frame);
	for (i = 0; i < frame->n_chunks; i++) {
		p->chunks[p->n_chunks] = chunks[i];
		p->chunks[p->n_chunks++].frame = p->n_frames;
		p->raw_len += chunks[i].len;
	}
	if (frame->n_bases > 0)
		memcpy(p->bases + p->n_bases, parts->bases,
		       frame->n_bases * sizeof(*parts->bases));
	p->n_bases += frame->n_bases;
	p->n_frames++;
	return 0;
}

struct pending_chunk *pending_find(const struct pending *p, uint64_t chunk)
{
	const uint64_t *at = idmap_find(&p->by_id, chunk);

	if (!at || *at > p->n_chunks || p->chunks[*at - 1].id != chunk)
		return NULL;
	return &p->chunks[*at - 1];
}

const struct pending_frame *pending_newest(const struct pending *p,
					   uint64_t chunk)
{
	const struct pending_chunk *c = pending_find(p, chunk);
	const uint64_t *move = idmap_find(&p->by_move, chunk);
	const struct pending_frame *born = c ? &p->frames[c->frame] : NULL;
	const struct pending_frame *moved;

	if (!move || *move == 0)
		return born;
	moved = &p->frames[p->moves[*move - 1].frame];
	return born && born->place.frame > moved->place.frame ? born : moved;
}

/* Those frames that lie behind `seq`, or those that do not, into `to`. */
static int copy(const struct pending *p, uint64_t seq, bool behind,
		struct pending *to)
{
	struct pending_parts parts = { p->chunks, p->moves, p->bases };
	size_t i;
	int rc = 0;

	for (i = 0; rc == 0 && i < p->n_frames; i++) {
		const struct pending_frame *f = &p->frames[i];

		if ((f->place.frame > seq) == behind)
			rc = pending_add(to, f, &parts);
		if (parts.chunks)
			parts.chunks += f->n_chunks;
		if (parts.moves)
			parts.moves += f->n_moves;
		if (parts.bases)
			parts.bases += f->n_bases;
	}
	return rc;
}

int pending_split(struct pending *p, uint64_t seq, struct pending *later)
{
	struct pending keep;
	size_t i = 0;
	int rc;

	while (i < p->n_frames && p->frames[i].place.frame <= seq)
		i++;
	if (i == p->n_frames)
		return 0;
	pending_init(&keep);
	rc = copy(p, seq, true, later);
	if (rc == 0)
		rc = copy(p, seq, false, &keep);
	if (rc < 0) {
		pending_release(&keep);
		pending_release(later);
		return rc;
	}
	pending_release(p);
	*p = keep;
	return 0;
}
