/* SPDX-License-Identifier: MIT */
/*
 * chunk.c - from a chunk's id to its bytes.
 *
 * Place (bank: memory, else index) -> frame (cache, else disk and decoder) ->
 * bytes. What comes from disk is verified twice: the record's checksums, and
 * after decoding each chunk's hash. Where a chunk lies in its frame is told
 * by the frame.
 */
#include "store/chunk.h"

#include "base/error.h"
#include "base/io.h"
#include "store/state.h"
#include "stream/frame.h"
#include "stream/record.h"

#include <stdlib.h>

enum { REMEMBER_BATCH = 64 };

/* The record at a place, whole and verified, in x->payload. */
static int read_record(struct context *x, const struct frame_place *place,
		       const struct segment *seg)
{
	size_t len = RECORD_HEADER_LEN + place->payload_len;
	struct span payload;
	struct record rec;
	int rc;

	buffer_clear(&x->payload);
	rc = buffer_reserve(&x->payload, len);
	if (rc == 0)
		rc = io_pread_full(seg->fd, x->payload.data, len, place->off);
	if (rc < 0)
		return rc;
	x->payload.len = len;
	rc = record_parse_header(buffer_span(&x->payload), seg->header.secret,
				 &rec);
	if (rc < 0)
		return rc;
	if (rec.type != RECORD_FRAME || rec.seq != place->frame ||
	    rec.payload_len != place->payload_len)
		return -EUCLEAN;
	payload = span_of(x->payload.data + RECORD_HEADER_LEN,
			  place->payload_len);
	return record_verify(&rec, payload, seg->header.secret);
}

/* The frame's table, as the cache keeps it. */
static int take_table(const struct frame_view *f, struct cached *fill)
{
	struct frame_cursor cursor;
	struct frame_chunk chunk;
	uint32_t off = 0;
	size_t i = 0;

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

static int decode(struct store *s, struct context *x, struct cached *fill)
{
	struct frame_view view;
	int rc = frame_parse(span_of(x->payload.data + RECORD_HEADER_LEN,
				     x->payload.len - RECORD_HEADER_LEN),
			     &view);

	if (rc == 0)
		rc = context_decoder(x);
	if (rc == 0)
		rc = take_table(&view, fill);
	if (rc < 0)
		return rc;
	fill->raw = cache_block(s->cache, view.raw_len);
	if (!fill->raw)
		return -ENOMEM;
	fill->raw_len = view.raw_len;
	rc = decode_frame(x->decoder, view.glyphs, fill->raw, view.raw_len);
	if (rc == 0)
		rc = frame_verify(&view, span_of(fill->raw, fill->raw_len));
	return rc;
}

int chunk_load(struct store *s, struct context *x,
	       const struct frame_place *place, struct cached *fill)
{
	struct segment *seg;
	int rc;

	if (place->payload_len > RECORD_PAYLOAD_MAX)
		return -EUCLEAN;
	if (s->log) {
		/* It may be in a buffer still, even the segment's file. */
		rc = log_written(s->log, place->segment,
				 place->off + RECORD_HEADER_LEN +
					 place->payload_len);
		if (rc < 0)
			return rc;
	}
	rc = segments_get(s->segments, place->segment, &seg);
	if (rc < 0)
		return rc == -ENOENT ? -EUCLEAN : rc;
	rc = read_record(x, place, seg);
	segments_put(s->segments, seg);
	if (rc == 0)
		rc = decode(s, x, fill);
	return rc;
}

struct load {
	struct store *s;
	const struct frame_place *place;
};

static void remember(struct store *s, const struct frame_place *place,
		     const struct cached *e)
{
	uint64_t ids[REMEMBER_BATCH];
	size_t n = 0;
	size_t i;

	for (i = 0; i < e->n_chunks; i++) {
		ids[n++] = e->chunks[i].id;
		if (n == REMEMBER_BATCH || i + 1 == e->n_chunks) {
			bank_remember(s->bank, place, ids, n);
			n = 0;
		}
	}
}

static int load_frame(void *ctx, struct cached *fill)
{
	const struct load *l = ctx;
	struct context *x = context_get(l->s->contexts);
	int rc;

	if (!x)
		return -ENOMEM;
	rc = chunk_load(l->s, x, l->place, fill);
	context_put(l->s->contexts, x);
	if (rc == -EUCLEAN || rc == -EBADMSG || rc == -EOPNOTSUPP)
		(void)corrupt("segment %llu @%llu: frame %llu: %s",
			      (unsigned long long)l->place->segment,
			      (unsigned long long)l->place->off,
			      (unsigned long long)l->place->frame,
			      error_text(rc));
	if (rc == 0)
		remember(l->s, l->place, fill);
	return rc;
}

static int locate(struct store *s, uint64_t chunk, struct frame_place *ret)
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

int chunk_get(struct store *s, uint64_t chunk, struct chunk_view *ret)
{
	struct frame_place place = { .frame = 0 };
	struct load load = { s, &place };
	struct cache_loader loader = { load_frame, &load };
	struct cached *e = NULL;
	struct span bytes;
	int rc = locate(s, chunk, &place);

	if (rc == 0)
		rc = cache_get(s->cache, place.frame, &loader, &e);
	if (rc < 0)
		return rc;
	rc = cached_find(e, chunk, &bytes);
	if (rc < 0) {
		cache_put(e);
		return corrupt("frame %llu does not hold chunk %llu",
			       (unsigned long long)place.frame,
			       (unsigned long long)chunk);
	}
	*ret = (struct chunk_view){ bytes, e };
	return 0;
}

void chunk_put(struct chunk_view *v)
{
	cache_put(v->cached);
	*v = (struct chunk_view){ .cached = NULL };
}

int chunk_ref(struct store *s, uint64_t chunk, int64_t delta)
{
	return bank_ref(s->bank, chunk, delta);
}

/* ---- reading ahead ------------------------------------------------------- */

struct prefetch {
	struct work work;
	struct store *s;
	uint64_t chunk;
};

static void prefetch_run(struct work *w, unsigned worker)
{
	struct prefetch *p = (struct prefetch *)w;
	struct chunk_view v = { .cached = NULL };

	(void)worker;
	if (chunk_get(p->s, p->chunk, &v) == 0)
		chunk_put(&v);
	free(p);
}

/* Has the system read the frame while it waits for a worker. */
static void read_ahead(struct store *s, const struct frame_place *place)
{
	struct segment *seg;

	if (segments_get(s->segments, place->segment, &seg) < 0)
		return;
	io_will_need(seg->fd, place->off,
		     RECORD_HEADER_LEN + place->payload_len);
	segments_put(s->segments, seg);
}

void chunk_prefetch(struct store *s, uint64_t chunk)
{
	struct frame_place place = { .frame = 0 };
	struct prefetch *p;

	if (locate(s, chunk, &place) != 0 || cache_has(s->cache, place.frame))
		return;
	/* The chunks of a frame mostly come one after the other. */
	if (atomic_exchange(&s->prefetched, place.frame) == place.frame)
		return;
	p = malloc(sizeof(*p));
	if (!p)
		return;
	read_ahead(s, &place);
	*p = (struct prefetch){ { prefetch_run, NULL }, s, chunk };
	if (!workers_try_submit(s->prefetchers, &p->work))
		free(p);
}
