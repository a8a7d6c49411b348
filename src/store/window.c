/* SPDX-License-Identifier: MIT */
/* window.c - walks chunks, and takes in the frames that they lie in. */
#include "store/window.h"

#include "store/chunk.h"
#include "store/state.h"
#include "stream/record_format.h"

#include <stdlib.h>

enum {
	CHUNKS_FIRST = 1024,
	CHUNKS_MAX = 1 << 18, /* 30 MiB of memory, or twice that */
	SEEN_MAX = 1 << 18,
	HOPELESS_SHIFT = 5, /* less than 1/32 saved: it does not compress */
	HOPELESS_LEN_MIN = 4 << 10,
};

void window_init(struct window *w)
{
	*w = (struct window){ .chunks = NULL };
	idmap_init(&w->seen);
}

void window_release(struct window *w)
{
	free(w->chunks);
	free(w->homes);
	free(w->moved);
	free(w->frames);
	idmap_release(&w->seen);
	window_init(w);
}

uint32_t window_record_len(size_t payload_len)
{
	return (uint32_t)(RECORD_HEADER_LEN + payload_len + 7) & ~UINT32_C(7);
}

/* Room for one more chunk and one more frame. */
static int grow(struct window *w)
{
	size_t cap = w->cap_chunks ? w->cap_chunks * 2 : CHUNKS_FIRST;
	void *more;

	if (w->n_chunks == w->cap_chunks) {
		more = reallocarray(w->chunks, cap, sizeof(*w->chunks));
		if (!more)
			return -ENOMEM;
		w->chunks = more;
		more = reallocarray(w->homes, cap, sizeof(*w->homes));
		if (!more)
			return -ENOMEM;
		w->homes = more;
		w->cap_chunks = cap;
	}
	if (w->n_frames < w->cap_frames)
		return 0;
	cap = w->cap_frames ? w->cap_frames * 2 : CHUNKS_FIRST;
	more = reallocarray(w->frames, cap, sizeof(*w->frames));
	if (!more)
		return -ENOMEM;
	w->frames = more;
	w->cap_frames = cap;
	return 0;
}

/* -ENOENT: it is in no frame. */
static int locate(struct store *s, uint64_t chunk, struct frame_place *ret)
{
	int rc = 0;

	if (bank_locate(s->bank, chunk, ret))
		return 0;
	index_lock(s);
	rc = bank_load(s->bank, chunk, ret);
	index_unlock(s);
	return rc;
}

/* 1: the frame is to be optimised. What the index does not know yet is new. */
static int is_wanted(struct window *w, struct store *s,
		     const struct window_limits *limits,
		     const struct frame_place *place)
{
	struct bank_frame_row row = { .raw_len = 0 };
	uint32_t most;
	int rc;

	index_lock(s);
	rc = bank_frame_row(s->bank, place->frame, &row);
	index_unlock(s);
	if (rc < 0)
		return rc == -ENOENT ? 1 : rc;
	most = row.raw_len < HOPELESS_LEN_MIN
		       ? UINT32_MAX
		       : row.raw_len - (row.raw_len >> HOPELESS_SHIFT);
	if (row.raw_len <= limits->done_len && place->payload_len < most)
		return 1;
	w->passed_len += row.live_len;
	w->passed_stored_len += window_record_len(place->payload_len);
	return 0;
}

/* Whether somebody needs the chunk, and finds it in this frame. INDEX held. */
static int is_live(struct store *s, uint64_t chunk, uint64_t frame)
{
	struct frame_place place = { .frame = 0 };
	uint64_t refs = 0;
	int rc = bank_load(s->bank, chunk, &place);

	if (rc == 0)
		rc = bank_refs(s->bank, chunk, &refs);
	if (rc == -ENOENT)
		return 0;
	return rc < 0 ? rc : refs > 0 && place.frame == frame;
}

static int add_chunk(struct window *w, const struct cached *frame, size_t i)
{
	const struct cached_chunk *c = &frame->chunks[i];
	struct span bytes = span_of(frame->raw + c->off, c->len);
	struct layout_chunk *next;
	int rc = grow(w);

	if (rc < 0)
		return rc;
	next = &w->chunks[w->n_chunks];
	*next = (struct layout_chunk){ .id = c->id, .len = c->len };
	next->kind = layout_kind(bytes);
	next->has_sketch = sketch_make(bytes, &next->sketch);
	w->homes[w->n_chunks++] = (uint32_t)w->n_frames;
	w->live_len += c->len;
	w->frames[w->n_frames].live_len += c->len;
	return 0;
}

/* Which chunks of the frame are live: the index is asked for all at once. */
static int find_live(struct store *s, const struct cached *frame,
		     uint64_t number, bool *live)
{
	size_t i;
	int rc = 0;

	index_lock(s);
	for (i = 0; rc >= 0 && i < frame->n_chunks; i++) {
		rc = is_live(s, frame->chunks[i].id, number);
		live[i] = rc == 1;
	}
	index_unlock(s);
	return rc < 0 ? rc : 0;
}

static int add_frame(struct window *w, struct store *s,
		     const struct frame_place *place,
		     const struct cached *frame)
{
	bool *live = calloc(frame->n_chunks, sizeof(*live));
	struct window_frame *next;
	size_t i;
	int rc = live ? grow(w) : -ENOMEM;

	if (rc == 0)
		rc = find_live(s, frame, place->frame, live);
	if (rc < 0) {
		free(live);
		return rc;
	}
	next = &w->frames[w->n_frames];
	*next = (struct window_frame){
		.frame = place->frame,
		.stored_len = window_record_len(place->payload_len),
	};
	for (i = 0; rc == 0 && i < frame->n_chunks; i++) {
		if (live[i])
			rc = add_chunk(w, frame, i);
	}
	free(live);
	next = &w->frames[w->n_frames];
	next->live_left = next->live_len;
	if (next->live_len > 0) {
		w->stored_len += next->stored_len;
		w->n_frames++;
	}
	return rc;
}

static int consider(struct window *w, struct store *s,
		    const struct window_limits *limits, uint64_t chunk)
{
	struct frame_place place = { .frame = 0 };
	struct cached *frame = NULL;
	int rc = locate(s, chunk, &place);

	if (rc == -ENOENT)
		return 0;
	if (rc < 0 || place.frame > limits->last_frame ||
	    idmap_find(&w->seen, place.frame) ||
	    (limits->vain && idmap_find(limits->vain, place.frame)))
		return rc;
	rc = idmap_set(&w->seen, place.frame, 1);
	if (rc == 0)
		rc = is_wanted(w, s, limits, &place);
	if (rc != 1)
		return rc;
	rc = chunk_get_frame(s, &place, &frame);
	/* What is damaged stays where it is; it has been told. */
	if (rc < 0)
		return rc == -ENOMEM ? rc : 0;
	rc = add_frame(w, s, &place, frame);
	cache_put(frame);
	return rc;
}

/* ---- order ---------------------------------------------------------------- */

struct pair {
	struct layout_chunk chunk;
	uint32_t home;
};

static int compare_pairs(const void *a, const void *b)
{
	const struct pair *x = a;
	const struct pair *y = b;

	return x->chunk.id < y->chunk.id ? -1 : x->chunk.id > y->chunk.id;
}

static int sort(struct window *w)
{
	struct pair *pairs = calloc(w->n_chunks, sizeof(*pairs));
	size_t i;

	if (!pairs)
		return -ENOMEM;
	for (i = 0; i < w->n_chunks; i++)
		pairs[i] = (struct pair){ w->chunks[i], w->homes[i] };
	qsort(pairs, w->n_chunks, sizeof(*pairs), compare_pairs);
	for (i = 0; i < w->n_chunks; i++) {
		w->chunks[i] = pairs[i].chunk;
		w->homes[i] = pairs[i].home;
	}
	free(pairs);
	return 0;
}

/* All chunks are there. */
static int complete(struct window *w)
{
	if (w->n_chunks == 0)
		return 0;
	w->moved = calloc(w->n_chunks, sizeof(*w->moved));
	return w->moved ? sort(w) : -ENOMEM;
}

int window_fill(struct window *w, struct store *s,
		const struct window_limits *limits, window_source *next,
		void *ctx)
{
	size_t n_max = limits->n_chunks > 0 && limits->n_chunks < CHUNKS_MAX
			       ? limits->n_chunks
			       : CHUNKS_MAX;
	uint64_t chunk = 0;
	int rc = 0;
	int more = 1;

	while (rc == 0 && w->live_len < limits->live_len &&
	       w->n_chunks < n_max && w->seen.n_used < SEEN_MAX) {
		more = next(ctx, &chunk);
		if (more != 1)
			break;
		rc = consider(w, s, limits, chunk);
	}
	if (rc == 0 && more >= 0)
		rc = complete(w);
	return rc < 0 ? rc : more;
}

/* ---- accounts ------------------------------------------------------------- */

uint64_t window_share(const struct window *w, size_t chunk)
{
	const struct window_frame *f = &w->frames[w->homes[chunk]];

	return (uint64_t)f->stored_len * w->chunks[chunk].len / f->live_len;
}

uint64_t window_moved(struct window *w, size_t chunk)
{
	struct window_frame *f = &w->frames[w->homes[chunk]];

	w->moved[chunk] = true;
	f->live_left -= w->chunks[chunk].len;
	return f->live_left == 0 ? f->stored_len : 0;
}

void window_stays(struct window *w, size_t chunk)
{
	w->frames[w->homes[chunk]].tried_len += w->chunks[chunk].len;
}

int window_note_vain(const struct window *w, size_t max, struct idmap *vain)
{
	size_t i;
	int rc = 0;

	for (i = 0; rc == 0 && i < w->n_frames && vain->n_used < max; i++) {
		const struct window_frame *f = &w->frames[i];

		if (f->tried_len == f->live_len && f->live_left == f->live_len)
			rc = idmap_set(vain, f->frame, 1);
	}
	return rc;
}

bool window_leave_rest(struct window *w)
{
	size_t n = 0;
	size_t i;

	w->live_len = 0;
	for (i = 0; i < w->n_chunks; i++) {
		const struct window_frame *f = &w->frames[w->homes[i]];

		if (w->moved[i] || f->live_left == f->live_len)
			continue;
		w->live_len += w->chunks[i].len;
		w->chunks[n] = w->chunks[i];
		w->homes[n++] = w->homes[i];
	}
	w->n_chunks = n;
	for (i = 0; i < n; i++)
		w->moved[i] = false;
	for (i = 0; i < w->n_frames; i++) {
		struct window_frame *f = &w->frames[i];

		if (f->live_left < f->live_len)
			f->tried_len = 0;
		f->live_len = f->live_left;
	}
	return n > 0;
}
