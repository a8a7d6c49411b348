/* SPDX-License-Identifier: MIT */
/*
 * ops.c - operations to bytes and back; packed as a frame is, by glyphs.
 */
#include "store/ops.h"

#include "base/varint.h"
#include "codec/glyph_format.h"
#include "store/log.h"

enum { PACK_MIN = 512 };

int ops_put(struct buffer *b, uint8_t type, struct span body)
{
	size_t before = b->len;
	int rc = buffer_append_u8(b, type);

	if (rc == 0)
		rc = buffer_append_varint(b, body.len);
	if (rc == 0)
		rc = buffer_append(b, body);
	if (rc < 0)
		b->len = before;
	return rc;
}

int ops_next(struct reader *r, struct op *ret)
{
	uint64_t len;
	struct op op;
	int rc;

	if (reader_left(r) == 0)
		return 0;
	rc = reader_u8(r, &op.type);
	if (rc == 0)
		rc = varint_get(r, &len);
	if (rc == 0)
		rc = reader_bytes(r, len, &op.body);
	if (rc < 0)
		return rc;
	*ret = op;
	return 1;
}

int ops_pack(struct encoder *e, int level, struct span batch,
	     struct buffer *packed, struct log_entry *ret)
{
	const struct encode_request request = { .effort = EFFORT_FAST,
						.level = level };
	ssize_t n;
	int rc;

	ret->flags = 0;
	ret->payload = batch;
	if (batch.len < PACK_MIN || batch.len > GLYPH_OUTPUT_MAX)
		return 0;
	buffer_clear(packed);
	rc = buffer_append_varint(packed, batch.len);
	if (rc == 0)
		rc = buffer_reserve(packed, encode_bound(batch.len));
	if (rc < 0)
		return rc;
	n = encode_frame(e, &request, batch, packed->data + packed->len);
	if (n < 0)
		return (int)n;
	packed->len += (size_t)n;
	if (packed->len < batch.len) {
		ret->flags = RECORD_PACKED;
		ret->payload = buffer_span(packed);
	}
	return 0;
}

int ops_unpack(struct decoder *d, uint8_t flags, struct span payload,
	       struct buffer *room, struct span *ret)
{
	struct reader r = reader_of(payload);
	uint64_t len;
	int rc;

	if (!(flags & RECORD_PACKED)) {
		*ret = payload;
		return 0;
	}
	rc = varint_get_max(&r, GLYPH_OUTPUT_MAX, &len);
	if (rc < 0)
		return rc;
	buffer_clear(room);
	rc = buffer_reserve(room, len);
	if (rc == 0)
		rc = decode_frame(d, span_of(r.pos, reader_left(&r)), NULL,
				  room->data, len);
	if (rc < 0)
		return rc;
	room->len = len;
	*ret = buffer_span(room);
	return 0;
}
