/* SPDX-License-Identifier: MIT */
/*
 * apply.c - records of the log, one after the other, into the index.
 *
 * Parts of a checkpoint repeat what the index knows already: they are passed
 * over, except when the index is made from them.
 */
#include "store/apply.h"

#include "base/error.h"
#include "store/library.h"
#include "store/ops.h"
#include "store/state.h"
#include "stream/frame.h"

#include <stdlib.h>

int apply_begin(struct applying *a, struct store *s, const struct round *from)
{
	*a = (struct applying){ .s = s, .from = from };
	a->x = context_get(s->contexts);
	if (!a->x)
		return -ENOMEM;
	s->rebuilding = from != NULL;
	if (from)
		bank_rebuild_begin(s->bank);
	return 0;
}

void apply_release(struct applying *a)
{
	if (a->x)
		context_put(a->s->contexts, a->x);
	a->x = NULL;
}

static int apply_frame(struct applying *a, const struct scan_record *rec,
		       uint64_t segment)
{
	struct frame_chunk table[64];
	struct frame_chunk *chunks = table;
	struct frame_cursor cursor;
	struct bank_frame frame = {
		.place = { rec->head.seq, segment, rec->off,
			   rec->head.payload_len },
		/* Of lower ids some have been seen, and may move now. */
		.known_below = atomic_load(&a->s->next_ids[STORE_ID_CHUNK]),
	};
	struct frame_view view = { .n_chunks = 0 };
	int rc = frame_parse(rec->payload, &view);

	if (rc < 0)
		return rc;
	if (view.n_chunks > ARRAY_LEN(table)) {
		chunks = calloc(view.n_chunks, sizeof(*chunks));
		if (!chunks)
			return -ENOMEM;
	}
	frame.raw_len = (uint32_t)view.raw_len;
	frame.glyphs = view.glyphs;
	frame.chunks = chunks;
	frame_walk(&view, &cursor);
	while (frame.n_chunks < view.n_chunks &&
	       frame_next(&cursor, &chunks[frame.n_chunks]))
		store_saw_id(a->s, STORE_ID_CHUNK, chunks[frame.n_chunks++].id);
	rc = bank_add(a->s->bank, &frame);
	if (chunks != table)
		free(chunks);
	return rc;
}

static bool is_row(uint8_t type)
{
	return type >= OP_FRAME_ROWS && type <= OP_CODEBOOK_ROW;
}

/* A row of the store's own tables. */
static int apply_row(struct applying *a, const struct op *op)
{
	if (!a->s->rebuilding)
		return corrupt("a row of a checkpoint among operations");
	if (op->type == OP_CODEBOOK_ROW)
		return library_load_row(a->s, op->body);
	return bank_load_rows(a->s->bank, op->type, op->body);
}

/* The operations of a batch, or of a part. */
static int apply_batch(struct applying *a, struct span batch)
{
	struct reader reader = reader_of(batch);
	struct op op = { .type = 0 };
	int rc;

	while ((rc = ops_next(&reader, &op)) == 1) {
		rc = is_row(op.type) ? apply_row(a, &op)
				     : txn_apply(a->s, op.type, op.body);
		if (rc < 0)
			return rc;
		a->n_ops++;
	}
	return rc;
}

static int apply_codebook(struct applying *a, const struct scan_record *rec,
			  uint64_t segment)
{
	const struct codebook_place place = { segment, rec->off };
	uint64_t id = 0;
	int rc = codebooks_add(a->s->codebooks, &place, rec->payload, &id);

	if (rc < 0)
		return rc;
	store_saw_id(a->s, STORE_ID_CODEBOOK, id);
	a->n_ops++;
	return 0;
}

static int unpack(struct applying *a, const struct scan_record *rec,
		  struct span *ret)
{
	int rc = context_decoder(a->x);

	if (rc < 0)
		return rc;
	return ops_unpack(a->x->decoder, rec->head.flags, rec->payload,
			  &a->x->raw, ret);
}

static int apply_ops(struct applying *a, const struct scan_record *rec)
{
	struct span batch = { NULL, 0 };
	int rc = unpack(a, rec, &batch);

	a->s->ops_len += record_len(rec->head.payload_len);
	return rc < 0 ? rc : apply_batch(a, batch);
}

/* ---- checkpoints ---------------------------------------------------------- */

/* Whether the record belongs to the round that is being read. */
static bool is_wanted(const struct applying *a, const struct round_part *part)
{
	return a->s->rebuilding && !a->loaded && part->round == a->from->seq;
}

static int apply_part(struct applying *a, const struct round_part *part,
		      struct span payload)
{
	if (!is_wanted(a, part))
		return 0;
	if (part->number != a->n_parts + 1)
		return corrupt("a checkpoint lacks a part");
	a->n_parts++;
	a->hash = round_hash(a->hash, payload);
	return apply_batch(a, part->rest);
}

static int finish_round(struct applying *a, const struct round_end *end)
{
	struct store *s = a->s;

	if (end->n_parts != a->n_parts || end->hash != a->hash)
		return corrupt("a checkpoint is not whole");
	atomic_store(&s->totals[TOTAL_DUPLICATES], (int64_t)end->n_duplicates);
	atomic_store(&s->totals[TOTAL_DUPLICATE_LEN],
		     (int64_t)end->duplicate_len);
	a->loaded = true;
	return 0;
}

static int apply_round_end(struct applying *a, const struct scan_record *rec,
			   const struct round_part *part, uint64_t segment)
{
	struct store *s = a->s;
	struct round_end end;
	int rc = round_end_get(part->rest, &end);
	int i;

	if (rc < 0)
		return rc;
	if (is_wanted(a, part) && rec->head.seq == a->from->end_seq)
		rc = finish_round(a, &end);
	if (rc < 0)
		return rc;
	for (i = 0; i < STORE_N_IDS; i++) {
		if (end.next_ids[i] > 0)
			store_saw_id(s, i, end.next_ids[i] - 1);
	}
	checkpoint_note(s, segment, &end);
	return 0;
}

static int apply_checkpoint(struct applying *a, const struct scan_record *rec,
			    uint64_t segment)
{
	struct span payload = { NULL, 0 };
	struct round_part part = { .number = 0 };
	int rc = unpack(a, rec, &payload);

	if (rc == 0)
		rc = round_part_get(payload, &part);
	if (rc < 0)
		return rc;
	return part.number > 0 ? apply_part(a, &part, payload)
			       : apply_round_end(a, rec, &part, segment);
}

/* ---- all ------------------------------------------------------------------ */

int apply_record(struct applying *a, const struct scan_record *rec,
		 uint64_t segment)
{
	switch (rec->head.type) {
	case RECORD_FRAME:
		return apply_frame(a, rec, segment);
	case RECORD_OPS:
		return apply_ops(a, rec);
	case RECORD_CHECKPOINT:
		return apply_checkpoint(a, rec, segment);
	case RECORD_CODEBOOK:
		return apply_codebook(a, rec, segment);
	case RECORD_COMMIT:
	case RECORD_FOOTER:
	case RECORD_SEEK:
		break;
	}
	return -EOPNOTSUPP;
}

int apply_end(struct applying *a)
{
	int rc;

	if (!a->loaded || !a->s->rebuilding)
		return 0;
	rc = bank_rebuild_end(a->s->bank, a->s->totals);
	if (rc == 0)
		a->s->rebuilding = false;
	return rc;
}
