/* SPDX-License-Identifier: MIT */
/*
 * bank_rows.c - SQL of the bank. Rows are small: a store has millions.
 *
 * What checkpoints need is in bank_dump.c.
 */
#include "store/bank_rows.h"

#include "base/error.h"
#include "codec/glyph_format.h"
#include "store/dump.h"

int bank_rows_attach(struct bank_rows *r, struct db *db)
{
	const struct {
		const char *sql;
		struct db_stmt **ret;
	} all[] = {
		{ "SELECT chunk FROM content WHERE key = ? LIMIT 1",
		  &r->candidate },
		{ "INSERT INTO content VALUES(?, ?)", &r->add_content },
		{ "INSERT INTO frame VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?)",
		  &r->add_frame },
		{ "INSERT INTO base VALUES(?, ?, ?)", &r->add_base },
		{ "SELECT id, segment, off8, len, raw, chunks, live, codebook, "
		  "kind FROM frame WHERE id = ?",
		  &r->one_frame },
		{ "SELECT id, segment, off8, len, raw, chunks, live, codebook, "
		  "kind FROM frame WHERE id > ? ORDER BY id LIMIT 1",
		  &r->next_frame },
		{ "UPDATE frame SET chunks = chunks + ?2, live = live + ?3 "
		  "WHERE id = ?1 AND chunks + ?2 >= 0 AND live + ?3 BETWEEN 0 "
		  "AND raw RETURNING id, segment, off8, len, raw, chunks, live, "
		  "codebook, kind",
		  &r->change_frame },
		{ "DELETE FROM frame WHERE id = ?", &r->drop_frame },
		{ "SELECT chunk FROM base WHERE frame = ?", &r->bases },
		{ "DELETE FROM base WHERE frame = ?", &r->drop_bases },
		{ "SELECT 1 FROM base WHERE chunk = ? LIMIT 1", &r->is_base },
		{ "DELETE FROM content WHERE key = ? AND chunk = ?",
		  &r->drop_content },
	};
	size_t i;
	int rc = chunk_rows_attach(&r->chunks, db);

	r->db = db;
	for (i = 0; rc == 0 && i < ARRAY_LEN(all); i++)
		rc = db_prepare(db, all[i].sql, all[i].ret);
	return rc == 0 ? bank_rows_attach_dump(r, db) : rc;
}

int bank_rows_clear(struct bank_rows *r)
{
	int rc = chunk_rows_clear(&r->chunks);

	return rc == 0 ? db_exec(r->db,
				 "DELETE FROM content; DELETE FROM frame;"
				 "DELETE FROM base")
		       : rc;
}

static void take_place(struct db_stmt *s, struct frame_place *ret)
{
	*ret = (struct frame_place){
		.frame = db_column_u64(s, 0),
		.segment = db_column_u64(s, 1),
		.off = db_column_u64(s, 2) * 8,
		.payload_len = (uint32_t)db_column_u64(s, 3),
	};
}

int bank_rows_flush(struct bank_rows *r)
{
	return chunk_rows_flush(&r->chunks);
}

void bank_rows_forget(struct bank_rows *r)
{
	chunk_rows_forget(&r->chunks);
}

int bank_rows_locate(struct bank_rows *r, uint64_t chunk,
		     struct frame_place *ret)
{
	struct bank_chunk c;
	struct bank_frame_row row;
	int rc = chunk_rows_get(&r->chunks, chunk, &c);

	if (rc < 0)
		return rc;
	rc = bank_rows_frame(r, c.frame, &row);
	if (rc == -ENOENT)
		return corrupt("chunk %llu: its frame is not in the index",
			       (unsigned long long)chunk);
	if (rc == 0)
		*ret = row.place;
	return rc;
}

int bank_rows_refs(struct bank_rows *r, uint64_t chunk, uint64_t *ret)
{
	struct bank_chunk c;
	int rc = chunk_rows_get(&r->chunks, chunk, &c);

	if (rc == 0)
		*ret = c.refs;
	return rc;
}

int bank_rows_set_refs(struct bank_rows *r, uint64_t chunk, uint64_t refs)
{
	struct bank_chunk c = { .id = chunk };
	int rc = chunk_rows_get(&r->chunks, chunk, &c);

	/* Its row may yet come. */
	if (rc == -ENOENT)
		rc = r->merging ? 0
				: corrupt("chunk %llu is not in the index",
					  (unsigned long long)chunk);
	c.refs = refs;
	return rc == 0 ? chunk_rows_set(&r->chunks, &c) : rc;
}

int bank_rows_candidate(struct bank_rows *r, uint64_t key, uint64_t *ret)
{
	int rc;

	*ret = 0;
	db_bind_u64(r->candidate, 0, key);
	rc = db_step(r->candidate);
	if (rc == 1)
		*ret = db_column_u64(r->candidate, 0);
	db_reset(r->candidate);
	return rc < 0 ? rc : 0;
}

/* What a checkpoint's rows are merged with is counted at the end of it. */
static int add_frame(struct bank_rows *r, const struct pending_frame *f,
		     uint64_t live_len)
{
	struct db_stmt *add = r->merging ? r->merge_frame : r->add_frame;

	db_bind_u64(add, 0, f->place.frame);
	db_bind_u64(add, 1, f->place.segment);
	db_bind_u64(add, 2, f->place.off / 8);
	db_bind_u64(add, 3, f->place.payload_len);
	db_bind_u64(add, 4, f->raw_len);
	db_bind_u64(add, 5, f->kind);
	db_bind_u64(add, 6, f->codebook);
	if (!r->merging) {
		db_bind_u64(add, 7, f->n_chunks);
		db_bind_u64(add, 8, live_len);
	}
	return db_run(add);
}

static int add_bases(struct bank_rows *r, const struct pending_frame *f,
		     const uint64_t *bases)
{
	struct db_stmt *add = r->merging ? r->merge_base : r->add_base;
	uint32_t i;
	int rc = 0;

	for (i = 0; rc == 0 && i < f->n_bases; i++) {
		db_bind_u64(add, 0, f->place.frame);
		db_bind_u64(add, 1, i);
		db_bind_u64(add, 2, bases[i]);
		rc = db_run(add);
	}
	return rc;
}

static int add_content(struct db_stmt *add, const struct pending_chunk *c)
{
	db_bind_u64(add, 0, c->key);
	db_bind_u64(add, 1, c->id);
	return db_run(add);
}

int bank_rows_merge_chunk(struct bank_rows *r, const struct bank_chunk *chunk)
{
	struct bank_chunk c = { .id = chunk->id };
	int rc = chunk_rows_get(&r->chunks, chunk->id, &c);

	if (rc < 0 && rc != -ENOENT)
		return rc;
	c.refs += chunk->refs;
	c.len = chunk->len;
	c.frame = max_u64(c.frame, chunk->frame);
	return chunk_rows_set(&r->chunks, &c);
}

static int add_new(struct bank_rows *r, const struct bank_chunk *chunk)
{
	struct bank_chunk c;
	int rc = chunk_rows_get(&r->chunks, chunk->id, &c);

	if (rc == 0)
		return corrupt("chunk %llu is in the index already",
			       (unsigned long long)chunk->id);
	return rc == -ENOENT ? chunk_rows_set(&r->chunks, chunk) : rc;
}

static int add_chunk(struct bank_rows *r, const struct pending_chunk *c,
		     uint64_t frame)
{
	const struct bank_chunk chunk = {
		.id = c->id,
		.frame = frame,
		.refs = c->refs,
		.len = c->len,
	};
	int rc = r->merging ? bank_rows_merge_chunk(r, &chunk)
			    : add_new(r, &chunk);

	if (rc < 0)
		return rc;
	return add_content(r->merging ? r->merge_content : r->add_content, c);
}

/* Raw bytes of the frame's new chunks that are live. */
static uint64_t live_len(const struct pending_frame *f,
			 const struct pending_chunk *chunks)
{
	uint64_t len = 0;
	uint32_t i;

	for (i = 0; i < f->n_chunks; i++)
		len += chunks[i].refs > 0 ? chunks[i].len : 0;
	return len;
}

int bank_rows_add(struct bank_rows *r, const struct pending *p)
{
	const struct pending_chunk *chunks = p->chunks;
	size_t n_bases = 0;
	size_t i;
	int rc = 0;

	for (i = 0; rc == 0 && i < p->n_frames; i++) {
		size_t n = p->frames[i].n_bases;

		rc = add_frame(r, &p->frames[i],
			       live_len(&p->frames[i], chunks));
		if (rc == 0 && n > 0)
			rc = add_bases(r, &p->frames[i], p->bases + n_bases);
		n_bases += n;
		/* Where all chunks were known, there is no table to point into. */
		if (p->frames[i].n_chunks > 0)
			chunks += p->frames[i].n_chunks;
	}
	for (i = 0; rc == 0 && i < p->n_chunks; i++)
		rc = add_chunk(r, &p->chunks[i],
			       p->frames[p->chunks[i].frame].place.frame);
	return rc;
}

int bank_rows_put(struct bank_rows *r, const struct pending_chunk *c,
		  uint64_t frame)
{
	struct bank_chunk chunk = { .id = c->id };
	int rc;

	if (r->merging) {
		rc = add_chunk(r, c, frame);
		return rc < 0 ? rc : 1;
	}
	rc = chunk_rows_get(&r->chunks, c->id, &chunk);
	if (rc != -ENOENT)
		return rc;
	chunk.frame = frame;
	chunk.len = c->len;
	rc = chunk_rows_set(&r->chunks, &chunk);
	if (rc == 0)
		rc = add_content(r->add_content, c);
	return rc < 0 ? rc : 1;
}

int bank_rows_move(struct bank_rows *r, uint64_t chunk, uint64_t frame)
{
	struct bank_chunk c;
	int rc = chunk_rows_get(&r->chunks, chunk, &c);

	if (rc < 0)
		return rc == -ENOENT ? 0 : rc;
	c.frame = frame;
	return chunk_rows_set(&r->chunks, &c);
}

/* ---- reading -------------------------------------------------------------- */

int bank_rows_chunk(struct bank_rows *r, uint64_t chunk, struct bank_chunk *ret)
{
	return chunk_rows_get(&r->chunks, chunk, ret);
}

int bank_rows_next_chunk(struct bank_rows *r, uint64_t after,
			 struct bank_chunk *ret)
{
	return chunk_rows_next(&r->chunks, after, ret);
}

static void take_frame(struct db_stmt *s, struct bank_frame_row *ret)
{
	take_place(s, &ret->place);
	ret->raw_len = (uint32_t)db_column_u64(s, 4);
	ret->n_chunks = db_column_u64(s, 5);
	ret->live_len = db_column_u64(s, 6);
	ret->codebook = db_column_u64(s, 7);
	ret->kind = (enum encode_kind)db_column_u64(s, 8);
}

static int step_frame(struct db_stmt *s, struct bank_frame_row *ret)
{
	int rc = db_step(s);

	if (rc == 1 && db_column_u64(s, 8) >= ENCODE_N_KINDS)
		rc = corrupt("frame %llu: a kind that is none",
			     (unsigned long long)db_column_u64(s, 0));
	if (rc == 1)
		take_frame(s, ret);
	db_reset(s);
	return rc;
}

int bank_rows_frame(struct bank_rows *r, uint64_t frame,
		    struct bank_frame_row *ret)
{
	int rc;

	db_bind_u64(r->one_frame, 0, frame);
	rc = step_frame(r->one_frame, ret);
	return rc == 0 ? -ENOENT : rc < 0 ? rc : 0;
}

int bank_rows_next_frame(struct bank_rows *r, uint64_t after,
			 struct bank_frame_row *ret)
{
	int rc;

	db_bind_u64(r->next_frame, 0, after);
	rc = step_frame(r->next_frame, ret);
	return rc == 1 ? dump_check_order("frames", after, ret->place.frame)
		       : rc;
}

int bank_rows_is_base(struct bank_rows *r, uint64_t chunk)
{
	int rc;

	db_bind_u64(r->is_base, 0, chunk);
	rc = db_step(r->is_base);
	db_reset(r->is_base);
	return rc;
}

/* ---- frames that change ---------------------------------------------------- */

int bank_rows_change(struct bank_rows *r, const struct bank_change *c,
		     struct bank_frame_row *ret)
{
	int rc;

	db_bind_u64(r->change_frame, 0, c->frame);
	db_bind_i64(r->change_frame, 1, c->n_chunks);
	db_bind_i64(r->change_frame, 2, c->live_len);
	rc = step_frame(r->change_frame, ret);
	if (rc == 0)
		return corrupt("frame %llu: it does not hold what it should",
			       (unsigned long long)c->frame);
	return rc < 0 ? rc : 0;
}

int bank_rows_bases(struct bank_rows *r, uint64_t frame, uint64_t *ret,
		    size_t *ret_n)
{
	size_t n = 0;
	int rc;

	db_bind_u64(r->bases, 0, frame);
	while ((rc = db_step(r->bases)) == 1) {
		if (n == GLYPH_DELTAS_MAX) {
			rc = corrupt("frame %llu: too many bases",
				     (unsigned long long)frame);
			break;
		}
		ret[n++] = db_column_u64(r->bases, 0);
	}
	db_reset(r->bases);
	if (rc == 0)
		*ret_n = n;
	return rc;
}

int bank_rows_drop_frame(struct bank_rows *r, uint64_t frame)
{
	int rc;

	db_bind_u64(r->drop_bases, 0, frame);
	rc = db_run(r->drop_bases);
	if (rc < 0)
		return rc;
	db_bind_u64(r->drop_frame, 0, frame);
	return db_run(r->drop_frame);
}

int bank_rows_drop_chunk(struct bank_rows *r, uint64_t chunk, uint64_t key)
{
	int rc;

	db_bind_u64(r->drop_content, 0, key);
	db_bind_u64(r->drop_content, 1, chunk);
	rc = db_run(r->drop_content);
	if (rc < 0)
		return rc;
	return chunk_rows_drop(&r->chunks, chunk);
}
