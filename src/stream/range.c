/* SPDX-License-Identifier: MIT */
/*
 * range.c - from the FOOTER down the tree of seek tables, frame by frame.
 *
 * Of each level the table last read is kept, so that neighbouring frames cost
 * no table. Everything that a table promises is compared with what it leads to.
 */
#include "stream/range.h"

#include "base/error.h"
#include "base/io.h"
#include "stream/record.h"
#include "stream/seek.h"

#include <assert.h>
#include <stdlib.h>

/* The table last read of one level. */
struct kept {
	uint64_t off; /* 0: none */
	struct seek_table table;
};

struct range {
	int fd; /* borrowed */
	uint64_t size;
	struct stream_head head;
	struct stream_end end;
	uint8_t *bytes; /* owned; a record */
	uint64_t read_len;
	uint64_t n_frames;
	struct kept kept[SEEK_LEVEL_MAX];
};

/* What leads to a record, and where its raw bytes begin. */
struct lead {
	struct seek_entry entry;
	uint64_t raw_off;
};

/* ---- reading -------------------------------------------------------------- */

static int read_at(struct range *r, void *buf, size_t len, uint64_t off)
{
	int rc;

	if (len > r->size || off > r->size - len)
		return corrupt("stream: a record beyond the end, at byte %llu",
			       (unsigned long long)off);
	rc = io_pread_full(r->fd, buf, len, off);
	if (rc == 0)
		r->read_len += len;
	return rc;
}

/* The record of `type` that `entry` leads to. Its payload lies in r->bytes. */
static int read_record(struct range *r, enum record_type type,
		       const struct seek_entry *entry, struct span *ret)
{
	struct span payload = span_of(r->bytes + RECORD_HEADER_LEN, entry->len);
	struct record rec;
	int rc;

	if (entry->len > stream_payload_max(&r->head))
		return corrupt("stream: a record of %u bytes", entry->len);
	rc = read_at(r, r->bytes, RECORD_HEADER_LEN + (size_t)entry->len,
		     entry->off);
	if (rc == 0)
		rc = record_parse_header(span_of(r->bytes, RECORD_HEADER_LEN),
					 r->head.epoch, &rec);
	if (rc == -EUCLEAN || rc == -EBADMSG ||
	    (rc == 0 && (rec.type != type || rec.flags != 0 ||
			 rec.epoch != r->head.epoch ||
			 record_verify(&rec, payload, r->head.epoch) < 0)))
		return corrupt("stream: no good record where one should be, "
			       "at byte %llu",
			       (unsigned long long)entry->off);
	if (rc == 0)
		*ret = payload;
	return rc;
}

static int read_end(struct range *r)
{
	struct seek_entry tail = {
		.off = r->size - STREAM_TAIL_LEN,
		.len = STREAM_END_LEN,
	};
	struct span payload;
	int rc;

	if (r->size < STREAM_HEAD_LEN + STREAM_TAIL_LEN)
		return corrupt("stream: too short to be whole");
	rc = read_record(r, RECORD_FOOTER, &tail, &payload);
	if (rc == 0 && stream_end_get(payload, &r->end) < 0)
		return corrupt("stream: a bad end");
	return rc;
}

static int read_head(struct range *r)
{
	uint8_t bytes[STREAM_HEAD_LEN];
	int rc;

	if (r->size < sizeof(bytes))
		return -EINVAL;
	rc = read_at(r, bytes, sizeof(bytes), 0);
	if (rc == 0)
		rc = stream_head_get(span_of(bytes, sizeof(bytes)), &r->head);
	return rc;
}

int range_open(int fd, struct range **ret)
{
	struct range *r = calloc(1, sizeof(*r));
	int rc;

	if (!r)
		return -ENOMEM;
	r->fd = fd;
	rc = io_size(fd, &r->size);
	if (rc == 0)
		rc = read_head(r);
	if (rc == 0) {
		r->bytes = malloc(record_len(stream_payload_max(&r->head)));
		rc = r->bytes ? read_end(r) : -ENOMEM;
	}
	if (rc < 0) {
		range_close(r);
		return rc;
	}
	*ret = r;
	return 0;
}

void range_close(struct range *r)
{
	if (!r)
		return;
	free(r->bytes);
	free(r);
}

uint64_t range_raw_len(const struct range *r)
{
	return r->end.raw_len;
}

uint64_t range_read_len(const struct range *r)
{
	return r->read_len;
}

uint64_t range_n_frames(const struct range *r)
{
	return r->n_frames;
}

/* ---- the way down --------------------------------------------------------- */

/* The table of `level` that `lead` leads to. */
static int find_table(struct range *r, unsigned level, const struct lead *lead,
		      const struct seek_table **ret)
{
	struct kept *kept = &r->kept[level - 1];
	struct span payload = { NULL, 0 };
	int rc;

	if (kept->off != lead->entry.off) {
		rc = read_record(r, RECORD_SEEK, &lead->entry, &payload);
		if (rc < 0)
			return rc;
		kept->off = 0;
		if (seek_get(payload, &kept->table) < 0 ||
		    kept->table.level != level)
			return corrupt("stream: a bad seek table at byte %llu",
				       (unsigned long long)lead->entry.off);
		kept->off = lead->entry.off;
	}
	if (kept->table.raw_len != lead->entry.raw_len)
		return corrupt("stream: seek tables that do not agree");
	*ret = &kept->table;
	return 0;
}

/* The frame that covers raw byte `raw_off`, which is not behind the end. */
static int find_frame(struct range *r, uint64_t raw_off, struct lead *ret)
{
	struct lead lead = {
		.entry = {
			.raw_len = r->end.raw_len,
			.off = r->end.root_off,
			.len = r->end.root_len,
		},
	};
	const struct seek_table *table = NULL;
	unsigned level;
	uint64_t before;
	size_t i;
	int rc;

	for (level = r->end.root_level; level > 0; level--) {
		rc = find_table(r, level, &lead, &table);
		if (rc < 0 || !table)
			return rc;
		assert(table);
		i = seek_find(table, raw_off - lead.raw_off, &before);
		lead.entry = table->entries[i];
		lead.raw_off += before;
	}
	*ret = lead;
	return 0;
}

static int take_frame(struct range *r, struct thaw *thaw,
		      const struct lead *lead)
{
	struct thaw_place place = { .raw_off = 0 };
	struct span payload = { NULL, 0 };
	int rc = read_record(r, RECORD_FRAME, &lead->entry, &payload);

	if (rc == 0)
		rc = thaw_place_of(&r->head, payload, &place);
	if (rc < 0)
		return rc;
	if (place.raw_off != lead->raw_off ||
	    place.raw_len != lead->entry.raw_len)
		return corrupt("stream: not the frame that the seek table "
			       "says");
	r->n_frames++;
	return thaw_frame(thaw, &place, payload);
}

int range_read(struct range *r, const struct thaw_options *how)
{
	struct thaw_options options = *how;
	struct thaw *thaw = NULL;
	struct thaw_totals told;
	struct lead lead = { .raw_off = 0 };
	uint64_t pos;
	int rc;

	options.head = r->head;
	options.lenient = false;
	options.to = min_u64(options.to, r->end.raw_len);
	rc = thaw_new(&options, &thaw);
	for (pos = options.from; rc == 0 && pos < options.to;
	     pos = lead.raw_off + lead.entry.raw_len) {
		rc = find_frame(r, pos, &lead);
		if (rc == 0)
			rc = take_frame(r, thaw, &lead);
	}
	if (rc == 0)
		rc = thaw_finish(thaw, 0, &told);
	thaw_free(thaw);
	return rc;
}
