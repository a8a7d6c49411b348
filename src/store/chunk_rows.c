/* SPDX-License-Identifier: MIT */
/*
 * chunk_rows.c - one block of 64 in memory, and as bytes: FORMAT.md section 8.
 *
 * Most chunks lie in the frame of the one before and are referred to once: then
 * a byte and the length are all there is.
 */
#include "store/chunk_rows.h"

#include "base/error.h"
#include "base/varint.h"
#include "store/bank.h"
#include "store/dump.h"
#include "stream/frame.h"

#include <errno.h>
#include <string.h>

#define NOTHING UINT64_MAX

enum {
	/* What the head of a chunk says, below the gap to the one before. */
	HEAD_OTHER_FRAME = 1,
	HEAD_OTHER_REFS = 2,
	HEAD_GAP_SHIFT = 2,
	ROW_MAX = CHUNK_ROWS_IN_ONE * 4 * VARINT_MAX,
};

int chunk_rows_attach(struct chunk_rows *c, struct db *db)
{
	const struct {
		const char *sql;
		struct db_stmt **ret;
	} all[] = {
		{ "SELECT rows FROM chunk WHERE block = ?", &c->load },
		{ "SELECT block, rows FROM chunk WHERE block >= ? ORDER BY "
		  "block LIMIT 1",
		  &c->next },
		{ "INSERT OR REPLACE INTO chunk VALUES(?, ?)", &c->save },
		{ "DELETE FROM chunk WHERE block = ?", &c->drop },
		{ "DELETE FROM chunk", &c->clear },
	};
	size_t i;
	int rc = 0;

	chunk_rows_forget(c);
	for (i = 0; rc == 0 && i < ARRAY_LEN(all); i++)
		rc = db_prepare(db, all[i].sql, all[i].ret);
	return rc;
}

void chunk_rows_forget(struct chunk_rows *c)
{
	c->block = NOTHING;
	c->changed = false;
}

/* ---- a block as bytes ------------------------------------------------------ */

static size_t put_slots(const struct chunk_slot *slots, uint8_t *dst)
{
	uint64_t frame = 0;
	size_t gap = 0;
	size_t len = 0;
	size_t i;

	for (i = 0; i < CHUNK_ROWS_IN_ONE; i++) {
		const struct chunk_slot *s = &slots[i];
		uint64_t head = gap << HEAD_GAP_SHIFT;

		if (!s->there) {
			gap++;
			continue;
		}
		head |= s->frame != frame ? HEAD_OTHER_FRAME : 0;
		head |= s->refs != 1 ? HEAD_OTHER_REFS : 0;
		len += varint_put(dst + len, head);
		if (head & HEAD_OTHER_FRAME)
			len += varint_put(dst + len,
					  zigzag((int64_t)(s->frame - frame)));
		if (head & HEAD_OTHER_REFS)
			len += varint_put(dst + len, s->refs);
		len += varint_put(dst + len, s->len);
		frame = s->frame;
		gap = 0;
	}
	return len;
}

/* The next chunk, in a slot from *at on. */
static int get_slot(struct reader *r, uint64_t *frame, size_t *at,
		    struct chunk_slot *slots)
{
	struct chunk_slot s = { .refs = 1, .there = true };
	uint64_t head;
	uint64_t v = 0;
	int rc = varint_get(r, &head);

	if (rc == 0 && (head & HEAD_OTHER_FRAME))
		rc = varint_get(r, &v);
	if (rc == 0 && (head & HEAD_OTHER_REFS))
		rc = varint_get(r, &s.refs);
	s.frame = *frame + (uint64_t)unzigzag(v);
	if (rc == 0)
		rc = varint_get_max(r, FRAME_CHUNK_LEN_MAX, &v);
	if (rc < 0 || head >> HEAD_GAP_SHIFT >= CHUNK_ROWS_IN_ONE - *at)
		return -EUCLEAN;
	s.len = (uint32_t)v;
	*at += head >> HEAD_GAP_SHIFT;
	slots[(*at)++] = s;
	*frame = s.frame;
	return 0;
}

static int get_slots(struct span row, struct chunk_slot *slots)
{
	struct reader r = reader_of(row);
	uint64_t frame = 0;
	size_t at = 0;
	int rc = 0;

	memset(slots, 0, CHUNK_ROWS_IN_ONE * sizeof(*slots));
	while (rc == 0 && reader_left(&r) > 0)
		rc = at < CHUNK_ROWS_IN_ONE ? get_slot(&r, &frame, &at, slots)
					    : -EUCLEAN;
	return rc;
}

/* ---- the block in memory --------------------------------------------------- */

int chunk_rows_flush(struct chunk_rows *c)
{
	uint8_t row[ROW_MAX];
	struct db_stmt *s = c->save;
	size_t len;
	int rc;

	if (!c->changed)
		return 0;
	len = put_slots(c->slots, row);
	if (len == 0)
		s = c->drop;
	db_bind_u64(s, 0, c->block);
	if (len > 0)
		db_bind_blob(s, 1, span_of(row, len));
	rc = db_run(s);
	if (rc == 0)
		c->changed = false;
	return rc;
}

int chunk_rows_clear(struct chunk_rows *c)
{
	chunk_rows_forget(c);
	return db_run(c->clear);
}

/* A row that was read becomes the block in memory. */
static int take(struct chunk_rows *c, uint64_t block, struct span row)
{
	int rc = get_slots(row, c->slots);

	c->block = rc == 0 ? block : NOTHING;
	return rc == 0 ? 0
		       : corrupt("row %llu of chunks makes no sense",
				 (unsigned long long)block);
}

static int use(struct chunk_rows *c, uint64_t block)
{
	int rc;

	if (c->block == block)
		return 0;
	rc = chunk_rows_flush(c);
	if (rc < 0)
		return rc;
	c->block = NOTHING;
	db_bind_u64(c->load, 0, block);
	rc = db_step(c->load);
	if (rc >= 0)
		rc = take(c, block,
			  rc == 1 ? db_column_blob(c->load, 0)
				  : span_of(NULL, 0));
	db_reset(c->load);
	return rc;
}

/* The first block from `from` on that has a row. 1, or 0: there is none. */
static int use_next(struct chunk_rows *c, uint64_t from)
{
	int rc = chunk_rows_flush(c);
	int more;

	if (rc < 0)
		return rc;
	c->block = NOTHING;
	db_bind_u64(c->next, 0, from);
	more = db_step(c->next);
	rc = more;
	if (more == 1)
		rc = take(c, db_column_u64(c->next, 0),
			  db_column_blob(c->next, 1));
	db_reset(c->next);
	return rc < 0 ? rc : more;
}

static struct chunk_slot *slot_of(struct chunk_rows *c, uint64_t id)
{
	return &c->slots[id % CHUNK_ROWS_IN_ONE];
}

static void tell(const struct chunk_rows *c, size_t i, struct bank_chunk *ret)
{
	const struct chunk_slot *s = &c->slots[i];

	*ret = (struct bank_chunk){
		.id = c->block * CHUNK_ROWS_IN_ONE + i,
		.frame = s->frame,
		.refs = s->refs,
		.len = s->len,
	};
}

/* ---- chunks ---------------------------------------------------------------- */

int chunk_rows_get(struct chunk_rows *c, uint64_t id, struct bank_chunk *ret)
{
	int rc = use(c, id / CHUNK_ROWS_IN_ONE);

	if (rc < 0)
		return rc;
	if (!slot_of(c, id)->there)
		return -ENOENT;
	tell(c, id % CHUNK_ROWS_IN_ONE, ret);
	return 0;
}

/* From slot `i` on. */
static bool find_in_block(struct chunk_rows *c, size_t i,
			  struct bank_chunk *ret)
{
	while (i < CHUNK_ROWS_IN_ONE && !c->slots[i].there)
		i++;
	if (i < CHUNK_ROWS_IN_ONE)
		tell(c, i, ret);
	return i < CHUNK_ROWS_IN_ONE;
}

int chunk_rows_next(struct chunk_rows *c, uint64_t after,
		    struct bank_chunk *ret)
{
	uint64_t block = after / CHUNK_ROWS_IN_ONE;
	int rc = use(c, block);

	if (rc < 0)
		return rc;
	if (find_in_block(c, after % CHUNK_ROWS_IN_ONE + 1, ret))
		return 1;
	/* A row has one chunk at least. */
	rc = use_next(c, block + 1);
	if (rc == 1 && !find_in_block(c, 0, ret))
		rc = corrupt("row %llu of chunks is empty",
			     (unsigned long long)c->block);
	return rc == 1 ? dump_check_order("chunks", after, ret->id) : rc;
}

int chunk_rows_set(struct chunk_rows *c, const struct bank_chunk *chunk)
{
	int rc = use(c, chunk->id / CHUNK_ROWS_IN_ONE);

	if (rc < 0)
		return rc;
	*slot_of(c, chunk->id) = (struct chunk_slot){
		.frame = chunk->frame,
		.refs = chunk->refs,
		.len = chunk->len,
		.there = true,
	};
	c->changed = true;
	return 0;
}

int chunk_rows_drop(struct chunk_rows *c, uint64_t id)
{
	int rc = use(c, id / CHUNK_ROWS_IN_ONE);

	if (rc < 0)
		return rc;
	if (slot_of(c, id)->there) {
		slot_of(c, id)->there = false;
		c->changed = true;
	}
	return 0;
}
