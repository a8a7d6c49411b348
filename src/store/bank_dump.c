/* SPDX-License-Identifier: MIT */
/*
 * bank_dump.c - rows of the bank as operations, and such rows merged.
 *
 * A page of rows is one operation, each row written as a difference to the one
 * before. Rows of a checkpoint and those that follow from FRAME records overlap:
 * so they are merged, in any order, with the same result.
 */
#include "store/bank_rows.h"

#include "base/error.h"
#include "base/varint.h"
#include "codec/glyph.h"
#include "store/ops.h"
#include "stream/frame.h"
#include "stream/record_format.h"

enum {
	ROW_MAX = 7 * VARINT_MAX,
	ROWS_LIMIT = DUMP_LEN + ROW_MAX,
};

int bank_rows_attach_dump(struct bank_rows *r, struct db *db)
{
	const struct {
		const char *sql;
		struct db_stmt **ret;
	} all[] = {
		{ "INSERT OR IGNORE INTO content VALUES(?, ?)",
		  &r->merge_content },
		{ "INSERT OR IGNORE INTO frame VALUES(?, ?, ?, ?, ?, ?, ?, 0, "
		  "0)",
		  &r->merge_frame },
		{ "INSERT OR IGNORE INTO base VALUES(?, ?, ?)",
		  &r->merge_base },
		{ "SELECT frame, node, chunk FROM base WHERE (frame, node) > "
		  "(?, ?) ORDER BY frame, node",
		  &r->pages[3] },
		{ "SELECT id, segment, off8, len, raw, kind, codebook FROM frame "
		  "WHERE id > ? ORDER BY id",
		  &r->pages[0] },
		{ "SELECT key, chunk FROM content WHERE (key, chunk) > (?, ?) "
		  "ORDER BY key, chunk",
		  &r->pages[2] },
	};
	size_t i;
	int rc = 0;

	for (i = 0; rc == 0 && i < ARRAY_LEN(all); i++)
		rc = db_prepare(db, all[i].sql, all[i].ret);
	return rc;
}

/* ---- out ------------------------------------------------------------------ */

/* What a row is written as a difference to; all zero at the first. */
struct row {
	uint64_t fields[7];
};

enum { TABLE_CHUNK = OP_CHUNK_ROWS - OP_FRAME_ROWS };

enum { N_FRAME = 7, N_CHUNK = 3, N_CONTENT = 2, N_BASE = 3 };

static const uint8_t n_fields[] = { N_FRAME, N_CHUNK, N_CONTENT, N_BASE };

/* The first field grows; the second jumps; the rest stands for itself. */
static size_t put_row(const struct row *row, const struct row *last, size_t n,
		      uint8_t *dst)
{
	size_t len = varint_put(dst, row->fields[0] - last->fields[0]);
	size_t i;

	len += varint_put(dst + len,
			  zigzag((int64_t)(row->fields[1] - last->fields[1])));
	for (i = 2; i < n; i++)
		len += varint_put(dst + len, row->fields[i]);
	return len;
}

static int get_row(struct reader *r, size_t n, struct row *row)
{
	uint64_t v = 0;
	size_t i;
	int rc = varint_get(r, &v);

	row->fields[0] += v;
	if (rc == 0)
		rc = varint_get(r, &v);
	row->fields[1] += (uint64_t)unzigzag(v);
	for (i = 2; rc == 0 && i < n; i++)
		rc = varint_get(r, &row->fields[i]);
	return rc;
}

/* A page that is being written. */
struct page {
	struct bank_rows *r;
	struct dump_cursor *c;
	struct row row;
};

/* The next row behind the cursor. 1, or 0: there is none. */
static int next_chunk(struct page *p)
{
	struct bank_chunk c;
	int rc = bank_rows_next_chunk(p->r, p->c->keys[0], &c);

	if (rc == 1)
		p->row = (struct row){ { c.id, c.frame, c.len } };
	return rc;
}

static int next_row(struct page *p)
{
	struct db_stmt *s = p->r->pages[p->c->table];
	size_t i;
	int rc;

	if (p->c->table == TABLE_CHUNK)
		return next_chunk(p);
	rc = db_step(s);
	for (i = 0; rc == 1 && i < n_fields[p->c->table]; i++)
		p->row.fields[i] = db_column_u64(s, (int)i);
	return rc;
}

static void begin_page(const struct page *p)
{
	struct db_stmt *s = p->r->pages[p->c->table];

	if (p->c->table == TABLE_CHUNK)
		return;
	db_bind_u64(s, 0, p->c->keys[0]);
	if (p->c->table > TABLE_CHUNK)
		db_bind_u64(s, 1, p->c->keys[1]);
}

/* Of frames and chunks the first field is the key, of the others the first two. */
static bool is_behind(const struct row *row, const struct dump_cursor *c)
{
	return row->fields[0] > c->keys[0] ||
	       (row->fields[0] == c->keys[0] && c->table > TABLE_CHUNK &&
		row->fields[1] > c->keys[1]);
}

/* Rows behind the cursor into `rows`; as dump_page(). */
static int take_page(struct bank_rows *r, struct dump_cursor *c,
		     struct buffer *rows)
{
	struct page p = { .r = r, .c = c };
	struct row last = { { 0 } };
	unsigned n_rows = 0;
	int rc = 0;

	begin_page(&p);
	while (n_rows < DUMP_ROWS && rows->len < DUMP_LEN) {
		rc = next_row(&p);
		if (rc == 1 && !is_behind(&p.row, c))
			rc = corrupt("rows of the index are out of order");
		if (rc != 1)
			break;
		rows->len += put_row(&p.row, &last, n_fields[c->table],
				     rows->data + rows->len);
		last = p.row;
		n_rows++;
		c->keys[0] = last.fields[0];
		c->keys[1] = last.fields[1];
	}
	if (c->table != TABLE_CHUNK)
		db_reset(r->pages[c->table]);
	return rc;
}

int bank_rows_dump(struct bank_rows *r, struct dump_cursor *c,
		   struct buffer *ops)
{
	struct buffer rows;
	unsigned table = c->table;
	int more;
	int rc;

	buffer_init(&rows, ROWS_LIMIT);
	rc = buffer_reserve(&rows, ROWS_LIMIT);
	more = rc == 0 ? take_page(r, c, &rows) : rc;
	rc = more < 0 ? more : 0;
	if (rc == 0 && rows.len > 0)
		rc = ops_put(ops, (uint8_t)(OP_FRAME_ROWS + table),
			     buffer_span(&rows));
	buffer_release(&rows);
	if (rc < 0 || more == 1)
		return rc < 0 ? rc : 1;
	*c = (struct dump_cursor){ .table = table + 1 };
	return c->table < ARRAY_LEN(r->pages);
}

/* ---- in ------------------------------------------------------------------- */

static bool frame_makes_sense(const struct row *row)
{
	return row->fields[0] > 0 && row->fields[1] > 0 &&
	       row->fields[2] < UINT64_MAX / 8 &&
	       row->fields[3] <= RECORD_PAYLOAD_MAX &&
	       row->fields[4] <= FRAME_RAW_MAX &&
	       row->fields[5] < ENCODE_N_KINDS;
}

static int merge_frame(struct bank_rows *r, const struct row *row)
{
	int i;

	if (!frame_makes_sense(row))
		return -EUCLEAN;
	for (i = 0; i < N_FRAME; i++)
		db_bind_u64(r->merge_frame, i, row->fields[i]);
	return db_run(r->merge_frame);
}

static int merge_chunk(struct bank_rows *r, const struct row *row)
{
	const struct bank_chunk chunk = {
		.id = row->fields[0],
		.frame = row->fields[1],
		.len = (uint32_t)row->fields[2],
	};

	if (chunk.id == 0 || chunk.frame == 0 ||
	    row->fields[2] > FRAME_CHUNK_LEN_MAX)
		return -EUCLEAN;
	return bank_rows_merge_chunk(r, &chunk);
}

static int merge_content(struct bank_rows *r, const struct row *row)
{
	if (row->fields[0] == 0 || row->fields[1] == 0)
		return -EUCLEAN;
	db_bind_u64(r->merge_content, 0, row->fields[0]);
	db_bind_u64(r->merge_content, 1, row->fields[1]);
	return db_run(r->merge_content);
}

static int merge_base(struct bank_rows *r, const struct row *row)
{
	int i;

	if (row->fields[0] == 0 || row->fields[1] >= GLYPH_DELTAS_MAX ||
	    row->fields[2] == 0)
		return -EUCLEAN;
	for (i = 0; i < N_BASE; i++)
		db_bind_u64(r->merge_base, i, row->fields[i]);
	return db_run(r->merge_base);
}

int bank_rows_load(struct bank_rows *r, uint8_t type, struct span body)
{
	static int (*const mergers[])(struct bank_rows *,
				      const struct row *) = {
		merge_frame,
		merge_chunk,
		merge_content,
		merge_base,
	};
	struct reader in = reader_of(body);
	struct row row = { { 0 } };
	size_t table = (size_t)type - OP_FRAME_ROWS;
	int rc = 0;

	if (type < OP_FRAME_ROWS || table >= ARRAY_LEN(mergers))
		return -EOPNOTSUPP;
	while (rc == 0 && reader_left(&in) > 0) {
		rc = get_row(&in, n_fields[table], &row);
		if (rc == 0)
			rc = mergers[table](r, &row);
	}
	return rc == -EUCLEAN ? corrupt("rows of a checkpoint make no sense")
			      : rc;
}
