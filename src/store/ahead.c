/* SPDX-License-Identifier: MIT */
/*
 * ahead.c - runs of frames, and the jobs that read and decode them.
 */
#include "store/ahead.h"

#include "base/io.h"
#include "store/chunk.h"
#include "store/state.h"

#include <stdlib.h>

enum {
	RUN_FRAMES = 16,
	RUN_LEN = 192 << 10,  /* bytes of the log, read at once */
	RUN_WASTE = 16 << 10, /* of them, that lie between the frames */
};

struct ahead_run {
	struct work work;
	struct store *s;
	unsigned turn; /* store_enter() */
	bool long_stream;
	uint64_t from; /* in the segment */
	uint64_t to;
	uint64_t used; /* bytes of the frames */
	size_t n;
	struct bank_memory frames[RUN_FRAMES];
};

/* ---- the job --------------------------------------------------------------- */

/* Reads the run into `b`, whole pages of it. A page that two runs share may be in
 * the system's cache for one that was read in the common way. */
static int read_pages(const struct ahead_run *r, struct segment *seg,
		      struct buffer *b, struct span *ret)
{
	uint64_t from = io_page_down(r->from);
	size_t len = (size_t)(io_page_up(r->to) - from);
	size_t need = (size_t)(r->to - from);
	ssize_t n = 0;
	uint8_t *dst;
	int rc;

	buffer_clear(b);
	rc = buffer_reserve(b, len + IO_PAGE_LEN);
	if (rc < 0)
		return rc;
	dst = b->data + (io_page_up((uintptr_t)b->data) - (uintptr_t)b->data);
	if (r->long_stream && !io_is_cached(seg->fd, from, len))
		n = segments_read_past(r->s->segments, seg, dst, len, from);
	if (n < (ssize_t)need)
		n = io_pread(seg->fd, dst, len, from);
	if (n < (ssize_t)need)
		return n < 0 ? (int)n : -EUCLEAN;
	*ret = span_of(dst + (r->from - from), (size_t)(r->to - r->from));
	return 0;
}

static void decode_run(const struct ahead_run *r, struct context *x,
		       const struct segment *seg, struct span bytes)
{
	struct chunk_record record = { .segment = seg, .context = x };

	for (size_t i = 0; i < r->n; i++) {
		const struct frame_place *place = &r->frames[i].place;

		if (cache_has(r->s->cache, place->frame))
			continue;
		record.bytes = span_of(bytes.ptr + (place->off - r->from),
				       frame_place_len(place));
		chunk_decode(r->s, &r->frames[i], &record);
	}
}

/* Somebody may have been quicker. */
static bool is_wanted(const struct ahead_run *r)
{
	for (size_t i = 0; i < r->n; i++)
		if (!cache_has(r->s->cache, r->frames[i].place.frame))
			return true;
	return false;
}

static void read_run(const struct ahead_run *r, struct context *x)
{
	uint64_t number = r->frames[0].place.segment;
	struct span bytes = { NULL, 0 };
	struct segment *seg;

	if (!is_wanted(r))
		return;
	/* It may be in a buffer still. */
	if (r->s->log && log_written(r->s->log, number, r->to) < 0)
		return;
	if (segments_get(r->s->segments, number, &seg) < 0)
		return;
	if (read_pages(r, seg, &x->payload, &bytes) == 0)
		decode_run(r, x, seg, bytes);
	segments_put(r->s->segments, seg);
}

static void run_free(struct ahead_run *r)
{
	store_leave(r->s, r->turn);
	free(r);
}

static void run_serve(struct work *w, unsigned worker)
{
	struct ahead_run *r = (struct ahead_run *)w;
	struct context *x = context_get(r->s->contexts);

	(void)worker;
	if (x) {
		read_run(r, x);
		context_put(r->s->contexts, x);
	}
	run_free(r);
}

/* ---- gathering ------------------------------------------------------------- */

void ahead_begin(struct ahead *a, struct store *s, bool long_stream)
{
	*a = (struct ahead){ .store = s, .long_stream = long_stream };
}

static void submit(struct ahead *a)
{
	struct ahead_run *r = a->run;

	a->run = NULL;
	if (r && !workers_try_submit(a->store->prefetchers, &r->work))
		run_free(r);
}

static bool fits(const struct ahead_run *r, const struct frame_place *place)
{
	uint64_t from = min_u64(r->from, place->off);
	uint64_t to = max_u64(r->to, place->off + frame_place_len(place));

	return r->n < RUN_FRAMES &&
	       r->frames[0].place.segment == place->segment &&
	       to - from <= RUN_LEN &&
	       to - from <= r->used + frame_place_len(place) + RUN_WASTE;
}

static struct ahead_run *run_new(const struct ahead *a,
				 const struct frame_place *place)
{
	struct ahead_run *r = malloc(sizeof(*r));

	if (!r)
		return NULL;
	r->work = (struct work){ run_serve, NULL };
	r->s = a->store;
	r->turn = store_enter(a->store);
	r->long_stream = a->long_stream;
	r->from = place->off;
	r->to = place->off;
	r->used = 0;
	r->n = 0;
	return r;
}

static void add_frame(struct ahead *a, const struct bank_memory *frame)
{
	const struct frame_place *place = &frame->place;
	struct ahead_run *r = a->run;

	if (r && !fits(r, place))
		submit(a);
	if (!a->run)
		a->run = run_new(a, place);
	r = a->run;
	if (!r)
		return;
	r->from = min_u64(r->from, place->off);
	r->to = max_u64(r->to, place->off + frame_place_len(place));
	r->used += frame_place_len(place);
	r->frames[r->n++] = *frame;
}

/* What the index says may be anything. */
static bool is_sound(const struct frame_place *place)
{
	return place->payload_len <= RECORD_PAYLOAD_MAX &&
	       place->off <= INT64_MAX / 2;
}

void ahead_add(struct ahead *a, uint64_t chunk)
{
	struct bank_memory frame = { .moment = bank_moment(a->store->bank) };
	struct frame_place *place = &frame.place;

	if (chunk_locate(a->store, chunk, place) < 0)
		return;
	/* The chunks of a frame mostly come one after the other, and short reads
	 * come to the same chunk many times. */
	if (atomic_exchange(&a->store->prefetched, place->frame) ==
	    place->frame)
		return;
	if (is_sound(place) && !cache_has(a->store->cache, place->frame))
		add_frame(a, &frame);
}

void ahead_end(struct ahead *a)
{
	submit(a);
}
