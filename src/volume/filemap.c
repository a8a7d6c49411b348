/* SPDX-License-Identifier: MIT */
/*
 * filemap.c - leaves of extents: reading, replacing a range, counting chunks.
 *
 * A change takes the leaves that its range touches, cuts the range out, puts the
 * new extents in and writes the rows back, cut into leaves again. Appending keeps
 * full leaves full. Every chunk extent in the table is one reference; the
 * counts follow from what is cut out and put in.
 */
#include "volume/filemap.h"

#include "base/cleanup.h"
#include "base/error.h"
#include "store/chunk.h"
#include "store/db.h"
#include "store/dump.h"
#include "store/ops.h"
#include "volume/extent.h"
#include "volume/file_data.h"
#include "volume/ops.h"
#include "volume/volume_impl.h"

#include <stdlib.h>

/* Most extents that a change has in hand: two leaves and what is new. */
enum { WORK_MAX = 2 * LEAF_EXTENTS_MAX + MAP_EXTENTS_MAX + 2 };

struct filemap {
	struct db_stmt *at_or_before;
	struct db_stmt *after;
	struct db_stmt *put;
	struct db_stmt *del;
	struct db_stmt *del_all;
	struct db_stmt *last;
	struct db_stmt *all;
	struct db_stmt *page;
	int64_t allocated;            /* by the newest filemap_apply() */
	struct extent work[WORK_MAX]; /* of the change in hand */
	size_t n_work;
	struct extent list[MAP_EXTENTS_MAX]; /* of the operation in hand */
	uint8_t blob[LEAF_EXTENTS_MAX * EXTENT_LEN_MAX];
};

const char filemap_schema[] =
	"CREATE TABLE extent(ino INTEGER NOT NULL, off INTEGER NOT NULL,"
	" leaf BLOB NOT NULL, PRIMARY KEY(ino, off)) WITHOUT ROWID;";

const char filemap_clear[] = "DELETE FROM extent;";

int filemap_new(struct volume *v, struct filemap **ret)
{
	struct filemap *m = calloc(1, sizeof(*m));

	(void)v;
	if (!m)
		return -ENOMEM;
	*ret = m;
	return 0;
}

void filemap_free(struct filemap *m)
{
	free(m);
}

int filemap_attach(struct filemap *m, struct db *db)
{
	const struct {
		struct db_stmt **stmt;
		const char *sql;
	} list[] = {
		{ &m->at_or_before,
		  "SELECT off, leaf FROM extent WHERE ino=?1 AND off<=?2"
		  " ORDER BY off DESC LIMIT 1" },
		{ &m->after,
		  "SELECT off, leaf FROM extent WHERE ino=?1 AND off>?2"
		  " ORDER BY off LIMIT 1" },
		{ &m->put, "REPLACE INTO extent(ino, off, leaf)"
			   " VALUES(?1, ?2, ?3)" },
		{ &m->del, "DELETE FROM extent WHERE ino=?1 AND off=?2" },
		{ &m->del_all, "DELETE FROM extent WHERE ino=?1" },
		{ &m->last, "SELECT off FROM extent WHERE ino=?1"
			    " ORDER BY off DESC LIMIT 1 OFFSET ?2" },
		{ &m->all, "SELECT ino, off, leaf FROM extent"
			   " ORDER BY ino, off" },
		{ &m->page, "SELECT ino, off, leaf FROM extent"
			    " WHERE (ino, off) > (?1, ?2)"
			    " ORDER BY ino, off" },
	};

	for (size_t i = 0; i < ARRAY_LEN(list); i++) {
		int rc = db_prepare(db, list[i].sql, list[i].stmt);

		if (rc)
			return rc;
	}
	return 0;
}

/* ---- rows ----------------------------------------------------------------- */

/* Decodes a leaf's blob; returns the number of extents, at least 1: the first
 * begins where the key says. */
static ssize_t decode_leaf(uint64_t ino, uint64_t off, struct span blob,
			   struct extent *dst)
{
	struct extent_cursor c = { .end = off };
	struct reader r = reader_of(blob);
	ssize_t n = 0;
	int rc;

	do
		rc = extent_get(&c, &r, MAP_END_MAX, &dst[n++]);
	while (!rc && reader_left(&r) > 0 && n < LEAF_EXTENTS_MAX);
	if (rc || reader_left(&r) > 0 || dst[0].off != off)
		return corrupt("extents of inode %llu at %llu are damaged",
			       (unsigned long long)ino,
			       (unsigned long long)off);
	return n;
}

/* In a damaged table a row may stand where it does not belong: who goes from key
 * to key must not go in a circle. */
static int check_key(uint64_t ino, uint64_t key, bool right)
{
	return right ? 0
		     : corrupt("extents of inode %llu: %llu is out of order",
			       (unsigned long long)ino,
			       (unsigned long long)key);
}

/* The key of the first row after `off`, or `none`. */
static int next_key(struct filemap *m, uint64_t ino, uint64_t off,
		    uint64_t none, uint64_t *ret)
{
	uint64_t key = none;
	int rc;

	db_bind_u64(m->after, 0, ino);
	db_bind_u64(m->after, 1, off);
	rc = db_step(m->after);
	if (rc == 1) {
		key = db_column_u64(m->after, 0);
		rc = check_key(ino, key, key > off);
	}
	db_reset(m->after);
	if (rc < 0)
		return rc;
	*ret = key;
	return 0;
}

/* The row found by `stmt` for (ino, off): its key and extents. Returns their
 * number, or -ENOENT. */
static ssize_t fetch(struct db_stmt *stmt, uint64_t ino, uint64_t off,
		     uint64_t *ret_key, struct extent *dst)
{
	ssize_t n;
	int rc;

	db_bind_u64(stmt, 0, ino);
	db_bind_u64(stmt, 1, off);
	rc = db_step(stmt);
	if (rc != 1) {
		db_reset(stmt);
		return rc < 0 ? rc : -ENOENT;
	}
	*ret_key = db_column_u64(stmt, 0);
	n = decode_leaf(ino, *ret_key, db_column_blob(stmt, 1), dst);
	db_reset(stmt);
	return n;
}

static int put_row(struct filemap *m, uint64_t ino, const struct extent *list,
		   size_t n)
{
	struct extent_cursor c = { .end = list[0].off };
	size_t len = 0;

	for (size_t i = 0; i < n; i++)
		len += extent_put(&c, &list[i], m->blob + len);
	db_bind_u64(m->put, 0, ino);
	db_bind_u64(m->put, 1, list[0].off);
	db_bind_blob(m->put, 2, span_of(m->blob, len));
	return db_run(m->put);
}

static int del_row(struct filemap *m, uint64_t ino, uint64_t key)
{
	db_bind_u64(m->del, 0, ino);
	db_bind_u64(m->del, 1, key);
	return db_run(m->del);
}

/* ---- reading -------------------------------------------------------------- */

static struct leaf *leaf_new(const struct extent *list, size_t n)
{
	struct leaf *leaf = malloc(sizeof(*leaf) + n * sizeof(*list));

	if (!leaf)
		return NULL;
	atomic_init(&leaf->n_refs, 1);
	leaf->n = n;
	memcpy(leaf->extents, list, n * sizeof(*list));
	return leaf;
}

int filemap_leaf(struct volume *v, uint64_t ino, uint64_t file_off,
		 struct leaf **ret)
{
	struct filemap *m = v->filemap;
	uint64_t from = 0;
	uint64_t to = UINT64_MAX;
	struct leaf *leaf;
	ssize_t n;
	int rc;

	n = fetch(m->at_or_before, ino, file_off, &from, m->work);
	if (n == -ENOENT)
		n = 0;
	if (n < 0)
		return (int)n;
	rc = next_key(m, ino, file_off, UINT64_MAX, &to);
	if (rc)
		return rc;
	leaf = leaf_new(m->work, (size_t)n);
	if (!leaf)
		return -ENOMEM;
	leaf->from = from;
	leaf->to = to;
	*ret = leaf;
	return 0;
}

struct leaf *leaf_get(struct leaf *leaf)
{
	/* Relaxed: whoever hands the pointer over orders the content. */
	atomic_fetch_add_explicit(&leaf->n_refs, 1, memory_order_relaxed);
	return leaf;
}

void leaf_put(struct leaf *leaf)
{
	if (leaf && atomic_fetch_sub(&leaf->n_refs, 1) == 1)
		free(leaf);
}

size_t leaf_search(const struct leaf *leaf, uint64_t file_off)
{
	size_t low = 0;
	size_t high = leaf->n;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (extent_end(&leaf->extents[mid]) <= file_off)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

int filemap_tail(struct volume *v, uint64_t ino, unsigned n, uint64_t *ret_off)
{
	struct db_stmt *stmt = v->filemap->last;
	uint64_t off = 0;
	int rc;

	db_bind_u64(stmt, 0, ino);
	db_bind_u64(stmt, 1, n - 1);
	rc = db_step(stmt);
	if (rc == 1)
		off = db_column_u64(stmt, 0);
	db_reset(stmt);
	if (rc < 0)
		return rc;
	*ret_off = off;
	return 0;
}

int filemap_each(struct volume *v,
		 int (*fn)(void *ctx, uint64_t ino, const struct extent *e),
		 void *ctx)
{
	struct db_stmt *stmt = v->filemap->all;
	AUTO_FREE struct extent *list = calloc(LEAF_EXTENTS_MAX, sizeof(*list));
	int rc;

	if (!list)
		return -ENOMEM;
	while ((rc = db_step(stmt)) == 1) {
		uint64_t ino = db_column_u64(stmt, 0);
		ssize_t n = decode_leaf(ino, db_column_u64(stmt, 1),
					db_column_blob(stmt, 2), list);

		rc = n < 0 ? (int)n : 0;
		for (ssize_t i = 0; i < n && !rc; i++)
			rc = fn(ctx, ino, &list[i]);
		if (rc)
			break;
	}
	db_reset(stmt);
	return rc;
}

/* A leaf's blob is what MAP holds behind the number of extents. */
static int dump_row(struct db_stmt *row, struct dump_cursor *c,
		    struct buffer *ops)
{
	struct extent list[LEAF_EXTENTS_MAX];
	uint64_t ino = db_column_u64(row, 0);
	uint64_t off = db_column_u64(row, 1);
	struct span leaf = db_column_blob(row, 2);
	uint8_t body[4 * VARINT_MAX + LEAF_EXTENTS_MAX * EXTENT_LEN_MAX];
	ssize_t n = decode_leaf(ino, off, leaf, list);
	size_t len;

	if (n < 0)
		return (int)n;
	c->keys[0] = ino;
	c->keys[1] = off;
	len = varint_put(body, ino);
	len += varint_put(body + len, off);
	len += varint_put(body + len, extent_end(&list[n - 1]) - off);
	len += varint_put(body + len, (uint64_t)n);
	memcpy(body + len, leaf.ptr, leaf.len);
	return ops_put(ops, OP_MAP, span_of(body, len + leaf.len));
}

int filemap_dump(struct volume *v, struct dump_cursor *c, struct buffer *ops)
{
	struct db_stmt *page = v->filemap->page;

	db_bind_u64(page, 0, c->keys[0]);
	db_bind_u64(page, 1, c->keys[1]);
	return dump_page(page, dump_row, c, ops);
}

/* ---- changing --------------------------------------------------------------- */

static int count_chunk(struct volume *v, const struct extent *e, int64_t delta)
{
	return e->kind == EXTENT_CHUNK ? chunk_ref(v->store, e->chunk, delta)
				       : 0;
}

/* The part of `e` that lies in [from, to), which must not be empty. */
static struct extent cut(const struct extent *e, uint64_t from, uint64_t to)
{
	struct extent part = *e;
	uint64_t start = max_u64(e->off, from);

	part.off = start;
	part.len = min_u64(extent_end(e), to) - start;
	if (e->kind == EXTENT_CHUNK)
		part.chunk_off += (uint32_t)(start - e->off);
	return part;
}

/* A change in hand: what lies before the range is gathered in filemap->work, what
 * lies after it in `right`. */
struct change {
	struct volume *v;
	struct filemap *m;
	const struct map_range *range;
	uint64_t end;
	struct extent *right;
	size_t n_right;
};

/* Sorts an old extent into left, right and dropped parts. */
static int split_old(struct change *ch, const struct extent *e)
{
	struct filemap *m = ch->m;
	bool left = e->off < ch->range->off;
	bool right = extent_end(e) > ch->end;
	uint64_t from = max_u64(e->off, ch->range->off);
	uint64_t to = min_u64(extent_end(e), ch->end);

	/* Only rows that overlap each other have so many. */
	if (m->n_work > LEAF_EXTENTS_MAX || ch->n_right > LEAF_EXTENTS_MAX)
		return corrupt("leaves of inode %llu overlap",
			       (unsigned long long)ch->range->ino);
	if (from < to)
		m->allocated -= (int64_t)(to - from);
	if (left)
		m->work[m->n_work++] = cut(e, 0, ch->range->off);
	if (right)
		ch->right[ch->n_right++] = cut(e, ch->end, UINT64_MAX);
	return count_chunk(ch->v, e, (int64_t)left + (int64_t)right - 1);
}

/* Takes the row at `key`, whose extents are `list`, out of the table and into
 * the change. */
static int take_row(struct change *ch, uint64_t key, const struct extent *list,
		    size_t n)
{
	int rc = del_row(ch->m, ch->range->ino, key);

	for (size_t i = 0; i < n && !rc; i++)
		rc = split_old(ch, &list[i]);
	return rc;
}

/*
 * Takes all rows that the range touches. Without a row at or before it the
 * next row is taken too when it is small, so that writing backwards does not
 * leave a row for each extent.
 */
static int take_rows(struct change *ch, size_t n_new)
{
	struct filemap *m = ch->m;
	struct extent list[LEAF_EXTENTS_MAX];
	uint64_t ino = ch->range->ino;
	uint64_t at = ch->range->off;
	uint64_t key;
	bool first;
	ssize_t n = fetch(m->at_or_before, ino, at, &key, list);
	int rc = 0;

	first = n == -ENOENT;
	if (n >= 0)
		rc = take_row(ch, key, list, (size_t)n);
	else if (!first)
		rc = (int)n;
	first = first && n_new > 0;
	while (!rc) {
		rc = next_key(m, ino, at, MAP_END_MAX, &key);
		if (rc || key == MAP_END_MAX ||
		    (key >= ch->end && (!first || ch->n_right > 0)))
			return rc;
		n = fetch(m->after, ino, at, &key, list);
		if (n < 0)
			return (int)n;
		if (key >= ch->end && n_new + (size_t)n > LEAF_EXTENTS_MAX)
			return 0;
		rc = take_row(ch, key, list, (size_t)n);
		if (key >= ch->end)
			return rc;
		at = key;
	}
	return rc;
}

/* Writes filemap->work back as rows. `appended`: nothing lay behind the range, so
 * fill each leaf; else cut evenly, leaving room. */
static int put_rows(struct filemap *m, uint64_t ino, bool appended)
{
	size_t per = LEAF_EXTENTS_MAX;
	int rc = 0;

	if (!appended && m->n_work > LEAF_EXTENTS_MAX) {
		size_t n_leaves = m->n_work / (LEAF_EXTENTS_MAX * 3 / 4) + 1;

		per = (m->n_work + n_leaves - 1) / n_leaves;
	}
	for (size_t i = 0; i < m->n_work && !rc; i += per)
		rc = put_row(m, ino, m->work + i, min_u64(per, m->n_work - i));
	return rc;
}

static int change(struct volume *v, const struct map_range *range,
		  const struct extent *list, size_t n)
{
	struct extent right[LEAF_EXTENTS_MAX + 1];
	struct filemap *m = v->filemap;
	struct change ch = {
		.v = v,
		.m = m,
		.range = range,
		.end = range->off + range->len,
		.right = right,
	};
	int rc;

	m->n_work = 0;
	m->allocated = 0;
	/* New references first, so that no count touches 0 in between. */
	for (size_t i = 0; i < n; i++) {
		rc = count_chunk(v, &list[i], 1);
		if (rc)
			return rc;
		m->allocated += (int64_t)list[i].len;
	}
	rc = take_rows(&ch, n);
	if (rc)
		return rc;
	memcpy(m->work + m->n_work, list, n * sizeof(*list));
	m->n_work += n;
	memcpy(m->work + m->n_work, right, ch.n_right * sizeof(*right));
	m->n_work += ch.n_right;
	return put_rows(m, range->ino, ch.n_right == 0);
}

static int parse_map(struct span body, struct map_range *range,
		     struct extent *list, size_t *ret_n)
{
	struct reader r = reader_of(body);
	struct extent_cursor c;
	uint64_t n;

	if (varint_get(&r, &range->ino) ||
	    varint_get_max(&r, MAP_END_MAX - 1, &range->off) ||
	    varint_get_max(&r, MAP_END_MAX - range->off, &range->len) ||
	    varint_get_max(&r, MAP_EXTENTS_MAX, &n) || range->len == 0)
		return corrupt("MAP operation is damaged");
	c = (struct extent_cursor){ .end = range->off };
	for (size_t i = 0; i < n; i++)
		if (extent_get(&c, &r, range->off + range->len, &list[i]))
			return corrupt("extent in MAP operation is damaged");
	*ret_n = (size_t)n;
	return 0;
}

/* The inode's leaves in memory no longer tell what the table holds. */
static void forget_leaves(struct volume *v, const struct map_range *range)
{
	struct inode *inode = inode_peek(v, range->ino);

	if (!inode)
		return;
	sync_lock(&inode->lock);
	file_data_drop_leaves(inode->data, range->off, range->off + range->len);
	sync_unlock(&inode->lock);
	inode_put_indexed(v, inode);
}

int filemap_apply(struct volume *v, struct span body)
{
	struct extent *list = v->filemap->list;
	struct map_range range;
	size_t n = 0;
	int rc = parse_map(body, &range, list, &n);

	if (!rc)
		rc = change(v, &range, list, n);
	if (!rc)
		forget_leaves(v, &range);
	return rc;
}

int filemap_delete(struct volume *v, uint64_t ino)
{
	struct filemap *m = v->filemap;
	struct extent list[LEAF_EXTENTS_MAX];
	struct db_stmt *stmt = m->at_or_before;
	uint64_t key = 0;

	for (;;) {
		uint64_t before = key;
		ssize_t n = fetch(stmt, ino, before, &key, list);

		if (n == -ENOENT && stmt == m->after)
			break;
		if (n >= 0 && stmt == m->after)
			n = check_key(ino, key, key > before) < 0 ? -EUCLEAN
								  : n;
		if (n < 0 && n != -ENOENT)
			return (int)n;
		for (ssize_t i = 0; i < n; i++) {
			int rc = count_chunk(v, &list[i], -1);

			if (rc)
				return rc;
		}
		stmt = m->after;
	}
	db_bind_u64(m->del_all, 0, ino);
	return db_run(m->del_all);
}

int filemap_assign(struct volume *v, const struct map_range *range,
		   const struct extent *extents, size_t n,
		   int64_t *ret_allocated)
{
	AUTO_FREE uint8_t *body =
		malloc((size_t)4 * VARINT_MAX + n * (size_t)EXTENT_LEN_MAX);
	struct extent_cursor c = { .end = range->off };
	size_t len;
	int rc;

	if (!body)
		return -ENOMEM;
	len = varint_put(body, range->ino);
	len += varint_put(body + len, range->off);
	len += varint_put(body + len, range->len);
	len += varint_put(body + len, n);
	for (size_t i = 0; i < n; i++)
		len += extent_put(&c, &extents[i], body + len);
	rc = txn_op(v->store, OP_MAP, span_of(body, len));
	if (!rc)
		*ret_allocated = v->filemap->allocated;
	return rc;
}
