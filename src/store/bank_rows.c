/* SPDX-License-Identifier: MIT */
/*
 * bank_rows.c - SQL of the bank. Rows are small: a store has millions.
 *
 * What checkpoints need is in bank_dump.c.
 */
#include "store/bank_rows.h"

#include "base/error.h"

int bank_rows_attach(struct bank_rows *r, struct db *db)
{
	const struct {
		const char *sql;
		struct db_stmt **ret;
	} all[] = {
		{ "SELECT frame.id, segment, off8, frame.len FROM chunk LEFT JOIN "
		  "frame ON frame.id = chunk.frame WHERE chunk.id = ?",
		  &r->locate },
		{ "SELECT chunk FROM content WHERE key = ? LIMIT 1",
		  &r->candidate },
		{ "SELECT refs FROM chunk WHERE id = ?", &r->refs },
		{ "UPDATE chunk SET refs = ? WHERE id = ?", &r->set_refs },
		{ "INSERT INTO chunk VALUES(?, ?, ?, ?)", &r->add_chunk },
		{ "INSERT INTO content VALUES(?, ?)", &r->add_content },
		{ "INSERT INTO frame VALUES(?, ?, ?, ?, ?, ?, ?)",
		  &r->add_frame },
		{ "INSERT INTO base VALUES(?, ?, ?)", &r->add_base },
		{ "SELECT id, segment, off8, len FROM frame WHERE id > ? "
		  "ORDER BY id LIMIT 1",
		  &r->next_frame },
		{ "SELECT id, refs FROM chunk WHERE id > ? ORDER BY id "
		  "LIMIT 1",
		  &r->next_chunk },
	};
	size_t i;
	int rc = 0;

	r->db = db;
	for (i = 0; rc == 0 && i < ARRAY_LEN(all); i++)
		rc = db_prepare(db, all[i].sql, all[i].ret);
	return rc == 0 ? bank_rows_attach_dump(r, db) : rc;
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

int bank_rows_locate(struct bank_rows *r, uint64_t chunk,
		     struct frame_place *ret)
{
	struct frame_place place = { .frame = 0 };
	int rc;

	db_bind_u64(r->locate, 0, chunk);
	rc = db_step(r->locate);
	if (rc == 1)
		take_place(r->locate, &place);
	db_reset(r->locate);
	if (rc < 0)
		return rc;
	if (rc == 0)
		return -ENOENT;
	if (place.frame == 0)
		return corrupt("chunk %llu: its frame is not in the index",
			       (unsigned long long)chunk);
	*ret = place;
	return 0;
}

int bank_rows_refs(struct bank_rows *r, uint64_t chunk, uint64_t *ret)
{
	uint64_t refs = 0;
	int rc;

	db_bind_u64(r->refs, 0, chunk);
	rc = db_step(r->refs);
	if (rc == 1)
		refs = db_column_u64(r->refs, 0);
	db_reset(r->refs);
	if (rc < 0)
		return rc;
	if (rc == 0)
		return -ENOENT;
	*ret = refs;
	return 0;
}

int bank_rows_set_refs(struct bank_rows *r, uint64_t chunk, uint64_t refs)
{
	struct db_stmt *set = r->merging ? r->merge_refs : r->set_refs;

	db_bind_u64(set, 0, refs);
	db_bind_u64(set, 1, chunk);
	return db_run(set);
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

static int add_frame(struct bank_rows *r, const struct pending_frame *f)
{
	struct db_stmt *add = r->merging ? r->merge_frame : r->add_frame;

	db_bind_u64(add, 0, f->place.frame);
	db_bind_u64(add, 1, f->place.segment);
	db_bind_u64(add, 2, f->place.off / 8);
	db_bind_u64(add, 3, f->place.payload_len);
	db_bind_u64(add, 4, f->raw_len);
	db_bind_u64(add, 5, f->kind);
	db_bind_u64(add, 6, f->codebook);
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

static int add_chunk(struct bank_rows *r, const struct pending_chunk *c,
		     uint64_t frame)
{
	struct db_stmt *add = r->merging ? r->merge_chunk : r->add_chunk;
	struct db_stmt *content =
		r->merging ? r->merge_content : r->add_content;
	int rc;

	db_bind_u64(add, 0, c->id);
	db_bind_u64(add, 1, frame);
	db_bind_u64(add, 2, c->refs);
	db_bind_u64(add, 3, c->len);
	rc = db_run(add);
	if (rc < 0)
		return rc;
	db_bind_u64(content, 0, c->key);
	db_bind_u64(content, 1, c->id);
	return db_run(content);
}

int bank_rows_add(struct bank_rows *r, const struct pending *p)
{
	size_t n_bases = 0;
	size_t i;
	int rc = 0;

	for (i = 0; rc == 0 && i < p->n_frames; i++) {
		size_t n = p->frames[i].n_bases;

		rc = add_frame(r, &p->frames[i]);
		if (rc == 0 && n > 0)
			rc = add_bases(r, &p->frames[i], p->bases + n_bases);
		n_bases += n;
	}
	for (i = 0; rc == 0 && i < p->n_chunks; i++)
		rc = add_chunk(r, &p->chunks[i],
			       p->frames[p->chunks[i].frame].place.frame);
	return rc;
}

int bank_rows_next_frame(struct bank_rows *r, uint64_t after,
			 struct frame_place *ret)
{
	int rc;

	db_bind_u64(r->next_frame, 0, after);
	rc = db_step(r->next_frame);
	if (rc == 1)
		take_place(r->next_frame, ret);
	db_reset(r->next_frame);
	return rc;
}

int bank_rows_next_chunk(struct bank_rows *r, uint64_t after, uint64_t *ret,
			 uint64_t *ret_refs)
{
	int rc;

	db_bind_u64(r->next_chunk, 0, after);
	rc = db_step(r->next_chunk);
	if (rc == 1) {
		*ret = db_column_u64(r->next_chunk, 0);
		*ret_refs = db_column_u64(r->next_chunk, 1);
	}
	db_reset(r->next_chunk);
	return rc;
}
