/* SPDX-License-Identifier: MIT */
/*
 * check.c - the whole log against itself, and the bank against the log.
 *
 * Segments are read in order, frames decoded. Rows of `frame` come in the
 * order of the log, so both are walked side by side.
 */
#include "store/check.h"

#include "base/error.h"
#include "base/idmap.h"
#include "base/io.h"
#include "store/library.h"
#include "store/maintain.h"
#include "store/ops.h"
#include "store/rounds.h"
#include "store/scan.h"
#include "store/state.h"
#include "store/verify.h"
#include "stream/codebook_record.h"
#include "stream/frame.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

enum { TEXT_MAX = 256 };

struct checking {
	struct store *s;
	struct check_report *report;
	struct context *x;
	const struct idmap *refs;
	struct idmap base_refs; /* chunk -> deltas that it is the base of */
	struct idmap book_refs; /* codebook -> frames that name it */
	struct idmap books;     /* codebook -> place of its newest record */
	uint64_t first;         /* segment */
	uint64_t last;          /* segment */
	uint64_t earlier;       /* where the older checkpoint starts */
	struct log_commit end;  /* what the index reflects */
	bool gap;               /* the segment before is gone, not needed */
	uint64_t number;        /* segment at hand */
	uint64_t next_seq;      /* 0: any */
	uint64_t last_commit;
	struct commit_body group;
	uint64_t seen_frame; /* the last row that was matched */
	uint64_t n_chunks;   /* in frames */
	uint64_t done;       /* bytes read */
	uint64_t total;
};

void check_finding(struct check_report *r, const char *fmt, ...)
{
	char text[TEXT_MAX];
	va_list ap;

	r->n_findings++;
	if (!r->finding)
		return;
	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	r->finding(r->ctx, text);
}

static unsigned long long ull(uint64_t v)
{
	return v;
}

static uint64_t count_of(const struct idmap *counts, uint64_t chunk)
{
	const uint64_t *n = idmap_find(counts, chunk);

	return n ? *n : 0;
}

/* ---- rows ---------------------------------------------------------------- */

/* Rows of frames that the log passed by without holding them. */
static int skip_rows(struct checking *c, uint64_t frame,
		     struct bank_frame_row *ret)
{
	int rc;

	do {
		index_lock(c->s);
		rc = bank_next_frame(c->s->bank, c->seen_frame, ret);
		index_unlock(c->s);
		if (rc == 1 && ret->place.frame < frame) {
			check_finding(c->report,
				      "the index has a frame %llu that the "
				      "log has not",
				      ull(ret->place.frame));
			c->seen_frame = ret->place.frame;
		}
	} while (rc == 1 && ret->place.frame < frame);
	return rc;
}

/* The row of a frame that stands in the log at `place`. 1; 0: there is none, so
 * it must be dead. */
static int check_frame_row(struct checking *c, const struct frame_place *place,
			   struct bank_frame_row *ret)
{
	const struct frame_place *at = &ret->place;
	int rc = skip_rows(c, place->frame, ret);

	if (rc < 1 || at->frame != place->frame)
		return rc < 0 ? rc : 0;
	c->seen_frame = at->frame;
	if (at->segment != place->segment || at->off != place->off ||
	    at->payload_len != place->payload_len)
		check_finding(c->report,
			      "frame %llu is not where the index says",
			      ull(at->frame));
	return 1;
}

/* What a frame holds, by the rows of its chunks. */
struct held {
	uint64_t n_chunks;
	uint64_t live_len;
};

static int check_chunk_row(struct checking *c, uint64_t chunk,
			   const struct frame_place *place, struct held *held)
{
	struct bank_chunk row;
	int rc;

	index_lock(c->s);
	rc = bank_chunk(c->s->bank, chunk, &row);
	index_unlock(c->s);
	/* Nobody referred to it any more, or that is found later. */
	if (rc == -ENOENT)
		return 0;
	if (rc < 0)
		return rc;
	if (row.frame < place->frame)
		check_finding(c->report,
			      "chunk %llu: the index does not find it in "
			      "frame %llu",
			      ull(chunk), ull(place->frame));
	/* A newer frame may hold it by now. */
	if (row.frame != place->frame)
		return 0;
	held->n_chunks++;
	held->live_len += row.refs > 0 ? row.len : 0;
	return 0;
}

/* ---- records ------------------------------------------------------------- */

/* The rows of a frame's chunks, and what they add up to. `row`: the frame's own;
 * NULL: it has none. */
static int check_chunks(struct checking *c, const struct frame_view *view,
			const struct frame_place *place,
			const struct bank_frame_row *row)
{
	struct held held = { .n_chunks = 0 };
	struct frame_cursor cursor;
	struct frame_chunk chunk;
	int rc = 0;

	frame_walk(view, &cursor);
	while (rc == 0 && frame_next(&cursor, &chunk))
		rc = check_chunk_row(c, chunk.id, place, &held);
	if (rc < 0)
		return rc;
	c->n_chunks += held.n_chunks;
	if (!row && held.n_chunks > 0)
		check_finding(c->report,
			      "segment %llu @%llu: frame %llu is not in the "
			      "index",
			      ull(place->segment), ull(place->off),
			      ull(place->frame));
	if (row && (row->n_chunks != held.n_chunks ||
		    row->live_len != held.live_len || held.n_chunks == 0))
		check_finding(
			c->report,
			"frame %llu holds %llu chunks and %llu live bytes, "
			"the index says %llu and %llu",
			ull(place->frame), ull(held.n_chunks),
			ull(held.live_len), ull(row->n_chunks),
			ull(row->live_len));
	return 0;
}

/* The references that a frame's deltas hold. Damage is found by who decodes
 * it. */
static int count_bases(struct checking *c, struct span glyphs)
{
	struct reader in = reader_of(glyphs);
	uint64_t base = 0;
	uint64_t *n;

	while (decode_next_base(&in, &base) == 1) {
		n = idmap_find(&c->base_refs, base);
		if (idmap_set(&c->base_refs, base, n ? *n + 1 : 1) < 0)
			return -ENOMEM;
	}
	return 0;
}

/* The reference to a codebook. */
static int count_codebook(struct checking *c, struct span glyphs)
{
	uint64_t id = 0;

	if (decode_find_codebook(glyphs, &id) < 0 || id == 0)
		return 0;
	return idmap_set(&c->book_refs, id, count_of(&c->book_refs, id) + 1);
}

/* A frame that still holds something. */
static int check_live_frame(struct checking *c, const struct frame_view *view,
			    const struct frame_place *place)
{
	int rc = count_bases(c, view->glyphs);

	if (rc == 0)
		rc = count_codebook(c, view->glyphs);
	if (rc == 0)
		rc = verify_frame(c->s, c->x, view);
	if (rc < 0 && !scan_is_bad(rc))
		return rc;
	if (rc < 0)
		check_finding(c->report,
			      "segment %llu @%llu: frame %llu does not decode: "
			      "%s",
			      ull(place->segment), ull(place->off),
			      ull(place->frame), error_text(rc));
	return 0;
}

static int check_frame(struct checking *c, const struct scan_record *rec)
{
	const struct frame_place place = { rec->head.seq, c->number, rec->off,
					   rec->head.payload_len };
	struct frame_view view = { .n_chunks = 0 };
	struct bank_frame_row row;
	bool there;
	int rc = check_frame_row(c, &place, &row);

	if (rc < 0)
		return rc;
	there = rc == 1;
	rc = frame_parse(rec->payload, &view);
	if (rc < 0) {
		check_finding(c->report,
			      "segment %llu @%llu: frame %llu makes no sense: "
			      "%s",
			      ull(place.segment), ull(place.off),
			      ull(place.frame), error_text(rc));
		return 0;
	}
	/* What a dead frame refers to may be gone. */
	if (there)
		rc = check_live_frame(c, &view, &place);
	return rc < 0 ? rc
		      : check_chunks(c, &view, &place, there ? &row : NULL);
}

/* A place in the log as one number. */
static uint64_t place_key(const struct codebook_place *place)
{
	return place->segment << 30 | place->off / 8;
}

/* What the index has of a codebook, if it has not been retired. */
static int check_codebook_row(struct checking *c, uint64_t id,
			      const struct scan_record *rec)
{
	struct codebook_row row = { .id = 0 };
	int rc = library_next(c->s, id - 1, &row);
	int same;

	if (rc < 0 || rc == 0 || row.id != id)
		return rc < 0 ? rc : 0;
	index_lock(c->s);
	same = codebooks_hold(c->s->codebooks, id, rec->payload);
	index_unlock(c->s);
	if (same == 0)
		check_finding(c->report,
			      "codebook %llu: the index holds something else",
			      ull(id));
	return same < 0 ? same : 0;
}

static int check_codebook(struct checking *c, const struct scan_record *rec)
{
	const struct codebook_place place = { c->number, rec->off };
	struct codebook *book = NULL;
	uint64_t id;
	int rc = codebook_record_open(c->x->decoder, rec->payload, &book);

	if (rc < 0 && !scan_is_bad(rc))
		return rc;
	if (rc < 0) {
		check_finding(c->report,
			      "segment %llu @%llu: a codebook that cannot be "
			      "used: %s",
			      ull(c->number), ull(rec->off), error_text(rc));
		return 0;
	}
	id = codebook_head(book)->id;
	codebook_put(book);
	rc = idmap_set(&c->books, id, place_key(&place));
	return rc < 0 ? rc : check_codebook_row(c, id, rec);
}

/* Operations, or a part of a checkpoint. */
static int check_ops(struct checking *c, const struct scan_record *rec)
{
	struct round_part part = { .number = 1 };
	struct reader reader;
	struct span batch = { NULL, 0 };
	struct op op;
	int rc = ops_unpack(c->x->decoder, rec->head.flags, rec->payload,
			    &c->x->raw, &batch);

	if (rc == 0 && rec->head.type == RECORD_CHECKPOINT) {
		rc = round_part_get(batch, &part);
		batch = part.rest;
	}
	if (rc == 0 && part.number != 0) {
		reader = reader_of(batch);
		do {
			rc = ops_next(&reader, &op);
		} while (rc == 1);
	}
	if (rc < 0 && !scan_is_bad(rc))
		return rc;
	if (rc < 0)
		check_finding(c->report,
			      "segment %llu @%llu: operations that make no "
			      "sense",
			      ull(c->number), ull(rec->off));
	return 0;
}

static void check_commit(struct checking *c, const struct scan_record *rec)
{
	struct commit_body body;

	if (commit_body_get(rec->payload, &body) < 0 ||
	    body.first_seq != c->group.first_seq ||
	    body.n_records != c->group.n_records || body.hash != c->group.hash)
		check_finding(c->report,
			      "segment %llu @%llu: a commit that does not fit "
			      "its records",
			      ull(c->number), ull(rec->off));
	c->group = (struct commit_body){ .n_records = 0 };
	c->last_commit = rec->head.seq;
}

static void count_in(struct checking *c, const struct scan_record *rec)
{
	if (c->group.n_records == 0)
		c->group.first_seq = rec->head.seq;
	c->group.n_records++;
	c->group.hash = log_group_hash(c->group.hash, rec->head.header_hash);
}

static int check_record(struct checking *c, const struct scan_record *rec)
{
	if (rec->head.seq != c->next_seq)
		check_finding(c->report,
			      "segment %llu @%llu: record %llu where %llu "
			      "should be",
			      ull(c->number), ull(rec->off), ull(rec->head.seq),
			      ull(c->next_seq));
	c->next_seq = rec->head.seq + 1;
	switch (rec->head.type) {
	case RECORD_FRAME:
		count_in(c, rec);
		return check_frame(c, rec);
	case RECORD_OPS:
	case RECORD_CHECKPOINT:
		count_in(c, rec);
		return check_ops(c, rec);
	case RECORD_COMMIT:
		check_commit(c, rec);
		return 0;
	case RECORD_FOOTER:
		return 0;
	case RECORD_CODEBOOK:
		count_in(c, rec);
		return check_codebook(c, rec);
	case RECORD_SEEK:
		break;
	}
	check_finding(c->report,
		      "segment %llu @%llu: a record of a newer "
		      "format",
		      ull(c->number), ull(rec->off));
	return 0;
}

static void progress(struct checking *c, uint64_t at)
{
	if (c->report->progress)
		c->report->progress(c->report->ctx, c->done + at, c->total);
}

/*
 * Behind a FOOTER nothing follows but zeros that were written ahead of it, when
 * a crash came before they were cut off.
 */
static int skip_zeros(struct scan *scan)
{
	uint8_t bytes[4096];
	uint64_t off = scan->off;
	ssize_t n;
	ssize_t i = 0;

	while ((n = io_pread(scan->segment->fd, bytes, sizeof(bytes), off)) >
	       0) {
		for (i = 0; i < n && bytes[i] == 0; i++)
			;
		if (i < n)
			return 0;
		off += (uint64_t)n;
	}
	if (n == 0)
		scan->off = scan->size;
	return (int)n;
}

/* After a bad place the next good record is looked for. */
static int read_records(struct checking *c, struct scan *scan)
{
	struct scan_record rec;
	bool resynced = false;
	int rc;

	while ((rc = scan_next(scan, &rec)) != 0) {
		if (scan_is_bad(rc)) {
			check_finding(c->report,
				      "segment %llu @%llu: no whole record "
				      "here: %s",
				      ull(c->number), ull(scan->off),
				      error_text(rc));
			rc = scan_resync(scan, &rec);
			resynced = rc == 1;
		}
		if (rc <= 0)
			break;
		if (resynced)
			c->next_seq = rec.head.seq;
		resynced = false;
		rc = check_record(c, &rec);
		if (rc == 0 && rec.head.type == RECORD_FOOTER)
			rc = skip_zeros(scan);
		if (rc < 0)
			break;
		progress(c, scan->off);
	}
	return rc;
}

/* However many segments are missing here, that is one finding. */
static int skip_gap(struct checking *c)
{
	uint64_t next = 0;
	int rc = segments_next(c->s->segments, c->number, &next);

	if (rc < 0)
		return rc;
	if (next == 0)
		next = c->last + 1;
	if (next == c->number + 1)
		check_finding(c->report, "segment %llu: it is missing",
			      ull(c->number));
	else
		check_finding(c->report,
			      "segments %llu to %llu: they are missing",
			      ull(c->number), ull(next - 1));
	c->number = next - 1;
	return 0;
}

static int check_segment(struct checking *c)
{
	struct segment *segment = NULL;
	struct scan scan;
	int rc = segments_get(c->s->segments, c->number, &segment);

	/* What lies before both checkpoints may have been given back. */
	if (rc == -ENOENT && c->number < c->earlier) {
		c->gap = true;
		return 0;
	}
	if (rc == -ENOENT)
		return skip_gap(c);
	if (rc < 0) {
		check_finding(c->report, "segment %llu: %s", ull(c->number),
			      error_text(rc));
		return scan_is_bad(rc) ? 0 : rc;
	}
	if (segment->header.previous_commit != c->last_commit && !c->gap)
		check_finding(c->report,
			      "segment %llu: commits are missing before it",
			      ull(c->number));
	c->gap = false;
	c->next_seq = segment->header.first_seq;
	c->group = (struct commit_body){ .n_records = 0 };
	rc = scan_init(&scan, segment, SEGMENT_HEADER_LEN);
	/* Zeros may have been written ahead of the active segment's tail. */
	if (c->s->log && c->number == c->end.segment)
		scan.size = min_u64(scan.size, c->end.off);
	if (rc == 0)
		rc = read_records(c, &scan);
	if (rc == 0 && c->group.n_records > 0)
		check_finding(c->report,
			      "segment %llu: records without a commit",
			      ull(c->number));
	c->done += scan.size;
	scan_release(&scan);
	segments_put(c->s->segments, segment);
	return rc;
}

/* ---- counts -------------------------------------------------------------- */

static void check_row_refs(struct checking *c, uint64_t chunk, uint64_t refs)
{
	uint64_t extents = count_of(c->refs, chunk);
	uint64_t deltas = count_of(&c->base_refs, chunk);

	if (refs != extents + deltas)
		check_finding(c->report,
			      "chunk %llu: %llu extents and %llu deltas refer "
			      "to it, the index says %llu",
			      ull(chunk), ull(extents), ull(deltas), ull(refs));
}

/* All chunk rows: their number, and what refers to them. A base that is not
 * there was told when its delta was decoded. */
static int check_refs(struct checking *c)
{
	struct bank_chunk row = { .id = 0 };
	uint64_t n_rows = 0;
	uint64_t n_known = 0;
	int rc;

	for (;;) {
		index_lock(c->s);
		rc = bank_next_chunk(c->s->bank, row.id, &row);
		index_unlock(c->s);
		if (rc != 1)
			break;
		n_rows++;
		if (!c->refs)
			continue;
		n_known += idmap_find(c->refs, row.id) != NULL;
		check_row_refs(c, row.id, row.refs);
	}
	if (rc < 0)
		return rc;
	if (n_rows != c->n_chunks)
		check_finding(c->report,
			      "the log has %llu chunks, the index %llu",
			      ull(c->n_chunks), ull(n_rows));
	if (c->refs && n_known != c->refs->n_used)
		check_finding(c->report,
			      "%llu chunks are referred to, and not there",
			      ull(c->refs->n_used - n_known));
	return 0;
}

/* All rows of codebooks: that the log has them, and how many frames use them.
 * Frames without their codebook were told when they did not decode. */
static int check_codebooks(struct checking *c)
{
	struct codebook_row row = { .id = 0 };
	int rc;

	while ((rc = library_next(c->s, row.id, &row)) == 1) {
		if (count_of(&c->books, row.id) == 0)
			check_finding(c->report,
				      "the index has a codebook %llu that the "
				      "log has not",
				      ull(row.id));
		else if (count_of(&c->books, row.id) != place_key(&row.place))
			check_finding(c->report,
				      "codebook %llu is not where the index "
				      "says",
				      ull(row.id));
		if (count_of(&c->book_refs, row.id) != row.refs)
			check_finding(c->report,
				      "codebook %llu: %llu frames use it, the "
				      "index says %llu",
				      ull(row.id),
				      ull(count_of(&c->book_refs, row.id)),
				      ull(row.refs));
	}
	return rc;
}

static int check_all(struct checking *c)
{
	struct bank_frame_row row;
	int rc = 0;

	/* What lies before both checkpoints may have been given back. */
	c->gap = c->first > 1 && c->first <= c->earlier;
	if (!c->gap)
		c->first = 1;
	for (c->number = c->first; rc == 0 && c->number <= c->last; c->number++)
		rc = check_segment(c);
	if (rc == 0)
		rc = skip_rows(c, UINT64_MAX, &row);
	if (rc >= 0)
		rc = check_refs(c);
	return rc < 0 ? rc : check_codebooks(c);
}

/* Nothing moves meanwhile, and nothing goes. */
static int check_held(struct checking *c)
{
	struct store_stats st = { .stored_len = 0 };
	struct store *s = c->s;
	int rc = 0;

	/* Everything into the files, so that it is read from there. */
	if (store_writable(s) == 0)
		rc = index_commit(s);
	if (rc == 0 && s->log)
		rc = log_flush(s->log);
	if (rc == 0)
		rc = segments_range(s->segments, &c->first, &c->last);
	if (rc == 0)
		rc = store_stat(s, &st);
	if (rc == 0)
		rc = context_decoder(c->x);
	if (rc < 0)
		return rc;
	index_lock(s);
	c->end = s->position;
	c->earlier = s->kept.earlier;
	index_unlock(s);
	c->total = st.stored_len;
	return check_all(c);
}

int store_check(struct store *s, const struct idmap *refs,
		struct check_report *report)
{
	struct checking c = { .s = s, .report = report, .refs = refs };
	int rc;

	c.x = context_get(s->contexts);
	if (!c.x)
		return -ENOMEM;
	idmap_init(&c.base_refs);
	idmap_init(&c.book_refs);
	idmap_init(&c.books);
	maintain_enter(s);
	rc = check_held(&c);
	maintain_leave(s);
	idmap_release(&c.base_refs);
	idmap_release(&c.book_refs);
	idmap_release(&c.books);
	context_put(s->contexts, c.x);
	return rc;
}
