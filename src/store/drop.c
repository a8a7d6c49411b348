/* SPDX-License-Identifier: MIT */
/* drop.c - bodies of the two operations, and what they do to the bank. */
#include "store/drop.h"

#include "base/error.h"
#include "base/varint.h"
#include "store/ops.h"
#include "store/state.h"

#include <stdlib.h>

enum {
	CHUNK_LEN_MAX = VARINT_MAX + 8,
	BODY_MAX = VARINT_MAX + FRAME_CHUNKS_MAX * CHUNK_LEN_MAX,
};

static int put_body(struct buffer *b, const struct frame_drop *d)
{
	uint64_t last = 0;
	size_t i;
	int rc = buffer_append_varint(b, d->frame);

	for (i = 0; rc == 0 && i < d->n; i++) {
		rc = buffer_append_varint(
			b, zigzag((int64_t)(d->chunks[i].id - last)));
		if (rc == 0)
			rc = buffer_append_le64(b, d->chunks[i].hash);
		last = d->chunks[i].id;
	}
	return rc;
}

int drop_frame(struct store *s, const struct frame_drop *d)
{
	struct buffer body;
	int rc;

	buffer_init(&body, BODY_MAX);
	rc = put_body(&body, d);
	if (rc == 0)
		rc = txn_op(s, OP_FRAME_DEL, buffer_span(&body));
	buffer_release(&body);
	return rc;
}

int drop_segment(struct store *s, uint64_t number)
{
	uint8_t body[VARINT_MAX];

	return txn_op(s, OP_SEGMENT_DEL,
		      span_of(body, varint_put(body, number)));
}

static int get_chunk(struct reader *in, uint64_t *last, struct frame_chunk *ret)
{
	struct span hash = { NULL, 0 };
	uint64_t diff = 0;
	int rc = varint_get(in, &diff);

	if (rc == 0)
		rc = reader_bytes(in, 8, &hash);
	if (rc != 0)
		return rc;
	*last += (uint64_t)unzigzag(diff);
	if (*last == 0)
		return corrupt("a chunk without an id is dropped");
	*ret = (struct frame_chunk){ .id = *last, .hash = get_le64(hash.ptr) };
	return 0;
}

int drop_apply_frame(struct store *s, struct span body)
{
	struct reader in = reader_of(body);
	struct frame_chunk chunk = { .id = 0 };
	uint64_t frame = 0;
	uint64_t last = 0;
	int rc = varint_get(&in, &frame);

	/* At a replay, what came before is in memory still. While the log is
	 * written, that are only frames which this one has nothing to do
	 * with. */
	if (rc == 0 && !s->log)
		rc = bank_flush(s->bank, UINT64_MAX, s->totals);
	while (rc == 0 && reader_left(&in) > 0) {
		rc = get_chunk(&in, &last, &chunk);
		if (rc == 0)
			rc = bank_drop_chunk(s->bank, frame, &chunk, s->totals);
		if (rc == 0)
			rc = sketches_drop(s->sketches, chunk.id);
	}
	return rc == 0 ? bank_drop_frame(s->bank, frame, s->totals) : rc;
}

int drop_apply_segment(struct store *s, struct span body)
{
	struct reader in = reader_of(body);
	uint64_t number = 0;
	int rc = varint_get(&in, &number);

	if (rc == 0)
		s->recount = true;
	return rc;
}
