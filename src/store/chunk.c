/* SPDX-License-Identifier: MIT */
/*
 * chunk.c - from a chunk's id to its bytes.
 *
 * Place (bank: memory, else index) -> frame (cache, else disk and decoder) ->
 * bytes. What comes from disk is verified twice: the record's checksums, and
 * after decoding each chunk's hash. Where a chunk lies in its frame is told
 * by the frame.
 *
 * A frame of deltas is decoded with the frames of its bases, one after the
 * other. Those are leaves: loaded with no bases to refer to, so that a store in
 * which bases are deltas ends in an error, not in a circle. Each use of a base
 * makes its frame the most recently used one, which keeps it decoded while
 * deltas that need it are being read.
 */
#include "store/chunk.h"

#include "base/error.h"
#include "base/hash.h"
#include "base/io.h"
#include "store/bases.h"
#include "store/state.h"
#include "stream/frame.h"
#include "stream/record.h"

#include <assert.h>
#include <stdlib.h>

enum { REMEMBER_BATCH = 64 };

/* In the cache's key of a chunk that was decoded alone; no frame has it. */
#define ALONE ((uint64_t)1 << 63)

/* Whether `bytes` are the record that belongs at a place. */
static int check_record(struct span bytes, const struct frame_place *place,
			const struct segment *seg)
{
	struct record rec;
	int rc = record_parse_header(bytes, seg->header.secret, &rec);

	if (rc < 0)
		return rc;
	if (rec.type != RECORD_FRAME || rec.seq != place->frame ||
	    rec.payload_len != place->payload_len)
		return -EUCLEAN;
	return record_verify(
		&rec,
		span_of(bytes.ptr + RECORD_HEADER_LEN, place->payload_len),
		seg->header.secret);
}

/* The record at a place, whole and verified, in x->payload. */
static int read_record(struct context *x, const struct frame_place *place,
		       const struct segment *seg)
{
	size_t len = frame_place_len(place);
	int rc;

	buffer_clear(&x->payload);
	rc = buffer_reserve(&x->payload, len);
	if (rc == 0)
		rc = io_pread_full(seg->fd, x->payload.data, len,
				   seg->base + place->off);
	if (rc < 0)
		return rc;
	x->payload.len = len;
	return check_record(buffer_span(&x->payload), place, seg);
}

/* The frame's table, as the cache keeps it. */
static int take_table(const struct frame_view *f, struct cached *fill)
{
	struct frame_cursor cursor;
	struct frame_chunk chunk;
	uint32_t off = 0;
	size_t i = 0;

	assert(f->n_chunks > 0);
	fill->chunks = calloc(f->n_chunks, sizeof(*fill->chunks));
	if (!fill->chunks)
		return -ENOMEM;
	frame_walk(f, &cursor);
	while (frame_next(&cursor, &chunk)) {
		fill->chunks[i++] =
			(struct cached_chunk){ chunk.id, off, chunk.len };
		off += chunk.len;
	}
	fill->n_chunks = i;
	cached_index(fill);
	return 0;
}

/* A frame in x->payload that is being loaded. */
struct job {
	struct store *s;
	struct context *x;
	const struct decode_source *source;
	struct frame_view view;
};

/* Decodes the whole frame. */
static int decode(const struct job *j, struct cached *fill)
{
	const struct frame_view *view = &j->view;
	int rc = take_table(view, fill);

	if (rc < 0)
		return rc;
	fill->raw = cache_block(j->s->cache, view->raw_len);
	if (!fill->raw)
		return -ENOMEM;
	fill->raw_len = view->raw_len;
	rc = decode_frame(j->x->decoder, view->glyphs, j->source, fill->raw,
			  view->raw_len);
	if (rc == 0)
		rc = frame_verify(view, span_of(fill->raw, fill->raw_len));
	return rc;
}

/* The record at `place`, whole and verified, in x->payload. -ENOENT: its segment
 * is gone. */
static int fetch(struct store *s, struct context *x,
		 const struct frame_place *place)
{
	struct segment *seg;
	int rc;

	if (place->payload_len > RECORD_PAYLOAD_MAX)
		return -EUCLEAN;
	if (s->log) {
		/* It may be in a buffer still, even the segment's file. */
		rc = log_written(s->log, place->segment,
				 place->off + frame_place_len(place));
		if (rc < 0)
			return rc;
	}
	rc = segments_get(s->segments, place->segment, &seg);
	if (rc < 0)
		return rc;
	rc = read_record(x, place, seg);
	segments_put(s->segments, seg);
	return rc;
}

/* ---- one chunk of a frame -------------------------------------------------- */

/* Where a chunk lies in its frame. */
struct spot {
	struct frame_chunk chunk;
	size_t off;
};

/* -EUCLEAN: it is not there. */
static int find_spot(const struct frame_view *f, uint64_t id, struct spot *ret)
{
	struct frame_cursor cursor;
	struct spot spot = { .off = 0 };

	frame_walk(f, &cursor);
	while (frame_next(&cursor, &spot.chunk)) {
		if (spot.chunk.id == id) {
			*ret = spot;
			return 0;
		}
		spot.off += spot.chunk.len;
	}
	return -EUCLEAN;
}

/* Decodes what it takes of the frame for one chunk, in memory that is warm, and
 * copies the chunk. */
static int decode_spot(const struct job *j, const struct spot *spot,
		       struct cached *fill)
{
	const struct frame_view *view = &j->view;
	struct context *x = j->x;
	struct decode_part part = {
		.raw_len = view->raw_len,
		.from = spot->off,
		.to = spot->off + spot->chunk.len,
	};
	struct span bytes;
	int rc;

	buffer_clear(&x->raw);
	rc = buffer_reserve(&x->raw, view->raw_len);
	if (rc < 0)
		return rc;
	part.dst = x->raw.data;
	rc = decode_part(x->decoder, view->glyphs, j->source, &part);
	if (rc < 0)
		return rc;
	bytes = span_of(x->raw.data + spot->off, spot->chunk.len);
	if (hash64(bytes, 0) != spot->chunk.hash)
		return -EBADMSG;
	fill->raw_len = bytes.len;
	fill->raw = cache_block(j->s->cache, bytes.len);
	fill->chunks = calloc(1, sizeof(*fill->chunks));
	if (!fill->raw || !fill->chunks)
		return -ENOMEM;
	memcpy(fill->raw, bytes.ptr, bytes.len);
	fill->chunks[0] =
		(struct cached_chunk){ spot->chunk.id, 0, spot->chunk.len };
	fill->n_chunks = 1;
	cached_index(fill);
	return 0;
}

struct load {
	struct store *s;
	struct bank_memory at;
	uint64_t chunk; /* only this one; 0: the whole frame */
	bool leaf;
	bool remember;           /* the bank may be told */
	struct context *context; /* NULL: any */
	struct span payload;     /* verified; NULL: to be read */
};

/* Lets the bank know where the chunks of the frame are. */
static void remember(const struct load *l, const struct frame_view *f)
{
	uint64_t ids[REMEMBER_BATCH];
	struct frame_cursor cursor;
	struct frame_chunk chunk;
	size_t n = 0;

	frame_walk(f, &cursor);
	while (frame_next(&cursor, &chunk)) {
		if (n == REMEMBER_BATCH) {
			bank_remember(l->s->bank, &l->at, ids, n);
			n = 0;
		}
		ids[n++] = chunk.id;
	}
	bank_remember(l->s->bank, &l->at, ids, n);
}

/* -ELOOP: the frame needs others itself. It may have got here after somebody was
 * told that a base is to be found in it. */
static int check_leaf(const struct frame_view *f)
{
	struct reader in = reader_of(f->glyphs);
	uint64_t base;
	int rc = decode_next_base(&in, &base);

	return rc > 0 ? -ELOOP : rc;
}

/* The payload of the frame's record, verified. */
static int find_payload(const struct load *l, struct context *x,
			struct span *ret)
{
	int rc;

	if (l->payload.ptr) {
		*ret = l->payload;
		return 0;
	}
	rc = fetch(l->s, x, &l->at.place);
	if (rc == 0)
		*ret = span_of(x->payload.data + RECORD_HEADER_LEN,
			       x->payload.len - RECORD_HEADER_LEN);
	return rc;
}

static int load_with(const struct load *l, struct context *x,
		     struct cached *fill)
{
	struct job j = { .s = l->s, .x = x };
	struct spot spot = { .off = 0 };
	struct span payload = { NULL, 0 };
	struct bases bases;
	int rc = find_payload(l, x, &payload);

	if (rc == 0)
		rc = frame_parse(payload, &j.view);
	if (rc == 0 && l->chunk)
		rc = find_spot(&j.view, l->chunk, &spot);
	if (rc == 0 && l->leaf)
		rc = check_leaf(&j.view);
	if (rc == 0)
		rc = context_decoder(x);
	if (rc < 0)
		return rc;
	bases_init(&bases, l->s, l->leaf);
	j.source = &bases.source;
	rc = l->chunk && j.view.n_chunks > 1 ? decode_spot(&j, &spot, fill)
					     : decode(&j, fill);
	fill->has_deltas = bases.asked;
	bases_release(&bases);
	if (rc == 0 && l->remember)
		remember(l, &j.view);
	return rc;
}

static int load(void *ctx, struct cached *fill)
{
	const struct load *l = ctx;
	struct context *x =
		l->context ? l->context : context_get(l->s->contexts);
	int rc;

	if (!x)
		return -ENOMEM;
	rc = load_with(l, x, fill);
	if (x != l->context)
		context_put(l->s->contexts, x);
	if (rc == -EUCLEAN || rc == -EBADMSG || rc == -EOPNOTSUPP)
		(void)corrupt("segment %llu @%llu: frame %llu: %s",
			      (unsigned long long)l->at.place.segment,
			      (unsigned long long)l->at.place.off,
			      (unsigned long long)l->at.place.frame,
			      error_text(rc));
	return rc;
}

int chunk_locate(struct store *s, uint64_t chunk, struct frame_place *ret)
{
	int rc;

	if (bank_locate(s->bank, chunk, ret))
		return 0;
	index_lock(s);
	rc = bank_load(s->bank, chunk, ret);
	index_unlock(s);
	if (rc == -ENOENT)
		return corrupt("there is no chunk %llu",
			       (unsigned long long)chunk);
	return rc;
}

/* The chunk in what was found or loaded; takes the pin. */
static int view_of(struct cached *e, uint64_t chunk, struct chunk_view *ret)
{
	struct span bytes;

	if (cached_find(e, chunk, &bytes) < 0) {
		int rc = corrupt("frame %llu does not hold chunk %llu",
				 (unsigned long long)e->frame,
				 (unsigned long long)chunk);

		cache_put(e);
		return rc;
	}
	*ret = (struct chunk_view){ bytes, e };
	return 0;
}

/* Who wants a base may find out, for others who wait as well, that a frame holds
 * none: they try again. */
static int load_cached(const struct load *l, uint64_t key, struct cached **ret)
{
	const struct cache_loader loader = { load, (void *)(uintptr_t)l,
					     l->leaf };
	int rc;

	do {
		rc = cache_get(l->s->cache, key, &loader, ret);
	} while (rc == -ELOOP && !l->leaf);
	return rc;
}

static int get(const struct load *l, uint64_t chunk, struct chunk_view *ret)
{
	uint64_t key = l->chunk ? ALONE | l->chunk : l->at.place.frame;
	struct cached *e;
	int rc = load_cached(l, key, &e);

	if (rc == -ENOENT)
		return corrupt("chunk %llu: segment %llu is missing",
			       (unsigned long long)chunk,
			       (unsigned long long)l->at.place.segment);
	return rc < 0 ? rc : view_of(e, chunk, ret);
}

int chunk_get_frame(struct store *s, const struct frame_place *place,
		    struct cached **ret)
{
	struct load l = { .s = s, .at.place = *place };

	return load_cached(&l, place->frame, ret);
}

void chunk_decode(struct store *s, const struct bank_memory *at,
		  const struct chunk_record *record)
{
	struct load l = {
		.s = s,
		.at = *at,
		.remember = true,
		.context = record->context,
		.payload = span_of(record->bytes.ptr + RECORD_HEADER_LEN,
				   at->place.payload_len),
	};
	struct cached *e;

	if (check_record(record->bytes, &at->place, record->segment) == 0 &&
	    load_cached(&l, at->place.frame, &e) == 0)
		cache_put(e);
}

/* How to load the chunk's frame. */
static int find(struct store *s, uint64_t chunk, struct load *ret)
{
	*ret = (struct load){
		.s = s,
		.at.moment = bank_moment(s->bank),
		.remember = true,
	};
	return chunk_locate(s, chunk, &ret->at.place);
}

int chunk_get(struct store *s, uint64_t chunk, struct chunk_view *ret)
{
	struct load l;
	int rc = find(s, chunk, &l);

	return rc < 0 ? rc : get(&l, chunk, ret);
}

/* Whether somebody asked for a part of the frame a short time ago. */
static bool touch(struct store *s, uint64_t frame)
{
	return atomic_exchange(&s->touched[frame % N_TOUCHED], frame) == frame;
}

int chunk_get_alone(struct store *s, uint64_t chunk, struct chunk_view *ret)
{
	struct load l;
	struct cached *e;
	int rc = find(s, chunk, &l);

	if (rc < 0)
		return rc;
	e = cache_find(s->cache, l.at.place.frame);
	if (!e)
		e = cache_find(s->cache, ALONE | chunk);
	if (e)
		return view_of(e, chunk, ret);
	if (!touch(s, l.at.place.frame))
		l.chunk = chunk;
	return get(&l, chunk, ret);
}

int chunk_get_base(struct store *s, uint64_t chunk, struct chunk_view *ret)
{
	struct load l;
	struct chunk_view v = { .cached = NULL };
	int rc = find(s, chunk, &l);

	l.leaf = true;
	if (rc == 0)
		rc = get(&l, chunk, &v);
	if (rc < 0)
		return rc == -ELOOP ? -EUCLEAN : rc;
	if (v.cached && v.cached->has_deltas) {
		chunk_put(&v);
		return -EUCLEAN;
	}
	*ret = v;
	return 0;
}

void chunk_put(struct chunk_view *v)
{
	cache_put(v->cached);
	*v = (struct chunk_view){ .cached = NULL };
}

bool chunk_beside(const struct chunk_view *v, uint64_t chunk, struct span *ret)
{
	return cached_find(v->cached, chunk, ret) == 0;
}

/* ---- describing ---------------------------------------------------------- */

static int describe(struct context *x, uint64_t chunk,
		    struct chunk_description *d)
{
	struct span payload = span_of(x->payload.data + RECORD_HEADER_LEN,
				      x->payload.len - RECORD_HEADER_LEN);
	struct frame_view view;
	struct spot spot = { .off = 0 };
	int rc = frame_parse(payload, &view);

	if (rc == 0)
		rc = find_spot(&view, chunk, &spot);
	if (rc < 0)
		return rc;
	d->len = spot.chunk.len;
	d->frame_chunks = view.n_chunks;
	d->frame_raw_len = view.raw_len;
	d->frame_stored_len = payload.len;
	return describe_glyphs(view.glyphs, spot.off, &d->how);
}

int chunk_describe(struct store *s, uint64_t chunk,
		   struct chunk_description *ret)
{
	struct frame_place place = { .frame = 0 };
	struct chunk_description d = { .frame = 0 };
	struct context *x;
	int rc = chunk_locate(s, chunk, &place);

	if (rc < 0)
		return rc;
	x = context_get(s->contexts);
	if (!x)
		return -ENOMEM;
	rc = fetch(s, x, &place);
	if (rc == 0)
		rc = describe(x, chunk, &d);
	context_put(s->contexts, x);
	if (rc < 0)
		return rc == -ENOENT ? -EUCLEAN : rc;
	d.frame = place.frame;
	d.segment = place.segment;
	d.seg_off = place.off;
	*ret = d;
	return 0;
}

int chunk_read_frame(struct store *s, struct context *x,
		     const struct frame_place *place, struct frame_view *ret)
{
	int rc = fetch(s, x, place);

	if (rc < 0)
		return rc;
	return frame_parse(span_of(x->payload.data + RECORD_HEADER_LEN,
				   x->payload.len - RECORD_HEADER_LEN),
			   ret);
}

int chunk_share(struct store *s, uint64_t chunk, uint64_t *ret)
{
	struct bank_weight w;
	int rc = bank_weight(s->bank, chunk, &w);

	if (rc == -ENOENT || (rc == 0 && (w.refs == 0 || w.frame_raw == 0)))
		return corrupt("chunk %llu is referred to, and not counted",
			       (unsigned long long)chunk);
	/* 23 and 22 bits, and 10: it fits. */
	if (rc == 0)
		*ret = ((uint64_t)w.frame_stored * w.len << 10) / w.frame_raw /
		       w.refs;
	return rc;
}

/* ---- references ---------------------------------------------------------- */

int chunk_ref(struct store *s, uint64_t chunk, int64_t delta)
{
	return bank_ref(s->bank, chunk, delta);
}
