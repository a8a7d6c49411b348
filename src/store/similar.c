/* SPDX-License-Identifier: MIT */
/*
 * similar.c - a delta is kept where it is much smaller than anything else.
 *
 * A delta that is 20 times smaller than the bytes ends the search. Otherwise
 * they are encoded alone, as a measure; what frames make of chunks together is
 * smaller for short ones, so they have to gain more. A delta must be below 0.85
 * of that: it costs the decoding of two frames.
 *
 * In a hurry nothing is decoded and nothing measured: what has more than one
 * feature in common with a base in the cache becomes a delta in less time than
 * anything else would take.
 */
#include "store/similar.h"

#include "store/chunk.h"
#include "store/sketches.h"
#include "store/state.h"

enum {
	ENDS_SEARCH = 20,
	HURRY_RATIO = 8, /* a delta must be so much smaller */
	KEEP_PERCENT = 85,
	SHORT_LEN =
		32 << 10,   /* shorter chunks gain from their neighbours ... */
	SHORT_PERCENT = 30, /* ... so much */
};

void similar_begin(struct similar *t, struct store *s, struct context *x,
		   const struct encode_request *request, bool hurry)
{
	t->s = s;
	t->x = x;
	t->request = *request;
	t->hurry = hurry;
	t->n = 0;
	t->n_frames = 0;
	buffer_clear(&x->deltas);
}

/* Without INDEX, unless memory has forgotten what the index may know. */
static struct similar_chunk find(struct similar *t, const struct sketch *sketch)
{
	struct sketches *k = t->s->sketches;
	struct similar_chunk found = sketches_find(k, sketch);

	if (found.chunk != 0 || t->hurry || !sketches_forgot(k))
		return found;
	index_lock(t->s);
	if (sketches_find_old(k, sketch, &found) < 0)
		found.chunk = 0;
	index_unlock(t->s);
	return found;
}

/* Where the base is, if it still is: a sketch may be older than the log. */
static bool locate(struct similar *t, uint64_t chunk, struct frame_place *ret)
{
	int rc;

	if (bank_locate(t->s->bank, chunk, ret))
		return true;
	if (t->hurry)
		return false;
	index_lock(t->s);
	rc = bank_load(t->s->bank, chunk, ret);
	index_unlock(t->s);
	return rc == 0;
}

/* Whether one more frame may be needed. */
static bool may_need(const struct similar *t, uint64_t frame)
{
	size_t i;

	for (i = 0; i < t->n_frames; i++) {
		if (t->frames[i] == frame)
			return true;
	}
	return t->n_frames < SIMILAR_FRAMES_MAX;
}

static void note_frame(struct similar *t, uint64_t frame)
{
	size_t i;

	for (i = 0; i < t->n_frames; i++) {
		if (t->frames[i] == frame)
			return;
	}
	t->frames[t->n_frames++] = frame;
}

/* Bytes that the delta must be below. */
static ssize_t find_limit(struct similar *t, struct span bytes, size_t len)
{
	struct buffer *scratch = &t->x->payload;
	ssize_t n;
	int rc;

	if (len * ENDS_SEARCH <= bytes.len)
		return (ssize_t)bytes.len;
	if (t->hurry)
		return (ssize_t)(bytes.len / HURRY_RATIO);
	buffer_clear(scratch);
	rc = buffer_reserve(scratch, encode_bound(bytes.len));
	if (rc < 0)
		return rc;
	n = encode_frame(t->x->encoder, &t->request, bytes, scratch->data);
	if (n > 0 && bytes.len < SHORT_LEN)
		n = n * SHORT_PERCENT / 100;
	return n < 0 ? n : n * KEEP_PERCENT / 100;
}

/* 1: the delta stands in the buffer. */
static int encode(struct similar *t, struct span bytes,
		  const struct encode_base *base)
{
	struct buffer *b = &t->x->deltas;
	size_t cap = bytes.len * KEEP_PERCENT / 100;
	ssize_t limit;
	ssize_t n;
	int rc = buffer_reserve(b, cap);

	if (rc < 0)
		return rc;
	n = encode_delta(t->x->encoder, base, bytes, b->data + b->len, cap);
	if (n <= 0)
		return (int)n;
	limit = find_limit(t, bytes, (size_t)n);
	if (limit < 0)
		return (int)limit;
	if (n >= limit)
		return 0;
	b->len += (size_t)n;
	return 1;
}

/* The chunk is pinned. 1: its delta stands in the buffer. */
static int try_pinned(struct similar *t, struct span bytes, uint64_t chunk)
{
	struct encode_base base = { t->request.effort, chunk, { NULL, 0 } };
	struct frame_place place;
	struct chunk_view v;
	int rc;

	if (!locate(t, chunk, &place) ||
	    bank_is_condemned(t->s->bank, place.segment) ||
	    !may_need(t, place.frame) ||
	    (t->hurry && !cache_has(t->s->cache, place.frame)))
		return 0;
	/* What cannot be read is no base, and is told when somebody wants
	 * it. */
	if (chunk_get_base(t->s, chunk, &v) < 0)
		return 0;
	base.bytes = v.bytes;
	rc = encode(t, bytes, &base);
	chunk_put(&v);
	if (rc == 1)
		note_frame(t, place.frame);
	return rc;
}

static int try_base(struct similar *t, struct span bytes, uint64_t chunk)
{
	int rc;

	if (!bank_pin(t->s->bank, chunk))
		return 0;
	rc = try_pinned(t, bytes, chunk);
	if (rc != 1) {
		bank_unpin(t->s->bank, chunk);
		return rc;
	}
	t->bases[t->n] = chunk;
	t->lens[t->n++] = (uint32_t)bytes.len;
	return 1;
}

void similar_end(struct similar *t)
{
	while (t->n > 0)
		bank_unpin(t->s->bank, t->bases[--t->n]);
}

int similar_try(struct similar *t, struct span bytes,
		const struct sketch *sketch)
{
	struct sketches *k = t->s->sketches;
	struct similar_chunk found = find(t, sketch);
	int rc;

	if (t->n == SIMILAR_MAX || !sketches_promising(k, &found) ||
	    (t->hurry && found.matches == 1))
		return 0;
	rc = try_base(t, bytes, found.chunk);
	if (rc >= 0)
		sketches_judge(k, &found, rc == 1);
	return rc;
}
