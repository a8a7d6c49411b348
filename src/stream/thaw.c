/* SPDX-License-Identifier: MIT */
/*
 * thaw.c - the decoding side of the pipeline.
 *
 * The writer knows how far the raw bytes have been written. A frame that begins
 * behind that leaves a gap, which only a lenient thaw fills; a frame that could
 * not be decoded is not written and becomes part of the next gap.
 */
#include "stream/thaw.h"

#include "base/error.h"
#include "codec/decode.h"
#include "stream/frame.h"
#include "stream/pipeline.h"

#include <stdlib.h>

struct thaw {
	struct thaw_options options; /* immutable */
	struct pipeline *pipeline;   /* owned */
	struct decoder **decoders;   /* owned; each its worker's */
	struct thaw_totals totals;   /* writer, then thaw_finish() */
};

int thaw_place_of(const struct stream_head *head, struct span payload,
		  struct thaw_place *ret)
{
	struct frame_cursor cursor;
	struct frame_chunk chunk;
	struct frame_view f;
	int rc = frame_parse(payload, &f);

	if (rc < 0)
		return rc;
	frame_walk(&f, &cursor);
	if (f.n_chunks != 1 || f.raw_len > head->frame_max ||
	    !frame_next(&cursor, &chunk) || chunk.id >> STREAM_RAW_BITS > 0)
		return corrupt("stream: a frame that does not belong there");
	*ret = (struct thaw_place){
		.raw_off = chunk.id - 1,
		.raw_len = (uint32_t)f.raw_len,
	};
	return 0;
}

/* ---- workers -------------------------------------------------------------- */

static int decode_parcel(void *ctx, unsigned worker, struct parcel *parcel,
			 uint8_t *out)
{
	struct thaw *t = ctx;
	struct frame_view f;
	int rc = frame_parse(span_of(parcel->buf, parcel->len), &f);

	if (rc == 0)
		rc = decode_frame(t->decoders[worker], f.glyphs, NULL, out,
				  f.raw_len);
	if (rc == 0)
		rc = frame_verify(&f, span_of(out, f.raw_len));
	parcel->len = parcel->raw_len;
	return rc;
}

/* ---- writer --------------------------------------------------------------- */

/* Bytes from the position to `end` are missing. */
static int fill_gap(struct thaw *t, uint64_t end)
{
	const struct thaw_sink *sink = &t->options.sink;
	uint64_t len = end - t->totals.pos;

	sink->missing(sink->ctx, t->totals.pos, len);
	t->totals.missing_len += len;
	t->totals.n_missing++;
	t->totals.pos = end;
	return sink->zeros(sink->ctx, len);
}

static bool is_damage(int rc)
{
	return rc == -EUCLEAN || rc == -EBADMSG || rc == -EOPNOTSUPP;
}

static int write_parcel(void *ctx, const struct parcel *parcel)
{
	struct thaw *t = ctx;
	const struct thaw_options *o = &t->options;
	uint64_t begin = max_u64(parcel->raw_off, o->from);
	uint64_t end = min_u64(parcel->raw_off + parcel->raw_len, o->to);
	int rc = parcel->rc;

	if (is_damage(rc) && o->lenient)
		return 0;
	if (rc == 0 && o->lenient && begin > t->totals.pos)
		rc = fill_gap(t, begin);
	if (rc < 0)
		return rc;
	t->totals.n_frames++;
	if (begin >= end)
		return 0;
	t->totals.pos = end;
	return o->sink.write(o->sink.ctx,
			     span_of(parcel->buf + (begin - parcel->raw_off),
				     (size_t)(end - begin)));
}

/* ---- the whole ------------------------------------------------------------ */

static size_t buffer_len(const struct stream_head *head)
{
	return stream_payload_max(head);
}

static int make_decoders(struct thaw *t)
{
	unsigned i;
	int rc = 0;

	t->decoders = calloc(t->options.n_workers, sizeof(struct decoder *));
	if (!t->decoders)
		return -ENOMEM;
	for (i = 0; i < t->options.n_workers && rc == 0; i++)
		rc = decoder_new(&t->decoders[i]);
	return rc;
}

int thaw_new(const struct thaw_options *options, struct thaw **ret)
{
	struct thaw *t = calloc(1, sizeof(*t));
	struct pipeline_options pipeline = {
		.n_workers = options->n_workers,
		.buf_len = buffer_len(&options->head),
		.ctx = t,
		.work = decode_parcel,
		.write = write_parcel,
	};
	int rc;

	if (!t)
		return -ENOMEM;
	t->options = *options;
	t->totals.pos = options->from;
	rc = make_decoders(t);
	if (rc == 0)
		rc = pipeline_new(&pipeline, &t->pipeline);
	if (rc < 0) {
		thaw_free(t);
		return rc;
	}
	*ret = t;
	return 0;
}

void thaw_free(struct thaw *t)
{
	unsigned i;

	if (!t)
		return;
	pipeline_free(t->pipeline);
	for (i = 0; t->decoders && i < t->options.n_workers; i++)
		decoder_free(t->decoders[i]);
	free(t->decoders);
	free(t);
}

int thaw_frame(struct thaw *t, const struct thaw_place *place,
	       struct span payload)
{
	struct parcel *parcel;
	int rc = pipeline_get(t->pipeline, &parcel);

	if (rc < 0)
		return rc;
	memcpy(parcel->buf, payload.ptr, payload.len);
	parcel->len = payload.len;
	parcel->raw_off = place->raw_off;
	parcel->raw_len = place->raw_len;
	pipeline_submit(t->pipeline, parcel);
	return 0;
}

int thaw_finish(struct thaw *t, uint64_t end, struct thaw_totals *ret)
{
	int rc = pipeline_drain(t->pipeline);

	if (rc == 0 && t->options.lenient && end > t->totals.pos)
		rc = fill_gap(t, end);
	if (rc == 0)
		*ret = t->totals;
	return rc;
}
