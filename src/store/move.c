/* SPDX-License-Identifier: MIT */
/*
 * move.c - checks what may not be, then log and bank.
 */
#include "store/move.h"

#include "base/error.h"
#include "codec/decode.h"
#include "store/append.h"
#include "store/state.h"
#include "stream/record.h"

/* 1: the tree has DELTA nodes. */
static int has_deltas(struct span glyphs)
{
	struct reader in = reader_of(glyphs);
	uint64_t base;

	return decode_next_base(&in, &base);
}

/* Table and glyphs, in x->payload. */
static int put_payload(struct context *x, const struct move *m)
{
	struct buffer *b = &x->payload;
	int rc;

	buffer_clear(b);
	rc = buffer_reserve(b, frame_table_bound(m->n) + m->glyphs.len);
	if (rc < 0)
		return rc;
	b->len = frame_table_put(m->chunks, m->n, b->data);
	return buffer_append(b, m->glyphs);
}

/* Raw bytes of the frame; 0: it cannot be one. */
static size_t raw_len(const struct move *m)
{
	size_t len = 0;
	size_t i;

	if (m->n == 0 || m->n > FRAME_CHUNKS_MAX)
		return 0;
	for (i = 0; i < m->n && len <= FRAME_RAW_MAX; i++) {
		if (m->chunks[i].id == 0 || m->chunks[i].len == 0)
			return 0;
		len += m->chunks[i].len;
	}
	return len <= FRAME_RAW_MAX ? len : 0;
}

static int append(struct store *s, struct context *x, const struct move *m,
		  struct frame_place *ret)
{
	struct append frame = {
		.chunks = m->chunks,
		.n_chunks = m->n,
		.raw_len = raw_len(m),
		.known_below = UINT64_MAX,
	};
	int rc = put_payload(x, m);

	if (rc < 0)
		return rc;
	frame.payload = buffer_span(&x->payload);
	frame.glyphs = span_of(x->payload.data + x->payload.len - m->glyphs.len,
			       m->glyphs.len);
	if (frame.payload.len > RECORD_PAYLOAD_MAX)
		return -EINVAL;
	if (!space_has(s, record_len(frame.payload.len), m->cleaning))
		return -ENOSPC;
	return append_frame(s, &frame, ret);
}

/* Whether one of the chunks is a base. */
static int find_base(struct store *s, const struct move *m)
{
	size_t i;
	int rc = 0;

	index_lock(s);
	for (i = 0; rc == 0 && i < m->n; i++)
		rc = bank_is_base(s->bank, m->chunks[i].id);
	index_unlock(s);
	return rc;
}

/* Nobody may make a base of a chunk while it becomes a delta. */
static int append_deltas(struct store *s, struct context *x,
			 const struct move *m, struct frame_place *ret)
{
	int rc;

	bank_claim(s->bank, m->chunks, m->n);
	rc = find_base(s, m);
	if (rc == 0)
		rc = append(s, x, m, ret);
	else if (rc > 0)
		rc = -EBUSY;
	bank_unclaim(s->bank);
	return rc;
}

int move_frame(struct store *s, const struct move *m, struct frame_place *ret)
{
	struct context *x;
	int deltas = has_deltas(m->glyphs);
	int rc = store_writable(s);

	if (rc < 0 || deltas < 0)
		return rc < 0 ? rc : deltas;
	if (raw_len(m) == 0)
		return -EINVAL;
	x = context_get(s->contexts);
	if (!x)
		return -ENOMEM;
	rc = deltas ? append_deltas(s, x, m, ret) : append(s, x, m, ret);
	context_put(s->contexts, x);
	if (rc < 0)
		return rc;
	/* So that a commit comes. */
	index_lock(s);
	txn_touch(s);
	index_unlock(s);
	return 0;
}
