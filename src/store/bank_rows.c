/* SPDX-License-Identifier: MIT */
/*
 * bank_rows.c - SQL of the bank. Rows are small: a store has millions.
 */
#include "store/bank_rows.h"

#include "base/error.h"

int bank_rows_attach(struct bank_rows *r, struct db *db)
{
	const struct {
		const char *sql;
		struct db_stmt **ret;
	} all[] = {
		{ "SELECT frame.id, segment, off8, len FROM chunk LEFT JOIN "
		  "frame ON frame.id = chunk.frame WHERE chunk.id = ?",
		  &r->locate },
		{ "SELECT chunk FROM content WHERE key = ? LIMIT 1",
		  &r->candidate },
		{ "SELECT refs FROM chunk WHERE id = ?", &r->refs },
		{ "UPDATE chunk SET refs = ? WHERE id = ?", &r->set_refs },
		{ "INSERT INTO chunk VALUES(?, ?, ?)", &r->add_chunk },
		{ "INSERT INTO content VALUES(?, ?)", &r->add_content },
		{ "INSERT INTO frame VALUES(?, ?, ?, ?)", &r->add_frame },
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
	return rc;
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
	db_bind_u64(r->set_refs, 0, refs);
	db_bind_u64(r->set_refs, 1, chunk);
	return db_run(r->set_refs);
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

static int add_frame(struct bank_rows *r, const struct frame_place *place)
{
	db_bind_u64(r->add_frame, 0, place->frame);
	db_bind_u64(r->add_frame, 1, place->segment);
	db_bind_u64(r->add_frame, 2, place->off / 8);
	db_bind_u64(r->add_frame, 3, place->payload_len);
	return db_run(r->add_frame);
}

static int add_chunk(struct bank_rows *r, const struct pending_chunk *c,
		     uint64_t frame)
{
	int rc;

	db_bind_u64(r->add_chunk, 0, c->id);
	db_bind_u64(r->add_chunk, 1, frame);
	db_bind_u64(r->add_chunk, 2, c->refs);
	rc = db_run(r->add_chunk);
	if (rc < 0)
		return rc;
	db_bind_u64(r->add_content, 0, c->key);
	db_bind_u64(r->add_content, 1, c->id);
	return db_run(r->add_content);
}

int bank_rows_add(struct bank_rows *r, const struct pending *p)
{
	size_t i;
	int rc = 0;

	for (i = 0; rc == 0 && i < p->n_frames; i++)
		rc = add_frame(r, &p->frames[i].place);
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
