/* SPDX-License-Identifier: MIT */
/*
 * rewrite.c - copies a frame, or a part of it.
 *
 * A copy must not take a chunk away from the frame that holds it: that may be a
 * better one, or one without deltas for a chunk that is a base by now. So frames
 * are copied as they are only while they hold all of their chunks.
 */
#include "store/rewrite.h"

#include "codec/glyph.h"
#include "store/chunk.h"
#include "store/learned.h"
#include "store/move.h"
#include "store/state.h"

#include <stdlib.h>

/* Of a frame that is copied with its dead chunks, so much of 100 lives. */
enum { COPY_PERCENT = 75 };

enum fate {
	FATE_GONE, /* another frame holds it, or nobody */
	FATE_DEAD,
	FATE_LIVE,
};

struct rewriting {
	struct store *s;
	struct context *x; /* the record is in its payload */
	struct context *y; /* for what is encoded */
	struct frame_view view;
	struct frame_chunk *table; /* owned; as in the frame */
	struct frame_chunk *live;  /* owned; those that live, in order */
	uint8_t *fates;            /* owned */
	size_t n_live;
	size_t live_len; /* raw */
	bool whole;      /* the frame holds all of its chunks */
	struct frame_place made;
};

/* ---- what lives ------------------------------------------------------------ */

/* INDEX is held. */
static int judge(struct rewriting *w, const struct frame_place *place, size_t i)
{
	struct bank_chunk c = { .id = 0 };
	int rc = bank_chunk(w->s->bank, w->table[i].id, &c);

	w->fates[i] = FATE_GONE;
	if (rc < 0 && rc != -ENOENT)
		return rc;
	if (rc == -ENOENT || c.frame != place->frame) {
		w->whole = false;
		return 0;
	}
	w->fates[i] = c.refs > 0 ? FATE_LIVE : FATE_DEAD;
	if (c.refs > 0) {
		w->live[w->n_live++] = w->table[i];
		w->live_len += w->table[i].len;
	}
	return 0;
}

static int judge_all(struct rewriting *w, const struct frame_place *place)
{
	struct frame_cursor cursor;
	size_t n = 0;
	size_t i;
	int rc = 0;

	w->table = calloc(w->view.n_chunks, sizeof(*w->table));
	w->live = calloc(w->view.n_chunks, sizeof(*w->live));
	w->fates = calloc(w->view.n_chunks, 1);
	if (!w->table || !w->live || !w->fates)
		return -ENOMEM;
	frame_walk(&w->view, &cursor);
	while (n < w->view.n_chunks && frame_next(&cursor, &w->table[n]))
		n++;
	w->whole = true;
	index_lock(w->s);
	for (i = 0; rc == 0 && i < n; i++)
		rc = judge(w, place, i);
	index_unlock(w->s);
	return rc;
}

/* ---- ways ------------------------------------------------------------------- */

static int copy_whole(struct rewriting *w)
{
	const struct move move = {
		.chunks = w->table,
		.n = w->view.n_chunks,
		.glyphs = w->view.glyphs,
		.cleaning = true,
	};

	return move_frame(w->s, &move, &w->made);
}

/* The glyphs of a frame in which each chunk is a delta, under one concat: those of
 * the live chunks come to y->deltas. 1: it is such a frame. */
static int pick_deltas(struct rewriting *w, uint32_t *lens, size_t *ret_n)
{
	struct reader in = reader_of(w->view.glyphs);
	struct buffer *b = &w->y->deltas;
	struct glyph g;
	size_t n = 0;
	size_t i;
	int rc = glyph_get(&in, &g);

	buffer_clear(b);
	if (rc < 0 || g.type != GLYPH_COMPOSITE || g.primitive != PRIM_CONCAT)
		return rc;
	for (i = 0; rc == 0 && i < w->view.n_chunks; i++) {
		const uint8_t *from = in.pos;

		if (reader_left(&in) == 0)
			return 0;
		rc = glyph_get(&in, &g);
		if (rc < 0 || g.type != GLYPH_DELTA)
			return rc;
		if (w->fates[i] != FATE_LIVE)
			continue;
		lens[n++] = w->table[i].len;
		rc = buffer_append(b, span_of(from, (size_t)(in.pos - from)));
	}
	if (rc < 0 || reader_left(&in) > 0)
		return rc;
	*ret_n = n;
	return 1;
}

/* Whether the children of the concat make one chunk each. */
static bool fits_table(const struct rewriting *w)
{
	struct reader in = reader_of(w->view.glyphs);
	struct reader lens;
	struct glyph g;
	uint64_t v = 0;
	size_t i;

	if (glyph_get(&in, &g) < 0)
		return false;
	lens = reader_of(g.payload);
	if (varint_get(&lens, &v) < 0 || v != w->view.n_chunks)
		return false;
	for (i = 0; i < w->view.n_chunks; i++) {
		if (varint_get(&lens, &v) < 0 || v != w->table[i].len)
			return false;
	}
	return true;
}

/* The deltas of the live chunks, under a concat of their own. */
static int move_deltas(struct rewriting *w, const uint32_t *lens, size_t n)
{
	struct buffer *glyphs = &w->y->spare;
	struct move move = { .chunks = w->live, .n = n, .cleaning = true };
	int rc;

	buffer_clear(glyphs);
	rc = buffer_reserve(glyphs, encode_concat_bound(n));
	if (rc == 0 && n > 1)
		glyphs->len = encode_concat(lens, n, glyphs->data);
	if (rc == 0)
		rc = buffer_append(glyphs, buffer_span(&w->y->deltas));
	if (rc < 0)
		return rc;
	move.glyphs = buffer_span(glyphs);
	return move_frame(w->s, &move, &w->made);
}

/* 1: it is a frame of deltas, and those that live have moved. */
static int try_deltas(struct rewriting *w)
{
	uint32_t *lens = calloc(w->view.n_chunks, sizeof(*lens));
	size_t n = 0;
	int rc;

	if (!lens)
		return -ENOMEM;
	rc = pick_deltas(w, lens, &n);
	if (rc == 1 && !fits_table(w))
		rc = 0;
	if (rc == 1) {
		rc = move_deltas(w, lens, n);
		rc = rc == 0 ? 1 : rc;
	}
	free(lens);
	return rc;
}

static int gather(struct rewriting *w)
{
	struct buffer *raw = &w->y->raw;
	struct chunk_view v;
	size_t i;
	int rc = 0;

	buffer_clear(raw);
	for (i = 0; rc == 0 && i < w->n_live; i++) {
		rc = chunk_get(w->s, w->live[i].id, &v);
		if (rc < 0)
			break;
		rc = buffer_append(raw, v.bytes);
		chunk_put(&v);
	}
	return rc;
}

/* The live chunks, encoded together as new ones are. */
static int encode_again(struct rewriting *w)
{
	struct encode_request request = {
		.effort = EFFORT_BALANCED,
		.classified = true,
	};
	struct move move = {
		.chunks = w->live,
		.n = w->n_live,
		.cleaning = true,
	};
	struct buffer *glyphs = &w->y->deltas;
	ssize_t n;
	int rc = gather(w);

	buffer_clear(glyphs);
	if (rc == 0)
		rc = buffer_reserve(glyphs, encode_bound(w->live_len));
	if (rc == 0)
		rc = context_encoder(w->y);
	if (rc < 0)
		return rc;
	request.class = sniff_class(buffer_span(&w->y->raw));
	n = learned_encode(w->s, w->y, &request, buffer_span(&w->y->raw),
			   glyphs->data);
	if (n < 0)
		return (int)n;
	move.glyphs = span_of(glyphs->data, (size_t)n);
	return move_frame(w->s, &move, &w->made);
}

/* -EBUSY from one way: the next is tried. */
static int move_live(struct rewriting *w)
{
	int rc = -EBUSY;

	if (w->whole &&
	    w->live_len * 100 >= w->view.raw_len * (size_t)COPY_PERCENT)
		rc = copy_whole(w);
	if (rc == -EBUSY) {
		rc = try_deltas(w);
		if (rc == 1)
			return 0;
		if (rc == 0)
			rc = -EBUSY;
	}
	return rc == -EBUSY ? encode_again(w) : rc;
}

static int rewrite(struct rewriting *w, const struct frame_place *place)
{
	int rc = chunk_read_frame(w->s, w->x, place, &w->view);

	if (rc == 0)
		rc = judge_all(w, place);
	if (rc == 0 && w->n_live > 0)
		rc = move_live(w);
	return rc;
}

ssize_t rewrite_frame(struct store *s, const struct frame_place *place)
{
	struct rewriting w = { .s = s };
	int rc = -ENOMEM;

	w.x = context_get(s->contexts);
	w.y = context_get(s->contexts);
	if (w.x && w.y)
		rc = rewrite(&w, place);
	free(w.table);
	free(w.live);
	free(w.fates);
	if (w.x)
		context_put(s->contexts, w.x);
	if (w.y)
		context_put(s->contexts, w.y);
	return rc < 0 ? rc : (ssize_t)w.made.payload_len;
}
