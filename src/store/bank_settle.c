/* SPDX-License-Identifier: MIT */
/*
 * bank_settle.c - after the rows of a checkpoint have been merged: what follows
 * from them is counted.
 *
 * In the order of keys, so that it takes no memory but for pages that change.
 */
#include "store/bank_rows.h"

#include "base/error.h"

#include <assert.h>

/* Runs `sql`, a sum in the second column for each key in the first. */
static int sum_up(struct db *db, const char *sql, int64_t *ret, size_t n)
{
	struct db_stmt *s;
	int rc = db_prepare(db, sql, &s);

	if (rc < 0)
		return rc;
	while ((rc = db_step(s)) == 1) {
		uint64_t key = db_column_u64(s, 0);

		if (key < n)
			ret[key] = db_column_i64(s, 1);
	}
	db_stmt_free(s);
	return rc;
}

int bank_rows_each_codebook(struct bank_rows *r, bank_codebook_fn *fn,
			    void *ctx)
{
	struct db_stmt *s;
	uint64_t codebook = 0;
	int64_t n = 0;
	int rc = db_prepare(
		r->db, "SELECT codebook FROM frame WHERE codebook > 0", &s);

	if (rc < 0)
		return rc;
	while ((rc = db_step(s)) == 1) {
		uint64_t next = db_column_u64(s, 0);

		if (next != codebook && n > 0) {
			rc = fn(ctx, codebook, n);
			if (rc < 0)
				break;
			n = 0;
		}
		codebook = next;
		n++;
	}
	db_stmt_free(s);
	if (rc == 0 && n > 0)
		rc = fn(ctx, codebook, n);
	return rc;
}

/* Writes what a run of chunks adds to their frame. */
static int add_run(struct bank_rows *r, const struct bank_change *run)
{
	struct bank_frame_row row;

	/* What is in no frame was only referred to so far. */
	return run->frame == 0 ? 0 : bank_rows_change(r, run, &row);
}

/* What all frames hold, and how much it is in all. Chunks of a frame mostly have
 * consecutive ids. */
static int count_chunks(struct bank_rows *r, int64_t *totals)
{
	struct bank_chunk c = { .id = 0 };
	struct bank_change run = { .frame = 0 };
	int rc;

	while ((rc = bank_rows_next_chunk(r, c.id, &c)) == 1) {
		if (c.frame != run.frame) {
			rc = add_run(r, &run);
			if (rc < 0)
				return rc;
			run = (struct bank_change){ .frame = c.frame };
		}
		run.n_chunks++;
		run.live_len += c.refs > 0 ? c.len : 0;
		totals[TOTAL_CHUNKS]++;
		totals[TOTAL_CHUNK_LEN] += c.len;
	}
	return rc < 0 ? rc : add_run(r, &run);
}

/* `n` more references to a base. */
static int hold_base(struct bank_rows *r, uint64_t chunk, uint64_t n)
{
	struct bank_chunk c = { .id = 0 };
	struct bank_change change = { .frame = 0 };
	struct bank_frame_row row;
	int rc = bank_rows_chunk(r, chunk, &c);

	if (rc == -ENOENT || (rc == 0 && c.frame == 0))
		return corrupt("chunk %llu is a base, and not there",
			       (unsigned long long)chunk);
	if (rc == 0)
		rc = bank_rows_set_refs(r, chunk, c.refs + n);
	if (rc < 0 || c.refs > 0)
		return rc;
	change.frame = c.frame;
	change.live_len = c.len;
	return bank_rows_change(r, &change, &row);
}

/* What all bases are referred to. */
static int count_bases(struct bank_rows *r)
{
	struct db_stmt *s;
	int rc = db_prepare(r->db,
			    "SELECT chunk, count(*) FROM base GROUP BY chunk "
			    "ORDER BY chunk",
			    &s);

	if (rc < 0)
		return rc;
	while ((rc = db_step(s)) == 1) {
		rc = hold_base(r, db_column_u64(s, 0), db_column_u64(s, 1));
		if (rc < 0)
			break;
	}
	db_stmt_free(s);
	return rc;
}

/* What is referred to must be in a frame; the rest goes. */
static int drop_homeless(struct bank_rows *r)
{
	struct bank_chunk c = { .id = 0 };
	uint64_t homeless = 0;
	int rc;

	while ((rc = bank_rows_next_chunk(r, c.id, &c)) == 1) {
		if (c.frame != 0)
			continue;
		homeless += c.refs > 0;
		rc = chunk_rows_drop(&r->chunks, c.id);
		if (rc < 0)
			return rc;
	}
	if (rc == 0 && homeless > 0)
		rc = corrupt("%llu chunks are referred to, and not there",
			     (unsigned long long)homeless);
	return rc;
}

/* Frames that were dead already when the last rows came. */
static int drop_dead(struct bank_rows *r)
{
	return db_exec(r->db,
		       "DELETE FROM frame WHERE chunks = 0;"
		       "DELETE FROM base WHERE NOT EXISTS (SELECT 1 FROM frame "
		       "WHERE frame.id = base.frame)");
}

int bank_rows_settle(struct bank_rows *r, int64_t *totals)
{
	int rc = drop_homeless(r);

	if (rc == 0)
		rc = count_chunks(r, totals);
	if (rc == 0)
		rc = drop_dead(r);
	if (rc == 0)
		rc = count_bases(r);
	if (rc == 0)
		rc = sum_up(
			r->db,
			"SELECT 0, count(*) FROM frame UNION ALL "
			"SELECT 1, coalesce(sum(raw), 0) FROM frame UNION ALL "
			"SELECT 2, coalesce(sum(len), 0) FROM frame UNION ALL "
			"SELECT 3, coalesce(sum(live), 0) FROM frame UNION ALL "
			"SELECT 4, coalesce(sum((live * len + raw - 1) / raw), "
			"0) FROM frame WHERE raw > 0",
			totals + TOTAL_FRAMES, 5);
	if (rc == 0)
		rc = sum_up(r->db,
			    "SELECT kind, count(*) FROM frame GROUP BY kind",
			    totals + TOTAL_KIND_FIRST, ENCODE_N_KINDS);
	return rc == 0 ? bank_rows_flush(r) : rc;
}

static_assert(TOTAL_FRAME_RAW == TOTAL_FRAMES + 1 &&
		      TOTAL_FRAME_STORED == TOTAL_FRAMES + 2 &&
		      TOTAL_LIVE_LEN == TOTAL_FRAMES + 3 &&
		      TOTAL_LIVE_STORED == TOTAL_FRAMES + 4,
	      "sum_up() knows their order");
